# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rights of access groups: rules, presets, and the rights that are made of both.

A path is written as Docker's API reference writes it: ``/containers/{id}/json``. The version prefix (``/v1.41``) is implied.
A placeholder stands for one path segment; where the API puts the name of an image or a plugin, for one or more, because these
names contain slashes. A rule becomes a regular expression for the *raw* path of a request, anchored at both ends.

Why raw and why an allow list (measured with dockerd 20.10 and 26.1): dockerd decodes ``%2f`` and ``%63`` before it routes, so a deny
list of raw paths can be passed. Here a request whose path contains anything else than the characters below matches no rule.

What each shows is a decision, not only a list. In none but ``full``: contents of files (``archive``, ``export``, ``images/get``), a way into
a container (``exec``, ``attach``; ``GET attach/ws`` takes input too), swarm's tokens, configs and secrets, output of containers (``logs``).
``containers/{id}/json`` shows the environment of containers, volumes (also in ``system/df``) their mount options, and the history of an image
its build arguments: all can contain passwords. ``read-only`` and ``prometheus`` have none of them; the other presets only those that they need.

Sources: Docker Engine API reference 1.41 to 1.48; the requests that the tools were seen to make, or make by their source.

A user writes them by group: ``{operators: full, grafana: monitoring, deploy: {preset: ci, rules: [...]}}``.
A group without an entry has the right ``full``, as with dockerd's own listener.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")

_LITERAL = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]*")
_PLACEHOLDER = re.compile(r"\{[a-zA-Z][a-zA-Z0-9_]*\}")
_NAME = re.compile(r"^(/(?:containers|exec)/)[^/]+(/.*)$")
_VERSION = re.compile(r"v[0-9]+(\.[0-9]+)?")
#: dockerd's names and identifiers: they begin with a letter, a digit or ``_``, so ``.`` and ``..`` are none of them.
_SEGMENT = "[a-zA-Z0-9_][a-zA-Z0-9_.:@-]*"
_SEVERAL = f"{_SEGMENT}(/{_SEGMENT})*"
#: Optional in front of every path; dockerd takes ``/containers/json`` and ``/v1.41/containers/json``.
VERSION_PREFIX = "(/v[0-9]+[.][0-9]+)?"
#: Paths that have names with slashes: ``/images/registry.example.org/team/app/json``.
_WITH_SLASHES = ("images", "distribution", "plugins")
#: Where the second segment is a name. Elsewhere a placeholder would stand for words of the API, as in ``/swarm/unlockkey``.
_OTHERS = "containers exec networks volumes services tasks nodes secrets configs".split()
_NAMED = (*_WITH_SLASHES, *_OTHERS)
_MAXIMUM_PATH = 200

#: Paths that only the unfiltered connection can carry (see ``config``): it has no rights but all.
_UNFILTERED = ("/session", "/grpc")
#: ``docker exec``: HAProxy before 3.0.11 drops its Upgrade header in HTTP mode (haproxy#2684), and its input is lost.
EXEC_START = "/exec/{}/start"
#: Connections that dockerd takes over (101 Switching Protocols) and that a filtered connection carries.
_TAKEN_OVER = ("/containers/{}/attach", "/containers/{}/attach/ws", EXEC_START)

#: Paths that match only without a query. ``top?ps_args=eww`` makes ``ps`` print the environment of each process (measured).
_WITHOUT_QUERY = ("/containers/{}/top",)

#: Paths whose query may choose only the classic builder. A build by BuildKit (``version=2``) can mount caches, which all clients share.
_BUILDS = ("/build",)
#: A URL without an encoded name of a parameter: dockerd decodes them, and before Go 1.17 it separates parameters at ``;`` as well.
PLAIN_QUERY = r"^[^?#]*([?]([a-zA-Z0-9_.-]+(=[^&;#]*)?)?(&([a-zA-Z0-9_.-]+(=[^&;#]*)?)?)*)?$"
#: A parameter ``version`` that is neither empty nor 1.
OTHER_BUILDER = "[?&]version=([^1&]|1[^&])"

_EXAMPLE = "Write it as Docker's API reference does, for example /containers/{id}/json."


@dataclass(frozen=True)
class Rule:
    """Methods and the path they may be used on; ``path`` as it was written."""

    methods: tuple[str, ...]
    path: str

    @property
    def shape(self) -> str:
        """The path with ``{}`` for the name in it, whether that is a placeholder or the name of one container."""
        return _NAME.sub(r"\1{}\2", self.path)

    @property
    def takes_connection_over(self) -> bool:
        """Whether dockerd answers with 101, so that the request has to keep its Upgrade header."""
        return self.shape in _TAKEN_OVER

    @property
    def excludes_query(self) -> bool:
        """Whether a request with a query does not match, because the query could ask for more than the path."""
        return self.shape in _WITHOUT_QUERY

    @property
    def builds(self) -> bool:
        """Whether the query has to be examined, because it can choose BuildKit."""
        return self.shape in _BUILDS

    @property
    def expression(self) -> str:
        """The regular expression for the raw path, anchored at both ends."""
        segments = self.path[1:].split("/")
        several = segments[0] in _WITH_SLASHES
        parts = [(_SEVERAL if several else _SEGMENT) if each.startswith("{") else re.escape(each) for each in segments]
        return f"^{VERSION_PREFIX}/{'/'.join(parts)}$"


def parse_rule(value: t.Any, where: str) -> Rule:
    """Return the rule that a user wrote as ``{methods: [GET], path: /containers/json}``.

    ``where`` names the option in messages. Raises TlsError ``rights-rule-invalid``.
    """
    if not isinstance(value, t.Mapping) or set(value) != {"methods", "path"}:
        raise _invalid_rule(
            where, value, "is not a dictionary of methods and path", "Write {methods: [GET], path: /info}."
        )
    return Rule(_methods(value["methods"], where), _path(value["path"], where, value["methods"]))


def _invalid_rule(where: str, value: t.Any, problem: str, hint: str) -> TlsError:
    text = repr(value)
    shown = text if len(text) <= _MAXIMUM_PATH else text[:_MAXIMUM_PATH] + "…"
    return TlsError(f"{where}: {shown} {problem}", hint=hint, code="rights-rule-invalid")


def _methods(value: t.Any, where: str) -> tuple[str, ...]:
    hint = f"Write a list of one or more of {', '.join(METHODS)}."
    if not isinstance(value, (list, tuple)) or not value:
        raise _invalid_rule(where, value, "is not a list of HTTP methods", hint)
    for method in value:
        if method not in METHODS:
            raise _invalid_rule(where, method, "is not one of Docker's HTTP methods in upper case", hint)
    return tuple(dict.fromkeys(value))


def _path(value: t.Any, where: str, methods: t.Sequence[str]) -> str:
    if not isinstance(value, str) or not value.startswith("/") or len(value) > _MAXIMUM_PATH:
        raise _invalid_rule(where, value, "is not a path that begins with /", _EXAMPLE)
    for problem, hint in _problems(value, methods):
        raise _invalid_rule(where, value, problem, hint)
    return value


def _problems(path: str, methods: t.Sequence[str]) -> t.Iterator[tuple[str, str]]:
    """Yield what is wrong with a path, and what to write instead."""
    segments = path[1:].split("/")
    first = segments[0]
    if _VERSION.fullmatch(first):
        yield "has an API version; rules hold for all versions", f"Write {path[len(first) + 1 :] or '/info'}."
    for segment in segments:
        if not _LITERAL.fullmatch(segment) and not _PLACEHOLDER.fullmatch(segment):
            yield _problem_of_segment(segment)
    if first.startswith("{"):
        yield "is too wide: it begins with a placeholder", _EXAMPLE
    yield from _too_wide(segments, methods)
    if path in _UNFILTERED:
        problem = "cannot be allowed by a rule: BuildKit needs a connection that the proxy does not filter"
        yield problem, "Give the group the right full, or build with DOCKER_BUILDKIT=0 and the preset ci."


def _too_wide(segments: t.Sequence[str], methods: t.Sequence[str]) -> t.Iterator[tuple[str, str]]:
    """A placeholder may stand for a name, and never for a word of the API: it would match what its author did not think of.

    A second one in a name with slashes would also take time that grows with each further one.
    """
    first, several = segments[0], segments[0] in _WITH_SLASHES
    names = [number for number, segment in enumerate(segments) if segment.startswith("{")]
    if names and first not in _NAMED:
        problem = f"is too wide: /{first}/ is followed by words of the API and not by names"
        yield problem, "Write each path out, for example /swarm/unlockkey."
    if len(names) > 1 or (names and names != [1] and not several):
        problem = "is too wide: only the name may be a placeholder, and there is one name in a path"
        yield problem, f"Write the other segments out, for example /{first}/{{name}}/json."
    if names != [len(segments) - 1]:
        return
    # GET /images/{name} is also /images/x/get, which is every file.
    if several and set(methods) != {"DELETE"}:
        problem = f"is too wide: names of {first} contain slashes, so it matches every path below /{first}/"
        yield problem, f"Write the action too, for example /{first}/{{name}}/json; only DELETE can end with the name."
    if "POST" in methods:
        problem = f"is too wide: POST with a name at the end matches /{first}/create and /{first}/prune"
        yield problem, f"Write the action too, for example /{first}/{{name}}/restart, or the path that is meant."


def _problem_of_segment(segment: str) -> tuple[str, str]:
    if not segment:
        return "has an empty path segment", f"Remove the double slash or the slash at its end. {_EXAMPLE}"
    if "%" in segment:
        return "has an encoded character; requests with encoded characters are never allowed", _EXAMPLE
    if set(segment) == {"."}:
        return f"has the path segment {segment!r}", _EXAMPLE
    if "?" in segment or "#" in segment:
        return "has a query; rules are about the path only", _EXAMPLE
    hint = "Regular expressions and wildcards are not supported: write a placeholder such as {id} for a name."
    return f"has the path segment {segment!r}, which is neither plain text nor one placeholder", f"{hint} {_EXAMPLE}"


FULL = "full"

_READ = ("GET", "HEAD")


def _reads(*paths: str) -> tuple[Rule, ...]:
    return tuple(Rule(_READ, path) for path in paths)


#: What every client sends first, to learn the API's version; all rights have it.
PING = Rule(_READ, "/_ping")
_HELLO = (PING, *_reads("/version"))

#: State of the host and its containers. Command lines and labels are in it (``containers/json``, ``events``, ``top``).
_READ_ONLY = _HELLO + _reads(
    "/info",
    "/events",
    "/containers/json",
    "/containers/{id}/stats",
    "/containers/{id}/top",
    "/images/json",
    "/networks",
    "/networks/{id}",
)

#: Adds a container's health and restart count, and the name of its image (Glances, Datadog): both stand beside the environment.
_MONITORING = (*_READ_ONLY, *_reads("/containers/{id}/json", "/images/{name}/json"))

#: Traefik's and Homepage's provider: labels, addresses, events.
_DISCOVERY = _HELLO + _reads(
    "/info",
    "/events",
    "/containers/json",
    "/containers/{id}/json",
    "/containers/{id}/stats",
    "/networks",
    "/networks/{id}",
)

#: Prometheus' docker_sd_configs lists containers and networks.
_PROMETHEUS = _HELLO + _reads("/containers/json", "/networks")

#: Portainer's pages and its snapshots, read-only. Its buttons get Docker's error; logs, console and files are not in it.
_PORTAINER = (
    *_MONITORING,
    *_reads(
        "/containers/{id}/changes",
        "/images/{name}/history",
        "/system/df",
        "/volumes",
        "/volumes/{name}",
        "/plugins",
    ),
)

#: Build (classic builder), pull, tag, push and remove images. No container is created or entered by the API.
_CI = (
    *_HELLO,
    *_reads("/info", "/images/json", "/images/{name}/json", "/images/{name}/history", "/distribution/{name}/json"),
    Rule(("POST",), "/auth"),
    Rule(("POST",), "/build"),
    Rule(("POST",), "/images/create"),
    Rule(("POST",), "/images/{name}/push"),
    Rule(("POST",), "/images/{name}/tag"),
    Rule(("DELETE",), "/images/{name}"),
)

PRESETS: t.Mapping[str, tuple[Rule, ...]] = {
    "read-only": _READ_ONLY,
    "monitoring": _MONITORING,
    "discovery": _DISCOVERY,
    "prometheus": _PROMETHEUS,
    "portainer": _PORTAINER,
    "ci": _CI,
}


_KEYS = {"preset", "rules"}
_MAXIMUM_RULES = 200


@dataclass(frozen=True)
class Rights:
    """``name`` is for messages: full, the name of a preset, ``rules``, or ``ci + rules``. ``rules`` is empty for ``full``."""

    name: str
    rules: tuple[Rule, ...] = ()

    @property
    def is_full(self) -> bool:
        return self.name == FULL


ALL = Rights(FULL)


def parse_rights(value: t.Any, where: str) -> Rights:
    """Return the rights that ``value`` describes.

    ``where`` names the option in messages. Raises TlsError ``rights-invalid``, ``rights-unknown`` and ``rights-rule-invalid``.
    """
    if isinstance(value, str):
        return ALL if value == FULL else Rights(value, _preset(value, where))
    if not isinstance(value, t.Mapping) or not value or not set(value) <= _KEYS:
        raise _invalid(where, value)
    name, rules = value.get("preset"), value.get("rules", [])
    if not isinstance(rules, (list, tuple)) or len(rules) > _MAXIMUM_RULES or ("rules" in value and not rules):
        raise _invalid(where, value)
    if name == FULL:
        raise TlsError(
            f"{where} has the preset full together with rules, but full has no limit that rules could widen",
            hint="Write full alone, or another preset.",
            code="rights-invalid",
        )
    own = tuple(parse_rule(each, f"{where}, rule {number}") for number, each in enumerate(rules, 1))
    if name is None:
        return Rights("rules", (PING, *own))
    preset = _preset(name, where)
    return Rights(f"{name} + rules" if own else str(name), (*preset, *own))


def parse_group_rights(value: t.Any, groups: t.Sequence[str], where: str) -> dict[str, Rights]:
    """Return the rights of each of ``groups``, which are the access groups that the host admits, in their order.

    Raises TlsError ``rights-group-unknown`` where ``value`` has another group, and those of ``parse_rights``.
    """
    if not isinstance(value, t.Mapping):
        raise TlsError(
            f"{where} is not a dictionary of access groups and their rights: {str(value)[:200]!r}",
            hint="Write for example {monitoring: read-only}.",
            code="rights-invalid",
        )
    unknown = sorted(str(name) for name in value if name not in groups)
    if unknown:
        raise TlsError(
            f"{where} gives rights to {', '.join(map(repr, unknown))}; the host admits the access groups {', '.join(groups)}",
            hint="Correct the name, or add the group to docker_daemon_access_groups of this host.",
            code="rights-group-unknown",
        )
    return {name: parse_rights(value[name], f"{where}[{name}]") if name in value else ALL for name in groups}


def _invalid(where: str, value: t.Any) -> TlsError:
    return TlsError(
        f"{where} is not a right: {str(value)[:200]!r}",
        hint=f"Write full, {', '.join(PRESETS)}, or {{rules: [{{methods: [GET], path: /info}}]}}, also with a preset: to begin with.",
        code="rights-invalid",
    )


def _preset(name: t.Any, where: str) -> tuple[Rule, ...]:
    rules = PRESETS.get(name) if isinstance(name, str) else None
    if rules is None:
        raise TlsError(
            f"{where} names the right {str(name)[:80]!r}, which does not exist",
            hint=f"Choose one of full, {', '.join(PRESETS)}.",
            code="rights-unknown",
        )
    return rules
