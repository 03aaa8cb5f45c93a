# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener is on one address; a plain user of another machine comes in with the usual variables."""

import json
import subprocess

from cryptography import x509
from testinfra.host import Host

from common_tests import *  # noqa: F403
from common_tests import served_certificate
from testinfra_helpers import ephemeral_directory, is_listening


def desk(host):
    return Host.get_host("ansible://desk", ansible_inventory=host.backend.ansible_inventory)


def other_addresses(host, address):
    return [found for found in host.check_output("hostname -I").split() if found != address and ":" not in found]


def test_listener_is_on_the_one_address_and_not_on_the_others(host, address):
    assert is_listening(address)
    others = other_addresses(host, address)
    assert others
    for other in others:
        assert host.run("timeout 3 bash -c 'exec 3<>/dev/tcp/%s/2376'", other).rc != 0
    assert host.run("timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/2376'").rc != 0


def test_neighbour_reaches_the_one_address_only(host, address):
    reachable = [other for other in other_addresses(host, address) if not other.startswith("172.17.")]
    assert desk(host).run("timeout 3 bash -c 'exec 3<>/dev/tcp/%s/2376'", address).rc == 0
    for other in reachable:
        assert desk(host).run("timeout 3 bash -c 'exec 3<>/dev/tcp/%s/2376'", other).rc != 0


def test_certificate_has_the_names_of_this_host_and_no_others(host, address):
    names = served_certificate(address).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = {str(name.value) for name in names}
    assert {name for name in found if not name.startswith("edge.")} == {"edge", address}


def test_user_comes_in_by_the_usual_variables(host, address):
    variables = f"DOCKER_HOST=tcp://{address}:2376 DOCKER_TLS_VERIFY=1"
    answer = desk(host).run(f"su - deploy -c '{variables} docker version'")
    assert answer.rc == 0, answer.stderr


def test_user_comes_in_by_the_environment_file(host):
    assert desk(host).run("su - deploy -c '. ~/.docker/env.sh && docker ps'").rc == 0


def test_bundle_belongs_to_the_user(host):
    owners = desk(host).check_output("stat -c '%U %a' /home/deploy/.docker /home/deploy/.docker/key.pem").splitlines()
    assert owners == ["deploy 700", "deploy 400"]


def test_key_was_born_there_and_is_not_on_the_controller(host):
    mine = desk(host).check_output("openssl pkey -pubout -in /home/deploy/.docker/key.pem")
    for key in ephemeral_directory().glob("clients/*/key.pem"):
        theirs = subprocess.run(
            ["openssl", "pkey", "-pubout", "-in", key], capture_output=True, text=True, check=True
        ).stdout
        assert theirs.strip() != mine.strip()


def test_hosts_name_the_one_address_and_the_local_socket(host, address):
    config = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert config["hosts"] == ["fd://", f"tcp://{address}:2376"]
