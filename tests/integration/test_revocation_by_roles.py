# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook that enters the roles one by one: it begins a revocation at most, and must not end as if it had completed it."""

from __future__ import annotations

import pathlib

import pytest
from test_real_runs import Run, play

from support.ca.ca_directory import PASSPHRASE_TEXT

ROLES = """
- hosts: localhost
  gather_facts: false
  roles: [portcullis.docker_tls.docker_ca]
- hosts: localhost
  gather_facts: false
  roles:
    - role: portcullis.docker_tls.docker_client_cert
      docker_client_cert_clients: [{name: alice}, {name: bob, state: "{{ bob }}"}]
"""
INVENTORY = """
[docker_hosts]
[all:vars]
ansible_connection=local
docker_ca_path={top}/ca
docker_ca_passphrase="{{{{ lookup('ansible.builtin.env', 'CA_SECRET') }}}}"
docker_client_cert_path={top}/clients
"""


def run_roles(directory: pathlib.Path, bob: str, *arguments: str) -> Run:
    inventory = INVENTORY.format(top=directory)
    return play(directory, ROLES, PASSPHRASE_TEXT, "-e", f"bob={bob}", *arguments, inventory=inventory)


@pytest.fixture
def issued(tmp_path: pathlib.Path) -> pathlib.Path:
    """A CA that has issued both clients a certificate."""
    run = run_roles(tmp_path, "present")
    assert run.status == 0, run.output
    return tmp_path


def test_client_that_only_the_role_s_parameters_revoke_is_not_taken_for_shut_out(issued: pathlib.Path) -> None:
    plan = run_roles(issued, "revoked", "--check")
    assert plan.status != 0, plan.output
    assert "The revocation of bob would not be complete" in " ".join(plan.output.split())
    run = run_roles(issued, "revoked")
    assert run.status != 0, run.output
    assert "The revocation of bob is not complete: hosts that still trust clients-g1" in " ".join(run.output.split())
    assert not (issued / "clients" / "bob" / "key.pem").exists()
    assert (issued / "clients" / "alice" / "key.pem").exists()


#: The task of the role docker_daemon that reads the CA; the ones after it would need a dockerd.
DAEMON_READS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - portcullis.docker_tls.authority_info: {role: docker_daemon}
"""


def test_docker_daemon_by_itself_warns_of_revoked_clients_that_hosts_admit(issued: pathlib.Path) -> None:
    for state, warned in (("present", False), ("revoked", True)):
        inventory = INVENTORY.format(top=issued).replace("[docker_hosts]", "[docker_hosts]\nweb1\nweb2") + (
            f"docker_client_cert_clients=[{{'name': 'alice'}}, {{'name': 'bob', 'state': '{state}'}}]\n"
        )
        run = play(issued, DAEMON_READS, PASSPHRASE_TEXT, inventory=inventory)
        assert run.status == 0, run.output
        text = "bob is revoked in the inventory, and web1, web2 admit certificates of clients-g1"
        assert (text in " ".join(run.output.split())) == warned, run.output
