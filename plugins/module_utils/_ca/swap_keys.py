# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last step of a change of the passphrase, which needs no passphrase.

``rekey`` makes ``passphrase.change`` appear in one rename, with every key in its new encryption. Anyone who works under the
lock next brings them to their places here, also after a crash in the middle.
"""

from __future__ import annotations

import json
import os
import shutil

from .. import _files
from . import layout, ledger, store

#: The ledger's entry for the change, beside the keys.
EVENT = "event.json"


def is_unfinished(place: layout.CaDirectory) -> bool:
    """Return whether a killed run has left keys that are to be moved to their places."""
    return os.path.isdir(place.passphrase_change)


def finish(place: layout.CaDirectory, found: ledger.Scan) -> ledger.Scan:
    """Move the keys of a change of the passphrase to their places, record it, and return the ledger's state.

    Only under the lock and after ``ledger.repair``. Without a change under way it does nothing.
    """
    path = place.passphrase_change
    if not os.path.isdir(path):
        return found
    for name in sorted(os.listdir(path)):
        identifier, dot, suffix = name.rpartition(".")
        target = os.path.join(place.authorities, identifier)
        if dot and suffix == "pem" and os.path.isdir(target):
            os.rename(os.path.join(path, name), os.path.join(target, store.KEY))
            _files.fsync_directory(target)
    raw = _files.read_bytes_or_none(os.path.join(path, EVENT))
    if raw is not None:
        event = json.loads(raw)
        recorded = any(entry.get("change") == event["change"] for entry in ledger.entries(place))
        found = found if recorded else ledger.append(place, found, [event])
    shutil.rmtree(path)
    _files.fsync_directory(place.path)
    return found
