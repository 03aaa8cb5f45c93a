# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which formats a client has, and which hosts they name."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import bundles

HOSTVARS: dict[str, dict[str, Any]] = {
    "web1": {"ansible_host": "10.0.0.1", "docker_daemon_access_groups": ["operators"]},
    "web2": {"ansible_host": "10.0.0.2"},
    "web3": {"docker_daemon_access_groups": ["clients", "operators"], "docker_daemon_port": 2400},
    "gone": {"docker_daemon_state": "absent"},
}
HOSTS = list(HOSTVARS)
SETTINGS = {"bundles": ["docker", "environment"], "docker_host": "tcp://10.0.0.2:2376", "pkcs12_passphrase": "secret"}


@pytest.mark.parametrize(
    ("group", "default", "expected"),
    [
        pytest.param("clients", "tcp://10.0.0.2:2376", ["web2", "web3"], id="admitting-hosts"),
        pytest.param("clients", "tcp://web3:2400", ["web3", "web2"], id="default-is-first"),
        pytest.param("operators", "tcp://10.0.0.2:2376", ["web1", "web3"], id="default-that-does-not-admit"),
        pytest.param(
            "clients", "tcp://front.example.org:1234", ["front.example.org", "web2", "web3"], id="default-elsewhere"
        ),
        pytest.param("clients", "tcp://[fd00::5]:1234", ["fd00::5", "web2", "web3"], id="default-ipv6"),
        pytest.param("clients", "tcp://web3:1234", ["web3", "web2"], id="default-of-the-same-name"),
        pytest.param("clients", "", ["web2", "web3"], id="no-default"),
        pytest.param("nobody", "", [], id="nowhere-admitted"),
    ],
)
def test_client_endpoints_are_the_hosts_that_admit_the_group(group: str, default: str, expected: list[str]) -> None:
    found = bundles.client_endpoints(group, HOSTS, HOSTVARS, default)
    assert [entry["name"] for entry in found] == expected
    assert not default or expected[0] not in ("front.example.org", "fd00::5") or found[0]["docker_host"] == default


@pytest.mark.parametrize(
    ("given", "hosts", "expected"),
    [
        pytest.param("", ["gone", "web2", "web3"], "tcp://10.0.0.2:2376", id="first-host-is-absent"),
        pytest.param("", ["gone"], "", id="all-hosts-are-absent"),
        pytest.param("tcp://gone:2376", ["gone"], "", id="chosen-host-is-absent"),
        pytest.param("tcp://gone:2376", ["gone", "web3"], "tcp://web3:2400", id="chosen-host-is-absent-others-are-not"),
        pytest.param("tcp://web3:2400", ["web2", "web3"], "tcp://web3:2400", id="chosen-host"),
        pytest.param("tcp://front.example.org:1", ["gone"], "tcp://front.example.org:1", id="chosen-elsewhere"),
        pytest.param("", [], "", id="no-docker-hosts"),
    ],
)
def test_host_whose_endpoint_was_removed_is_in_no_bundle(given: str, hosts: list[str], expected: str) -> None:
    default = bundles.default_endpoint(given, hosts, HOSTVARS)
    assert default == expected
    named = {entry["docker_host"] for entry in bundles.client_endpoints("clients", hosts, HOSTVARS, default)}
    assert "tcp://gone:2376" not in named


@pytest.mark.parametrize(
    "variables",
    [
        {"docker_daemon_listen": ["0.0.0.0:99999"]},
        {"ansible_host": "fe80::1%eth0"},
        {"ansible_host": "root@web2"},
        {"ansible_host": "tcp://web2"},
        {"docker_daemon_address": "web2 web3"},
    ],
    ids=lambda variables: str(*variables.values()),
)
def test_host_without_a_usable_address_keeps_no_client_from_its_bundle(variables: dict[str, Any]) -> None:
    hostvars = {"web2": variables, "web3": {}}
    assert bundles.default_endpoint("", ["web2", "web3"], hostvars) == "tcp://web3:2376"
    named = bundles.client_endpoints("clients", ["web2", "web3"], hostvars, "tcp://web3:2376")
    assert [entry["name"] for entry in named] == ["web3"]
    (warning,) = bundles.unusable_endpoints(["web2", "web3"], hostvars)
    assert "no client bundle names web2" in warning and "docker_daemon_address" in warning


def wish(**client: Any) -> dict[str, Any]:
    clients = [{"name": "alice", **client}]
    bundle = {"id": "alice", "client": "alice", "user": "", "directory": ""}
    files = [{"id": "alice", "directory": "/x"}]
    return bundles.client_bundle_formats(files, [bundle], clients, HOSTS, HOSTVARS, SETTINGS)[0]


def test_client_without_bundles_has_the_roles() -> None:
    found = wish()
    assert found["formats"] == ["docker", "environment"]
    assert found["environment_file"] is True
    assert found["directory"] == "/x"
    assert [endpoint["name"] for endpoint in found["endpoints"]] == ["web2", "web3"]


@pytest.mark.parametrize(
    ("group", "expected"),
    [("clients", "tcp://10.0.0.2:2376"), ("operators", "tcp://10.0.0.1:2376"), ("nobody", "tcp://10.0.0.2:2376")],
)
def test_environment_names_a_host_that_admits_the_client_where_there_is_one(group: str, expected: str) -> None:
    assert wish(group=group)["docker_host"] == expected


def test_client_with_bundles_has_its_own() -> None:
    found = wish(bundles=["context"], consumer_directory="/certs")
    assert (found["formats"], found["environment_file"], found["consumer_directory"]) == (["context"], False, "/certs")


@pytest.mark.parametrize(("bundles", "expected"), [(["pkcs12"], "secret"), (["context"], "")])
def test_passphrase_is_sent_only_for_pkcs12(bundles: list[str], expected: str) -> None:
    assert wish(bundles=bundles)["pkcs12_passphrase"] == expected
