# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses of a host, and the processes that listen on them.

Source: rtnetlink(7), RTM_GETADDR; linux/if_addr.h for the flags.

``private`` means RFC 1918, fc00::/7 and also 100.64.0.0/10: a host that has an address of that range has it nearly always
from a VPN such as Tailscale. All that is unicast and not private, loopback or link-local counts as public, documentation
ranges too, so that a doubt is on the safe side.
"""

from __future__ import annotations

import glob
import ipaddress
import os
import re
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
IPAddress = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10")
)
# docker0, docker_gwbridge, the bridge of a user-defined network (br- and the first 12 digits of its id), container ends.
_DOCKER_INTERFACE = re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}|veth[0-9a-z]+")


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


@dataclass(frozen=True)
class Address:
    """One address of an interface."""

    interface: str
    ip: IPAddress
    is_private: bool
    is_loopback: bool
    is_link_local: bool
    is_public: bool
    is_temporary: bool = False  # IPv6 privacy address, deprecated or tentative: never selected, for it goes away


def local_addresses(docker_bridges: t.Collection[str] = ()) -> list[Address]:
    """Return the addresses of this host as the kernel has them, in the order of their interfaces.

    Docker's own bridges and container ends are left out, and so are the interfaces ``docker_bridges`` (names from
    ``docker network inspect``). Raises TlsError ``addresses-unreadable``.
    """
    return from_kernel(kernel_addresses(), dict(socket.if_nameindex()), docker_bridges)


def from_kernel(
    found: t.Iterable[KernelAddress], names: t.Mapping[int, str], docker_bridges: t.Collection[str] = ()
) -> list[Address]:
    """Return ``found`` with interface names and without Docker's own interfaces; without duplicates."""
    chosen: dict[tuple[str, IPAddress], Address] = {}
    for item in found:
        interface = names.get(item.index, str(item.index))
        if _DOCKER_INTERFACE.fullmatch(interface) or interface in docker_bridges:
            continue
        temporary = FLAG_DEPRECATED | FLAG_TENTATIVE | FLAG_DAD_FAILED
        if item.ip.version == 6:
            temporary |= FLAG_TEMPORARY  # for IPv4 the same bit means a second address of its network
        address = classify(interface, item.ip, is_temporary=bool(item.flags & temporary))
        chosen.setdefault((interface, item.ip), address)
    return list(chosen.values())


def classify(interface: str, ip: IPAddress, *, is_temporary: bool = False) -> Address:
    """Return the address with its kind."""
    private = is_private(ip)
    special = ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast
    return Address(interface, ip, private, ip.is_loopback, ip.is_link_local, not private and not special, is_temporary)


def is_private(ip: IPAddress) -> bool:
    """Return whether an address is in one of the private ranges (see the top of this file)."""
    return any(ip.version == network.version and ip in network for network in _PRIVATE)


def select_addresses(selectors: t.Sequence[str], addresses: t.Sequence[Address]) -> list[str]:
    """Return the addresses that ``private``, ``all``, literal addresses and CIDR networks select, without duplicates.

    ``all`` leaves out loopback and link-local, as ``private`` does. A literal address is taken even if the host does not
    have it (the address outside of a NAT, a virtual one). The order is that of the selectors, then of the addresses.
    Raises TlsError ``address-selector-invalid``.
    """
    chosen: dict[str, None] = {}
    for selector in selectors:
        chosen.update(dict.fromkeys(str(ip) for ip in _selected(str(selector).strip(), addresses)))
    return list(chosen)


def usable(addresses: t.Iterable[Address]) -> list[Address]:
    """Return the lasting addresses that others can reach: no loopback, link-local or temporary ones; IPv4 first."""
    kept = [item for item in addresses if not (item.is_loopback or item.is_link_local or item.is_temporary)]
    return sorted(kept, key=lambda item: item.ip.version)


def _selected(selector: str, addresses: t.Sequence[Address]) -> list[IPAddress]:
    if selector in ("private", "all"):
        return [item.ip for item in usable(addresses) if item.is_private or selector == "all"]
    try:
        if "/" not in selector:
            return [ipaddress.ip_address(selector.strip("[]"))]
        network = ipaddress.ip_network(selector, strict=False)
    except ValueError:
        raise TlsError(
            f"{selector!r} selects no address",
            hint="Write private, all, an address such as 10.0.0.5 or fd00::5, or a network such as 10.0.0.0/8.",
            code="address-selector-invalid",
        ) from None
    return [item.ip for item in addresses if item.ip.version == network.version and item.ip in network]


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


def held_by(*pids: int) -> tuple[tuple[str, int], ...]:
    """Return (address, port) of all TCP listeners of processes; the kernel's table is read once, about 4 ms of CPU (measured)."""
    own = {inode for pid in pids if pid for inode in _inodes(pid)}
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
            found[int(fields[9])] = (_address_of_socket(address, ipv6=ipv6), int(port, 16))
    return found


def _address_of_socket(text: str, *, ipv6: bool) -> str:
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
