# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CA on its own host, and what it may and may not leave there and on the Docker hosts."""

import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from testinfra.host import Host

from common_tests import *  # noqa: F403
from fleet import hosts_of, kept, place_for_copies, who_gets_in
from playbook import Run, play
from testinfra_helpers import client_bundle, ephemeral_directory, is_listening


def olympus(host):
    return Host.get_host("ansible://olympus", ansible_inventory=host.backend.ansible_inventory)


def authority(host):
    return x509.load_pem_x509_certificate(
        olympus(host).check_output("cat /etc/docker/ca/authorities/server-g1/certificate.pem").encode()
    )


def test_authority_is_what_was_asked_for(host):
    found = authority(host)
    assert found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == "Olympian CA"
    assert isinstance(found.public_key(), RSAPublicKey)
    assert found.public_key().key_size == 4096
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == 1000


def test_ca_key_opens_with_openssl_and_the_passphrase_only(host):
    command = "openssl pkey -in /etc/docker/ca/authorities/server-g1/key.pem -noout -passin pass:%s"
    assert olympus(host).run(command, "correct horse battery staple").rc == 0
    assert olympus(host).run(command, "incorrect horse battery staple").rc != 0


def test_ca_directory_is_private(host):
    loose = olympus(host).check_output(
        r"find /etc/docker/ca \( -type f -not -perm 600 \) -o \( -type d -not -perm 700 \)"
    )
    assert loose == ""


def test_ca_key_is_nowhere_else(host):
    assert host.run("grep -rl 'ENCRYPTED PRIVATE KEY' /etc /root /var/lib/docker-tls /tmp").stdout == ""
    assert not (ephemeral_directory() / "ca").exists()


def test_ledger_names_every_certificate(host):
    records = [json.loads(line) for line in olympus(host).check_output("cat /etc/docker/ca/ledger.jsonl").splitlines()]
    names = [record["subject"] for record in records]
    for wanted in ("titan", "hyperion", "portainer", "Olympian CA"):
        assert any(wanted in name for name in names), names


def test_server_certificate_has_names_and_lifetime(host, address):
    found = served_certificate(address)  # noqa: F405
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    short = host.ansible.get_variables()["inventory_hostname"]
    assert {short, f"{short}.example.test", f"{short}.olymp.example.test", "localhost"} <= set(
        names.get_values_for_type(x509.DNSName)
    )
    assert {address, "127.0.0.1", "::1"} <= {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}
    assert f"CN={short}.olymp.example.test" in found.subject.rfc4514_string()
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == 300


def test_foreign_settings_and_the_clash_are_dealt_with(host, address):
    config = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert config["log-opts"] == {"max-size": "10m", "max-file": "3"}
    assert config["hosts"] == ["fd://", "tcp://0.0.0.0:2376"]
    assert not is_listening(address, 2377)
    arguments = host.check_output("cat /proc/$(systemctl show -p MainPID --value docker)/cmdline | tr '\\0' ' '")
    assert "--containerd=/run/containerd/containerd.sock" in arguments
    assert "-H" not in arguments.split()


def certificate_of(client):
    return x509.load_pem_x509_certificate(client_bundle(client).directory.joinpath("cert.pem").read_bytes())


def test_client_without_wishes_of_its_own_gets_what_is_set_for_all():
    watcher = certificate_of("watcher")
    assert isinstance(watcher.public_key().curve, SECP384R1)
    assert (watcher.not_valid_after_utc - watcher.not_valid_before_utc).days == 90
    assert isinstance(certificate_of("portainer").public_key(), RSAPublicKey)


def test_clients_are_told_the_endpoint_that_is_set():
    environment = client_bundle("watcher").directory.joinpath("env.sh").read_text()
    assert "tcp://titan.olymp.example.test:2376" in environment


@pytest.fixture(scope="module")
def foretold() -> Run:
    """What a run would do, in all words, with other times of renewal and the hosts one after the other."""
    return play(
        "--check",
        "-vvv",
        docker_daemon_serial=[1, "100%"],
        docker_server_cert_force_renewal=True,  # hosts without work are in no batch
        docker_server_cert_renew_before="50d",
        docker_server_cert_renew_jitter="0",
        docker_client_cert_renew_before="20d",
        docker_client_cert_renew_jitter="0",
        docker_client_cert_force_renewal=True,
    )


def test_renewal_is_due_when_it_is_set_to(foretold, address):
    assert foretold.returncode == 0, foretold.output
    for certificate, before in ((served_certificate(address), 50), (certificate_of("watcher"), 20)):  # noqa: F405
        due = certificate.not_valid_after_utc - timedelta(days=before)
        assert f"{due:%Y-%m-%dT%H:%M:%SZ}" in foretold.output


def test_renewal_of_clients_can_be_forced(foretold):
    assert "(forced" in foretold.output, foretold.output


def test_run_that_is_limited_to_one_host_knows_the_authorities_all_the_same():
    limited = play("--check", "--limit", "titan", docker_server_cert_force_renewal=True)
    assert limited.returncode == 0, limited.output
    assert (
        "titan" in limited.output and limited.output.count("hyperion") == 1
    )  # where the summary says that it is not in this run
    assert "(renewal asked for)" in limited.output, limited.output


def test_hosts_are_changed_in_the_batches_that_are_set(foretold):
    assert foretold.output.count("PLAY [Server certificates and daemons]") == 2


def test_client_that_only_the_controllers_variables_revoke_is_shut_out_of_every_host(tmp_path):
    """The CA host and the Docker hosts have another list, from group_vars/all, in which the client is present."""
    hosts = hosts_of("docker_hosts")
    (tmp_path / "host_vars").mkdir()
    clients = [{"name": "portainer", "key_type": "rsa-2048"}, {"name": "watcher", "state": "revoked"}]
    (tmp_path / "host_vars/localhost").write_text(json.dumps({"docker_client_cert_clients": clients}))
    (tmp_path / "hosts").write_text("")
    with place_for_copies():
        watcher, portainer = kept("watcher"), kept("portainer")
        assert who_gets_in(hosts, watcher) == {"titan", "hyperion"}
        run = play("-i", str(tmp_path))
        assert run.returncode == 0, run.output
        assert run.output.count("watcher is shut out, clients-g1 is refused") == 2, run.output
        assert who_gets_in(hosts, watcher) == who_gets_in(hosts, portainer) == set()
    assert who_gets_in(hosts, client_bundle("portainer")) == {"titan", "hyperion"}
