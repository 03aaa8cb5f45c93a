# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that playbooks read themselves, without a role whose argument specification would check them.

Ansible's filter ``bool`` takes every word that it does not know for false, so ``docker_rotate_ca_execute=maybe`` would only print a plan.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

BOOLEANS = (
    "docker_adopt_execute",
    "docker_adopt_keep_2375",
    "docker_rotate_ca_execute",
    "docker_rotate_ca_force_reissue",
    "docker_rotate_ca_force_retire",
    "docker_status_become",
    "docker_status_read_hosts",
)
#: Words.
CHOICES = {"docker_rotate_ca_stop_after": ("trust", "reissue", "retire")}
#: Whole numbers from 1 on.
NUMBERS = ("docker_status_connections", "docker_status_timeout")


def problems(given: t.Mapping[str, t.Any]) -> list[str]:
    """Return a sentence for each variable with an unusable value. In: those of BOOLEANS, NUMBERS and CHOICES that are set, with their values."""
    wrong = [
        f"{name} is {_shown(given[name])}, which is neither true nor false. Write true or false."
        for name in BOOLEANS
        if name in given and not _is_boolean(given[name])
    ]
    wrong += [
        f"{name} is {_shown(given[name])}, which is not a whole number from 1 on. Write one, for example 10."
        for name in NUMBERS
        if name in given and not _is_number(given[name])
    ]
    wrong += [
        f"{name} is {_shown(given[name])}. Write one of {', '.join(words)}, or leave it out."
        for name, words in CHOICES.items()
        if given.get(name) not in (None, "", *words)
    ]
    return wrong


def home_problems(environment: t.Mapping[str, str]) -> list[str]:
    """Return the problem of HOME, under which the CA and the bundles are by default. Without HOME it is the account's home directory.

    An empty or relative one would be the root directory or the current one: the next run, from elsewhere, would make another CA.
    """
    home = environment.get("HOME")
    if home is None or home.startswith("/"):
        return []
    return [
        f"the environment variable HOME is {_shown(home)} and not an absolute path. Set it to the home directory of the account that runs Ansible, "
        "or unset it."
    ]


def _shown(value: t.Any) -> str:
    return "empty" if value is None or value == "" else repr(value)


def _is_boolean(value: t.Any) -> bool:
    try:
        boolean(value, strict=True)
    except TypeError:
        return False
    return True


def _is_number(value: t.Any) -> bool:
    text = str(value).strip()
    return not isinstance(value, (bool, float)) and text.isascii() and text.isdigit() and int(text) > 0
