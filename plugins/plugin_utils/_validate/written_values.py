# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of values as they are written: paths, and templates with secrets.

A passphrase may contain ``{{``, ``{%`` or ``{#``. Written into an inventory as it is, it is a template: Ansible then fails and prints the line
with the passphrase (ansible-core 2.19 and later), or silently drops a part of it (``{# #}`` is a comment). So this is found
out before the variable is evaluated, and no message quotes it. What lookups and vaults return is text and never a template.

A line break in a path would begin a new line of the unit or configuration file that names it.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible.errors import AnsibleError
from jinja2 import Environment, TemplateSyntaxError, meta

from ...module_utils._fleet import advice
from ...module_utils._host.file_owner import CONTROL_CHARACTER
from .._variables.binding import is_trusted
from .._variables.fleet_variables import has_template, is_computed, variable

Mapping = t.Mapping[str, t.Any]

#: Every variable of ours that is a secret, and the lists whose entries have one.
SECRETS = (
    "docker_ca_passphrase",
    "docker_ca_new_passphrase",
    "docker_server_cert_ca_passphrase",
    "docker_daemon_ca_passphrase",
    "docker_client_cert_ca_passphrase",
    "docker_client_cert_pkcs12_passphrase",
)
LISTS = ("docker_adopt_authorities", "docker_client_cert_clients")
_ENVIRONMENT = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)
#: What Ansible adds to Jinja's own globals.
_GLOBALS = frozenset(
    {"lookup", "query", "q", "now", "undef", "omit", "vars", "groups", "hostvars", *_ENVIRONMENT.globals}
)


def secret_problems(written: Mapping, host: str) -> list[str]:
    """Return one sentence for each secret of ``host`` that is a template by mistake.

    In: the variables of the host as they are written (``_variables/fleet_variables.py``), and its name for the message.
    """
    named = [(name, written.get(name)) for name in SECRETS]
    for name in LISTS:
        entries = written.get(name)
        for entry in entries if isinstance(entries, (list, tuple)) else ():
            if isinstance(entry, t.Mapping):
                named += [
                    (f"{key} in {name}", value) for key, value in entry.items() if str(key).endswith("passphrase")
                ]
    return [_sentence(name, host) for name, value in named if _is_mistaken(value, written)]


def _is_mistaken(value: t.Any, known: t.Container[str]) -> bool:
    """Return whether ``value`` is a secret rather than a template: it is none that can be evaluated, or has a comment."""
    if not isinstance(value, str) or not has_template(value) or not is_trusted(value):
        return False
    try:
        kinds = [kind for _line, kind, _text in _ENVIRONMENT.lex(value)]
        unknown = meta.find_undeclared_variables(_ENVIRONMENT.parse(value)) - _GLOBALS
    except TemplateSyntaxError:
        return True
    if "comment_begin" in kinds:
        return True
    # A value that is one template altogether names a variable of a play or a prompt, which is not known here.
    return "data" in kinds and any(name not in known for name in unknown)


def _sentence(name: str, host: str) -> str:
    return (
        f"{name} of {host} has {{{{, {{% or {{# in it, which Ansible takes for the beginning of a template, and it is none that can be evaluated. It "
        f"is not shown here. If these characters belong to the secret, write {name.partition(' ')[0]}: !unsafe 'TEXT' in the inventory, or keep the "
        "secret in a file and read it with lookup('ansible.builtin.file', PATH)."
    )


_OWN = (
    "docker_ca_path",
    "docker_server_cert_path",
    "docker_server_cert_ca_path",
    "docker_client_cert_path",
    "docker_client_cert_ca_path",
    "docker_daemon_certificate_path",
    "docker_daemon_ca_path",
)
#: Files of hosts, where a relative path would begin wherever the module happens to run.
_FILES_OF_HOSTS = ("docker_ca_backup_path", "docker_ca_restore_path", "docker_daemon_config_path")
#: Files of the controller: a relative path begins in the directory of the playbook or of the user, as Ansible has it.
_FILES = ("docker_ca_backup_controller_path", "docker_ca_restore_controller_path")
#: Variables of hosts with paths somewhere in them; those of issuers and of adopted CAs, which hold secrets; and the keys that are paths.
_LISTS = ("docker_client_cert_clients", "docker_client_cert_users", "docker_daemon_verify_clients")
_ISSUERS = ("docker_client_cert_issuers", "docker_server_cert_issuer")
_ADOPTED, _SEARCHED = "docker_adopt_authorities", "docker_adopt_search_paths"
_KEYS = frozenset(
    "account_directory certificate_path consumer_directory controller_directory directory key_path tasks webroot".split()
)
#: Those that are checked elsewhere for being absolute and for being there, and one that may be a path of Windows.
_MAY_BE_RELATIVE = {
    "docker_client_cert_clients": ("consumer_directory",),
    "docker_client_cert_issuers": ("key_path", "tasks"),
    "docker_daemon_verify_clients": ("certificate_path", "key_path"),
    "docker_server_cert_issuer": ("key_path", "tasks"),
}
#: Of the playbooks, which no role reads: reports on the controller, and directories of hosts.
OF_PLAYBOOKS = (
    _SEARCHED,
    "docker_status_html_path",
    "docker_status_json_path",
    "docker_status_prometheus_path",
    "docker_verify_json_path",
)
_ADVICE = "Write an absolute path without .. and control characters."
#: Directories of the system: ours get modes of their own.
_OF_THE_SYSTEM = frozenset(
    "/ /bin /boot /dev /etc /etc/docker /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /var /var/lib /var/tmp "
    "/etc/cron.d /etc/pki /etc/ssh /etc/ssl /etc/ssl/certs /etc/ssl/private /etc/sudoers.d /etc/systemd /etc/systemd/system "
    "/run/docker /run/systemd /usr/bin /usr/lib /usr/local /usr/local/bin /usr/local/etc /usr/sbin /usr/share "
    "/var/cache /var/lib/containerd /var/lib/docker /var/log /var/run /var/spool".split()
)
#: The home of a user, which has other files too.
_HOME = re.compile(r"(~[^/]*|\$\{?HOME\}?|/home/[^/]+)/*")
#: Keys of a bundle's directory, which gets a mode of its own as well.
_BUNDLES = ("controller_directory", "directory")


def path_problems(hostvars: Mapping, written: t.Mapping[str, Mapping]) -> list[str]:
    """Return a sentence for each path that cannot be used, with its hosts. ``written``: variables of the hosts as they are written."""
    found: dict[str, list[str]] = {}
    for host, variables in written.items():
        names = [name for name in (*_OWN, *_FILES_OF_HOSTS, *_FILES, *_LISTS) if variables.get(name) is not None]
        values = {name: _value(hostvars, host, name, variables) for name in names}
        for name in _OWN:
            if name in variables and variables[name] is None:
                found.setdefault(f"{name} is empty: give it a value, or leave it out for its default", []).append(host)
        for name, value in values.items():
            for problem in of_variable(name, value):
                found.setdefault(problem, []).append(host)
        for problem in _within_ca(values):
            found.setdefault(problem, []).append(host)
    return [f"{text} ({advice.named(hosts)}). {_ADVICE}" for text, hosts in found.items()]


def _within_ca(values: Mapping) -> t.Iterator[str]:
    """Yield what is wrong with the directories that are in the CA directory of the same variables: each backup would have their keys."""
    ca = os.path.normpath(str(values.get("docker_ca_path") or "~/.docker_tls/ca"))
    for name in (name for name in (*_OWN, *_LISTS) if not name.endswith("_ca_path")):  # those are the CA directory
        for where, path, _absolute in _paths(name, values.get(name)):
            if os.path.normpath(path) == ca or os.path.normpath(path).startswith(f"{ca}/"):
                yield f"{where} is {path!r}, which is in the CA directory {ca}"


def of_playbooks(given: Mapping, adopted: t.Any = None) -> list[str]:
    """Return a sentence for each path of a playbook that cannot be used.

    In: the variables of OF_PLAYBOOKS that are set, with their values; docker_adopt_authorities as it is written, because it has secrets.
    """
    values = {**given, _ADOPTED: adopted}
    return [f"{problem}. {_ADVICE}" for name, value in values.items() for problem in of_variable(name, value)]


def of_issuers(name: str, value: t.Any) -> list[str]:
    """Return a sentence for each path in a variable with issuers, which is the same for all hosts."""
    return [f"{problem}. {_ADVICE}" for problem in of_variable(name, value)]


def of_variable(name: str, value: t.Any) -> t.Iterator[str]:
    """Yield what is wrong with each path in a variable of this name: ``NAME is 'PATH', which ...``."""
    for where, path, is_absolute in _paths(name, value):
        is_bundle = name in _LISTS and where.rpartition(": ")[2] in _BUNDLES
        problem = why_invalid(path, own_directory=name in _OWN or is_bundle, absolute=is_absolute)
        if problem:
            yield f"{where} is {path!r}, {problem}"


def why_invalid(path: str, *, own_directory: bool, absolute: bool = False) -> str:
    """Return what is wrong with a path, "" for nothing. ``own_directory``: it is of a directory that is ours alone."""
    if CONTROL_CHARACTER.search(path):
        return "which has a line break or another control character in it"
    if ".." in path.split("/"):
        return "which has .. in it"
    if (own_directory or absolute) and not path.startswith(("/", "~", "$")):
        return "which is not an absolute path"
    if not own_directory:
        return ""
    if _HOME.fullmatch(path):
        return "which is the home of a user and has other files too"
    return "which is a directory of the system" if os.path.normpath(f"/{path.lstrip('/')}") in _OF_THE_SYSTEM else ""


def _value(hostvars: Mapping, host: str, name: str, variables: Mapping) -> t.Any:
    """Return a variable, None for one that cannot be computed here: the task that uses it names it."""
    try:
        found = variable(hostvars, host, name, variables)
    except (AnsibleError, KeyError):
        return None
    return found if is_computed(found) else None


def _paths(name: str, value: t.Any) -> t.Iterator[tuple[str, str, bool]]:
    """Yield the name, the text of each path in a variable, and whether it has to be absolute."""
    if name in (*_LISTS, *_ISSUERS, _ADOPTED):
        yield from _nested(name, name, value)
    elif name == _SEARCHED:
        yield from ((name, str(one), True) for one in (value if isinstance(value, (list, tuple)) else ()))
    elif value not in (None, ""):
        yield name, str(value), name in _FILES_OF_HOSTS


def _nested(name: str, where: str, value: t.Any) -> t.Iterator[tuple[str, str, bool]]:
    if isinstance(value, t.Mapping):
        for key, one in value.items():
            if key in _KEYS and isinstance(one, str) and one and not has_template(one):
                yield f"{where}: {key}", one, key not in _MAY_BE_RELATIVE.get(name, ())
            else:
                yield from _nested(name, f"{where}: {key}", one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _nested(name, where, one)
