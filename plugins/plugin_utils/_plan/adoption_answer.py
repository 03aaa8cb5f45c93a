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

Mapping = t.Mapping[str, t.Any]

MOST_BYTES = 4 * 1024 * 1024
MOST_ENTRIES = 1000
_MOST_TEXT = 4000
MOST_CERTIFICATE = 64 * 1024
_TEXT, _FLAG, _TEXTS, _PAIRS = "a text", "true or false", "a list of texts", "texts by name"
_SHAPE = {
    "layout": _TEXT,
    "managed": _FLAG,
    "listeners": _TEXTS,
    "plain_listeners": _TEXTS,
    "tls": _FLAG,
    "names": _TEXTS,
    "searched": _TEXTS,
    "paths": _PAIRS,
    "where": _PAIRS,
}
_ENTRIES = {
    "authorities": {
        **dict.fromkeys(
            ("subject", "fingerprint_sha256", "not_after", "certificate_path", "certificate_content"), _TEXT
        ),
        "signs": _TEXTS,
    },
    "certificates": {"content": _TEXT, "source": _TEXT},
    "findings": dict.fromkeys(("severity", "code", "path", "message", "repair"), _TEXT),
}
_KEY = {"path": _TEXT, "encrypted": _FLAG}
_CONTENTS = ("content", "certificate_content")
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")


def problem(found: t.Any) -> str:
    """Return why ``found``, the ``adoption`` of M(adoption_info), cannot be used, "" where it can."""
    if not isinstance(found, t.Mapping):
        return "it is not a dictionary"
    try:
        size = len(json.dumps(dict(found)))
    except (TypeError, ValueError, RecursionError):
        return "it is not plain data"
    if size > MOST_BYTES:
        return f"it has {size} bytes, and {MOST_BYTES} are the most that is taken"
    problems = [_shape_problem(found, _SHAPE, "")]
    for name, shape in _ENTRIES.items():
        entries = found.get(name)
        if not isinstance(entries, (list, tuple)) or len(entries) > MOST_ENTRIES:
            problems.append(f"{name} is not a list of at most {MOST_ENTRIES} entries")
            continue
        problems += [_shape_problem(entry, shape, f"{name}: ") for entry in entries]
    if not any(problems):
        problems += [_authority_problem(entry) for entry in found["authorities"]]
    return next(filter(None, problems), "")


def _shape_problem(found: t.Any, shape: t.Mapping[str, str], place: str) -> str:
    if not isinstance(found, t.Mapping):
        return f"{place}an entry is not a dictionary"
    wrong = next((name for name, kind in shape.items() if not _is(kind, found.get(name), name)), "")
    return f"{place}{wrong} is not {shape[wrong]} of a usable length" if wrong else ""


def _is(kind: str, value: t.Any, name: str) -> bool:
    if kind == _FLAG:
        return isinstance(value, bool)
    if kind == _TEXTS:
        return (
            isinstance(value, (list, tuple))
            and len(value) <= MOST_ENTRIES
            and all(_is(_TEXT, one, "") for one in value)
        )
    if kind == _PAIRS:
        return isinstance(value, t.Mapping) and all(_is(_TEXT, one, "") for pair in value.items() for one in pair)
    return isinstance(value, str) and len(value) <= (MOST_CERTIFICATE if name in _CONTENTS else _MOST_TEXT)


def _authority_problem(entry: Mapping) -> str:
    """Return the problem of a CA; its fingerprint has to be that of the certificate that comes with it."""
    keys = entry.get("keys")
    if not isinstance(keys, (list, tuple)) or len(keys) > MOST_ENTRIES:
        return "authorities: keys is not a list"
    wrong = next(filter(None, (_shape_problem(key, _KEY, "authorities: keys: ") for key in keys)), "")
    if wrong:
        return wrong
    found = fingerprint(entry["certificate_content"])
    return (
        ""
        if found and found == entry["fingerprint_sha256"]
        else "authorities: a fingerprint is not that of its certificate"
    )


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
