# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dockerd's flags are found as spf13/pflag finds them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.command_line import Flag, find_flags

# arguments -> (name, value, first, last, rest)
CASES: dict[str, tuple[list[str], list[tuple[str, str | None, int, int, str]]]] = {
    "nothing": ([], []),
    "long with equals": (["--host=fd://"], [("host", "fd://", 0, 0, "")]),
    "long with empty value": (["--host="], [("host", "", 0, 0, "")]),
    "long with following value": (["--host", "fd://"], [("host", "fd://", 0, 1, "")]),
    "long value that looks like a flag": (["--label", "-H", "x"], [("label", "-H", 0, 1, "")]),
    "long at the end": (["--host"], [("host", None, 0, 0, "")]),
    "switch": (["--tlsverify", "-H", "x"], [("tlsverify", None, 0, 0, ""), ("host", "x", 1, 2, "")]),
    "switch with value": (["--tls=false"], [("tls", "false", 0, 0, "")]),
    "switch does not take the next word": (["--debug", "false"], [("debug", None, 0, 0, "")]),
    "unknown before a flag is a switch": (
        ["--new-thing", "-H", "x"],
        [("new-thing", None, 0, 0, ""), ("host", "x", 1, 2, "")],
    ),
    "unknown before a word takes it": (["--new-thing", "x"], [("new-thing", "x", 0, 1, "")]),
    "short, separate": (["-H", "fd://"], [("host", "fd://", 0, 1, "")]),
    "short, joined": (["-Hfd://"], [("host", "fd://", 0, 0, "")]),
    "short, equals": (["-H=fd://"], [("host", "fd://", 0, 0, "")]),
    "short, equals only": (["-H="], [("host", "=", 0, 0, "")]),
    "short, empty value": (["-H", ""], [("host", "", 0, 1, "")]),
    "short at the end": (["-H"], [("host", None, 0, 0, "")]),
    "group": (["-DH", "fd://"], [("debug", None, 0, 0, ""), ("host", "fd://", 0, 1, "-D")]),
    "group, joined": (["-DHfd://"], [("debug", None, 0, 0, ""), ("host", "fd://", 0, 0, "-D")]),
    "group, equals": (["-DH=fd://"], [("debug", None, 0, 0, ""), ("host", "fd://", 0, 0, "-D")]),
    "group, value missing": (["-DH"], [("debug", None, 0, 0, ""), ("host", None, 0, 0, "-D")]),
    "group of switches": (["-vD"], [("version", None, 0, 0, ""), ("debug", None, 0, 0, "")]),
    "switch with equals": (["-D=false"], [("debug", "false", 0, 0, "")]),
    "H in the value of another": (
        ["-lHinfo", "-g", "-H"],
        [("log-level", "Hinfo", 0, 0, ""), ("graph", "-H", 1, 2, "")],
    ),
    "unknown letter": (["-zH", "x"], [("z", None, 0, 0, ""), ("host", "x", 0, 1, "-z")]),
    "words are not flags": (["fd://", "-", "x"], []),
    "after the double dash": (["-D", "--", "-H", "x"], [("debug", None, 0, 0, "")]),
    "H takes what follows, whatever it is": (["-H", "--", "-D"], [("host", "--", 0, 1, ""), ("debug", None, 2, 2, "")]),
}


@pytest.mark.parametrize("name", CASES)
def test_find_flags_reads_as_pflag_does(name: str) -> None:
    arguments, wanted = CASES[name]
    assert find_flags(arguments) == [Flag(*row) for row in wanted]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["-H", "-Hx", "-H=x", "--host", "--host=x", "-D", "-DH", "--", "x", "-l", "--label", "--tls", "-", "--new"]
        )
    )
)
def test_find_flags_any_arguments_stay_in_order_and_range(arguments: list[str]) -> None:
    position = 0
    for flag in find_flags(arguments):
        assert position <= flag.first <= flag.last < len(arguments)
        position = flag.first
