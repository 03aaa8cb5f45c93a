# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of dockerd: its words in a unit, and its flags.

Source: systemd.service(5) "COMMAND LINES", systemd.syntax(7) "QUOTING",
systemd src/basic/extract-word.c, escape.c (cunescape_one), env-util.c (replace_env_argv); tests compare with
``busctl`` and with the argv of a running service on systemd 247, 252, 257.

Source: pflag parseLongArg/parseSingleShortArg; ``dockerd --help`` of 20.10.24, 26.1.5
and 28.5.2 (measured) for which flags take a value.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError

WHITESPACE = " \t\n\r"
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ",
    "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip
_NUMERIC = re.compile(r"x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<o>[0-7]{3})")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+^~-]+")
_SPECIFIER = re.compile(r"%(.)", re.DOTALL)
# systemd.unit(5) SPECIFIERS, for the system manager; those that depend on the unit or the host are left out.
_SPECIFIERS = {
    "%": "%", "t": "/run", "E": "/etc", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "h": "/root", "u": "root",
    "U": "0", "g": "root", "G": "0",
}  # fmt: skip
_BRACED = re.compile(r"\$(?:\$|\{(?P<name>[^}]*)\})")


@dataclass(frozen=True)
class Word:
    """One word: ``raw`` as it is spelled in the unit file, ``value`` without quotes and escapes (``%`` and ``$`` as spelled)."""

    raw: str
    value: str


def split_words(text: str) -> list[Word]:
    """Split the right side of ExecStart= or Environment= as systemd does.

    An unknown escape sequence keeps its backslash. Raises TlsError ``unit-unsupported`` for a quote that is not closed.
    """
    words: list[Word] = []
    position = _skip(text, 0)
    while position < len(text):
        end, value = _read_word(text, position)
        words.append(Word(text[position:end], value))
        position = _skip(text, end)
    return words


def split_command(text: str) -> list[Word]:
    """Split the right side of ExecStart=, where the word ``\\;`` means a semicolon. Errors as ``split_words``."""
    return [Word(word.raw, ";") if word.raw == "\\;" else word for word in split_words(text)]


def split_value(text: str) -> list[str]:
    """Split the value of ``$VARIABLE`` as systemd does: quotes group, a backslash takes the next character literally.

    Nothing is an error here (systemd: EXTRACT_RELAX): an open quote ends with the text.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
            word = (word or "") + text[position : position + 1]
        elif quote:
            if character == quote:
                quote = ""
            else:
                word = (word or "") + character
        elif character in "'\"":
            quote = character
            word = word or ""
        elif character in WHITESPACE:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + character
        position += 1
    return words if word is None else [*words, word]


def quote_word(text: str, *, expands_variables: bool = True) -> str:
    """Return a spelling that systemd reads back as exactly ``text``, whatever it holds (but NUL).

    ``expands_variables``: False for a command with the ``:`` prefix, where ``$`` means itself.
    """
    escaped = text.replace("%", "%%")
    if expands_variables:
        escaped = escaped.replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return escaped
    return '"' + "".join(_escape_character(character) for character in escaped) + '"'


def expand_specifiers(value: str) -> str:
    """Return the word with ``%%`` as ``%`` and the system manager's directories put in; other specifiers stay."""
    return _SPECIFIER.sub(lambda match: _SPECIFIERS.get(match[1], match[0]), value)


def unknown_specifier(value: str) -> str:
    """Return the first specifier that ``expand_specifiers`` leaves, "" where there is none."""
    return next((match[0] for match in _SPECIFIER.finditer(value) if match[1] not in _SPECIFIERS), "")


def specifier_pattern(value: str) -> re.Pattern[str]:
    """Return the possible values of the word after systemd has expanded its specifiers."""
    pieces = re.split(r"(%.)", value, flags=re.DOTALL)
    parts = [
        "%" if piece == "%%" else ".*" if re.fullmatch(r"%.", piece, re.DOTALL) else re.escape(piece)
        for piece in pieces
    ]
    return re.compile("".join(parts), re.DOTALL)


def whole_variable(value: str) -> str | None:
    """Return NAME where the word is ``$NAME``, which systemd replaces by zero or more words; else None."""
    if value.startswith("$") and not value.startswith(("$$", "${")):
        return value[1:]
    return None


def expand_braced(value: str, environment: t.Mapping[str, str]) -> str:
    """Return the word with each ``${NAME}`` replaced (unset: nothing) and each ``$$`` as ``$``; always one word."""
    return _BRACED.sub(lambda match: "$" if match["name"] is None else environment.get(match["name"], ""), value)


def braced_variables(value: str) -> list[str]:
    """Return the names in ``${NAME}`` of a word."""
    return [match["name"] for match in _BRACED.finditer(value) if match["name"] is not None]


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in WHITESPACE:
        position += 1
    return position


def _read_word(text: str, start: int) -> tuple[int, str]:
    """Return (end of the word that begins at ``start``, its value)."""
    value, quote, position = "", "", start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position, piece = _read_escape(text, position + 1)
            value += piece
            continue
        if quote:
            if character == quote:
                quote = ""
            else:
                value += character
        elif character in "'\"":
            quote = character
        elif character in WHITESPACE:
            break
        else:
            value += character
        position += 1
    if quote:
        raise TlsError(
            f"a command line of the unit has a {quote} that is not closed: {text[start:]!r}",
            hint="Correct the unit or drop-in; systemd ignores such a line.",
            code="unit-unsupported",
        )
    return position, value.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _read_escape(text: str, position: int) -> tuple[int, str]:
    """Return (position after the escape sequence whose backslash is just before ``position``, its character)."""
    character = text[position : position + 1]
    if character in _ESCAPES:
        return position + 1, _ESCAPES[character]
    match = _NUMERIC.match(text, position)
    code = int(match["x"] or match["u"] or match["U"] or "0", 16) if match else 0
    if match and match["o"]:
        code = int(match["o"], 8)
    if match and 127 < code < 256 and (match["x"] or match["o"]):
        return match.end(), chr(0xDC00 + code)  # a byte, not a character: several may make one together
    if match and 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 and not (match["o"] and code > 255):
        return match.end(), chr(code)
    return position + 1, "\\" + character


def _escape_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character < " " or character == "\x7f":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\x{ord(character):02x}")
    return character


# Flags that take no value unless written --flag=value.
BOOLEAN_FLAGS = frozenset(
    """
    allow-direct-routing cri-containerd debug disable-legacy-registry experimental help icc init ip-forward
    ip-forward-no-drop ip-masq ip6tables iptables ipv6 live-restore no-new-privileges raw-logs rootless selinux-enabled
    tls tlsverify userland-proxy validate version
    """.split()
)
# Short flags: the long name, and whether a value follows.
SHORT_FLAGS = {
    "D": ("debug", False),
    "h": ("help", False),
    "v": ("version", False),
    "H": ("host", True),
    "l": ("log-level", True),
    "G": ("group", True),
    "b": ("bridge", True),
    "e": ("exec-driver", True),
    "g": ("graph", True),
    "p": ("pidfile", True),
    "s": ("storage-driver", True),
}


@dataclass(frozen=True)
class Flag:
    """One flag: its long name, its value (None: it has none), and the arguments that it is written in.

    ``first`` and ``last`` are the indexes of the first and last argument that belong to it. ``rest`` is what remains of
    argument ``first`` without this flag, when it stands in a group of short flags (``-D`` of ``-DH``), else "".
    """

    name: str
    value: str | None
    first: int
    last: int
    rest: str = ""


def find_flags(arguments: t.Sequence[str]) -> list[Flag]:
    """Return the flags in ``arguments`` (without the program) in order; what follows ``--`` is not a flag."""
    found: list[Flag] = []
    index = 0
    while index < len(arguments) and arguments[index] != "--":
        argument = arguments[index]
        following = arguments[index + 1] if index + 1 < len(arguments) else None
        if argument.startswith("--"):
            flags = [_long_flag(argument, following, index)]
        elif argument.startswith("-") and len(argument) > 1:
            flags = _short_flags(argument, following, index)
        else:
            flags = []
        found += flags
        index = max([index, *(flag.last for flag in flags)]) + 1
    return found


def _long_flag(argument: str, following: str | None, index: int) -> Flag:
    name, equals, value = argument[2:].partition("=")
    if equals:
        return Flag(name, value, index, index)
    if name in BOOLEAN_FLAGS or following is None:
        return Flag(name, None, index, index)
    if following.startswith("-") and name not in _VALUED_FLAGS:  # of a newer dockerd: more likely a switch
        return Flag(name, None, index, index)
    return Flag(name, following, index, index + 1)


def _short_flags(argument: str, following: str | None, index: int) -> list[Flag]:
    """Read a group such as -DH fd://, -Hfd:// or -H=fd://."""
    found: list[Flag] = []
    letters = argument[1:]
    for position, letter in enumerate(letters):
        name, takes_value = SHORT_FLAGS.get(letter, (letter, False))
        rest = "-" + letters[:position] if position else ""
        after = letters[position + 1 :]
        if len(after) > 1 and after.startswith("="):
            return [*found, Flag(name, after[1:], index, index, rest)]
        if not takes_value:
            found.append(Flag(name, None, index, index))
            continue
        if after:
            return [*found, Flag(name, after, index, index, rest)]
        if following is None:
            return [*found, Flag(name, None, index, index, rest)]
        return [*found, Flag(name, following, index, index + 1, rest)]
    return found


_VALUED_FLAGS = frozenset(
    """
    add-runtime allow-nondistributable-artifacts api-cors-header authorization-plugin bip bip6 bridge
    cdi-spec-dir cgroup-parent cluster-advertise cluster-store cluster-store-opt config-file containerd
    containerd-namespace containerd-plugins-namespace cpu-rt-period cpu-rt-runtime data-root default-address-pool
    default-cgroupns-mode default-gateway default-gateway-v6 default-ipc-mode default-network-opt default-runtime
    default-shm-size default-stop-timeout default-ulimit dns dns-opt dns-search exec-opt exec-root feature
    firewall-backend fixed-cidr fixed-cidr-v6 graph group host host-gateway-ip http-proxy https-proxy init-path
    insecure-registry ip isolation label log-driver log-format log-level log-opt max-concurrent-downloads
    max-concurrent-uploads max-download-attempts metrics-addr mtu network-control-plane-mtu network-diagnostic-port
    no-proxy node-generic-resource oom-score-adjust pidfile registry-mirror seccomp-profile shutdown-timeout
    storage-driver storage-opt swarm-default-advertise-addr tlscacert tlscert tlskey userland-proxy-path userns-remap
    """.split()
)
