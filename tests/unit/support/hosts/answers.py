# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of hosts in the shape that their modules have, made from the schemas."""

from __future__ import annotations

import typing as t

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import answer_schema as schema
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.answers import ANSWERS


def sample(shape: schema.Shape, *, optional: bool = True) -> t.Any:
    """Return what fits a shape; with everything that may be there, or only with what has to be."""
    if isinstance(shape, schema.Fields):
        parts = {**shape.required, **(shape.optional if optional else {})}
        return {name: sample(part, optional=optional) for name, part in parts.items()}
    if isinstance(shape, schema.Items):
        return [sample(shape._shape)] if optional else []
    if isinstance(shape, schema.Named):
        return {"one": sample(shape._shape)} if optional else {}
    if isinstance(shape, schema.Maybe):
        return sample(shape._shape) if optional else None
    if isinstance(shape, schema.Flag):
        return optional
    if isinstance(shape, schema.Number):
        return int(optional)
    if isinstance(shape, schema.Data):
        return {}
    return "a" * 64 if optional else ""


def least(module: str, **parts: t.Any) -> dict[str, t.Any]:
    """Return the shortest success of a module (its name, with the collection's or without), with ``parts`` in place of its own."""
    return {"changed": False, **sample(ANSWERS[module.rpartition(".")[2]], optional=False), **parts}


def completed(shape: schema.Shape, value: t.Any) -> t.Any:
    """Return a value with what its shape requires and it lacks."""
    if isinstance(shape, schema.Fields) and isinstance(value, dict):
        known = {**shape.required, **shape.optional}
        filled = {**sample(schema.Fields(shape.required), optional=False), **value}
        return {name: completed(known[name], part) if name in known else part for name, part in filled.items()}
    if isinstance(shape, (schema.Items, schema.Named, schema.Maybe)):
        if isinstance(value, list):
            return [completed(shape._shape, each) for each in value]
        if isinstance(value, dict) and isinstance(shape, schema.Named):
            return {name: completed(shape._shape, each) for name, each in value.items()}
        return completed(shape._shape, value) if isinstance(shape, schema.Maybe) and value is not None else value
    return value


def whole(module: str, answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a test's answer with what its module always has and the test does not care about; a failure as it is."""
    return answer if answer.get("failed") else completed(ANSWERS[module.rpartition(".")[2]], answer)
