# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one door for answers: what a module or a program of ours has said on a host becomes a result of a task."""

from __future__ import annotations

import typing as t

from .._printable import printable
from .answer_schema import Misshapen, Shape, Text
from .answers import ANSWERS, COMMON, DIFFS, FACTS

Result = dict[str, t.Any]

#: What Ansible itself puts into the result of a module, as objects of its own in newer releases; its text may be the host's.
_OF_ANSIBLE = frozenset(
    "warnings deprecations exception invocation rc module_stdout module_stderr stdout stdout_lines stderr stderr_lines".split()
)


def accept(module: str, answer: t.Any) -> Result:
    """Return the answer of ``module`` (its name without the collection's) as a task's result.

    A success has everything that its schema requires and nothing that the schema lacks. A failure has its message, and of the
    rest what fits. An answer in another shape is the host's failure, ``answer-unusable``. Never raises.
    """
    try:
        return _accepted(module, answer)
    except Misshapen as problem:
        return unusable(str(problem))
    except (RecursionError, ValueError, TypeError, AttributeError) as problem:  # objects that only look like plain data
        return unusable(f"it is no plain data ({type(problem).__name__})")


def _accepted(module: str, answer: t.Any) -> Result:
    if not isinstance(answer, t.Mapping):
        raise Misshapen("", "a dictionary", answer)
    kept = {name: printable(value) for name, value in answer.items() if name in _OF_ANSIBLE or _is_internal(name)}
    facts = _facts(module, answer)
    if facts:
        kept["ansible_facts"] = facts
    if answer.get("failed"):
        return {**kept, **_failure(module, answer), "failed": True}
    schema = ANSWERS[module]
    found: Result = {"failed": False} if "failed" in answer else {}
    found.update(schema.clean(answer, ""))
    for name, shape in COMMON.items():
        if name in answer:
            found[name] = shape.clean(answer[name], name)
    if answer.get("diff") is not None:
        found["diff"] = _diff(answer["diff"])
    return {"changed": False, **kept, **found}


def _failure(module: str, answer: t.Mapping[str, t.Any]) -> Result:
    """Return what fits of a failure; its message is there in any case."""
    schema = ANSWERS[module]
    found = {}
    for name, shape in {**schema.required, **schema.optional, **COMMON}.items():
        if name in answer:
            try:
                found[name] = shape.clean(answer[name], name)
            except Misshapen:
                continue
    return {"changed": False, **found, "msg": found.get("msg") or "The module failed and gave no reason"}


def _diff(value: t.Any) -> t.Any:
    """Return the diff; Ansible takes one or a list of them."""
    if isinstance(value, t.Mapping):
        return DIFFS.clean([value], "diff")[0]
    return DIFFS.clean(value, "diff")


def _facts(module: str, answer: t.Mapping[str, t.Any]) -> Result:
    """Return the facts that the module may set; Ansible would put any other above the inventory's variables."""
    given = answer.get("ansible_facts")
    shapes: t.Mapping[str, Shape] = FACTS.get(module, {})
    if not given or not shapes:
        return {}
    if not isinstance(given, t.Mapping):
        raise Misshapen("ansible_facts", "a dictionary", given)
    return {name: shape.clean(given[name], name) for name, shape in shapes.items() if name in given}


def _is_internal(name: t.Any) -> bool:
    return isinstance(name, str) and name.startswith("_ansible_")


def unusable(why: str) -> Result:
    """Return the failure of a host whose answer cannot be used."""
    return {
        "failed": True,
        "changed": False,
        "code": "answer-unusable",
        "msg": f"What this host has answered cannot be used: {why}.",
        "hint": "Check the host and its Python, or leave the host out with --limit.",
    }


def warnings_of(answer: t.Mapping[str, t.Any]) -> list[str]:
    """Return the warnings of a program of ours, which no Ansible has read. Raises Misshapen."""
    given = answer.get("warnings")
    if not isinstance(given, (list, tuple)):
        return []
    return [Text(100_000).clean(text, "warnings") for text in given]
