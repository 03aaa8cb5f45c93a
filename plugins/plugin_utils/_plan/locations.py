# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the CA and the bundles of clients are."""

from __future__ import annotations

import os
import pwd
import typing as t

from ...module_utils._errors import TlsError

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


def has_own_bundles(host: str, machines: t.Container[str]) -> bool:
    """Return whether a host has the bundles of the controller, which belong to anyone who runs the task."""
    return host == CONTROLLER or host not in machines


def has_both(host: str, machines: t.Container[str]) -> bool:
    """Return whether a host is the controller and a client machine too."""
    return host == CONTROLLER and host in machines


def is_for(bundle: Mapping, host: str, machines: t.Container[str], become: bool) -> bool:
    """Return whether a task on ``host`` is for this bundle.

    On a controller that is a client machine too, a task with ``become`` is for the users' bundles, and one without it for those of the account
    that runs Ansible: these must not become root's. On every other host a task is for all bundles.
    """
    return not has_both(host, machines) or bool(bundle["user"]) == become


def login_user(host: str, variables: Mapping) -> str:
    """Return the user that Ansible logs in as; on the controller it is the account that runs Ansible."""
    named = variables.get("ansible_user")
    if named:
        return str(named)
    return account_name() if host == CONTROLLER else "root"


def account_name() -> str:
    """Return the name of the account that runs Ansible; its number where the system has no name for it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def why_no_directory(client: str) -> str:
    """Return what keeps the name of a client from being the name of its bundle's directory, "" for nothing.

    Such a name would write or remove the files of another directory, or be an option or a home directory to a program.
    """
    if "/" in client:
        return "has a / in it"
    if client in (".", ".."):
        return "is that of a directory itself"
    if client.startswith(("-", "~")):
        return f"begins with {client[0]}"
    if not client.isprintable():
        return "has a control character or another that cannot be printed"
    return "has spaces around it" if client != client.strip() else ""


def of_client(path: str, client: str) -> str:
    """Return the directory below ``path`` that the bundle of ``client`` has. Raises TlsError ``inventory-invalid`` where it would be elsewhere."""
    problem = why_no_directory(client)
    if problem or not client:
        raise TlsError(
            f"the client {client!r} can have no directory in {path}: its name {problem or 'is empty'}",
            hint="Correct its name in docker_client_cert_clients.",
            code="inventory-invalid",
        )
    return f"{path}/{client}"
