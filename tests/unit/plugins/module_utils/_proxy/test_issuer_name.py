# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of authorities as HAProxy writes them; openssl has the same old form, but escapes + and /, so these are tried on a real HAProxy."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.reader import certificate_pem
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.authorities import issuer_name
from support.ca.certificates import authority, named_authority


def as_openssl_writes(certificate: object, directory: pathlib.Path) -> str:
    path = directory / "ca.pem"
    path.write_text(certificate_pem(certificate))
    command = ["openssl", "x509", "-in", str(path), "-noout", "-subject", "-nameopt", "compat"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().partition("=")[2].strip()


def test_issuer_name_of_an_own_authority_is_as_openssl_writes_it(tmp_path: pathlib.Path) -> None:
    certificate = authority("client", unit="ops-g3").certificate
    assert issuer_name(certificate) == "/OU=ops-g3/CN=Docker CA" == as_openssl_writes(certificate, tmp_path)


@pytest.mark.parametrize(
    "attributes",
    [
        [("C", "DE"), ("ST", "Berlin"), ("L", "Berlin"), ("O", "Example, Inc."), ("CN", 'it\'s a "CA"')],
        [("DC", "org"), ("DC", "example"), ("CN", "docker")],
        [("O", "Example"), ("CN", "ca"), ("emailAddress", "root@example.org")],
        [("CN", "a"), ("CN", "b"), ("serialNumber", "7"), ("GN", "A"), ("SN", "B"), ("UID", "c"), ("title", "d")],
    ],
    ids=lambda value: value[-1][1],
)
def test_issuer_name_of_a_foreign_authority_is_as_openssl_writes_it(
    attributes: list[tuple[str, str]], tmp_path: pathlib.Path
) -> None:
    certificate = named_authority(attributes).certificate
    assert issuer_name(certificate) == as_openssl_writes(certificate, tmp_path)


@pytest.mark.parametrize(
    "attributes",
    [[], [("CN", "a\nb")], [("CN", "a\x00b")], [("pseudonym", "x")]],
    ids=["empty", "line", "zero", "unknown"],
)
def test_issuer_name_that_cannot_be_compared_is_refused(attributes: list[tuple[str, str]]) -> None:
    with pytest.raises(TlsError) as caught:
        issuer_name(named_authority(attributes).certificate)
    assert caught.value.code == "proxy-issuer-unnamed"
    assert caught.value.hint
