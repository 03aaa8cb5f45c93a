# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Portainer for tests, over HTTP, that keeps to the recorded contract and refuses everything else."""

from __future__ import annotations

import contextlib
import email.parser
import http.server
import json
import pathlib
import re
import threading
import typing as t

import yaml

CONTRACT = yaml.safe_load((pathlib.Path(__file__).parents[2] / "fixtures/portainer/contract.yml").read_text())
KEY = "ptr_verysecrettoken"


class Portainer:
    """Its environments, the files of each, and the calls that it got."""

    def __init__(self) -> None:
        self.environments: list[dict[str, t.Any]] = []
        self.files: dict[int, dict[str, bytes]] = {}
        self.calls: list[str] = []
        self.fail: tuple[int, bytes] | None = None
        self.url = ""

    def create(self, fields: dict[str, str], files: dict[str, bytes]) -> tuple[int, t.Any]:
        number = len(self.environments) + 1
        tls = {"TLS": fields["TLS"] == "true", "TLSSkipVerify": fields["TLSSkipVerify"] == "true"}
        paths = {name: f"/data/tls/{number}/{name}" for name in ("TLSCACert", "TLSCert", "TLSKey")}
        entry = {"Id": number, "Name": fields["Name"], "Type": 1, "URL": fields["URL"], "TLSConfig": {**tls, **paths}}
        self.environments.append(entry)
        names = {"TLSCACertFile": "ca", "TLSCertFile": "cert", "TLSKeyFile": "key"}
        self.files[number] = {names[field]: data for field, data in files.items()}
        return 200, entry

    def update(self, number: int, body: dict[str, t.Any]) -> tuple[int, t.Any]:
        entry = self.environments[number - 1]
        entry.update({"Name": body["Name"], "URL": body["URL"]})
        paths = {name: f"/data/tls/{number}/{name}" for name in ("TLSCACert", "TLSCert", "TLSKey")}
        entry["TLSConfig"] = {"TLS": body["TLS"], "TLSSkipVerify": body["TLSSkipVerify"], **paths}
        return 200, entry


@contextlib.contextmanager
def portainer() -> t.Iterator[Portainer]:
    """Listen on a free port of 127.0.0.1 until the end of the block."""
    world = Portainer()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(world))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    world.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _form(kind: str, body: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return text fields and files of a multipart body, read by the standard library's parser."""
    message = email.parser.BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    fields, files = {}, {}
    for part in t.cast("list[t.Any]", message.get_payload()):
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if part.get_filename() is None:
            fields[name] = data.decode()
        else:
            files[name] = data
    return fields, files


def _fits(given: dict[str, t.Any], documented: dict[str, t.Any]) -> bool:
    return set(given) == set(documented) and all(
        value == "text" or given[name] == value for name, value in documented.items()
    )


def _handler(world: Portainer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            world.calls.append(f"{self.command} {self.path}")
            if self.headers.get(CONTRACT["header"]) != KEY:
                return self._answer(
                    401, {"message": "A valid authorization token is missing", "details": "Unauthorized"}
                )
            if world.fail is not None:
                return self._answer(world.fail[0], world.fail[1])
            return self._answer(*self._act(body))

        do_GET = do_POST = do_PUT = _serve

        def _act(self, body: bytes) -> tuple[int, t.Any]:
            if (self.command, self.path) == ("GET", CONTRACT["list"]["path"]):
                return 200, world.environments
            if (self.command, self.path) == ("POST", CONTRACT["create"]["path"]):
                fields, files = _form(self.headers["Content-Type"], body)
                if not _fits(fields, CONTRACT["create"]["fields"]) or set(files) != set(CONTRACT["create"]["files"]):
                    return 400, {"message": "Invalid request payload", "details": "not in the contract"}
                return world.create(fields, files)
            upload = re.fullmatch(r"/api/upload/tls/(ca|cert|key)", self.path)
            if self.command == "POST" and upload:
                fields, files = _form(self.headers["Content-Type"], body)
                if not _fits(fields, CONTRACT["upload"]["fields"]) or set(files) != set(CONTRACT["upload"]["files"]):
                    return 400, {"message": "Invalid certificate file", "details": "not in the contract"}
                world.files[int(fields["folder"])][upload[1]] = files["file"]
                return 204, b""
            update = re.fullmatch(r"/api/endpoints/(\d+)", self.path)
            if self.command == "PUT" and update and _fits(json.loads(body), CONTRACT["update"]["json"]):
                return world.update(int(update[1]), json.loads(body))
            return 400, {"message": "Invalid request payload", "details": "not in the contract"}

        def _answer(self, status: int, answer: t.Any) -> None:
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler
