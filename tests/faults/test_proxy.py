# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The listener ``proxy`` on real hosts: HAProxy in front of Docker's local socket, in the same transaction as the others."""

from __future__ import annotations

import pathlib
import re
import subprocess
import time
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from proxy_clients import PORT, Clients, Prober, client_pair

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.revocation_list import sign_list
from conftest import CLIENTS, SERVER, Answer, Host, certificate
from support.ca.certificates import authority

UNIT = "docker-tls-proxy.service"
TOO_OLD = ("bullseye",)


@pytest.fixture
def able(host: Host) -> Host:
    """Return a host whose HAProxy is new enough."""
    if host.suite in TOO_OLD:
        pytest.skip("its HAProxy is too old, see test_proxy_is_refused_where_haproxy_is_too_old")
    return host


@pytest.fixture
def clients(host: Host, tmp_path: pathlib.Path) -> Clients:
    return Clients(host, tmp_path / "alice")


def proxied(host: Host, **options: t.Any) -> Answer:
    """Give the host the listener."""
    return host.secure(listener="proxy", **options)


def dockerd(host: Host) -> str:
    return host.sh("systemctl show -p MainPID,ExecMainStartTimestampMonotonic docker.service")


def owner(host: Host) -> set[str]:
    """Return the names of the processes that listen on the port."""
    return set(re.findall(r'\("([^"]+)"', host.sh(f"ss -Hltnp 'sport = :{PORT}'")))


@pytest.mark.important
def test_proxy_leaves_dockerd_alone_and_carries_everything(able: Host, clients: Clients) -> None:
    before, keeper = dockerd(able), able.keeper()
    done = proxied(able)
    assert not done.result["restarted"]
    assert done.reasons[:1] == ["certificate-changed"] or "proxy-new" in done.reasons
    assert all(check["passed"] for check in done.result["verification"])
    assert {"proxy-holds-port", "dockerd-holds-no-port"} <= {check["check"] for check in done.result["verification"]}
    assert (dockerd(able), able.keeper()) == (before, keeper)
    assert able.sh("test -e /etc/docker/daemon.json || echo none") == "none"
    assert owner(able) == {"haproxy"}
    assert "Server" in clients.docker("version").stdout
    assert clients.docker("exec", "keeper", "sh", "-c", "echo hi").stdout == "hi\n"
    assert clients.docker("exec", "-i", "keeper", "cat", data="half-close\n").stdout == "half-close\n"
    assert clients.docker("run", "--rm", "-i", "local/busybox", "/bin/cat", data="xyz").stdout == "xyz"
    assert "101" in clients.first_line("POST /session HTTP/1.1", "Upgrade: h2c", "Connection: Upgrade")  # BuildKit
    assert not able.run(listener="proxy").result["changed"]


def test_proxy_refuses_who_has_no_right_to_come_in(able: Host, clients: Clients, tmp_path: pathlib.Path) -> None:
    proxied(able)
    past = datetime.now(timezone.utc) - timedelta(days=2)
    refused = {
        "foreign": client_pair(authority("client", number=7)),
        "expired": client_pair(begin=past, end=past + timedelta(days=1)),
        "server": certificate(able.address),
    }
    assert clients.status() == "200"
    assert clients.status(certificate=False) == "000"
    assert {name: Clients(able, tmp_path / name, pair).status() for name, pair in refused.items()} == dict.fromkeys(
        refused, "000"
    )


@pytest.mark.important
def test_proxy_renewal_breaks_no_connection(able: Host, clients: Clients) -> None:
    proxied(able)
    before = dockerd(able)
    open_exec = subprocess.Popen(
        clients.command("exec", "-i", "keeper", "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with Prober(clients) as prober:
        prober.wait_for(50)
        for _ in range(3):
            pair = able.issue()
            done = able.run(listener="proxy", certificate=pair.pem)
            assert not done.error, done.error
            assert not done.result["restarted"]
            prober.wait_for(prober.answered + 50)
    served = able.sh(f"openssl s_client -connect 127.0.0.1:{PORT} </dev/null 2>/dev/null | openssl x509 -noout -serial")
    assert int(served.partition("=")[2], 16) == pair.certificate.serial_number
    assert prober.failures == []
    assert open_exec.communicate("still here\n", timeout=20)[0] == "still here\n"
    assert dockerd(able) == before


@pytest.mark.parametrize("other", ["dockerd", "systemd"])
def test_proxy_and_other_listeners_take_over_from_each_other(able: Host, clients: Clients, other: str) -> None:
    able.secure(listener=other, live_restore="enable")
    keeper, plain = able.keeper(), able.files()
    there = able.run(listener="proxy", live_restore="enable")
    assert not there.error, there.error
    assert there.result["restarted"]
    assert owner(able) == {"haproxy"}
    assert clients.status() == "200"
    again = able.run(listener="proxy", live_restore="enable")
    assert not again.result["changed"]
    back = able.run(listener=other, live_restore="enable")
    assert not back.error, back.error
    assert "haproxy" not in owner(able)
    assert clients.status() == "200"
    assert without_settings(able.files()) == without_settings(
        plain
    )  # the order of the keys in daemon.json may be another
    assert able.keeper() == keeper


def without_settings(files: str) -> list[str]:
    return [line for line in files.splitlines() if not line.endswith("  etc/docker/daemon.json")]


def test_proxy_absent_gives_everything_back(able: Host) -> None:
    able.put("/etc/docker/daemon.json", '{"log-driver": "local"}\n')
    able.sh("systemctl restart docker")
    untouched, before = able.files(), dockerd(able)
    proxied(able)
    done = able.run(state="absent")
    assert done.result["changed"], done.error
    assert not done.result["restarted"]
    assert able.sh("ls -d /etc/docker-tls-proxy /run/docker-tls-proxy 2>/dev/null || true") == ""
    assert able.sh(f"systemctl is-active {UNIT} || true") == "inactive"
    assert listed(able.files()) == listed(untouched)
    assert dockerd(able) == before
    assert not able.run(state="absent").result["changed"]


def listed(files: str) -> list[str]:
    """Return a listing without the certificates, which belong to docker_server_cert."""
    return [line for line in files.splitlines() if "etc/docker/certs" not in line]


def test_proxy_rolled_back_brings_back_the_listener_of_before(able: Host, clients: Clients) -> None:
    able.secure(live_restore="enable")
    plain = able.files()
    assert not able.run(listener="proxy", live_restore="enable").error
    done = able.run(state="rolled_back")
    assert done.result["restarted"], done.error
    assert able.files() == plain
    assert owner(able) == {"dockerd"}
    assert clients.status() == "200"


@pytest.mark.parametrize("step", ["change-proxy", "proxy-changed", "daemon-reload", "rename .haproxy.cfg"])
def test_proxy_killed_on_the_way_is_rolled_back(able: Host, step: str) -> None:
    before, plain = dockerd(able), able.files()
    pair = able.issue()
    assert able.run(listener="proxy", certificate=pair.pem, hooks={step: "die"}).killed
    assert able.settled()
    assert listed(able.files()) == listed(plain)
    assert owner(able) == set()
    assert dockerd(able) == before
    done = able.run(listener="proxy", certificate=pair.pem)
    assert not done.error, done.error
    assert owner(able) == {"haproxy"}


def test_proxy_killed_while_it_takes_over_leaves_the_old_listener(able: Host, clients: Clients) -> None:
    able.secure(live_restore="enable")
    plain, keeper = able.files(), able.keeper()
    assert able.run(listener="proxy", live_restore="enable", hooks={"change-proxy": "die"}).killed
    assert able.settled()
    assert able.files() == plain
    assert owner(able) == {"dockerd"}
    assert clients.status() == "200"
    assert able.keeper() == keeper


def test_proxy_killed_while_it_is_left_runs_on(able: Host, clients: Clients) -> None:
    proxied(able, live_restore="enable")
    plain, keeper = able.files(), able.keeper()
    assert able.run(listener="dockerd", live_restore="enable", hooks={"restarted": "die"}).killed
    assert able.settled()
    assert able.files() == plain
    assert owner(able) == {"haproxy"}
    assert clients.status() == "200"
    assert able.keeper() == keeper


def test_proxy_survives_a_power_failure(able: Host, clients: Clients) -> None:
    proxied(able)
    able.reboot()
    assert owner(able) == {"haproxy"}
    assert clients.status("/_ping", "-k") == "200"  # its address may be a new one
    assert not able.run(listener="proxy").result["changed"]


@pytest.mark.important
def test_proxy_is_rolled_back_unless_it_is_confirmed(able: Host) -> None:
    plain = able.files()
    pair = able.issue()
    done = able.run(listener="proxy", certificate=pair.pem, confirm_timeout=3)
    assert done.result["unconfirmed"], done.error
    assert owner(able) == {"haproxy"}
    assert able.settled()
    assert owner(able) == set()
    assert listed(able.files()) == listed(plain)
    assert able.run(state="confirmed").error["code"] == "confirmation-too-late"


def test_proxy_that_is_dead_leaves_local_clients_alone(able: Host, clients: Clients) -> None:
    proxied(able)
    able.sh(f"kill -9 $(systemctl show -p MainPID --value {UNIT})")
    assert able.works()
    deadline = time.monotonic() + 20
    while clients.status() != "200" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert clients.status() == "200"


def test_proxy_waits_for_a_dockerd_that_restarts(able: Host, clients: Clients) -> None:
    proxied(able)
    with Prober(clients) as prober:
        prober.wait_for(20)
        able.sh("systemctl restart docker")
        able.wait(30)
        prober.wait_for(prober.answered + 20)
    assert prober.failures == []


def test_proxy_is_refused_where_haproxy_is_too_old(host: Host) -> None:
    if host.suite not in TOO_OLD:
        pytest.skip("its HAProxy is new enough")
    plain = host.files()
    answer = host.run(listener="proxy", certificate=host.issue().pem)
    assert answer.error["code"] == "proxy-package-too-old"
    assert "2.2" in answer.error["message"]
    assert host.files() == plain


def test_proxy_is_refused_without_haproxy(host: Host) -> None:
    host.sh("mv /usr/sbin/haproxy /usr/sbin/haproxy.away")
    try:
        answer = host.run(listener="proxy", certificate=host.issue().pem)
    finally:
        host.sh("mv /usr/sbin/haproxy.away /usr/sbin/haproxy")
    assert answer.error["code"] == "proxy-package-missing"


def test_proxy_does_not_take_a_port_from_another_haproxy(able: Host) -> None:
    other = (
        f"defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nlisten x\n bind :{PORT}\n"
    )
    able.put("/tmp/other.cfg", other)
    able.sh("haproxy -D -f /tmp/other.cfg -p /run/other.pid")
    try:
        answer = able.run(listener="proxy", certificate=able.issue().pem)
        assert answer.error["code"] == "port-taken"
        assert "haproxy" in answer.error["message"]
        assert able.sh(f"systemctl is-active {UNIT} || true") == "inactive"
    finally:
        able.sh("kill $(cat /run/other.pid)")


def test_proxy_edited_by_hand_is_written_again(able: Host, clients: Clients) -> None:
    proxied(able)
    able.sh(
        "sed -i 's/verify required/verify optional/' /etc/docker-tls-proxy/haproxy.cfg; systemctl reload docker-tls-proxy"
    )
    done = able.run(listener="proxy")
    assert "proxy-config-changed" in done.reasons, done.error
    assert not done.result["restarted"]
    assert clients.status(certificate=False) == "000"
    assert clients.status() == "200"


def test_proxy_keeps_the_key_to_its_own_group_and_runs_without_privileges(able: Host) -> None:
    proxied(able)
    assert able.sh("stat -c '%U:%G %a' /run/docker-tls-proxy /run/docker-tls-proxy/server.pem").splitlines() == [
        "root:haproxy 750",
        "root:haproxy 640",
    ]
    pid = able.sh(f"systemctl show -p MainPID --value {UNIT}")
    status = able.sh(f"cat /proc/{pid}/status")
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    user = able.sh("id -u haproxy")
    assert re.search(rf"^Uid:(\s+{user}){{4}}$", status, re.MULTILINE)
    exposure = able.sh(f"systemd-analyze security --no-pager {UNIT} | tail -1")
    found = re.search(r"([0-9.]+) OK", exposure)
    assert found is not None and float(found[1]) <= 2.0, exposure
    assert able.sh("systemctl is-enabled haproxy.service || true") == "disabled"
    leaked = able.sh(
        "grep -rl 'PRIVATE KEY' /etc/docker-tls-proxy /etc/systemd/system /var/lib/docker-tls 2>/dev/null || true"
    )
    assert leaked == ""


def test_proxy_with_a_certificate_of_another_key_changes_nothing(able: Host) -> None:
    proxied(able)
    plain = able.files()
    answer = able.run(listener="proxy", certificate=certificate(able.address, SERVER).pem)
    assert answer.error["code"]
    assert able.files() == plain
    assert owner(able) == {"haproxy"}


def test_proxy_in_check_mode_says_what_the_run_does(able: Host) -> None:
    plain = able.files()
    pair = able.issue()
    planned = able.run(listener="proxy", certificate=pair.pem, check_mode=True)
    assert listed(able.files()) == listed(plain)
    done = able.run(listener="proxy", certificate=pair.pem)
    assert planned.reasons == done.reasons
    assert not planned.result["restart_needed"]
    assert CLIENTS.pem not in str(planned.result["diff"])
    assert "PRIVATE KEY" not in str(planned.result["diff"]) + str(done.result["diff"])


@pytest.mark.parametrize("listener", ["systemd", "proxy"])
def test_allowed_sources_keep_others_out(able: Host, clients: Clients, listener: str) -> None:
    """The first network is not this machine's; the second is."""
    done = able.secure(listener=listener, allowed_sources=["192.0.2.0/24"])
    assert [check["passed"] for check in done.result["verification"] if check["check"] == "other-source-refused"] == [
        True
    ]
    assert clients.status("/_ping", "-m", "2") == "000"
    gateway = able.sh("ip route show default").split()[2]
    again = able.run(listener=listener, allowed_sources=[f"{gateway}/32"])
    assert again.reasons == ["allowed-sources-changed"], again.error
    assert f"sources 192.0.2.0/24 -> {gateway}/32" in again.result["plan"][0]
    assert clients.status() == "200"
    assert able.works()


def test_revoked_client_is_out_after_a_reload_and_the_others_stay(
    able: Host, clients: Clients, tmp_path: pathlib.Path
) -> None:
    now = datetime.now(timezone.utc)

    def lists(*serials: int, number: int) -> str:
        return sign_list(CLIENTS.certificate, CLIENTS.key, serials, number=number, now=now)

    proxied(able, crl=lists(number=1))
    before, thief = dockerd(able), Clients(able, tmp_path / "thief")
    assert (clients.status(), thief.status()) == ("200", "200")
    done = able.run(listener="proxy", crl=lists(thief.pair.certificate.serial_number, number=2))
    assert done.reasons == ["crl-changed"], done.error
    assert (clients.status(), thief.status()) == ("200", "000")
    assert dockerd(able) == before
    refused = able.run(listener="proxy", crl=sign_list(SERVER.certificate, SERVER.key, (), number=3, now=now))
    assert refused.error["code"] == "crl-missing"
    assert clients.status() == "200"
