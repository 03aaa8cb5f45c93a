# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place of the authorities, for all roles and playbooks."""

from __future__ import annotations

import os
import typing as t

Mapping = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

CONTROLLER = "localhost"
#: On a host of the group docker_ca, which is root's.
DIRECTORY = "/etc/docker/ca"
#: On the controller, in the home directory of the user who runs Ansible.
CONTROLLER_DIRECTORY = ".docker_tls/ca"


def ca_host(groups: Groups) -> str:
    """Return the host that has the authorities: that of the group docker_ca, else the controller."""
    named = groups.get("docker_ca") or []
    return named[0] if named else CONTROLLER


def ca_directory(host: str, groups: Groups, hostvars: Mapping | None = None) -> str:
    """Return the CA directory on ``host``: its ``docker_ca_path`` in ``hostvars`` where there is one, else the usual place."""
    declared = variables_of(hostvars, host).get("docker_ca_path") if hostvars is not None else None
    if declared:
        return str(declared)
    in_group = host in (groups.get("docker_ca") or [])
    return DIRECTORY if in_group else os.path.join(os.path.expanduser("~"), CONTROLLER_DIRECTORY)


def variables_of(hostvars: Mapping, host: str) -> Mapping:
    """Return the variables of a host; the implicit localhost is not among the hosts, but has variables too."""
    try:
        return t.cast(Mapping, hostvars[host])
    except KeyError:
        return {}
