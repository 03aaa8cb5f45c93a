# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is admitted over TCP, for every way to configure TLS of dockerd; tests/faults asks the real ones about the same table."""

from __future__ import annotations

import os

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption import effective_settings
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.command_line import find_flags
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.exec_start import FlagUse
from support.hosts.tls_switches import ROWS, D, H, Switches

UNIT, JSON = "/lib/systemd/system/docker.service", "/etc/docker/daemon.json"
TCP = {"hosts": ["tcp://127.0.0.1:2399"]}
DIRECTORIES = {"named": D, "home": f"{H}/.docker"}


def read(row: Switches) -> effective_settings.Endpoint:
    uses = [FlagUse(flag.name, flag.value, UNIT, False) for flag in find_flags(row.flags)]
    return effective_settings.read_endpoint(uses, {**TCP, **row.values}, row.environment, JSON)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_read_endpoint_tells_who_gets_in(row: Switches) -> None:
    found = read(row)
    assert (found.admits, found.is_open) == (row.admits, row.admits in ("plain", "unverified"))
    if row.ca:
        assert os.path.dirname(found.paths[effective_settings.CA]) == DIRECTORIES[row.ca]


@pytest.mark.parametrize("row", [row for row in ROWS if row.admits == "clients"], ids=lambda row: row.name)
def test_layout_of_a_host_with_clients_is_never_open(row: Switches) -> None:
    assert effective_settings.layout_of(read(row), (), managed=False) not in ("open", "local")


def test_read_endpoint_names_misspelt_keys_and_what_is_meant() -> None:
    found = effective_settings.read_endpoint([], {**TCP, "tls_verify": True, "host": ["fd://"]}, {}, JSON)
    assert found.misspelled == (("tls_verify", "tlsverify"),)


def test_read_endpoint_does_not_take_what_dockerd_ignores_for_a_listener() -> None:
    assert effective_settings.read_endpoint([], {"host": ["tcp://0.0.0.0:2376"]}, {}, JSON).admits == "local"


@pytest.mark.parametrize(("host", "admits"), [("fd://", "clients"), ("unix:///var/run/docker.sock", "local")])
def test_read_endpoint_counts_what_docker_socket_hands_over(host: str, admits: str) -> None:
    sockets = [("10.0.0.5:2376", "/etc/systemd/system/docker.socket.d/tcp.conf")]
    uses = [FlagUse("host", host, UNIT, False)]
    found = effective_settings.read_endpoint(uses, {"tls": True, "tlscacert": "/ca.pem"}, {}, JSON, sockets)
    assert found.admits == admits
    assert ("tcp://10.0.0.5:2376" in found.hosts) == (admits == "clients")


def test_read_endpoint_says_where_each_setting_stands() -> None:
    uses = [FlagUse("host", "fd://", UNIT, False), FlagUse("tlsverify", None, UNIT, False)]
    found = effective_settings.read_endpoint(uses, {"tls": False, "tlscacert": "/ca.pem", **TCP}, {}, JSON)
    expected = {"hosts": JSON, "tls": JSON, "tlsverify": UNIT, "tlscacert": JSON}
    assert {key: found.where[key] for key in expected} == expected
    assert found.where["tlskey"] == "dockerd's default"
