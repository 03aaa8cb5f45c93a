# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients that may come in no more, and what that means for their groups. PRIVATE: may change without notice.

dockerd knows no revocation list; what it trusts are the authorities in its ``client-ca.pem``. So a group with a revoked client gets
a new generation that signs, and the generations under which that client holds a valid certificate have to leave. The ledger
says who holds what; once those generations are retired nothing is left to do, whatever the inventory says later.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from .._x509 import names
from . import bootstrap, directory, generations, ledger, stages, store

# Signed here, or found on a host after a backup came back or an authority was adopted.
_ISSUED = ("issued", "leaf-recorded", "leaf-adopted")


@dataclass(frozen=True)
class Revoked:
    """A client that may not come in; ``group`` is where it is listed."""

    name: str
    group: str


@dataclass(frozen=True)
class Revocation:
    """What has to leave for one authority: ``generations`` under which ``clients`` hold valid certificates.

    ``signing`` is the generation that signs now ("" in a prediction that would make one), ``members`` whether others of the
    group stay and so need a time in which both are trusted.
    """

    authority: str
    clients: tuple[str, ...]
    signing: str
    generations: tuple[str, ...]
    members: bool

    def to_dict(self) -> dict[str, t.Any]:
        """Return it as modules report it."""
        return {
            "authority": self.authority,
            "clients": list(self.clients),
            "signing": self.signing,
            "generations": list(self.generations),
            "members": self.members,
        }


@dataclass(frozen=True)
class Outcome:
    """The authorities after it, what is to leave, and whether anything was (would be) changed."""

    stored: store.Stored
    revocations: tuple[Revocation, ...]
    reasons: tuple[str, ...] = ()

    @property
    def distrusted(self) -> frozenset[str]:
        """The ids that nobody who stays needs: hosts can drop them at once."""
        return frozenset(one for each in self.revocations if not each.members for one in each.generations)


def begin(
    place: directory.CaDirectory,
    revoked: t.Sequence[Revoked],
    members: t.Container[str],
    template: bootstrap.AuthoritySpec,
    passphrase: bytes,
    around: bootstrap.Surroundings,
    *,
    predict: bool,
) -> Outcome:
    """Give every authority a new signing generation whose present one has signed a valid certificate of a revoked client.

    ``members`` are the groups in which clients stay, ``template`` says how a new generation is made. Done already, it
    changes nothing and still returns what is to leave. Where there is no CA yet, nothing is revoked.
    """
    if not os.path.isdir(place.path):
        return Outcome({}, ())
    with generations.locked(place, around, predict=predict):
        found = ledger.scan(place)
        ledger.check_clock(place, found, around.now)
        stored = stages.settled(store.read_authorities(place), found)
        held = holdings(ledger.entries(place), revoked, stored, around.now)
        new = [name for name, ids in held.items() if store.signing(stored[name]).id in _ids(ids)]
        if new and not predict:
            for name in new:
                _renew(place, name, template, passphrase, around, held[name])
            stored = stages.settled(store.read_authorities(place), ledger.scan(place))
    revocations = tuple(
        Revocation(
            authority=name,
            clients=tuple(sorted({client for client, unused in ids})),
            signing="" if predict and name in new else store.signing(stored[name]).id,
            generations=tuple(sorted(_ids(ids))),
            members=name in members,
        )
        for name, ids in sorted(held.items())
    )
    return Outcome(stored, revocations, ("client-revoked",) if new else ())


def holdings(
    entries: t.Iterable[t.Mapping[str, t.Any]],
    revoked: t.Sequence[Revoked],
    stored: store.Stored,
    now: datetime,
) -> dict[str, set[tuple[str, str]]]:
    """Return by authority the pairs (revoked client, id of a generation that is there) with a valid certificate.

    Of a generation that the ledger did not see from its beginning (an adopted CA, a restarted or restored ledger) nobody knows
    what it has signed; there a client of that group is taken to hold a certificate.
    """
    there = {one.id: name for name, each in stored.items() for one in each if one.purpose == "client"}
    by_name = {names.client_identity(one.name): one.name for one in revoked}
    created: set[str] = set()
    held: dict[str, set[tuple[str, str]]] = {}
    for entry in entries:
        identifier = str(entry.get("authority", ""))
        if entry.get("event") == "authority-created":
            created.add(identifier)
        if entry.get("event") == "ledger-restored":
            created.clear()  # what was signed between the backup and its return is known only as far as hosts have shown it
        if entry.get("event") not in _ISSUED or identifier not in there or _end(entry) <= now:
            continue
        for name in {by_name[each] for each in _names(entry) if each in by_name}:
            held.setdefault(there[identifier], set()).add((name, identifier))
    for one in revoked:
        for identifier, name in there.items():
            if name == one.group and identifier not in created:
                held.setdefault(name, set()).add((one.name, identifier))
    return held


def _renew(
    place: directory.CaDirectory,
    name: str,
    template: bootstrap.AuthoritySpec,
    passphrase: bytes,
    around: bootstrap.Surroundings,
    held: t.Iterable[tuple[str, str]],
) -> None:
    """Make the generation that waits sign, or make a new one that signs at once."""
    found = ledger.scan(place)
    stored = stages.settled(store.read_authorities(place), found)
    reasons = [f"client-revoked: {client}" for client in sorted({client for client, unused in held})]
    one = generations.waiting(stored[name])
    if one is not None and one.id not in _ids(held):
        generations.sign(place, one, found, generations.told(around, reasons=reasons))
        return
    store.open_key(store.signing(stored[name]), passphrase)
    number = generations.next_generation(place, name, stored, found)
    wanted = replace(template, name=name, generation=number, is_next=False)
    bootstrap.Run(place, (), passphrase, around).create([wanted], found, reasons=reasons)


def _ids(held: t.Iterable[tuple[str, str]]) -> set[str]:
    return {identifier for unused, identifier in held}


def _names(entry: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Yield by what a client's certificate can be told: its names, and its common name in the spelling of a name."""
    yield from entry.get("names") or ()
    yield f"dirname:{entry.get('subject', '')}"


def _end(entry: t.Mapping[str, t.Any]) -> datetime:
    return datetime.strptime(entry["not_after"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
