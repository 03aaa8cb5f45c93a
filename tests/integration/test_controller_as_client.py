# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs in which the controller is a client machine too: it keeps its bundles, and its users get theirs."""

from __future__ import annotations

import json
import pathlib

from cryptography import x509
from test_limited_runs import play, site

from support.ansible import playbook_runs


def machine(directory: pathlib.Path, *more: str) -> str:
    """Return an inventory with localhost among the client machines; its own user gets bob's bundle in a directory of its own."""
    users = json.dumps([{"client": "bob", "directory": str(directory / "desk")}])
    return f"[docker_clients]\nlocalhost ansible_become=false docker_client_cert_users='{users}' {' '.join(more)}\n"


def signer(path: pathlib.Path) -> str:
    found = x509.load_pem_x509_certificate((path / "cert.pem").read_bytes())
    return found.issuer.rfc4514_string().partition("OU=")[2].partition(",")[0]


def signers(directory: pathlib.Path) -> dict[str, str]:
    """Return which generation has signed each bundle that is there."""
    found = {path.name: path for path in [*(directory / "bundles").iterdir(), directory / "desk"]}
    return {name: signer(path) for name, path in sorted(found.items())}


def test_controller_keeps_its_bundles_and_its_users_get_theirs(tmp_path: pathlib.Path) -> None:
    inventory = machine(tmp_path, playbook_runs.LOCAL)
    site(tmp_path, more=inventory)
    assert signers(tmp_path) == {"alice": "clients-g1", "bob": "clients-g1", "desk": "clients-g1"}
    before = {name: (tmp_path / "bundles" / name / "cert.pem").read_bytes() for name in ("alice", "bob")}
    site(tmp_path, more=inventory, docker_client_cert_force_renewal=True)
    for name, content in before.items():
        assert (tmp_path / "bundles" / name / "cert.pem").read_bytes() != content
    again = site(tmp_path, more=inventory)
    assert "Docker TLS: 2 as it should be" in again, again


def test_revocation_reaches_both_kinds_of_bundles_of_the_controller(tmp_path: pathlib.Path) -> None:
    inventory = machine(tmp_path, playbook_runs.LOCAL)
    site(tmp_path, more=inventory)
    output = site(tmp_path, more=inventory, revoked=True)
    assert signers(tmp_path) == {"bob": "clients-g2", "desk": "clients-g2"}, output
    assert "HAS NO CERTIFICATE" not in output


def test_roles_of_ones_own_plays_give_both(tmp_path: pathlib.Path) -> None:
    ours = "portcullis.docker_tls."
    plays = [
        {"hosts": "cahost", "gather_facts": False, "roles": [f"{ours}docker_ca"]},
        {"hosts": "localhost", "gather_facts": False, "roles": [f"{ours}docker_client_cert"]},
        {"hosts": "docker_clients", "gather_facts": False, "become": True, "roles": [f"{ours}docker_client_cert"]},
    ]
    (tmp_path / "plays.yml").write_text(json.dumps(plays))
    code, output = play(tmp_path, str(tmp_path / "plays.yml"), more=machine(tmp_path, playbook_runs.LOCAL))
    assert code == 0, output
    assert set(signers(tmp_path)) == {"alice", "bob", "desk"}


def test_localhost_without_its_connection_is_reached_by_ssh_and_the_run_says_so(tmp_path: pathlib.Path) -> None:
    """Ansible makes a localhost of its own only where the inventory has none."""
    code, output = play(
        tmp_path, "site.yml", more=machine(tmp_path, "ansible_port=1 ansible_ssh_args=-oControlPath=none")
    )
    assert code == 4, output
    assert "Add ansible_connection: local there" in output.partition("Docker TLS: ")[2], output
