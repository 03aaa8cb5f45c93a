# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names a host gets only because it reports them.

A host reports its full name and its addresses itself, and a hostile host reports the name of another machine. So:

* a DNS name is accepted only if it extends one of the host's own names in the inventory by a domain (``web1`` ->
  ``web1.example.test``), and no longer name of another host fits better (``web1.example`` belongs to someone else);
* an address is accepted only if it is in a range that the inventory chose for the host (``private``, ``all``, a network);
* either is left out if it belongs to another host by the inventory or by another host's valid certificate, or if another
  host reports it too: virtual machines of one template have one NAT address, and a bridge of libvirt is on every host.

A name that is left out never keeps a host from its certificate: it is a warning, which names the variable that declares it.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, replace

from .._host.addresses import is_private
from .._pki import names
from .._text_table import clean
from . import policy

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


def settle(one: policy.Approved, objection: t.Callable[[str], str], rules: policy.Rules) -> policy.Approved:
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
