# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of the listeners and the names of a host that is adopted."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import adoption_answer as listen

PRIVATE = ["fd://", "tcp://10.0.0.5:2376"]


def found(*listeners: str, plain: bool = False, managed: bool = False, names: tuple[str, ...] = ()) -> dict[str, Any]:
    tcp = [url for url in listeners if url.startswith("tcp")]
    return {
        "listeners": list(listeners),
        "plain_listeners": tcp if plain else [],
        "managed": managed,
        "names": list(names),
    }


@pytest.mark.parametrize(
    ("host", "variables", "line"),
    [
        (found(*PRIVATE), {}, "listener: 10.0.0.5:2376, as it is"),
        (found(*PRIVATE), {"docker_daemon_listen": []}, "listener: 10.0.0.5:2376, as it is"),
        (
            found(*PRIVATE),
            {"docker_daemon_listen": ["0.0.0.0:2376"]},
            "listener: 10.0.0.5:2376 -> 0.0.0.0:2376 (docker_daemon_listen)",
        ),
        (found("fd://", "tcp://0.0.0.0:2375", plain=True), {}, "listener: 0.0.0.0:2375 without TLS -> 0.0.0.0:2376"),
        (found("tcp://10.0.0.5:4243", plain=True), {"docker_daemon_port": 2377}, "10.0.0.5:4243 without TLS -> 10.0.0.5:2377"),
        (found("fd://"), {}, "listener: none over TCP -> 0.0.0.0:2376"),
        (found(), {}, "listener: none over TCP -> 0.0.0.0:2376"),
        (found("tcp://0.0.0.0:2376"), {}, "dockerd has no local socket now; it gets one"),
    ],
)  # fmt: skip
def test_lines_show_each_change_of_a_listener(host: dict[str, Any], variables: dict[str, Any], line: str) -> None:
    assert line in "\n".join(listen.listener_lines("web1", host, variables))


def test_lines_of_our_own_endpoint_are_none() -> None:
    assert listen.listener_lines("web1", found(*PRIVATE, managed=True), {}) == []
    assert listen.listener_problems("web1", found("tcp://127.0.0.1:2376", managed=True), {}) == []


@pytest.mark.parametrize(
    ("name", "variables", "gone"),
    [
        ("docker.corp.example", {}, True),
        ("docker.corp.example", {"docker_server_cert_names": ["docker.corp.example"]}, False),
        ("WEB1.example.test", {}, False),
        ("web1", {}, False),
        ("web10.example.test", {}, True),
        ("192.0.2.7", {}, True),
        ("192.0.2.7", {"ansible_host": "192.0.2.7"}, False),
        ("10.0.0.5", {}, False),
        ("127.0.0.1", {}, False),
    ],
)
def test_lines_name_what_the_new_certificate_will_not_have(name: str, variables: dict[str, Any], gone: bool) -> None:
    lines = "\n".join(listen.listener_lines("web1", found(*PRIVATE, names=(name,)), variables))
    assert (f"docker_server_cert_names: ['{name}']" in lines) == gone


@pytest.mark.parametrize(
    ("host", "variables", "word"),
    [
        (found("tcp://0.0.0.0:2376"), {}, ""),
        (found("fd://"), {}, ""),
        (found(*PRIVATE), {"ansible_host": "10.0.0.5"}, ""),
        (found(*PRIVATE), {"docker_server_cert_addresses": ["10.0.0.5"]}, ""),
        (found(*PRIVATE), {"ansible_host": "192.0.2.7"}, "docker_daemon_listen: ['10.0.0.5:2376']"),
        (found(*PRIVATE), {"ansible_host": "192.0.2.7", "docker_daemon_listen": ["10.0.0.5:2376"]}, ""),
        (found("tcp://127.0.0.1:2376"), {}, "docker_daemon_listen"),
        (found("tcp://0.0.0.0:2377"), {}, "docker_daemon_port: 2377"),
        (found("tcp://0.0.0.0:2377"), {"docker_daemon_port": 2377}, ""),
    ],
)
def test_problems_are_listeners_that_cannot_be_kept_unasked(
    host: dict[str, Any], variables: dict[str, Any], word: str
) -> None:
    problems = listen.listener_problems("web1", host, variables)
    assert bool(problems) == bool(word)
    assert all(problem.startswith("web1: ") and word in problem for problem in problems)
