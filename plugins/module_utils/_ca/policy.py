# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificates the CA signs: its rules for names, validity and keys, and their options. |.

A request comes from a host, and a host may be hostile: of the CSR only the public key is used, after its own signature
has shown that the requester has the private key. Names, profile, authority and validity come from the controller. Other
fields of the CSR (names, extensions, CA:TRUE) are ignored.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .. import _time
from .._errors import TlsError
from .._pki import names, signing
from . import store

#: One entry of ``requests`` of M(signed_certificates).
SIGNING_OPTIONS: dict[str, t.Any] = {
    "id": {"type": "str", "required": True},
    "authority": {"type": "str", "required": True},
    "profile": {"type": "str", "required": True, "choices": ["server", "client"]},
    "request_content": {"type": "str", "required": True},
    "common_name": {"type": "str", "default": ""},
    **{
        name: {"type": "list", "elements": "str", "default": []}
        for name in ("names", "reported_names", "extends", "address_ranges")
    },
    "validity": {"type": "str", "default": "365d"},
    "requester": {"type": "str", "default": ""},
    "reasons": {"type": "list", "elements": "str", "default": []},
    "expired": {"type": "bool", "default": False},
    "revoked": {"type": "bool", "default": False},
    "generation": {"type": "int", "default": 0},
    "replaces": {
        "type": "dict",
        "options": {
            "serial": {"type": "str", "required": True},
            "issuer": {"type": "str", "default": ""},
            "authority_key_identifier": {"type": "str", "default": "", "no_log": False},
            "authority_fingerprint_sha256": {"type": "str", "default": ""},
        },
    },
}
#: Which requester may have which name.
NAME_RULE_OPTIONS: dict[str, t.Any] = {
    "reserved_names": {"type": "dict", "default": {}},
    "shared_names": {"type": "list", "elements": "str", "default": []},
    "contested_names": {"type": "dict", "default": {}},
    "same_machine": {"type": "list", "elements": "list", "default": []},
}
#: One entry of ``installed`` of M(signed_certificates).
INSTALLED_OPTIONS: dict[str, t.Any] = {
    "requester": {"type": "str", "default": ""},
    "serial": {"type": "str", "required": True},
    "issuer": {"type": "str", "required": True},
    "not_before": {"type": "str", "default": ""},
    "authority_key_identifier": {"type": "str", "default": "", "no_log": False},
}


_LISTS = ("names", "reported_names", "extends", "address_ranges", "reasons")


def signing_request(options: dict[str, t.Any]) -> SigningRequest:
    """Return one entry of ``requests``, with its defaults, as the core takes it."""
    replaces = Replaced(**options["replaces"]) if options["replaces"] else None
    lists = {name: tuple(options[name]) for name in _LISTS}
    return SigningRequest(**{**options, **lists, "replaces": replaces})


# Every host answers to these, so no host owns them (nor the addresses of 127.0.0.0/8).
_LOOPBACK_NAMES = frozenset(
    "::1 localhost localhost.localdomain localhost6 localhost6.localdomain6 ip6-localhost".split()
)
_MOST_REPORTED = 50
# A host reports its addresses itself; a hostile one must not swell the ledger.
_MOST_NAMES = 256
# A revoked certificate is not checked by dockerd's own listener, so one that imitates it ends soon.
_REVOKED_LIFE = timedelta(days=1)
_EXPIRED_SINCE, _EXPIRED_LIFE = timedelta(minutes=1), timedelta(hours=1)
DEFAULT_BACKDATE = timedelta(minutes=5)


@dataclass(frozen=True)
class Replaced:
    """The certificate of another authority that a request would replace, as its host describes it."""

    serial: str
    issuer: str = ""
    authority_key_identifier: str = ""
    authority_fingerprint_sha256: str = ""


@dataclass(frozen=True)
class SigningRequest:
    """One request as the controller words it; ``validity`` is a duration such as ``365d``."""

    id: str
    authority: str
    profile: str
    request_content: str
    common_name: str
    names: tuple[str, ...]
    validity: str
    requester: str = ""
    reasons: tuple[str, ...] = ()
    #: To verify that an expired client is refused: the certificate ends before it is issued.
    expired: bool = False
    #: To verify that a revoked client is refused: the certificate gets the serial number that its authority revoked last. Where nothing was
    #: revoked, none is made.
    revoked: bool = False
    #: The generation that signs, to verify the admitted clients during a rotation; 0 is the issuing one.
    generation: int = 0
    #: Names that the host reports and the inventory does not declare; signed by the rule of ``reported``, otherwise left out.
    reported_names: tuple[str, ...] = ()
    #: The names of the inventory that a reported one may extend by a domain, and the address ranges chosen for the host.
    extends: tuple[str, ...] = ()
    address_ranges: tuple[str, ...] = ()
    #: Given where the certificate that is there may only be replaced if this CA knows its authority.
    replaces: Replaced | None = None

    @property
    def owner(self) -> str:
        return self.requester or self.id


@dataclass(frozen=True)
class Rules:
    """What holds for the whole batch: names that belong to a requester, names that several may have, and the backdate.

    ``predicting`` is check mode: requests without content and authorities that the run would have made are accepted.
    """

    reserved: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    backdate: timedelta = DEFAULT_BACKDATE
    predicting: bool = False
    #: Names that several requesters report of themselves, with those requesters: also such as are not in this batch.
    contested: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: By requester, the other requesters that are one machine with it.
    same_machine: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Approved:
    """A request that will be signed; ``public_key`` and ``authority`` are None only in a prediction.

    ``left_out``: reported names that the certificate will not have (``reported_names.LeftOut``). ``serial``: that of a revoked certificate, "" for a new one.
    """

    request: SigningRequest
    public_key: t.Any
    authority: store.StoredAuthority | None
    subject: names.SubjectNames
    not_before: datetime
    not_after: datetime
    left_out: tuple[t.Any, ...] = ()
    serial: str = ""


def make_rules(
    *,
    reserved: t.Mapping[str, t.Any],
    shared: t.Iterable[str],
    backdate: str,
    predicting: bool = False,
    contested: t.Mapping[str, t.Iterable[str]] | None = None,
    same_machine: t.Iterable[t.Sequence[str]] = (),
) -> Rules:
    """Return the rules from options. Names that no certificate can carry need no reservation and are left out.

    Raises TlsError ``duration-invalid`` for ``backdate``; ``0s`` is allowed.
    """
    groups = [tuple(map(str, group)) for group in same_machine]
    return Rules(
        reserved=_by_name(reserved),
        shared=frozenset(names.normalize_names(shared, "the shared name")),
        backdate=timedelta(0) if backdate.strip() == "0s" else _time.parse_duration(backdate, "backdate"),
        predicting=predicting,
        contested=_by_name(contested or {}),
        same_machine={one: tuple(other for other in group if other != one) for group in groups for one in group},
    )


def _by_name(given: t.Mapping[str, t.Any]) -> dict[str, frozenset[str]]:
    """Return requesters by name in canonical spelling: one name may be there in several."""
    found: dict[str, frozenset[str]] = {}
    for name, owners in given.items():
        if names.is_name(name):
            spelled = names.normalize_name(name)
            several = [owners] if isinstance(owners, str) else map(str, owners)
            found[spelled] = found.get(spelled, frozenset()) | frozenset(several)
    return found


def assess(
    requests: t.Sequence[SigningRequest], *, stored: store.Stored, rules: Rules, now: datetime
) -> tuple[list[Approved], dict[str, TlsError]]:
    """Return every good request as it will be signed, in order, and why each other one cannot be, by id.

    Whose the names are is not checked here (``name_ownership``). Raises TlsError ``request-duplicate``.
    """
    _check_ids(requests)
    approved: list[Approved] = []
    refused: dict[str, TlsError] = {}
    for request in requests:
        try:
            approved.append(_approve_one(request, stored, rules, now))
        except TlsError as error:
            refused[request.id] = error
    return approved, refused


def _check_ids(requests: t.Sequence[SigningRequest]) -> None:
    ids = [request.id for request in requests]
    if len(set(ids)) == len(ids):
        return
    doubles = sorted({one for one in ids if ids.count(one) > 1})
    raise TlsError(
        f"more than one request has the id {', '.join(doubles[:_MOST_REPORTED])}",
        hint="Make the ids differ.",
        code="request-duplicate",
    )


def _approve_one(request: SigningRequest, stored: store.Stored, rules: Rules, now: datetime) -> Approved:
    if request.profile not in ("server", "client"):
        raise TlsError(f"its profile is {request.profile!r}", hint="Use server or client.", code="profile-unknown")
    authority = _authority_for(request, stored, rules)
    if request.profile == "server":
        _check_machine(request, rules)
    if request.common_name or request.profile == "client":  # a server without one gets it from its names (``reported``)
        names.check_common_name(request.common_name)
    subject = names.SubjectNames(request.common_name, _names_of(request))
    is_leaving = authority is not None and _has_successor(authority, stored)
    begin, end = _times(request, authority, rules, now, is_leaving=is_leaving)
    if request.revoked:
        _check_imitation(request, end - now)
    public_key = None
    if request.request_content or not rules.predicting:
        public_key = signing.load_request(request.request_content, "its CSR").public_key()
    return Approved(request, public_key, authority, subject, begin, end)


def _check_imitation(request: SigningRequest, life: timedelta) -> None:
    if request.profile != "client" or life > _REVOKED_LIFE:
        raise TlsError(
            f"it asks for the serial number of a revoked certificate, with the profile {request.profile} and a validity of {request.validity}",
            hint="That is for the verification of a host only: use the profile client and a validity of at most 1d.",
            code="validity-too-long",
        )


def _check_machine(request: SigningRequest, rules: Rules) -> None:
    others = rules.same_machine.get(request.owner, ())
    if others:
        raise TlsError(
            f"{request.owner} and {', '.join(others)} are one and the same machine, and one directory can only hold one certificate: "
            "each run would replace that of the other",
            hint=f"Keep one of the inventory names {', '.join(sorted([request.owner, *others]))} and add the others to its "
            "docker_server_cert_names. For several daemons on one machine, give each its own docker_server_cert_path.",
            code="host-listed-twice",
        )


def _authority_for(request: SigningRequest, stored: store.Stored, rules: Rules) -> store.StoredAuthority | None:
    if store.purpose_of(request.authority) != request.profile:
        raise TlsError(
            f"the authority {request.authority!r} signs no {request.profile} certificates",
            hint="Server certificates come from the authority server, client certificates from an access group.",
            code="profile-mismatch",
        )
    if request.authority in stored:
        return _generation_for(request, stored[request.authority])
    if rules.predicting:
        return None
    groups = ", ".join(sorted(name for name in stored if name != store.SERVER)) or "none"
    raise TlsError(
        f"there is no authority {request.authority!r}; the access groups of this CA are: {groups}",
        hint="Correct the name, or add the group to the access groups of the CA.",
        code="authority-unknown",
    )


def _generation_for(request: SigningRequest, generations: t.Sequence[store.StoredAuthority]) -> store.StoredAuthority:
    if not request.generation:
        return store.issuing(generations)
    for one in generations:
        if one.generation == request.generation:
            return one
    raise TlsError(
        f"the authority {request.authority!r} has no generation {request.generation}; it has "
        f"{', '.join(one.id for one in generations)}",
        hint="Name one of them, or none for the one that signs.",
        code="authority-unknown",
    )


def _names_of(request: SigningRequest) -> tuple[str, ...]:
    count = len(request.names) + len(request.reported_names)
    if count > _MOST_NAMES:
        raise TlsError(
            f"it has {count} names; at most {_MOST_NAMES} are signed",
            hint="Name fewer (docker_server_cert_names, docker_server_cert_addresses).",
            code="names-too-many",
        )
    found = names.normalize_names(request.names)
    if request.profile == "client":
        return found or (names.client_identity(request.common_name),)
    if not found and not request.reported_names:
        raise without_names()
    identities = [name for name in found if name.startswith(names.CLIENT_PREFIX)]
    if identities:
        raise TlsError(
            f"{identities[0]} is a client's name, not a server's",
            hint="A server has host names and addresses.",
            code="name-invalid",
        )
    return found


def without_names() -> TlsError:
    """Return the error of a server request for which no name is left."""
    return TlsError(
        "it has no names",
        hint="A server needs a host name or an address: declare one in docker_server_cert_names (with the module itself, in names).",
        code="name-invalid",
    )


def _has_successor(authority: store.StoredAuthority, stored: store.Stored) -> bool:
    """Return whether a rotation is under way: a newer generation exists, which will sign for validities that this one cannot reach."""
    return any(one.generation > authority.generation for one in stored[authority.name])


def _times(
    request: SigningRequest, authority: store.StoredAuthority | None, rules: Rules, now: datetime, *, is_leaving: bool
) -> tuple[datetime, datetime]:
    """Return the validity: back-dated, but not before the authority begins; never longer than the authority."""
    begin = now - rules.backdate
    end = now + _time.parse_duration(request.validity, "validity")
    if request.expired:
        begin, end = now - _EXPIRED_LIFE, now - _EXPIRED_SINCE
    if authority is None:
        return begin, end
    last = authority.view.not_after
    if request.expired:  # even under an authority that was made a moment ago
        return min(max(begin, authority.view.not_before), end - _EXPIRED_SINCE), end
    if end > last > now and (authority.is_adopted or is_leaving):
        # Tutorials give a CA one year, so its certificates cannot be valid for a year; bootstrap warns of its end in every run. And in a
        # rotation away from a CA that ends soon, nothing may wait for a shorter validity: the next generation renews it.
        end = last
    if end > last:
        raise TlsError(
            f"its validity of {request.validity} goes beyond the authority {authority.id}, which ends "
            f"{_time.isoformat(last)}; the longest possible now is {_longest(last - now)}",
            hint="Ask for a shorter validity, or renew the authority first.",
            code="validity-too-long",
        )
    return max(begin, authority.view.not_before), end


def _longest(left: timedelta) -> str:
    seconds = max(int(left.total_seconds()), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def is_loopback(name: str) -> bool:
    """Return whether ``name``, in canonical spelling, means the host itself on every host."""
    return name in _LOOPBACK_NAMES or (name.startswith("127.") and name.replace(".", "").isdigit())


def refusal(requests: t.Sequence[SigningRequest], refused: t.Mapping[str, TlsError]) -> TlsError:
    """Return all problems of a batch as one error; its code is theirs where they share one, else ``requests-refused``."""
    problems = [(request, refused[request.id]) for request in requests if request.id in refused]
    reported = [f"{label(request)}: {error.message}" for request, error in problems[:_MOST_REPORTED]]
    if len(problems) > _MOST_REPORTED:
        reported.append(f"and {len(problems) - _MOST_REPORTED} more")
    hints = dict.fromkeys(error.hint for unused, error in problems[:_MOST_REPORTED] if error.hint)
    codes = {error.code for unused, error in problems}
    return TlsError(
        f"{len(problems)} of {len(requests)} requests cannot be signed, so none was: {'; '.join(reported)}",
        hint=" ".join(hints),
        code=codes.pop() if len(codes) == 1 else "requests-refused",
    )


def label(request: SigningRequest) -> str:
    """Return how messages call a request: its id, and its requester where that is another word."""
    return f"{request.id} ({request.requester})" if request.requester not in ("", request.id) else request.id
