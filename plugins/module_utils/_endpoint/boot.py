# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the endpoint is there after a boot. Pure.

A docker.service that is not enabled is started by the first local client, through docker.socket (systemd.socket(5)). Until
then dockerd's own TCP port is closed, so remote clients cannot be the first.
"""

from __future__ import annotations

from .._docker.findings import Finding, warning
from .._docker.listeners import Listen
from .._docker.systemd import Services, UnitState


def starts_at_boot(services: Services, listener: str) -> bool:
    """Return whether the boot opens the endpoint's port; ``listener``: dockerd, systemd or proxy, whichever opens it."""
    if listener == "proxy":  # its unit is enabled, wants docker.socket, and a connection starts dockerd through that
        return True
    return at_boot(services.service) or (listener == "systemd" and at_boot(services.socket))


def at_boot(unit: UnitState) -> bool:
    """Return whether a unit is started at boot: enabled, or wanted by another unit; a runtime enablement does not last.

    A unit whose state is not known counts as started.
    """
    if unit.file_state in ("", "enabled"):
        return True
    return unit.file_state != "enabled-runtime" and bool(unit.wanted_by)


def check_boot(services: Services, listener: str) -> tuple[Finding, ...]:
    """Return a warning where the endpoint is not there after a boot."""
    if starts_at_boot(services, listener):
        return ()
    name = services.service.name
    hint = f"Run systemctl enable {name}."
    if listener == "systemd":
        text = f"neither {name} nor {services.socket.name} is enabled, so the endpoint is closed after a boot"
    else:
        text = f"{name} is not enabled: after a boot the endpoint is closed until a local client starts dockerd"
        if at_boot(services.socket):
            hint = f"Run systemctl enable {name}; or set docker_daemon_listener: systemd, with which systemd opens the port at boot."
    return (warning("not-started-at-boot", text, hint),)


def check_network(listen: Listen, listener: str) -> tuple[Finding, ...]:
    """Return a warning of the remaining risk with dockerd's own listeners on single addresses (dockerd-facts 2.5)."""
    if listener != "dockerd" or not listen.needs_network():
        return ()
    named = ", ".join(address.endpoint() for address in listen.addresses)
    text = f"dockerd listens on {named} and starts after the network; if an address is missing then, Docker does not start at all"
    hint = "docker_daemon_listener: systemd binds addresses that are not there yet."
    return (warning("address-needed-at-boot", text, hint),)
