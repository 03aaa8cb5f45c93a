# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who listens on a TCP port of this host, by /proc alone."""

from __future__ import annotations

import glob
import os
import socket
import struct
import typing as t

_LISTEN = "0A"  # TCP_LISTEN in include/net/tcp_states.h
_ACCEPTS = 1 << 16  # __SO_ACCEPTCON in include/uapi/linux/net.h
_STREAM = 1  # SOCK_STREAM

Listener = tuple[str, int, str]


def foreign_listeners(
    ports: t.Collection[int],
    pid: int = 0,
    own_ports: t.Collection[int] = (),
    socket_ports: t.Collection[int] = (),
    proxy: t.Collection[int] = (),
) -> tuple[Listener, ...]:
    """Return (address, port, process) of the listeners on ``ports`` that are not those of Docker's API.

    The API's are those of dockerd (``pid``) on the ports ``own_ports`` that it is configured for, what systemd has handed over
    to it, and systemd's on ``socket_ports``, those of docker.socket. dockerd itself holds further ones where it reserves the
    published ports of containers. ``proxy``: the processes of our proxy. Only if there is another listener, all processes are
    searched for its name; "" where it cannot be seen.
    """
    sockets = {inode: place for inode, place in _listening(ports).items() if place[1] in ports}
    if not sockets:
        return ()
    dockerds, systemds = _inodes(pid) if pid else set(), _inodes(1)
    own = {i for i in dockerds if i in systemds or (i in sockets and sockets[i][1] in own_ports)}
    own |= {i for i in systemds if i in sockets and sockets[i][1] in socket_ports}
    own |= {inode for each in proxy for inode in _inodes(each)}
    foreign = {inode: place for inode, place in sockets.items() if inode not in own}
    owners = _owners(foreign) if foreign else {}
    return tuple((address, port, owners.get(inode, "")) for inode, (address, port) in sorted(foreign.items()))


def handed_over(pid: int) -> tuple[tuple[str, int], ...]:
    """Return (address, port) of the TCP listeners that process 1 holds too: systemd has given them to ``pid``."""
    shared = _inodes(1) & _inodes(pid) if pid else set()
    return tuple(sorted(place for inode, place in _listening().items() if inode in shared))


def held_by(pid: int) -> tuple[tuple[str, int], ...]:
    """Return (address, port) of all TCP listeners of a process."""
    own = _inodes(pid) if pid else set()
    return tuple(sorted(place for inode, place in _listening().items() if inode in own)) if own else ()


def unix_sockets(pid: int) -> tuple[str, ...]:
    """Return the paths of the listening unix sockets of a process, ``@name`` for abstract ones."""
    own = _inodes(pid) if pid else set()
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as stream:
            return tuple(path for inode, path in parse_unix(stream.read()) if inode in own)
    except OSError:
        return ()


def parse_unix(text: str) -> tuple[tuple[int, str], ...]:
    """Return (inode, path) of the listening stream sockets that have a name in /proc/net/unix (proc(5))."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and int(fields[3], 16) & _ACCEPTS and int(fields[4], 16) == _STREAM:
            found.append((int(fields[6]), fields[7]))
    return tuple(found)


def parse_table(text: str, *, ipv6: bool) -> dict[int, tuple[str, int]]:
    """Return inode -> (address, port) of the listening sockets in /proc/net/tcp or tcp6 (proc_net_tcp.txt)."""
    found = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            address, _colon, port = fields[1].partition(":")
            found[int(fields[9])] = (_address(address, ipv6=ipv6), int(port, 16))
    return found


def _address(text: str, *, ipv6: bool) -> str:
    """Return an address of /proc/net: 32-bit words, each in the byte order of the host."""
    words = [struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8)]
    return socket.inet_ntop(socket.AF_INET6 if ipv6 else socket.AF_INET, b"".join(words))


def _listening(ports: t.Collection[int] = ()) -> dict[int, tuple[str, int]]:
    """Return all listeners by inode; with ``ports``, a table that names none of them is not taken apart (it can be long)."""
    found = {}
    for path, ipv6 in (("/proc/net/tcp", False), ("/proc/net/tcp6", True)):
        try:
            with open(path, encoding="ascii") as stream:
                text = stream.read()
        except OSError:
            continue
        if not ports or any(f":{port:04X} " in text for port in ports):
            found.update(parse_table(text, ipv6=ipv6))
    return found


def _inodes(pid: int) -> set[int]:
    found = set()
    for path in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            target = os.readlink(path)
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(int(target[8:-1]))
    return found


def _owners(sockets: t.Collection[int]) -> dict[int, str]:
    owners = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        for inode in _inodes(int(name)).intersection(sockets):
            owners[inode] = _process_name(int(name))
    return owners


def _process_name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as stream:
            return f"{stream.read().strip()} ({pid})"
    except OSError:
        return str(pid)
