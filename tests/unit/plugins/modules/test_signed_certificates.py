# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module signed_certificates: a batch in, certificates by id out."""

from __future__ import annotations

import gc
import json
import pathlib
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import ledger
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca.layout import ca_directory
from ansible_collections.portcullis.docker_tls.plugins.modules import signed_certificates
from support.ansible.modules import run_module
from support.ca.ca_directory import PASSPHRASE_TEXT, csr, ensure, tree
from support.contracts import records


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> pathlib.Path:
    ensure(tmp_path / "ca", "clients", now=datetime.now(timezone.utc) - timedelta(days=1))
    return tmp_path / "ca"


def server(name: str = "web1", **changes: t.Any) -> dict[str, t.Any]:
    return {
        "id": f"{name}/server",
        "authority": "server",
        "profile": "server",
        "request_content": csr(),
        "common_name": f"{name}.example.org",
        "names": [f"{name}.example.org", "10.0.0.5"],
        "requester": name,
        **changes,
    }


def client(name: str = "alice", **changes: t.Any) -> dict[str, t.Any]:
    return {
        "id": name,
        "authority": "clients",
        "profile": "client",
        "request_content": csr(),
        "common_name": name,
        **changes,
    }


def run(path: pathlib.Path, *requests: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    check, diff = options.pop("check", False), options.pop("diff", False)
    arguments = {"path": str(path), "passphrase": PASSPHRASE_TEXT, "requests": list(requests), **options}
    return run_module(signed_certificates, arguments, check=check, diff=diff)


def test_signed_certificates_returns_them_by_id(ca: pathlib.Path) -> None:
    result = run(ca, server(), client(), operator="me@laptop")
    assert result["changed"]
    assert set(result["certificates"]) == {"web1/server", "alice"}
    one = result["certificates"]["web1/server"]
    assert one["certificate_content"].startswith("-----BEGIN CERTIFICATE-----")
    assert one["authority_content"] == result["authorities"]["server"]["certificate_content"]
    assert one["certificate"]["names"] == ["web1.example.org", "10.0.0.5"]
    assert result["ledger"]["seq"] == 4
    *unused, last = ledger.entries(ca_directory(str(ca)))
    assert last["operator"] == "me@laptop"
    assert "diff" not in result


def test_signed_certificates_leaves_out_what_a_host_reports_of_others(ca: pathlib.Path) -> None:
    result = run(ca, server(reported_names=["vault.corp.example.org"], extends=["web1"]))
    one = result["certificates"]["web1/server"]
    assert (one["left_out"], "vault.corp.example.org" in one["names"]) == (["vault.corp.example.org"], False)
    (warning,) = [records.said(text) for text in result["warnings"] if "only the host itself reports" in text]
    assert "docker_server_cert_names" in warning


def test_signed_certificates_in_check_mode_has_the_same_shape_and_writes_nothing(ca: pathlib.Path) -> None:
    before = tree(ca)
    foretold = run(ca, server(request_content=""), client(authority="new", request_content=""), check=True, diff=True)
    assert foretold["changed"]
    assert tree(ca) == before
    assert foretold["certificates"]["web1/server"]["certificate_content"] == ""
    assert foretold["certificates"]["alice"] == {
        "certificate_content": "",
        "authority_content": "",
        "certificate": None,
        "authority": "new",
        "not_after": foretold["certificates"]["alice"]["not_after"],
        "common_name": "alice",
        "names": ["dirname:CN=alice"],
        "left_out": [],
    }
    first, second = foretold["diff"]["prepared"].splitlines()
    assert first.startswith("web1/server: CN web1.example.org, SAN web1.example.org 10.0.0.5, issuer server-g1, until ")
    assert second.startswith("alice: CN alice, issuer new, until ")


def test_signed_certificates_in_check_mode_on_a_first_run_foretells(tmp_path: pathlib.Path) -> None:
    result = run(tmp_path / "ca", server(request_content=""), check=True)
    assert (result["failed"], result["changed"]) == (False, True)
    assert list(tmp_path.iterdir()) == []


def test_signed_certificates_of_nothing_changes_nothing(ca: pathlib.Path) -> None:
    result = run(ca)
    assert (result["failed"], result["changed"], result["certificates"]) == (False, False, {})


def test_signed_certificates_shows_names_dates_and_fingerprints_in_the_diff(ca: pathlib.Path) -> None:
    result = run(ca, server(), diff=True)
    text = result["diff"]["prepared"]
    assert result["certificates"]["web1/server"]["certificate"]["fingerprint_sha256"] in text
    assert "CN web1.example.org" in text


BAD: dict[str, tuple[list[dict[str, t.Any]], dict[str, t.Any], str]] = {
    "passphrase-empty": ([server()], {"passphrase": ""}, "passphrase-missing"),
    "passphrase-wrong": ([server()], {"passphrase": "quite another one"}, "passphrase-wrong"),
    "too-long": ([server(validity="1825d")], {}, "validity-too-long"),
    "zero": ([server(validity="0d")], {}, "duration-invalid"),
    "negative": ([server(validity="-5d")], {}, "duration-invalid"),
    "unknown-group": ([client(authority="ops")], {}, "authority-unknown"),
    "bad-name": ([server(names=["a b"])], {}, "name-invalid"),
    "doubled": ([client(), client()], {}, "request-duplicate"),
    "taken": ([server("a", names=["x.org"]), server("b", names=["x.org"])], {}, "name-taken"),
    "reserved": ([server()], {"reserved_names": {"10.0.0.5": "web2"}}, "name-taken"),
    "backdate": ([server()], {"backdate": "soon"}, "duration-invalid"),
    "no-csr": ([server(request_content="x")], {}, "request-invalid"),
}


@pytest.mark.parametrize(("requests", "options", "code"), BAD.values(), ids=BAD)
def test_signed_certificates_with_bad_input_fails_with_one_message_and_changes_nothing(
    ca: pathlib.Path, requests: list[dict[str, t.Any]], options: dict[str, t.Any], code: str
) -> None:
    before = tree(ca)
    result = run(ca, *requests, **options)
    assert result["failed"]
    assert result["code"] == code
    assert PASSPHRASE_TEXT not in json.dumps(result)
    assert tree(ca) == before


def test_signed_certificates_without_a_ca_says_how_to_make_one(tmp_path: pathlib.Path) -> None:
    result = run(tmp_path / "ca", server())
    assert result["code"] == "authority-missing"
    assert "docker_ca" in result["hint"]


def test_signed_certificates_of_a_shared_name_signs_both(ca: pathlib.Path) -> None:
    pair = [server("a", names=["x.org"]), server("b", names=["x.org"])]
    assert set(run(ca, *pair, shared_names=["x.org"])["certificates"]) == {"a/server", "b/server"}


def test_signed_certificates_makes_an_expired_client_for_a_verification(ca: pathlib.Path) -> None:
    made = run(ca, client(expired=True))["certificates"]["alice"]["certificate"]
    now = datetime.now(timezone.utc)
    assert datetime.fromisoformat(made["not_after"].replace("Z", "+00:00")) < now
    assert list(ledger.entries(ca_directory(str(ca))))[-1]["serial"] == made["serial"].replace(":", "").lower()


def test_signed_certificates_makes_an_expired_client_of_a_fresh_authority(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca", "clients", now=datetime.now(timezone.utc))
    made = run(tmp_path / "ca", client(expired=True))["certificates"]["alice"]["certificate"]
    assert made["not_before"] < made["not_after"]


@pytest.mark.parametrize("before", [True, False])
def test_signed_certificates_signs_without_a_search_for_cycles_and_leaves_it_as_it_was(before: bool) -> None:
    seen = []

    def end_the_process(function: t.Any, **specification: t.Any) -> None:
        seen.append(gc.isenabled())
        raise SystemExit(0)  # as exit_json does

    was_on = gc.isenabled()
    (gc.enable if before else gc.disable)()
    try:
        with pytest.raises(SystemExit):
            signed_certificates.main(end_the_process)
        after = gc.isenabled()
    finally:
        (gc.enable if was_on else gc.disable)()
    assert (seen, after) == ([False], before)
