# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module temporary_client is documentation; its options must be those that its action plugin takes."""

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.portcullis.docker_tls.plugins.action import temporary_client as action
from ansible_collections.portcullis.docker_tls.plugins.doc_fragments import _ca, _cryptography
from ansible_collections.portcullis.docker_tls.plugins.modules import temporary_client as module


def documented() -> dict[str, dict[str, t.Any]]:
    """Return type, default and required of every option, as the documentation says."""
    options: dict[str, dict[str, t.Any]] = {}
    for text in (
        module.DOCUMENTATION,
        _ca.ModuleDocFragment.DOCUMENTATION,
        _ca.ModuleDocFragment.DIRECTORY,
        _cryptography.ModuleDocFragment.DOCUMENTATION,
    ):
        options.update(yaml.safe_load(text)["options"])
    facts = ("type", "default", "required", "elements")
    return {name: {fact: value[fact] for fact in facts if fact in value} for name, value in options.items()}


def test_documented_options_are_those_of_the_action() -> None:
    taken = {
        name: {fact: value for fact, value in option.items() if fact != "no_log"}
        for name, option in action._OPTIONS.items()
    }
    assert taken == documented()


def test_action_hides_the_passphrase() -> None:
    assert action._OPTIONS["passphrase"]["no_log"] is True
