# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Valid certificates that nobody should use, against what the running daemons admit: verdicts, and how each output says them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import model
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet.render import json_file, prometheus, text
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._fleet_page import page
from support.hosts.fleet import add_authority, authority, ca, clients_authority, host, report, served, server, unwanted

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
    assert not any("should not be used" in line for line in text.render(reported()))
    assert "should not be used" not in page.render(json_file.to_document(reported()))
    assert "unwanted" not in prometheus.render(reported())


def test_every_output_names_client_authority_end_and_hosts() -> None:
    found = reported(unwanted(), unwanted("olga", "ops-g1", **UNLISTED), wire={"web2": served(server(), OPS)})
    lines = "\n".join(text.render(found))
    assert "CRITICAL  bob     clients-g1  2027-11-22  web1   localhost/bob   revoked-admitted" in lines
    assert "WARNING   olga    ops-g1      2027-11-22  web2   localhost/olga  unlisted" in lines
    assert "olga is not of the group ops any more" in lines
    assert "-> To end it, run portcullis.docker_tls.site with docker_ca_unlisted_certificates=revoke" in lines
    written = json_file.to_document(found)
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
    html = page.render(json_file.to_document(found))
    assert html.count("Client certificates that should not be used") == 2 and "web2" in html


def test_problems_alone_leave_out_what_opens_nothing() -> None:
    lines = text.render(reported(unwanted("olga", "ops-g1", **UNLISTED)), problems_only=True)
    assert not any("olga" in line for line in lines)


def test_control_characters_of_a_recorded_name_do_not_reach_the_terminal() -> None:
    lines = text.render(reported(unwanted("e\x1b[31mvil", source="adopted", reason="client-unlisted")))
    assert not any("\x1b" in line for line in lines)
