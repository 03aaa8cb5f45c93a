# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The endpoint comes, stays, changes and goes, on a real host."""

from __future__ import annotations

from conftest import Host


def test_endpoint_is_set_up_kept_and_taken_away(host: Host) -> None:
    before = host.files()
    process = host.keeper()
    planned = host.run(certificate=host.issue().pem, check_mode=True)
    assert planned.result["changed"]
    assert planned.result["containers_stopped"] == 1
    assert host.files() == before
    done = host.secure(live_restore="enable")
    assert "endpoint-new" in done.reasons
    assert all(check["passed"] for check in done.result["verification"])
    again = host.run(live_restore="enable")
    assert not again.result["changed"], again.reasons
    gone = host.run(state="absent")
    assert gone.result["changed"]
    assert not host.run(state="absent").result["changed"]
    host.sh("rm -rf /etc/docker/certs")
    assert host.files() == before
    assert host.keeper() == process


def test_endpoint_is_renewed_and_rolled_back(host: Host) -> None:
    host.secure(live_restore="enable")
    process = host.keeper()
    first = host.sh("sha256sum /etc/docker/certs/server-cert.pem")
    renewed = host.secure()
    assert renewed.reasons == ["certificate-changed"]
    assert host.sh("sha256sum /etc/docker/certs/server-cert.pem") != first
    back = host.run(state="rolled_back")
    assert back.reasons == ["rolled-back"]
    assert host.sh("sha256sum /etc/docker/certs/server-cert.pem") == first
    assert not host.run(state="rolled_back").result["changed"]
    assert not host.run().result["changed"]
    assert host.keeper() == process


def test_endpoint_with_the_socket_listener(host: Host) -> None:
    before = host.files()
    done = host.secure(listener="systemd", live_restore="enable")
    assert all(check["passed"] for check in done.result["verification"])
    process = host.keeper()
    assert not host.run(listener="systemd", live_restore="enable").result["changed"]
    changed = host.run(listener="dockerd", live_restore="enable")
    assert changed.result["restarted"], changed.error
    back = host.run(listener="systemd", live_restore="enable")
    assert back.result["restarted"], back.error
    gone = host.run(state="absent")
    assert gone.result["changed"]
    host.sh("rm -rf /etc/docker/certs")
    assert host.files() == before
    assert host.keeper() == process
    assert host.sh("ss -Hltn sport = :2376") == ""
