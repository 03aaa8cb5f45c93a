# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as a table for a terminal.

Every line about something begins with its level, so that it can be searched for and coloured; a line that explains one
begins with blanks. Nothing from a host reaches the terminal as a control character.
"""

from __future__ import annotations

import functools
import typing as t
from datetime import datetime

from ..._pki.reader import CertificateView
from ..._text_table import align, clean
from .. import access_text, assess_host, lifetimes
from ..model import (
    NOT_ASKED,
    Assessed,
    AuthorityStatus,
    Certificate,
    CertificateStatus,
    ClientStatus,
    HostStatus,
    Report,
    Stored,
)
from . import json_file

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
        first = f"{WORDS[report.ca.level]:{_LEVEL_WIDTH}}  {json_file.label(report.ca)}  {report.ca.verdict}"
        lines[-1:] = [first, *_explanations(report.ca), ""]
    columns = ("HOST", "ENDPOINT", "ON DISK", "ON THE WIRE", "ADMITS", "VERDICT", "NAMES")
    lines += section("Docker hosts", columns, report.hosts, _host_row)
    columns = ("CLIENT", "GROUP", "LEFT", "ENDS", "WHERE", "VERDICT")
    lines += section("Clients", columns, report.clients, _client_row)
    if report.certificates:
        columns = ("CLIENT", "AUTHORITY", "ENDS", "OPENS", "REQUEST", "VERDICT")
        lines += section("Client certificates that should not be used", columns, report.certificates, _certificate_row)
    return [*lines, json_file.summary(report)]


def _ca_title(report: Report) -> str:
    authorities, ledger = report.ca.authorities, report.ca.ledger
    if authorities.state == NOT_ASKED:
        return "Authorities (not checked)"
    count = f", {lifetimes.plural(ledger.lines, 'line')}" if ledger.state in ("intact", "torn") else ""
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
    for finding, advice in json_file.explained(item, notes=True):
        if finding.code not in _SILENT:
            yield f"{_FINDING_INDENT}^ {finding.code}: {clean(finding.message)}"
        if advice:
            yield f"{_FINDING_INDENT}  -> {clean(advice)}"


def _authority_row(one: AuthorityStatus, now: datetime) -> Row:
    view = one.anchor.certificate.view
    signs = "servers" if one.anchor.purpose == "server" else "clients"
    return (
        one.anchor.id,
        signs if one.anchor.current else f"({signs})",
        lifetimes.left_text(view, now),
        lifetimes.end_text(view),
        one.verdict,
    )


def _host_row(one: HostStatus, now: datetime) -> Row:
    facts = one.facts
    same = json_file.served_is_stored(one)
    wire = "the same" if same else _found(facts.served.certificate, json_file.wire_state(one), now)
    admits = "-" if one.admits is None else " ".join(json_file.admitted(one.admits, dict(facts.stored.rights)))
    names = "; ".join(json_file.names_of(one)) or "-"
    return (
        facts.name,
        assess_host.endpoint(facts),
        _stored(facts.stored, now),
        wire,
        admits or "none named",
        _verdict(one),
        names,
    )


def _verdict(one: HostStatus) -> str:
    return one.verdict.upper() if one.verdict == "served-not-stored" else one.verdict


def _stored(stored: Stored, now: datetime) -> str:
    return _found(stored.certificate, stored.state, now)


def _found(found: Certificate | None, state: str, now: datetime) -> str:
    if found is None:
        return "-" if state == "not-asked" else state
    return certificate_text(found.view, now)


def certificate_text(view: CertificateView, now: datetime) -> str:
    """Return what identifies a certificate: ``364 days, 2027-11-22, a1b2c3d4``."""
    return f"{lifetimes.left_text(view, now)}, {lifetimes.end_text(view)}, {view.fingerprint_sha256[:8]}"


def _client_row(one: ClientStatus, now: datetime) -> Row:
    facts, found = one.facts, one.facts.stored.certificate
    left, end = facts.stored.state, "-"
    if found:
        left, end = lifetimes.left_text(found.view, now), lifetimes.end_text(found.view)
    return facts.client, facts.group, left, end, f"{facts.host}:{facts.stored.path or facts.id}", one.verdict


def _certificate_row(one: CertificateStatus, now: datetime) -> Row:
    facts = one.facts
    opened = access_text.named(one.opens) or "no host"
    return (
        facts.client,
        facts.generation,
        f"{facts.not_after:%Y-%m-%d}",
        opened,
        facts.request or facts.requester,
        one.verdict,
    )
