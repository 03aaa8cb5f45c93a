# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An endpoint of others is taken over: its clients are not shut out, and its addresses stay."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from test_endpoint import Bench

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption.effective_settings import Endpoint
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import listeners
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ca.certificates import authority, leaf
from support.hosts.machine import install
from support.hosts.world import UNIT, Effects, World

THEIRS, MORE = authority("client", unit="theirs", number=5), authority("client", unit="more", number=6)
OURS = authority("client", number=1)


@pytest.fixture
def bench(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    world = World(tmp_path / "host").build()
    return Bench(world, install(monkeypatch, world, Effects()))


def endpoint(*hosts: str, tls: bool = True) -> Endpoint:
    return Endpoint(hosts, tls, tls, {}, {})


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (endpoint("fd://", "tcp://10.0.0.5:2376"), ("10.0.0.5:2376",)),
        (endpoint("tcp://10.0.0.5:2376", "tcp://[fd00::5]:2377/"), ("10.0.0.5:2376", "[fd00::5]:2377")),
        (endpoint("10.0.0.5:2376"), ("10.0.0.5:2376",)),
        (endpoint("tcp://0.0.0.0:2376", "tcp://10.0.0.5:2376"), ("0.0.0.0:2376",)),
        (endpoint("tcp://[::]:2376", "tcp://10.0.0.5:2376"), ("[::]:2376",)),
        (endpoint("tcp://0.0.0.0:2377", "tcp://10.0.0.5:2376"), ("0.0.0.0:2377", "10.0.0.5:2376")),
        (endpoint("tcp://10.0.0.5"), ("10.0.0.5:2375",)),
        (endpoint("tcp://[fd00::5]"), ("[fd00::5]:2375",)),
        (endpoint("tcp://:2376"), ("127.0.0.1:2376",)),
        (endpoint("tcp://docker1:2376"), ("docker1:2376",)),
        (endpoint("tcp://10.0.0.5:2375", "tcp://10.0.0.5:4243", tls=False), ("10.0.0.5:2376",)),
        (endpoint("fd://"), ()),
    ],
    ids=lambda value: ",".join(value.hosts) if isinstance(value, Endpoint) else "",
)
def test_kept_entries_are_where_the_endpoint_listens(found: Endpoint, kept: tuple[str, ...]) -> None:
    assert listeners.kept_entries(found.tcp, 0 if found.tls else 2376) == kept


def theirs(bench: Bench, path: pathlib.Path, *, anchors: str = "", flags: str = "", **settings: t.Any) -> Bench:
    """Let somebody else have made an endpoint."""
    pem = path / "theirs.pem"
    pem.write_text(anchors or THEIRS.pem)
    values = {"tlscacert": str(pem), **settings} if "tlscacert" not in flags else settings
    bench.world.config.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    if flags:
        (bench.world.root / "lib/docker.service").write_text(UNIT.replace("-H fd://", f"-H fd:// {flags}"))
    bench.world.load()
    return bench


TCP = {"hosts": ["tcp://0.0.0.0:2376"]}


@pytest.mark.parametrize("asked", ["adopt", "replace"])
@pytest.mark.parametrize(
    "settings",
    [
        {"tls": True},
        {"tlsverify": True},
        {"tls": True, "tls_verify": True},
        {"tls_verify": True},
        {"tls": True, "tlscacert": None},
    ],
    ids=["tls-alone", "tlsverify", "tls-and-misspelt", "misspelt", "the-system-s"],
)
def test_host_with_clients_of_a_ca_is_not_changed_before_the_ca_is_named(
    bench: Bench, tmp_path: pathlib.Path, settings: dict[str, t.Any], asked: str
) -> None:
    theirs(bench, tmp_path, **TCP, **settings)
    before, certificate = bench.world.config.read_text(), bench.issue()
    if asked == "replace":
        assert bench.run(certificate=certificate, existing_settings="replace")["changed"]
        return
    with pytest.raises(TlsError) as caught:
        bench.run(certificate=certificate, existing_settings="adopt")
    assert caught.value.code == "clients-would-be-shut-out"
    assert "docker_daemon_existing_settings: replace" in caught.value.hint
    assert (bench.world.config.read_text(), bench.world.restarts) == (before, 0)


@pytest.mark.parametrize(
    ("anchors", "client_ca", "lost"),
    [
        (THEIRS.pem, OURS.pem + THEIRS.pem, ""),
        (THEIRS.pem, THEIRS.pem, ""),
        (THEIRS.pem + MORE.pem, THEIRS.pem, "OU=more"),
        (THEIRS.pem, OURS.pem, "OU=theirs"),
    ],
    ids=["adopted-beside-ours", "adopted", "one-of-two", "none"],
)
def test_ca_that_is_admitted_on_is_no_reason_to_refuse(
    bench: Bench, tmp_path: pathlib.Path, anchors: str, client_ca: str, lost: str
) -> None:
    theirs(bench, tmp_path, anchors=anchors, tls=True, **TCP)
    certificate = bench.issue()
    options = {"certificate": certificate, "client_ca": client_ca, "existing_settings": "adopt"}
    if not lost:
        assert bench.run(**options)["changed"]
        return
    with pytest.raises(TlsError, match=lost):
        bench.run(**options)


@pytest.mark.parametrize(
    "settings",
    [{}, {"tls": False}, {"tls": True, "tlsverify": False}, {"tlsverify": False}],
    ids=["file-alone", "tls-false", "tlsverify-false", "tlsverify-false-alone"],
)
def test_host_that_lets_everybody_in_has_no_clients_of_a_ca(
    bench: Bench, tmp_path: pathlib.Path, settings: dict[str, t.Any]
) -> None:
    theirs(bench, tmp_path, **TCP, **settings)
    assert bench.secure(existing_settings="adopt")["changed"]


def test_clients_by_flags_count_too(bench: Bench, tmp_path: pathlib.Path) -> None:
    theirs(bench, tmp_path, flags=f"-H tcp://0.0.0.0:2376 --tls --tlscacert={tmp_path}/theirs.pem")
    with pytest.raises(TlsError, match="would be shut out"):
        bench.run(certificate=bench.issue(), existing_settings="adopt")


def test_second_run_on_our_own_endpoint_asks_nothing(bench: Bench, tmp_path: pathlib.Path) -> None:
    theirs(bench, tmp_path, tls=True, **TCP)
    bench.secure(existing_settings="replace")
    assert not bench.run(existing_settings="adopt")["changed"]
    assert bench.run(existing_settings="adopt", client_ca=MORE.pem)["reasons"] == ["anchors-changed"]


def test_clients_of_a_tool_that_has_rewritten_daemon_json_since_are_not_shut_out_either(
    bench: Bench, tmp_path: pathlib.Path
) -> None:
    bench.secure()
    theirs(bench, tmp_path, tls=True, **TCP)
    with pytest.raises(TlsError, match="would be shut out"):
        bench.run(existing_settings="adopt")


def test_misspelt_key_goes_for_good_and_the_rest_comes_back(bench: Bench, tmp_path: pathlib.Path) -> None:
    (bench.world.root / "lib/docker.service").write_text(UNIT.replace("-H fd://", ""))
    hosts = ["fd://", "tcp://0.0.0.0:2376"]
    pair = leaf(THEIRS).write(tmp_path, "server")
    files = {"tlscert": str(pair), "tlskey": str(pair.with_suffix(".key"))}
    theirs(bench, tmp_path, tls=True, tls_verify=True, host=["fd://"], hosts=hosts, **files)
    bench.secure(existing_settings="adopt", client_ca=THEIRS.pem)
    assert not {"tls_verify", "host"} & set(bench.values())
    bench.run(state="absent")
    expected = {"tlscacert": f"{tmp_path}/theirs.pem", "tls": True, "host": ["fd://"], "hosts": hosts, **files}
    assert bench.values() == expected


def test_misspelt_key_is_refused_where_nothing_is_taken_over(bench: Bench) -> None:
    bench.world.config.write_text('{"tls_verify": true}')
    with pytest.raises(TlsError, match="tls_verify"):
        bench.run(certificate=bench.issue())


def test_listener_keeps_its_address_until_another_is_asked_for(bench: Bench, tmp_path: pathlib.Path) -> None:
    theirs(bench, tmp_path, tls=True, hosts=["tcp://10.0.0.5:2376"])
    options = {"existing_settings": "adopt", "client_ca": THEIRS.pem}
    bench.secure(**options, listen=())
    assert bench.values()["hosts"][-1] == "tcp://10.0.0.5:2376"
    assert not bench.run(**options, listen=())["changed"]
    bench.run(**options, listen=("0.0.0.0:2376",))
    assert bench.values()["hosts"][-1] == "tcp://0.0.0.0:2376"
    bench.run(**options, listen=())
    assert bench.values()["hosts"][-1] == "tcp://10.0.0.5:2376"


def test_listener_without_a_word_is_on_all_addresses_where_there_was_none(bench: Bench) -> None:
    bench.secure(listen=())
    assert bench.values()["hosts"][-1] == "tcp://0.0.0.0:2376"
    bench.run(listen=(), port=2377)
    assert bench.values()["hosts"][-1] == "tcp://0.0.0.0:2377"


@pytest.mark.parametrize(
    ("host", "word"),
    [("tcp://127.0.0.1:2376", "docker_daemon_listen"), ("tcp://0.0.0.0:2377", "docker_daemon_port: 2377")],
)
def test_listener_that_the_controller_would_not_reach_is_asked_about(
    bench: Bench, tmp_path: pathlib.Path, host: str, word: str
) -> None:
    theirs(bench, tmp_path, tls=True, hosts=[host])
    with pytest.raises(TlsError) as caught:
        bench.run(certificate=bench.issue(), existing_settings="adopt", client_ca=THEIRS.pem, listen=())
    assert caught.value.code == "listen-undecided"
    assert word in caught.value.hint
