# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of a host's answer to the inspection for adoption, before anything uses it.

The host was set up by others. An answer in the wrong form is the failure of that host alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import typing as t

from ...module_utils._text_table import clean
from .._remote.answer_schema import Fields, Flag, Items, Misshapen, Named, Shape, Text

MOST_BYTES = 4 * 1024 * 1024
MOST_ENTRIES = 1000
MOST_CERTIFICATE = 64 * 1024
_TEXT, _FLAG, _CERTIFICATE = Text(), Flag(), Text(MOST_CERTIFICATE)
_TEXTS = Items(_TEXT, MOST_ENTRIES)
_AUTHORITY: dict[str, Shape] = {
    **dict.fromkeys(("subject", "fingerprint_sha256", "not_after", "certificate_path"), _TEXT),
    "certificate_content": _CERTIFICATE,
    "signs": _TEXTS,
    "keys": Items(Fields({"path": _TEXT, "encrypted": _FLAG}), MOST_ENTRIES),
}
_ADOPTION = Fields(
    {
        "layout": _TEXT,
        **dict.fromkeys(("managed", "tls"), _FLAG),
        **dict.fromkeys(("listeners", "plain_listeners", "names", "searched"), _TEXTS),
        **dict.fromkeys(("paths", "where"), Named(_TEXT)),
        "authorities": Items(Fields(_AUTHORITY), MOST_ENTRIES),
        "certificates": Items(Fields({"content": _CERTIFICATE, "source": _TEXT}), MOST_ENTRIES),
        "findings": Items(
            Fields(dict.fromkeys(("severity", "code", "path", "message", "repair"), _TEXT)), MOST_ENTRIES
        ),
    }
)
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")


def problem(found: t.Any) -> str:
    """Return why ``found``, the ``adoption`` of M(adoption_info), cannot be used, "" where it can.

    The fingerprint of an authority has to be that of the certificate that comes with it.
    """
    try:
        accepted = _ADOPTION.clean(found, "adoption")
        size = len(json.dumps(accepted))
    except Misshapen as error:
        return str(error)
    if size > MOST_BYTES:
        return f"it has {size} bytes, and {MOST_BYTES} are the most that is taken"
    digests = [(fingerprint(one["certificate_content"]), one["fingerprint_sha256"]) for one in accepted["authorities"]]
    good = all(own and own == stated for own, stated in digests)
    return "" if good else "authorities: a fingerprint is not that of its certificate"


def fingerprint(content: str) -> str:
    """Return the SHA-256 fingerprint of the one certificate in a PEM text, "" where there is none or more."""
    match = _PEM.fullmatch(content)
    try:
        return hashlib.sha256(base64.b64decode("".join(match[1].split()), validate=True)).hexdigest() if match else ""
    except binascii.Error:
        return ""


def shown(text: t.Any) -> str:
    """Return a host's text for a line of a plan: it begins no line of its own and moves no cursor."""
    return clean(str(text))
