# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kinds of bundles a host has: those of the controller, those of the users of a client machine, or both."""

from __future__ import annotations

import os
import pwd
import typing as t

from .ca_place import CONTROLLER

Mapping = t.Mapping[str, t.Any]


def has_own_bundles(host: str, machines: t.Container[str]) -> bool:
    """Return whether a host has the bundles of the controller, which belong to anyone who runs the task."""
    return host == CONTROLLER or host not in machines


def has_both(host: str, machines: t.Container[str]) -> bool:
    """Return whether a host is the controller and a client machine too."""
    return host == CONTROLLER and host in machines


def is_for(bundle: Mapping, host: str, machines: t.Container[str], become: bool) -> bool:
    """Return whether a task on ``host`` is for this bundle.

    On a controller that is a client machine too, a task with ``become`` is for the users' bundles, and one without it for those of the account
    that runs Ansible: these must not become root's. On every other host a task is for all bundles.
    """
    return not has_both(host, machines) or bool(bundle["user"]) == become


def login_user(host: str, variables: Mapping) -> str:
    """Return the user that Ansible logs in as; on the controller it is the account that runs Ansible."""
    named = variables.get("ansible_user")
    if named:
        return str(named)
    return account_name() if host == CONTROLLER else "root"


def account_name() -> str:
    """Return the name of the account that runs Ansible; its number where the system has no name for it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
