# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts whose endpoint is a proxy in front of Docker's local socket, set up by site.yml. In this order."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from common_tests import (  # noqa: F401 - what holds on every Docker host
    certificate_directory,
    endpoint_address,
    first_bundle,
    served_certificate,
    test_client_of_another_authority_is_refused,
    test_client_without_certificate_is_refused,
    test_container_was_not_stopped,
    test_curl_is_answered,
    test_docker_cli_is_answered,
    test_python_sdk_is_answered,
    test_served_certificate_is_the_file,
    test_server_certificate_does_not_open_a_daemon,
    test_unit_of_the_package_is_untouched,
)
from fleet import assert_changed_nothing, hosts_of
from playbook import Run, play
from prober import Prober
from testinfra_helpers import (
    PORT,
    Bundle,
    address_of,
    answers_plain_http,
    client_bundle,
    container_identity,
    curl,
    docker,
    is_listening,
)

testinfra_hosts = ["ansible://docker_hosts"]
UNIT = "docker-tls-proxy"


def applied(**variables: Any) -> Run:
    """Run the playbook: it works on all hosts."""
    run = play(**variables)
    assert run.returncode == 0, run.output
    return run


def dockerd(host: Any) -> str:
    return str(host.check_output("systemctl show -p MainPID,ExecMainStartTimestampMonotonic docker"))


def owner(host: Any) -> str:
    """Return the program that listens on the port."""
    return str(host.check_output(f"ss -Hltnp 'sport = :{PORT}' | sed -n 's/.*((\"\\([^\"]*\\)\".*/\\1/p' | sort -u"))


@pytest.fixture(name="hosts")
def all_hosts() -> dict[str, Any]:
    return hosts_of("docker_hosts")


def test_plain_http_is_not_answered(address: str) -> None:
    assert not answers_plain_http(address)
    assert not docker(address, client_bundle("alice"), "version", port=2375).succeeded
    assert not is_listening(address, 2375)


def test_second_run_changes_nothing() -> None:
    assert_changed_nothing(play())


def test_exec_carries_its_input_to_the_end(address: str) -> None:
    command = ["docker", "--tlsverify", *files_of(client_bundle("alice")), "-H", f"tcp://{address}:{PORT}"]
    done = subprocess.run(
        [*command, "exec", "-i", "keeper", "cat"], input="abc\n", capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "abc\n", done.stderr


def files_of(bundle: Bundle) -> list[str]:
    return ["--tlscacert", bundle.ca, "--tlscert", bundle.certificate, "--tlskey", bundle.key]


def test_group_with_limited_rights_reads_and_writes_nothing(address: str) -> None:
    wendy = client_bundle("wendy")
    assert docker(address, wendy, "ps").succeeded
    refused = docker(address, wendy, "rm", "-f", "keeper")
    assert not refused.succeeded
    assert "watchers" in refused.stderr
    assert not curl(address, "/containers/keeper/archive?path=/etc/passwd", wendy).succeeded


def test_check_mode_names_changed_rights_and_sources() -> None:
    run = play(
        "--check",
        docker_daemon_group_rights={"watchers": "monitoring"},
        docker_daemon_allowed_sources=["192.0.2.0/24"],
    )
    assert run.returncode == 0, run.output
    assert (
        run.output.count("rights of watchers: read-only -> monitoring, sources all -> 192.0.2.0/24, proxy restart") == 2
    )
    assert "other rights of access groups" in run.output, run.output


def test_limited_rights_are_refused_with_another_listener(hosts: dict[str, Any]) -> None:
    gate = hosts["gate"]
    before = dockerd(gate)
    run = play("--limit", "gate,localhost", docker_daemon_listener="dockerd")
    assert run.returncode != 0
    assert "docker_daemon_group_rights limits the access group watchers" in run.output, run.output
    assert (owner(gate), dockerd(gate)) == ("haproxy", before)


def test_renewal_interrupts_nothing(hosts: dict[str, Any]) -> None:
    before = {name: dockerd(host) for name, host in hosts.items()}
    serials = {name: served_certificate(address_of(host)).serial_number for name, host in hosts.items()}
    alice = client_bundle("alice")
    probers = {name: Prober(address_of(host), alice) for name, host in hosts.items()}
    streams = {
        name: subprocess.Popen(
            [
                "docker",
                "--tlsverify",
                *files_of(alice),
                "-H",
                f"tcp://{address_of(host)}:{PORT}",
                "exec",
                "-i",
                "keeper",
                "cat",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, host in hosts.items()
    }
    for prober in probers.values():
        prober.start()
    run = play(docker_server_cert_force_renewal=True)
    for prober in probers.values():
        prober.__exit__()
    assert run.returncode == 0, run.output
    for name, host in hosts.items():
        notes = probers[name].notes
        assert (notes.gaps, notes.wrong) == (0, []), (name, notes)
        assert notes.answered > 0
        assert served_certificate(address_of(host)).serial_number != serials[name]
        assert streams[name].communicate("still here\n", timeout=60)[0] == "still here\n"
        assert dockerd(host) == before[name]


def test_host_without_haproxy_is_refused_where_it_may_not_be_installed(hosts: dict[str, Any]) -> None:
    gate = hosts["gate"]
    gate.run_expect([0], "mv /usr/sbin/haproxy /usr/sbin/haproxy.away")
    try:
        run = play("--limit", "gate,localhost", docker_daemon_haproxy_package="", docker_daemon_group_rights={})
    finally:
        gate.run_expect([0], "mv /usr/sbin/haproxy.away /usr/sbin/haproxy")
    assert run.returncode != 0
    assert "needs HAProxy 2.6 or newer" in run.output
    assert docker(address_of(gate), client_bundle("alice"), "version").succeeded


def test_other_sources_are_dropped(hosts: dict[str, Any]) -> None:
    gate = hosts["gate"]
    ours = gate.check_output("ip route show default").split()[2]
    applied(docker_daemon_allowed_sources=[ours])
    assert docker(address_of(gate), client_bundle("alice"), "version").succeeded
    assert not gate.run(f"curl --interface 127.0.0.3 -ksm 2 https://127.0.0.1:{PORT}/_ping").succeeded
    applied()
    assert gate.run(f"timeout 2 bash -c '</dev/tcp/127.0.0.1/{PORT}'").rc == 0


def test_stream_of_before_ends_after_the_time_that_is_set(hosts: dict[str, Any]) -> None:
    applied(docker_daemon_proxy_stream_timeout=1)
    gate, alice = hosts["gate"], client_bundle("alice")
    stream = subprocess.Popen(
        ["docker", "--tlsverify", *files_of(alice), "-H", f"tcp://{address_of(gate)}:{PORT}", "events"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    gate.run_expect([0], f"systemctl reload {UNIT}")
    assert stream.wait(timeout=60) != 0 or stream.returncode == 0
    applied()


def test_listener_of_dockerd_and_back(hosts: dict[str, Any]) -> None:
    applied(docker_daemon_listener="dockerd", docker_daemon_group_rights={})
    for host in hosts.values():
        assert owner(host) == "dockerd"
        assert docker(address_of(host), client_bundle("alice"), "version").succeeded
        assert not host.file(f"/etc/systemd/system/{UNIT}.service").exists
    applied()
    for host in hosts.values():
        assert owner(host) == "haproxy"
        assert docker(address_of(host), client_bundle("alice"), "version").succeeded
        assert container_identity(host) == host.check_output("cat /root/keeper")


def test_going_back_gives_docker_what_it_had(hosts: dict[str, Any]) -> None:
    applied(docker_daemon_state="absent", docker_daemon_group_rights={})
    for host in hosts.values():
        assert not is_listening(address_of(host))
        assert not host.file("/etc/docker-tls-proxy").exists
        assert not host.file(f"/etc/systemd/system/{UNIT}.service").exists
        assert host.run("docker ps").rc == 0
        assert container_identity(host) == host.check_output("cat /root/keeper")
