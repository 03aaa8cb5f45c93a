# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that the inventory takes from facts: they count as reported by the host."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._variables.as_written import has_template
from .inventory import as_list, ascii_name, listen_addresses

Mapping = t.Mapping[str, t.Any]

#: Variables that give names to a host.
DECLARING = (
    "docker_daemon_address",
    "docker_server_cert_common_name",
    "docker_server_cert_names",
    "docker_server_cert_addresses",
    "docker_daemon_listen",
)
#: Variables of Ansible itself, by their names as facts.
_NO_FACTS = (
    r"host|port|user|connection|inventory_sources|limit|version|check_mode|diff_mode|play\w*|role\w*|ssh_\w*|become\w*"
)
_FACT = re.compile(rf"\b(?:ansible_(?!(?:{_NO_FACTS})\b)|facter_|ohai_)\w+")
_IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")
#: Large, and without templates.
_SKIPPED = frozenset({"ansible_facts", "groups", "hostvars", "vars", "inventory_hostname"})


def is_from_fact(value: t.Any, variables: Mapping, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether a variable as it is written takes something from a fact, itself or through other variables.

    Every word of a template counts that is the name of a variable (``hostvars[inventory_hostname].x`` too): a doubt is on the
    safe side, and a name that is written out is never in doubt.
    """
    for text in _texts(value):
        if _FACT.search(text):
            return True
        words = set(_IDENTIFIER.findall(text)).intersection(variables) - seen - _SKIPPED
        if any(is_from_fact(variables[word], variables, seen | words) for word in words):
            return True
    return False


def _texts(value: t.Any) -> t.Iterator[str]:
    """Yield the templates anywhere in a value."""
    if isinstance(value, str):
        if has_template(value):
            yield value
    elif isinstance(value, t.Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _texts(item)


def of_facts(written: t.Any, values: t.Sequence[t.Any], variables: Mapping) -> list[t.Any]:
    """Return those of the ``values`` of a variable that come from a fact; ``written`` is the variable with its templates."""
    if not has_template(written):
        return []
    if isinstance(written, list) and len(written) == len(values):
        return [value for value, text in zip(values, written) if is_from_fact(text, variables)]
    return list(values) if is_from_fact(written, variables) else []


def written_out(variables: Mapping) -> set[str]:
    """Return the names that the inventory writes out for a host; ``variables`` with their templates as they are."""
    texts = [str(text) for name in DECLARING for text in _items(variables.get(name))]
    literal = {text for text in texts if not has_template(text)}
    return {spelled(text) for text in (*literal, *listen_addresses(literal)) if text}


def _items(value: t.Any) -> list[t.Any]:
    """Return the entries of a variable; a template is one, whatever it comes to."""
    return [value] if isinstance(value, str) and "{" in value else as_list(value)


def fact_names(request: Mapping, variables: Mapping) -> list[str]:
    """Return the ``fact_names`` of a request of M(certificate_requests) that the role docker_server_cert makes.

    In: the request with values; the host's variables, those of the role among them, with their templates as they are.
    """
    given = {
        "docker_server_cert_names": as_list(request.get("names")),
        "docker_server_cert_common_name": [request.get("common_name") or ""],
        "docker_server_cert_addresses": as_list(request.get("addresses")),
        **{name: as_list(request.get("optional_names"))[1:] for name in ("ansible_host", "ansible_ssh_host")},
    }
    found = {str(value) for name, values in given.items() for value in of_facts(variables.get(name), values, variables)}
    if is_from_fact(
        variables.get("docker_daemon_listen"), variables
    ):  # its addresses are among docker_server_cert_addresses
        found |= {str(value) for value in given["docker_server_cert_addresses"]}
    return sorted(name for name in found - {""} if spelled(name) not in written_out(variables)) if found else []


def with_fact_names(requests: t.Any, variables: Mapping) -> t.Any:
    """Return ``requests`` with their ``fact_names``, unless these are given."""
    if not isinstance(requests, list) or not all(isinstance(request, dict) for request in requests):
        return requests  # the module reports its problem
    return [_with_fact_names(request, variables) for request in requests]


def _with_fact_names(request: dict[str, t.Any], variables: Mapping) -> dict[str, t.Any]:
    asks = request.get("profile") == "server" and not request.get("fact_names")
    found = fact_names(request, variables) if asks else []
    return {**request, "fact_names": found} if found else request


def spelled(name: t.Any) -> str:
    """Return a name in one spelling, whatever it is."""
    text = str(name).strip()
    if ":" in text or text[-1:].isdigit():
        try:
            return str(ipaddress.ip_address(text.strip("[]")))
        except ValueError:
            pass
    return text.lower().rstrip(".") if text.isascii() else ascii_name(text)
