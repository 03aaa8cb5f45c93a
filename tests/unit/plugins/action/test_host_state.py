# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The look before the roles: it asks what the roles would ask, and when in doubt it leaves the host to them."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import types
import typing as t

import pytest
import yaml

import helpers_records
from ansible_collections.portcullis.docker_tls.plugins.action import host_state
from ansible_collections.portcullis.docker_tls.plugins.filter import roles
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils import _installed, _lean, _prepared, _role_arguments

ROOT = pathlib.Path(__file__).resolve().parents[4]
ROLES = ("docker_server_cert", "docker_daemon")
AUTHORITIES = {
    "server": {"purpose": "server", "certificate_content": "SERVER\n", "trusted_content": "SERVER\nOLD\n"},
    "clients": {"purpose": "client", "certificate_content": "CLIENTS\n", "trusted_content": "CLIENTS\n"},
    "ops": {"purpose": "client", "certificate_content": "OPS\n", "trusted_content": "OPS\n"},
}
SIGNED = {"certificates": {"web1/server": {"certificate_content": "LEAF\n"}}}


def role_variables() -> dict[str, t.Any]:
    """Return the defaults and internal variables of the two roles, as a play with both has them."""
    found: dict[str, t.Any] = {}
    for role in ROLES:
        for name in ("defaults", "vars"):
            found.update(yaml.safe_load((ROOT / "roles" / role / name / "main.yml").read_text()) or {})
    return found


class HostVars(dict[str, dict[str, t.Any]]):
    """As much of Ansible's hostvars as is used."""

    def raw_get(self, host: str) -> dict[str, t.Any]:
        return self[host]


def variables(**changes: t.Any) -> dict[str, t.Any]:
    return {
        **role_variables(),
        "inventory_hostname": "web1",
        "groups": {"docker_hosts": ["web1"], "all": ["web1"]},
        "hostvars": HostVars({"localhost": {"docker_ca_authorities": AUTHORITIES}, "web1": {}}),
        "ansible_check_mode": False,
        "ansible_python_interpreter": sys.executable,
        **changes,
    }


def jinja(found: t.Any, known: dict[str, t.Any]) -> t.Any:
    """Return what Ansible makes of a template, in a process of its own: Ansible's finder of collections stays there."""
    plain = {**known, "hostvars": dict(known["hostvars"])}
    done = subprocess.run(
        [sys.executable, "-c", TEMPLATE],
        input=json.dumps([found, plain]),
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "LC_ALL": "C.UTF-8"},
    )
    return json.loads(done.stdout)


TEMPLATE = """
import json, sys
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core 2.18 trusts all
    trust_as_template = str

def trusted(value):
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value

init_plugin_loader([])
found, known = json.load(sys.stdin)
json.dump(Templar(DataLoader(), trusted(known)).template(trusted(found)), sys.stdout)
"""

TRUST = _role_arguments.is_trusted


class Reported(str):
    """Text from a host, as Ansible marks it."""


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust what these tests write as Ansible trusts what stands in an inventory."""
    monkeypatch.setattr(_role_arguments, "is_trusted", lambda text: not isinstance(text, Reported))


CASES: dict[str, dict[str, t.Any]] = {
    "defaults": {},
    "everything named": {
        "ansible_host": "10.0.0.5",
        "docker_daemon_listen": ["private", "10.0.0.5:2376", "[fd00::5]:2376"],
        "docker_server_cert_path": "/srv/certs",
        "docker_daemon_config_path": "/srv/daemon.json",
        "docker_daemon_access_groups": ["clients", "ops"],
        "docker_daemon_verify": "always",
        "groups": {"docker_ca": ["ca1"], "docker_hosts": ["web1"]},
        "hostvars": HostVars({"ca1": {"docker_ca_authorities": AUTHORITIES}}),
    },
    "signed in this run": {
        "docker_server_cert_signed": SIGNED,
        "docker_server_cert_requested": {"requests": [{"action": "issue"}]},
        "ansible_check_mode": True,
    },
    "nothing due in a check": {
        "docker_server_cert_requested": {"requests": [{"action": "none"}]},
        "ansible_check_mode": True,
    },
    "templates of the inventory": {
        "zone": "example.test",
        "docker_server_cert_names": ["{{ inventory_hostname }}.{{ zone }}"],
        "docker_server_cert_common_name": "{{ zone | upper }}",
    },
}


@pytest.mark.parametrize("case", CASES)
def test_expressions_mean_what_jinja_makes_of_them(case: str) -> None:
    known = variables(**CASES[case])
    resolver = _role_arguments.Resolver(known, lambda value: jinja(value, known))
    compared = [text for text in _role_arguments.EXPRESSIONS if "now(" not in text]  # the time goes on
    found = [resolver.value(text) for text in compared]
    found = ["__omit__" if value is _role_arguments._OMIT else value for value in found]
    assert found == jinja(compared, {**known, "omit": "__omit__"})


def roles_text() -> str:
    paths = [path for role in ROLES for path in (ROOT / "roles" / role).glob("*/main.yml")]
    return " ".join(" ".join(path.read_text() for path in paths).split())


@pytest.mark.parametrize("expression", _role_arguments.EXPRESSIONS, ids=lambda text: text[:60])
def test_expressions_are_those_of_the_roles(expression: str) -> None:
    assert expression in roles_text()


@pytest.mark.parametrize("role", ROLES)
def test_arguments_of_the_roles_are_resolved_without_a_template(role: str) -> None:
    def never(value: t.Any) -> t.Any:
        raise AssertionError(f"{value} costs 3.5 ms for each host: give it a place in EXPRESSIONS")

    found = _role_arguments.Resolver(variables(), never).arguments(host_state._ARGUMENTS[role])
    assert not _role_arguments.has_template({**found, "controller_time": ""})


@pytest.mark.parametrize(
    ("role", "module"),
    [("docker_server_cert", "certificate_requests"), ("docker_daemon", "daemon_endpoint")],
)
def test_arguments_are_those_that_the_role_would_pass(role: str, module: str) -> None:
    known = variables(**CASES["everything named"])
    tasks = yaml.safe_load((ROOT / "roles" / role / "tasks/main.yml").read_text())
    written = next(
        task[f"portcullis.docker_tls.{module}"] for task in tasks if f"portcullis.docker_tls.{module}" in task
    )
    left_out = ("cryptography_package", "controller_time", "prepared")
    expected = {name: value for name, value in written.items() if name not in left_out}
    found = _role_arguments.Resolver(known, lambda value: jinja(value, known)).arguments(host_state._ARGUMENTS[role])
    found.pop("controller_time", None)
    assert found == jinja(expected, {**known, "omit": "__omit__"})


def test_roles_do_nothing_else_on_a_host_where_nothing_is_due() -> None:
    """Who adds a task here has to say whether a host that is current needs it; if so, host_state has to know."""
    names = [
        task["name"]
        for role in ROLES
        for task in yaml.safe_load((ROOT / "roles" / role / "tasks/main.yml").read_text())
    ]
    assert names == [
        "Read the authorities, where docker_ca did not run in this play",
        "Decide, and make a key and a signing request where a certificate is needed",
        "Sign what all hosts ask for, in one call on the CA host",
        "Install the certificate, or tell why this host was refused one",
        "Read the authorities, where docker_ca did not run in this play",
        "Change the daemon, all of it or nothing",
        "Prove the endpoint from the controller",
    ]


def look(
    answer: str | None = None,
    *,
    arguments: dict[str, t.Any] | None = None,
    without: t.Collection[str] = (),
    **changes: t.Any,
) -> dict[str, t.Any]:
    """Return the action's result on a host that answers ``answer``; ``sent`` is what it was asked."""
    known = {name: value for name, value in variables(**changes).items() if name not in without}
    connection = types.SimpleNamespace(transport="ssh", has_pipelining=True, become=None)
    task = types.SimpleNamespace(
        args=arguments or {}, check_mode=False, async_val=0, action="x", environment=[], delegate_to=None
    )
    templar = types.SimpleNamespace(template=lambda value: jinja(value, known))
    make: t.Any = host_state.ActionModule
    plugin = make(task, connection, None, None, templar, None)
    plugin._connection._shell = types.SimpleNamespace(tmpdir="/tmp")
    sent: list[bytes] = []

    def low_level(command: str, in_data: bytes, sudoable: bool) -> dict[str, str]:
        sent.append(in_data)
        return {"stdout": answer or "", "command": command}

    plugin._low_level_execute_command = low_level
    return {**plugin.run(task_vars=known), "sent": sent}


CURRENT = json.dumps({"docker_tls_look": {"current": True, "reasons": [], "warnings": []}})


def test_host_that_says_so_is_current() -> None:
    result = look(f"Welcome!\n{CURRENT}\n")
    assert (result["current"], result["changed"], len(result["sent"])) == (True, False, 1)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Traceback",
        '{"docker_tls_look": ',
        '{"docker_tls_look": {"current": "yes"}}',
        '{"docker_tls_look": []}',
        '{"docker_tls_look": {"current": true, "reasons": 5}}',
        '{"docker_tls_look": {"current": true, "warnings": {"a": 1}}}',
        json.dumps({"docker_tls_look": {"current": True, "requests": ["x" * 2_000_000]}}),
        "{}",
    ],
)
def test_answer_that_is_none_leaves_the_host_to_the_roles(answer: str) -> None:
    result = look(answer)
    assert result.pop("sent")
    assert helpers_records.returned("host_state", result)["current"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"docker_daemon_state": "absent"},
        {"docker_daemon_verify": "always"},
        {"docker_server_cert_force_renewal": True},
        {"docker_daemon_access_groups": ["nobody"]},
        {"docker_daemon_access_groups": []},
        {"docker_daemon_port": "many"},
        {"docker_daemon_verify": "sometimes"},
        {"docker_daemon_start_timeout": "soon"},
        {"docker_server_cert_lock_timeout": "long"},
        {"docker_server_cert_path": "~/certs"},
        {"docker_daemon_config_path": "$HOME/daemon.json"},
        {"docker_server_cert_common_name": "{{ not_there }}"},
        {"hostvars": HostVars({"localhost": {}})},
    ],
    ids=str,
)
def test_host_is_not_even_asked_where_it_is_clear_that_the_roles_run(changes: dict[str, t.Any]) -> None:
    result = look(CURRENT, **changes)
    assert result.pop("sent") == []
    assert helpers_records.returned("host_state", result)["current"] is False


@pytest.mark.parametrize("wrap", [str, lambda text: f"x-{text}", lambda text: [text]], ids=["whole", "within", "list"])
def test_what_a_host_has_reported_is_never_filled_in(wrap: t.Callable[[str], t.Any]) -> None:
    """A host may answer with a template; filled in, it would be sent the passphrase among its own names."""
    reported = Reported("{{ docker_daemon_ca_passphrase }}")
    known = variables(docker_daemon_ca_passphrase="hidden", ansible_fqdn=reported, names=[reported])
    resolver = _role_arguments.Resolver(known, lambda value: value)
    assert resolver.value("{{ ansible_fqdn }}") == reported
    assert resolver.value("{{ names }}") == [reported]
    assert "hidden" not in str(resolver.arguments({"names": wrap("{{ ansible_fqdn }}")}))


def test_trust_is_that_of_ansible() -> None:
    template = pytest.importorskip("ansible.template")
    if hasattr(template, "trust_as_template"):
        assert TRUST(template.trust_as_template("{{ x }}"))
        assert not TRUST("{{ x }}")
    else:
        from ansible.utils.unsafe_proxy import wrap_var

        assert TRUST("{{ x }}") and not TRUST(wrap_var("{{ x }}"))


PREPARED = {"plan": ["renewed"], "requests": [{"id": "server", "request_content": "CSR"}], "warnings": []}
DUE = json.dumps({"docker_tls_look": {"current": False, "reasons": ["expired"], "warnings": [], "prepared": PREPARED}})


def asked(sent: list[bytes]) -> dict[str, t.Any]:
    """Return the arguments in the program that a host was sent."""
    line = next(line for line in sent[0].decode().splitlines() if line.startswith("arguments = "))
    found: dict[str, t.Any] = json.loads(
        ast.literal_eval(line.removeprefix("arguments = json.loads(").removesuffix(")"))
    )
    return found


def test_request_that_a_look_brings_is_kept_for_the_same_question() -> None:
    result = look(DUE, arguments={"prepare": True})
    taken = _prepared.take(result["prepared"], asked(result["sent"])["requests"])
    assert asked(result["sent"])["prepare"] is True
    assert taken is not None and taken["requests"] == PREPARED["requests"]


def test_renewal_that_is_asked_for_is_prepared_in_the_same_call() -> None:
    result = look(DUE, arguments={"prepare": True}, docker_server_cert_force_renewal=True)
    assert asked(result["sent"])["requests"][0]["force"] is True


def test_host_cannot_escape_a_renewal_that_is_asked_for() -> None:
    result = look(CURRENT, arguments={"prepare": True}, docker_server_cert_force_renewal=True)
    assert (result["current"], result["reasons"]) == (False, ["forced"])


def test_host_cannot_escape_the_proof_that_a_revocation_needs() -> None:
    known = {"docker_ca_authorities": AUTHORITIES, "docker_ca_checked": {"revocations": [{"authority": "ops"}]}}
    result = look(CURRENT, hostvars=HostVars({"localhost": known, "web1": {}}))
    assert (result["current"], result["reasons"]) == (False, ["client-revoked"])


def test_only_the_certificate_is_asked_about_where_there_is_no_daemon_role() -> None:
    result = look(CURRENT, arguments={"roles": ["docker_server_cert"]})
    assert b'"endpoint": null' in result["sent"][0]


def test_script_runs_in_a_bare_python_and_knows_all_that_it_needs(tmp_path: pathlib.Path) -> None:
    request = {
        "id": "server",
        "profile": "server",
        "key_path": str(tmp_path / "key.pem"),
        "certificate_path": str(tmp_path / "cert.pem"),
        "authority_content": "",
        "names": ["web1"],
    }
    complete = host_state._validated(host_state._OPTIONS, {"requests": [request]})
    program = _lean.script({"requests": complete["requests"], "endpoint": None, "prepare": False})
    done = subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True, check=True, cwd=tmp_path)
    assert _lean.answer(done.stdout.decode()) == {
        "current": False,
        "reasons": ["certificate-missing", "key-missing"],
        "warnings": [],
    }
    assert list(tmp_path.iterdir()) == []


def test_sources_of_the_script_are_all_that_a_look_without_a_change_imports() -> None:
    """What is imported only when something changes is not in the script; then the host is in doubt, which is right."""
    prefix = "ansible_collections.portcullis.docker_tls.plugins.module_utils."
    lazily = ("_daemon.listening", "_daemon.preflight_certificates", "_x509.wording")
    code = f"import sys; import {prefix}_host_state; print([m for m in sys.modules if m.startswith({prefix!r})])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".collections")}
    imported = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    ).stdout
    names = {name[len(prefix) :] for name in yaml.safe_load(imported)}
    packages = {"_daemon", "_host", "_x509"}
    assert (names - packages) | set(lazily) == {name.replace("/", ".") for name in _lean.SOURCES}


@pytest.mark.parametrize(
    ("known", "beginning"),
    [
        ({"ansible_python_interpreter": "/opt/python"}, "/opt/python -I -"),
        ({"ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3.12"}}, "/usr/bin/python3.12 -I -"),
        ({}, "for python in "),
    ],
)
def test_interpreter_is_the_one_that_ansible_would_take(known: dict[str, t.Any], beginning: str) -> None:
    assert _lean.command(known, lambda value: value).startswith(beginning)


def test_variables_of_the_ca_host_are_read_once_for_each_host() -> None:
    """Ansible merges and copies them all each time, the authorities among them."""
    asked: list[str] = []

    class Counting(HostVars):
        def raw_get(self, host: str) -> dict[str, t.Any]:
            asked.append(host)
            return super().raw_get(host)

    known = {"docker_ca_authorities": AUTHORITIES, "docker_ca_ledger": {"time": "2026-11-22T13:05:00Z"}}
    assert look(WITH_CERTIFICATE, hostvars=Counting({"localhost": known, "web1": {}}))["current"] is True
    assert asked == ["localhost"]


def test_names_of_all_hosts_are_not_gone_through_for_each_host() -> None:
    class Names(list[str]):
        def __iter__(self) -> t.Iterator[str]:
            raise AssertionError("that makes the cost of a host grow with their number")

    known = variables(groups={"all": Names(["web1"]), "docker_hosts": Names(["web1"])})
    assert _role_arguments.Resolver(known, str).variable("docker_server_cert_ca_host") == "localhost"


def test_without_tags_is_the_same_value_in_plain_types() -> None:
    class Tagged(str):
        pass

    class Mapping(dict[str, t.Any]):
        pass

    found = _role_arguments.without_tags(Mapping({Tagged("a"): [Tagged("b"), 1, None, True, {"c": Tagged("d")}]}))
    assert found == {"a": ["b", 1, None, True, {"c": "d"}]}
    assert [type(found), *map(type, found), type(found["a"][0]), type(found["a"][4]["c"])] == [dict, str, str, str]


def test_site_looks_at_every_host_and_gives_only_those_with_work_to_the_roles() -> None:
    plays = {play["name"]: play for play in yaml.safe_load((ROOT / "playbooks/site.yml").read_text())}
    looking, working = plays["Look at the Docker hosts"], plays["Server certificates and daemons"]
    [task] = looking["tasks"]
    assert (looking["hosts"], task["portcullis.docker_tls.host_state"]) == ("docker_hosts", {"prepare": True})
    assert task["tags"] == ["always"]  # with --tags, hosts without work stay out as well
    assert looking["become"] is working["become"] is True
    assert "hosts_with_work" in working["hosts"]


def test_look_in_a_play_without_the_roles_asks_the_same() -> None:
    own = role_variables()
    with_roles, without = look(CURRENT), look(CURRENT, without=own)
    assert with_roles["current"] is without["current"] is True
    moment = re.compile(rb"controller_time[^,]*,")
    [one], [other] = with_roles["sent"], without["sent"]
    assert moment.sub(b"", one) == moment.sub(b"", other)


def test_variable_of_the_inventory_stands_before_that_of_a_role() -> None:
    resolver = _role_arguments.Resolver({"a": "inventory"}, lambda value: value, {"a": "role", "b": "{{ a }}/b"})
    assert (resolver.variable("a"), resolver.variable("b"), resolver.optional("c", 1)) == (
        "inventory",
        "inventory/b",
        1,
    )


def test_role_variable_that_only_jinja_could_compute_leaves_the_host_to_the_roles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_role_arguments, "is_trusted", lambda text: False)
    resolver = _role_arguments.Resolver({}, lambda value: value, {"a": "{{ 1 + 1 }}"})
    with pytest.raises(_role_arguments.Unresolved):
        resolver.variable("a")


def test_filters_and_python_share_one_function() -> None:
    """client_anchors is called directly here, so it must be the filter that the role names."""
    assert roles.FilterModule().filters()["client_anchors"](AUTHORITIES, ["ops"]) == "OPS\n"


CERTIFICATE = {"serial": "0a", "issuer": "CN=CA", "not_before": "2026-11-22T13:00:00Z"}
WITH_CERTIFICATE = json.dumps(
    {"docker_tls_look": {"current": True, "requests": [{"certificate": CERTIFICATE}], "endpoint": {"state": "present"}}}
)


@pytest.mark.parametrize(
    ("ledger", "current"),
    [
        ({}, True),
        ({"time": "2026-11-22T13:05:00Z"}, True),
        ({"time": "2026-11-20T00:00:00Z"}, False),
        ({"time": "2026-11-22T13:05:00Z", "restored": True}, False),
    ],
    ids=str,
)
def test_host_with_a_newer_certificate_than_the_ledger_goes_through_the_roles(
    ledger: dict[str, t.Any], current: bool
) -> None:
    known = {"docker_ca_authorities": AUTHORITIES, "docker_ca_ledger": ledger}
    result = look(WITH_CERTIFICATE, hostvars=HostVars({"localhost": known, "web1": {}}))
    assert result["current"] is current


def test_current_host_still_tells_the_later_plays_what_it_has() -> None:
    looked = look(WITH_CERTIFICATE)
    variables_of_host = {"__docker_tls_looked": looked}
    assert _installed.answer_of(variables_of_host, "docker_daemon_endpoint")["endpoint"] == {"state": "present"}
    installed = _installed.installed_certificates(["web1"], {"web1": variables_of_host}, "docker_server_cert_requested")
    assert [entry["serial"] for entry in installed] == ["0a"]
