# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's units as systemd has loaded them, and what in them and in daemon.json is not supported. |.

Source: measured. dockerd 20.10.5, 20.10.24, 26.1.5 and 28.5.2 were each given a daemon.json with every name of their ``--help``,
every JSON tag in their binary and some made-up ones; each names all that it does not know in one message ("the following
directives don't match any configuration option"). A name is what dockerd compares, flags (``label``) and keys (``labels``)
alike: both pass, only the key is read. Releases in between were not measured: where the two next to them differ, or a name
is in no table, nothing is found here, and dockerd's own ``--validate`` (23.0 and later) has to decide. dockerd does not start with a key that it
does not know.
"""

from __future__ import annotations

import contextlib
import difflib
import glob
import json
import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from .._files import read_bytes_or_none
from .._host import commands
from .findings import Finding, error, warning
from .systemd import Services, UnitState
from .unit_file import (
    UnitModel,
    Variable,
    command_variables,
    parse_unit,
    read_environment,
)

# Where generators put units (systemd.generator(7)): systemd-sysv-generator makes one of /etc/init.d/docker.
_GENERATED = "/systemd/generator"


@dataclass(frozen=True)
class UnitFacts:
    """What ``refusal`` needs to know of the host; from systemd, os-release and the file system."""

    load_state: str  # of docker.service: loaded, not-found, masked, bad-setting, error
    fragment_path: str = ""
    os_ids: tuple[str, ...] = ()  # ID and ID_LIKE of /etc/os-release
    snap_docker: bool = False  # /snap/docker or the unit snap.docker.dockerd.service is there
    rootless_sockets: tuple[str, ...] = ()  # /run/user/*/docker.sock
    podman_docker: bool = False  # /usr/bin/docker is podman's
    dockerd_found: bool = True  # a dockerd is in one of the directories for programs
    socket_load_state: str = "loaded"  # of docker.socket: loaded, not-found, masked
    init_system: str = "systemd"  # name of process 1


def refusal(facts: UnitFacts) -> Finding | None:
    """Return why this Docker cannot be managed (none, snap, rootless, NixOS, podman, no systemd, masked), or None."""
    if facts.init_system != "systemd":
        return error(
            "init-unsupported",
            f"process 1 is {facts.init_system}, not systemd",
            "Docker under another init system (OpenRC on Alpine) is not supported.",
        )
    if "nixos" in facts.os_ids or facts.fragment_path.startswith("/nix/"):
        return error(
            "docker-nixos",
            "NixOS generates Docker's unit and daemon.json, so nothing written here would last",
            "Set virtualisation.docker.daemon.settings and listenOptions in the system's configuration instead.",
        )
    if facts.load_state == "not-found" or _GENERATED in facts.fragment_path:
        return _nothing_to_manage(facts)
    if facts.load_state == "masked" and not facts.dockerd_found:  # so does the removal of Debian's package leave it
        return _docker_missing("docker.service is masked, and dockerd is not on this host")
    if facts.load_state == "masked":
        return error(
            "unit-masked", "docker.service is masked", "Run systemctl unmask docker.service if Docker is to run here."
        )
    if facts.load_state != "loaded":
        return error(
            "unit-broken",
            f"systemd could not load docker.service ({facts.load_state})",
            "See systemctl status docker.service, correct its files and run again.",
        )
    if os.path.basename(facts.fragment_path).startswith("podman"):
        return _podman()
    return None


def _nothing_to_manage(facts: UnitFacts) -> Finding:
    """Return the refusal for a host without docker.service, with the reason."""
    if facts.snap_docker:
        return error(
            "docker-snap",
            "Docker is installed as a snap, whose service and files cannot be changed from outside its confinement",
            "Remove the snap and install Docker from the distribution or from Docker's own packages.",
        )
    if facts.rootless_sockets:
        return error(
            "docker-rootless",
            f"Docker runs rootless here ({', '.join(facts.rootless_sockets)}), as a service of a user",
            "Use Docker as a system service (docker.service), or remove this host from docker_hosts. The listener proxy does not support rootless Docker "
            "yet.",
        )
    if facts.podman_docker:
        return _podman()
    if not facts.dockerd_found and facts.load_state == "not-found":
        return _docker_missing("there is no Docker on this host (neither docker.service nor dockerd)")
    if not facts.dockerd_found:
        return _docker_missing(
            "there is no dockerd on this host; its docker.service is only generated by systemd from an init script that was left behind"
        )
    if facts.load_state != "not-found":
        return error(
            "unit-missing",
            f"docker.service is only generated from an init script ({facts.fragment_path})",
            "Install the package that brings the unit (docker-ce, docker.io, moby-engine), or write docker.service yourself.",
        )
    return error(
        "unit-missing",
        "dockerd is on this host, but systemd has no docker.service",
        "Install the package that brings the unit (docker-ce, docker.io, moby-engine), or write one of that name.",
    )


def program_missing(binary: str, unit_path: str) -> Finding:
    """Return the refusal for a unit whose program is gone."""
    return _docker_missing(f"docker.service ({unit_path}) starts {binary}, which is not on this host")


def _docker_missing(message: str) -> Finding:
    hint = "Install Docker Engine first (this collection secures it, it does not install it), or leave this host out of docker_hosts."
    return error("docker-missing", message, hint)


def _podman() -> Finding:
    return error(
        "docker-podman",
        "the docker command of this host is Podman, which has no dockerd",
        "Remove podman-docker and install Docker Engine, or leave this host out of docker_hosts.",
    )


Release = tuple[int, int]

MEASURED: tuple[Release, ...] = ((20, 10), (26, 1), (28, 5))

# Known to every measured release.
ALWAYS = frozenset(
    """
    add-runtime allow-nondistributable-artifacts api-cors-header authorization-plugin authorization-plugins bip bridge builder
    cgroup-parent config-file containerd containerd-namespace containerd-plugins-namespace cpu-rt-period cpu-rt-runtime
    cri-containerd data-root debug default-address-pool default-address-pools default-cgroupns-mode default-gateway
    default-gateway-v6 default-ipc-mode default-runtime default-shm-size default-ulimit default-ulimits deprecated-key-path dns
    dns-opt dns-opts dns-search exec-opt exec-opts exec-root experimental features fixed-cidr fixed-cidr-v6 group help host
    host-gateway-ip hosts icc init init-path insecure-registries insecure-registry ip ip-forward ip-masq ip6tables iptables ipv6
    label labels live-restore log-driver log-level log-opt log-opts max-concurrent-downloads max-concurrent-uploads
    max-download-attempts metrics-addr mtu network-control-plane-mtu network-diagnostic-port no-new-privileges
    node-generic-resource node-generic-resources pidfile raw-logs registry-mirror registry-mirrors restart rootless runtimes
    seccomp-profile selinux-enabled shutdown-timeout storage-driver storage-opt storage-opts swarm-default-advertise-addr tls
    tlscacert tlscert tlskey tlsverify userland-proxy userland-proxy-path userns-remap version
    """.split()
)

# Name -> (the last measured release that does not know it, the first that does).
APPEARED: t.Mapping[str, tuple[Release, Release]] = {
    **dict.fromkeys(
        """
        cdi-spec-dir cdi-spec-dirs default-network-opt default-network-opts http-proxy https-proxy log-format
        no-proxy validate
        """.split(),
        ((20, 10), (26, 1)),
    ),
    **dict.fromkeys(
        ("allow-direct-routing", "bip6", "feature", "host-gateway-ips", "ip-forward-no-drop"), ((26, 1), (28, 5))
    ),
}

# Name -> (the last measured release that knows it, the first that does not).
DISAPPEARED: t.Mapping[str, tuple[Release, Release]] = dict.fromkeys(
    ("cluster-advertise", "cluster-store", "cluster-store-opts", "graph", "oom-score-adjust"), ((20, 10), (26, 1))
)

# Keys whose value is one setting. Of every other object dockerd compares the names within, and never that of the object
# itself: that is how {"proxies": {"http-proxy": ...}} works (moby daemon/config/config.go, flatOptions).
WHOLE = frozenset("builder cluster-store-opts default-network-opts default-ulimits features log-opts runtimes".split())


def knows(name: str, release: Release) -> bool | None:
    """Return whether dockerd of ``release`` takes the name; None: not measured, so only that dockerd can decide."""
    if not MEASURED[0] <= release <= MEASURED[-1]:
        return None
    if name in ALWAYS:
        return True
    for table, before in ((APPEARED, False), (DISAPPEARED, True)):
        if name in table:
            last, first = table[name]
            return before if release <= last else (not before if release >= first else None)
    return False if release in MEASURED else None


def known(release: Release) -> tuple[str, ...]:
    """Return the names that dockerd of ``release`` is known to take, sorted."""
    return tuple(sorted(name for name in (*ALWAYS, *APPEARED, *DISAPPEARED) if knows(name, release)))


def compared_names(values: t.Mapping[str, t.Any], release: Release) -> tuple[str, ...]:
    """Return the names in a daemon.json that dockerd compares with those that it knows."""
    found: dict[str, None] = {}
    for key, value in values.items():
        whole = key in WHOLE and (key not in APPEARED or knows(key, release) is not False)
        found.update(dict.fromkeys(value if isinstance(value, dict) and not whole else (key,)))
    return tuple(found)


_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def check_keys(values: t.Mapping[str, t.Any], path: str, engine_version: str | None, *, in_use: bool) -> list[Finding]:
    """Return a finding for each name in ``values`` that the engine is known not to know.

    ``in_use``: dockerd runs with this very file. Then it is our table that is wrong, and the finding only a warning.
    """
    match = _VERSION.match(engine_version or "")
    if not match:
        return []
    release = (int(match[1]), int(match[2]))
    unknown = [name for name in compared_names(values, release) if knows(name, release) is False]
    return [_finding(name, path, release, str(engine_version), in_use=in_use) for name in unknown]


def _finding(name: str, path: str, release: tuple[int, int], version: str, *, in_use: bool) -> Finding:
    near = difflib.get_close_matches(name, known(release), 1)
    text = f"{path} has the key {name!r}, which Docker Engine {version} is not known to have"
    if in_use:
        return warning("daemon-json-key-unknown", text, "dockerd runs with it anyway, so it was left alone.")
    hint = f"The nearest key that it knows is {near[0]!r}. Correct it or remove it." if near else "Remove it."
    return error("daemon-json-key-unknown", f"{text}; it would refuse to start", hint)


# A snap that is mounted, or its unit: either is there before the other while snapd starts.
_SNAP = ("/snap/docker", "/etc/systemd/system/snap.docker.dockerd.service")
_SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"


def unit_facts(services: Services, init_system: str) -> UnitFacts:
    """Return the input of ``refusal``; ``init_system``: the name of process 1."""
    service = services.service
    release = _os_release()
    docker = os.path.realpath("/usr/bin/docker")
    return UnitFacts(
        load_state=service.load_state,
        fragment_path=service.fragment_path,
        os_ids=tuple(f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()),
        snap_docker=any(map(os.path.exists, _SNAP)),
        rootless_sockets=tuple(sorted(glob.glob("/run/user/*/docker.sock"))),
        podman_docker=os.path.basename(docker).startswith("podman") or os.path.isdir("/usr/share/doc/podman-docker"),
        dockerd_found=has_program("dockerd"),
        socket_load_state=services.socket.load_state,
        init_system=init_system,
    )


def has_program(binary: str) -> bool:
    """Return whether a program of that path or name is on this host, executable (systemd searches fixed directories)."""
    return shutil.which(binary, path=_SEARCH) is not None


def _os_release() -> dict[str, str]:
    text = (read_bytes_or_none("/etc/os-release") or b"").decode("utf-8", "replace")
    pairs = (line.partition("=")[::2] for line in text.splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


def read_model(service: UnitState, own_path: str) -> UnitModel:
    """Read the unit and its drop-ins as systemd knows them. Raises TlsError ``file-unreadable``."""
    files = []
    for path in (service.fragment_path, *service.drop_in_paths):
        data = read_bytes_or_none(path) if path else None
        if data is not None:
            files.append((path, data.decode("utf-8", "surrogateescape")))
    return parse_unit(files, own_path)


def environment_of(model: UnitModel, pid: int = 0) -> dict[str, Variable]:
    """Return the variables of the unit's command line, its environment files read. Raises TlsError ``file-unreadable``.

    systemd's own environment is read only if the command has a variable that nothing else sets: it is the weakest source, and
    costs a process. ``pid``: the running dockerd, which shows what PassEnvironment= has passed (process 1 need not).
    """
    texts = {}
    for source in model.environment_files:
        found = []
        for path in sorted(glob.glob(source.pattern)):
            data = read_bytes_or_none(path)
            if data is not None:
                found.append((path, data.decode("utf-8", "surrogateescape")))
        texts[source.pattern] = found
    continues = _comment_continues(texts)
    passed = {**_environment_of_process(pid), **_environment_of_process(1)} if model.pass_environment else {}
    environment = read_environment(model, texts, passed=passed, comment_continues=continues)
    if command_variables(model) <= environment.keys():
        return environment
    return read_environment(model, texts, _environment_of_manager(), passed=passed, comment_continues=continues)


def _environment_of_process(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with, none where it cannot be read."""
    data = b""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as stream:
        data = stream.read()
    return pairs_of(data.decode("utf-8", "surrogateescape").split("\0"))


def _environment_of_manager() -> dict[str, str]:
    """Return what systemd gives to every service (DefaultEnvironment=, ``systemctl set-environment``), none without busctl."""
    place = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Environment"]
    status, shown = commands.run(["busctl", "--json=short", "get-property", *place], 10)
    try:
        return {} if status else pairs_of(json.loads(shown)["data"])
    except (ValueError, KeyError):
        return {}


def pairs_of(entries: t.Iterable[str]) -> dict[str, str]:
    """Return the variables in entries ``NAME=VALUE``."""
    pairs = (entry.partition("=") for entry in entries)
    return {name: value for name, equals, value in pairs if equals}


def _comment_continues(texts: t.Mapping[str, t.Sequence[tuple[str, str]]]) -> bool:
    """Return whether this systemd (before 254) lets a comment's backslash swallow the next line; asked only if there is one."""
    lines = (line for found in texts.values() for _path, text in found for line in text.splitlines())
    if not any(line.lstrip().startswith(("#", ";")) and line.endswith("\\") for line in lines):
        return False
    try:
        return int(commands.run(["systemctl", "--version"], 10)[1].split()[1]) < 254
    except (IndexError, ValueError):
        return False
