# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/faults.md, the tests of its rows in faults.yml, tests/faults and the list of faults that have to be tested say the same."""

from __future__ import annotations

import ast
import functools
import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/faults.md").read_text()
TESTS: dict[str, list[str]] = yaml.safe_load((ROOT / "tests/unit/contracts/faults.yml").read_text())["docs/faults.md"]
NAMED = [
    (name, parameter.rstrip("]"))
    for tests in TESTS.values()
    for name, unused, parameter in (one.partition("[") for one in tests)
]
SOURCES = {path.name: path.read_text() for path in sorted((ROOT / "tests/faults").glob("test_*.py"))}
# Every fault that must be injected, and the tests that do it.
DEMANDED = {
    "wrong key for the certificate": ["test_wrong_key_for_the_certificate_is_refused"],
    "foreign authority": ["test_certificate_of_a_foreign_authority_is_refused"],
    "expired": ["test_expired_certificate_is_refused"],
    "port taken": [
        "test_port_taken_by_another_process_is_refused",
        "test_port_taken_at_the_last_moment_is_rolled_back",
    ],
    "address missing": ["test_missing_listen_address_is_refused", "test_listen_address_that_goes_away_is_rolled_back"],
    "disk full while staging": ["test_disk_full_while_staging_changes_nothing"],
    "read-only /etc": ["test_read_only_etc_is_refused"],
    "daemon.json changed in between": ["test_daemon_json_changed_by_someone_in_between_is_theirs"],
    "second run": ["test_second_run_at_the_same_time_is_told_so"],
    "dockerd dies or hangs": ["test_bad_dockerd_is_rolled_back"],
    "4th restart within a minute": ["test_more_than_three_restarts_within_a_minute_work"],
    "module killed with -9 at each step": ["test_killed_run_is_rolled_back_by_itself_and_by_the_next_run"],
    "host rebooted in the middle": ["test_power_failure_leaves_a_docker_that_works"],
    "DOCKER_OPTS=-H": ["test_listener_in_the_environment_file_is_taken_over"],
    "masked docker.socket": ["test_masked_docker_socket_is_refused"],
}


def rows(page: str) -> list[str]:
    """Return the first column of a page's tables of faults."""
    table = re.findall(r"^\| fault \| what happens \|\n\|---\|---\|\n((?:\| .*\n)+)", page, re.MULTILINE)
    return [line.split(" | ")[0].removeprefix("| ") for part in table for line in part.splitlines()]


@functools.cache
def defined() -> frozenset[str]:
    return frozenset(
        node.name
        for text in SOURCES.values()
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_rows_of_the_table_are_those_with_tests() -> None:
    assert rows(PAGE) == list(TESTS)
    assert all(TESTS.values())


def test_pages_for_users_name_no_tests() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md"]
    assert [page.name for page in pages if re.search(r"`test_\w+", page.read_text())] == []


@pytest.mark.parametrize(("name", "parameter"), NAMED, ids=[name + parameter for name, parameter in NAMED])
def test_row_of_the_table_has_a_test_that_exists(name: str, parameter: str) -> None:
    assert name in defined()
    assert not parameter or any(f'id="{parameter}"' in text for text in SOURCES.values())


@pytest.mark.parametrize("fault", DEMANDED)
def test_demanded_fault_has_its_tests_and_its_row(fault: str) -> None:
    assert set(DEMANDED[fault]) <= defined()
    assert set(DEMANDED[fault]) <= {name for name, _parameter in NAMED}


def test_every_test_of_a_fault_has_a_row() -> None:
    of_faults = {
        node.name
        for node in ast.parse(SOURCES["test_faults.py"]).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert of_faults == of_faults & {name for name, _parameter in NAMED}


def test_number_of_steps_at_which_a_run_is_killed_is_the_one_in_the_table() -> None:
    words = {"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13}
    (steps,) = re.findall(r"killed with -9, at (\w+) steps", PAGE)
    (listed,) = re.findall(r"^KILLED_AT = (\(.*?\))", SOURCES["test_faults.py"], re.MULTILINE | re.DOTALL)
    assert words[steps] == len(ast.literal_eval(listed))
