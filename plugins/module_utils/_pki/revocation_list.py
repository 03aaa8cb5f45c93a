# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificate revocation lists (RFC 5280 §5): made, read, and checked before all access depends on them.

OpenSSL, and so HAProxy, refuses *all* clients of an authority whose list is missing, has ended, has not begun, or is signed by another key
(measured, HAProxy 2.6 and 3.0). So a list lives as long as its authority, and ``check_lists`` comes before every installation.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._errors import TlsError
from .._time import isoformat
from . import compat, names, pem, reader
from .compat import serialization, x509

if t.TYPE_CHECKING:
    from .compat import PrivateKey

#: Hosts whose clock is behind by less than this accept a new list.
_BACKDATE = timedelta(days=1)
#: How long a list is good beyond the end of its authority.
_BEYOND = timedelta(days=1)
_HINT = "Let the CA sign it again: run the module authorities, or portcullis.docker_tls.site without --limit."


@dataclass(frozen=True)
class RevocationList:
    """A list as it was read. ``serials`` are those that it revokes; ``number`` is 0 where it has none."""

    issuer: str
    number: int
    this_update: datetime
    next_update: datetime | None
    serials: frozenset[int]
    content: str
    parsed: t.Any


def can_sign(authority: x509.Certificate) -> bool:
    """Return whether lists of this authority are accepted: OpenSSL asks for the key usage cRLSign, where there is one (RFC 5280 §4.2.1.3)."""
    usages = reader.view_certificate(authority).key_usages
    return not usages or "cRLSign" in usages


def sign_list(
    authority: x509.Certificate, key: PrivateKey, serials: t.Iterable[int], *, number: int, now: datetime
) -> str:
    """Return a list of ``authority`` as PEM that revokes ``serials``, good until after the authority's own end."""
    from .signing import hash_for  # hosts only read lists

    begin = max(now - _BACKDATE, compat.not_before(authority))
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(_naive(begin))
        .next_update(_naive(compat.not_after(authority) + _BEYOND))
        .add_extension(names.authority_key_identifier(authority), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial in sorted(serials):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_naive(begin)).build()
        builder = builder.add_revoked_certificate(entry)
    signed = builder.sign(t.cast(t.Any, key), hash_for(key))
    return signed.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _naive(moment: datetime) -> datetime:
    """``cryptography`` before 42 takes times without a zone only, in UTC."""
    return moment.replace(tzinfo=None, microsecond=0)


def read_lists(text: str | bytes, what: str) -> list[RevocationList]:
    """Return all lists of a PEM text. Raises TlsError ``crl-unreadable``."""
    found = []
    for block in pem.blocks(text, *pem.REVOCATION_LIST):
        try:
            found.append(_view(x509.load_pem_x509_crl(block), block.decode("ascii")))
        except compat.UNREADABLE as error:
            raise TlsError(
                f"a revocation list in {what} cannot be read: {error}", hint=_HINT, code="crl-unreadable"
            ) from error
    return found


def _view(parsed: t.Any, content: str) -> RevocationList:
    numbers = [each.value.crl_number for each in parsed.extensions if isinstance(each.value, x509.CRLNumber)]
    return RevocationList(
        issuer=reader.name_text(parsed.issuer),
        number=numbers[0] if numbers else 0,
        this_update=compat.this_update(parsed),
        next_update=compat.next_update(parsed),
        serials=frozenset(each.serial_number for each in parsed),
        content=content,
        parsed=parsed,
    )


def outlives(one: RevocationList, authority: x509.Certificate) -> bool:
    """Return whether a list is valid longer than its authority, as those of the CA of this collection are and no other issuer's."""
    return one.next_update is not None and one.next_update > compat.not_after(authority)


def is_by(one: RevocationList, authority: x509.Certificate) -> bool:
    """Return whether ``authority`` has signed the list."""
    return bool(one.parsed.issuer == authority.subject) and compat.signature_is_by(one.parsed, authority.public_key())


def check_lists(
    text: str | bytes,
    anchors: str | bytes,
    now: datetime,
    what: str = "the revocation lists",
    kept: t.Container[str] = (),
) -> list[RevocationList]:
    """Return the lists, one for each of ``anchors`` in their order, after all checks that keep clients from being locked out.

    In: both as PEM; ``now`` by the clock of the host that is to use them; ``kept``: contents of lists that are in use there already, and so may have
    ended (``_proxy.config`` has HAProxy check them after their end). Raises TlsError ``crl-unreadable``, ``crl-missing`` (an anchor has
    none), ``crl-foreign`` (one is of no anchor, or signed by another key), ``crl-ended``, ``crl-not-yet-valid``, ``crl-number-missing``,
    ``crl-unsuitable``.
    """
    lists = read_lists(text, what)
    found = []
    for authority in reader.load_certificates(anchors, "the client authorities"):
        name = reader.name_text(authority.subject)
        own = [one for one in lists if is_by(one, authority)]
        if not own:
            raise TlsError(
                f"{what} have none of the client authority {name}, so the proxy would refuse all its clients",
                hint=_HINT,
                code="crl-missing",
            )
        one = max(own, key=lambda each: each.number)
        if one.content not in kept:
            _check_times(one, now, what)
        _check_usable(one, authority, what)
        if not one.number:
            raise TlsError(
                f"the list of {name} in {what} has no number, so its age is unknown",
                hint=_HINT,
                code="crl-number-missing",
            )
        found.append(one)
    used = {one.content for one in found}
    foreign = [one for one in lists if one.content not in used]
    if foreign:
        raise TlsError(
            f"{what} have a list of {foreign[0].issuer} that no client authority of this host has signed, or an older one beside a newer one",
            hint=_HINT,
            code="crl-foreign",
        )
    return found


def _check_times(one: RevocationList, now: datetime, what: str) -> None:
    if one.next_update is None or one.next_update <= now:
        end = isoformat(one.next_update) if one.next_update else "has no end"
        raise TlsError(
            f"the list of {one.issuer} in {what} has ended ({end}), so the proxy would refuse all clients of that authority",
            hint=f"{_HINT} Check the clock of the host: it is {isoformat(now)} there.",
            code="crl-ended",
        )
    if one.this_update > now:
        raise TlsError(
            f"the list of {one.issuer} in {what} begins {isoformat(one.this_update)}, and it is {isoformat(now)} here; the proxy would refuse "
            "all clients of that authority until then",
            hint="Set the clock of the host.",
            code="crl-not-yet-valid",
        )


def _check_usable(one: RevocationList, authority: x509.Certificate, what: str) -> None:
    """Refuse a list with which OpenSSL would refuse all clients: of a CA that may sign none, or of a form that it does not know.

    That is a critical extension: a list of changes, an indirect list, or one for a part of the certificates (RFC 5280 §5.2.4, §5.2.5).
    """
    if not can_sign(authority):
        problem = "is of a CA without the key usage cRLSign"
    elif any(each.critical for each in one.parsed.extensions):
        problem = "is not a complete list: it has a critical extension"
    else:
        return
    raise TlsError(
        f"the list of {one.issuer} in {what} {problem}, so the proxy would refuse all clients of that authority",
        hint="Have the issuer make complete lists, signed by the CA itself and valid for all its certificates; or use none.",
        code="crl-unsuitable",
    )


def check_replacement(
    old: t.Iterable[RevocationList], new: t.Iterable[RevocationList], dropping: t.Container[str] = frozenset()
) -> None:
    """Refuse lists that would admit a revoked client again: with a lower number than the installed ones, or without one of their serials.

    ``dropping``: the issuers that remove expired certificates from their lists; of these only the number is compared.
    Raises TlsError ``crl-older``, ``crl-shrunk``. Lists of authorities that are in only one of both are not compared.
    """
    wanted = {one.issuer: one for one in new}
    for installed in old:
        one = wanted.get(installed.issuer)
        if one is None:
            continue
        if one.number < installed.number:
            raise TlsError(
                f"the revocation list of {one.issuer} is older (number {one.number}) than the installed one (number {installed.number})",
                hint="The CA directory, or the other issuer of this group, is an older state: restore its newest backup, then run again.",
                code="crl-older",
            )
        gone = [] if one.issuer in dropping else sorted(installed.serials - one.serials)
        if gone:
            raise TlsError(
                f"the revocation list of {one.issuer} lacks {len(gone)} certificates that the installed one revokes, the first with the serial {gone[0]:x}",
                hint="The CA's ledger lacks revocations: restore its newest backup, or revoke these clients again, then run again.",
                code="crl-shrunk",
            )
