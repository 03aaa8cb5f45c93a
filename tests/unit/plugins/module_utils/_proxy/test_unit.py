# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit of the proxy: what it runs, with which privileges, and the copy of certificate and key that it makes."""

from __future__ import annotations

import grp
import os
import pathlib
import subprocess
import typing as t
from dataclasses import replace

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.command_line import split_words
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.state import (
    MAXIMUM_CONNECTIONS,
    ProxyUnit,
    is_ours,
    unit_text,
)

UNIT = ProxyUnit(
    config_path="/etc/docker-tls-proxy/haproxy.cfg",
    certificates="/etc/docker/certs/current",
    runtime="/run/docker-tls-proxy",
    docker_socket_unit="docker.socket",
    socket_group="docker",
)


def values(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def test_unit_runs_unprivileged_and_in_a_sandbox() -> None:
    text = unit_text(UNIT)
    assert is_ours(text.encode())
    assert values(text, "User") == ["haproxy"]
    assert values(text, "CapabilityBoundingSet") == [""]
    assert values(text, "NoNewPrivileges") == ["yes"]
    assert values(text, "ProtectSystem") == ["strict"]
    assert values(text, "SystemCallErrorNumber") == ["EPERM"]  # else HAProxy 3.2 is killed by what it asks for
    assert not values(text, "ExecStart")[0].startswith("+")


def test_unit_has_files_for_all_connections_that_haproxy_may_have() -> None:
    assert int(values(unit_text(UNIT), "LimitNOFILE")[0]) > 2 * MAXIMUM_CONNECTIONS


def test_unit_checks_before_it_reloads_and_copies_before_it_checks() -> None:
    copy, check, signal = values(unit_text(UNIT), "ExecReload")
    assert copy.startswith("+/bin/sh ")
    assert check == "/usr/sbin/haproxy -c -f /etc/docker-tls-proxy/haproxy.cfg"
    assert signal == "/bin/kill -USR2 $MAINPID"


def test_unit_without_sources_filters_nothing() -> None:
    assert "IPAddress" not in unit_text(UNIT)


def test_unit_with_sources_lets_them_and_the_host_itself_connect() -> None:
    text = unit_text(replace(UNIT, sources=("10.0.0.0/8",), own_addresses=("192.0.2.7",)))
    assert values(text, "IPAddressDeny") == ["any"]
    assert values(text, "IPAddressAllow") == ["10.0.0.0/8 127.0.0.1 ::1 192.0.2.7"]


def run_copy(store: pathlib.Path, runtime: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Run what systemd would run, with this process' own group in the place of haproxy's."""
    group = grp.getgrgid(os.getgid()).gr_name
    text = unit_text(replace(UNIT, certificates=str(store), runtime=str(runtime), group=group))
    words = [word.value.replace("$$", "$").replace("%%", "%") for word in split_words(values(text, "ExecStartPre")[0])]
    return subprocess.run([words[0].lstrip("+"), *words[1:]], capture_output=True, text=True)


def stored(directory: pathlib.Path, **changes: str) -> pathlib.Path:
    files = {"server-cert.pem": "CERTIFICATE", "server-key.pem": "KEY\n", "client-ca.pem": "CA\n", **changes}
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def mode(path: pathlib.Path) -> int:
    return path.stat().st_mode & 0o777


def test_copy_puts_certificate_and_key_into_one_file_for_the_group_only(tmp_path: pathlib.Path) -> None:
    runtime = tmp_path / "run"
    done = run_copy(stored(tmp_path / "it's $HOME 100%"), runtime)
    assert done.returncode == 0, done.stderr
    assert (runtime / "server.pem").read_text() == "CERTIFICATE\nKEY\n"
    assert (runtime / "client-ca.pem").read_text() == "CA\n"
    assert [mode(path) for path in (runtime, runtime / "server.pem", runtime / "client-ca.pem")] == [
        0o750,
        0o640,
        0o640,
    ]
    assert sorted(path.name for path in runtime.iterdir()) == ["client-ca.pem", "server.pem"]


def test_copy_replaces_an_older_one(tmp_path: pathlib.Path) -> None:
    runtime = tmp_path / "run"
    run_copy(stored(tmp_path / "one"), runtime)
    done = run_copy(stored(tmp_path / "two", **{"client-ca.pem": "OTHER\n"}), runtime)
    assert done.returncode == 0, done.stderr
    assert (runtime / "client-ca.pem").read_text() == "OTHER\n"


def test_copy_of_a_set_with_a_missing_file_fails_and_keeps_the_old_one(tmp_path: pathlib.Path) -> None:
    runtime = tmp_path / "run"
    run_copy(stored(tmp_path / "one"), runtime)
    broken = stored(tmp_path / "two")
    (broken / "client-ca.pem").unlink()
    done = run_copy(broken, runtime)
    assert done.returncode != 0
    assert (runtime / "server.pem").read_text() == "CERTIFICATE\nKEY\n"
    assert (runtime / "client-ca.pem").read_text() == "CA\n"


def test_copy_that_changes_nothing_writes_nothing(tmp_path: pathlib.Path) -> None:
    """A rollback has to work where /run has no room left."""
    store, runtime = stored(tmp_path / "one"), tmp_path / "run"
    run_copy(store, runtime)
    before = {path.name: path.stat().st_ino for path in runtime.iterdir()}
    assert run_copy(store, runtime).returncode == 0
    assert {path.name: path.stat().st_ino for path in runtime.iterdir()} == before


def test_copy_that_fails_halfway_replaces_no_file_and_leaves_no_key(tmp_path: pathlib.Path) -> None:
    runtime = tmp_path / "run"
    run_copy(stored(tmp_path / "one"), runtime)
    (runtime / "client-ca.pem.new").mkdir()  # cannot be written
    done = run_copy(stored(tmp_path / "two", **{"server-key.pem": "OTHER\n", "client-ca.pem": "OTHER\n"}), runtime)
    assert done.returncode != 0
    assert (runtime / "server.pem").read_text() == "CERTIFICATE\nKEY\n"
    assert (runtime / "client-ca.pem").read_text() == "CA\n"
    assert not (runtime / "server.pem.new").exists()


def test_foreign_unit_is_not_ours() -> None:
    foreign: t.Sequence[bytes | None] = (None, b"", b"[Unit]\n")
    assert not any(map(is_ours, foreign))
