# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is fuzzed: one function for each parser of foreign bytes, and what it has to start with.

A target takes any bytes. The parser may refuse them with its own error; whatever else it raises is a finding, and so is a
wrong answer, which the target's own assertions detect.
"""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import typing as t
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import daemon_json as config
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import (
    exec_start,
    our_units,
    tls_greeting,
    unit_file,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import der_name, keys, names, reader, signing

UNITS = pathlib.Path(__file__).parents[1] / "unit/fixtures/units"
NOW = datetime(2026, 11, 22, 13, 0, tzinfo=timezone.utc)
ONE_YEAR = timedelta(days=365)
OURS = {"hosts": ["fd://", "tcp://0.0.0.0:2376"], "tlsverify": True, "tlscacert": "/etc/docker/certs/client-ca.pem"}
HOST_NAMES = ("10.0.0.5", "docker1.example.org")

AUTHORITY_KEY = keys.generate_private_key("ecdsa-p256")
AUTHORITY = signing.self_sign_authority(
    AUTHORITY_KEY,
    common_name="Docker CA",
    organization="",
    unit="server-g1",
    purpose="server",
    not_before=NOW,
    not_after=NOW + 2 * ONE_YEAR,
)
HOST_KEY = keys.generate_private_key("ecdsa-p256")


def unit_command(data: bytes) -> None:
    """A unit, a drop-in and an environment file, with zero bytes between them: the derived command has no -H, and a second derivation changes nothing."""
    texts = [*data.decode("utf-8", "replace").split("\0", 2), "", ""]
    files = [
        ("/usr/lib/systemd/system/docker.service", texts[0]),
        ("/etc/systemd/system/docker.service.d/o.conf", texts[1]),
    ]
    own = f"/etc/systemd/system/docker.service.d/{our_units.DROPIN_NAME}"
    with contextlib.suppress(TlsError):
        model = unit_file.parse_unit(files, own)
        given = {source.pattern: [(source.pattern, texts[2])] for source in model.environment_files}
        variables = unit_file.read_environment(model, given)
        found = exec_start.derive(model, variables)
        text = our_units.service_dropin(found, after_network=False)
        if text is None:
            return
        # systemd reads our drop-in after the others: the command that it then has.
        again = exec_start.derive(
            unit_file.parse_unit([*files, ("/zz.conf", text.replace(unit_file.OWN_MARK, "# "))], own),
            variables,
        )
        assert again.hosts == ()
        assert again.arguments == found.arguments


def daemon_json(data: bytes) -> None:
    """A daemon.json of somebody: merged, ours is in it and theirs is as it was; taken back, it is theirs to the byte."""
    with contextlib.suppress(TlsError):
        before = config.parse_daemon_json(data, "daemon.json").values
        merged = config.merge(data, OURS)
        assert config.same_value(json.loads(merged), {**before, **OURS})
        assert config.merge(merged, OURS) == merged
        back = config.unmerge(merged, merged, data)
        assert back is not None and back.encode() == data


def pem_text(data: bytes) -> None:
    """A file that should hold certificates or a key."""
    with contextlib.suppress(TlsError):
        for certificate in reader.load_certificates(data, "the file"):
            with contextlib.suppress(TlsError):
                reader.view_certificate(certificate)
    with contextlib.suppress(TlsError):
        keys.load_private_key(data, what="the file")


def certificate(data: bytes) -> None:
    """A certificate in DER, such as any server on the wire may show."""
    with contextlib.suppress(TlsError):
        reader.view_certificate(reader.load_certificate(as_pem(data, "CERTIFICATE"), "the certificate"))


def request(data: bytes) -> None:
    """A request of a hostile host, in DER: refused, or a certificate for that host's own names and nothing else."""
    with contextlib.suppress(TlsError):
        loaded = signing.load_request(as_pem(data, "CERTIFICATE REQUEST"))
        signed = signing.sign_leaf(
            signing.signer(AUTHORITY, AUTHORITY_KEY),
            public_key=loaded.public_key(),
            profile="server",
            subject=names.SubjectNames("docker1.example.org", names.normalize_names(HOST_NAMES)),
            not_before=NOW,
            not_after=NOW + ONE_YEAR,
        )
        view = reader.view_certificate(signed)
        assert sorted(view.names) == sorted(names.normalize_names(HOST_NAMES))
        assert view.common_name == "docker1.example.org"
        assert view.extended_key_usages == ("serverAuth",)


def greeting(data: bytes) -> None:
    """What a server says in the TLS handshake before it knows who asks."""
    with contextlib.suppress(tls_greeting.HandshakeError):
        messages, _rest = tls_greeting.parse_messages(data)
        for _kind, body in messages:
            with contextlib.suppress(tls_greeting.HandshakeError):
                tls_greeting.parse_certificates(body)
            with contextlib.suppress(tls_greeting.HandshakeError):
                for name in tls_greeting.parse_certificate_request(body):
                    assert isinstance(der_name.name_text(name), str)
                    assert isinstance(der_name.unit(name), str)


def as_pem(data: bytes, label: str) -> bytes:
    """Wrap DER as PEM."""
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(data) + f"-----END {label}-----\n".encode()


TARGETS: dict[str, t.Callable[[bytes], None]] = {
    "certificate": certificate,
    "daemon_json": daemon_json,
    "greeting": greeting,
    "pem_text": pem_text,
    "request": request,
    "unit_command": unit_command,
}


def seeds(target: str) -> list[bytes]:
    """Return good input, from which a fuzzer finds the bad."""
    der = serialization.Encoding.DER
    authority = reader.certificate_pem(AUTHORITY).encode()
    name = AUTHORITY.subject.public_bytes()
    body = (
        b"\x01\x40\x00\x04\x04\x03\x08\x04" + (len(name) + 2).to_bytes(2, "big") + len(name).to_bytes(2, "big") + name
    )
    return {
        "certificate": lambda: [AUTHORITY.public_bytes(der)],
        "daemon_json": lambda: [
            b"",
            b"{}\n",
            b'{\n  "log-opts": {"max-size": "10m"},\n  "hosts": ["fd://"], "mtu": 1400.0\n}\n',
        ],
        "greeting": lambda: [b"\x0d" + len(body).to_bytes(3, "big") + body],
        "pem_text": lambda: [authority, keys.encode_private_key(HOST_KEY), authority * 2],
        "request": lambda: [hostile_request().public_bytes(der)],
        "unit_command": _units,
    }[target]()


def hostile_request() -> x509.CertificateSigningRequest:
    """Return a request that asks for everything it should not get."""
    wanted = [
        x509.DNSName("*"),
        x509.DNSName("docker2.example.org"),
        x509.UniformResourceIdentifier("urn:docker-tls:client:alice"),
    ]
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")]))
        .add_extension(x509.SubjectAlternativeName(wanted), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(HOST_KEY, hashes.SHA256())
    )


def _units() -> list[bytes]:
    parts = (("docker.service",), ("docker.service.d/*.conf",), ("env/**/docker",))
    hosts = sorted(path for path in UNITS.iterdir() if path.is_dir())
    return [
        b"\0".join(
            b"\n".join(
                path.read_bytes() for pattern in patterns for path in sorted(host.glob(pattern)) if path.is_file()
            )
            for patterns in parts
        )
        for host in hosts
    ]
