# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller that is a client machine too has both kinds of bundles, and each task is for one of them."""

from __future__ import annotations

import os
import pwd
from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import bundles, inventory, locations
from support.contracts import records

USERS: dict[str, Any] = {"docker_client_cert_users": [{"user": "ci", "client": "bob"}, {"client": "alice"}]}
CLIENTS = [{"name": "alice"}, {"name": "bob"}]
MACHINES = ["localhost", "desk"]
ME = pwd.getpwuid(os.geteuid()).pw_name


def test_controller_that_is_a_client_machine_has_both_kinds() -> None:
    found = inventory.client_bundles("localhost", {"localhost": USERS}, CLIENTS, MACHINES)
    assert [(one["id"], one["user"]) for one in found] == [
        ("alice", ""),
        ("bob", ""),
        ("ci:bob", "ci"),
        (f"{ME}:alice", ME),
    ]


@pytest.mark.parametrize(("become", "expected"), [(False, ["alice", "bob"]), (True, ["ci:bob", f"{ME}:alice"])])
def test_task_on_it_is_for_one_kind(become: bool, expected: list[str]) -> None:
    found = inventory.client_bundles("localhost", {"localhost": USERS}, CLIENTS, MACHINES)
    assert [one["id"] for one in found if locations.is_for(one, "localhost", MACHINES, become)] == expected


@pytest.mark.parametrize("become", [False, True])
@pytest.mark.parametrize(("host", "machines"), [("desk", MACHINES), ("localhost", ["desk"]), ("other", MACHINES)])
def test_task_elsewhere_is_for_all(host: str, machines: list[str], become: bool) -> None:
    found = inventory.client_bundles(host, {host: USERS}, CLIENTS, machines)
    assert found
    assert all(locations.is_for(one, host, machines, become) for one in found)


def test_bundles_of_revoked_clients_are_of_both_kinds() -> None:
    clients = [{"name": "alice"}, {"name": "bob", "state": "revoked"}]
    found = bundles.revoked_bundles("localhost", {"localhost": USERS}, clients, MACHINES, "/b")
    assert [(one["id"], one["directory"], one["owner"]) for one in found] == [
        ("bob", "/b/bob", None),
        ("ci:bob", "~ci/.docker", "ci"),
    ]


def test_bundle_that_is_the_only_record_of_a_certificate_fails_its_host() -> None:
    kept = [{"id": "bob", "directory": "/b/bob", "serial": "0c4b"}]
    found = bundles.unrecorded("localhost", kept)
    text = records.said(f"{found['msg']}. {found['hint']}", code=found["code"])
    assert (found["failed"], found["changed"], found["code"]) == (True, False, "revoked-not-recorded")
    assert "localhost has bundles with valid ones: bob in /b/bob (serial 0c4b)" in text
    assert "portcullis.docker_tls.record_certificates" in text


@pytest.mark.parametrize(
    ("host", "variables", "expected"),
    [("localhost", {}, ME), ("localhost", {"ansible_user": "deploy"}, "deploy"), ("desk", {}, "root")],
)
def test_login_user_of_the_controller_is_its_account(host: str, variables: dict[str, Any], expected: str) -> None:
    assert locations.login_user(host, variables) == expected


def test_account_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    assert locations.account_name() == "4000000000"
