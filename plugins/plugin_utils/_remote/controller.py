# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The account that runs Ansible. Tasks on the controller run as it, regardless of the inventory's settings for hosts.

``ansible_become: true`` for all hosts counts for localhost too, and Ansible prefers it to ``become: false`` of a task. The CA and the
bundles in the account's home would then belong to root, and the account could no longer read its own bundles. So only the keyword
``become`` of the play or task decides there: it is true where localhost is in the group docker_ca, or is itself a Docker host.
"""

from __future__ import annotations

import getpass
import os
import socket
import typing as t

CONTROLLER = "localhost"


def is_controller(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> bool:
    """Return whether the task of an action plugin runs on this machine, under the controller's name."""
    host = getattr(action._task, "delegate_to", None) or task_vars.get("inventory_hostname")
    return bool(host == CONTROLLER and action._connection.transport == "local")


def keep_account(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> None:
    """Let a task on the controller run as this account, unless its own keyword ``become`` is true."""
    if (
        getattr(action._connection, "become", None)
        and not getattr(action._task, "become", True)
        and is_controller(action, task_vars)
    ):
        action._connection.set_become_plugin(None)
        action._play_context.become = False


def absolute(path: str) -> str:
    """Return a path of the controller that begins where the user has called Ansible, "" for none; modules run in the directory of the playbook."""
    return os.path.abspath(os.path.expanduser(path)) if path else ""


def user() -> str:
    """Return ``user@host`` of the account that runs Ansible, as the ledger names it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.geteuid())
    return f"{name}@{socket.gethostname()}"
