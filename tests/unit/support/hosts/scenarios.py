# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of change that are killed and failed at every step, on a host in memory (support/hosts/world)."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import endpoint
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.plan import Options
from support.ca.certificates import NOW, authority, leaf, private_key
from support.hosts.machine import FakeMachine, install
from support.hosts.world import ADDRESS, Effects, World

SERVER = authority("server")
CLIENTS = authority("client", number=1)
OTHERS = authority("client", unit="others-g1", number=2)
NAMES = (ADDRESS, "localhost")


def given(world: World, **changes: t.Any) -> Options:
    """Return the options of a usual endpoint."""
    values: dict[str, t.Any] = {
        "listen": (f"{ADDRESS}:2376",),
        "directory": str(world.certificates),
        "config_path": str(world.config),
        "ca": SERVER.pem,
        "client_ca": CLIENTS.pem,
    }
    return Options(**{**values, **changes})


def issued(world: World, number: int = 5) -> str:
    """Put a new key beside the live one, as certificate_requests does, and return the certificate for it."""
    pair = leaf(SERVER, subject_names=NAMES, key=private_key("ecdsa-p256", number))
    world.certificates.mkdir(mode=0o700, exist_ok=True)
    path = world.certificates / "server-key.pem.new"
    path.write_bytes(pair.key_pem)
    path.chmod(0o600)
    return pair.pem


def run(world: World, machine: FakeMachine, options: Options, *, check_mode: bool = False) -> dict[str, t.Any]:
    return endpoint.run(options, t.cast("t.Any", machine), StateDirectory(str(world.state)), NOW, check_mode=check_mode)


def secure(world: World, **changes: t.Any) -> None:
    """Give the world an endpoint."""
    with pytest.MonkeyPatch.context() as patch:
        machine = install(patch, world, Effects())
        certificate = issued(world)
        run(world, machine, given(world, certificate=certificate, **changes))
        assert world.reachable


class Scenario(t.NamedTuple):
    """How the world is before a change, and the change."""

    prepare: t.Callable[[World], None]
    change: t.Callable[[World], Options]
    keeps_containers: bool = False


def nothing(world: World) -> None:
    """A host as installed."""


def with_settings(world: World) -> None:
    world.config.write_text('{\n  "log-driver": "journald"\n}\n')
    world.config.chmod(0o640)
    world.boot()
    world.containers = {"web"}


def with_plain_files(world: World) -> None:
    """Certificates of another tool are in our place."""
    pair = leaf(SERVER, subject_names=NAMES)
    world.certificates.mkdir()
    for name, data in (
        ("server-cert.pem", pair.pem),
        ("server-key.pem", pair.key_pem.decode()),
        ("ca.pem", SERVER.pem),
    ):
        (world.certificates / name).write_text(data)


def with_adopted_files(world: World) -> None:
    """Another tool's files, read by its daemon.json, were in our place, and one of them is a link."""
    with_plain_files(world)
    place = world.certificates
    elsewhere = world.config.parent / "other-tool.pem"
    (place / "server-cert.pem").rename(elsewhere)
    (place / "server-cert.pem").symlink_to("../other-tool.pem")
    settings = {"tlscacert": "ca.pem", "tlscert": "server-cert.pem", "tlskey": "server-key.pem"}
    paths = {key: str(place / name) for key, name in settings.items()}
    world.config.write_text(json.dumps({"tls": True, "tlsverify": True, **paths}))
    world.boot()
    secure(world, existing_settings="adopt")


def with_live_restore(world: World) -> None:
    world.config.write_text('{"live-restore": true}')
    world.boot()
    secure(world)
    world.containers = {"web"}


def first(world: World) -> Options:
    return given(world, certificate=issued(world))


def first_with_live_restore(world: World) -> Options:
    return given(world, certificate=issued(world), live_restore="enable")


def renewal(world: World) -> Options:
    return given(world, certificate=issued(world, 6), client_ca=CLIENTS.pem + OTHERS.pem)


SCENARIOS = {
    "first": Scenario(nothing, first),
    "first-live-restore": Scenario(with_settings, first_with_live_restore, keeps_containers=True),
    "first-plain-files": Scenario(with_plain_files, first),
    "renewal": Scenario(with_live_restore, renewal, keeps_containers=True),
    "listen": Scenario(secure, lambda world: given(world, listen=("127.0.0.1:2376",))),
    "absent": Scenario(secure, lambda world: given(world, state="absent")),
    "absent-adopted-files": Scenario(with_adopted_files, lambda world: given(world, state="absent")),
    "rolled-back-adopted-files": Scenario(with_adopted_files, lambda world: given(world, state="rolled_back")),
    "rolled-back": Scenario(with_live_restore, lambda world: given(world, state="rolled_back")),
}


def socket(world: World) -> Options:
    return given(world, certificate=issued(world), listener="systemd")


def secure_by_socket(world: World) -> None:
    secure(world, listener="systemd")


def rewritten(**listener: str) -> t.Callable[[World], None]:
    """Another tool has rendered the whole of daemon.json and restarted Docker."""

    def prepare(world: World) -> None:
        secure(world, **listener)
        world.config.write_text('{"log-driver": "local"}')
        world.crash()
        world.containers = {"web"}

    return prepare


SCENARIOS["socket-first"] = Scenario(nothing, socket)
SCENARIOS["socket-absent"] = Scenario(secure_by_socket, lambda world: given(world, state="absent"))
SCENARIOS["socket-to-hosts"] = Scenario(secure_by_socket, given)
SCENARIOS["hosts-to-socket"] = Scenario(secure, lambda world: given(world, listener="systemd"))
SCENARIOS["socket-listen"] = Scenario(
    secure_by_socket, lambda world: given(world, listener="systemd", listen=("127.0.0.1:2376",))
)
SCENARIOS["hosts-rewritten"] = Scenario(
    rewritten(), lambda world: given(world, live_restore="enable"), keeps_containers=True
)
SCENARIOS["socket-rewritten"] = Scenario(
    rewritten(listener="systemd"),
    lambda world: given(world, listener="systemd", live_restore="enable"),
    keeps_containers=True,
)


def proxied(world: World) -> Options:
    return given(world, certificate=issued(world), listener="proxy")


def secure_by_proxy(world: World) -> None:
    secure(world, listener="proxy")
    world.containers = {"web"}


def secure_again_by_proxy(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        run(world, install(patch, world, Effects()), given(world, listener="proxy"))


SCENARIOS["proxy-first"] = Scenario(nothing, proxied)
SCENARIOS["proxy-renewal"] = Scenario(
    secure_by_proxy,
    lambda world: given(world, certificate=issued(world, 6), client_ca=CLIENTS.pem + OTHERS.pem, listener="proxy"),
    keeps_containers=True,
)
SCENARIOS["proxy-absent"] = Scenario(secure_by_proxy, lambda world: given(world, state="absent"), keeps_containers=True)
SCENARIOS["proxy-to-hosts"] = Scenario(secure_by_proxy, given)
SCENARIOS["socket-to-proxy"] = Scenario(secure_by_socket, lambda world: given(world, listener="proxy"))
SCENARIOS["proxy-rolled-back"] = Scenario(
    lambda world: (secure(world), secure_again_by_proxy(world))[0], lambda world: given(world, state="rolled_back")
)
