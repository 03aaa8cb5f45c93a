# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients that may no longer connect, and what that means for their groups.

A listener that checks revocation lists (``proxy``) refuses the revoked certificates themselves: each gets a line in the ledger and an entry
in the list of its authority (``crl``), and others of its group notice nothing.

dockerd does not support revocation lists; it trusts the authorities in its ``client-ca.pem``. So where it is the listener, a group with a revoked
client gets a new generation that signs, and the generations under which that client holds a valid certificate have to leave. The ledger
lists the certificates; once those generations are retired nothing is left to do, even if the inventory changes later.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from .._pki import names
from . import (
    access,
    certificate_files,
    create,
    layout,
    ledger,
    stages,
    store,
)
from .call_context import CallContext

_NOTHING_SEEN = access.Access()


@dataclass(frozen=True)
class Revocation:
    """The revocation of one authority: ``generations`` under which ``clients`` hold valid certificates.

    ``issuing`` is the generation that signs now ("" in a prediction that would make one), ``members`` whether others of the
    group stay and so need a time in which both are trusted.
    """

    authority: str
    clients: tuple[str, ...]
    issuing: str
    generations: tuple[str, ...]
    members: bool

    def to_dict(self) -> dict[str, t.Any]:
        """Return it as modules report it."""
        return {**vars(self), "clients": list(self.clients), "generations": list(self.generations)}


@dataclass(frozen=True)
class Outcome:
    """The authorities after it, the pending revocations, and whether anything was (would be) changed. ``access``: the ledger's data about clients."""

    stored: store.Stored
    revocations: tuple[Revocation, ...]
    reasons: tuple[str, ...] = ()
    access: access.Access = _NOTHING_SEEN
    #: The certificates that the revocation lists get (would get) in this call.
    listed: tuple[certificate_files.Listed, ...] = ()

    @property
    def distrusted(self) -> frozenset[str]:
        """The ids that no remaining member needs: hosts can drop them at once."""
        return frozenset(one for each in self.revocations if not each.members for one in each.generations)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The revoked clients that the ledger has never heard of, and that no revocation is about."""
        return tuple(name for name in self.access.unknown if not any(name in one.clients for one in self.revocations))


@dataclass(frozen=True)
class RevocationRequest:
    """The inventory's settings: its clients, and whether certificates that it does not list are revoked too."""

    clients: tuple[access.Client, ...]
    end_unlisted: bool = False
    #: The access groups whose hosts all check revocation lists.
    by_list: frozenset[str] = frozenset()

    @property
    def revoked(self) -> list[access.Client]:
        """The clients that may not connect."""
        return [one for one in self.clients if one.revoked]

    @property
    def members(self) -> frozenset[str]:
        """The access groups in which clients stay."""
        return frozenset(one.group for one in self.clients if not one.revoked)


@dataclass(frozen=True)
class _Plan:
    """``held`` by authority, as ``holdings``; ``new`` are the authorities that need a new signing generation."""

    stored: store.Stored
    held: t.Mapping[str, set[tuple[str, str]]]
    new: tuple[str, ...]
    access: access.Access
    recorded: frozenset[tuple[str, str]]
    #: The new entries of the lists.
    listed: tuple[certificate_files.Listed, ...] = ()
    #: The access groups for which that is all.
    covered: frozenset[str] = frozenset()

    @property
    def is_done(self) -> bool:
        """Whether the lists have everything, and lists are enough."""
        return not self.listed and set(self.held) <= self.covered

    def with_missing(self) -> _Plan:
        """Return the plan for a run that begins nothing: certificates that are in no list yet are not refused."""
        missing: dict[str, set[tuple[str, str]]] = {}
        for one in self.listed:
            if one.group in self.covered:
                missing.setdefault(one.group, set()).add((one.client, one.authority))
        return replace(self, held={**self.held, **missing}, covered=self.covered - missing.keys())

    def without_generations(self) -> _Plan:
        """Return the part that lists do alone: it needs no other host, so a limited run may do it."""
        held = {name: pairs for name, pairs in self.held.items() if name in self.covered}
        ids = {identifier for pairs in held.values() for identifier in _ids(pairs)}
        listed = tuple(one for one in self.listed if one.authority in ids)
        return replace(self, held=held, new=(), listed=listed)


def begin(
    place: layout.CaDirectory,
    request: RevocationRequest,
    template: create.AuthoritySpec,
    passphrase: bytes,
    context: CallContext,
    *,
    predict: bool,
    deferred: bool = False,
) -> Outcome:
    """Add the revoked certificates to the lists; give every authority a new issuing generation where lists are not enough.

    That is where the present one has signed a valid certificate that must be refused, and a host of the group checks no lists. ``template``
    has the options of a new generation; with ``deferred`` none is made. A second call changes nothing and still returns the pending revocations.
    Without a CA nothing is revoked. Without anything to revoke the lock is not taken.
    """
    if not os.path.isdir(place.path):
        return Outcome({}, ())
    plan = _plan(place, request, context.now)
    work = plan.without_generations() if deferred else plan
    if work.is_done or predict:
        return _outcome(plan, work, request, plan.stored, predict=predict or deferred)
    with stages.locked(place, context, predict=False):
        ledger.check_clock(place, ledger.scan(place), context.now)
        plan = _plan(place, request, context.now)
        work = plan.without_generations() if deferred else plan
        _record(place, work, context)
        for name in work.new:
            _renew(place, name, template, passphrase, context, work.held[name])
        found = ledger.scan(place)
        stored = stages.settled(store.read_authorities(place), found)
        due = certificate_files.due(stored, found, context.now)
        if due:
            certificate_files.renew(due, found, passphrase, context.now)
            stored = stages.settled(store.read_authorities(place), found)
    return _outcome(plan, work, request, stored, predict=deferred)


def pending(
    place: layout.CaDirectory, clients: t.Iterable[access.Client], now: datetime, by_list: t.Iterable[str] = ()
) -> Outcome:
    """Return what ``begin`` would find, without a passphrase. Raises TlsError (codes of ``ledger`` and ``store``)."""
    if not os.path.isdir(place.path):
        return Outcome({}, ())
    request = RevocationRequest(tuple(clients), by_list=frozenset(by_list))
    plan = _plan(place, request, now)
    return _outcome(plan.with_missing(), plan, request, plan.stored, predict=True)


def _outcome(plan: _Plan, work: _Plan, request: RevocationRequest, stored: store.Stored, *, predict: bool) -> Outcome:
    revocations = tuple(
        Revocation(
            authority=name,
            clients=tuple(sorted({client for client, unused in ids})),
            issuing="" if predict and name in plan.new else store.issuing(stored[name]).id,
            generations=tuple(sorted(_ids(ids))),
            members=name in request.members,
        )
        for name, ids in sorted(plan.held.items())
        if name not in plan.covered
    )
    changes = bool(work.new or work.listed)
    return Outcome(stored, revocations, (access.REVOKED,) if changes else (), plan.access, work.listed)


def _plan(place: layout.CaDirectory, request: RevocationRequest, now: datetime) -> _Plan:
    """Read the CA and decide about revocations."""
    found = ledger.scan(place)
    stored = stages.settled(store.read_authorities(place), found)
    entries = access.entries(place)
    seen = access.compare(entries, request.clients, stored, now, found.revoked)
    held = holdings(entries, request.revoked, stored, now)
    ended = [one for one in seen.unlisted if one.can_be_ended] if request.end_unlisted else []
    for one in ended:
        held.setdefault(one.group, set()).add((one.client, one.generation))
    seen = replace(seen, unlisted=tuple(one for one in seen.unlisted if one not in ended))
    to_list = certificate_files.to_list(
        entries, [one.name for one in request.revoked], ended, access.trusted_generations(stored), now
    )
    listed = tuple(one for one in to_list if one.serial not in found.revoked.get(one.authority, ()))
    by_list = request.by_list if certificate_files.all_have_lists(stored) else ()
    covered = frozenset(name for name in by_list if name in stored and certificate_files.covers(stored[name], entries))
    for one in seen.revoked:
        if one.listed and one.trusted and one.group not in covered:
            held.setdefault(one.group, set()).add((one.client, one.generation))
    new = tuple(
        name for name, ids in held.items() if name not in covered and store.issuing(stored[name]).id in _ids(ids)
    )
    return _Plan(stored, held, new, seen, frozenset(access.revoked_pairs(entries)), listed, covered)


def _record(place: layout.CaDirectory, plan: _Plan, context: CallContext) -> None:
    """Write the revocations to the ledger, so that they outlast a change of the inventory. Under the lock.

    A line for each certificate that the lists get; and one for each client and generation that has to leave.
    """
    lines = []
    leaving = {pair for name, pairs in plan.held.items() if name not in plan.covered for pair in pairs}
    for client, generation in sorted(leaving):
        identity = names.client_identity(client)
        if (identity, generation) not in plan.recorded:
            audit = stages.audit_fields(context, authority=generation, client=client, names=[identity])
            lines.append({"serial": "", "event": access.REVOKED, **audit})
    for one in plan.listed:
        audit = stages.audit_fields(context, authority=one.authority, client=one.client)
        lines.append({"serial": one.serial, "event": ledger.REVOKED, **audit})
    if lines:
        found = ledger.scan(place)
        ledger.repair(place, found)
        ledger.append(place, found, lines)


@dataclass(frozen=True)
class Verified:
    """Hosts that were verified to refuse a revoked client, whatever it has of the generation ``authority``."""

    client: str
    authority: str
    hosts: tuple[str, ...]


def record_verified(
    place: layout.CaDirectory, found: t.Iterable[Verified], context: CallContext, *, predict: bool
) -> list[dict[str, t.Any]]:
    """Write to the ledger which hosts refuse which revoked client, as far as it does not have that; return the lines.

    So a later run knows where a revocation is complete, also of hosts that it does not include. Raises TlsError (codes of ``ledger``,
    ``lock``).
    """
    wanted = [one for one in found if one.hosts]
    if not wanted or not _unknown(place, wanted, context) or predict:
        return _unknown(place, wanted, context) if wanted else []
    with stages.locked(place, context, predict=False):
        seen = ledger.scan(place)
        ledger.check_clock(place, seen, context.now)
        ledger.repair(place, seen)
        lines = _unknown(place, wanted, context)
        if lines:
            ledger.append(place, seen, lines)
    return lines


def _unknown(place: layout.CaDirectory, found: t.Iterable[Verified], context: CallContext) -> list[dict[str, t.Any]]:
    known = access.verified_hosts(access.entries(place))
    lines = []
    for one in found:
        identity = names.client_identity(one.client)
        hosts = sorted(set(one.hosts) - known.get((identity, one.authority), set()))
        if hosts:
            audit = stages.audit_fields(context, authority=one.authority, client=one.client, names=[identity])
            lines.append({"serial": "", "event": access.VERIFIED, **audit, "hosts": hosts})
    return lines


def holdings(
    entries: t.Iterable[t.Mapping[str, t.Any]], revoked: t.Sequence[access.Client], stored: store.Stored, now: datetime
) -> dict[str, set[tuple[str, str]]]:
    """Return by authority the pairs (revoked client, id of a generation that is there) with a valid certificate.

    A client with a line ``client-revoked`` in the ledger is revoked too, for the generation that it names: a revocation that was begun is completed.
    Of a generation that the ledger did not see from its beginning (an adopted CA, a restarted or restored ledger) it is not known
    what it has signed; there a client of that group is taken to hold a certificate.
    """
    there = access.trusted_generations(stored)
    by_name = {names.client_identity(one.name): one.name for one in revoked}
    begun: dict[tuple[str, str], str] = {}
    created: set[str] = set()
    valid: set[tuple[str, str]] = set()
    for entry in entries:
        identifier = str(entry.get("authority", ""))
        if entry.get("event") == "authority-created":
            created.add(identifier)
        elif entry.get("event") == "ledger-restored":
            created.clear()  # certificates that were signed between the backup and its restore are known only as far as hosts have reported them
        elif entry.get("event") == access.REVOKED:
            begun.update(access.revoked_pairs([entry]))
        elif access.is_client_certificate(entry) and identifier in there and access.end_of(entry) > now:
            valid |= {(each, identifier) for each in access.identities_of(entry)}
    held: dict[str, set[tuple[str, str]]] = {}
    for identity, identifier in valid:
        client = by_name.get(identity) or begun.get((identity, identifier))
        if client:
            held.setdefault(there[identifier], set()).add((client, identifier))
    for one in revoked:
        for identifier, name in there.items():
            if name == one.group and identifier not in created:
                held.setdefault(name, set()).add((one.name, identifier))
    return held


def _renew(
    place: layout.CaDirectory,
    name: str,
    template: create.AuthoritySpec,
    passphrase: bytes,
    context: CallContext,
    held: t.Iterable[tuple[str, str]],
) -> None:
    """Make the generation that waits sign, or make a new one that signs at once."""
    found = ledger.scan(place)
    stored = stages.settled(store.read_authorities(place), found)
    reasons = [f"client-revoked: {client}" for client in sorted({client for client, unused in held})]
    one = stages.waiting(stored[name])
    if one is not None and one.id not in _ids(held):
        stages.sign(place, one, found, stages.audit_fields(context, reasons=reasons))
        return
    store.open_key(store.issuing(stored[name]), passphrase)
    number = stages.next_generation(place, name, stored, found)
    wanted = replace(template, name=name, generation=number, accepted_only=False)
    create.Run(place, (), passphrase, context).create([wanted], found, reasons=reasons)


def _ids(held: t.Iterable[tuple[str, str]]) -> set[str]:
    return {identifier for unused, identifier in held}
