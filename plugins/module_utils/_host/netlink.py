# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask the kernel for the addresses of all interfaces, without the ip command.

Source: rtnetlink(7), RTM_GETADDR; linux/if_addr.h for the flags.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import typing as t
from dataclasses import dataclass

from .._errors import TlsError

_RTM_GETADDR = 22
_RTM_NEWADDR = 20
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST_DUMP = 0x301
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_FLAGS = 8
FLAG_TEMPORARY = 0x01  # IFA_F_SECONDARY for IPv4
FLAG_DAD_FAILED = 0x08
FLAG_DEPRECATED = 0x20
FLAG_TENTATIVE = 0x40
_HEADER = struct.Struct("=LHHLL")
_IFADDRMSG = struct.Struct("=BBBBL")
_ATTRIBUTE = struct.Struct("=HH")


@dataclass(frozen=True)
class KernelAddress:
    """One address as the kernel has it: number of its interface, ``flags`` of if_addr.h."""

    index: int
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address
    flags: int


def kernel_addresses() -> list[KernelAddress]:
    """Return all addresses of this network namespace. Raises TlsError ``addresses-unreadable``."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as channel:
            channel.settimeout(10)
            body = _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
            channel.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0) + body)
            return list(_receive(channel))
    except OSError as error:
        raise TlsError(
            f"cannot read the addresses of this host from the kernel: {os.strerror(error.errno or 0)}",
            hint="List the addresses in docker_daemon_listen instead of writing private.",
            code="addresses-unreadable",
        ) from error


def _receive(channel: socket.socket) -> t.Iterator[KernelAddress]:
    while True:
        finished, found = parse_messages(channel.recv(65536))
        yield from found
        if finished:
            return


def parse_messages(data: bytes) -> tuple[bool, list[KernelAddress]]:
    """Return (whether the answer ends here, the addresses in ``data``). Raises OSError when the kernel reports an error."""
    found: list[KernelAddress] = []
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data, offset)
        body = data[offset + _HEADER.size : offset + length]
        if kind == _NLMSG_DONE or length < _HEADER.size:
            return True, found
        if kind == _NLMSG_ERROR:
            raise OSError(-struct.unpack_from("=i", body)[0], "netlink")
        if kind == _RTM_NEWADDR:
            found += _address(body)
        offset += (length + 3) & ~3
    return False, found


def _address(body: bytes) -> list[KernelAddress]:
    family, _prefix, flags, _scope, index = _IFADDRMSG.unpack_from(body)
    attributes = _attributes(body[_IFADDRMSG.size :])
    # On a point-to-point link IFA_ADDRESS is the other end's; IPv6 has IFA_LOCAL only there.
    packed = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS))
    if family not in (socket.AF_INET, socket.AF_INET6) or packed is None:
        return []
    if _IFA_FLAGS in attributes:
        flags = struct.unpack("=L", attributes[_IFA_FLAGS])[0]
    return [KernelAddress(index, ipaddress.ip_address(packed), flags)]


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found
