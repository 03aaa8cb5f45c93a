# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Misspelt variables: Ansible ignores a variable that nothing reads, so a ``docker_daemon_listener`` without its last
``e`` would pass without a word.

Other roles have variables with the same beginning, so only names that are nearly one of ours are reported, and as
a warning.
"""

from __future__ import annotations

import difflib
import typing as t

from .._variables import binding

#: The variables that playbooks read and no role has; a contract test compares them with the playbooks.
OF_PLAYBOOKS = (
    "docker_adopt_authorities",
    "docker_adopt_execute",
    "docker_adopt_keep_2375",
    "docker_adopt_repair",
    "docker_adopt_search_paths",
    "docker_daemon_serial",
    "docker_rotate_ca_again_after",
    "docker_rotate_ca_authority",
    "docker_rotate_ca_execute",
    "docker_rotate_ca_force_reissue",
    "docker_rotate_ca_force_retire",
    "docker_rotate_ca_stop_after",
    "docker_status_become",
    "docker_status_connections",
    "docker_status_critical",
    "docker_status_fail_on",
    "docker_status_file_mode",
    "docker_status_host_timeout",
    "docker_status_html_path",
    "docker_status_json_path",
    "docker_status_prometheus_path",
    "docker_status_read_hosts",
    "docker_status_table",
    "docker_status_timeout",
    "docker_status_title",
    "docker_status_warning",
    "docker_verify_json_path",
)
_PREFIX = "docker"
#: How many characters may differ in a whole name.
_MOST = 3
_NAMED_HOSTS = 3


def known() -> frozenset[str]:
    """Return all public variables of the collection."""
    return frozenset((*binding.defaults(*binding.ROLES), *OF_PLAYBOOKS))


def nearest(name: str, names: t.Collection[str]) -> str:
    """Return the one of ``names`` that ``name`` is probably meant to be, "" where it is one of them or none is near."""
    if name in names or not _is_near(_written(name).partition("_")[0], _PREFIX):
        return ""
    distances = ((_distance(_written(name), one), one) for one in names if abs(len(one) - len(name)) <= _MOST)
    near = [(distance, -len(one), one) for distance, one in distances if distance is not None]
    return min(near)[2] if near else ""  # the longer one of two: letters are left out more often than added


def warnings(
    hosts: t.Mapping[str, t.Mapping[str, t.Any]],
    of_the_task: t.Iterable[str],
    extra: t.Callable[[], t.Collection[str]],
    groups: t.Mapping[str, t.Sequence[str]],
) -> list[str]:
    """Return a sentence for each misspelt variable: its name, where it was given, and the nearest variable that exists.

    In: the variables of ``hosts`` as they are written, of which facts are left out; the names that the task has; ``extra`` returns those that
    were given with ``-e``; the inventory's ``groups``.
    """
    names = known()
    meant: dict[str, str] = {}
    given: dict[str, list[str]] = {}
    for host, variables in hosts.items():
        facts = variables.get("ansible_facts") or ()
        for name in variables:
            if name not in meant:
                meant[name] = nearest(name, names)
            if meant[name] and name not in facts:
                given.setdefault(name, []).append(host)
    facts = {name for variables in hosts.values() for name in variables.get("ansible_facts") or ()}
    for name in of_the_task:
        if name not in meant and name not in facts and nearest(name, names):
            meant[name] = nearest(name, names)
            given[name] = []
    by_command = extra() if given else ()
    return [
        f"{name} is not a variable of portcullis.docker_tls, so it has no effect here ("
        f"{'given with -e' if name in by_command else _place(where, list(hosts), groups)}). Is {meant[name]} meant?"
        for name, where in given.items()
    ]


def _place(where: t.Sequence[str], hosts: t.Sequence[str], groups: t.Mapping[str, t.Sequence[str]]) -> str:
    """Return where a variable was given: the smallest group whose hosts have it, else these hosts."""
    if not where:
        return "given by a play"
    # The controller that Ansible adds has the variables of the group all and is in none.
    having = set(where) & set(groups.get("all") or where)
    if len(having) > 1:
        fitting = [name for name, members in groups.items() if having == set(members) & set(hosts)]
        fitting.sort(key=lambda name: (len(groups[name]), name in ("all", "ungrouped"), name))
        if fitting:
            return f"given for the group {fitting[0]}"
    shown = ", ".join(where[:_NAMED_HOSTS])
    return f"given for {shown}{f' and {len(where) - _NAMED_HOSTS} more hosts' if len(where) > _NAMED_HOSTS else ''}"


def _written(name: str) -> str:
    return name.casefold().replace("-", "_")


def _distance(name: str, other: str) -> int | None:
    """Return by how many characters two names differ, None where they are not near. Short words have to be nearly the same."""
    words, others = name.split("_"), other.split("_")
    if sorted(words) == sorted(others):  # the same words, in another order
        return 0 if words == others else 1
    if len(words) == len(others):
        if not all(map(_is_near, words, others)):
            return None
        total = sum(map(_edits, words, others))
    else:
        total = _edits(name.replace("_", ""), other.replace("_", "")) + 1
        if total > 2:  # docker_daemon_host, of other roles, is not docker_daemon_ca_host
            return None
    return total if total <= _MOST else None


def _is_near(word: str, other: str) -> bool:
    return word == other or _edits(word, other) <= 1 + len(other) // 5


def _edits(word: str, other: str) -> int:
    if word == other:
        return 0
    blocks = difflib.SequenceMatcher(None, word, other, autojunk=False).get_matching_blocks()
    return max(len(word), len(other)) - sum(block.size for block in blocks)
