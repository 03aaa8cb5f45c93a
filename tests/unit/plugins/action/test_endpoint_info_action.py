# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin endpoint_info: which client it asks with where another issuer signs, and what it says of it."""

from __future__ import annotations

import pathlib
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.action import endpoint_info
from ansible_collections.portcullis.docker_tls.plugins.module_utils._time import utc_now
from support.ansible.actions import action
from support.ca import certificates as made

ROOT = made.authority("client", unit="company-clients", number=81)
ISSUING = made.intermediate(ROOT, "Company issuing CA", 82)
FOREIGN = made.authority("client", unit="other", number=83)


def given(directory: pathlib.Path, pair: made.Pair, anchors: str) -> dict[str, t.Any]:
    (directory / "cert.pem").write_text(pair.pem + ISSUING.pem)
    (directory / "key.pem").write_bytes(pair.key_pem)
    paths = {"certificate_path": str(directory / "cert.pem"), "key_path": str(directory / "key.pem")}
    return {"client": paths, "group": "ops", "anchors": anchors}


def monitor() -> made.Pair:
    return made.leaf(ISSUING, "client", common_name="monitor", end=utc_now() + timedelta(days=9))


CHECKS = [
    {"check": "good-client", "passed": True, "detail": "HTTP 200, engine 26.1.5"},
    {"check": "no-certificate", "passed": True, "detail": "refused"},
]


def asked(answer: t.Any = None, **options: t.Any) -> tuple[t.Any, dict[str, t.Any]]:
    found = action(
        endpoint_info, {"host": "web1", **options}, [answer or {"passed": True, "checks": CHECKS}], check=False
    )
    return found, found.run(task_vars={})


def test_verification_says_which_client_was_given(tmp_path: pathlib.Path) -> None:
    pair = monitor()
    found, result = asked(given=given(tmp_path, pair, ROOT.pem))
    ((_module, arguments, *_rest),) = found.called
    assert arguments["certificate_content"] == pair.pem + ISSUING.pem
    assert arguments["key_content"].encode() == pair.key_pem
    good, other = result["checks"]
    assert good["detail"] == "HTTP 200, engine 26.1.5 (client: CN=monitor of docker_daemon_verify_clients)"
    assert other == CHECKS[1]


def test_given_client_that_cannot_be_used_fails_the_task_and_nobody_is_asked(tmp_path: pathlib.Path) -> None:
    found, result = asked(given=given(tmp_path, monitor(), FOREIGN.pem))
    assert (result["failed"], result["code"]) == (True, "verification-client-unusable")
    assert found.called == []


@pytest.mark.parametrize("sources", [[], ["192.0.2.0/24", "2001:db8::/32"]])
@pytest.mark.parametrize("detail", ["no TLS server at web1:2376: no answer in time", "another certificate"])
def test_host_that_filters_sources_and_does_not_answer_is_explained(sources: list[str], detail: str) -> None:
    """The filter drops packets, so from here it cannot be distinguished from a host that is down."""
    checks = [{"check": "served-certificate", "passed": False, "detail": detail}]
    answer = {"passed": False, "checks": checks, "msg": "web1:2376, as seen from here: wrong."}
    found, result = asked(answer, allowed_sources=sources)
    ((_module, arguments, *_rest),) = found.called
    assert "allowed_sources" not in arguments
    expected = "docker_daemon_allowed_sources is set on this host (192.0.2.0/24, 2001:db8::/32): is this machine in it?"
    assert (expected in result["msg"]) is bool(sources and "in time" in detail)
    assert result["msg"].startswith(answer["msg"])


def test_verification_says_that_the_issuer_made_the_client_or_made_none() -> None:
    _found, result = asked(used="openbao", certificate_content="C", key_content="K")
    assert result["checks"][0]["detail"].endswith("(client: made by the issuer openbao for this verification)")
    _found, result = asked({"passed": True, "checks": CHECKS[1:]}, used="files", certificate_content="")
    assert [warning.partition(":")[0] for warning in result["warnings"]] == ["verification-without-client"]
