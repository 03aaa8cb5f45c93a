# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way of writing who has access, in real runs of site.yml: what an old copy of each bundle is good for afterwards.

The fleet has bundles only, so no dockerd is needed: a copy is good for as long as the CA trusts the authority that signed it.
"""

from __future__ import annotations

import dataclasses
import getpass
import json
import pathlib
import shutil
import typing as t

import pytest
from cryptography import x509

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT

SITE = pathlib.Path(__file__).resolve().parents[2] / "playbooks/site.yml"
LOCAL = playbook_runs.LOCAL + " ansible_become=false"
INVENTORY = f"[docker_ca]\ncahost {LOCAL}\n[printers]\nprinter {LOCAL}\n"
DESK = f"[docker_clients]\ndesk {LOCAL}\n"
CLIENTS = "docker_client_cert_clients"
ALICE, BOB, OLGA = {"name": "alice"}, {"name": "bob"}, {"name": "olga", "group": "ops"}
GONE = {**BOB, "state": "revoked"}
COPIES = ("alice", "bob", "olga", "desk")


@dataclasses.dataclass(frozen=True)
class Place:
    """A controller with its CA and bundles, and ``copies`` of the bundles as they were in the beginning."""

    path: pathlib.Path

    def site(
        self, *options: str, playbook: pathlib.Path = SITE, hosts: str = INVENTORY + DESK, **lists: list[t.Any]
    ) -> tuple[int, str]:
        """Run the playbook; ``lists`` are the clients by the host or group (``group_printers``) whose variables have them."""
        inventory = self.path / "inventory"
        shutil.rmtree(inventory, ignore_errors=True)
        for kind in ("host_vars", "group_vars"):
            (inventory / kind).mkdir(parents=True)
        (inventory / "hosts").write_text(hosts)
        desk = {
            "docker_client_cert_users": [
                {"user": getpass.getuser(), "client": "alice", "directory": str(self.path / "bundles/desk")}
            ]
        }
        (inventory / "host_vars/desk").write_text(json.dumps({CLIENTS: [ALICE], **desk}))
        for name, clients in lists.items():
            kind = "group_vars" if name.startswith("group_") else "host_vars"
            (inventory / kind / name.replace("group_", "")).write_text(json.dumps({CLIENTS: clients}))
        given = {
            "docker_ca_path": str(self.path / "ca"),
            "docker_ca_passphrase": PASSPHRASE_TEXT,
            "docker_ca_access_groups": ["clients", "ops"],
            "docker_client_cert_path": str(self.path / "bundles"),
        }
        command = [playbook_runs.PLAYBOOK, "-i", str(inventory), str(playbook), "-e", json.dumps(given), *options]
        settings = playbook_runs.environment(self.path, self.path / "home", self.path / "tmp")
        settings = {**settings, "ANSIBLE_NOCOLOR": "1", "DOCKER_TLS_SUMMARY_PATH": str(self.path / "summary")}
        done = playbook_runs.run(command, settings, self.path)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def good(self) -> set[str]:
        """Return the copies that a host which admits both groups would admit."""
        trusted = {one.name for one in (self.path / "ca/authorities").iterdir()}
        return {name for name in COPIES if _signer(self.path / "copies" / name) in trusted}

    def works(self, name: str) -> bool:
        """Return whether the bundle that somebody has now is good."""
        return _signer(self.path / "bundles" / name) in {one.name for one in (self.path / "ca/authorities").iterdir()}

    def unlisted(self) -> list[tuple[str, str, str]]:
        """Return what the summary's document says of certificates that are not listed."""
        found = json.loads((self.path / "summary").read_text())["unlisted_certificates"]
        return sorted((one["client"], one["request"].partition("/")[0], one["reason"]) for one in found)


def _signer(bundle: pathlib.Path) -> str:
    certificate = x509.load_pem_x509_certificate((bundle / "cert.pem").read_bytes())
    return certificate.issuer.rfc4514_string().partition("OU=")[2].partition(",")[0]


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    place = Place(tmp_path_factory.mktemp("access"))
    code, output = place.site(localhost=[ALICE, BOB, OLGA])
    assert code == 0, output
    shutil.copytree(place.path / "bundles", place.path / "copies")
    return place.path


@pytest.fixture(name="place")
def copied(beginning: pathlib.Path, tmp_path: pathlib.Path) -> Place:
    for name in ("ca", "bundles", "copies"):
        shutil.copytree(beginning / name, tmp_path / name)
    place = Place(tmp_path)
    assert place.good() == set(COPIES)
    return place


#: Lists by host in which bob is revoked; alice stays everywhere.
WRITTEN: dict[str, dict[str, list[t.Any]]] = {
    "host_vars of localhost, which the CA host does not see": {"localhost": [ALICE, GONE, OLGA]},
    "host_vars of the CA host": {"localhost": [ALICE, OLGA], "cahost": [GONE]},
    "group_vars of a group that is none of ours": {"localhost": [ALICE, OLGA], "group_printers": [GONE]},
}


@pytest.mark.parametrize("lists", WRITTEN.values(), ids=WRITTEN)
def test_revoked_client_is_shut_out_wherever_its_entry_is_written(place: Place, lists: dict[str, list[t.Any]]) -> None:
    code, output = place.site(**lists)
    assert (code, place.good()) == (0, {"olga"}), output
    assert place.works("alice") and place.works("desk")


def test_revoked_client_that_another_list_gives_a_bundle_is_refused_before_anything_is_touched(place: Place) -> None:
    code, output = place.site(localhost=[ALICE, BOB, OLGA], group_printers=[GONE])
    assert (code, place.good()) == (2, set(COPIES)), output
    assert "The client 'bob' is revoked in docker_client_cert_clients as printer has it" in output


LIMITED: dict[str, tuple[str, ...]] = {
    "without-the-controller": ("--limit", "all:!localhost"),
    "without-the-ca-host": ("--limit", "localhost"),
    "without-any-task": ("--tags", "none"),
    "from-the-middle": ("--start-at-task", "Get their certificates signed, and install them"),
}


@pytest.mark.parametrize("options", LIMITED.values(), ids=LIMITED)
def test_run_that_cannot_revoke_fails_and_says_so(place: Place, options: tuple[str, ...]) -> None:
    code, output = place.site(
        *options, localhost=[ALICE, OLGA], group_printers=[GONE], hosts=f"{INVENTORY}{DESK}[here]\nlocalhost {LOCAL}\n"
    )
    assert (code, place.good()) == (2, set(COPIES)), output
    assert "bob" in output.partition("Docker TLS: ")[2], output


def test_check_mode_of_a_run_that_cannot_revoke_fails_like_the_run(place: Place) -> None:
    here = f"{INVENTORY}{DESK}[here]\nlocalhost {LOCAL}\n"
    code, output = place.site(
        "--check", "--limit", "localhost", localhost=[ALICE, OLGA], group_printers=[GONE], hosts=here
    )
    assert (code, place.good()) == (2, set(COPIES)), output
    assert "so the revocation would not begin" in output.partition("PLAY RECAP")[2], output


def test_revocation_by_the_variables_of_a_play_is_done(place: Place) -> None:
    plays = [{"import_playbook": str(SITE), "vars": {CLIENTS: [ALICE, GONE, OLGA]}}]
    (place.path / "plays.yml").write_text(json.dumps(plays))
    code, output = place.site(playbook=place.path / "plays.yml", localhost=[ALICE, OLGA])
    assert (code, place.good(), place.unlisted()) == (0, {"olga"}, []), output


MOVED_DELETED_AND_TAKEN_AWAY = [ALICE, {**OLGA, "group": "clients"}, {"name": "robert"}]


def test_certificates_that_the_inventory_no_longer_lists_are_named_and_ended_where_that_is_wanted(place: Place) -> None:
    """olga has another group, bob's entry is renamed, and desk is a client machine no more."""
    changed = {"hosts": INVENTORY, "localhost": MOVED_DELETED_AND_TAKEN_AWAY}
    unlisted = [
        ("alice", "desk", "bundle-unlisted"),
        ("bob", "localhost", "client-unlisted"),
        ("olga", "localhost", "group-changed"),
    ]
    code, output = place.site("--check", **changed)
    assert (code, place.good(), place.unlisted()) == (0, set(COPIES), unlisted), output
    code, output = place.site(**changed)
    assert (code, place.good(), place.unlisted()) == (0, set(COPIES), unlisted), output
    assert "olga, certificate of ops-g1 (localhost/olga): opens no host now" in output
    code, output = place.site("-e", "docker_ca_unlisted_certificates=revoke", **changed)
    assert (code, place.good(), place.unlisted()) == (0, set(), []), output
    assert place.works("alice") and place.works("olga") and place.works("robert")
