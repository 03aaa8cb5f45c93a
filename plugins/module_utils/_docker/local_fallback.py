# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listener ``hosts``: dockerd's local listeners for the day when daemon.json names none.

The drop-in takes ``-H`` out of the unit's command, because dockerd refuses it together with ``hosts`` in daemon.json. When another
tool then renders daemon.json without ``hosts``, dockerd would take its default: its own Unix socket in the place of systemd's, or,
with any TLS setting in the file, only tcp://localhost:2376 (measured, 20.10 to 28.5: local clients hang, and ``tlsverify: false``
lets every local user in). So the unit's local listeners are passed as flags at each start at which daemon.json has no ``hosts``.

systemd reads EnvironmentFile= shortly before it executes each command, so ExecStartPre= can write the file for ExecStart=
(systemd.exec(5)).
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .exec_start_words import quote_word, split_words
from .start_guard import refuse_open_port
from .systemd import listeners_path

_VARIABLE = "DOCKER_TLS_LOCAL"
_PLAIN = re.compile(r"[A-Za-z0-9_@:/.,+-]+")
_NAMED = '"hosts"[[:space:]]*:'
# The unit may have a PATH of its own.
_SCRIPT = """\
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
    """Return what the drop-in says for ``command`` (without -H) and the local listeners ``hosts``.

    None where it cannot be said: the command expands no variables (``:`` prefix), or a listener has characters to be quoted.
    """
    prefix = re.match(r"[@:+!|-]*", split_words(command)[0].value)
    if (prefix and ":" in prefix[0]) or not all(map(_PLAIN.fullmatch, hosts)):
        return None
    path = listeners_path(service)
    flags = " ".join(f"-H {host}" for host in hosts)
    words = [_SCRIPT, config_path, _NAMED, path, flags, _VARIABLE]
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
