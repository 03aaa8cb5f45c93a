# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HAProxy's configuration for the listener ``proxy``: mutual TLS, rights by access group, and a log, in front of Docker's socket. |.

``kind`` is ``request`` (one request and its response), ``stream`` (a connection that the proxy passes on unfiltered: BuildKit, and
``docker exec`` where HAProxy cannot filter it) or ``connection`` (a connection without a request: a refused handshake).

Never in it: query strings (they can hold credentials of a registry), headers (``X-Registry-Auth``), bodies. Everything that a client
chooses passes HAProxy's ``json`` converter, so it can neither end the string nor the line. ``bytes`` limits it, so that a line fits
``log len``; a path is longer only where nothing real has it.

The frontend is in TCP mode and switches to HTTP after the first bytes, because Docker takes connections over in ways that HAProxy's HTTP mode
does not carry everywhere (measured: ``docker exec`` fails with 2.6, BuildKit with 3.0):

* ``POST /session`` and ``/grpc`` (BuildKit) of a client with full rights are passed on as they are; with HAProxy before 3.0.11 also ``exec``.
* Everything else becomes HTTP: it is filtered by the group's rights and logged request by request.
* A client without full rights never gets an unfiltered connection, for nothing holds in it.

24 bytes decide: every HTTP request has them, and they hold the method and the beginning of the path. (``req.payload(0,0)`` would wait for
``inspect-delay`` instead.) Who sends less and waits becomes HTTP.

TLS sessions are never resumed: a resumed session is not verified again, so a revoked client would connect (measured, TLS 1.2 and 1.3).
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .authorities import issuer_name
from .rights import ALL, EXEC_START, OTHER_BUILDER, PLAIN_QUERY, Rights, Rule
from .state import MAXIMUM_CONNECTIONS

#: HAProxy cuts a line off here (``log … len``): 2,048 bytes of path can become twice as many by the converter.
MAXIMUM_LINE = 8192
_MAXIMUM_PATH = 2048

#: Variables of HAProxy that the frontend and the backends set, read by ``FIELDS``.
GROUP, METHOD, PATH, STATUS, KIND = "txn.group", "txn.method", "txn.path", "txn.status", "txn.kind"

_UTC = "%[date,utime(%Y-%m-%dT%H:%M:%SZ)]"


def _text(source: str) -> str:
    return f'"%[{source},json(utf8s)]"'


#: Field and HAProxy's expression for it, in the order of the line. docs: "What the log of the proxy contains".
REQUEST_FIELDS: tuple[tuple[str, str], ...] = (
    ("time", f'"{_UTC}"'),
    ("kind", f'"%[var({KIND})]"'),
    ("client", _text("ssl_c_s_dn(CN)")),
    ("group", f'"%[var({GROUP})]"'),
    ("serial", '"%[ssl_c_serial,hex,lower]"'),
    ("address", '"%[src]"'),
    ("method", _text(f"var({METHOD}),bytes(0,32)")),
    ("path", _text(f"var({PATH}),bytes(0,{_MAXIMUM_PATH})")),
    ("status", f'"%[var({STATUS})]"'),
    ("bytes_sent", "%B"),
    ("bytes_received", "%U"),
    ("duration_ms", "%Tt"),
    ("end", '"%ts"'),
)

#: A connection that ended before a request: ``error`` in OpenSSL's words, ``verify_error`` its number (10 expired, 23 revoked).
CONNECTION_FIELDS: tuple[tuple[str, str], ...] = (
    ("time", f'"{_UTC}"'),
    ("kind", '"connection"'),
    ("client", _text("ssl_c_s_dn(CN)")),
    ("serial", '"%[ssl_c_serial,hex,lower]"'),
    ("address", '"%[src]"'),
    ("error", _text("fc_err_str")),
    ("verify_error", "%[ssl_c_err]"),
)


def log_format(fields: tuple[tuple[str, str], ...]) -> str:
    """Return HAProxy's log format for ``fields``: one JSON object."""
    return "{" + ",".join(f'"{name}":{source}' for name, source in fields) + "}"


#: The oldest HAProxy that this configuration was run on (Debian 12).
MINIMUM_VERSION = (2, 6)
#: The first one that was seen to carry ``docker exec`` with its input in HTTP mode.
_CARRIES_EXEC = (3, 0, 11)
#: The first one that has ``timeout client-hs``.
_LIMITS_HANDSHAKES = (2, 9)

_GROUP_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,57}")
_FILE_NAME = re.compile(r"/[a-zA-Z0-9_.@+/-]{1,250}")
#: A connection that sends nothing needs no certificate, and HAProxy before 2.9 waits for ``timeout client`` then. One address
#: cannot take more than an eighth of all connections. (A docker command has one to three, ``docker compose logs`` one a container.)
_CONNECTIONS_OF_ONE_ADDRESS = 250
#: A request's header has to fit: ``docker build`` sends the credentials of all registries in one (X-Registry-Config, 3.5 KiB for each of
#: Amazon's), and 15 KiB would be the default. Memory is taken only by connections that carry something.
_BUFFER = 65536
_YEAR = 366 * 86400
#: X509_V_ERR_CRL_HAS_EXPIRED is ignored for lists that end before their authority: a list still refuses all that it revokes, and without this
#: no client would be admitted from its end until the next run.
_PAST_ITS_END = " crt-ignore-err 12 ca-ignore-err 12"

#: Status codes that HAProxy itself answers with, and the text that a Docker client then shows after "Error response from daemon:".
#: A request that it cannot parse at all gets HAProxy's own page: its frontend is in TCP mode.
_ERRORS = {
    400: "the proxy in front of Docker cannot read this request",
    408: "the proxy in front of Docker has waited too long for the rest of the request",
    413: "the request is too large for the proxy in front of Docker",
    500: "internal error of the proxy in front of Docker",
    502: "Docker closed the connection to its proxy without a complete response",
    503: "Docker is not running on this host; only its proxy answers",
    504: "Docker has not answered its proxy in time",
}


@dataclass(frozen=True)
class ProxyGroup:
    """An access group that the host admits: the names of its authorities as HAProxy writes them, and its rights."""

    name: str
    issuers: tuple[str, ...]
    rights: Rights = ALL

    @classmethod
    def of(cls, name: str, certificates: t.Iterable[t.Any], rights: Rights = ALL) -> ProxyGroup:
        """Return the group of the client authorities ``certificates`` (all its generations that the host trusts).

        Raises TlsError ``proxy-issuer-unnamed``, and ``proxy-issuer-unlimited`` where rights are limited and the authority could sign others.
        """
        listed = list(certificates)
        if not rights.is_full:
            for certificate in listed:
                _check_signs_no_authority(name, certificate)
        return cls(name, tuple(dict.fromkeys(map(issuer_name, listed))), rights)


@dataclass(frozen=True)
class ProxyConfig:
    """Everything that the configuration depends on.

    ``listen``: IP addresses with their ports. ``certificate_path``: one PEM with certificate, chain and key. ``crl_path``: CRLs of *all* authorities in
    ``ca_path``, for HAProxy refuses the clients of an authority without one; "" where there are none. ``crl_expires``: whether one ends before its authority.
    ``stream_timeout_seconds``: how long connections that are open at a reload may continue. ``haproxy_version``: as in ``haproxy -v``.
    """

    listen: tuple[tuple[str, int], ...]
    certificate_path: str
    ca_path: str
    crl_path: str
    groups: tuple[ProxyGroup, ...]
    docker_socket: str
    stream_timeout_seconds: int
    haproxy_version: tuple[int, ...]
    crl_expires: bool = False


def render(config: ProxyConfig) -> str:
    """Return haproxy.cfg.

    Raises TlsError ``proxy-config-invalid`` for values that cannot stand in it, ``proxy-version-unsupported``,
    ``proxy-issuer-ambiguous`` and ``rights-need-haproxy``.
    """
    _check(config)
    sections = [_global(config), *_defaults(config), _frontend(config), *_backends(config)]
    return "\n\n".join(sections) + "\n"


def quoted(text: str) -> str:
    """Return ``text`` as one word of the configuration (strong quotes: nothing in them has a meaning)."""
    return "'" + text.replace("'", "'\\''") + "'"


def _section(title: str, lines: t.Iterable[str]) -> str:
    return "\n".join([title, *(f"    {line}" for line in lines)])


def _message(text: str) -> str:
    """Return the body of an error as Docker's API has it, so that its clients show the text."""
    return quoted(json.dumps({"message": text}))


def _defaults(config: ProxyConfig) -> list[str]:
    """Return the settings of all connections, and the further ones for connections with requests.

    ``timeout client`` ends an upload that stands still, and a download whose client has stopped reading (``docker logs -f`` in a pager;
    measured with 2.6 and 3.0). Streams that are silent are not subject to it, but to 24 hours of silence from Docker. Before 2.9 it is
    also the limit of a handshake.
    """
    connections = [
        "mode tcp",
        "log global",
        "option dontlognull",
        "option clitcpka",
        "option disable-h2-upgrade",
        "timeout connect 5s",
        f"timeout client {'24h' if config.haproxy_version >= _LIMITS_HANDSHAKES else '1h'}",
        "timeout server 24h",
        "timeout tunnel 24h",
        "timeout http-request 30s",
        "timeout http-keep-alive 5m",
    ]
    error = "http-error status {} content-type application/json string {}"
    requests = [
        "mode http",
        *(error.format(code, _message(text)) for code, text in _ERRORS.items()),
        f"http-request set-var({KIND}) str(request)",
        f"http-request set-var({METHOD}) method",
        f"http-request set-var({PATH}) path",
        f"http-after-response set-var({STATUS}) status",
    ]
    return [_section("defaults connections", connections), _section("defaults requests from connections", requests)]


def _global(config: ProxyConfig) -> str:
    lines = [
        f"log stderr len {MAXIMUM_LINE} format raw local0 info",
        f"maxconn {MAXIMUM_CONNECTIONS}",
        f"hard-stop-after {config.stream_timeout_seconds}s",
        "ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
        "tune.ssl.cachesize 0",
        f"tune.bufsize {_BUFFER}",
    ]
    return "# Written by portcullis.docker_tls; changes made here are replaced.\n" + _section("global", lines)


def _frontend(config: ProxyConfig) -> str:
    crl = f" crl-file {config.crl_path}{_PAST_ITS_END if config.crl_expires else ''}" if config.crl_path else ""
    tls = f"ssl crt {config.certificate_path} ca-file {config.ca_path}{crl} verify required alpn http/1.1"
    lines = [f"bind {_address(address)}:{port} transparent {tls}" for address, port in config.listen]
    lines += [
        *(["timeout client-hs 10s"] if config.haproxy_version >= _LIMITS_HANDSHAKES else []),
        f"log-format {quoted(log_format(REQUEST_FIELDS))}",
        f"error-log-format {quoted(log_format(CONNECTION_FIELDS))}",
        "stick-table type ipv6 size 10k expire 1m store conn_cur",
        "tcp-request connection track-sc0 src",
        f"tcp-request connection reject if {{ sc0_conn_cur gt {_CONNECTIONS_OF_ONE_ADDRESS} }}",
        "tcp-request inspect-delay 10s",
    ]
    for number, group in enumerate(config.groups):
        names = " ".join(map(quoted, group.issuers))
        lines += [
            f"acl group{number} ssl_c_i_dn -m str {names}",
            f"tcp-request content set-var({GROUP}) str({group.name}) if group{number}",
        ]
    full = _conditions(config)
    for condition in full:
        lines += _unfiltered(condition, config)
    lines.append("tcp-request content switch-mode http if { req.len ge 24 }")
    for condition in full:
        lines += [f"use_backend stream if {condition} {each}".replace("  ", " ") for each in _taken_over(config)]
        lines.append(f"use_backend full if {condition}" if condition else "default_backend full")
    for number, group in enumerate(config.groups):
        if not group.rights.is_full:
            lines.append(f"use_backend group{number} if group{number}")
    if full != [""]:
        lines.append("default_backend unknown")
    return _section("frontend docker from connections", lines)


def _conditions(config: ProxyConfig) -> list[str]:
    """Which clients have all rights: by group, or all that were verified where no group is limited."""
    if all(group.rights.is_full for group in config.groups):
        return [""]
    return [f"group{number}" for number, group in enumerate(config.groups) if group.rights.is_full]


_BUILDKIT = r"{ req.payload(0,24) -m reg '^POST (/v[0-9.]+)?/(session|grpc)[ ?]' }"
_EXEC = r"{ req.payload(0,24) -m reg '^POST (/v[0-9.]+)?/exec/' }"
#: The path of an exec: dockerd's identifiers of exec instances have 64 digits.
_EXEC_LINE = len("POST /exec//start HTTP/1.1") + 64


def _taken_over(config: ProxyConfig) -> tuple[str, ...]:
    return (_BUILDKIT,) if config.haproxy_version >= _CARRIES_EXEC else (_BUILDKIT, _EXEC)


def _unfiltered(condition: str, config: ProxyConfig) -> list[str]:
    """Note the first bytes of a connection, for the log, and pass it on."""
    lines = []
    for each in _taken_over(config):
        whole = f"{condition} {each}".strip()
        size = 24 if each == _BUILDKIT else _EXEC_LINE
        path = f"\"req.payload(0,{size}),field(2,' '),field(1,?)\""
        lines += [
            f"tcp-request content set-var({KIND}) str(stream) if {whole}",
            f"tcp-request content set-var({METHOD}) str(POST) if {whole}",
            f"tcp-request content set-var({PATH}) {path} if {whole} {{ req.len ge {size} }}",
            f"tcp-request content accept if {whole}",
        ]
    return lines


def _backends(config: ProxyConfig) -> list[str]:
    server = f"server docker unix@{config.docker_socket}"
    found = [_section("backend stream from connections", [server])]
    if _conditions(config):
        found.append(_section("backend full from requests", [*_AFTER_EXEC, server]))
    for number, group in enumerate(config.groups):
        if not group.rights.is_full:
            found.append(_section(f"backend group{number} from requests", [*_limits(group), server]))
    if _conditions(config) != [""]:
        text = "the authority of your certificate belongs to no access group of this host"
        found.append(_section("backend unknown from requests", [f"http-request {_deny(text)}"]))
    return found


#: The next request of a client that has created an exec is its start, which then comes on a new connection: its input is lost on
#: one that is in HTTP mode already with HAProxy before 3.0.11 (docker-py keeps its connections).
_AFTER_EXEC = ["http-after-response set-header Connection close if { var(txn.path) -m end /exec }"]


def _limits(group: ProxyGroup) -> list[str]:
    """The allow list. A request with an absolute URI (http://…) has a path that HAProxy and dockerd may read differently."""
    text = f"the access group {group.name} may not do this on this host; its rights are: {group.rights.name}"
    upgrades = [rule for rule in group.rights.rules if rule.takes_connection_over]
    others = [rule for rule in dict.fromkeys(group.rights.rules) if rule not in upgrades]
    after = _AFTER_EXEC if any(rule.shape == EXEC_START for rule in upgrades) else []
    return [
        *map(_allow, upgrades),
        "http-request del-header Upgrade",
        *map(_allow, others),
        f"http-request {_deny(text)}",
        *after,
    ]


def _allow(rule: Rule) -> str:
    what = "url" if rule.excludes_query else "path"
    matches = f"{{ method {' '.join(rule.methods)} }} {{ {what} -m reg {quoted(rule.expression)} }}"
    builder = f" {_CLASSIC_BUILDER}" if rule.builds else ""
    return f"http-request allow if {matches}{builder} {{ url -m beg / }}"


#: The query must not choose BuildKit. A form in the body, in which Go finds parameters too, is refused whatever it holds.
_CLASSIC_BUILDER = (
    f"{{ url -m reg {quoted(PLAIN_QUERY)} }} !{{ url -m reg {quoted(OTHER_BUILDER)} }} "
    "!{ req.hdr(content-type) -i -m sub form }"
)


def _deny(text: str) -> str:
    return f"deny status 403 content-type application/json string {_message(text)}"


def _address(text: str) -> str:
    address = ipaddress.ip_address(text)
    return f"ipv4@{address}" if address.version == 4 else f"ipv6@[{address}]"


def _check(config: ProxyConfig) -> None:
    if config.haproxy_version < MINIMUM_VERSION:
        found = ".".join(map(str, config.haproxy_version))
        raise TlsError(
            f"HAProxy {found} is too old for the listener proxy; it needs 2.6",
            hint="Choose docker_daemon_listener: systemd or dockerd on this host, or install a newer HAProxy.",
            code="proxy-version-unsupported",
        )
    for option in ("certificate_path", "ca_path", "crl_path", "docker_socket"):
        value = getattr(config, option)
        if not _FILE_NAME.fullmatch(value) and (value or option != "crl_path"):
            raise _invalid(option, value, "Use an absolute path of letters, digits and . _ @ + - only.")
    if not config.listen or not all(_is_address(address) and 1 <= port <= 65535 for address, port in config.listen):
        raise _invalid("listen", config.listen, "Write one or more IP addresses, each with a port from 1 to 65535.")
    if not 1 <= config.stream_timeout_seconds <= _YEAR:
        seconds = config.stream_timeout_seconds
        raise _invalid("stream_timeout_seconds", seconds, "Write at least one second, at most a year.")
    _check_groups(config)


def _check_groups(config: ProxyConfig) -> None:
    if not config.groups:
        raise _invalid("groups", "()", "Admit one access group or more.")
    owners: dict[str, str] = {}
    for group in config.groups:
        if not _GROUP_NAME.fullmatch(group.name):
            raise _invalid("groups", group.name, "Use lower-case letters, digits, hyphens and underscores.")
        if not group.issuers or not all(each.isprintable() for each in group.issuers):
            raise _invalid("groups", group.name, "Give the client authorities of the group.")
        for issuer in group.issuers:
            if owners.setdefault(issuer, group.name) != group.name:
                raise _ambiguous(issuer, owners[issuer], group.name)
        for rule in group.rights.rules:
            if rule.shape == EXEC_START and config.haproxy_version < _CARRIES_EXEC:
                version = ".".join(map(str, config.haproxy_version))
                raise TlsError(
                    f"the rights of the access group {group.name} contain {rule.path}, which HAProxy {version} cannot carry on a filtered connection",
                    hint="Give the group the right full on this host, or install HAProxy 3.0.11 or newer.",
                    code="rights-need-haproxy",
                )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _invalid(option: str, value: t.Any, hint: str) -> TlsError:
    return TlsError(f"the proxy cannot be configured with {option} {value!r}", hint=hint, code="proxy-config-invalid")


def _ambiguous(issuer: str, first: str, second: str) -> TlsError:
    return TlsError(
        f"the access groups {first} and {second} both have a client authority with the name {issuer}, so the proxy cannot distinguish their clients",
        hint="Give one of them an authority with another name, for example a new one made by this collection.",
        code="proxy-issuer-ambiguous",
    )


def _check_signs_no_authority(name: str, certificate: t.Any) -> None:
    """Below an authority that permits others, one with the name of another group's authority could be made."""
    constraints = next((each.value for each in certificate.extensions if each.oid.dotted_string == "2.5.29.19"), None)
    if constraints is not None and constraints.ca and constraints.path_length == 0:
        return
    raise TlsError(
        f"the client authority {certificate.subject.rfc4514_string()!r} of the access group {name} permits further authorities below it, "
        "which could take the name of another group's authority; so the rights of its clients cannot be limited",
        hint="Give the group the right full, or create an authority for it with this collection (its path length is 0).",
        code="proxy-issuer-unlimited",
    )
