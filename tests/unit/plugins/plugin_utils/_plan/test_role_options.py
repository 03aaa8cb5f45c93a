# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the roles pass to the modules is what their templates passed to them before these were replaced (fixtures/role_options.json)."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import options
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables import binding
from support.ansible.role_variables import HostVars, Reported, jinja, variables
from support.contracts import records

RECORDED = json.loads((pathlib.Path(__file__).parents[3] / "fixtures/role_options.json").read_text())


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "is_trusted", lambda text: not isinstance(text, Reported))


def bound(**given: t.Any) -> binding.Bound:
    known = variables(**given)
    return binding.Bound(known, lambda value: jinja(value, known))


@pytest.mark.parametrize("case", RECORDED)
def test_options_are_those_that_the_templates_of_the_roles_gave(case: str) -> None:
    recorded, here = RECORDED[case], bound(**RECORDED[case]["given"])
    request = options.server_request(here, options.authorities(here, "docker_server_cert"))
    assert [request] == recorded["docker_server_cert"]["requests"]
    signed = options.signed_for(here, "web1")
    found = {**options.endpoint(here, options.authorities(here, "docker_daemon")), **signed}
    assert found.pop("rejected") == {} and found.pop("controller_time")
    assert found.pop("crl_content") == ""
    assert found == recorded["docker_daemon"]


@pytest.mark.parametrize(
    ("lists", "listener", "expected"),
    [
        ({"clients": "A", "ops": "B"}, "proxy", "BA"),
        ({"clients": "A", "ops": ""}, "proxy", ""),
        ({"clients": "A", "ops": "B"}, "dockerd", ""),
    ],
)
def test_host_with_the_proxy_gets_the_lists_of_all_its_groups_or_none(
    lists: dict[str, str], listener: str, expected: str
) -> None:
    here = bound(docker_daemon_access_groups=["ops", "clients"], docker_daemon_listener=listener)
    one = {"purpose": "client", "trusted_content": "x", "certificate_content": "x"}
    known = {
        "server": {**one, "purpose": "server"},
        **{name: {**one, "crl_content": text} for name, text in lists.items()},
    }
    assert options.endpoint(here, known)["crl_content"] == expected


@pytest.mark.parametrize(
    ("listener", "rights", "expected"),
    [
        ("proxy", {"ops": "ci", "other": "ci"}, {"ops": "ci", "other": "ci"}),
        ("dockerd", {"ops": "ci", "other": "ci"}, {"ops": "ci"}),
        ("systemd", {"other": "ci"}, {}),
        ("dockerd", "ci", "ci"),
    ],
)
def test_host_without_the_proxy_gets_the_rights_of_the_groups_that_it_admits(
    listener: str, rights: t.Any, expected: t.Any
) -> None:
    here = bound(
        docker_daemon_access_groups=["ops"], docker_daemon_listener=listener, docker_daemon_group_rights=rights
    )
    one = {"purpose": "client", "trusted_content": "x", "certificate_content": "x"}
    known = {"server": {**one, "purpose": "server"}, "ops": one}
    assert options.endpoint(here, known)["group_rights"] == expected


@pytest.mark.parametrize(("listener", "state"), [("dockerd", "present"), ("proxy", "absent"), ("proxy", "present")])
def test_host_that_needs_a_list_which_could_not_be_read_is_refused_and_no_other(listener: str, state: str) -> None:
    here = bound(docker_daemon_access_groups=["ops"], docker_daemon_listener=listener, docker_daemon_state=state)
    one = {"purpose": "client", "trusted_content": "x", "certificate_content": "x", "crl_content": ""}
    problem = {"msg": "the issuer openbao is away", "hint": "Start it.", "code": "issuer-unreachable"}
    known = {"server": {**one, "purpose": "server"}, "ops": {**one, "crl_problem": problem}}
    if (listener, state) != ("proxy", "present"):
        assert options.endpoint(here, known)["crl_content"] == ""
        return
    with pytest.raises(TlsError) as caught:
        options.endpoint(here, known)
    assert (caught.value.code, caught.value.hint) == ("issuer-unreachable", "Start it.")
    assert "list of the access group ops cannot be renewed on this host: the issuer openbao is away" in str(
        caught.value
    )
    two = bound(docker_daemon_access_groups=["ci", "ops"], docker_daemon_listener=listener, docker_daemon_state=state)
    known["ci"] = {**one, "crl_content": "y"}
    with pytest.raises(TlsError) as caught:
        options.endpoint(two, known)
    assert caught.value.code == "issuer-unreachable"
    found = options.endpoint(two, known, may_keep_lists=True)
    assert (found["crl_content"], set(found["kept_lists"])) == ("y", {"ops"})
    assert found["kept_lists"]["ops"]["msg"].endswith("the issuer openbao is away")
    with pytest.raises(TlsError) as caught:  # the other group has none to take
        options.endpoint(two, {**known, "ci": one}, may_keep_lists=True)
    assert caught.value.code == "issuer-unreachable"


@pytest.mark.parametrize("listener", ["dockerd", "proxy"])
def test_group_that_the_ca_does_not_have_is_refused_in_words(listener: str) -> None:
    here = bound(docker_daemon_access_groups=["ops"], docker_daemon_listener=listener)
    one = {"purpose": "server", "trusted_content": "x", "certificate_content": "x"}
    with pytest.raises((TlsError, ValueError), match="ops"):
        options.endpoint(here, {"server": one})


def test_renewal_of_a_host_does_not_wait_for_lists_of_its_only_group() -> None:
    one = {"purpose": "client", "trusted_content": "x", "certificate_content": "x", "crl_content": ""}
    problem = {"msg": "the issuer openbao is away", "hint": "Start it.", "code": "issuer-unreachable"}
    known = {"server": {**one, "purpose": "server"}, "ops": {**one, "crl_problem": problem}}
    here = bound(docker_daemon_access_groups=["ops"], docker_daemon_listener="proxy")
    found = options.endpoint(here, known, may_keep_lists=True)
    assert (found["crl_content"], set(found["kept_lists"])) == ("", {"ops"})


def test_lists_of_an_issuer_are_not_left_out_silently_for_want_of_those_of_another_group() -> None:
    here = bound(docker_daemon_access_groups=["ops", "clients"], docker_daemon_listener="proxy")
    one = {"purpose": "client", "trusted_content": "x", "certificate_content": "x", "crl_content": ""}
    known = {
        "server": {**one, "purpose": "server"},
        "ops": {**one, "external": True, "crl_content": "A"},
        "clients": one,
    }
    with pytest.raises(TlsError) as caught:
        options.endpoint(here, known)
    assert caught.value.code == "crl-incomplete"
    assert "group ops has revocation lists" in str(caught.value) and "group clients has none" in str(caught.value)
    assert options.endpoint(here, {**known, "clients": {**one, "crl_content": "B"}})["crl_content"] == "AB"


def test_group_that_the_run_would_make_does_not_take_the_lists_from_a_host() -> None:
    here = bound(docker_daemon_access_groups=["ops", "clients"], docker_daemon_listener="proxy")
    one = {"purpose": "client", "trusted_content": "x", "certificate_content": "x", "crl_content": "A"}
    foretold = {**one, "trusted_content": "", "certificate_content": "", "crl_content": ""}
    known = {"server": {**one, "purpose": "server"}, "clients": one, "ops": foretold}
    assert options.endpoint(here, known)["crl_content"] == "A"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "web1"),
        ({"ansible_host": "10.0.0.5"}, "10.0.0.5"),
        ({"ansible_ssh_host": "10.0.0.6"}, "10.0.0.6"),
        # That is the order of precedence of Ansible's ssh connection.
        ({"ansible_host": "10.0.0.5", "ansible_ssh_host": "10.0.0.6"}, "10.0.0.6"),
        ({"site": "10.0.0", "ansible_host": "{{ site }}.7"}, "10.0.0.7"),
    ],
    ids=str,
)
def test_certificate_has_the_address_by_which_ansible_reaches_the_host(given: dict[str, t.Any], expected: str) -> None:
    here = bound(**given)
    request = options.server_request(here, options.authorities(here, "docker_server_cert"))
    assert request["optional_names"] == ["web1", expected]


@pytest.mark.parametrize(
    ("wanted", "listen", "expected"),
    [
        (["listen"], ["private", "10.0.0.5:2376", "0.0.0.0:2377"], ["private", "10.0.0.5"]),
        (["all", "listen"], ["10.0.0.5:2376"], ["all", "10.0.0.5"]),
        (["192.0.2.7"], ["10.0.0.5:2376"], ["192.0.2.7"]),
        ([], ["10.0.0.5:2376"], []),
    ],
    ids=str,
)
def test_listen_stands_for_the_addresses_that_docker_listens_on(
    wanted: list[str], listen: list[str], expected: list[str]
) -> None:
    assert options.addresses(wanted, listen) == expected


CA = {"docker_ca_path": "/srv/ca", "docker_ca_passphrase": "of the CA host"}


@pytest.mark.parametrize("role", ["docker_server_cert", "docker_daemon", "docker_client_cert"])
@pytest.mark.parametrize(
    ("given", "path", "passphrase"),
    [
        ({"hostvars": HostVars({"ca1": CA})}, "/srv/ca", "of the CA host"),
        # vars: of a play or of import_playbook, which the CA host's own variables do not have.
        ({**CA, "hostvars": HostVars({"ca1": {}, "web1": {}})}, "/srv/ca", "of the CA host"),
        ({"hostvars": HostVars({"ca1": {}, "web1": {}})}, "/etc/docker/ca", ""),
    ],
    ids=["inventory", "play", "nowhere"],
)
def test_ca_is_where_the_ca_host_has_it(role: str, given: dict[str, t.Any], path: str, passphrase: str) -> None:
    here = bound(groups={"docker_ca": ["ca1"], "docker_hosts": ["web1"]}, **given)
    assert options.ca_path(here, role, here.fleet()) == path
    assert options.ca_passphrase(here, role, here.fleet()) == passphrase


#: What a run knows of the CA, and what a task says that needs it.
WITHOUT_AUTHORITIES = {
    "read-and-none-there": ({"authorities": {}}, "authority-missing", "there is no CA on localhost yet"),
    "never-read": (None, "run-unfinished", "this run has not read the CA on localhost"),
}


@pytest.mark.parametrize(("read", "code", "words"), WITHOUT_AUTHORITIES.values(), ids=WITHOUT_AUTHORITIES)
def test_task_without_authorities_says_why_there_are_none(read: t.Any, code: str, words: str) -> None:
    known = {"inventory_hostname": "web1", "groups": {}, "hostvars": HostVars({}), "__docker_tls_authorities": read}
    here = binding.Bound(known, lambda value: value)
    with pytest.raises(binding.Unresolved, match=words) as caught:
        options.authorities(here, "docker_daemon")
    assert caught.value.code == code
    records.said(f"{caught.value}. {caught.value.hint}", code=code)


@pytest.mark.parametrize(
    ("listener", "expected"),
    [("dockerd", {"ops": ""}), ("systemd", {"ops": ""}), ("proxy", {"ops": "", "clients": "x"})],
)
def test_group_that_the_run_would_make_is_named_for_the_plan_of_a_first_check(
    listener: str, expected: dict[str, str]
) -> None:
    here = bound(docker_daemon_access_groups=["ops", "clients"], docker_daemon_listener=listener)
    one = {"purpose": "client", "trusted_content": "x", "certificate_content": "x", "crl_content": "A"}
    foretold = {**one, "trusted_content": "", "certificate_content": "", "crl_content": ""}
    known = {"server": {**one, "purpose": "server"}, "ops": foretold, "clients": one}
    assert options.endpoint(here, known)["group_authorities"] == expected


@pytest.mark.parametrize(
    ("value", "installs"), [(False, False), ("false", False), ("no", False), (True, True), ("yes", True)]
)
def test_certificate_is_installed_only_where_the_variable_says_so_also_as_a_text(value: t.Any, installs: bool) -> None:
    """``-e docker_server_cert_install=false`` is a text."""
    facts = {"docker_ca_authorities": {"server": {"trusted_content": "x"}}}
    signed = {"certificates": {"web1/server": {"certificate_content": "y"}}}
    here = bound(docker_server_cert_install=value, docker_server_cert_signed=signed)
    here._others["localhost"] = {"ansible_facts": facts}
    assert (options.installation(here) is not None) == installs
