# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook of roles fails where a revocation is not complete, in check mode as in the run."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.action import authority_info
from support.contracts import records


@pytest.mark.parametrize(("predicting", "words"), [(False, "is not complete"), (True, "would not be complete")])
def test_revocation_that_roles_cannot_complete_is_a_failure(predicting: bool, words: str) -> None:
    deferred = [{"clients": ["bob"], "generations": ["clients-g1"]}, {"clients": ["bob"], "generations": ["ops-g2"]}]
    found = authority_info.incomplete(deferred, predicting=predicting)
    said = records.said(f"{found['msg']} {found['hint']}", code=found["code"])
    assert (found["failed"], found["code"]) == (True, "revocation-incomplete")
    assert f"The revocation of bob {words}: hosts that still trust clients-g1, ops-g2 admit these clients" in said
