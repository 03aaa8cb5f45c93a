# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where dockerd may listen, and the traps of each spelling."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.listeners import (
    Listen,
    ListenAddress,
    client_addresses,
    resolve_listen,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host.network import Address, classify


def host(*texts: str) -> list[Address]:
    return [classify("eth0", ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1", "fe80::5", *texts)]


HOME = host("10.0.0.5", "192.168.7.5", "fd00::5")
CLOUD = host("10.0.0.5", "203.0.113.9")
CLOUD_V6 = host("10.0.0.5", "2001:db8::5")


def resolve(entries: list[str], addresses: list[Address] = HOME, port: int = 2376, **options: object) -> Listen:
    return resolve_listen(entries, port=port, addresses=addresses, **options)  # type: ignore[arg-type]


GOOD = {
    "wildcard": (["0.0.0.0:2376"], ("tcp://0.0.0.0:2376",)),
    "wildcard with scheme": (["tcp://0.0.0.0:2376"], ("tcp://0.0.0.0:2376",)),
    "IPv6 wildcard": (["[::]:2376"], ("tcp://[::]:2376",)),
    "address": ([" 10.0.0.5:2376 "], ("tcp://10.0.0.5:2376",)),
    "IPv6": (["[FD00:0::5]:2376"], ("tcp://[fd00::5]:2376",)),
    "IPv6 with scheme": (["tcp://[fd00::5]:443"], ("tcp://[fd00::5]:443",)),
    "private": (["private"], ("tcp://10.0.0.5:2376", "tcp://192.168.7.5:2376", "tcp://[fd00::5]:2376")),
    "private with scheme": (["tcp://private"], ("tcp://10.0.0.5:2376", "tcp://192.168.7.5:2376", "tcp://[fd00::5]:2376")),
    "private with a port": (["private:4243"], ("tcp://10.0.0.5:4243", "tcp://192.168.7.5:4243", "tcp://[fd00::5]:4243")),
    "loopback": (["127.0.0.1:2376", "127.0.0.2:2376", "[::1]:2376"], ("tcp://127.0.0.1:2376", "tcp://127.0.0.2:2376", "tcp://[::1]:2376")),
    "doubles count once": (["10.0.0.5:2376", "tcp://10.0.0.5:2376"], ("tcp://10.0.0.5:2376",)),
    "two ports": (["0.0.0.0:2376", "10.0.0.5:2377"], ("tcp://0.0.0.0:2376", "tcp://10.0.0.5:2377")),
    "wildcard and IPv6 of another port": (["0.0.0.0:1", "[::]:65535"], ("tcp://0.0.0.0:1", "tcp://[::]:65535")),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_resolve_listen_good_entries_are_urls(name: str) -> None:
    entries, urls = GOOD[name]
    found = resolve(entries)
    assert found.findings == ()
    assert found.urls() == urls
    assert found.endpoints() == tuple(url[6:] for url in urls)


BAD = {
    "nothing": ([], HOME, "listen-empty"),
    "no port": (["10.0.0.5"], HOME, "listen-port-missing"),
    "no port, with scheme": (["tcp://10.0.0.5"], HOME, "listen-port-missing"),
    "colon without port": (["10.0.0.5:"], HOME, "listen-port-missing"),
    "wildcard without port": (["0.0.0.0"], HOME, "listen-port-missing"),
    "bare IPv6": (["fd00::5"], HOME, "listen-port-missing"),
    "bare IPv6 that ends like a port": (["fd00::5:2376"], HOME, "listen-port-missing"),
    "brackets without port": (["[fd00::5]"], HOME, "listen-port-missing"),
    "no address": ([":2376"], HOME, "listen-address-missing"),
    "scheme only": (["tcp://"], HOME, "listen-address-missing"),
    "empty": ([""], HOME, "listen-address-missing"),
    "empty brackets": (["[]:2376"], HOME, "listen-address-missing"),
    "2375": (["10.0.0.5:2375"], HOME, "listen-port-2375"),
    "private on 2375": (["private:2375"], HOME, "listen-port-2375"),
    "port 0": (["10.0.0.5:0"], HOME, "listen-port-invalid"),
    "port 65536": (["10.0.0.5:65536"], HOME, "listen-port-invalid"),
    "port 99999": (["0.0.0.0:99999"], HOME, "listen-port-invalid"),
    "port word": (["10.0.0.5:https"], HOME, "listen-port-invalid"),
    "port with a path": (["tcp://10.0.0.5:2376/x"], HOME, "listen-port-invalid"),
    "negative port": (["10.0.0.5:-1"], HOME, "listen-port-invalid"),
    "unix": (["unix:///var/run/docker.sock"], HOME, "listen-scheme-unsupported"),
    "fd": (["fd://"], HOME, "listen-scheme-unsupported"),
    "https": (["https://0.0.0.0:2376"], HOME, "listen-scheme-unsupported"),
    "upper case scheme": (["TCP://10.0.0.5:2376"], HOME, "listen-scheme-unsupported"),
    "host name": (["docker1.example.org:2376"], HOME, "listen-host-name"),
    "localhost": (["localhost:2376"], HOME, "listen-host-name"),
    "interface": (["eth0:2376"], HOME, "listen-host-name"),
    "public": (["public"], HOME, "listen-host-name"),
    "asterisk": (["*:2376"], HOME, "listen-invalid"),
    "half an address": (["10.0.5:2376"], HOME, "listen-invalid"),
    "too large": (["10.0.0.300:2376"], HOME, "listen-invalid"),
    "network": (["10.0.0.0/8:2376"], HOME, "listen-invalid"),
    "zone": (["[fe80::5%eth0]:2376"], HOME, "listen-address-unusable"),
    "link-local": (["[fe80::5]:2376"], HOME, "listen-address-unusable"),
    "link-local IPv4": (["169.254.1.1:2376"], HOME, "listen-address-unusable"),
    "multicast": (["224.0.0.1:2376"], HOME, "listen-address-unusable"),
    "broadcast": (["255.255.255.255:2376"], HOME, "listen-address-unusable"),
    "mapped": (["[::ffff:10.0.0.5]:2376"], HOME, "listen-address-unusable"),
    "not on the host": (["10.0.0.77:2376"], HOME, "listen-address-absent"),
    "public address": (["203.0.113.9:2376"], CLOUD, "listen-public-address"),
    "public IPv6": (["[2001:db8::5]:2376"], CLOUD_V6, "listen-public-address"),
    "wildcard on a public host": (["0.0.0.0:2376"], CLOUD, "listen-public-address"),
    "wildcard, public by IPv6 only": (["0.0.0.0:2376"], CLOUD_V6, "listen-public-address"),
    "IPv6 wildcard on a public host": (["[::]:2376"], CLOUD, "listen-public-address"),
    "no private address": (["private"], host("203.0.113.9"), "listen-no-private-address"),
    "both wildcards": (["0.0.0.0:2376", "[::]:2376"], HOME, "listen-overlap"),
    "wildcard and address": (["0.0.0.0:2376", "10.0.0.5:2376"], HOME, "listen-overlap"),
    "address and wildcard": (["10.0.0.5:2376", "0.0.0.0:2376"], HOME, "listen-overlap"),
    "wildcard and IPv6": (["0.0.0.0:2376", "[fd00::5]:2376"], HOME, "listen-overlap"),
}


@pytest.mark.parametrize("name", BAD)
def test_resolve_listen_bad_entry_is_one_error(name: str) -> None:
    entries, addresses, code = BAD[name]
    found = resolve(entries, addresses)
    assert [(item.severity, item.code) for item in found.findings] == [("error", code)]
    assert found.findings[0].hint


def test_resolve_listen_all_errors_come_together() -> None:
    found = resolve(["10.0.0.5", "203.0.113.9:2376", "unix:///x", "10.0.0.5:2375", "10.0.0.5:2376"])
    codes = [
        "listen-port-missing",
        "listen-public-address",
        "listen-address-absent",
        "listen-scheme-unsupported",
        "listen-port-2375",
    ]
    assert [item.code for item in found.findings] == codes
    assert "tcp://10.0.0.5:2376" in found.urls()


ALLOWED = {
    "public address": (["203.0.113.9:2376"], CLOUD, {"allow_public_address": True}, "tcp://203.0.113.9:2376"),
    "wildcard": (["0.0.0.0:2376"], CLOUD, {"allow_public_address": True}, "tcp://0.0.0.0:2376"),
    "2375": (["10.0.0.5:2375"], HOME, {"allow_port_2375": True}, "tcp://10.0.0.5:2375"),
    "missing port": (["10.0.0.5"], HOME, {"allow_port_2375": True}, "tcp://10.0.0.5:2375"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_resolve_listen_risk_that_the_user_takes_is_allowed(name: str) -> None:
    entries, addresses, options, url = ALLOWED[name]
    found = resolve(entries, addresses, **options)
    assert (found.urls(), found.findings) == ((url,), ())
    assert any("docker_daemon_allow_" in item.hint for item in resolve(entries, addresses).findings)


SOCKET = {
    "address that comes later": (["10.0.0.77:2376"], HOME, [("warning", "listen-address-absent")]),
    "wildcard and IPv6": (["0.0.0.0:2376", "[fd00::5]:2376"], HOME, []),
    "IPv6 and wildcard": (["[fd00::5]:2376", "0.0.0.0:2376"], HOME, []),
    "both wildcards": (["0.0.0.0:2376", "[::]:2376"], HOME, [("error", "listen-overlap")]),
    "both wildcards, other order": (["[::]:2376", "0.0.0.0:2376"], HOME, [("error", "listen-overlap")]),
    "IPv6 wildcard and IPv4": (["10.0.0.5:2376", "[::]:2376"], HOME, [("error", "listen-overlap")]),
    "wildcard is IPv4 only": (["0.0.0.0:2376"], CLOUD_V6, []),
    "public": (["0.0.0.0:2376"], CLOUD, [("error", "listen-public-address")]),
}


@pytest.mark.parametrize("name", SOCKET)
def test_resolve_listen_socket_listener_has_other_rules(name: str) -> None:
    entries, addresses, wanted = SOCKET[name]
    found = resolve(entries, addresses, listener="systemd")
    assert [(item.severity, item.code) for item in found.findings] == wanted


def test_resolve_listen_wildcard_says_that_it_is_ipv6_too() -> None:
    assert "for IPv6 too" in resolve(["0.0.0.0:2376"], CLOUD_V6).findings[0].message
    assert "for IPv6 too" not in resolve(["0.0.0.0:2376"], CLOUD).findings[0].message


def test_resolve_listen_private_leaves_passing_addresses_out() -> None:
    passing = classify("eth0", ipaddress.ip_address("fd00::aaaa"), is_temporary=True)
    assert resolve(["private"], [*HOME, passing]).urls() == resolve(["private"]).urls()


@pytest.mark.parametrize(
    ("entries", "needs"),
    [
        (["0.0.0.0:2376"], False),
        (["127.0.0.1:2376"], False),
        (["0.0.0.0:1", "10.0.0.5:2376"], True),
        (["private"], True),
    ],
)
def test_needs_network_is_for_addresses_that_must_be_up(entries: list[str], needs: bool) -> None:
    assert resolve(entries).needs_network() is needs


def test_client_addresses_of_a_wildcard_are_all_that_others_reach() -> None:
    assert client_addresses(resolve(["0.0.0.0:2376"]), HOME) == ("10.0.0.5", "192.168.7.5", "fd00::5")
    assert client_addresses(resolve(["10.0.0.5:2376", "127.0.0.1:2376", "10.0.0.5:1"]), HOME) == (
        "10.0.0.5",
        "127.0.0.1",
    )


@settings(deadline=None)
@given(st.ip_addresses(), st.integers(1, 65535))
def test_listen_address_any_is_read_back(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    item = ListenAddress(ip, port)
    found = resolve([item.url()], host(str(ip)), allow_public_address=True, allow_port_2375=True)
    unusable = {"listen-address-unusable"}
    assert found.urls() == (item.url(),) or {finding.code for finding in found.findings} == unusable


@settings(deadline=None)
@given(st.text(max_size=20) | st.text("tcp:/[]0123456789.abcdef%", max_size=20))
def test_resolve_listen_any_text_is_an_address_or_an_error(text: str) -> None:
    found = resolve([text])
    assert found.addresses or found.findings
