# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passphrases with template signs are refused before Ansible evaluates them, and never quoted."""

from __future__ import annotations

import typing as t

import ansible.template
import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate import written_values
from support.contracts import records

MISTAKES = {
    "statement": "Xk9{%vault#not-a-real-phrase",
    "expression": "Yk9{{vault#not-a-real-phrase",
    "expression-alone": "{{not a real phrase",
    "both-signs": "ab{{cd}}ef-not-a-real-phrase",
    "comment": "ab{#cd#}ef-not-a-real-phrase",
    "comment-open": "abcdef{#not-a-real-phrase",
    "end-of-block": "{% endif %}not-a-real-phrase",
}
RIGHT = {
    "vaulted-variable": "{{ vault_docker_ca_passphrase }}",
    "lookup": "{{ lookup('ansible.builtin.env', 'DOCKER_CA_PASSPHRASE') }}",
    "prompt": "{{ asked_by_vars_prompt }}",
    "two-known-variables": "{{ prefix }}-{{ suffix }}",
    "raw": "Xk9{% raw %}{%{% endraw %}vault",
    "braces": "plain {single} and }} closing",
    "percent": "100%{}",
}


@pytest.mark.parametrize("value", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("name", written_values.SECRETS)
def test_mistake_is_named_and_not_quoted(name: str, value: str) -> None:
    (found,) = written_values.secret_problems(_loaded({name: value}), "web1")
    assert records.said(found).startswith(f"{name} of web1 ") and "!unsafe" in found
    assert "phrase" not in found.replace(name, "") and "Xk9" not in found and "vault" not in found


@pytest.mark.parametrize("value", RIGHT.values(), ids=RIGHT)
def test_template_that_is_meant_is_none(value: str) -> None:
    known = _loaded({"docker_ca_passphrase": value, "prefix": "a", "suffix": "b"})
    assert written_values.secret_problems(known, "web1") == []


@pytest.mark.parametrize("name", written_values.LISTS)
def test_secret_in_an_entry_of_a_list_is_found(name: str) -> None:
    key = "key_passphrase" if "adopt" in name else "pkcs12_passphrase"
    (found,) = written_values.secret_problems(_loaded({name: [{"name": "a"}, {key: "Xk9{%vault"}]}), "localhost")
    assert found.startswith(f"{key} in {name} of localhost ") and f"write {key}: !unsafe" in found


@pytest.mark.parametrize("value", MISTAKES.values(), ids=MISTAKES)
def test_text_marked_unsafe_is_taken_as_it_is(value: str) -> None:
    loaded = DataLoader().load(f"docker_ca_passphrase: !unsafe '{value}'")
    assert written_values.secret_problems(loaded, "web1") == []


def _loaded(value: t.Any) -> t.Any:
    """Return variables as an inventory gives them. From ansible-core 2.19 on, only texts that are marked so are templates."""
    if isinstance(value, dict):
        return {name: _loaded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_loaded(each) for each in value]
    return getattr(ansible.template, "trust_as_template", str)(value)
