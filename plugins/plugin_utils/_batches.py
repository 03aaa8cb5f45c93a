# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which batches a play changes its hosts. PRIVATE: may change without notice."""

from __future__ import annotations

import typing as t

from ._as_written import as_written, variable

Mapping = t.Mapping[str, t.Any]

ALL_AT_ONCE = "100%"


def daemon_serial(groups: t.Mapping[str, t.Sequence[str]], hostvars: Mapping) -> t.Any:
    """Return what the inventory says of ``docker_daemon_serial``, all hosts at once where it says nothing.

    Ansible computes ``serial`` before there is any host, from extra variables alone; what stands beside the hosts would have no
    effect, and nobody would be told. The first Docker host that has it speaks for all.
    """
    hosts = (host for host in groups.get("docker_hosts") or [] if host in hostvars)
    found = (variable(hostvars, host, "docker_daemon_serial", as_written(hostvars, host)) for host in hosts)
    return next((serial for serial in found if serial), ALL_AT_ONCE)
