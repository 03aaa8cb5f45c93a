# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role would pass to a module, computed without the role: the same as Ansible's own templates, and never a host's words."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.action import host_state
from ansible_collections.portcullis.docker_tls.plugins.filter import roles
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils import _role_arguments
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._as_written import has_template
from support.ansible.role_variables import AUTHORITIES, ROLES, ROOT, HostVars, Reported, facts, jinja, variables

SIGNED = {"certificates": {"web1/server": {"certificate_content": "LEAF\n"}}}


TRUST = _role_arguments.is_trusted


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
        "hostvars": HostVars({"ca1": facts(docker_ca_authorities=AUTHORITIES)}),
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
    paths = [path for role in ROLES for path in (ROOT / "roles" / role).glob("*/*.yml")]
    return " ".join(" ".join(path.read_text() for path in paths).split())


@pytest.mark.parametrize("expression", _role_arguments.EXPRESSIONS, ids=lambda text: text[:60])
def test_expressions_are_those_of_the_roles(expression: str) -> None:
    assert expression in roles_text()


@pytest.mark.parametrize("role", ROLES)
def test_arguments_of_the_roles_are_resolved_without_a_template(role: str) -> None:
    def never(value: t.Any) -> t.Any:
        raise AssertionError(f"{value} costs 3.5 ms for each host: give it a place in EXPRESSIONS")

    found = _role_arguments.Resolver(variables(), never).arguments(host_state._ARGUMENTS[role])
    assert not has_template({**found, "controller_time": ""})


@pytest.mark.parametrize(
    ("role", "module"),
    [("docker_server_cert", "certificate_requests"), ("docker_daemon", "endpoint")],
)
def test_arguments_are_those_that_the_role_would_pass(role: str, module: str) -> None:
    known = variables(**CASES["everything named"])
    files = sorted((ROOT / "roles" / role / "tasks").glob("*.yml"))
    tasks = [task for file in files for task in yaml.safe_load(file.read_text())]
    written = next(
        task[f"portcullis.docker_tls.{module}"] for task in tasks if f"portcullis.docker_tls.{module}" in task
    )
    left_out = ("cryptography_package", "controller_time", "prepared", "rejected")
    expected = {name: value for name, value in written.items() if name not in left_out}
    found = _role_arguments.Resolver(known, lambda value: jinja(value, known)).arguments(host_state._ARGUMENTS[role])
    found.pop("controller_time", None)
    assert found == jinja(expected, {**known, "omit": "__omit__"})


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
