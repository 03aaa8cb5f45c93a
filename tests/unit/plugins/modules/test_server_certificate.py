# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module server_certificate: certificate and key take their place together."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.modules import server_certificate
from support.ansible.modules import run_module
from support.ca import certificates as made
from support.hosts.accounts import mode

AUTHORITY = made.authority()
LEAF = made.leaf(AUTHORITY)
RENEWED = made.leaf(AUTHORITY, key=made.private_key("ecdsa-p256", 41))
NEW = ["certificate-changed", "key-changed", "ca-changed"]


@pytest.fixture
def certs(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "certs"


def wait(certs: pathlib.Path, pair: made.Pair = LEAF) -> None:
    certs.mkdir(mode=0o700, exist_ok=True)
    path = certs / "server-key.pem.new"
    path.write_bytes(pair.key_pem)
    path.chmod(0o600)


def run(certs: pathlib.Path, pair: made.Pair = LEAF, check: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    options = {"directory": str(certs), "certificate_content": pair.pem, "ca_content": AUTHORITY.pem, **changes}
    return run_module(server_certificate, options, check=check, diff=True)


def pair_in(certs: pathlib.Path) -> tuple[str, bytes]:
    return (certs / "server-cert.pem").read_text(), (certs / "server-key.pem").read_bytes()


def test_new_certificate_takes_its_place_with_the_waiting_key(certs: pathlib.Path) -> None:
    wait(certs)
    result = run(certs)
    assert result["changed"]
    assert result["reasons"] == [*NEW, "layout-changed"]
    assert result["certificate"] == LEAF.view.to_dict()
    assert pair_in(certs) == (LEAF.pem, LEAF.key_pem)
    assert (certs / "ca.pem").read_text() == AUTHORITY.pem
    assert not (certs / "server-key.pem.new").exists()
    assert (mode(certs), mode(certs / "server-key.pem"), mode(certs / "server-cert.pem")) == (0o700, 0o400, 0o444)
    assert (certs / "server-key.pem").is_symlink()


def test_second_run_changes_nothing(certs: pathlib.Path) -> None:
    wait(certs)
    run(certs)
    before = os.readlink(certs / "current")
    for again in ({}, {"ca_content": ""}):
        result = run(certs, **again)
        assert not result["changed"]
        assert result["reasons"] == []
    assert os.readlink(certs / "current") == before


def test_renewal_switches_both_and_keeps_the_set_before(certs: pathlib.Path) -> None:
    wait(certs)
    run(certs)
    before = os.readlink(certs / "current")
    wait(certs, RENEWED)
    result = run(certs, RENEWED)
    assert result["reasons"] == ["certificate-changed", "key-changed"]
    assert pair_in(certs) == (RENEWED.pem, RENEWED.key_pem)
    assert (certs / before / "server-key.pem").read_bytes() == LEAF.key_pem
    assert result["diff"]["before"]["fingerprint_sha256"] == LEAF.view.fingerprint_sha256
    assert result["diff"]["after"]["fingerprint_sha256"] == RENEWED.view.fingerprint_sha256
    assert "PRIVATE KEY" not in str(result)


def test_plain_files_of_another_tool_become_a_set(certs: pathlib.Path) -> None:
    certs.mkdir()
    (certs / "server-cert.pem").write_text(LEAF.pem)
    (certs / "server-key.pem").write_bytes(LEAF.key_pem)
    (certs / "ca.pem").write_text(AUTHORITY.pem)
    result = run(certs)
    assert result["reasons"] == ["layout-changed"]
    assert pair_in(certs) == (LEAF.pem, LEAF.key_pem)
    assert not run(certs)["changed"]


def test_check_mode_writes_nothing(certs: pathlib.Path) -> None:
    wait(certs)
    result = run(certs, check=True)
    assert result["changed"]
    assert result["diff"]["before"] == {}
    assert result["diff"]["after"]["ca"] == ["CN=Docker CA,OU=server-g1"]
    assert [each.name for each in certs.iterdir()] == ["server-key.pem.new"]


@pytest.mark.parametrize(
    ("prepare", "changes", "code"),
    [
        pytest.param(lambda certs: wait(certs, RENEWED), {}, "key-mismatch", id="waiting-key-of-another"),
        pytest.param(lambda _certs: None, {}, "key-mismatch", id="no-directory"),
        pytest.param(
            lambda certs: (wait(certs), (certs / "server-key.pem.new").write_text("x")),
            {},
            "key-mismatch",
            id="nonsense",
        ),
        pytest.param(wait, {"certificate_content": "x"}, "certificate-unreadable", id="certificate-nonsense"),
        pytest.param(wait, {"ca_content": "x"}, "certificate-unreadable", id="ca-nonsense"),
        pytest.param(
            wait,
            {"certificate_content": made.leaf(made.authority("client"), "client", key=LEAF.key).pem},
            "issued-certificate-wrong",
            id="client-certificate",
        ),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    certs: pathlib.Path, prepare: t.Callable[[pathlib.Path], object], changes: dict[str, t.Any], code: str
) -> None:
    prepare(certs)
    before = sorted(certs.iterdir()) if certs.exists() else None
    result = run(certs, **changes)
    assert result["failed"]
    assert result["code"] == code
    assert (sorted(certs.iterdir()) if certs.exists() else None) == before
