# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables do that no other scenario sets. In this order, each on what the one before left."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from common_tests import served_certificate
from playbook import Run, play
from testinfra_helpers import Bundle, address_of, client_bundle, docker, ephemeral_directory, is_listening

testinfra_hosts = ["ansible://box"]
#: More than is left of a certificate of 365 days that is some minutes old, and less than its whole life, which would not count.
A_YEAR = "365d"  # what a certificate has on its first day, so nothing has more
OLGA = {"name": "olga", "group": "ops"}
WITH_OPS: dict[str, Any] = {
    "docker_ca_access_groups": ["clients", "ops"],
    "docker_daemon_access_groups": ["clients", "ops"],
}


def succeeded(run: Run) -> Run:
    assert run.returncode == 0, run.output
    return run


def other_address(host: Any) -> str:
    """The address of the other network."""
    known = (address_of(host), "172.17.0.1")
    return next(found for found in host.check_output("hostname -I").split() if found not in known and ":" not in found)


@pytest.mark.parametrize(("authority", "name"), [("server", "Docker CA"), ("clients", "Clients of the box")])
def test_authorities_have_the_names_that_are_set(host: Any, authority: str, name: str) -> None:
    path = f"/etc/docker/ca/authorities/{authority}-g1/certificate.pem"
    subject = host.check_output(f"openssl x509 -noout -subject -nameopt RFC2253 -in {path}")
    assert f"CN={name}," in subject and "O=Example" in subject


def test_status_warns_early_and_writes_every_file(host: Any, tmp_path: Path) -> None:
    files = {kind: tmp_path / f"fleet.{kind}" for kind in ("json", "prom", "html")}
    run = play(
        playbook="playbooks/status.yml",
        docker_status_warning=[A_YEAR],
        docker_status_fail_on="warning",
        docker_status_table="none",
        docker_status_title="The fleet of the scenario",
        docker_status_file_mode="0600",
        docker_status_json_path=str(files["json"]),
        docker_status_prometheus_path=str(files["prom"]),
        docker_status_html_path=str(files["html"]),
    )
    assert run.returncode != 0
    assert "Docker TLS status WARNING" in run.output
    assert "VERDICT" not in run.output
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    assert "The fleet of the scenario" in files["html"].read_text()
    (box,) = json.loads(files["json"].read_text())["hosts"]
    assert (box["level"], box["stored"]["state"], box["served_is_stored"]) == ("warning", "read", True)


def test_status_is_asked_from_outside_only_and_never_fails(host: Any, tmp_path: Path) -> None:
    run = play(
        playbook="playbooks/status.yml",
        docker_status_read_hosts=False,
        docker_status_become=False,
        docker_status_critical=[A_YEAR],
        docker_status_fail_on="never",
        docker_status_json_path=str(tmp_path / "fleet.json"),
    )
    assert "VERDICT" in succeeded(run).output
    (box,) = json.loads((tmp_path / "fleet.json").read_text())["hosts"]
    assert (box["level"], box["stored"]["state"]) == ("critical", "not-asked")


def test_status_becomes_nobody_where_it_must_not(host: Any, tmp_path: Path) -> None:
    """The scenario logs in as root, which may read everything; a become method that does not exist shows whether one is used."""
    report = tmp_path / "fleet.json"
    status = {
        "playbook": "playbooks/status.yml",
        "docker_status_json_path": str(report),
        "docker_status_fail_on": "never",
    }
    succeeded(play(**status, docker_status_become=False, ansible_become_method="no-such-method"))
    assert json.loads(report.read_text())["hosts"][0]["stored"]["state"] == "read"
    report.unlink()
    play(**status, ansible_become_method="no-such-method")
    assert not report.exists() or json.loads(report.read_text())["hosts"][0]["stored"]["state"] != "read"


def test_verification_is_written(host: Any, tmp_path: Path) -> None:
    verification = tmp_path / "verification.json"
    succeeded(play(playbook="playbooks/verify.yml", docker_verify_json_path=str(verification)))
    document = json.loads(verification.read_text())
    assert document["verified"] and {row["host"] for row in document["checks"]} == {"box"}
    assert document["endpoints"].keys() == {"box"} and document["operator"] and document["schema"] == 1
    assert all(len(each["fingerprint_sha256"]) == 64 for each in document["authorities"])


def test_adoption_looks_into_more_places(host: Any) -> None:
    key = "/opt/forgotten/server-key.pem"
    host.run_expect([0], f"mkdir -p /opt/forgotten && cp -L /etc/docker/certs/server-key.pem {key} && chmod 644 {key}")
    adopt = {"playbook": "playbooks/adopt.yml"}
    assert "/opt/forgotten" not in succeeded(play(**adopt)).output
    assert "/opt/forgotten" in succeeded(play(**adopt, docker_adopt_search_paths=["/opt/forgotten"])).output
    host.run_expect([0], "rm -r /opt/forgotten")


def test_clients_and_the_verification_take_the_address_that_is_set(host: Any) -> None:
    address = other_address(host)
    run = succeeded(play("-v", docker_daemon_address=address, docker_daemon_verify="always"))
    assert run.did("Verify that a valid client is answered and others are rejected")
    assert f"{address}:2376" in run.output
    assert f"tcp://{address}:2376" in client_bundle().directory.joinpath("env.sh").read_text()


def test_private_addresses_take_the_port_that_is_set_and_nobody_proves_it(host: Any) -> None:
    clients = {"docker_client_cert_clients": [{"name": "client", "controller": True}, {**OLGA, "controller": True}]}
    moved = {"docker_daemon_listen": ["private"], "docker_daemon_port": 2390, "docker_daemon_verify": "never"}
    run = succeeded(play(**WITH_OPS, **clients, **moved))
    assert not run.did("Verify that a valid client is answered and others are rejected")
    assert not is_listening(address_of(host))
    for client in ("client", "olga"):
        assert docker(address_of(host), client_bundle(client), "version", port=2390).succeeded


def test_ca_shuts_out_a_client_that_only_it_knows(host: Any) -> None:
    thief = ephemeral_directory() / "thief"
    shutil.copytree(client_bundle("olga").directory, thief)
    run = succeeded(play(**WITH_OPS, docker_ca_clients=[{"name": "client"}, {**OLGA, "state": "revoked"}]))
    assert "olga" in run.output
    assert docker(address_of(host), client_bundle(), "version").succeeded
    assert not docker(address_of(host), Bundle(thief), "version").succeeded


def test_backup_is_where_it_is_set_and_is_restored_from_there(host: Any) -> None:
    archive = "/root/kept/the-ca.tar.gz"
    host.run_expect([0], "install -d -m 700 /root/kept")
    succeeded(play(playbook="playbooks/backup_ca.yml", docker_ca_backup_path=archive))
    before = host.check_output("cd /etc/docker/ca && sha256sum ledger.jsonl authorities/*/*")
    host.run_expect([0], "mv /etc/docker/ca /root/kept/lost")
    succeeded(play(playbook="playbooks/restore_ca.yml", docker_ca_restore_path=archive))
    assert host.check_output("cd /etc/docker/ca && sha256sum authorities/*/*") in before
    assert docker(address_of(host), client_bundle(), "version").succeeded


def signer_of(certificate: x509.Certificate) -> bytes:
    """The identifier of the key that signed it: two CAs may have one name."""
    return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier or b""


SECOND_CA = """
- hosts: localhost
  gather_facts: false
  vars: {docker_ca_path: "{{ second_ca }}", docker_ca_passphrase: "{{ second_passphrase }}"}
  roles: [portcullis.docker_tls.docker_ca]
- hosts: docker_hosts
  gather_facts: false
  become: true
  roles:
    - {role: portcullis.docker_tls.docker_server_cert, docker_server_cert_install: false}
    - portcullis.docker_tls.docker_daemon
- hosts: localhost
  gather_facts: false
  roles: [portcullis.docker_tls.docker_client_cert]
"""


def second_ca(directory: Path) -> dict[str, Any]:
    """What names another CA to the roles: its host, directory and passphrase."""
    path, passphrase = str(ephemeral_directory() / "second-ca"), "the passphrase of another CA"
    (directory / "second.yml").write_text(SECOND_CA)
    return {
        "playbook": str(directory / "second.yml"),
        "second_ca": path,
        "second_passphrase": passphrase,
        "docker_server_cert_ca_host": "localhost",
        "docker_server_cert_ca_path": path,
        "docker_server_cert_ca_passphrase": passphrase,
        "docker_daemon_ca_host": "localhost",
        "docker_daemon_ca_path": path,
        "docker_daemon_ca_passphrase": passphrase,
        "docker_client_cert_ca_host": "localhost",
        "docker_client_cert_ca_path": path,
        "docker_client_cert_ca_passphrase": passphrase,
    }


def test_another_ca_takes_over_where_that_is_allowed(host: Any, tmp_path: Path) -> None:
    clients = ephemeral_directory() / "second-clients"
    second = {**second_ca(tmp_path), "docker_client_cert_path": str(clients)}
    before = served_certificate(address_of(host))
    refused = play(**second)
    assert refused.returncode != 0
    assert "docker_server_cert_foreign_authority" in refused.output
    assert served_certificate(address_of(host)) == before
    succeeded(play(**second, docker_server_cert_foreign_authority="replace"))
    assert signer_of(served_certificate(address_of(host))) != signer_of(before)
    assert docker(address_of(host), Bundle(clients / "client"), "version").succeeded
    assert not docker(address_of(host), client_bundle(), "version").succeeded
