# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host in memory: real files in a directory, and a systemd and a dockerd that follow the measured rules.

The rules (dockerd_facts 1.4, 1.5, a, a2, k): ``-H`` together with ``hosts`` keeps dockerd from starting; so do a key that does
not fit its certificate, a missing file, an address that is not there. A dockerd that binds /run/docker.sock itself takes it
from systemd, and takes it away when it ends. systemd starts what it has loaded, until daemon-reload. Without live-restore a
dockerd that stops takes its containers along, and so does one that starts without it and finds some.

Every change of the world, a file's or a unit's, is an *effect* that is counted; the world can die or a disk can fill at any.
"""

from __future__ import annotations

import copy
import ipaddress
import json
import os
import pathlib
import shutil
import typing as t
from dataclasses import dataclass, field

from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon import (
    capsule,
    listening,
    preflight,
    proof,
    state,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.engine import EngineFacts
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.environment import parse_unit
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.handshake import ServerGreeting
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.probe import Check
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.systemd import Services, UnitState
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.words import split_words
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host.addresses import classify
from ansible_collections.portcullis.docker_tls.plugins.module_utils._x509 import inspect, keys

UNIT = """\
[Unit]
Requires=docker.socket
[Service]
Type=notify
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
"""
SOCKET = "[Socket]\nListenStream=/run/docker.sock\n"
ADDRESS = "10.0.0.5"


class Killed(BaseException):
    """kill -9: no handler runs, and nothing done afterwards has any effect."""


@dataclass
class Effects:
    """Counts what is done to the world; ``die_at`` and ``fail_at`` say at which effect what happens."""

    count: int = 0
    die_at: int = 0
    fail_at: int = 0
    full_at: int = 0
    dead: bool = False
    log: list[str] = field(default_factory=list)

    def tick(self, name: str, *, grows: bool = False) -> None:
        if self.dead:
            raise Killed(name)
        self.count += 1
        self.log.append(name)
        if self.count == self.die_at:
            self.dead = True
            raise Killed(name)
        if self.count == self.fail_at:
            raise OSError(5, "Input/output error")
        if grows and self.full_at and self.count >= self.full_at:
            raise OSError(28, "No space left on device")


@dataclass
class Loaded:
    """What systemd has in memory of docker.service and docker.socket."""

    command: tuple[str, ...] = ()
    guarded: bool = False
    listens: tuple[str, ...] = ()


@dataclass
class Process:
    """A dockerd that runs."""

    pid: int
    hosts: tuple[str, ...]
    flag_hosts: tuple[str, ...]
    tls: bool
    fingerprint: str
    anchors: frozenset[bytes]
    live_restore: bool
    inherited: tuple[str, ...] = ()


class Saved(t.NamedTuple):
    """A world's files (a copy) and memory."""

    path: pathlib.Path
    memory: dict[str, t.Any]


class World:
    """The host. ``problems``: faults that are switched on (``dies``, ``hangs``)."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.loaded = Loaded()
        self.process: Process | None = None
        self.failed = False
        self.socket_owner = ""  # systemd, dockerd or nobody
        self.socket_listens: tuple[str, ...] = ()  # TCP sockets that systemd holds now
        self.containers: set[str] = set()
        self.stopped: set[str] = set()
        self.addresses = {"127.0.0.1", ADDRESS, "0.0.0.0"}
        self.problems: set[str] = set()
        self.next_pid = 100
        self.clock = 1_800_000_000.0
        self.restarts = 0
        self.timer = False

    # paths
    @property
    def config(self) -> pathlib.Path:
        return self.root / "etc/docker/daemon.json"

    @property
    def certificates(self) -> pathlib.Path:
        return self.root / "etc/docker/certs"

    @property
    def units(self) -> pathlib.Path:
        return self.root / "etc/systemd/system"

    @property
    def state(self) -> pathlib.Path:
        return self.root / "var/lib/docker-tls"

    def build(self) -> World:
        """Lay out a host as a distribution's package does, and boot it."""
        for path in (self.config.parent, self.units, self.root / "lib", self.root / "var/lib"):
            path.mkdir(parents=True)
        (self.root / "lib/docker.service").write_text(UNIT)
        (self.root / "lib/docker.socket").write_text(SOCKET)
        self.boot()
        return self

    def saved(self, path: pathlib.Path) -> Saved:
        """Keep everything, files and memory."""
        shutil.copytree(self.root, path, symlinks=True)
        memory = {name: copy.deepcopy(value) for name, value in self.__dict__.items() if name != "root"}
        return Saved(path, memory)

    def restore(self, saved: Saved) -> World:
        """Be again what was saved."""
        shutil.rmtree(self.root)
        shutil.copytree(saved.path, self.root, symlinks=True)
        self.__dict__.update(copy.deepcopy(saved.memory))
        return self

    def boot(self) -> None:
        """Power failure, or the first start: memory is gone, what is on disk counts."""
        self.process = None
        self.load()
        self.socket_owner, self.socket_listens = "systemd", self.loaded.listens
        self.start()

    def crash(self) -> None:
        """dockerd ends by itself, and systemd starts it again with what it has loaded."""
        self.end()
        self.start()

    # systemd
    def load(self) -> None:
        files = [self.root / "lib/docker.service", *sorted((self.units / "docker.service.d").glob("*.conf"))]
        texts = [(str(path), path.read_text().replace("# Managed by", "# managed by")) for path in files]
        command = parse_unit(texts, "").commands[-1]
        guarded = any("ExecStartPre=" in text for _path, text in texts)
        listens: list[str] = []
        for path in sorted((self.units / "docker.socket.d").glob("*.conf")):
            for line in path.read_text().splitlines():
                if line == "ListenStream=":
                    listens.clear()
                elif line.startswith("ListenStream="):
                    listens.append(line[13:])
        tcp = tuple(item for item in listens if not item.startswith(("/", "@")))
        self.loaded = Loaded(tuple(word.value for word in split_words(command)), guarded, tcp)

    def restart_socket(self) -> None:
        self.socket_owner, self.socket_listens = "systemd", self.loaded.listens

    def end(self) -> None:
        if self.process is not None and not self.process.live_restore:
            self.stopped |= self.containers
            self.containers.clear()
        self.process = None
        if self.socket_owner == "dockerd":
            self.socket_owner = ""

    def start(self) -> None:
        self.failed = False
        process = self.new_process()
        if process is None or "dies" in self.problems:
            self.failed = True
            return
        if any(host.startswith("unix://") for host in process.hosts):
            self.socket_owner = "dockerd"
        self.process = process
        if not process.live_restore:
            self.stopped |= self.containers
            self.containers.clear()

    # dockerd
    def new_process(self) -> Process | None:
        """Return the dockerd that would run with the unit loaded and the files there are; None: it would not start."""
        try:
            values = json.loads(self.config.read_text()) if self.config.exists() else {}
        except ValueError:
            return None
        command = self.loaded.command
        flags = tuple(command[i + 1] for i, word in enumerate(command[:-1]) if word == "-H")
        if flags and "hosts" in values:
            return None
        if self.loaded.guarded and not (values.get("tlsverify") is True and values.get("tlscacert")):
            return None
        hosts = flags or tuple(values.get("hosts", ())) or ("unix:///var/run/docker.sock",)
        for host in hosts:
            if host.startswith("tcp://") and host[6:].rpartition(":")[0] not in self.addresses:
                return None
        fingerprint, anchors = "", frozenset()
        if values.get("tls") or "tlsverify" in values:
            try:
                fingerprint, anchors = self.load_tls(values)
            except (OSError, KeyError, ValueError, AssertionError):
                return None
        self.next_pid += 1
        inherited = self.socket_listens if "fd://" in hosts else ()
        live = values.get("live-restore") is True
        return Process(self.next_pid, hosts, flags, bool(fingerprint), fingerprint, anchors, live, inherited)

    def load_tls(self, values: dict[str, t.Any]) -> tuple[str, frozenset[bytes]]:
        chain = inspect.load_certificates(pathlib.Path(values["tlscert"]).read_bytes(), "cert")
        key = keys.load_private_key(pathlib.Path(values["tlskey"]).read_bytes(), what="key")
        same = keys.public_key_fingerprint(key.public_key()) == keys.public_key_fingerprint(chain[0].public_key())
        assert same, "tls: private key does not match public key"
        anchors = inspect.load_certificates(pathlib.Path(values["tlscacert"]).read_bytes(), "ca")
        names = frozenset(anchor.subject.public_bytes() for anchor in anchors)
        return inspect.view_certificate(chain[0]).fingerprint_sha256, names

    # what a user sees
    @property
    def answers_locally(self) -> bool:
        process = self.process
        if process is None:
            return False
        if "fd://" in process.hosts and self.socket_owner == "systemd":
            return True
        return any(host.startswith("unix://") for host in process.hosts) and self.socket_owner == "dockerd"

    @property
    def tcp(self) -> tuple[str, ...]:
        """Where the running dockerd can be reached over TCP."""
        if self.process is None:
            return ()
        return (*(host[6:] for host in self.process.hosts if host.startswith("tcp://")), *self.process.inherited)

    @property
    def open_to_anybody(self) -> bool:
        return bool(self.tcp) and not (self.process is not None and self.process.tls)

    def snapshot(self) -> dict[str, t.Any]:
        """Return everything that dockerd and systemd read: path -> bytes, mode or link target."""
        found: dict[str, t.Any] = {}
        for top in (self.config.parent, self.units):
            for path in sorted(top.rglob("*")):
                name = str(path.relative_to(self.root))
                if path.is_symlink():
                    found[name] = os.readlink(path)
                elif path.is_file():
                    found[name] = (path.read_bytes(), path.stat().st_mode & 0o7777)
        return found


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

    def addresses(self, bridges: t.Collection[str]) -> tuple[t.Any, ...]:
        return (classify("lo", ipaddress.ip_address("127.0.0.1")), classify("eth0", ipaddress.ip_address(ADDRESS)))

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
        )
        socket = UnitState(
            "docker.socket",
            load_state="loaded",
            active_state="active",
            fragment_path=str(world.root / "lib/docker.socket"),
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

    def restart(self, *, with_socket: bool) -> None:
        self.effects.tick("restart")
        world = self.world
        world.restarts += 1
        world.end()
        if with_socket:
            world.restart_socket()
        if "hangs" not in world.problems:
            world.start()
        self.effects.tick("restarted")

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
            return  # the reload fails, and only the journal says so
        world.process.live_restore = values.get("live-restore") is True

    def ping(self, timeout: float = 5.0) -> str:
        return "" if self.world.answers_locally else "no answer"

    def engine_facts(self, *, networks: bool = False) -> EngineFacts | None:
        world = self.world
        if world.process is None or not world.answers_locally:
            return None
        return EngineFacts("20.10.24", world.process.live_restore, False, len(world.containers))

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

    def prove(_machine: t.Any, expected: t.Any, _server: t.Any = None) -> tuple[Check, ...]:
        process = world.process
        good = process is not None and world.answers_locally
        if expected.addresses and process is not None:
            good = good and process.fingerprint == expected.fingerprint and bool(world.tcp)
            good = good and process.anchors == frozenset(expected.authority_names or ())
        return (Check("proof", good and "unproved" not in world.problems, "seen"),)

    def greet(address: str, port: int, timeout: float) -> ServerGreeting:
        if world.process is None or not world.tcp:
            raise ConnectionRefusedError
        return _Greeting((b"",), True, tuple(sorted(world.process.anchors)), world.process.fingerprint)

    monkeypatch.setattr(proof, "prove", prove)
    monkeypatch.setattr(state, "read_greeting", greet)
    monkeypatch.setattr(listening, "foreign_listeners", lambda ports, pids: ())
    monkeypatch.setattr(capsule, "capsule_bytes", lambda: b"zip")
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
