# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our drop-ins and our socket unit: the command of dockerd, the check before each start, the addresses that may connect. |.

systemd attaches a BPF program to the unit's cgroup, which needs the unified hierarchy (systemd.resource-control(5)); where that is
missing systemd only logs it and admits every address. So support is checked before, and a source that is not allowed is tried
afterwards. Dropped packets have no answer: a client waits for its own timeout (measured on Debian 12 and 13). It counts in both
directions and for the whole unit, which is why docker.service itself cannot have it.

Without its TLS settings no TCP port is opened. With the listener ``systemd``, dockerd serves a socket that systemd passes to it in plain text,
without a word in the log, when daemon.json has no TLS settings (dockerd-facts 2.2). So the settings are checked each time, and where they are
not ours any more the TCP socket is closed and Docker starts with its local socket. If the socket cannot be closed, Docker does not start. The
script stands in the unit itself: a file of its own could be deleted, and Docker would not start then.

With the listener ``dockerd``, the drop-in takes ``-H`` out of the unit's command, because dockerd refuses it together with ``hosts`` in
daemon.json. Where daemon.json names no ``hosts``, dockerd would take its default: its own Unix socket in the place of systemd's, or, with any
TLS setting in the file, only tcp://localhost:2376 (measured, 20.10 to 28.5: local clients hang, and ``tlsverify: false`` lets every local user
in). So the unit's local listeners are passed as flags at each start at which daemon.json has no ``hosts``. systemd reads EnvironmentFile=
shortly before it executes each command, so ExecStartPre= can write the file for ExecStart= (systemd.exec(5)).

The name sorts after what people and packages use (``override.conf``, ``50-…``), because the last ExecStart= counts.

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
import ipaddress
import json
import os
import re
import socket
import typing as t
from dataclasses import dataclass

from .._files import read_bytes_or_none
from .command_line import quote_word, split_words
from .exec_start import Derivation, local_hosts
from .findings import Finding, error, warning
from .systemd import Services, UnitState, listeners_path
from .unit_file import OWN_MARK, parse_assignments

_UNIFIED = "/sys/fs/cgroup/cgroup.controllers"
#: Loopback has all of 127.0.0.0/8, and only 127.0.0.1 is allowed in any case.
STRANGER = "127.0.0.2"
_TIMEOUT = 1.5
_ALLOW = "IPAddressAllow="


def filter_lines(sources: t.Sequence[str], own_addresses: t.Iterable[str]) -> list[str]:
    """Return the lines that let only ``sources`` connect, and the host itself at its own addresses; none for no sources."""
    if not sources:
        return []
    listed = dict.fromkeys((*sources, "127.0.0.1", "::1", *own_addresses))
    return ["IPAddressDeny=any", f"{_ALLOW}{' '.join(listed)}"]


def sources_of(unit: bytes | None) -> tuple[str, ...]:
    """Return the sources that a unit of ours admits, () for all: networks, which the host's own addresses in its filter are not."""
    words = [
        line[len(_ALLOW) :].split()
        for line in (unit or b"").decode("utf-8", "replace").splitlines()
        if line.startswith(_ALLOW)
    ]
    return tuple(word for each in words for word in each if "/" in word)


def unit_reasons(before: bytes | None, after: bytes | None, other: str) -> list[str]:
    """Return why a unit of ours that may filter changes, as stable words; ``other``: the word where it is for something else.

    The host's own addresses are in the filter too: where only these differ, another reason (other addresses of the endpoint) explains it.
    """
    found = ["allowed-sources-changed"] if sources_of(before) != sources_of(after) else []
    return [*found, other] if _without_filter(before) != _without_filter(after) else found


def sources_text(before: bytes | None, after: bytes | None) -> list[str]:
    """Return the change of the sources that a unit admits in words: ``sources all -> 192.0.2.0/24``."""
    old, new = (" ".join(sources_of(unit)) or "all" for unit in (before, after))
    return [f"sources {old} -> {new}"] if old != new else []


def _without_filter(unit: bytes | None) -> list[bytes]:
    return [line for line in (unit or b"").splitlines() if not line.startswith((b"IPAddressAllow=", b"IPAddressDeny="))]


def stranger_is_refused(sources: t.Sequence[str]) -> bool:
    """Return whether sources are filtered so that ``STRANGER`` must not get through."""
    stranger = ipaddress.ip_address(STRANGER)
    return bool(sources) and not any(stranger in ipaddress.ip_network(source) for source in sources)


def is_supported(unified: str = _UNIFIED) -> bool:
    """Return whether systemd can filter here: the unified cgroup hierarchy is in use."""
    return os.path.exists(unified)


def lets_stranger_in(address: str, port: int) -> bool:
    """Return whether a connection from a loopback address that is not allowed comes up."""
    try:
        with socket.create_connection((address, port), timeout=_TIMEOUT, source_address=(STRANGER, 0)):
            return True
    except OSError:
        return False


_SPACE = "[[:space:]]*"
# Patterns of grep -Ez (the whole file is one line). Exactly once, at the top level, no letters written as \u00xx: else
# dockerd could read another value than the one that matches (Go takes the last of equal keys).
_VERIFIES = f'"tlsverify"{_SPACE}:{_SPACE}true{_SPACE}[,}}]'
_AMBIGUOUS = r'"tlsverify".*"tlsverify"|"tlscacert".*"tlscacert"|\\u00[4-7]|\{.*\{[^{}]*"(tlsverify|tlscacert)"'
_HOSTS = f'"hosts"{_SPACE}:'
# The unit may have a PATH of its own.
_SCRIPT = """\
export LC_ALL=C; PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; \
if grep -Ezsq "$1" "$0" && grep -Ezsq "$2" "$0" && { grep -Ezsq "$3" "$0"; [ $? -eq 1 ]; }; then exit 0; fi; \
echo "<3>docker-tls: $0 does not have the TLS settings of this host's endpoint (tlsverify, tlscacert) any more. \
Its TCP port stays closed. \
To restore the endpoint, run on the controller: ansible-playbook portcullis.docker_tls.site" >&2; \
if grep -Ezsq "$5" "$0"; then echo "<3>docker-tls: $0 has hosts, and the unit says with -H where dockerd listens: dockerd does not start with both. \
Remove hosts from $0 and run systemctl restart docker" >&2; fi; \
timeout 30 systemctl stop "$4"; \
case $(systemctl show -p ActiveState --value "$4") in inactive|failed) exit 0;; esac; \
echo "<3>docker-tls: $4 could not be closed, so dockerd is not started: it would serve that port in plain text. \
Run systemctl stop $4, then systemctl start docker" >&2; exit 1"""


# An entry of hosts that is neither fd:// nor unix://, and a tlscacert of any path.
_TCP = f'"hosts"{_SPACE}:{_SPACE}\\[([^]"]*"(fd|unix)://[^"]*")*[^]"]*"([^fu"]|f[^d"]|u[^n"])'
_ANY_ANCHORS = f'"tlscacert"{_SPACE}:{_SPACE}"[^"]'
_TCP_SCRIPT = """\
export LC_ALL=C; PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; \
grep -Ezsq "$4" "$0" || exit 0; \
if grep -Ezsq "$1" "$0" && grep -Ezsq "$2" "$0" && { grep -Ezsq "$3" "$0"; [ $? -eq 1 ]; }; then exit 0; fi; \
echo "<3>docker-tls: hosts in $0 opens a TCP port and does not verify clients (tlsverify, tlscacert), so dockerd is not started: \
anyone who reaches that port would be root. Remove hosts from $0 and run systemctl restart docker; \
or run on the controller: ansible-playbook portcullis.docker_tls.site" >&2; exit 1"""


def refuse_open_port(config_path: str) -> str:
    """Return the line of the drop-in for the listener ``dockerd``: dockerd does not start where ``hosts`` opens a port to everyone.

    With the packaged unit dockerd does not start with ``hosts`` in daemon.json at all; our drop-in is what makes it possible.
    """
    words = [_TCP_SCRIPT, config_path, _VERIFIES, _ANY_ANCHORS, _AMBIGUOUS, _TCP]
    return "ExecStartPre=/bin/sh -c " + " ".join(map(quote_word, words))


def exec_start_pre(config_path: str, client_ca_path: str, socket_unit: str) -> str:
    """Return the line of the drop-in. dockerd's settings in ``config_path`` must verify clients against ``client_ca_path``."""
    spelled = re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", json.dumps(client_ca_path, ensure_ascii=False))
    anchors = f'"tlscacert"{_SPACE}:{_SPACE}{spelled}'
    words = [_SCRIPT, config_path, _VERIFIES, anchors, _AMBIGUOUS, socket_unit, _HOSTS]
    return "ExecStartPre=/bin/sh -c " + " ".join(map(quote_word, words))


_VARIABLE = "DOCKER_TLS_LOCAL"
_PLAIN = re.compile(r"[A-Za-z0-9_@:/.,+-]+")
_LISTENERS_SCRIPT = """\
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; if LC_ALL=C grep -Ezsq "$1" "$0"; then listeners=; else listeners=$3; \
echo "<3>docker-tls: $0 does not have the listeners of this host's endpoint (hosts) any more. \
dockerd gets the unit's local listeners only. \
To restore the endpoint, run on the controller: ansible-playbook portcullis.docker_tls.site" >&2; fi; \
echo "$4=\\"$listeners\\"" > "$2\""""


@dataclass(frozen=True)
class Fallback:
    """Lines for [Service] before ExecStart=, and the command with the variable at its end."""

    lines: tuple[str, ...]
    command: str


def local_fallback(command: str, config_path: str, service: str, hosts: t.Sequence[str]) -> Fallback | None:
    """Return the drop-in's text for ``command`` (without -H) and the local listeners ``hosts``.

    None where it is not known: the command expands no variables (``:`` prefix), or a listener has characters to be quoted.
    """
    prefix = re.match(r"[@:+!|-]*", split_words(command)[0].value)
    if (prefix and ":" in prefix[0]) or not all(map(_PLAIN.fullmatch, hosts)):
        return None
    path = listeners_path(service)
    flags = " ".join(f"-H {host}" for host in hosts)
    words = [_LISTENERS_SCRIPT, config_path, _HOSTS, path, flags, _VARIABLE]
    return Fallback(
        (
            "# Another tool may have rendered daemon.json: no TCP port without client verification.",
            refuse_open_port(config_path),
            "# Where it names no listeners, dockerd gets the unit's local ones.",
            f"EnvironmentFile=-{path}",
            "ExecStartPre=-/bin/sh -c " + " ".join(map(quote_word, words)),
        ),
        f"{command} ${_VARIABLE}",
    )


DROPIN_NAME = "zz-docker-tls.conf"
HEADER = f"{OWN_MARK}. Do not edit: the next run writes it again."
_DIGEST = re.compile(r"^# Derived from: sha256:([0-9a-f]{64})$", re.MULTILINE)
_REMOVE = "# To take it away: docker_daemon_state: absent"


def service_dropin(derivation: Derivation, *, after_network: bool, fallback: Fallback | None = None) -> str | None:
    """Return docker.service.d/zz-docker-tls.conf for the ``dockerd`` listener; None: the unit is right without one.

    ``after_network``: start after network-online.target, for listeners on addresses that must be up before dockerd
    binds them (dockerd-facts 2.5). ``fallback``: see start_guard.py. dockerd refuses ``-H`` together with ``hosts`` in daemon.json, hence the ExecStart.
    """
    if not derivation.changed and not after_network:
        return None
    lines = [HEADER, _REMOVE]
    if after_network:
        lines += ["[Unit]", "# dockerd listens on addresses that must be there when it starts.", *_network(), ""]
    if derivation.changed:
        lines.append("[Service]")
        lines += fallback.lines if fallback else ()
        lines += _command(derivation, fallback.command if fallback else derivation.command)
    return "\n".join(lines).rstrip("\n") + "\n"


def guard_dropin(config_path: str, client_ca_path: str, derivation: Derivation, endpoint_socket: str) -> str:
    """Return docker.service.d/zz-docker-tls.conf for the ``systemd`` listener: opens ``endpoint_socket`` behind the start guard.

    Where the unit names TCP listeners, ExecStart is replaced without them.
    """
    lines = [
        HEADER,
        _REMOVE,
        "[Unit]",
        f"Wants={endpoint_socket}",
        "[Service]",
        "# Without its TLS settings dockerd would serve the TCP port in plain text: it is closed then, and Docker starts without.",
        exec_start_pre(config_path, client_ca_path, endpoint_socket),
    ]
    command = socket_command(derivation)
    if command is not None:
        lines += _command(derivation, command)
    return "\n".join(lines) + "\n"


def local_dropin(derivation: Derivation) -> str | None:
    """Return docker.service.d/zz-docker-tls.conf for the ``proxy`` listener; None: the unit names local listeners only."""
    command = socket_command(derivation)
    if command is None:
        return None
    return "\n".join([HEADER, _REMOVE, "[Service]", *_command(derivation, command)]) + "\n"


def socket_dropin(kept: t.Sequence[str] | None, endpoint_socket: str = "") -> str | None:
    """Return docker.socket.d/zz-docker-tls.conf; None: no drop-in is needed.

    ``kept``: the lines that stay of all other files', whose TCP listeners go (an empty assignment takes every listener away).
    ``endpoint_socket``: our unit of the ``systemd`` listener, which opens with docker.socket also where docker.service is
    only started by a connection.
    """
    lines = [] if not endpoint_socket else ["[Unit]", f"Wants={endpoint_socket}"]
    if kept is not None:
        lines += ["[Socket]", "# The TCP listeners of other files are taken away.", "ListenStream=", *kept]
    return "\n".join([HEADER, _REMOVE, *lines]) + "\n" if lines else None


def socket_command(derivation: Derivation) -> str | None:
    """Return the command for the ``systemd`` listener where the unit's own cannot stay, because it names TCP listeners."""
    if all(host.startswith(("fd://", "unix://")) for host in derivation.hosts):
        return None
    flags = " ".join(f"-H {quote_word(host)}" for host in local_hosts(derivation.hosts))
    return f"{derivation.command} {flags}"


def is_ours(text: str) -> bool:
    """Return whether a drop-in has our header."""
    return text.startswith(OWN_MARK)


def recorded_digest(text: str) -> str | None:
    """Return the digest of the command that a drop-in of ours was derived from, None where it has none."""
    match = _DIGEST.search(text)
    return match[1] if match else None


def replaces(text: str | None, derivation: Derivation | None) -> bool:
    """Return whether a drop-in of ours was derived from this very command: then its listeners were taken over before."""
    return derivation is not None and recorded_digest(text or "") == derivation.digest


def outdated(current: str | None, wanted: str | None) -> str | None:
    """Return why the file must be written or removed, None where it is right.

    dropin-missing; dropin-unwanted (ours, and no longer needed); dropin-foreign (not ours, would be replaced);
    unit-changed (the unit's command or a variable is another than the one it was derived from: a package upgrade);
    dropin-changed (edited, or other settings now).
    """
    if current == wanted:
        return None
    if current is None:
        return "dropin-missing"
    if wanted is None:
        return "dropin-unwanted" if is_ours(current) else None
    if not is_ours(current):
        return "dropin-foreign"
    return "dropin-changed" if recorded_digest(current) == recorded_digest(wanted) else "unit-changed"


def _network() -> list[str]:
    return ["Wants=network-online.target", "After=network-online.target"]


def _command(derivation: Derivation, command: str) -> list[str]:
    return [
        "# The unit's own command without -H/--host: dockerd does not start when its listeners are named twice.",
        f"# Derived from: sha256:{derivation.digest}",
        "ExecStart=",
        f"ExecStart={command}",
    ]


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
            hint = f"Run systemctl disable --now {unit.name}, then run again."
            found.append(error("socket-listener-foreign", text, hint))
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
