# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server certificate takes its place with its key, in one switch."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .._outcome import outcome
from .._pki import keys, reader, renewal, verify
from .._time import isoformat
from . import certificate_store

REASONS = {
    certificate_store.CERTIFICATE: "certificate-changed",
    certificate_store.KEY: "key-changed",
    certificate_store.CA: "ca-changed",
}


@dataclass(frozen=True)
class Plan:
    """The content of the directory, its changes, and the reasons."""

    directory: str
    live: certificate_store.CertificateSet
    changes: dict[str, bytes]
    reasons: tuple[str, ...]


def run(arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the result of M(server_certificate) or its failure; ``arguments``: its ``options``, with defaults, and ``check_mode``."""
    return outcome(lambda: ensure(arguments["options"], check_mode=arguments["check_mode"]))


def ensure(options: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Return the module's result for its options, after the installation where there is one. Raises TlsError as ``plan``."""
    planned = plan(options["directory"], options["certificate_content"], options["ca_content"])
    if planned.reasons and not check_mode:
        install(planned)
    return {
        "changed": bool(planned.reasons),
        "reasons": list(planned.reasons),
        "directory": planned.directory,
        "certificate": report(planned),
        "diff": {"before": describe(planned, after=False), "after": describe(planned, after=True)},
    }


def plan(directory: str, certificate_content: str, ca_content: str) -> Plan:
    """Return the changes that install this certificate, its key and this ca.pem in ``directory``.

    The key is the live one or the pending one, whichever the certificate was made for. Raises TlsError
    ``key-mismatch``, ``issued-certificate-wrong``, ``certificate-unreadable``, ``certificate-store-unusable``.
    """
    certificate = reader.load_certificate(certificate_content, "certificate_content")
    if not renewal.has_profile(reader.view_certificate(certificate, "certificate_content"), "server"):
        raise TlsError(
            "certificate_content is not a server certificate",
            hint="A server's certificate has the usage serverAuth, and not clientAuth.",
            code="issued-certificate-wrong",
        )
    live = certificate_store.read_set(directory)
    wanted = {
        certificate_store.KEY: _key_of(certificate, directory, live.key),
        certificate_store.CERTIFICATE: reader.canonical_pem(certificate_content, "certificate_content"),
    }
    if ca_content.strip():
        wanted[certificate_store.CA] = reader.canonical_pem(ca_content, "ca_content")
    changes = {name: data for name, data in wanted.items() if live.files().get(name) != data}
    reasons = [reason for name, reason in REASONS.items() if name in changes]
    if live.layout != "revisions":
        reasons.append("layout-changed")
    return Plan(directory, live, changes, tuple(reasons))


def _key_of(certificate: t.Any, directory: str, live_key: bytes | None) -> bytes:
    for data in (live_key, certificate_store.pending_key(directory)):
        if data is None:
            continue
        try:
            key = keys.load_private_key(data, what="the key")
        except TlsError:
            continue
        if verify.key_matches(certificate, key.public_key()):
            return data
    raise TlsError(
        f"neither {certificate_store.KEY} nor {certificate_store.PENDING_KEY} in {directory} is the key of the certificate",
        hint="Nothing was changed. Run the play again, so that a new key gets its own certificate.",
        code="key-mismatch",
    )


def install(plan: Plan) -> str:
    """Write the set as a new revision, switch to it, and clear up; return the name of the revision."""
    revision = certificate_store.prepare(plan.directory, plan.changes)
    certificate_store.activate(plan.directory, revision)
    certificate_store.discard_pending_key(plan.directory)
    certificate_store.prune(plan.directory)
    return revision


def report(plan: Plan) -> dict[str, t.Any] | None:
    """Return the certificate that the directory has after the plan, as the module reports it."""
    found = _view({**plan.live.files(), **plan.changes}.get(certificate_store.CERTIFICATE))
    return found.to_dict() if found is not None else None


def _view(data: bytes | None) -> reader.CertificateView | None:
    try:
        return reader.view_certificate(reader.load_certificate(data or b"", certificate_store.CERTIFICATE))
    except TlsError:
        return None


def describe(plan: Plan, *, after: bool) -> dict[str, t.Any]:
    """Return one side of the diff; never a key."""
    files = {**plan.live.files(), **(plan.changes if after else {})}
    found = _view(files.get(certificate_store.CERTIFICATE))
    if not files or found is None:
        return {}
    return {
        "names": list(found.names),
        "issuer": found.issuer,
        "expires": isoformat(found.not_after),
        "fingerprint_sha256": found.fingerprint_sha256,
        "ca": sorted(reader.subjects(files.get(certificate_store.CA, b""))),
    }
