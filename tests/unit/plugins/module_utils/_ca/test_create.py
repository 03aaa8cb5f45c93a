# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authorities: made once, verified ever after, never replaced in silence."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout, ledger, store
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca.call_context import CallContext
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys
from support.ca.ca_directory import PASSPHRASE, PASSPHRASE_TEXT, FillingDisk, ensure, modes, spec, specs, tree
from support.ca.certificates import NOW, leaf, openssl_verify


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "ca"
    ensure(path, "clients", "ci")
    return path


def opens(key: pathlib.Path, passphrase: str) -> bool:
    """Return whether openssl opens the key file, through the environment as argv would show it."""
    command = ["openssl", "pkey", "-in", str(key), "-passin", "env:P", "-noout"]
    return (
        subprocess.run(command, env={**os.environ, "P": passphrase}, capture_output=True, check=False).returncode == 0
    )


def refusal(path: pathlib.Path, *groups: str, **changes: t.Any) -> TlsError:
    """Return the error of ``ensure``, which must leave every file as it was."""
    before = tree(path)
    with pytest.raises(TlsError) as caught:
        ensure(path, *groups, **changes)
    assert tree(path) == before
    return caught.value


def test_ensure_on_the_first_run_makes_private_authorities(tmp_path: pathlib.Path) -> None:
    outcome = ensure(tmp_path / "ca", "clients", "ci")
    assert outcome.reasons == ("authority-missing",)
    assert outcome.warnings == ()
    assert {name: [one.id for one in found] for name, found in outcome.stored.items()} == {
        "server": ["server-g1"],
        "clients": ["clients-g1"],
        "ci": ["ci-g1"],
    }
    found = modes(tmp_path / "ca")
    assert {mode for path, mode in found.items() if (tmp_path / path).is_dir()} == {"0o700"}
    assert {mode for path, mode in found.items() if (tmp_path / path).is_file()} == {"0o600"}
    assert os.listdir(tmp_path / "ca" / "staging") == []


def test_ensure_on_the_second_run_changes_nothing(ca: pathlib.Path) -> None:
    before = tree(ca)
    outcome = ensure(ca, "clients", "ci")
    assert (outcome.reasons, outcome.warnings, outcome.missing) == ((), (), ())
    assert tree(ca) == before


def test_ensure_makes_keys_that_openssl_opens_with_the_passphrase_only(ca: pathlib.Path) -> None:
    for key in ca.glob("authorities/*/key.pem"):
        assert b"ENCRYPTED PRIVATE KEY" in key.read_bytes()
        assert opens(key, PASSPHRASE_TEXT)
        assert not opens(key, PASSPHRASE_TEXT + "x")


def test_ensure_by_default_encrypts_with_600000_rounds(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca", wanted=[spec("server")], rounds=CallContext.rounds)
    key = tmp_path / "ca" / "authorities" / "server-g1" / "key.pem"
    shown = subprocess.run(["openssl", "asn1parse", "-in", str(key)], capture_output=True, text=True, check=True).stdout
    assert keys.ROUNDS == 600_000
    assert f"INTEGER           :{600_000:06X}" in shown
    assert opens(key, PASSPHRASE_TEXT)


@pytest.mark.parametrize("key_type", keys.KEY_TYPES)
def test_ensure_with_every_key_type_makes_an_authority_that_openssl_trusts(
    tmp_path: pathlib.Path, key_type: str
) -> None:
    outcome = ensure(tmp_path / "ca", wanted=[spec("server", key_type=key_type)], now=NOW - timedelta(days=1))
    one = outcome.stored["server"][0]
    assert one.view.key_type == key_type
    key = store.open_key(one, PASSPHRASE)
    from support.ca.certificates import Pair

    issued = leaf(Pair(one.certificate, key), begin=NOW, end=NOW + timedelta(days=90))
    issued.write(tmp_path, "leaf")
    anchor = tmp_path / "ca" / "authorities" / "server-g1" / "certificate.pem"
    at = str(int((NOW + timedelta(days=1)).timestamp()))
    assert openssl_verify(anchor, tmp_path / "leaf.pem", "-purpose", "sslserver", "-attime", at)


def test_ensure_gives_each_authority_its_unit_and_purpose(ca: pathlib.Path) -> None:
    stored = store.read_authorities(layout.ca_directory(str(ca)))
    assert stored["server"][0].view.subject == "CN=Docker CA,OU=server-g1"
    assert stored["server"][0].view.extended_key_usages == ("serverAuth",)
    assert stored["ci"][0].view.subject == "CN=Docker CA,OU=ci-g1"
    assert stored["ci"][0].view.extended_key_usages == ("clientAuth",)
    assert stored["ci"][0].view.not_before == NOW - timedelta(minutes=5)
    assert stored["ci"][0].view.not_after == NOW + timedelta(days=1825)


def test_ensure_records_every_authority_before_it_is_there(ca: pathlib.Path) -> None:
    place = layout.ca_directory(str(ca))
    found = {entry["authority"]: entry for entry in ledger.entries(place)}
    for generations in store.read_authorities(place).values():
        entry = found[generations[0].id]
        assert entry["event"] == "authority-created"
        assert entry["user"] == "tester"
        assert entry["time"] == "2026-11-22T13:00:00Z"
        assert entry["serial"] == generations[0].view.serial
        assert entry["fingerprint_sha256"] == generations[0].view.fingerprint_sha256


def test_ensure_with_the_longest_group_name_works(tmp_path: pathlib.Path) -> None:
    assert ensure(tmp_path / "ca", "a" * 58).stored["a" * 58][0].view.subject == f"CN=Docker CA,OU={'a' * 58}-g1"


def test_ensure_with_another_group_adds_only_that(ca: pathlib.Path) -> None:
    before = tree(ca)
    outcome = ensure(ca, "clients", "ci", "ops")
    assert [one.name for one in outcome.missing] == ["ops"]
    after = tree(ca)
    assert {name for name in after if name not in before} == {
        "authorities/ops-g1",
        "authorities/ops-g1/key.pem",
        "authorities/ops-g1/certificate.pem",
        "authorities/ops-g1/crl.pem",
    }
    assert {name for name in before if after[name] != before[name]} == {"ledger.jsonl", "ledger.head"}


def test_ensure_with_a_group_no_longer_listed_keeps_it_and_warns(ca: pathlib.Path) -> None:
    outcome = ensure(ca, "clients")
    assert "ci" in outcome.stored
    assert outcome.reasons == ()
    assert [warning.split(":")[0] for warning in outcome.warnings] == ["access-group-unlisted"]


def test_ensure_in_a_prediction_on_the_first_run_writes_nothing(tmp_path: pathlib.Path) -> None:
    outcome = ensure(tmp_path / "ca", "clients", predict=True)
    assert outcome.reasons == ("authority-missing",)
    assert [one.name for one in outcome.missing] == ["server", "clients"]
    assert not (tmp_path / "ca").exists()


def test_ensure_in_a_prediction_foretells_every_repair(ca: pathlib.Path) -> None:
    (ca / "authorities" / "ci-g1" / "key.pem").chmod(0o644)
    with open(ca / "ledger.jsonl", "ab") as stream:
        stream.write(b"torn")
    before = tree(ca)
    foretold = ensure(ca, "clients", "ci", "ops", predict=True)
    assert tree(ca) == before
    assert (ca / "authorities" / "ci-g1" / "key.pem").stat().st_mode & 0o777 == 0o644
    done = ensure(ca, "clients", "ci", "ops")
    assert foretold.reasons == done.reasons == ("modes-repaired", "ledger-repaired", "authority-missing")
    assert [warning.split(":")[0] for warning in done.warnings][:1] == ["modes-repaired"]


@pytest.mark.parametrize("predict", [False, True])
@pytest.mark.parametrize("groups", [("clients", "ci"), ("clients", "ci", "ops")], ids=["verify", "add"])
def test_ensure_with_a_wrong_passphrase_changes_nothing(
    ca: pathlib.Path, groups: tuple[str, ...], predict: bool
) -> None:
    (ca / "authorities" / "ci-g1" / "key.pem").chmod(0o644)
    error = refusal(ca, *groups, passphrase=b"not the right one", predict=predict)
    assert error.code == "passphrase-wrong"
    assert (ca / "authorities" / "ci-g1" / "key.pem").stat().st_mode & 0o777 == 0o644


DIFFERENCES: dict[str, tuple[dict[str, t.Any], str]] = {
    "common-name": ({"common_name": "Other CA"}, "common name 'Docker CA' instead of 'Other CA'"),
    "organization": ({"organization": "Olympus, Inc."}, "organization '' instead of 'Olympus, Inc.'"),
    "key-type": ({"key_type": "rsa-4096"}, "key type 'ecdsa-p256' instead of 'rsa-4096'"),
    "validity": ({"validity": timedelta(days=3650)}, "validity '1825d' instead of '3650d'"),
}


@pytest.mark.parametrize(("changes", "text"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_ensure_with_other_options_keeps_the_authority_and_warns(
    tmp_path: pathlib.Path, changes: dict[str, t.Any], text: str
) -> None:
    ensure(tmp_path, wanted=[spec()])
    before = tree(tmp_path)
    outcome = ensure(tmp_path, wanted=[spec(**changes)])
    assert tree(tmp_path) == before
    assert outcome.reasons == ()
    assert len(outcome.warnings) == 1
    assert outcome.warnings[0].startswith("authority-differs: the authority server-g1")
    assert text in outcome.warnings[0]


def test_ensure_with_organization_is_stable(tmp_path: pathlib.Path) -> None:
    wanted = [spec(organization="Olympus, Inc. \\ + Söhne")]
    ensure(tmp_path / "ca", wanted=wanted)
    assert ensure(tmp_path / "ca", wanted=wanted).warnings == ()


@pytest.mark.parametrize(("days", "warned"), [(0, False), (1200, False), (1220, True), (1824, True)])
def test_ensure_with_less_than_a_third_of_life_left_warns(ca: pathlib.Path, days: int, warned: bool) -> None:
    outcome = ensure(ca, "clients", "ci", now=NOW + timedelta(days=days))
    assert [warning.split(":")[0] for warning in outcome.warnings] == ["authority-expires-soon"] * (3 if warned else 0)


def swap_certificates(ca: pathlib.Path) -> None:
    for name in ("certificate.pem", "key.pem"):
        shutil.copy(ca / "authorities" / "clients-g1" / name, ca / "authorities" / "server-g1" / name)


def put_leaf(ca: pathlib.Path) -> None:
    (ca / "authorities" / "server-g1" / "certificate.pem").write_text(leaf(_pair(ca)).pem)


def _pair(ca: pathlib.Path) -> t.Any:
    from support.ca.certificates import authority

    return authority()


FAULTS: dict[str, tuple[t.Callable[[pathlib.Path], t.Any], str]] = {
    "key-gone": (lambda ca: (ca / "authorities/server-g1/key.pem").unlink(), "authority-incomplete"),
    "certificate-gone": (lambda ca: (ca / "authorities/server-g1/certificate.pem").unlink(), "authority-incomplete"),
    "authority-gone": (lambda ca: shutil.rmtree(ca / "authorities/server-g1"), "authority-lost"),
    "group-gone": (lambda ca: shutil.rmtree(ca / "authorities/ci-g1"), "authority-lost"),
    "all-authorities-gone": (lambda ca: shutil.rmtree(ca / "authorities"), "authority-lost"),
    "key-of-another": (
        lambda ca: shutil.copy(ca / "authorities/ci-g1/key.pem", ca / "authorities/server-g1/key.pem"),
        "key-mismatch",
    ),
    "key-garbage": (lambda ca: (ca / "authorities/server-g1/key.pem").write_text("garbage"), "key-unreadable"),
    "certificate-garbage": (
        lambda ca: (ca / "authorities/server-g1/certificate.pem").write_text("garbage"),
        "certificate-unreadable",
    ),
    "other-purpose": (swap_certificates, "authority-unsuitable"),
    "no-authority": (put_leaf, "authority-unsuitable"),
    "ledger-gone": (lambda ca: (ca / "ledger.jsonl").unlink(), "ledger-tampered"),
    "ledger-of-another-ca": (
        lambda ca: (
            (ensure(ca.parent / "other", "clients", "ci"), shutil.copy(ca.parent / "other/ledger.jsonl", ca))[0]
            and shutil.copy(ca.parent / "other/ledger.head", ca)
        ),
        "authority-unrecorded",
    ),
    "ledger-and-head-gone": (
        lambda ca: [(ca / name).unlink() for name in ("ledger.jsonl", "ledger.head")],
        "authority-unrecorded",
    ),
}


@pytest.mark.parametrize(("break_it", "code"), FAULTS.values(), ids=FAULTS)
def test_ensure_with_a_damaged_ca_says_what_is_wrong_and_changes_nothing(
    ca: pathlib.Path, break_it: t.Callable[[pathlib.Path], t.Any], code: str
) -> None:
    break_it(ca)
    error = refusal(ca, "clients", "ci")
    assert error.code == code
    assert error.hint
    assert refusal(ca, "clients", "ci", predict=True).code == code


def test_ensure_with_an_unencrypted_key_is_refused(ca: pathlib.Path) -> None:
    path = ca / "authorities" / "server-g1" / "key.pem"
    key = keys.load_private_key(path.read_bytes(), PASSPHRASE, what="key")
    path.write_bytes(keys.encode_private_key(key))
    assert refusal(ca, "clients", "ci").code == "key-not-encrypted"


@pytest.mark.parametrize(
    ("days", "code"), [(1825, "authority-expired"), (4000, "authority-expired"), (-1, "authority-not-yet-valid")]
)
def test_ensure_outside_the_life_of_an_authority_is_refused(ca: pathlib.Path, days: int, code: str) -> None:
    assert refusal(ca, "clients", "ci", now=NOW + timedelta(days=days)).code == code


@pytest.mark.parametrize("fault", ["ledger-gone", "authority-gone", "ledger-of-another-ca", "ledger-and-head-gone"])
def test_ensure_with_restart_ledger_accepts_the_fault_once_and_keeps_the_old_ledger(
    ca: pathlib.Path, fault: str
) -> None:
    FAULTS[fault][0](ca)
    outcome = ensure(ca, "clients", "ci", restart_ledger=True)
    assert "ledger-restarted" in outcome.reasons
    place = layout.ca_directory(str(ca))
    events = [entry["event"] for entry in ledger.entries(place)]
    assert events[0] == "ledger-restarted"
    assert events.count("authority-recorded") == (2 if fault == "authority-gone" else 3)
    assert events.count("authority-created") == (1 if fault == "authority-gone" else 0)
    assert len(list(ca.glob("ledger.*.2026-11-22T130000Z*"))) == {"ledger-gone": 1, "ledger-and-head-gone": 0}.get(
        fault, 2
    )
    again = ensure(ca, "clients", "ci", restart_ledger=True)
    assert again.reasons == ()


@pytest.mark.parametrize("code", ["passphrase-wrong", "authority-incomplete"])
def test_ensure_with_restart_ledger_still_refuses_other_faults(ca: pathlib.Path, code: str) -> None:
    if code == "authority-incomplete":
        (ca / "authorities" / "server-g1" / "key.pem").unlink()
    passphrase = PASSPHRASE if code == "authority-incomplete" else b"not the right one"
    assert refusal(ca, "clients", "ci", restart_ledger=True, passphrase=passphrase).code == code


def test_ensure_with_another_generation_signs_with_the_newest_and_trusts_both(ca: pathlib.Path) -> None:
    ensure(ca.parent / "other", now=NOW + timedelta(days=1))
    shutil.copytree(ca.parent / "other" / "authorities" / "server-g1", ca / "authorities" / "server-g2")
    stored = store.read_authorities(layout.ca_directory(str(ca)))
    described = store.describe(stored, NOW + timedelta(days=2))
    assert described["server"]["id"] == "server-g2"
    assert described["server"]["trusted_content"].count("BEGIN CERTIFICATE") == 2
    assert described["server"]["trusted_content"].startswith(described["server"]["certificate_content"])
    late = store.describe(stored, NOW + timedelta(days=1825, hours=1))
    assert late["server"]["trusted_content"] == late["server"]["certificate_content"]


@pytest.mark.parametrize("name", ["", "Clients", "a b", "-a", "_a", "a/b", "..", "a" * 59, "ä", "a.b", "server"])
def test_check_group_names_that_are_unfit_are_refused(name: str) -> None:
    with pytest.raises(TlsError) as caught:
        layout.check_group_names(["clients", name])
    assert caught.value.code == "group-name-invalid"


def test_check_group_names_drops_doubles_and_keeps_the_order() -> None:
    assert layout.check_group_names(["ops", "a", "0-x_y", "ops", "a" * 58]) == ("ops", "a", "0-x_y", "a" * 58)


def test_read_authorities_tells_group_names_that_look_like_generations_apart(tmp_path: pathlib.Path) -> None:
    outcome = ensure(tmp_path / "ca", "ci", "ci-g2")
    assert {one.id for found in outcome.stored.values() for one in found} == {"server-g1", "ci-g1", "ci-g2-g1"}


def test_ensure_with_an_unknown_key_type_changes_nothing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TlsError) as caught:
        ensure(tmp_path / "ca", wanted=[spec(key_type="dsa-1024")])
    assert caught.value.code == "key-type-unknown"
    assert not (tmp_path / "ca").exists()


def test_ensure_with_full_disk_at_any_write_leaves_nothing_half_made(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail each fsync in turn: the next run always gets a whole CA, and no authority that the ledger does not know."""
    real = os.fsync
    for number in range(100):
        path = tmp_path / f"ca{number}"
        disk = FillingDisk(number, real)
        monkeypatch.setattr(os, "fsync", disk)
        try:
            ensure(path)
        except (TlsError, OSError) as error:
            assert isinstance(error, TlsError), f"fsync {number}: {error!r}"
        monkeypatch.undo()
        outcome = ensure(path)
        assert {one.id for found in outcome.stored.values() for one in found} == {"server-g1", "clients-g1"}
        assert ensure(path).reasons == ()
        if not disk.struck:
            break
    assert 10 < number < 99


def test_specs_helper_begins_with_the_server() -> None:
    assert [one.name for one in specs("a")] == ["server", "a"]
