# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs with hosts whose Python never answers: they fail by name, and the others continue. The hosts are this machine."""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import pytest
from test_limited_runs import play
from test_refused_hosts import SUMMARY, problems

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.failures import started
from support.ansible.playbook_runs import LOCAL

ROLE = """
- hosts: docker_hosts
  gather_facts: false
  vars: {ansible_become: false}
  tasks:
    - name: Only this role
      ansible.builtin.import_role: {name: portcullis.docker_tls.docker_server_cert}
"""


class Run(t.NamedTuple):
    """How a run ended, what it said, and where its files are."""

    code: int
    output: str
    directory: pathlib.Path

    @property
    def problems(self) -> dict[str, str]:
        return problems(json.loads((self.directory / SUMMARY).read_text()))

    @property
    def left(self) -> list[str]:
        """The processes that were waited for and are there still."""
        begun = (self.directory / "pids").read_text().split()
        return [pid for pid in begun if started(int(pid))]


def hung(directory: pathlib.Path) -> str:
    """Return what an inventory says of this machine as a host whose Python never answers."""
    path = directory / "python"
    path.write_text(f"#!/bin/sh\necho $$ >> {directory}/pids\nexec sleep 1000\n")
    path.chmod(0o755)
    return f"{LOCAL.replace(sys.executable, str(path))} ansible_become=false"


def run(directory: pathlib.Path, playbook: str, more: str, *options: str, **variables: t.Any) -> Run:
    settings = {"DOCKER_TLS_SUMMARY_PATH": str(directory / SUMMARY)}
    code, output = play(directory, playbook, *options, more=more, settings=settings, **variables)
    return Run(code, output, directory)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of site.yml for a Docker host and a client machine that hang, and one of each that do not."""
    directory = tmp_path_factory.mktemp("site")
    this = f"{LOCAL} ansible_become=false docker_server_cert_path={directory}/certs"
    # A directory of the test: without an entry the bundle goes to ~/.docker of the user.
    users = json.dumps([{"client": "bob", "directory": str(directory / "desk")}])
    more = (
        f"[docker_hosts]\nweb1 {this}\nweb2 {hung(directory)} docker_daemon_host_timeout=2\n"
        f"[docker_clients]\ndesk1 {this}\ndesk2 {hung(directory)} docker_client_cert_host_timeout=3\n"
        f"[docker_clients:vars]\ndocker_client_cert_users={users}\n"
    )
    return run(directory, "site.yml", more)


def test_hanging_host_fails_by_name_and_the_others_go_on(site: Run) -> None:
    assert site.code != 0
    assert "did not answer within 2 seconds. The task waited for the inspection of this host" in site.problems["web2"]
    assert "docker_daemon_host_timeout" in site.problems["web2"]
    assert "did not answer" not in site.problems["web1"]
    assert (site.directory / "bundles/bob/cert.pem").is_file()


def test_hanging_client_machine_fails_by_name_and_the_others_go_on(site: Run) -> None:
    assert "did not answer within 3 seconds. The task waited for keys and signing requests" in site.problems["desk2"]
    assert "docker_client_cert_host_timeout" in site.problems["desk2"]
    assert "desk1" not in site.problems
    assert (site.directory / "desk/cert.pem").is_file()


def test_nothing_of_a_wait_stays_behind(site: Run) -> None:
    assert site.left == []


def test_hanging_ca_host_ends_the_run_by_name(tmp_path: pathlib.Path) -> None:
    more = f"cahost {hung(tmp_path)}\n[docker_ca:vars]\ndocker_ca_host_timeout=5\ndocker_ca_lock_timeout=1\n"
    found = run(tmp_path, "site.yml", more, "--check")
    assert found.code != 0
    assert "did not answer within 6 seconds. The task waited for the CA" in found.problems["cahost"]
    assert "docker_ca_host_timeout" in found.problems["cahost"]
    assert found.left == []


def test_role_alone_takes_its_own_limit(tmp_path: pathlib.Path) -> None:
    (tmp_path / "role.yml").write_text(ROLE)
    more = f"[docker_hosts]\nweb1 {hung(tmp_path)} docker_server_cert_path={tmp_path}/certs\n"
    assert run(tmp_path, "site.yml", "", "--limit", "cahost,localhost").code == 0
    found = run(tmp_path, str(tmp_path / "role.yml"), more, docker_server_cert_host_timeout=6)
    assert found.code != 0
    assert "did not answer within 6 seconds" in found.output
    assert "docker_server_cert_host_timeout" in found.output
    assert found.left == []


def test_status_reports_a_hanging_host_and_all_others(tmp_path: pathlib.Path) -> None:
    more = f"[docker_hosts]\nweb1 {hung(tmp_path)} docker_status_host_timeout=2\nweb2 {LOCAL}\n"
    report = tmp_path / "status.json"
    options = {"docker_status_json_path": str(report), "docker_status_become": False}
    found = run(tmp_path, "status.yml", more, **options)
    hosts = {host["name"]: host for host in json.loads(report.read_text())["hosts"]}
    assert "did not answer within 2 seconds" in json.dumps(hosts["web1"])
    assert "did not answer" not in json.dumps(hosts["web2"])
    assert found.left == []
