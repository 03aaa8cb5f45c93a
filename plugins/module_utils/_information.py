# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a certificate file says, and whether it fits a key and an authority. PRIVATE: may change without notice."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ._accounts import read_regular
from ._errors import TlsError
from ._time import isoformat, parse_duration
from ._x509 import inspect, keys, verify


@dataclass(frozen=True)
class Question:
    """What is asked: PEM texts with where they come from; None for what is not asked."""

    content: str | bytes
    what: str
    key: bytes | None
    key_what: str
    authority: str | bytes | None
    authority_what: str
    valid_at: datetime


def ask(options: t.Mapping[str, t.Any], now: datetime) -> Question:
    """Return the question that the module's options ask; files are read here.

    Raises TlsError ``certificate-missing``, ``key-missing``, ``authority-missing``, ``file-unreadable``,
    ``time-invalid``.
    """
    path, key_path, authority_path = options["path"], options["key_path"], options["authority_path"]
    authority = read_required(authority_path, "authority-missing") if authority_path else options["authority_content"]
    return Question(
        content=read_required(path, "certificate-missing") if path else options["content"],
        what=path or "content",
        key=read_required(key_path, "key-missing") if key_path else None,
        key_what=key_path or "",
        authority=authority,
        authority_what=authority_path or "authority_content",
        valid_at=parse_moment(options["valid_at"], now),
    )


def read_required(path: str, code: str) -> bytes:
    """Return the bytes of a file that has to be there. Raises TlsError with ``code``, or ``file-unreadable``."""
    data = read_regular(path)
    if data is None:
        raise TlsError(f"{path} does not exist", hint="Check the path and the host.", code=code)
    return data


def parse_moment(text: str, now: datetime) -> datetime:
    """Return an aware time for ``2026-12-24T00:00:00Z`` (UTC if no zone is given) or ``+30d``; ``now`` for no text.

    Raises TlsError ``time-invalid``.
    """
    if not text:
        return now
    if text.startswith("+"):
        return now + parse_duration(text[1:], "valid_at")
    try:
        moment = datetime.fromisoformat(re.sub(r"Z$", "+00:00", text))
    except ValueError as error:
        raise TlsError(
            f"valid_at is {text!r}, which is no point in time",
            hint="Write it as 2026-12-24T00:00:00Z, or as +30d for thirty days from now.",
            code="time-invalid",
        ) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def answer(question: Question, now: datetime) -> dict[str, t.Any]:
    """Return the certificates of the file, and how the first one (the leaf) fits what was asked.

    Raises TlsError ``certificate-unreadable``, ``key-unreadable``, ``passphrase-missing``.
    """
    certificates = inspect.load_certificates(question.content, question.what)
    views = [inspect.view_certificate(certificate, question.what) for certificate in certificates]
    leaf = views[0]
    result: dict[str, t.Any] = {
        "certificates": [_describe(view, now) for view in views],
        "valid": leaf.not_before <= question.valid_at <= leaf.not_after,
        "valid_at": isoformat(question.valid_at),
        "key_matches": None,
        "signed_by_authority": None,
    }
    if question.key is not None:
        key = keys.load_private_key(question.key, what=question.key_what)
        result["key_matches"] = verify.key_matches(certificates[0], key.public_key())
    if question.authority is not None:
        anchors = inspect.load_certificates(question.authority, question.authority_what)
        result["signed_by_authority"] = verify.leads_to(certificates[0], certificates[1:], anchors)
    return result


def _describe(view: inspect.CertificateView, now: datetime) -> dict[str, t.Any]:
    return {
        **view.to_dict(),
        "purpose": _purpose(view),
        "days_left": (view.not_after - now) // timedelta(days=1),
        "expired": now > view.not_after,
    }


def _purpose(view: inspect.CertificateView) -> str:
    """Return ``authority``, ``server``, ``client``, ``both`` (also where no usage is stated) or ``other``."""
    if view.is_authority:
        return "authority"
    usages = set(view.extended_key_usages)
    if not usages or "anyExtendedKeyUsage" in usages or {"serverAuth", "clientAuth"} <= usages:
        return "both"
    if "serverAuth" in usages:
        return "server"
    return "client" if "clientAuth" in usages else "other"
