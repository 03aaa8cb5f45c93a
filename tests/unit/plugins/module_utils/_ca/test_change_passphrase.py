# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of the passphrase: all keys or none, whatever happens on the way."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess

import pytest
from test_crash import Death, ended, in_child

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout, ledger, passphrase, store
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ca.ca_directory import PASSPHRASE, PASSPHRASE_TEXT, call_context, ensure, request, sign, tree

NEW = "another unusual sequence"


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> pathlib.Path:
    ensure(tmp_path / "ca", "clients", "ops")
    return tmp_path / "ca"


def change(
    path: pathlib.Path, old: str = PASSPHRASE_TEXT, new: str = NEW, *, predict: bool = False
) -> passphrase.Outcome:
    return passphrase.change_passphrase(
        passphrase.Change(layout.ca_directory(str(path)), old, new, call_context()), predict=predict
    )


def opens(path: pathlib.Path, passphrase: str) -> set[str]:
    """Return the ids of the authorities whose keys, as the collection sees them, open with the passphrase."""
    found = set()
    for generations in store.read_authorities(layout.ca_directory(str(path))).values():
        for one in generations:
            try:
                store.open_key(one, passphrase.encode())
                found.add(one.id)
            except TlsError as error:
                assert error.code == "passphrase-wrong"
    return found


ALL = {"server-g1", "clients-g1", "ops-g1"}


def test_change_passphrase_encrypts_every_key_anew_and_records_it(ca: pathlib.Path) -> None:
    outcome = change(ca)
    assert (set(outcome.changed), outcome.kept, outcome.reasons) == (ALL, (), ("passphrase-changed",))
    assert (opens(ca, NEW), opens(ca, PASSPHRASE_TEXT)) == (ALL, set())
    last = list(ledger.entries(layout.ca_directory(str(ca))))[-1]
    assert (last["event"], set(last["authorities"]), last["user"]) == ("passphrase-changed", ALL, "tester")
    assert ensure(ca, "clients", "ops", passphrase=NEW.encode()).reasons == ()
    assert sign(ca, request(), passphrase=NEW.encode()).signed
    assert not (ca / "passphrase.change").exists()
    assert NEW not in (ca / "ledger.jsonl").read_text()


def test_change_passphrase_makes_keys_that_openssl_opens_with_the_new_one_only(ca: pathlib.Path) -> None:
    change(ca)
    key = ca / "authorities/server-g1/key.pem"
    for text, status in ((NEW, 0), (PASSPHRASE_TEXT, 1)):
        command = ["openssl", "pkey", "-in", key, "-passin", "stdin", "-noout"]
        done = subprocess.run(command, input=f"{text}\n", text=True, capture_output=True, check=False)
        assert done.returncode == status


@pytest.mark.parametrize("old", [PASSPHRASE_TEXT, NEW, "forgotten by now"])
def test_change_passphrase_on_the_second_run_changes_nothing(ca: pathlib.Path, old: str) -> None:
    change(ca)
    before = tree(ca)
    outcome = change(ca, old)
    assert (outcome.changed, set(outcome.kept), outcome.reasons) == ((), ALL, ())
    assert tree(ca) == before


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("not the right one", NEW, "passphrase-wrong"),
        ("", NEW, "passphrase-missing"),
        (PASSPHRASE_TEXT, "", "passphrase-missing"),
        (PASSPHRASE_TEXT, "short", "passphrase-too-short"),
        (PASSPHRASE_TEXT, "changeme12345", "passphrase-well-known"),
        (PASSPHRASE_TEXT, NEW + "\n", "passphrase-unusable"),
    ],
)
@pytest.mark.parametrize("predict", [False, True])
def test_change_passphrase_that_cannot_be_says_why_and_changes_nothing(
    ca: pathlib.Path, old: str, new: str, code: str, predict: bool
) -> None:
    before = tree(ca)
    with pytest.raises(TlsError) as caught:
        change(ca, old, new, predict=predict)
    assert caught.value.code == code
    assert not any(secret and secret in f"{caught.value.message}{caught.value.hint}" for secret in (old, new))
    assert tree(ca) == before
    if new != NEW:
        assert "new passphrase" in caught.value.message


def test_change_passphrase_in_a_prediction_foretells_and_changes_nothing(ca: pathlib.Path) -> None:
    before = tree(ca)
    outcome = change(ca, predict=True)
    assert (set(outcome.changed), outcome.reasons) == (ALL, ("passphrase-changed",))
    assert tree(ca) == before


def test_change_passphrase_without_a_ca_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TlsError) as caught:
        change(tmp_path / "ca")
    assert caught.value.code == "authority-missing"
    assert list(tmp_path.iterdir()) == []


def test_change_passphrase_brings_a_key_of_another_backup_along(ca: pathlib.Path) -> None:
    old = (ca / "authorities/ops-g1/key.pem").read_bytes()
    change(ca)
    (ca / "authorities/ops-g1/key.pem").write_bytes(old)
    outcome = change(ca)
    assert (outcome.changed, set(outcome.kept)) == (("ops-g1",), ALL - {"ops-g1"})
    assert opens(ca, NEW) == ALL


def test_change_passphrase_with_a_tampered_ledger_is_refused(ca: pathlib.Path) -> None:
    lines = (ca / "ledger.jsonl").read_text().splitlines()
    (ca / "ledger.jsonl").write_text("\n".join(lines[1:]) + "\n")
    before = tree(ca)
    with pytest.raises(TlsError) as caught:
        change(ca)
    assert caught.value.code == "ledger-tampered"
    assert tree(ca) == before


def test_change_passphrase_killed_at_every_step_leaves_one_passphrase_for_all_keys(tmp_path: pathlib.Path) -> None:
    killed = {"old": 0, "new": 0}
    for at in range(200):
        path = tmp_path / f"ca{at}"
        ensure(path, "clients")
        names = {"server-g1", "clients-g1"}

        def work(path: pathlib.Path = path, at: int = at) -> None:
            Death(at).install()
            change(path)

        status = ended(in_child(work))
        with_old, with_new = opens(path, PASSPHRASE_TEXT), opens(path, NEW)
        assert (with_old, with_new) in ((names, set()), (set(), names))
        passphrase = PASSPHRASE if with_old else NEW.encode()
        place = layout.ca_directory(str(path))
        if at % 2:  # anyone who comes next finishes it
            ensure(path, "clients", passphrase=passphrase)
        else:
            sign(path, request(), passphrase=passphrase)
        assert not store.is_unfinished(place)
        change(path)
        assert opens(path, NEW) == names
        events = [entry["event"] for entry in ledger.entries(place)]
        assert events.count("passphrase-changed") == 1
        assert ledger.scan(place).head.seq == len(events)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        killed["old" if with_old else "new"] += 1
    assert killed["old"] > 10
    assert killed["new"] > 5


def test_change_passphrase_that_was_cut_off_is_finished_and_said(
    ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store, "finish", lambda place, found: found)
        change(ca)
    assert os.path.isdir(ca / "passphrase.change")
    assert opens(ca, NEW) == ALL
    outcome = change(ca)
    assert (outcome.changed, outcome.reasons) == ((), ("passphrase-change-finished",))
    assert opens(ca, NEW) == ALL
