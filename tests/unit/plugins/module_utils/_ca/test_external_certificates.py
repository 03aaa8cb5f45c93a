# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of the ledger about certificates that other issuers have signed."""

from __future__ import annotations

import os
import pathlib
import stat
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import (
    import_certificates,
    layout,
    ledger,
    ledger_query,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ca import certificates as made
from support.ca.ca_directory import call_context, ensure, request, sign

ROOT = made.authority(unit="company-root", number=61)
CERTIFICATE = made.leaf(ROOT, common_name="web1.example.org", subject_names=("web1.example.org",))


def external(pair: made.Pair = CERTIFICATE, **changes: t.Any) -> import_certificates.External:
    values: dict[str, t.Any] = {
        "content": pair.pem + ROOT.pem,
        "authority": "server",
        "profile": "server",
        "issuer": "openbao",
        "request": "web1/server",
        "requester": "web1",
        "reasons": ("certificate-missing",),
    }
    return import_certificates.External(**{**values, **changes})


def record(
    path: pathlib.Path, *given: import_certificates.External, predict: bool = False, **changes: t.Any
) -> import_certificates.Outcome:
    place = layout.ca_directory(str(path))
    return import_certificates.record_external(place, given, call_context(**changes), predict=predict)


def found(path: pathlib.Path, **query: t.Any) -> list[dict[str, t.Any]]:
    place = layout.ca_directory(str(path))
    assert ledger_query.verify(place)["state"] == "intact"
    asked = ledger_query.find(lambda: ledger_query.read(place), ledger_query.Query(**query), made.NOW)
    return t.cast("list[dict[str, t.Any]]", asked["entries"])


def test_certificate_gets_a_line_with_its_issuer_and_without_a_key(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca")
    done = record(tmp_path / "ca", external())
    assert (len(done.entries), done.known, done.ledger["seq"]) == (1, 0, 3)
    (entry,) = found(tmp_path / "ca", requester="web1")
    assert {name: entry[name] for name in ("event", "authority", "issuer", "issuer_subject", "request", "names")} == {
        "event": "external-issued",
        "authority": "server-external",
        "issuer": "openbao",
        "issuer_subject": ROOT.view.subject,
        "request": "web1/server",
        "names": ["web1.example.org"],
    }
    assert entry["fingerprint_sha256"] == CERTIFICATE.view.fingerprint_sha256
    assert entry["user"] == "tester"
    assert "PRIVATE" not in (tmp_path / "ca/ledger.jsonl").read_text()


def test_same_certificate_is_recorded_once(tmp_path: pathlib.Path) -> None:
    assert len(record(tmp_path / "ca", external(), external()).entries) == 1
    again = record(tmp_path / "ca", external())
    assert (again.entries, again.known) == ((), 1)
    assert len(found(tmp_path / "ca")) == 1


def test_fleet_without_a_ca_gets_a_directory_that_only_its_owner_reads(tmp_path: pathlib.Path) -> None:
    record(tmp_path / "ca", external())
    assert stat.S_IMODE(os.stat(tmp_path / "ca").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(tmp_path / "ca/ledger.jsonl").st_mode) == 0o600
    assert list((tmp_path / "ca/authorities").iterdir()) == []


def test_prediction_writes_nothing(tmp_path: pathlib.Path) -> None:
    done = record(tmp_path / "ca", external(), predict=True)
    assert [entry["event"] for entry in done.entries] == ["external-issued"]
    assert not (tmp_path / "ca").exists()


def test_query_by_the_name_of_the_authority_finds_them_beside_those_of_the_ca(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca")
    record(tmp_path / "ca", external())
    events = [entry["event"] for entry in found(tmp_path / "ca", authority="server")]
    assert events == ["external-issued", "authority-created"]
    assert len(found(tmp_path / "ca", authority="server-external")) == 1


def test_ca_signs_after_them_and_can_be_made_after_them(tmp_path: pathlib.Path) -> None:
    record(tmp_path / "ca", external())
    ensure(tmp_path / "ca")
    assert sign(tmp_path / "ca", request("web2")).refused == {}
    assert [entry["event"] for entry in found(tmp_path / "ca", profile="server")] == ["issued", "external-issued"]


def test_name_in_a_certificate_of_another_issuer_is_not_reserved_for_its_host(tmp_path: pathlib.Path) -> None:
    """Whether that issuer is still trusted is not the ledger's to know; the inventory says to whom a name belongs."""
    ensure(tmp_path / "ca")
    record(tmp_path / "ca", external())
    wanted = request("web2", names=("web1.example.org",), common_name="web1.example.org")
    assert sign(tmp_path / "ca", wanted).refused == {}


def test_ledger_that_was_altered_gets_no_line(tmp_path: pathlib.Path) -> None:
    record(tmp_path / "ca", external())
    path = tmp_path / "ca/ledger.jsonl"
    path.write_text(path.read_text().replace("web1", "web9"))
    with pytest.raises(TlsError) as caught:
        record(tmp_path / "ca", external(made.leaf(ROOT)))
    assert caught.value.code == "ledger-tampered"


def test_clock_that_went_back_is_noticed(tmp_path: pathlib.Path) -> None:
    record(tmp_path / "ca", external())
    with pytest.raises(TlsError) as caught:
        record(tmp_path / "ca", external(), now=made.NOW - timedelta(days=2))
    assert caught.value.code == "clock-behind"
    assert ledger.scan(layout.ca_directory(str(tmp_path / "ca"))).head.seq == 1
