# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names the inventory assigns to which host."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from .._variables.as_written import as_written, is_computed
from .._variables.fleet_variables import ADDRESSES
from . import fact_names
from .fact_names import spelled
from .inventory import as_list, listen_addresses

Mapping = t.Mapping[str, t.Any]

#: Words that select addresses of the host and are not names.
_SELECTORS = ("private", "all")


def reserved_names(hosts: t.Iterable[str], hostvars: Mapping) -> dict[str, list[str]]:
    """Return which hosts each name of the inventory belongs to, so that no other host is given a certificate for it.

    A name may belong to several hosts (an ``ansible_host`` in front of forwarded ports, a balancer's name). But a variable may
    take its value from a fact, and a fact is reported by the host itself. So another host's inventory name and ``ansible_host``
    are shared only where they are written out, and a name from a fact is assigned to no host here: it counts as reported.
    """
    own: dict[str, set[str]] = {}
    declared: list[tuple[str, list[str]]] = []
    for host in hosts:
        variables = _computed(hostvars[host])
        for name in (host, *_address_of(host, variables, hostvars)):
            own.setdefault(spelled(name), set()).add(host)
        declared.append((host, [spelled(name) for name in _declared_names(variables)]))
    owners = {name: set(found) for name, found in own.items()}
    for host, names in declared:
        said = _Said(host, hostvars)
        for name in dict.fromkeys(names):
            others = own.get(name, set()) - {host}
            if host in own.get(name, ()) or said.is_literal(name) or not (others or said.is_from_fact(name)):
                owners.setdefault(name, set()).add(host)
    return {name: sorted(hosts) for name, hosts in owners.items()}


def _computed(variables: Mapping) -> Mapping:
    """Return those variables that give names to a host and that can be computed from another host's point of view.

    One that cannot (``hostvars`` inside of it, a missing variable) must not keep all hosts from their certificates; the host itself
    reads it again where it can be computed, or where the failure is its own.
    """
    found = {}
    for name in (*fact_names.DECLARING, *ADDRESSES):
        try:
            value = variables.get(name)
        except AnsibleError:
            continue
        if is_computed(value):
            found[name] = value
    return found


def _address_of(host: str, variables: Mapping, hostvars: Mapping) -> list[str]:
    """Return the address by which Ansible reaches a host, nothing where it has none or takes it from a fact."""
    name = next((name for name in ADDRESSES if variables.get(name)), "")
    if not name:
        return []
    written = as_written(hostvars, host)
    return [] if fact_names.is_from_fact(written.get(name), written) else [variables[name]]


class _Said:
    """A host's variables as they are written in the inventory, read only where needed, because all of them have to be read."""

    def __init__(self, host: str, hostvars: Mapping) -> None:
        self._host, self._hostvars = host, hostvars
        self._literal: set[str] | None = None
        self._of_facts: set[str] | None = None

    def is_literal(self, name: str) -> bool:
        """Return whether the inventory has this very name for this host."""
        if self._literal is None:
            self._literal = fact_names.written_out(as_written(self._hostvars, self._host))
        return name in self._literal

    def is_from_fact(self, name: str) -> bool:
        """Return whether this name comes from a fact."""
        if self._of_facts is None:
            written, values = as_written(self._hostvars, self._host), _computed(self._hostvars[self._host])
            self._of_facts = {
                spelled(each)
                for variable in fact_names.DECLARING
                for value in fact_names.of_facts(written.get(variable), _values(values.get(variable)), written)
                for each in (value, *listen_addresses([value]))
            }
        return name in self._of_facts


def _values(value: t.Any) -> list[t.Any]:
    """Return the entries of a variable, one for a single text that is not a list."""
    return [value] if isinstance(value, str) and "," not in value else as_list(value)


def _declared_names(variables: Mapping) -> list[str]:
    """Return the names and addresses that the inventory gives to a host beside its own name and ``ansible_host``."""
    literal = [
        *(each for each in as_list(variables.get("docker_server_cert_addresses")) if each != "listen"),
        *listen_addresses(variables.get("docker_daemon_listen")),
    ]
    single = [variables.get(name) for name in ("docker_daemon_address", "docker_server_cert_common_name")]
    return [
        name
        for name in [*single, *as_list(variables.get("docker_server_cert_names")), *literal]
        if name and name not in _SELECTORS
    ]
