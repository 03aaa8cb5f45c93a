# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's unit on this host: its files, its environment, what kind of Docker it is."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import typing as t

from .._files import read_bytes_or_none
from .._host import commands
from .systemd import Services, UnitState
from .unit_environment import UnitModel, Variable, command_variables, parse_unit, read_environment
from .unsupported import UnitFacts

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
