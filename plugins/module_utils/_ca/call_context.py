# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of a module's call to the CA directory; above all the user, for the ledger."""

from __future__ import annotations

import os
import pwd
import socket
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._pki import key_encryption

# For hints of what ``restart_ledger`` accepts.
ACCEPT_ONCE = "run portcullis.docker_tls.site once with -e docker_ca_restart_ledger=true"


@dataclass(frozen=True)
class CallContext:
    """The context of a run: its clock, its user for the ledger, and how it waits."""

    now: datetime
    origin: t.Mapping[str, str]
    lock_timeout: float = 60
    allow_network_filesystem: bool = False
    restart_ledger: bool = False
    rounds: int = key_encryption.ROUNDS


def origin(operator: str = "") -> dict[str, str]:
    """Return the user and host of this process, who became that user by sudo, and the ``operator`` the controller names."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    found = {"user": user, "login": os.environ.get("SUDO_USER", ""), "host": socket.gethostname(), "operator": operator}
    return {name: value[:200] for name, value in found.items() if value}


def call_context(parameters: t.Mapping[str, t.Any], now: datetime) -> CallContext:
    """Return the context of a run, by the options ``_options.CA_OPTIONS`` and ``restart_ledger``, as far as a module has them."""
    return CallContext(
        now=now,
        origin=origin(parameters["operator"]),
        lock_timeout=parameters["lock_timeout"],
        allow_network_filesystem=parameters.get("allow_network_filesystem", False),
        restart_ledger=parameters.get("restart_ledger", False),
    )
