# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drop-ins, byte by byte."""

from __future__ import annotations

import re

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import exec_start, our_units
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import OWN_MARK, parse_unit

VENDOR = "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"


def derive(command: str) -> exec_start.Derivation:
    return exec_start.derive(parse_unit([("/u/docker.service", f"[Service]\nExecStart={command}\n")], "/e/zz.conf"), {})


def test_service_dropin_of_docker_ce_is_stable() -> None:
    assert our_units.service_dropin(derive(VENDOR), after_network=True) == (
        "# Managed by Ansible (portcullis.docker_tls). Do not edit: the next run writes it again.\n"
        "# To take it away: docker_daemon_state: absent\n"
        "[Unit]\n"
        "# dockerd listens on addresses that must be there when it starts.\n"
        "Wants=network-online.target\n"
        "After=network-online.target\n"
        "\n"
        "[Service]\n"
        "# The unit's own command without -H/--host: dockerd does not start when its listeners are named twice.\n"
        f"# Derived from: sha256:{derive(VENDOR).digest}\n"
        "ExecStart=\n"
        "ExecStart=/usr/bin/dockerd --containerd=/run/containerd/containerd.sock\n"
    )


def test_service_dropin_without_need_is_none() -> None:
    assert our_units.service_dropin(derive("/usr/bin/dockerd -D"), after_network=False) is None


def test_service_dropin_for_the_network_alone_leaves_the_command() -> None:
    text = our_units.service_dropin(derive("/usr/bin/dockerd -D"), after_network=True)
    assert text is not None
    assert "ExecStart" not in text
    assert text.endswith("After=network-online.target\n")


def test_socket_dropin_opens_the_endpoint_with_docker_socket() -> None:
    text = our_units.socket_dropin(None, "docker-tls.socket")
    assert text is not None
    assert text.endswith("[Unit]\nWants=docker-tls.socket\n")
    assert our_units.is_ours(text)
    assert our_units.socket_dropin(None) is None


def test_socket_dropin_takes_listeners_of_others_away() -> None:
    text = our_units.socket_dropin(("ListenStream=/run/docker.sock",))
    assert text is not None
    assert text.endswith("taken away.\nListenStream=\nListenStream=/run/docker.sock\n")


def guard(command: str) -> str:
    return our_units.guard_dropin("/etc/docker/daemon.json", "/c", derive(command), "docker-tls.socket")


def test_guard_dropin_leaves_a_command_with_local_hosts_alone() -> None:
    text = guard(VENDOR + " -H unix:///run/x.sock")
    assert "[Unit]\nWants=docker-tls.socket\n[Service]\n" in text
    assert "\nExecStartPre=" in text
    assert "ExecStart=" not in text
    assert our_units.recorded_digest(text) is None


def test_guard_dropin_takes_tcp_hosts_out_of_the_command() -> None:
    assert guard(VENDOR + " -H tcp://0.0.0.0:2375").endswith(
        "ExecStart=\nExecStart=/usr/bin/dockerd --containerd=/run/containerd/containerd.sock -H fd://\n"
    )


NEW = our_units.service_dropin(derive(VENDOR), after_network=False) or ""
OTHER_UNIT = our_units.service_dropin(derive(VENDOR + " -D"), after_network=False) or ""
OUTDATED = {
    "nothing, nothing": (None, None, None),
    "right": (NEW, NEW, None),
    "missing": (None, NEW, "dropin-missing"),
    "unwanted": (NEW, None, "dropin-unwanted"),
    "unwanted, but not ours": ("[Service]\n", None, None),
    "foreign": ("[Service]\n", NEW, "dropin-foreign"),
    "package upgraded": (NEW, OTHER_UNIT, "unit-changed"),
    "edited": (NEW + "Restart=no\n", NEW, "dropin-changed"),
    "digest removed": (re.sub("# Derived.*\n", "", NEW), NEW, "unit-changed"),
    "network order added": (NEW, our_units.service_dropin(derive(VENDOR), after_network=True), "dropin-changed"),
}


@pytest.mark.parametrize("name", OUTDATED)
def test_outdated_says_why(name: str) -> None:
    current, wanted, reason = OUTDATED[name]
    assert our_units.outdated(current, wanted) == reason


def test_recorded_digest_reads_what_was_written() -> None:
    assert our_units.recorded_digest(NEW) == derive(VENDOR).digest
    assert our_units.HEADER.startswith(OWN_MARK)
