# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts the second play of site.yml has: everything that is in doubt goes through the roles."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import inspected


@pytest.mark.parametrize(
    ("looked", "has_work"),
    [
        ({"current": True}, False),
        ({"current": False, "reasons": ["expires-soon"]}, True),
        ({"current": "true"}, True),
        ({"current": 1}, True),
        ({}, True),
        (None, True),
        ("current", True),
        ({"failed": True, "msg": "no"}, False),
        ({"current": False, "refused": {"code": "port-taken"}}, False),
        ({"skipped": True}, True),
        ({"unreachable": True, "msg": "no route"}, False),
    ],
    ids=str,
)
def test_hosts_with_work_are_all_that_are_not_surely_settled(looked: Any, has_work: bool) -> None:
    hostvars = {"web1": {"__docker_tls_inspected": looked}}
    assert inspected.hosts_with_work(["web1"], hostvars) == (["web1"] if has_work else [])


def test_hosts_with_work_are_all_in_their_order_where_nobody_looked() -> None:
    assert inspected.hosts_with_work(["web2", "web1"], {"web1": {}}) == ["web2", "web1"]


def test_hosts_with_work_asks_ansible_for_no_template() -> None:
    class HostVars(dict[str, dict[str, Any]]):
        def __getitem__(self, host: str) -> dict[str, Any]:
            raise AssertionError(f"every variable of {host} would be prepared for templating")

        def raw_get(self, host: str) -> dict[str, Any]:
            return super().__getitem__(host)

    known = HostVars({"web1": {"__docker_tls_inspected": {"current": True}}, "web2": {}})
    assert inspected.hosts_with_work(["web1", "web2"], known) == ["web2"]


def test_refused_hosts_are_told_from_all_others() -> None:
    hostvars: dict[str, Any] = {
        "web1": {"__docker_tls_inspected": {"current": False, "refused": {"code": "port-taken"}}},
        "web2": {"__docker_tls_inspected": {"current": False}},
        "web3": {"__docker_tls_inspected": {"unreachable": True}},
        "web4": {},
        "web5": {"__docker_tls_inspected": {"current": False, "incomplete": {"code": "crl-ended"}}},
    }
    hosts = [*hostvars, "elsewhere"]
    assert inspected.refused_hosts(hosts, hostvars) == ["web1", "web5"]
    assert inspected.hosts_with_work(["web1", "web5"], hostvars) == ["web5"]
    assert inspected.refused_hosts(["web2"], hostvars) == []
    assert inspected.hosts_not_refused(hosts, hostvars) == ["web2", "web3", "web4", "web5", "elsewhere"]


PREPARED: dict[str, Any] = {"requests": [{"id": "server"}], "plan": ["new certificate"], "warnings": []}


@pytest.mark.parametrize(
    ("registered", "expected"),
    [
        ({"requests": [{"id": "of the role"}]}, {"requests": [{"id": "of the role"}]}),
        ({"skipped": True, "changed": False}, PREPARED),
        ({"failed": True}, {"failed": True}),
        (None, {}),
        ("text", {}),
    ],
    ids=["asked", "skipped", "failed", "not-asked", "misshapen"],
)
def test_requested_is_what_the_inspection_has_prepared_only_where_the_role_has_skipped_its_question(
    registered: Any, expected: dict[str, Any]
) -> None:
    variables = {"__docker_server_cert_requested": registered, "__docker_tls_inspected": {"prepared": PREPARED}}
    assert inspected.requested(variables) == expected


@pytest.mark.parametrize("looked", [None, "x", {}, {"prepared": None}, {"prepared": "x"}, {"skipped": True}], ids=str)
def test_requested_is_nothing_where_the_question_was_skipped_and_nothing_was_prepared(looked: Any) -> None:
    variables = {"__docker_server_cert_requested": {"skipped": True}, "__docker_tls_inspected": looked}
    assert inspected.requested(variables) == {}


@pytest.mark.parametrize(
    ("looked", "expected"),
    [
        ([{"prepared": PREPARED}, {"prepared": PREPARED}], True),
        ([{"prepared": PREPARED}, {"current": False, "reasons": ["undecided"]}], False),
        ([{"prepared": PREPARED}, None], False),
        ([], False),
    ],
    ids=["all", "one-in-doubt", "one-not-inspected", "none"],
)
def test_all_prepared_only_where_no_host_has_to_be_asked(looked: list[Any], expected: bool) -> None:
    hostvars = {f"web{number}": {"__docker_tls_inspected": one} for number, one in enumerate(looked)}
    assert inspected.all_prepared(list(hostvars), hostvars) is expected
