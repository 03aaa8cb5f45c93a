# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wrong passphrase in the middle of a rotation, and authorities that have different ones: one message, nothing changed."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys
from support.ca import operations
from support.ca.ca_directory import PASSPHRASE, ROUNDS, tree
from support.ca.operations import BY_NAME, NEW_PASSPHRASE, PASSPHRASE_TEXT

STATES = ["accepted", "issuing", "retired"]


def rotate(place: pathlib.Path, state: str, **options: t.Any) -> dict[str, t.Any]:
    return operations.run(BY_NAME["rotate-issue"], place, state=state, **options)


def encrypt_anew(place: pathlib.Path, identifier: str) -> None:
    """Give one key another passphrase than the others have, as a restored file from another time does."""
    path = operations.ca_of(place) / "authorities" / identifier / "key.pem"
    key = keys.load_private_key(path.read_bytes(), PASSPHRASE, what="the key")
    path.write_bytes(keys.encrypt_private_key(key, NEW_PASSPHRASE.encode(), ROUNDS))


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("state", STATES)
def test_wrong_passphrase_between_phases_changes_nothing_and_the_right_one_goes_on(
    place: pathlib.Path, state: str, check: bool
) -> None:
    operations.change(place, *STATES[: STATES.index(state)])
    before = tree(place)
    refused = rotate(place, state, passphrase="a wrong passphrase, really", check=check)
    assert (refused["failed"], refused["code"]) == (True, "passphrase-wrong"), refused
    signing = "server-g2" if state == "retired" else "server-g1"
    assert f"the key of the authority {signing}" in refused["msg"]
    assert tree(place) == before
    for each in STATES[STATES.index(state) :]:
        done = rotate(place, each)
        assert (done["failed"], done["changed"]) == (False, True)
    assert operations.check_sound(place) == PASSPHRASE_TEXT


def test_next_generation_with_another_passphrase_does_not_begin_to_sign(place: pathlib.Path) -> None:
    operations.change(place, "accepted")
    encrypt_anew(place, "server-g2")
    before = tree(place)
    refused = rotate(place, "issuing")
    assert (refused["failed"], refused["code"]) == (True, "passphrase-wrong")
    assert "the key of the authority server-g2" in refused["msg"]
    assert tree(place) == before
    mended = operations.run(BY_NAME["passphrase"], place, passphrase=NEW_PASSPHRASE, new_passphrase=PASSPHRASE_TEXT)
    assert (mended["failed"], mended["authorities"]) == (False, ["server-g2"]), mended
    assert rotate(place, "issuing")["reasons"] == ["generation-issuing"]


def test_other_authority_with_another_passphrase_is_named_where_it_is_needed(place: pathlib.Path) -> None:
    """The server authority can be rotated; the client authority that has another passphrase refuses by its name."""
    encrypt_anew(place, "clients-g1")
    for state in STATES:
        assert rotate(place, state)["changed"]
    before = tree(place)
    for refused in (rotate(place, "accepted", name="clients"), operations.run(BY_NAME["sign"], place)):
        assert (refused["failed"], refused["code"]) == (True, "passphrase-wrong")
        assert "the key of the authority clients-g1" in refused["msg"]
    assert tree(place) == before
    assert rotate(place, "accepted", name="clients", passphrase=NEW_PASSPHRASE)["changed"]
