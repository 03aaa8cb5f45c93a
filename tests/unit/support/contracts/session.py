# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contracts about a whole session, checked when its last test has run: every process of pytest-xdist has its own notes until then.

They appear among the tests, as if they stood in contracts/test_whole_session.py. Where only some files ran they are skipped.
"""

from __future__ import annotations

import pathlib
import shutil
import typing as t

import pytest

from support.contracts import records, return_values, troubleshooting
from support.contracts.documentation import MODULES

TESTS = [pathlib.Path(__file__).resolve().parents[2], pathlib.Path(__file__).resolve().parents[3] / "integration"]
FILE = "tests/unit/contracts/test_whole_session.py"
RETURNS = "test_module_returns_what_it_documents"
SAYS = "test_troubleshooting_text_was_produced"


def begin(config: pytest.Config) -> None:
    """Note what the code returns and says from here on; called by the conftest.py of each directory that counts."""
    if not config.pluginmanager.has_plugin(FILE):
        records.note_errors()
        config.pluginmanager.register(Session(), FILE)


class Session:
    """A plugin of pytest that gathers the notes of all processes, and checks them at the end."""

    def __init__(self) -> None:
        self.parts: list[records.Records] = []
        self.files: set[str] = set()
        self.failed = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: t.Any) -> None:
        """Take the notes of a process of pytest-xdist that has ended."""
        sent = getattr(node, "workeroutput", {}).get("records")
        if sent is not None:
            self.parts.append(records.unpacked(sent))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note which files had their turn, and whether something failed."""
        self.files.add(report.nodeid.partition("::")[0])
        self.failed = self.failed or report.failed

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the notes, or check them."""
        config = session.config
        if hasattr(config, "workeroutput"):
            config.workeroutput["records"] = records.packed(records.taken())
            return
        if config.option.collectonly:
            return
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        for report in self._reports(self._why_not(config)):
            # Counted and shown like tests, but not among the dots: their end has been reported.
            reporter.stats.setdefault(report.outcome, []).append(report)
            if report.failed:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _why_not(self, config: pytest.Config) -> str:
        ran = {(config.rootpath / name).resolve() for name in self.files}
        if not {file for place in TESTS for file in place.rglob("test_*.py")} <= ran:
            return "what all tests together return and say is judged where all of them ran"
        return "a test has failed, and what it would have shown is missing" if self.failed else ""

    def _reports(self, why_not: str) -> t.Iterator[pytest.TestReport]:
        if why_not:
            yield _report("test_whole_session", skipped=why_not)
            return
        found = records.together([*self.parts, records.taken()])
        for module in MODULES:
            yield _report(f"{RETURNS}[{module}]", return_values.problems(module, found.facts))
        without_docker = shutil.which("docker") is None
        for entry in troubleshooting.entries():
            name = f"{SAYS}[{entry.heading.strip('`')}]"
            if without_docker and entry.section == troubleshooting.CLIENTS:
                yield _report(name, skipped="no docker command here")
            else:
                yield _report(name, troubleshooting.problems(entry, found.produced))


def _report(name: str, problems: t.Sequence[str] = (), *, skipped: str = "") -> pytest.TestReport:
    """Return the report of a test that never ran, failed where there are problems."""
    outcome: t.Any = "skipped" if skipped else "failed" if problems else "passed"
    longrepr: t.Any = (FILE, 1, f"Skipped: {skipped}") if skipped else "\n".join(problems) or None
    return pytest.TestReport(f"{FILE}::{name}", (FILE, 0, name), {}, outcome, longrepr, "call")
