# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks after the whole session (support/contracts/session.py) are strict: they find each kind of disagreement."""

from __future__ import annotations

import ast
import collections
import typing as t

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _time
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.contracts import records, return_values, troubleshooting
from support.contracts.documentation import ROOT

SPECS = yaml.safe_load("""
reasons: {description: Why., returned: success, type: list, elements: str}
code: {description: A word., returned: failure, type: str}
found:
  description: Hosts by name.
  returned: success
  type: dict
  contains:
    end: {description: 'When, null where it has none.', type: str}
    count: {description: How many., type: int}
""")
RESULT = {
    "changed": True,
    "reasons": ["because"],
    "found": {"web1": {"end": None, "count": 1}, "web2": {"end": "then", "count": 0}},
}
FAILURE = {"failed": True, "msg": "no", "code": "not-so"}


def problems(*results: dict[str, t.Any]) -> list[str]:
    facts: records.Facts = collections.Counter()
    for result in results:
        facts.update(return_values.facts_of("a", result, SPECS))
    return return_values.problems("a", facts, SPECS)


def test_results_as_documented_are_no_problem() -> None:
    assert problems(RESULT, {**RESULT, "reasons": []}, FAILURE) == []


@pytest.mark.parametrize(
    ("results", "problem"),
    [
        pytest.param([FAILURE], "no test has shown a success of it", id="never-succeeded"),
        pytest.param([RESULT], "code: documented (failure) and never returned", id="never-failed"),
        pytest.param([{**RESULT, "more": 1}, FAILURE], "more: returned and not documented", id="undocumented"),
        pytest.param([RESULT, {"changed": False, "found": {}}, FAILURE], "reasons: documented for every success", id="sometimes"),
        pytest.param([{**RESULT, "reasons": []}, FAILURE], "reasons: never anything but empty", id="always-empty"),
        pytest.param([{**RESULT, "reasons": "because"}, FAILURE], "reasons: documented as list, returned as str", id="type"),
        pytest.param([{**RESULT, "reasons": [1]}, FAILURE], "reasons[]: documented as str, returned as int", id="elements"),
        pytest.param([{**RESULT, "found": {"web1": {"end": "then"}}}, FAILURE], "found.count: documented and missing", id="nested"),
        pytest.param(
            [{**RESULT, "found": {"web1": {"end": "", "count": None}}}, FAILURE],
            "found.count: documented as int, returned as null",
            id="null-where-none-is-documented",
        ),
        pytest.param(
            [{**RESULT, "found": {"web1": {"end": "then", "count": 1, "begin": "then"}}}, FAILURE],
            "found.begin: returned and not documented",
            id="nested-undocumented",
        ),
    ],
)  # fmt: skip
def test_disagreement_is_a_problem(results: list[dict[str, t.Any]], problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(*results)), problems(*results)


def test_notes_of_two_processes_are_one() -> None:
    first = records.Records(collections.Counter({("a", "", "success"): 1}), {("x", "quote"): "one"})
    second = records.Records(collections.Counter({("a", "", "success"): 2}), {})
    sent = [records.unpacked(records.packed(part)) for part in (first, second)]
    assert records.together(sent) == ({("a", "", "success"): 3}, {("x", "quote"): "one"})


def test_error_counts_where_the_collection_raises_it_and_not_where_a_test_does() -> None:
    with pytest.raises(TlsError):
        _time.parse_duration("soon", "of_this_test")
    with pytest.raises(TlsError):
        raise TlsError("made by a test alone", code="duration-invalid")
    said = [text for code, text in records._said if code == "duration-invalid"]
    assert any("of_this_test" in text for text in said) and "made by a test alone" not in said


def test_text_counts_under_its_code_only() -> None:
    (entry,) = [one for one in troubleshooting.entries() if one.code == "name-taken"]
    text = "the name web1 belongs to web2"
    assert troubleshooting.problems(entry, troubleshooting.produced({("name-taken", text): "here"})) == []
    assert troubleshooting.problems(entry, troubleshooting.produced({("other", text): "here"}))


@pytest.mark.parametrize("heading", troubleshooting.ON_HOSTS)
def test_text_that_only_a_host_says_is_in_a_test_on_hosts(heading: str) -> None:
    (entry,) = [one for one in troubleshooting.entries() if one.heading == heading]
    file, name = troubleshooting.ON_HOSTS[heading]
    text = (ROOT / file).read_text()
    (body,) = [
        ast.unparse(node) for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    assert all(quote in body for quote in entry.quotes)
