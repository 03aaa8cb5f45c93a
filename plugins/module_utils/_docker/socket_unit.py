# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Socket units: what other people's files make docker.socket listen on, and the unit of the listener ``systemd``.

A TCP listener of docker.socket is handed to dockerd with ``fd://``, beside those that we set up: with TLS settings in
daemon.json it is a second listener, and without these settings it is plain text, with no message in the log (dockerd-facts 2.2, measured).
Unix sockets, abstract ones too, are left alone. Source: systemd.socket(5); an empty assignment takes all listeners away.

With the listener ``systemd``, systemd holds the TCP port and passes it to dockerd, beside docker.socket. That is a unit of its own, not a
drop-in of docker.socket, so that the TCP port can be closed while the local socket stays: the start guard does that when daemon.json has lost
its TLS settings. Measured with systemd 247, 252, 257 and 262: a socket that is stopped by an ExecStartPre= of its service is not passed to the
main process, and Wants= opens it again at the next start. Source: systemd.socket(5), ``Service=``.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t
from dataclasses import dataclass

from .._files import read_bytes_or_none
from .findings import Finding, error, warning
from .systemd import Services, UnitState
from .unit_environment import OWN_MARK
from .unit_file import parse_assignments

_ADDRESS = re.compile(r"(?:(?P<host>\[[^\]]*\]|[0-9.]+):)?(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class SocketListener:
    """One ``Listen…=`` that counts; ``path``: the file that it stands in. ``port`` is 0 where it is not TCP."""

    key: str
    value: str
    path: str
    port: int = 0
    late: bool = False  # the file is read after ours, so ours cannot remove it

    @property
    def is_tcp(self) -> bool:
        """Whether this opens a TCP port."""
        return self.port > 0


def tcp_port(key: str, value: str) -> int:
    """Return the TCP port of a listener, 0 where it is something else; a number alone is a port on all addresses."""
    match = _ADDRESS.fullmatch(value.partition("%")[0]) if key == "ListenStream" else None
    return int(match["port"]) if match else 0


def parse_listeners(files: t.Sequence[tuple[str, str]], own_name: str) -> tuple[SocketListener, ...]:
    """Return the listeners of (path, text) of the unit and its drop-ins in systemd's order, ours left out."""
    found: list[SocketListener] = []
    for path, text in files:
        if text.startswith(OWN_MARK):
            continue
        late = path.endswith(".conf") and os.path.basename(path) > own_name
        for item in parse_assignments(text):
            if item.section != "Socket" or not item.key.startswith("Listen"):
                continue
            if item.value:
                found.append(SocketListener(item.key, item.value, path, tcp_port(item.key, item.value), late))
            else:
                found.clear()
    return tuple(found)


def read_listeners(socket: UnitState, own_path: str) -> tuple[SocketListener, ...]:
    """Read docker.socket's files: those that systemd has loaded, and those that it will load next. Raises TlsError."""
    directory, own_name = os.path.split(own_path)
    drop_ins = {*socket.drop_in_paths, *glob.glob(f"{directory}/*.conf")}
    texts = []
    for path in (socket.fragment_path, *sorted(drop_ins, key=os.path.basename)):
        data = read_bytes_or_none(path) if path else None
        if data is not None:
            texts.append((path, data.decode("utf-8", "surrogateescape")))
    return parse_listeners(texts, own_name)


def check_socket(
    listeners: t.Sequence[SocketListener], own: str | None, existing_settings: str
) -> tuple[tuple[str, ...] | None, tuple[Finding, ...]]:
    """Return the lines of our drop-in that replace those of all others (None: none are needed), and the findings.

    ``own``: the text of our drop-in as it is; listeners that it has removed once stay removed.
    """
    tcp = [item for item in listeners if item.is_tcp]
    if not tcp:
        return None, ()
    listed = ", ".join(f"{item.value} ({item.path})" for item in tcp)
    text = f"docker.socket listens on {listed}, beside the endpoint; without TLS settings dockerd serves that in plain text"
    late = [item.path for item in tcp if item.late]
    if late:
        hint = f"Take the ListenStream= out of {', '.join(late)}, which is read after our drop-in, then systemctl daemon-reload."
        return None, (error("socket-listener-foreign", text, hint),)
    taken_away = own is not None and "\nListenStream=\n" in own
    if existing_settings == "fail" and not taken_away:
        hint = (
            "Remove it there, then systemctl daemon-reload and systemctl restart docker.socket; or set docker_daemon_existing_settings: adopt, which "
            "removes it."
        )
        return None, (error("socket-listener-foreign", text, hint),)
    kept = tuple(f"{item.key}={item.value}" for item in listeners if not item.is_tcp)
    if taken_away:
        return kept, ()
    adopted = f"docker.socket listened on {listed}; these listeners are removed"
    return kept, (warning("socket-listener-adopted", adopted, "state absent brings it back."),)


def check_other_sockets(services: Services) -> tuple[Finding, ...]:
    """Return an error for each socket unit of others that passes TCP listeners to dockerd too (``Service=docker.service``).

    dockerd takes all of them with ``fd://``. Such a unit cannot be taken over by a drop-in of docker.socket.
    """
    found = []
    for unit in services.other_sockets:
        tcp = [stream for stream in unit.streams if tcp_port("ListenStream", stream)]
        if tcp and (unit.is_active or unit.file_state == "enabled"):
            text = (
                f"{unit.name} ({unit.fragment_path}) passes {', '.join(tcp)} to {services.service.name}, beside the endpoint; "
                "without TLS settings dockerd serves that in plain text"
            )
            found.append(
                error("socket-listener-foreign", text, f"Run systemctl disable --now {unit.name}, then run again.")
            )
    return tuple(found)


def endpoint_socket_text(
    listen: t.Sequence[str], service: str, local_socket: str, filtering: t.Sequence[str] = ()
) -> str:
    """Return the unit's text. ``listen``: "10.0.0.5:2376", "[fd00::1]:2376". ``filtering``: lines of ``source_filter``.

    FreeBind binds an address that the host does not have yet, so a missing one does not keep Docker down. PartOf stops it with
    docker.socket: else a connection would start a Docker that an administrator has stopped.
    """
    lines = [
        f"{OWN_MARK}. Do not edit: the next run writes it again.",
        "# To take it away: docker_daemon_state: absent",
        "[Unit]",
        "Description=TLS endpoint of Docker",
        f"After={local_socket}",
        f"PartOf={local_socket}",
        "[Socket]",
        *(f"ListenStream={item}" for item in listen),
        "FreeBind=yes",
        *filtering,
        f"Service={service}",
    ]
    return "\n".join(lines) + "\n"
