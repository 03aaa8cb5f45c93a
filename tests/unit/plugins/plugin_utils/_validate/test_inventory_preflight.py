# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.answers import FACTS
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate.preflight import inventory_problems
from support.contracts import records

SET = {"docker_ca_passphrase": "{{ lookup('x') }}"}


def test_shortest_inventory_has_no_problem() -> None:
    assert inventory_problems({"docker_hosts": ["a"]}, {"localhost": SET, "a": {}}) == []


class HostVars(dict[str, dict[str, Any]]):
    """Variables as Ansible has them: an item is evaluated, ``raw_get`` is not."""

    def __getitem__(self, name: str) -> dict[str, Any]:
        return {key: value for key, value in super().__getitem__(name).items() if key != "docker_ca_passphrase"}

    def raw_get(self, name: str) -> dict[str, Any]:
        return super().__getitem__(name)


def test_passphrase_is_not_evaluated() -> None:
    assert inventory_problems({"docker_hosts": ["a"]}, HostVars({"localhost": SET, "a": {}})) == []


@pytest.mark.parametrize("variables", [{}, {"docker_ca_passphrase": " "}, {"docker_ca_passphrase": None}], ids=str)
@pytest.mark.parametrize(("groups", "place"), [({}, "localhost"), ({"docker_ca": ["olympus"]}, "olympus")])
def test_missing_passphrase_is_named(groups: dict[str, list[str]], place: str, variables: dict[str, Any]) -> None:
    (problem,) = inventory_problems(groups, {"localhost": SET, place: variables})
    assert problem.startswith(f"docker_ca_passphrase is missing or empty for {place}")
    assert "could not parse the inventory" in problem  # Ansible only warns, and continues without variables


def test_address_of_this_machine_beside_localhost_is_a_host_like_others() -> None:
    assert inventory_problems({"all": ["localhost", "127.0.0.1"]}, {"localhost": SET}) == []


def test_passphrase_that_is_still_encrypted_counts_as_set() -> None:
    assert inventory_problems({}, {"localhost": {"docker_ca_passphrase": object()}}) == []


def test_settings_of_the_ca_host_count_where_there_is_one() -> None:
    groups = {"docker_ca": ["olympus"], "docker_hosts": ["a"]}
    hostvars = {"olympus": {"docker_ca_access_groups": ["ops"]}, "a": {"docker_daemon_access_groups": ["ops"]}}
    assert [problem for problem in inventory_problems(groups, hostvars) if "a:" in problem] == []


@pytest.mark.parametrize(
    ("groups", "variables", "expected"),
    [
        ({"docker_ca": ["x", "y"]}, {}, "the group docker_ca has 2 hosts (x, y)"),
        ({"all": ["127.0.0.1"]}, {}, "the inventory has a host 127.0.0.1, and Ansible takes that for localhost"),
        ({"all": ["web1", "::1"]}, {}, "the inventory has a host ::1"),
        ({}, {"docker_client_cert_path": None}, "docker_client_cert_path is empty"),
        ({}, {"docker_client_cert_clients": [{"name": "a"}, {"name": "a"}]}, "2 clients are named 'a'"),
        ({}, {"docker_client_cert_clients": [{"name": ""}]}, "every entry needs a name"),
        ({}, {"docker_client_cert_clients": [{"name": 123}]}, "reads another value (123) there. Write it in quotes"),
        ({}, {"docker_client_cert_clients": [{"name": True, "state": "revoked"}]}, "reads another value (True) there"),
        ({}, {"docker_client_cert_clients": [{"group": "clients"}]}, "missing required arguments: name"),
        ({}, {"docker_client_cert_clients": [{"name": "a", "group": "opz"}]}, "the client 'a' is of the group 'opz'"),
        ({}, {"docker_ca_access_groups": "ops,clients"}, "docker_ca_access_groups is a text and has to be a list"),
        ({}, {"docker_ca_access_groups": None}, "docker_ca_access_groups is empty"),
        (
            {},
            {"docker_client_cert_clients": [{"name": "a", "bundles": "docker"}]},
            "docker_client_cert_clients: bundles is a text",
        ),
        (
            {"docker_hosts": ["h"]},
            {"docker_daemon_access_groups": "clients"},
            "h: docker_daemon_access_groups is a text",
        ),
        (
            {"docker_hosts": ["h"]},
            {"docker_daemon_access_groups": 5},
            "h: docker_daemon_access_groups is 5 and has to be",
        ),
        ({"docker_hosts": ["h"]}, {"docker_daemon_access_groups": []}, "h: docker_daemon_access_groups is empty"),
        ({"docker_hosts": ["h"]}, {"docker_daemon_serial": "all"}, "h: docker_daemon_serial is 'all'"),
        (
            {"docker_hosts": ["h"]},
            {"docker_daemon_access_groups": ["opz"]},
            "h: docker_daemon_access_groups admits 'opz'",
        ),
        (
            {"docker_clients": ["h"]},
            {"docker_client_cert_users": [{"user": "u", "client": "zoe"}]},
            "gives 'u' the client 'zoe'",
        ),
    ],
    ids=[
        "two-ca-hosts",
        "other-name-of-this-machine",
        "its-ipv6-address",
        "empty-path",
        "same-name",
        "empty-name",
        "number-as-name",
        "truth-as-name",
        "no-name",
        "unknown-group",
        "groups-as-text",
        "no-groups",
        "bundles-as-text",
        "admitted-as-text",
        "admitted-as-number",
        "nobody-admitted",
        "no-batches",
        "unknown-admitted",
        "unknown-client",
    ],
)
def test_problem_is_named(groups: dict[str, list[str]], variables: dict[str, Any], expected: str) -> None:
    problems = inventory_problems(groups, {"localhost": {**SET, **variables}, "h": variables})
    assert len(problems) == 1
    assert expected in records.said(problems[0])


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"docker_ca_key_type": "dsa"}, "docker_ca_key_type must be one of"),
        ({"docker_ca_lock_timeout": "long"}, "docker_ca_lock_timeout"),
        ({"docker_client_cert_clients": [{"name": "a", "validity": ["1d"], "colour": "red"}]}, "colour"),
        ({"docker_client_cert_bundle_formats": {"docker": True}}, "docker_client_cert_bundle_formats"),
    ],
    ids=str,
)
def test_variable_of_the_wrong_type_is_named_before_the_roles_are_entered(
    variables: dict[str, Any], expected: str
) -> None:
    """site.yml enters them without Ansible's own check of their arguments."""
    problems = inventory_problems({}, {"localhost": {**SET, **variables}})
    assert [problem for problem in problems if expected in records.said(problem)] == problems
    assert problems[0].startswith("localhost: ")


def test_clients_that_only_the_ca_host_names_are_judged_too() -> None:
    hosts = {"localhost": {}, "olympus": {**SET, "docker_client_cert_clients": ["alice"]}}
    (problem,) = inventory_problems({"docker_ca": ["olympus"]}, hosts)
    assert problem.startswith("olympus: an entry of docker_client_cert_clients is not a dictionary")


def test_users_of_a_client_machine_are_judged_before_they_are_read() -> None:
    hosts = {"localhost": SET, "desk": {"docker_client_cert_users": ["deploy"]}}
    (problem,) = inventory_problems({"docker_clients": ["desk"]}, hosts)
    assert problem.startswith("desk: an entry of docker_client_cert_users is not a dictionary")


@pytest.mark.parametrize("value", [{"a": "hidden-word"}, ["hidden-word"], True], ids=str)
def test_passphrase_that_is_no_text_is_named_and_not_shown(value: Any) -> None:
    (problem,) = inventory_problems({}, {"localhost": {"docker_ca_passphrase": value}})
    assert problem.startswith("docker_ca_passphrase of localhost is not a text")
    assert "hidden-word" not in problem


@pytest.mark.parametrize("port", [0, -1, 65536, True, 2376.7, "x", "", [2376]], ids=repr)
def test_port_that_is_none_is_named(port: Any) -> None:
    (problem,) = inventory_problems(
        {"docker_hosts": ["web1"]}, {"localhost": SET, "web1": {"docker_daemon_port": port}}
    )
    assert problem.startswith(f"web1: docker_daemon_port is {port!r}, which is not a port.")


@pytest.mark.parametrize("port", [1, 2376, "2376", 65535, None], ids=repr)
def test_port_is_accepted(port: Any) -> None:
    assert (
        inventory_problems({"docker_hosts": ["web1"]}, {"localhost": SET, "web1": {"docker_daemon_port": port}}) == []
    )


class Templated(HostVars):
    """``a`` admits groups by a template; its facts are never evaluated."""

    def __getitem__(self, name: str) -> dict[str, Any]:
        found = {key: value for key, value in super().__getitem__(name).items() if key != "ansible_facts"}
        return {key: ["opz"] if value == "{{ admitted }}" else value for key, value in found.items()}


def test_admitted_groups_by_a_template_are_judged_by_what_they_come_to() -> None:
    hosts = Templated({"localhost": SET, "a": {"docker_daemon_access_groups": "{{ admitted }}"}})
    (problem,) = inventory_problems({"docker_hosts": ["a"]}, hosts)
    assert problem.startswith("a: docker_daemon_access_groups admits 'opz'")


@pytest.mark.parametrize("groups", [["docker_hosts"], ["docker_clients"], ["docker_hosts", "docker_clients"]], ids=str)
def test_fact_that_looks_like_a_variable_is_named_once(groups: list[str]) -> None:
    facts = {
        "docker_daemon_access_groups": ["everybody"],
        **{name: {} for names in FACTS.values() for name in names},
        "os_family": "{{ lookup('x') }}",
    }
    hosts = Templated({"localhost": SET, "a": {"ansible_facts": facts}})
    (problem,) = inventory_problems({group: ["a"] for group in groups}, hosts)
    assert problem.startswith(
        "a: the facts of this host hold docker_daemon_access_groups, which only the inventory may"
    )


@pytest.mark.parametrize(
    ("groups", "hostvars", "expected"),
    [
        (
            {},
            {"localhost": {**SET, "docker_ca_host_timeout": 0}},
            "localhost: docker_ca_host_timeout is 0, which is not",
        ),
        (
            {"docker_hosts": ["a"]},
            {"localhost": SET, "a": {"docker_daemon_host_timeout": "5m"}},
            "a: docker_daemon_host_timeout is '5m'",
        ),
        (
            {"docker_clients": ["d"]},
            {"localhost": SET, "d": {"docker_client_cert_host_timeout": 1.5}},
            "d: docker_client_cert_host_timeout is 1.5",
        ),
    ],
)
def test_limit_that_is_no_number_of_seconds_is_named_before_any_host_is_touched(
    groups: dict[str, list[str]], hostvars: dict[str, Any], expected: str
) -> None:
    (problem,) = inventory_problems(groups, hostvars)
    assert problem.startswith(expected)
