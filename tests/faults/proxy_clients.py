# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Independent clients of the listener ``proxy``: the docker CLI and curl of this machine, and a prober with new connections only."""

from __future__ import annotations

import http.client
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from conftest import CLIENTS, SERVER, Host
from support.ca.certificates import Pair, leaf

PORT = 2376


def client_pair(issuer: Pair = CLIENTS, name: str = "alice", **changes: t.Any) -> Pair:
    """Return a client's certificate with a key of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    return leaf(issuer, profile="client", subject_names=(name,), key=key, **changes)


@dataclass
class Clients:
    """What users have on their machines: a directory as ``DOCKER_CERT_PATH`` names it."""

    host: Host
    path: pathlib.Path
    pair: Pair = field(default_factory=client_pair)

    def __post_init__(self) -> None:
        self.path.mkdir(exist_ok=True)
        (self.path / "ca.pem").write_text(SERVER.pem)
        (self.path / "cert.pem").write_text(self.pair.pem)
        (self.path / "key.pem").write_bytes(self.pair.key_pem)

    def command(self, *arguments: str) -> list[str]:
        """Return a docker command line for the host's TCP port."""
        pems = [f"--tlscacert={self.path}/ca.pem", f"--tlscert={self.path}/cert.pem", f"--tlskey={self.path}/key.pem"]
        return ["docker", "-H", f"tcp://{self.host.address}:{PORT}", "--tlsverify", *pems, *arguments]

    def docker(self, *arguments: str, data: str = "", timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Run the docker CLI."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER")}
        return subprocess.run(
            self.command(*arguments), input=data, capture_output=True, text=True, timeout=timeout, env=environment
        )

    def status(self, path: str = "/_ping", *options: str, certificate: bool = True) -> str:
        """Return the HTTP status that curl gets, "000" where there is no response."""
        pems = ["--cert", f"{self.path}/cert.pem", "--key", f"{self.path}/key.pem"] if certificate else []
        url = f"https://{self.host.address}:{PORT}{path}"
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "10", "--cacert", f"{self.path}/ca.pem"]
        return subprocess.run([*command, *pems, *options, url], capture_output=True, text=True).stdout

    def first_line(self, request: str, *headers: str) -> str:
        """Return the first line of the answer to a request that is written as it is."""
        context = self.context()
        with (
            socket.create_connection((self.host.address, PORT), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=self.host.address) as connection,
        ):
            connection.sendall("\r\n".join([request, "Host: docker", *headers, "", ""]).encode())
            return connection.recv(4096).decode("latin-1").partition("\r\n")[0]

    def context(self) -> ssl.SSLContext:
        """Return a context that verifies the host and presents the client."""
        context = ssl.create_default_context(cafile=str(self.path / "ca.pem"))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.load_cert_chain(self.path / "cert.pem", self.path / "key.pem")
        return context


class Prober:
    """Asks ``/_ping`` on a new connection every few milliseconds."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.answered = 0
        self.failures: list[str] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.probe)

    def probe(self) -> None:
        context = self.clients.context()
        while not self.over.wait(0.005):
            connection = http.client.HTTPSConnection(self.clients.host.address, PORT, timeout=30, context=context)
            try:
                connection.request("GET", "/_ping")
                response = connection.getresponse()
                if response.status == 200:
                    self.answered += 1
                else:
                    self.failures.append(f"HTTP {response.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
            finally:
                connection.close()

    def wait_for(self, count: int, seconds: float = 30.0) -> None:
        """Wait until so many answers have come."""
        deadline = time.monotonic() + seconds
        while self.answered < count and time.monotonic() < deadline:
            time.sleep(0.01)

    def __enter__(self) -> Prober:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self.thread.join()
