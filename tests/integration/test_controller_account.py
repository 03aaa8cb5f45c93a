# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs in which the inventory says ``ansible_become`` for all hosts: the controller stays the account that runs Ansible."""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import pytest

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[2] / "playbooks"
#: In place of sudo: it notes that it was called, and runs nothing.
SUDO = '#!/bin/sh\necho "$@" >> {calls}\nexit 1\n'


def run(directory: pathlib.Path, playbook: str, *options: str, inventory: str = "") -> tuple[int, str, str]:
    """Run a playbook with ``ansible_become: true`` for all; return how it ended, what it said, and what sudo was asked for."""
    sudo, calls = directory / "sudo", directory / "calls"
    sudo.write_text(SUDO.format(calls=calls))
    sudo.chmod(0o755)
    (directory / "inventory").write_text(
        f"{inventory}\n[all:vars]\nansible_become=true\nansible_become_exe={sudo}\nansible_python_interpreter={sys.executable}\n"
    )
    given: dict[str, t.Any] = {"docker_ca_passphrase": PASSPHRASE_TEXT}
    command = [playbook_runs.PLAYBOOK, "-i", str(directory / "inventory"), "-e", json.dumps(given), *options]
    environment = playbook_runs.environment(directory, directory / "home", directory / "tmp")
    environment["ANSIBLE_BECOME_ALLOW_SAME_USER"] = "1"  # root may run the tests
    done = playbook_runs.run([*command, str(PLAYBOOKS / playbook)], environment, directory)
    return done.returncode, done.stdout + done.stderr, calls.read_text() if calls.exists() else ""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, int, str, str]:
    directory = tmp_path_factory.mktemp("fleet")
    return directory, *run(directory, "site.yml")


def test_ca_and_bundles_are_made_without_sudo(fleet: tuple[pathlib.Path, int, str, str]) -> None:
    directory, code, output, calls = fleet
    assert (code, calls) == (0, ""), output
    assert (directory / "home/.docker_tls/ca/ledger.jsonl").is_file()
    assert (directory / "home/.docker_tls/clients/client/cert.pem").is_file()


@pytest.mark.parametrize("playbook", ["status.yml", "backup_ca.yml"])
def test_what_the_controller_does_later_needs_no_sudo(
    fleet: tuple[pathlib.Path, int, str, str], playbook: str, tmp_path: pathlib.Path
) -> None:
    directory = fleet[0]
    options = ("-e", f"docker_ca_backup_controller_path={tmp_path}/backup -e docker_status_html_path={tmp_path}/page")
    code, output, calls = run(directory, playbook, *options)
    assert (code, calls) == (0, ""), output


def test_backup_leaves_the_mode_of_a_directory_that_exists(
    fleet: tuple[pathlib.Path, int, str, str], tmp_path: pathlib.Path
) -> None:
    """It may be the home of an account, or a directory that others read."""
    for name, mode in (("there", 0o755), ("new/inner", 0o700)):
        place = tmp_path / name
        if name == "there":
            place.mkdir(mode=mode)
        code, output, _calls = run(fleet[0], "backup_ca.yml", "-e", f"docker_ca_backup_controller_path={place}")
        assert (code, oct(place.stat().st_mode & 0o777)) == (0, oct(mode)), output
        (archive,) = place.iterdir()
        assert archive.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("playbook", ["backup_ca.yml", "restore_ca.yml", "change_passphrase.yml", "status.yml"])
def test_several_ca_hosts_are_refused_by_every_playbook(tmp_path: pathlib.Path, playbook: str) -> None:
    """Two CAs with the same keys would each sign and revoke for itself."""
    code, output, calls = run(tmp_path, playbook, inventory="[docker_ca]\nca1\nca2\n")
    assert (code, calls) == (2, "") and "the group docker_ca has 2 hosts (ca1, ca2)" in output, output
