# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module endpoint as one call: the real host, a lock against signals, then ``endpoint.run``.

It is called by the module, and by the same code that came through a pipe without Ansible around it.
"""

from __future__ import annotations

import typing as t

from .._docker.systemd import Systemd
from .._outcome import outcome, require_cryptography, require_root
from .._time import utc_now
from . import endpoint
from .atomic_swap import orderly_end
from .journal import StateDirectory
from .machine import Machine
from .plan import options_from

# The states that read certificates. Giving a host back must not need a package, nor bring one.
_READING = ("present", "rolled_back")


def run(arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the module's result or failure; ``arguments``: its ``options``, with defaults, and ``check_mode``."""
    # Only some states need the library, which ensure_endpoint knows.
    return outcome(
        lambda: ensure_endpoint(arguments["options"], check_mode=arguments["check_mode"]), needs_cryptography=False
    )


def ensure_endpoint(parameters: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Return the module's result for its options, with defaults (``ENDPOINT_OPTIONS``). Raises TlsError; then the host is as it was."""
    require_root("change Docker's daemon")
    options = options_from(parameters)
    if options.state in _READING:
        require_cryptography()
    machine = Machine(Systemd(options.service, options.socket))
    with orderly_end():
        return endpoint.run(options, machine, StateDirectory(options.state_directory), utc_now(), check_mode=check_mode)
