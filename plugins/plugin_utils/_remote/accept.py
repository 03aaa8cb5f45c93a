# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only place where the answer of a module or program on a host becomes a result of a task."""

from __future__ import annotations

import dataclasses
import typing as t

from .answer_schema import LONG, Misshapen, Shape, printable
from .answers import ANSWERS, COMMON, DIFFS, FACTS

Result = dict[str, t.Any]

#: What Ansible itself adds to the result of a module, though the text in it may be the host's.
_TEXTS_OF_ANSIBLE = ("module_stdout", "module_stderr")
_MOST_MESSAGES = 100
#: The code of an answer that is in no shape of its module's.
UNUSABLE = "answer-unusable"


def unusable(why: str) -> Result:
    """Return the failure of a host whose answer cannot be used."""
    return {
        "failed": True,
        "changed": False,
        "code": UNUSABLE,
        "msg": f"The answer of this host cannot be used: {why}.",
        "hint": "Check the host and its Python, or leave the host out with --limit.",
    }


def accept(module: str, answer: t.Any, unusable: t.Callable[[str], Result] = unusable) -> Result:
    """Return the answer of ``module`` (its name without the collection's) as a task's result.

    A success has everything that its schema requires and nothing that the schema lacks. A failure has its message, and of the
    rest what fits. An answer in another shape is the host's failure, with the message of ``unusable``. Never raises.
    """
    try:
        return _accepted(module, answer)
    except Misshapen as problem:
        return unusable(str(problem))
    except (RecursionError, ValueError, TypeError, AttributeError) as problem:  # objects that only resemble plain data
        return unusable(f"it is not plain data ({type(problem).__name__})")


def _accepted(module: str, answer: t.Any) -> Result:
    if not isinstance(answer, t.Mapping):
        raise Misshapen("", "a dictionary", answer)
    kept = _of_ansible(answer)
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


def _of_ansible(answer: t.Mapping[str, t.Any]) -> Result:
    """Return what Ansible itself has put beside an answer, as far as Ansible can print it."""
    found: Result = {
        name: value for name, value in answer.items() if isinstance(name, str) and name.startswith("_ansible_")
    }
    for name in _TEXTS_OF_ANSIBLE:
        if isinstance(answer.get(name), str):
            found[name] = printable(answer[name])[-LONG:]
    if isinstance(answer.get("rc"), int):
        found["rc"] = answer["rc"]
    if isinstance(answer.get("invocation"), t.Mapping):
        found["invocation"] = printable(answer["invocation"])
    if _is_message(answer.get("exception")):
        found["exception"] = printable(answer["exception"])
    deprecations = answer.get("deprecations")
    if isinstance(deprecations, (list, tuple)):
        found["deprecations"] = [printable(each) for each in deprecations[:_MOST_MESSAGES] if _is_deprecation(each)]
    warnings = answer.get("warnings") or []
    if not isinstance(warnings, (list, tuple)) or not all(map(_is_message, warnings)):
        raise Misshapen("warnings", "a list of texts", warnings)
    return {**found, "warnings": [printable(each) for each in warnings]} if "warnings" in answer else found


def _is_message(value: t.Any) -> bool:
    """Return whether Ansible prints it: a text, or what newer ansible-cores make of one themselves."""
    return (isinstance(value, str) and len(value) <= LONG) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    )


def _is_deprecation(value: t.Any) -> bool:
    """Return whether Ansible prints it: ansible-core 2.18 has dictionaries, newer ones objects."""
    if isinstance(value, t.Mapping):
        return set(value) <= {"msg", "version", "date", "collection_name"} and all(
            isinstance(each, (str, type(None))) for each in value.values()
        )
    return not isinstance(value, str) and _is_message(value)


def accept_program(module: str, answer: t.Any, unusable: t.Callable[[str], Result] = unusable) -> Result:
    """Return the answer of a program of ours in place of ``module``: nothing in it is Ansible's own."""
    if not isinstance(answer, t.Mapping):
        return accept(module, answer, unusable)
    schema = ANSWERS[module]
    known = {*schema.required, *schema.optional, *COMMON, "failed", "warnings", "diff"}
    return accept(module, {name: value for name, value in answer.items() if name in known}, unusable)
