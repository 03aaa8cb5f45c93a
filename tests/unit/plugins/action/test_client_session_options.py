# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that the action of client_session takes itself are those that its module documents."""

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.portcullis.docker_tls.plugins.action import client_session as action
from ansible_collections.portcullis.docker_tls.plugins.doc_fragments import _ca, _cryptography
from ansible_collections.portcullis.docker_tls.plugins.modules import client_session


def test_documented_options_are_those_of_the_action() -> None:
    options: dict[str, dict[str, t.Any]] = {}
    for text in (
        _ca.ModuleDocFragment.DOCUMENTATION,
        _ca.ModuleDocFragment.DIRECTORY,
        _cryptography.ModuleDocFragment.DOCUMENTATION,
        client_session.DOCUMENTATION,
    ):
        options.update(yaml.safe_load(text)["options"])
    facts = ("type", "default", "elements", "choices")
    documented = {name: {fact: value[fact] for fact in facts if fact in value} for name, value in options.items()}
    taken = {
        name: {fact: value for fact, value in option.items() if fact in facts}
        for name, option in action._OPTIONS.items()
    }
    assert taken == documented


def test_action_hides_the_passphrase() -> None:
    assert action._OPTIONS["passphrase"]["no_log"] is True
