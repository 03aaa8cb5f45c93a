# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real HAProxy on a test host with the rendered configuration, in front of dockerd or of a server that notes what it is asked."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import ssl
import tempfile
import time
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy import config, rights
from conftest import SERVER, Host, certificate
from support.ca.certificates import FAR_AHEAD, LONG_AGO, Pair, authority, leaf, named_authority

DOCKER, RECORDER = 2398, 2399
#: Python's requests believes them more than the authority that its caller names.
OTHER_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
RESTART = {"methods": ["POST"], "path": "/containers/{id}/restart"}
ATTACH = {"methods": ["POST"], "path": "/containers/{id}/attach"}
#: With the name of a container instead of a placeholder.
TOP = {"methods": ["GET"], "path": "/containers/keeper/top"}
RIGHTS: dict[str, t.Any] = {
    "operators": "full",
    "readers": "read-only",
    "grafana": "monitoring",
    "traefik": "discovery",
    "prometheus": "prometheus",
    "portainer": "portainer",
    "builders": "ci",
    "restarters": {"preset": "read-only", "rules": [RESTART, ATTACH, TOP]},
}
AUTHORITIES = {name: authority("client", unit=f"{name}-g1", number=40 + n) for n, name in enumerate(RIGHTS)}
#: Trusted by the proxy, and in no group.
STRANGERS = authority("client", unit="strangers-g1", number=60)
#: Full rights; a name that has to be quoted in the configuration and is printed by HAProxy without any escape.
ODD = named_authority([("O", 'it\'s #1 "$HOME" \\ {x} a/b, c+d = e'), ("CN", "odd")], number=61)
CLIENTS = {
    **{name: leaf(pair, "client", common_name=f"{name}-1") for name, pair in AUTHORITIES.items()},
    "strangers": leaf(STRANGERS, "client", common_name="stranger"),
    "odd": leaf(ODD, "client", common_name="odd-1"),
    "revoked": leaf(AUTHORITIES["operators"], "client", common_name="revoked-1"),
    "expired": leaf(AUTHORITIES["operators"], "client", common_name="expired-1", end=LONG_AGO + timedelta(days=9)),
}

# Answers every request with 200 and its number, and 101 wherever it finds an Upgrade header, as no careful server would.
RECORDING = r"""
import json, os, re, socketserver
SOCKET, NOTES = "/run/lab-recorder/docker.sock", "/run/lab-recorder/notes"
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            length = re.search(rb"(?im)^content-length: *(\d+)", head)
            body = self.rfile.read(int(length[1])) if length else b""
            if re.search(rb"(?im)^transfer-encoding:.*chunked", head):
                while True:
                    size = int(self.rfile.readline().split(b";")[0], 16)
                    body += self.rfile.read(size)
                    self.rfile.readline()
                    if not size:
                        break
            upgrade = b"\nupgrade:" in head.lower()
            with open(NOTES, "a") as notes:
                notes.write(json.dumps({"line": head.split(b"\r\n")[0].decode("latin-1"), "upgrade": upgrade, "body": len(body)}) + "\n")
            if upgrade:
                self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
                self.wfile.write(b"got " + self.rfile.read())
                return
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads, request_queue_size = True, 500
os.umask(0)
Server(SOCKET, Handler).serve_forever()
"""


def crl(pair: Pair, *revoked: Pair) -> bytes:
    builder = x509.CertificateRevocationListBuilder(pair.certificate.subject)
    builder = builder.last_update(LONG_AGO.replace(tzinfo=None)).next_update(FAR_AHEAD.replace(tzinfo=None))
    for each in revoked:
        entry = x509.RevokedCertificateBuilder(each.certificate.serial_number, LONG_AGO.replace(tzinfo=None)).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(pair.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Reply:
    """The first response of a connection; ``text`` is everything that came."""

    status: int
    text: str

    @property
    def message(self) -> str:
        """What a Docker client shows of an error."""
        return str(json.loads(self.text.partition("\r\n\r\n")[2])["message"])


class Lab:
    """Two proxies on the host: one in front of dockerd, one in front of the recorder."""

    def __init__(self, host: Host) -> None:
        self.host = host
        found = host.sh("haproxy -v | head -1").split()[2].partition("-")[0]
        self.version = tuple(int(part) for part in found.split(".")[:3] if part.isdigit())

    @property
    def is_supported(self) -> bool:
        """Whether the host's HAProxy can have the configuration (not that of Debian 11)."""
        return self.version >= config.MINIMUM_VERSION

    def start(self) -> None:
        host = self.host
        pair = certificate(host.address)
        host.sh("rm -rf /etc/lab; mkdir -p /etc/lab; systemctl stop 'lab-*' 2>/dev/null; systemctl reset-failed")
        host.put("/etc/lab/server.pem", pair.pem.encode() + pair.key_pem)
        anchors = [*AUTHORITIES.values(), STRANGERS, ODD]
        host.put("/etc/lab/ca.pem", "".join(each.pem for each in anchors))
        lists = [crl(each, *([CLIENTS["revoked"]] if each is AUTHORITIES["operators"] else [])) for each in anchors]
        host.put("/etc/lab/crl.pem", b"".join(lists))
        for name, client in CLIENTS.items():
            host.put(f"/etc/lab/{name}/cert.pem", client.pem)
            host.put(f"/etc/lab/{name}/key.pem", client.key_pem)
            host.put(f"/etc/lab/{name}/ca.pem", SERVER.pem)
        host.put("/etc/lab/recorder.py", RECORDING)
        run = "systemd-run -q --unit"
        host.sh(
            f"{run} lab-recorder -p RuntimeDirectory=lab-recorder -p RuntimeDirectoryMode=0755 python3 /etc/lab/recorder.py"
        )
        self.proxy(DOCKER, "/run/docker.sock")
        self.proxy(RECORDER, "/run/lab-recorder/docker.sock")

    def proxy(self, port: int, docker_socket: str, **changes: t.Any) -> None:
        """Start a proxy as its own unit would: as an unprivileged user with Docker's group."""
        groups = [
            config.ProxyGroup.of(name, [pair.certificate], rights.parse_rights(RIGHTS[name], "lab"))
            for name, pair in AUTHORITIES.items()
        ]
        groups.append(config.ProxyGroup.of("odd", [ODD.certificate]))
        values: dict[str, t.Any] = {
            "listen": (("0.0.0.0", port),),
            "certificate_path": "/etc/lab/server.pem",
            "ca_path": "/etc/lab/ca.pem",
            "crl_path": "/etc/lab/crl.pem",
            "groups": tuple(groups),
            "docker_socket": docker_socket,
            "stream_timeout_seconds": 3600,
            "haproxy_version": self.version,
        }
        text = config.render(config.ProxyConfig(**{**values, **changes}))
        self.host.put(f"/etc/lab/{port}.cfg", text)
        self.host.sh(f"haproxy -c -f /etc/lab/{port}.cfg")
        user = "-p User=haproxy -p Group=haproxy -p SupplementaryGroups=docker -p Type=notify"
        run = f"systemd-run -q --unit lab-{port} {user} -p RuntimeDirectory=lab-{port}"
        self.host.sh(
            f"{run} -p ExecReload='/bin/kill -USR2 $MAINPID' haproxy -Ws -f /etc/lab/{port}.cfg -p /run/lab-{port}/pid"
        )

    def stop(self) -> None:
        self.host.sh("systemctl stop 'lab-*'; rm -rf /etc/lab", check=False)

    def context(self, client: str, directory: pathlib.Path) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=SERVER.pem)
        if client:
            path = CLIENTS[client].write(directory, client)
            context.load_cert_chain(path, path.with_suffix(".key"))
        return context

    @contextlib.contextmanager
    def connection(
        self,
        client: str,
        port: int = RECORDER,
        *,
        maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> t.Iterator[ssl.SSLSocket]:
        """Return a verified connection of ``client`` ("" for one without a certificate)."""
        if context is None:
            with tempfile.TemporaryDirectory() as directory:
                context = self.context(client, pathlib.Path(directory))
            context.maximum_version = maximum
        with (
            socket.create_connection((self.host.address, port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=self.host.address, session=session) as secured,
        ):
            yield secured

    def ask(self, client: str, data: bytes, port: int = RECORDER) -> Reply:
        """Send ``data`` and return what comes until the other side closes, or is silent for a second after the first answer."""
        with self.connection(client, port) as secured:
            return exchange(secured, data)

    def request(self, client: str, line: str, port: int = RECORDER, headers: str = "") -> Reply:
        """Send one request in one connection."""
        return self.ask(
            client, f"{line} HTTP/1.1\r\nHost: docker\r\n{headers}Connection: close\r\n\r\n".encode("latin-1"), port
        )

    def recorded(self) -> list[dict[str, t.Any]]:
        """Return what has reached the recorder since the last call."""
        lines = self.host.sh("cd /run/lab-recorder; touch notes; cat notes; : > notes").splitlines()
        return [json.loads(line) for line in lines]

    def environment(self, client: str, directory: pathlib.Path) -> dict[str, str]:
        """Return what a client program on this machine has in its environment; its files are written to ``directory``."""
        (directory / "ca.pem").write_text(SERVER.pem)
        (directory / "cert.pem").write_text(CLIENTS[client].pem)
        (directory / "key.pem").write_bytes(CLIENTS[client].key_pem)
        others = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("DOCKER") and name not in OTHER_AUTHORITIES
        }
        address = f"tcp://{self.host.address}:{DOCKER}"
        return {**others, "DOCKER_HOST": address, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(directory)}

    def docker(self, client: str, command: str) -> tuple[int, str]:
        """Run the docker CLI of the host through the proxy; return its exit code and output."""
        settings = (
            f"DOCKER_HOST=tcp://{self.host.address}:{DOCKER} DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=/etc/lab/{client}"
        )
        output = self.host.sh(f"export {settings}; ( {command} ) 2>&1; echo rc=$?", timeout=60)
        text, _separator, code = output.rpartition("rc=")
        return int(code), text.strip()

    def log(self, port: int, wanted: t.Callable[[dict[str, t.Any]], bool]) -> dict[str, t.Any]:
        """Return the last line of the proxy's log that is ``wanted``; each line has to be JSON."""
        deadline = time.monotonic() + 10
        while True:
            text = self.host.sh(f"journalctl -u lab-{port} -o cat --no-pager | grep '^{{'", check=False)
            found = [line for line in map(json.loads, text.splitlines()) if wanted(line)]
            if found:
                return dict(found[-1])
            assert time.monotonic() < deadline, text[-3000:]
            time.sleep(0.3)


def exchange(secured: ssl.SSLSocket, data: bytes) -> Reply:
    received = b""
    with contextlib.suppress(OSError):
        secured.sendall(data)
    try:
        while block := secured.recv(65536):
            received += block
            secured.settimeout(1)
    except OSError:
        pass
    text = received.decode("utf-8", "replace")
    return Reply(int(text[9:12]) if text.startswith("HTTP/1.") else 0, text)
