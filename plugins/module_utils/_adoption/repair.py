# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repairs of a host that others have set up, and the relay that keeps its port 2375 for a while. |.

One dockerd cannot have both: TLS is for all of its TCP listeners (dockerd-facts 1.5). So systemd holds the old addresses
and relays its connections to Docker's local socket. It is not more open than the port was before, and it is one unit to remove.

A key is moved, never deleted: the copy that looks superfluous may be the only one. It goes to a directory that only root can
enter, with a name that contains its former path.

An edited unit is restored to the text of its package, with the edit kept in a drop-in. Docker is not restarted, and what systemd would start next
time is the same after every step: first the former text is kept, then the drop-in contains the edits, then the file is the package's. Systemd is
asked before and after; where it does not report the same, all of it is rolled back.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import typing as t
from dataclasses import dataclass

from .. import _files
from .._docker.systemd import Systemd
from .._errors import TlsError
from . import assess, unit_diff
from .assess import Unit
from .effective_settings import read_fact

UNIT = "docker-tls-plain"
_PROXIES = ("/usr/lib/systemd/systemd-socket-proxyd", "/lib/systemd/systemd-socket-proxyd")
_PLAIN_PORT = 2375


@dataclass(frozen=True)
class Relay:
    """The two unit files, by path."""

    files: t.Mapping[str, str]

    @property
    def listens(self) -> tuple[str, ...]:
        """The addresses that are listened on."""
        text = "".join(self.files.values())
        return tuple(line.partition("=")[2] for line in text.splitlines() if line.startswith("ListenStream="))


def endpoint_of(url: str) -> str:
    """Return ADDRESS:PORT for systemd as dockerd understands a TCP listener: no address is loopback, no port is 2375.

    Raises TlsError ``listen-invalid``.
    """
    rest = url[len("tcp://") :] if url.startswith("tcp://") else url
    host, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    if not colon:
        host, port = rest, ""
    if "://" in rest or (port and not port.isdigit()):
        raise TlsError(
            f"{url!r} is not a TCP listener of dockerd",
            hint="Write for example tcp://10.0.0.5:2375.",
            code="listen-invalid",
        )
    # dockerd's 0.0.0.0 is IPv6 as well, systemd's is not; no more is opened than a client of the old port can have used by IPv4.
    return f"{host or '127.0.0.1'}:{port or _PLAIN_PORT}"


def wanted(urls: t.Iterable[str], unit_directory: str, docker_socket: str, proxy: str) -> Relay:
    """Return the unit files for the listeners ``urls``."""
    listens = "".join(f"ListenStream={endpoint_of(url)}\n" for url in dict.fromkeys(urls))
    head = "# Managed by Ansible (portcullis.docker_tls)\n[Unit]\nDescription=Docker's API without TLS, for clients that have not moved yet\n"
    socket = f"{head}\n[Socket]\n{listens}FreeBind=yes\n\n[Install]\nWantedBy=sockets.target\n"
    service = f"{head}Requires={UNIT}.socket\nAfter={UNIT}.socket\n\n[Service]\nExecStart={proxy} {docker_socket}\n"
    kinds = {"socket": socket, "service": service}
    return Relay({os.path.join(unit_directory, f"{UNIT}.{kind}"): text for kind, text in kinds.items()})


def docker_socket(paths: t.Iterable[str]) -> str:
    """Return where the relay connects to: the first of dockerd's local sockets that has a lasting path, by default Docker's own."""
    lasting = (path for path in paths if path.startswith(("/", "@")) and not path.startswith("/proc/"))
    return next(lasting, "/run/docker.sock")


def ensure(
    systemd: Systemd, urls: t.Sequence[str], state: str, *, predict: bool, local: str = "/run/docker.sock"
) -> tuple[bool, tuple[str, ...]]:
    """Make the relay for ``urls`` (``present``) or remove it (``absent``); return whether that changes anything, and its listeners.

    ``local``: dockerd's local socket. Without ``urls`` a relay that is there stays as it is: a secured dockerd does not show its former plain listeners.
    Raises TlsError ``relay-unavailable``, ``listen-invalid``, ``file-unwritable``, ``systemd-command-failed``.
    """
    paths = [os.path.join(systemd.unit_directory, f"{UNIT}.{kind}") for kind in ("socket", "service")]
    before = {path: (_files.read_bytes_or_none(path) or b"").decode("utf-8", "replace") for path in paths}
    there = any(before.values())
    if state == "absent":
        if there and not predict:
            systemd.command("disable", "--now", "--", f"{UNIT}.socket")
            systemd.command("stop", "--", f"{UNIT}.service")
            for path in paths:
                if os.path.lexists(path):
                    os.unlink(path)
            systemd.daemon_reload()
        return there, ()
    if not urls:
        return False, Relay(before).listens
    relay = wanted(urls, systemd.unit_directory, local, _proxy())
    changed = dict(relay.files) != before or not systemd.is_active(f"{UNIT}.socket")
    if changed and not predict:
        for path, text in relay.files.items():
            _files.write_atomic(path, text.encode("ascii"), 0o644)
        systemd.daemon_reload()
        systemd.command("enable", "--", f"{UNIT}.socket")
        systemd.command("restart", "--", f"{UNIT}.socket")
    return changed, relay.listens


def _proxy() -> str:
    path = next(filter(os.path.exists, _PROXIES), "")
    if path:
        return path
    raise TlsError(
        "systemd-socket-proxyd is not on this host, so the plain port cannot be served on beside the secured one",
        hint="Leave docker_adopt_keep_2375 false: the plain port is then closed when the endpoint is secured.",
        code="relay-unavailable",
    )


MODES, STRAY_KEYS, UNITS = "modes", "stray_keys", "units"
_ACTIONS = {MODES: "mode", STRAY_KEYS: "move", UNITS: "unit"}
_PROPERTIES = (
    "Type Environment EnvironmentFiles UnsetEnvironment After Before Wants Requires LimitNOFILE LimitNPROC LimitCORE LimitMEMLOCK TasksMax "
    "TimeoutStartUSec TimeoutStopUSec Restart RestartUSec KillMode Delegate OOMScoreAdjust MountFlags ExecMainPID ActiveState"
).split()


@dataclass(frozen=True)
class Repair:
    """One repair: ``code`` of the finding, the path, and its new state."""

    code: str
    path: str
    after: str

    @property
    def is_unit(self) -> bool:
        """Whether it is about a unit, and not about a key."""
        return self.code.startswith("unit-")


def plan(findings: t.Iterable[assess.Finding], wanted: t.Container[str], directory: str) -> tuple[Repair, ...]:
    """Return the repairs, each path once; a file that is moved needs no other mode first."""
    actions = {action for name, action in _ACTIONS.items() if name in wanted}
    chosen = [one for one in findings if one.action in actions]
    moved = {one.path: one for one in chosen if one.action == "move"}
    closed = [one for one in chosen if one.action == "mode" and one.path not in moved]
    restored = "the package's own text; the edits are in a drop-in, the former text is in the quarantine"
    return (
        *(Repair(one.code, one.path, os.path.join(directory, _flat(one.path))) for one in moved.values()),
        *(Repair(one.code, one.path, "only its owner can read it") for one in closed),
        *(Repair(one.code, one.path, restored) for one in chosen if one.action == "unit"),
    )


def _flat(path: str) -> str:
    """Return a file name that contains the former path of a file."""
    return path.strip("/").replace("%", "%25").replace("/", "%2f")


def carry_out(
    repairs: t.Iterable[Repair], directory: str, unit: assess.Unit | None = None, systemd: Systemd | None = None
) -> None:
    """Do it. Raises TlsError ``file-changed``, ``file-unwritable``, ``directory-unusable``, and the codes of ``unit_repair``."""
    for repair in repairs:
        if repair.is_unit:
            if unit is not None and systemd is not None:
                restore_unit(systemd, unit, os.path.join(directory, _flat(repair.path)))
        elif repair.after.startswith("/"):
            _move(repair.path, repair.after)
        else:
            _close(repair.path)


def _open_key(path: str) -> int:
    """Return a descriptor of a key file that is still one, and no link. Raises TlsError ``file-changed``."""
    fact = read_fact(path)
    try:
        if fact is None or fact.key is None or os.path.islink(path):
            raise OSError(0, "it is not a private key any more")
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        text = f"{path} was to be repaired, but {error.strerror}"
        raise TlsError(text, hint="Run again.", code="file-changed") from error


def _close(path: str) -> None:
    descriptor = _open_key(path)
    try:
        os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o600)
    finally:
        os.close(descriptor)


def _move(path: str, target: str) -> None:
    """Copy, flush, then remove: at no time is there no copy."""
    descriptor = _open_key(path)
    with open(descriptor, "rb") as stream:
        data = stream.read()
    free = kept(target, data)
    try:
        os.unlink(path)
    except OSError as error:
        raise TlsError(
            f"cannot remove {path}: {error.strerror}", hint=f"A copy of it is in {free}.", code="file-unwritable"
        ) from error


def restore_unit(systemd: Systemd, unit: Unit, backup: str) -> None:
    """Put ``unit`` back; ``backup`` is the file that gets its former text.

    Raises TlsError ``unit-not-loaded`` (systemd has not read its files since they changed), ``file-changed``, ``dropin-foreign``,
    ``unit-repair-rolled-back``, ``file-unwritable``, ``systemd-command-failed``.
    """
    dropin, obstacles = unit_diff.as_dropin(unit.original, unit.text, unit.path)
    path = os.path.join(systemd.unit_directory, f"{systemd.service}.d", unit_diff.DROPIN_NAME)
    _check(systemd, unit, obstacles, path, dropin)
    before = _effect(systemd)
    status = os.stat(unit.path)
    kept(backup, _bytes(unit.text))
    links = _links_to(unit, systemd.unit_directory)
    try:
        if dropin:
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            _files.write_atomic(path, _bytes(dropin), status.st_mode & 0o644)
        if unit.packaged_path:
            for link in links:
                _files.symlink_atomic(unit.packaged_path, link)
            os.unlink(unit.path)
        else:
            _files.write_atomic(unit.path, _bytes(unit.original), status.st_mode & 0o755, status.st_uid, status.st_gid)
        systemd.daemon_reload()
        after = _effect(systemd)
        if after != before:
            raise TlsError(
                f"systemd would start Docker otherwise then ({_difference(before, after)})",
                hint="The unit was rolled back.",  # the caller rolls it back, and adds advice
            )
    except (OSError, TlsError) as error:
        _roll_back(systemd, unit, status, path if dropin else "", links)
        raise TlsError(
            f"{unit.path} was to be as its package has it, and is as it was before: {getattr(error, 'message', error)}",
            hint=f"Compare systemctl cat docker.service with the package's unit, and restore it by hand: {unit.reinstall}. "
            "Leave units out of docker_adopt_repair until then.",
            code="unit-repair-rolled-back",
        ) from error


def kept(target: str, data: bytes) -> str:
    """Keep ``data`` in a file that only root can read, and return its path: ``target``, or beside other content of that name."""
    directory = os.path.dirname(target)
    os.makedirs(os.path.dirname(directory), 0o700, exist_ok=True)
    _files.ensure_directory(directory, 0o700)
    free, number = target, 1
    while os.path.lexists(free) and _files.read_bytes_or_none(free) != data:
        number += 1
        free = f"{target}.{number}"
    _files.write_atomic(free, data, 0o400)
    return free


def _check(systemd: Systemd, unit: Unit, obstacles: t.Sequence[str], dropin_path: str, dropin: str) -> None:
    """Refuse where it is not certain what would happen."""
    is_other = os.path.islink(unit.path) or _files.read_bytes_or_none(unit.path) != _bytes(unit.text)
    if not unit.original or obstacles or is_other:
        text = f"{unit.path} was to be repaired, but it is another file now"
        raise TlsError(text, hint="Run again.", code="file-changed")
    if unit.packaged_path and _files.read_bytes_or_none(unit.packaged_path) != _bytes(unit.original):
        raise TlsError(f"{unit.packaged_path} is another file now", hint="Run again.", code="file-changed")
    if systemd.show().service.need_daemon_reload:
        raise TlsError(
            f"{unit.path} or a drop-in of it was changed after systemd had read it, so the files differ from the settings in effect",
            hint="Run systemctl daemon-reload on that host, check Docker's effective command, then run again.",
            code="unit-not-loaded",
        )
    # One with the same content is from a run that was killed here.
    if os.path.lexists(dropin_path) and _files.read_bytes_or_none(dropin_path) != _bytes(dropin):
        raise TlsError(
            f"{dropin_path} is there already, and {unit.path} was edited again since",
            hint="Put the new edit into that drop-in by hand, and restore the unit of the package.",
            code="dropin-foreign",
        )


def _effect(systemd: Systemd) -> dict[str, t.Any]:
    """Return what systemd would start, and that the Docker that runs is the same."""
    commands = [list(entry[:2]) for entry in json.loads(systemd.exec_start()).get("data") or []]
    shown = dict(line.partition("=")[::2] for line in systemd.properties(_PROPERTIES).splitlines())
    words = {name: sorted(value.split()) for name, value in shown.items()}
    return {"ExecStart": commands, **words}


def _difference(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> str:
    return ", ".join(name for name in {**before, **after} if before.get(name) != after.get(name))


def _links_to(unit: Unit, unit_directory: str) -> list[str]:
    """Return the links (WantedBy) that lead to a copy that goes away."""
    links = glob.glob(os.path.join(glob.escape(unit_directory), "*.*", os.path.basename(unit.path)))
    return [
        link
        for link in links
        if unit.packaged_path
        and os.path.islink(link)
        and os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link))) == unit.path
    ]


def _roll_back(systemd: Systemd, unit: Unit, status: os.stat_result, dropin_path: str, links: t.Iterable[str]) -> None:
    """Restore the former files."""
    _files.write_atomic(unit.path, _bytes(unit.text), status.st_mode & 0o7777, status.st_uid, status.st_gid)
    for link in links:
        _files.symlink_atomic(unit.path, link)
    if dropin_path:
        with contextlib.suppress(OSError):
            os.unlink(dropin_path)
            os.rmdir(os.path.dirname(dropin_path))  # where it is empty now
    systemd.daemon_reload()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
