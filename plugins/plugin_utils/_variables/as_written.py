# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's variables before Ansible evaluates their templates, and the recognition of templates."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from jinja2 import Undefined

Mapping = t.Mapping[str, t.Any]

_MARKS = ("{{", "{%", "{#")


def as_written(hostvars: Mapping, host: str) -> Mapping:
    """Return the variables of a host that ``hostvars`` has, with their templates as they are.

    ``raw_get`` is Ansible's way; a plain mapping has no templates to fill in.
    """
    return t.cast(Mapping, getattr(hostvars, "raw_get", hostvars.__getitem__)(host))


def variable(hostvars: Mapping, host: str, name: str, written: Mapping) -> t.Any:
    """Return a variable of ``host``, None where there is none; ``written`` is what ``as_written`` gave of it.

    Ansible is asked only where there is a template to fill in: that costs it the whole of a host's variables.
    """
    found = written.get(name)
    return hostvars[host][name] if has_template(found) else found


def is_true(value: t.Any) -> bool:
    """Return a boolean variable as Ansible reads it: ``-e name=false`` and ``"no"`` are texts, and Python takes every text for true."""
    return bool(boolean(value, strict=False))


def is_computed(value: t.Any) -> bool:
    """Return whether Ansible could evaluate all templates of a value: a failed one is Jinja's Undefined somewhere in it.

    ansible-core 2.18 leaves the template as it is.
    """
    if isinstance(value, dict):
        return all(is_computed(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(is_computed(item) for item in value)
    return not isinstance(value, Undefined) and not (isinstance(value, str) and has_template(value))


def has_template(value: t.Any) -> bool:
    """Return whether there is a template anywhere in a value."""
    if isinstance(value, str):
        return "{" in value and any(mark in value for mark in _MARKS)
    if isinstance(value, dict):
        return any(has_template(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return any(has_template(item) for item in value)
    return not isinstance(value, (bool, int, float, type(None)))
