# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that people bring: a directory on the controller where requests are left and certificates are found.

For a CA that is asked by hand or by another tool (Microsoft AD CS, a ticket, ``openssl ca``). A request ``web1-server.csr`` lies there
until ``web1-server.pem``, the leaf with its intermediates, is put beside it; the next run takes it. The private key stays on its host.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .. import _files
from .._errors import TlsError
from .._host import file_owner
from .._pki import reader
from .answer import public_key_fingerprint_of
from .orders import Order

#: Options of the issuer, as ``argument_spec``.
OPTIONS: dict[str, t.Any] = {
    "directory": {"type": "path", "required": True},
    # Keys that something else makes are on the host: certificate_requests reads them there.
    "key_path": {"type": "str", "default": "", "no_log": False},
}
_OTHER = re.compile(r"[^A-Za-z0-9_.@-]+")


@dataclass(frozen=True)
class Settings:
    """Where requests and certificates are."""

    directory: str


def settings_from(options: t.Mapping[str, t.Any], what: str) -> Settings:
    """Return the settings of ``what``, checked. Raises TlsError ``issuer-settings-invalid``."""
    directory = os.path.expanduser(str(options["directory"]))
    if not os.path.isabs(directory):
        raise TlsError(
            f"directory of {what} is {options['directory']!r}, which is not an absolute path",
            hint="Write it as /srv/docker-certificates, ~/docker-certificates or {{ playbook_dir }}/certificates.",
            code="issuer-settings-invalid",
        )
    return Settings(directory)


def place(orders: t.Sequence[Order], settings: Settings) -> dict[str, str | TlsError]:
    """Return, by id, the certificates that lie there for the keys of ``orders``; where there is none, leave the request.

    An order without its certificate has TlsError ``certificate-awaited``; one whose files cannot be read or written ``file-unreadable``,
    ``file-unwritable`` or ``certificate-unreadable``.
    """
    found: dict[str, str | TlsError] = {}
    for order in orders:
        try:
            found[order.id] = _place(order, settings)
        except TlsError as error:
            found[order.id] = error
    return found


def _place(order: Order, settings: Settings) -> str:
    path = os.path.join(settings.directory, file_name(order))
    # Others write to this directory: a pipe there must not stop the run.
    data = file_owner.read_regular(f"{path}.pem")
    if data is not None:
        certificates = reader.load_certificates(data, f"{path}.pem")
        if any(public_key_fingerprint_of(one) == order.public_key_fingerprint for one in certificates):
            return data.decode("ascii", "replace")
    if file_owner.read_regular(f"{path}.csr") != order.request_content.encode("ascii"):
        if not os.path.isdir(settings.directory):
            _files.ensure_directory(settings.directory, 0o755)
        _files.write_atomic(f"{path}.csr", order.request_content.encode("ascii"), 0o644)
    stale = f" {path}.pem is for another key, so it belongs to an older request." if data is not None else ""
    raise TlsError(
        f"its certificate is awaited: the request is in {path}.csr.{stale}",
        hint=f"Have the CA sign it, put the certificate and its intermediate certificates into {path}.pem, then run the play again. "
        "Until then the host keeps its certificate.",
        code="certificate-awaited",
    )


def file_name(order: Order) -> str:
    """Return the name of an order's files without their ending: the id, with everything unusual as a hyphen."""
    return _OTHER.sub("-", order.id).strip(".-") or "request"
