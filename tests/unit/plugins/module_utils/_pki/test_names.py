# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names get one spelling, and what is not a name is refused with a message that names it."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names

LABEL_63 = "a" * 63


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("docker1.example.org", "docker1.example.org", id="dns"),
        pytest.param("Docker1.Example.ORG", "docker1.example.org", id="lower-case"),
        pytest.param("  docker1.example.org\n", "docker1.example.org", id="spaces-around"),
        pytest.param("docker1.example.org.", "docker1.example.org", id="trailing-dot"),
        pytest.param("docker1", "docker1", id="single-label"),
        pytest.param("localhost", "localhost", id="localhost"),
        pytest.param("web_1", "web_1", id="underscore"),
        pytest.param("_x._y.lan", "_x._y.lan", id="underscore-first"),
        pytest.param("3com.example", "3com.example", id="digit-first"),
        pytest.param("10.example.org", "10.example.org", id="digits-label"),
        pytest.param("a--b.example", "a--b.example", id="double-hyphen"),
        pytest.param(f"{LABEL_63}.example", f"{LABEL_63}.example", id="label-63"),
        pytest.param(".".join([LABEL_63] * 3 + ["a" * 61]), ".".join([LABEL_63] * 3 + ["a" * 61]), id="name-253"),
        pytest.param("*.apps.example.org", "*.apps.example.org", id="wildcard"),
        pytest.param("*.docker.lan", "*.docker.lan", id="wildcard-two-labels"),
        pytest.param("bücher.example", "xn--bcher-kva.example", id="idn"),
        pytest.param("BÜCHER.Example", "xn--bcher-kva.example", id="idn-upper-case"),
        pytest.param("*.bücher.example", "*.xn--bcher-kva.example", id="idn-wildcard"),
        pytest.param("xn--bcher-kva.example", "xn--bcher-kva.example", id="a-label"),
        pytest.param("пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f", id="idn-cyrillic"),
        pytest.param("例え。テスト", "xn--r8jz45g.xn--zckzah", id="idn-ideographic-dot"),
        pytest.param("192.168.1.5", "192.168.1.5", id="ipv4"),
        pytest.param("127.0.0.1", "127.0.0.1", id="ipv4-loopback"),
        pytest.param("fd00::5", "fd00::5", id="ipv6"),
        pytest.param("FD00:0:0:0:0:0:0:5", "fd00::5", id="ipv6-long"),
        pytest.param("2001:db8::192.0.2.1", "2001:db8::c000:201", id="ipv6-dotted-tail"),
        pytest.param("[fd00::5]", "fd00::5", id="ipv6-brackets"),
        pytest.param("::1", "::1", id="ipv6-loopback"),
        pytest.param("dirname:CN=ops alice", "dirname:CN=ops alice", id="client"),
        pytest.param(r"dirname:CN=a\,b", r"dirname:CN=a\,b", id="client-escaped"),
        pytest.param("dirname:CN=a,b", r"dirname:CN=a\,b", id="client-unescaped"),
    ],
)
def test_normalize_name_good_name_gets_its_canonical_spelling(text: str, expected: str) -> None:
    assert names.normalize_name(text) == expected
    assert names.normalize_name(expected) == expected
    assert names.is_name(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("   ", "is empty", id="blank"),
        pytest.param("https://docker1.example.org:2376/", "is a URL", id="url"),
        pytest.param("tcp://10.0.0.5:2376", "is a URL", id="docker-url"),
        pytest.param("/etc/docker", "is a URL or a path", id="path"),
        pytest.param("10.0.0.0/24", "is a network", id="network"),
        pytest.param("fd00::/8", "is a network", id="network6"),
        pytest.param("docker1:2376", "has a port", id="port"),
        pytest.param("10.0.0.5:2376", "has a port", id="ipv4-port"),
        pytest.param("[fd00::5]:2376", "has a port", id="ipv6-port"),
        pytest.param("DNS:docker1", "is neither a host name nor an IPv6 address", id="openssl-prefix"),
        pytest.param("fd00::5%eth0", "has a zone", id="zone"),
        pytest.param("[fe80::1%eth0]", "has a zone", id="zone-brackets"),
        pytest.param("fd00:::5", "is neither", id="ipv6-broken"),
        pytest.param("[fd00::5", "is neither", id="ipv6-half-brackets"),
        pytest.param("::ffff:10.0.0.5", "is an IPv4 address in IPv6 spelling", id="ipv4-mapped"),
        pytest.param("::", "is not an address that a client connects to", id="ipv6-unspecified"),
        pytest.param("ff02::1", "is not an address that a client connects to", id="ipv6-multicast"),
        pytest.param("0.0.0.0", "is not an address that a client connects to", id="ipv4-unspecified"),
        pytest.param("224.0.0.1", "is not an address that a client connects to", id="ipv4-multicast"),
        pytest.param("255.255.255.255", "is not an address that a client connects to", id="ipv4-broadcast"),
        pytest.param("010.0.0.1", "has leading zeros", id="ipv4-leading-zero"),
        pytest.param("10.0.0.00", "has leading zeros", id="ipv4-double-zero"),
        pytest.param("10.0.0", "looks like an IPv4 address", id="ipv4-three"),
        pytest.param("10.0.0.0.1", "looks like an IPv4 address", id="ipv4-five"),
        pytest.param("10.0.0.256", "looks like an IPv4 address", id="ipv4-256"),
        pytest.param("10..0.1", "looks like an IPv4 address", id="ipv4-empty-octet"),
        pytest.param("3232235777", "looks like an IPv4 address", id="ipv4-integer"),
        pytest.param("10.0.0.x5.1", "ends in a number", id="last-label-number"),
        pytest.param("\uff11\uff12\uff17.0.0.1", "ends in a number", id="ipv4-full-width"),
        pytest.param("*", "is a wildcard over a whole", id="star"),
        pytest.param("*.lan", "is a wildcard over a whole", id="star-tld"),
        pytest.param("a.*.example.org", "has a * elsewhere", id="star-inside"),
        pytest.param("*.*.example.org", "has a * elsewhere", id="star-twice"),
        pytest.param("web*.example.org", "has a * elsewhere", id="star-partial"),
        pytest.param("-a.example", "is not a host name", id="hyphen-first"),
        pytest.param("a-.example", "is not a host name", id="hyphen-last"),
        pytest.param("a..example", "is not a host name", id="empty-label"),
        pytest.param(".example", "is not a host name", id="dot-first"),
        pytest.param("a.example..", "is not a host name", id="two-trailing-dots"),
        pytest.param("docker host", "is not a host name", id="space"),
        pytest.param("docker\n1", "is not a host name", id="newline"),
        pytest.param("docker\x00.example.org", "is not a host name", id="nul"),
        pytest.param("root@docker1", "is a mail address", id="user-at-host"),
        pytest.param("{{ ansible_fqdn }}", "is not a host name", id="jinja"),
        pytest.param(f"a{LABEL_63}.example", "is too long", id="label-64"),
        pytest.param(".".join([LABEL_63] * 4), "is too long", id="name-255"),
        pytest.param("a" * 100_000, "is too long", id="huge"),
        pytest.param("straße.example", "IDNA 2003 and 2008", id="idn-sharp-s"),
        pytest.param("βόλος.example", "IDNA 2003 and 2008", id="idn-final-sigma"),
        pytest.param("a\u200db.example", "IDNA 2003 and 2008", id="idn-joiner"),
        pytest.param("ü" * 70 + ".example", "is not a host name in any script", id="idn-label-too-long"),
        pytest.param("a\u06ddb.example", "is not a host name", id="idn-prohibited"),
        pytest.param("urn:uuid:1", "is ", id="other-urn"),
    ],
)
def test_normalize_name_bad_name_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(TlsError) as caught:
        names.normalize_name(text, "an entry of names")
    assert caught.value.code == "name-invalid"
    assert says in caught.value.message
    assert caught.value.message.startswith("an entry of names ")
    assert caught.value.hint
    assert len(caught.value.message) < 700
    assert not names.is_name(text)


def test_normalize_names_order_and_doubles_do_not_matter() -> None:
    texts = ["10.0.0.10", "b.example", "fd00::1", "A.example", "10.0.0.9", "a.example.", "dirname:CN=x"]
    expected = ("dirname:CN=x", "a.example", "b.example", "10.0.0.9", "10.0.0.10", "fd00::1")
    assert names.normalize_names(texts) == expected
    assert names.normalize_names(reversed(texts)) == expected
    assert names.normalize_names([]) == ()


@pytest.mark.parametrize(
    ("common_name", "expected"),
    [
        pytest.param("portainer", "dirname:CN=portainer", id="plain"),
        pytest.param("ops alice", "dirname:CN=ops alice", id="space"),
        pytest.param("a/b:c", "dirname:CN=a/b:c", id="delimiters"),
        pytest.param("Example, Inc", r"dirname:CN=Example\, Inc", id="comma"),
        pytest.param("#1", r"dirname:CN=\#1", id="hash"),
        pytest.param("a\\b", r"dirname:CN=a\\b", id="backslash"),
        pytest.param("Jörg", "dirname:CN=Jörg", id="umlaut"),
    ],
)
def test_client_identity_any_name_is_a_valid_name(common_name: str, expected: str) -> None:
    assert names.client_identity(common_name) == expected
    assert names.normalize_name(expected) == expected
    directory_name = names.general_names([expected])[0]
    assert directory_name.value.rfc4514_string() is not None
    assert [attribute.value for attribute in directory_name.value] == [common_name]


@pytest.mark.parametrize("text", ["dirname:CN=", "dirname:CN=" + "a" * 65, "dirname:CN=a\nb"])
def test_normalize_name_bad_client_is_refused(text: str) -> None:
    with pytest.raises(TlsError) as caught:
        names.normalize_name(text, "an entry of names")
    assert caught.value.code == "common-name-invalid"
    assert "an entry of names" in caught.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        (" a", "\\ a"),
        ("a ", "a\\ "),
        (" ", "\\ "),
        ("#a", "\\#a"),
        ('a"b', 'a\\"b'),
        ("a\x00", "a\\00"),
        ("", ""),
    ],
)
def test_escape_value_follows_rfc_4514(value: str, expected: str) -> None:
    assert names.escape_value(value) == expected


def test_general_names_each_kind_has_its_type() -> None:
    made = names.general_names(["docker1.example.org", "10.0.0.5", "fd00::5", "dirname:CN=x"])
    assert made == [
        x509.DNSName("docker1.example.org"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.5")),
        x509.IPAddress(ipaddress.ip_address("fd00::5")),
        x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])),
    ]


@pytest.mark.parametrize("text", ["a", "a" * 64, "Docker CA", "ü" * 32, "O'Brien, <x>"])
def test_check_common_name_good_text_passes(text: str) -> None:
    names.check_common_name(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("a" * 65, "has 65 characters", id="65"),
        pytest.param("ü" * 33, "has 66 characters", id="33-umlauts"),
        pytest.param(" a", "spaces around", id="space-first"),
        pytest.param("a\n", "spaces around", id="newline"),
        pytest.param("a\x00b", "cannot be printed", id="nul"),
        pytest.param("a\ud800", "cannot be printed", id="surrogate"),
    ],
)
def test_check_common_name_bad_text_names_the_option(text: str, says: str) -> None:
    with pytest.raises(TlsError) as caught:
        names.check_common_name(text, "docker_server_cert_common_name")
    assert caught.value.code == "common-name-invalid"
    assert says in caught.value.message
    assert "docker_server_cert_common_name" in caught.value.message


@pytest.mark.parametrize(
    "name", ["10.0.0.5", "::1", "fd00::a", "fe80::1%eth0", "host1", "host.example.org", "1.2.3", "a:b", "10.0.0.x", ""]
)
def test_address_or_none_says_what_the_library_says(name: str) -> None:
    try:
        expected = ipaddress.ip_address(name)
    except ValueError:
        expected = None
    assert names.address_or_none(name) == expected
