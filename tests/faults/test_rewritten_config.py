# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another tool renders the whole of daemon.json after us: the port closes, Docker runs, the next run restores the endpoint."""

from __future__ import annotations

import json
import ssl
import typing as t
import urllib.error
import urllib.request

import pytest

from conftest import Host

LISTENERS = ["dockerd", "systemd"]
PATH = "/etc/docker/daemon.json"
# What the other tool makes of our settings.
REWRITTEN: dict[str, t.Callable[[dict[str, t.Any]], dict[str, t.Any]]] = {
    "options": lambda ours: {"log-driver": "local", "live-restore": True},
    "nothing": lambda ours: {},
    "no-client-checks": lambda ours: {**ours, "tlsverify": False},
    "other-authorities": lambda ours: {**ours, "tlscacert": "/etc/ssl/certs/ca-certificates.crt"},
    "no-authorities": lambda ours: {key: value for key, value in ours.items() if key != "tlscacert"},
}
# The fourth restart within a minute fails, and that would be the test's own doing.
FORGET = "systemctl reset-failed docker.service docker.socket docker-tls.socket 2>/dev/null; true"


def rewrite(host: Host, name: str) -> None:
    """Do what a role does that renders a template and has a handler that restarts Docker."""
    ours = {key: value for key, value in json.loads(host.sh(f"cat {PATH}")).items() if key != "hosts"}
    host.put(PATH, json.dumps(REWRITTEN[name](ours), indent=4))
    host.sh(f"{FORGET}; systemctl restart docker")


def answers(host: Host, scheme: str) -> bool:
    """Whether the API answers a client without a certificate on the TCP port, in plain text or over TLS."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(f"{scheme}://{host.address}:2376/_ping", timeout=5, context=context) as response:
            return response.status == 200
    except urllib.error.HTTPError as error:  # "Client sent an HTTP request to an HTTPS server"
        assert error.code == 400
        return False
    except OSError:
        return False


def listens(host: Host) -> bool:
    return host.sh("ss -Hltn sport = :2376") != ""


def assert_closed(host: Host) -> None:
    assert host.works(30), host.sh("journalctl -n 30 -u docker -o cat", check=False)
    assert not listens(host)
    assert not answers(host, "http")
    assert not answers(host, "https")


@pytest.mark.important
def test_daemon_json_rewritten_by_another_tool_closes_the_port_and_docker_runs(host: Host) -> None:
    """With the systemd listener: the journal says why, and what restores it; the next run does, and keeps the containers."""
    settings = {"listener": "systemd", "live_restore": "enable"}
    host.secure(**settings)
    rewrite(host, "options")
    assert_closed(host)
    log = host.sh("journalctl -u docker -p err -n 20 -o cat")
    assert f"{PATH} does not have the TLS settings of this host's endpoint" in log
    assert "ansible-playbook portcullis.docker_tls.site" in log
    keeper = host.keeper()
    answer = host.run(**settings)
    assert answer.reasons[0] == "daemon-json-rewritten", answer.error
    assert answer.steps.count("restart") == 1
    assert listens(host)
    assert keeper
    assert host.keeper() == keeper
    assert json.loads(host.sh(f"cat {PATH}"))["log-driver"] == "local"
    assert not host.run(**settings).result["changed"]


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("name", REWRITTEN)
def test_rewritten_daemon_json_is_never_a_way_in(host: Host, listener: str, name: str) -> None:
    """After the other tool's restart, after dockerd is killed, and after a power failure; then the endpoint comes back."""
    settings = {"listener": listener, "live_restore": "enable"}
    host.secure(**settings)
    rewrite(host, name)
    assert_closed(host)
    host.sh(f"{FORGET}; kill -9 $(pidof dockerd); sleep 3")
    assert_closed(host)
    host.reboot()
    assert_closed(host)
    host.sh("docker start keeper")
    keeper = host.keeper()
    answer = host.run(existing_settings="adopt", **settings)
    assert answer.result["restarted"], answer.error
    assert answer.steps.count("restart") == 1
    assert host.keeper() == keeper
    assert listens(host)
    assert not answers(host, "http")
    assert not answers(host, "https")


@pytest.mark.parametrize("listener", LISTENERS)
def test_rewrite_without_a_restart_is_mended_before_the_port_is_ever_closed(host: Host, listener: str) -> None:
    """The other tool does not restart Docker: dockerd still listens, on its configured port."""
    settings = {"listener": listener, "live_restore": "enable"}
    host.secure(**settings)
    host.put(PATH, json.dumps({"log-driver": "local", "live-restore": True}))
    assert listens(host)
    answer = host.run(**settings)
    assert answer.reasons[0] == "daemon-json-rewritten", answer.error
    assert listens(host)
    assert not answers(host, "http")
    assert not host.run(**settings).result["changed"]


def test_hosts_in_a_rewritten_daemon_json_stop_docker_and_the_next_run_says_so(host: Host) -> None:
    """With the systemd listener the unit keeps -H fd://, and dockerd refuses hosts beside it."""
    settings = {"listener": "systemd", "live_restore": "enable"}
    host.secure(**settings)
    host.put(PATH, json.dumps({"hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"]}))
    host.sh(f"{FORGET}; systemctl restart docker", check=False)
    assert not host.works(2)
    assert not listens(host)
    log = host.sh("journalctl -u docker -p err -n 20 -o cat")
    assert f"{PATH} has hosts, and the unit says with -H where dockerd listens" in log
    assert "Docker starts" not in log
    answer = host.run(**settings)
    assert answer.error["code"] == "existing-settings"
    assert "Docker is down on this host: " in answer.error["message"]
    assert "specified both as a flag and in the configuration file" in answer.error["message"]
    assert host.run(existing_settings="adopt", **settings).result["changed"]
    assert host.works(30) and listens(host)


@pytest.mark.parametrize("listener", LISTENERS)
def test_absent_after_a_rewrite_leaves_what_the_other_tool_wrote(host: Host, listener: str) -> None:
    host.secure(listener=listener)
    rewrite(host, "options")
    theirs = host.files()
    host.run(listener=listener)
    answer = host.run(state="absent")
    assert answer.result["restarted"], answer.error
    before, after = ({line for line in text.splitlines() if "daemon.json" in line} for text in (theirs, host.files()))
    assert before == after
    assert_closed(host)
    assert host.sh("systemctl show -p LoadState --value docker-tls.socket") == "not-found"


def test_start_guard_does_not_start_docker_when_the_port_cannot_be_closed(host: Host) -> None:
    """systemctl fails for it: better no Docker than Docker's API in plain text."""
    host.secure(listener="systemd")
    host.sh(
        "mkdir -p /opt/broken && printf '#!/bin/sh\\nexit 1\\n' > /opt/broken/systemctl && chmod 755 /opt/broken/systemctl"
    )
    host.put(
        "/etc/systemd/system/docker.service.d/50-path.conf",
        "[Service]\nEnvironment=PATH=/opt/broken:/usr/sbin:/usr/bin:/sbin:/bin\n",
    )
    host.put(PATH, "{}")
    host.sh(f"systemctl daemon-reload; {FORGET}; systemctl restart docker", check=False)
    assert not host.works(3)
    assert not answers(host, "http")
    assert "could not be closed" in host.sh("journalctl -u docker -p err -n 20 -o cat")


def test_socket_listener_follows_a_change_of_its_address(host: Host) -> None:
    host.secure(listener="systemd", listen=["127.0.0.1:2376"])
    answer = host.run(listener="systemd", listen=["127.0.0.1:2377", f"{host.address}:2376"])
    assert answer.result["restarted"], answer.error
    assert host.sh("ss -Hltn sport = :2376 or sport = :2377 | awk '{print $4}' | sort").split() == sorted(
        ["127.0.0.1:2377", f"{host.address}:2376"]
    )


@pytest.mark.parametrize(("first", "second"), [("dockerd", "systemd"), ("systemd", "dockerd")])
def test_listener_is_exchanged_rolled_back_and_taken_away(host: Host, first: str, second: str) -> None:
    before = host.files()
    host.secure(listener=first)
    secured = host.files()
    for settings in ({"listener": second}, {"state": "rolled_back"}):
        answer = host.run(**settings)
        assert answer.result["restarted"], answer.error
        assert listens(host)
        assert host.works()
    assert host.files() == secured
    assert host.run(state="absent").result["restarted"]
    kept = [line for line in host.files().splitlines() if "/certs" not in line]
    assert kept == before.splitlines()
    assert_closed(host)
    assert host.sh("systemctl is-active docker-tls.socket", check=False) == "inactive"
    assert host.sh("ls /run/docker-tls.env", check=False) == ""


@pytest.mark.parametrize(
    "settings", [{}, {"tls": True}, {"tlsverify": False}], ids=["plain", "tls", "no-client-checks"]
)
def test_port_that_another_tool_opens_without_client_checks_is_not_served(
    host: Host, settings: dict[str, t.Any]
) -> None:
    """Only our drop-in makes ``hosts`` in daemon.json possible; with the packaged unit dockerd does not start with it at all."""
    host.secure(listener="dockerd")
    ours = json.loads(host.sh(f"cat {PATH}"))
    files = {key: ours[key] for key in ("tlscacert", "tlscert", "tlskey")} if settings else {}
    host.put(PATH, json.dumps({"hosts": ours["hosts"], **files, **settings}))
    host.sh(f"{FORGET}; systemctl restart docker", check=False)
    assert not host.works(3)
    assert not answers(host, "http")
    assert not answers(host, "https")
    assert "so dockerd is not started" in host.sh("journalctl -u docker -p err -n 20 -o cat")
    answer = host.run(listener="dockerd", existing_settings="adopt")
    assert answer.result["restarted"], answer.error
    assert host.works()
    assert listens(host)
    assert not answers(host, "https")
