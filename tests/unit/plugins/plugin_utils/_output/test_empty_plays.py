# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays without hosts are hidden, and nothing else is; test_renewal_runs.py has a real run."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import run_output

EMPTY = ["\nPLAY [b] ***", "skipping: no hosts matched"]
OUTPUTS = {
    "play-with-hosts": (["\nPLAY [a] ***", "\nTASK [x] ***", "ok: [web1]"],) * 2,
    "empty-play": (EMPTY, []),
    "between-others": (
        ["\nPLAY [a] ***", "ok: [web1]", *EMPTY, *EMPTY, "\nPLAY RECAP ***"],
        ["\nPLAY [a] ***", "ok: [web1]", "\nPLAY RECAP ***"],
    ),
    "play-without-tasks": (["\nPLAY [a] ***", "\nPLAY [c] ***", "ok"],) * 2,
    "the-words-alone": (["skipping: no hosts matched"],) * 2,
    "a-warning-between": (["\nPLAY [a] ***", "[WARNING]: x", "skipping: no hosts matched"],) * 2,
}


class Display:
    """What the filter needs of Ansible's Display."""

    def __init__(self, verbosity: int = 0) -> None:
        self.verbosity = verbosity
        self.lines: list[str] = []

    def display(self, msg: str, color: str | None = None) -> None:
        self.lines.append(msg)


@pytest.mark.parametrize(("printed", "expected"), OUTPUTS.values(), ids=OUTPUTS)
def test_only_plays_without_hosts_are_hidden(printed: list[str], expected: list[str]) -> None:
    display = Display()
    run_output.hide(display)
    run_output.hide(display)
    for line in printed:
        display.display(line, color="cyan")
    assert display.lines == expected


def test_verbose_run_prints_everything() -> None:
    display = Display(verbosity=1)
    run_output.hide(display)
    for line in EMPTY:
        display.display(line)
    assert display.lines == EMPTY
