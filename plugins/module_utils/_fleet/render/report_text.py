# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status report as JSON and as tables.

The keys are an interface for other programs: they are added to, not renamed.

Every line about something begins with its level, so that it can be searched for and coloured; a line that explains one
begins with blanks. Nothing from a host reaches the terminal as a control character.
"""

from __future__ import annotations

import functools
import json
import typing as t
from datetime import datetime

from ..._pki import der_name
from ..._pki.reader import CertificateView
from ..._text_table import align, clean
from ..._time import isoformat
from .. import advice, assess_host, certificate_checks
from ..model import (
    NOT_ASKED,
    UNREACHABLE,
    Assessed,
    AuthorityStatus,
    Certificate,
    CertificateStatus,
    ClientStatus,
    Finding,
    HostStatus,
    Report,
    Stored,
)

SCHEMA = 1
_WORDS = {"ok": "OK", "unknown": "UNKNOWN", "warning": "WARNING", "critical": "CRITICAL"}
# Exit codes of monitoring plugins (Nagios Plugin Development Guidelines, "Plugin Return Codes").
EXIT_CODES = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}


def summary(report: Report) -> str:
    """Return one line in the manner of monitoring plugins: ``CRITICAL: 1 critical, 2 warning, 5 ok; web2 unreachable``."""
    worst = report.level
    counts = ", ".join(f"{count} {level}" for level, count in report.counts.items() if count)
    first = [f"{label(item)} {item.verdict}" for item in report.items if item.level == worst != "ok"]
    more = f" and {len(first) - 3} more" if len(first) > 3 else ""
    tail = f"; {', '.join(first[:3])}{more}" if first else ""
    return f"{_WORDS[worst]}: {counts}{tail}"


def label(item: Assessed) -> str:
    """Return the name by which people know a line of the report."""
    if isinstance(item, AuthorityStatus):
        return item.anchor.id
    if isinstance(item, HostStatus):
        return item.facts.name
    if isinstance(item, ClientStatus):
        return bundle_name(item)
    if isinstance(item, CertificateStatus):
        return f"{item.facts.client} by {item.facts.generation}"
    return "CA"


def bundle_name(item: ClientStatus) -> str:
    """Return ``alice`` for a bundle on the controller, ``desk: root:alice`` for one on a client machine."""
    return item.facts.id if item.facts.host == "localhost" else f"{item.facts.host}: {item.facts.id}"


def explained(item: Assessed, *, notes: bool) -> t.Iterator[tuple[Finding, str]]:
    """Yield (finding, advice) for people: advice that the next finding has too is given once, after the last.

    ``notes`` is whether findings that are not fault are wanted.
    """
    shown = [finding for finding in item.findings if notes or finding.level != "ok"]
    for finding, following in zip(shown, [*shown[1:], None]):
        repeated = following is not None and following.advice == finding.advice
        yield finding, "" if repeated else finding.advice


def to_document(report: Report) -> dict[str, t.Any]:
    """Return the whole report as plain values."""
    now = report.now
    return {
        "schema": SCHEMA,
        "generated": isoformat(now),
        "level": report.level,
        "exit_code": EXIT_CODES[report.level],
        "summary": summary(report),
        "counts": report.counts,
        "thresholds": {"warning": list(report.warning), "critical": list(report.critical)},
        "ca": {
            **_fields(report.ca.authorities, "host path state"),
            "ledger": _fields(report.ca.ledger, "state lines head line problem"),
            **_assessed(report.ca),
        },
        "authorities": [_authority(one, now) for one in report.authorities],
        "hosts": [_host(one, now) for one in report.hosts],
        "clients": [_client(one, now) for one in report.clients],
        "certificates": [_unwanted(one) for one in report.certificates],
    }


def to_json(document: t.Mapping[str, t.Any]) -> str:
    """Return the document as the text of the JSON file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _fields(item: t.Any, names: str) -> dict[str, t.Any]:
    return {name: getattr(item, name) for name in names.split()}


def _assessed(item: Assessed) -> dict[str, t.Any]:
    return {**_fields(item, "level verdict"), "findings": [dict(vars(one)) for one in item.findings]}


def certificate(found: Certificate | None, now: datetime) -> dict[str, t.Any] | None:
    """Return the fields of one certificate, None without one."""
    if found is None:
        return None
    return {**found.view.to_dict(), "days_left": certificate_checks.days_left(found.view, now)}


def _authority(one: AuthorityStatus, now: datetime) -> dict[str, t.Any]:
    return {
        **_fields(one.anchor, "id name purpose current"),
        **_assessed(one),
        "certificate": certificate(one.anchor.certificate, now),
    }


def _host(one: HostStatus, now: datetime) -> dict[str, t.Any]:
    facts, served = one.facts, one.facts.served
    return {
        "name": facts.name,
        "endpoint": assess_host.endpoint(facts),
        "wanted": facts.wanted,
        **_assessed(one),
        "stored": _stored(facts.stored, now),
        "served": {
            **_fields(served, "state problem"),
            "certificate": certificate(served.certificate, now),
            "asks_for_certificate": served.asks_for_certificate if served.certificate else None,
            "authority_names": [der_name.name_text(name) for name in served.authority_names],
        },
        "served_is_stored": served_is_stored(one),
        "starts_at_boot": facts.stored.starts_at_boot,
        "access": {
            "wanted": list(facts.access_groups),
            "admits": None if one.admits is None else list(one.admits),
            "rights": dict(facts.stored.rights),
        },
    }


def served_is_stored(one: HostStatus) -> bool | None:
    """Return whether disk and wire show the same certificate, None where one of them is unknown."""
    stored, served = one.facts.stored.certificate, one.facts.served.certificate
    if stored is None or served is None:
        return None
    return stored.view.fingerprint_sha256 == served.view.fingerprint_sha256


def names_of(one: HostStatus) -> list[str]:
    """Return the names and addresses of the certificate that a host serves, else of the one on disk; of both where they differ."""
    served, stored = one.facts.served.certificate, one.facts.stored.certificate
    found = [" ".join(each.view.names) or "none" for each in (served, stored) if each is not None]
    if len(found) == 2 and found[0] != found[1]:
        return [found[0], f"on disk: {found[1]}"]
    return found[:1]


def admitted(names: t.Iterable[str], rights: t.Mapping[str, str]) -> list[str]:
    """Return the authorities that a host admits, with the rights of each access group that is limited: ``ci-g1 (read-only)``.

    A group whose authorities have names of their own, those of another issuer, comes behind them.
    """
    limited = {group: words for group, words in rights.items() if words != "full"}
    groups = [(name, name.rpartition("-g")[0]) for name in names]
    found = [f"{name} ({limited[group]})" if group in limited else name for name, group in groups]
    seen = {group for _name, group in groups}
    return found + [f"{group}: {words}" for group, words in limited.items() if group not in seen]


def wire_state(one: HostStatus) -> str:
    """Return the result of asking the endpoint as one word: where none is wanted, ``closed`` is not a fault."""
    state = one.facts.served.state
    return "closed" if state == UNREACHABLE and not one.facts.wanted else state


def _stored(stored: Stored, now: datetime) -> dict[str, t.Any]:
    found = _fields(stored, "state problem path key_matches")
    return {**found, "certificate": certificate(stored.certificate, now)}


def _client(one: ClientStatus, now: datetime) -> dict[str, t.Any]:
    return {**_fields(one.facts, "id client group host"), **_assessed(one), **_stored(one.facts.stored, now)}


def _unwanted(one: CertificateStatus) -> dict[str, t.Any]:
    facts = one.facts
    return {
        **_fields(facts, "client group generation request requester source reason trusted"),
        "not_after": isoformat(facts.not_after),
        "opens": list(one.opens),
        **_assessed(one),
    }


WORDS = {"ok": "ok", "unknown": "unknown", "warning": "WARNING", "critical": "CRITICAL"}
_LEVEL_WIDTH = max(len(word) for word in WORDS.values())
_FINDING_INDENT = " " * (_LEVEL_WIDTH + 2)

# Findings that the row itself shows.
_SILENT = ("absent", "not-asked")

Row = tuple[str, ...]


def render(report: Report, *, problems_only: bool = False) -> list[str]:
    """Return the lines of the table. ``problems_only`` leaves out rows that are ok."""
    lines = [f"Docker TLS status at {report.now:%Y-%m-%d %H:%M} UTC", ""]
    section = functools.partial(_section, now=report.now, problems_only=problems_only)
    columns: Row = ("AUTHORITY", "SIGNS", "LEFT", "ENDS", "VERDICT")
    lines += section(_ca_title(report), columns, report.authorities, _authority_row)
    if report.ca.findings:
        first = f"{WORDS[report.ca.level]:{_LEVEL_WIDTH}}  {label(report.ca)}  {report.ca.verdict}"
        lines[-1:] = [first, *_explanations(report.ca), ""]
    columns = ("HOST", "ENDPOINT", "ON DISK", "ON THE WIRE", "ADMITS", "VERDICT", "NAMES")
    lines += section("Docker hosts", columns, report.hosts, _host_row)
    columns = ("CLIENT", "GROUP", "LEFT", "ENDS", "WHERE", "VERDICT")
    lines += section("Clients", columns, report.clients, _client_row)
    if report.certificates:
        columns = ("CLIENT", "AUTHORITY", "ENDS", "OPENS", "REQUEST", "VERDICT")
        lines += section("Client certificates that should not be used", columns, report.certificates, _certificate_row)
    return [*lines, summary(report)]


def _ca_title(report: Report) -> str:
    authorities, ledger = report.ca.authorities, report.ca.ledger
    if authorities.state == NOT_ASKED:
        return "Authorities (not checked)"
    count = f", {certificate_checks.plural(ledger.lines, 'line')}" if ledger.state in ("intact", "torn") else ""
    head = f", head {ledger.head}" if ledger.head else ""
    return f"Authorities in {authorities.path} on {authorities.host} (ledger: {ledger.state}{count}{head})"


def _section(
    title: str,
    columns: Row,
    items: t.Sequence[t.Any],
    row_of: t.Callable[[t.Any, datetime], Row],
    now: datetime,
    problems_only: bool,
) -> list[str]:
    shown = [item for item in items if not problems_only or item.level != "ok"]
    hidden = len(items) - len(shown)
    lines = [clean(title)]
    if shown:
        rows = ((WORDS[item.level], *row_of(item, now)) for item in shown)
        table = align([("", *columns), *rows], _LEVEL_WIDTH)
        lines.append(table[0])
        for item, line in zip(shown, table[1:]):
            lines.append(line)
            lines.extend(_explanations(item))
    if hidden:
        lines.append(f"{'ok':{_LEVEL_WIDTH}}  {hidden} not shown")
    if not items:
        lines.append(f"{'':{_LEVEL_WIDTH}}  none")
    return [*lines, ""]


def _explanations(item: Assessed) -> t.Iterator[str]:
    for finding, advised in explained(item, notes=True):
        if finding.code not in _SILENT:
            yield f"{_FINDING_INDENT}^ {finding.code}: {clean(finding.message)}"
        if advised:
            yield f"{_FINDING_INDENT}  -> {clean(advised)}"


def _authority_row(one: AuthorityStatus, now: datetime) -> Row:
    view = one.anchor.certificate.view
    signs = "servers" if one.anchor.purpose == "server" else "clients"
    return (
        one.anchor.id,
        signs if one.anchor.current else f"({signs})",
        certificate_checks.left_text(view, now),
        certificate_checks.end_text(view),
        one.verdict,
    )


def _host_row(one: HostStatus, now: datetime) -> Row:
    facts = one.facts
    same = served_is_stored(one)
    wire = "the same" if same else _found(facts.served.certificate, wire_state(one), now)
    admits = "-" if one.admits is None else " ".join(admitted(one.admits, dict(facts.stored.rights)))
    names = "; ".join(names_of(one)) or "-"
    return (
        facts.name,
        assess_host.endpoint(facts),
        _stored_text(facts.stored, now),
        wire,
        admits or "none named",
        _verdict(one),
        names,
    )


def _verdict(one: HostStatus) -> str:
    return one.verdict.upper() if one.verdict == "served-not-stored" else one.verdict


def _stored_text(stored: Stored, now: datetime) -> str:
    return _found(stored.certificate, stored.state, now)


def _found(found: Certificate | None, state: str, now: datetime) -> str:
    if found is None:
        return "-" if state == "not-asked" else state
    return certificate_text(found.view, now)


def certificate_text(view: CertificateView, now: datetime) -> str:
    """Return what identifies a certificate: ``364 days, 2027-11-22, a1b2c3d4``."""
    return (
        f"{certificate_checks.left_text(view, now)}, {certificate_checks.end_text(view)}, {view.fingerprint_sha256[:8]}"
    )


def _client_row(one: ClientStatus, now: datetime) -> Row:
    facts, found = one.facts, one.facts.stored.certificate
    left, end = facts.stored.state, "-"
    if found:
        left, end = certificate_checks.left_text(found.view, now), certificate_checks.end_text(found.view)
    return facts.client, facts.group, left, end, f"{facts.host}:{facts.stored.path or facts.id}", one.verdict


def _certificate_row(one: CertificateStatus, now: datetime) -> Row:
    facts = one.facts
    opened = advice.named(one.opens) or "no host"
    return (
        facts.client,
        facts.generation,
        f"{facts.not_after:%Y-%m-%d}",
        opened,
        facts.request or facts.requester,
        one.verdict,
    )
