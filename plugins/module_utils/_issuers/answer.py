# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Orders at other issuers and their answers, checked against the request; and the issuer whose answers are files. |.

Names, profile and validity are the controller's words. Of the CSR only the public key counts here; an engine that takes the names
from the CSR is asked only where they are the same (``check_request_names``).

The certificates of the answer may be in any order and hold the anchor too: only the leaf and what leads from it to an anchor is
passed on, so that a server sends a chain that is as short as it can be (RFC 8446 §4.4.2: the root may be left out).

For a CA that is asked by hand or by another tool (Microsoft AD CS, a ticket, ``openssl ca``). A request ``web1-server.csr`` lies there
until ``web1-server.pem``, the leaf with its intermediates, is put beside it; the next run takes it. The private key stays on its host.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .. import _files
from .._ca import ledger, name_ownership, policy
from .._errors import TlsError
from .._host import file_owner
from .._pki import keys, names, reader, signing, verify
from .._pki.compat import x509
from .._text_table import clean
from .._time import isoformat, parse_duration, parse_renew_before


@dataclass(frozen=True)
class Order:
    """One certificate to issue. ``authority`` is ``server`` or the access group, which selects the issuer."""

    id: str
    authority: str
    profile: str
    requester: str
    request_content: str
    public_key_fingerprint: str
    common_name: str
    names: tuple[str, ...]
    validity: timedelta
    renew_before: str
    #: The names that the CSR itself has, and the attributes of its subject; empty in a prediction.
    request_names: tuple[str, ...] = ()
    request_subject: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Approved:
    """Orders to be placed, why other requests were refused (by id), which reported names are left out, and warnings."""

    orders: tuple[Order, ...]
    refused: t.Mapping[str, TlsError]
    left_out: t.Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...]


def approve(
    requests: t.Sequence[policy.SigningRequest], renew_before: t.Mapping[str, str], rules: policy.Rules, now: datetime
) -> Approved:
    """Return the orders for ``requests``, by the same rules for names as the CA of the collection has, but for its ledger.

    In: ``renew_before`` by request id. Raises TlsError ``request-duplicate``.
    """
    # No authority of ours signs: the rules treat that as a prediction, and the missing CSR is refused here.
    approved, refused = policy.assess(requests, stored={}, rules=replace(rules, predicting=True), now=now)
    if not rules.predicting:
        for one in approved:
            if one.public_key is None:
                refused[one.request.id] = _without_request()
    found = ledger.EMPTY
    approved = [one for one in approved if one.request.id not in refused]
    refused.update(name_ownership.refusals(approved, found, rules, now))
    approved = [one for one in approved if one.request.id not in refused]
    settled, nameless = name_ownership.settle(approved, found, rules, now)
    refused.update(nameless)
    return Approved(
        tuple(_order(one, renew_before.get(one.request.id, "1/3")) for one in settled),
        refused,
        {one.request.id: tuple(each.name for each in one.left_out) for one in settled},
        tuple(name_ownership.warnings(settled)),
    )


def check_request_names(order: Order, engine: str) -> None:
    """Raise TlsError ``request-names-differ`` where the CSR has another subject or other names than the certificate may have.

    ``engine`` is the name in the message of the engine that would take the names from the CSR.
    """
    more = sorted(set(order.request_names) - set(order.names))
    missing = sorted(set(order.names) - set(order.request_names))
    if not more and not missing:
        _check_subject(order, engine)
        return
    parts = [f"also has {', '.join(more)}"] if more else []
    parts += [f"lacks {', '.join(missing)}"] if missing else []
    raise TlsError(
        f"the request of {order.requester} {' and '.join(parts)}, and {engine} takes the names from the request",
        hint="Add the names to docker_server_cert_names of the host that they belong to, or choose with docker_server_cert_addresses "
        "which addresses the host puts into its request.",
        code="request-names-differ",
    )


def _check_subject(order: Order, engine: str) -> None:
    allowed = {order.common_name.lower(), *(order.names if order.profile == "server" else ())}
    kinds = [kind for kind, _value in order.request_subject]
    if kinds != ["CN"] or order.request_subject[0][1].lower() not in allowed:
        subject = ", ".join(f"{kind}={clean(value)}" for kind, value in order.request_subject)
        raise TlsError(
            f"the request of {order.requester} has the subject {subject or 'without a name'!r} instead of CN={order.common_name}, and {engine} takes the "
            "subject from the request",
            hint="The roles make requests with the common name alone. Find out what has changed the request on that host; nothing was sent to the CA.",
            code="request-names-differ",
        )


def optional_names(order: Order) -> frozenset[str]:
    """Return names that a certificate may have beside those of the order: a client is known by its common name."""
    return names.client_spellings(order.common_name) if order.profile == "client" else frozenset()


def required_names(order: Order) -> tuple[str, ...]:
    """Return names that the certificate has to have: those of a server; a client is known by its common name."""
    return order.names if order.profile == "server" else ()


def _without_request() -> TlsError:
    return TlsError(
        "its CSR is missing",
        hint="Nothing was signed. Run the play again, so that the host makes a new request.",
        code="request-invalid",
    )


def _order(one: policy.Approved, renew_before: str) -> Order:
    request = one.request
    asked: tuple[str, ...] = ()
    subject: tuple[tuple[str, str], ...] = ()
    fingerprint = ""
    if one.public_key is not None:
        fingerprint = keys.public_key_fingerprint(one.public_key)
        loaded = signing.load_request(request.request_content, "its CSR")
        asked = reader.request_names(loaded)
        subject = tuple((each.rfc4514_attribute_name, str(each.value)) for each in loaded.subject)
    return Order(
        id=request.id,
        authority=request.authority,
        profile=request.profile,
        requester=request.owner,
        request_content=request.request_content,
        public_key_fingerprint=fingerprint,
        common_name=one.subject.common_name,
        names=one.subject.names,
        validity=parse_duration(request.validity, "validity"),
        renew_before=renew_before,
        request_names=asked,
        request_subject=subject,
    )


_MOST_CERTIFICATES = 10
_MOST_CHARACTERS = 262_144
_LEFT = "Nothing was installed; the former certificate stays in use."
#: A shorter part of the requested validity makes a warning.
_SHORTENED = 0.9


@dataclass(frozen=True)
class Accepted:
    """A certificate that may be installed: leaf and intermediates as PEM, the anchor that it leads to, and what to warn of."""

    order: Order
    view: reader.CertificateView
    certificate_content: str
    authority_content: str
    warnings: tuple[str, ...] = ()


def load_anchors(text: str, what: str) -> list[x509.Certificate]:
    """Return the certificates of an option of anchors; each has to be a CA. Raises TlsError ``anchor-unsuitable``, ``certificate-unreadable``."""
    anchors = reader.load_certificates(text, what)
    for anchor in anchors:
        view = reader.view_certificate(anchor, f"a certificate in {what}")
        if not view.is_authority:
            raise TlsError(
                f"{what} has the certificate {view.subject}, which is not the certificate of a CA",
                hint="Write the root or intermediate certificates that your issuer's certificates lead to, not a host's own certificate.",
                code="anchor-unsuitable",
            )
    return anchors


def accept(
    order: Order, answer: str, anchors: t.Sequence[x509.Certificate], now: datetime, *, issuer: str, usage_hint: str
) -> Accepted:
    """Return the certificates of ``answer`` (PEM) to install, the answer to ``order``.

    In: ``issuer`` names the issuer in messages; ``usage_hint`` names which of its settings decides about the usage of a
    certificate. Raises TlsError ``issued-certificate-wrong`` with every fault, or ``certificate-unreadable``.
    """
    what = f"the certificate from {issuer}"
    leaf, others = _leaf_and_others(order, answer, what)
    view = verify.check_issued(
        leaf,
        public_key_fingerprint=order.public_key_fingerprint,
        names=required_names(order),
        optional_names=optional_names(order),
        common_name=order.common_name if order.profile == "client" else None,
        profile=order.profile,
        authority=anchors,
        now=now,
        minimum_life=timedelta(0),
        chain=others,
        what=what,
        hint=f"{_LEFT} {_advice(leaf, order, usage_hint, now)}",
    )
    _check_server_name(view, order, what)
    _check_life(view, order, now, what)
    *path, anchor = t.cast("list[x509.Certificate]", verify.path_to(leaf, others, anchors))
    _check_path([*path, anchor], order, now, what)
    return Accepted(
        order,
        view,
        "".join(map(reader.certificate_pem, path)),
        reader.certificate_pem(anchor),
        tuple(_warnings(view, order, now, issuer)),
    )


def concerns_all(order: Order, answer: str, anchors: t.Sequence[x509.Certificate]) -> bool:
    """Return whether ``answer`` has a fault that comes from the settings of the issuer, so that every further certificate would have it.

    That is a wrong usage, and an issuing CA that leads to none of ``anchors``. Names and dates may be wrong for one request alone.
    """
    try:
        leaf, others = _leaf_and_others(order, answer, "the answer")
        view = reader.view_certificate(leaf)
    except TlsError:
        return True
    return _has_wrong_usage(view, order) or not verify.leads_to(leaf, others, anchors)


def _leaf_and_others(order: Order, answer: t.Any, what: str) -> tuple[x509.Certificate, list[x509.Certificate]]:
    certificates = _certificates(order, answer, what)
    leaf = next(
        (one for one in certificates if public_key_fingerprint_of(one) == order.public_key_fingerprint), certificates[0]
    )
    return leaf, [one for one in certificates if one != leaf]


def _has_wrong_usage(view: reader.CertificateView, order: Order) -> bool:
    wanted = "serverAuth" if order.profile == "server" else "clientAuth"
    return view.is_authority or set(view.extended_key_usages) != {wanted}


def _certificates(order: Order, answer: t.Any, what: str) -> list[x509.Certificate]:
    if not isinstance(answer, str) or len(answer) > _MOST_CHARACTERS:
        raise _wrong(
            order, what, "it is not a text of certificates in PEM form", "Check what answers at the issuer's address."
        )
    found = reader.load_certificates(answer, f"{what} for {order.requester}")
    if len(found) > _MOST_CERTIFICATES:
        raise _wrong(
            order, what, f"the answer has {len(found)} certificates", f"At most {_MOST_CERTIFICATES} make a chain."
        )
    return found


def public_key_fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the fingerprint of a certificate's key, "" for a kind of key that cannot be the request's."""
    try:
        return keys.public_key_fingerprint(certificate.public_key())
    except (TlsError, ValueError, TypeError):
        return ""


def _advice(leaf: x509.Certificate, order: Order, usage_hint: str, now: datetime) -> str:
    """Return the hint: the engine's own setting where the usage is wrong, the clock, else that the issuer's settings decide."""
    view = reader.view_certificate(leaf)
    if _has_wrong_usage(view, order):
        wanted = "serverAuth" if order.profile == "server" else "clientAuth"
        return (
            f"A {order.profile} certificate must have {wanted} and no other usage: a server certificate that is also a client's would make "
            f"every host root on every other. {usage_hint}"
        )
    if view.not_before > now:
        return "Set the clocks of the issuer and of the machine that runs Ansible by the same time source, then run the play again."
    return "Check the issuer's settings: which names it allows, whether it takes them from the request, how long its certificates live."


def _check_server_name(view: reader.CertificateView, order: Order, what: str) -> None:
    """A server's common name is one of its names, or left out (ACME does)."""
    if (
        order.profile == "server"
        and view.common_name
        and view.common_name.lower() not in {*order.names, order.common_name.lower()}
    ):
        raise _wrong(
            order, what, f"its common name {view.common_name!r} is not one of its names", "Check the issuer's settings."
        )


def _check_life(view: reader.CertificateView, order: Order, now: datetime, what: str) -> None:
    """Refuse a certificate that would be due at once: every run would ask for a new one, and restart dockerd."""
    life = view.not_after - view.not_before
    due = view.not_after - parse_renew_before(order.renew_before, life)
    if due <= now:
        raise _wrong(
            order,
            what,
            f"it ends {isoformat(view.not_after)}, and with renew_before {order.renew_before} it is due for renewal at once",
            "Have the issuer make certificates that live longer, or choose a shorter renew_before, best a fraction of the lifetime such as 1/3.",
        )


def _check_path(path: t.Sequence[x509.Certificate], order: Order, now: datetime, what: str) -> None:
    """Refuse a path over an intermediate or to an anchor that is not valid now: clients would refuse it."""
    for certificate in path[1:]:
        view = reader.view_certificate(certificate, "a certificate of the chain")
        if not view.not_before <= now < view.not_after:
            dates = f"from {isoformat(view.not_before)} until {isoformat(view.not_after)}"
            raise _wrong(
                order,
                what,
                f"it leads over {view.subject}, which is valid {dates}",
                "Renew that CA, or correct the clock.",
            )


def _warnings(view: reader.CertificateView, order: Order, now: datetime, issuer: str) -> t.Iterator[str]:
    left = view.not_after - now
    if left < order.validity * _SHORTENED:
        yield (
            f"life-shortened: {issuer} made the certificate of {order.requester} end {isoformat(view.not_after)}; asked for were "
            f"{_days(order.validity)}. Its own limit counts; write it as the validity to be rid of this warning."
        )


def _days(length: timedelta) -> str:
    return f"{length.days}d" if length >= timedelta(days=1) else f"{int(length.total_seconds() // 60)}m"


def _wrong(order: Order, what: str, problem: str, hint: str) -> TlsError:
    return TlsError(
        f"{what} for {order.requester} cannot be used: {problem}",
        hint=f"{_LEFT} {hint}",
        code="issued-certificate-wrong",
    )


#: Options of the issuer, as ``argument_spec``.
OPTIONS: dict[str, t.Any] = {
    "directory": {"type": "path", "required": True},
    # Keys that something else makes are on the host: certificate_requests reads them there.
    "key_path": {"type": "str", "default": "", "no_log": False},
}
_OTHER = re.compile(r"[^A-Za-z0-9_.@-]+")


@dataclass(frozen=True)
class Settings:
    """Where requests and certificates are."""

    directory: str


def settings_from(options: t.Mapping[str, t.Any], what: str) -> Settings:
    """Return the settings of ``what``, checked. Raises TlsError ``issuer-settings-invalid``."""
    directory = os.path.expanduser(str(options["directory"]))
    if not os.path.isabs(directory):
        raise TlsError(
            f"directory of {what} is {options['directory']!r}, which is not an absolute path",
            hint="Write it as /srv/docker-certificates, ~/docker-certificates or {{ playbook_dir }}/certificates.",
            code="issuer-settings-invalid",
        )
    return Settings(directory)


def place(orders: t.Sequence[Order], settings: Settings) -> dict[str, str | TlsError]:
    """Return, by id, the certificates that lie there for the keys of ``orders``; where there is none, leave the request.

    An order without its certificate has TlsError ``certificate-awaited``; one whose files cannot be read or written ``file-unreadable``,
    ``file-unwritable`` or ``certificate-unreadable``.
    """
    found: dict[str, str | TlsError] = {}
    for order in orders:
        try:
            found[order.id] = _place(order, settings)
        except TlsError as error:
            found[order.id] = error
    return found


def _place(order: Order, settings: Settings) -> str:
    path = os.path.join(settings.directory, file_name(order))
    # Others write to this directory: a pipe there must not stop the run.
    data = file_owner.read_regular(f"{path}.pem")
    if data is not None:
        certificates = reader.load_certificates(data, f"{path}.pem")
        if any(public_key_fingerprint_of(one) == order.public_key_fingerprint for one in certificates):
            return data.decode("ascii", "replace")
    if file_owner.read_regular(f"{path}.csr") != order.request_content.encode("ascii"):
        if not os.path.isdir(settings.directory):
            _files.ensure_directory(settings.directory, 0o755)
        _files.write_atomic(f"{path}.csr", order.request_content.encode("ascii"), 0o644)
    stale = f" {path}.pem is for another key, so it belongs to an older request." if data is not None else ""
    raise TlsError(
        f"its certificate is awaited: the request is in {path}.csr.{stale}",
        hint=f"Have the CA sign it, put the certificate and its intermediate certificates into {path}.pem, then run the play again. "
        "Until then the host keeps its certificate.",
        code="certificate-awaited",
    )


def file_name(order: Order) -> str:
    """Return the name of an order's files without their ending: the id, with everything unusual as a hyphen."""
    return _OTHER.sub("-", order.id).strip(".-") or "request"
