# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place of the authorities, for all roles and playbooks, and the hosts that --limit leaves out of a run, which can then complete no revocation."""

from __future__ import annotations

import os
import typing as t

if t.TYPE_CHECKING:
    from .._variables.binding import Bound


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


def hosts_outside_limit(action: t.Any, bound: Bound) -> list[str]:
    """Return the Docker hosts and client machines that are not in the run of this action's task, and the controller where it is not.

    The controller has bundles too, and no pattern but its own name stands for it.
    """
    limit = bound.raw("ansible_limit")
    if limit is None:
        return []
    groups = bound.groups()
    ours = [CONTROLLER, *(groups.get("docker_hosts") or []), *(groups.get("docker_clients") or [])]
    loader = action._shared_loader_obj.lookup_loader
    lookup = loader.get("ansible.builtin.inventory_hostnames", loader=action._loader, templar=action._templar)
    inside = lookup.run([str(limit)], variables={"groups": groups})
    return [host for host in dict.fromkeys(ours) if host not in inside]
