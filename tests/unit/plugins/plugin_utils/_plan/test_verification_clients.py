# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""For which access groups a run makes clients to verify hosts with."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import verification
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables.binding import Bound
from support.ansible.role_variables import variables

HOST: dict[str, t.Any] = {"docker_daemon_access_groups": ["ops", "ci"], "docker_daemon_verify": "always"}
BATCHES = {
    "a host": (["web1"], [], ["ops"]),
    "with the witness of site.yml": (["web1", "localhost"], ["web1"], ["ops"]),
    "where the witness is a Docker host": (["web1", "localhost"], ["web1", "localhost"], ["ops", "clients"]),
}


@pytest.mark.parametrize(("batch", "docker_hosts", "expected"), BATCHES.values(), ids=BATCHES)
def test_clients_are_of_the_groups_that_the_hosts_admit(
    batch: list[str], docker_hosts: list[str], expected: list[str]
) -> None:
    """The witness has no daemon, and the default group of its role need not exist."""
    known = variables(
        **HOST, ansible_play_batch=batch, __docker_tls_witness="localhost", groups={"docker_hosts": docker_hosts}
    )
    made = verification.clients(Bound(known, lambda value: value), {"web1": HOST, "localhost": {}})
    assert made is not None and made["groups"] == expected


PROXY: dict[str, t.Any] = {**HOST, "docker_daemon_listener": "proxy", "docker_daemon_access_groups": ["ops", "ci"]}


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ({"web1": PROXY}, ["ci", "ops"]),
        ({"web1": HOST}, []),
        ({"web1": HOST, "web2": {**PROXY, "docker_daemon_access_groups": ["ci"]}}, ["ci"]),
        ({"web1": {**PROXY, "docker_daemon_state": "absent"}}, []),
    ],
    ids=["proxy", "dockerd", "both", "absent"],
)
def test_revoked_serial_is_asked_for_where_hosts_check_lists(hosts: dict[str, t.Any], expected: list[str]) -> None:
    known = variables(**hosts["web1"], ansible_play_batch=list(hosts), groups={"docker_hosts": list(hosts)})
    made = verification.clients(Bound(known, lambda value: value), hosts)
    assert made is not None and made["revoked"] == expected


LIST = {"issuer": "CN=Docker client CA,OU=clients-g1", "number": 2, "revoked": 1}
OF_CLIENTS = {"certificate_content": "C", "key_content": "K", "certificate": {"issuer": LIST["issuer"]}}
TRIED = {
    "its list": (["ops", "clients"], [LIST], ["revoked-client-of-clients"]),
    "no list": (["ops", "clients"], [], []),
    "list of another generation": (["ops", "clients"], [{**LIST, "issuer": "CN=Docker client CA,OU=clients-g2"}], []),
    "group that it does not admit": (["ops"], [LIST], []),
}


@pytest.mark.parametrize(("groups", "lists", "expected"), TRIED.values(), ids=TRIED)
def test_host_has_to_refuse_a_revoked_serial_of_a_list_that_it_has(
    groups: list[str], lists: list[dict[str, t.Any]], expected: list[str]
) -> None:
    client = {"certificate_content": "A", "expired_certificate_content": "E"}
    known = variables(
        **{**PROXY, "docker_daemon_access_groups": groups},
        inventory_hostname="web1",
        docker_daemon_endpoint={"changed": True, "endpoint": {"revocation_lists": lists}},
        __docker_daemon_clients={"clients": {"ops": client}, "key_content": "K", "revoked": {"clients": OF_CLIENTS}},
    )
    fleet = {"web1": {**PROXY, "inventory_hostname": "web1"}, "localhost": known}
    options = verification.endpoint(Bound(known, lambda value: value), fleet)
    assert options is not None
    assert [one["name"] for one in options["refused_clients"]] == ["expired-client", *expected]
    assert verification.SOURCES not in options
    known["docker_daemon_allowed_sources"] = ["192.0.2.0/24"]
    filtered = verification.endpoint(Bound(known, lambda value: value), fleet)
    assert filtered == {**options, verification.SOURCES: ["192.0.2.0/24"]}


LIMITED: dict[str, t.Any] = {**PROXY, "docker_daemon_access_groups": ["ops", "ci", "readers"]}
RULES = {"rules": [{"methods": ["GET"], "path": "/info"}]}


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ({"web1": {**LIMITED, "docker_daemon_group_rights": {"readers": "read-only", "ci": RULES}}}, ["ops", "ci", "readers"]),
        ({"web1": {**LIMITED, "docker_daemon_group_rights": {"ops": "read-only", "ci": "full"}}}, ["ops"]),
        ({"web1": {**LIMITED, "docker_daemon_group_rights": {"others": "read-only"}}}, ["ops"]),
        ({"web1": HOST, "web2": {**LIMITED, "docker_daemon_group_rights": {"readers": "ci"}}}, ["ops", "readers"]),
        ({"web1": {**LIMITED, "docker_daemon_listener": "systemd", "docker_daemon_group_rights": {"ci": "ci"}}}, ["ops"]),
    ],
    ids=["two limited", "the first limited", "not admitted", "on one host", "another listener"],
)  # fmt: skip
def test_client_of_each_limited_group_is_made(hosts: dict[str, t.Any], expected: list[str]) -> None:
    known = variables(**hosts["web1"], ansible_play_batch=list(hosts), groups={"docker_hosts": list(hosts)})
    made = verification.clients(Bound(known, lambda value: value), hosts)
    assert made is not None and made["groups"] == expected


@pytest.mark.parametrize(
    ("rights", "limited", "upgraded"),
    [({}, [], True), ({"clients": "read-only"}, ["limited-clients"], True), ({"ops": RULES, "clients": "full"}, ["limited-ops"], False)],
    ids=["none", "another group", "the group of the good client"],
)  # fmt: skip
def test_proxy_has_to_limit_these_and_to_pass_on_the_others(
    rights: dict[str, t.Any], limited: list[str], upgraded: bool
) -> None:
    client = {"certificate_content": "A", "expired_certificate_content": "E"}
    host = {
        **PROXY,
        "docker_daemon_access_groups": ["ops", "clients"],
        "docker_daemon_group_rights": rights,
        "inventory_hostname": "web1",
    }
    known = variables(
        **host,
        docker_daemon_endpoint={"changed": True, "endpoint": {}},
        __docker_daemon_clients={"clients": {"ops": client, "clients": client}, "key_content": "K"},
    )
    options = verification.endpoint(Bound(known, lambda value: value), {"web1": host, "localhost": known})
    assert options is not None
    assert ([one["name"] for one in options["limited_clients"]], options["upgraded_connection"]) == (limited, upgraded)
    other = {**host, "docker_daemon_listener": "dockerd"}
    known["docker_daemon_listener"] = "dockerd"
    options = verification.endpoint(Bound(known, lambda value: value), {"web1": other, "localhost": known})
    assert options is not None and "limited_clients" not in options
