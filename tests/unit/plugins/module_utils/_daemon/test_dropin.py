# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drop-ins, byte by byte."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon import dropin, unit, words
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.environment import OWN_MARK, parse_unit
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.unitfile import parse_assignments

VENDOR = "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"


def derive(command: str) -> unit.Derivation:
    return unit.derive(parse_unit([("/u/docker.service", f"[Service]\nExecStart={command}\n")], "/e/zz.conf"), {})


def test_service_dropin_of_docker_ce_is_stable() -> None:
    assert dropin.service_dropin(derive(VENDOR), after_network=True) == (
        "# Managed by Ansible (portcullis.docker_tls). Do not edit: the next run writes it anew.\n"
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
    assert dropin.service_dropin(derive("/usr/bin/dockerd -D"), after_network=False) is None


def test_service_dropin_for_the_network_alone_leaves_the_command() -> None:
    text = dropin.service_dropin(derive("/usr/bin/dockerd -D"), after_network=True)
    assert text is not None
    assert "ExecStart" not in text
    assert text.endswith("After=network-online.target\n")


def test_socket_dropin_lists_the_listeners() -> None:
    text = dropin.socket_dropin(["10.0.0.5:2376", "[fd00::1]:2376"])
    assert text.endswith("[Socket]\nListenStream=10.0.0.5:2376\nListenStream=[fd00::1]:2376\nFreeBind=yes\n")
    assert dropin.is_ours(text)


GUARDED = {
    "ours": ('{"tlsverify": true, "tlscacert": "/etc/docker/certs/client-ca.pem"}', True),
    "compact": ('{"tlsverify":true,"tlscacert":"/etc/docker/certs/client-ca.pem"}', True),
    "over lines": ('{\n "tlsverify"\n:\n true,\n "tlscacert"  : "/etc/docker/certs/client-ca.pem"\n}\n', True),
    "no tlsverify": ('{"tls": true, "tlscacert": "/etc/docker/certs/client-ca.pem"}', False),
    "no tlscacert": ('{"tlsverify": true}', False),
    "other tlscacert": ('{"tlsverify": true, "tlscacert": "/etc/docker/certsXclient-ca.pem"}', False),
    "tlsverify off": ('{"tlsverify": false, "tlscacert": "/etc/docker/certs/client-ca.pem"}', False),
    "on and off": ('{"tlsverify": true, "tlsverify":\nfalse, "tlscacert": "/etc/docker/certs/client-ca.pem"}', False),
    "empty": ("", False),
}


def guard_passes(text: str) -> bool:
    """Run the ExecStartPre lines of a drop-in as systemd would."""
    lines = [item.value for item in parse_assignments(text) if item.key == "ExecStartPre"]
    assert len(lines) == 3
    for line in lines:
        argv = [words.expand_braced(words.expand_specifiers(word.value), {}) for word in words.split_command(line)]
        if subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode != 0:
            return False
    return True


@pytest.mark.parametrize("name", GUARDED)
def test_guard_dropin_lets_dockerd_start_with_client_checks_only(name: str, tmp_path: Path) -> None:
    config, passes = GUARDED[name]
    path = tmp_path / "da $emon 100%.json"
    path.write_text(config)
    assert guard_passes(dropin.guard_dropin(str(path), "/etc/docker/certs/client-ca.pem", derive(VENDOR))) is passes


def test_guard_dropin_missing_file_fails_closed(tmp_path: Path) -> None:
    assert not guard_passes(dropin.guard_dropin(str(tmp_path / "none"), "/c", derive(VENDOR)))


def test_guard_dropin_awkward_path_of_the_anchors_is_matched_literally(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    awkward = '/srv/a+b (c)/[d]{e}^$f|g\\h"i*j?.pem'
    path.write_text(json.dumps({"tlsverify": True, "tlscacert": awkward}))
    text = dropin.guard_dropin(str(path), awkward, derive(VENDOR))
    assert guard_passes(text)
    path.write_text(json.dumps({"tlsverify": True, "tlscacert": awkward.replace("j?", "j")}))
    assert not guard_passes(text)


def test_guard_dropin_leaves_a_command_with_local_hosts_alone() -> None:
    text = dropin.guard_dropin("/etc/docker/daemon.json", "/c", derive(VENDOR + " -H unix:///run/x.sock"))
    assert "ExecStart=" not in text
    assert dropin.recorded_digest(text) is None


def test_guard_dropin_takes_tcp_hosts_out_of_the_command() -> None:
    text = dropin.guard_dropin("/etc/docker/daemon.json", "/c", derive(VENDOR + " -H tcp://0.0.0.0:2375"))
    assert text.endswith(
        "ExecStart=\nExecStart=/usr/bin/dockerd --containerd=/run/containerd/containerd.sock -H fd://\n"
    )


NEW = dropin.service_dropin(derive(VENDOR), after_network=False) or ""
OTHER_UNIT = dropin.service_dropin(derive(VENDOR + " -D"), after_network=False) or ""
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
    "network order added": (NEW, dropin.service_dropin(derive(VENDOR), after_network=True), "dropin-changed"),
}


@pytest.mark.parametrize("name", OUTDATED)
def test_outdated_says_why(name: str) -> None:
    current, wanted, reason = OUTDATED[name]
    assert dropin.outdated(current, wanted) == reason


def test_recorded_digest_reads_what_was_written() -> None:
    assert dropin.recorded_digest(NEW) == derive(VENDOR).digest
    assert dropin.HEADER.startswith(OWN_MARK)
