# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios' tests ask, in the words of a user: does dockerd answer this client, and does it refuse that one."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

PORT = 2376
TIMEOUT = 90


@dataclass(frozen=True)
class Bundle:
    """A directory with docker's three files: ca.pem, cert.pem, key.pem."""

    directory: Path

    @property
    def ca(self) -> str:
        return str(self.directory / "ca.pem")

    @property
    def certificate(self) -> str:
        return str(self.directory / "cert.pem")

    @property
    def key(self) -> str:
        return str(self.directory / "key.pem")


@dataclass(frozen=True)
class Answer:
    """What a client program on the controller said."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def succeeded(self) -> bool:
        return self.returncode == 0


def ephemeral_directory() -> Path:
    """The scenario's own directory on the controller: authorities, bundles, SSH key."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


def client_bundle(client: str = "client") -> Bundle:
    """The bundle that the play has put on the controller for a client."""
    return Bundle(ephemeral_directory() / "clients" / client)


def address_of(host: Any) -> str:
    """The address of a testinfra host, as the controller reaches it."""
    return str(host.ansible.get_variables()["ansible_host"])


def run(*command: str) -> Answer:
    """Run a program on the controller, without any DOCKER_* variable of the one who tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    finished = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return Answer(finished.returncode, finished.stdout.strip(), finished.stderr.strip())


def docker(address: str, bundle: Bundle, *arguments: str, port: int = PORT) -> Answer:
    """Call dockerd with the docker CLI over mutual TLS; the address must be among the certificate's names."""
    files = ("--tlscacert", bundle.ca, "--tlscert", bundle.certificate, "--tlskey", bundle.key)
    return run("docker", "--tlsverify", *files, "-H", f"tcp://{address}:{port}", *arguments)


def curl(
    address: str,
    path: str = "/_ping",
    bundle: Optional[Bundle] = None,
    *,
    name: str = "",
    port: int = PORT,
    scheme: str = "https",
) -> Answer:
    """Call dockerd with curl. Without a bundle there is no client certificate and no check of the server's.

    `name` calls dockerd by a name that no resolver knows.
    """
    options = ["--cacert", bundle.ca, "--cert", bundle.certificate, "--key", bundle.key] if bundle else ["--insecure"]
    if name:
        options += ["--connect-to", f"{name}:{port}:{address}:{port}"]
    url = f"{scheme}://{name or address}:{port}{path}"
    return run("curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "60", *options, url)


def is_listening(address: str, port: int = PORT) -> bool:
    """Whether anything accepts a TCP connection there."""
    try:
        with socket.create_connection((address, port), timeout=3):
            return True
    except OSError:
        return False


def answers_without_certificate(address: str, port: int = PORT) -> bool:
    """Whether dockerd answers a client that shows no certificate: never, if all is well.

    With TLS 1.3 the handshake succeeds and the refusal comes with the first read, so a request has to be sent.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return b"HTTP/1." in _ask(address, port, context)


def answers_plain_http(address: str, port: int = PORT) -> bool:
    """Whether dockerd serves its API without TLS. Go answers plain HTTP on a TLS port with status 400 and no API."""
    return b" 200 " in _ask(address, port, None).split(b"\r\n", 1)[0]


def _ask(address: str, port: int, context: Optional[ssl.SSLContext]) -> bytes:
    request = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
    with socket.create_connection((address, port), timeout=60) as raw:
        try:
            connection = context.wrap_socket(raw) if context else raw
            connection.sendall(request)
            return connection.recv(4096)
        except (ssl.SSLError, ConnectionError):
            return b""


def container_identity(host: Any, container: str = "keeper") -> str:
    """Process id and start time of a container: the same before and after means that it was never stopped.

    molecule/shared/prepare.yml notes it in /root/keeper before the first converge.
    """
    inspect = "{{.Id}} {{.RestartCount}} {{.State.Pid}} {{.State.StartedAt}}"
    return str(host.check_output("docker inspect -f %s %s", inspect, container).strip())


def journal(host: Any, unit: str = "docker", lines: int = 40) -> str:
    """The last lines of a unit's journal."""
    return str(host.run("journalctl --no-pager -n %s -u %s", str(lines), unit).stdout)
