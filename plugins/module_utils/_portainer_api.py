# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker environments in Portainer, by its HTTP API.

Portainer's API documentation (2.39): ``GET /api/endpoints``; ``POST /api/endpoints`` (multipart, with the three files);
``POST /api/upload/tls/{ca,cert,key}`` (multipart, into the folder that is named as the environment's id) and
``PUT /api/endpoints/{id}`` (JSON), which makes Portainer connect again with them. It never returns the certificate that it has,
so the uploaded files are noted beside the bundle: the environment's id and a digest of the public parts.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import typing as t
from dataclasses import dataclass

from ansible.module_utils.urls import open_url

from ._errors import TlsError
from ._files import ensure_directory, read_bytes_or_none, write_atomic
from ._text_table import clean

DOCKER_ENVIRONMENT = 1
_FILES = (("ca", "TLSCACertFile", "ca.pem"), ("cert", "TLSCertFile", "cert.pem"), ("key", "TLSKeyFile", "key.pem"))
_TLS = {"TLS": True, "TLSSkipVerify": False, "TLSSkipClientVerify": False}
_LONGEST_ANSWER = 300
_NOTES = ".portainer"


@dataclass(frozen=True)
class Server:
    """A Portainer and how to talk to it."""

    url: str
    api_key: str
    validate_certs: bool = True
    ca_path: str = ""
    timeout: int = 30


@dataclass(frozen=True)
class Wanted:
    """An environment with its wanted values; ``files`` by their names in the bundle."""

    name: str
    docker_host: str
    directory: str
    files: dict[str, bytes]

    @property
    def digest(self) -> str:
        """Digest of the certificates; the key has to be that of the certificate, so it is not in it."""
        return hashlib.sha256(self.files["ca.pem"] + b"\0" + self.files["cert.pem"]).hexdigest()


@dataclass(frozen=True)
class Plan:
    """What Portainer has under the name (None: nothing), and why that is not right."""

    found: dict[str, t.Any] | None
    reasons: tuple[str, ...]


def read_bundle(directory: str) -> dict[str, bytes]:
    """Return the three files of a bundle. Raises TlsError ``file-unreadable``, ``certificate-missing``."""
    files = {}
    for name in (entry[2] for entry in _FILES):
        data = read_bytes_or_none(os.path.join(directory, name))
        if data is None:
            raise TlsError(
                f"there is no {name} in {directory}",
                hint="Give the directory of a bundle, as the role docker_client_cert makes it.",
                code="certificate-missing",
            )
        files[name] = data
    return files


def plan(server: Server, wanted: Wanted) -> Plan:
    """Return the changes. Raises TlsError ``portainer-*``, ``environment-different``."""
    environments = _call(server, "GET", "/api/endpoints")
    same = [entry for entry in environments if isinstance(entry, dict) and entry.get("Name") == wanted.name]
    if not same:
        return Plan(None, ("environment-missing",))
    found = same[0]
    if len(same) > 1 or found.get("Type") != DOCKER_ENVIRONMENT:
        what = "several environments" if len(same) > 1 else "an environment of another type (an agent or Kubernetes)"
        raise TlsError(
            f"{server.url} has {what} by the name {wanted.name!r}",
            hint="Give this one another name, or remove that in Portainer.",
            code="environment-different",
        )
    return Plan(found, tuple(_reasons(server, wanted, found)))


def _reasons(server: Server, wanted: Wanted, found: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    tls = found.get("TLSConfig") or {}
    files = sum(bool(tls.get(name)) for name in ("TLSCACert", "TLSCert", "TLSKey"))  # none where they are not shown
    if found.get("URL") != wanted.docker_host:
        yield "url-changed"
    if not tls.get("TLS") or tls.get("TLSSkipVerify") or files in (1, 2):
        yield "tls-changed"
    if _note(server, wanted) != {"id": found.get("Id"), "sha256": wanted.digest}:
        yield "certificate-changed"


def apply(server: Server, wanted: Wanted, planned: Plan) -> int:
    """Create or update the environment, write down what Portainer has now, and return its id."""
    if planned.found is None:
        identifier = _create(server, wanted)
    else:
        identifier = planned.found["Id"]
        if {"tls-changed", "certificate-changed"} & set(planned.reasons):
            for kind, unused, name in _FILES:
                fields = {"folder": str(identifier)}
                _upload(server, f"/api/upload/tls/{kind}", fields, {"file": (name, wanted.files[name])})
        body = json.dumps({"Name": wanted.name, "URL": wanted.docker_host, **_TLS}).encode()
        _call(server, "PUT", f"/api/endpoints/{identifier}", body, "application/json")
    _write_note(server, wanted, identifier)
    return int(identifier)


def _create(server: Server, wanted: Wanted) -> int:
    fields = {
        "Name": wanted.name,
        "EndpointCreationType": str(DOCKER_ENVIRONMENT),
        "URL": wanted.docker_host,
        **{name: str(value).lower() for name, value in _TLS.items()},
    }
    files = {field: (name, wanted.files[name]) for unused, field, name in _FILES}
    answer = _upload(server, "/api/endpoints", fields, files)
    if not isinstance(answer, dict) or not isinstance(answer.get("Id"), int):
        raise TlsError(
            f"{server.url} made the environment {wanted.name!r}, but did not return its id",
            hint="Check in Portainer whether the environment is there; delete it and run again.",
            code="portainer-answer-invalid",
        )
    return int(answer["Id"])


def _upload(server: Server, path: str, fields: t.Mapping[str, str], files: t.Mapping[str, tuple[str, bytes]]) -> t.Any:
    boundary = secrets.token_hex(16)
    parts = [(f'name="{name}"', b"", value.encode()) for name, value in fields.items()]
    kind = b"Content-Type: application/x-pem-file\r\n"
    parts += [(f'name="{field}"; filename="{name}"', kind, data) for field, (name, data) in files.items()]
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n%s\r\n%s\r\n" % (boundary.encode(), name.encode(), more, data)
        for name, more, data in parts
    )
    body += f"--{boundary}--\r\n".encode()
    return _call(server, "POST", path, body, f"multipart/form-data; boundary={boundary}")


def _call(server: Server, method: str, path: str, body: bytes | None = None, kind: str = "") -> t.Any:
    """Return the JSON of an answer, None for an empty one. Raises TlsError ``portainer-*`` with the message of Portainer."""
    headers = {"X-API-Key": server.api_key, "Accept": "application/json", **({"Content-Type": kind} if kind else {})}
    doing = f"{method} {server.url}{path}"
    try:
        answer = open_url(
            server.url + path,
            method=method,
            data=body,
            headers=headers,
            validate_certs=server.validate_certs,
            ca_path=server.ca_path or None,
            timeout=server.timeout,
            follow_redirects="none",
        )
        text = answer.read()
    except Exception as error:  # open_url lets through whatever urllib, ssl and http.client raise
        raise _problem(doing, error) from error
    try:
        return json.loads(text) if text.strip() else None
    except ValueError as error:
        raise TlsError(
            f"{doing} was answered with something that is not JSON",
            hint="Is url Portainer's own address, without a path?",
            code="portainer-answer-invalid",
        ) from error


def _problem(doing: str, error: Exception) -> TlsError:
    status = getattr(error, "code", None)
    if not isinstance(status, int):
        hint = "Check url, the network and, for its HTTPS, ca_path."
        return TlsError(f"{doing} failed: {error}", hint=hint, code="portainer-unreachable")
    said = _said(error)
    if status in (401, 403):
        hint = "api_key must be an access token of an administrator (My account, Access tokens)."
        return TlsError(f"{doing} was refused ({status}){said}", hint=hint, code="portainer-refused")
    hint = (
        "Portainer tries the connection itself: check from where it runs that the host is reached by this name, and that it admits the client's group."
        if status == 500
        else "Check Portainer's log."
    )
    return TlsError(f"{doing} was answered with {status}{said}", hint=hint, code="portainer-failed")


def _said(error: t.Any) -> str:
    """Return the reason in Portainer's answer, as one short line."""
    try:
        answer = json.loads(error.read())
        parts = [str(answer[name]) for name in ("message", "details") if answer.get(name)]
    except Exception:  # an answer of any shape, or none
        return ""
    line = clean(" ".join(": ".join(parts).split()))
    return f": {line[:_LONGEST_ANSWER]}" if line else ""


def _note_path(server: Server, wanted: Wanted) -> str:
    """One file for each environment, so that tasks for many hosts can run at once."""
    name = hashlib.sha256(f"{server.url}\0{wanted.name}".encode()).hexdigest()[:16]
    return os.path.join(wanted.directory, _NOTES, f"{name}.json")


def _note(server: Server, wanted: Wanted) -> dict[str, t.Any]:
    try:
        note = json.loads(read_bytes_or_none(_note_path(server, wanted)) or b"{}")
    except ValueError:
        return {}
    return {name: note.get(name) for name in ("id", "sha256")} if isinstance(note, dict) else {}


def _write_note(server: Server, wanted: Wanted, identifier: int) -> None:
    path = _note_path(server, wanted)
    note = {"url": server.url, "name": wanted.name, "id": identifier, "sha256": wanted.digest}
    ensure_directory(os.path.dirname(path), 0o700)
    write_atomic(path, (json.dumps(note, indent=1) + "\n").encode(), 0o600)
