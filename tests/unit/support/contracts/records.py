# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of modules and the messages of errors in one session of tests; checked at its end (support/contracts/session.py).

``returned`` takes a result of a module or of its action plugin. ``said`` takes a text that a user would see. TlsErrors are
noted where the collection raises them. Each process of pytest-xdist has its own notes; conftest.py brings them together.
"""

from __future__ import annotations

import collections
import functools
import os
import sys
import typing as t

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import findings
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.answers import ANSWERS, accept
from support.contracts import return_values, troubleshooting
from support.contracts.documentation import MODULES

Facts = collections.Counter[tuple[str, str, str]]

#: In the path of every file of the collection, and of no test.
_OURS = os.path.join("docker_tls", "plugins", "")
#: What action plugins put beside a host's answer.
_OF_THE_CONTROLLER = frozenset({"asked", "settings"})
_facts: Facts = collections.Counter()
#: Who was the first to make the code say it: (code, text) -> name of the test.
_said: dict[tuple[str, str], str] = {}


class Records(t.NamedTuple):
    """All notes of one process, or of all processes together."""

    facts: Facts
    #: By quote of the troubleshooting page (code, quote): the test that produced it.
    produced: dict[tuple[str, str], str]


def returned(module: str, result: dict[str, t.Any]) -> dict[str, t.Any]:
    """Note what a real run returned, and give it back. ``module``: name without the collection's."""
    if module in ANSWERS:
        of_the_host = {name: value for name, value in result.items() if name not in _OF_THE_CONTROLLER}
        taken = accept(module, of_the_host)
        assert taken == {"changed": False, **of_the_host}, f"its schema differs: {_differences(taken, of_the_host)}"
    if module in MODULES:  # and none that a test has made up
        _facts.update(return_values.facts_of(module, result))
    if result.get("failed"):
        said(f"{result.get('msg', '')}. {result.get('hint', '')}", code=str(result.get("code", "")))
    return result


def _differences(taken: t.Any, result: t.Any, where: str = "") -> list[str]:
    if isinstance(taken, dict) and isinstance(result, dict):
        names = dict.fromkeys([*taken, *result])
        return [text for name in names for text in _differences(taken.get(name), result.get(name), f"{where}.{name}")]
    return [] if taken == result else [f"{where}: {taken!r} of {result!r}"]


def said(text: str, *, code: str = "") -> str:
    """Note a text that a user would see, and give it back."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
    _said.setdefault((code, text), test)
    return text


def note_errors() -> None:
    """From now on note what the collection itself says; errors that a test has made on its own do not count.

    Every TlsError with its hint, and every finding that forbids a change: findings.raise_errors makes a TlsError of all of them.
    """
    original, original_finding = TlsError.__init__, findings.Finding.__init__

    @functools.wraps(original)
    def noted(self: TlsError, message: str, *, hint: str = "", code: str = "") -> None:
        original(self, message, hint=hint, code=code)
        if _OURS in sys._getframe(1).f_code.co_filename:
            said(f"{message}. {hint}", code=code)

    @functools.wraps(original_finding)
    def noted_finding(self: findings.Finding, severity: str, code: str, message: str, hint: str = "") -> None:
        original_finding(self, severity, code, message, hint)
        caller: t.Any = sys._getframe(1)
        if caller.f_code.co_filename.endswith("findings.py"):
            caller = caller.f_back
        if severity == findings.ERROR and _OURS in caller.f_code.co_filename:
            said(self.text(), code=code)

    TlsError.__init__ = noted  # type: ignore[method-assign]
    findings.Finding.__init__ = noted_finding  # type: ignore[method-assign]


def taken() -> Records:
    """Return the notes of this process."""
    return Records(_facts, troubleshooting.produced(_said))


def packed(records: Records) -> dict[str, t.Any]:
    """Return the notes as plain lists, as one process sends them to another."""
    return {
        "facts": [[*fact, count] for fact, count in records.facts.items()],
        "produced": [[*quote, test] for quote, test in records.produced.items()],
    }


def unpacked(sent: dict[str, t.Any]) -> Records:
    """Return what ``packed`` has made."""
    facts: Facts = collections.Counter()
    for module, path, fact, count in sent["facts"]:
        facts[(module, path, fact)] = count
    return Records(facts, {(code, quote): test for code, quote, test in sent["produced"]})


def together(parts: t.Iterable[Records]) -> Records:
    """Return the notes of all processes."""
    facts: Facts = collections.Counter()
    produced: dict[tuple[str, str], str] = {}
    for part in parts:
        facts.update(part.facts)
        produced = {**part.produced, **produced}
    return Records(facts, produced)
