# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""pebble, the ACME test server of Let's Encrypt, which really validates challenges: one for each test, on ports of its own."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time
import typing as t
import urllib.error
import urllib.request

import pytest

from support.ca import certificates as made

ROOT = pathlib.Path(__file__).parents[4]
PROGRAM = shutil.which("pebble", path=f"{ROOT}/.cache/issuers") or shutil.which("pebble")
needs_pebble = pytest.mark.skipif(PROGRAM is None, reason="pebble is not there; tools/issuers fetches it")
EAB = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


class Pebble:
    """One server. ``challenge_port`` is where it expects answers to http-01, in place of port 80."""

    def __init__(self, directory: pathlib.Path, *, eab: bool = False, reject_nonces: int = 0) -> None:
        directory.mkdir(parents=True)
        authority = made.authority(unit="pebble", number=81)
        listen = made.leaf(authority, subject_names=["localhost", "127.0.0.1"], common_name="localhost")
        listen.write(directory, "listen")
        self.ca_content = authority.pem
        port, management, self.challenge_port = free_port(), free_port(), free_port()
        settings = {
            "listenAddress": f"127.0.0.1:{port}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(directory / "listen.pem"),
            "privateKey": str(directory / "listen.key"),
            "httpPort": self.challenge_port,
            "tlsPort": free_port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": eab,
            "externalAccountMACKeys": {EAB[0]: EAB[1]},
        }
        (directory / "pebble.json").write_text(json.dumps({"pebble": settings}))
        environment = {
            "PATH": os.environ["PATH"],
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_WFE_NONCEREJECT": str(reject_nonces),
        }
        self.log = directory / "pebble.log"
        with self.log.open("w") as log:
            command = [str(PROGRAM), "-config", str(directory / "pebble.json"), "-strict", "false"]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.directory = f"https://localhost:{port}/dir"
        self._management = f"https://localhost:{management}"
        self._context = ssl.create_default_context(cadata=self.ca_content)
        self.root = self._get("/roots/0")

    def _get(self, path: str) -> str:
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(self._management + path, context=self._context) as answer:
                    return str(answer.read().decode())
            except urllib.error.URLError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    def orders(self) -> int:
        """Return how many orders were made, by the server's log."""
        return self.log.read_text().count("Added order")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def started(directory: pathlib.Path, **settings: t.Any) -> t.Iterator[Pebble]:
    """Yield a server, for a fixture."""
    server = Pebble(directory, **settings)
    try:
        yield server
    finally:
        server.stop()
