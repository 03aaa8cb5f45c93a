# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of an endpoint, in one line: the whole text, for people read it."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import report
from support.ca.certificates import authority, leaf

SERVER, CLIENTS, OPS = authority("server"), authority("client", number=1), authority("client", unit="ops-g1", number=2)
CERTIFICATE = leaf(SERVER, subject_names=("web1",))
FILES = {
    "server-cert.pem": CERTIFICATE.pem.encode(),
    "client-ca.pem": CLIENTS.pem.encode(),
    "ca.pem": SERVER.pem.encode(),
}


def line(
    action: str = "present",
    *reasons: str,
    hosts: t.Any = None,
    before: dict[str, bytes] | None = None,
    after: dict[str, bytes] | None = None,
    running: int = 14,
    pending: t.Sequence[str] = (),
    **plan: t.Any,
) -> str:
    found = types.SimpleNamespace(
        certificates=types.SimpleNamespace(files=lambda: FILES if before is None else before),
        config_values={} if hosts is None else {"hosts": hosts},
        engine=types.SimpleNamespace(containers_running=running),
        endpoint_socket=None,
        proxy=types.SimpleNamespace(config=None),
    )
    planned = types.SimpleNamespace(
        **{
            "action": action,
            "reasons": reasons,
            "restart": True,
            "touches_docker": True,
            "containers_stopped": 0,
            "proxy": None,
            **plan,
        }
    )
    listen = types.SimpleNamespace(addresses=[types.SimpleNamespace(endpoint=lambda: "10.0.0.5:2376")])
    wanted = listen if action == "present" else None
    return report.plan_text(
        t.cast(t.Any, found), t.cast(t.Any, planned), t.cast(t.Any, wanted), reasons, after or FILES, pending
    )


def test_plan_text_of_a_first_run_says_all() -> None:
    assert line("present", "endpoint-new", before={}) == (
        "listen 10.0.0.5:2376, admits + client-g1, ca.pem + server-g1, restart yes, 14 containers kept (endpoint-new)"
    )


def test_plan_text_of_a_first_check_names_the_groups_whose_authorities_are_not_made_yet() -> None:
    text = line("present", "endpoint-new", before={}, after={"x": b""}, pending=["clients", "ops"])
    assert text == (
        "listen 10.0.0.5:2376, admits + clients (a new authority) + ops (a new authority), restart yes, 14 containers kept "
        "(endpoint-new)"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"running": 1}, "restart yes, 1 container kept (certificate-pending)", id="one-kept"),
        pytest.param({"running": 0}, "restart yes (certificate-pending)", id="none-runs"),
        pytest.param(
            {"containers_stopped": 14}, "restart yes, 14 containers stopped (certificate-pending)", id="stopped"
        ),
        pytest.param({"restart": False}, "restart no (certificate-pending)", id="no-restart"),
    ],
)
def test_plan_text_says_what_the_restart_means_for_containers(changes: dict[str, t.Any], expected: str) -> None:
    assert line("present", "certificate-pending", **changes) == expected


def test_plan_text_of_groups_in_and_out_names_them() -> None:
    text = line("present", "anchors-changed", after={**FILES, "client-ca.pem": OPS.pem.encode()})
    assert text == "admits + ops-g1 - client-g1, restart yes, 14 containers kept (anchors-changed)"


def test_plan_text_of_another_listener_says_from_where_to_where() -> None:
    text = line("present", "listen-changed", hosts=["fd://", "tcp://0.0.0.0:2376"])
    assert text == "listen 0.0.0.0:2376 -> 10.0.0.5:2376, restart yes, 14 containers kept (listen-changed)"


def test_plan_text_of_hosts_that_are_no_list_is_no_failure() -> None:
    assert line("present", "listen-changed", hosts="tcp://x").startswith("listen 10.0.0.5:2376, ")


def test_plan_text_of_unreadable_files_is_no_failure() -> None:
    text = line("present", "anchors-changed", after={**FILES, "client-ca.pem": b"x"})
    assert text == "admits - client-g1, restart yes, 14 containers kept (anchors-changed)"


def test_plan_text_of_the_way_back_says_so() -> None:
    assert line("absent", "endpoint-removed") == (
        "endpoint removed, Docker as it was before, restart yes, 14 containers kept (endpoint-removed)"
    )
