# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet for the tests of the status report: authorities, hosts and clients, each as the modules report them."""

from __future__ import annotations

import functools
import typing as t
from datetime import datetime, timedelta

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import access
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import (
    assess,
    certificate_checks,
    collect,
    model,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import compat, names
from support.ca import certificates as made

NOW = made.NOW
YEAR = timedelta(days=365)
THRESHOLDS = certificate_checks.Thresholds(("1/4",), ("1/10",))


@functools.cache
def authority(unit: str, number: int, left_days: int = 1500) -> made.Pair:
    """Return an authority named ``unit`` (``server-g1``, ``ops-g2``) with a key of its own."""
    purpose = "server" if unit.startswith("server") else "client"
    begin = NOW - timedelta(days=1825 - left_days)
    return made.authority(purpose, unit=unit, begin=begin, end=NOW + timedelta(days=left_days), number=100 + number)


def server_authority() -> made.Pair:
    """Return the current server authority."""
    return authority("server-g1", 1)


def clients_authority() -> made.Pair:
    """Return the current authority of the access group ``clients``."""
    return authority("clients-g1", 2)


@functools.cache
def server(
    left_days: float = 364, *, address: str = "10.0.0.5", issuer: made.Pair | None = None, life: timedelta = YEAR
) -> made.Pair:
    """Return a server certificate with ``left_days`` of its ``life`` left."""
    end = NOW + timedelta(days=left_days)
    identity = ("web.example.org", address, "10.0.0.5")
    return made.leaf(issuer or server_authority(), subject_names=identity, begin=end - life, end=end)


@functools.cache
def client(
    name: str = "alice", left_days: float = 364, *, issuer: made.Pair | None = None, life: timedelta = YEAR
) -> made.Pair:
    """Return a client certificate with ``left_days`` of its ``life`` left."""
    end = NOW + timedelta(days=left_days)
    return made.leaf(
        issuer or clients_authority(),
        "client",
        common_name=name,
        subject_names=(names.client_identity(name),),
        begin=end - life,
        end=end,
    )


def stored(pair: made.Pair | None = None, **changes: t.Any) -> dict[str, t.Any]:
    """Return a host's or a bundle's files; without a certificate they are missing."""
    found = {
        "state": "read" if pair else "missing",
        "path": "/etc/docker/certs/server-cert.pem",
        "problem": "",
        "certificate_content": pair.pem if pair else "",
        "ca_content": server_authority().pem,
        "client_ca_content": clients_authority().pem,
        "key_matches": True if pair else None,
    }
    return {**found, **changes}


def served(pair: made.Pair, *anchors: made.Pair, asks: bool = True) -> model.Served:
    """Return what a daemon shows that serves ``pair`` and admits ``anchors`` (default: the clients' authority)."""
    admitted = anchors or (clients_authority(),)
    return model.Served(
        model.READ,
        certificate=certificate(pair),
        asks_for_certificate=asks,
        authority_names=tuple(subject_der(anchor) for anchor in admitted) if asks else (),
    )


def certificate(pair: made.Pair) -> model.Certificate:
    """Return a certificate as the wire shows it."""
    der = pair.certificate.public_bytes(compat.serialization.Encoding.DER)
    return collect.certificate_from_der(der)


def subject_der(pair: made.Pair) -> bytes:
    """Return the subject's DER, as daemons advertise it."""
    return bytes(pair.certificate.subject.public_bytes())


def host(name: str = "web1", **changes: t.Any) -> dict[str, t.Any]:
    """Return a Docker host as the module takes it; by default all is well with it."""
    usual = {
        "name": name,
        "endpoint": "tcp://10.0.0.5:2376",
        "state": "present",
        "access_groups": ["clients"],
        "stored": stored(server()),
    }
    return {**usual, **changes}


def bundle(name: str = "alice", pair: made.Pair | None = None, **changes: t.Any) -> dict[str, t.Any]:
    """Return a client bundle as the module takes it."""
    files = stored(pair or client(name), path=f"/home/ops/.docker_tls/clients/{name}/cert.pem")
    usual = {"id": name, "client": name, "group": "clients", "host": "localhost", "stored": files}
    return {**usual, **changes}


def ca(*older: made.Pair, **changes: t.Any) -> dict[str, t.Any]:
    """Return what authority_info reports: server-g1 and clients-g1, and ``older`` generations of ``server``."""
    found = {
        "server": _authority(server_authority(), "server-g1", older),
        "clients": _authority(clients_authority(), "clients-g1", ()),
    }
    return {"host": "olympus", "path": "/etc/docker/ca", "authorities": found, **changes}


def _authority(pair: made.Pair, identifier: str, older: t.Sequence[made.Pair]) -> dict[str, t.Any]:
    name = identifier.rpartition("-g")[0]
    return {
        "id": identifier,
        "name": name,
        "purpose": "server" if name == "server" else "client",
        "certificate_content": pair.pem,
        "trusted_content": pair.pem + "".join(one.pem for one in older),
    }


def add_authority(found: dict[str, t.Any], pair: made.Pair, identifier: str, *older: made.Pair) -> dict[str, t.Any]:
    """Return ``found`` (of ``ca``) with one more authority."""
    one = _authority(pair, identifier, older)
    return {**found, "authorities": {**found["authorities"], one["name"]: one}}


def unwanted(client_name: str = "bob", generation: str = "clients-g1", **changes: t.Any) -> dict[str, t.Any]:
    """Return a valid client certificate that should no longer be used, as authority_info reports it; by default its client is revoked."""
    usual = {
        "client": client_name,
        "group": generation.rpartition("-g")[0],
        "generation": generation,
        "request": f"localhost/{client_name}",
        "requester": "localhost",
        "source": "issued",
        "not_after": "2027-11-22T13:00:00Z",
        "reason": "client-revoked",
        "trusted": True,
    }
    return {**usual, **changes}


def ledger(*known: made.Pair, **changes: t.Any) -> dict[str, t.Any]:
    """Return what ledger_info reports of an intact ledger that begins now and so vouches for nothing older."""
    usual = {"state": "intact", "lines": 12, "begins": "2026-11-22T13:00:00Z"}
    return {**usual, "known": [one.view.fingerprint_sha256 for one in known], **changes}


def report(
    hosts: t.Sequence[dict[str, t.Any]] = (),
    clients: t.Sequence[dict[str, t.Any]] = (),
    *,
    wire: t.Mapping[str, model.Served] | None = None,
    authorities: dict[str, t.Any] | None = None,
    ledger_found: dict[str, t.Any] | None = None,
    thresholds: certificate_checks.Thresholds = THRESHOLDS,
    now: datetime = NOW,
) -> model.Report:
    """Return the assessed report. ``wire`` is what each host serves, by name; by default it is what is on its disk."""
    served_by = {} if wire is None else wire
    facts = []
    for one in hosts:
        shown = served_by.get(one["name"], served(server()))
        facts.append(collect.host(one, {collect.endpoint(one["endpoint"]): shown}))
    return assess.assess_fleet(
        collect.authorities(ca() if authorities is None else authorities),
        collect.ledger(ledger() if ledger_found is None else ledger_found),
        facts,
        [collect.client(one) for one in clients],
        thresholds,
        now,
        [access.from_dict(one) for one in (authorities or {}).get("certificates") or []],
    )


def mixed_report(extra_hosts: int = 0) -> model.Report:
    """Return a report with something of everything, also what is meant to break pages and terminals."""
    foreign = authority("server-g9", 9)
    old_server, ops, retired = authority("server-g0", 3, 200), authority("ops-g2", 4, 300), authority("ops-g1", 5)
    found = add_authority(ca(old_server), ops, "ops-g2")
    hosts = [
        host("docker1.example.org"),
        host("web2", stored=stored(server(363.9))),
        host("web3", endpoint="tcp://10.0.0.7:2376"),
        host("edge-4", stored=stored(server(20))),
        host("web5", stored=stored(server(-3))),
        host("web6", stored=stored(None, state="unreachable", problem="Connection timed out")),
        host("web7", access_groups=["clients", "ops"]),
        host(
            "<script>alert(1)</script>",
            stored=stored(None, state="not-readable", problem="sudo: a password is \x1b[31mneeded"),
        ),
        host("fd00-9", endpoint="tcp://[fd00::9]:2376", stored=stored(server(address="fd00::9"))),
        host("old", state="absent", endpoint="tcp://10.0.0.99:2376", stored=None),
        *(host(f"node{number:03}") for number in range(extra_hosts)),
    ]
    wire = {
        "web2": served(server(80)),
        "web3": served(server(364, issuer=foreign)),
        "edge-4": served(server(20)),
        "web5": served(server(-3)),
        "web6": model.Served(model.UNREACHABLE, problem="no answer in time"),
        "web7": served(server(), clients_authority(), retired),
        "fd00-9": served(server(address="fd00::9")),
        "old": model.Served(model.UNREACHABLE, problem="connection refused"),
    }
    clients = [
        bundle("alice"),
        bundle("portainer & <b>co</b>", client("portainer", 60, life=timedelta(days=90))),
        bundle("ci", client("ci", 0.2, life=timedelta(hours=8))),
        bundle("root:bob", host="desk", client="bob", stored=stored(None, path="/root/.docker/cert.pem")),
        bundle("eve", client("eve", issuer=retired)),
        bundle("zoe", host="laptop", stored=stored(None, state="unreachable", problem="No route to host")),
    ]
    return report(hosts, clients, wire=wire, authorities=found, ledger_found=ledger(lines=5321))
