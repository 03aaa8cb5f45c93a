# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From one stage of an authority's generation to the next, on disk.

The ledger is written first (``authority-issuing``, ``authority-retired``), then the directory changes in one step: the mark
``accepted`` is removed, or ``authorities/<id>`` is renamed to ``retired/<id>`` and its key removed. What a killed run has not completed
is done by the next one, because the ledger has it. A retired generation that a restored backup brings back leaves again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t
from dataclasses import replace

from .. import _files
from . import layout, ledger, store


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
