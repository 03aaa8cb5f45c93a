# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of site.yml with a revoked client, limited to a part of the inventory. The fleet has bundles only, so no dockerd is needed."""

from __future__ import annotations

import json
import pathlib
import typing as t

from cryptography import x509

import helpers_ansible
from helpers_ca import PASSPHRASE_TEXT

SITE = pathlib.Path(__file__).resolve().parents[3] / "playbooks" / "site.yml"
INVENTORY = f"[docker_ca]\ncahost {helpers_ansible.LOCAL} ansible_become=false\n"


def site(directory: pathlib.Path, *options: str, revoked: bool = False) -> str:
    """Run the playbook for alice, who may be revoked, and bob; both have their bundles on the controller. Return what it said."""
    alice = {"name": "alice", "state": "revoked" if revoked else "present"}
    given: dict[str, t.Any] = {
        "docker_ca_path": str(directory / "ca"),
        "docker_ca_passphrase": PASSPHRASE_TEXT,
        "docker_client_cert_path": str(directory / "bundles"),
        "docker_client_cert_clients": [alice, {"name": "bob"}],
        "docker_client_cert_ca_become": False,
    }
    (directory / "inventory").write_text(INVENTORY)
    settings = helpers_ansible.environment(directory, directory / "home", directory / "tmp")
    command = [helpers_ansible.PLAYBOOK, "-i", str(directory / "inventory"), str(SITE), "-e", json.dumps(given)]
    done = helpers_ansible.run([*command, *options], {**settings, "ANSIBLE_NOCOLOR": "1"}, directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def issuer(directory: pathlib.Path) -> str:
    """Return which generation has signed bob's certificate."""
    found = x509.load_pem_x509_certificate((directory / "bundles/bob/cert.pem").read_bytes())
    return found.issuer.rfc4514_string().partition("OU=")[2].partition(",")[0]


def generations(directory: pathlib.Path) -> list[str]:
    return sorted(one.name for one in (directory / "ca/authorities").iterdir() if one.name.startswith("clients"))


def test_revocation_that_leaves_the_controller_out_waits_for_the_bundles_there(tmp_path: pathlib.Path) -> None:
    """``all`` is not the localhost that Ansible makes itself: no play would give bob his new certificate."""
    site(tmp_path)
    limited = site(tmp_path, "--limit", "all", revoked=True)
    assert "revocation-deferred: alice" in " ".join(limited.split())
    assert (generations(tmp_path), issuer(tmp_path)) == (["clients-g1"], "clients-g1")
    site(tmp_path, "--limit", "all,localhost", revoked=True)
    assert (generations(tmp_path), issuer(tmp_path)) == (["clients-g2"], "clients-g2")
