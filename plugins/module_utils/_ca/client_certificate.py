# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A valid client certificate of the ledger that no client should use: on the CA host, in what modules report, in the status of the fleet."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import TlsError
from .._time import from_isoformat, isoformat

_TEXTS = ("client", "group", "generation", "request", "requester", "source", "reason")


@dataclass(frozen=True)
class ClientCertificate:
    """The valid certificates of one client, generation and request: ``not_after`` is the last end of them.

    ``reason`` is why the inventory does not want them: ``client-unlisted``, ``group-changed``, ``bundle-unlisted``, or ``client-revoked``.
    ``trusted`` is whether the generation is still an authority of the CA.
    """

    client: str
    group: str
    generation: str
    request: str
    requester: str
    source: str
    not_after: datetime
    reason: str
    trusted: bool
    #: Whether the revocation list of the generation has all of them.
    listed: bool = False
    #: Their serial numbers, in hexadecimal.
    serials: tuple[str, ...] = ()
    #: The hosts that were verified to refuse them since their client was revoked, by the ledger.
    refused_by: tuple[str, ...] = ()

    @property
    def can_be_ended(self) -> bool:
        """Whether the certificate was issued here: one that was adopted or restored ends by the client's name only."""
        return self.source == "issued"

    @property
    def is_revoked(self) -> bool:
        """Whether its client is revoked; else the inventory does not list it."""
        return self.reason == "client-revoked"

    def to_dict(self) -> dict[str, t.Any]:
        """Return it as modules report it."""
        texts: dict[str, t.Any] = {name: getattr(self, name) for name in _TEXTS}
        lists = {"serials": list(self.serials), **({"refused_by": list(self.refused_by)} if self.is_revoked else {})}
        return {
            **texts,
            **lists,
            "not_after": isoformat(self.not_after),
            "trusted": self.trusted,
            "listed": self.listed,
        }


def from_dict(reported: t.Mapping[str, t.Any]) -> ClientCertificate:
    """Return the certificate that a module has reported. Raises TlsError ``ledger-unreadable``."""
    texts = {name: str(reported.get(name) or "") for name in _TEXTS}
    not_after = ledger_time(str(reported.get("not_after") or ""))
    serials, refused_by = (tuple(map(str, reported.get(name) or ())) for name in ("serials", "refused_by"))
    return ClientCertificate(
        **texts,
        not_after=not_after,
        trusted=bool(reported.get("trusted")),
        listed=bool(reported.get("listed")),
        serials=serials,
        refused_by=refused_by,
    )


def ledger_time(text: str) -> datetime:
    """Return the time of a ledger line (``2026-11-22T13:00:00Z``). Raises TlsError ``ledger-unreadable``."""
    try:
        return from_isoformat(text)
    except ValueError as error:
        raise TlsError(
            f"ledger: {text!r} is not a time of a ledger",
            hint="Give the times as ledger_info returns them, for example 2026-11-22T13:00:00Z.",
            code="ledger-unreadable",
        ) from error
