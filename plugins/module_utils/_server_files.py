# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server certificate takes its place with its key, in one switch. PRIVATE: may change without notice."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._errors import TlsError
from ._host import certstore
from ._time import isoformat
from ._x509 import decide, inspect, keys, verify

REASONS = {
    certstore.CERTIFICATE: "certificate-changed",
    certstore.KEY: "key-changed",
    certstore.CA: "ca-changed",
}


@dataclass(frozen=True)
class Plan:
    """What the directory holds, what is to change in it, and why."""

    directory: str
    live: certstore.CertificateSet
    changes: dict[str, bytes]
    reasons: tuple[str, ...]


def plan(directory: str, certificate_content: str, ca_content: str) -> Plan:
    """Return what has to change so that ``directory`` has this certificate, its key, and this ca.pem.

    The key is the live one or the pending one, whichever the certificate was made for. Raises TlsError
    ``key-mismatch``, ``issued-certificate-wrong``, ``certificate-unreadable``, ``certificate-store-unusable``.
    """
    certificate = inspect.load_certificate(certificate_content, "certificate_content")
    if not decide.has_profile(inspect.view_certificate(certificate, "certificate_content"), "server"):
        raise TlsError(
            "certificate_content is no server certificate",
            hint="A server's certificate has the usage serverAuth, and not clientAuth.",
            code="issued-certificate-wrong",
        )
    live = certstore.read_set(directory)
    wanted = {
        certstore.KEY: _key_of(certificate, directory, live.key),
        certstore.CERTIFICATE: inspect.canonical_pem(certificate_content, "certificate_content"),
    }
    if ca_content.strip():
        wanted[certstore.CA] = inspect.canonical_pem(ca_content, "ca_content")
    changes = {name: data for name, data in wanted.items() if live.files().get(name) != data}
    reasons = [reason for name, reason in REASONS.items() if name in changes]
    if live.layout != "generations":
        reasons.append("layout-changed")
    return Plan(directory, live, changes, tuple(reasons))


def _key_of(certificate: t.Any, directory: str, live_key: bytes | None) -> bytes:
    for data in (live_key, certstore.pending_key(directory)):
        if data is None:
            continue
        try:
            key = keys.load_private_key(data, what="the key")
        except TlsError:
            continue
        if verify.key_matches(certificate, key.public_key()):
            return data
    raise TlsError(
        f"neither {certstore.KEY} nor {certstore.PENDING_KEY} in {directory} is the key of the certificate",
        hint="Nothing was changed. Run the play again, so that a new key gets its own certificate.",
        code="key-mismatch",
    )


def install(plan: Plan) -> str:
    """Write the set as a new generation, switch to it, and clear up; return the name of the generation."""
    generation = certstore.prepare(plan.directory, plan.changes)
    certstore.activate(plan.directory, generation)
    certstore.discard_pending_key(plan.directory)
    certstore.prune(plan.directory)
    return generation


def report(plan: Plan) -> dict[str, t.Any] | None:
    """Return the certificate that the directory has after the plan, as the module reports it."""
    found = _view({**plan.live.files(), **plan.changes}.get(certstore.CERTIFICATE))
    return found.to_dict() if found is not None else None


def _view(data: bytes | None) -> inspect.CertificateView | None:
    try:
        return inspect.view_certificate(inspect.load_certificate(data or b"", certstore.CERTIFICATE))
    except TlsError:
        return None


def describe(plan: Plan, *, after: bool) -> dict[str, t.Any]:
    """Return one side of the diff; never a key."""
    files = {**plan.live.files(), **(plan.changes if after else {})}
    found = _view(files.get(certstore.CERTIFICATE))
    if not files or found is None:
        return {}
    return {
        "names": list(found.names),
        "issuer": found.issuer,
        "expires": isoformat(found.not_after),
        "fingerprint_sha256": found.fingerprint_sha256,
        "ca": sorted(inspect.subjects(files.get(certstore.CA, b""))),
    }
