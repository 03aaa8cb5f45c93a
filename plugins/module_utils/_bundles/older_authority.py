# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle's ``ca.pem`` that would get an older authority, noticed.

After the restore of a backup from before a rotation of the server authority, the CA gives the older generation. The hosts
still have certificates of the newer one, which a client with the older ``ca.pem`` would refuse.
"""

from __future__ import annotations

import re

from .._errors import TlsError
from .._pki import reader

_SERVER = re.compile(r"(?:^|,)OU=server-g([0-9]{1,4})(?:,|$)")


def check(path: str, present: bytes, wanted: bytes, old_certificate: bytes, new_certificate: bytes) -> None:
    """Raise TlsError ``authority-behind`` where ``wanted`` for ``path`` has only older server authorities than ``present``.

    A client whose certificate changes over to another authority gets the ``ca.pem`` of that CA, whatever its generation.
    """
    if set(reader.subjects(present)) & set(reader.subjects(wanted)):
        return
    old, new = _newest(present), _newest(wanted)
    if not 0 < new < old or _has_new_issuer(old_certificate, new_certificate):
        return
    raise TlsError(
        f"{path} has generation {old} of the server authority, and the CA has only generation {new}: it is an older state",
        hint="Nothing was changed. Restore the newest backup of the CA (portcullis.docker_tls.restore_ca). Where there is none and the hosts have "
        f"certificates of the older authority, move {path} away and run again.",
        code="authority-behind",
    )


def _newest(data: bytes) -> int:
    found = (_SERVER.search(subject) for subject in reader.subjects(data))
    return max((int(match[1]) for match in found if match), default=0)


def _has_new_issuer(old: bytes, new: bytes) -> bool:
    if not new:
        return False
    try:
        before, after = (reader.view_certificate(reader.load_certificate(data, "cert.pem")) for data in (old, new))
    except TlsError:
        return True
    return (before.issuer, before.authority_key_identifier) != (after.issuer, after.authority_key_identifier)
