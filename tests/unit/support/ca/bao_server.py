# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real OpenBao server over TLS, one for each worker of the tests, and what an administrator does with it."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import typing as t
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).parents[4]
PROGRAM = shutil.which("bao", path=f"{ROOT}/.cache/issuers") or shutil.which("bao")
needs_bao = pytest.mark.skipif(PROGRAM is None, reason="OpenBao is not there; tools/issuers fetches it")
ADMINISTRATOR = "administrator-token-0123456789"


class Bao:
    """One server in development mode: everything is in memory, TLS is real."""

    def __init__(self, directory: pathlib.Path) -> None:
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{chosen.getsockname()[1]}"
        self.url = f"https://{address}"
        (directory / "tls").mkdir(parents=True)
        command = [str(PROGRAM), "server", "-dev", "-dev-tls", f"-dev-tls-cert-dir={directory / 'tls'}"]
        command += [f"-dev-root-token-id={ADMINISTRATOR}", f"-dev-listen-address={address}", "-dev-no-store-token"]
        self.log = directory / "bao.log"
        with self.log.open("w") as log:
            settings = {"HOME": str(directory), "PATH": os.environ["PATH"]}
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=settings)
        said = ""
        for line in t.cast("t.IO[str]", self._process.stdout):  # ends with the server, or where it is ready
            said += line
            if "Development mode should NOT be used" in line:
                break
        self._unseal_key = re.findall(r"Unseal Key: (\S+)", said)[0]
        self.ca_content = next((directory / "tls").glob("*ca.pem")).read_text()
        self._context = ssl.create_default_context(cadata=self.ca_content)

    @property
    def process_id(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate()

    def call(self, path: str, body: t.Any = None, *, method: str = "", token: str = ADMINISTRATOR) -> dict[str, t.Any]:
        """Ask the API as an administrator; return the object that it answers."""
        method = method or ("GET" if body is None else "POST")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/v1/{path}", data=data, method=method, headers={"X-Vault-Token": token}
        )
        with urllib.request.urlopen(request, context=self._context) as answer:
            raw = answer.read()
        found: dict[str, t.Any] = json.loads(raw) if raw else {}
        return found

    def text(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}/v1/{path}", context=self._context) as answer:
            return str(answer.read().decode())

    def make_ca(self, mount: str, name: str, namespace: str = "") -> str:
        """Mount a PKI engine with a root of its own; return the root as PEM. ``namespace`` ends with a slash."""
        self.call(f"{namespace}sys/mounts/{mount}", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
        made = self.call(
            f"{namespace}{mount}/root/generate/internal",
            {"common_name": name, "issuer_name": "root", "ttl": "43800h", "key_type": "ec", "key_bits": 256},
        )
        return str(made["data"]["certificate"])

    def make_intermediate(self, mount: str, parent: str, name: str) -> str:
        """Give the engine at ``mount`` a new issuing CA below the root at ``parent``; return it as PEM."""
        mounts = self.call("sys/mounts")
        if f"{mount}/" not in mounts["data"]:
            self.call(f"sys/mounts/{mount}", {"type": "pki", "config": {"max_lease_ttl": "43800h"}})
        asked = self.call(
            f"{mount}/intermediate/generate/internal", {"common_name": name, "key_type": "ec", "key_bits": 256}
        )
        signed = self.call(
            f"{parent}/root/sign-intermediate", {"csr": asked["data"]["csr"], "common_name": name, "ttl": "26280h"}
        )
        stored = self.call(f"{mount}/intermediate/set-signed", {"certificate": signed["data"]["certificate"]})
        self.call(f"{mount}/config/issuers", {"default": stored["data"]["imported_issuers"][0]})
        return str(signed["data"]["certificate"])

    def make_role(self, mount: str, role: str, **settings: t.Any) -> None:
        """Make a role as the documentation describes, with ``settings`` over it."""
        self.call(f"{mount}/roles/{role}", {**SERVER_ROLE, **settings})

    def make_approle(self, policy: str, rules: str) -> dict[str, str]:
        """Return the credentials of an AppRole with one policy."""
        if "approle/" not in self.call("sys/auth")["data"]:
            self.call("sys/auth/approle", {"type": "approle"})
        self.call(f"sys/policies/acl/{policy}", {"policy": rules})
        self.call(f"auth/approle/role/{policy}", {"token_policies": policy, "token_ttl": "10m"})
        role_id = self.call(f"auth/approle/role/{policy}/role-id")["data"]["role_id"]
        secret_id = self.call(f"auth/approle/role/{policy}/secret-id", {})["data"]["secret_id"]
        return {"role_id": role_id, "secret_id": secret_id}

    def seal(self) -> None:
        self.call("sys/seal", {}, method="PUT")

    def unseal(self) -> None:
        self.call("sys/unseal", {"key": self._unseal_key}, method="PUT")


SERVER_ROLE: dict[str, t.Any] = {
    "key_type": "any",
    "server_flag": True,
    "client_flag": False,
    "use_csr_sans": False,
    "use_csr_common_name": False,
    "allowed_domains": "example.test,localhost,web1,web2,web3",
    "allow_subdomains": True,
    "allow_bare_domains": True,
    "allow_localhost": True,
    "allow_ip_sans": True,
    "max_ttl": "9000h",
    "no_store": False,
}
CLIENT_ROLE: dict[str, t.Any] = {
    "key_type": "any",
    "server_flag": False,
    "client_flag": True,
    "use_csr_sans": False,
    "use_csr_common_name": False,
    "allow_any_name": True,
    "enforce_hostnames": False,
    "cn_validations": "disabled",
    "max_ttl": "9000h",
}


def started(directory: pathlib.Path) -> t.Iterator[Bao]:
    """Yield a server, for a fixture."""
    server = Bao(directory)
    try:
        yield server
    finally:
        server.stop()


__all__ = ["ADMINISTRATOR", "CLIENT_ROLE", "SERVER_ROLE", "Bao", "needs_bao", "started"]
