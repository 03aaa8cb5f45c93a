# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module acme_certificate: from a waiting key to a certificate that pebble made; and what the controller makes of its usage."""

from __future__ import annotations

import pathlib
import stat
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, reader, signing
from ansible_collections.portcullis.docker_tls.plugins.modules import acme_certificate, issued_certificates
from support.ansible.modules import run_module
from support.ca import acme_server
from support.ca import certificates as made

pytestmark = acme_server.needs_pebble


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[acme_server.Pebble]:
    yield from acme_server.started(tmp_path_factory.mktemp("acme") / "pebble")


def run(server: acme_server.Pebble, place: pathlib.Path, *, check: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    pending = place / "server-key.pem.new"
    if not pending.exists():
        pending.write_bytes(made.Pair(None, made.private_key()).key_pem)
        pending.chmod(0o600)
    options = {
        "directory": server.directory,
        "ca_content": server.ca_content,
        "anchors_content": server.root,
        "key_path": str(place / "server-key.pem"),
        "common_name": "localhost",
        "names": ["localhost", "127.0.0.1"],
        "port": server.challenge_port,
        "account_directory": str(place / "acme"),
    }
    return run_module(acme_certificate, {**options, **changes}, check=check)


def test_certificate_is_for_the_waiting_key_and_the_account_is_kept(
    pebble: acme_server.Pebble, tmp_path: pathlib.Path
) -> None:
    found = run(pebble, tmp_path)
    assert found["changed"] is True
    (leaf, *chain) = reader.load_certificates(found["certificate_content"], "the answer")
    assert leaf.public_key() == made.private_key().public_key()
    assert chain
    (account,) = (tmp_path / "acme").iterdir()
    assert stat.S_IMODE(account.stat().st_mode) == 0o600
    key = account.read_bytes()
    assert run(pebble, tmp_path)["certificate_content"] != found["certificate_content"]
    assert account.read_bytes() == key


def test_certificate_with_both_usages_is_refused_by_the_controller(
    pebble: acme_server.Pebble, tmp_path: pathlib.Path
) -> None:
    """pebble 2.4 writes serverAuth and clientAuth: such a server certificate would be root on every host that trusts this CA."""
    answer = run(pebble, tmp_path)
    request = {
        "id": "web1/server",
        "authority": "server",
        "profile": "server",
        "request_content": signing.build_request(
            made.private_key(), names.SubjectNames("localhost", ("localhost",))
        ).decode(),
        "names": ["localhost", "127.0.0.1"],
        "validity": "90d",
    }
    issuers = [{"authority": "server", "issuer": "acme", "ca_content": pebble.root}]
    given = {
        "requests": [request],
        "issuers": issuers,
        "answers": {"web1/server": {"certificate_content": answer["certificate_content"]}},
    }
    refused = run_module(issued_certificates, given)["rejected"]["web1/server"]
    assert "it is not a pure server certificate: it has serverAuth, clientAuth" in refused["msg"]
    assert "serverAuth alone" in refused["hint"]


def test_check_mode_asks_nobody(pebble: acme_server.Pebble, tmp_path: pathlib.Path) -> None:
    before = pebble.log.read_text()
    assert run(pebble, tmp_path, check=True)["certificate_content"] == ""
    assert pebble.log.read_text() == before
    assert not (tmp_path / "acme").exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"eab_kid": "kid-1"}, "issuer-settings-invalid", id="half-a-binding"),
        pytest.param({"directory": "http://ca.example.org/dir"}, "issuer-url-invalid", id="plain-http"),
        pytest.param({"key_path": "/nonexistent/server-key.pem"}, "key-missing", id="no-key"),
        pytest.param({"ca_content": made.authority().pem}, "issuer-untrusted", id="tls"),
        pytest.param({"anchors_content": "nothing"}, "certificate-unreadable", id="anchors"),
    ],
)
def test_failure_says_what_to_do(
    pebble: acme_server.Pebble, tmp_path: pathlib.Path, changes: dict[str, t.Any], code: str
) -> None:
    found = run(pebble, tmp_path, **changes)
    assert found["failed"]
    assert (found["code"], bool(found["hint"])) == (code, True)
