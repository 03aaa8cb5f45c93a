# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts --limit leaves out of a run, which can then complete no revocation."""

from __future__ import annotations

import typing as t

from .._variables.binding import Bound
from . import ca_place


def hosts(action: t.Any, bound: Bound) -> list[str]:
    """Return the Docker hosts and client machines that are not in the run of this action's task, and the controller where it is not.

    The controller has bundles too, and no pattern but its own name stands for it.
    """
    limit = bound.raw("ansible_limit")
    if limit is None:
        return []
    groups = bound.groups()
    ours = [ca_place.CONTROLLER, *(groups.get("docker_hosts") or []), *(groups.get("docker_clients") or [])]
    loader = action._shared_loader_obj.lookup_loader
    lookup = loader.get("ansible.builtin.inventory_hostnames", loader=action._loader, templar=action._templar)
    inside = lookup.run([str(limit)], variables={"groups": groups})
    return [host for host in dict.fromkeys(ours) if host not in inside]
