# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""CAs and layouts as other tools and tutorials make them, made again for every run of the tests."""

from __future__ import annotations

import functools
import ipaddress
import pathlib
import subprocess
import tempfile
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption import assess, effective_settings

OLD_PASSPHRASE = "hello"  # of the kind that tutorials have
HOST = "docker1.example.org"


@dataclass(frozen=True)
class Recipe:
    """The files that a recipe makes, by name."""

    contents: t.Mapping[str, bytes]

    def text(self, name: str) -> str:
        return self.contents[name].decode()


def _openssl(directory: str, *arguments: str, stdin: str = "") -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, input=stdin, text=True, check=True, capture_output=True)


@functools.cache
def _rsa_key(name: str, bits: int) -> bytes:
    """Return the key of a recipe; the recipes of one size have the same keys, which take longer to make than all the rest."""
    with tempfile.TemporaryDirectory() as directory:
        _openssl(directory, "genrsa", "-out", name, str(bits))
        return pathlib.Path(directory, name).read_bytes()


@functools.cache
def docker_recipe(
    *, usages: str = "serverAuth", names: bool = True, bits: int = 2048, encrypted: bool = True, days: int = 365
) -> Recipe:
    """Run the commands of Docker's documentation (protect-access.md), with smaller keys that several recipes share.

    ``usages`` of the server certificate: what the scripts vary, as they do with ``names`` and the passphrase.
    """
    with tempfile.TemporaryDirectory() as directory:
        run = functools.partial(_openssl, directory)
        opened = ["-passin", f"pass:{OLD_PASSPHRASE}"] if encrypted else []
        made = pathlib.Path(directory)
        for name in ("ca-key.pem", "server-key.pem", "key.pem"):
            (made / name).write_bytes(_rsa_key(name, bits))
        if encrypted:
            protect = ("-aes256", "-passout", f"pass:{OLD_PASSPHRASE}")
            run("pkey", "-in", "ca-key.pem", *protect, "-out", "protected")
            (made / "protected").rename(made / "ca-key.pem")
        run(
            *("req", "-new", "-x509", "-days", str(days), "-key", "ca-key.pem", "-sha256", "-out", "ca.pem"),
            *(*opened, "-subj", "/C=DE/O=Example/CN=docker1"),
        )
        for name, subject, extensions in (
            (
                "server",
                f"/CN={HOST}",
                f"subjectAltName = DNS:{HOST},IP:10.10.10.20,IP:127.0.0.1\nextendedKeyUsage = {usages}\n"
                if names
                else "keyUsage = digitalSignature\n",
            ),
            ("client", "/CN=client", "extendedKeyUsage = clientAuth\n"),
        ):
            key, certificate = ("server-key.pem", "server-cert.pem") if name == "server" else ("key.pem", "cert.pem")
            (made / "extfile.cnf").write_text(extensions)
            run("req", "-subj", subject, "-sha256", "-new", "-key", key, "-out", "request.csr")
            run(
                *("x509", "-req", "-days", str(days), "-sha256", "-in", "request.csr", "-CA", "ca.pem"),
                *("-CAkey", "ca-key.pem", "-CAcreateserial", "-out", certificate, "-extfile", "extfile.cnf"),
                *opened,
            )
        return Recipe({path.name: path.read_bytes() for path in made.glob("*.pem")})


@functools.cache
def docker_machine() -> Recipe:
    """Make what libmachine makes: RSA 2048, no common names, no key identifiers, 1080 days, keys without a passphrase."""
    now = datetime.now(timezone.utc)

    def key() -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 2048)

    def certificate(
        organization: str, own: rsa.RSAPrivateKey, issuer: rsa.RSAPrivateKey, usage: t.Any = None, names: t.Any = ()
    ) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "alice.laptop")]))
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1080))
            .add_extension(x509.BasicConstraints(ca=usage is None, path_length=None), critical=True)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(issuer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def pem(one: rsa.RSAPrivateKey) -> bytes:
        return one.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )

    authority, server, client = key(), key(), key()
    names = [x509.IPAddress(ipaddress.ip_address("10.10.10.21")), x509.DNSName("localhost")]
    return Recipe(
        {
            "ca.pem": certificate("alice.laptop", authority, authority),
            "ca-key.pem": pem(authority),
            "server.pem": certificate("alice.box", server, authority, [ExtendedKeyUsageOID.SERVER_AUTH], names),
            "server-key.pem": pem(server),
            "cert.pem": certificate("alice.laptop.client", client, authority, [ExtendedKeyUsageOID.CLIENT_AUTH]),
            "key.pem": pem(client),
        }
    )


def fact(directory: pathlib.Path, path: str, content: bytes, mode: int = 0o600) -> effective_settings.FileFact:
    """Return what is found in a file at ``path`` of a host, without writing there."""
    file = directory / "fact.pem"
    file.write_bytes(content)
    found = effective_settings.read_fact(str(file))
    if found is None:
        raise ValueError(f"{path} holds nothing of interest")
    return replace(found, path=path, mode=mode, uid=0)


def endpoint(
    directory: str = "/etc/docker", names: str = "docker-recipe", **changes: t.Any
) -> effective_settings.Endpoint:
    """Return a TLS endpoint with the file names of a layout."""
    server = "server.pem" if names == "docker-machine" else "server-cert.pem"
    values: dict[str, t.Any] = {
        "hosts": ("fd://", "tcp://0.0.0.0:2376"),
        "tls": True,
        "verify": True,
        "paths": {
            "tlscacert": f"{directory}/ca.pem",
            "tlscert": f"{directory}/{server}",
            "tlskey": f"{directory}/server-key.pem",
        },
        "where": {"hosts": "/lib/systemd/system/docker.service"},
    }
    return effective_settings.Endpoint(**{**values, **changes})


def situation(
    found: t.Iterable[effective_settings.FileFact],
    now: datetime,
    at: effective_settings.Endpoint | None = None,
    **changes: t.Any,
) -> assess.Situation:
    """Return a host with these files, of which dockerd uses those that the endpoint names."""
    used = at or endpoint()
    values: dict[str, t.Any] = {
        "endpoint": used,
        "files": tuple(found),
        "unit": assess.Unit("/lib/systemd/system/docker.service"),
        "in_use": frozenset(used.paths.values()),
        "now": now,
    }
    return assess.Situation(**{**values, **changes})
