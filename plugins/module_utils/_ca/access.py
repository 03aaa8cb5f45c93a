# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client certificates and who still has access by them: compared with the inventory and with the revocations in the ledger.

Pure: entries of the ledger, the clients and the time go in. Who is revoked is known from the inventory and from the ledger, which has a line
``client-revoked`` for each client and generation; a certificate that such a client gets later, of a later generation, is not revoked.
"""

from __future__ import annotations

import re
import types
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .._errors import TlsError
from .._pki import names
from .._time import from_isoformat, isoformat
from . import ledger, store
from .layout import CaDirectory

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


Entry = t.Mapping[str, t.Any]

REVOKED = "client-revoked"
#: Hosts that were verified to refuse the certificates of a client, with the client and the generation.
VERIFIED = "revocation-verified"
#: Signed here, found on a host after a backup was restored, and found on a host when an authority was adopted.
_SOURCES = {"issued": "issued", "leaf-recorded": "recorded", "leaf-adopted": "adopted"}
#: Lines about certificates of clients, authorities, the ledger itself and revocations; those of servers are not parsed.
_PROFILES = (b'"profile":"client"', b'"profile":"both"')
_EVENT, _EVENT_WITHIN = b'"event":"', 300  # it follows seq, prev and serial
_EVENTS = (b"authority-", b"ledger-", b"client-revoked", b"certificate-revoked", b"revocation-verified")
_TEMPORARY = "temporary-client"
# A temporary client lives for 24 hours at most. The reason alone is not enough: it may come from a host.
_LONGEST_TEMPORARY = timedelta(hours=25)


@dataclass(frozen=True)
class Client:
    """A client of the inventory. ``requests`` are the ids of the requests by which it gets its certificates, None for any."""

    name: str
    group: str = "clients"
    revoked: bool = False
    requests: frozenset[str] | None = None


@dataclass(frozen=True)
class Access:
    """Valid client certificates that should not be used any more: of ``revoked`` clients, and ``unlisted`` ones (of generations that are trusted).

    ``unknown`` are revoked clients of the inventory that the ledger has never heard of.
    """

    revoked: tuple[ClientCertificate, ...] = ()
    unlisted: tuple[ClientCertificate, ...] = ()
    unknown: tuple[str, ...] = ()


def clients_of(options: t.Iterable[t.Mapping[str, t.Any]]) -> list[Client]:
    """Return the clients in the option ``clients`` of the modules authorities and authority_info."""
    return [
        Client(
            one["name"],
            one["group"],
            one["state"] == "revoked",
            None if one["requests"] is None else frozenset(one["requests"]),
        )
        for one in options
    ]


def entries(place: CaDirectory) -> list[dict[str, t.Any]]:
    """Return the entries about the access of clients, in their order."""
    return list(ledger.entries(place, _is_relevant))


def _is_relevant(line: bytes) -> bool:
    begin = line.find(_EVENT, 0, _EVENT_WITHIN)
    return line.startswith(_EVENTS, begin + len(_EVENT)) or any(profile in line for profile in _PROFILES)


def compare(
    found: t.Iterable[Entry],
    clients: t.Sequence[Client],
    stored: store.Stored,
    now: datetime,
    listed: t.Mapping[str, t.Container[str]] = types.MappingProxyType({}),
) -> Access:
    """Compare the valid client certificates of the ledger with ``clients``. ``listed``: the revoked serials of each generation."""
    lines = list(found)
    there = trusted_generations(stored)
    revoked = {names.client_identity(one.name) for one in clients if one.revoked}
    pairs, refused_by = revoked_pairs(lines), verified_hosts(lines)
    wanted: dict[str, list[Client]] = {}
    for one in clients:
        if not one.revoked:
            wanted.setdefault(names.client_identity(one.name), []).append(one)
    held: dict[tuple[str, ...], ClientCertificate] = {}
    known: set[str] = set()
    for entry in filter(is_client_certificate, lines):
        identities = set(identities_of(entry))
        known |= identities
        if end_of(entry) <= now:
            continue
        certificate = _held(entry, there)
        hosts = {one for each in identities for one in refused_by.get((each, certificate.generation), ())}
        certificate = replace(
            certificate,
            listed=entry.get("serial") in listed.get(certificate.generation, ()),
            refused_by=tuple(sorted(hosts)),
        )
        if (
            certificate.listed
            or identities & revoked
            or any((each, certificate.generation) in pairs for each in identities)
        ):
            reason = REVOKED
        elif certificate.trusted and not is_temporary(entry):
            reason = _unwanted(certificate, [each for identity in identities for each in wanted.get(identity, ())])
        else:
            continue  # of a generation that was given up, or gone in hours
        if reason:
            _join(held, replace(certificate, reason=reason))
    found_ones = tuple(held.values())
    return Access(
        tuple(one for one in found_ones if one.reason == REVOKED),
        tuple(one for one in found_ones if one.reason != REVOKED),
        tuple(one.name for one in clients if one.revoked and names.client_identity(one.name) not in known),
    )


def trusted_generations(stored: store.Stored) -> dict[str, str]:
    """Return the access group of each generation of a client authority that is there."""
    return {one.id: name for name, each in stored.items() for one in each if one.purpose == "client"}


def revoked_pairs(found: t.Iterable[Entry]) -> dict[tuple[str, str], str]:
    """Return the name of the client by (identity, generation) of every revocation in the ledger."""
    return {
        (identity, str(entry["authority"])): str(entry["client"])
        for entry in found
        if entry.get("event") == REVOKED
        for identity in entry["names"]
    }


def verified_hosts(found: t.Iterable[Entry]) -> dict[tuple[str, str], set[str]]:
    """Return by (identity, generation) the hosts that were verified to refuse the client since its last revocation.

    A client can be revoked, get another certificate of the same generation, and be revoked again: only hosts verified after that count.
    """
    hosts: dict[tuple[str, str], set[str]] = {}
    for entry in found:
        event, generation = entry.get("event"), str(entry.get("authority", ""))
        if event == ledger.REVOKED:
            hosts.pop((names.client_identity(str(entry.get("client", ""))), generation), None)
        elif event == REVOKED:
            for identity in entry["names"]:
                hosts.pop((identity, generation), None)
        elif event == VERIFIED:
            for identity in entry["names"]:
                hosts.setdefault((identity, generation), set()).update(map(str, entry.get("hosts") or ()))
    return hosts


def is_client_certificate(entry: Entry) -> bool:
    """Return whether an entry is about a certificate that opens Docker's API."""
    return entry.get("event") in _SOURCES and entry.get("profile", "client") in ("client", "both")


def is_temporary(entry: Entry) -> bool:
    """Return whether a certificate was made for a verification or a session."""
    begin = from_isoformat(entry.get("not_before", entry["not_after"]))
    return _TEMPORARY in (entry.get("reasons") or ()) and end_of(entry) - begin <= _LONGEST_TEMPORARY


def identities_of(entry: Entry) -> t.Iterator[str]:
    """Yield what identifies the client of a certificate: its names, and its common name in the spelling of a name."""
    yield from entry.get("names") or ()
    yield f"{names.CLIENT_PREFIX[: -len('CN=')]}{entry.get('subject', '')}"


def end_of(entry: Entry) -> datetime:
    """Return when the certificate of an entry ends."""
    return from_isoformat(entry["not_after"])


def key_of_entry(entry: Entry) -> tuple[str, str, str, str]:
    """Return ``key_of`` for the certificate of an entry of the ledger."""
    return key_of(_held(entry, {}))


def _held(entry: Entry, there: t.Mapping[str, str]) -> ClientCertificate:
    generation = str(entry.get("authority", ""))
    return ClientCertificate(
        client=_client_name(entry),
        group=there.get(generation) or generation.rpartition("-g")[0],
        generation=generation,
        request=str(entry.get("request") or ""),
        requester=str(entry.get("requester") or ""),
        source=_SOURCES[entry["event"]],
        not_after=end_of(entry),
        reason="",
        trusted=generation in there,
        serials=(str(entry.get("serial", "")),),
    )


def _client_name(entry: Entry) -> str:
    subject = str(entry.get("subject", ""))
    return re.sub(r"\\(.)", r"\1", subject[3:] if subject.startswith("CN=") else subject)


def _unwanted(one: ClientCertificate, wanted: t.Sequence[Client]) -> str:
    """Return why the inventory does not want a certificate, "" where it does."""
    if not wanted:
        return "client-unlisted"
    of_group = [client for client in wanted if client.group == one.group]
    if not of_group:
        return "group-changed"
    return "" if any(_covers(client, one) for client in of_group) else "bundle-unlisted"


def _covers(client: Client, one: ClientCertificate) -> bool:
    if client.requests is None or one.request in client.requests:
        return True
    # A certificate that was found on a host has the host and not the request.
    return not one.request and any(request.partition("/")[0] == one.requester for request in client.requests)


def key_of(one: ClientCertificate) -> tuple[str, str, str, str]:
    """Return what certificates have in common that are reported as one: client, generation, request (else who asked) and source."""
    return one.client, one.generation, one.request or one.requester, one.source


def _join(held: dict[tuple[str, ...], ClientCertificate], one: ClientCertificate) -> None:
    key = key_of(one)
    before = held.get(key)
    if before is None:
        held[key] = one
        return
    held[key] = replace(
        max(before, one, key=lambda each: each.not_after),
        listed=before.listed and one.listed,
        serials=(*before.serials, *one.serials),
        refused_by=tuple(each for each in before.refused_by if each in one.refused_by),
    )
