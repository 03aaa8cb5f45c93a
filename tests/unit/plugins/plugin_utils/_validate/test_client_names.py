# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of clients become directories: none may lead out of the directory of bundles, whether it gets a bundle or loses one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate.preflight import inventory_problems
from support.contracts import records

CLIENTS, CA_CLIENTS = "docker_client_cert_clients", "docker_ca_clients"
SET = {"docker_ca_passphrase": "a phrase of some length"}
WRONG = {
    "../../x": "has a / in it",
    "../victim": "has a / in it",
    "/etc/docker": "has a / in it",
    "a/b": "has a / in it",
    "a/": "has a / in it",
    "~/x": "has a / in it",
    ".": "is that of a directory itself",
    "..": "is that of a directory itself",
    "-rf": "begins with -",
    "~root": "begins with ~",
    "a\nb": "has a control character",
    "a\tb": "has a control character",
    "a\x00b": "has a control character",
    "a\x7fb": "has a control character",
    "a\u202eb": "has a control character or another that cannot be printed",
    " a": "has spaces around it",
}


def named(**hosts: dict[str, Any]) -> list[str]:
    groups = {"all": list(hosts), "docker_clients": ["desk"] if "desk" in hosts else []}
    hostvars = {"localhost": {}, **hosts}
    hostvars["localhost"] = {**SET, **hostvars["localhost"]}
    return [records.said(one) for one in inventory_problems(groups, hostvars)]


@pytest.mark.parametrize("variable", [CLIENTS, CA_CLIENTS])
@pytest.mark.parametrize("more", [{}, {"state": "revoked"}, {"controller_directory": "/srv/x"}], ids=str)
@pytest.mark.parametrize("name", WRONG)
def test_name_that_is_no_directory_is_refused(name: str, more: dict[str, str], variable: str) -> None:
    (problem,) = named(localhost={variable: [{"name": "alice"}, {"name": name, **more}]})
    assert problem.startswith(f"{variable}: the name of the client {name!r} {WRONG[name]}")
    assert "(localhost)" in problem
    assert "Write a name without /" in problem


def test_name_is_refused_in_the_list_of_any_host() -> None:
    (problem,) = named(printer={CLIENTS: [{"name": "../x", "state": "revoked"}]})
    assert "(printer)" in problem


def test_user_of_a_client_machine_has_no_such_client() -> None:
    (problem,) = named(desk={CLIENTS: [{"name": "a"}], "docker_client_cert_users": [{"user": "u", "client": "../x"}]})
    assert "gives 'u' the client '../x'" in problem
    found = named(desk={CLIENTS: [{"name": "../x"}], "docker_client_cert_users": [{"user": "u", "client": "../x"}]})
    assert "has a / in it" in found[0]


@pytest.mark.parametrize(
    "name", ["alice", "ops alice", "alice@example.org", "a.b", "..a", ".a", "a-b", "a~b", "Zoë", "CN=x"]
)
def test_other_names_are_accepted(name: str) -> None:
    assert named(localhost={CLIENTS: [{"name": name}]}) == []
