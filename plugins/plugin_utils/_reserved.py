# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names the inventory gives to which host, and which only seem to be from the inventory. PRIVATE: may change."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ._as_written import as_written
from ._inventory import as_list, ascii_name, listen_addresses

Mapping = t.Mapping[str, t.Any]

_DECLARING = (
    "docker_daemon_address",
    "docker_server_cert_common_name",
    "docker_server_cert_names",
    "docker_server_cert_addresses",
    "docker_daemon_listen",
)
#: What Ansible knows itself, in the words of facts.
_NO_FACTS = (
    r"host|port|user|connection|inventory_sources|limit|version|check_mode|diff_mode|play\w*|role\w*|ssh_\w*|become\w*"
)
_FACT = re.compile(rf"\bansible_(?!(?:{_NO_FACTS})\b)\w+")


def reserved_names(hosts: t.Iterable[str], hostvars: Mapping) -> dict[str, list[str]]:
    """Return which hosts each name of the inventory belongs to, so that no other host is given a certificate for it.

    A name may belong to several hosts (an ``ansible_host`` in front of forwarded ports, a balancer's name). But a variable may
    take its value from a fact, and a fact is what the host says of itself. So another host's inventory name and ``ansible_host``
    are shared only where they are written out, and a name from a fact belongs to nobody here: the ledger decides then.
    """
    own: dict[str, set[str]] = {}
    declared: list[tuple[str, list[str]]] = []
    for host in hosts:
        variables = hostvars[host]
        for name in filter(None, (host, variables.get("ansible_host"))):
            own.setdefault(_spelled(name), set()).add(host)
        declared.append((host, [_spelled(name) for name in _declared_names(variables)]))
    owners = {name: set(found) for name, found in own.items()}
    for host, names in declared:
        said = _Said(host, hostvars)
        for name in dict.fromkeys(names):
            others = own.get(name, set()) - {host}
            if host in own.get(name, ()) or said.is_literal(name) or not (others or said.from_fact()):
                owners.setdefault(name, set()).add(host)
    return {name: sorted(hosts) for name, hosts in owners.items()}


class _Said:
    """A host's variables as they are written in the inventory, read only where that matters: it costs a look at all of them."""

    def __init__(self, host: str, hostvars: Mapping) -> None:
        self._host, self._hostvars = host, hostvars
        self._found: tuple[set[str], str] | None = None

    def _read(self) -> tuple[set[str], str]:
        """Return the names that are written out, and the text of all templates."""
        if self._found is None:
            variables = as_written(self._hostvars, self._host)
            texts = [str(text) for name in _DECLARING for text in _items(variables.get(name))]
            templates = [text for text in texts if "{{" in text or "{%" in text]
            literal = {text for text in texts if text not in templates}
            self._found = {_spelled(text) for text in [*literal, *listen_addresses(literal)]}, " ".join(templates)
        return self._found

    def is_literal(self, name: str) -> bool:
        """Return whether the inventory has this very name for this host."""
        return name in self._read()[0]

    def from_fact(self) -> bool:
        """Return whether a variable that is not written out takes something from a fact."""
        return bool(_FACT.search(self._read()[1]))


def _items(value: t.Any) -> list[t.Any]:
    """Return the entries of a variable; a template is one, whatever it comes to."""
    return [value] if isinstance(value, str) and "{" in value else as_list(value)


def _spelled(name: t.Any) -> str:
    """Return a name in one spelling, whatever it is."""
    text = str(name).strip()
    if ":" in text or text[-1:].isdigit():
        try:
            return str(ipaddress.ip_address(text.strip("[]")))
        except ValueError:
            pass
    return text.lower().rstrip(".") if text.isascii() else ascii_name(text)


def _declared_names(variables: Mapping) -> list[str]:
    """Return the names and addresses that the inventory gives to a host beside its own name and ``ansible_host``."""
    literal = [
        *as_list(variables.get("docker_server_cert_addresses")),
        *listen_addresses(variables.get("docker_daemon_listen")),
    ]
    single = [variables.get(name) for name in ("docker_daemon_address", "docker_server_cert_common_name")]
    return [
        name
        for name in [*single, *as_list(variables.get("docker_server_cert_names")), *literal]
        if name and name not in ("private", "all")
    ]
