# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules around the upkeep of a CA: options in, one result out, nothing secret in it."""

from __future__ import annotations

import json
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca.call_context import CallContext
from ansible_collections.portcullis.docker_tls.plugins.modules import (
    adopted_authority,
    authority_backup,
    authority_info,
    authority_passphrase,
    authority_restore,
    recorded_certificates,
    signed_certificates,
)
from support.ansible.modules import run_module
from support.ca.ca_directory import PASSPHRASE_TEXT, ROUNDS, csr, ensure, tree
from support.ca.certificates import NOW
from support.ca.foreign import OLD_PASSPHRASE, docker_recipe

NEW = "another unusual sequence"


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    real = CallContext
    monkeypatch.setattr(f"{CallContext.__module__}.CallContext", lambda **given: real(**{"rounds": ROUNDS, **given}))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("model") / "ca"
    ensure(path, "clients", now=NOW.replace(year=2025))
    return path


@pytest.fixture
def ca(model: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(model, tmp_path / "ca"))


def call(module: t.Any, path: pathlib.Path, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    result = run_module(module, {"path": str(path), **options}, check=check, diff=True)
    text = json.dumps(result)
    assert "PRIVATE KEY" not in text
    for secret in (PASSPHRASE_TEXT, NEW):
        assert secret not in text
    return result


def test_authority_passphrase_changes_it_and_says_so(ca: pathlib.Path) -> None:
    options = {"passphrase": PASSPHRASE_TEXT, "new_passphrase": NEW}
    foretold = call(authority_passphrase, ca, check=True, **options)
    done = call(authority_passphrase, ca, **options)
    for result in (foretold, done):
        assert (result["changed"], result["reasons"]) == (True, ["passphrase-changed"])
        assert sorted(result["authorities"]) == ["clients-g1", "server-g1"]
    again = call(authority_passphrase, ca, **options)
    assert (again["changed"], sorted(again["unchanged"])) == (False, ["clients-g1", "server-g1"])


def test_authority_passphrase_that_is_wrong_fails_clearly(ca: pathlib.Path) -> None:
    result = call(authority_passphrase, ca, passphrase="not the right one", new_passphrase=NEW)
    assert (result["failed"], result["code"]) == (True, "passphrase-wrong")


def sign(ca: pathlib.Path, *names: str, installed: t.Any = ()) -> dict[str, t.Any]:
    requests = [
        {
            "id": name,
            "authority": "server",
            "profile": "server",
            "request_content": csr(),
            "common_name": name,
            "names": [name],
            "requester": name,
        }
        for name in names
    ]
    return call(signed_certificates, ca, passphrase=PASSPHRASE_TEXT, requests=requests, installed=list(installed))


def test_backup_restore_and_record_close_the_circle(ca: pathlib.Path, tmp_path: pathlib.Path) -> None:
    archive, new = tmp_path / "ca.tar.gz", tmp_path / "new"
    assert call(authority_backup, ca, check=True, archive_path=str(archive))["changed"]
    assert not archive.exists()
    made = call(authority_backup, ca, archive_path=str(archive))["archive"]
    assert (made["authorities"], made["ledger"]["seq"]) == (["clients-g1", "server-g1"], 2)
    certificate = sign(ca, "web1")["certificates"]["web1"]
    restored = call(authority_restore, new, passphrase=PASSPHRASE_TEXT, archive_path=str(archive))
    assert (restored["reasons"], restored["restored"]["lines"]) == (["ledger-restored"], 2)
    assert restored["restored"]["sha256"] == made["sha256"]
    assert call(authority_info, new)["ledger"]["restored"] is True
    installed = [{"requester": "web1", **{name: certificate["certificate"][name] for name in ("serial", "issuer")}}]
    noticed = sign(new, installed=installed)
    assert not noticed["changed"]
    assert [one["requester"] for one in noticed["unknown"]] == ["web1"]
    assert "ledger-behind" in str(noticed["warnings"])
    given = [{"content": certificate["certificate_content"], "requester": "web1", "source": "/c"}]
    recorded = call(recorded_certificates, new, certificates=given)
    assert recorded["reasons"] == ["certificates-restored", "ledger-recorded"]
    assert recorded["recorded"][0]["event"] == "leaf-recorded"
    assert call(authority_info, new)["ledger"]["restored"] is False
    assert sign(new, installed=installed)["warnings"] == []
    assert not call(recorded_certificates, new, certificates=given)["changed"]


def test_hosts_that_refuse_a_revoked_client_are_recorded_once(ca: pathlib.Path) -> None:
    given = {"revocations": [{"client": "bob", "authority": "clients-g1", "hosts": ["web1"]}]}
    for check in (True, False):
        result = call(recorded_certificates, ca, check=check, **given)
        assert (result["changed"], result["reasons"], result["foreign"]) == (True, ["revocation-verified"], [])
        (line,) = result["recorded"]
        assert (line["event"], line["client"], line["hosts"]) == ("revocation-verified", "bob", ["web1"])
    again = call(recorded_certificates, ca, **given)
    assert (again["changed"], again["known"], again["recorded"]) == (False, 1, [])


def test_authority_restore_fails_clearly(ca: pathlib.Path, tmp_path: pathlib.Path) -> None:
    result = call(authority_restore, tmp_path / "new", passphrase=PASSPHRASE_TEXT, archive_path="/nowhere.tar.gz")
    assert (result["failed"], result["code"]) == (True, "backup-missing")


def test_adopted_authority_reads_files_and_contents_alike(tmp_path: pathlib.Path) -> None:
    recipe = docker_recipe()
    for name in ("ca.pem", "ca-key.pem"):
        (tmp_path / name).write_bytes(recipe.contents[name])
    by_path = {"certificate_path": str(tmp_path / "ca.pem"), "key_path": str(tmp_path / "ca-key.pem")}
    by_content = {"certificate_content": recipe.text("ca.pem"), "key_content": recipe.text("ca-key.pem")}
    common = {"passphrase": PASSPHRASE_TEXT, "key_passphrase": OLD_PASSPHRASE}
    before = tree(tmp_path)
    foretold = call(adopted_authority, tmp_path / "ca", check=True, **common, **by_path)
    assert tree(tmp_path) == before
    done = call(adopted_authority, tmp_path / "ca", **common, **by_path)
    for result in (foretold, done):
        assert (result["adopted"], result["reasons"]) == (["server-g1", "clients-g1"], ["authority-adopted"])
        assert "authority-of-both" in str(result["warnings"])
    assert done["certificate"]["subject"] == "CN=docker1,O=Example,C=DE"
    assert not call(adopted_authority, tmp_path / "ca", **common, **by_content)["changed"]
    assert call(authority_info, tmp_path / "ca")["authorities"]["server"]["adopted"] is True


def test_adopted_authority_without_a_file_fails_clearly(tmp_path: pathlib.Path) -> None:
    result = call(
        adopted_authority, tmp_path / "ca", passphrase=PASSPHRASE_TEXT, certificate_path="/nowhere", key_path="/nowhere"
    )
    assert (result["failed"], result["code"]) == (True, "file-missing")
