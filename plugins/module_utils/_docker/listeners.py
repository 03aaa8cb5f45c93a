# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where dockerd listens: checked, and resolved against the host's addresses.

Source of the traps: dockerd-facts 1.5 (measured, dockerd 20.10.5 to 29.7): no port means 2375 even with TLS, ``:2376`` is
loopback only, ``0.0.0.0`` is IPv6 as well, an address that is missing at the start takes the whole daemon down.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .._host.network import Address, IPAddress, is_private, usable
from .findings import Finding, error, warning

PLAIN_PORT = 2375
_WILDCARDS = ("0.0.0.0", "[::]")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)")
_BRACKETED = re.compile(r"\[(?P<ip>[^\]]*)\](?::(?P<port>.*))?")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_EXAMPLE = "Write for example 10.0.0.5:2376, [fd00::5]:2376, 0.0.0.0:2376 or private."


@dataclass(frozen=True)
class ListenAddress:
    """One TCP listener."""

    ip: IPAddress
    port: int

    def endpoint(self) -> str:
        """Return ``10.0.0.5:2376`` or ``[fd00::1]:2376``."""
        return f"[{self.ip}]:{self.port}" if self.ip.version == 6 else f"{self.ip}:{self.port}"

    def url(self) -> str:
        """Return ``tcp://10.0.0.5:2376``, as in daemon.json's hosts."""
        return f"tcp://{self.endpoint()}"


@dataclass(frozen=True)
class Listen:
    """The configured listeners, and their problems."""

    addresses: tuple[ListenAddress, ...]
    findings: tuple[Finding, ...]

    def urls(self) -> tuple[str, ...]:
        """Return the tcp:// URLs in order."""
        return tuple(item.url() for item in self.addresses)

    def endpoints(self) -> tuple[str, ...]:
        """Return ADDRESS:PORT in order, as ListenStream= of a socket unit takes them."""
        return tuple(item.endpoint() for item in self.addresses)

    def needs_network(self) -> bool:
        """Return whether a listener is bound to an address that must be up first (neither wildcard nor loopback)."""
        return any(not (item.ip.is_unspecified or item.ip.is_loopback) for item in self.addresses)


@dataclass(frozen=True)
class _Rules:
    """The rules for the entries."""

    addresses: tuple[Address, ...]
    freebind: bool  # listener "systemd": bound by systemd with FreeBind, and 0.0.0.0 is IPv4 only
    allow_public_address: bool
    allow_port_2375: bool


def resolve_listen(
    entries: t.Sequence[str],
    *,
    port: int,
    addresses: t.Sequence[Address],
    listener: str = "dockerd",
    allow_public_address: bool = False,
    allow_port_2375: bool = False,
) -> Listen:
    """Resolve ``private``, ADDRESS:PORT and [V6]:PORT, each also with tcp://; equal listeners count once.

    ``port`` is that of ``private``. ``addresses`` are the host's; ``listener``: dockerd or systemd. Never raises: a problem
    is in ``findings`` (errors and warnings), and only usable listeners are in ``addresses``.
    """
    rules = _Rules(tuple(addresses), listener != "dockerd", allow_public_address, allow_port_2375)
    findings: list[Finding] = []
    found: dict[ListenAddress, None] = {}
    if not entries:
        findings.append(error("listen-empty", "docker_daemon_listen names no address to listen on", _EXAMPLE))
    for entry in entries:
        try:
            items = _resolve(str(entry).strip(), port, rules)
        except TlsError as problem:
            findings.append(error(problem.code, problem.message, problem.hint))
            continue
        for item in items:
            findings += [finding for finding in _assess(item, rules) if finding not in findings]
            found[item] = None
    findings += _overlaps(list(found), rules)
    return Listen(tuple(found), tuple(findings))


def default_entries(port: int) -> tuple[str, ...]:
    """Return the default listeners, for an endpoint without setting that takes nothing over."""
    return (f"0.0.0.0:{port}",)


def kept_entries(urls: t.Iterable[str], port: int = 0) -> tuple[str, ...]:
    """Return the TCP listeners of an endpoint that is taken over as entries of docker_daemon_listen.

    ``port``: for all of them in place of their own, 0 for none (a plain listener cannot keep its port: TLS has another).
    """
    entries = [_kept_entry(url, port) for url in urls]
    wide = {entry.rpartition(":")[2] for entry in entries if is_wildcard(entry)}
    return tuple(dict.fromkeys(one for one in entries if is_wildcard(one) or one.rpartition(":")[2] not in wide))


def is_wildcard(entry: str) -> bool:
    """Return whether an entry of docker_daemon_listen stands for all addresses."""
    return entry.rpartition(":")[0] in _WILDCARDS


def _kept_entry(url: str, port: int) -> str:
    """Return ADDRESS:PORT of a listener; dockerd's defaults are 127.0.0.1 and 2375 (dockerd-facts 1.5)."""
    text = url.partition("://")[2] if "://" in url else url
    text = text.partition("/")[0]
    host, _colon, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not number.isdigit():
        host, number = text.rstrip(":"), str(PLAIN_PORT)
    return f"{host or '127.0.0.1'}:{port or number}"


def undecided(kept: t.Sequence[str], port: int) -> tuple[Finding, ...]:
    """Refuse to keep listeners that the controller cannot reach: the change would be made, and its verification from there would fail."""
    listed = ", ".join(kept)
    if all(entry.startswith(("127.", "[::1]")) for entry in kept):
        text = f"the endpoint that is taken over listens on {listed} only, where neither the controller nor clients elsewhere reach it"
        hint = f"Set docker_daemon_listen to {list(kept)} to keep them, otherwise to the wanted addresses."
        return (error("listen-undecided", text, hint),)
    if all(entry.rpartition(":")[2] != str(port) for entry in kept):
        text = f"the endpoint that is taken over listens on {listed}, and docker_daemon_port is {port}"
        hint = f"Set docker_daemon_port: {kept[0].rpartition(':')[2]} to keep that, or set docker_daemon_listen."
        return (error("listen-undecided", text, hint),)
    return ()


def is_on_host(addresses: t.Iterable[Address], wanted: str) -> bool:
    """Return whether a host that has ``addresses`` has this one now; all of 127.0.0.0/8 is always there."""
    ip = ipaddress.ip_address(wanted)
    return any(address.ip == ip for address in addresses) or (ip.version == 4 and ip.is_loopback)


def client_addresses(listen: Listen, addresses: t.Sequence[Address]) -> tuple[str, ...]:
    """Return the addresses that clients connect to: a wildcard stands for all lasting ones but loopback and link-local."""
    found: dict[str, None] = {}
    for item in listen.addresses:
        if item.ip.is_unspecified:
            found.update(dict.fromkeys(str(address.ip) for address in usable(addresses)))
        else:
            found[str(item.ip)] = None
    return tuple(found)


def _resolve(entry: str, port: int, rules: _Rules) -> list[ListenAddress]:
    """Return the listeners that one entry stands for. Raises TlsError for its form."""
    scheme = _SCHEME.fullmatch(entry)
    if scheme and scheme["scheme"] != "tcp":
        hint = f"dockerd speaks HTTPS on tcp:// as soon as TLS is on. {_EXAMPLE}"
        if scheme["scheme"] in ("fd", "unix"):
            hint = "Leave it out: the local socket that the unit has is kept without being named."
        raise _refused("listen-scheme-unsupported", f"docker_daemon_listen has {entry!r}, which is not tcp://", hint)
    rest = scheme["rest"] if scheme else entry
    if rest == "private" or rest.startswith("private:"):
        return _private(_port(rest[len("private:") :] or str(port), entry, rules), rules)
    host, port_text = _split(rest)
    return [ListenAddress(_ip(host, entry), _port(port_text, entry, rules))]


def _refused(code: str, problem: str, hint: str) -> TlsError:
    return TlsError(problem, hint=hint, code=code)


def _split(rest: str) -> tuple[str, str | None]:
    """Return (host, port or None) of an entry without its scheme."""
    bracketed = _BRACKETED.fullmatch(rest)
    if bracketed:
        return bracketed["ip"], bracketed["port"]
    if rest.count(":") > 1:  # a bare IPv6 address: which of its numbers would be the port?
        return rest, None
    host, colon, port = rest.partition(":")
    return host, port if colon else None


def _ip(host: str, entry: str) -> IPAddress:
    if not host:
        problem = f"docker_daemon_listen has {entry!r} without an address; dockerd would listen on 127.0.0.1 only"
        raise _refused("listen-address-missing", problem, "Write 0.0.0.0 for all addresses, or the one you mean.")
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        raise _no_address(host, entry) from None
    if ip.is_multicast or ip.is_link_local or str(ip) == "255.255.255.255" or getattr(ip, "ipv4_mapped", None):
        hint = "Take an address of the host that lasts and that clients can route to."
        raise _refused("listen-address-unusable", f"docker_daemon_listen has {entry!r}, no address to listen on", hint)
    return ip


def _no_address(host: str, entry: str) -> TlsError:
    if _HOST_NAME.fullmatch(host) and re.search("[A-Za-z_]", host):
        problem = f"docker_daemon_listen has {entry!r}, a host name, which dockerd would resolve again at every start"
        hint = "Write 127.0.0.1 for localhost, otherwise the address. Names belong in the certificate (docker_server_cert_names)."
        return _refused("listen-host-name", problem, hint)
    return _refused("listen-invalid", f"docker_daemon_listen has {entry!r}, which is not an address", _EXAMPLE)


def _port(text: str | None, entry: str, rules: _Rules) -> int:
    """Return the port. A missing one is 2375, as for dockerd, where the user allows that."""
    if not text:
        if rules.allow_port_2375:
            return PLAIN_PORT
        problem = f"docker_daemon_listen has {entry!r} without a port; dockerd would take 2375, where everyone expects plain HTTP"
        hint = f"{_EXAMPLE} To allow 2375 anyway, set docker_daemon_allow_port_2375: true."
        raise _refused("listen-port-missing", problem, hint)
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if not 1 <= number <= 65535:
        raise _refused(
            "listen-port-invalid",
            f"docker_daemon_listen has {entry!r}: {text} is not a port",
            "Ports are from 1 to 65535.",
        )
    if number == PLAIN_PORT and not rules.allow_port_2375:
        problem = (
            f"docker_daemon_listen has {entry!r}; 2375 is the port of Docker's API without TLS, so scanners look for it "
            "and clients speak plain HTTP to it"
        )
        raise _refused("listen-port-2375", problem, "Take 2376, or set docker_daemon_allow_port_2375: true.")
    return number


def _private(port: int, rules: _Rules) -> list[ListenAddress]:
    found = [ListenAddress(item.ip, port) for item in usable(rules.addresses) if item.is_private]
    if not found:
        have = ", ".join(str(item.ip) for item in usable(rules.addresses)) or "none but loopback"
        problem = f"docker_daemon_listen is private, but the host has no private address (it has: {have})"
        hint = "Name the addresses in docker_daemon_listen, for example 10.0.0.5:2376."
        raise _refused("listen-no-private-address", problem, hint)
    return found


def _assess(item: ListenAddress, rules: _Rules) -> list[Finding]:
    """Return the problems of a listener on this host."""
    if item.ip.is_unspecified:
        return [] if rules.allow_public_address else _assess_wildcard(item, rules)
    findings: list[Finding] = []
    if not (item.ip.is_loopback or is_private(item.ip) or rules.allow_public_address):
        text = f"{item.endpoint()} is a public address: Docker's API, which is root on the host, would be open to the internet"
        hint = "Take a private address, or set docker_daemon_allow_public_address: true."
        findings.append(error("listen-public-address", text, hint))
    here = is_on_host(rules.addresses, str(item.ip))
    if not here and rules.freebind:
        text = f"the host does not have the address {item.ip} now; {item.endpoint()} answers once it has"
        findings.append(warning("listen-address-absent", text))
    elif not here:
        have = ", ".join(str(address.ip) for address in usable(rules.addresses)) or "none but loopback"
        text = f"the host does not have the address {item.ip} (it has: {have}); dockerd would not start, nor Docker's local socket"
        hint = "Correct docker_daemon_listen, or set docker_daemon_listener: systemd, which can bind addresses that are added later."
        findings.append(error("listen-address-absent", text, hint))
    return findings


def _assess_wildcard(item: ListenAddress, rules: _Rules) -> list[Finding]:
    """Refuse a wildcard on a host that has a public address. dockerd binds 0.0.0.0 for IPv6 as well, systemd does not."""
    only_v4 = rules.freebind and item.ip.version == 4
    public = [a.ip for a in rules.addresses if a.is_public and not (only_v4 and a.ip.version == 6)]
    if not public:
        return []
    listed = ", ".join(map(str, public))
    also = "; dockerd binds 0.0.0.0 for IPv6 too" if item.ip.version == 4 and public[-1].version == 6 else ""
    text = (
        f"{item.endpoint()} means every address of the host, also the public {listed}{also}: Docker's API, which is root "
        "on the host, would be open to the internet"
    )
    hint = "Set docker_daemon_listen to private or to a list of addresses, or docker_daemon_allow_public_address: true."
    return [error("listen-public-address", text, hint)]


def _overlaps(items: t.Sequence[ListenAddress], rules: _Rules) -> list[Finding]:
    """Return an error for each listener that a wildcard on the same port already covers: the second bind would fail."""
    findings = []
    for index, item in enumerate(items):
        for other in items[index + 1 :]:
            wide, narrow = (item, other) if _covers(item, other, rules) else (other, item)
            if _covers(wide, narrow, rules):
                text = f"{wide.endpoint()} already covers {narrow.endpoint()}; dockerd would fail with address already in use"
                findings.append(error("listen-overlap", text, "Keep one of the two in docker_daemon_listen."))
    return findings


def _covers(wide: ListenAddress, narrow: ListenAddress, rules: _Rules) -> bool:
    if not wide.ip.is_unspecified or wide.port != narrow.port:
        return False
    return narrow.ip.is_unspecified or not (rules.freebind and wide.ip.version == 4 and narrow.ip.version == 6)
