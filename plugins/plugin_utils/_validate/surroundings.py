# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the surroundings of a run: Ansible's version, the settings of the play, the sources of the inventory, misspelt variables.

``requires_ansible`` in meta/runtime.yml only warns, unless the user has set COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH (ansible-core 2.14 to 2.21).

A job of AWX runs in a container that is removed after it, and gets the extra variables ``awx_job_id``, ``awx_job_template_name`` and, when a
workflow started it, ``awx_workflow_job_name`` (AWX user guide, "Launch a job template"; the same with the prefix ``tower_``). A sliced job is a
workflow that AWX makes itself and names after the job template (AWX user guide, "Job slicing"). No variable has the number of a job's slice.

Ansible's filter ``bool`` takes every word that it does not know for false, so ``docker_rotate_ca_execute=maybe`` would only print a plan.

``e`` would pass without a word.

Other roles have variables with the same beginning, so only names that are nearly one of ours are reported, and as
a warning.
"""

from __future__ import annotations

import difflib
import os
import re
import typing as t

import yaml
from ansible.module_utils.parsing.convert_bool import boolean

from .._variables import binding

#: The oldest supported ansible-core; meta/runtime.yml has the same (a contract test compares them).
MINIMUM_VERSION = (2, 18)
VERSION_CODE = "ansible-too-old"
VERSION_HINT = (
    "Install a newer one beside the distribution's, for example with pipx install ansible-core or in a virtual environment with "
    "pip install ansible-core, and run the ansible-playbook that comes with it."
)


def version_problem(running: str) -> str:
    """Return the problem of the version ``running`` (``2.17.14``, ``2.19.0.dev0``), "" if it is supported or unreadable."""
    found = re.match(r"(\d+)\.(\d+)", running)
    if found is None or tuple(map(int, found.groups())) >= MINIMUM_VERSION:
        return ""
    return f"ansible-core {running} is older than {'.'.join(map(str, MINIMUM_VERSION))}, the oldest that portcullis.docker_tls supports"


Mapping = t.Mapping[str, t.Any]


def awx_problems(variables: Mapping, authorities: t.Sequence[str]) -> list[str]:
    """Return one sentence for each problem, none outside of AWX.

    In: variables as the inventory and AWX give them; the hosts of the group docker_ca.
    """
    if _said(variables, "job_id") is None:
        return []
    found = []
    template = _said(variables, "job_template_name")
    if template is not None and template == _said(variables, "workflow_job_name"):
        found.append(
            f"This is one slice of a sliced job of AWX ({template!r}): it sees a part of the inventory, so it cannot know which hosts admit a "
            "revoked client, and without the CA host it has no authorities. Set job slicing of the job template to 1. If it is not a sliced "
            "job, but a workflow that has the name of the job template, rename one of them."
        )
    elif not authorities:
        found.append(
            "The group docker_ca is empty in a job of AWX: the authorities would be made in the job's container and be lost with it. "
            "Name the CA host in the group docker_ca; for authorities in a volume that is mounted into the container, name localhost there."
        )
    return found


def _said(variables: Mapping, name: str) -> t.Any:
    return variables.get(f"awx_{name}", variables.get(f"tower_{name}"))


BOOLEANS = (
    "docker_adopt_execute",
    "docker_adopt_keep_2375",
    "docker_rotate_ca_execute",
    "docker_rotate_ca_force_reissue",
    "docker_rotate_ca_force_retire",
    "docker_status_become",
    "docker_status_read_hosts",
)
#: Words.
CHOICES = {"docker_rotate_ca_stop_after": ("trust", "reissue", "retire")}
#: Whole numbers from 1 on.
NUMBERS = ("docker_status_connections", "docker_status_timeout")


def play_problems(given: t.Mapping[str, t.Any]) -> list[str]:
    """Return a sentence for each variable with an unusable value. In: those of BOOLEANS, NUMBERS and CHOICES that are set, with their values."""
    wrong = [
        f"{name} is {_shown(given[name])}, which is neither true nor false. Write true or false."
        for name in BOOLEANS
        if name in given and not _is_boolean(given[name])
    ]
    wrong += [
        f"{name} is {_shown(given[name])}, which is not a whole number from 1 on. Write one, for example 10."
        for name in NUMBERS
        if name in given and not _is_number(given[name])
    ]
    wrong += [
        f"{name} is {_shown(given[name])}. Write one of {', '.join(words)}, or leave it out."
        for name, words in CHOICES.items()
        if given.get(name) not in (None, "", *words)
    ]
    return wrong


def home_problems(environment: t.Mapping[str, str]) -> list[str]:
    """Return the problem of HOME, under which the CA and the bundles are by default. Without HOME it is the account's home directory.

    An empty or relative one would be the root directory or the current one: the next run, from elsewhere, would make another CA.
    """
    home = environment.get("HOME")
    if home is None or home.startswith("/"):
        return []
    return [
        f"the environment variable HOME is {_shown(home)} and not an absolute path. Set it to the home directory of the account that runs Ansible, "
        "or unset it."
    ]


def _shown(value: t.Any) -> str:
    return "empty" if value is None or value == "" else repr(value)


def _is_boolean(value: t.Any) -> bool:
    try:
        boolean(value, strict=True)
    except TypeError:
        return False
    return True


def _is_number(value: t.Any) -> bool:
    text = str(value).strip()
    return not isinstance(value, (bool, float)) and text.isascii() and text.isdigit() and int(text) > 0


Groups = t.Mapping[str, t.Sequence[str]]

OURS = ("docker_hosts", "docker_clients", "docker_ca")
_IMPLICIT = ("all", "ungrouped")
_SIMILAR = 0.85
#: The first line of an inventory in INI or TOML that does not begin with a host.
_SECTION = re.compile(r"\[[^\[\]]+\]")


def source_problems(sources: t.Sequence[str], groups: Groups) -> list[str]:
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


def source_warnings(sources: t.Sequence[str], groups: Groups) -> list[str]:
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


def name_warnings(
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
