# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rights of an access group's clients on a host: everything, a preset, or the user's own rules.

A user writes them by group: ``{operators: full, grafana: monitoring, deploy: {preset: ci, rules: [...]}}``.
A group without an entry has the right ``full``, as with dockerd's own listener.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .presets import FULL, PING, PRESETS
from .rules import Rule, parse_rule

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
