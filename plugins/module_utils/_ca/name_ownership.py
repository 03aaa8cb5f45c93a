# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names a host may ask for: those that it reports itself, and those that belong to another host.

A host reports its full name and its addresses itself, and a hostile host reports the name of another machine. So:

* a DNS name is accepted only if it extends one of the host's own names in the inventory by a domain (``web1`` ->
  ``web1.example.test``), and no longer name of another host fits better (``web1.example`` belongs to someone else);
* an address is accepted only if it is in a range that the inventory chose for the host (``private``, ``all``, a network);
* either is left out if it belongs to another host by the inventory or by another host's valid certificate, or if another
  host reports it too: virtual machines of one template have one NAT address, and a bridge of libvirt is on every host.

A name that is left out never keeps a host from its certificate: it is a warning, which names the variable that declares it.

A request has two kinds of names. Those in ``names`` are the controller's words, and if a requester cannot have one of them, its request is
refused. Those in ``reported_names`` are reported by the host: names that it cannot have are left out (``reported``). For both:

* a name that the inventory assigns to requesters (``Rules.reserved``) belongs to them and to no other;
* a name that the inventory assigns to no host belongs to the host whose valid certificate contains it, according to the ledger. A
  certificate that was recorded (adopted, or after a restored backup) counts until its host is issued one; where several hosts have
  shown it, for each of them;
* a name that has no holder and that two requesters of a batch ask for is given to neither. A reported name takes none from ``names``.

A name becomes free by a newer certificate of its holder without it, or when the holder was renamed in the inventory: its old name is
not there any more, and a name of its certificate is now assigned to the requester (the address of the same machine, for example).
"""

from __future__ import annotations

import functools
import ipaddress
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from .._errors import TlsError
from .._host.network import is_private
from .._pki import names
from .._text_table import clean
from .._time import isoformat
from . import ledger, policy
from .policy import Approved, Rules, is_loopback, without_names

_MOST_SHOWN = 12


@dataclass(frozen=True)
class LeftOut:
    """A reported name that the certificate does not have, and why."""

    name: str
    why: str


def candidates(request: policy.SigningRequest, rules: policy.Rules) -> tuple[list[str], list[LeftOut]]:
    """Return the reported names of a request that the inventory allows, in canonical spelling, and those that it does not."""
    allowed: list[str] = []
    left: list[LeftOut] = []
    if not request.reported_names:
        return allowed, left
    own = set(_spelled(request.names))
    for text in dict.fromkeys(request.reported_names):
        if not names.is_name(text):
            left.append(LeftOut(text, "no certificate can carry it"))
            continue
        name = names.normalize_name(text)
        if name in own:
            continue
        why = _why_not(name, request, rules)
        if why:
            left.append(LeftOut(name, why))
        else:
            allowed.append(name)
    return list(dict.fromkeys(allowed)), left


def _why_not(name: str, request: policy.SigningRequest, rules: policy.Rules) -> str:
    """Return why the inventory does not allow a reported name, "" where it does."""
    if name.startswith(names.CLIENT_PREFIX):
        return "it is a name of a client"
    if policy.is_loopback(name):
        return "docker_server_cert_local_names is false"
    others = sorted(rules.reserved.get(name, frozenset()) - {request.owner})
    if others:
        return f"it belongs to {', '.join(others)}"
    if name.startswith("*."):
        return "a wildcard has to be declared"
    address = names.address_or_none(name)
    if address is not None:
        return "" if _is_chosen(address, request.address_ranges) else "no variable chooses this address"
    return _why_not_extension(name, request, rules)


def _is_chosen(address: t.Any, ranges: t.Iterable[str]) -> bool:
    for text in ranges:
        if text == "all" or (text == "private" and is_private(address)):
            return True
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue
        if network.version == address.version and address in network:
            return True
    return False


def _why_not_extension(name: str, request: policy.SigningRequest, rules: policy.Rules) -> str:
    """Return why a DNS name does not extend a name of the host's own. The longest name of the inventory that it extends decides."""
    own = _spelled(request.extends)
    shorter = name.rpartition(".")[0]
    while shorter:
        owners = rules.reserved.get(shorter, frozenset())
        if owners - {request.owner}:
            return f"it extends {shorter}, which belongs to {', '.join(sorted(owners - {request.owner}))}"
        if shorter in own:
            return ""
        shorter = shorter.rpartition(".")[0]
    return "it does not extend a name that the inventory gives to this host"


def settle_reported(one: policy.Approved, objection: t.Callable[[str], str], rules: policy.Rules) -> policy.Approved:
    """Return a request with the permitted ones of its reported names, its common name, and the names that were left out.

    In: ``objection`` returns what other hosts have to do with a name that the inventory allows, "" for nothing.
    """
    if one.subject.common_name and not one.request.reported_names:
        return one
    allowed, left = candidates(one.request, rules)
    found = [(name, objection(name)) for name in allowed]
    kept = [name for name, why in found if not why]
    left += [LeftOut(name, why) for name, why in found if why]
    subject = names.SubjectNames(one.subject.common_name, names.normalize_names([*one.subject.names, *kept]))
    if not subject.common_name and subject.names:
        hosts = [name for name in kept if names.address_or_none(name) is None]
        own = [name for name in _spelled(one.request.extends) if name in subject.names]
        subject = names.SubjectNames(names.default_common_name([*hosts, *own, *subject.names]), subject.names)
    return replace(one, subject=subject, left_out=tuple(left))


def _spelled(texts: t.Iterable[str]) -> list[str]:
    return [names.normalize_name(text) for text in texts if names.is_name(text)]


def warnings(approved: t.Iterable[policy.Approved]) -> list[str]:
    """Return one sentence for each host that reports names which its certificate does not have."""
    found = []
    for one in approved:
        if one.left_out:
            named = [f"{clean(each.name[:100])} ({each.why})" for each in one.left_out]
            found.append(
                f"{one.request.owner}: the certificate is without what only the host itself reports: {some(named, '; ')}. "
                f"Where clients use such a name or address, declare it for {one.request.owner} in docker_server_cert_names."
            )
    return found


def some(texts: t.Sequence[str], separator: str = ", ") -> str:
    """Return texts as one, with no more of them than people read."""
    more = len(texts) - _MOST_SHOWN
    return separator.join([*texts[:_MOST_SHOWN], *([f"{more} more"] if more > 0 else [])])


_DECLARE = (
    "Give the name to the host that it belongs to, or to both if both need it (a virtual address, a load balancer): "
    "docker_server_cert_names of that host, with the module itself reserved_names or shared_names."
)


@dataclass(frozen=True)
class _Holding:
    """A valid certificate of the ledger that carries a name that is asked for."""

    owners: frozenset[str]
    request: str  # "" for a certificate that was recorded
    names: frozenset[str]
    serial: str
    not_after: str


def owned_names(one: Approved, rules: Rules) -> list[str]:
    """Return the names of a server request that can have an owner, in canonical spelling."""
    if one.request.profile != "server":
        return []
    return [name for name in one.subject.names if name not in rules.shared and not is_loopback(name)]


def undeclared_names(approved: t.Iterable[Approved], rules: Rules) -> set[str]:
    """Return the names that the inventory assigns to no host: those that the ledger has to be asked about."""
    found = {name for one in approved for name in (*owned_names(one, rules), *candidates(one.request, rules)[0])}
    return {name for name in found if name not in rules.reserved}


def refusals(approved: t.Sequence[Approved], found: ledger.Scan, rules: Rules, now: datetime) -> dict[str, TlsError]:
    """Return, by request id, why a request of ``approved`` cannot have one of its names (code ``name-taken``).

    In: ``found``, a reading of the ledger that asked about ``undeclared_names``.
    """
    claimants: dict[str, set[str]] = {}
    for one in approved:
        for name in owned_names(one, rules):
            claimants.setdefault(name, set()).add(one.request.owner)
    holdings = _valid_holdings(found, now)
    refused: dict[str, TlsError] = {}
    while True:
        left = [one for one in approved if one.request.id not in refused]
        replaced = {(one.request.owner, name) for one in left for name in (one.request.id, "")}
        held = [one for one in holdings if not any((owner, one.request) in replaced for owner in one.owners)]
        objections = {one.request.id: next(_objections(one, claimants, held, holdings, rules), None) for one in left}
        more = {name: error for name, error in objections.items() if error is not None}
        if not more:
            return refused
        # A refused requester keeps its old certificate, and with it its names: check again.
        refused.update(more)


def settle(
    approved: t.Sequence[Approved], found: ledger.Scan, rules: Rules, now: datetime
) -> tuple[list[Approved], dict[str, TlsError]]:
    """Return requests that ``refusals`` let pass with the reported names that they get, and which are refused for want of any name.

    In: as ``refusals``. Raises nothing: reported names are left out at worst (``Approved.left_out``).
    """
    claimants: dict[str, set[str]] = {}
    for one in approved:
        for name in (*owned_names(one, rules), *candidates(one.request, rules)[0]):
            claimants.setdefault(name, set()).add(one.request.owner)
    holdings = _valid_holdings(found, now)
    replaced = {(one.request.owner, name) for one in approved for name in (one.request.id, "")}
    held = [one for one in holdings if not any((owner, one.request) in replaced for owner in one.owners)]
    settled: list[Approved] = []
    refused: dict[str, TlsError] = {}
    for one in approved:
        if one.request.profile == "server":
            objection = functools.partial(_other_claim, one.request.owner, claimants, held, holdings, rules)
            one = settle_reported(one, objection, rules)
        if one.subject.names:
            settled.append(one)
        else:
            refused[one.request.id] = without_names()
    return settled, refused


def _other_claim(
    owner: str,
    claimants: t.Mapping[str, t.Collection[str]],
    held: t.Sequence[_Holding],
    holdings: t.Sequence[_Holding],
    rules: Rules,
    name: str,
) -> str:
    """Return which other host has or reports a name that ``owner`` reports, "" for none."""
    if owner in rules.reserved.get(name, frozenset()) or name in rules.shared:
        return ""
    others = [each for each in held if name in each.names and not _is_same_host(each, owner, rules)]
    if others:
        holders = frozenset[str]().union(*(each.owners for each in others)) - {owner}
        return f"it is in the valid certificate of {some(sorted(holders))}"
    if any(name in each.names and each.owners == {owner} for each in holdings):
        return ""  # another host that reports it now does not take it from the one that has it
    rivals = sorted({*claimants.get(name, ()), *rules.contested.get(name, ())} - {owner})
    return f"{some(rivals)} report{'s' if len(rivals) == 1 else ''} it too" if rivals else ""


def _valid_holdings(found: ledger.Scan, now: datetime) -> list[_Holding]:
    moment = isoformat(now)
    return [
        _Holding(
            owners=ledger.owners(entry),
            request=entry.get("request", ""),
            names=frozenset(entry["names"]),
            serial=entry["serial"],
            not_after=entry["not_after"],
        )
        for entry in found.holders
        if entry["not_after"] > moment and entry["authority"] in found.authorities
    ]


def _objections(
    one: Approved,
    claimants: t.Mapping[str, t.Collection[str]],
    held: t.Sequence[_Holding],
    holdings: t.Sequence[_Holding],
    rules: Rules,
) -> t.Iterator[TlsError]:
    owner = one.request.owner
    for name in owned_names(one, rules):
        yield from _objections_of_the_inventory(name, owner, rules)
        if name in rules.reserved:
            continue
        other = next((each for each in held if name in each.names and not _is_same_host(each, owner, rules)), None)
        if other is not None:
            yield TlsError(
                f"the name {name} is in the certificate of {', '.join(sorted(other.owners))} that is valid until {other.not_after} "
                f"(serial {other.serial}), and the inventory assigns it to no host",
                hint=_DECLARE,
                code="name-taken",
            )
        rivals = sorted(set(claimants.get(name, ())) - {owner})
        if rivals and not any(name in each.names and each.owners == {owner} for each in holdings):
            yield TlsError(
                f"the name {name} is asked for by {', '.join(rivals)} too, and the inventory assigns it to no host",
                hint=_DECLARE,
                code="name-taken",
            )


def _objections_of_the_inventory(name: str, owner: str, rules: Rules) -> t.Iterator[TlsError]:
    owners = rules.reserved.get(name, frozenset())
    taken = set() if owner in owners else set(owners)
    if name.startswith("*."):
        under = [others for held, others in rules.reserved.items() if held.partition(".")[2] == name[2:]]
        taken.update(*(others for others in under if owner not in others))
    if taken:
        yield TlsError(
            f"the name {name} belongs to {', '.join(sorted(taken))}",
            hint="Take it from the names of one of the two; if both need it (a virtual address, a load balancer), declare it for both in "
            "docker_server_cert_names (a fact or a template there counts as reported by the host), with the module itself in "
            "shared_names.",
            code="name-taken",
        )


def _is_same_host(holding: _Holding, owner: str, rules: Rules) -> bool:
    """Return whether the holder is the requester, today or under an older name in the inventory."""
    if owner in holding.owners:
        return True
    if any(holding.owners & owners for owners in rules.reserved.values()):
        return False
    return any(rules.reserved.get(name) == frozenset([owner]) and not is_loopback(name) for name in holding.names)
