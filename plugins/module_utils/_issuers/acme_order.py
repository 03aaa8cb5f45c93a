# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate ordered by ACME for the key that waits on this host."""

from __future__ import annotations

import hashlib
import os
import typing as t

from .. import _files
from .._argument_specs import CRYPTOGRAPHY_OPTION
from .._errors import TlsError
from .._host.file_owner import read_regular
from .._pki import keys, names, reader, signing
from .._pki.compat import serialization
from . import acme_client, http01
from .http import Endpoint, check_url

#: The options of M(acme_certificate).
OPTIONS: dict[str, t.Any] = {
    **CRYPTOGRAPHY_OPTION,
    "directory": {"type": "str", "required": True},
    "ca_content": {"type": "str", "default": ""},
    "anchors_content": {"type": "str", "default": ""},
    "key_path": {"type": "path", "required": True, "no_log": False},
    "common_name": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "contact": {"type": "list", "elements": "str", "default": []},
    "eab_kid": {"type": "str", "default": ""},
    "eab_key": {"type": "str", "default": "", "no_log": True},
    "profile": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 80},
    "webroot": {"type": "path"},
    "account_directory": {"type": "path", "default": "/var/lib/docker-tls/acme"},
    "timeout": {"type": "int", "default": 30},
}
_PENDING_SUFFIX = ".new"


def order(options: t.Mapping[str, t.Any], sleep: t.Callable[[float], None]) -> str:
    """Return the certificate and its chain as PEM. In: the options of M(acme_certificate), with defaults.

    Raises TlsError ``key-missing``, ``issuer-settings-invalid``, ``challenge-port-unusable``, and those of ``acme_client.Client``.
    """
    check_url(options["directory"], "directory of the issuer acme")
    if bool(options["eab_kid"]) != bool(options["eab_key"]):
        raise TlsError(
            "the issuer acme has only one of eab_kid and eab_key",
            hint="External account binding needs both, as the CA shows them.",
            code="issuer-settings-invalid",
        )
    wanted = names.normalize_names(options["names"])
    request = signing.build_request(
        _pending_key(options["key_path"]), names.SubjectNames(options["common_name"], wanted)
    )
    der = signing.load_request(request).public_bytes(serialization.Encoding.DER)
    settings = acme_client.Settings(
        Endpoint(options["directory"], options["ca_content"], options["timeout"], sleep=sleep),
        **{name: options[name] for name in ("eab_kid", "eab_key", "profile")},
        contact=tuple(options["contact"]),
    )
    anchors = options["anchors_content"].strip()
    trusted = reader.load_certificates(anchors, "the anchors of the issuer acme") if anchors else []
    client = acme_client.Client(settings, _account_key(options["account_directory"], options["directory"]))
    responder = http01.WebRoot(options["webroot"]) if options["webroot"] else http01.Listener(options["port"])
    with responder:
        return client.certificate(der, wanted, responder, trusted)


def _pending_key(path: str) -> t.Any:
    data = read_regular(path + _PENDING_SUFFIX, private_to=os.geteuid())
    if data is None:
        raise TlsError(
            f"{path}{_PENDING_SUFFIX} is missing, so there is no key for the certificate",
            hint="Run the play again from its beginning; certificate_requests makes the key.",
            code="key-missing",
        )
    return keys.load_private_key(data, what=path + _PENDING_SUFFIX)


def _account_key(directory: str, url: str) -> t.Any:
    """Return the key of this host's account with a CA; a new one is kept before the CA hears of it."""
    path = os.path.join(directory, f"{hashlib.sha256(url.encode('utf-8')).hexdigest()[:16]}.pem")
    data = read_regular(path, private_to=os.geteuid())
    if data is None:
        _files.ensure_directory(directory, 0o700)
        data = keys.encode_private_key(keys.generate_private_key("ecdsa-p256"))
        _files.write_atomic(path, data, 0o600)
    return keys.load_private_key(data, what=path)
