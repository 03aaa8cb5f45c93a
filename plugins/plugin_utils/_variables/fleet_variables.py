# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of hosts as this run has them, wherever they were given, and as they are written, without their templates.

Ansible takes variables from the inventory, ``-e``, ``vars:`` of a play or of ``import_playbook``, role parameters, ``include_vars`` and facts. Only the
variables of a host's own task have them all: ``hostvars`` of another host lacks the variables of a play, an import or a role. So

* a host's inspection returns the values of the variables in ``CARRIED`` with its answer (``settings``), and they count from then on;
* for a host without an inspection, the play's variables have priority over ``hostvars``, which is Ansible's own order of precedence.
"""

from __future__ import annotations

import contextlib
import functools
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from jinja2 import Undefined

Mapping = t.Mapping[str, t.Any]

_MARKS = ("{{", "{%", "{#")


def as_written(hostvars: Mapping, host: str) -> Mapping:
    """Return the variables of a host that ``hostvars`` has, with their templates as they are.

    ``raw_get`` is Ansible's way; a plain mapping has no templates to fill in.
    """
    return t.cast(Mapping, getattr(hostvars, "raw_get", hostvars.__getitem__)(host))


def variable(hostvars: Mapping, host: str, name: str, written: Mapping) -> t.Any:
    """Return a variable of ``host``, None where there is none; ``written`` is what ``as_written`` gave of it.

    Ansible is asked only where there is a template to fill in: that costs it the whole of a host's variables.
    """
    found = written.get(name)
    return hostvars[host][name] if has_template(found) else found


def is_true(value: t.Any) -> bool:
    """Return a boolean variable as Ansible reads it: ``-e name=false`` and ``"no"`` are texts, and Python takes every text for true."""
    return bool(boolean(value, strict=False))


def is_computed(value: t.Any) -> bool:
    """Return whether Ansible could evaluate all templates of a value: a failed one is Jinja's Undefined somewhere in it.

    ansible-core 2.18 leaves the template as it is.
    """
    if isinstance(value, dict):
        return all(is_computed(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(is_computed(item) for item in value)
    return not isinstance(value, Undefined) and not (isinstance(value, str) and has_template(value))


def has_template(value: t.Any) -> bool:
    """Return whether there is a template anywhere in a value."""
    if isinstance(value, str):
        return "{" in value and any(mark in value for mark in _MARKS)
    if isinstance(value, dict):
        return any(has_template(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return any(has_template(item) for item in value)
    return not isinstance(value, (bool, int, float, type(None)))


Variables = t.Mapping[str, t.Any]

PREFIXES = ("docker_ca_", "docker_server_cert_", "docker_client_cert_", "docker_daemon_")
#: How Ansible reaches a host, in the order of precedence of its ssh connection. It gives a task both, of the host that it is delegated to.
ADDRESSES = ("ansible_ssh_host", "ansible_host")
#: Variables of a host that the plan reads. None of them is a secret, because they are registered.
CARRIED = (
    *ADDRESSES,
    "docker_daemon_access_groups",
    "docker_daemon_address",
    "docker_daemon_existing_settings",
    "docker_daemon_listen",
    "docker_daemon_listener",
    "docker_daemon_port",
    "docker_daemon_state",
    "docker_daemon_verify",
    "docker_server_cert_addresses",
    "docker_server_cert_common_name",
    "docker_server_cert_foreign_authority",
    "docker_server_cert_names",
    "docker_server_cert_validity",
)
#: Where a host's inspection is registered, and its key of the values.
INSPECTED, SETTINGS = "__docker_tls_inspected", "settings"

_MISSING = object()


def settings(value: t.Callable[[str], t.Any], variables: Variables, own: Variables) -> dict[str, t.Any]:
    """Return the values of those ``CARRIED`` variables that are given to a host, for its answer.

    In: ``value`` returns the value of a variable by its name; ``variables`` of the host's task, with their templates; ``own`` are the
    roles' defaults. A variable that cannot be computed is left out: the task that needs it reports it.
    """
    found = {}
    for name in CARRIED:
        given = variables.get(name, _MISSING)
        if given is _MISSING or (name in own and given == own[name]):
            continue
        with contextlib.suppress(Exception):  # whatever a template raises
            found[name] = value(name)
    return found


def given_by_the_play(task_vars: Variables, own: Variables) -> dict[str, t.Any]:
    """Return the variables that a play, an import or a role adds to those of its hosts, with templates as they are.

    In: the variables of a task, ``own`` as above.
    """
    hostvars, host = task_vars.get("hostvars"), task_vars.get("inventory_hostname")
    known = as_written(hostvars, str(host)) if hostvars is not None and host in hostvars else {}
    return {
        name: value
        for name, value in task_vars.items()
        if (name.startswith(PREFIXES) or (name in ADDRESSES and has_template(value)))
        and not _same(value, known.get(name, _MISSING))
        and not (name in own and value == own[name])
        and name not in (task_vars.get("ansible_facts") or {})
    }


def _same(one: t.Any, other: t.Any) -> bool:
    return one is other or bool(one == other)


class Fleet(t.Mapping[str, t.Mapping[str, t.Any]]):
    """``hostvars`` with the values of the run: inspected, else given by the play, else of the inventory.

    ``given`` returns the play's variables, and is called only where they count: Ansible makes a host's variables again for it.
    ``template`` fills in a template of the play for a host that was not inspected.
    """

    def __init__(
        self,
        hostvars: Variables,
        given: t.Callable[[], Variables] = dict,
        template: t.Optional[t.Callable[[str, t.Any], t.Any]] = None,
    ) -> None:
        self._hostvars = hostvars
        self._find_given = given
        self._template = template
        self._hosts: dict[str, _Host] = {}

    @functools.cached_property
    def _given(self) -> dict[str, t.Any]:
        return dict(self._find_given())

    def __getitem__(self, host: str) -> _Host:
        if host not in self._hosts:
            if host not in self._hostvars:
                raise KeyError(host)
            self._hosts[host] = _Host(host, as_written(self._hostvars, host), self)
        return self._hosts[host]

    def __contains__(self, host: object) -> bool:
        return host in self._hostvars

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._hostvars)

    def __len__(self) -> int:
        return len(self._hostvars)

    def raw_get(self, host: str) -> Variables:
        """Return the variables of a host with their templates as they are; raises KeyError for an unknown host."""
        written = self[host].written
        return {**written, **self._given} if self._given else written

    def value(self, host: str, name: str, written: Variables) -> t.Any:
        """Return the value of a variable for a host. Raises KeyError where it has none."""
        if name in self._given and name not in (written.get("ansible_facts") or {}):
            found = self._given[name]
            return self._template(host, found) if self._template is not None and has_template(found) else found
        found = written[name]
        return self._hostvars[host][name] if has_template(found) else found

    def names(self, written: Variables) -> t.Iterator[str]:
        """Yield the names of a host's variables."""
        return iter({**written, **self._given})


class _Host(t.Mapping[str, t.Any]):
    """The variables of one host."""

    def __init__(self, host: str, written: Variables, fleet: Fleet) -> None:
        self.written = written
        self._host, self._fleet = host, fleet
        inspected = written.get(INSPECTED)
        found = inspected.get(SETTINGS) if isinstance(inspected, t.Mapping) else None
        self._settings = found if isinstance(found, t.Mapping) else None

    def __getitem__(self, name: str) -> t.Any:
        if self._settings is not None and name in CARRIED:
            return self._settings[name]
        return self._fleet.value(self._host, name, self.written)

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """Return the value of a variable; ``default`` where there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except (KeyError, AnsibleError):
            return False
        return True

    def __iter__(self) -> t.Iterator[str]:
        return self._fleet.names(self.written)

    def __len__(self) -> int:
        return sum(1 for _name in self)


def connected_address(host: str, variables: Variables) -> str:
    """Return the address by which Ansible reaches a host: ``ansible_host`` or its older spelling,
    else the inventory name."""
    return str(next((variables.get(name) for name in ADDRESSES if variables.get(name)), host))
