# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role passes to a module, without running the role.

The role's own task files are the one source: its arguments are read there and resolved as Ansible would. Ansible compiles
every template anew for every host and task, 3.5 ms each, and two roles have forty; so the usual ones are computed in
Python: a plain variable, text around variables, and the few expressions in ``EXPRESSIONS``. All others, such as what an
inventory puts into a variable, go through Ansible's templar. A test compares every one of ``EXPRESSIONS`` with Jinja.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import re
import typing as t
from datetime import datetime, timezone

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from . import _ca_place, _inventory
from ._as_written import as_written, has_template

_ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"
_PLAIN = re.compile(r"\{\{ (\w+) \}\}")
_OMIT = object()

Variables = t.Mapping[str, t.Any]


class Unresolved(Exception):
    """A variable is missing here, or cannot be computed: the role itself has to run."""


@functools.lru_cache(maxsize=32)
def module_arguments(role: str, module: str, tasks: str) -> dict[str, t.Any]:
    """Return the arguments, with their templates, that a role's task file gives to ``module``."""
    for task in _load(role, f"tasks/{tasks}.yml"):
        if module in task:
            return dict(task[module])
    raise Unresolved(f"the role {role} has no task with {module}")


@functools.lru_cache(maxsize=32)
def specification(role: str) -> dict[str, t.Any]:
    """Return the options of a role's argument specification."""
    return dict(_load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"])


@functools.lru_cache(maxsize=32)
def own_variables(role: str) -> dict[str, t.Any]:
    """Return the variables that a role brings along, with their templates."""
    return {**(_load(role, "defaults/main.yml") or {}), **(_load(role, "vars/main.yml") or {})}


def _load(role: str, path: str) -> t.Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(_ROLES / role / path, encoding="utf-8") as stream:
        return yaml.load(stream, Loader=loader)  # noqa: S506 - a safe loader, and a file of this collection


class Resolver:
    """Values of one host. ``template`` is Ansible's way, for what is not known here.

    ``own`` are variables that roles would bring along (own_variables); they stand behind all others.
    """

    def __init__(
        self, variables: Variables, template: t.Callable[[t.Any], t.Any], own: t.Optional[Variables] = None
    ) -> None:
        self._variables = variables
        self._own = own or {}
        self._template = template
        self._known: dict[str, t.Any] = {}
        self._others: dict[str, Variables] = {}
        self._under_way: set[str] = set()

    def written(self) -> Variables:
        """Return the variables with their templates as they are."""
        return {**self._own, **self._variables}

    def arguments(self, templates: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return a task's arguments with their values; those that the role would omit are left out."""
        resolved = {name: self.value(template, own=True) for name, template in templates.items()}
        return {name: value for name, value in resolved.items() if value is not _OMIT}

    def variable(self, name: str) -> t.Any:
        """Return the value of a variable. Raises Unresolved where there is none."""
        if name not in self._known:
            if name in self._under_way:
                raise Unresolved(f"{name} is made of itself")
            self._under_way.add(name)
            try:
                if name in self._variables:
                    self._known[name] = self.value(self._variables[name])
                elif name in self._own:
                    self._known[name] = self.value(self._own[name], own=True)
                else:
                    raise Unresolved(f"{name} is not defined")
            finally:
                self._under_way.discard(name)
        return self._known[name]

    def given(self, names: t.Iterable[str]) -> dict[str, t.Any]:
        """Return those of the variables that are there and not the roles' own; without those that cannot be computed here."""
        found = {}
        for name in names:
            if name in self._variables and self._variables[name] != self._own.get(name, _OMIT):
                with contextlib.suppress(AnsibleError, Unresolved, KeyError, TypeError, ValueError, AttributeError):
                    found[name] = self.variable(name)
        return found

    def optional(self, name: str, default: t.Any = None) -> t.Any:
        """Return the value of a variable, ``default`` where there is none."""
        return self.variable(name) if name in self._variables or name in self._own else default

    def groups(self) -> t.Any:
        """Return the groups as Ansible has made them: no templates to look for among the names of a thousand hosts."""
        return self._variables["groups"] if "groups" in self._variables else self.variable("groups")

    def other_host(self, host: str, name: str, default: t.Any = None) -> t.Any:
        """Return a variable of another host; ``default`` where there is none."""
        value = self._other(host).get(name, default)
        return self._template(value) if has_template(value) else value

    def fact(self, host: str, name: str, default: t.Any = None) -> t.Any:
        """Return what a host has said of itself, in which nothing is a template; ``default`` where it has not.

        Not as a variable of that name: Ansible makes none with ``inject_facts_as_vars = false``.
        """
        return (self._other(host).get("ansible_facts") or {}).get(name, default)

    def _other(self, host: str) -> Variables:
        hostvars = self._variables.get("hostvars")
        if hostvars is None or host not in hostvars:
            return {}
        if host not in self._others:
            self._others[host] = as_written(hostvars, host)
        return self._others[host]

    def value(self, found: t.Any, *, own: bool = False) -> t.Any:
        """Return what a variable or an argument stands for; ``own``: it is from the role's files itself.

        What a host has reported (a fact, a registered result) is text, whatever braces are in it: a host that could have it
        filled in would read the variables of the controller, the passphrase among them.
        """
        if isinstance(found, dict):
            return {key: self.value(item, own=own) for key, item in found.items()}
        if isinstance(found, list):
            return [self.value(item, own=own) for item in found]
        if not isinstance(found, str) or not has_template(found) or not (own or is_trusted(found)):
            return found
        known = EXPRESSIONS.get(" ".join(found.split()))
        if known is not None:
            return known(self)
        plain = _PLAIN.fullmatch(found)
        if plain:
            return self.variable(plain[1])
        pieces = _PLAIN.split(found)
        if not has_template("".join(pieces[::2])):
            values = [self.variable(name) for name in pieces[1::2]]
            if all(isinstance(value, str) for value in values):
                return "".join(part for pair in zip(pieces[::2], [*values, ""]) for part in pair)
        if own and not is_trusted(found):
            raise Unresolved(
                f"{found} is no expression that is known here"
            )  # and Ansible did not read it, so it would leave it as it is
        return self._template(found)


def is_trusted(text: str) -> bool:
    """Return whether Ansible itself would fill in the templates of ``text``: it comes from the inventory or a playbook, not from a host."""
    try:
        from ansible.template import is_trusted_as_template
    except ImportError:  # ansible-core 2.18 marks what is not to be trusted
        return not getattr(text, "__UNSAFE__", False)
    return bool(is_trusted_as_template(text))


def _authorities(role: str) -> t.Callable[[Resolver], t.Any]:
    def find(resolver: Resolver) -> t.Any:
        found = resolver.fact(resolver.variable(f"{role}_ca_host"), "docker_ca_authorities")
        if not found:
            raise Unresolved("the authorities are not known yet")
        return found

    return find


def _certificate(resolver: Resolver) -> str:
    signed = (resolver.optional("docker_server_cert_signed") or {}).get("certificates") or {}
    mine = signed.get(f"{resolver.variable('inventory_hostname')}/server") or {}
    return str(mine.get("certificate_content", ""))


def _certificate_pending(resolver: Resolver) -> bool:
    requested = (resolver.optional("docker_server_cert_requested") or {}).get("requests") or []
    return bool(resolver.variable("ansible_check_mode")) and any(item["action"] == "issue" for item in requested)


def _anchors(resolver: Resolver) -> str:
    groups = resolver.variable("docker_daemon_access_groups")
    return _inventory.client_anchors(resolver.variable("__docker_daemon_authorities"), groups)


def _group_authorities(resolver: Resolver) -> dict[str, str]:
    if resolver.variable("docker_daemon_listener") != "proxy":
        return {}
    authorities = resolver.variable("__docker_daemon_authorities")
    return {name: authorities[name]["trusted_content"] for name in resolver.variable("docker_daemon_access_groups")}


def _dual_trust(resolver: Resolver) -> t.Any:
    groups = resolver.variable("docker_daemon_access_groups")
    return _inventory.dual_trust(resolver.variable("__docker_daemon_authorities"), groups)


def _names_of_host(resolver: Resolver) -> list[t.Any]:
    name = resolver.variable("inventory_hostname")
    return [name, resolver.optional("ansible_host", name)]


def _now(resolver: Resolver) -> str:
    del resolver
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


#: Templates of the roles (white space as one blank) and what they mean.
EXPRESSIONS: dict[str, t.Callable[[Resolver], t.Any]] = {
    "{{ groups | portcullis.docker_tls.ca_host }}": lambda resolver: _ca_place.ca_host(resolver.groups()),
    "{{ hostvars[docker_server_cert_ca_host].ansible_facts.docker_ca_authorities "
    "| default((__docker_server_cert_info | default({})).authorities) }}": _authorities("docker_server_cert"),
    "{{ hostvars[docker_daemon_ca_host].ansible_facts.docker_ca_authorities "
    "| default((__docker_daemon_info | default({})).authorities) }}": _authorities("docker_daemon"),
    "{{ docker_daemon_listen | default([]) | portcullis.docker_tls.listen_addresses }}": lambda resolver: (
        _inventory.listen_addresses(resolver.optional("docker_daemon_listen", []))
    ),
    "{{ [inventory_hostname, ansible_host | default(inventory_hostname)] }}": _names_of_host,
    "{{ __docker_server_cert_authorities['server'].certificate_content }}": lambda resolver: resolver.variable(
        "__docker_server_cert_authorities"
    )["server"]["certificate_content"],
    "{{ docker_server_cert_path | default('/etc/docker/certs') }}": lambda resolver: resolver.optional(
        "docker_server_cert_path", "/etc/docker/certs"
    ),
    "{{ __docker_daemon_authorities['server'].trusted_content }}": lambda resolver: resolver.variable(
        "__docker_daemon_authorities"
    )["server"]["trusted_content"],
    "{{ __docker_daemon_authorities | portcullis.docker_tls.client_anchors(docker_daemon_access_groups) }}": _anchors,
    "{{ ((docker_server_cert_signed | default({})).certificates | default({}))"
    ".get(inventory_hostname ~ '/server', {}).get('certificate_content', '') }}": _certificate,
    "{{ ansible_check_mode and ((docker_server_cert_requested | default({})).requests | default([])) "
    "| selectattr('action', 'equalto', 'issue') | length > 0 }}": _certificate_pending,
    "{{ __docker_daemon_authorities | portcullis.docker_tls.dual_trust(docker_daemon_access_groups) }}": _dual_trust,
    "{{ dict(docker_daemon_access_groups | zip(docker_daemon_access_groups | map('extract', __docker_daemon_authorities, "
    "'trusted_content'))) if docker_daemon_listener == 'proxy' else {} }}": _group_authorities,
    "{{ docker_daemon_config_path | default(omit, true) }}": lambda resolver: (
        resolver.optional("docker_daemon_config_path") or _OMIT
    ),
    "{{ docker_daemon_verify == 'always' }}": lambda resolver: resolver.variable("docker_daemon_verify") == "always",
    "{{ docker_daemon_verify != 'never' }}": lambda resolver: resolver.variable("docker_daemon_verify") != "never",
    "{{ now(utc=true, fmt='%Y-%m-%dT%H:%M:%SZ') }}": _now,
}


def problems(specification: Variables, given: t.Callable[[t.Iterable[str]], Variables]) -> list[str]:
    """Return what is wrong with the variables that the inventory gives to a role, as the check of its arguments would say it.

    ``specification``: the role's options. ``given`` returns those of the named variables that are there and can be computed;
    the others are left to the task that uses them, and so are secrets: any value will do for their type, and it may be dear
    to compute. A role can then be entered without that check, which costs a task for each host.
    """
    found = given(name for name, option in specification.items() if not option.get("no_log"))
    wrong = list(misshapen(specification, found))
    stated = {name: {**specification[name], "default": None} for name in found}
    return wrong or validated(stated, {name: value for name, value in found.items() if value is not None})[1]


def misshapen(options: Variables, given: Variables, within: str = "") -> t.Iterator[str]:
    """Name each value that has to be a list or a dictionary and is neither. Ansible's check makes a list of nearly anything; a filter
    would read a text letter by letter, and a number not at all.
    """
    for name, option in options.items():
        value = given.get(name)
        if option.get("type") == "list" and value is not None and not isinstance(value, (list, tuple, set)):
            found = "a text" if isinstance(value, str) else repr(value)
            yield f"{within}{name} is {found} and has to be a list: write [a, b], or each entry on a line of its own after a dash"
        if name in given and value is None and option.get("type") == "list" and "default" in option:
            yield f"{within}{name} is empty: give it a value, or leave it out for its default ({option['default']})"
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, t.Mapping):
                yield from misshapen(option.get("options") or {}, entry, f"{within}{name}: ")
            elif isinstance(value, list) and option.get("elements") == "dict":
                yield f"an entry of {within}{name} is no dictionary: write its fields as name: value"


def validated(specification: Variables, given: Variables) -> tuple[dict[str, t.Any], list[str]]:
    """Return ``given`` with the types and defaults of an argument specification, and what is wrong with it."""
    result = ArgumentSpecValidator(specification).validate({name: without_tags(value) for name, value in given.items()})
    return dict(result.validated_parameters), list(result.error_messages)


def without_tags(value: t.Any) -> t.Any:
    """Return the same value in Python's own types: Ansible's notes on where a text comes from make each copy of it ten times as dear."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, dict):
        return {without_tags(key): without_tags(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_tags(item) for item in value]
    return value


def stays_on_controller(path: t.Any) -> bool:
    """Return whether a path would mean another place here than on the host."""
    return isinstance(path, str) and (path.startswith("~") or "$" in path or path != os.path.normpath(path))
