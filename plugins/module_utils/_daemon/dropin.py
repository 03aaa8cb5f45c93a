# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of our systemd drop-ins; byte-stable. PRIVATE: may change without notice.

The name sorts after what people and packages use (``override.conf``, ``50-…``), because the last ExecStart= counts.
"""

from __future__ import annotations

import json
import re
import typing as t

from .environment import OWN_MARK
from .unit import Derivation, local_hosts
from .words import quote_word

DROPIN_NAME = "zz-docker-tls.conf"
HEADER = f"{OWN_MARK}. Do not edit: the next run writes it anew."
_DIGEST = re.compile(r"^# Derived from: sha256:([0-9a-f]{64})$", re.MULTILINE)
_REMOVE = "# To take it away: docker_daemon_state: absent"


def service_dropin(derivation: Derivation, *, after_network: bool) -> str | None:
    """Return docker.service.d/zz-docker-tls.conf for the ``hosts`` listener; None: the unit is right without one.

    ``after_network``: start after network-online.target, for listeners on addresses that must be up before dockerd
    binds them (dockerd_facts 2.k). dockerd refuses ``-H`` together with ``hosts`` in daemon.json, hence the ExecStart.
    """
    if not derivation.changed and not after_network:
        return None
    lines = [HEADER, _REMOVE]
    if after_network:
        lines += ["[Unit]", "# dockerd listens on addresses that must be there when it starts.", *_network(), ""]
    if derivation.changed:
        lines += ["[Service]", *_command(derivation, derivation.command)]
    return "\n".join(lines).rstrip("\n") + "\n"


def guard_dropin(config_path: str, client_ca_path: str, derivation: Derivation) -> str:
    """Return docker.service.d/zz-docker-tls.conf for the ``socket`` listener: dockerd starts only with client checks on.

    A TCP socket of docker.socket becomes plain text without a warning when daemon.json loses its TLS keys (dockerd_facts
    a2), so each start looks for them first. Where the unit names TCP listeners, ExecStart is replaced without them.
    """
    space = "[[:space:]]*"
    path = re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", json.dumps(client_ca_path))
    checks = [
        ("-Ezq", f'"tlsverify"{space}:{space}true'),
        ("-Ezqv", f'"tlsverify"{space}:{space}false'),
        ("-Ezq", f'"tlscacert"{space}:{space}{path}'),
    ]
    lines = [
        HEADER,
        _REMOVE,
        "[Service]",
        "# Without these settings docker.socket's TCP port would be plain text: do not start.",
    ]
    lines += [
        f"ExecStartPre=/bin/grep {option} {quote_word(text)} {quote_word(config_path)}" for option, text in checks
    ]
    command = socket_command(derivation)
    if command is not None:
        lines += _command(derivation, command)
    return "\n".join(lines) + "\n"


def socket_dropin(listen: t.Sequence[str], kept: t.Sequence[str] | None = None) -> str | None:
    """Return docker.socket.d/zz-docker-tls.conf; ``listen``: "10.0.0.5:2376", "[fd00::1]:2376" for the ``socket`` listener.

    FreeBind lets an address be bound before it is there, so a missing one does not keep Docker down. ``kept``: the lines that
    stay of all other files', whose TCP listeners go (an empty assignment takes every listener away). None: nothing to say.
    """
    lines = [] if kept is None else ["# The TCP listeners of other files are taken away.", "ListenStream=", *kept]
    if listen:
        lines += [*(f"ListenStream={item}" for item in listen), "FreeBind=yes"]
    return "\n".join([HEADER, _REMOVE, "[Socket]", *lines]) + "\n" if lines else None


def socket_command(derivation: Derivation) -> str | None:
    """Return the command for the ``socket`` listener where the unit's own cannot stay, because it names TCP listeners."""
    if all(host.startswith(("fd://", "unix://")) for host in derivation.hosts):
        return None
    flags = " ".join(f"-H {quote_word(host)}" for host in local_hosts(derivation.hosts))
    return f"{derivation.command} {flags}"


def is_ours(text: str) -> bool:
    """Return whether a drop-in has our header."""
    return text.startswith(OWN_MARK)


def recorded_digest(text: str) -> str | None:
    """Return the digest of the command that a drop-in of ours was derived from, None where it says none."""
    match = _DIGEST.search(text)
    return match[1] if match else None


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
