# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle does not get an older server authority than it has: the hosts have certificates of the newer one."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_bundles
from support.ansible.modules import run_module
from support.ca import certificates as made

SERVERS = made.authority("server", unit="server-g1")
SERVERS_2 = made.authority("server", unit="server-g2", number=21)
CLIENTS = made.authority("client", unit="clients-g1", number=2)
# A CA that was made again: authorities of the same names, with other keys.
CLIENTS_AGAIN = made.authority("client", unit="clients-g1", number=3)


def client(issuer: made.Pair, number: int) -> made.Pair:
    return made.leaf(issuer, "client", common_name="alice", key=made.private_key("ecdsa-p256", number))


def run(directory: pathlib.Path, pair: made.Pair | None, ca: str, check: bool = False) -> dict[str, t.Any]:
    if pair is not None:
        directory.mkdir(mode=0o700, exist_ok=True)
        (directory / "key.pem.new").write_bytes(pair.key_pem)
        (directory / "key.pem.new").chmod(0o600)
    content = pair.pem if pair is not None else ""
    bundle = {"id": "alice", "directory": str(directory), "certificate_content": content, "ca_content": ca}
    return run_module(certificate_bundles, {"bundles": [bundle]}, check=check)


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a bundle that was made after a rotation of the server authority."""
    place = tmp_path / "alice"
    run(place, client(CLIENTS, 1), SERVERS_2.pem)
    return place


@pytest.mark.parametrize("renewed", [None, client(CLIENTS, 4)], ids=["kept", "renewed"])
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_older_server_authority_alone_is_refused_and_the_bundle_stays(
    directory: pathlib.Path, renewed: made.Pair | None, check: bool
) -> None:
    before = {name: (directory / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem")}
    result = run(directory, renewed, SERVERS.pem, check=check)
    assert result["code"] == "authority-behind"
    assert "has generation 2 of the server authority, and the CA has only generation 1" in result["msg"]
    assert "portcullis.docker_tls.restore_ca" in result["msg"] + result.get("hint", "")
    assert {name: (directory / name).read_bytes() for name in before} == before


def test_rotation_that_keeps_one_authority_is_no_older_state(directory: pathlib.Path) -> None:
    assert run(directory, None, SERVERS.pem + SERVERS_2.pem)["changed"]
    assert run(directory, None, SERVERS.pem)["changed"]


def test_bundle_that_changes_over_to_another_ca_gets_its_authority(directory: pathlib.Path) -> None:
    assert run(directory, client(CLIENTS_AGAIN, 5), SERVERS.pem)["changed"]
    assert (directory / "ca.pem").read_text() == SERVERS.pem


def test_bundle_without_its_ca_file_gets_what_the_ca_has(directory: pathlib.Path) -> None:
    (directory / "ca.pem").unlink()
    assert run(directory, None, SERVERS.pem)["changed"]
