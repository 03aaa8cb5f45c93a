# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that are paths: what no path of ours may have, found before any host is touched.

A line break in a path would begin a new line of the unit or configuration file that names it.
"""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleError

from ...module_utils._fleet import access_text
from ...module_utils._host.file_owner import CONTROL_CHARACTER
from .._variables.as_written import is_computed, variable

Mapping = t.Mapping[str, t.Any]

_OWN = (
    "docker_ca_path",
    "docker_server_cert_path",
    "docker_server_cert_ca_path",
    "docker_client_cert_path",
    "docker_client_cert_ca_path",
    "docker_daemon_certificate_path",
    "docker_daemon_ca_path",
)
_FILES = (
    "docker_ca_backup_path",
    "docker_ca_backup_controller_path",
    "docker_ca_restore_path",
    "docker_ca_restore_controller_path",
    "docker_daemon_config_path",
)
#: Lists whose entries have paths.
_LISTS = {
    "docker_client_cert_clients": ("controller_directory", "consumer_directory"),
    "docker_client_cert_users": ("directory",),
}
#: Directories of the system: ours get modes of their own.
_OF_THE_SYSTEM = frozenset(
    "/ /bin /boot /dev /etc /etc/docker /home /lib /opt /proc /root /run /sbin /srv /sys /tmp /usr /var /var/lib /var/tmp".split()
)


def problems(hostvars: Mapping, written: t.Mapping[str, Mapping]) -> list[str]:
    """Return a sentence for each path that cannot be used, with its hosts. ``written``: variables of the hosts as they are written."""
    found: dict[tuple[str, str], list[str]] = {}
    for host, variables in written.items():
        for name in (*_OWN, *_FILES, *_LISTS):
            if variables.get(name) is None:
                continue
            for where, path in _paths(name, _value(hostvars, host, name, variables)):
                problem = why_invalid(path, own_directory=name in _OWN)
                if problem:
                    found.setdefault((f"{where} is {path!r}, {problem}", name), []).append(host)
    return [
        f"{text} ({access_text.named(hosts)}). Write an absolute path without .. and control characters."
        for (text, _name), hosts in found.items()
    ]


def why_invalid(path: str, *, own_directory: bool) -> str:
    """Return what is wrong with a path, "" for nothing. ``own_directory``: it is of a directory that is ours alone."""
    if CONTROL_CHARACTER.search(path):
        return "which has a line break or another control character in it"
    if ".." in path.split("/"):
        return "which has .. in it"
    if not own_directory:
        return ""
    if not path.startswith(("/", "~", "$")):
        return "which is not an absolute path"
    return "which is a directory of the system" if os.path.normpath(f"/{path.lstrip('/')}") in _OF_THE_SYSTEM else ""


def _value(hostvars: Mapping, host: str, name: str, variables: Mapping) -> t.Any:
    """Return a variable, None for one that cannot be computed here: the task that uses it names it."""
    try:
        found = variable(hostvars, host, name, variables)
    except (AnsibleError, KeyError):
        return None
    return found if is_computed(found) else None


def _paths(name: str, value: t.Any) -> t.Iterator[tuple[str, str]]:
    if name not in _LISTS:
        if value not in (None, ""):
            yield name, str(value)
        return
    for entry in value if isinstance(value, (list, tuple)) else ():
        for key in _LISTS[name] if isinstance(entry, t.Mapping) else ():
            if entry.get(key):
                yield f"{name}: {key}", str(entry[key])
