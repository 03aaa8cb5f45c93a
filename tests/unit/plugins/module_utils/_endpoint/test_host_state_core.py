# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inspection agrees with the run: a host is current exactly where the run would change nothing."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ansible_collections.portcullis.docker_tls.plugins.module_utils._argument_specs import REQUEST_OPTIONS
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import endpoint, host_state, journal
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.plan import Options
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import request_names
from support.ca.certificates import NOW, authority, leaf, private_key
from support.hosts.machine import FakeMachine, install
from support.hosts.world import ADDRESS, Effects, World

SERVER = authority("server")
CLIENTS = authority("client", number=1)
OTHERS = authority("client", unit="others-g1", number=2)


class Bench:
    """A host in memory, with runs and inspections."""

    def __init__(self, world: World, machine: FakeMachine) -> None:
        self.world = world
        self.machine: t.Any = machine
        self.state = journal.StateDirectory(str(world.state))

    def options(self, **changes: t.Any) -> Options:
        values: dict[str, t.Any] = {
            "listen": (f"{ADDRESS}:2376",),
            "directory": str(self.world.certificates),
            "config_path": str(self.world.config),
            "ca": SERVER.pem,
            "client_ca": CLIENTS.pem,
            **changes,
        }
        return Options(**values)

    def secure(self) -> None:
        pair = leaf(SERVER, subject_names=(ADDRESS, "localhost"), key=private_key("ecdsa-p256", 5))
        self.world.certificates.mkdir(mode=0o700, exist_ok=True)
        (self.world.certificates / "server-key.pem.new").write_bytes(pair.key_pem)
        endpoint.run(self.options(certificate=pair.pem), self.machine, self.state, NOW, check_mode=False)

    def look(self, **changes: t.Any) -> endpoint.Current:
        return endpoint.is_current(self.options(**changes), self.machine, self.state, NOW)

    def would_change(self, **changes: t.Any) -> bool:
        return bool(endpoint.run(self.options(**changes), self.machine, self.state, NOW, check_mode=True)["changed"])


@pytest.fixture
def bench(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    world = World(tmp_path / "host").build()
    return Bench(world, install(monkeypatch, world, Effects()))


CHANGES: dict[str, dict[str, t.Any]] = {
    "nothing": {},
    "another port": {"listen": (f"{ADDRESS}:2377",)},
    "another group": {"client_ca": OTHERS.pem},
    "another authority": {"ca": SERVER.pem + OTHERS.pem},
    "live-restore": {"live_restore": "enable"},
    "the systemd listener": {"listener": "systemd"},
    "a certificate that would come": {"certificate_pending": True},
}


@pytest.mark.parametrize("case", CHANGES)
def test_look_at_a_secured_host_says_what_a_check_run_says(bench: Bench, case: str) -> None:
    bench.secure()
    found = bench.look(**CHANGES[case])
    assert found.current is not bench.would_change(**CHANGES[case])
    assert bool(found.reasons) is not found.current


def test_look_at_a_current_host_tells_its_endpoint(bench: Bench) -> None:
    bench.secure()
    told = endpoint.run(bench.options(), bench.machine, bench.state, NOW, check_mode=True)
    assert bench.look().endpoint == told["endpoint"]


def test_host_without_an_endpoint_is_not_current(bench: Bench) -> None:
    assert not bench.look().current


def test_look_changes_nothing(bench: Bench) -> None:
    bench.secure()
    before = {path: path.read_bytes() for path in bench.world.root.rglob("*") if path.is_file()}
    bench.look(listen=(f"{ADDRESS}:2377",))
    assert {path: path.read_bytes() for path in bench.world.root.rglob("*") if path.is_file()} == before


def test_unfinished_change_is_never_current(bench: Bench) -> None:
    bench.secure()
    bench.state.write_journal(unfinished(bench))
    assert not bench.look().current


def unfinished(bench: Bench) -> journal.Journal:
    return journal.Journal(
        action="present",
        phase=journal.UNCONFIRMED,
        started=0.0,
        service="docker.service",
        socket="docker.socket",
        config_path=str(bench.world.config),
        files=(),
        directories=(),
        certificates=None,
        process="",
        was_active=True,
        config_for_rollback=None,
        ours=(),
        with_socket=False,
        timeout=120,
        record=None,
    )


def test_error_of_a_request_refuses_the_host_and_is_no_exception(tmp_path: pathlib.Path) -> None:
    context = host_state.HostContext(
        host=request_names.Host("web1.example.test", lambda selectors: []),
        machine=t.cast(t.Any, None),
        state=t.cast(t.Any, None),
    )
    request = {"id": "a", "key_type": "none", "key_path": str(tmp_path / "k"), "certificate_path": str(tmp_path / "c")}
    found = host_state.inspect([request], None, context, NOW)
    assert (found["current"], found["reasons"]) == (False, ["key-type-unknown"])
    assert found["refused"]["code"] == "key-type-unknown"


def due(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    """Return a request with all its options, for a place where there is nothing yet."""
    wanted = {
        "id": "server",
        "profile": "server",
        "key_path": str(tmp_path / "key.pem"),
        "certificate_path": str(tmp_path / "cert.pem"),
        "authority_content": SERVER.pem,
    }
    return {**{name: option.get("default") for name, option in REQUEST_OPTIONS.items()}, **wanted}


def look_and_prepare(tmp_path: pathlib.Path, prepare: bool) -> dict[str, t.Any]:
    context = host_state.HostContext(
        host=request_names.Host("web1.example.test", lambda selectors: []),
        machine=t.cast(t.Any, None),
        state=t.cast(t.Any, None),
    )
    return host_state.inspect([due(tmp_path)], None, context, NOW, prepare=prepare)


def test_look_that_prepares_brings_the_request_of_the_key_that_waits(tmp_path: pathlib.Path) -> None:
    found = look_and_prepare(tmp_path, prepare=True)
    request = x509.load_pem_x509_csr(found["prepared"]["requests"][0]["request_content"].encode())
    waiting = serialization.load_pem_private_key((tmp_path / "key.pem.new").read_bytes(), None)
    assert found["current"] is False
    assert request.public_key() == waiting.public_key()


def test_look_that_does_not_prepare_makes_no_key(tmp_path: pathlib.Path) -> None:
    found = look_and_prepare(tmp_path, prepare=False)
    assert (found["current"], "prepared" in found, list(tmp_path.iterdir())) == (False, False, [])


def test_look_that_cannot_prepare_refuses_the_host(tmp_path: pathlib.Path) -> None:
    (tmp_path / "key.pem.new").mkdir()
    found = look_and_prepare(tmp_path, prepare=True)
    assert (found["current"], "prepared" in found) == (False, False)
    assert found["refused"]["msg"]
