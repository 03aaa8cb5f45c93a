# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verification of a fleet as rows, as a table, as JSON."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime

from ...module_utils import _text_table
from ...module_utils._fleet import access_text
from ...module_utils._time import isoformat
from .._plan import access_lists
from . import reasons

Mapping = t.Mapping[str, t.Any]

#: Version of the document's form: fields are added without a new one.
SCHEMA = 1
Row = dict[str, t.Any]


def verification_rows(hosts: t.Iterable[str], hostvars: Mapping, access: t.Optional[Mapping] = None) -> list[Row]:
    """Return one row for each check of each host.

    In: inventory names and ``hostvars`` after the role docker_daemon ran with docker_daemon_verify: always; ``access`` is the result of
    M(authority_info) with the clients of the inventory, where revoked clients are included.
    Out: dicts with ``host``, ``seen_from`` (host or controller), ``check``, ``passed``, ``detail``.
    A host that could not be inspected has a row with the reason, and never counts as verified.
    """
    rows: list[Row] = []
    for host in hosts:
        rows += _rows_of(host, hostvars[host])
        if access is not None:
            rows += _access_rows(host, access, hostvars[host].get("docker_daemon_endpoint") or {})
    return rows


def _access_rows(host: str, access: Mapping, endpoint: Mapping) -> t.Iterator[Row]:
    """Yield whether a revoked client can still connect. Another check verifies that the host admits only authorities that the CA trusts.

    A host that is as the variables want it has the revocation lists of the CA, and refuses the certificates in them. ``endpoint``: result of M(endpoint).
    """
    if not access.get("compared"):
        why = _complaint(access) or "the CA's ledger could not be compared with the clients of the inventory"
        yield _row(host, "controller", "revoked-clients", False, why)
        return

    checked = [] if _due(endpoint) or endpoint.get("failed") else access_lists.checked_lists(endpoint)

    def here(key: str) -> list[Mapping]:
        return [one for one in access.get(key) or [] if one.get("trusted") and host in (one.get("hosts") or ())]

    still = [
        f"STILL ADMITS {one['client']}, which is revoked, by {one['generation']} until {one['not_after']}"
        for one in here("revoked")
        if not (one.get("listed") and one["generation"] in checked)
    ]
    yield _row(host, "controller", "revoked-clients", not still, "; ".join(still) or "every revoked client is shut out")
    for one in here("unlisted"):
        text = f"{access_text.what(one)} is admitted until {one['not_after']}: {access_text.why(one)}"
        yield _row(host, "controller", "unlisted-certificate", True, text)


def _rows_of(host: str, variables: Mapping) -> t.Iterator[Row]:
    endpoint, outside = variables.get("docker_daemon_endpoint") or {}, variables.get("docker_daemon_verification") or {}
    if not endpoint or endpoint.get("failed") or endpoint.get("unreachable"):
        yield _row(host, "host", "inspected", False, _complaint(endpoint) or "the host was not reached")
        return
    due = _due(endpoint)
    settled = (
        "as the variables want it" if not due else f"portcullis.docker_tls.site would change it ({reasons.words(due)})"
    )
    yield _row(host, "host", "configuration", not due, settled)
    for seen_from, checks in (("host", endpoint.get("verification")), ("controller", outside.get("checks"))):
        for check in checks or []:
            yield _row(host, seen_from, check["check"], bool(check["passed"]), check["detail"])
    if not outside.get("checks"):
        yield _row(host, "controller", "inspected", False, _not_inspected(endpoint, outside))


def _due(endpoint: Mapping) -> list[str]:
    """Return how a host differs from the variables. "Not verified" is not a difference, because this is the verification."""
    return [str(reason) for reason in endpoint.get("reasons") or [] if reason != "not-verified"]


def _not_inspected(endpoint: Mapping, outside: Mapping) -> str:
    there = endpoint.get("endpoint") or {}
    if "certificate" in there and not there["certificate"]:
        return "the host has no server certificate yet: run portcullis.docker_tls.site"
    return _complaint(outside) or "nothing was seen from the controller"


def _complaint(result: Mapping) -> str:
    """Return the message of a failed module with its hint."""
    return ". ".join(str(result[name]) for name in ("msg", "hint") if result.get(name))


def _row(host: str, seen_from: str, check: str, passed: bool, detail: str) -> Row:
    return {"host": host, "seen_from": seen_from, "check": check, "passed": passed, "detail": " ".join(detail.split())}


def verification_table(rows: t.Sequence[Row]) -> list[str]:
    """Return the rows as lines of text with aligned columns, and a last line that sums them up."""
    heads = ("", "HOST", "SEEN FROM", "CHECK", "DETAIL")
    cells = [
        ("ok" if row["passed"] else "FAILED", row["host"], row["seen_from"], row["check"], row["detail"])
        for row in rows
    ]
    return [*_text_table.align([heads, *cells]), summary(rows)]


def summary(rows: t.Sequence[Row]) -> str:
    """Return one sentence about all rows."""
    hosts = {row["host"] for row in rows}
    failed = {row["host"] for row in rows if not row["passed"]}
    if not rows:
        return "There is no host to verify."
    if failed:
        return f"NOT VERIFIED: {len(failed)} of {_count(len(hosts), 'host')} ({', '.join(sorted(failed))})."
    return f"Verified: {_count(len(rows), 'check')} on {_count(len(hosts), 'host')}, all passed."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def head(now: datetime, operator: str, version: str, authorities: Mapping, endpoints: Mapping) -> Row:
    """Return the head of the document: its form, when and by whom it was made, of which authorities and endpoints.

    In: the controller's user and host, the collection's version, RV(authorities) of M(authority_info) (empty where the CA could not be read), and
    the URL of each host's endpoint.
    """
    known = [
        {"name": name, "id": one.get("id"), "purpose": one.get("purpose"), "fingerprint_sha256": _fingerprint(one)}
        for name, one in sorted(authorities.items())
    ]
    return {
        "schema": SCHEMA,
        "generated": isoformat(now),
        "collection": {"name": "portcullis.docker_tls", "version": version},
        "operator": operator,
        "authorities": known,
        "endpoints": dict(sorted(endpoints.items())),
    }


def _fingerprint(authority: Mapping) -> str | None:
    return (authority.get("certificate") or {}).get("fingerprint_sha256")


def verification_json(rows: t.Sequence[Row], about: Mapping) -> str:
    """Return the rows as a JSON document; ``about`` is its ``head``."""
    verified = bool(rows) and all(row["passed"] for row in rows)
    return json.dumps({**about, "verified": verified, "summary": summary(rows), "checks": list(rows)}, indent=2) + "\n"
