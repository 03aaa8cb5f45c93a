# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocation lists on real hosts with the listener ``proxy``: refused clients, the cost, and the lists that are never installed."""

from __future__ import annotations

import pathlib
import socket
import ssl
import subprocess
import time
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from proxy_clients import PORT, Clients, Prober, client_pair
from test_proxy import able, clients, dockerd, proxied  # noqa: F401 - fixtures

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.probe import Client, Target
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.verify_remote import (
    ProbeClient,
    Verification,
    verify,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.names import SubjectNames
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.revocation_list import sign_list
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.signing import sign_leaf, signer
from conftest import CLIENTS, SERVER, Host
from support.ca.certificates import Pair, authority, private_key

OTHER_REVOKED = 0x5EED


def lists(*serials: int, number: int, issuer: Pair = CLIENTS) -> str:
    return sign_list(issuer.certificate, issuer.key, serials, number=number, now=datetime.now(timezone.utc))


def by_another_issuer(*serials: int, end: timedelta, issuer: Pair = CLIENTS) -> str:
    """Return a list that ends before its authority does, as those of PKI engines."""
    now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject)
    builder = builder.last_update(now - timedelta(days=9)).next_update(now + end)
    builder = builder.add_extension(x509.CRLNumber(9), critical=False)
    for serial in serials:
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, now).build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def ended() -> str:
    """Return a list that revokes nothing and ended yesterday."""
    return by_another_issuer(end=-timedelta(days=1))


@pytest.fixture
def thief(able: Host, tmp_path: pathlib.Path) -> Clients:  # noqa: F811
    """Return a client whose certificate is to be revoked."""
    return Clients(able, tmp_path / "thief")


def without(thief: Clients, number: int = 2) -> str:
    return lists(thief.pair.certificate.serial_number, number=number)


def proxy_master(host: Host) -> str:
    return host.sh("systemctl show -p MainPID --value docker-tls-proxy")


@pytest.mark.important
def test_revocation_shuts_out_at_once_and_interrupts_nobody(able: Host, clients: Clients, thief: Clients) -> None:  # noqa: F811
    proxied(able, crl=lists(number=1))
    before, master, keeper = dockerd(able), proxy_master(able), able.keeper()
    open_exec = subprocess.Popen(
        clients.command("exec", "-i", "keeper", "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert thief.status() == "200"
    with Prober(clients) as prober:
        prober.wait_for(50)
        done = able.run(listener="proxy", crl=without(thief))
        assert (done.reasons, done.result["restarted"]) == (["crl-changed"], False), done.error
        assert thief.status() == "000"
        prober.wait_for(prober.answered + 50)
    assert prober.failures == []
    assert open_exec.communicate("still here\n", timeout=20)[0] == "still here\n"
    assert (dockerd(able), proxy_master(able), able.keeper()) == (before, master, keeper)
    assert done.result["endpoint"]["revocation_lists"][0]["revoked"] == 1
    assert not able.run(listener="proxy", crl=able.sh("cat /etc/docker-tls-proxy/crl.pem")).result["changed"]


def test_certificate_with_a_revoked_serial_shows_which_list_is_in_force(
    able: Host,  # noqa: F811
    clients: Clients,  # noqa: F811
    thief: Clients,
) -> None:
    """The key of a revoked certificate is with its client; another key with the same serial number is refused like it."""
    key, now = private_key("ecdsa-p256", 9), datetime.now(timezone.utc)
    twin = sign_leaf(
        signer(CLIENTS.certificate, CLIENTS.key),
        public_key=key.public_key(),
        profile="client",
        subject=SubjectNames("docker-tls-verify", ("docker-tls-verify",)),
        not_before=now - timedelta(minutes=5),
        not_after=now + timedelta(minutes=10),
        serial=thief.pair.certificate.serial_number,
    )
    tried = Pair(twin, key)
    wanted = Verification(
        Target(able.address, PORT, able.address),
        Client(clients.pair.pem, clients.pair.key_pem.decode()),
        ca=SERVER.pem,
        refused=(ProbeClient("revoked-client-of-clients", Client(tried.pem, tried.key_pem.decode())),),
    )
    proxied(able, crl=lists(number=1))
    before = verify(wanted, now)
    assert [each["check"] for each in before["checks"] if not each["passed"]] == ["revoked-client-of-clients"]
    assert "ADMITTED" in before["msg"]
    assert not able.run(listener="proxy", crl=without(thief)).error
    after = verify(wanted, now)
    assert after["passed"], after["checks"]


NEVER: dict[str, tuple[t.Callable[[Clients], str], str]] = {
    "older": (lambda thief: without(thief, number=1), "crl-older"),
    "without the thief": (lambda _thief: lists(OTHER_REVOKED, number=9), "crl-shrunk"),
    "none": (lambda _thief: "", "crl-dropped"),
    "of another authority": (lambda _thief: lists(number=9, issuer=SERVER), "crl-missing"),
    "one more of another authority": (lambda thief: without(thief, 9) + lists(number=9, issuer=SERVER), "crl-foreign"),
    "ended": (lambda _thief: ended(), "crl-ended"),
    "unreadable": (lambda _thief: "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "crl-unreadable"),
}


def test_list_that_locks_out_or_lets_in_is_never_installed(able: Host, clients: Clients, thief: Clients) -> None:  # noqa: F811
    proxied(able, crl=without(thief))
    plain, before, master = able.files(), dockerd(able), proxy_master(able)
    for name, (content, code) in NEVER.items():
        for check_mode in (True, False):
            answer = able.run(listener="proxy", crl=content(thief), check_mode=check_mode)
            assert answer.error.get("code") == code, (name, answer)
            assert answer.error["hint"], name
        assert (clients.status(), thief.status()) == ("200", "000"), name
    assert (able.files(), dockerd(able), proxy_master(able)) == (plain, before, master)


def test_old_list_that_was_put_back_on_the_host_is_replaced(able: Host, clients: Clients, thief: Clients) -> None:  # noqa: F811
    newest = without(thief)
    proxied(able, crl=newest)
    able.put("/etc/docker-tls-proxy/crl.pem", lists(number=1))
    able.sh("systemctl reload docker-tls-proxy")
    wait_for(lambda: thief.status() == "200")
    done = able.run(listener="proxy", crl=newest)
    assert done.reasons == ["crl-changed"], done.error
    assert (clients.status(), thief.status()) == ("200", "000")


def wait_for(is_so: t.Callable[[], bool]) -> None:
    """systemd reports a reload before the new worker serves."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_list_that_was_broken_on_the_host_does_not_come_into_force(able: Host, clients: Clients) -> None:  # noqa: F811
    newest = lists(OTHER_REVOKED, number=2)
    proxied(able, crl=newest)
    able.put("/etc/docker-tls-proxy/crl.pem", "nothing\n")
    assert "failed" in able.sh("systemctl reload docker-tls-proxy 2>&1 || echo failed")
    assert clients.status() == "200"
    assert able.run(listener="proxy", crl=newest).reasons == ["crl-changed"]
    assert clients.status() == "200"


@pytest.mark.important
def test_list_of_another_issuer_stays_in_force_after_its_end_and_refuses_nobody_else(
    able: Host,  # noqa: F811
    clients: Clients,  # noqa: F811
    thief: Clients,
) -> None:
    """OpenSSL would refuse all clients from then on, until a run brings the next list."""
    revoked = thief.pair.certificate.serial_number
    proxied(able, crl=by_another_issuer(revoked, end=timedelta(days=3)))
    assert (clients.status(), thief.status()) == ("200", "000")
    able.put("/etc/docker-tls-proxy/crl.pem", by_another_issuer(revoked, end=-timedelta(days=1)))
    able.sh("systemctl reload docker-tls-proxy")
    assert (clients.status(), thief.status()) == ("200", "000")
    # The next list no longer has the thief, whose certificate has ended as far as its issuer is concerned.
    assert able.run(listener="proxy", crl=by_another_issuer(end=timedelta(days=3))).reasons == ["crl-changed"]


@pytest.mark.important
def test_group_whose_list_has_ended_does_not_stop_the_revocation_of_clients_of_another_group(
    able: Host,  # noqa: F811
    clients: Clients,  # noqa: F811
    thief: Clients,
    tmp_path: pathlib.Path,
) -> None:
    """The issuer of ``ext`` makes no new list. Its clients stay as they are, and those of ``ops`` can be revoked."""
    issuer = authority("client", unit="ext-g1", number=41)
    eve, mallory = (Clients(able, tmp_path / name, client_pair(issuer, name)) for name in ("eve", "mallory"))
    out = mallory.pair.certificate.serial_number
    wanted = {
        "client_ca": CLIENTS.pem + issuer.pem,
        "group_authorities": [("ops", CLIENTS.pem), ("ext", issuer.pem)],
    }
    new, old = (by_another_issuer(out, end=timedelta(days=days), issuer=issuer) for days in (3, -1))
    proxied(able, crl=lists(number=1) + new, **wanted)
    able.put("/etc/docker-tls-proxy/crl.pem", lists(number=1) + old)
    able.sh("systemctl reload docker-tls-proxy")
    assert [one.status() for one in (clients, thief, eve, mallory)] == ["200", "200", "200", "000"]
    refused = able.run(listener="proxy", crl=without(thief) + old, **wanted)
    assert (refused.error["code"], thief.status()) == ("crl-ended", "200")
    failure = {"msg": "the list of ext has ended", "hint": "Make a new one.", "code": "crl-ended"}
    kept = {**wanted, "listener": "proxy", "crl": without(thief), "kept_lists": {"ext": failure}}
    done = able.run(**kept)
    assert done.reasons == ["crl-changed"], done.error
    assert [one.status() for one in (clients, thief, eve, mallory)] == ["200", "000", "200", "000"]
    assert not able.run(**kept).result["changed"]
    # A host that never had a list of the group would refuse all its clients.
    able.put("/etc/docker-tls-proxy/crl.pem", lists(number=1))
    error = able.run(**kept).error
    assert (error["message"], error["hint"], error["code"]) == tuple(failure.values())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_session_of_before_the_revocation_opens_nothing(able: Host, thief: Clients, version: ssl.TLSVersion) -> None:  # noqa: F811
    proxied(able, crl=lists(number=1))
    context = thief.context()
    context.minimum_version = context.maximum_version = version
    session, answered = ask(thief, context, None)
    assert answered
    assert not able.run(listener="proxy", crl=without(thief)).error
    _again, answered = ask(thief, context, session)
    assert not answered


def ask(client: Clients, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
    """Return the session of a connection, and whether Docker answered in it."""
    try:
        with (
            socket.create_connection((client.host.address, PORT), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=client.host.address, session=session) as secured,
        ):
            secured.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
            return secured.session, b" 200 " in secured.recv(4096)
    except OSError:  # also what TLS refuses
        return None, False


def test_open_streams_of_a_revoked_client_end_within_the_time_that_is_set(
    able: Host,  # noqa: F811
    clients: Clients,  # noqa: F811
    thief: Clients,
) -> None:
    """Those of the others end as well: HAProxy has one time for all connections of before."""
    proxied(able, crl=lists(number=1), stream_timeout=3)
    streams = [
        subprocess.Popen(
            who.command(*command), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for who in (thief, clients)
        for command in (["events"], ["exec", "-i", "keeper", "cat"])
    ]
    with kept_alive(thief) as idle:
        assert not able.run(listener="proxy", crl=without(thief), stream_timeout=3).error
        assert idle.recv(4096) == b""
    for stream in streams:
        stream.wait(timeout=30)
    assert (clients.status(), thief.status()) == ("200", "000")


def kept_alive(client: Clients) -> ssl.SSLSocket:
    """Return a connection on which a request was answered and another could follow."""
    plain = socket.create_connection((client.host.address, PORT), timeout=20)
    secured = client.context().wrap_socket(plain, server_hostname=client.host.address)
    secured.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
    received = b""
    while not received.endswith(b"OK"):
        received += secured.recv(4096)
    return secured


def test_revocation_killed_at_every_step_is_whole_or_rolled_back(able: Host, clients: Clients, thief: Clients) -> None:  # noqa: F811
    first = lists(OTHER_REVOKED, number=1)
    proxied(able, crl=first)
    before, plain = dockerd(able), able.files()
    newest = lists(OTHER_REVOKED, thief.pair.certificate.serial_number, number=2)
    number = 0
    while True:
        number += 1
        answer = able.run(listener="proxy", crl=newest, die_at=number)
        if not answer.killed:
            break
        assert able.settled()
        assert clients.status() == "200", number
        rolled_back = able.files() == plain
        assert thief.status() == ("200" if rolled_back else "000"), number
        if not rolled_back:  # the kill came after the commit
            break
    assert number > 5
    done = able.run(listener="proxy", crl=newest)
    assert not done.error, done.error
    assert (clients.status(), thief.status()) == ("200", "000")
    assert dockerd(able) == before
