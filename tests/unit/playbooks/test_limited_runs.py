# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs that --limit confines to a part of the inventory. The fleet has bundles only, so no dockerd is needed."""

from __future__ import annotations

import json
import pathlib
import typing as t

from cryptography import x509

import helpers_ansible
from helpers_ca import PASSPHRASE_TEXT

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks"
INVENTORY = f"[docker_ca]\ncahost {helpers_ansible.LOCAL} ansible_become=false\n"


def play(
    directory: pathlib.Path, playbook: str, *options: str, revoked: bool = False, **variables: t.Any
) -> tuple[int, str]:
    """Run a playbook for alice, who may be revoked, and bob; both have their bundles on the controller. Return how it ended and what it said."""
    alice = {"name": "alice", "state": "revoked" if revoked else "present"}
    given: dict[str, t.Any] = {
        "docker_ca_path": str(directory / "ca"),
        "docker_ca_passphrase": PASSPHRASE_TEXT,
        "docker_client_cert_path": str(directory / "bundles"),
        "docker_client_cert_clients": [alice, {"name": "bob"}],
        **variables,
    }
    (directory / "inventory").write_text(INVENTORY)
    settings = helpers_ansible.environment(directory, directory / "home", directory / "tmp")
    command = [
        helpers_ansible.PLAYBOOK,
        "-i",
        str(directory / "inventory"),
        str(PLAYBOOKS / playbook),
        "-e",
        json.dumps(given),
    ]
    done = helpers_ansible.run([*command, *options], {**settings, "ANSIBLE_NOCOLOR": "1"}, directory)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def site(directory: pathlib.Path, *options: str, revoked: bool = False) -> str:
    code, output = play(directory, "site.yml", *options, revoked=revoked)
    assert code == 0, output
    return output


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
    assert "revocation-deferred: alice" in limited
    assert (generations(tmp_path), issuer(tmp_path)) == (["clients-g1"], "clients-g1")
    site(tmp_path, "--limit", "all,localhost", revoked=True)
    assert (generations(tmp_path), issuer(tmp_path)) == (["clients-g2"], "clients-g2")


def test_rotation_that_leaves_the_controller_out_is_refused(tmp_path: pathlib.Path) -> None:
    """The plan is made there: without it nothing would happen, and that would look like success."""
    site(tmp_path)
    wanted = {"rotate_ca_authority": "server", "rotate_ca_execute": True}
    code, output = play(tmp_path, "rotate_ca.yml", "--limit", "all", **wanted)
    assert (code, "--limit leaves localhost out" in output) == (2, True), output
    assert sorted(one.name for one in (tmp_path / "ca/authorities").iterdir()) == ["clients-g1", "server-g1"]
