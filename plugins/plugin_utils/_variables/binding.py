# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a role on one host, by their names: ``docker_daemon_listen`` gives the option ``listen``.

A value that contains a template goes through Ansible's templar, every other is taken as it is: templating all options of two roles costs a
run over 200 hosts twice as much CPU time (measured). A value that a host has reported is text, even with braces in it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import typing as t

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._plan import locations
from .fleet_variables import Fleet, as_written, given_by_the_play, has_template

Variables = t.Mapping[str, t.Any]

_ROLES = pathlib.Path(__file__).resolve().parents[3] / "roles"
_MISSING = object()


class Unresolved(Exception):
    """A variable is missing, or cannot be computed; or the result of an earlier task of the run."""

    hint = "Correct the variables of this host; the READMEs of the roles name each."
    code = "role-arguments-invalid"


class PassphraseUnresolved(Unresolved):
    """A passphrase cannot be computed. What Ansible says about it may quote it, so that is left out."""

    hint = (
        "Check that the file or variable which its value names is there, and that this account can read it. A file of another account's "
        "home is not in ~ of this one."
    )

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} cannot be computed: what it reads is missing (the file of a lookup, an environment variable, a variable of "
            "Ansible Vault), or its template has an error"
        )


@functools.lru_cache(maxsize=8)
def specification(role: str) -> dict[str, t.Any]:
    """Return the options of a role's argument specification."""
    return dict(_load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"])


@functools.lru_cache(maxsize=8)
def defaults(*roles: str) -> dict[str, t.Any]:
    """Return the default values of roles, with their templates."""
    return {name: value for role in roles for name, value in (_load(role, "defaults/main.yml") or {}).items()}


ROLES = ("docker_ca", "docker_server_cert", "docker_daemon", "docker_client_cert")


def _load(role: str, path: str) -> t.Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(_ROLES / role / path, encoding="utf-8") as stream:
        return yaml.load(stream, Loader=loader)  # noqa: S506 - a safe loader, and a file of this collection


class Bound:
    """The variables of a task's host, with the defaults of ``roles`` behind them. ``template`` is Ansible's templar."""

    def __init__(
        self, variables: Variables, template: t.Callable[[t.Any], t.Any], roles: t.Sequence[str] = ROLES
    ) -> None:
        self._variables = variables
        self._defaults = defaults(*roles)
        self._template = template
        self._known: dict[str, t.Any] = {}
        self._others: dict[str, Variables] = {}

    def __getitem__(self, name: str) -> t.Any:
        """Return the value of a variable. Raises Unresolved where there is none, or its template cannot be filled in."""
        if name not in self._known:
            self._known[name] = self._value(name)
        return self._known[name]

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """Return the value of a variable, ``default`` where there is none."""
        return self[name] if name in self._variables or name in self._defaults else default

    def _value(self, name: str) -> t.Any:
        found = self._variables.get(name, _MISSING)
        usual = self._defaults.get(name, _MISSING)
        computed = _COMPUTED.get(name)
        if computed is not None and (found is _MISSING or found == usual):
            return computed(self)
        if found is _MISSING:
            if usual is _MISSING or has_template(usual):
                raise Unresolved(f"{name} is not defined")
            return usual
        if not has_template(found) or not is_trusted(found):
            return found
        try:
            return self._template(found)
        except (AnsibleError, RecursionError) as error:
            if "passphrase" in name:
                raise PassphraseUnresolved(name) from None
            raise Unresolved(f"{name} cannot be computed: {' '.join(str(error).split())}") from None

    def written(self) -> Variables:
        """Return all variables with their templates as they are."""
        return {**self._defaults, **self._variables}

    def is_given(self, name: str) -> bool:
        """Return whether a variable is set: it is not the role's default."""
        return name in self._variables and self._variables[name] != self._defaults.get(name, _MISSING)

    def given(self, names: t.Iterable[str]) -> dict[str, t.Any]:
        """Return those of the variables that are set and that can be computed here."""
        found = {}
        for name in names:
            if self.is_given(name):
                with contextlib.suppress(Unresolved):
                    found[name] = self[name]
        return found

    def groups(self) -> t.Mapping[str, t.Sequence[str]]:
        """Return the groups of the inventory: names, which cannot be templates."""
        found: t.Mapping[str, t.Sequence[str]] = self._variables.get("groups") or {}
        return found

    def hostvars(self) -> Variables:
        """Return the variables of all hosts as Ansible has them. It is false where the inventory has no host, although it has localhost."""
        found = self._variables.get("hostvars")
        return {} if found is None else t.cast(Variables, found)

    def of_host(self, host: str) -> Variables:
        """Return the variables of a host as they are; {} for an unknown host. Ansible makes them again for each call."""
        if host not in self._others:
            hostvars = self.hostvars()
            self._others[host] = as_written(hostvars, host) if host in hostvars else {}
        return self._others[host]

    def fleet(self, for_host: t.Optional[t.Callable[[str, t.Any], t.Any]] = None) -> Fleet:
        """Return the variables of all hosts as this task sees them; ``for_host`` templates a value of the play for a host."""
        given = functools.partial(given_by_the_play, self._variables, self._defaults)
        return Fleet(self.hostvars(), given, for_host or (lambda _host, value: self._template(value)))

    def is_witness(self, host: str = "") -> bool:
        """Return whether ``host``, by default the task's, is only in the play to keep it going (``planned`` of _plan/registered.py)."""
        host = host or str(self._variables.get("inventory_hostname"))
        return self._variables.get("__docker_tls_witness") == host and host not in (
            self.groups().get("docker_hosts") or ()
        )

    def raw(self, name: str) -> t.Any:
        """Return a variable as it is, None where it is not set: for registered values, in which nothing is a template."""
        return self._variables.get(name)


#: Defaults that are made of other variables.
_COMPUTED: dict[str, t.Callable[[Bound], t.Any]] = {
    **dict.fromkeys(
        ("docker_server_cert_ca_host", "docker_daemon_ca_host", "docker_client_cert_ca_host"),
        lambda bound: locations.ca_host(bound.groups()),
    ),
    # This is not the default of docker_client_cert_clients: the default client is not a reason to compare.
    "docker_ca_clients": lambda bound: (
        bound["docker_client_cert_clients"] if bound.is_given("docker_client_cert_clients") else []
    ),
    "docker_ca_path": lambda bound: locations.ca_directory(str(bound["inventory_hostname"]), bound.groups()),
    "docker_daemon_certificate_path": lambda bound: bound["docker_server_cert_path"],
}


def is_trusted(value: t.Any) -> bool:
    """Return whether Ansible itself would fill in the templates of a value: it comes from the inventory or a playbook, not from a host."""
    return any(_is_trusted_text(text) for text in _templates(value))


def _templates(value: t.Any) -> t.Iterator[t.Any]:
    if isinstance(value, dict):
        for pair in value.items():
            yield from _templates(list(pair))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _templates(item)
    elif has_template(value):
        yield value


def _is_trusted_text(text: t.Any) -> bool:
    try:
        from ansible.template import is_trusted_as_template
    except ImportError:  # ansible-core 2.18 marks untrusted values
        return not getattr(text, "__UNSAFE__", False)
    return not isinstance(text, str) or bool(is_trusted_as_template(text))


def problems(options: Variables, given: t.Callable[[t.Iterable[str]], Variables]) -> list[str]:
    """Return the problems of a role's variables, with the messages of Ansible's check of its arguments.

    ``options``: the role's specification. ``given`` returns those of the named variables that are set and can be computed; the others are
    left to the task that uses them, and so are secrets. A role can then be entered without that check, which costs a task for each host.
    """
    found = given(name for name, option in options.items() if not option.get("no_log"))
    wrong = list(misshapen(options, found))
    stated = {name: {**options[name], "default": None} for name in found}
    return wrong or validated(stated, {name: value for name, value in found.items() if value is not None})[1]


def misshapen(options: Variables, given: Variables, within: str = "") -> t.Iterator[str]:
    """Name each value that has to be a list or a dictionary and is neither. Ansible's check makes a list of nearly anything."""
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
                yield f"an entry of {within}{name} is not a dictionary: write its fields as name: value"


def validated(options: Variables, given: Variables) -> tuple[dict[str, t.Any], list[str]]:
    """Return ``given`` with the types and defaults of an argument specification, and its problems."""
    result = ArgumentSpecValidator(options).validate({name: without_tags(value) for name, value in given.items()})
    return dict(result.validated_parameters), list(result.error_messages)


def without_tags(value: t.Any) -> t.Any:
    """Return the same value in Python's own types: copies of text with Ansible's tags cost ten times as much."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, dict):
        return {without_tags(key): without_tags(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_tags(item) for item in value]
    return value


def differs_on_host(path: t.Any) -> bool:
    """Return whether a path would mean another place on the controller than on the host."""
    return isinstance(path, str) and (path.startswith("~") or "$" in path or path != os.path.normpath(path))
