# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of modules that show what no other test of them does: every documented value is seen filled (support/contracts/session.py asks for it)."""

from __future__ import annotations

import os
import pathlib
import typing as t
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption import (
    assess,
    effective_settings,
    inspect_host,
    repair,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._argument_specs import (
    ENDPOINT_OPTIONS,
    REQUEST_OPTIONS,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import entry as call
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import host_state as _host_state
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import verify_remote
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import collect
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import request_names
from ansible_collections.portcullis.docker_tls.plugins.modules import (
    adoption_info,
    authority_backup,
    certificate_files_info,
    endpoint_info,
    fleet_status,
    host_state,
    plain_relay,
    recorded_certificates,
    signed_certificates,
)
from ansible_collections.portcullis.docker_tls.plugins.modules import (
    endpoint as endpoint_module,
)
from support.ansible.modules import run_module
from support.ca import certificates as made
from support.ca.ca_directory import PASSPHRASE_TEXT, csr, ensure
from support.ca.foreign import docker_recipe, endpoint, situation
from support.clients import docker_api as api
from support.hosts import fleet
from support.hosts.machine import install
from support.hosts.unit_directory import Manager
from support.hosts.world import ADDRESS, Effects, World

SERVER, CLIENTS = made.authority("server"), made.authority("client", number=1)
G1, G2 = fleet.server_authority(), fleet.authority("server-g2", 31)


def defaults(options: dict[str, t.Any], **given: t.Any) -> dict[str, t.Any]:
    """Return options made complete, as an action plugin sends them."""
    return {**{name: option.get("default") for name, option in options.items()}, **given}


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> pathlib.Path:
    ensure(tmp_path / "ca", "clients", now=datetime.now(timezone.utc) - timedelta(days=1))
    return tmp_path / "ca"


def test_adoption_info_tells_plain_listeners(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_bytes(docker_recipe().contents["ca.pem"])
    open_port = endpoint(str(tmp_path), hosts=("tcp://0.0.0.0:2375",), tls=False, verify=False)
    found = situation(effective_settings.search([], [str(tmp_path)]), datetime.now(timezone.utc), open_port)
    monkeypatch.setattr(
        inspect_host, "inspect", lambda *_given: inspect_host.Inspection(found, "open", assess.assess_host(found))
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert run_module(adoption_info, {})["adoption"]["plain_listeners"] == ["tcp://0.0.0.0:2375"]


def test_authority_backup_of_nothing_fails_clearly(tmp_path: pathlib.Path) -> None:
    result = run_module(authority_backup, {"path": str(tmp_path / "none"), "archive_path": str(tmp_path / "ca.tar.gz")})
    assert result["failed"] and result["code"] and result["hint"]


def test_certificate_files_info_reads_authorities_and_says_what_is_wrong(tmp_path: pathlib.Path) -> None:
    for name, text in (("cert", G1.pem), ("ca", G1.pem), ("client-ca", G2.pem), ("broken", "nonsense")):
        (tmp_path / f"{name}.pem").write_text(text)
    wanted = [
        {
            "id": "server",
            "certificate_path": f"{tmp_path}/cert.pem",
            "ca_path": f"{tmp_path}/ca.pem",
            "client_ca_path": f"{tmp_path}/client-ca.pem",
        },
        {"id": "broken", "certificate_path": f"{tmp_path}/broken.pem"},
    ]
    good, broken = run_module(certificate_files_info, {"files": wanted})["files"]
    assert (good["ca_content"], good["client_ca_content"]) == (G1.pem, G2.pem)
    assert (broken["state"], bool(broken["problem"])) == ("invalid", True)


@pytest.mark.parametrize(("header", "version"), [("Docker/28.0.0 (linux)", "28.0.0"), ("proxy", "")])
def test_endpoint_info_tells_what_a_good_client_saw(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, header: str, version: str
) -> None:
    monkeypatch.setattr(api, "HEADER", header)
    # dockerd names the authorities that it admits; Python's own ssl has no way to.
    named, read = (fleet.subject_der(api.CLIENTS),), verify_remote.read_greeting
    monkeypatch.setattr(verify_remote, "read_greeting", lambda *asked: replace(read(*asked), authority_names=named))
    client = made.leaf(api.CLIENTS, "client", common_name="me")
    with api.endpoint(tmp_path / "server") as served:
        options = {
            "host": "127.0.0.1",
            "port": int(served.docker_host.rpartition(":")[2]),
            "ca_content": api.SERVERS.pem,
            "client_ca_content": api.CLIENTS.pem,
            "certificate_content": client.pem,
            "key_content": client.key_pem.decode(),
            "closed_ports": [],
        }
        result = run_module(endpoint_info, options)
    assert result["engine_version"] == version
    assert len(result["certificate_fingerprint"]) == 64
    assert result["client_authorities"] == ["CN=Docker CA,OU=clients-g1"]


def test_fleet_status_reports_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "probe", lambda asked, _patience: {one: fleet.served(fleet.server()) for one in asked})
    result = run_module(fleet_status, {"hosts": [fleet.host()], "clients": [fleet.bundle()], "ca": fleet.ca()})
    (client,) = result["report"]["clients"]
    assert client["verdict"]


def test_plain_relay_listens_where_docker_did(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "_proxy", lambda: "/lib/systemd/systemd-socket-proxyd")
    monkeypatch.setattr(plain_relay, "Systemd", lambda: Manager(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    result = run_module(plain_relay, {"listen": ["tcp://0.0.0.0:2375"]})
    assert (result["changed"], result["listen"]) == (True, ["0.0.0.0:2375"])
    assert run_module(plain_relay, {"state": "absent"})["listen"] == []


def test_recorded_certificates_leaves_strangers_out_and_needs_a_ca(ca: pathlib.Path, tmp_path: pathlib.Path) -> None:
    stranger = [{"content": made.leaf(SERVER).pem, "requester": "web1", "source": "/c"}]
    (foreign,) = run_module(recorded_certificates, {"path": str(ca), "certificates": stranger})["foreign"]
    assert "web1" in foreign or "/c" in foreign
    result = run_module(recorded_certificates, {"path": str(tmp_path / "none"), "certificates": stranger})
    assert result["failed"] and result["code"] and result["hint"]


def test_recorded_certificates_names_all_who_show_one_certificate(ca: pathlib.Path) -> None:
    request = {
        "id": "a",
        "authority": "server",
        "profile": "server",
        "request_content": csr(),
        "common_name": "a",
        "names": ["a"],
    }
    given = {"path": str(ca), "passphrase": PASSPHRASE_TEXT, "requests": [request]}
    before = {path.name: path.read_bytes() for path in ca.iterdir() if path.is_file()}
    content = run_module(signed_certificates, given)["certificates"]["a"]["certificate_content"]
    for name, data in before.items():
        (ca / name).write_bytes(data)  # an older state, which knows nothing of it
    shown = [{"content": content, "requester": host, "source": "/c"} for host in ("web1", "web2")]
    (entry,) = run_module(recorded_certificates, {"path": str(ca), "certificates": shown})["recorded"]
    assert entry["claimants"] == ["web1", "web2"]


def test_signed_certificates_tells_what_it_refused_and_what_it_repaired(ca: pathlib.Path) -> None:
    (ca / "ledger.jsonl").chmod(0o644)
    request = {"profile": "server", "request_content": csr(), "common_name": "web1", "names": ["web1"]}
    requests = [
        {"id": "good", "authority": "server", **request},
        {**request, "id": "bad", "authority": "nobody", "profile": "client"},
    ]
    options = {"path": str(ca), "passphrase": PASSPHRASE_TEXT, "requests": requests, "partial": True}
    result = run_module(signed_certificates, options)
    assert result["reasons"] == ["modes-repaired"]
    assert {name: refused["code"] for name, refused in result["rejected"].items()} == {"bad": "authority-unknown"}
    assert result["rejected"]["bad"]["hint"]


# ---- the inspection before the roles


def test_host_state_of_a_secured_host_tells_what_it_has(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "host").build()
    machine: t.Any = install(monkeypatch, world, Effects())
    state = StateDirectory(str(world.state))
    monkeypatch.setattr(call, "Machine", lambda *_parts: machine)
    monkeypatch.setattr(call, "StateDirectory", lambda _path: state)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    pair = made.leaf(SERVER, common_name=ADDRESS, subject_names=(ADDRESS, "localhost"))
    world.certificates.mkdir(mode=0o700)
    (world.certificates / "server-key.pem.new").write_bytes(pair.key_pem)
    wish = {
        "listen": [f"{ADDRESS}:2376"],
        "directory": str(world.certificates),
        "config_path": str(world.config),
        "ca_content": SERVER.pem,
        "client_ca_content": CLIENTS.pem,
    }
    assert run_module(endpoint_module, {**wish, "certificate_content": pair.pem})["changed"]

    host = request_names.Host("box.example.test", lambda selectors: [])
    context = _host_state.HostContext(host=host, machine=lambda options: machine, state=lambda options: state)
    monkeypatch.setattr(_host_state, "this_host", lambda: context)
    request = defaults(
        REQUEST_OPTIONS,
        id="server",
        profile="server",
        key_path=f"{world.certificates}/server-key.pem",
        certificate_path=f"{world.certificates}/server-cert.pem",
        common_name=ADDRESS,
        names=[ADDRESS, "localhost"],
        fqdn=False,
        local_names=False,
        authority_content=SERVER.pem,
    )
    due = run_module(host_state, {"requests": [{**request, "force": True}], "prepare": True})
    assert "BEGIN CERTIFICATE REQUEST" in due["prepared"]["requests"][0]["request_content"]
    (world.certificates / "server-key.pem.new").unlink()
    looked = run_module(host_state, {"requests": [request], "endpoint": defaults(ENDPOINT_OPTIONS, **wish)})
    assert looked["current"], looked
    assert looked["requests"][0]["certificate"]["names"] == ["localhost", ADDRESS]
    assert looked["endpoint"]["listen"] == [f"{ADDRESS}:2376"]
