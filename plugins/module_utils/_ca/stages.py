# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The generations of an authority and their stages: accepted, issuing, retiring. |.

The ledger is written first (``authority-issuing``, ``authority-retired``), then the directory changes in one step: the mark
``accepted`` is removed, or ``authorities/<id>`` is renamed to ``retired/<id>`` and its key removed. What a killed run has not completed
is done by the next one, because the ledger has it. A retired generation that a restored backup brings back leaves again.

This file keeps the order within the CA, and does not deal with the trust of hosts and clients. Each step is one line of the ledger and
then one change on disk (``stages``); a completed step changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t
from dataclasses import dataclass, replace

from .. import _files
from .._errors import TlsError
from .._time import isoformat
from . import call_context, create, layout, ledger, store
from .call_context import CallContext


def settled(stored: store.Stored, found: ledger.Scan) -> dict[str, list[store.StoredAuthority]]:
    """Return the authorities as the ledger has them: without the retired ones, signing where they were made to."""
    living = {
        name: [
            replace(one, accepted_only=False) if one.id in found.issuing else one
            for one in generations
            if one.id not in found.retired or one.id in found.authorities
        ]
        for name, generations in stored.items()
    }
    return {name: generations for name, generations in living.items() if generations}


def finish(place: layout.CaDirectory, found: ledger.Scan) -> None:
    """Complete on disk the steps that the ledger has and a killed run did not make. Only under the lock; a second call does nothing."""
    for name in sorted(found.retired - set(found.authorities)):
        if os.path.isdir(os.path.join(place.authorities, name)):
            move_out(place, name)
    for name in _names(place.retired):
        _destroy_key(os.path.join(place.retired, name))
    for name in sorted(found.issuing & set(found.authorities)):
        unmark(place, name)


def unmark(place: layout.CaDirectory, name: str) -> None:
    """Let the generation ``name`` sign: remove its mark."""
    path = os.path.join(place.authorities, name)
    try:
        os.unlink(os.path.join(path, store.ACCEPTED_MARK))
    except FileNotFoundError:
        return
    _files.fsync_directory(path)


def move_out(place: layout.CaDirectory, name: str) -> None:
    """Take the generation ``name`` out of trust in one rename, and remove its key."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(place.retired, layout.DIRECTORY_MODE)
        _files.fsync_directory(place.path)
    source, target = os.path.join(place.authorities, name), os.path.join(place.retired, name)
    if os.path.lexists(target):
        shutil.rmtree(source)
    else:
        os.rename(source, target)
        _files.fsync_directory(place.retired)
    _files.fsync_directory(place.authorities)
    _destroy_key(target)


def _destroy_key(path: str) -> None:
    """Remove the files that a retired generation does not need; its certificate stays, to recognise the certificates that it has signed."""
    gone = False
    for name in (store.KEY, store.ACCEPTED_MARK, store.LIST):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(path, name))
            gone = True
    if gone:
        _files.fsync_directory(path)


def retired_generations(place: layout.CaDirectory, found: ledger.Scan) -> t.Iterator[tuple[str, int]]:
    """Yield (name, generation) of every generation that ever was retired, by the ledger and by the directory."""
    for identifier in {*found.retired, *_names(place.retired)}:
        split = store.split_identifier(identifier)
        if split is not None:
            yield split


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


ACCEPTED, ISSUING, RETIRED = "accepted", "issuing", "retired"
STATES = (ACCEPTED, ISSUING, RETIRED)
_HIGHEST = 9999


@dataclass(frozen=True)
class Outcome:
    """Before and after; in a prediction ``after`` lacks what would be made, which is in ``made``."""

    before: store.Stored
    after: store.Stored
    made: tuple[create.AuthoritySpec, ...] = ()
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def change(
    place: layout.CaDirectory,
    spec: create.AuthoritySpec,
    state: str,
    passphrase: bytes | None,
    context: CallContext,
    *,
    predict: bool,
    generation: int = 0,
) -> Outcome:
    """Bring the authority ``spec.name`` to ``state``.

    ``accepted``: a generation waits that is trusted and does not sign (made like ``spec``, for which the passphrase is
    needed). ``issuing``: the one that waits signs. ``retired``: only the one that signs, and one that waits, are left.
    A passphrase that is given is checked in any state, so that a wrong one changes nothing.

    ``generation`` is the new generation that is meant (0: whichever comes). Where another run was quicker, and it is there,
    signs, or has been replaced already, nothing is done: a plan may be older than the state of the CA.
    Raises TlsError ``authority-unknown``, ``generation-missing`` and those of ``bootstrap``, ``store``, ``ledger``.
    """
    check_place(place, context)
    with locked(place, context, predict=predict):
        before, found = read(place, spec.name), ledger.scan(place)
        ledger.check_clock(place, found, context.now)
        _check_passphrase(before[spec.name], state, passphrase)
        if predict:
            step = _next_step(place, spec, state, before, found, generation)
            return Outcome(before, _predicted(before, spec.name, step), step.makes, step.reasons)
        settled = create.Run(place, (), passphrase or b"", context).settle()
        # settle may have written a line (a new chain), so the end of the ledger is read again.
        found = ledger.scan(place)
        step = _next_step(place, spec, state, settled.stored, found, generation)
        _carry_out(place, step, found, passphrase or b"", context)
        after = read(place, spec.name)
        return Outcome(before, after, step.makes, (*settled.reasons, *step.reasons), settled.warnings)


def check_place(place: layout.CaDirectory, context: CallContext) -> None:
    """Refuse a directory that is not there or not safe. Raises TlsError ``authority-missing`` and those of ``directory``."""
    layout.check_place(place.path, allow_network=context.allow_network_filesystem)
    if not os.path.isdir(place.path):
        raise layout.no_ca(place, hint=layout.MAKE_IT_FIRST)
    layout.insecure_entries(place, os.geteuid())


def read(place: layout.CaDirectory, name: str) -> dict[str, list[store.StoredAuthority]]:
    """Return all authorities as they are now. Raises TlsError ``authority-unknown`` where ``name`` is none of them."""
    stored = settled(store.read_authorities(place), ledger.scan(place))
    if name not in stored:
        raise TlsError(
            f"there is no authority {name!r} in {place.path}; there are: {', '.join(sorted(stored)) or 'none'}",
            hint="Write server, or the name of an access group.",
            code="authority-unknown",
        )
    return stored


def locked(place: layout.CaDirectory, context: CallContext, *, predict: bool) -> t.ContextManager[t.Any]:
    """Return the lock of the directory, or nothing to hold in a prediction."""
    stack = contextlib.ExitStack()
    if not predict:
        stack.enter_context(call_context.locked(place.lock, context.lock_timeout))
        stack.enter_context(layout.disk_errors(place))
    return stack


def next_generation(place: layout.CaDirectory, name: str, stored: store.Stored, found: ledger.Scan) -> int:
    """Return the number of the next generation: one that never was, also not before a retirement."""
    used = [one.generation for one in stored.get(name, ())]
    used += [number for retired, number in retired_generations(place, found) if retired == name]
    number = max(used, default=0) + 1
    if number > _HIGHEST:
        raise TlsError(
            f"the authority {name} has had {_HIGHEST} generations, and no higher number is possible",
            hint="Create an access group with another name, and give its clients and hosts to it.",
            code="generation-missing",
        )
    return number


def sign(
    place: layout.CaDirectory, one: store.StoredAuthority, found: ledger.Scan, audit: t.Mapping[str, t.Any]
) -> None:
    """Make a generation sign that was only trusted. Only under the lock."""
    ledger.append(place, found, [{**create.entry("authority-issuing", one.id, one.view), **audit}])
    unmark(place, one.id)


def retire(
    place: layout.CaDirectory, gone: t.Sequence[store.StoredAuthority], found: ledger.Scan, audit: t.Mapping[str, t.Any]
) -> None:
    """Retire generations and destroy their keys. Only under the lock."""
    ledger.append(place, found, [{**create.entry("authority-retired", one.id, one.view), **audit} for one in gone])
    for one in gone:
        move_out(place, one.id)


def audit_fields(context: CallContext, **more: t.Any) -> dict[str, t.Any]:
    """Return the ledger's fields of every event: time and user."""
    return {"time": isoformat(context.now), **more, **context.origin}


def waiting(generations: t.Sequence[store.StoredAuthority]) -> store.StoredAuthority | None:
    """Return the generation that is trusted and does not sign yet, None where there is none."""
    return next((one for one in reversed(generations) if store.stage_of(one, generations) == store.ACCEPTED), None)


def olds(generations: t.Sequence[store.StoredAuthority]) -> list[store.StoredAuthority]:
    """Return the generations that are trusted and sign no more."""
    return [one for one in generations if store.stage_of(one, generations) == store.RETIRING]


def _check_passphrase(generations: t.Sequence[store.StoredAuthority], state: str, passphrase: bytes | None) -> None:
    """All keys of a CA have one passphrase: a new one gets that of the key that signs now, and the next one has it too."""
    one = waiting(generations)
    if passphrase is None and state == ACCEPTED:
        raise TlsError(
            "a new generation needs the CA's passphrase, for its key",
            hint="Give passphrase (docker_ca_passphrase).",
            code="passphrase-missing",
        )
    if passphrase is not None:
        store.open_key(store.issuing(generations), passphrase)
        if one is not None and state != RETIRED:
            store.open_key(one, passphrase)


@dataclass(frozen=True)
class _Step:
    """What brings an authority to its state: a generation that is made, one that signs from now on, or some that are retired."""

    reasons: tuple[str, ...] = ()
    makes: tuple[create.AuthoritySpec, ...] = ()
    signs: store.StoredAuthority | None = None
    retires: tuple[store.StoredAuthority, ...] = ()


def _next_step(
    place: layout.CaDirectory,
    spec: create.AuthoritySpec,
    state: str,
    stored: store.Stored,
    found: ledger.Scan,
    generation: int,
) -> _Step:
    generations = stored[spec.name]
    one = waiting(generations)
    if _is_overtaken(generations, state, generation):
        return _Step()
    if state == ACCEPTED and one is None:
        number = next_generation(place, spec.name, stored, found)
        spec.check()
        return _Step(("generation-accepted",), makes=(replace(spec, generation=number, accepted_only=True),))
    if state == ISSUING and one is not None:
        return _Step(("generation-issuing",), signs=one)
    leaving = [each for each in olds(generations) if not generation or each.generation < generation]
    return _Step(("generation-retired",), retires=tuple(leaving)) if state == RETIRED and leaving else _Step()


def _predicted(before: store.Stored, name: str, step: _Step) -> store.Stored:
    left = [one for one in before[name] if one not in step.retires]
    return {**before, name: [replace(one, accepted_only=False) for one in left] if step.signs else left}


def _carry_out(
    place: layout.CaDirectory, step: _Step, found: ledger.Scan, passphrase: bytes, context: CallContext
) -> None:
    if step.makes:
        create.Run(place, (), passphrase, context).create(step.makes, found, stage=store.ACCEPTED)
    if step.signs:
        sign(place, step.signs, found, audit_fields(context))
    if step.retires:
        retire(place, step.retires, found, audit_fields(context))


def _is_overtaken(generations: t.Sequence[store.StoredAuthority], state: str, generation: int) -> bool:
    """Return whether another run has already made this change and later ones: it must not be applied to a later generation."""
    if not generation:
        return False
    if state == ACCEPTED:
        return any(one.generation >= generation for one in generations)
    one = waiting(generations)
    return state == ISSUING and one is not None and one.generation != generation
