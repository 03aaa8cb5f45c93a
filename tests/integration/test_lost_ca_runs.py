# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""site.yml with a CA directory that is gone: the bundles of the clients, here and on a client machine, stay as they are."""

from __future__ import annotations

import getpass
import json
import pathlib
import shutil

import pytest

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT, tree

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[2] / "playbooks"
LOCAL = playbook_runs.LOCAL + " ansible_become=false"
INVENTORY = f"localhost {LOCAL}\n[docker_clients]\ndesk {LOCAL}\n"


def site(path: pathlib.Path, *options: str, playbook: str = "site.yml") -> tuple[int, str]:
    desk = {"user": getpass.getuser(), "client": "alice", "directory": str(path / "bundles/desk")}
    given = {
        "docker_ca_path": str(path / "ca"),
        "docker_ca_passphrase": PASSPHRASE_TEXT,
        "docker_ca_key_type": "ecdsa-p256",
        "docker_client_cert_path": str(path / "bundles"),
        "docker_client_cert_clients": [{"name": "alice"}],
        "docker_client_cert_users": [desk],
        "docker_client_cert_bundle_formats": ["context"],
    }
    (path / "inventory").write_text(INVENTORY)
    command = [
        playbook_runs.PLAYBOOK,
        "-i",
        str(path / "inventory"),
        str(PLAYBOOKS / playbook),
        "-e",
        json.dumps(given),
        *options,
    ]
    settings = {**playbook_runs.environment(path, path / "home", path / "tmp"), "ANSIBLE_NOCOLOR": "1"}
    done = playbook_runs.run(command, settings, path)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def installed(path: pathlib.Path) -> dict[str, bytes]:
    """Return the files of all bundles, without the keys that wait for a certificate."""
    return {name: data for name, data in tree(path / "bundles").items() if not name.endswith(".new")}


@pytest.fixture
def before(tmp_path: pathlib.Path) -> dict[str, bytes]:
    code, output = site(tmp_path)
    assert code == 0, output
    found = installed(tmp_path)
    assert {"alice/cert.pem", "desk/cert.pem"} <= set(found)
    return found


def test_bundles_of_a_lost_ca_stay_until_it_is_back_or_their_replacement_is_wanted(
    tmp_path: pathlib.Path, before: dict[str, bytes]
) -> None:
    (tmp_path / "ca").rename(tmp_path / "away")
    desk = f"desk/{getpass.getuser()}:alice"
    runs = ((["--check"], "localhost/alice"), ([], "localhost/alice"), (["--limit", "desk"], desk))
    for options, place in runs:
        code, output = site(tmp_path, *options)
        assert code != 0
        assert "authority-foreign" in output and "portcullis.docker_tls.restore_ca" in output
        assert f"no certificate is signed for {place}" in output
        assert installed(tmp_path) == before

    shutil.copytree(tmp_path / "ca", tmp_path / "made again")
    shutil.rmtree(tmp_path / "ca")
    (tmp_path / "away").rename(tmp_path / "ca")
    code, output = site(tmp_path)
    assert (code, installed(tmp_path)) == (0, before), output

    shutil.rmtree(tmp_path / "ca")
    (tmp_path / "made again").rename(tmp_path / "ca")
    code, output = site(tmp_path, "-e", "docker_server_cert_foreign_authority=replace")
    assert code == 0, output
    after = installed(tmp_path)
    assert set(after) == set(before)
    assert all(after[f"{name}/cert.pem"] != before[f"{name}/cert.pem"] for name in ("alice", "desk"))


def test_backup_is_restored_after_a_new_ca_was_made_by_the_words_of_the_messages(
    tmp_path: pathlib.Path, before: dict[str, bytes]
) -> None:
    code, output = site(tmp_path, "-e", f"docker_ca_backup_path={tmp_path}/ca.tar.gz", playbook="backup_ca.yml")
    assert code == 0, output
    (tmp_path / "ca").rename(tmp_path / "lost")
    aside = f"mv {tmp_path}/ca {tmp_path}/ca.aside"
    code, output = site(tmp_path)
    assert code != 0 and "authority-foreign" in output and aside in output, output
    restore = ("-e", f"docker_ca_restore_path={tmp_path}/ca.tar.gz")
    code, output = site(tmp_path, *restore, playbook="restore_ca.yml")
    assert code != 0 and "restore-over-existing" in output and aside in output, output
    (tmp_path / "ca").rename(tmp_path / "ca.aside")
    code, output = site(tmp_path, *restore, playbook="restore_ca.yml")
    assert code == 0, output
    code, output = site(tmp_path)
    assert (code, installed(tmp_path)) == (0, before), output
