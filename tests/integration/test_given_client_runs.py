# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's verification of an endpoint with a client that the user gives, where another issuer signs for the clients."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

import pytest

from support.ansible import playbook_runs
from support.ca import certificates as made
from support.clients import docker_api

ROOT = made.authority(unit="company-root", number=91)
CLIENTS = made.authority("client", unit="company-clients", number=92)
FOREIGN = made.authority("client", unit="other", number=93)
#: The test's server, unlike dockerd, names no client authorities; the failure of that check is not tested here.
NOT_A_DAEMON = {"__docker_daemon_keep_going": True}
PLAY = """
- hosts: docker_hosts
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: portcullis.docker_tls.docker_daemon, tasks_from: verify}
    - ansible.builtin.debug: {var: docker_daemon_verification.checks}
"""


def run(directory: pathlib.Path, docker_host: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
    address, port = docker_host[len("tcp://") :].split(":")
    (directory / "play.yml").write_text(PLAY)
    (directory / "inventory").write_text(f"localhost {playbook_runs.LOCAL}\n[docker_hosts]\nlocalhost\n")
    one = {"generations": [], "external": True, "issuer": "files"}
    known = {
        name: {**one, "purpose": purpose, "trusted_content": pair.pem, "certificate_content": pair.pem}
        for name, purpose, pair in (("server", "server", ROOT), ("clients", "client", CLIENTS))
    }
    given = {
        "docker_daemon_address": address,
        "docker_daemon_port": int(port),
        "docker_daemon_verify": "always",
        "docker_daemon_ca_path": str(directory / "ca"),
        "docker_client_cert_issuers": {
            "clients": {
                "issuer": "files",
                "ca_content": CLIENTS.pem,
                "files": {"directory": "/srv"},
                "only_docker_clients": True,
            }
        },
        "docker_daemon_allow_port_2375": True,
        "__docker_daemon_info": {"authorities": known},
        "__docker_daemon_keep_going": False,
        **variables,
    }
    settings = playbook_runs.environment(directory / "project", directory / "home", directory / "tmp")
    command = [playbook_runs.PLAYBOOK, "-i", "inventory", "-e", json.dumps(given), "play.yml"]
    return playbook_runs.run(command, {**settings, "ANSIBLE_NOCOLOR": "1"}, directory)


@pytest.fixture(name="endpoint")
def of_the_company(tmp_path: pathlib.Path) -> t.Iterator[docker_api.Endpoint]:
    pair = made.leaf(ROOT, subject_names=["localhost", "127.0.0.1"])
    server = docker_api.Server(pair.pem, pair.key_pem.decode(), CLIENTS.pem)
    with docker_api.endpoint(tmp_path / "server", server) as endpoint:
        yield endpoint


def given(directory: pathlib.Path, pair: made.Pair) -> dict[str, t.Any]:
    (directory / "monitor.pem").write_text(pair.pem)
    (directory / "monitor.key").write_bytes(pair.key_pem)
    paths = {"certificate_path": f"{directory}/monitor.pem", "key_path": f"{directory}/monitor.key"}
    return {"docker_daemon_verify_clients": {"clients": paths}}


def test_good_client_is_the_one_that_is_given_and_its_key_is_shown_nowhere(
    tmp_path: pathlib.Path, endpoint: docker_api.Endpoint
) -> None:
    monitor = made.leaf(CLIENTS, "client", common_name="monitor")
    done = run(tmp_path, endpoint.docker_host, **given(tmp_path, monitor), **NOT_A_DAEMON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert endpoint.clients == ["monitor"]
    assert "(client: CN=monitor of docker_daemon_verify_clients)" in done.stdout
    assert "PRIVATE KEY" not in done.stdout + done.stderr


def test_given_client_that_cannot_be_used_fails_the_run(tmp_path: pathlib.Path, endpoint: docker_api.Endpoint) -> None:
    stranger = made.leaf(FOREIGN, "client", common_name="monitor")
    done = run(tmp_path, endpoint.docker_host, **given(tmp_path, stranger))
    assert done.returncode != 0, done.stdout
    assert "leads to no CA that the hosts admit for the group" in done.stdout
    assert endpoint.clients == []


def test_value_that_names_no_files_fails_the_run_with_what_it_has_to_be(
    tmp_path: pathlib.Path, endpoint: docker_api.Endpoint
) -> None:
    done = run(tmp_path, endpoint.docker_host, docker_daemon_verify_clients={"clients": "/srv/monitor.pem"})
    assert done.returncode != 0, done.stdout
    assert "must have exactly certificate_path and key_path" in done.stdout


def test_without_a_client_the_other_checks_are_made_and_the_run_says_so(
    tmp_path: pathlib.Path, endpoint: docker_api.Endpoint
) -> None:
    done = run(tmp_path, endpoint.docker_host, **NOT_A_DAEMON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verification-without-client: the issuer files" in done.stdout + done.stderr
    assert endpoint.clients == []
