# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the status playbook reads where, and what it makes of the answers."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import status

ROOT = pathlib.Path(__file__).resolve().parents[5]
GROUPS = {"docker_hosts": ["web1"], "docker_clients": ["desk"]}
READ = {"id": "server", "state": "read", "path": "/p", "certificate_content": "C"}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")


def fleet(hostvars: dict[str, t.Any], hosts: list[str], **options: t.Any) -> dict[str, t.Any]:
    return status.fleet(
        hosts, options.pop("groups", GROUPS), hostvars, options.pop("ca", {}), options.pop("ledger", {}), **options
    )


@pytest.mark.parametrize(
    ("groups", "hostvars", "expected"),
    [
        ({}, {}, ("localhost", "/home/ops/.docker_tls/ca")),
        ({}, {"localhost": {"docker_ca_path": "/srv/ca"}}, ("localhost", "/srv/ca")),
        ({"docker_ca": ["olympus"]}, {"olympus": {}}, ("olympus", "/etc/docker/ca")),
        ({"docker_ca": []}, {}, ("localhost", "/home/ops/.docker_tls/ca")),
    ],
)
def test_ca_is_where_the_role_puts_it(groups: t.Any, hostvars: t.Any, expected: tuple[t.Any, ...]) -> None:
    found = status.ca(groups, hostvars, {})
    assert (found["host"], found["path"]) == expected


def test_files_of_a_docker_host_are_the_daemons() -> None:
    (wanted,) = status.files("web1", GROUPS, {"web1": {}})
    assert wanted == {
        "id": "server",
        "unit": "docker.service",
        "certificate_path": "/etc/docker/certs/server-cert.pem",
        "key_path": "/etc/docker/certs/server-key.pem",
        "ca_path": "/etc/docker/certs/ca.pem",
        "client_ca_path": "/etc/docker/certs/client-ca.pem",
        "config_path": "/etc/docker/daemon.json",
    }


def test_daemon_json_is_the_one_that_the_inventory_names() -> None:
    (wanted,) = status.files("web1", GROUPS, {"web1": {"docker_daemon_config_path": "/srv/daemon.json"}})
    assert wanted["config_path"] == "/srv/daemon.json"


@pytest.mark.parametrize(
    ("variables", "directory"),
    [
        ({"docker_server_cert_path": "/a"}, "/a"),
        ({"docker_server_cert_path": "/a", "docker_daemon_certificate_path": "/b"}, "/b"),
    ],
)
def test_files_follow_the_roles_paths(variables: dict[str, str], directory: str) -> None:
    assert status.files("web1", GROUPS, {"web1": variables})[0]["ca_path"] == f"{directory}/ca.pem"


def test_files_of_the_controller_and_of_a_client_machine_are_their_bundles() -> None:
    clients = [{"name": "alice"}, {"name": "eve", "state": "revoked"}]
    (mine,) = status.files("localhost", GROUPS, {"localhost": {"docker_client_cert_clients": clients}})
    assert (mine["id"], mine["key_path"]) == ("client alice", "/home/ops/.docker_tls/clients/alice/key.pem")
    users = [{"user": "bob", "client": "alice"}]
    (theirs,) = status.files(
        "desk", GROUPS, {"desk": {"docker_client_cert_clients": clients, "docker_client_cert_users": users}}
    )
    assert (theirs["id"], theirs["certificate_path"]) == ("client bob:alice", "~bob/.docker/cert.pem")


def test_files_of_a_controller_that_is_a_client_machine_are_in_the_home_of_its_account() -> None:
    """They are read with become, and then ~ would be root's home."""
    clients = [{"name": "alice", "controller_directory": "~/.docker"}]
    variables = {"docker_client_cert_clients": clients, "docker_client_cert_users": [{"user": "bob"}]}
    found = status.files("localhost", {"docker_clients": ["localhost"]}, {"localhost": variables})
    assert [one["certificate_path"] for one in found if one["id"].startswith("client ")] == [
        "/home/ops/.docker/cert.pem",
        "~bob/.docker/cert.pem",
    ]


def test_files_of_a_host_that_is_both_are_both() -> None:
    groups = {"docker_hosts": ["web1"], "docker_clients": ["web1"]}
    assert [one["id"] for one in status.files("web1", groups, {"web1": {}})] == ["server", "client root:client"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"files": [READ]}, READ),
        ({"msg": "Task failed: Failed to connect to the host via ssh: ssh: timed\nout", "unreachable": True}, {"state": "unreachable", "problem": "timed out"}),
        ({"msg": "Timed out after 60 second(s).", "timedout": {"period": 60}}, {"state": "unreachable", "problem": "Timed out after 60 second(s)."}),
        ({"msg": "Missing sudo password", "failed": False}, {"state": "not-readable", "problem": "Missing sudo password"}),
        ({"msg": "MODULE FAILURE", "module_stderr": "sudo: not found\n"}, {"state": "not-readable", "problem": "sudo: not found"}),
        ({"module_stdout": "sudo: not found\r\n", "module_stderr": "Connection to w closed."}, {"state": "not-readable", "problem": "sudo: not found"}),
        ({"files": []}, {"state": "not-readable", "problem": "no answer"}),
        ({"skipped": True}, None),
        (None, None),
    ],
    ids=["read", "unreachable", "hangs", "no-become", "no-sudo", "no-sudo-on-a-terminal", "other-files", "skipped", "never-asked"],
)  # fmt: skip
def test_fleet_tells_what_became_of_reading_a_host(result: t.Any, expected: t.Any) -> None:
    (host,) = fleet({"web1": {"ansible_host": "10.0.0.5", status.FILES: result}}, ["web1"])["hosts"]
    assert host == {
        "name": "web1",
        "endpoint": "tcp://10.0.0.5:2376",
        "state": "present",
        "access_groups": ["clients"],
        "stored": expected,
    }


def test_fleet_problem_has_a_sane_length() -> None:
    (host,) = fleet({"web1": {status.FILES: {"msg": "x" * 5000}}}, ["web1"])["hosts"]
    assert len(host["stored"]["problem"]) == 303


def test_fleet_has_only_hosts_of_the_play() -> None:
    groups = {"docker_hosts": ["web1", "web2"]}
    found = fleet(
        {"web2": {"docker_daemon_state": "absent", "docker_daemon_access_groups": ["ops"]}}, ["web2"], groups=groups
    )
    assert [(one["name"], one["state"], one["access_groups"]) for one in found["hosts"]] == [
        ("web2", "absent", ["ops"])
    ]
    assert found["clients"] == []


def test_fleet_clients_carry_their_group_and_where_they_are() -> None:
    variables = {
        "docker_client_cert_clients": [{"name": "alice", "group": "ops"}],
        status.FILES: {"unreachable": True, "msg": "off"},
    }
    (client,) = fleet({"desk": variables}, ["desk"])["clients"]
    assert (client["id"], client["client"], client["group"], client["host"]) == ("root:alice", "alice", "ops", "desk")
    assert client["stored"] == {"state": "unreachable", "problem": "off", "path": "~root/.docker/cert.pem"}


@pytest.mark.parametrize(("complete", "expected"), [(True, 1), (False, 0)])
def test_fleet_misses_bundles_only_where_disks_were_to_be_looked_at(complete: bool, expected: int) -> None:
    missing = {"files": [{"id": "client client", "state": "missing", "path": "/x"}]}
    found = fleet({"localhost": {status.FILES: missing}}, ["localhost"], complete=complete)
    assert len(found["clients"]) == expected


@pytest.mark.parametrize(
    ("result", "complete", "state"),
    [
        ({"authorities": {"server": {}}}, True, "read"),
        ({"authorities": {}}, True, "missing"),
        ({"msg": "permission denied", "failed": False}, True, "not-readable"),
        ({"msg": "permission denied", "failed": False}, False, "not-asked"),
        ({"msg": "off", "unreachable": True}, True, "unreachable"),
        ({}, True, "not-asked"),
    ],
)
def test_fleet_tells_what_became_of_reading_the_ca(result: dict[str, t.Any], complete: bool, state: str) -> None:
    assert fleet({}, [], ca=result, complete=complete)["ca"]["state"] == state


BY_OPENBAO = {"issuer": "openbao", "time": "2026-11-22T13:00:00Z", "requester": "web1"}
EXTERNAL = {**BY_OPENBAO, "fingerprint_sha256": "bb"}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            {"ledger": {"state": "intact"}, "entries": [{"fingerprint_sha256": "aa"}]},
            {"state": "intact", "known": ["aa"], "external": {}},
        ),
        (
            {"ledger": {"state": "intact"}, "entries": [{**EXTERNAL, "event": "external-issued"}]},
            {"state": "intact", "known": ["bb"], "external": {"bb": BY_OPENBAO}},
        ),
        ({"msg": "no"}, {"state": "not-readable", "problem": "no"}),
        ({"skipped": True}, None),
        ({}, None),
    ],
)
def test_fleet_passes_the_ledger_on(result: dict[str, t.Any], expected: t.Any) -> None:
    assert fleet({}, [], ledger=result)["ca"]["ledger"] == expected


def test_repeated_defaults_are_those_of_the_roles() -> None:
    def default(role: str, name: str) -> t.Any:
        return yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())[name]

    assert default("docker_server_cert", "docker_server_cert_path") == status.CERTIFICATE_DIRECTORY
    assert f"default('{status.CERTIFICATE_DIRECTORY}')" in default("docker_daemon", "docker_daemon_certificate_path")
    assert default("docker_client_cert", "docker_client_cert_path").endswith(f"/{status.CONTROLLER_CLIENTS}")
    assert default("docker_client_cert", "docker_client_cert_clients") == status.preflight.DEFAULT_CLIENTS
    assert default("docker_daemon", "docker_daemon_access_groups") == status.preflight.DEFAULT_GROUPS


FORMER = {
    # The variables of the controller, and the directories that the bundle of alice had before they were set.
    "default": ({}, []),
    "path": ({"docker_client_cert_path": "/srv/tls"}, ["/home/ops/.docker_tls/clients/alice"]),
    "path-and-directory": (
        {
            "docker_client_cert_path": "/srv/tls",
            "docker_client_cert_clients": [{"name": "alice", "controller_directory": "/srv/alice"}],
        },
        ["/srv/tls/alice", "/home/ops/.docker_tls/clients/alice"],
    ),
    "directory-that-is-another-bundle's": (
        {
            "docker_client_cert_clients": [
                {"name": "alice", "controller_directory": "/srv/alice"},
                {"name": "bob", "controller_directory": "/home/ops/.docker_tls/clients/alice/"},
            ]
        },
        [],
    ),
}


@pytest.mark.parametrize(("variables", "expected"), FORMER.values(), ids=FORMER)
def test_former_directories_of_a_bundle_are_read_too(variables: dict[str, t.Any], expected: list[str]) -> None:
    known = {"docker_client_cert_clients": [{"name": "alice"}], **variables}
    wanted = status.files("localhost", GROUPS, {"localhost": known})
    formers = [one for one in wanted if one["id"].startswith("former alice ")]
    assert [one["key_path"] for one in formers] == [f"{directory}/key.pem" for directory in expected]
    answers = [{**READ, "id": one["id"]} for one in wanted]
    (client, *_others) = fleet({"localhost": {**known, status.FILES: {"files": answers}}}, ["localhost"])["clients"]
    assert [one["path"] for one in client["former"]] == [f"{directory}/cert.pem" for directory in expected]
    missing = [{"id": one["id"], "state": "missing"} for one in formers] + answers[:1]
    (client, *_others) = fleet({"localhost": {**known, status.FILES: {"files": missing}}}, ["localhost"])["clients"]
    assert client["former"] == []


def test_former_directory_of_a_user_is_the_default_one() -> None:
    users = [{"user": "ann", "client": "client", "directory": "/srv/ann"}]
    wanted = status.files("desk", GROUPS, {"desk": {"docker_client_cert_users": users}})
    assert [one["certificate_path"] for one in wanted] == ["/srv/ann/cert.pem", "~ann/.docker/cert.pem"]


def test_link_to_the_present_directory_is_no_former_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "alice").symlink_to("new")
    known = {
        "docker_client_cert_path": str(tmp_path),
        "docker_client_cert_clients": [{"name": "alice", "controller_directory": f"{tmp_path}/new"}],
    }
    wanted = status.files("localhost", GROUPS, {"localhost": known})
    assert [one["id"] for one in wanted] == ["client alice", "former alice /home/ops/.docker_tls/clients/alice"]
