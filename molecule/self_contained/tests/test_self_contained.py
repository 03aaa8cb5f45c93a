# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One machine is everything; it calls its own daemon by every name and address that it has."""

from common_tests import *  # noqa: F403


def tls(files, target, command="version"):
    names = " ".join(
        f"--tls{option}={files}/{name}.pem" for option, name in (("cacert", "ca"), ("cert", "cert"), ("key", "key"))
    )
    return f"docker --tlsverify {names} -H={target}:2376 {command}"


def test_machine_calls_itself_by_every_name_and_address(host):
    addresses = host.check_output("hostname -I").split()
    own = [address for address in addresses if not address.startswith("172.17.0.1") or address == "172.17.0.2"]
    assert len(own) >= 2
    for target in ("localhost", "127.0.0.1", host.check_output("hostname -f"), *(own[:2])):
        answer = host.run(tls("/root/.docker", target))
        assert answer.rc == 0, (target, answer.stderr)


def test_client_is_called_client(host):
    subject = host.check_output("openssl x509 -noout -subject -nameopt RFC2253 -in /root/.docker/cert.pem")
    assert "CN=client" in subject


def test_environment_file_is_all_that_the_user_needs(host):
    assert host.run("sh -c '. /root/.docker/env.sh && docker version'").rc == 0


def test_bundle_in_the_home_is_private(host):
    modes = host.check_output("stat -c '%a' /root/.docker/key.pem /root/.docker/cert.pem /root/.docker/ca.pem").split()
    assert modes == ["400", "444", "444"]


def test_context_of_the_host_is_there_at_once(host):
    assert host.run("docker --context box version").rc == 0


def test_context_archive_is_imported(host):
    archive = "/root/.docker/contexts-export/box.dockercontext"
    imported = f"DOCKER_CONFIG=$(mktemp -d) sh -c 'docker context import elsewhere {archive} && docker --context elsewhere version'"
    assert host.run(imported).rc == 0


def test_pkcs12_is_read_by_the_hosts_openssl(host):
    host.check_output("openssl pkcs12 -in /root/.docker/client.p12 -passin 'pass:a passphrase of the scenario' -nokeys")


def test_every_form_is_private(host):
    found = host.check_output("find /root/.docker -mindepth 2 -type f ! -perm 600")
    assert found == ""
