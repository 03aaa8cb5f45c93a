# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate that the CA signed for a host, as one line of the summary.

Common name, names, issuer and end are those of the CA's answer, because a hostile host may report other values.
Of the host's words only the end of its old certificate and its reasons are shown.
"""

from __future__ import annotations

import re
import typing as t

from .._plan.host_reports import LOCAL_NAMES

Mapping = t.Mapping[str, t.Any]

_SUFFIX = "/server"
_SERVER = "server"
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}):[0-9]{2}Z")
_EXPECTED_END = re.compile(r"(: new certificate until |: certificate expires \S+ -> )([0-9][0-9T:Z-]*|a new one)")
_REASON = re.compile(r"[a-z]+(-[a-z]+){0,7}")


def by_host(result: Mapping) -> dict[str, Mapping]:
    """Return the server certificates in a result of M(signed_certificates), by inventory name."""
    found = result.get("certificates")
    entries = found.items() if isinstance(found, t.Mapping) else ()
    # In check mode a CA host without cryptography does not report them.
    named = {str(name): one for name, one in entries if isinstance(one, t.Mapping) and one.get("common_name")}
    return {name[: -len(_SUFFIX)]: one for name, one in named.items() if name.endswith(_SUFFIX)}


def server_request(result: Mapping) -> Mapping | None:
    """Return the state of a host's server certificate, None where the result has none.

    Whether the host was asked about a server's is the controller's word (``asked``).
    """
    entries = result.get("requests")
    if not result.get("asked") or not isinstance(entries, (list, tuple)):
        return None
    return next((entry for entry in entries if isinstance(entry, t.Mapping)), None)


def pending_line(request: Mapping) -> str:
    """Return the line for a certificate that is not signed yet."""
    old = _old_end(request)
    return f"{f'certificate expires {old[1]}' if old else 'new certificate'}{_reasons(request)}"


def signed_line(request: Mapping, signed: Mapping) -> str:
    """Return the line for a certificate that was, or in check mode would be, signed."""
    names = sorted(str(name) for name in signed.get("names") or () if name not in LOCAL_NAMES)
    parts = [
        _ends(_old_end(request), _TIME.fullmatch(str(signed.get("not_after") or ""))),
        f"CN {signed.get('common_name')}",
        *([f"SAN {' '.join(names)}"] if names else []),
        f"issuer {_issuer(signed)}",
    ]
    return f"{', '.join(parts)}{_reasons(request)}"


def with_end(line: str, not_after: str) -> str:
    """Return the line of a client's request with the end of the certificate that was signed, as exact as the one that was expected."""
    end, expected = _TIME.fullmatch(not_after), _EXPECTED_END.search(line)
    if end is None or expected is None:
        return line
    shown = f"{end[1]}T{end[2]}Z" if "T" in expected[2] else end[1]
    return f"{line[: expected.start(2)]}{shown}{line[expected.end(2) :]}"


def _issuer(signed: Mapping) -> str:
    """Return who signs: a generation, or in check mode an authority that the run would make first, which has none yet."""
    authority = str(signed.get("authority"))
    return f"the new authority {authority}" if authority == _SERVER and not signed.get("issuer") else authority


def _old_end(request: Mapping) -> re.Match[str] | None:
    certificate = request.get("certificate")
    return _TIME.fullmatch(str(certificate.get("not_after"))) if isinstance(certificate, t.Mapping) else None


def _ends(old: re.Match[str] | None, new: re.Match[str] | None) -> str:
    """Return when the old and the new certificate end; to the minute where they end on one day."""
    if old is None or new is None:
        return f"new certificate until {new[1]}" if new is not None else "new certificate"
    if old[1] == new[1]:
        return f"certificate expires {old[1]}T{old[2]}Z -> {new[1]}T{new[2]}Z"
    return f"certificate expires {old[1]} -> {new[1]}"


def _reasons(request: Mapping) -> str:
    reasons = [reason for reason in request.get("reasons") or () if _REASON.fullmatch(str(reason))]
    return f" ({', '.join(reasons)})" if reasons else ""
