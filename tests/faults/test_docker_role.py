# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role that renders the whole of daemon.json beside site.yml: docs/recipes/beside-a-docker-role.md, and what happens without it."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import typing as t

import pytest
import yaml
from test_rewritten_config import FORGET, answers, assert_closed, listens

from conftest import ROOT, Host, key_file

RECIPE = (ROOT / "docs/recipes/beside-a-docker-role.md").read_text()
SITE = {"name": "The endpoint", "ansible.builtin.import_playbook": str(ROOT / "playbooks/site.yml")}
OPTIONS = {"log-driver": "local", "live-restore": True}


def recipe_play() -> dict[str, t.Any]:
    """Return the play of the recipe, with our role of the kind in the place of the one that it names."""
    block = re.search(r"```yaml\n(.*?)```", RECIPE, re.DOTALL)
    assert block
    play = yaml.safe_load(block[1])[0]
    return {**play, "gather_facts": False, "roles": ["docker_role"]}


def plain_play() -> dict[str, t.Any]:
    """Return the play of a user who does not know about the endpoint."""
    variables = {"docker_daemon_options": OPTIONS}
    return {
        "name": "Docker",
        "hosts": "docker_hosts",
        "gather_facts": False,
        "vars": variables,
        "roles": ["docker_role"],
    }


class Controller:
    """Runs playbooks on one host, over SSH."""

    def __init__(self, host: Host, directory: pathlib.Path, key: pathlib.Path, listener: str) -> None:
        self.directory = directory
        variables = {
            "ansible_host": host.address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            "docker_ca_passphrase": "correct horse battery staple",
            "docker_ca_path": str(directory / "ca"),
            "docker_client_cert_path": str(directory / "clients"),
            "docker_daemon_listener": listener,
        }
        inventory = {
            "docker_hosts": {"hosts": {"web1": variables}},
            "all": {"vars": {k: v for k, v in variables.items() if "docker_" in k}},
        }
        (directory / "inventory.yml").write_text(json.dumps(inventory))

    def play(self, *plays: dict[str, t.Any]) -> dict[str, int]:
        """Run the plays in one playbook; return the host's counts of Ansible's recap."""
        playbook = self.directory / "playbook.yml"
        playbook.write_text(yaml.safe_dump(list(plays), sort_keys=False))
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.directory / "inventory.yml"), str(playbook)],
            capture_output=True,
            text=True,
            env={**os.environ, "ANSIBLE_ROLES_PATH": str(ROOT / "tests/faults"), "ANSIBLE_NOCOLOR": "1"},
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
        recap = re.search(r"^web1\s*:(.*)$", done.stdout, re.MULTILINE)
        assert recap, done.stdout[-2000:]
        return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", recap[1])}


@pytest.fixture
def controller(
    host: Host, tmp_path: pathlib.Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Controller:
    key = key_file(tmp_path_factory.getbasetemp()).with_suffix("")
    return Controller(host, tmp_path, key, request.param)


LISTENERS = pytest.mark.parametrize("controller", ["dockerd", "systemd"], indirect=True)


def dockerd(host: Host) -> str:
    return host.sh("pidof dockerd")


@LISTENERS
def test_recipe_settles_after_two_runs_and_keeps_endpoint_and_containers(host: Host, controller: Controller) -> None:
    controller.play(recipe_play(), SITE)
    assert listens(host)
    host.sh("docker start keeper")  # the role's first restart stops it: live-restore is not on yet
    keeper, first = host.keeper(), dockerd(host)
    controller.play(recipe_play(), SITE)
    assert dockerd(host) != first, "the role's own format, once"
    second = dockerd(host)
    assert controller.play(recipe_play(), SITE)["changed"] == 0
    assert dockerd(host) == second
    assert listens(host)
    assert not answers(host, "https")
    assert host.keeper() == keeper
    assert json.loads(host.sh("cat /etc/docker/daemon.json"))["log-driver"] == "local"


@LISTENERS
def test_docker_role_without_the_recipe_before_and_after_the_site_playbook(host: Host, controller: Controller) -> None:
    for _run in (1, 2):
        host.sh(FORGET)
        controller.play(plain_play(), SITE)
        host.sh("docker start keeper")
        assert listens(host)
        assert not answers(host, "http")
        assert not answers(host, "https")
    host.sh(FORGET)
    controller.play(SITE, plain_play())
    assert_closed(host)
    keeper = host.keeper()
    controller.play(SITE)
    assert listens(host)
    assert not answers(host, "https")
    assert keeper
    assert host.keeper() == keeper
