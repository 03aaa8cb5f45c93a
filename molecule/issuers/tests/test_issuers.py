# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the CA of the collection to OpenBao and back, while a client asks without a pause. In this order, each on what the one before left."""

from __future__ import annotations

import sys
import urllib.error
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

sys.path.append(str(Path(__file__).resolve().parents[3] / "tests/unit"))

from common_tests import served_certificate
from fleet import (
    asked_without_a_pause,
    assert_changed_nothing,
    hosts_of,
    issuer_of,
    kept,
    place_for_copies,
    restarts_of,
    who_gets_in,
)
from playbook import Run, play
from support.ca import bao_server
from testinfra_helpers import Bundle, address_of, client_bundle

EVERYWHERE = {"old", "new"}
POLICY = """
path "pki-docker/sign/dockerd" { capabilities = ["update"] }
path "pki-clients/sign/operator" { capabilities = ["update"] }
"""


class Engine:
    """The company's OpenBao, and the variables that name it as the issuer."""

    def __init__(self, bao: bao_server.Bao) -> None:
        self.bao = bao
        self.root = bao.make_ca("pki-root", "Company root")
        bao.make_intermediate("pki-docker", "pki-root", "Company issuing CA 1")
        bao.make_role("pki-docker", "dockerd", allowed_domains="example.test,localhost,old,new")
        self.clients_root = bao.make_ca("pki-clients", "Company Docker clients")
        bao.call("pki-clients/roles/operator", bao_server.CLIENT_ROLE)
        self._access = {"url": bao.url, "ca_content": bao.ca_content, **bao.make_approle("docker", POLICY)}

    def server(self, **changes: Any) -> dict[str, Any]:
        settings = {**self._access, "mount": "pki-docker", "role": "dockerd"}
        return {"issuer": "openbao", "ca_content": self.root, "openbao": settings, **changes}

    def clients(self, **changes: Any) -> dict[str, Any]:
        settings = {**self._access, "mount": "pki-clients", "role": "operator"}
        usual = {"issuer": "openbao", "only_docker_clients": True, "ca_content": self.clients_root, "openbao": settings}
        return {"clients": {**usual, **changes}}

    def revoke(self, bundle: Bundle) -> None:
        """Revoke a client's certificate, as an administrator does."""
        serial = x509.load_pem_x509_certificate(Path(bundle.certificate).read_bytes()).serial_number
        pairs = serial.to_bytes((serial.bit_length() + 7) // 8, "big").hex(":")
        self.bao.call("pki-clients/revoke", {"serial_number": pairs})

    def issued(self) -> int:
        """Return how many certificates the engines have issued."""
        return sum(map(self._issued_at, ("pki-docker", "pki-clients")))

    def issued_for_servers(self) -> int:
        return self._issued_at("pki-docker")

    def _issued_at(self, mount: str) -> int:
        try:
            return len(self.bao.call(f"{mount}/certs", method="LIST")["data"]["keys"])
        except urllib.error.HTTPError:  # none
            return 0


@pytest.fixture(name="engine", scope="module")
def _engine(tmp_path_factory: pytest.TempPathFactory) -> Generator[Engine, None, None]:
    for bao in bao_server.started(tmp_path_factory.mktemp("bao")):
        yield Engine(bao)


@pytest.fixture(name="hosts", scope="module")
def both_hosts() -> dict[str, Any]:
    return hosts_of("docker_hosts")


@pytest.fixture(autouse=True, scope="module")
def _place_for_copies() -> Generator[None, None, None]:
    with place_for_copies():
        yield


def site(server: dict[str, Any], clients: dict[str, Any] | None = None, **variables: Any) -> Run:
    return play(docker_server_cert_issuer=server, docker_client_cert_issuers=clients or {}, **variables)


def served_by(hosts: dict[str, Any]) -> set[str]:
    """Return who issued what the hosts serve."""
    return {served_certificate(address_of(host)).issuer.rfc4514_string() for host in hosts.values()}


def test_anchors_of_the_next_issuer_come_first_and_restart_nothing(hosts: dict[str, Any], engine: Engine) -> None:
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = site({"issuer": "local", "ca_content": engine.root})
    assert run.returncode == 0, run.output
    assert restarts == {"old": 0, "new": 0}
    assert engine.root.strip() in Path(client_bundle("alice").ca).read_text()


def test_check_mode_says_what_would_come_and_asks_nobody(hosts: dict[str, Any], engine: Engine) -> None:
    before = engine.issued(), served_by(hosts)
    run = play("--check", "--diff", docker_server_cert_issuer=engine.server())
    assert run.returncode == 0, run.output
    assert "would change" in run.output
    assert "certificate for old/server: " in run.output
    assert (engine.issued(), served_by(hosts)) == before


def test_servers_move_to_openbao_and_no_client_is_locked_out(hosts: dict[str, Any], engine: Engine) -> None:
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = site(engine.server())
    assert run.returncode == 0, run.output
    assert restarts == {"old": 1, "new": 1}
    assert served_by(hosts) == {"CN=Company issuing CA 1"}
    assert "local-ca-trusted" in run.output


def test_second_run_changes_nothing_though_the_engine_has_a_new_issuing_ca_which_signs_the_next_renewal(
    hosts: dict[str, Any], engine: Engine
) -> None:
    engine.bao.make_intermediate("pki-docker", "pki-root", "Company issuing CA 2")
    before = engine.issued()
    assert_changed_nothing(site(engine.server()))
    assert engine.issued() == before
    run = site(engine.server(), docker_server_cert_force_renewal=True)
    assert run.returncode == 0, run.output
    assert served_by(hosts) == {"CN=Company issuing CA 2"}
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE


def test_ca_for_clients_has_to_be_for_them_alone(hosts: dict[str, Any], engine: Engine) -> None:
    run = site(engine.server(), engine.clients(only_docker_clients=False))
    assert run.returncode != 0
    assert "gets root on the hosts that admit the group" in run.output
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE


def test_clients_move_and_those_of_the_ca_before_are_shut_out_when_it_is_given_up(
    hosts: dict[str, Any], engine: Engine
) -> None:
    former = kept("alice")
    run = site(engine.server(trust_local_ca=False), engine.clients())
    assert run.returncode == 0, run.output
    assert "Company Docker clients" in issuer_of("alice")
    assert who_gets_in(hosts, former) == who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
    run = site(engine.server(trust_local_ca=False), engine.clients(trust_local_ca=False))
    assert run.returncode == 0, run.output
    assert who_gets_in(hosts, former) == set()
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE


def test_sealed_engine_leaves_every_host_as_it_is(hosts: dict[str, Any], engine: Engine) -> None:
    only = (engine.server(trust_local_ca=False), engine.clients(trust_local_ca=False))
    before = served_by(hosts)
    engine.bao.seal()
    assert_changed_nothing(site(*only))
    run = site(*only, docker_server_cert_force_renewal=True)
    assert run.returncode != 0
    assert "is sealed" in run.output and "issuer-sealed" in run.output
    assert served_by(hosts) == before
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
    engine.bao.unseal()


def test_host_that_the_role_refuses_waits_and_the_next_run_asks_for_it_alone(
    hosts: dict[str, Any], engine: Engine
) -> None:
    only = (engine.server(trust_local_ca=False), engine.clients(trust_local_ca=False))
    names = ["fleet.example.test"]
    engine.bao.make_role("pki-docker", "dockerd", allowed_domains="example.test,localhost,old")
    before = {name: served_certificate(address_of(host)) for name, host in hosts.items()}
    run = site(*only, docker_server_cert_names=names)
    assert run.returncode != 0
    assert "no certificate is issued for new/server: " in run.output and "issuer-refused" in run.output
    after = {name: served_certificate(address_of(host)) for name, host in hosts.items()}
    assert {name for name in hosts if after[name] != before[name]} == {"old"}
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
    engine.bao.make_role("pki-docker", "dockerd", allowed_domains="example.test,localhost,old,new")
    issued = engine.issued_for_servers()
    run = site(*only, docker_server_cert_names=names)
    assert run.returncode == 0, run.output
    assert engine.issued_for_servers() == issued + 1
    assert served_certificate(address_of(hosts["old"])) == after["old"]
    assert served_certificate(address_of(hosts["new"])) != before["new"]
    assert site(*only).returncode == 0  # without the name again


def test_verification_status_and_rotation_know_the_issuer(engine: Engine) -> None:
    variables = {
        "docker_server_cert_issuer": engine.server(trust_local_ca=False),
        "docker_client_cert_issuers": engine.clients(trust_local_ca=False),
    }
    verified = play(playbook="playbooks/verify.yml", **variables)
    assert verified.returncode == 0, verified.output
    assert "(client: made by the issuer openbao for this verification)" in verified.output
    status = play(playbook="playbooks/status.yml", **variables)
    assert status.returncode == 0, status.output
    assert "is of another issuer, CN=Company issuing CA 2" in status.output
    assert "openbao issued it for old on " in status.output
    rotated = play(playbook="playbooks/rotate_ca.yml", docker_rotate_ca_authority="server", **variables)
    assert rotated.returncode != 0
    assert "whose CA this playbook cannot replace" in rotated.output


def test_verification_uses_the_client_that_is_given(engine: Engine) -> None:
    before = engine.issued()
    bundle = client_bundle("alice")
    paths = {"certificate_path": str(bundle.certificate), "key_path": str(bundle.key)}
    verified = play(
        playbook="playbooks/verify.yml",
        docker_server_cert_issuer=engine.server(trust_local_ca=False),
        docker_client_cert_issuers=engine.clients(trust_local_ca=False),
        docker_daemon_verify_clients={"clients": paths},
    )
    assert verified.returncode == 0, verified.output
    assert "(client: CN=alice of docker_daemon_verify_clients)" in verified.output
    assert engine.issued() == before


def test_issuer_changes_its_root_and_no_client_is_locked_out(hosts: dict[str, Any], engine: Engine) -> None:
    """The three steps of docs/issuers.md: trust both roots, sign with the new one, take the old one out."""
    clients = engine.clients(trust_local_ca=False)
    old, new = engine.root, engine.bao.make_ca("pki-root-2", "Company root 2")

    def server(anchors: str) -> dict[str, Any]:
        return engine.server(trust_local_ca=False, ca_content=anchors)

    with asked_without_a_pause(hosts, "alice") as restarts:
        run = site(server(old + new), clients)
    assert run.returncode == 0, run.output
    assert restarts == {"old": 0, "new": 0}
    engine.bao.make_intermediate("pki-docker", "pki-root-2", "Company issuing CA 3")
    with asked_without_a_pause(hosts, "alice") as restarts:
        run = site(server(old + new), clients, docker_server_cert_force_renewal=True)
    assert run.returncode == 0, run.output
    assert restarts == {"old": 1, "new": 1}
    assert served_by(hosts) == {"CN=Company issuing CA 3"}
    run = site(server(new), clients)
    assert run.returncode == 0, run.output
    assert old.strip() not in Path(client_bundle("alice").ca).read_text()
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
    engine.root = new


def test_client_that_the_issuer_has_revoked_is_refused_where_a_proxy_checks_its_lists(
    hosts: dict[str, Any], engine: Engine
) -> None:
    server = engine.server(trust_local_ca=False)
    clients = engine.clients(trust_local_ca=False, revocation_lists="engine")
    listener = "{{ 'proxy' if inventory_hostname == 'new' else 'dockerd' }}"
    former = kept("alice")
    run = site(server, clients, docker_daemon_listener=listener, docker_client_cert_force_renewal=True)
    assert run.returncode == 0, run.output
    assert who_gets_in(hosts, former) == who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
    engine.revoke(former)
    with restarts_of(hosts) as restarts:
        run = site(server, clients, docker_daemon_listener=listener)
    assert run.returncode == 0, run.output
    assert restarts == {"old": 0, "new": 0}
    assert who_gets_in(hosts, former) == {"old"}
    engine.bao.seal()
    run = site(server, clients, docker_daemon_listener=listener, docker_daemon_proxy_stream_timeout=1234)
    assert run.returncode != 0
    # What else is due on the host is done all the same.
    assert hosts["new"].file("/etc/docker-tls-proxy/haproxy.cfg").contains("1234")
    assert "the revocation list of the access group clients cannot be renewed on this host" in run.output
    assert "old" not in [line.split()[0] for line in run.recap.splitlines() if "failed=1" in line]
    engine.bao.unseal()
    assert who_gets_in(hosts, former) == {"old"}
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
    run = site(server, engine.clients(trust_local_ca=False))
    assert run.returncode == 0, run.output


def test_fleet_moves_back_and_no_client_is_locked_out(hosts: dict[str, Any], engine: Engine) -> None:
    former = kept("alice")
    steps = [
        (engine.server(), engine.clients()),
        (
            {"issuer": "local", "ca_content": engine.root},
            {"clients": {"issuer": "local", "ca_content": engine.clients_root}},
        ),
    ]
    with asked_without_a_pause(hosts, "alice"):
        for server, clients in steps:
            run = site(server, clients)
            assert run.returncode == 0, run.output
    assert {name.partition(",")[0] for name in served_by(hosts)} == {"CN=Docker CA"}
    run = play()
    assert run.returncode == 0, run.output
    assert who_gets_in(hosts, former) == set()
    assert who_gets_in(hosts, client_bundle("alice")) == EVERYWHERE
