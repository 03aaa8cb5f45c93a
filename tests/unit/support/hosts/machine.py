# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine of a host in memory (support/hosts/world), and how code under test is made to see nothing else."""

from __future__ import annotations

import ipaddress
import json
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import exec_start
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.running_daemon import EngineFacts
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.systemd import Services, UnitState
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.tls_greeting import ServerGreeting
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import (
    preflight,
    rollback_guard,
    state,
    verify_local,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.probe import Check
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host.network import classify
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.service import (
    RELOAD,
    STOP,
    ProxyFiles,
    enable,
    proxy_files,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.state import Package
from support.hosts.world import Effects, Killed, World

#: Whose listener world.others has where dockerd itself holds it by a daemon.json that was rewritten since its start.
DOCKERD = "dockerd (1)"


class Restarted:
    """A restart that systemd has done at once."""

    refusal = ""

    def wait(self, seconds: float) -> bool:
        del seconds
        return True


class FakeMachine:
    """The ``Machine`` of a World."""

    def __init__(self, world: World, effects: Effects) -> None:
        self.world = world
        self.effects = effects
        self.guards: list[list[str]] = []

    @property
    def unit_directory(self) -> str:
        return str(self.world.units)

    def init_system(self) -> str:
        return "systemd"

    def has_program(self, binary: str) -> bool:
        return "removed" not in self.world.problems

    def addresses(self, bridges: t.Collection[str]) -> tuple[t.Any, ...]:
        here = sorted(self.world.addresses - {"0.0.0.0"})
        return tuple(classify("lo" if text.startswith("127.") else "eth0", ipaddress.ip_address(text)) for text in here)

    def services(self) -> Services:
        world = self.world
        active = "failed" if world.failed else "active" if world.process else "inactive"
        if "hangs" in world.problems and world.process is None:
            active = "activating"
        directory = world.units / "docker.service.d"
        service = UnitState(
            "docker.service",
            load_state="loaded",
            active_state=active,
            main_pid=world.process.pid if world.process else 0,
            fragment_path=str(world.root / "lib/docker.service"),
            drop_in_paths=tuple(map(str, sorted(directory.glob("*.conf")))),
            requires=("docker.socket",),
            started=float(world.started),
        )
        socket = UnitState(
            "docker.socket",
            load_state="loaded",
            active_state="active",
            fragment_path=str(world.root / "lib/docker.socket"),
            streams=("/run/docker.sock", *world.socket_listens),
            drop_in_paths=tuple(map(str, sorted((world.units / "docker.socket.d").glob("*.conf")))),
        )
        return Services(service, socket)

    def identity(self, pid: int) -> str:
        return f"{pid}@1" if pid else ""

    def arguments(self, pid: int) -> tuple[str, ...]:
        return self.world.loaded.command[1:] if pid else ()

    def loaded_command(self) -> str:
        words = list(self.world.loaded.command)
        return json.dumps({"type": "a(sasbttttuii)", "data": [[words[0], words, False, 0, 0, 0, 0, 0, 0, 0]]})

    def daemon_reload(self) -> None:
        self.effects.tick("daemon-reload")
        self.world.load()

    def remove_listeners(self) -> None:
        """A file in /run: dockerd reads it only where the drop-in says so."""

    def close_endpoint_socket(self) -> None:
        if self.world.endpoint_open:
            self.effects.tick("close-socket")
            self.world.endpoint_open = ()

    @property
    def proxy_files(self) -> ProxyFiles:
        return proxy_files("docker.service", self.unit_directory, str(self.world.root))

    def proxy_package(self) -> Package:
        return Package(self.world.haproxy, has_account=bool(self.world.haproxy))

    def proxy_is_active(self) -> bool:
        return self.world.proxy is not None

    def local_socket(self) -> tuple[str, str]:
        return "/run/docker.sock", "" if "no-group" in self.world.problems else "docker"

    def can_filter_sources(self) -> bool:
        return "no-cgroups" not in self.world.problems

    def validate_proxy(self, config: bytes, contents: t.Mapping[str, bytes]) -> None:
        if "refused" in self.world.problems:
            raise TlsError("HAProxy refuses it", hint="Correct it.", code="proxy-config-refused")

    def change_proxy(self, step: str) -> None:
        world = self.world
        self.effects.tick(f"proxy-{step}")
        if step == STOP:
            world.proxy_link.unlink(missing_ok=True)
            world.proxy = None
            return
        enable(self.proxy_files)
        if step != RELOAD:
            world.proxy = None
        if not world.start_proxy():
            raise TlsError("the proxy did not start", hint="Look.", code="proxy-start-failed")
        self.effects.tick(f"proxy-{step} done")

    def restart(self, *, with_socket: bool) -> Restarted:
        self.effects.tick("restart")
        world = self.world
        world.restarts += 1
        world.end()
        if with_socket:
            world.restart_socket()
        if "hangs" not in world.problems:
            world.start()
        self.effects.tick("restarted")
        return Restarted()

    def stop(self, *, with_socket: bool) -> None:
        self.effects.tick("stop")
        self.world.end()
        self.world.failed = False
        if with_socket:
            self.world.restart_socket()

    def kill(self, pid: int) -> None:
        self.effects.tick("kill")
        self.world.end()

    def hang_up(self, pid: int) -> None:
        self.effects.tick("hang-up")
        world = self.world
        if world.process is None or world.process.pid != pid:
            return
        values = json.loads(world.config.read_text()) if world.config.exists() else {}
        if world.process.flag_hosts and "hosts" in values:
            return  # the reload fails, and only the journal shows that
        world.process.live_restore = values.get("live-restore") is True

    def ping(self, timeout: float = 5.0) -> str:
        process = self.world.process
        only_tcp = process is not None and all(host.startswith("tcp://") for host in process.hosts)
        return "" if self.world.answers_locally or only_tcp else "no answer"

    def engine_facts(self, *, networks: bool = False) -> EngineFacts | None:
        world = self.world
        if world.process is None or not world.answers_locally:
            return None
        return EngineFacts("20.10.24", world.process.live_restore, False, len(world.containers))

    def other_listeners(
        self, ports: t.Collection[int], given: t.Collection[int] = ()
    ) -> tuple[tuple[str, int, str], ...]:
        return tuple(
            item for item in self.world.others if item[1] in ports and not (item[1] in given and item[2] == DOCKERD)
        )

    def running_containers(self) -> tuple[str, ...]:
        return tuple(sorted(self.world.containers))

    def socket_is_systemds(self) -> bool:
        return self.world.socket_owner == "systemd"

    def validate(self, binary: str, arguments: t.Sequence[str], config_path: str) -> str:
        return ""

    def log_tail(self, since: float) -> str:
        return "level=error msg=the log"

    def arm_guard(self, command: t.Sequence[str]) -> None:
        self.effects.tick("arm-guard")
        self.guards.append(list(command))

    def arm_timer(self, command: t.Sequence[str], journal_path: str, seconds: int) -> None:
        self.effects.tick("arm-timer")
        self.world.timer = True

    def timer_is_armed(self) -> bool:
        return self.world.timer

    def disarm_timer(self) -> None:
        self.world.timer = False

    def monotonic(self) -> float:
        return self.world.clock

    def time(self) -> float:
        return self.world.clock

    def sleep(self, seconds: float) -> None:
        self.world.clock += seconds


def install(monkeypatch: t.Any, world: World, effects: Effects) -> FakeMachine:
    """Make the code under test see ``world`` and nothing else; return its machine."""
    machine = FakeMachine(world, effects)
    _count_file_effects(monkeypatch, effects)

    def verify(host: t.Any, expected: t.Any, _server: t.Any = None) -> tuple[Check, ...]:
        good = world.process is not None and not host.ping()
        process = world.proxy if expected.by_proxy else world.process
        if expected.by_proxy:
            good = good and process is not None and not world.tcp
        if expected.addresses and process is not None:
            good = good and process.fingerprint == expected.fingerprint and bool(world.reachable)
            good = good and {address for address, _port in expected.addresses} <= world.addresses
            good = good and process.anchors == frozenset(expected.authority_names or ())
        return (Check("served", good and "unverified" not in world.problems, "seen"),)

    def greet(address: str, port: int, timeout: float) -> ServerGreeting:
        process = world.proxy or world.process
        if process is None or not world.reachable or address not in world.addresses:
            raise ConnectionRefusedError
        return _Greeting((b"",), True, tuple(sorted(process.anchors)), process.fingerprint)

    monkeypatch.setattr(verify_local, "verify", verify)
    monkeypatch.setattr(state, "read_greeting", greet)
    monkeypatch.setattr(rollback_guard, "guard_text", lambda _state: "program")
    monkeypatch.setattr(exec_start, "DEFAULT_CONFIG_PATH", str(world.config))
    monkeypatch.setattr(preflight, "_NOT_LASTING", ())  # the world is in a temporary directory
    return machine


@dataclass(frozen=True)
class _Greeting(ServerGreeting):
    shown: str = ""

    @property
    def fingerprint_sha256(self) -> str:
        return self.shown


def _count_file_effects(monkeypatch: t.Any, effects: Effects) -> None:
    def counted(name: str, real: t.Any, *, grows: bool) -> t.Any:
        def effect(*arguments: t.Any, **options: t.Any) -> t.Any:
            effects.tick(f"{name} {os.path.basename(str(arguments[0]))}", grows=grows)
            return real(*arguments, **options)

        return effect

    # A full disk still takes short links and other names: they need an inode at most.
    for name in ("rename", "unlink", "rmdir", "chmod", "chown", "link", "symlink"):
        monkeypatch.setattr(os, name, counted(name, getattr(os, name), grows=False))
    monkeypatch.setattr(os, "mkdir", counted("mkdir", os.mkdir, grows=True))
    real_open = os.open

    def opened(path: t.Any, flags: int, *arguments: t.Any, **options: t.Any) -> int:
        if flags & os.O_CREAT and os.path.basename(str(path)) != "lock":
            effects.tick(f"open {os.path.basename(str(path))}", grows=True)
        return real_open(path, flags, *arguments, **options)

    def synced(descriptor: int) -> None:
        if effects.dead:
            raise Killed("fsync")

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", synced)
