# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of authorities: a CA is on one host, and a role for several makes none."""

from __future__ import annotations

import pytest

from support.ansible.actions import action
from support.contracts import records


@pytest.mark.parametrize("hosts", [["ca1", "ca2"], ["web1", "web2", "web3"]], ids=str)
def test_role_for_several_hosts_makes_no_authorities(hosts: list[str]) -> None:
    found = action("authorities", {"role": "docker_ca"}, [])
    variables = {"inventory_hostname": hosts[0], "groups": {"docker_hosts": hosts}, "ansible_play_hosts_all": hosts}
    result = records.returned("authorities", found.run(task_vars=variables))
    assert (result["failed"], result["code"], found.called) == (True, "inventory-invalid", [])
    assert f"docker_ca was to run on {', '.join(hosts)}" in result["msg"]
    assert "Leave one host in the group docker_ca" in result["hint"]
