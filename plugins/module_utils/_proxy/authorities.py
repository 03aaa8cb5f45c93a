# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client authorities as the proxy uses them: the names by which it recognizes access groups, and their revocation lists. Pure. |.

``ssl_c_i_dn`` without arguments writes every attribute as ``/<OpenSSL's short name>=<value>`` in the certificate's order, without any
escape (ssl_sock_get_dn_oneline, read in the source of 2.6 and 3.0). So two different names can be written alike, and only an issuer
that was verified counts: the chain was checked before, and a restricted authority must not permit authorities below it.
"""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._errors import TlsError
from .._pki import reader, revocation_list

#: OpenSSL's short names (obj_dat.h) of the attributes that occur in names of authorities; others are refused.
_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "2.5.4.46": "dnQualifier",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}


def issuer_name(certificate: t.Any) -> str:
    """Return the subject of an authority as HAProxy's ``ssl_c_i_dn`` writes it for the clients below it.

    ``certificate`` is one of ``cryptography``. Raises TlsError ``proxy-issuer-unnamed`` where the name cannot be compared.
    """
    written = []
    for attribute in certificate.subject:
        short = _SHORT_NAMES.get(attribute.oid.dotted_string)
        value = attribute.value
        if short is None or not isinstance(value, str) or not value.isprintable():
            raise _unnamed(
                certificate, f"has the attribute {attribute.oid.dotted_string} with a value that cannot be compared"
            )
        written.append(f"/{short}={value}")
    if not written:
        raise _unnamed(certificate, "is empty")
    return "".join(written)


def _unnamed(certificate: t.Any, problem: str) -> TlsError:
    return TlsError(
        f"the name of the client authority {certificate.subject.rfc4514_string()!r} {problem}, so the proxy cannot distinguish its clients from others",
        hint="Give its access group to the listener dockerd or systemd, or create an authority for the group with this collection.",
        code="proxy-issuer-unnamed",
    )


def kept_lists(
    failures: t.Mapping[str, t.Any], authorities: t.Mapping[str, str], installed: str | bytes
) -> tuple[str, ...]:
    """Return the installed lists (PEM) of the access groups that keep theirs.

    In: by group why its lists could not be renewed (``msg``, ``hint``, ``code``), and its authorities (PEM). Raises TlsError with that failure
    where an authority has no list here: HAProxy would refuse all clients of it.
    """
    found = []
    for group, failure in failures.items():
        for authority in reader.load_certificates(authorities.get(group, ""), f"the authorities of {group}"):
            own = [one.content for one in _readable(installed) if revocation_list.is_by(one, authority)]
            if not own:
                raise TlsError(str(failure["msg"]), hint=str(failure["hint"]), code=str(failure["code"]))
            found += own
    return tuple(dict.fromkeys(found))


def together(content: str, kept: t.Sequence[str], installed: str | bytes) -> str:
    """Return the new lists and the kept ones as PEM; as they are installed, where they are the same ones in another order."""
    if not kept:
        return content
    new = [one.content for one in revocation_list.read_lists(content, "the revocation lists")] + list(kept)
    present = [one.content for one in _readable(installed)]
    return "".join(f"{one.strip()}\n" for one in (present if sorted(new) == sorted(present) else new))


def check_crl(
    content: str, anchors: str | bytes, installed: str | bytes, now: datetime, kept: t.Container[str] = ()
) -> None:
    """Check the revocation lists that a host is given.

    In: ``content``, the new ones ("" for none); ``anchors``, all client authorities of the host; ``installed``, the lists that it has; ``now``
    by its own clock; ``kept``, the result of ``kept_lists``, of which some may have ended. All PEM. Raises TlsError with the codes of
    ``revocation_list.check_lists`` and ``check_replacement``, and ``crl-dropped``
    where the host would have no lists any more although one of them revokes something.
    """
    if not anchors:  # in check mode, before the first run has made the authorities
        return
    old = _readable(installed)
    if content.strip():
        new = revocation_list.check_lists(content, anchors, now, kept=kept)
        revocation_list.check_replacement(old, new, _expiring(new, reader.load_certificates(anchors, "the anchors")))
        return
    trusted = {reader.name_text(one.subject) for one in reader.load_certificates(anchors, "the client authorities")}
    dropped = sorted(one.issuer for one in old if one.serials and one.issuer in trusted)
    if dropped:
        raise TlsError(
            f"the revocation list of {dropped[0]} would be removed from this host, and the clients that it revokes would be admitted again",
            hint="HAProxy needs the lists of all admitted groups or none, and one of them has none (another issuer, or an adopted CA that may sign "
            "no lists). Take that group out of docker_daemon_access_groups, or run portcullis.docker_tls.rotate_ca for the other.",
            code="crl-dropped",
        )


def expire(content: str, anchors: t.Iterable[t.Any]) -> bool:
    """Return whether one of the lists in ``content`` ends before its authority, as those of other issuers do."""
    return bool(_expiring(revocation_list.read_lists(content, "the revocation lists"), anchors))


def _expiring(lists: t.Iterable[revocation_list.RevocationList], anchors: t.Iterable[t.Any]) -> set[str]:
    """Return the issuers of lists that end before their authority."""
    known = list(anchors)
    return {
        one.issuer
        for one in lists
        for authority in known
        if revocation_list.is_by(one, authority) and not revocation_list.outlives(one, authority)
    }


def describe(installed: str | bytes) -> list[dict[str, t.Any]]:
    """Return what M(endpoint) reports of lists in PEM: issuer, number, and how many certificates each revokes."""
    return [{"issuer": one.issuer, "number": one.number, "revoked": len(one.serials)} for one in _readable(installed)]


def _readable(installed: str | bytes) -> list[revocation_list.RevocationList]:
    """Lists that cannot be read are in force nowhere."""
    try:
        return revocation_list.read_lists(installed, "the installed revocation lists")
    except TlsError:
        return []
