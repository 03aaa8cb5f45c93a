# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The socket unit of the listener ``systemd``: systemd holds the TCP port and passes it to dockerd, beside docker.socket.

It is a unit of its own, not a drop-in of docker.socket, so that the TCP port can be closed while the local socket stays: the
start guard does that when daemon.json has lost its TLS settings. Measured with systemd 247, 252, 257 and 262: a socket that is
stopped by an ExecStartPre= of its service is not passed to the main process, and Wants= opens it again at the next start.
Source: systemd.socket(5), ``Service=``.
"""

from __future__ import annotations

import typing as t

from .unit_environment import OWN_MARK


def unit_text(listen: t.Sequence[str], service: str, local_socket: str, filtering: t.Sequence[str] = ()) -> str:
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
