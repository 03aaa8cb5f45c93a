# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report for the textfile collector of Prometheus' node_exporter.

Text format 0.0.4: HELP and TYPE before a metric's samples, no timestamps at samples (the collector refuses them). Labels
are what stays the same when a certificate is renewed, so no serials and no fingerprints.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .. import assess_host
from ..model import READ, Certificate, CertificateStatus, Report
from . import json_file

Labels = tuple[tuple[str, str], ...]
Samples = list[tuple[Labels, float]]


@dataclass(frozen=True)
class _Metric:
    name: str
    help: str
    samples: Samples


def render(report: Report) -> str:
    """Return the text of the ``.prom`` file."""
    metrics = [
        _Metric(
            "docker_tls_report_timestamp_seconds",
            "When this report was made, in seconds since 1970.",
            [((), report.now.timestamp())],
        ),
        _Metric(
            "docker_tls_status",
            "State of an authority, host or client: 0 ok, 1 warning, 2 critical, 3 unknown.",
            [(labels, float(json_file.EXIT_CODES[level])) for labels, level in _levels(report)],
        ),
        _Metric(
            "docker_tls_problem",
            "1 for each thing that the report finds fault with.",
            _problems(report),
        ),
        _Metric(
            "docker_tls_certificate_not_after_timestamp_seconds",
            "When a certificate ends, in seconds since 1970.",
            [(labels, found.view.not_after.timestamp()) for labels, found in _certificates(report)],
        ),
        _Metric(
            "docker_tls_certificate_not_before_timestamp_seconds",
            "When a certificate begins, in seconds since 1970.",
            [(labels, found.view.not_before.timestamp()) for labels, found in _certificates(report)],
        ),
        _Metric(
            "docker_tls_endpoint_up",
            "1 where the daemon's TLS endpoint answered.",
            [
                (
                    (("host", one.facts.name), ("endpoint", assess_host.endpoint(one.facts))),
                    float(one.facts.served.state == READ),
                )
                for one in report.hosts
                if one.facts.wanted
            ],
        ),
        _Metric(
            "docker_tls_served_is_stored",
            "1 where the daemon serves the certificate that is on its disk, 0 where it needs a restart (or is another one).",
            [
                ((("host", one.facts.name),), float(same))
                for one in report.hosts
                if (same := json_file.served_is_stored(one)) is not None
            ],
        ),
        _Metric(
            "docker_tls_unwanted_client_certificate_hosts",
            "How many hosts admit a valid client certificate that the inventory does not list, or whose client is revoked.",
            [
                ((*_certificate_labels(one), ("reason", one.facts.reason)), float(len(one.opens)))
                for one in report.certificates
            ],
        ),
        _Metric(
            "docker_tls_ledger_intact",
            "1 where the hash chain of the CA's ledger holds, 0 where it is torn, tampered with or missing.",
            _ledger_intact(report),
        ),
        _Metric(
            "docker_tls_ledger_head",
            "Number of lines of the CA's ledger; the label digest is that of the last line, as ledger_info takes it in expected_head.",
            _ledger_head(report),
        ),
    ]
    return "".join(_text(metric) for metric in metrics if metric.samples)


def _levels(report: Report) -> t.Iterator[tuple[Labels, str]]:
    yield _labels("ca", report.ca.authorities.host, "ca"), report.ca.level
    for authority in report.authorities:
        yield _labels("authority", report.ca.authorities.host, authority.anchor.id), authority.level
    for host in report.hosts:
        yield _labels("server", host.facts.name, host.facts.name), host.level
    for client in report.clients:
        yield _labels("client", client.facts.host, client.facts.id), client.level
    for certificate in report.certificates:
        yield _certificate_labels(certificate), certificate.level


def _certificate_labels(one: CertificateStatus) -> Labels:
    facts = one.facts
    source = "" if facts.source == "issued" else f" {facts.source}"
    return _labels("certificate", facts.requester, f"{facts.request or facts.client} {facts.generation}{source}")


def _problems(report: Report) -> Samples:
    found: dict[Labels, float] = {}
    for (labels, _level), item in zip(_levels(report), report.items):
        for finding in item.findings:
            if finding.level != "ok":
                key = (*labels, ("code", finding.code), ("level", finding.level))
                found[key] = 1.0
    return list(found.items())


def _certificates(report: Report) -> t.Iterator[tuple[Labels, Certificate]]:
    for authority in report.authorities:
        labels = _labels("authority", report.ca.authorities.host, authority.anchor.id)
        yield (*labels, ("where", "disk")), authority.anchor.certificate
    for host in report.hosts:
        labels = _labels("server", host.facts.name, host.facts.name)
        for where, found in (("disk", host.facts.stored.certificate), ("wire", host.facts.served.certificate)):
            if found is not None:
                yield (*labels, ("where", where)), found
    for client in report.clients:
        if client.facts.stored.certificate is not None:
            labels = _labels("client", client.facts.host, client.facts.id)
            yield (*labels, ("where", "disk")), client.facts.stored.certificate


def _ledger_intact(report: Report) -> Samples:
    state = report.ca.ledger.state
    return [((), float(state == "intact"))] if state in ("intact", "torn", "tampered", "missing") else []


def _ledger_head(report: Report) -> Samples:
    lines, _colon, digest = report.ca.ledger.head.partition(":")
    return [((("digest", digest),), float(lines))] if digest else []


def _labels(kind: str, host: str, name: str) -> Labels:
    return ("kind", kind), ("host", host), ("name", name)


def _text(metric: _Metric) -> str:
    lines = [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} gauge"]
    for labels, value in metric.samples:
        pairs = ",".join(f'{name}="{_escape(text)}"' for name, text in labels)
        lines.append(f"{metric.name}{'{' + pairs + '}' if pairs else ''} {value:.0f}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Escape a label's value (Prometheus exposition formats, "Comments, help text, and type information")."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
