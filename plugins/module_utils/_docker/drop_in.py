# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of our systemd drop-ins; byte-stable.

The name sorts after what people and packages use (``override.conf``, ``50-…``), because the last ExecStart= counts.
"""

from __future__ import annotations

import re
import typing as t

from . import start_guard
from .exec_start import Derivation, local_hosts
from .exec_start_words import quote_word
from .start_guard import Fallback
from .unit_environment import OWN_MARK

DROPIN_NAME = "zz-docker-tls.conf"
HEADER = f"{OWN_MARK}. Do not edit: the next run writes it again."
_DIGEST = re.compile(r"^# Derived from: sha256:([0-9a-f]{64})$", re.MULTILINE)
_REMOVE = "# To take it away: docker_daemon_state: absent"


def service_dropin(derivation: Derivation, *, after_network: bool, fallback: Fallback | None = None) -> str | None:
    """Return docker.service.d/zz-docker-tls.conf for the ``dockerd`` listener; None: the unit is right without one.

    ``after_network``: start after network-online.target, for listeners on addresses that must be up before dockerd
    binds them (dockerd-facts 2.5). ``fallback``: see start_guard.py. dockerd refuses ``-H`` together with ``hosts`` in daemon.json, hence the ExecStart.
    """
    if not derivation.changed and not after_network:
        return None
    lines = [HEADER, _REMOVE]
    if after_network:
        lines += ["[Unit]", "# dockerd listens on addresses that must be there when it starts.", *_network(), ""]
    if derivation.changed:
        lines.append("[Service]")
        lines += fallback.lines if fallback else ()
        lines += _command(derivation, fallback.command if fallback else derivation.command)
    return "\n".join(lines).rstrip("\n") + "\n"


def guard_dropin(config_path: str, client_ca_path: str, derivation: Derivation, endpoint_socket: str) -> str:
    """Return docker.service.d/zz-docker-tls.conf for the ``systemd`` listener: opens ``endpoint_socket`` behind the start guard.

    Where the unit names TCP listeners, ExecStart is replaced without them.
    """
    lines = [
        HEADER,
        _REMOVE,
        "[Unit]",
        f"Wants={endpoint_socket}",
        "[Service]",
        "# Without its TLS settings dockerd would serve the TCP port in plain text: it is closed then, and Docker starts without.",
        start_guard.exec_start_pre(config_path, client_ca_path, endpoint_socket),
    ]
    command = socket_command(derivation)
    if command is not None:
        lines += _command(derivation, command)
    return "\n".join(lines) + "\n"


def local_dropin(derivation: Derivation) -> str | None:
    """Return docker.service.d/zz-docker-tls.conf for the ``proxy`` listener; None: the unit names local listeners only."""
    command = socket_command(derivation)
    if command is None:
        return None
    return "\n".join([HEADER, _REMOVE, "[Service]", *_command(derivation, command)]) + "\n"


def socket_dropin(kept: t.Sequence[str] | None, endpoint_socket: str = "") -> str | None:
    """Return docker.socket.d/zz-docker-tls.conf; None: no drop-in is needed.

    ``kept``: the lines that stay of all other files', whose TCP listeners go (an empty assignment takes every listener away).
    ``endpoint_socket``: our unit of the ``systemd`` listener, which opens with docker.socket also where docker.service is
    only started by a connection.
    """
    lines = [] if not endpoint_socket else ["[Unit]", f"Wants={endpoint_socket}"]
    if kept is not None:
        lines += ["[Socket]", "# The TCP listeners of other files are taken away.", "ListenStream=", *kept]
    return "\n".join([HEADER, _REMOVE, *lines]) + "\n" if lines else None


def socket_command(derivation: Derivation) -> str | None:
    """Return the command for the ``systemd`` listener where the unit's own cannot stay, because it names TCP listeners."""
    if all(host.startswith(("fd://", "unix://")) for host in derivation.hosts):
        return None
    flags = " ".join(f"-H {quote_word(host)}" for host in local_hosts(derivation.hosts))
    return f"{derivation.command} {flags}"


def is_ours(text: str) -> bool:
    """Return whether a drop-in has our header."""
    return text.startswith(OWN_MARK)


def recorded_digest(text: str) -> str | None:
    """Return the digest of the command that a drop-in of ours was derived from, None where it has none."""
    match = _DIGEST.search(text)
    return match[1] if match else None


def replaces(text: str | None, derivation: Derivation | None) -> bool:
    """Return whether a drop-in of ours was derived from this very command: then its listeners were taken over before."""
    return derivation is not None and recorded_digest(text or "") == derivation.digest


def outdated(current: str | None, wanted: str | None) -> str | None:
    """Return why the file must be written or removed, None where it is right.

    dropin-missing; dropin-unwanted (ours, and no longer needed); dropin-foreign (not ours, would be replaced);
    unit-changed (the unit's command or a variable is another than the one it was derived from: a package upgrade);
    dropin-changed (edited, or other settings now).
    """
    if current == wanted:
        return None
    if current is None:
        return "dropin-missing"
    if wanted is None:
        return "dropin-unwanted" if is_ours(current) else None
    if not is_ours(current):
        return "dropin-foreign"
    return "dropin-changed" if recorded_digest(current) == recorded_digest(wanted) else "unit-changed"


def _network() -> list[str]:
    return ["Wants=network-online.target", "After=network-online.target"]


def _command(derivation: Derivation, command: str) -> list[str]:
    return [
        "# The unit's own command without -H/--host: dockerd does not start when its listeners are named twice.",
        f"# Derived from: sha256:{derivation.digest}",
        "ExecStart=",
        f"ExecStart={command}",
    ]
