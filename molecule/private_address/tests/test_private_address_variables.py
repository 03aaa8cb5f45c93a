# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation that does not wait for a machine that is away, and certificates in a directory of one's own. In this order."""

from __future__ import annotations

import json
from typing import Any

from testinfra.host import get_host

from common_tests import served_certificate
from playbook import play
from testinfra_helpers import address_of, client_bundle, docker

testinfra_hosts = ["ansible://edge"]
# Nothing listens at port 1, so Ansible does not reach `desk`.
DESK_IS_AWAY = {"ansible_port": "{{ 1 if inventory_hostname == 'desk' else 22 }}"}
SERVER = {
    "playbook": "playbooks/rotate_ca.yml",
    "docker_rotate_ca_authority": "server",
    "docker_rotate_ca_execute": True,
}


def user_gets_in(host: Any) -> bool:
    desk = get_host("ansible://desk", ansible_inventory=host.backend.ansible_inventory)
    return bool(desk.run("su - deploy -c '. ~/.docker/env.sh && docker ps'").rc == 0)


def test_rotation_leaves_out_who_is_away_only_where_it_is_forced(host: Any) -> None:
    run = play(**SERVER, **DESK_IS_AWAY)
    assert "reissue of the rotation of server must not begin" in run.output, run.output
    assert "OU=server-g1" in served_certificate(address_of(host)).issuer.rfc4514_string()

    run = play(**SERVER, **DESK_IS_AWAY, docker_rotate_ca_force_reissue=True)
    assert "retire of the rotation of server must not begin" in run.output, run.output
    assert "OU=server-g2" in served_certificate(address_of(host)).issuer.rfc4514_string()
    assert not user_gets_in(host)

    play(**SERVER, **DESK_IS_AWAY, docker_rotate_ca_force_retire=True)
    assert client_bundle().directory.joinpath("ca.pem").read_text().count("BEGIN CERTIFICATE") == 1
    assert docker(address_of(host), client_bundle(), "version").succeeded


def test_user_who_was_left_out_is_let_in_by_the_next_run(host: Any) -> None:
    run = play()
    assert run.returncode == 0, run.output
    assert user_gets_in(host)


def test_daemon_reads_the_directory_that_it_is_told(host: Any, tmp_path: Any) -> None:
    """Certificates that something else keeps there: the role docker_daemon alone, without docker_server_cert."""
    host.run_expect([0], "mkdir -m 700 /srv/kept && cp -L /var/docker/*.pem /srv/kept/")
    alone = tmp_path / "daemon.yml"
    alone.write_text(
        "- hosts: docker_hosts\n  gather_facts: false\n  become: true\n  roles: [portcullis.docker_tls.docker_daemon]\n"
    )
    run = play(playbook=str(alone), docker_daemon_certificate_path="/srv/kept")
    assert run.returncode == 0, run.output
    assert (
        json.loads(host.file("/etc/docker/daemon.json").content_string)["tlskey"] == "/srv/kept/current/server-key.pem"
    )
    assert docker(address_of(host), client_bundle(), "version").succeeded
