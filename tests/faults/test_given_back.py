# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host had before the first run comes back: files in our directory, TCP without a local socket, a timer that ends."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import CERTIFICATES, CLIENTS, NO_WAIT, Host
from support.ca.certificates import authority, leaf

OLD_SERVERS = authority("server", unit="old-servers", number=8)
OLD_CLIENTS = authority("client", unit="old-clients", number=9)
ADOPT = {
    "existing_settings": "adopt",
    "client_ca": CLIENTS.pem + OLD_CLIENTS.pem,
}  # whose clients get in today is named
FLAGS = f"""\
[Service]
ExecStart=
ExecStart=/usr/sbin/dockerd \\
    -H 0.0.0.0:4444 -H fd:// \\
    --tlsverify --tlscacert {CERTIFICATES}/ca.pem \\
    --tlscert {CERTIFICATES}/server-cert.pem --tlskey {CERTIFICATES}/server-key.pem
"""
ONLY_TCP = """\
[Service]
ExecStart=
ExecStart=/usr/sbin/dockerd -H tcp://127.0.0.1:4243
"""
DROP_IN = "/etc/systemd/system/docker.service.d/options.conf"
# Modes, owners, links and times of all that is in the directory, and of the directory; then the bytes.
STATUS = (
    f"stat -c '%n %A %u %g %N' {CERTIFICATES} {CERTIFICATES}/* {CERTIFICATES}/.[!.]* 2>/dev/null;"
    f"cd {CERTIFICATES} && find . -type f -exec sha256sum {{}} + | sort"
)
NOW = "journalctl -q -o cat -u docker -n 1 --show-cursor | sed -n 's/^-- cursor: //p'"
RESTARTS = "journalctl -q -o cat -u docker --after-cursor='{since}' | grep -c '^Started '"
OLD_CLIENT = (
    "docker -H tcp://127.0.0.1:4444 --tlsverify --tlscacert /root/old/ca.pem --tlscert /root/old/cert.pem"
    " --tlskey /root/old/key.pem version --format '{{.Server.Version}}'"
)


def old_tool(host: Host) -> str:
    """Give the host what another tool leaves, in our directory; return the directory's status."""
    server = leaf(OLD_SERVERS, subject_names=(host.address, "127.0.0.1"), key=ec.generate_private_key(ec.SECP256R1()))
    client = leaf(OLD_CLIENTS, "client", subject_names=("old",), key=ec.generate_private_key(ec.SECP256R1()))
    host.sh(f"install -d -m 0751 -g docker {CERTIFICATES} /root/old; mkdir -p /etc/old-tool")
    host.put("/etc/old-tool/server.pem", server.pem)
    host.put(f"{CERTIFICATES}/ca.pem", OLD_CLIENTS.pem, "0664")
    host.put(f"{CERTIFICATES}/server-key.pem", server.key_pem, "0440")
    host.put(f"{CERTIFICATES}/notes.txt", "of the old tool")
    host.sh(
        f"ln -s ../../old-tool/server.pem {CERTIFICATES}/server-cert.pem; chgrp docker {CERTIFICATES}/server-key.pem"
    )
    host.put("/root/old/ca.pem", OLD_SERVERS.pem)
    host.put("/root/old/cert.pem", client.pem)
    host.put("/root/old/key.pem", client.key_pem, "0600")
    host.put(DROP_IN, FLAGS)
    host.sh("systemctl daemon-reload; systemctl reset-failed; systemctl restart docker")
    host.wait(30)
    assert host.sh(OLD_CLIENT)
    return host.sh(STATUS)


def only_tcp(host: Host) -> None:
    """Give the host a dockerd without a local socket."""
    host.put(DROP_IN, ONLY_TCP)
    host.sh("systemctl daemon-reload; systemctl reset-failed; systemctl restart docker.socket docker.service")
    assert tcp_answers(host)


def tcp_answers(host: Host) -> bool:
    return host.sh("timeout 5 docker -H tcp://127.0.0.1:4243 ps >/dev/null 2>&1 && echo yes", check=False) == "yes"


@pytest.mark.important
def test_files_of_another_tool_in_our_directory_come_back(host: Host) -> None:
    before, files = old_tool(host), host.files()
    done = host.secure(**ADOPT)
    assert "endpoint-new" in done.reasons
    for _number in range(3):  # renewals push old revisions out
        assert host.secure(**ADOPT).reasons == ["certificate-changed"]
    host.issue()  # a key that waits for its certificate
    gone = host.run(state="absent")
    assert not gone.error, gone.error
    assert "certificates-given-back" in gone.reasons
    assert host.sh(STATUS) == before
    assert host.files() == files
    assert host.sh(OLD_CLIENT)
    assert not host.run(state="absent").result["changed"]


def test_first_run_rolled_back_gives_back_the_files_of_another_tool(host: Host) -> None:
    before = old_tool(host)
    host.secure(**ADOPT)
    back = host.run(state="rolled_back")
    assert not back.error, back.error
    assert host.sh(OLD_CLIENT)
    assert host.sh(STATUS) == before
    again = host.secure(**ADOPT)
    assert "endpoint-new" in again.reasons
    assert not host.run(state="absent").error
    assert host.sh(STATUS) == before


def test_staged_key_does_not_stay_after_absent(host: Host) -> None:
    before = host.files()
    host.issue()  # and then the run fails
    gone = host.run(state="absent")
    assert gone.reasons == ["staged-key-unwanted"]
    assert not gone.result["restarted"]
    assert host.sh(f"ls -d {CERTIFICATES}", check=False) == ""
    assert host.files() == before


def test_host_with_only_tcp_is_given_back_without_waiting(host: Host) -> None:
    only_tcp(host)
    before = host.files()
    since = host.sh(NOW)
    host.secure(**ADOPT)
    host.wait(10)
    gone = host.run(state="absent", **NO_WAIT)
    assert not gone.error, gone.error
    assert tcp_answers(host)
    host.sh(f"rm -rf {CERTIFICATES}")
    assert host.files() == before
    assert host.sh(RESTARTS.format(since=since)) == "2"


def test_host_with_only_tcp_is_rolled_back_without_waiting(host: Host) -> None:
    only_tcp(host)
    host.secure(**ADOPT)
    back = host.run(state="rolled_back", **NO_WAIT)
    assert not back.error, back.error
    assert tcp_answers(host)


@pytest.mark.parametrize("state", [pytest.param("absent", id="absent"), pytest.param("rolled_back", id="rolled-back")])
def test_host_with_only_tls_over_tcp_is_given_back(host: Host, state: str) -> None:
    """No local socket, and no listener that could be asked without a client's certificate."""
    old_tool(host)
    host.put(DROP_IN, FLAGS.replace(" -H fd://", ""))
    host.sh("systemctl daemon-reload; systemctl reset-failed; systemctl restart docker.socket docker.service")
    assert host.sh(OLD_CLIENT)
    before = host.sh(STATUS)
    host.secure(**ADOPT)
    host.wait(10)
    since = host.sh(NOW)
    back = host.run(state=state, **NO_WAIT)
    assert not back.error, back.error
    assert host.sh(OLD_CLIENT)
    assert host.sh(STATUS) == before
    assert host.sh(RESTARTS.format(since=since)) == "1"


def test_failed_change_of_a_host_with_only_tcp_is_rolled_back(host: Host) -> None:
    only_tcp(host)
    before = host.files()
    host.put("/root/taken.py", "import socket, time; taken = socket.create_server(('0.0.0.0', 2376)); time.sleep(60)")
    taken = "python3 /root/taken.py >/dev/null 2>&1 & echo $! > /root/taken.pid; sleep 1"
    try:
        answer = host.run(certificate=host.issue().pem, **ADOPT, **NO_WAIT, hooks={"restart": taken})
    finally:
        host.sh("kill $(cat /root/taken.pid)")
    assert answer.error["code"] == "daemon-start-failed", answer
    assert "as it was before" in answer.error["message"]
    assert tcp_answers(host)
    assert host.files() == before


@pytest.mark.parametrize("found", [pytest.param("usual", id="usual"), pytest.param("only-tcp", id="only-tcp")])
def test_timer_of_an_unconfirmed_change_ends_well(host: Host, found: str) -> None:
    if found == "only-tcp":
        only_tcp(host)
    before = host.files()
    since = host.sh(NOW)
    host.secure(**ADOPT, confirm_timeout=3)
    assert host.settled(40)
    assert host.sh("systemctl --failed --no-legend --plain | grep docker-tls", check=False) == ""
    assert not host.run(state="confirmed", lock_timeout=5).result  # it is over: the lock is free, and it was too late
    assert tcp_answers(host) if found == "only-tcp" else host.works(10)
    assert host.files() == before
    assert host.sh(RESTARTS.format(since=since)) == "2"


def test_host_is_given_back_without_the_library(host: Host) -> None:
    """The package was removed since; nothing is installed to take an endpoint away."""
    before = old_tool(host)
    host.secure(**ADOPT)
    host.issue()
    place = host.sh("dirname $(python3 -c 'import cryptography; print(cryptography.__file__)')")
    host.sh(f"mv {place} {place}.away")
    try:
        gone = host.run(state="absent")
    finally:
        host.sh(f"mv {place}.away {place}")
    assert "certificates-given-back" in gone.reasons, gone.error
    assert host.sh(STATUS) == before
    assert host.sh(OLD_CLIENT)
