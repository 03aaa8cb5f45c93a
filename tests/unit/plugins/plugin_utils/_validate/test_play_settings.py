# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that playbooks read themselves: a value that is neither true nor false is refused, not taken for false."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate import surroundings
from support.contracts.documentation import ROOT


@pytest.mark.parametrize("value", [True, False, "true", "False", "yes", "no", "on", "off", "1", "0", 1, 0, "Y", "n"])
def test_what_ansible_takes_for_a_boolean_is_accepted(value: t.Any) -> None:
    assert surroundings.play_problems(dict.fromkeys(surroundings.BOOLEANS, value)) == []


@pytest.mark.parametrize("value", ["maybe", "", None, "ture", 2, [], {}, "false;", "{{ x }}"])
@pytest.mark.parametrize("name", surroundings.BOOLEANS)
def test_other_values_are_refused_by_the_name_of_the_variable(name: str, value: t.Any) -> None:
    (problem,) = surroundings.play_problems({name: value})
    assert problem.startswith(f"{name} is {'empty' if value in (None, '') else repr(value)}, ")
    assert "Write true or false." in problem


NUMBERS: dict[t.Any, bool] = {
    5: True,
    "64": True,
    0: False,
    -1: False,
    "5s": False,
    "": False,
    "1.5": False,
    "٣": False,
}


@pytest.mark.parametrize(("value", "accepted"), NUMBERS.items(), ids=map(repr, NUMBERS))
@pytest.mark.parametrize("name", surroundings.NUMBERS)
def test_numbers_are_whole_and_positive(name: str, value: t.Any, accepted: bool) -> None:
    assert (surroundings.play_problems({name: value}) == []) == accepted
    assert surroundings.play_problems({name: True})


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("trust", True),
        ("reissue", True),
        ("retire", True),
        ("", True),
        (None, True),
        ("Trust", False),
        ("issue", False),
        (1, False),
        (True, False),
    ],
)
def test_phase_to_stop_after_is_one_of_the_three(value: t.Any, accepted: bool) -> None:
    found = surroundings.play_problems({"docker_rotate_ca_stop_after": value})
    expected = f"docker_rotate_ca_stop_after is {value!r}. Write one of trust, reissue, retire, or leave it out."
    assert found == ([] if accepted else [expected])


def test_every_variable_that_a_playbook_converts_to_a_boolean_is_checked() -> None:
    pattern = re.compile(r"\b(docker_\w+)(?: \| default\([^()]*\))? \| bool\b")
    found = {
        name
        for folder in ("playbooks", "roles")
        for path in (ROOT / folder).rglob("*.yml")
        for name in pattern.findall(path.read_text())
    }
    assert found == set(surroundings.BOOLEANS)


HOMES = {"unset": ({}, True), "usual": ({"HOME": "/home/ops"}, True), "root": ({"HOME": "/"}, True)}
HOMES.update({repr(home): ({"HOME": home}, False) for home in ("", " ", ".", "ops", "~", "~ops")})


@pytest.mark.parametrize(("environment", "accepted"), HOMES.values(), ids=HOMES)
def test_home_that_is_no_absolute_path_is_refused(environment: dict[str, str], accepted: bool) -> None:
    """The CA would be in another place for each directory that Ansible is run from."""
    found = surroundings.home_problems(environment)
    assert bool(found) != accepted
    assert all("HOME is" in problem and "or unset it." in problem for problem in found)
