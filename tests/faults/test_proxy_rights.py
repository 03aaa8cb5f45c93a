# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights, refusals and the log of the proxy, with a real HAProxy: what clients get, and what reaches Docker."""

from __future__ import annotations

import concurrent.futures
import json
import socket
import ssl
import time

import pytest
from proxy_lab import CLIENTS, DOCKER, RECORDER, RIGHTS, Lab, Reply, exchange

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import probe
from conftest import SERVER

CREATE = "POST /containers/create"


#: Ways to say something that read-only must not have, or to say it so that proxy and dockerd read it differently.
REFUSED = [
    CREATE,
    "POST /containers/keeper/exec",
    "POST /exec/0123/start",
    "POST /session",
    "POST /v1.41/grpc",
    "POST /containers/keeper/attach",
    "GET /containers/keeper/attach/ws?stdin=1",
    "GET /containers/keeper/archive?path=/etc/shadow",
    "HEAD /containers/keeper/archive?path=/etc/shadow",
    "GET /containers/keeper/export",
    "GET /containers/keeper/logs?stdout=1",
    "GET /containers/keeper/json",
    "GET /images/get?names=x",
    "GET /images/x/get",
    "GET /swarm",
    "GET /volumes",
    "GET /containers/keeper%2farchive?path=/",
    "GET /v1.41%2fcontainers/json",
    "GET /%63ontainers/json",
    "GET //containers/json",
    "GET /./containers/json",
    "GET /v1.41/../containers/json",
    "GET /containers/json/",
    "GET /containers/json;x",
    "GET /containers/json/../../containers/keeper/archive",
    "GET /Containers/json",
    "GET /V1.41/containers/json",
    "GET /info/../containers/keeper/archive",
    "GET http://docker/containers/json",
    "GET http://docker/containers/keeper/archive",
    "GET http:////containers/json",
    "get /info",
    "PUT /info",
    "PATCH /info",
    "TRACE /info",
    "OPTIONS *",
    "CONNECT /info",
    "CONNECT docker:80",
    "X'\"\\ /info",
]


@pytest.mark.parametrize("line", REFUSED)
def test_request_outside_of_the_rights_does_not_reach_docker(lab: Lab, line: str) -> None:
    reply = lab.request("readers", line)
    assert reply.status in (400, 403, 405), reply
    if reply.status == 403 and not line.startswith("HEAD"):
        assert reply.message == "the access group readers may not do this on this host; its rights are: read-only"
    assert lab.recorded() == []


#: Bytes of which one server makes one request, and a careless other one two.
SMUGGLED = f"{CREATE} HTTP/1.1\r\nHost: docker\r\n\r\n"
SMUGGLING = {
    "length and chunked": f"GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: {len(SMUGGLED) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "chunked and length": f"GET /info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "two lengths": f"GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "length list": f"GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: 0, {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "signed length": f"GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: +{len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "empty length": f"GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n{SMUGGLED}",
    "hidden chunked": f"GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "odd chunked": f"GET /info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "chunked twice": f"GET /info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "folded header": f"GET /info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: {len(SMUGGLED) + 5}\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "body as request": f"GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "pipelined": f"GET /info HTTP/1.1\r\nHost: x\r\n\r\n{SMUGGLED}",
    "line feed in path": f"GET /info\nHost: x\n\n{SMUGGLED}",
    "zero in path": f"GET /info\0 HTTP/1.1\r\nHost: x\r\n\r\n{SMUGGLED}",
    "version 0.9": f"GET /info\r\n\r\n{SMUGGLED}",
    "version 1.0": f"GET /info HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "space before header": f"GET /info HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: x\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "connection header": f"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close, Content-Length\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggled_request_does_not_reach_docker(lab: Lab, name: str) -> None:
    lab.ask("readers", SMUGGLING[name].encode())
    assert [each["line"] for each in lab.recorded() if not each["line"].startswith("GET /info HTTP/1.")] == []


@pytest.mark.parametrize("protocol", ["tcp", "h2c", "websocket"])
def test_upgrade_of_a_restricted_client_does_not_open_a_way_past_its_rights(lab: Lab, protocol: str) -> None:
    upgrade = f"GET /info HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n"
    upgrade += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    reply = lab.ask("readers", (upgrade + SMUGGLED).encode())
    assert reply.status == 200
    assert " 101 " not in reply.text
    assert lab.recorded() == [{"line": "GET /info HTTP/1.1", "upgrade": False, "body": 0}]


def test_upgrade_that_a_rule_allows_ends_the_http_of_the_connection(lab: Lab) -> None:
    """After 101 the bytes belong to the container; they are not requests to Docker."""
    attach = (
        "POST /containers/keeper/attach?stream=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    )
    reply = lab.ask("restarters", attach.encode())
    assert reply.status == 101
    assert [each["line"] for each in lab.recorded()] == ["POST /containers/keeper/attach?stream=1 HTTP/1.1"]


def test_http2_without_negotiation_is_refused(lab: Lab) -> None:
    reply = lab.ask("readers", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64))
    assert reply.status in (0, 400, 403)
    assert lab.recorded() == []


@pytest.mark.parametrize("size", [9_000, 20_000, 2_000_000])
def test_huge_header_is_refused_and_others_are_served(lab: Lab, size: int) -> None:
    reply = lab.request("readers", "GET /info", headers=f"X-Fill: {'a' * size}\r\n")
    assert reply.status in (0, 200, 400, 431)
    assert lab.request("readers", "GET /info").status == 200
    assert {each["line"] for each in lab.recorded()} == {"GET /info HTTP/1.1"}


def test_slow_sender_does_not_get_past_the_rights(lab: Lab) -> None:
    """The first bytes decide; anyone who lets inspect-delay (10 s) pass before they are complete is filtered all the same."""

    def slowly(client: str, line: str) -> Reply:
        data = f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        with lab.connection(client) as secured:
            secured.sendall(data[:10])
            time.sleep(11.5)
            return exchange(secured, data[10:])

    asked = [("readers", CREATE), ("readers", "POST /session"), ("readers", "GET /info"), ("operators", "GET /swarm")]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        replies = list(pool.map(lambda each: slowly(*each), asked))
    assert [each.status for each in replies] == [403, 403, 200, 200]
    assert sorted(each["line"] for each in lab.recorded()) == ["GET /info HTTP/1.1", "GET /swarm HTTP/1.1"]


def test_connection_without_a_handshake_is_closed(lab: Lab) -> None:
    if lab.version < (2, 9):
        pytest.skip("this HAProxy limits handshakes by timeout client alone")
    with socket.create_connection((lab.host.address, RECORDER), timeout=25) as plain:
        assert plain.recv(1) == b""


def test_client_of_a_trusted_authority_without_a_group_is_refused(lab: Lab) -> None:
    reply = lab.request("strangers", "GET /_ping")
    assert reply.status == 403
    assert reply.message == "the authority of your certificate belongs to no access group of this host"
    assert lab.request("strangers", "POST /session").status == 403
    assert lab.recorded() == []


def test_authority_with_an_odd_name_is_recognized(lab: Lab) -> None:
    assert lab.request("odd", "POST /containers/keeper/stop").status == 200
    assert lab.log(RECORDER, lambda line: line["client"] == "odd-1")["group"] == "odd"
    lab.recorded()


@pytest.mark.parametrize("client", ["", "revoked", "expired"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_without_a_valid_certificate_is_refused(lab: Lab, client: str, version: ssl.TLSVersion) -> None:
    assert refused(lab, client, version)
    assert lab.recorded() == []


def refused(lab: Lab, client: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bool:
    """Return whether the handshake fails. With TLS 1.3 a client learns of it with its first answer."""
    try:
        with lab.connection(client, maximum=version) as secured:
            secured.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
            return not secured.recv(1)
    except OSError:
        return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_session_is_not_resumed(lab: Lab, version: ssl.TLSVersion) -> None:
    """A resumed session would not be verified against the CRL."""
    with lab.connection("readers", maximum=version) as first:
        assert exchange(first, b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        session, context = first.session, first.context
    with lab.connection("readers", session=session, context=context) as second:
        assert not second.session_reused
    lab.recorded()


def test_log_has_a_line_for_each_request_and_no_secret(lab: Lab) -> None:
    data = (
        "GET /events?token=hunter2 HTTP/1.1\r\nHost: x\r\nX-Registry-Auth: hunter2\r\n\r\n"
        'POST /containers/a"b\\c/start?password=hunter2 HTTP/1.1\r\nHost: x\r\nAuthorization: hunter2\r\nContent-Length: 7\r\nConnection: close\r\n\r\nhunter2'
    )
    lab.ask("readers", data.encode())
    allowed = lab.log(RECORDER, lambda line: line.get("path") == "/events")
    assert list(allowed) == [
        *("time", "kind", "client", "group", "serial", "address", "method", "path", "status"),
        *("bytes_sent", "bytes_received", "duration_ms", "end"),
    ]
    assert {name: allowed[name] for name in ("kind", "client", "group", "method", "status")} == {
        "kind": "request",
        "client": "readers-1",
        "group": "readers",
        "method": "GET",
        "status": "200",
    }
    assert int(allowed["serial"], 16) == CLIENTS["readers"].certificate.serial_number
    denied = lab.log(RECORDER, lambda line: line.get("path", "").startswith("/containers/a"))
    assert (denied["path"], denied["status"], denied["method"]) == ('/containers/a"b\\c/start', "403", "POST")
    assert "hunter2" not in lab.host.sh(f"journalctl -u lab-{RECORDER} -o cat --no-pager")
    lab.recorded()


def test_log_says_who_was_refused_and_why(lab: Lab) -> None:
    assert refused(lab, "revoked")
    line = lab.log(RECORDER, lambda line: line["kind"] == "connection" and line["client"] == "revoked-1")
    assert line["verify_error"] == 23
    assert int(line["serial"], 16) == CLIENTS["revoked"].certificate.serial_number


@pytest.mark.parametrize("path", ["/session", "/v1.41/grpc"])
def test_log_has_the_path_of_an_unfiltered_connection(lab: Lab, path: str) -> None:
    reply = lab.ask(
        "operators", f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".encode()
    )
    assert reply.status == 101
    line = lab.log(RECORDER, lambda line: line["kind"] == "stream" and line["path"] == path)
    assert (line["client"], line["method"], line["status"]) == ("operators-1", "POST", "-")
    lab.recorded()


@pytest.mark.parametrize(
    ("client", "allowed", "denied"),
    [
        ("operators", ["docker ps", "docker exec keeper true", "docker logs keeper", "docker inspect keeper", "docker cp keeper:/bin/sh /tmp/x"], []),
        (
            "readers",
            ["docker version", "docker ps", "docker images", "docker info", "docker stats --no-stream keeper", "docker top keeper", "docker network ls"],
            [
                *("docker exec keeper true", "docker logs keeper", "docker inspect keeper", "docker cp keeper:/bin/sh /tmp/x"),
                *("docker run local/busybox true", "docker export keeper", "docker save local/busybox", "docker rm -f keeper"),
                *("docker attach keeper", "docker volume ls", "docker system df", "docker swarm init", "docker secret ls"),
            ],
        ),
        ("grafana", ["docker ps", "docker inspect keeper", "docker stats --no-stream keeper"], ["docker logs keeper", "docker restart keeper"]),
        ("traefik", ["docker version", "docker inspect keeper", "docker network inspect bridge"], ["docker images", "docker stop keeper"]),
        ("prometheus", ["docker ps", "docker network ls"], ["docker images", "docker inspect keeper", "docker events --until 1s"]),
        (
            "portainer",
            ["docker ps", "docker volume ls", "docker system df", "docker inspect keeper", "docker history local/busybox"],
            ["docker logs keeper", "docker kill keeper", "docker volume create x", "docker network create x"],
        ),
        (
            "builders",
            ["docker version", "docker images", "docker tag local/busybox a.example.org/team/app:1", "docker rmi a.example.org/team/app:1"],
            ["docker ps", "docker run local/busybox true", "docker exec keeper true", "docker save local/busybox"],
        ),
        ("restarters", ["docker ps", "docker restart -t 0 keeper"], ["docker stop keeper", "docker exec keeper true"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_docker_cli_gets_what_its_group_may_do(lab: Lab, client: str, allowed: list[str], denied: list[str]) -> None:
    for command in allowed:
        code, text = lab.docker(client, f"{command} >/tmp/out")
        assert code == 0, f"{command}: {text}"
    for command in denied:
        code, text = lab.docker(client, f"{command} >/tmp/out")
        assert code != 0, command
        assert f"the access group {client} may not do this on this host" in text, f"{command}: {text}"
    assert lab.host.keeper()


def test_docker_cli_with_full_rights_has_its_taken_over_connections(lab: Lab) -> None:
    assert lab.docker("operators", "echo abc | docker exec -i keeper cat") == (0, "abc")
    assert lab.docker("operators", "echo xyz | docker run -i --rm local/busybox cat") == (0, "xyz")
    assert lab.docker("operators", "docker exec keeper sh -c 'exit 7'")[0] == 7
    line = lab.log(DOCKER, lambda line: "/exec/" in line.get("path", "") and line["path"].endswith("/start"))
    assert line["client"] == "operators-1"
    assert line["kind"] == ("request" if lab.version >= (3, 0, 11) else "stream")


def test_classic_build_works_with_the_preset_ci(lab: Lab) -> None:
    lab.host.put("/tmp/context/Dockerfile", "FROM local/busybox\nRUN true\n")
    code, text = lab.docker("builders", "DOCKER_BUILDKIT=0 docker build -t made-by-ci /tmp/context")
    assert code == 0, text
    assert lab.docker("builders", "docker rmi made-by-ci >/dev/null") == (0, "")


def test_start_of_an_exec_comes_on_a_connection_of_its_own(lab: Lab) -> None:
    """Clients that keep connections would send it where HAProxy 2.6 loses its input."""
    body = json.dumps({"Cmd": ["true"]})
    data = f"POST /containers/keeper/exec HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    reply = lab.ask("operators", data.encode(), DOCKER)
    assert reply.status == 201
    assert "connection: close" in reply.text.lower()


def test_verification_from_the_controller_knows_limited_clients_from_others(lab: Lab) -> None:
    """By BuildKit's session, which the proxy passes on for clients with all rights only."""
    target = probe.Target(lab.host.address, DOCKER, lab.host.address)
    limited, taken_over = {}, {}
    for name in RIGHTS:
        client = probe.Client(CLIENTS[name].pem, CLIENTS[name].key_pem.decode())
        limited[name] = probe.check_limited(target, name, client, SERVER.pem).passed
        taken_over[name] = probe.check_taken_over(target, client, SERVER.pem).passed
    assert taken_over == {name: name == "operators" for name in RIGHTS}
    assert limited == {name: name != "operators" for name in RIGHTS}


def test_docker_that_does_not_run_is_said_in_its_words(lab: Lab) -> None:
    try:
        lab.host.sh("systemctl stop docker.socket docker.service")
        code, text = lab.docker("operators", "docker ps")
        assert code != 0
        assert "Docker is not running on this host; only its proxy answers" in text
    finally:
        lab.host.sh("systemctl start docker.socket docker.service; docker start keeper")
    assert lab.docker("readers", "docker ps >/dev/null") == (0, "")


def test_open_stream_ends_within_its_time_after_a_reload(lab: Lab) -> None:
    """The only way to end a revoked client's running streams; new connections know the new CRL at once."""
    lab.host.sh("systemctl stop lab-2397", check=False)
    lab.proxy(2397, "/run/docker.sock", stream_timeout_seconds=5)
    try:
        with lab.connection("readers", 2397) as stream:
            stream.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stream.recv(65536).startswith(b"HTTP/1.1 200")
            lab.host.sh("systemctl reload lab-2397")
            assert lab.request("readers", "GET /_ping", 2397).status == 200
            assert stream.recv(65536) == b""
    finally:
        lab.host.sh("systemctl stop lab-2397")
