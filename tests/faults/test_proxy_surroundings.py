# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The listener ``proxy`` on hosts as they come: another HAProxy, a full disk, an upgrade of the package, a change of the listener under attack."""

from __future__ import annotations

import typing as t

import pytest
from proxy_clients import PORT, Clients
from test_proxy import able, clients, dockerd, listed, owner, proxied  # noqa: F401 - fixtures

from conftest import Host

OTHER = """\
global
defaults
 mode http
 timeout connect 1s
 timeout client 1s
 timeout server 1s
frontend site
 bind 127.0.0.1:8404
 http-request return status 200 content-type text/plain string theirs
"""
ASK_OTHER = "curl -s http://127.0.0.1:8404/"


@pytest.fixture
def with_other_haproxy(able: Host) -> t.Iterator[Host]:  # noqa: F811
    """Return a host whose own HAProxy, the package's service, serves something else."""
    able.sh("cp -a /etc/haproxy/haproxy.cfg /root/haproxy.cfg")
    able.put("/etc/haproxy/haproxy.cfg", OTHER)
    able.sh("systemctl restart haproxy")
    yield able
    able.sh("systemctl stop haproxy; mv /root/haproxy.cfg /etc/haproxy/haproxy.cfg")


def test_haproxy_of_the_user_goes_on_beside_ours(with_other_haproxy: Host) -> None:
    host = with_other_haproxy
    theirs = host.sh("systemctl show -p MainPID haproxy; sha256sum /etc/haproxy/haproxy.cfg")
    proxied(host)
    assert host.sh(ASK_OTHER) == "theirs"
    host.sh("systemctl restart docker-tls-proxy; systemctl reload haproxy")
    assert host.sh(ASK_OTHER) == "theirs"
    assert owner(host) == {"haproxy"}
    assert host.run(state="absent").result["changed"]
    assert host.sh(ASK_OTHER) == "theirs"
    assert host.sh("systemctl show -p MainPID haproxy; sha256sum /etc/haproxy/haproxy.cfg") == theirs
    assert owner(host) == set()


FULL = "mount -t tmpfs -o size=64k tmpfs {0} && cp -a /root/kept/. {0}/; dd if=/dev/zero of={0}/filler bs=1k 2>/dev/null; test -s {0}/filler"


RUNTIME = "/run/docker-tls-proxy"


def fill(host: Host, directory: str) -> None:
    """Put a small file system with the same files over a directory, and fill it."""
    host.sh(f"rm -rf /root/kept && cp -a {directory} /root/kept && {FULL.format(directory)}")


def test_full_disk_leaves_the_proxy_as_it_was(able: Host, clients: Clients) -> None:  # noqa: F811
    directory = "/etc/docker-tls-proxy"
    proxied(able)
    plain, before = able.files(), dockerd(able)
    fill(able, directory)
    try:
        answer = able.run(listener="proxy", certificate=able.issue().pem, stream_timeout=60)
        assert answer.error.get("code"), answer
        assert answer.error["hint"]
        assert clients.status() == "200"
    finally:
        able.sh(f"umount {directory}")
    assert able.files() == plain
    assert dockerd(able) == before
    done = able.run(listener="proxy", stream_timeout=60)
    assert not done.error, done.error
    assert clients.status() == "200"


def test_full_memory_file_system_leaves_the_proxy_as_it_was(able: Host, clients: Clients) -> None:  # noqa: F811
    """Certificate and key for HAProxy are in /run; a reload that cannot write them there is rolled back without any room."""
    proxied(able)
    plain, before, revisions = able.files(), dockerd(able), able.sh("ls /etc/docker/certs")
    fill(able, RUNTIME)
    try:
        answer = able.run(listener="proxy", certificate=able.issue().pem)
        assert answer.error.get("code") == "proxy-reload-failed", answer
        assert "Everything is as it was before" in answer.error["message"], answer.error
        assert "No space left" in answer.error["message"], answer.error
        assert able.sh("test -e /var/lib/docker-tls/journal.json || echo none") == "none"
        assert able.sh(f"ls {RUNTIME}").split() == ["client-ca.pem", "filler", "server.pem"]
        assert able.files() == plain
        assert able.sh("ls /etc/docker/certs").replace("server-key.pem.new", "").split() == revisions.split()
        assert clients.status() == "200"
    finally:
        able.sh(f"umount {RUNTIME}")
    assert dockerd(able) == before
    done = able.run(listener="proxy", certificate=able.issue().pem)
    assert not done.error, done.error
    assert clients.status() == "200"


def test_run_without_any_room_changes_nothing(able: Host, clients: Clients) -> None:  # noqa: F811
    """systemd cannot even write the unit of the process that would roll the change back."""
    proxied(able)
    plain, before = able.files(), dockerd(able)
    able.sh("dd if=/dev/zero of=/run/filler bs=64k 2>/dev/null; dd if=/dev/zero bs=1k 2>/dev/null >>/run/filler; true")
    try:
        answer = able.run(listener="proxy", certificate=able.issue().pem)
        assert answer.error.get("code"), answer
        assert answer.error["hint"]
    finally:
        able.sh("rm /run/filler")
    assert able.settled()
    assert able.files() == plain
    assert dockerd(able) == before
    assert clients.status() == "200"
    done = able.run(listener="proxy", certificate=able.issue().pem)
    assert not done.error, done.error
    assert clients.status() == "200"


def test_upgrade_of_the_package_is_taken_in_by_the_next_start(able: Host, clients: Clients) -> None:  # noqa: F811
    """dpkg replaces the program by a rename; the running master then belongs to a file that is gone."""
    proxied(able)
    able.sh("cp -a /usr/sbin/haproxy /usr/sbin/haproxy.dpkg-new && mv /usr/sbin/haproxy.dpkg-new /usr/sbin/haproxy")
    done = able.run(listener="proxy", certificate=able.issue().pem)
    assert not done.error, done.error
    assert clients.status() == "200"
    able.sh("systemctl restart docker-tls-proxy")
    assert clients.status() == "200"
    assert not able.run(listener="proxy").result["changed"]


def test_package_that_was_removed_is_named_and_the_running_proxy_stays(able: Host, clients: Clients) -> None:  # noqa: F811
    proxied(able)
    able.sh("mv /usr/sbin/haproxy /usr/sbin/haproxy.away")
    try:
        answer = able.run(listener="proxy", certificate=able.issue().pem)
        assert answer.error["code"] == "proxy-package-missing"
        assert clients.status() == "200"
        gone = able.run(state="absent")
        assert not gone.error, gone.error
        assert owner(able) == set()
    finally:
        able.sh("mv /usr/sbin/haproxy.away /usr/sbin/haproxy")


def test_port_that_another_takes_while_the_listener_changes_is_named(able: Host, clients: Clients) -> None:  # noqa: F811
    """Between dockerd's restart without the port and the proxy's start another process opens it."""
    able.secure(live_restore="enable")
    plain = able.files()
    thief = f"systemd-run -q --unit port-thief python3 -m http.server {PORT}; sleep 1"
    answer = able.run(listener="proxy", live_restore="enable", hooks={"change-proxy": thief})
    able.sh("systemctl stop port-thief")
    assert answer.error["code"], answer
    assert able.settled()
    if able.files() != plain:
        pytest.fail(f"{answer.error}\n{able.files()}")
    done = able.run(live_restore="enable")
    assert not done.error, done.error
    assert owner(able) == {"dockerd"}
    assert clients.status() == "200"


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_switch_to_the_proxy_that_is_not_confirmed_is_rolled_back(able: Host, clients: Clients, listener: str) -> None:  # noqa: F811
    able.secure(listener=listener, live_restore="enable")
    plain, keeper = able.files(), able.keeper()
    done = able.run(listener="proxy", live_restore="enable", confirm_timeout=3)
    assert done.result["unconfirmed"], done.error
    assert owner(able) == {"haproxy"}
    assert able.settled()
    assert listed(able.files()) == listed(plain)
    assert "haproxy" not in owner(able)
    assert clients.status() == "200"
    assert able.keeper() == keeper


def test_switch_from_the_proxy_that_is_not_confirmed_is_rolled_back(able: Host, clients: Clients) -> None:  # noqa: F811
    proxied(able, live_restore="enable")
    plain, keeper = able.files(), able.keeper()
    done = able.run(listener="dockerd", live_restore="enable", confirm_timeout=3)
    assert done.result["unconfirmed"], done.error
    assert able.settled()
    assert able.files() == plain
    assert owner(able) == {"haproxy"}
    assert clients.status() == "200"
    assert able.keeper() == keeper


@pytest.mark.parametrize("listener", ["", "dockerd", "systemd"])
def test_power_failure_before_the_confirmation_undoes_the_switch(able: Host, clients: Clients, listener: str) -> None:  # noqa: F811
    """The time to confirm begins again at the boot; until its end the proxy serves."""
    if listener:
        able.secure(listener=listener, live_restore="enable")
    plain = able.files()
    changes = {} if listener else {"certificate": able.issue().pem}
    done = able.run(listener="proxy", live_restore="enable", confirm_timeout=30, **changes)
    assert done.result["unconfirmed"], done.error
    able.reboot()
    assert able.sh("test -e /var/lib/docker-tls/journal.json && echo waits") == "waits"
    assert owner(able) == {"haproxy"}
    assert clients.status("/_ping", "-k") == "200"  # its address may be a new one
    assert able.settled(90)
    assert listed(able.files()) == listed(plain)
    assert "haproxy" not in owner(able)
    if listener:
        assert clients.status("/_ping", "-k") == "200"
    else:
        assert owner(able) == set()
    assert able.works()
    assert able.sh("systemctl list-unit-files 'docker-tls-revert*' --no-legend || true") == ""


def test_power_failure_before_a_renewal_is_confirmed_brings_back_the_former_certificate(
    able: Host,  # noqa: F811
    clients: Clients,  # noqa: F811
) -> None:
    """dockerd has read nothing that the change is about, so it is not restarted, and no container stops."""
    proxied(able)
    plain = able.files()
    able.sh("docker update --restart always keeper")
    done = able.run(listener="proxy", certificate=able.issue().pem, confirm_timeout=30)
    assert done.result["unconfirmed"], done.error
    able.reboot()
    before, keeper = dockerd(able), able.keeper()
    assert able.settled(90)
    assert able.files() == plain
    assert owner(able) == {"haproxy"}
    assert clients.status("/_ping", "-k") == "200"
    assert (dockerd(able), able.keeper()) == (before, keeper)
    served = able.sh(f"openssl s_client -connect 127.0.0.1:{PORT} </dev/null 2>/dev/null | openssl x509 -noout -serial")
    assert served == able.sh("openssl x509 -noout -serial -in /etc/docker/certs/server-cert.pem")
    able.sh("docker update --restart no keeper")


def test_switch_killed_at_every_kind_of_step_leaves_one_listener(able: Host, clients: Clients) -> None:  # noqa: F811
    """From dockerd to the proxy. The steps are those of a run that succeeds, one of each kind."""
    able.secure(live_restore="enable")
    keeper = able.keeper()
    whole = able.run(listener="proxy", live_restore="enable")
    assert not whole.error, whole.error
    kinds = [step.partition(" ")[0] for step in whole.steps]
    for number in [number for number, kind in enumerate(kinds, 1) if kind not in kinds[: number - 1]]:
        if owner(able) == {"haproxy"}:  # at first, and where the kill came after the commit
            assert not able.run(listener="dockerd", live_restore="enable").error
        plain = able.files()
        assert able.run(listener="proxy", live_restore="enable", die_at=number).killed
        assert able.settled(), whole.steps[number - 1]
        assert owner(able) in ({"dockerd"}, {"haproxy"}), whole.steps[number - 1]
        assert (able.files() == plain) == (owner(able) == {"dockerd"}), whole.steps[number - 1]
        assert clients.status() == "200", whole.steps[number - 1]
        assert able.keeper() == keeper
