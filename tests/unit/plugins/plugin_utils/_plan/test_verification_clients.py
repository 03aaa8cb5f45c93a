# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""For which access groups a run makes clients to verify hosts with."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import verification
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables.binding import Bound
from support.ansible.role_variables import variables

HOST: dict[str, t.Any] = {"docker_daemon_access_groups": ["ops", "ci"], "docker_daemon_verify": "always"}
BATCHES = {
    "a host": (["web1"], [], ["ops"]),
    "with the witness of site.yml": (["web1", "localhost"], ["web1"], ["ops"]),
    "where the witness is a Docker host": (["web1", "localhost"], ["web1", "localhost"], ["ops", "clients"]),
}


@pytest.mark.parametrize(("batch", "docker_hosts", "expected"), BATCHES.values(), ids=BATCHES)
def test_clients_are_of_the_groups_that_the_hosts_admit(
    batch: list[str], docker_hosts: list[str], expected: list[str]
) -> None:
    """The witness has no daemon, and the default group of its role need not exist."""
    known = variables(
        **HOST, ansible_play_batch=batch, __docker_tls_witness="localhost", groups={"docker_hosts": docker_hosts}
    )
    made = verification.clients(Bound(known, lambda value: value), {"web1": HOST, "localhost": {}})
    assert made is not None and made["groups"] == expected
