# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status report as metrics of Prometheus, and its files on a disk.

Text format 0.0.4: HELP and TYPE before a metric's samples, no timestamps at samples (the collector refuses them). Labels
are what stays the same when a certificate is renewed, so no serials and no fingerprints.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ... import _files
from ..._errors import TlsError
from .. import assess_host
from ..model import READ, Certificate, CertificateStatus, Report
from . import report_text

Labels = tuple[tuple[str, str], ...]
Samples = list[tuple[Labels, float]]


#: The metrics, in the order of the file.
_HELP = {
    "docker_tls_report_timestamp_seconds": "When this report was made, in seconds since 1970.",
    "docker_tls_status": "State of an authority, host or client: 0 ok, 1 warning, 2 critical, 3 unknown.",
    "docker_tls_problem": "1 for each thing that the report finds fault with.",
    "docker_tls_certificate_not_after_timestamp_seconds": "When a certificate ends, in seconds since 1970.",
    "docker_tls_certificate_not_before_timestamp_seconds": "When a certificate begins, in seconds since 1970.",
    "docker_tls_endpoint_up": "1 where the daemon's TLS endpoint answered.",
    "docker_tls_served_is_stored": "1 where the daemon serves the certificate that is on its disk, 0 where it needs a restart (or is another one).",
    "docker_tls_unwanted_client_certificate_hosts": (
        "How many hosts admit a valid client certificate that the inventory does not list, or whose client is revoked."
    ),
    "docker_tls_ledger_intact": "1 where the hash chain of the CA's ledger holds, 0 where it is torn, tampered with or missing.",
    "docker_tls_ledger_head": "Number of lines of the CA's ledger; the label digest is that of the last line, as ledger_info takes it in expected_head.",
}


def render(report: Report) -> str:
    """Return the text of the ``.prom`` file."""
    found: dict[str, t.Iterable[tuple[Labels, float]]] = {
        "docker_tls_report_timestamp_seconds": [((), report.now.timestamp())],
        "docker_tls_status": ((labels, report_text.EXIT_CODES[level]) for labels, level in _levels(report)),
        "docker_tls_problem": _problems(report),
        "docker_tls_certificate_not_after_timestamp_seconds": (
            (labels, one.view.not_after.timestamp()) for labels, one in _certificates(report)
        ),
        "docker_tls_certificate_not_before_timestamp_seconds": (
            (labels, one.view.not_before.timestamp()) for labels, one in _certificates(report)
        ),
        "docker_tls_endpoint_up": (
            ((("host", one.facts.name), ("endpoint", assess_host.endpoint(one.facts))), one.facts.served.state == READ)
            for one in report.hosts
            if one.facts.wanted
        ),
        "docker_tls_served_is_stored": (
            ((("host", one.facts.name),), same)
            for one in report.hosts
            if (same := report_text.served_is_stored(one)) is not None
        ),
        "docker_tls_unwanted_client_certificate_hosts": (
            ((*_certificate_labels(one), ("reason", one.facts.reason)), len(one.opens)) for one in report.certificates
        ),
        "docker_tls_ledger_intact": _ledger_intact(report),
        "docker_tls_ledger_head": _ledger_head(report),
    }
    return "".join(_text(name, help_text, list(found[name])) for name, help_text in _HELP.items())


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


def _text(name: str, help_text: str, samples: Samples) -> str:
    lines = [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"] if samples else []
    for labels, value in samples:
        pairs = ",".join(f'{label}="{_escape(text)}"' for label, text in labels)
        lines.append(f"{name}{'{' + pairs + '}' if pairs else ''} {value:.0f}")
    return "".join(f"{line}\n" for line in lines)


def _escape(text: str) -> str:
    """Escape a label's value (Prometheus exposition formats, "Comments, help text, and type information")."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


MODE = "0644"


@dataclass(frozen=True)
class Output:
    """A file to write. ``shown`` is False where a diff of its content is not readable (a page's HTML)."""

    path: str
    content: str
    shown: bool = True


def parse_mode(text: str) -> int:
    """Return the mode of files, as ``0644``. Raises TlsError ``mode-invalid``."""
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0o400 <= mode <= 0o777:
        raise TlsError(
            f"file_mode is {text!r}, which is not a mode of a file",
            hint='Write for example "0644".',
            code="mode-invalid",
        )
    return mode


def check_directory(path: str) -> None:
    """Raise TlsError ``directory-missing`` where the directory for the file ``path`` does not exist."""
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise TlsError(
            f"{path} cannot be written: there is no directory {directory}",
            hint="Make the directory, or name a path in one that exists.",
            code="directory-missing",
        )


def write(outputs: t.Iterable[Output], mode: int, *, check_mode: bool) -> tuple[bool, list[dict[str, str]]]:
    """Write the outputs that differ from the existing files; return whether any did, and the diffs.

    Raises TlsError ``directory-missing``, ``file-unwritable`` or ``file-unreadable``.
    """
    diffs = []
    for output in outputs:
        check_directory(output.path)
        data = output.content.encode("utf-8")
        before = _files.read_bytes_or_none(output.path)
        if before == data:
            continue
        diffs.append(_diff(output, before))
        if not check_mode:
            _files.write_atomic(output.path, data, mode)
    return bool(diffs), diffs


def _diff(output: Output, before: bytes | None) -> dict[str, str]:
    if not output.shown:
        return {"prepared": f"{output.path}: {len(output.content)} characters\n"}
    old = "" if before is None else before.decode("utf-8", "replace")
    return {"before_header": output.path, "after_header": output.path, "before": old, "after": output.content}
