# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller asks for itself, and what the hosts of a run report side by side."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import host_reports

LOCAL = ["localhost", "127.0.0.1", "::1"]


def request(**changes: Any) -> dict[str, Any]:
    return {"id": "server", "profile": "server", "optional_names": ["Web1", "192.0.2.10"], **changes}


ASKED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "inventory": ({}, {"names": ["web1", "192.0.2.10", *LOCAL], "extends": ["web1"]}),
    "no-local-names": ({"local_names": False}, {"names": ["web1", "192.0.2.10"]}),
    "no-fqdn": ({"fqdn": False}, {"extends": []}),
    "declared": ({"names": ["Bücher.example.", "FD00::05"]}, {"names": ["web1", "192.0.2.10", "xn--bcher-kva.example", "fd00::5", *LOCAL]}),
    "wildcard": ({"names": ["*.apps.example.org"]}, {"names": ["web1", "192.0.2.10", "*.apps.example.org", *LOCAL]}),
    "common-name": (
        {"common_name": "*.Apps.example.org"},
        {"common_name": "*.Apps.example.org", "names": ["web1", "192.0.2.10", "*.apps.example.org", *LOCAL]},
    ),
    "common-name-is-no-name": ({"common_name": "Docker"}, {"common_name": "Docker", "names": ["web1", "192.0.2.10", *LOCAL]}),
    "common-name-from-a-fact": (
        {"common_name": "db.example.org", "fact_names": ["db.example.org"]},
        {"common_name": "", "names": ["web1", "192.0.2.10", *LOCAL]},
    ),
    "addresses": (
        {"addresses": ["private", "10.0.0.0/8", "[fd00::5]"]},
        {"names": ["web1", "192.0.2.10", "fd00::5", *LOCAL], "address_ranges": ["private", "10.0.0.0/8"]},
    ),
    "address-from-a-fact": (
        {"addresses": ["10.0.0.5"], "fact_names": ["10.0.0.5"]},
        {"names": ["web1", "192.0.2.10", *LOCAL], "address_ranges": ["10.0.0.5"]},
    ),
    "ansible-host-from-a-fact": (
        {"optional_names": ["web1", "db.example.org"], "fact_names": ["db.example.org"]},
        {"names": ["web1", *LOCAL], "extends": ["web1"]},
    ),
    "controller-itself": ({"optional_names": ["localhost", "localhost"]}, {"extends": []}),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), ASKED.values(), ids=ASKED)
def test_asked_is_what_the_inventory_says_of_the_certificate(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    found = host_reports.asked([request(**changes)])["server"]
    assert {name: found[name] for name in expected} == expected


def test_asked_of_client_requests_is_nothing() -> None:
    assert host_reports.asked([request(profile="client")]) == {}


def reported(*names: str, machine: str = "") -> dict[str, Any]:
    return {"requests": [{"id": "server", "names": list(names), "machine": machine}]}


def test_contested_names_are_addresses_that_several_hosts_report_wherever_they_say_so() -> None:
    """A host with nothing to do reports it to the inspection, one whose certificate is due in what the inspection prepared."""
    hostvars: dict[str, Any] = {
        "a": {"__docker_server_cert_requested": reported("a", "10.0.2.15", "10.0.0.1", "127.0.0.1", "::1")},
        "b": {"__docker_tls_inspected": reported("b", "10.0.2.15", "FD00::5", "127.0.0.1", "::1")},
        "c": {"__docker_tls_inspected": {"current": False, "prepared": reported("c", "fd00::5", "shared.example.org")}},
        "d": {"__docker_tls_inspected": reported("shared.example.org")},
        "e": {},
    }
    assert host_reports.contested_names([*hostvars, "gone"], hostvars) == {
        "10.0.2.15": ["a", "b"],
        "fd00::5": ["b", "c"],
    }


def test_same_machine_names_those_that_answer_as_one() -> None:
    one, two = "a" * 64, "b" * 64
    hostvars: dict[str, Any] = {
        "shop-staging": {"__docker_tls_inspected": reported(machine=one)},
        "shop-production": {"__docker_server_cert_requested": reported(machine=one)},
        "web1": {"__docker_server_cert_requested": reported(machine=two)},
    }
    assert host_reports.same_machine(hostvars, hostvars) == [["shop-production", "shop-staging"]]


@pytest.mark.parametrize(
    "lie",
    [
        "text",
        {"requests": "text"},
        {"requests": []},
        {"requests": ["text"]},
        {"requests": [{"names": 7, "machine": 7}]},
        {"requests": [{"names": [7, None, {}], "machine": ""}]},
        {"requests": [{"names": None, "machine": "x" * 64}]},
    ],
    ids=str,
)
def test_answers_that_are_not_shaped_as_such_count_for_nothing(lie: Any) -> None:
    hostvars = {name: {"__docker_server_cert_requested": lie} for name in ("a", "b")}
    assert host_reports.contested_names(hostvars, hostvars) == {}
    assert host_reports.same_machine(hostvars, hostvars) == []
