# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of site.yml as far as they need no dockerd: up to the certificates."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT

SITE = pathlib.Path(__file__).resolve().parents[2] / "playbooks/site.yml"


def test_certificates_are_signed_where_the_first_host_wants_no_endpoint(tmp_path: pathlib.Path) -> None:
    """What runs once for all hosts runs as the first of them, whose own wishes are not those of the others."""
    authorities, work = (
        play
        for play in yaml.safe_load(SITE.read_text())
        if play["name"] in ("Authorities on the CA host", "Server certificates and daemons")
    )
    authorities["vars"] = {}
    kept = {name: part for name, part in work.items() if name not in ("become", "serial", "max_fail_percentage")}
    show = {
        "ansible.builtin.copy": {"dest": f"{tmp_path}/said", "content": "{{ docker_server_cert_signed | to_json }}"}
    }
    plays = [authorities, {**kept, "hosts": "docker_hosts", "tasks": [work["tasks"][0], {**show, "run_once": True}]}]
    (tmp_path / "plays.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
    (tmp_path / "inventory").write_text(
        f"[docker_hosts]\nweb1 docker_daemon_state=absent docker_server_cert_path={tmp_path}/web1\n"
        f"web2 docker_server_cert_path={tmp_path}/web2\n[docker_hosts:vars]\n"
        + playbook_runs.LOCAL.replace(" ", "\n")
        + "\n"
    )
    settings = playbook_runs.environment(tmp_path, tmp_path / "home", tmp_path / "tmp")
    given = json.dumps({"docker_ca_path": str(tmp_path / "ca"), "docker_ca_passphrase": PASSPHRASE_TEXT})
    command = [playbook_runs.PLAYBOOK, "-i", str(tmp_path / "inventory"), str(tmp_path / "plays.yml"), "-e", given]
    done = playbook_runs.run(command, {**settings, "ANSIBLE_NOCOLOR": "1"}, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(json.loads((tmp_path / "said").read_text()).get("certificates", {})) == ["web2/server"]
    assert not (tmp_path / "web1").exists()


def test_secret_that_looks_like_a_template_fails_the_first_task_and_is_not_shown(tmp_path: pathlib.Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        f"all: {{vars: {{docker_ca_passphrase: 'Xk9{{%vault#not-a-real-phrase', docker_ca_path: {tmp_path}/ca}}}}\n"
    )
    settings = playbook_runs.environment(tmp_path, tmp_path / "home", tmp_path / "tmp")
    command = [playbook_runs.PLAYBOOK, "portcullis.docker_tls.site", "-i", str(inventory), "-vvv"]
    done = playbook_runs.run(command, settings, tmp_path)
    assert done.returncode == 2 and "!unsafe" in done.stdout
    assert "not-a-real-phrase" not in done.stdout + done.stderr and not (tmp_path / "ca").exists()


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check"])
@pytest.mark.parametrize("entry", [{"name": "../victim"}, {"name": "../victim", "state": "revoked"}], ids=str)
def test_client_whose_name_is_a_path_fails_the_first_task(
    tmp_path: pathlib.Path, entry: dict[str, str], check: tuple[str, ...]
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "cert.pem").write_text("of another program")
    given = {
        "docker_ca_passphrase": PASSPHRASE_TEXT,
        "docker_ca_path": str(tmp_path / "ca"),
        "docker_client_cert_path": str(tmp_path / "bundles"),
        "docker_client_cert_clients": [{"name": "alice"}, entry],
    }
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"vars": given}}))
    settings = playbook_runs.environment(tmp_path, tmp_path / "home", tmp_path / "tmp")
    command = [playbook_runs.PLAYBOOK, "portcullis.docker_tls.site", "-i", str(inventory), *check]
    done = playbook_runs.run(command, settings, tmp_path)
    assert done.returncode == 2
    assert "the name of the client '../victim' has a / in it" in " ".join(done.stdout.split())
    assert [one.name for one in victim.iterdir()] == ["cert.pem"]
    assert not (tmp_path / "ca").exists() and not (tmp_path / "bundles").exists()
