# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate on the host: what dockerd itself refuses before the change, and what has to be seen after it, on real listeners."""

from __future__ import annotations

import json
import pathlib
import types
import typing as t

import pytest
from test_probe import CLIENTS, OTHERS, SERVER, TlsServer, client

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.running_daemon import EngineFacts
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import verify_local
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.plan import Expected
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import reader
from support.ca.certificates import leaf
from support.hosts.machine import install
from support.hosts.scenarios import given, issued, run
from support.hosts.world import Effects, World

SERVED = leaf(SERVER, "server", subject_names=("localhost", "127.0.0.1"))


def machine(
    *,
    problem: str = "",
    handed_over: t.Sequence[tuple[str, int]] = (),
    ports: t.Collection[int] = (),
    asked: bool = True,
) -> t.Any:
    """Return as much of a host as is asked: an engine that answers locally, what systemd has given it, its own ports."""
    return types.SimpleNamespace(
        ping=lambda: problem,
        engine_version=lambda: "26.1.5" if asked else None,
        engine=lambda: object() if asked else None,
        serves=lambda port: port in ports,
        services=lambda: types.SimpleNamespace(service=types.SimpleNamespace(main_pid=1)),
        sockets_of_systemd=lambda pid: handed_over,
    )


def verify(
    directory: pathlib.Path, anchors: str | None = CLIENTS.pem, *, expected: str = CLIENTS.pem, host: t.Any = None
) -> dict[str, bool]:
    """Return what the checks say of a listener that trusts ``anchors``."""
    server = TlsServer(directory, SERVED, anchors)
    try:
        names = tuple(certificate.subject.public_bytes() for certificate in reader.load_certificates(expected, "x"))
        fingerprint = SERVED.view.fingerprint_sha256
        wanted = Expected((("127.0.0.1", server.port),), fingerprint, names)
        found = verify_local.verify(host or machine(), wanted, client(SERVED))
    finally:
        server.close()
    return {check.check: check.passed for check in found}


def test_verify_local_a_good_endpoint_passes_every_check(tmp_path: pathlib.Path) -> None:
    found = verify(tmp_path)
    assert all(found.values()), found
    assert {"local-socket", "no-certificate", "server-certificate-as-client", "port-2375-closed"} <= set(found)


@pytest.mark.parametrize(
    ("anchors", "failed"),
    [
        # dockerd with tls and without tlsverify: it asks no client.
        (None, {"client-authorities", "no-certificate", "server-certificate-as-client"}),
        # Another group's anchor, and one too many.
        (OTHERS.pem, {"client-authorities"}),
        (CLIENTS.pem + OTHERS.pem, {"client-authorities"}),
    ],
    ids=["asks nobody", "another group", "one too many"],
)
def test_verify_local_wrong_anchors_fails_their_checks(
    tmp_path: pathlib.Path, anchors: str | None, failed: set[str]
) -> None:
    found = verify(tmp_path, anchors)
    assert {name for name, passed in found.items() if not passed} == failed


def test_verify_local_dead_local_socket_and_a_listener_of_somebody_else_fails(tmp_path: pathlib.Path) -> None:
    found = verify(tmp_path, host=machine(problem="no answer", handed_over=[("0.0.0.0", 4243)]))
    assert {name for name, passed in found.items() if not passed} == {"local-socket", "no-other-listener"}


def test_verify_local_dockerd_on_the_unencrypted_port_fails(tmp_path: pathlib.Path) -> None:
    found = verify(tmp_path, host=machine(ports={2375, 2376}))
    assert {name for name, passed in found.items() if not passed} == {"port-2375-closed"}


def test_verify_local_dockerd_without_a_local_socket_passes(tmp_path: pathlib.Path) -> None:
    assert all(verify(tmp_path, host=machine(asked=False)).values())


def test_require_names_every_check_that_failed() -> None:
    checks = [
        verify_local.Check("one", False, "this"),
        verify_local.Check("two", True, ""),
        verify_local.Check("three", False, "that"),
    ]
    with pytest.raises(TlsError, match="one: this; three: that") as caught:
        verify_local.require(checks)
    assert caught.value.code == "verification-failed"


@pytest.mark.parametrize(("version", "asked"), [("20.10.24", 0), ("23.0.0", 1), ("dev", 0)])
def test_dockerd_that_refuses_the_new_configuration_is_asked_before_anything_changes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, version: str, asked: int
) -> None:
    world = World(tmp_path / "w").build()
    fake = install(monkeypatch, world, Effects())
    options = given(world, certificate=issued(world))
    before = world.snapshot()
    seen: list[dict[str, t.Any]] = []

    def validate(binary: str, arguments: t.Sequence[str], path: str) -> str:
        seen.append(json.loads(pathlib.Path(path).read_text()))
        # What dockerd reads is there already, under the name that it has until the swap.
        assert all(pathlib.Path(seen[-1][name]).is_file() for name in ("tlscacert", "tlscert", "tlskey"))
        return "unable to configure"

    monkeypatch.setattr(fake, "validate", validate)
    monkeypatch.setattr(fake, "engine_facts", lambda **_more: EngineFacts(version, False, False, 0))
    if asked:
        with pytest.raises(TlsError, match="refuses the new configuration: unable to configure") as caught:
            run(world, fake, options)
        assert caught.value.code == "validate-failed"
        assert world.snapshot() == before
    else:
        assert run(world, fake, options)["changed"]
    assert len(seen) == asked
