# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module authority_generation: options in, one result out, and the passphrase only where a key is made."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca.call_context import CallContext
from ansible_collections.portcullis.docker_tls.plugins.modules import authority_generation, authority_info
from support.ansible.modules import run_module
from support.ca.ca_directory import PASSPHRASE_TEXT, ROUNDS, ensure, spec, tree


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    real = CallContext
    monkeypatch.setattr(f"{CallContext.__module__}.CallContext", lambda **given: real(**{"rounds": ROUNDS, **given}))


@pytest.fixture(name="ca")
def made_ca(tmp_path: pathlib.Path) -> pathlib.Path:
    made = [spec("server", organization="Olympus", key_type="ecdsa-p384"), spec("clients")]
    ensure(tmp_path / "ca", wanted=made)
    return tmp_path / "ca"


def run(path: pathlib.Path, state: str, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    arguments = {"path": str(path), "name": "server", "state": state, **options}
    return run_module(authority_generation, arguments, check=check, diff=True)


def accept(path: pathlib.Path, **options: t.Any) -> dict[str, t.Any]:
    return run(path, "accepted", passphrase=PASSPHRASE_TEXT, **options)


def test_accepted_is_like_the_one_that_signs_unless_told_otherwise(ca: pathlib.Path) -> None:
    result = accept(ca)
    assert (result["changed"], result["reasons"]) == (True, ["generation-accepted"])
    server = result["authorities"]["server"]
    assert [(one["id"], one["stage"]) for one in server["generations"]] == [
        ("server-g1", "issuing"),
        ("server-g2", "accepted"),
    ]
    assert "server-g2" not in result["diff"]["before"]
    assert "accepted, CN=Docker CA,OU=server-g2,O=Olympus, ecdsa-p384" in result["diff"]["after"]["server-g2"]
    assert result["ansible_facts"]["docker_ca_authorities"] == result["authorities"]


def test_three_states_one_after_the_other_need_the_passphrase_once(ca: pathlib.Path) -> None:
    accept(ca, key_type="ecdsa-p256", common_name="New CA", organization="")
    assert run(ca, "issuing")["reasons"] == ["generation-issuing"]
    last = run(ca, "retired")
    assert last["reasons"] == ["generation-retired"]
    assert "server-g1" in last["diff"]["before"] and "server-g1" not in last["diff"]["after"]
    assert last["authorities"]["server"]["certificate"]["subject"] == "CN=New CA,OU=server-g2"
    assert not run(ca, "retired")["changed"]
    assert run_module(authority_info, {"path": str(ca)})["authorities"] == last["authorities"]


@pytest.mark.parametrize("state", ["accepted", "issuing", "retired"])
def test_check_mode_foretells_and_changes_nothing(ca: pathlib.Path, state: str) -> None:
    for each in ("accepted", "issuing", "retired"):
        if each == state:
            break
        run(ca, each, passphrase=PASSPHRASE_TEXT)
    before = tree(ca)
    foretold = run(ca, state, check=True, passphrase=PASSPHRASE_TEXT)
    assert tree(ca) == before
    done = run(ca, state, passphrase=PASSPHRASE_TEXT)
    assert (foretold["changed"], foretold["reasons"]) == (done["changed"], done["reasons"])
    assert set(foretold["diff"]["after"]) == set(done["diff"]["after"])


BAD: dict[str, tuple[dict[str, t.Any], str]] = {
    "passphrase-missing": ({}, "passphrase-missing"),
    "passphrase-wrong": ({"passphrase": "another good passphrase"}, "passphrase-wrong"),
    "authority-unknown": ({"name": "nobody", "passphrase": PASSPHRASE_TEXT}, "authority-unknown"),
    "validity": ({"validity": "forever", "passphrase": PASSPHRASE_TEXT}, "duration-invalid"),
    "common-name": ({"common_name": "x" * 65, "passphrase": PASSPHRASE_TEXT}, "common-name-invalid"),
}


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize(("options", "code"), BAD.values(), ids=BAD)
def test_bad_input_fails_with_one_message_and_changes_nothing(
    ca: pathlib.Path, options: dict[str, t.Any], code: str, check: bool
) -> None:
    before = tree(ca)
    result = run(ca, "accepted", check=check, **options)
    assert (result["failed"], result["code"]) == (True, code)
    assert PASSPHRASE_TEXT not in json.dumps({**result, "invocation": None})
    assert tree(ca) == before


def test_without_a_ca_says_so(tmp_path: pathlib.Path) -> None:
    assert accept(tmp_path / "ca")["code"] == "authority-missing"
