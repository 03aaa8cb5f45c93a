# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network namespace for one test, in which port 80 is free and every name is the test's: for CAs that answer to nothing else."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import threading
import typing as t

import pytest

_CLONE_NEWNET = 0x40000000  # sched.h
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a network namespace")
T = t.TypeVar("T")


def in_own_network(function: t.Callable[[], T]) -> T:
    """Return what ``function`` returns in a namespace with a loopback alone. Programs that it starts are in there as well."""
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            # The namespace of a thread is its own, and ends with it and its programs.
            if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def name_server(address: str) -> str:
    """Start a DNS server for which each name has ``address``; return where it is. It ends with the test session."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    found = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(address)

    def answer() -> None:
        while True:
            asked, client = server.recvfrom(512)
            end = asked.index(b"\0", 12) + 5
            (kind,) = struct.unpack(">H", asked[end - 4 : end - 2])
            records = [found] if kind == 1 else []  # A
            header = asked[:2] + struct.pack(">HHHHH", 0x8180, 1, len(records), 0, 0)
            server.sendto(header + asked[12:end] + b"".join(records), client)

    threading.Thread(target=answer, daemon=True).start()
    return f"127.0.0.1:{server.getsockname()[1]}"
