# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificate files of a host read for a report, without ``cryptography``.

Root reads places that users own (``~alice/.docker``). So only regular files of a sane size are opened, nothing that
could block, and only CERTIFICATE blocks leave this file: never a key, whatever a link points to.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import stat
import typing as t
from dataclasses import dataclass

from .._docker.systemd import UNIT_DIRECTORY, Systemd
from .._endpoint.state import starts_at_boot
from .._errors import TlsError
from .._pki import pem
from .._proxy.plan import parts
from .._proxy.service import is_enabled, proxy_files
from .._proxy.state import is_ours
from .model import INVALID, MISSING, NOT_READABLE, READ

LARGEST = 1 << 20
ROOT = "/"
# Errors of OpenSSL for a key of the same type, and for one of another type (for which no certificate was loaded).
_MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


@dataclass(frozen=True)
class Wanted:
    """The files of one certificate; empty paths are not checked. ``~`` and ``~user`` are understood."""

    id: str
    certificate_path: str
    key_path: str = ""
    ca_path: str = ""
    client_ca_path: str = ""
    config_path: str = ""
    unit: str = ""  # docker.service, where it is asked whether the boot starts it


@dataclass(frozen=True)
class _ReadFile:
    state: str
    problem: str = ""
    data: bytes = b""


def read_all(wanted: t.Iterable[Wanted]) -> list[dict[str, t.Any]]:
    """Return the result of each. A file that cannot be read is a result, not an error."""
    return [_read_set(one) for one in wanted]


def _read_set(wanted: Wanted) -> dict[str, t.Any]:
    path = os.path.expanduser(wanted.certificate_path)
    found, matches = _certificate_and_key(path, os.path.expanduser(wanted.key_path))
    if matches is False:  # perhaps a renewal came between the two: once more
        found, matches = _certificate_and_key(path, os.path.expanduser(wanted.key_path))
    return {
        "id": wanted.id,
        "path": path,
        "state": found.state,
        "problem": found.problem,
        "certificate_content": _text(found),
        "key_matches": matches,
        "ca_content": _optional(wanted.ca_path),
        "client_ca_content": _optional(wanted.client_ca_path),
        "configured": _proxied(wanted.unit, path) or _configured(wanted.config_path, path),
        "starts_at_boot": _starts_at_boot(wanted.unit) if wanted.unit else None,
        "revocation_lists_content": _revocation_lists(wanted.unit, path) if wanted.unit else "",
        "rights": _rights(wanted.unit, path) if wanted.unit else {},
    }


def _revocation_lists(service: str, certificate_path: str) -> str:
    """Return the lists that the listener ``proxy`` checks, "" where there is none, or its configuration names none."""
    files = proxy_files(service, UNIT_DIRECTORY, ROOT)
    config = _open(files.config).data if _proxied(service, certificate_path) else b""
    if f" crl-file {files.crl} " not in config.decode("utf-8", "replace"):
        return ""
    return b"".join(pem.blocks(_open(files.crl).data, *pem.REVOCATION_LIST)).decode("ascii", "replace")


def _rights(service: str, certificate_path: str) -> dict[str, str]:
    """Return the rights of each access group that the listener ``proxy`` knows, in the words of its refusals; {} where there is none."""
    if not _proxied(service, certificate_path):
        return {}
    return dict(parts(_open(proxy_files(service, UNIT_DIRECTORY, ROOT).config).data).rights)


def _proxied(service: str, certificate_path: str) -> bool:
    """Return whether the listener ``proxy`` is set up with certificates of this directory; daemon.json has no settings then."""
    files = proxy_files(service or "docker.service", UNIT_DIRECTORY)
    unit = _open(files.unit_path)
    store = f"{os.path.dirname(certificate_path).rstrip('/')}/current"
    return unit.state == READ and is_ours(unit.data) and f'"{store}"' in (unit.data or b"").decode("utf-8", "replace")


def _configured(config_path: str, certificate_path: str) -> bool | None:
    """Return whether a daemon.json verifies clients with a certificate of this directory; None where it cannot be read."""
    found = _open(config_path) if config_path else _ReadFile(MISSING)
    if found.state != READ:
        return None
    try:
        values = json.loads(found.data or b"{}")
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return False
    named = str(values.get("tlscert", ""))
    return values.get("tlsverify") is True and named.startswith(os.path.dirname(certificate_path).rstrip("/") + "/")


def _starts_at_boot(service: str) -> bool | None:
    """Return whether the boot opens the endpoint's port; None where systemd cannot be asked, or has no such unit."""
    files = proxy_files(service, UNIT_DIRECTORY)
    if is_ours(_open(files.unit_path).data):
        return is_enabled(files)
    try:
        systemd = Systemd(service, service.rpartition(".")[0] + ".socket", UNIT_DIRECTORY)
        services = systemd.show()
        listener = "systemd" if systemd.endpoint_streams() else "dockerd"
    except TlsError:
        return None
    return starts_at_boot(services, listener) if services.service.load_state == "loaded" else None


def _certificate_and_key(path: str, key_path: str) -> tuple[_ReadFile, bool | None]:
    found = _read_certificates(path)
    if found.state != READ or not key_path:
        return found, None
    key = _open(key_path)
    return found, key_matches(found.data, key.data) if key.state == READ else None


def _optional(path: str) -> str:
    return _text(_read_certificates(os.path.expanduser(path))) if path else ""


def _text(found: _ReadFile) -> str:
    return found.data.decode("ascii", "replace")


def _read_certificates(path: str) -> _ReadFile:
    """Return the CERTIFICATE blocks of a file and nothing else of it."""
    found = _open(path)
    if found.state != READ:
        return found
    blocks = pem.blocks(found.data, *pem.CERTIFICATE)
    return _ReadFile(READ, data=b"".join(blocks)) if blocks else _ReadFile(INVALID, "holds no certificate in PEM form")


def _open(path: str) -> _ReadFile:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError):
        return _ReadFile(MISSING)
    except OSError as error:
        return _ReadFile(NOT_READABLE, (error.strerror or str(error)).lower())
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            return _ReadFile(INVALID, "is not a regular file of a sane size")
        with open(descriptor, "rb", closefd=False) as stream:
            return _ReadFile(READ, data=stream.read(LARGEST))
    except OSError as error:
        return _ReadFile(NOT_READABLE, (error.strerror or str(error)).lower())
    finally:
        os.close(descriptor)


def key_matches(certificate: bytes, key: bytes) -> bool | None:
    """Return whether a PEM key belongs to the first certificate of a PEM text, None where OpenSSL cannot decide."""
    blocks = pem.blocks(key, *pem.PRIVATE_KEY)
    if not blocks or not hasattr(os, "memfd_create"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with _in_memory(certificate + blocks[0]) as path:
            context.load_cert_chain(path, password=_no_passphrase)
    except ssl.SSLError as error:
        return False if error.reason in _MISMATCHES else None
    except (OSError, ValueError):
        return None
    return True


def _no_passphrase() -> str:
    """Keep OpenSSL from asking the terminal for the passphrase of an encrypted key."""
    raise ValueError("the key is encrypted")


@contextlib.contextmanager
def _in_memory(data: bytes) -> t.Iterator[str]:
    """Give bytes a path that OpenSSL can open; they never touch a disk."""
    descriptor = os.memfd_create("status", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
