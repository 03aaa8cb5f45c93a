# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kinds of bundles a host has: those of the controller, those of the users of a client machine, or both."""

from __future__ import annotations

import os
import pwd
import typing as t

from ...module_utils._errors import TlsError
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


def why_no_directory(client: str) -> str:
    """Return what keeps the name of a client from being the name of its bundle's directory, "" for nothing.

    Such a name would write or remove the files of another directory, or be an option or a home directory to a program.
    """
    if "/" in client:
        return "has a / in it"
    if client in (".", ".."):
        return "is that of a directory itself"
    if client.startswith(("-", "~")):
        return f"begins with {client[0]}"
    if not client.isprintable():
        return "has a control character or another that cannot be printed"
    return "has spaces around it" if client != client.strip() else ""


def of_client(path: str, client: str) -> str:
    """Return the directory below ``path`` that the bundle of ``client`` has. Raises TlsError ``inventory-invalid`` where it would be elsewhere."""
    problem = why_no_directory(client)
    if problem or not client:
        raise TlsError(
            f"the client {client!r} can have no directory in {path}: its name {problem or 'is empty'}",
            hint="Correct its name in docker_client_cert_clients.",
            code="inventory-invalid",
        )
    return f"{path}/{client}"
