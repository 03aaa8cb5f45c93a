# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on the proxy by one client, with a certificate or without: raw sockets over Python's ssl, a real HAProxy, a real dockerd."""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import json
import pathlib
import socket
import tarfile
import time

import pytest
from proxy_lab import DOCKER, RECORDER, Lab, Reply, exchange

CREATE = "POST /containers/create HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"
GET = "GET /info HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.important
def test_top_of_a_limited_client_does_not_show_the_environment(lab: Lab) -> None:
    """``docker top`` passes its arguments to ps, which prints the environment of each process when it is asked to."""
    assert "PATH=/" in lab.host.sh("docker top keeper eww")
    for query in ("ps_args=eww", "ps%5Fargs=eww", "%70s_args=eww", "x=&ps_args=eww", ""):
        for client in ("readers", "restarters"):
            reply = lab.request(client, f"GET /containers/keeper/top?{query}", DOCKER)
            assert reply.status == 403
            assert "PATH=/" not in reply.text
    for kind, body in {
        "application/x-www-form-urlencoded": "ps_args=eww",
        'multipart/form-data; boundary="b"': '--b\r\nContent-Disposition: form-data; name="ps_args"\r\n\r\neww\r\n--b--\r\n',
        "application/json": '{"ps_args": "eww"}',
    }.items():
        headers = f"Host: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        reply = lab.ask("readers", f"GET /containers/keeper/top HTTP/1.1\r\n{headers}\r\n{body}".encode(), DOCKER)
        assert "PATH=/" not in reply.text, kind
    plain = lab.request("readers", "GET /containers/keeper/top", DOCKER)
    assert plain.status == 200
    assert "/bin/sleep" in plain.text
    assert "PATH=/" not in plain.text


def test_read_only_shows_what_the_threat_model_says(lab: Lab) -> None:
    lab.host.sh(
        "docker run -d --name told -l note=in-a-label -e HIDDEN=in-the-environment -v /srv:/mnt:ro local/busybox sh -c 'sleep 1000; echo in-the-command'"
    )
    try:
        seen = ""
        for path in (
            "/containers/json",
            "/events?since=1&until=9999999999",
            "/containers/told/top",
            "/info",
            "/networks",
        ):
            reply = lab.request("readers", f"GET {path}", DOCKER)
            assert reply.status == 200, path
            seen += reply.text
        address = lab.host.sh("docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' told")
        shown = ("told", "in-a-label", "in-the-command", "/srv", address)
        assert [each for each in shown if each not in seen] == []
        assert "in-the-environment" not in seen
    finally:
        lab.host.sh("docker rm -f told")


#: Ways to ask for BuildKit (version 2); dockerd decodes names of parameters.
BUILDKIT = (
    "version=2", "version=1&version=2", "version=2&version=1", "%76ersion=2", "versio%6E=2", "version=%32", "t=x;version=2", "&version=2",
)  # fmt: skip
#: Forms in the body, in which Go finds parameters too.
FORMS = {
    "application/x-www-form-urlencoded": "version=2",
    "Application/X-WWW-Form-URLencoded; charset=x": "version=2",
    'multipart/form-data; boundary="b"': '--b\r\nContent-Disposition: form-data; name="version"\r\n\r\n2\r\n--b--\r\n',
}


@pytest.mark.important
def test_limited_client_cannot_ask_for_buildkit(lab: Lab) -> None:
    """``RUN --mount=type=cache`` would read and write what the builds of other groups keep."""

    def tar(text: bytes) -> bytes:
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w") as archive:
            entry = tarfile.TarInfo("Dockerfile")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        return written.getvalue()

    cached = tar(b"FROM local/busybox\nRUN --mount=type=cache,id=shared,target=/cache true\n")

    def build(client: str, query: str, kind: str = "application/x-tar", body: bytes = cached) -> Reply:
        head = f"POST /v1.41/build?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        return lab.ask(client, head.encode() + body, DOCKER)

    assert "moby.buildkit.trace" in build("operators", "version=2").text
    for query in BUILDKIT:
        reply = build("builders", query)
        assert (reply.status, reply.message) == (
            403,
            "the access group builders may not do this on this host; its rights are: ci",
        ), query
    for kind, form in FORMS.items():
        reply = build("builders", "remote=http://127.0.0.1:9/Dockerfile", kind, form.encode())
        assert reply.status == 403, kind
    for query in ("version=1&rm=1", "version=", "rm=1&t=plain"):
        reply = build("builders", query, body=tar(b"FROM local/busybox\nRUN true\n"))
        assert reply.status == 200, query
        assert "Step 1/2" in reply.text
    lab.host.sh("docker rmi -f plain; docker builder prune -af >/dev/null", check=False)


#: Requests of clients with other rights than read-only that one of the two could read as something else.
CROOKED = [
    ("restarters", "POST /containers/keeper/restart/../../create"),
    ("restarters", "POST /containers/keeper/restart;/../../create"),
    ("restarters", "POST /containers/keeper/restart#/../../create"),
    ("restarters", "POST /containers/keeper%2f..%2fcreate%3f/restart"),
    ("restarters", "POST /containers/../restart"),
    ("restarters", "POST /containers//restart"),
    ("restarters", "POST /containers/keeper/restart/"),
    ("restarters", "POST /containers/keeper/restart\\..\\create"),
    ("restarters", "POST /containers/keeper/x/restart"),
    ("restarters", "DELETE /containers/keeper/restart"),
    ("restarters", "GET /containers/keeper/attach/ws?stdin=1"),
    ("builders", "POST /images/x/tag/../../../containers/create"),
    ("builders", "POST /images/../containers/create"),
    ("builders", "POST /images/x/../../containers/create/tag"),
    ("builders", "POST /images/x//tag"),
    ("builders", "POST /images/load"),
    ("builders", "POST /images/prune"),
    ("builders", "POST /build/prune"),
    ("builders", "POST /build/cancel"),
    ("builders", "DELETE /images/../containers/keeper"),
    ("builders", "DELETE /images/..%2fcontainers%2fkeeper"),
    ("builders", "GET /images/x/get"),
    ("portainer", "GET /images/x/get"),
    ("portainer", "GET /volumes/../containers/keeper/archive?path=/"),
    ("portainer", "GET /volumes/x/../../containers/keeper/export"),
    ("grafana", "GET /containers/keeper/json/../archive?path=/"),
    ("traefik", "GET /networks/../secrets"),
    ("prometheus", "GET /networks/bridge"),
    ("prometheus", "GET /containers/json/..;/keeper/json"),
    ("prometheus", "HEAD /containers/keeper/json"),
    ("prometheus", "GET /info"),
    ("grafana", "GET /containers/keeper%2fjson"),
    ("grafana", "GET /containers/keeper/JSON"),
    ("grafana", "GET /images/x/json/../get"),
    ("grafana", "GET /images/json/get"),
    ("grafana", "HEAD /containers/keeper/archive?path=/etc/shadow"),
    ("traefik", "GET /containers/keeper/logs?stdout=1"),
    ("traefik", "GET /containers/keeper/attach/ws?logs=1&stream=1"),
    ("portainer", "GET /plugins/privileges?remote=x"),
    ("portainer", "GET /containers/keeper/changes/../archive?path=/"),
    ("portainer", "DELETE /volumes/x"),
    ("portainer", "POST /session"),
    ("builders", "POST /grpc"),
    ("builders", "POST /v1.99/containers/create"),
    ("builders", "POST /build/../containers/create"),
    ("builders", "POST http://docker/build"),
    ("builders", "POST /plugins/pull?remote=x"),
    ("builders", "POST /swarm/init"),
    ("builders", "POST /commit?container=keeper"),
    ("builders", "GET /containers/keeper/attach/ws"),
    ("restarters", "POST /v1.41/v1.41/containers/keeper/restart"),
    ("restarters", "POST /CONTAINERS/keeper/restart"),
    ("restarters", "POST /containers/keeper/attach/ws"),
    ("restarters", "POST /containers/keeper%00/restart"),
    ("restarters", "PUT /containers/keeper/archive?path=/"),
]


@pytest.mark.parametrize(("client", "line"), CROOKED, ids=lambda value: value)
def test_crooked_request_of_a_limited_client_does_not_reach_docker(lab: Lab, client: str, line: str) -> None:
    assert lab.request(client, line).status in (400, 403)
    assert lab.recorded() == []


def chunked(*chunks: str) -> str:
    return GET + "Transfer-Encoding: chunked\r\n\r\n" + "".join(chunks)


#: Bodies whose end one server could see elsewhere than the other.
CHUNKS = {
    "extension with line feed": chunked("0;a\n\r\n\r\n", CREATE),
    "extension that hides a chunk": chunked("2;\nab\r\n40\r\n", "\r\n0\r\n\r\n", CREATE),
    "line feeds only": chunked("0\n\n", CREATE),
    "carriage return only": chunked("0\r\r", CREATE),
    "size that overflows": chunked("10000000000000000\r\n", CREATE),
    "negative size": chunked("-1\r\n", CREATE),
    "size in hexadecimal notation": chunked(f"0x{len(CREATE):x}\r\n", CREATE),
    "size with a space": chunked(f" {len(CREATE):x} \r\n", CREATE),
    "size with underscores": chunked("1_0\r\n", CREATE),
    "no end after the data": chunked("1\r\nabc0\r\n\r\n", CREATE),
    "trailer that looks like a request": chunked("0\r\nX: y\r\n\r\n", CREATE),
    "trailer with a length": chunked(f"0\r\nContent-Length: {len(CREATE)}\r\n\r\n", CREATE),
    "waits for permission": GET + f"Expect: 100-continue\r\nContent-Length: {len(CREATE)}\r\n\r\n" + CREATE,
    "two hosts": "GET /info HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + CREATE,
    "length in the trailer's name": GET + "Content-Length : 4\r\n\r\n" + CREATE,
    "tab before the colon": GET + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" + CREATE,
    "control character in a value": GET + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + CREATE,
    "zero in a value": GET + "X: a\0b\r\n\r\n" + CREATE,
    "header without a colon": GET + "Content-Length\r\n\r\n" + CREATE,
    "empty name": GET + ": x\r\n\r\n" + CREATE,
    "chunked, then identity": GET + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + CREATE,
    "identity": GET + f"Transfer-Encoding: identity\r\nContent-Length: {len(CREATE)}\r\n\r\n" + CREATE,
    "compressed and chunked": GET + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + CREATE,
    "two encodings": GET + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + CREATE,
    "encoding in upper case": GET
    + f"TRANSFER-ENCODING: CHUNKED\r\nContent-Length: {len(CREATE) + 5}\r\n\r\n0\r\n\r\n"
    + CREATE,
    "quoted encoding": GET + 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + CREATE,
    "folded length": GET + f"Content-Length: 0\r\n\t{len(CREATE)}\r\n\r\n" + CREATE,
    "length in hexadecimal notation": GET + f"Content-Length: 0x{len(CREATE):x}\r\n\r\n" + CREATE,
    "length that overflows": GET + "Content-Length: 18446744073709551616\r\n\r\n" + CREATE,
    "underscore in the name": GET + f"Content_Length: {len(CREATE)}\r\n\r\n" + CREATE,
    "version 1.2": "GET /info HTTP/1.2\r\nHost: x\r\n\r\n" + CREATE,
    "version in lower case": "GET /info http/1.1\r\nHost: x\r\n\r\n" + CREATE,
    "two spaces in the line": "GET  /info  HTTP/1.1\r\nHost: x\r\n\r\n" + CREATE,
    "tab in the line": "GET\t/info\tHTTP/1.1\r\nHost: x\r\n\r\n" + CREATE,
    "request in the path": "GET /info HTTP/1.1 /containers/create HTTP/1.1\r\nHost: x\r\n\r\n" + CREATE,
    "empty lines before": "\r\n\r\n" + GET + "\r\n\r\n\r\n" + CREATE,
    "another method by header": GET
    + "X-HTTP-Method-Override: POST\r\nX-Original-URL: /containers/create\r\n\r\n"
    + CREATE,
    "upgrade to websocket that is refused": GET + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + CREATE,
}


@pytest.mark.parametrize("name", CHUNKS)
def test_body_with_an_end_in_doubt_smuggles_no_request(lab: Lab, name: str) -> None:
    lab.ask("readers", CHUNKS[name].encode("latin-1"))
    assert [each["line"] for each in lab.recorded() if each["line"] != "GET /info HTTP/1.1"] == []


def test_request_behind_an_upgrade_that_docker_refuses_is_filtered(lab: Lab) -> None:
    """Anyone who takes the connection for switched once the upgrade is asked for passes the next request on unseen."""
    before = lab.host.sh("docker ps -aq | sort")
    attach = (
        "POST /containers/nobody/attach?stream=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    )
    body = json.dumps({"Image": "local/busybox"})
    create = f"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    reply = lab.ask("restarters", (attach + create).encode(), DOCKER)
    assert reply.status == 404
    assert "201 Created" not in reply.text
    assert lab.host.sh("docker ps -aq | sort") == before


def test_request_behind_an_upgrade_that_docker_accepts_is_input_of_the_container(lab: Lab) -> None:
    attach = (
        "POST /containers/keeper/attach?stream=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    )
    assert lab.ask("restarters", (attach + CREATE).encode()).status == 101
    assert [each["line"] for each in lab.recorded()] == ["POST /containers/keeper/attach?stream=1 HTTP/1.1"]


def test_address_before_the_handshake_is_not_believed(lab: Lab) -> None:
    """The PROXY protocol would let a client choose the address that is logged and counted."""
    with socket.create_connection((lab.host.address, RECORDER), timeout=15) as plain:
        plain.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
        answer = b"x"
        with contextlib.suppress(OSError):
            answer = plain.recv(100)
    assert b"HTTP" not in answer
    lab.request("readers", "GET /info", headers="X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n")
    line = lab.log(RECORDER, lambda line: line.get("path") == "/info")
    assert line["address"] != "192.0.2.1"
    lab.recorded()


def test_bytes_that_are_no_text_leave_the_log_readable(lab: Lab) -> None:
    """Each line stays one JSON object, and nothing in it moves a terminal's cursor."""
    for path in (b"/\xff\xfe\xc3(", b"/\xc2\x9b2J", b'/a"},{"kind":"request","client":"operators-1', b"/a\\"):
        lab.ask("readers", b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    lab.request("readers", "GET /last")
    lab.log(RECORDER, lambda line: line.get("path") == "/last")
    text = lab.host.sh(f"journalctl -u lab-{RECORDER} -o cat --no-pager | grep '^{{'")
    assert not [char for char in text if (ord(char) < 32 and char != "\n") or 0x7F <= ord(char) < 0xA0]
    names = {tuple(json.loads(line)) for line in text.splitlines() if json.loads(line)["kind"] == "request"}
    assert len(names) == 1
    assert {json.loads(line)["client"] for line in text.splitlines() if 'a\\"}' in line} <= {"readers-1"}
    lab.recorded()


def test_connections_without_a_client_do_not_keep_others_out(lab: Lab) -> None:
    """A connection can be held open without a certificate; with all connections taken, no other client would be served."""
    silent: list[socket.socket] = []
    try:
        for _ in range(400):
            with contextlib.suppress(OSError):
                silent.append(socket.create_connection((lab.host.address, RECORDER), timeout=5))
        assert len(silent) > 200
        asked = (
            f"curl -s -o /dev/null -w '%{{http_code}}' -m 10 --cacert /etc/lab/readers/ca.pem --cert /etc/lab/readers/cert.pem "
            f"--key /etc/lab/readers/key.pem https://{lab.host.address}:{RECORDER}/info"
        )
        assert lab.host.sh(asked, check=False) == "200"
        time.sleep(1)
        assert sum(map(is_open, silent)) <= 260
    finally:
        for each in silent:
            each.close()
    assert until_answered(lab)
    lab.recorded()


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def until_answered(lab: Lab) -> bool:
    """Return whether this machine is served again, once the proxy has seen that its connections are closed."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if lab.request("readers", "GET /info").status == 200:
                return True
        time.sleep(0.2)
    return False


def test_two_hundred_clients_at_once_are_served(lab: Lab, tmp_path: pathlib.Path) -> None:
    context = lab.context("readers", tmp_path)
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(lab.connection("readers", context=context)) for _ in range(200)]
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(lambda each: exchange(each, f"{GET}Connection: close\r\n\r\n".encode()), opened))
    assert {each.status for each in replies} == {200}
    assert len(lab.recorded()) == 200


@pytest.mark.parametrize("size", [14_000, 40_000])
def test_credentials_of_many_registries_fit_into_a_header(lab: Lab, size: int) -> None:
    """``docker build`` sends those of all registries at once."""
    credentials = f"X-Registry-Config: {'a' * size}\r\n"
    assert lab.request("builders", "POST /build", headers=f"{credentials}Content-Length: 0\r\n").status == 200
    assert [each["line"] for each in lab.recorded()] == ["POST /build HTTP/1.1"]
