# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variable limits a task, what its value may be, and what the failure says."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.action.module import MODULES as SHARED
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import failures as limits
from support.contracts import records

ROOT = pathlib.Path(__file__).resolve().parents[5]
OURS = "portcullis.docker_tls"


def limit(
    module: str, role: str = "", arguments: dict[str, t.Any] | None = None, **variables: t.Any
) -> limits.HostTimeout:
    return limits.host_timeout(f"{OURS}.{module}", role, arguments or {}, variables, lambda value: value)


@pytest.mark.parametrize(
    ("module", "role", "variable"),
    [
        ("certificate_requests", f"{OURS}.docker_server_cert", "docker_server_cert_host_timeout"),
        ("certificate_requests", "docker_client_cert", "docker_client_cert_host_timeout"),
        ("certificate_requests", "/srv/roles/docker_client_cert", "docker_client_cert_host_timeout"),
        ("signed_certificates", f"{OURS}.docker_server_cert", "docker_server_cert_host_timeout"),
        ("signed_certificates", "", "docker_ca_host_timeout"),
        ("signed_certificates", "my_docker_daemon", "docker_ca_host_timeout"),
        ("host_state", "", "docker_daemon_host_timeout"),
        ("authority_info", "", "docker_ca_host_timeout"),
        ("adoption_info", "", "docker_daemon_host_timeout"),
        ("certificate_files_info", "", "docker_status_host_timeout"),
    ],
)
def test_task_takes_the_limit_of_its_role_or_its_module(module: str, role: str, variable: str) -> None:
    found = limit(module, role, **{variable: "17"})
    assert (found.variable, found.seconds) == (variable, 17)


def test_play_may_name_the_variable_for_its_tasks() -> None:
    plays = {limits.PLAY_VARIABLE: "docker_status_host_timeout"}
    assert limit("authority_info", **plays).variable == "docker_status_host_timeout"
    assert limit("authority_info", **plays).seconds == 60
    assert limit("authority_info", f"{OURS}.docker_ca", **plays).variable == "docker_ca_host_timeout"


def test_value_of_a_variable_is_templated() -> None:
    found = limits.host_timeout(
        f"{OURS}.host_state", "", {}, {"docker_daemon_host_timeout": "{{ x }}"}, lambda value: 7
    )
    assert found.seconds == 7


@pytest.mark.parametrize(
    ("module", "arguments", "seconds"),
    [
        ("authorities", {"lock_timeout": 60}, 360),
        ("authorities", {"lock_timeout": "60"}, 360),
        ("authorities", {"lock_timeout": "soon"}, 300),
        ("endpoint", {}, 300 + 30 + 120 + 120 + 240),
        ("endpoint", {"start_timeout": 600, "lock_timeout": 0}, 300 + 600 + 600 + 240),
        ("endpoint", {"start_timeout": "5"}, 300 + 30 + 5 + 120 + 240),
    ],
)
def test_what_the_module_itself_may_wait_for_comes_on_top(
    module: str, arguments: dict[str, t.Any], seconds: int
) -> None:
    assert limit(module, "", arguments).seconds == seconds


@pytest.mark.parametrize("value", [0, -1, "", "abc", "1m", 1.5, True, None, [5], "٣", 86_401, "1" * 5000])
def test_value_that_is_no_number_of_seconds_is_rejected_by_name(value: t.Any) -> None:
    with pytest.raises(TlsError, match="docker_ca_host_timeout is ") as caught:
        limits.parse("docker_ca_host_timeout", value)
    assert caught.value.code == "host-timeout-invalid"
    assert caught.value.hint


def test_failure_names_the_wait_the_seconds_and_the_variable() -> None:
    failure = limits.timeout_failure(limit("endpoint", f"{OURS}.docker_daemon", {"start_timeout": 5}))
    records.said(f"{failure['msg']} {failure['hint']}", code=failure["code"])
    assert failure["failed"] is True
    assert failure["code"] == "host-timeout"
    assert "695 seconds" in failure["msg"] and "the change of Docker's endpoint" in failure["msg"]
    assert "docker_daemon_host_timeout" in failure["hint"]


@pytest.mark.parametrize("role", ["docker_ca", "docker_server_cert", "docker_client_cert", "docker_daemon"])
def test_roles_have_the_same_default(role: str) -> None:
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())
    assert defaults[f"{role}_host_timeout"] == limits.default_of(f"{role}_host_timeout") == limits.DEFAULT


def test_every_action_that_reaches_a_host_names_its_wait() -> None:
    """What is not in the table is called "the CA"."""
    reached = {*(path.stem for path in (ROOT / "plugins/action").glob("*.py")), *SHARED} - {"module"}
    of_the_ca = {name for name in reached if name.startswith(("authorit", "ledger", "recorded"))}
    of_the_controller = {"plan", "fleet_status", "verification_report"}
    assert reached - of_the_ca - of_the_controller <= set(limits._MODULES) | of_the_ca
