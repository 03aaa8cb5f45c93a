# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new passphrase for every key of a CA, all at once.

The keys are encrypted again in ``staging/passphrase``; one rename of that directory to ``passphrase.change`` is the moment
at which the new passphrase holds for all of them: ``store.open_key`` reads a key there first. Then they are moved to their places,
which needs no passphrase, so the next run with the lock completes an interrupted change.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError
from .._pki import key_encryption
from .._time import isoformat
from . import create, layout, ledger, lock, store, swap_keys
from .call_context import CallContext
from .passphrase import check_passphrase


@dataclass(frozen=True)
class Change:
    """The request: the CA, its present passphrase and the new one."""

    place: layout.CaDirectory
    old: str
    new: str
    context: CallContext


@dataclass(frozen=True)
class Outcome:
    """``changed`` are the ids of the authorities whose keys were (would be) encrypted again, ``kept`` those that had the new one."""

    changed: tuple[str, ...]
    kept: tuple[str, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def change_passphrase(change: Change, *, predict: bool) -> Outcome:
    """Encrypt every key of the CA with the new passphrase, or report what would be done.

    All or none. A key that opens with the new passphrase already is left as it is, so a second run changes nothing.
    Raises TlsError (codes of ``passphrase``, ``directory``, ``lock``, ``ledger``, ``store``; ``authority-missing``); then
    every key still opens with the passphrase that it had.
    """
    place, context = change.place, change.context
    new = check_passphrase(change.new, "the CA's new passphrase (docker_ca_new_passphrase)")
    if not change.old:
        check_passphrase(change.old, of_ca=change.place.path)
    layout.check_place(place.path, allow_network=context.allow_network_filesystem)
    if not os.path.isdir(place.authorities):
        raise layout.no_ca(place, ", so there is no passphrase to change")
    layout.insecure_entries(place, os.geteuid())
    if predict:
        ledger.check_clock(place, ledger.scan(place), context.now)
        opened, kept = _opened(place, change.old, new)
        return Outcome(tuple(opened), tuple(kept), ("passphrase-changed",) if opened else (), ())
    with lock.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
        return _change_locked(change, new)


def _change_locked(change: Change, new: bytes) -> Outcome:
    place = change.place
    found = ledger.scan(place)
    ledger.check_clock(place, found, change.context.now)
    opened, kept = _opened(place, change.old, new)
    insecure = layout.insecure_entries(place, os.geteuid())
    layout.prepare(place)
    layout.repair_modes(insecure)
    warnings = [*create.insecure_warnings(insecure), *ledger.repair(place, found)]
    torn, unfinished = bool(found.torn), swap_keys.is_unfinished(place)
    found = swap_keys.finish(place, found)
    reasons = [
        reason
        for reason, holds in (
            ("modes-repaired", bool(insecure)),
            ("ledger-repaired", torn),
            ("passphrase-change-finished", unfinished),
            ("passphrase-changed", bool(opened)),
        )
        if holds
    ]
    if opened:
        _stage(change, new, opened, kept)
        os.rename(_staged(place), place.passphrase_change)
        _files.fsync_directory(place.path)
        swap_keys.finish(place, found)
    return Outcome(tuple(opened), tuple(kept), tuple(reasons), tuple(warnings))


def _opened(place: layout.CaDirectory, old: str, new: bytes) -> tuple[dict[str, t.Any], list[str]]:
    """Return the keys that open with the old passphrase by id, and the ids of those that open with the new one already."""
    opened: dict[str, t.Any] = {}
    kept: list[str] = []
    encoded = old.encode("utf-8", "surrogatepass")
    for stored in (one for generations in store.read_authorities(place).values() for one in generations):
        if not os.path.exists(stored.key_path):
            continue  # a generation that only is trusted any more
        try:
            opened[stored.id] = store.open_key(stored, encoded)
        except TlsError as error:
            if error.code != "passphrase-wrong":
                raise
            try:
                store.open_key(stored, new)
            except TlsError:
                raise error from None
            kept.append(stored.id)
    if encoded == new:
        return {}, [*opened, *kept]
    return opened, kept


def _staged(place: layout.CaDirectory) -> str:
    return os.path.join(place.staging, "passphrase")


def _stage(change: Change, new: bytes, opened: t.Mapping[str, t.Any], kept: t.Sequence[str]) -> None:
    """Write every key with its new encryption, and the ledger's entry, into a directory beside the live ones."""
    path = _staged(change.place)
    shutil.rmtree(path, ignore_errors=True)
    _files.ensure_directory(path, layout.DIRECTORY_MODE)
    for name, key in opened.items():
        data = key_encryption.encrypt_private_key(key, new, change.context.rounds)
        if not key_encryption.passphrase_opens(data, new):
            raise TlsError(
                f"the new encryption of the key of {name} does not open with the new passphrase",
                hint="The keys have their old passphrase. Run again; if it fails again, check the host's cryptography library and memory.",
                code="key-unreadable",
            )
        _files.write_atomic(os.path.join(path, f"{name}.pem"), data, layout.FILE_MODE)
    event = {
        "serial": "",
        "event": "passphrase-changed",
        "change": secrets.token_hex(8),
        "time": isoformat(change.context.now),
        "authorities": [*opened],
        "unchanged": [*kept],
        **change.context.origin,
    }
    _files.write_atomic(os.path.join(path, swap_keys.EVENT), json.dumps(event).encode("ascii"), layout.FILE_MODE)
