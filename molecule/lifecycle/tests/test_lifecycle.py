# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change of names, key, authority and lifetime; groups in and out; listeners; rollback; confirmation; back out. In this order."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from common_tests import served_certificate
from fleet import answers, assert_changed_nothing, kept, place_for_copies, revoked
from playbook import Run, fingerprint_of_directory, play
from testinfra_helpers import Bundle, address_of, client_bundle, container_identity, docker, is_listening

testinfra_hosts = ["ansible://box"]


def applied(host: Any, **variables: Any) -> Run:
    """Run the playbook: it works, the container runs on, the local socket answers."""
    run = play(**variables)
    assert run.returncode == 0, run.output
    assert container_identity(host) == host.check_output("cat /root/keeper")
    assert host.run("docker ps").rc == 0
    return run


def assert_settled(**variables: Any) -> None:
    """Run the playbook once more: it changes nothing."""
    assert_changed_nothing(play(**variables))


def answered(host: Any, client: str) -> bool:
    return docker(address_of(host), client_bundle(client), "version").succeeded


def names_of(certificate: x509.Certificate) -> list[str]:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    )


def test_environment_file_keeps_its_other_options(host: Any) -> None:
    arguments = host.check_output("tr '\\0' ' ' </proc/$(systemctl show -p MainPID --value docker)/cmdline")
    assert "--label keep=me" in arguments
    assert "2377" not in arguments
    assert "keep=me" in host.check_output("docker info --format '{{json .Labels}}'")
    assert answered(host, "alice")


def test_change_of_names_reissues_and_says_so(host: Any) -> None:
    before = served_certificate(address_of(host))
    names = ["new.example.test", "*.edge.example.test", "bücher.example.test", "10.1.2.3", "fd00::7"]
    assert "names-changed" in play("--check", "--diff", docker_server_cert_names=names).output
    applied(host, docker_server_cert_names=names)
    after = served_certificate(address_of(host))
    assert after.serial_number != before.serial_number
    assert {"new.example.test", "*.edge.example.test", "xn--bcher-kva.example.test"} <= set(names_of(after))
    assert answered(host, "alice")


def test_change_of_key_type_reissues(host: Any) -> None:
    applied(host, docker_server_cert_key_type="ed25519")
    assert isinstance(served_certificate(address_of(host)).public_key(), Ed25519PublicKey)
    assert answered(host, "alice")


def dockerd_starts(host: Any) -> int:
    """How often dockerd has been started since the boot, by its journal."""
    return int(host.check_output("journalctl -b -u docker -o cat | grep -c 'Starting up'"))


def what_stays(host: Any) -> tuple[str, dict[str, bytes]]:
    """What a renewal of the server's certificate has no business with."""
    files = "/etc/docker/daemon.json /etc/docker/certs/ca.pem /etc/docker/certs/client-ca.pem /etc/systemd/system/docker*.d/*"
    return host.check_output(f"sha256sum {files}"), fingerprint_of_directory(client_bundle("alice").directory)


def test_certificate_near_its_end_is_renewed_with_one_restart_and_nothing_else(host: Any) -> None:
    ed25519 = {"docker_server_cert_key_type": "ed25519"}
    applied(host, **ed25519, docker_server_cert_force_renewal=True, docker_server_cert_validity="1h")
    before, starts, others = served_certificate(address_of(host)), dockerd_starts(host), what_stays(host)
    due = {**ed25519, "docker_server_cert_renew_before": "30d"}
    plan = play("--check", "--diff", **due)
    assert "certificate expires " in plan.output and "restart yes, 1 container kept" in plan.output, plan.output
    assert dockerd_starts(host) == starts
    run = applied(host, **due)
    assert "(expires soon)" in run.output, run.output
    assert served_certificate(address_of(host)).serial_number != before.serial_number
    assert (dockerd_starts(host), what_stays(host)) == (starts + 1, others)
    assert_settled(**due)
    assert dockerd_starts(host) == starts + 1


def test_group_is_admitted_and_withdrawn(host: Any) -> None:
    applied(host)
    assert answered(host, "alice") and not answered(host, "olga")
    applied(host, docker_daemon_access_groups=["clients", "ops"])
    assert answered(host, "alice") and answered(host, "olga")
    applied(host, docker_daemon_access_groups=["ops"])
    assert not answered(host, "alice") and answered(host, "olga")
    applied(host)
    assert answered(host, "alice") and not answered(host, "olga")


ALICE, OLGA = {"name": "alice"}, {"name": "olga", "group": "ops"}
BOTH = ["clients", "ops"]


@pytest.fixture(scope="module")
def copies() -> Generator[dict[str, Bundle], None, None]:
    """Copies of bundles as a thief or an old backup has them, by a name for each."""
    with place_for_copies():
        yield {}


def still_good(host: Any, copies: dict[str, Bundle]) -> set[str]:
    """Return the copies that are admitted, by docker's CLI, curl and Docker's SDK."""
    return {name for name, bundle in copies.items() if answers(host, bundle)}


def test_certificates_that_the_inventory_does_not_list_are_named(
    host: Any, copies: dict[str, Bundle], tmp_path: Path
) -> None:
    """A client that moved to another group, one whose entry is renamed, and a machine that is none for clients any more."""
    machine = tmp_path / "machine"
    machine.write_text("[docker_clients]\nbox\n")
    users = [{"user": "root", "client": "alice"}]
    run = play("-i", str(machine), docker_daemon_access_groups=BOTH, docker_client_cert_users=users)
    assert run.returncode == 0, run.output
    copies.update(alice=kept("alice"), olga=kept("olga"), box=kept("alice"))
    for name in ("cert.pem", "key.pem"):
        (copies["box"].directory / name).write_text(host.check_output(f"cat /root/.docker/{name}") + "\n")
    host.run_expect([0], "rm -r /root/.docker")
    assert still_good(host, copies) == {"alice", "olga", "box"}
    run = applied(
        host,
        docker_daemon_access_groups=BOTH,
        docker_client_cert_clients=[{"name": "alicia"}, {**OLGA, "group": "clients"}],
    )
    for sentence in (
        "alice, certificate of clients-g1 (localhost/alice): opens box until ",
        "alice, certificate of clients-g1 (box/root:alice): opens box until ",
        "olga, certificate of ops-g1 (localhost/olga): opens box until ",
    ):
        assert sentence in run.output, run.output
    assert still_good(host, copies) == {"alice", "olga", "box"}
    status = play(
        playbook="playbooks/status.yml", docker_client_cert_clients=[{"name": "alicia"}, {**OLGA, "group": "clients"}]
    )
    assert "WARNING   olga    ops-g1 " in status.output, status.output


def test_revocation_in_a_limited_run_fails_and_says_so(host: Any, copies: dict[str, Bundle]) -> None:
    """The client stays admitted; the verification and the report say so, too."""
    variables = {"docker_daemon_access_groups": BOTH, "docker_client_cert_clients": [ALICE, revoked(OLGA)]}
    run = play("--limit", "box", **variables)
    assert run.returncode != 0
    assert "olga can connect with certificates of ops-g1 on box" in run.output, run.output
    assert "olga" in still_good(host, copies)
    verification = play(playbook="playbooks/verify.yml", **variables)
    assert verification.returncode != 0
    assert "STILL ADMITS olga, which is revoked, by ops-g1 until " in verification.output, verification.output
    report = play(playbook="playbooks/status.yml", **variables)
    assert report.returncode != 0
    assert "olga is revoked, and box still admits ops-g1" in report.output, report.output


def test_certificates_that_the_inventory_does_not_list_are_ended(host: Any, copies: dict[str, Bundle]) -> None:
    applied(
        host,
        docker_daemon_access_groups=BOTH,
        docker_client_cert_clients=[ALICE, {**OLGA, "group": "clients"}],
        docker_ca_unlisted_certificates="revoke",
    )
    assert still_good(host, copies) == set()
    assert answered(host, "alice") and answered(host, "olga")


def test_listener_of_systemd_and_back(host: Any) -> None:
    applied(host, docker_daemon_listener="systemd")
    assert_settled(docker_daemon_listener="systemd")
    assert "hosts" not in json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert answered(host, "alice")
    applied(host, docker_daemon_listener="dockerd")
    assert answered(host, "alice")


def test_change_is_confirmed_by_the_controller(host: Any) -> None:
    run = play(docker_daemon_confirm_timeout=120, docker_server_cert_force_renewal=True)
    assert run.returncode == 0, run.output
    assert run.did("Report to the host that it is verified")
    assert host.run("systemctl is-active docker-tls-revert.timer").stdout.strip() != "active"
    assert answered(host, "alice")


def test_host_that_the_controller_cannot_verify_is_verified_by_every_run_until_it_can(host: Any) -> None:
    """A firewall between the two: the host has verified its change itself, so it stays, and no later run is green before that."""
    rule = "INPUT ! -i lo -p tcp --dport 2376 -j REJECT --reject-with tcp-reset"
    host.run_expect([0], f"iptables -I {rule}")
    try:
        for variables in ({"docker_server_cert_force_renewal": True}, {}):
            run = play(**variables)
            assert run.returncode == 2, run.output
            assert "FAILED       box" in run.output and "no TLS server at" in run.output, run.output
        starts = dockerd_starts(host)
        plan = play("--check")
        assert "would change  box  verification from the controller (not verified from" in plan.output, plan.output
    finally:
        host.run_expect([0], f"iptables -D {rule}")
    verified = play("--limit", "localhost,box")
    assert verified.returncode == 0, verified.output
    assert "box  verified from the controller, for the first time since its last change" in verified.output
    assert dockerd_starts(host) == starts
    assert_settled()


def test_last_good_state_comes_back(host: Any) -> None:
    applied(host, docker_daemon_access_groups=["ops"])
    run = play(docker_daemon_state="rolled_back", docker_daemon_access_groups=["ops"])
    assert run.returncode == 0, run.output
    assert answered(host, "alice") and not answered(host, "olga")


def test_check_mode_of_going_back_changes_nothing(host: Any) -> None:
    before = host.check_output("cat /etc/docker/daemon.json")
    assert play("--check", "--diff", docker_daemon_state="absent").returncode == 0
    assert host.check_output("cat /etc/docker/daemon.json") == before
    assert answered(host, "alice")


def test_going_back_gives_docker_what_it_had(host: Any) -> None:
    applied(host, docker_daemon_state="absent")
    assert_settled(docker_daemon_state="absent")
    history = host.check_output(
        "cat /etc/docker/daemon.json; stat -c '%a %U' /etc/docker/daemon.json; ls /etc/systemd/system; cat /etc/default/docker"
    )
    assert history == host.check_output("cat /root/history")
    assert not is_listening(address_of(host))
    assert host.run("docker -H tcp://127.0.0.1:2377 version").rc == 0


def test_settings_of_another_tool_are_adopted_and_given_back(host: Any) -> None:
    foreign = '{"hosts": ["fd://"], "tlscacert": "/etc/pki/ca.pem"}\n'
    host.run_expect([0], "sed -i '/DOCKER_OPTS=/d' /etc/default/docker && systemctl stop docker")
    host.run_expect([0], "sed -i 's/-H fd:..//' /lib/systemd/system/docker.service && systemctl daemon-reload")
    host.run_expect([0], f"cat > /etc/docker/daemon.json <<'END'\n{foreign}END")
    host.run_expect([0], "systemctl start docker && docker start keeper")
    assert play(docker_daemon_existing_settings="adopt").returncode == 0
    assert answered(host, "alice")
    assert play(docker_daemon_state="absent").returncode == 0
    assert host.file("/etc/docker/daemon.json").content_string == foreign
    assert host.run("docker ps").rc == 0
