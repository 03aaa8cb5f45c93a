# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's RETURN block against what it returned: facts about each result, and the disagreements of all together.

A fact is (module, path, what was seen) with a count: the path is ``certificates.names`` for a documented place, ``[]`` behind it
for its elements; what was seen is a type, ``filled``, ``undocumented``, how often something could have been there and how often it was.
"""

from __future__ import annotations

import functools
import re
import typing as t

from support.contracts.documentation import block

#: What every module of Ansible may return (its documentation's "Common return values").
COMMON = frozenset("ansible_facts changed deprecations diff failed invocation msg warnings exception".split())
#: What every failed module returns besides; a note of the fragment _attributes documents it.
FAILURE = {name: {"description": "", "returned": "failure", "type": "str"} for name in ("code", "hint")}
#: It reports the problem of a file in its result.
NEVER_FAILS = {"certificate_files_info"}
TYPES = {bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "dict", type(None): "null"}
#: A documented type, and which others are one of it too.
WIDER = {"float": {"int"}, "path": {"str"}}

Fact = tuple[str, str, str]
Spec = dict[str, t.Any]


@functools.cache
def documented(module: str) -> Spec:
    """Return what the module's RETURN block says, and what all modules return when they fail."""
    return {**block(module, "RETURN"), **({} if module in NEVER_FAILS else FAILURE)}


def _text(spec: Spec) -> str:
    description = spec.get("description", "")
    return " ".join(description) if isinstance(description, list) else str(description)


def _is_by_name(spec: Spec) -> bool:
    """Whether the ``contains`` of a dict describes its values: those that are documented to be by name, id or access group."""
    return spec["type"] == "dict" and re.search(r"\bby (name|access group|(the|their) ids?)\b", _text(spec)) is not None


def facts_of(module: str, result: dict[str, t.Any], specs: Spec | None = None) -> t.Iterator[Fact]:
    """Yield the facts about one result."""
    specs = documented(module) if specs is None else specs
    outcome = "failure" if result.get("failed") else "success"
    yield module, "", outcome
    for name, value in result.items():
        if name in specs:
            yield module, name, f"in {outcome}"
            yield from _facts_of_value(module, name, specs[name], value)
        elif name not in COMMON and not name.startswith("_ansible"):
            yield module, name, "undocumented"


def _facts_of_value(module: str, path: str, spec: Spec, value: t.Any) -> t.Iterator[Fact]:
    yield module, path, TYPES[type(value)]
    if value or isinstance(value, (bool, int, float)):
        yield module, path, "filled"
    if isinstance(value, list):
        for item in value:
            yield module, f"{path}[]", TYPES[type(item)]
    if "contains" not in spec or not isinstance(value, (list, dict)):
        return
    items = (
        value if isinstance(value, list) else list(value.values()) if _is_by_name(spec) else [value] if value else []
    )
    for item in items:
        if isinstance(item, dict):
            yield from _facts_of_dict(module, path, spec["contains"], item)


def _facts_of_dict(module: str, path: str, specs: Spec, item: dict[str, t.Any]) -> t.Iterator[Fact]:
    yield module, path, "holder"
    for name, value in item.items():
        if name not in specs:
            yield module, f"{path}.{name}", "undocumented"
            continue
        yield module, f"{path}.{name}", "there"
        yield from _facts_of_value(module, f"{path}.{name}", specs[name], value)


def problems(module: str, facts: t.Mapping[Fact, int], specs: Spec | None = None) -> list[str]:
    """Return what the documentation and all results of the module do not agree in."""
    specs = documented(module) if specs is None else specs
    mine = {(path, fact): count for (name, path, fact), count in facts.items() if name == module}
    if not mine.get(("", "success")):
        return ["no test has shown a success of it"]
    return [
        *(f"{path}: returned and not documented" for path, fact in sorted(mine) if fact == "undocumented"),
        *(problem for name, spec in specs.items() for problem in _of_key(name, spec, mine)),
    ]


def _of_key(name: str, spec: Spec, mine: t.Mapping[tuple[str, str], int]) -> t.Iterator[str]:
    outcomes = {"success": ["success"], "always": ["success", "failure"]}.get(str(spec["returned"]), [])
    for outcome in outcomes:
        if mine.get((name, f"in {outcome}"), 0) < mine.get(("", outcome), 0):
            yield f"{name}: documented for every {outcome}, and missing in some"
    if not outcomes and not any(mine.get((name, f"in {outcome}")) for outcome in ("success", "failure")):
        yield f"{name}: documented ({spec['returned']}) and never returned"
        return
    yield from _of_value(name, spec, mine)


def _of_value(path: str, spec: Spec, mine: t.Mapping[tuple[str, str], int]) -> t.Iterator[str]:
    seen = {fact for where, fact in mine if where == path and fact in TYPES.values()}
    yield from _of_types(
        path, seen, spec["type"], may_be_null=re.search(r"\b(null|none)\b", _text(spec), re.I) is not None
    )
    if not mine.get((path, "filled")):
        yield f"{path}: never anything but empty"
        return
    if spec["type"] == "list":
        elements = {fact for where, fact in mine if where == f"{path}[]"}
        yield from _of_types(f"{path}[]", elements, spec.get("elements", "raw"), may_be_null=False)
    holders = mine.get((path, "holder"), 0)
    for name, inner in spec.get("contains", {}).items():
        there = mine.get((f"{path}.{name}", "there"), 0)
        if there == 0 or ("returned" not in inner and there < holders):
            yield f"{path}.{name}: documented and missing in {holders - there} of {holders}"
        if there:
            yield from _of_value(f"{path}.{name}", inner, mine)


def _of_types(path: str, seen: set[str], wanted: str, *, may_be_null: bool) -> t.Iterator[str]:
    allowed = {wanted, *WIDER.get(wanted, ()), *(["null"] if may_be_null else [])}
    if wanted != "raw" and seen - allowed:
        yield f"{path}: documented as {wanted}, returned as {', '.join(sorted(seen - allowed))}"
