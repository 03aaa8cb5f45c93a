# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses of a host: what the kernel says, what is private, what is Docker's own."""

from __future__ import annotations

import ipaddress
import json
import shutil
import socket
import struct
import subprocess
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import network
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host.network import KernelAddress

NAMES = {
    1: "lo",
    2: "eth0",
    3: "docker0",
    4: "br-0123456789ab",
    5: "docker_gwbridge",
    6: "vethab12cd3",
    7: "mybridge",
    8: "tailscale0",
}


def kernel(index: int, text: str, flags: int = 0) -> KernelAddress:
    return KernelAddress(index, ipaddress.ip_address(text), flags)


HOST = [
    kernel(1, "127.0.0.1"),
    kernel(2, "10.0.0.5"),
    kernel(2, "10.0.0.6", 0x01),
    kernel(2, "203.0.113.9"),
    kernel(3, "172.17.0.1"),
    kernel(4, "172.18.0.1"),
    kernel(5, "172.19.0.1"),
    kernel(6, "169.254.1.1"),
    kernel(7, "172.30.0.1"),
    kernel(8, "100.101.102.103"),
    kernel(1, "::1"),
    kernel(2, "fd00::5"),
    kernel(2, "fd00::aaaa", 0x01),
    kernel(2, "fd00::dead", 0x20),
    kernel(2, "fd00::7e17", 0x40),
    kernel(2, "2001:db8::5"),
    kernel(2, "fe80::5"),
]


def host(*bridges: str) -> list[network.Address]:
    return network.from_kernel(HOST, NAMES, bridges)


def test_from_kernel_leaves_dockers_own_interfaces_out() -> None:
    found = {item.interface for item in host()}
    assert found == {"lo", "eth0", "mybridge", "tailscale0"}
    assert {item.interface for item in host("mybridge")} == {"lo", "eth0", "tailscale0"}


@pytest.mark.parametrize(
    "interface", ["br-lan", "br-0123456789a", "br-0123456789abc", "docker1", "br0", "veth", "dockeras", "virbr0"]
)
def test_from_kernel_keeps_interfaces_that_only_look_like_dockers(interface: str) -> None:
    assert network.from_kernel([kernel(9, "10.1.1.1")], {9: interface})


def test_from_kernel_unknown_interface_and_doubles() -> None:
    found = network.from_kernel([kernel(42, "10.1.1.1"), kernel(42, "10.1.1.1")], {})
    assert [(item.interface, str(item.ip)) for item in found] == [("42", "10.1.1.1")]


def test_from_kernel_marks_addresses_that_go_away() -> None:
    passing = {str(item.ip) for item in host() if item.is_temporary}
    assert passing == {"fd00::aaaa", "fd00::dead", "fd00::7e17"}


CLASSES = {
    "127.0.0.1": "loopback",
    "::1": "loopback",
    "169.254.3.4": "link-local",
    "fe80::1": "link-local",
    "10.255.255.255": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "172.32.0.1": "public",
    "192.168.0.1": "private",
    "192.169.0.1": "public",
    "100.64.0.1": "private",
    "100.127.255.255": "private",
    "100.128.0.1": "public",
    "fc00::1": "private",
    "fdff::1": "private",
    "fec0::1": "private",
    "2001:db8::1": "public",
    "2a02::1": "public",
    "198.51.100.1": "public",
    "8.8.8.8": "public",
    "0.0.0.0": "nothing",
    "::": "nothing",
    "224.0.0.1": "nothing",
    "ff02::1": "nothing",
}


@pytest.mark.parametrize("text", CLASSES)
def test_classify_says_what_an_address_is(text: str) -> None:
    item = network.classify("eth0", ipaddress.ip_address(text))
    found = {
        "private": item.is_private,
        "loopback": item.is_loopback,
        "link-local": item.is_link_local,
        "public": item.is_public,
    }
    assert [name for name, holds in found.items() if holds] == ([] if CLASSES[text] == "nothing" else [CLASSES[text]])


SELECTIONS = {
    "private": (["private"], ["10.0.0.5", "10.0.0.6", "172.30.0.1", "100.101.102.103", "fd00::5"]),
    "all": (["all"], ["10.0.0.5", "10.0.0.6", "203.0.113.9", "172.30.0.1", "100.101.102.103", "fd00::5", "2001:db8::5"]),
    "literal": (["10.0.0.5"], ["10.0.0.5"]),
    "literal of another machine": (["198.51.100.77"], ["198.51.100.77"]),
    "IPv6 in brackets and long": (["[FD00:0:0::5]"], ["fd00::5"]),
    "network": (["10.0.0.0/8"], ["10.0.0.5", "10.0.0.6"]),
    "network, host bits set": (["fd00::1/64"], ["fd00::5", "fd00::aaaa", "fd00::dead", "fd00::7e17"]),
    "network without addresses": (["192.168.0.0/16"], []),
    "nothing": ([], []),
}  # fmt: skip


@pytest.mark.parametrize("name", SELECTIONS)
def test_select_addresses_takes_what_is_asked_for(name: str) -> None:
    selectors, wanted = SELECTIONS[name]
    assert network.select_addresses(selectors, host()) == wanted


def test_select_addresses_names_each_once_in_the_order_of_the_selectors() -> None:
    found = network.select_addresses(["203.0.113.9", "10.0.0.4/30", " 10.0.0.5 ", "private"], host("mybridge"))
    assert found == ["203.0.113.9", "10.0.0.5", "10.0.0.6", "100.101.102.103", "fd00::5"]


@pytest.mark.parametrize("selector", ["public", "", "10.0.0", "10.0.0.5/33", "docker1.example.org", "300.1.1.1"])
def test_select_addresses_nonsense_is_an_error(selector: str) -> None:
    with pytest.raises(TlsError) as caught:
        network.select_addresses([selector], host())
    assert caught.value.code == "address-selector-invalid"


def attribute(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + bytes(-length % 4)


def message(kind: int, body: bytes) -> bytes:
    length = 16 + len(body)
    return struct.pack("=LHHLL", length, kind, 2, 1, 0) + body + bytes(-length % 4)


def address(family: int, flags: int, index: int, *attributes: bytes) -> bytes:
    return message(20, struct.pack("=BBBBL", family, 24, flags, 0, index) + b"".join(attributes))


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def test_parse_messages_reads_addresses_and_the_end() -> None:
    data = (
        address(
            socket.AF_INET,
            0x80,
            2,
            attribute(1, packed("10.0.0.5")),
            attribute(2, packed("10.0.0.5")),
            attribute(3, b"eth0\0"),
        )
        + address(socket.AF_INET, 0, 3, attribute(1, packed("10.9.9.9")), attribute(2, packed("10.9.9.1")))
        + address(socket.AF_INET6, 0, 2, attribute(1, packed("fd00::5")), attribute(8, struct.pack("=L", 0x301)))
        + address(99, 0, 2, attribute(1, b"\1\2\3\4"))
        + address(socket.AF_INET, 0, 2)
        + message(16, b"something else")
        + message(3, b"\0\0\0\0")
    )
    finished, found = network.parse_messages(data)
    assert finished
    assert found == [kernel(2, "10.0.0.5", 0x80), kernel(3, "10.9.9.1", 0), kernel(2, "fd00::5", 0x301)]


def test_parse_messages_without_an_end_wants_more() -> None:
    assert network.parse_messages(address(socket.AF_INET, 0, 2, attribute(2, packed("10.0.0.5"))))[0] is False
    assert network.parse_messages(b"") == (False, [])


def test_parse_messages_broken_lengths_end_it() -> None:
    assert network.parse_messages(bytes(16)) == (True, [])
    assert network.parse_messages(address(socket.AF_INET, 0, 2, struct.pack("=HH", 1, 2))) == (False, [])


def test_parse_messages_kernel_error_is_raised() -> None:
    with pytest.raises(OSError, match="netlink"):
        network.parse_messages(message(2, struct.pack("=i", -1)))


class Refused(socket.socket):
    """A netlink socket that the kernel refuses."""

    def send(self, *_arguments: t.Any) -> int:
        raise PermissionError(1, "not permitted")


def test_kernel_addresses_refused_by_the_kernel_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network.socket, "socket", Refused)
    with pytest.raises(TlsError, match="permitted") as caught:
        network.kernel_addresses()
    assert caught.value.code == "addresses-unreadable"


@pytest.mark.skipif(shutil.which("ip") is None, reason="no ip command to compare with")
def test_local_addresses_are_those_of_the_ip_command() -> None:
    shown = json.loads(subprocess.run(["ip", "-json", "address"], capture_output=True, check=True).stdout)
    wanted = {(link["ifname"], item["local"]) for link in shown if "ifname" in link for item in link["addr_info"]}
    found = {(item.interface, str(item.ip)) for item in network.local_addresses()}
    assert found <= wanted
    assert {interface for interface, _ip in wanted - found} <= {
        name for name, _ip in wanted if network._DOCKER_INTERFACE.fullmatch(name)
    }
