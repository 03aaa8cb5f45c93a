# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that systemd starts dockerd with, derived without -H.

Why from the unit's files and not from ``busctl get-property … ExecStart`` alone: on the second run the effective command
is our own drop-in's, so the vendor's (which a package upgrade may have changed) is only in the files; and the raw spelling
of quotes, ``%`` and ``$VAR`` needs no re-escaping when it is never unescaped. busctl decides whether it is correct: see ``mismatch``.
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .command_line import (
    Flag,
    Word,
    braced_variables,
    expand_braced,
    expand_specifiers,
    find_flags,
    quote_word,
    specifier_pattern,
    split_command,
    split_value,
    unknown_specifier,
    whole_variable,
)
from .daemon_json import ENDPOINT_KEYS
from .findings import Finding, error, warning
from .running_daemon import DEFAULT_CONFIG_PATH, DEFAULT_PATH, same_socket, socket_of
from .unit_file import UnitModel, Variable

DEFAULT_SOCKET = f"unix://{DEFAULT_PATH}"
HOST_FLAGS = frozenset({"host"})
# dockerd refuses a setting that is both a flag and a key of daemon.json (dockerd-facts 1.4); only this name differs.
_FLAG_OF_KEY = {"hosts": "host"}
ENDPOINT_FLAGS = frozenset(_FLAG_OF_KEY.get(key, key) for key in ENDPOINT_KEYS)
_PREFIXES = "-@:+!|"
_SHELLS = {"sh", "bash", "dash", "ash", "busybox", "zsh", "ksh"}


@dataclass(frozen=True)
class FlagUse:
    """A flag of dockerd in the effective command: long name without dashes, its value (None: none), where it stands."""

    name: str
    value: str | None
    source: str  # path of the unit file, or "DOCKER_OPTS in /etc/default/docker"
    stripped: bool

    def text(self) -> str:
        """Return the flag as one would write it, with its place."""
        written = f"--{self.name}" if self.value is None else f"--{self.name}={self.value}"
        return f"{written} ({self.source})"


@dataclass(frozen=True)
class Derivation:
    """The command without the stripped flags, and all that was learned on the way."""

    command: str  # raw value for ExecStart=, one line
    original: str  # the raw value that it was derived from
    digest: str  # sha256 hex of the original and of the environment values that were written out
    changed: bool  # False: nothing to strip, no override is needed
    hosts: tuple[str, ...]  # values of the stripped -H/--host, in order
    flags: tuple[FlagUse, ...]  # all flags of the effective command (environment included), stripped ones too
    inlined: tuple[str, ...]  # "DOCKER_OPTS in /etc/default/docker": variables written out
    config_path: str  # the daemon.json that dockerd reads
    arguments: tuple[str, ...]  # after stripping, variables expanded; for dockerd --validate
    binary: str  # path of dockerd
    notes: tuple[Finding, ...]  # warnings: variables written out, TCP listeners dropped


@dataclass(frozen=True)
class _Argument:
    """One argument as dockerd gets it, and the word of the unit file that it comes from."""

    value: str
    word: int
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Command:
    """A raw command taken apart: ``words[:start]`` is the program (with argv[0] where the @ prefix is used)."""

    words: tuple[Word, ...]
    start: int
    binary: str
    expands: bool


def derive(
    model: UnitModel, environment: t.Mapping[str, Variable], strip: t.Collection[str] = HOST_FLAGS
) -> Derivation:
    """Return the unit's command without the flags ``strip`` (long names), everything else spelled as it was.

    A variable whose value holds such a flag is written out without it (later edits of that variable in its file then take
    effect at the next run: reported in ``notes``); every other variable stays a reference, so its file keeps working.
    Raises TlsError ``unit-unsupported`` (no ExecStart or several, not dockerd, a shell, a quote that is not closed, a
    specifier such as %i in a listener).
    """
    command = _take_apart(model)
    arguments = _expand(command, environment)
    flags = find_flags([argument.value for argument in arguments])
    removed = [flag for flag in flags if flag.name in strip]
    _require_known(command, arguments, [*removed, *(flag for flag in flags if flag.name == "config-file")])
    rests = {index: "" for flag in removed for index in range(flag.first, flag.last + 1)}
    rests.update({flag.first: flag.rest for flag in removed})
    text, inlined = _spell(command, arguments, rests, environment)
    uses = tuple(_use(flag, arguments, model, environment, flag in removed) for flag in flags)
    hosts = tuple(use.value or "" for use in uses if use.name == "host" and use.stripped)
    original = model.commands[0]
    return Derivation(
        command=text if removed else original,
        original=original,
        digest=_digest(command, inlined),
        changed=bool(removed),
        hosts=hosts,
        flags=uses,
        inlined=tuple(f"{variable.name} in {variable.source}" for variable in inlined),
        config_path=([u.value for u in uses if u.name == "config-file" and u.value] or [DEFAULT_CONFIG_PATH])[-1],
        arguments=tuple(_remaining(dict(enumerate(arguments)), rests)),
        binary=command.binary,
        notes=_notes(uses, inlined),
    )


def conflicts(derivation: Derivation, keys: t.Iterable[str]) -> tuple[FlagUse, ...]:
    """Return the flags that stay in the command and that dockerd refuses together with ``keys`` of daemon.json."""
    names = {_FLAG_OF_KEY.get(key, key) for key in keys}
    return tuple(use for use in derivation.flags if use.name in names and not use.stripped)


def unread_config(derivation: Derivation, path: str) -> tuple[Finding, ...]:
    """Refuse another daemon.json than the one that dockerd reads: it would be restarted for nothing, and again in each run."""
    if os.path.realpath(derivation.config_path) == os.path.realpath(path):
        return ()
    text = f"the daemon.json that is to be changed is {path}, and the unit makes dockerd read {derivation.config_path}"
    hint = "Leave docker_daemon_config_path (config_path of the module endpoint) empty; or give the unit --config-file with this path first."
    return (error("config-path-not-read", text, hint),)


def mismatch(command: str, busctl_json: str) -> str:
    """Compare a raw command with ``busctl --json=short get-property … ExecStart``; return "" or what differs.

    Use it after daemon-reload and before the restart (and at the start, when NeedDaemonReload is no) to verify the parser.
    """
    words = split_command(command)
    entries = json.loads(busctl_json).get("data") or []
    if len(entries) != 1:
        return f"systemd has {len(entries)} commands where the unit's files have one"
    found = list(entries[0][1])
    program = words[0].value.lstrip(_PREFIXES)
    named = "@" in _prefixes(words[0])
    expected = [word.value for word in (words[1:] if named else [Word(program, program), *words[1:]])]
    if len(found) != len(expected):
        return f"systemd has {len(found)} arguments {found!r}, the unit's files give {len(expected)}: {expected!r}"
    for index, (have, want) in enumerate(zip(found, expected)):
        if not specifier_pattern(want).fullmatch(have):
            return f"argument {index} is {have!r} for systemd and {want!r} by the unit's files"
    return ""


def local_hosts(
    hosts: t.Sequence[str], socket_usable: bool = True, streams: t.Sequence[str] = ("/run/docker.sock",)
) -> tuple[str, ...]:
    """Return the local entries for daemon.json's hosts: ``fd://`` where the unit had it, Unix sockets that it had, else
    Docker's default socket. Without one of them every local client hangs (dockerd-facts 1.5).

    ``socket_usable``: whether docker.socket is there and not masked; without it ``fd://`` cannot work. ``streams``: what it
    listens on; dockerd would unlink a socket that systemd holds, so such a path is not given to dockerd as well.
    """
    activated = [host for host in hosts if host.startswith("fd://")] if socket_usable else []
    sockets = [host for host in hosts if host.startswith("unix://")]
    if activated:
        sockets = [host for host in sockets if not any(same_socket(socket_of(host), stream) for stream in streams)]
    return tuple(dict.fromkeys([*activated, *sockets])) or (DEFAULT_SOCKET,)


def _take_apart(model: UnitModel) -> _Command:
    if len(model.commands) != 1:
        raise _unsupported(f"the unit has {len(model.commands)} ExecStart commands where one was expected")
    words = split_command(model.commands[0])
    if any(word.raw == ";" for word in words):
        raise _unsupported(f"ExecStart in {model.command_path} holds several commands: {model.commands[0]}")
    prefixes = _prefixes(words[0])
    binary = words[0].value[len(prefixes) :]
    program = os.path.basename(binary)
    if program in _SHELLS:
        why = "so dockerd's flags cannot be seen"
        raise _unsupported(f"ExecStart in {model.command_path} starts a shell ({binary}), {why}")
    if program != "dockerd":
        raise _unsupported(f"ExecStart in {model.command_path} starts {binary or 'nothing'}, not dockerd")
    return _Command(tuple(words), 2 if "@" in prefixes else 1, binary, ":" not in prefixes)


def _unsupported(message: str) -> TlsError:
    return TlsError(
        message,
        hint="Give the unit one ExecStart that starts dockerd itself (systemctl cat shows all its files); nothing was changed.",
        code="unit-unsupported",
    )


def _prefixes(word: Word) -> str:
    return word.value[: len(word.value) - len(word.value.lstrip(_PREFIXES))]


def _expand(command: _Command, environment: t.Mapping[str, Variable]) -> list[_Argument]:
    """Return the arguments that dockerd gets, without the program."""
    values = {name: variable.value for name, variable in environment.items()}
    found: list[_Argument] = []
    for index, word in enumerate(command.words):
        if index < command.start:
            continue
        value = expand_specifiers(word.value)
        name = whole_variable(value) if command.expands else None
        if name is not None:
            found += [_Argument(part, index, (name,)) for part in split_value(values.get(name, ""))]
        elif command.expands:
            found.append(_Argument(expand_braced(value, values), index, tuple(braced_variables(value))))
        else:
            found.append(_Argument(value, index))
    return found


def _require_known(command: _Command, arguments: t.Sequence[_Argument], flags: t.Iterable[Flag]) -> None:
    """Refuse a specifier whose value is not known here, in a flag whose value is needed: daemon.json has no specifiers."""
    for flag in flags:
        for index in (flag.first, flag.last):
            word = command.words[arguments[index].word]
            sign = unknown_specifier(word.value)
            if sign:
                raise _unsupported(f"ExecStart has the specifier {sign} in {word.raw}, whose value is not known here")


def _remaining(arguments: t.Mapping[int, _Argument], rests: t.Mapping[int, str]) -> list[str]:
    """Return the values of the arguments with the removed ones left out (or what remains of them)."""
    kept = {index: rests.get(index, argument.value) for index, argument in arguments.items()}
    return [value for index, value in kept.items() if value or index not in rests]


def _spell(
    command: _Command,
    arguments: t.Sequence[_Argument],
    rests: t.Mapping[int, str],
    environment: t.Mapping[str, Variable],
) -> tuple[str, tuple[Variable, ...]]:
    """Return the command as ExecStart= needs it, and the variables whose values are now written out in it."""
    touched = {arguments[index].word for index in rests}
    pieces: list[str] = []
    inlined: dict[str, Variable] = {}
    for index, word in enumerate(command.words):
        if index not in touched:
            pieces.append(word.raw)
            continue
        own = {number: argument for number, argument in enumerate(arguments) if argument.word == index}
        pieces += [quote_word(value, expands_variables=command.expands) for value in _remaining(own, rests)]
        inlined.update({n: environment[n] for a in own.values() for n in a.variables if n in environment})
    return " ".join(pieces), tuple(inlined.values())


def _use(
    flag: Flag,
    arguments: t.Sequence[_Argument],
    model: UnitModel,
    environment: t.Mapping[str, Variable],
    stripped: bool,
) -> FlagUse:
    names = [n for index in (flag.first, flag.last) for n in arguments[index].variables if n in environment]
    places = [f"{name} in {environment[name].source}" for name in dict.fromkeys(names)]
    return FlagUse(flag.name, flag.value, ", ".join(places) or model.command_path, stripped)


def _digest(command: _Command, inlined: t.Iterable[Variable]) -> str:
    lines = [word.raw for word in command.words] + [f"{variable.name}={variable.value}" for variable in inlined]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _notes(uses: t.Iterable[FlagUse], inlined: t.Iterable[Variable]) -> tuple[Finding, ...]:
    found = [
        warning(
            "environment-inlined",
            f"the variable {variable.name} in {variable.source} names a listener or TLS setting, which moves to daemon.json; "
            "the rest of its value is written in the drop-in",
            f"Remove the setting from {variable.source}: until then a change of {variable.name} there works only after the "
            "next run of this role.",
        )
        for variable in inlined
    ]
    for use in uses:
        text = f"{use.text()} is replaced by the endpoint set up here"
        if use.stripped and use.name != "host":
            found.append(warning("flag-replaced", f"dockerd's flag {text}"))
        elif use.stripped and not is_local(use.value or ""):
            found.append(warning("listener-replaced", f"the listener {text}"))
    return tuple(found)


def is_local(host: str) -> bool:
    """Return whether a value of -H is one of dockerd's local listeners."""
    return host.startswith(("fd://", "unix://"))
