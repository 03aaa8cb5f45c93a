# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that changes a CA directory, as modules with their options: what each fault is tried on, and what must hold after it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import types
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import create, layout, ledger, stages, store
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca.call_context import CallContext
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.modules import (
    adopted_authority,
    authorities,
    authority_backup,
    authority_generation,
    authority_passphrase,
    authority_restore,
    recorded_certificates,
    signed_certificates,
)
from support.ansible.modules import run_module
from support.ca.ca_directory import (
    PASSPHRASE,
    PASSPHRASE_TEXT,
    ROUNDS,
    call_context,
    client_request,
    csr,
    ensure,
    request,
    sign,
    spec,
)
from support.ca.foreign import docker_recipe

NEW_PASSPHRASE = "another unusual sequence"
Options = dict[str, t.Any]


def ca_of(place: pathlib.Path) -> pathlib.Path:
    return place / "ca"


def change(place: pathlib.Path, *states: str, name: str = "server") -> None:
    """Bring an authority to ``states``, one after the other."""
    for state in states:
        stages.change(
            layout.ca_directory(str(ca_of(place))), spec(name), state, PASSPHRASE, call_context(now()), predict=False
        )


def now() -> datetime:
    return datetime.now(timezone.utc)


def _nothing(place: pathlib.Path) -> None:
    """The CA as it was made."""


def _lose_a_line(place: pathlib.Path) -> None:
    """A certificate is issued whose ledger is lost: an older state of the directory came back."""
    copy = shutil.copytree(ca_of(place), place / "newer")
    signed = sign(copy, request("lost"), now=now()).signed["lost"]
    (place / "lost.pem").write_text(signed.certificate_content)
    shutil.rmtree(copy)


def _back_up(place: pathlib.Path) -> None:
    """There is an archive, and no CA."""
    run(BY_NAME["backup"], place)
    shutil.rmtree(ca_of(place))


def _signing_options(place: pathlib.Path) -> Options:
    server = {
        "id": "web9",
        "authority": "server",
        "profile": "server",
        "request_content": csr(),
        "common_name": "web9.example.org",
        "names": ["web9.example.org"],
        "requester": "web9",
    }
    client = {**server, "id": "carol", "authority": "clients", "profile": "client", "common_name": "carol", "names": []}
    return {"passphrase": PASSPHRASE_TEXT, "requests": [server, client]}


@functools.cache
def _recipe() -> t.Any:
    return docker_recipe()


def _adoption_options(place: pathlib.Path) -> Options:
    recipe = _recipe()
    return {
        "passphrase": PASSPHRASE_TEXT,
        "names": ["legacy"],
        "certificate_content": recipe.text("ca.pem"),
        "key_content": recipe.text("ca-key.pem"),
        "key_passphrase": "hello",
    }


def _generation(state: str) -> t.Callable[[pathlib.Path], Options]:
    return lambda place: {"passphrase": PASSPHRASE_TEXT, "name": "server", "state": state}


@dataclass(frozen=True)
class Operation:
    """A module with its options, on a CA that ``prepare`` has made ready for it."""

    name: str
    module: types.ModuleType
    options: t.Callable[[pathlib.Path], Options]
    prepare: t.Callable[[pathlib.Path], None] = _nothing
    #: The passphrase of the keys when it is done.
    passphrase_after: str = PASSPHRASE_TEXT
    #: A backup leaves the CA as it is.
    writes: bool = True


OPERATIONS = [
    Operation("sign", signed_certificates, _signing_options),
    Operation(
        "new-group",
        authorities,
        lambda place: {"passphrase": PASSPHRASE_TEXT, "access_groups": ["clients", "ops"]},
    ),
    Operation(
        "revoke",
        authorities,
        lambda place: {
            "passphrase": PASSPHRASE_TEXT,
            "clients": [{"name": "alice", "state": "revoked"}, {"name": "bob"}],
        },
    ),
    Operation("rotate-accept", authority_generation, _generation("accepted")),
    Operation("rotate-issue", authority_generation, _generation("issuing"), lambda place: change(place, "accepted")),
    Operation(
        "rotate-retire",
        authority_generation,
        _generation("retired"),
        lambda place: change(place, "accepted", "issuing"),
    ),
    Operation(
        "passphrase",
        authority_passphrase,
        lambda place: {"passphrase": PASSPHRASE_TEXT, "new_passphrase": NEW_PASSPHRASE},
        passphrase_after=NEW_PASSPHRASE,
    ),
    Operation("backup", authority_backup, lambda place: {"archive_path": str(place / "archive.tar.gz")}, writes=False),
    Operation(
        "restore",
        authority_restore,
        lambda place: {"passphrase": PASSPHRASE_TEXT, "archive_path": str(place / "archive.tar.gz")},
        _back_up,
    ),
    Operation(
        "record",
        recorded_certificates,
        lambda place: {"certificates": [{"content": (place / "lost.pem").read_text(), "requester": "lost"}]},
        _lose_a_line,
    ),
    Operation("adopt", adopted_authority, _adoption_options),
]
BY_NAME = {one.name: one for one in OPERATIONS}
#: Those that find a CA where they work.
ON_A_CA = [one for one in OPERATIONS if one.name != "restore"]


def make_ca(place: pathlib.Path) -> pathlib.Path:
    """Make a CA of three days ago with certificates of a server and two clients of a day ago in ``place``; return ``place``."""
    before = now() - timedelta(days=1)
    ensure(ca_of(place), "clients", now=before - timedelta(days=2))
    sign(ca_of(place), request("web1"), client_request("alice"), client_request("bob"), now=before)
    return place


@contextlib.contextmanager
def few_rounds() -> t.Iterator[None]:
    """Have modules encrypt keys quickly."""
    real = CallContext
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{CallContext.__module__}.CallContext", lambda **given: real(**{"rounds": ROUNDS, **given}))
        yield


def run(operation: Operation, place: pathlib.Path, *, check: bool = False, **changes: t.Any) -> Options:
    """Run the operation's module in this process and return its result, which never has a secret or a traceback."""
    options = {"path": str(ca_of(place)), "lock_timeout": 0, **operation.options(place), **changes}
    with few_rounds():
        result = run_module(operation.module, options, check=check)
    text = json.dumps({name: value for name, value in result.items() if name != "invocation"})
    for secret in (PASSPHRASE_TEXT, NEW_PASSPHRASE, "PRIVATE KEY", "Traceback"):
        assert secret not in text
    return result


def check_sound(place: pathlib.Path, passphrases: t.Collection[str] = (PASSPHRASE_TEXT,)) -> str:
    """Check what must hold of a CA at every moment, and return which passphrase opens all of its keys.

    The chain holds; no serial is there twice; what was released is in the ledger; each key is whole, has its
    certificate, and all have one passphrase.
    """
    ca = layout.ca_directory(str(ca_of(place)))
    found = ledger.scan(ca)
    entries = list(ledger.entries(ca))
    assert found.head.seq == len(entries)
    serials = [entry["serial"] for entry in entries if entry["event"] in ("issued", "leaf-recorded")]
    assert len(serials) == len(set(serials))
    assert {one.stem for one in (ca_of(place) / "issued").iterdir()} <= set(serials)
    living = [one for each in stages.settled(store.read_authorities(ca), found).values() for one in each]
    create.check_recorded(ca, found, living)
    opening = [each for each in passphrases if all(_opens(one, each) for one in living)]
    assert len(opening) == 1, (opening, living)
    return opening[0]


def _opens(one: store.StoredAuthority, passphrase: str) -> bool:
    try:
        store.open_key(one, passphrase.encode())
    except TlsError as error:
        if error.code == "passphrase-wrong":
            return False
        raise
    return True


def leftovers(place: pathlib.Path) -> list[str]:
    """Return what is half made: in the CA directory and beside it."""
    inside = [f"staging/{name}" for name in os.listdir(ca_of(place) / "staging")]
    hidden = [str(one.relative_to(place)) for one in place.rglob(".*")]
    return inside + hidden


#: System calls at which a process can be made to die: each is one step towards the disk.
STEPS = ("open", "write", "pwrite", "fsync", "ftruncate", "rename", "mkdir", "unlink", "rmdir", "chmod", "fchmod")


def die_at(step: int) -> None:
    """Let this process kill itself (-9) at its step towards the disk of that number; a write is done by half first."""
    left = [step]

    def dying(name: str, real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(*given: t.Any, **more: t.Any) -> t.Any:
            left[0] -= 1
            if left[0] < 0:
                if name == "write":
                    real(given[0], given[1][: len(given[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **more)

        return call

    for name in STEPS:
        setattr(os, name, dying(name, getattr(os, name)))


def in_child(work: t.Callable[[], t.Any]) -> int:
    """Return the id of a new process that does ``work`` and ends with 0, or 1 when it raises."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        os._exit(1)


def ended(child: int) -> int:
    """Return the status of a child: 0, 1, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
