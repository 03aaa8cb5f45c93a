# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has access by the inventory, wherever the entries are written."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import access_lists, rotation
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate import preflight
from support.contracts import records

CLIENTS = "docker_client_cert_clients"
GROUPS = {
    "all": ["olympus", "web1", "web2", "desk", "printer"],
    "docker_ca": ["olympus"],
    "docker_hosts": ["web1", "web2"],
    "docker_clients": ["desk"],
}
ALICE, BOB = {"name": "alice"}, {"name": "bob"}
GONE = {"name": "bob", "state": "revoked"}
USERS = [{"user": "al", "client": "alice"}]


def fleet(**variables: dict[str, Any]) -> dict[str, dict[str, Any]]:
    hosts = {"localhost": {}, **{host: {} for host in GROUPS["all"]}}
    hosts["olympus"] = {"docker_ca_passphrase": "a phrase of some length"}
    return {name: {**usual, **variables.get(name, {})} for name, usual in hosts.items()}


def everywhere(*clients: dict[str, Any], **more: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All hosts have one list, as from group_vars/all; ``more`` are host_vars."""
    names = ["localhost", *GROUPS["all"]]
    return fleet(**{name: {CLIENTS: list(clients), **more.get(name, {})} for name in names})


def states(found: list[dict[str, Any]]) -> dict[str, str]:
    """Return the state of each client but the default one, which a machine without a list has."""
    return {one["name"]: one["state"] for one in found if one["name"] != "client"}


#: Where the entry of bob, who is revoked, is written; alice is in the same list.
PLACES: dict[str, dict[str, dict[str, Any]]] = {
    "group_vars/all": everywhere(ALICE, GONE, desk={"docker_client_cert_users": USERS}),
    "host_vars/localhost": fleet(localhost={CLIENTS: [ALICE, GONE]}),
    "host_vars of the CA host": fleet(localhost={CLIENTS: [ALICE]}, olympus={CLIENTS: [GONE]}),
    "docker_ca_clients of the CA host": fleet(localhost={CLIENTS: [ALICE]}, olympus={"docker_ca_clients": [GONE]}),
    "docker_ca_clients of the controller": fleet(localhost={CLIENTS: [ALICE], "docker_ca_clients": [GONE]}),
    "host_vars of a client machine": fleet(
        localhost={CLIENTS: [ALICE]}, desk={CLIENTS: [ALICE, GONE], "docker_client_cert_users": USERS}
    ),
    "group_vars of docker_hosts": fleet(localhost={CLIENTS: [ALICE]}, web1={CLIENTS: [GONE]}, web2={CLIENTS: [GONE]}),
    "a host of another group": fleet(localhost={CLIENTS: [ALICE]}, printer={CLIENTS: [GONE]}),
    "group_vars/all, and another list for the controller": everywhere(ALICE, GONE, localhost={CLIENTS: [ALICE]}),
}


@pytest.mark.parametrize("hostvars", PLACES.values(), ids=PLACES)
def test_revoked_entry_counts_wherever_it_is_written(hostvars: dict[str, dict[str, Any]]) -> None:
    found = access_lists.all_clients([], GROUPS, hostvars)
    assert states(found) == {"alice": "present", "bob": "revoked"}
    assert preflight.inventory_problems(GROUPS, hostvars) == []
    assert rotation.revoked_names(GROUPS, hostvars) == ["bob"]


#: The one who is revoked in one list gets a bundle by another.
CONTRADICTIONS: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "controller": (fleet(localhost={CLIENTS: [ALICE, BOB]}, olympus={CLIENTS: [GONE]}), "localhost"),
    "all-and-docker-hosts": (everywhere(ALICE, BOB, web1={CLIENTS: [GONE]}), "localhost"),
    "client-machine": (
        fleet(
            localhost={CLIENTS: [ALICE, GONE]},
            desk={CLIENTS: [BOB], "docker_client_cert_users": [{"user": "b", "client": "bob"}]},
        ),
        "desk",
    ),
    "client-machine-by-default": (fleet(localhost={CLIENTS: [ALICE, GONE]}, desk={CLIENTS: [BOB, ALICE]}), "desk"),
    "other-group": (
        fleet(localhost={CLIENTS: [BOB]}, olympus={CLIENTS: [{**GONE, "group": "clients"}]}),
        "localhost",
    ),
    "default-client": (fleet(web1={CLIENTS: [{"name": "client", "state": "revoked"}]}), "localhost"),
}


@pytest.mark.parametrize(("hostvars", "maker"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_client_that_is_revoked_and_given_a_bundle_is_refused_with_the_hosts_it_gets_in(
    hostvars: dict[str, dict[str, Any]], maker: str
) -> None:
    problems = [one for one in preflight.inventory_problems(GROUPS, hostvars) if "is revoked in" in one]
    said = records.said(problems[0])
    assert f"{maker} gets a bundle for it" in said
    assert "still has access to web1, web2" in said


def test_client_that_is_revoked_on_the_controller_alone_is_revoked_where_nobody_else_gives_it_a_bundle() -> None:
    """host_vars/localhost in place of group_vars/all, which the CA host and the Docker hosts still have."""
    hostvars = everywhere(ALICE, BOB, localhost={CLIENTS: [ALICE, GONE]}, desk={"docker_client_cert_users": USERS})
    assert preflight.inventory_problems(GROUPS, hostvars) == []
    assert states(access_lists.all_clients([ALICE, BOB], GROUPS, hostvars)) == {"alice": "present", "bob": "revoked"}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown-group": ({**GONE, "group": "opz"}, "the client 'bob' is of the group 'opz'"),
    "misspelt-state": (
        {"name": "bob", "state": "Revoked"},
        "must be one of: present, revoked, got: Revoked found in docker_client_cert_clients",
    ),
    "absent": (
        {"name": "bob", "state": "absent"},
        "must be one of: present, revoked, got: absent found in docker_client_cert_clients",
    ),
    "no-name": ({"state": "revoked"}, "name"),
}


@pytest.mark.parametrize("host", ["localhost", "olympus", "web2", "desk", "printer"])
@pytest.mark.parametrize(("entry", "expected"), BAD.values(), ids=BAD)
def test_entry_that_would_be_passed_over_is_refused_wherever_it_is_written(
    entry: dict[str, Any], expected: str, host: str
) -> None:
    hostvars = fleet(localhost={CLIENTS: [ALICE]}, desk={CLIENTS: [ALICE]})
    hostvars[host] = {**hostvars[host], CLIENTS: [ALICE, entry]}
    problems = preflight.inventory_problems(GROUPS, hostvars)
    assert problems and all(expected in records.said(problem) for problem in problems)


def requests_of(found: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(one["name"], one["group"]): one.get("requests") for one in found if one["state"] == "present"}


def test_requests_are_those_of_the_bundles_that_the_controller_and_the_machines_get() -> None:
    hostvars = everywhere(
        ALICE,
        {"name": "olga", "group": "ops", "controller": False},
        desk={"docker_client_cert_users": [*USERS, {"user": "root", "client": "olga"}]},
    )
    assert requests_of(access_lists.all_clients([], GROUPS, hostvars)) == {
        ("alice", "clients"): ["localhost/alice", "desk/al:alice"],
        ("olga", "ops"): ["desk/root:olga"],
    }


def test_client_that_only_the_ca_lists_has_its_certificates_anywhere() -> None:
    hostvars = fleet(
        localhost={CLIENTS: [ALICE]}, desk={CLIENTS: [ALICE]}, olympus={"docker_ca_clients": [{"name": "zed"}]}
    )
    assert requests_of(access_lists.all_clients([{"name": "zed"}], GROUPS, hostvars))["zed", "clients"] is None


def test_without_a_list_there_is_the_default_client() -> None:
    assert requests_of(access_lists.all_clients([], {"docker_hosts": ["web1"]}, {"web1": {}})) == {
        ("client", "clients"): ["localhost/client"]
    }


def test_fact_that_looks_like_a_list_of_clients_revokes_nobody_and_is_refused() -> None:
    """Facts are what a host says of itself: it could shut others out."""
    said = {CLIENTS: [{**ALICE, "state": "revoked"}], "ansible_facts": {CLIENTS: []}}
    hostvars = fleet(localhost={CLIENTS: [ALICE]}, printer=said, desk={CLIENTS: [ALICE]})
    assert states(access_lists.all_clients([], GROUPS, hostvars)) == {"alice": "present"}
    assert any("printer: the facts of this host hold" in one for one in preflight.inventory_problems(GROUPS, hostvars))


def test_empty_list_gives_nobody_a_bundle() -> None:
    hostvars = fleet(localhost={CLIENTS: []}, desk={CLIENTS: [], "docker_client_cert_users": [{"user": "al"}]})
    assert access_lists.all_clients([], GROUPS, hostvars) == []
    assert preflight.inventory_problems(GROUPS, hostvars) == []


class Templated(dict[str, dict[str, Any]]):
    """Variables as Ansible has them: an item is evaluated (here to what ``values`` say), ``raw_get`` is not."""

    def __init__(self, written: dict[str, dict[str, Any]], values: dict[str, Any]) -> None:
        super().__init__(written)
        self._values = values

    def raw_get(self, name: str) -> dict[str, Any]:
        return super().__getitem__(name)

    def __getitem__(self, name: str) -> dict[str, Any]:
        found = super().__getitem__(name)
        return {**found, **({CLIENTS: self._values[name]} if name in self._values else {})}


TEXT = {CLIENTS: "{{ those_of_the_site }}"}


def test_list_by_a_template_is_read_for_each_host() -> None:
    hostvars = Templated(fleet(localhost=TEXT, web1=TEXT), {"localhost": [ALICE], "web1": [GONE]})
    assert states(access_lists.all_clients([], GROUPS, hostvars))["bob"] == "revoked"


def test_list_that_nobody_can_compute_is_refused_because_it_may_revoke_somebody() -> None:
    hostvars = fleet(localhost={CLIENTS: [ALICE]}, desk={CLIENTS: [ALICE]}, web1=TEXT)
    problems = preflight.inventory_problems(GROUPS, hostvars)
    assert any("web1: docker_client_cert_clients cannot be computed" in records.said(problem) for problem in problems)


def test_template_of_all_hosts_that_only_some_can_fill_in_is_known_from_those() -> None:
    hostvars = Templated(fleet(localhost=TEXT, web1=TEXT), {"localhost": [ALICE, GONE]})
    lists, unread = access_lists.client_lists(GROUPS, hostvars)
    assert (unread, [one.hosts for one in lists]) == ([], [["localhost"]])


def test_template_that_only_a_role_can_fill_in_does_not_matter() -> None:
    entry = {**ALICE, "validity": "{{ docker_client_cert_validity }}"}
    lists, unread = access_lists.client_lists(GROUPS, fleet(localhost={CLIENTS: [entry, GONE]}))
    assert (unread, len(lists)) == ([], 1)


def test_result_tells_which_hosts_admit_each_group() -> None:
    hostvars = fleet(web2={"docker_daemon_access_groups": ["ops"]})
    result = {
        "unlisted": [{"client": "olga", "group": "ops"}, {"client": "al", "group": "clients"}, "a text"],
        "revocations_deferred": [{"authority": "clients"}],
        "revoked_certificates": [{"client": "bob", "group": "ops"}],
    }
    hostvars["web1"]["docker_daemon_listener"] = "proxy"
    found = access_lists.with_hosts(result, GROUPS, hostvars)
    assert found["revoked_certificates"] == [{"client": "bob", "group": "ops", "hosts": ["web2"]}]
    assert found["revocations_deferred"][0]["proxies"] == ["web1"]
    assert [one["hosts"] for one in found["unlisted"]] == [["web2"], ["web1"]]
    assert found["revocations_deferred"][0]["hosts"] == ["web1"]
    assert access_lists.with_hosts({"unlisted": []}, {}, {}) == {"unlisted": []}


PROXY = {"docker_daemon_listener": "proxy"}
OPS = {"docker_daemon_access_groups": ["ops"]}
BOTH = {"docker_daemon_access_groups": ["clients", "ops"]}
#: What web1 and web2 have, and the groups for which revocation lists are enough.
BY_LIST: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "no-proxy": ({}, {}, []),
    "all-proxies": (PROXY, PROXY, ["clients"]),
    "one-is-not": (PROXY, {}, []),
    "other-listener-of-another-group": ({**PROXY, **OPS}, {}, ["ops"]),
    "other-listener-of-one-of-both-groups": ({**PROXY, **BOTH}, OPS, ["clients"]),
    "other-listener-of-no-endpoint": (PROXY, {"docker_daemon_state": "absent"}, ["clients"]),
    "rolled-back": (PROXY, {**PROXY, "docker_daemon_state": "rolled_back"}, []),
    "two-groups": (PROXY, {**PROXY, **BOTH}, ["clients", "ops"]),
    "beside-a-group-of-another-issuer": ({**PROXY, "docker_daemon_access_groups": ["clients", "bao"]}, PROXY, []),
    "apart-from-a-group-of-another-issuer": ({**PROXY, "docker_daemon_access_groups": ["bao"]}, PROXY, ["clients"]),
}


@pytest.mark.parametrize(("web1", "web2", "expected"), BY_LIST.values(), ids=BY_LIST)
def test_groups_by_list_are_those_that_only_proxies_with_lists_admit(
    web1: dict[str, Any], web2: dict[str, Any], expected: list[str]
) -> None:
    assert access_lists.groups_by_list(GROUPS, fleet(web1=web1, web2=web2), ["bao"]) == expected
