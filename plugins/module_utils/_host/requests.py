# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys and signing requests of a host, also for keys that something else makes.

It is read on the host and never leaves it. Another user who can read it could pose as the host to its clients, so it has to be private.

The live key is never touched here. A new key is made beside it (``<key_path>.new``) and waits there for its
certificate; a run that was cut off finds it again.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .._errors import TlsError
from .._files import ensure_directory, write_atomic
from .._pki import keys, reader, renewal, signing, verify
from .._time import isoformat, parse_duration, parse_renew_before, parse_renew_jitter
from . import request_names
from .file_owner import Owner, acting_as, check_directory, expand_path, owner_of_place, read_regular, resolve_owner
from .request_names import Host, machine_of, wanted_names


@dataclass(frozen=True)
class KeySource:
    """The key as PEM, its type and the fingerprint of its public half."""

    data: bytes = field(repr=False)
    key_type: str
    fingerprint: str


def read_key_source(path: str, owner: Owner, what: str) -> KeySource | None:
    """Return the key at ``path``, None for no path. ``what`` is the request that it is for.

    Raises TlsError ``key-source-unusable`` where it is missing, not private to ``owner``, encrypted, or of a type that is not supported.
    """
    if not path:
        return None
    place = expand_path(path, owner, "key_source_path")
    with acting_as(owner):
        try:
            data = read_regular(place, private_to=owner.uid)
        except TlsError as error:
            raise _unusable(what, error.message) from error
    if data is None:
        raise _unusable(what, f"there is no {place}")
    try:
        key = keys.load_private_key(data, what=place)
        public_key = key.public_key()
    except TlsError as error:
        raise _unusable(what, error.message) from error
    key_type = keys.key_type_of(public_key)
    if key_type not in keys.KEY_TYPES:
        raise _unusable(what, f"{place} is a key of the type {key_type}; supported are {', '.join(keys.KEY_TYPES)}")
    return KeySource(keys.encode_private_key(key), key_type, keys.public_key_fingerprint(public_key))


def _unusable(what: str, problem: str) -> TlsError:
    return TlsError(
        f"the key for {what}, which is made elsewhere, cannot be used: {problem}",
        hint="Put an unencrypted private key in PEM form there, owned by the account that the certificate is for (root for a Docker host), mode 0600; "
        "or take key_path out of the files of the issuer, and the host makes its own key.",
        code="key-source-unusable",
    )


PENDING_SUFFIX = ".new"
AUTHORITIES = "ca.pem"
_ANY_LIFETIME = timedelta(days=36500)


@dataclass(frozen=True)
class Identity:
    """One request, resolved: absolute paths, an account, and canonical names."""

    id: str
    key_path: str
    certificate_path: str
    owner: Owner
    wanted: renewal.Wanted
    #: The CA of ours that signs; with another issuer, the anchors that its certificates lead to. Empty where it is yet to be made.
    authorities: tuple[t.Any, ...]
    validity: timedelta | None
    #: The key that something else has made for it.
    source: KeySource | None = None
    #: Stands for this machine and ``key_path``; "" where the machine cannot be distinguished from others.
    machine: str = ""

    @property
    def pending_key_path(self) -> str:
        """Return where a new key waits for its certificate."""
        return self.key_path + PENDING_SUFFIX


@dataclass(frozen=True)
class Plan:
    """An identity with its present state and the decision."""

    identity: Identity
    existing: renewal.Existing
    decision: renewal.Decision
    warnings: tuple[str, ...]
    text: str
    #: Of the certificate of the authority that signed the present one, where that is another authority and its certificate is available.
    authority_fingerprint: str = ""


def plan_requests(requests: t.Sequence[t.Mapping[str, t.Any]], host: Host, now: datetime) -> list[Plan]:
    """Return a plan for each of the module's ``requests``; nothing is changed.

    Raises one TlsError with the problems of all requests (its code is that of the first).
    """
    _check_unique(requests)
    plans, errors = [], []
    for request in requests:
        try:
            plans.append(_plan(_resolve(request, host), now))
        except TlsError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise TlsError(
            f"{len(errors)} requests cannot be made: " + "; ".join(error.message for error in errors),
            hint=errors[0].hint,
            code=errors[0].code,
        )
    return plans


def _check_unique(requests: t.Sequence[t.Mapping[str, t.Any]]) -> None:
    for option in ("id", "key_path"):
        values = [request[option] for request in requests]
        doubles = sorted({value for value in values if values.count(value) > 1})
        if doubles:
            raise TlsError(
                f"two requests have the same {option}: {', '.join(doubles)}",
                hint="Give each request its own.",
                code="request-duplicate",
            )


def _resolve(request: t.Mapping[str, t.Any], host: Host) -> Identity:
    keys.check_key_type(request["key_type"], f"key_type of {request['id']!r}")
    owner = resolve_owner(request["owner"] or "", request["group"] or "")
    authorities: tuple[t.Any, ...] = ()
    if request["authority_content"].strip():
        what = f"authority_content of {request['id']!r}"
        authorities = tuple(reader.load_certificates(request["authority_content"], what))
    validity = _checked_validity(request)
    key_path = expand_path(request["key_path"], owner, "key_path")
    if not request["owner"] and request["profile"] == "client":
        owner = owner_of_place(os.path.dirname(key_path), owner)
    source = read_key_source(request["key_source_path"], owner, repr(request["id"]))
    named = wanted_names(request, host)
    wanted = renewal.Wanted(
        profile=request["profile"],
        subject=named.subject,
        reported_names=named.reported,
        chosen_common_name=named.chosen,
        key_type=source.key_type if source else request["key_type"],
        authority=reader.view_certificate(authorities[0]) if authorities else None,
        external=request["external_issuer"],
        renew_before=request["renew_before"],
        force=request["force"],
        jitter=request["renew_jitter"],
        jitter_name=f"{request['renew_jitter_name'] or host.fqdn}/{request['id']}",
    )
    return Identity(
        id=request["id"],
        key_path=key_path,
        certificate_path=expand_path(request["certificate_path"], owner, "certificate_path"),
        owner=owner,
        wanted=wanted,
        authorities=authorities if request["external_issuer"] else authorities[:1],
        validity=validity,
        source=source,
        machine=machine_of(host, key_path),
    )


def _checked_validity(request: t.Mapping[str, t.Any]) -> timedelta | None:
    """Return the validity, None for no text. A renewal that is due from the first day on would issue, and restart dockerd, in every run."""
    what = f"of {request['id']!r}"
    validity = parse_duration(request["validity"], f"validity {what}") if request["validity"] else None
    # Read here whatever the validity, so that a message has the request's name.
    before = parse_renew_before(request["renew_before"], validity or _ANY_LIFETIME, f"renew_before {what}")
    parse_renew_jitter(request["renew_jitter"], validity or _ANY_LIFETIME, f"renew_jitter {what}")
    if validity is not None and before >= validity:
        raise TlsError(
            f"renew_before ({request['renew_before']}) {what} is not shorter than its validity ({request['validity']})",
            hint="Every run would make a new certificate. Use a shorter renew_before, or a fraction such as 1/3.",
            code="renew-before-too-long",
        )
    return validity


def _plan(identity: Identity, now: datetime) -> Plan:
    with acting_as(identity.owner):
        certificate_data = _read(identity.certificate_path)
        key_data = _read(identity.key_path)
    existing = observe(identity, certificate_data, key_data)
    decision = renewal.decide(identity.wanted, existing, now)
    text = _text(identity, existing, decision, now) if decision.action == "issue" else ""
    fingerprint = _authority_fingerprint(identity, certificate_data) if "authority-changed" in decision.reasons else ""
    return Plan(identity, existing, decision, tuple(_warnings(identity, existing, decision, now)), text, fingerprint)


def _text(identity: Identity, existing: renewal.Existing, decision: renewal.Decision, now: datetime) -> str:
    from .._pki import renewal  # only what changes pays for its import

    end = now + identity.validity if identity.validity is not None else None
    text = renewal.plan_text(identity.wanted, existing, decision.reasons, end)
    if identity.wanted.profile == "client":
        return f"client {identity.id}: {text}"
    return text if identity.id == "server" else f"{identity.id}: {text}"


def _authority_fingerprint(identity: Identity, certificate_data: bytes | None) -> str:
    """Return the fingerprint of the authority in the ca.pem beside the certificate, "" where it is not that one."""
    with acting_as(identity.owner):
        data = _read(os.path.join(os.path.dirname(identity.certificate_path), AUTHORITIES))
    try:
        certificate = reader.load_certificate(certificate_data or b"", identity.certificate_path)
        chain = reader.load_certificates(certificate_data or b"", identity.certificate_path)[1:]
        path = verify.path_to(certificate, chain, reader.load_certificates(data or b"", AUTHORITIES))
        return reader.view_certificate(path[-1], AUTHORITIES).fingerprint_sha256 if path else ""
    except TlsError:
        return ""


def _read(path: str) -> bytes | None:
    """Return the bytes of ``path``, None where it is missing, b"" where it cannot be read: then it is replaced."""
    try:
        return read_regular(path)
    except TlsError:
        return b""


def observe(identity: Identity, certificate_data: bytes | None, key_data: bytes | None) -> renewal.Existing:
    """Return the content of the two files, as far as it can be read."""
    problems = []
    view, fingerprint, key_type = None, None, None
    asked = request_names.recorded(key_data or b"")
    if certificate_data is not None:
        try:
            certificate = reader.load_certificate(certificate_data, identity.certificate_path)
            view = reader.view_certificate(certificate, identity.certificate_path)
            if identity.authorities and not verify.leads_to(
                certificate, _chain(identity, certificate_data), identity.authorities
            ):
                problems.append("authority-changed")
        except TlsError:
            problems.append("certificate-unreadable")
    if key_data is not None:
        try:
            public_key = keys.load_private_key(key_data, what=identity.key_path).public_key()
            fingerprint, key_type = keys.public_key_fingerprint(public_key), keys.key_type_of(public_key)
        except TlsError:
            problems.append("key-unreadable")
    if identity.source is not None and fingerprint is not None and fingerprint != identity.source.fingerprint:
        problems.append("key-replaced")
    left_out = asked.difference(view.names) if view is not None else frozenset()
    return renewal.Existing(view, fingerprint, key_type, tuple(problems), left_out)


def _chain(identity: Identity, data: bytes) -> list[t.Any]:
    """Return the permitted intermediates between a certificate and its authority: none with a CA of ours, which signs itself."""
    return reader.load_certificates(data, identity.certificate_path)[1:] if identity.wanted.external else []


def _warnings(
    identity: Identity, existing: renewal.Existing, decision: renewal.Decision, now: datetime
) -> t.Iterator[str]:
    if "key-mismatch" in decision.reasons:
        yield (
            f"{identity.key_path} does not belong to {identity.certificate_path}: "
            "both are replaced by a new key and its certificate."
        )
    if "not-yet-valid" in decision.reasons and existing.certificate is not None:
        yield (
            f"{identity.certificate_path} is valid only from {isoformat(existing.certificate.not_before)} on, and this host's clock is at "
            f"{isoformat(now)}: if the clock is wrong, a new certificate does not help."
        )


def ensure(plans: t.Sequence[Plan], *, check_mode: bool = False) -> dict[str, t.Any]:
    """Make a key and a request for each plan that is due (none in check mode), and return the module's result: ``plan``
    (one line for each identity that changes), ``requests``, ``warnings``.

    Raises TlsError as ``prepare``.
    """
    reported = []
    for plan in plans:
        due = plan.decision.action == "issue" and not check_mode
        reported.append(report(plan, prepare(plan).decode("ascii") if due else ""))
    warnings = [warning for plan in plans for warning in plan.warnings]
    return {"plan": texts(plans), "requests": reported, "warnings": warnings}


def prepare(plan: Plan) -> bytes:
    """Make sure that the key waits at ``<key_path>.new``, a new one of the wanted type or that of the source, and return the request (PEM) for it.

    The directory is made (0700) where it is missing. Raises TlsError ``directory-unusable``, ``file-unwritable``.
    """
    identity = plan.identity
    check_directory(os.path.dirname(identity.key_path), identity.owner)
    with acting_as(identity.owner):
        data = _pending_key(identity, plan.existing.key_fingerprint)
    reported = identity.wanted.reported_names
    if data is None or request_names.recorded(data) != reported:
        data = data or _new_key(identity)
        data = request_names.with_record(data, reported)
        with acting_as(identity.owner):
            directory = os.path.dirname(identity.key_path)
            if not os.path.isdir(directory):
                ensure_directory(directory, 0o700, gid=identity.owner.gid)
            write_atomic(identity.pending_key_path, data, 0o600, gid=identity.owner.gid)
    key = keys.load_private_key(data, what=identity.pending_key_path)
    return signing.build_request(key, identity.wanted.subject)


def _new_key(identity: Identity) -> bytes:
    if identity.source is not None:
        return identity.source.data
    return keys.encode_private_key(keys.generate_private_key(identity.wanted.key_type))


def _pending_key(identity: Identity, live_fingerprint: str | None) -> bytes | None:
    """Return the key that waits, if it is of the wanted type, new, and no other user could have read or planted it."""
    try:
        data = read_regular(identity.pending_key_path, private_to=identity.owner.uid)
        if data is None:
            return None
        public_key = keys.load_private_key(data, what=identity.pending_key_path).public_key()
    except TlsError:
        return None
    fingerprint = keys.public_key_fingerprint(public_key)
    if identity.source is not None:
        return data if fingerprint == identity.source.fingerprint else None
    if fingerprint == live_fingerprint:
        return None
    return data if keys.key_type_of(public_key) == identity.wanted.key_type else None


def report(plan: Plan, request_content: str) -> dict[str, t.Any]:
    """Return the plan as the module reports it."""
    wanted, certificate = plan.identity.wanted, plan.existing.certificate
    return {
        "id": plan.identity.id,
        "profile": wanted.profile,
        "action": plan.decision.action,
        "reasons": list(plan.decision.reasons),
        "renew_at": isoformat(plan.decision.renew_at) if plan.decision.renew_at is not None else None,
        "request_content": request_content,
        "common_name": wanted.subject.common_name,
        "names": list(wanted.subject.names),
        "key_type": wanted.key_type,
        "machine": plan.identity.machine,
        "key_path": plan.identity.key_path,
        "certificate_path": plan.identity.certificate_path,
        "certificate": certificate.to_dict() if certificate is not None else None,
        "authority_fingerprint_sha256": plan.authority_fingerprint,
        "external_issuer": wanted.external,
    }


def texts(plans: t.Sequence[Plan]) -> list[str]:
    """Return one line for each identity that changes: what becomes of its certificate, and why; never a key."""
    return [plan.text for plan in plans if plan.text]
