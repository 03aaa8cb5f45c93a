# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventories that are not there, cannot be parsed, or have none of our groups: Ansible only warns, and continues without hosts."""

from __future__ import annotations

import difflib
import os
import re
import typing as t

import yaml

Groups = t.Mapping[str, t.Sequence[str]]

OURS = ("docker_hosts", "docker_clients", "docker_ca")
_IMPLICIT = ("all", "ungrouped")
_SIMILAR = 0.85
#: The first line of an inventory in INI or TOML that does not begin with a host.
_SECTION = re.compile(r"\[[^\[\]]+\]")


def problems(sources: t.Sequence[str], groups: Groups) -> list[str]:
    """Return a sentence where Ansible has no inventory to work with. In: the inventory's ``sources`` and its ``groups``."""
    if any(groups.values()):
        return []
    # Without hosts every playbook would report on a fleet of nobody, or work on a CA of this controller.
    missing = [source for source in sources if not _is_list(source) and not os.path.exists(source)]
    if missing:
        return [
            f"there is no inventory {', '.join(missing)}, and Ansible only warns about that. Check the path after -i."
        ]
    unparsed = [source for source in sources if not _is_list(source) and _is_broken(source)]
    if unparsed and not set(groups) - set(_IMPLICIT):
        return [
            f"the inventory {', '.join(unparsed)} could not be parsed: it has neither hosts nor groups, and Ansible only warned about that above. "
            f"Correct the file; ansible-inventory -i {unparsed[0]} --graph shows what Ansible reads in it."
        ]
    return []


def warnings(sources: t.Sequence[str], groups: Groups) -> list[str]:
    """Return a sentence for a missing part of the inventory, and where no host is in the group docker_hosts."""
    found = [
        f"there is no inventory {source}: its hosts are not in this run"
        for source in sources
        if not _is_list(source) and not os.path.exists(source)
    ]
    hosts = set(groups.get("all") or ())
    known = {"localhost", *(host for name in OURS for host in groups.get(name) or ())}
    if groups.get("docker_hosts") or (hosts and hosts <= known):  # a CA or bundles alone may be meant
        return found
    others = [name for name in groups if name not in (*_IMPLICIT, *OURS)]
    similar = difflib.get_close_matches("docker_hosts", others, 1, _SIMILAR)
    named = f". Is its group {similar[0]} meant to be docker_hosts?" if similar else ""
    read = f"the inventory {', '.join(sources)}" if sources else "the inventory"
    return [*found, f"{read} has no host in the group docker_hosts, so this run changes no Docker host{named}"]


def _is_list(source: str) -> bool:
    """Return whether a source is a list of hosts."""
    return "," in source


def _is_broken(source: str) -> bool:
    """Return whether a source is a text that is an inventory neither in YAML (or JSON) nor in INI.

    One that only has variables, or the settings of an inventory plugin, is sound.
    """
    try:
        with open(source, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError:  # a directory, or a file that this account must not read
        return False
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("#", ";")) and line not in ("---", "...")]
    if not lines or os.access(source, os.X_OK) or _SECTION.match(lines[0]):
        return False
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)  # nothing is constructed, so tags as !vault do not matter
    except yaml.YAMLError:
        return True
    if not isinstance(root, yaml.MappingNode):
        return True
    groups = {name.value: group for name, group in root.value}
    return "plugin" not in groups and not all(
        isinstance(group, yaml.MappingNode) or group.tag == "tag:yaml.org,2002:null" for group in groups.values()
    )
