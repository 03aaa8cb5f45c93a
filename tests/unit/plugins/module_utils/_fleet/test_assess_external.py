# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a fleet whose certificates another issuer signs, with what the ledger has of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import anchors
from support.ca import certificates as made
from support.hosts import fleet

ROOT = made.authority(unit="company-root", number=71)
CLIENTS = made.authority("client", unit="company-clients", number=72)


def external_ca() -> dict[str, t.Any]:
    """Return what authority_info reports where there is no CA of ours."""
    issuers = [anchors.Issuer("server", "openbao", ROOT.pem), anchors.Issuer("clients", "files", CLIENTS.pem)]
    return {"host": "olympus", "path": "/etc/docker/ca", "authorities": anchors.with_issuers({}, issuers, made.NOW)}


def texts(*entries: tuple[made.Pair, str, str], **changes: t.Any) -> list[str]:
    """Return the findings "external" of a host and a client; ``entries``: what the ledger has, with issuer and requester."""
    server = fleet.server(issuer=ROOT)
    client = fleet.client(issuer=CLIENTS)
    ledger = fleet.ledger(
        external={
            pair.view.fingerprint_sha256: {"issuer": issuer, "time": "2026-11-22T13:00:00Z", "requester": requester}
            for pair, issuer, requester in entries
        },
        **changes,
    )
    files = fleet.stored(server, ca_content=ROOT.pem, client_ca_content=CLIENTS.pem)
    bundle = fleet.bundle(stored=fleet.stored(client, ca_content=ROOT.pem))
    found = fleet.report(
        [fleet.host(stored=files)], [bundle], authorities=external_ca(), ledger_found=ledger, wire=None
    )
    judged = (*found.hosts[0].findings, *found.clients[0].findings)
    return [one.message for one in judged if one.code == "external" and one.level == "ok"]


def test_status_says_which_issuer_was_asked_when_and_for_whom() -> None:
    server = fleet.server(issuer=ROOT)
    of_host, of_client = texts(
        (server, "openbao", "web1"), (fleet.client(issuer=CLIENTS), "files", "localhost"), lines=5
    )
    assert of_host.endswith("leads to server-external; openbao issued it for web1 on 2026-11-22T13:00:00Z")
    assert of_client.endswith("leads to clients-external; files issued it for localhost on 2026-11-22T13:00:00Z")


def test_status_says_that_the_ledger_has_no_record() -> None:
    assert all("the ledger has no record of it" in text for text in texts())
    assert not any("ledger" in text for text in texts(state="not-readable"))


@pytest.mark.parametrize(("state", "codes"), [("missing", []), ("tampered", ["ledger-tampered"])])
def test_fleet_without_a_ca_does_not_miss_its_ledger(state: str, codes: list[str]) -> None:
    found = fleet.report(authorities=external_ca(), ledger_found=fleet.ledger(state=state))
    assert [one.code for one in found.ca.findings] == codes
