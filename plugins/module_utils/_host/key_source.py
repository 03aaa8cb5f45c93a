# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private key that something else has put on this host, for companies whose keys are made by another tool.

It is read on the host and never leaves it. Another user who can read it could pose as the host to its clients, so it has to be private.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .._errors import TlsError
from .._pki import keys
from .file_owner import Owner, acting_as, expand_path, read_regular


@dataclass(frozen=True)
class KeySource:
    """The key as PEM, its type and the fingerprint of its public half."""

    data: bytes = field(repr=False)
    key_type: str
    fingerprint: str


def read_key_source(path: str, owner: Owner, what: str) -> KeySource | None:
    """Return the key at ``path``, None for no path. ``what`` is the request that it is for.

    Raises TlsError ``key-source-unusable`` where it is missing, not private to ``owner``, encrypted, or of a type that is not supported.
    """
    if not path:
        return None
    place = expand_path(path, owner, "key_source_path")
    with acting_as(owner):
        try:
            data = read_regular(place, private_to=owner.uid)
        except TlsError as error:
            raise _unusable(what, error.message) from error
    if data is None:
        raise _unusable(what, f"there is no {place}")
    try:
        key = keys.load_private_key(data, what=place)
        public_key = key.public_key()
    except TlsError as error:
        raise _unusable(what, error.message) from error
    key_type = keys.key_type_of(public_key)
    if key_type not in keys.KEY_TYPES:
        raise _unusable(what, f"{place} is a key of the type {key_type}; supported are {', '.join(keys.KEY_TYPES)}")
    return KeySource(keys.encode_private_key(key), key_type, keys.public_key_fingerprint(public_key))


def _unusable(what: str, problem: str) -> TlsError:
    return TlsError(
        f"the key for {what}, which is made elsewhere, cannot be used: {problem}",
        hint="Put an unencrypted private key in PEM form there, owned by the account that the certificate is for (root for a Docker host), mode 0600; "
        "or take key_path out of the files of the issuer, and the host makes its own key.",
        code="key-source-unusable",
    )
