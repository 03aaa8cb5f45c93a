# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two kinds of listener, measured: what a client notices of a restart, and what a boot without the address does."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from conftest import Host


class Prober:
    """Opens a connection every few milliseconds and counts what happens."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.opened = 0
        self.refused = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.probe)

    def probe(self) -> None:
        while not self.over.is_set():
            try:
                with socket.create_connection((self.address, 2376), timeout=30):
                    self.opened += 1
            except OSError:
                self.refused += 1
            time.sleep(0.005)

    def __enter__(self) -> Prober:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self.thread.join()


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_listener_during_a_renewal(host: Host, listener: str) -> None:
    host.secure(listener=listener, live_restore="enable")
    pair = host.issue()
    with Prober(host.address) as prober:
        time.sleep(0.5)
        answer = host.run(certificate=pair.pem, listener=listener, live_restore="enable")
    assert answer.result["restarted"]
    print(f"{host.suite} {listener}: {prober.opened} connections, {prober.refused} refused")
    assert prober.opened
    if listener == "systemd":
        assert prober.refused == 0


def test_socket_listener_boots_without_its_address(host: Host) -> None:
    host.sh("ip address add 10.99.99.1/32 dev lo")
    pair = host.issue(subject_names=("10.99.99.1",))
    done = host.run(certificate=pair.pem, listen=["10.99.99.1:2376"], listener="systemd")
    assert done.result["restarted"], done.error
    host.reboot()  # the address is gone with it
    assert host.works()
    host.sh("ip address add 10.99.99.1/32 dev lo")
    assert not host.run(listen=["10.99.99.1:2376"], listener="systemd").result["changed"]


def test_hosts_listener_on_an_address_that_is_gone_after_boot_is_repaired_by_the_next_run(host: Host) -> None:
    """What the warning address-needed-at-boot is about; with the address back, a start is all it takes."""
    host.sh("ip address add 10.99.99.1/32 dev lo")
    pair = host.issue(subject_names=("10.99.99.1", host.address))
    done = host.run(certificate=pair.pem, listen=["10.99.99.1:2376"])
    assert any("starts after the network" in warning for warning in done.result["warnings"])
    host.sh("ip address del 10.99.99.1/32 dev lo; systemctl restart docker", check=False)
    assert not host.works()
    answer = host.run()
    assert answer.result["restarted"], answer.error
    assert "daemon-not-running" in answer.reasons or "listen-changed" in answer.reasons
    assert host.works()
