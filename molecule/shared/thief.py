# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts of an attacker with a stolen key, with the openssl of every distribution."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from testinfra_helpers import Bundle

CLIENT = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"


def openssl(*arguments: str, data: str = "") -> subprocess.CompletedProcess[str]:
    """Run openssl on the controller."""
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, text=True, check=False)


def made(*arguments: str) -> None:
    """Run openssl, and have it succeed."""
    done = openssl(*arguments)
    assert done.returncode == 0, done.stderr


def request(directory: Path, name: str) -> None:
    """Make key.pem and request.pem for ``name`` in ``directory``."""
    made("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{directory}/key.pem")
    made("req", "-new", "-key", f"{directory}/key.pem", "-subj", f"/CN={name}", "-out", f"{directory}/request.pem")


def forged(directory: Path, ca: str, issuer: Path, key: Path, passphrase: str = "") -> Bundle:
    """Return the bundle of a client whose certificate was signed with a stolen ``key`` (``issuer``: the certificate of that key)."""
    directory.mkdir(exist_ok=True)
    request(directory, "thief")
    (directory / "extensions").write_text(CLIENT)
    secret = directory / "passphrase"
    secret.write_text(passphrase or "none")
    signing = ["-CA", str(issuer), "-CAkey", str(key), "-passin", f"file:{secret}", "-set_serial", "4711", "-days", "1"]
    files = ["-in", f"{directory}/request.pem", "-extfile", f"{directory}/extensions", "-out", f"{directory}/leaf.pem"]
    made("x509", "-req", *signing, *files)
    (directory / "cert.pem").write_text((directory / "leaf.pem").read_text() + issuer.read_text())
    (directory / "ca.pem").write_bytes(Path(ca).read_bytes())
    return Bundle(directory)


def of_host(host: Any, directory: Path, ca: str) -> Bundle:
    """Return a host's own key and certificate as the bundle of a client."""
    directory.mkdir(mode=0o700, exist_ok=True)
    for name, source in (("cert.pem", "server-cert.pem"), ("key.pem", "server-key.pem")):
        (directory / name).write_text(host.check_output("cat %s", f"/etc/docker/certs/{source}") + "\n")
    (directory / "ca.pem").write_bytes(Path(ca).read_bytes())
    return Bundle(directory)


def fragment(key: str) -> str:
    """Return the first line of a private key in PEM: it ends with a part of the secret, so it is in nothing but a copy of that key."""
    line = key.partition("-----BEGIN")[2].splitlines()[1]
    assert len(line) == 64, "no key in PEM"
    return line
