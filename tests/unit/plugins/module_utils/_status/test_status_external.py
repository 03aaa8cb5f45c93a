# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of hosts and clients whose certificates another issuer made."""

from __future__ import annotations

import typing as t

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import collect, model
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import anchors
from support.ca import certificates as made
from support.hosts.fleet import NOW, bundle, ca, client, clients_authority, host, ledger, report, served, server, stored

ROOT, NEXT_ROOT = made.authority(unit="company", number=71), made.authority(unit="company-2", number=72)
ISSUING = made.intermediate(ROOT, "Issuing CA 1", 73)
CLIENT_ROOT = made.authority("client", unit="company-clients", number=74)
FOREIGN = made.authority(unit="elsewhere", number=75)


def external() -> dict[str, t.Any]:
    """Return what authority_info reports where another issuer signs for servers and clients."""
    issuers = [
        anchors.Issuer("server", "openbao", ROOT.pem + NEXT_ROOT.pem, False),
        anchors.Issuer("clients", "openbao", CLIENT_ROOT.pem, False),
    ]
    return {**ca(), "authorities": anchors.with_issuers({}, issuers, NOW)}


def judged(pair: made.Pair, *chain: made.Pair, on_disk: made.Pair | None = None) -> model.HostStatus:
    content = "".join(one.pem for one in (on_disk or pair, *chain))
    files = stored(pair, certificate_content=content, ca_content=ROOT.pem, client_ca_content=CLIENT_ROOT.pem)
    wire = served(pair, CLIENT_ROOT)
    wire = model.Served(
        wire.state,
        certificate=wire.certificate,
        asks_for_certificate=True,
        authority_names=wire.authority_names,
        chain=tuple(collect.certificates_from_pem("".join(one.pem for one in chain), "the chain")) if chain else (),
    )
    found = report([host(stored=files)], wire={"web1": wire}, authorities=external(), ledger_found=ledger())
    return found.hosts[0]


def codes(item: model.Assessed) -> list[tuple[str, str]]:
    return [(finding.code, finding.level) for finding in item.findings]


def test_host_of_another_issuer_is_ok_and_called_external() -> None:
    found = judged(server(issuer=ISSUING), ISSUING)
    assert (found.level, codes(found)) == ("ok", [("external", "ok")])
    assert "of another issuer, CN=Issuing CA 1, and leads to server-external" in found.findings[0].message


def test_renewed_certificate_on_disk_is_judged_with_its_chain() -> None:
    found = judged(server(100, issuer=ISSUING), ISSUING, on_disk=server(364, issuer=ISSUING))
    assert "foreign" not in dict(codes(found))


def test_certificate_that_leads_to_no_anchor_is_foreign() -> None:
    found = judged(server(issuer=FOREIGN))
    assert ("foreign", "critical") in codes(found)


def test_client_of_another_issuer_is_ok_and_no_ledger_is_asked() -> None:
    pair = client(issuer=CLIENT_ROOT)
    files = stored(pair, ca_content=ROOT.pem + NEXT_ROOT.pem)
    begun = ledger(begins="2026-01-01T00:00:00Z")
    found = report([], [bundle(pair=pair, stored=files)], authorities=external(), ledger_found=begun).clients[0]
    assert (found.level, codes(found)) == ("ok", [("external", "ok")])


def test_client_of_the_ca_before_the_move_is_foreign_once_that_is_given_up() -> None:
    pair = client(issuer=clients_authority())
    found = report([], [bundle(pair=pair)], authorities=external()).clients[0]
    assert ("foreign", "critical") in codes(found)


def test_every_anchor_is_in_the_report_with_its_own_name() -> None:
    found = report([], authorities=external())
    assert [one.anchor.id for one in found.authorities] == ["server-external", "server-external-2", "clients-external"]
