# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of an issuer's answer, before anything of it reaches a host. The same for every issuer.

The certificates of the answer may be in any order and hold the anchor too: only the leaf and what leads from it to an anchor is
passed on, so that a server sends a chain that is as short as it can be (RFC 8446 §4.4.2: the root may be left out).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._errors import TlsError
from .._pki import keys, reader, verify
from .._pki.compat import x509
from .._time import isoformat, parse_renew_before
from .orders import Order, optional_names, required_names

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
