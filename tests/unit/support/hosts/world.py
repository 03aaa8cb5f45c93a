# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host in memory: real files in a directory, and a systemd and a dockerd that follow the measured rules.

The rules (dockerd-facts 1.4, 1.5, 2.1, 2.2, 2.5, and socket_unit.py): ``-H`` together with ``hosts`` keeps dockerd from
starting; so do a key that does not fit its certificate, a missing file, an address that is not there. A dockerd that binds /run/docker.sock itself takes it
from systemd, and takes it away when it ends. systemd starts what it has loaded, until daemon-reload. Without live-restore a
dockerd that stops takes its containers along, and so does one that starts without it and finds some.

Every change of the world, a file's or a unit's, is an *effect* that is counted; the world can die or a disk can fill at any.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import pathlib
import stat
import typing as t
from dataclasses import dataclass, field

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.command_line import split_words
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import parse_unit
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys, reader
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.service import listeners

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
    """Counts the changes of the world; ``die_at``, ``fail_at`` and ``full_at`` are the numbers of those at which it dies, fails or is full."""

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
    wants_endpoint: bool = False
    listens: tuple[str, ...] = ()
    endpoint: tuple[str, ...] = ()  # of docker-tls.socket; (): systemd knows no such unit


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
    """A world's files and memory."""

    files: dict[str, tuple[int, bytes | str | None]]
    memory: dict[str, t.Any]


def files_below(root: str | os.PathLike[str], above: str = "") -> dict[str, tuple[int, bytes | str | None]]:
    """Return mode and content of everything below ``root``: the bytes of a file, the target of a link, None for a directory.

    The names begin with ``above``. Tests call this thousands of times, so it makes no path objects.
    """
    found: dict[str, tuple[int, bytes | str | None]] = {}
    directories = [(os.fspath(root), above)]
    while directories:
        directory, prefix = directories.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                name = prefix + entry.name
                mode = entry.stat(follow_symlinks=False).st_mode
                content: bytes | str | None = None
                if stat.S_ISLNK(mode):
                    content = os.readlink(entry.path)
                elif stat.S_ISREG(mode):
                    with open(entry.path, "rb", buffering=0) as stream:
                        content = stream.read()
                else:
                    directories.append((entry.path, f"{name}/"))
                found[name] = mode, content
    return found


@functools.cache
def _loaded(certificate: bytes, key: bytes, anchors: bytes) -> tuple[str, frozenset[bytes]]:
    """Return the fingerprint that a server with these files shows, and the authorities that it admits."""
    chain = reader.load_certificates(certificate, "cert")
    private = keys.load_private_key(key, what="key")
    same = keys.public_key_fingerprint(private.public_key()) == keys.public_key_fingerprint(chain[0].public_key())
    assert same, "tls: private key does not match public key"
    names = frozenset(anchor.subject.public_bytes() for anchor in reader.load_certificates(anchors, "ca"))
    return reader.view_certificate(chain[0]).fingerprint_sha256, names


class World:
    """The host. ``problems``: faults that are switched on (``dies``, ``hangs``)."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.loaded = Loaded()
        self.process: Process | None = None
        self.failed = False
        self.socket_owner = ""  # systemd, dockerd or "" for none
        self.socket_listens: tuple[str, ...] = ()  # TCP sockets of docker.socket that systemd holds now
        self.endpoint_open: tuple[str, ...] = ()  # those of docker-tls.socket
        self.others: tuple[tuple[str, int, str], ...] = ()  # TCP listeners of other processes
        self.containers: set[str] = set()
        self.stopped: set[str] = set()
        self.addresses = {"127.0.0.1", ADDRESS, "0.0.0.0"}
        self.problems: set[str] = set()
        self.next_pid = 100
        self.clock = 1_800_000_000.0
        self.restarts = 0
        self.started = 0  # how often dockerd was started, well or not
        self.timer = False
        self.proxy: Process | None = None
        self.haproxy: tuple[int, ...] = (2, 6, 12)
        self.proxy_starts = 0  # how often its unit was started or reloaded

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

    def saved(self) -> Saved:
        """Keep everything, files and memory."""
        return Saved(files_below(self.root), self._memory(self.__dict__))

    @staticmethod
    def _memory(attributes: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return a copy of everything but the files; what the attributes hold is not changed in place."""
        return {name: copy.copy(value) for name, value in attributes.items() if name != "root"}

    def restore(self, saved: Saved) -> World:
        """Be again what was saved. Only what differs is written: the tests do this thousands of times."""
        now = files_below(self.root)
        for name in sorted((name for name in now if saved.files.get(name) != now[name]), reverse=True):
            path, there = self.root / name, saved.files.get(name)
            if now[name][1] is not None:
                path.unlink()
            elif there is None or there[1] is not None:
                path.rmdir()
        for name in sorted(name for name in saved.files if saved.files[name] != now.get(name)):
            mode, content = saved.files[name]
            path = self.root / name
            if isinstance(content, str):
                path.symlink_to(content)
                continue
            if content is None:
                path.mkdir(exist_ok=True)
            else:
                path.write_bytes(content)
            path.chmod(stat.S_IMODE(mode))
        self.__dict__.update(self._memory(saved.memory))
        return self

    def boot(self) -> None:
        """Power failure, or the first start: memory is lost, the files count."""
        self.process = self.proxy = None
        self.load()
        self.endpoint_open = ()
        self.socket_owner, self.socket_listens = "systemd", self.loaded.listens
        self.start()
        if self.proxy_link.exists():  # a link to a unit that is gone starts nothing
            self.start_proxy()

    def crash(self) -> None:
        """dockerd ends by itself, and systemd starts it again with what it has loaded."""
        self.end()
        self.start()

    # systemd
    def load(self) -> None:
        files = [self.root / "lib/docker.service", *sorted((self.units / "docker.service.d").glob("*.conf"))]
        texts = [(str(path), path.read_text().replace("# Managed by", "# managed by")) for path in files]
        command = parse_unit(texts, "").commands[-1]
        guarded = any("tlscacert" in text for _path, text in texts)
        listens: list[str] = []
        for path in sorted((self.units / "docker.socket.d").glob("*.conf")):
            for line in path.read_text().splitlines():
                if line == "ListenStream=":
                    listens.clear()
                elif line.startswith("ListenStream="):
                    listens.append(line[13:])
        tcp = tuple(item for item in listens if not item.startswith(("/", "@")))
        wants = any("Wants=docker-tls.socket" in text for _path, text in texts)
        words = tuple(word.value for word in split_words(command))
        self.loaded = Loaded(words, guarded, wants, tcp, self.endpoint_listens())

    def endpoint_listens(self) -> tuple[str, ...]:
        path = self.units / "docker-tls.socket"
        lines = path.read_text().splitlines() if path.exists() else []
        return tuple(line[13:] for line in lines if line.startswith("ListenStream="))

    def restart_socket(self) -> None:
        if self.loaded.endpoint:  # PartOf=docker.socket
            self.endpoint_open = ()
        self.socket_owner, self.socket_listens = "systemd", self.loaded.listens

    def end(self) -> None:
        if self.process is not None and not self.process.live_restore:
            self.stopped |= self.containers
            self.containers.clear()
        self.process = None
        if self.socket_owner == "dockerd":
            self.socket_owner = ""

    def start(self) -> None:
        self.started += 1
        self.failed = False
        if self.loaded.wants_endpoint and self.loaded.endpoint and not self.endpoint_open:
            self.endpoint_open = self.loaded.endpoint
        if self.loaded.guarded and not self.verifies_clients():
            self.endpoint_open = ()
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

    # the proxy
    @property
    def proxy_unit(self) -> pathlib.Path:
        return self.units / "docker-tls-proxy.service"

    @property
    def proxy_link(self) -> pathlib.Path:
        return self.units / "multi-user.target.wants/docker-tls-proxy.service"

    def start_proxy(self) -> bool:
        """Start or reload it with the files there are; return whether that works. One that cannot start tries again by itself."""
        self.proxy_starts += 1
        binds = listeners((self.root / "etc/docker-tls-proxy/haproxy.cfg").read_bytes())
        if any(place in map(_place, self.tcp) for place in binds) or "proxy-dies" in self.problems:
            return False
        live = self.certificates / "current"
        files = {"tlscert": "server-cert.pem", "tlskey": "server-key.pem", "tlscacert": "client-ca.pem"}
        try:
            fingerprint, anchors = self.load_tls({key: str(live / name) for key, name in files.items()})
        except (OSError, KeyError, ValueError, AssertionError):
            return False
        hosts = tuple(f"tcp://{address}:{port}" for address, port in binds)
        self.proxy = Process(1, hosts, (), True, fingerprint, anchors, live_restore=False)
        return True

    # dockerd
    def new_process(self) -> Process | None:
        """Return the dockerd that would run with the unit loaded and the files there are; None: it would not start."""
        try:
            values = json.loads(self.config.read_text()) if self.config.exists() else {}
        except ValueError:
            return None
        command = self.loaded.command
        flags = tuple(command[i + 1] for i, word in enumerate(command[:-1]) if word == "-H")
        if (
            "$DOCKER_TLS_LOCAL" in command and "hosts" not in values
        ):  # test_local_fallback.py runs the real ExecStartPre=
            flags += ("fd://",)
        if flags and "hosts" in values:
            return None
        opens = any(not host.startswith(("fd://", "unix://")) for host in values.get("hosts", ()))
        if (
            "$DOCKER_TLS_LOCAL" in command
            and opens
            and not (values.get("tlsverify") is True and values.get("tlscacert"))
        ):
            return None  # test_start_guard.py runs the real ExecStartPre=
        hosts = flags or tuple(values.get("hosts", ())) or ("unix:///var/run/docker.sock",)
        for host in hosts:
            if host.startswith("tcp://") and host[6:].rpartition(":")[0] not in self.addresses:
                return None
            if host[6:] in (*self.socket_listens, *self.endpoint_open):
                return None  # address already in use: by systemd
            if self.proxy is not None and host in self.proxy.hosts:
                return None  # by the proxy
        fingerprint, anchors = "", frozenset()
        if values.get("tls") or "tlsverify" in values:
            try:
                fingerprint, anchors = self.load_tls(values)
            except (OSError, KeyError, ValueError, AssertionError):
                return None
        self.next_pid += 1
        passed = (*self.socket_listens, *(self.endpoint_open if self.loaded.endpoint else ()))
        inherited = passed if "fd://" in hosts else ()
        live = values.get("live-restore") is True
        return Process(self.next_pid, hosts, flags, bool(fingerprint), fingerprint, anchors, live, inherited)

    def verifies_clients(self) -> bool:
        """What the start guard sees in daemon.json; test_start_guard.py runs the real one."""
        try:
            values = json.loads(self.config.read_text()) if self.config.exists() else {}
        except ValueError:
            return False
        anchors = self.certificates / "current/client-ca.pem"
        return values.get("tlsverify") is True and values.get("tlscacert") == str(anchors)

    def load_tls(self, values: dict[str, t.Any]) -> tuple[str, frozenset[bytes]]:
        certificate, key, anchors = (
            pathlib.Path(values[name]).read_bytes() for name in ("tlscert", "tlskey", "tlscacert")
        )
        return _loaded(certificate, key, anchors)

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
    def reachable(self) -> tuple[str, ...]:
        """Where clients reach Docker's API."""
        return (*self.tcp, *(host[6:] for host in (self.proxy.hosts if self.proxy else ())))

    @property
    def open_to_anybody(self) -> bool:
        return bool(self.tcp) and not (self.process is not None and self.process.tls)

    def snapshot(self) -> dict[str, t.Any]:
        """Return everything that dockerd and systemd read: path -> bytes, mode or link target."""
        found: dict[str, t.Any] = {}
        for top in ("etc/docker", "etc/docker-tls-proxy", "etc/systemd/system"):
            if os.path.isdir(f"{self.root}/{top}"):
                for name, (mode, content) in files_below(f"{self.root}/{top}", f"{top}/").items():
                    if content is not None:
                        found[name] = content if isinstance(content, str) else (content, stat.S_IMODE(mode))
        return found


def _place(text: str) -> tuple[str, int]:
    address, _colon, port = text.rpartition(":")
    return address, int(port)
