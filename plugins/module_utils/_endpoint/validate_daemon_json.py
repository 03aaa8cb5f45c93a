# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The validation of a daemon.json by dockerd itself, before it has to start with it.

``dockerd --validate`` exists from 23.0 on. It checks the settings first and loads the TLS files last (measured on 26.1 and 28.5), so
without the TLS settings everything else can be validated before there is a certificate.
"""

from __future__ import annotations

import os
import typing as t

from .._docker import daemon_json
from .._docker.daemon_log import reason
from .._errors import TlsError
from .._proxy.service import STOP
from . import certificate_store
from .machine import Machine
from .plan import Plan
from .state import HostState

SINCE = 23
TLS_KEYS = ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey")


def validate_settings(machine: Machine, found: HostState, data: bytes) -> None:
    """Raise TlsError ``validate-failed`` where dockerd refuses the settings in ``data`` other than those for TLS."""
    if _is_able(found):
        validate(machine, found, daemon_json.merge(data, {}, TLS_KEYS, found.config_path).encode("utf-8"))


def validate(machine: Machine, found: HostState, data: bytes) -> None:
    """Raise TlsError ``validate-failed`` where dockerd refuses ``data`` as its daemon.json; older dockerds are not asked.

    ``data`` is in memory only: a daemon.json may hold the password of a proxy.
    """
    derivation = found.derivation
    if derivation is None or not _is_able(found):
        return
    descriptor = os.memfd_create("daemon.json")
    try:
        _write(descriptor, data)
        path = f"/proc/{os.getpid()}/fd/{descriptor}"
        problem = machine.validate(derivation.binary, derivation.arguments, path)
    finally:
        os.close(descriptor)
    if not problem or f"open {path}" in problem:  # a security module may keep dockerd from reading it
        return
    raise TlsError(
        f"dockerd --validate refuses the new configuration: {(reason(problem) or problem).replace(path, found.config_path)}",
        hint=f"Check the settings of {found.config_path} that are not ours.",
        code="validate-failed",
    )


def validate_proxy(machine: Machine, found: HostState, plan: Plan, revision: str | None) -> None:
    """Raise TlsError ``proxy-config-refused`` where HAProxy refuses its new configuration. ``revision``: that of the new certificates."""
    files = found.proxy.files
    after = {**found.proxy.contents, **{change.path: change.after for change in plan.files}}
    text = after[files.config]
    if plan.proxy in ("", STOP) or text is None:
        return
    kept = revision if revision is not None else found.certificates.revision
    given = certificate_store.read_revision(found.directory, kept) if kept is not None else found.certificates.files()
    pieces = [given.get(name, b"").strip() for name in (certificate_store.CERTIFICATE, certificate_store.KEY)]
    contents = {files.bundle: b"\n".join(pieces) + b"\n", files.client_ca: given.get(certificate_store.CLIENT_CA, b"")}
    machine.validate_proxy(text, {**contents, files.crl: after[files.crl] or b""})


def _is_able(found: HostState) -> bool:
    release = found.engine.version.split(".")[0] if found.engine is not None else ""
    return release.isdigit() and int(release) >= SINCE and found.derivation is not None


def _write(descriptor: int, data: bytes) -> None:
    rest: t.Any = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
