# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which batches a play changes its hosts."""

from __future__ import annotations

import re
import typing as t

from .._variables.as_written import as_written, is_computed, variable

Mapping = t.Mapping[str, t.Any]

VARIABLE = "docker_daemon_serial"
ALL_AT_ONCE = "100%"
_BATCH = re.compile(r"[1-9][0-9]*|[1-9][0-9]?%|100%")


def daemon_serial(groups: t.Mapping[str, t.Sequence[str]], hostvars: Mapping) -> t.Any:
    """Return the inventory's ``docker_daemon_serial``, all hosts at once where it is not set.

    Ansible computes ``serial`` before there is any host, from extra variables alone; a value beside the hosts would have no
    effect, without a message. The first Docker host decides for all, because Ansible asks in every run and four times:
    ``serial_problems`` has seen that they agree.
    """
    first = next((host for host in groups.get("docker_hosts") or [] if host in hostvars), None)
    serial = variable(hostvars, first, VARIABLE, as_written(hostvars, first)) if first is not None else None
    return serial or ALL_AT_ONCE


def serial_problems(values: Mapping) -> list[str]:
    """Return the problems of ``docker_daemon_serial``: ``values`` has its value for each Docker host, None where it has none."""
    for host, serial in values.items():
        if not is_computed(serial):
            return [
                f"{host}: {VARIABLE} is made of a variable that is not defined. Define it, or write the number itself."
            ]
        batches = serial if isinstance(serial, list) and serial else [serial]
        if serial is not None and not all(_is_batch(batch) for batch in batches):
            return [
                f"{host}: {VARIABLE} is {serial!r}. Write how many hosts are changed at a time: a number, a percentage such as 25%, "
                'or a list of them such as [1, 25%]; with -e as JSON: -e \'{"docker_daemon_serial": [1, "25%"]}\'.'
            ]
    if not values:
        return []
    (first, order), *others = values.items()
    return [
        f"{VARIABLE} is {_shown(order)} for {first} and {_shown(serial)} for {host}, but a run has one order for all hosts: set it for the "
        "whole group docker_hosts, or with -e."
        for host, serial in others
        if serial != order
    ][:1]


def _is_batch(value: t.Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, str)) and bool(_BATCH.fullmatch(str(value)))


def _shown(serial: t.Any) -> str:
    return "not set" if serial is None else repr(serial)
