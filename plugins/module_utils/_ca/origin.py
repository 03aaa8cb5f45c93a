# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who did it, for the ledger. PRIVATE: may change without notice."""

from __future__ import annotations

import os
import pwd
import socket


def origin(operator: str = "") -> dict[str, str]:
    """Return the user and host of this process, who became that user by sudo, and the ``operator`` the controller names."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    found = {
        "user": user,
        "login": os.environ.get("SUDO_USER", ""),
        "host": socket.gethostname(),
        "operator": operator,
    }
    return {name: value[:200] for name, value in found.items() if value}
