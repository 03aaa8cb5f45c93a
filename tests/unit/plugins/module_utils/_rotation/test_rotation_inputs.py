# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was read of a fleet becomes the situation of one authority."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import collect, model
from ansible_collections.portcullis.docker_tls.plugins.module_utils._rotation import inputs as rotation_inputs
from ansible_collections.portcullis.docker_tls.plugins.module_utils._rotation import phases
from support.hosts import fleet

S1, S2 = fleet.server_authority(), fleet.authority("server-g2", 31)
C1, C2 = fleet.clients_authority(), fleet.authority("clients-g2", 32)
OPS = fleet.authority("ops-g1", 34)


def known(name: str, **stages: t.Any) -> dict[str, t.Any]:
    """Return authorities as authority_info reports them: known("clients", g1=(C1, "retiring"))."""
    found = [
        {
            "id": f"{name}-{number}",
            "stage": stage,
            "certificate_content": pair.pem,
            "not_before": "2026-10-01T00:00:00Z",
        }
        for number, (pair, stage) in stages.items()
    ]
    return {name: {"generations": found}}


def look(
    name: str,
    ca: dict[str, t.Any],
    hosts: t.Sequence[tuple[dict[str, t.Any], model.Served]] = (),
    clients: t.Sequence[dict[str, t.Any]] = (),
    held: t.Sequence[dict[str, t.Any]] = (),
) -> phases.Situation:
    facts = [collect.host(raw, {("10.0.0.5", 2376): served}) for raw, served in hosts]
    return rotation_inputs.situation(
        name, ca, facts, [collect.client(one) for one in clients], held, [], fleet.NOW, timedelta(0)
    )


def test_host_of_a_client_authority_agrees_on_disk_and_wire() -> None:
    stored = fleet.stored(fleet.server(), client_ca_content=C1.pem + C2.pem + OPS.pem)
    host = (fleet.host(stored=stored), fleet.served(fleet.server(), C1, OPS))
    found = look("clients", known("clients", g1=(C1, "issuing"), g2=(C2, "accepted")), [host]).hosts[0]
    assert found.trusts == {"clients-g1"}
    assert found.still_trusts == {"clients-g1", "clients-g2"}


def test_retired_generation_is_told_by_its_unit() -> None:
    stored = fleet.stored(fleet.server(), client_ca_content=C1.pem)
    host = (fleet.host(stored=stored), fleet.served(fleet.server(), C1))
    assert look("clients", known("clients", g2=(C2, "issuing")), [host]).hosts[0].still_trusts == {"clients-g1"}


def test_host_of_the_server_authority_has_two_issuers_where_it_was_not_restarted() -> None:
    stored = fleet.stored(fleet.server(issuer=S2), ca_content=S1.pem + S2.pem)
    host = (fleet.host(stored=stored), fleet.served(fleet.server()))
    found = look("server", known("server", g1=(S1, "retiring"), g2=(S2, "issuing")), [host]).hosts[0]
    assert found.issuers == {"server-g1", "server-g2"}
    assert found.trusts == {"server-g1", "server-g2"}


def test_hosts_that_do_not_admit_the_group_do_not_count() -> None:
    hosts = [
        (fleet.host("a", access_groups=["ops"]), fleet.served(fleet.server(), OPS)),
        (fleet.host("b", state="absent"), fleet.served(fleet.server())),
    ]
    assert look("clients", known("clients", g1=(C1, "issuing")), hosts).hosts == ()


PROBLEMS: dict[str, tuple[dict[str, t.Any], model.Served, str]] = {
    "disk": (
        {"stored": {"state": "unreachable", "problem": "no route"}},
        fleet.served(fleet.server()),
        "unreachable: no route",
    ),
    "wire": (
        {},
        model.Served(model.UNREACHABLE, "connection refused"),
        "the endpoint 10.0.0.5:2376: connection refused",
    ),
}


@pytest.mark.parametrize(("changes", "served", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_host_that_cannot_be_looked_at_says_why(changes: dict[str, t.Any], served: model.Served, problem: str) -> None:
    found = look("clients", known("clients", g1=(C1, "issuing")), [(fleet.host(**changes), served)])
    assert found.hosts[0].problem == problem


def test_bundles_are_those_of_the_group_and_of_all_for_the_server() -> None:
    bundles = [
        fleet.bundle("alice"),
        fleet.bundle("olga", group="ops"),
        fleet.bundle("new", stored={"state": "missing"}),
        fleet.bundle("far", stored={"state": "unreachable", "problem": ""}),
    ]
    found = look("clients", known("clients", g1=(C1, "issuing")), clients=bundles).bundles
    assert [(one.client, sorted(one.issuers), one.problem) for one in found] == [
        ("alice", ["clients-g1"], ""),
        ("far", [], "unreachable"),
    ]
    served = look("server", known("server", g1=(S1, "issuing")), clients=bundles).bundles
    assert [(one.client, sorted(one.trusts)) for one in served] == [
        ("alice", ["server-g1"]),
        ("olga", ["server-g1"]),
        ("far", []),
    ]


def test_certificates_of_the_ledger_count_where_nothing_took_their_place() -> None:
    usual = {
        "profile": "client",
        "authority": "clients-g1",
        "request": "laptop/erin",
        "subject": "CN=erin",
        "not_after": "2027-01-01T00:00:00Z",
        "reasons": ["certificate-missing"],
        "superseded": False,
    }
    held = [
        usual,
        {**usual, "superseded": True},
        {**usual, "reasons": ["temporary-client"]},
        {**usual, "profile": "server"},
    ]
    found = look("clients", known("clients", g1=(C1, "issuing")), held=held).held
    assert found == (phases.Held("laptop/erin", "erin", "clients-g1", "2027-01-01T00:00:00Z"),)


@pytest.mark.parametrize(("requester", "owner"), [("web1", "web1"), (None, "")])
def test_certificate_that_was_adopted_has_no_request_and_no_owner_named_none(requester: str | None, owner: str) -> None:
    """ledger_info returns null for a field that a line of the ledger does not have."""
    adopted = {
        "authority": "clients-g1",
        "profile": "client",
        "request": None,
        "requester": requester,
        "subject": "CN=erin",
        "not_after": "2027-01-01T00:00:00Z",
        "reasons": None,
        "superseded": False,
    }
    (found,) = look("clients", known("clients", g1=(C1, "issuing")), held=[adopted]).held
    assert found.owner == owner


def test_unknown_authority_names_those_that_there_are() -> None:
    with pytest.raises(TlsError) as caught:
        look("nobody", known("clients", g1=(C1, "issuing")))
    assert caught.value.code == "authority-unknown"
    assert "clients" in caught.value.message


def test_authority_of_another_issuer_is_not_replaced() -> None:
    with pytest.raises(TlsError, match="whose CA this playbook cannot replace") as caught:
        look("server", {"server": {"external": True, "issuer": "openbao", "generations": []}})
    assert caught.value.code == "authority-external"
    assert "ca_content" in caught.value.hint
