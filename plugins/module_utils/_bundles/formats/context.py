# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker contexts: the files that the CLI keeps below ``~/.docker/contexts``, and archives for ``docker context import NAME FILE``.

Layout and bytes are those of docker 28.2 (compared with the files of the CLI itself, in the tests):
``contexts/meta/<sha256 of the name>/meta.json`` and ``contexts/tls/<the same>/docker/{ca,cert,key}.pem``. A bundle in
``~/.docker`` is at once what ``docker --context NAME`` uses; anywhere else ``DOCKER_CONFIG`` points to it.

Archives are to hand to another machine. The CLI's own export never ends its archive (measured with 28.2: ``tar`` says "Unexpected EOF"), and the
CLI does not mind. Ours has the same members and its end, so ``tar`` and backup tools can read it too.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile

from .base import Endpoint, File, Identity, endpoints_by_name, public, secret

#: The CLI's own rule (cli/command/context), and the one name that it keeps for itself.
_VALID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")
_RESERVED = "default"
_GO_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def files(identity: Identity) -> dict[str, File]:
    """Return a context for each endpoint; the private ones first, so that no context is listed without its key."""
    tls, meta = {}, {}
    for name, endpoint in named(identity).items():
        digest = hashlib.sha256(name.encode()).hexdigest()
        for file, data in material(identity).items():
            tls[f"contexts/tls/{digest}/docker/{file}"] = secret(data)
        meta[f"contexts/meta/{digest}/meta.json"] = public(metadata(name, endpoint, identity))
    return {**tls, **meta}


def named(identity: Identity) -> dict[str, Endpoint]:
    """Return the endpoints by their contexts' names. Raises TlsError ``endpoint-duplicate``."""
    return endpoints_by_name(identity, context_name, "docker context {}")


def context_name(name: str) -> str:
    """Return ``name`` as the CLI takes it: letters, digits and ``_.+-``, two at least, not ``default``."""
    plain = re.sub(r"[^a-zA-Z0-9_.+-]", "-", name)
    return plain if _VALID.fullmatch(plain) and plain != _RESERVED else f"docker-{plain.lstrip('-')}"


def material(identity: Identity) -> dict[str, bytes]:
    """Return the three files that a context has."""
    return {"ca.pem": identity.ca, "cert.pem": identity.certificate, "key.pem": identity.key}


def metadata(name: str, endpoint: Endpoint, identity: Identity) -> bytes:
    """Return ``meta.json`` byte for byte as Go's encoder writes it: no spaces, no newline, HTML signs escaped."""
    document = {
        "Name": name,
        "Metadata": {"Description": f"Client {identity.client}, by portcullis.docker_tls"},
        "Endpoints": {"docker": {"Host": endpoint.docker_host, "SkipTLSVerify": False}},
    }
    written = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    for sign, escape in _GO_ESCAPES.items():
        written = written.replace(sign, escape)
    return written.encode()


def archives(identity: Identity) -> dict[str, File]:
    """Return ``contexts-export/<context>.dockercontext`` for each endpoint; that ending is the CLI's."""
    return {
        f"contexts-export/{name}.dockercontext": secret(_archive(name, endpoint, identity))
        for name, endpoint in named(identity).items()
    }


def _archive(name: str, endpoint: Endpoint, identity: Identity) -> bytes:
    """Return the archive; the same identity gives the same bytes (no times, no owners)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "meta.json", 0o644, metadata(name, endpoint, identity))
        _add(archive, "tls", 0o700)
        _add(archive, "tls/docker", 0o700)
        for file, data in material(identity).items():
            _add(archive, f"tls/docker/{file}", 0o600, data)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, mode: int, data: bytes | None = None) -> None:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = mode, 0
    member.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
    member.size = len(data or b"")
    archive.addfile(member, io.BytesIO(data or b""))
