# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe of the endpoints: the result of a greeting, and that one slow host delays no other."""

from __future__ import annotations

import socket
import threading

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.tls_greeting import (
    HandshakeError,
    ServerGreeting,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import collect, model
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import compat
from support.ca.certificates import Pair, of_an_unknown_version
from support.hosts.fleet import clients_authority, server, server_authority, subject_der

LIMITS = collect.ProbeLimits(timeout=1, connections=8)


def der(pair: Pair) -> bytes:
    return bytes(pair.certificate.public_bytes(compat.serialization.Encoding.DER))


def greeting() -> ServerGreeting:
    return ServerGreeting((der(server()), der(server_authority())), True, (subject_der(clients_authority()),))


def test_probe_at_a_daemon_tells_certificate_chain_and_groups() -> None:
    asked = []

    def reader(*question: object) -> ServerGreeting:
        asked.append(question)
        return greeting()

    seen = collect.probe_one("web.example.org", 2376, 3, reader)
    assert asked == [("web.example.org", 2376, 3, "web.example.org")]
    assert seen.certificate is not None
    assert seen.certificate.view == server().view
    assert (seen.state, len(seen.chain), seen.authority_names) == ("read", 1, (subject_der(clients_authority()),))


@pytest.mark.parametrize(
    ("error", "state", "problem"),
    [
        (ConnectionRefusedError(111, "Connection refused"), model.UNREACHABLE, "connection refused"),
        (TimeoutError(), model.UNREACHABLE, "no answer in time"),
        (socket.gaierror(-2, "Name or service not known"), model.UNREACHABLE, "name or service not known"),
        (OSError(), model.UNREACHABLE, "oserror"),
        (
            HandshakeError("the peer does not speak TLS but plain HTTP"),
            model.INVALID,
            "the peer does not speak TLS but plain HTTP",
        ),
    ],
)
def test_probe_at_what_does_not_answer_says_why(error: Exception, state: str, problem: str) -> None:
    def reader(*_question: object) -> ServerGreeting:
        raise error

    seen = collect.probe_one("10.0.0.5", 2376, 1, reader)
    assert (seen.state, seen.problem) == (state, problem)


@pytest.mark.parametrize("certificates", [(), (b"rubbish",), (of_an_unknown_version(server()),)])
def test_probe_at_a_server_with_no_or_a_broken_certificate_is_invalid(certificates: tuple[bytes, ...]) -> None:
    seen = collect.probe_one("10.0.0.5", 2376, 1, lambda *_question: ServerGreeting(certificates, True, ()))
    assert (seen.state, seen.certificate) == (model.INVALID, None)


def test_probe_asks_all_at_the_same_time_and_each_once() -> None:
    together = threading.Barrier(5, timeout=10)
    asked = []

    def reader(address: str, port: int, _timeout: float, _name: str) -> ServerGreeting:
        asked.append((address, port))
        together.wait()
        return greeting()

    endpoints = [(f"10.0.0.{number}", 2376) for number in range(5)]
    seen = collect.probe([*endpoints, *endpoints], LIMITS, reader)
    assert sorted(asked) == sorted(endpoints)
    assert [one.state for one in seen.values()] == ["read"] * 5


def test_probe_at_nothing_is_nothing() -> None:
    assert collect.probe([], LIMITS) == {}


def test_probe_at_a_closed_port_of_this_machine_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    assert collect.probe([("127.0.0.1", port)], LIMITS)["127.0.0.1", port].state == model.UNREACHABLE


@pytest.mark.parametrize(("address", "expected"), [("web", "web"), ("10.0.0.5", ""), ("fd00::5", "")])
def test_server_name_is_never_an_address(address: str, expected: str) -> None:
    assert collect.server_name(address) == expected
