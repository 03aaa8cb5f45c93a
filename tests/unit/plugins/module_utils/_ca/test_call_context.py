# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module's options say of a run in a CA directory."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import call_context
from support.ca.certificates import NOW

_LEAST: dict[str, t.Any] = {"operator": "anna@controller", "lock_timeout": 7}


@pytest.mark.parametrize(
    ("more", "network", "restart"),
    [
        pytest.param({}, False, False, id="options-that-a-module-lacks"),
        pytest.param({"allow_network_filesystem": True}, True, False, id="network"),
        pytest.param({"allow_network_filesystem": False, "restart_ledger": True}, False, True, id="restart"),
    ],
)
def test_surroundings_are_what_the_options_say(more: dict[str, t.Any], network: bool, restart: bool) -> None:
    found = call_context.call_context({**_LEAST, **more}, NOW)
    assert (found.now, found.lock_timeout, found.origin["operator"]) == (NOW, 7, "anna@controller")
    assert (found.allow_network_filesystem, found.restart_ledger) == (network, restart)
