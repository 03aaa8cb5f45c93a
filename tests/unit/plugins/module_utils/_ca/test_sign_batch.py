# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch: all or nothing unless it may be partial, ledger first, certificates that others accept."""

from __future__ import annotations

import os
import pathlib
import shutil
import typing as t
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import (
    certificate_files,
    layout,
    ledger,
    policy,
    sign_batch,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import reader
from support.ca.ca_directory import (
    PASSPHRASE,
    FillingDisk,
    call_context,
    client_request,
    csr,
    ensure,
    request,
    rules,
    sign,
    spec,
    tree,
)
from support.ca.certificates import NOW, openssl_verify, private_key

AT = str(int((NOW + timedelta(days=1)).timestamp()))


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "ca"
    ensure(path, "clients", "ci")
    return path


def entries(ca: pathlib.Path) -> list[dict[str, t.Any]]:
    return [entry for entry in ledger.entries(layout.ca_directory(str(ca))) if entry["event"] == "issued"]


def refusal(ca: pathlib.Path, *requests: policy.SigningRequest, **changes: t.Any) -> TlsError:
    before = tree(ca)
    with pytest.raises(TlsError) as caught:
        sign(ca, *requests, **changes)
    assert tree(ca) == before
    return caught.value


def test_sign_a_batch_makes_certificates_that_openssl_accepts_for_their_purpose_only(ca: pathlib.Path) -> None:
    result = sign(ca, request("web1"), client_request("alice"), client_request("robot", authority="ci"))
    purposes = {"web1": ("server", "sslserver", "sslclient"), "alice": ("clients", "sslclient", "sslserver")}
    purposes["robot"] = ("ci", "sslclient", "sslserver")
    for name, (authority, purpose, other) in purposes.items():
        path = ca.parent / f"{name}.pem"
        path.write_text(result.signed[name].certificate_content)
        anchor = ca / "authorities" / f"{authority}-g1" / "certificate.pem"
        assert openssl_verify(anchor, path, "-purpose", purpose, "-attime", AT)
        assert not openssl_verify(anchor, path, "-purpose", other, "-attime", AT)
        for foreign in {"server", "clients", "ci"} - {authority}:
            assert not openssl_verify(ca / "authorities" / f"{foreign}-g1" / "certificate.pem", path, "-attime", AT)


def test_sign_gives_exactly_the_names_of_the_controller_whatever_the_csr_says(ca: pathlib.Path) -> None:
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.example.org")]), critical=False)
        .sign(private_key("ecdsa-p256", 5), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    view = sign(ca, request("web1", request_content=greedy)).signed["web1"].view
    assert view is not None
    assert view.common_name == "web1.example.org"
    assert view.names == ("localhost", "web1.example.org", "127.0.0.1", "::1")
    assert not view.is_authority
    assert view.extended_key_usages == ("serverAuth",)


def test_sign_logs_and_keeps_every_certificate(ca: pathlib.Path) -> None:
    result = sign(ca, request("web1"), client_request("alice", reasons=("expires-soon",)))
    logged = {entry["request"]: entry for entry in entries(ca)}
    for name, one in result.signed.items():
        assert one.view is not None
        assert (ca / "issued" / f"{one.view.serial}.pem").read_text() == one.certificate_content
        entry = logged[name]
        assert entry["serial"] == one.view.serial
        assert entry["fingerprint_sha256"] == one.view.fingerprint_sha256
        assert entry["public_key_fingerprint"] == one.view.public_key_fingerprint
        assert entry["names"] == list(one.view.names)
    assert logged["alice"]["authority"] == "clients-g1"
    assert logged["alice"]["reasons"] == ["expires-soon"]
    assert logged["web1"]["requester"] == "web1"
    assert logged["web1"]["user"] == "tester"
    assert logged["web1"]["not_after"] == "2027-11-22T13:00:00Z"
    assert result.ledger == ledger.scan(layout.ca_directory(str(ca))).head
    assert os.listdir(ca / "staging") == []


def test_sign_writes_the_ledger_before_any_certificate_leaves(
    ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(place: layout.CaDirectory, certificates: t.Mapping[str, str]) -> None:
        assert [entry["serial"] for entry in entries(ca)] == list(certificates)
        raise TlsError("no room", code="file-unwritable")

    monkeypatch.setattr(certificate_files, "write_issued", failing)
    with pytest.raises(TlsError):
        sign(ca, request("web1"), request("web2"))
    assert len(entries(ca)) == 2
    monkeypatch.undo()
    assert len(sign(ca, request("web1")).signed) == 1


def test_sign_of_one_bad_request_signs_none(ca: pathlib.Path) -> None:
    assert refusal(ca, request("web1"), request("web2", validity="0d")).code == "duration-invalid"


@pytest.mark.parametrize("predict", [False, True])
def test_sign_partially_signs_the_good_and_tells_what_is_wrong_with_the_others(ca: pathlib.Path, predict: bool) -> None:
    wanted = [
        request("web1"),
        request("web2", validity="0d"),
        request("web3", request_content="garbage"),
        client_request("bob", authority="server"),
    ]
    result = sign(ca, *wanted, partial=True, rules=rules(predicting=predict))
    assert list(result.signed) == ["web1"]
    assert {name: error.code for name, error in result.refused.items()} == {
        "web2": "duration-invalid",
        "web3": "request-invalid",
        "bob": "profile-mismatch",
    }
    assert [entry["request"] for entry in entries(ca)] == ([] if predict else ["web1"])


def test_sign_partially_of_nothing_good_changes_nothing(ca: pathlib.Path) -> None:
    before = tree(ca)
    result = sign(ca, request("web2", validity="0d"), partial=True)
    assert (dict(result.signed), list(result.refused)) == ({}, ["web2"])
    assert tree(ca) == before


@pytest.mark.parametrize(
    ("requests", "changes", "code"),
    [
        ([request("web1")], {"passphrase": b"not the right one"}, "passphrase-wrong"),
        ([request("web1"), request("web1")], {}, "request-duplicate"),
    ],
    ids=["passphrase", "doubled-id"],
)
def test_sign_partially_with_a_problem_of_the_whole_is_refused(
    ca: pathlib.Path, requests: list[policy.SigningRequest], changes: dict[str, t.Any], code: str
) -> None:
    assert refusal(ca, *requests, partial=True, **changes).code == code


@pytest.mark.parametrize("predict", [False, True])
def test_sign_with_a_wrong_passphrase_changes_nothing(ca: pathlib.Path, predict: bool) -> None:
    (ca / "authorities/server-g1/key.pem").chmod(0o640)
    error = refusal(ca, request("web1"), passphrase=b"not the right one", rules=rules(predicting=predict))
    assert error.code == "passphrase-wrong"
    assert (ca / "authorities/server-g1/key.pem").stat().st_mode & 0o777 == 0o640


def test_sign_opens_each_key_once(ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = sign_batch.store.open_key
    monkeypatch.setattr(sign_batch.store, "open_key", lambda one, secret: (opened.append(one.id), real(one, secret))[1])
    sign(ca, *(request(f"web{number}") for number in range(5)), *(client_request(f"c{number}") for number in range(5)))
    assert sorted(opened) == ["clients-g1", "server-g1"]


def test_sign_nothing_changes_nothing(ca: pathlib.Path) -> None:
    before = tree(ca)
    result = sign(ca)
    assert (dict(result.signed), result.reasons) == ({}, ())
    assert tree(ca) == before


@pytest.mark.parametrize("there", [False, True])
def test_sign_without_a_ca_is_refused(tmp_path: pathlib.Path, there: bool) -> None:
    if there:
        (tmp_path / "ca").mkdir()
    with pytest.raises(TlsError) as caught:
        sign(tmp_path / "ca", request("web1"))
    assert caught.value.code == "authority-missing"
    assert "docker_ca" in caught.value.hint


@pytest.mark.parametrize("there", [False, True])
def test_sign_in_a_prediction_without_a_ca_foretells(tmp_path: pathlib.Path, there: bool) -> None:
    if there:
        (tmp_path / "ca").mkdir(mode=0o700)
    before = tree(tmp_path)
    wanted = [request("web1", request_content=""), client_request("alice", request_content="")]
    result = sign(tmp_path / "ca", *wanted, rules=rules(predicting=True))
    assert {name: (one.certificate_content, one.view) for name, one in result.signed.items()} == {
        "web1": ("", None),
        "alice": ("", None),
    }
    assert tree(tmp_path) == before


def test_sign_in_a_prediction_with_a_ca_writes_nothing(ca: pathlib.Path) -> None:
    before = tree(ca)
    (ca / "lock").unlink()
    result = sign(ca, request("web1"), client_request("bob", authority="new"), rules=rules(predicting=True))
    assert set(result.signed) == {"web1", "bob"}
    assert tree(ca) == before
    assert not (ca / "lock").exists()


def test_sign_while_the_ca_is_locked_is_refused(ca: pathlib.Path) -> None:
    with sign_batch.call_context.locked(str(ca / "lock"), 0):
        assert refusal(ca, request("web1")).code == "ca-locked"


def test_sign_repairs_a_torn_ledger_and_modes_and_says_so(ca: pathlib.Path) -> None:
    with open(ca / "ledger.jsonl", "ab") as stream:
        stream.write(b'{"seq":4,"prev')
    (ca / "authorities/ci-g1/key.pem").chmod(0o666)
    (ca / "staging" / "abandoned.pem").touch()
    result = sign(ca, request("web1"))
    assert result.reasons == ("modes-repaired", "ledger-repaired")
    assert result.warnings[0].startswith("modes-repaired: ")
    assert "torn" in result.warnings[1]
    assert sign(ca, request("web1")).reasons == ()
    assert os.listdir(ca / "staging") == []


def test_sign_with_a_tampered_ledger_is_refused(ca: pathlib.Path) -> None:
    sign(ca, request("web1"), request("web2"), request("web3"))
    path = ca / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b"web2.example.org", b"web9.example.org"))
    error = refusal(ca, request("web4"))
    assert error.code == "ledger-tampered"
    assert "line 6 does not follow from line 5" in error.message


def test_sign_with_an_authority_that_the_ledger_does_not_know_is_refused(ca: pathlib.Path) -> None:
    ensure(ca.parent / "other")
    shutil.rmtree(ca / "authorities" / "server-g1")
    shutil.copytree(ca.parent / "other" / "authorities" / "server-g1", ca / "authorities" / "server-g1")
    assert refusal(ca, request("web1")).code == "authority-unrecorded"


@pytest.mark.parametrize("where", ["issued", "staging"])
def test_sign_with_a_missing_subdirectory_makes_it_again(ca: pathlib.Path, where: str) -> None:
    shutil.rmtree(ca / where)
    assert len(sign(ca, request("web1")).signed) == 1


def test_sign_draws_serials_again_that_come_up_twice_in_a_batch(ca: pathlib.Path) -> None:
    drawn = iter([7, 7, 7, 300, 300, 70000])
    place = layout.ca_directory(str(ca))
    work = sign_batch.Batch(
        place,
        [request(f"web{number}") for number in range(3)],
        rules(),
        PASSPHRASE,
        call_context(),
        lambda: next(drawn),
    )
    result = sign_batch.sign(work)
    assert [one.view.serial for one in result.signed.values() if one.view] == ["07", "012c", "011170"]
    again = sign_batch.Batch(place, [request("web1")], rules(), PASSPHRASE, call_context(), lambda: 300)
    before = tree(ca)
    with pytest.raises(TlsError) as caught:
        sign_batch.sign(again)
    assert caught.value.code == "serial-used"
    assert tree(ca) == before


def test_sign_draws_serials_of_159_bits(ca: pathlib.Path) -> None:
    result = sign(ca, *(request(f"web{number}") for number in range(20)))
    numbers = [int(one.view.serial, 16) for one in result.signed.values() if one.view]
    assert all(0 < number < 1 << 159 for number in numbers)
    assert max(numbers) > 1 << 150


@pytest.mark.parametrize("key_type", ["ecdsa-p384", "ed25519", "rsa-2048"])
def test_sign_with_other_key_types(tmp_path: pathlib.Path, key_type: str) -> None:
    ensure(tmp_path / "ca", wanted=[spec(key_type=key_type)])
    result = sign(tmp_path / "ca", request("web1", request_content=csr(1, key_type)))
    (tmp_path / "leaf.pem").write_text(result.signed["web1"].certificate_content)
    anchor = tmp_path / "ca/authorities/server-g1/certificate.pem"
    assert openssl_verify(anchor, tmp_path / "leaf.pem", "-purpose", "sslserver", "-attime", AT)


@pytest.mark.parametrize("count", [3, 100], ids=["few", "many"])
def test_write_issued_writes_each_certificate_whole_and_private(ca: pathlib.Path, count: int) -> None:
    place = layout.ca_directory(str(ca))
    certificate_files.write_issued(place, {f"{number:04x}": f"certificate {number}" for number in range(count)})
    assert (ca / "issued" / "0002.pem").read_text() == "certificate 2"
    assert {path.stat().st_mode & 0o777 for path in (ca / "issued").iterdir()} == {0o600}
    assert len(os.listdir(ca / "issued")) == count
    assert os.listdir(ca / "staging") == []


def test_write_issued_without_syncfs_uses_sync(ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(os, "sync", lambda: called.append("sync"))
    monkeypatch.setattr(certificate_files.ctypes, "CDLL", lambda *given, **more: object())
    certificate_files.sync_file_system(str(ca))
    assert called == ["sync"]


def test_sign_on_a_failing_disk_releases_nothing_and_the_next_run_works(
    ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail each fsync in turn; whatever was returned must be in the ledger and on the disk."""
    real = os.fsync
    for number in range(50):
        monkeypatch.setattr(os, "fsync", FillingDisk(number, real))
        released: list[str] = []
        try:
            result = sign(ca, request("web1"), request("web2"))
            released = [one.view.serial for one in result.signed.values() if one.view]
        except TlsError as error:
            assert error.code in ("ledger-unwritable", "file-unwritable", "ca-unwritable")
        monkeypatch.undo()
        sign(ca, request("web3"))
        logged = {entry["serial"] for entry in entries(ca)}
        assert set(released) <= logged
        assert {path.stem for path in (ca / "issued").iterdir()} <= logged
        if released:
            break
    assert 3 < number < 49


def test_sign_views_agree_with_the_certificates(ca: pathlib.Path) -> None:
    for one in sign(ca, request("web1"), client_request("alice")).signed.values():
        certificate = reader.load_certificate(one.certificate_content, "it")
        assert reader.view_certificate(certificate) == one.view
