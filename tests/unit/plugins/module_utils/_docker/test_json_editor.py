# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The strict JSON reader: what it takes is what json takes, what it refuses it refuses at the right place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.daemon_json import (
    MAXIMUM_CHARACTERS,
    JsonProblem,
    line_and_column,
    parse_object,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)

BROKEN = {
    "trailing comma": ('{"a": 1,}', 1, 9, "a name in double quotes"),
    "trailing comma in a list": ('{"a": [1,]}', 1, 10, "a value was expected"),
    "missing comma": ('{\n  "a": 1\n  "b": 2\n}', 3, 3, "',' or '}' was expected"),
    "missing colon": ('{"a" 1}', 1, 6, "':' was expected after the name 'a'"),
    "unquoted name": ("{a: 1}", 1, 2, "a name in double quotes"),
    "single quotes": ("{'a': 1}", 1, 2, "a name in double quotes"),
    "cut off": ('{"a": {"b": 1}', 1, 15, "found the end of the file"),
    "cut off in a string": ('{"a": "b', 1, 7, "no closing quote"),
    "line break in a string": ('{"a": "b\n"}', 1, 9, "control character"),
    "unknown escape": ('{"a": "\\x41"}', 1, 8, "unknown escape"),
    "short unicode escape": ('{"a": "\\u12"}', 1, 8, "unknown escape"),
    "escaped quote and cut off": ('{"a": "b\\"', 1, 7, "no closing quote"),
    "NaN": ('{"a": NaN}', 1, 7, "found 'NaN'"),
    "Infinity": ('{"a": Infinity}', 1, 7, "found 'Infinity'"),
    "minus infinity": ('{"a": -Infinity}', 1, 7, "found '-'"),
    "python constant": ('{"a": True}', 1, 7, "found 'True'"),
    "leading zero": ('{"a": 01}', 1, 8, "',' or '}' was expected"),
    "leading plus": ('{"a": +1}', 1, 7, "found '+'"),
    "comment": ('{\n  // no\n  "a": 1}', 2, 3, "a name in double quotes"),
    "two objects": ('{"a": 1}\n{"b": 2}', 2, 1, "after the end of the object"),
    "a list": ("[1, 2]", 1, 1, "not an object"),
    "a string": ('  "x"', 1, 3, "not an object"),
    "a number": ("12", 1, 1, "not an object"),
    "garbage": ("hosts: []", 1, 1, "found 'hosts'"),
    "nothing": ("", 1, 1, "found the end of the file"),
    "duplicate": ('{"a": 1,\n "b": 2,\n "a": 3}', 3, 2, "'a' stands there a second time"),
    "duplicate, other spelling": ('{"a": 1, "\\u0061": 3}', 1, 10, "'a' stands there a second time"),
    "duplicate below": ('{"log-opts": {"x": "1", "x": "2"}}', 1, 25, "'x' stands there a second time"),
    "duplicate in a list": ('{"l": [{"x": 1, "x": 2}]}', 1, 17, "'x' stands there a second time"),
    "too many digits": ('{"a": ' + "1" * 5000 + "}", 1, 7, "too many digits"),
    "too deep": ('{"a": ' + "[" * 200 + "]" * 200 + "}", 1, 107, "deeper than 100"),
    "huge": ("{" + " " * MAXIMUM_CHARACTERS + "}", 1, MAXIMUM_CHARACTERS + 1, "larger than"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_parse_object_broken_text_says_line_and_column(name: str) -> None:
    text, line, column, message = BROKEN[name]
    with pytest.raises(JsonProblem) as caught:
        parse_object(text)
    assert message in caught.value.message
    assert line_and_column(text, caught.value.offset) == (line, column)


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON_VALUES, max_size=5), st.sampled_from([None, 2, "\t"]), st.booleans())
def test_parse_object_any_json_object_gives_what_json_gives(value: dict, indent: object, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document = parse_object(text)
    assert {member.key: member.value for member in document.members} == json.loads(text)
    for member in document.members:
        assert json.loads(text[member.value_start : member.end]) == json.loads(json.dumps(value[member.key]))
        assert text[member.start : member.end].startswith('"')


@settings(deadline=None)
@given(st.text(alphabet='{}[]":,01ae\\n \n-.tru', max_size=30))
def test_parse_object_random_text_agrees_with_json_or_is_stricter(text: str) -> None:
    try:
        document = parse_object(text)
    except JsonProblem as problem:
        assert 0 <= problem.offset <= len(text)
        return
    assert {member.key: member.value for member in document.members} == json.loads(text)


def test_line_and_column_counts_from_one() -> None:
    assert line_and_column("ab\ncd", 0) == (1, 1)
    assert line_and_column("ab\ncd", 3) == (2, 1)
    assert line_and_column("ab\ncd", 5) == (2, 3)
