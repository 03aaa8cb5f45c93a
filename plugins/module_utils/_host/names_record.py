# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names of its own a host asked for with a key, kept with the key.

The CA leaves out names that only the host reports and that may belong to another machine (``_ca/reported_names``). Without a record the
host would miss them in its new certificate, and each run would issue another one. The record is text before the PEM block, which
readers skip (RFC 7468 section 2: "Data before the encapsulation boundaries are permitted"): so it takes its place together with
the key, in the same rename, and goes with it.
"""

from __future__ import annotations

import typing as t

_TITLE = "This host reported these names when it asked for a certificate with this key:"


def with_record(key: bytes, names: t.Iterable[str]) -> bytes:
    """Return the PEM of a key with a record of ``names``, in canonical spelling (ASCII without blanks); none for no names."""
    found = sorted(set(names))
    lines = "".join(f"{line}\n" for line in (_TITLE, *found)) if found else ""
    return lines.encode("ascii", "replace") + without_record(key)


def without_record(key: bytes) -> bytes:
    """Return the PEM of a key alone."""
    return key[max(key.find(b"-----BEGIN "), 0) :]


def recorded(key: bytes) -> frozenset[str]:
    """Return the names that were asked for with a key, none where that is not known."""
    text = key[: max(key.find(b"-----BEGIN "), 0)].decode("ascii", "replace")
    before, title, after = text.partition(_TITLE + "\n")
    return frozenset(after.split()) if title and not before.strip() else frozenset()
