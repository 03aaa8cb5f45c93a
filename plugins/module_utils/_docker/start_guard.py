# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs before each start of dockerd, for the day when another tool has rendered the whole of daemon.json. Texts of units.

Without its TLS settings no TCP port is opened. With the listener ``systemd``, dockerd serves a socket that systemd passes to it in plain text,
without a word in the log, when daemon.json has no TLS settings (dockerd-facts 2.2). So the settings are checked each time, and where they are
not ours any more the TCP socket is closed and Docker starts with its local socket. If the socket cannot be closed, Docker does not start. The
script stands in the unit itself: a file of its own could be deleted, and Docker would not start then.

With the listener ``dockerd``, the drop-in takes ``-H`` out of the unit's command, because dockerd refuses it together with ``hosts`` in
daemon.json. Where daemon.json names no ``hosts``, dockerd would take its default: its own Unix socket in the place of systemd's, or, with any
TLS setting in the file, only tcp://localhost:2376 (measured, 20.10 to 28.5: local clients hang, and ``tlsverify: false`` lets every local user
in). So the unit's local listeners are passed as flags at each start at which daemon.json has no ``hosts``. systemd reads EnvironmentFile=
shortly before it executes each command, so ExecStartPre= can write the file for ExecStart= (systemd.exec(5)).
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .exec_start_words import quote_word, split_words
from .systemd import listeners_path

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
_NAMED = '"hosts"[[:space:]]*:'
# The unit may have a PATH of its own.
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
    words = [_LISTENERS_SCRIPT, config_path, _NAMED, path, flags, _VARIABLE]
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
