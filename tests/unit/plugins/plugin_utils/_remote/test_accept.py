# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of hosts, however crafted: a result in the shape of its module, or that host's one clear failure."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import answer_schema as schema
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.answers import (
    ANSWERS,
    COMMON,
    FACTS,
    accept,
)
from support.hosts.answers import sample

MODULES = sorted(ANSWERS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\x1b[2J\u202e"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ANSIBLES = {"warnings", "deprecations", "exception", "invocation", "rc", "module_stdout", "module_stderr"}


def answer(module: str) -> dict[str, t.Any]:
    facts = {name: sample(shape) for name, shape in FACTS.get(module, {}).items()}
    return {
        **sample(ANSWERS[module]),
        **{name: sample(shape) for name, shape in COMMON.items()},
        "diff": [{"before": "a", "after": "b"}],
        **({"ansible_facts": facts} if facts else {}),
    }


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """Yield the path of every part of an answer."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


def changed(value: t.Any, path: tuple[t.Any, ...], new: t.Any, *, remove: bool = False) -> t.Any:
    """Return a copy in which the part at ``path`` is another one, or missing."""
    if not path:
        return new
    result = copy.deepcopy(value)
    holder = result
    for key in path[:-1]:
        holder = holder[key]
    if remove:
        del holder[path[-1]]
    else:
        holder[path[-1]] = new
    return result


def check(module: str, found: dict[str, t.Any]) -> None:
    """Fail where a result is neither in the shape of its module nor a failure with its reason."""
    assert isinstance(found["changed"], bool)
    known = {
        *ANSWERS[module].required,
        *ANSWERS[module].optional,
        *COMMON,
        "failed",
        "diff",
        "ansible_facts",
        *ANSIBLES,
    }
    assert set(found) <= known
    assert set(found.get("ansible_facts", {})) <= set(FACTS.get(module, {}))
    if found.get("failed"):
        assert found["failed"] is True
        assert isinstance(found["msg"], str) and found["msg"]
    else:
        assert accept(module, found) == found
        assert set(ANSWERS[module].required) <= set(found)
    assert "\x1b" not in repr(found) and "\u202e" not in repr(found)


@pytest.mark.parametrize("module", MODULES)
def test_answer_in_its_shape_is_taken_as_it_is(module: str) -> None:
    assert accept(module, answer(module)) == answer(module)


@pytest.mark.parametrize("module", MODULES)
@settings(max_examples=30)
@given(data=st.data())
def test_any_part_may_be_anything(module: str, data: st.DataObject) -> None:
    good = answer(module)
    path = data.draw(st.sampled_from(list(places(good))))
    remove = bool(path) and data.draw(st.booleans())
    check(module, accept(module, changed(good, path, data.draw(JSON), remove=remove)))


@pytest.mark.parametrize("module", MODULES)
@settings(max_examples=30)
@given(whole=JSON, more=st.dictionaries(st.sampled_from(["failed", "msg", "code", "hint", "ansible_facts"]), JSON))
def test_the_whole_may_be_anything(module: str, whole: t.Any, more: dict[str, t.Any]) -> None:
    check(module, accept(module, whole))
    check(module, accept(module, {**answer(module), **more}))


@pytest.mark.parametrize(
    "more",
    [
        {
            "ansible_facts": {
                "docker_ca_path": "/evil",
                "ansible_become": True,
                "discovered_interpreter_python": "/evil",
            }
        },
        {"add_host": {"host_name": "evil"}},
        {"add_group": {"group": "docker_ca"}},
        {"include": "/etc/passwd"},
        {"include_variables": {"docker_ca_passphrase": "x"}},
        {"ansible_stats": {"data": {"a": 1}}},
        {"skipped": True},
        {"unreachable": True},
        {"results": [{"failed": True}]},
        {"stdout": "x", "anything": "else"},
    ],
    ids=lambda more: next(iter(more)),
)
@pytest.mark.parametrize("failed", [False, True])
def test_what_reaches_beyond_the_host_is_dropped(more: dict[str, t.Any], failed: bool) -> None:
    base = {"failed": True, "msg": "no"} if failed else answer("certificate_requests")
    found = accept("certificate_requests", {**base, **more})
    assert found == {**base, "changed": base.get("changed", False)}


@pytest.mark.parametrize(
    ("module", "part", "value", "expected"),
    [
        ("authority_info", "authorities", "x", "authorities is another text and not a dictionary"),
        ("authority_info", "authorities", {"server": {"certificate": "x"}}, "authorities.server.id is missing and not there"),
        ("certificate_requests", "requests", [{"certificate": 5}], "requests[0].id is missing and not there"),
        ("host_state", "current", "yes", "current is another text and not true or false"),
        ("certificate_files_info", "files", [{}] * 10_001, "files is a list of 10001 entries and not at most 10000 entries"),
        ("plain_relay", "listen", ["x" * 5_000], "listen[0] is another text and not at most 4000 characters"),
        ("plain_relay", "listen", [10**5_000], "listen[0] is a number and not a text"),
        ("authority_key_info", "keys", [{"fingerprint_sha256": "x"}], "keys[0].fingerprint_sha256 is another text and not a SHA-256"),
    ],
)  # fmt: skip
def test_failure_names_the_part_and_never_shows_it(module: str, part: str, value: t.Any, expected: str) -> None:
    found = accept(module, {**answer(module), part: value})
    assert found["code"] == "answer-unusable"
    assert expected in found["msg"]
    assert found["hint"]


def test_failure_without_a_message_has_one() -> None:
    assert accept("plain_relay", {"failed": "yes", "msg": [1]})["msg"]


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 10**5_000, -(10**20), True, "1"], ids=lambda value: str(type(value))
)
def test_number_that_is_none_is_refused(value: t.Any) -> None:
    with pytest.raises(schema.Misshapen):
        schema.Number().clean(value, "n")


def test_data_has_a_depth() -> None:
    deep: t.Any = "x"
    for _level in range(10_000):
        deep = [deep]
    assert accept("adoption_info", {"adoption": deep})["code"] == "answer-unusable"


def test_event_of_the_ledger_may_lack_a_field_that_was_asked_for() -> None:
    """The creation of an authority has no profile: a rotation asks for it in every event."""
    event = {"authority": "server-g1", "profile": None, "request": None, "reasons": None, "superseded": False}
    found = ANSWERS["ledger_info"].clean({**sample(ANSWERS["ledger_info"]), "entries": [event]}, "")
    assert found["entries"] == [event]
