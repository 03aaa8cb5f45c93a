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
    """Between dockerd's restart without the port and the proxy's start somebody else opens it."""
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
def test_switch_to_the_proxy_that_is_not_confirmed_is_undone(able: Host, clients: Clients, listener: str) -> None:  # noqa: F811
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


def test_switch_from_the_proxy_that_is_not_confirmed_is_undone(able: Host, clients: Clients) -> None:  # noqa: F811
    proxied(able, live_restore="enable")
    plain, keeper = able.files(), able.keeper()
    done = able.run(listener="dockerd", live_restore="enable", confirm_timeout=3)
    assert done.result["unconfirmed"], done.error
    assert able.settled()
    assert able.files() == plain
    assert owner(able) == {"haproxy"}
    assert clients.status() == "200"
    assert able.keeper() == keeper


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
