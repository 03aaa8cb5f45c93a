# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventories that are not there, cannot be parsed, or have none of our groups: Ansible only warns, and continues without hosts."""

from __future__ import annotations

import difflib
import os
import typing as t

Groups = t.Mapping[str, t.Sequence[str]]

OURS = ("docker_hosts", "docker_clients", "docker_ca")
_IMPLICIT = ("all", "ungrouped")
_SIMILAR = 0.85


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
    unparsed = [source for source in sources if not _is_list(source) and _has_text(source)]
    if unparsed and not set(groups) - set(_IMPLICIT):
        return [
            f"the inventory {', '.join(unparsed)} has neither hosts nor groups, or Ansible could not parse it and only warned about that above. "
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
    if groups.get("docker_hosts"):
        return found
    others = [name for name in groups if name not in (*_IMPLICIT, *OURS)]
    similar = difflib.get_close_matches("docker_hosts", others, 1, _SIMILAR)
    named = f". Is its group {similar[0]} meant to be docker_hosts?" if similar else ""
    read = f"the inventory {', '.join(sources)}" if sources else "the inventory"
    return [*found, f"{read} has no host in the group docker_hosts, so this run changes no Docker host{named}"]


def _is_list(source: str) -> bool:
    """Return whether a source is a list of hosts."""
    return "," in source


def _has_text(source: str) -> bool:
    """Return whether a source is a file that has more than comments in it."""
    try:
        with open(source, encoding="utf-8", errors="replace") as stream:
            lines = [line.strip() for line in stream]
    except OSError:  # a directory, or a file that this account must not read
        return False
    return any(line and not line.startswith(("#", ";")) and line not in ("---", "...") for line in lines)
