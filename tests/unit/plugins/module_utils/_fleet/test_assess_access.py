# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Valid certificates that should no longer be used, against what the running daemons admit: assessments, and each output of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import model
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet.render import prometheus, report_text
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.revocation_list import sign_list
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._fleet_page import page
from support.ca.certificates import NOW
from support.hosts.fleet import (
    add_authority,
    authority,
    bundle,
    ca,
    client,
    clients_authority,
    host,
    report,
    served,
    server,
    stored,
    unwanted,
)

OPS = authority("ops-g1", 5)
RETIRED = authority("clients-g0", 6)
DOWN = model.Served(model.UNREACHABLE, problem="connection refused")
UNLISTED = {"reason": "group-changed"}


def reported(*certificates: dict[str, Any], wire: dict[str, model.Served] | None = None) -> model.Report:
    """Return a report of web1 and web2; by default both admit clients-g1."""
    known = add_authority(ca(), OPS, "ops-g1")
    hosts = [host("web1"), host("web2", endpoint="tcp://10.0.0.6:2376")]
    return report(hosts, wire=wire or {}, authorities={**known, "certificates": list(certificates)})


ALL = ("web1", "web2")
VERDICTS: dict[str, tuple[dict[str, Any], dict[str, model.Served], tuple[str, str, tuple[str, ...]] | None]] = {
    "revoked-and-admitted": (unwanted(), {}, ("critical", "revoked-admitted", ALL)),
    "revoked-and-admitted-by-one": (
        unwanted(),
        {"web2": served(server(), OPS)},
        ("critical", "revoked-admitted", ("web1",)),
    ),
    "revoked-admitted-after-retirement": (
        unwanted(generation="clients-g0", trusted=False),
        {"web2": served(server(), clients_authority(), RETIRED)},
        ("critical", "revoked-admitted", ("web2",)),
    ),
    "revoked-and-shut-out": (unwanted(generation="clients-g0", trusted=False), {}, None),
    "revoked-nothing-seen": (unwanted(), {"web1": DOWN, "web2": DOWN}, ("unknown", "revoked-not-seen", ())),
    "revoked-not-yet-retired": (
        unwanted(),
        {"web1": served(server(), OPS), "web2": served(server(), OPS)},
        ("warning", "revocation-pending", ()),
    ),
    "unlisted-and-admitted": (unwanted(**UNLISTED), {}, ("warning", "unlisted", ALL)),
    "unlisted-opens-nothing": (unwanted("olga", "ops-g1", **UNLISTED), {}, ("ok", "unlisted", ())),
    "adopted": (unwanted(reason="client-unlisted", source="adopted"), {}, ("ok", "unlisted", ALL)),
    "recorded": (unwanted(reason="client-unlisted", source="recorded"), {}, ("warning", "unlisted", ALL)),
}


@pytest.mark.parametrize(("certificate", "wire", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_verdict_is_by_what_the_daemons_admit(
    certificate: dict[str, Any], wire: dict[str, model.Served], expected: tuple[str, str, tuple[str, ...]] | None
) -> None:
    found = [(one.level, one.findings[0].code, one.opens) for one in reported(certificate, wire=wire).certificates]
    assert found == ([expected] if expected else [])


def test_without_certificates_nothing_is_said() -> None:
    assert not any("should not be used" in line for line in report_text.render(reported()))
    assert "should not be used" not in page.render(report_text.to_document(reported()))
    assert "unwanted" not in prometheus.render(reported())


def test_every_output_names_client_authority_end_and_hosts() -> None:
    found = reported(unwanted(), unwanted("olga", "ops-g1", **UNLISTED), wire={"web2": served(server(), OPS)})
    lines = "\n".join(report_text.render(found))
    assert "CRITICAL  bob     clients-g1  2027-11-22  web1   localhost/bob   revoked-admitted" in lines
    assert "WARNING   olga    ops-g1      2027-11-22  web2   localhost/olga  unlisted" in lines
    assert "olga is not of the group ops any more" in lines
    assert "-> To end it, run portcullis.docker_tls.site with -e docker_ca_unlisted_certificates=revoke" in lines
    written = report_text.to_document(found)
    assert [(one["client"], one["opens"], one["level"]) for one in written["certificates"]] == [
        ("bob", ["web1"], "critical"),
        ("olga", ["web2"], "warning"),
    ]
    assert written["exit_code"] == 2
    metrics = prometheus.render(found)
    wanted = 'docker_tls_unwanted_client_certificate_hosts{kind="certificate",host="localhost",name="localhost/bob clients-g1",reason="client-revoked"} 1'
    assert wanted in metrics
    assert (
        'docker_tls_problem{kind="certificate",host="localhost",name="localhost/olga ops-g1",code="unlisted",level="warning"} 1'
        in metrics
    )
    html = page.render(report_text.to_document(found))
    assert html.count("Client certificates that should not be used") == 2 and "web2" in html


def test_problems_alone_leave_out_what_opens_nothing() -> None:
    lines = report_text.render(reported(unwanted("olga", "ops-g1", **UNLISTED)), problems_only=True)
    assert not any("olga" in line for line in lines)


def test_control_characters_of_a_recorded_name_do_not_reach_the_terminal() -> None:
    lines = report_text.render(reported(unwanted("e\x1b[31mvil", source="adopted", reason="client-unlisted")))
    assert not any("\x1b" in line for line in lines)


def lists(*serials: int, number: int = 1, pair: Any = None) -> str:
    issuer = pair or clients_authority()
    return sign_list(issuer.certificate, issuer.key, serials, number=number, now=NOW)


BOB, CAROL = 0xB0B, 0xCA01
LISTED = {"listed": True}
UNREAD = stored(None, state="unreachable", problem="timed out")
#: What web2 has of the lists (web1 has the newest), its wire, and the verdict.
BY_LIST: dict[str, tuple[dict[str, Any], Any, tuple[str, str, tuple[str, ...]] | None]] = {
    "newest": ({"revocation_lists_content": lists(BOB, number=2)}, None, None),
    "newer-than-the-ca": ({"revocation_lists_content": lists(BOB, CAROL, number=3)}, None, None),
    "older": ({"revocation_lists_content": lists(CAROL)}, None, ("critical", "revoked-admitted", ("web2",))),
    "none": ({}, None, ("critical", "revoked-admitted", ("web2",))),
    "of-another-key": (
        {"revocation_lists_content": lists(BOB, pair=authority("clients-g1", 77))},
        None,
        ("critical", "revoked-admitted", ("web2",)),
    ),
    "no-list": (
        {"revocation_lists_content": "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"},
        None,
        ("critical", "revoked-admitted", ("web2",)),
    ),
    "not-read": (UNREAD, None, ("unknown", "revoked-not-seen", ())),
    "away": (UNREAD, DOWN, ("unknown", "revoked-not-seen", ())),
}


@pytest.mark.parametrize(("files", "wire", "expected"), BY_LIST.values(), ids=BY_LIST)
def test_certificate_in_a_revocation_list_is_refused_by_proxies_that_have_it(
    files: dict[str, Any], wire: Any, expected: tuple[str, str, tuple[str, ...]] | None
) -> None:
    found = ca()
    found["authorities"]["clients"]["crl_content"] = lists(BOB, number=2)
    hosts = [
        host("web1", stored=stored(server(), revocation_lists_content=lists(BOB, number=2))),
        host("web2", endpoint="tcp://10.0.0.6:2376", stored=files if "state" in files else stored(server(), **files)),
    ]
    seen = {"web2": wire} if wire else {}
    judged = report(hosts, wire=seen, authorities={**found, "certificates": [unwanted(**LISTED)]})
    assert [(one.level, one.findings[0].code, one.opens) for one in judged.certificates] == (
        [expected] if expected else []
    )
    outdated = {
        one.facts.name for one in judged.hosts for each in one.findings if each.code == "revocation-list-outdated"
    }
    readable = bool(files.get("revocation_lists_content")) and "AAAA" not in files["revocation_lists_content"]
    assert outdated == ({"web2"} if expected and readable else set())


def list_until(end: datetime) -> str:
    """Return a list as another issuer makes it, which ends long before its authority."""
    pair = clients_authority()
    builder = x509.CertificateRevocationListBuilder(pair.certificate.subject)
    builder = builder.last_update((NOW - timedelta(days=9)).replace(tzinfo=None)).next_update(end.replace(tzinfo=None))
    return builder.sign(pair.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("end", "expected"),
    [(NOW + timedelta(days=1), []), (NOW - timedelta(days=1), [("warning", "revocation-list-ended")])],
    ids=["valid", "ended"],
)
def test_list_that_has_ended_on_a_host_is_named(end: datetime, expected: list[tuple[str, str]]) -> None:
    hosts = [host("web1", stored=stored(server(), revocation_lists_content=list_until(end)))]
    findings = [each for one in report(hosts, authorities=ca()).hosts for each in one.findings]
    assert [(one.level, one.code) for one in findings if one.code.startswith("revocation-")] == expected


def test_list_of_a_retired_authority_says_nothing_of_a_host_that_still_admits_it() -> None:
    old = {"web2": served(server(), clients_authority(), RETIRED)}
    certificate = unwanted(generation="clients-g0", trusted=False, listed=True)
    found = [(one.level, one.opens) for one in reported(certificate, wire=old).certificates]
    assert found == [("critical", ("web2",))]


FORMER = {
    "with-the-certificate": ({0x5F, 0x60}, ("5f",), True, ()),
    "with-both": ({0x5F, 0x60}, ("5f", "60"), True, ()),
    "without-it": ({0x60}, ("5f",), True, ("web2",)),
    "without-one-of-them": ({0x5F}, ("5f", "60"), True, ("web2",)),
    "of-another-signer": ({0x5F}, ("5f",), False, ("web2",)),
    "serials-that-are-none": ({0x5F}, ("5f", "x"), True, ("web2",)),
    "no-serials": ({0x5F}, (), True, ("web2",)),
}


@pytest.mark.parametrize(("in_list", "serials", "is_admitted", "opens"), FORMER.values(), ids=FORMER)
def test_proxy_that_kept_the_list_of_a_retired_authority_refuses_what_is_in_it(
    in_list: set[int], serials: tuple[str, ...], is_admitted: bool, opens: tuple[str, ...]
) -> None:
    """The CA has given the authority up, and so has no list of it; the host, which had no run since, has both."""
    old = sign_list(RETIRED.certificate, RETIRED.key, in_list, number=2, now=NOW)
    anchors = clients_authority().pem + (RETIRED.pem if is_admitted else "")
    files = stored(server(), client_ca_content=anchors, revocation_lists_content=old)
    certificate = unwanted(generation="clients-g0", trusted=False, listed=True, serials=list(serials))
    wire = {"web2": served(server(), clients_authority(), RETIRED)}
    hosts = [host("web1"), host("web2", endpoint="tcp://10.0.0.6:2376", stored=files)]
    found = report(hosts, wire=wire, authorities={**add_authority(ca(), OPS, "ops-g1"), "certificates": [certificate]})
    assert [one.opens for one in found.certificates] == ([opens] if opens else [])


def test_bundle_of_a_retired_authority_names_the_host_that_still_admits_it() -> None:
    bundles = [bundle("eve", client("eve", issuer=RETIRED))]
    for wire, admitted in (
        ({"web1": served(server(), clients_authority(), RETIRED)}, "only web1 admits it, until the next run there"),
        ({}, "no host that was asked admits it"),
    ):
        (status,) = report([host("web1")], bundles, wire=wire).clients
        assert [one.message.partition(": ")[2] for one in status.findings if one.code == "foreign"] == [admitted]


NEXT = authority("clients-g2", 7)
NOWHERE = {
    # What web1 has in its groups and admits on the wire, the bundle's group and signer, the finding.
    "admitted": (["clients"], served(server()), "clients", clients_authority(), ""),
    "generation-was-replaced": (
        ["clients"],
        served(server(), NEXT),
        "clients",
        clients_authority(),
        "it is of clients-g1, which no host admits now, so it opens none",
    ),
    "both-generations": (["clients"], served(server(), NEXT, clients_authority()), "clients", clients_authority(), ""),
    "group-was-withdrawn": (
        ["clients"],
        served(server()),
        "ops",
        OPS,
        "it opens no host: none of those asked has its access group ops in docker_daemon_access_groups",
    ),
    "withdrawn-and-still-admitted": (["clients"], served(server(), clients_authority(), OPS), "ops", OPS, ""),
    "not-seen": (["ops"], DOWN, "ops", OPS, ""),
    "another-host-is-not-seen": (["clients"], DOWN, "clients", clients_authority(), ""),
}


@pytest.mark.parametrize(("groups", "wire", "group", "signer", "expected"), NOWHERE.values(), ids=NOWHERE)
def test_bundle_that_opens_no_host_is_reported_with_what_to_do(
    groups: list[str], wire: model.Served, group: str, signer: Any, expected: str
) -> None:
    bundles = [bundle("eve", client("eve", issuer=signer), group=group)]
    found = report(
        [host("web1", access_groups=groups)],
        bundles,
        wire={"web1": wire},
        authorities=add_authority(ca(), OPS, "ops-g1"),
    )
    (status,) = found.clients
    (finding,) = [one for one in status.findings if one.code == "admitted-nowhere"] or [None]
    assert (finding.message if finding else "") == expected
    if finding is not None:
        assert finding.level == "warning" == status.level
        assert finding.advice == (
            "Run portcullis.docker_tls.site for the whole inventory."
            if groups == [group]
            else "Add ops to docker_daemon_access_groups of the hosts that it should open, or remove eve from docker_client_cert_clients."
        )
        assert "admitted-nowhere" in page.render(report_text.to_document(found)) and expected in "\n".join(
            report_text.render(found)
        )


def test_bundle_of_a_fleet_whose_endpoints_are_all_removed_is_no_finding() -> None:
    found = report([host("web1", state="absent")], [bundle("eve", client("eve"))], wire={"web1": DOWN})
    assert [one.code for one in found.clients[0].findings] == []


@pytest.mark.parametrize("present", [True, False], ids=["present", "missing"])
def test_former_directory_with_a_bundle_of_ours_is_reported(present: bool) -> None:
    formers = [
        stored(client("eve", 30), path="/home/ops/.docker_tls/clients/eve/cert.pem"),
        stored(client("eve", issuer=RETIRED), path="/home/ops/retired/cert.pem"),
        stored(path="/home/ops/nothing/cert.pem"),
        {"state": "invalid", "problem": "no certificate", "path": "/home/ops/broken/cert.pem"},
    ]
    files = stored(client("eve") if present else None, path="/srv/eve/cert.pem")
    (status,) = report([host("web1")], [bundle("eve", stored=files, former=formers)]).clients
    (finding,) = (one for one in status.findings if one.code == "left-behind")
    assert finding.level == "warning"
    assert finding.message.startswith(
        "/home/ops/.docker_tls/clients/eve has a bundle too, whose certificate is valid until 20"
    )
    assert finding.advice == "Point what uses it to /srv/eve, then remove /home/ops/.docker_tls/clients/eve."
