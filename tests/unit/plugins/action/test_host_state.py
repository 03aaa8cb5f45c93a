# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inspection before the roles: it decides as the roles do, and when in doubt it leaves the host to them."""

from __future__ import annotations

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

from ansible_collections.portcullis.docker_tls.plugins.action import host_state
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import host_reports
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import program, programs
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables import binding
from support.ansible.role_variables import (
    AUTHORITIES,
    ROOT,
    HostVars,
    Reported,
    asked,
    facts,
    jinja,
    role_variables,
    variables,
)
from support.contracts import records
from support.hosts.answers import whole


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust what these tests write as Ansible trusts what stands in an inventory."""
    monkeypatch.setattr(binding, "is_trusted", lambda text: not isinstance(text, Reported))


def test_what_is_loaded_before_the_fork_is_not_collected_again_in_each_process() -> None:
    code = f"import gc, {host_state.__name__}; print(gc.get_freeze_count() > len(gc.get_objects()))"
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=paths)
    assert done.stdout.strip() == "True", done.stderr


def test_site_does_nothing_else_on_a_host_where_nothing_is_due() -> None:
    """Who adds a task here has to say whether a host that is current needs it; if so, host_state has to know."""
    files = [ROOT / "roles" / path for path in ("docker_server_cert/tasks/issue.yml", "docker_daemon/tasks/main.yml")]
    names = [task["name"] for file in files for task in yaml.safe_load(file.read_text())]
    assert names == [
        "Read the authorities, where docker_ca did not in this run",
        "Make a key and a signing request where a certificate is needed",
        "Sign the requests of all hosts, in one call on the CA host; seconds that another run may hold the CA: {{ docker_server_cert_lock_timeout }}",
        "Get the answers of issuers that are asked elsewhere",
        "Read the authorities, where docker_ca did not in this run",
        "Change the endpoint in one transaction; seconds that dockerd may take to start: {{ docker_daemon_start_timeout }}",
        "Verify the endpoint from the controller",
    ]


def test_role_by_itself_installs_its_certificate() -> None:
    tasks = yaml.safe_load((ROOT / "roles/docker_server_cert/tasks/main.yml").read_text())
    assert [task.get("ansible.builtin.import_tasks") for task in tasks] == ["issue.yml", None]
    assert tasks[-1]["portcullis.docker_tls.server_certificate"] == {"role": "docker_server_cert"}
    assert not {"when", "run_once"} & set(tasks[-1])


ONCE = {
    "Make a key": "{{ __docker_server_cert_prepared | default(false) }}",
    "Get the answers": "{{ not __docker_server_cert_other_issuer | default(true) }}",
}


@pytest.mark.parametrize("name", ONCE)
def test_task_is_skipped_once_by_what_the_play_says_of_all_its_hosts(name: str) -> None:
    """Not by what a batch brings: ansible-core 2.21 keeps the value of the first, and the first host's result is registered for all."""
    tasks = yaml.safe_load((ROOT / "roles/docker_server_cert/tasks/issue.yml").read_text())
    (task,) = (task for task in tasks if task["name"].startswith(name))
    assert task["run_once"] == ONCE[name]
    assert name == "Get the answers" or task["when"] == f"not {ONCE[name].strip('{} ')}"


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


CURRENT = json.dumps({"docker_tls_answer": {"current": True, "reasons": [], "warnings": []}})


def test_host_that_says_so_is_current() -> None:
    result = look(f"Welcome!\n{CURRENT}\n")
    assert (result["current"], result["changed"], len(result["sent"])) == (True, False, 1)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Traceback",
        '{"docker_tls_answer": ',
        '{"docker_tls_answer": {"current": "yes"}}',
        '{"docker_tls_answer": []}',
        '{"docker_tls_answer": {"current": true, "reasons": 5}}',
        '{"docker_tls_answer": {"current": true, "warnings": {"a": 1}}}',
        json.dumps({"docker_tls_answer": {"current": True, "requests": ["x" * 2_000_000]}}),
        "{}",
    ],
)
def test_answer_that_is_none_leaves_the_host_to_the_roles(answer: str) -> None:
    result = look(answer)
    assert result.pop("sent")
    assert records.returned("host_state", result)["current"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"docker_daemon_state": "absent"},
        {"docker_daemon_access_groups": ["nobody"]},
        {"docker_daemon_access_groups": []},
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
    assert records.returned("host_state", result)["current"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"docker_daemon_port": "many"},
        {"docker_daemon_verify": "sometimes"},
        {"docker_daemon_start_timeout": "soon"},
        {"docker_server_cert_lock_timeout": "long"},
        {"docker_daemon_serial_number": 5, "docker_daemon_listen": {"a": 1}},
        {"docker_daemon_listen": "private"},
        {"docker_daemon_listen": None},
        {"docker_server_cert_names": "reg.example.org"},
        {"port": "{{ 'no number' }}", "docker_daemon_port": "{{ port }}"},
    ],
    ids=str,
)
def test_variable_of_the_wrong_type_is_refused_before_the_host_is_asked(changes: dict[str, t.Any]) -> None:
    """site.yml enters the roles without Ansible's own check of their arguments."""
    result = look(CURRENT, **changes)
    assert result.pop("sent") == []
    records.returned("host_state", result)
    assert (result["failed"], result["code"]) == (True, "role-arguments-invalid")
    assert re.search(r"docker_(daemon|server_cert)_\w+", result["msg"])
    assert result["hint"]


def test_variable_that_cannot_be_computed_yet_is_left_to_the_task_that_uses_it() -> None:
    result = look(CURRENT, docker_daemon_start_timeout="{{ not_there }}")
    assert not result.get("failed")
    assert (result["current"], result["reasons"]) == (False, ["undecided"])


@pytest.mark.parametrize(
    "changes",
    [
        {"docker_daemon_listen": "{{ docker_daemon_listen }}"},
        {"docker_daemon_port": "{{ port }}", "port": "{{ docker_daemon_port }}"},
    ],
    ids=str,
)
def test_variable_that_is_made_of_itself_is_left_to_the_task_that_uses_it(changes: dict[str, t.Any]) -> None:
    """Ansible then names the variable, which a RecursionError does not."""
    result = look(CURRENT, **changes)
    assert not result.get("failed")
    assert (result["current"], result["reasons"]) == (False, ["undecided"])
    assert "docker_daemon_" in result["msg"]


@pytest.mark.parametrize("name", ["docker_server_cert_ca_passphrase", "docker_daemon_ca_passphrase"])
def test_secret_is_not_computed_for_every_host_only_to_look_at_its_type(name: str, tmp_path: pathlib.Path) -> None:
    """It may come from a password manager; what needs it asks for it once, on the CA host."""
    computed = tmp_path / "computed"
    result = look(CURRENT, **{name: f"{{{{ lookup('ansible.builtin.pipe', 'touch {computed}') }}}}"})
    assert (result["current"], computed.exists()) == (True, False)


REQUEST = {"id": "server", "action": "issue", "reasons": ["expired"], "request_content": "CSR"}
PREPARED = {"plan": ["renewed"], "requests": [REQUEST], "warnings": []}


DUE = json.dumps(
    {"docker_tls_answer": {"current": False, "reasons": ["expired"], "warnings": [], "prepared": PREPARED}}
)


def test_request_that_a_look_brings_is_returned_with_what_the_controller_asked_for() -> None:
    result = look(DUE, arguments={"prepare": True})
    (request,) = asked(result["sent"][0])["requests"]
    assert asked(result["sent"][0])["prepare"] is True
    assert {name: result["prepared"][name] for name in PREPARED} == PREPARED
    assert (result["changed"], result["diff"]) == (True, {"prepared": "renewed\n"})
    assert set(request["optional_names"]) <= set(result["prepared"]["asked"]["server"]["names"])


def test_host_does_not_say_what_the_controller_asked_for() -> None:
    lie = {**PREPARED, "asked": {"server": {"names": ["box"]}}}
    answer = json.dumps({"docker_tls_answer": {"current": False, "reasons": ["expired"], "prepared": lie}})
    result = look(answer, arguments={"prepare": True})
    assert "box" not in result["prepared"]["asked"]["server"]["names"]


@pytest.mark.parametrize("arguments", [{"prepare": False}, {"prepare": True, "roles": ["docker_daemon"]}], ids=str)
def test_request_that_nobody_asked_for_is_dropped(arguments: dict[str, t.Any]) -> None:
    assert "prepared" not in look(DUE, arguments=arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        *({**PREPARED, name: value} for name in PREPARED for value in (None, "x", 1)),
        *({name: PREPARED[name] for name in PREPARED if name != missing} for missing in PREPARED),
        {**PREPARED, "requests": [{**REQUEST, "reasons": 5}]},
        {**PREPARED, "plan": ["x"] * 20_000},
        [PREPARED],
        "x",
    ],
    ids=lambda wrong: str(wrong)[:60],
)
def test_prepared_in_another_shape_leaves_the_host_to_the_roles(wrong: t.Any) -> None:
    answer = json.dumps({"docker_tls_answer": {"current": False, "reasons": ["expired"], "prepared": wrong}})
    result = look(answer, arguments={"prepare": True})
    assert (result["current"], result["reasons"], "prepared" in result) == (False, ["undecided"], False)


def test_renewal_that_is_asked_for_is_prepared_in_the_same_call() -> None:
    result = look(DUE, arguments={"prepare": True}, docker_server_cert_force_renewal=True)
    assert asked(result["sent"][0])["requests"][0]["force"] is True


def test_host_cannot_escape_a_renewal_that_is_asked_for() -> None:
    result = look(CURRENT, arguments={"prepare": True}, docker_server_cert_force_renewal=True)
    assert (result["current"], result["reasons"]) == (False, ["forced"])


def test_host_cannot_escape_a_verification_that_is_asked_for() -> None:
    result = look(CURRENT, arguments={"prepare": True}, docker_daemon_verify="always")
    assert (result["current"], result["reasons"]) == (False, ["asked-for"])


REFUSAL = {"msg": "port 2376 is taken", "hint": "End it.", "code": "port-taken"}
REFUSED = json.dumps(
    {"docker_tls_answer": {"current": False, "reasons": ["port-taken"], "warnings": [], "refused": REFUSAL}}
)


@pytest.mark.parametrize("verify", ["changed", "always"])
def test_refused_host_fails_in_the_words_of_the_change(verify: str) -> None:
    result = look(REFUSED, arguments={"prepare": True}, docker_daemon_verify=verify)
    assert result.pop("sent")
    records.returned("host_state", result)
    assert (result["failed"], "prepared" in result) == (True, False)
    assert {name: result[name] for name in REFUSAL} == REFUSAL


def test_refused_host_that_is_to_fail_later_is_reported_and_fails_later() -> None:
    reported = look(REFUSED, arguments={"prepare": True, "refusal": "report"})
    assert reported.pop("sent")
    records.returned("host_state", reported)
    assert ("failed" in reported, reported["refused"]) == (False, REFUSAL)
    later = look(CURRENT, arguments={"refused": reported["refused"]})
    assert (later["failed"], later["sent"]) == (True, [])
    assert {name: later[name] for name in REFUSAL} == REFUSAL


def test_host_that_nobody_asked_because_of_its_variables_can_fail_later_as_well() -> None:
    result = look(CURRENT, arguments={"prepare": True, "refusal": "report"}, docker_daemon_port="many")
    assert (result.pop("sent"), "failed" in result) == ([], False)
    assert result["refused"]["code"] == "role-arguments-invalid"


WITHOUT_A_NEW_LIST = {
    **AUTHORITIES,
    "clients": {
        **AUTHORITIES["clients"],
        "crl_content": "",
        "crl_problem": {"msg": "its list has ended", "hint": "Make a new one.", "code": "crl-ended"},
    },
}


@pytest.mark.parametrize("answer", [CURRENT, DUE, REFUSED], ids=["current", "due", "refused"])
def test_host_that_keeps_a_list_does_its_other_work_and_fails_for_the_list_later(answer: str) -> None:
    known = facts(docker_ca_authorities=WITHOUT_A_NEW_LIST)
    result = look(
        answer,
        arguments={"prepare": True, "refusal": "report"},
        docker_daemon_listener="proxy",
        hostvars=HostVars({"localhost": known, "web1": {}}),
    )
    (sent,) = result.pop("sent")
    assert b'"kept_lists": {"clients": ' in sent
    records.returned("host_state", result)
    wanted = {CURRENT: ("refused", "crl-ended"), DUE: ("incomplete", "crl-ended"), REFUSED: ("refused", "port-taken")}
    key, code = wanted[answer]
    assert (result["current"], "failed" in result, result[key]["code"]) == (False, False, code)
    later = look(CURRENT, arguments={"refused": result[key]})
    assert (later["failed"], later["code"]) == (True, code)


def test_host_of_a_play_that_does_not_fail_later_is_refused_for_its_list_at_once() -> None:
    known = facts(docker_ca_authorities=WITHOUT_A_NEW_LIST)
    result = look(DUE, docker_daemon_listener="proxy", hostvars=HostVars({"localhost": known, "web1": {}}))
    assert (result["failed"], result["code"], result["sent"]) == (True, "crl-ended", [])


@pytest.mark.parametrize("refused", [{}, {"more": "x"}, {"code": "a"}], ids=str)
def test_refusal_of_a_host_without_a_reason_has_one(refused: dict[str, t.Any]) -> None:
    answer = json.dumps({"docker_tls_answer": {"current": False, "refused": refused}})
    result = look(answer, arguments={"prepare": True})
    assert result["failed"] is True
    assert all(isinstance(result[name], str) for name in REFUSAL)
    assert result["msg"]


@pytest.mark.parametrize("refused", [{"msg": 5}, {"code": ["a"]}, "x"], ids=str)
def test_refusal_of_a_host_that_is_misshapen_leaves_the_host_to_the_roles(refused: t.Any) -> None:
    answer = json.dumps({"docker_tls_answer": {"current": False, "refused": refused}})
    result = look(answer, arguments={"prepare": True})
    assert (result["current"], result["reasons"], "failed" in result) == (False, ["undecided"], False)


@pytest.mark.parametrize("value", [None, 5], ids=str)
def test_list_of_the_roles_that_is_none_is_refused_by_its_name(value: object) -> None:
    result = look(CURRENT, docker_server_cert_names=value)
    assert result.pop("sent") == []
    assert (result["failed"], result["code"]) == (True, "role-arguments-invalid")
    assert f"docker_server_cert_names is {'empty' if value is None else value}" in result["msg"]


def test_host_whose_facts_are_variables_of_ours_is_refused_and_not_asked() -> None:
    result = look(CURRENT, **facts(docker_server_cert_ca_host="web1", docker_ca_authorities={}))
    assert result.pop("sent") == []
    assert (result["failed"], result["code"]) == (True, "role-arguments-invalid")
    assert "the facts of this host hold docker_server_cert_ca_host, which only the inventory may set" in result["msg"]


def test_host_cannot_escape_the_verification_that_a_revocation_needs() -> None:
    known = {**facts(docker_ca_authorities=AUTHORITIES), "__docker_ca_checked": {"revocations": [{"authority": "ops"}]}}
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
    program = programs.INSPECTION.script({"requests": complete["requests"], "endpoint": None, "prepare": False})
    done = subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True, check=True, cwd=tmp_path)
    found = programs.inspection_answer(done.stdout.decode()) or {}
    (entry,) = found.pop("requests")
    assert (entry["action"], "web1" in entry["names"], len(entry["machine"])) == ("issue", True, 64)
    assert found == {
        "current": False,
        "reasons": ["certificate-missing", "key-missing"],
        "warnings": [],
    }
    assert list(tmp_path.iterdir()) == []


def test_sources_of_the_script_have_all_that_an_inspection_imports_and_no_transaction() -> None:
    prefix = "ansible_collections.portcullis.docker_tls.plugins.module_utils."
    code = (
        f"import sys; import {prefix}_endpoint.host_state; print([m for m in sys.modules if m.startswith({prefix!r})])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".collections")}
    imported = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    ).stdout
    names = {name[len(prefix) :] for name in yaml.safe_load(imported)}
    modules = {name for name in names if (ROOT / "plugins/module_utils" / f"{name.replace('.', '/')}.py").is_file()}
    assert modules <= set(programs.INSPECTION.sources)
    assert {"_endpoint.preflight", "_pki.renewal"} <= set(programs.INSPECTION.sources)
    assert not {"_endpoint.transaction", "_endpoint.rollback_guard"} & set(programs.INSPECTION.sources)


@pytest.mark.parametrize(
    ("known", "beginning"),
    [
        ({"ansible_python_interpreter": "/opt/python"}, "/opt/python -I -"),
        ({"ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3.12"}}, "/usr/bin/python3.12 -I -"),
        ({}, "for python in "),
    ],
)
def test_interpreter_is_the_one_that_ansible_would_take(known: dict[str, t.Any], beginning: str) -> None:
    assert program.command(known, lambda value: value).startswith(beginning)


def test_variables_of_the_ca_host_are_read_once_for_each_host() -> None:
    """Ansible merges and copies them all each time, the authorities among them."""
    asked: list[str] = []

    class Counting(HostVars):
        def raw_get(self, host: str) -> dict[str, t.Any]:
            asked.append(host)
            return super().raw_get(host)

    known = facts(docker_ca_authorities=AUTHORITIES, docker_ca_ledger={"time": "2026-11-22T13:05:00Z"})
    assert look(WITH_CERTIFICATE, hostvars=Counting({"localhost": known, "web1": {}}))["current"] is True
    assert asked == ["localhost"]


def test_site_looks_at_every_host_and_gives_only_those_with_work_to_the_roles() -> None:
    plays = {play["name"]: play for play in yaml.safe_load((ROOT / "playbooks/site.yml").read_text())}
    looking, working = plays["Inspect the Docker hosts"], plays["Server certificates and daemons"]
    [task, planning] = looking["tasks"]  # another would be skipped once for each host
    assert task["portcullis.docker_tls.host_state"] == {"prepare": True, "refusal": "report"}
    assert planning["run_once"] is True
    assert task["tags"] == planning["tags"] == ["always"]  # with --tags, hosts without work stay out as well
    assert looking["become"] is working["become"] is True
    assert "'change'" in working["hosts"]


def test_look_in_a_play_without_the_roles_asks_the_same() -> None:
    own = role_variables()
    with_roles, without = look(CURRENT), look(CURRENT, without=own)
    assert with_roles["current"] is without["current"] is True
    moment = re.compile(rb"controller_time[^,]*,")
    [one], [other] = with_roles["sent"], without["sent"]
    assert moment.sub(b"", one) == moment.sub(b"", other)


CERTIFICATE = {"serial": "0a", "issuer": "CN=CA", "not_before": "2026-11-22T13:00:00Z"}


WITH_CERTIFICATE = json.dumps(
    {
        "docker_tls_answer": whole(
            "host_state",
            {"current": True, "requests": [{"certificate": CERTIFICATE}], "endpoint": {"state": "present"}},
        )
    }
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
    known = facts(docker_ca_authorities=AUTHORITIES, docker_ca_ledger=ledger)
    result = look(WITH_CERTIFICATE, hostvars=HostVars({"localhost": known, "web1": {}}))
    assert result["current"] is current


def test_current_host_still_tells_the_later_plays_what_it_has() -> None:
    looked = look(WITH_CERTIFICATE)
    variables_of_host = {"__docker_tls_inspected": looked}
    assert host_reports.answer_of(variables_of_host, "docker_daemon_endpoint")["endpoint"] == {"state": "present"}
    installed = host_reports.installed_certificates(
        ["web1"], {"web1": variables_of_host}, "__docker_server_cert_requested"
    )
    assert [entry["serial"] for entry in installed] == ["0a"]
