# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passphrases that Ansible would take for templates.

A passphrase may contain ``{{``, ``{%`` or ``{#``. Written into an inventory as it is, it is a template: Ansible then fails and prints the line
with the passphrase (ansible-core 2.19 and later), or silently drops a part of it (``{# #}`` is a comment). So this is found
out before the variable is evaluated, and no message quotes it. What lookups and vaults return is text and never a template.
"""

from __future__ import annotations

import typing as t

from jinja2 import Environment, TemplateSyntaxError, meta

from .._variables.as_written import has_template

try:
    from ansible.template import is_trusted_as_template  # ansible-core 2.19 and later
except ImportError:  # ansible-core 2.18 marks the opposite

    def is_trusted_as_template(value: object) -> bool:
        """Return whether Ansible evaluates templates in ``value``."""
        return not getattr(value, "__UNSAFE__", False)


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


def problems(written: Mapping, host: str) -> list[str]:
    """Return one sentence for each secret of ``host`` that is a template by mistake.

    In: the variables of the host as they are written (``_variables/as_written.py``), and its name for the message.
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
    if not isinstance(value, str) or not has_template(value) or not is_trusted_as_template(value):
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
