# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CA on its own host, and what it may and may not leave there and on the Docker hosts."""

import json

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from testinfra.host import Host

from common_tests import *  # noqa: F403
from testinfra_helpers import ephemeral_directory, is_listening


def olympus(host):
    return Host.get_host("ansible://olympus", ansible_inventory=host.backend.ansible_inventory)


def authority(host):
    return x509.load_pem_x509_certificate(
        olympus(host).check_output("cat /etc/docker/ca/authorities/server-g1/certificate.pem").encode()
    )


def test_authority_is_what_was_asked_for(host):
    found = authority(host)
    assert found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == "Docker CA"
    assert isinstance(found.public_key(), RSAPublicKey)
    assert found.public_key().key_size == 4096
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == 1825


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
    for wanted in ("titan", "hyperion", "portainer", "Docker CA"):
        assert any(wanted in name for name in names), names


def test_server_certificate_has_names_and_lifetime(host, address):
    found = served_certificate(address)  # noqa: F405
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    short = host.ansible.get_variables()["inventory_hostname"]
    assert {short, f"{short}.example.test", f"{short}.olymp.example.test", "localhost"} <= set(
        names.get_values_for_type(x509.DNSName)
    )
    assert {address, "127.0.0.1", "::1"} <= {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == 365


def test_foreign_settings_and_the_clash_are_dealt_with(host, address):
    config = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert config["log-opts"] == {"max-size": "10m", "max-file": "3"}
    assert config["hosts"] == ["fd://", "tcp://0.0.0.0:2376"]
    assert not is_listening(address, 2377)
    arguments = host.check_output("cat /proc/$(systemctl show -p MainPID --value docker)/cmdline | tr '\\0' ' '")
    assert "--containerd=/run/containerd/containerd.sock" in arguments
    assert "-H" not in arguments.split()
