# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a call of ours comes to, with and without Ansible around it."""

from __future__ import annotations

import sys
import typing as t

import cryptography
import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _outcome
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError


def test_outcome_is_what_the_function_returns() -> None:
    assert _outcome.outcome(lambda: {"changed": True}) == {"changed": True}


def test_outcome_of_an_error_is_a_failure_with_its_advice_and_code() -> None:
    def fail() -> dict[str, t.Any]:
        raise TlsError("cannot read /x", hint="Check it.", code="file-unreadable")

    assert _outcome.outcome(fail) == {
        "failed": True,
        "msg": "cannot read /x",
        "hint": "Check it.",
        "code": "file-unreadable",
    }


@pytest.mark.parametrize("needed", [True, False])
def test_outcome_without_cryptography_is_a_failure_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, needed: bool
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    found = _outcome.outcome(lambda: {"changed": False}, needs_cryptography=needed)
    assert found.get("code") == ("cryptography-missing" if needed else None)


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("3.2.1", "cryptography-too-old"),
        ("2.9", "cryptography-too-old"),
        ("3.3.2", None),
        ("38.0.4", None),
        ("50.0.2", None),
        ("51.0.0.dev1", None),
    ],
)
def test_cryptography_problem_version_is_compared(
    monkeypatch: pytest.MonkeyPatch, version: str, code: str | None
) -> None:
    monkeypatch.setattr(cryptography, "__version__", version)
    problem = _outcome.cryptography_problem()
    assert (problem and problem[1]) == code
    if problem:
        assert version in problem[0]
