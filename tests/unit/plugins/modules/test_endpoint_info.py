# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module endpoint_info: it inspects, and never fails for a finding."""

from __future__ import annotations

import json
import socket

import pytest

from ansible_collections.portcullis.docker_tls.plugins.modules import endpoint_info
from support.ansible.modules import run_module
from support.ca.certificates import authority, leaf

CLIENTS = authority("client", number=1)
GOOD = leaf(CLIENTS, "client", common_name="me")


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("check", [False, True])
def test_endpoint_that_is_not_there_does_not_pass(closed_port: int, check: bool) -> None:
    options = {"host": "localhost", "address": "127.0.0.1", "port": closed_port, "timeout": 2, "closed_ports": []}
    result = run_module(endpoint_info, options, check=check)
    assert (result["failed"], result["changed"], result["passed"]) == (False, False, False)
    assert result["endpoint"] == f"127.0.0.1:{closed_port}"
    assert {item["check"] for item in result["checks"]} == {
        "served-certificate",
        "no-certificate",
        "foreign-authority",
        "plain-http",
    }


def test_message_about_an_endpoint_that_is_not_there_says_why_and_what_to_do(closed_port: int) -> None:
    """A task with ``failed_when: not probe.passed`` shows the message, and without one "Unknown error"."""
    options = {"host": "localhost", "address": "127.0.0.1", "port": closed_port, "timeout": 2, "closed_ports": []}
    message = run_module(endpoint_info, options)["msg"]
    assert message.startswith(f"127.0.0.1:{closed_port}, as seen from here: no TLS server at 127.0.0.1:{closed_port}: ")
    assert "refused" in message
    assert message.endswith("docker_daemon_address is how the controller and clients reach it.")


def test_key_is_in_no_result(closed_port: int) -> None:
    options = {
        "host": "127.0.0.1",
        "port": closed_port,
        "certificate_content": GOOD.pem,
        "key_content": GOOD.key_pem.decode(),
        "ca_content": CLIENTS.pem,
        "timeout": 2,
    }
    result = run_module(endpoint_info, options)
    assert "PRIVATE KEY" not in json.dumps({name: value for name, value in result.items() if name != "invocation"})
    if "invocation" in result:  # ansible-core 2.21 adds it only where it is shown
        assert result["invocation"]["module_args"]["key_content"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def test_client_ca_that_is_no_certificate_is_an_error(closed_port: int) -> None:
    result = run_module(endpoint_info, {"host": "127.0.0.1", "port": closed_port, "client_ca_content": "nonsense"})
    assert (result["failed"], result["code"]) == (True, "certificate-unreadable")


def test_further_clients_that_must_be_let_in_are_tried(closed_port: int) -> None:
    further = {"name": "client-of-g1", "certificate_content": GOOD.pem, "key_content": GOOD.key_pem.decode()}
    options = {"host": "127.0.0.1", "port": closed_port, "ca_content": CLIENTS.pem, "timeout": 2}
    result = run_module(endpoint_info, {**options, "admitted_clients": [further]})
    assert {item["check"]: item["passed"] for item in result["checks"]}["client-of-g1"] is False
    assert "PRIVATE KEY" not in json.dumps(result)
