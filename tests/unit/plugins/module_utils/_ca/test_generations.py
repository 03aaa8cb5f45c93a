# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generations accepted, issuing, retired: which one signs, which ones are trusted, and what a killed run leaves."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout, ledger, stages, store
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ca.ca_directory import PASSPHRASE, call_context, client_request, ensure, request, sign, spec, tree
from support.ca.certificates import NOW


@pytest.fixture(name="ca")
def made_ca(tmp_path: pathlib.Path) -> pathlib.Path:
    ensure(tmp_path / "ca")
    return tmp_path / "ca"


def change(
    path: pathlib.Path, state: str, name: str = "clients", *, predict: bool = False, **changes: t.Any
) -> stages.Outcome:
    passphrase = changes.pop("passphrase", PASSPHRASE)
    wanted = changes.pop("wanted", spec(name))
    return stages.change(
        layout.ca_directory(str(path)), wanted, state, passphrase, call_context(**changes), predict=predict
    )


def rotate(path: pathlib.Path, name: str = "clients") -> None:
    for state in stages.STATES:
        change(path, state, name)


def known(path: pathlib.Path) -> dict[str, dict[str, t.Any]]:
    return store.describe(store.read_authorities(layout.ca_directory(str(path))), NOW)


def stages_of(path: pathlib.Path, name: str = "clients") -> dict[str, str]:
    return {one["id"]: one["stage"] for one in known(path)[name]["generations"]}


def issuer_of(path: pathlib.Path, **options: t.Any) -> str:
    signed = sign(path, client_request(**options)).signed["alice"]
    return signed.approved.authority.id if signed.approved.authority else ""


def events(path: pathlib.Path) -> list[tuple[str, str]]:
    return [
        (entry["event"], entry["authority"])
        for entry in ledger.entries(layout.ca_directory(str(path)))
        if entry["event"].startswith("authority-")
    ]


def test_introduced_generation_is_trusted_and_does_not_sign(ca: pathlib.Path) -> None:
    outcome = change(ca, "accepted")
    assert outcome.reasons == ("generation-accepted",)
    assert stages_of(ca) == {"clients-g1": "issuing", "clients-g2": "accepted"}
    described = known(ca)["clients"]
    assert described["id"] == "clients-g1"
    assert described["trusted_content"].count("BEGIN CERTIFICATE") == 2
    assert issuer_of(ca) == "clients-g1"
    assert stages_of(ca, "server") == {"server-g1": "issuing"}


def test_signing_generation_signs_and_the_old_one_stays_trusted(ca: pathlib.Path) -> None:
    change(ca, "accepted")
    assert change(ca, "issuing").reasons == ("generation-issuing",)
    assert stages_of(ca) == {"clients-g1": "retiring", "clients-g2": "issuing"}
    assert known(ca)["clients"]["trusted_content"].count("BEGIN CERTIFICATE") == 2
    assert issuer_of(ca) == "clients-g2"


def test_retired_generation_is_not_trusted_and_its_key_is_gone(ca: pathlib.Path) -> None:
    rotate(ca)
    assert stages_of(ca) == {"clients-g2": "issuing"}
    assert known(ca)["clients"]["trusted_content"].count("BEGIN CERTIFICATE") == 1
    assert [one.name for one in (ca / "retired/clients-g1").iterdir()] == ["certificate.pem"]
    assert events(ca)[2:] == [
        ("authority-created", "clients-g2"),
        ("authority-issuing", "clients-g2"),
        ("authority-retired", "clients-g1"),
    ]
    ensure(ca)
    assert issuer_of(ca) == "clients-g2"


@pytest.mark.parametrize("state", stages.STATES)
def test_state_that_is_reached_changes_nothing(ca: pathlib.Path, state: str) -> None:
    for each in stages.STATES[: stages.STATES.index(state) + 1]:
        change(ca, each)
    before = tree(ca)
    assert change(ca, state).reasons == ()
    assert tree(ca) == before


@pytest.mark.parametrize("state", ["issuing", "retired"])
def test_state_without_a_second_generation_changes_nothing(ca: pathlib.Path, state: str) -> None:
    before = tree(ca)
    assert change(ca, state, passphrase=None).reasons == ()
    assert tree(ca) == before


def test_retirement_leaves_the_generation_that_waits(ca: pathlib.Path) -> None:
    change(ca, "accepted")
    change(ca, "issuing")
    change(ca, "accepted")
    change(ca, "retired")
    assert stages_of(ca) == {"clients-g2": "issuing", "clients-g3": "accepted"}


def test_number_of_a_generation_is_never_used_again(ca: pathlib.Path) -> None:
    rotate(ca)
    rotate(ca)
    assert stages_of(ca) == {"clients-g3": "issuing"}
    (ca / "retired/clients-g2/certificate.pem").unlink()
    (ca / "retired/clients-g2").rmdir()
    change(ca, "accepted")
    assert "clients-g4" in stages_of(ca)


def test_new_generation_is_made_as_wanted(ca: pathlib.Path) -> None:
    change(ca, "accepted", "server", wanted=spec("server", key_type="rsa-2048", common_name="New CA"))
    change(ca, "issuing", "server", passphrase=None)
    described = known(ca)["server"]["certificate"]
    assert (described["key_type"], described["common_name"]) == ("rsa-2048", "New CA")
    assert described["subject"] == "CN=New CA,OU=server-g2"
    assert sign(ca, request()).signed["web1"].view is not None


def test_prediction_says_the_same_and_changes_nothing(ca: pathlib.Path) -> None:
    for state in stages.STATES:
        before = tree(ca)
        foretold = change(ca, state, predict=True)
        assert tree(ca) == before
        done = change(ca, state)
        assert foretold.reasons == done.reasons
        assert [one.id for one in foretold.made] == [one.id for one in done.made]


def test_another_generation_signs_on_request(ca: pathlib.Path) -> None:
    change(ca, "accepted")
    assert issuer_of(ca, generation=2) == "clients-g2"
    change(ca, "issuing")
    assert issuer_of(ca, generation=1) == "clients-g1"
    with pytest.raises(TlsError) as caught:
        sign(ca, client_request(generation=7))
    assert caught.value.code == "authority-unknown"
    assert "clients-g1, clients-g2" in caught.value.message


BAD: dict[str, tuple[dict[str, t.Any], str]] = {
    "passphrase-wrong": ({"passphrase": b"another passphrase"}, "passphrase-wrong"),
    "passphrase-missing": ({"passphrase": None}, "passphrase-missing"),
    "authority-unknown": ({"name": "nobody"}, "authority-unknown"),
}


@pytest.mark.parametrize("predict", [False, True], ids=["run", "check"])
@pytest.mark.parametrize(("options", "code"), BAD.values(), ids=BAD)
def test_bad_input_changes_nothing(ca: pathlib.Path, options: dict[str, t.Any], code: str, predict: bool) -> None:
    before = tree(ca)
    with pytest.raises(TlsError) as caught:
        change(ca, "accepted", predict=predict, **options)
    assert caught.value.code == code
    assert tree(ca) == before


def test_without_a_ca_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TlsError) as caught:
        change(tmp_path / "ca", "accepted")
    assert caught.value.code == "authority-missing"
    assert not (tmp_path / "ca").exists()


class Killed(BaseException):
    """What a process that is killed does not catch."""


@pytest.mark.parametrize("finisher", ["authorities", "generation"])
@pytest.mark.parametrize(
    ("state", "step"), [("issuing", "unmark"), ("retired", "move_out"), ("retired", "_destroy_key")]
)
def test_killed_after_the_ledger_is_finished_by_the_next_run(
    ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch, state: str, step: str, finisher: str
) -> None:
    for each in stages.STATES[: stages.STATES.index(state)]:
        change(ca, each)

    def die(*_arguments: t.Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(stages, step, die)
        with pytest.raises(Killed):
            change(ca, state)
    # What is signed in between is sound, and the retired one is out of the question.
    assert issuer_of(ca) == "clients-g2"
    if finisher == "authorities":
        ensure(ca)
    else:
        change(ca, state)
    wanted = {"clients-g2": "issuing"} if state == "retired" else {"clients-g1": "retiring", "clients-g2": "issuing"}
    assert stages_of(ca) == wanted
    assert events(ca)[-1][0] == f"authority-{state}"
    assert state != "retired" or not (ca / "retired/clients-g1/key.pem").exists()


def test_killed_while_introducing_is_finished_as_next(ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ledger.append

    def die_after(*arguments: t.Any) -> t.Any:
        real(*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "append", die_after)
        with pytest.raises(Killed):
            change(ca, "accepted")
    assert change(ca, "accepted").reasons == ("authority-unfinished",)
    assert stages_of(ca) == {"clients-g1": "issuing", "clients-g2": "accepted"}


def test_retired_generation_from_a_backup_leaves_again(ca: pathlib.Path) -> None:
    kept = {one.name: one.read_bytes() for one in (ca / "authorities/clients-g1").iterdir()}
    rotate(ca)
    back = ca / "authorities/clients-g1"
    back.mkdir(mode=0o700)
    for name, data in kept.items():
        _files.write_atomic(str(back / name), data, 0o600)
    ensure(ca)
    assert stages_of(ca) == {"clients-g2": "issuing"}
    assert not back.exists()


def test_generation_that_is_retired_while_the_authorities_are_read_is_none(
    ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who only reads takes no lock; another run may retire a generation at any moment."""
    for state in (stages.ACCEPTED, stages.ISSUING):
        change(ca, state)
    listed = os.listdir

    def then_retired(path: str) -> list[str]:
        names = listed(path)
        with monkeypatch.context() as unpatched:
            unpatched.setattr(os, "listdir", listed)
            change(ca, stages.RETIRED)
        return names

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", then_retired)
        stored = store.read_authorities(layout.ca_directory(str(ca)))
    assert {name: [one.id for one in found] for name, found in stored.items()} == {
        "clients": ["clients-g2"],
        "server": ["server-g1"],
    }
