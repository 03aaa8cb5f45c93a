# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of faults of the CA in docs/operations.md, the tests of its rows in faults.yml, and the faults that have to be tested say the same."""

from __future__ import annotations

import ast
import functools
import pathlib
import re

import pytest
import yaml

from support.ca import operations

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/operations.md").read_text()
TESTS: dict[str, list[str]] = yaml.safe_load((ROOT / "tests/unit/contracts/faults.yml").read_text())[
    "docs/operations.md"
]
SOURCES = [
    *sorted((ROOT / "tests/unit").rglob("test_*.py")),
    *sorted((ROOT / "tests/integration").rglob("test_*.py")),
    *sorted((ROOT / "molecule").glob("*/tests/test_*.py")),
]
# Every fault that must be shown, by words of its row, and the tests that show it.
DEMANDED = {
    "still admitted by a host": ["test_problem_is_named", "test_clean_host_is_left_clean"],
    "the last admitted group of a host": ["test_problem_is_named", "test_clean_host_is_left_clean"],
    "begun twice": [
        "test_state_that_is_begun_a_second_time_is_resumed",
        "test_two_rotations_at_once_make_one_generation",
    ],
    "server and client authority": ["test_server_and_client_authority_are_rotated_at_once"],
    "last line is torn": ["test_torn_line_is_repaired_and_reported"],
    "line of the ledger was changed": ["test_tampered_line_is_named_and_nothing_is_changed"],
    "before the ledger's last line": [
        "test_clock_before_the_ledgers_end_is_refused_and_nothing_is_changed",
        "test_rotation_that_was_begun_stays_as_it_is_while_the_clock_is_behind",
    ],
    "before the authority begins": ["test_clock_before_the_authoritys_begin_is_refused"],
    "a host's clock": ["test_check_certificates_finds_what_dockerd_would_not_say"],
    "two operators at once": ["test_two_at_once_follow_one_another", "test_second_operator_is_told_who_is_at_work"],
    "kill -9": ["test_killed_at_every_step_is_completed_by_the_next_run"],
    "disk is full": ["test_full_disk_is_named_and_nothing_is_lost"],
    "wrong passphrase in the middle": [
        "test_wrong_passphrase_between_phases_changes_nothing_and_the_right_one_goes_on",
        "test_wrong_passphrase_in_the_middle_changes_nothing_and_the_right_one_goes_on",
    ],
    "another passphrase": ["test_other_authority_with_another_passphrase_is_named_where_it_is_needed"],
    "an authority has expired": ["test_expired_authorities_are_replaced"],
}


@functools.cache
def defined() -> set[str]:
    return {name for path in SOURCES for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}


def test_rows_of_the_table_are_those_with_tests() -> None:
    (table,) = re.findall(r"^\| fault \| what happens \|\n\|---\|---\|\n((?:\| .*\n)+)", PAGE, re.MULTILINE)
    assert [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()] == list(TESTS)


@pytest.mark.parametrize("fault", TESTS)
def test_row_of_the_table_has_tests_that_exist(fault: str) -> None:
    assert TESTS[fault]
    assert set(TESTS[fault]) <= defined()


@pytest.mark.parametrize("fault", DEMANDED)
def test_demanded_fault_of_the_ca_has_a_row_with_its_tests(fault: str) -> None:
    (row,) = [row for row in TESTS if fault in row]
    assert set(DEMANDED[fault]) <= set(TESTS[row])


def test_every_test_of_faults_of_the_ca_is_in_a_row() -> None:
    files = [path for path in SOURCES if path.name.startswith("test_faults_") and path.parent.name == "_ca"]
    assert len(files) == 6
    shown = {name for tests in TESTS.values() for name in tests}
    for path in files:
        tests = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        assert tests & shown, path.name


def test_every_module_that_changes_a_ca_directory_is_tried() -> None:
    """A new module with an option for the CA's directory that writes there has to come into the harness."""
    readers = {
        "authority_info",
        "fleet_status",
        "ledger_info",
        "temporary_client",
        "client_session",
        "host_state",
        "issued_certificates",
    }
    modules = {
        path.stem
        for path in (ROOT / "plugins/modules").glob("*.py")
        if re.search(r"from \.\.module_utils\._ca import|CA_OPTIONS", path.read_text())
    }
    assert modules - readers == {one.module.__name__.rpartition(".")[2] for one in operations.OPERATIONS}
