# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""kill -9 at every point, and many signers at once: real processes, real signals, one real CA directory."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import signal
import time
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout, ledger, store
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ca.ca_directory import client_request, ensure, request, sign
from support.ca.operations import ended, in_child

#: System calls at which a child can be made to die: each is one step towards the disk.
STEPS = ("open", "write", "fsync", "ftruncate", "rename", "mkdir", "unlink")


class Death:
    """Kills this process at the given step; a write is done by half first, as a crash may do."""

    def __init__(self, at: int) -> None:
        self.left = at

    def install(self) -> None:
        for name in STEPS:
            setattr(os, name, self._dying(name, getattr(os, name)))

    def _dying(self, name: str, real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def step(*given: t.Any, **more: t.Any) -> t.Any:
            self.left -= 1
            if self.left < 0:
                if name == "write":
                    real(given[0], given[1][: len(given[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **more)

        return step


def logged(path: pathlib.Path) -> list[str]:
    """Return the serials of the ledger after checking its chain."""
    place = layout.ca_directory(str(path))
    found = ledger.scan(place)
    serials = [entry["serial"] for entry in ledger.entries(place)]
    assert found.head.seq == len(serials)
    return serials


def files(path: pathlib.Path) -> set[str]:
    return {found.stem for found in (path / "issued").iterdir()}


def test_authorities_killed_at_every_step_are_made_by_the_next_run(tmp_path: pathlib.Path) -> None:
    """What the ledger has is finished, not made again: at no time does it know two certificates of one generation."""
    killed = finished = 0
    for at in range(200):
        path = tmp_path / f"ca{at}"
        place = layout.ca_directory(str(path))

        def work(path: pathlib.Path = path, at: int = at) -> None:
            Death(at).install()
            ensure(path, "clients")

        status = ended(in_child(work))
        before = ledger.scan(place).authorities
        outcome = ensure(path, "clients")
        after = ledger.scan(place).authorities
        assert after == {one.id: one.view.fingerprint_sha256 for found in outcome.stored.values() for one in found}
        assert set(after) == {"server-g1", "clients-g1"}
        assert {name: after[name] for name in before} == dict(before)
        assert ensure(path, "clients").reasons == ()
        assert os.listdir(place.staging) == []
        finished += "authority-unfinished" in outcome.reasons
        if status == 0:
            break
        assert status == -signal.SIGKILL
        killed += 1
    assert killed > 25
    assert finished >= 2


def test_signing_killed_at_every_step_never_leaves_a_certificate_unlogged(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "ca"
    ensure(path, "clients")
    killed = 0
    for at in range(200):

        def work(at: int = at) -> None:
            Death(at).install()
            sign(path, request("web1"), request("web2"), client_request("alice"))

        status = ended(in_child(work))
        with contextlib.suppress(FileNotFoundError):
            assert files(path) <= set(logged(path))
        sign(path, request("web3"))
        serials = logged(path)
        assert len(serials) == len(set(serials))
        assert files(path) <= set(serials)
        assert os.listdir(path / "staging") == []
        if status == 0:
            break
        assert status == -signal.SIGKILL
        killed += 1
    assert killed > 15


def signer(path: pathlib.Path, name: str, batches: int, report: int) -> None:
    """Sign batches, and report every serial that was released."""
    for number in range(batches):
        result = sign(path, *(request(f"{name}-{number}-{one}") for one in range(6)), lock_timeout=120)
        serials = [one.view.serial for one in result.signed.values() if one.view]
        os.write(report, (json.dumps(serials) + "\n").encode())


@pytest.mark.parametrize(("signers", "victims"), [(8, 0), (16, 8)], ids=["8-signers", "16-signers-8-killed"])
def test_parallel_signers_keep_one_chain_and_log_everything(tmp_path: pathlib.Path, signers: int, victims: int) -> None:
    path = tmp_path / "ca"
    ensure(path)
    chance = random.Random(20261122)
    reports, report = os.pipe()
    children = [in_child(lambda name=f"s{number}": signer(path, name, 4, report)) for number in range(signers)]  # type: ignore[misc]
    os.close(report)
    for child in children[:victims]:
        time.sleep(chance.uniform(0.01, 0.12))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    with open(reports, encoding="ascii") as stream:
        released = [serial for line in stream if line.endswith("\n") for serial in json.loads(line)]
    statuses = [ended(child) for child in children]
    assert statuses[victims:] == [0] * (signers - victims)
    sign(path, request("last"))
    serials = logged(path)
    assert len(serials) == len(set(serials))
    assert set(released) <= set(serials)
    assert set(released) <= files(path) <= set(serials)
    assert len(released) >= (signers - victims) * 4 * 6


def test_parallel_first_runs_make_one_ca(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "ca"
    children = [in_child(lambda: ensure(path, "clients", lock_timeout=60) and None) for unused in range(6)]  # type: ignore[func-returns-value]
    assert [ended(child) for child in children] == [0] * 6
    stored = store.read_authorities(layout.ca_directory(str(path)))
    assert {name: len(found) for name, found in stored.items()} == {"server": 1, "clients": 1}
    assert len(logged(path)) == 2


def test_signing_while_another_process_holds_the_lock_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "ca"
    ensure(path)
    ready, tell = os.pipe()

    def hold() -> None:
        from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import call_context

        with call_context.locked(str(path / "lock"), 0):
            os.write(tell, b"x")
            signal.pause()

    child = in_child(hold)
    os.read(ready, 1)
    with pytest.raises(TlsError) as caught:
        sign(path, request("web1"))
    os.kill(child, signal.SIGKILL)
    ended(child)
    assert caught.value.code == "ca-locked"
    assert f"pid {child}" in caught.value.message
    assert len(sign(path, request("web1")).signed) == 1
