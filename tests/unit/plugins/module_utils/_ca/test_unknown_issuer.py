# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate of an authority that the CA has never had is not replaced unasked."""

from __future__ import annotations

import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import policy, sign_batch
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.reader import CertificateView
from support.ca.ca_directory import client_request, ensure, request, rules, sign


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> pathlib.Path:
    ensure(tmp_path / "ca")
    return tmp_path / "ca"


def issued(path: pathlib.Path, name: str = "web1") -> CertificateView:
    view = sign(path, request(name)).signed[name].view
    if view is None:
        raise TypeError
    return view


def replacing(ca: pathlib.Path, view: CertificateView, **changes: t.Any) -> sign_batch.BatchResult:
    replaced = policy.Replaced(
        **{
            "serial": view.serial,
            "issuer": view.issuer,
            "authority_key_identifier": view.authority_key_identifier,
            "authority_fingerprint_sha256": "ab" * 32,
            **changes,
        }
    )
    return sign(ca, request("web1", replaces=replaced), request("web2"), partial=True)


def test_certificate_of_a_foreign_authority_is_not_replaced_and_both_are_named(ca: pathlib.Path) -> None:
    """The same name and organizational unit, as a CA has that was made again elsewhere: the keys distinguish them."""
    ensure(ca.parent / "moved")
    result = replacing(ca, issued(ca.parent / "moved"))
    assert (list(result.signed), list(result.refused)) == (["web2"], ["web1"])
    error = result.refused["web1"]
    assert error.code == "authority-foreign"
    assert "ab" * 32 in error.message
    assert result.stored["server"][-1].view.fingerprint_sha256 in error.message
    assert "docker_server_cert_foreign_authority" in error.hint
    assert str(ca) in error.hint


def test_certificate_of_the_ledger_is_replaced_though_its_authority_is_gone(ca: pathlib.Path) -> None:
    serial = issued(ca).serial
    result = replacing(ca, issued(ca), serial=serial, authority_key_identifier="00", issuer="CN=retired")
    assert set(result.signed) == {"web1", "web2"}


@pytest.mark.parametrize("identifier", [True, False], ids=["by-key", "by-name"])
def test_certificate_of_a_known_authority_is_replaced_though_the_ledger_does_not_have_it(
    ca: pathlib.Path, identifier: bool
) -> None:
    """As after the adoption of a CA that openssl made."""
    changes = {} if identifier else {"authority_key_identifier": ""}
    assert set(replacing(ca, issued(ca), serial="0badcafe", **changes).signed) == {"web1", "web2"}


def test_whole_ca_that_moved_with_its_directory_knows_its_certificates(ca: pathlib.Path) -> None:
    view = issued(ca)
    shutil.move(str(ca), ca.parent / "elsewhere")
    assert set(replacing(ca.parent / "elsewhere", view).signed) == {"web1", "web2"}


@pytest.mark.parametrize("predicting", [False, True], ids=["run", "check"])
def test_bundle_of_a_ca_that_is_lost_is_not_replaced_and_the_restore_is_named(
    ca: pathlib.Path, predicting: bool
) -> None:
    """The hosts still admit the certificates of the lost CA only."""
    lost = ca.parent / "lost"
    ensure(lost)
    view = sign(lost, client_request()).signed["alice"].view
    assert view is not None
    replaced = policy.Replaced(view.serial, view.issuer, view.authority_key_identifier)
    asked = (client_request(replaces=replaced), client_request("bob"))
    result = sign(ca, *asked, partial=True, rules=rules(predicting=predicting))
    assert (list(result.signed), list(result.refused)) == (["bob"], ["alice"])
    error = result.refused["alice"]
    assert error.code == "authority-foreign"
    assert view.authority_key_identifier in error.message
    assert "portcullis.docker_tls.restore_ca" in error.hint and str(ca) in error.hint


def test_bundle_of_a_generation_that_an_older_state_of_the_ca_lacks_is_not_replaced(
    ca: pathlib.Path,
) -> None:
    view = sign(ca, client_request()).signed["alice"].view
    assert view is not None
    newer = policy.Replaced("0badcafe", view.issuer.replace("OU=clients-g1", "OU=clients-g2"), "ab" * 20)
    assert newer.issuer != view.issuer
    result = sign(ca, client_request(replaces=newer), partial=True)
    error = result.refused["alice"]
    assert error.code == "authority-behind"
    assert "a newer backup" in error.hint and "adopt" not in error.hint


def test_host_of_a_generation_that_a_restored_ca_lacks_is_told_to_restore_a_newer_backup(ca: pathlib.Path) -> None:
    view = issued(ca)
    newer = view.issuer.replace("OU=server-g1", "OU=server-g2")
    assert newer != view.issuer
    error = replacing(ca, view, issuer=newer, serial="0badcafe", authority_key_identifier="ab" * 20).refused["web1"]
    assert (error.code, "a newer backup" in error.hint, "adopt" in error.hint) == ("authority-behind", True, False)
    assert str(ca) in error.hint
