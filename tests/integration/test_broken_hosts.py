# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of site.yml in which every host with work fails: no other host waits for them."""

from __future__ import annotations

import pathlib

from test_limited_runs import issuer, play

from support.ansible.playbook_runs import LOCAL

OLGA = {"name": "olga", "group": "ops"}


def test_bundles_and_revocation_do_not_wait_for_hosts_that_fail(tmp_path: pathlib.Path) -> None:
    """web1 has nothing to go back to, so its change fails; bob may not have a new certificate until a host admits it, olga may."""
    groups = {"docker_ca_access_groups": ["clients", "ops"]}
    code, output = play(tmp_path, "site.yml", **groups)
    assert code == 0, output
    broken = f"[docker_hosts]\nweb1 {LOCAL} ansible_become=false docker_daemon_state=rolled_back\n"
    clients = [{"name": "alice", "state": "revoked"}, {"name": "bob"}, OLGA]
    code, output = play(tmp_path, "site.yml", more=broken, docker_client_cert_clients=clients, **groups)
    assert code == 2, output
    assert "[web1]: FAILED!" in output
    assert (tmp_path / "bundles/olga/cert.pem").exists(), output
    assert issuer(tmp_path) == "clients-g1"
    assert "STILL ADMITS alice" in output
    assert "The revocation of alice stops here" in output.partition("Report what this run could not complete")[2]
    assert (tmp_path / "ca/authorities/clients-g1").exists()
