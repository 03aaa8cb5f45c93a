# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unit files and environment files, read as systemd reads them (checked on systemd 252 and 257)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import (
    parse_assignments,
    parse_environment_file,
)

UNITS = {
    "plain": ("[Service]\nExecStart=/bin/x -a\n", [("Service", "ExecStart", "/bin/x -a", 2)]),
    "spaces": ("  [Service]  \n  A  =  b = c  \n", [("Service", "A", "b = c", 2)]),
    "comments and blanks": ("# a\n; b\n\n[S]\n  # c\nA=1\n", [("S", "A", "1", 6)]),
    "continuation": ("[S]\nA=x \\\n  y \\\n\tz\nB=2\n", [("S", "A", "x    y  \tz", 2), ("S", "B", "2", 5)]),
    "comment inside a continuation": ("[S]\nA=x \\\n# c \\\n; d\n y\n", [("S", "A", "x   y", 2)]),
    "continuation at the end": ("[S]\nA=x \\", [("S", "A", "x", 2)]),
    "two backslashes do not continue": ("[S]\nA=x\\\\\nB=y\n", [("S", "A", "x\\\\", 2), ("S", "B", "y", 3)]),
    "backslash and space do not continue": ("[S]\nA=x \\ \nB=y\n", [("S", "A", "x \\", 2), ("S", "B", "y", 3)]),
    "windows lines": ("[S]\r\nA=x \\\r\n y\r\n", [("S", "A", "x   y", 2)]),
    "byte order mark": ("\ufeff[S]\nA=1\n", [("S", "A", "1", 2)]),
    "outside a section": ("A=1\n[S]\nB=2\n", [("S", "B", "2", 3)]),
    "no equals sign": ("[S]\nnonsense\nB=2\n", [("S", "B", "2", 3)]),
    "broken section header": ("[S]\n[T\nB=2\n", [("S", "B", "2", 3)]),
    "empty value": ("[S]\nA=\n", [("S", "A", "", 2)]),
    "two sections": ("[S]\nA=1\n[T]\nA=2\n[S]\nA=3\n", [("S", "A", "1", 2), ("T", "A", "2", 4), ("S", "A", "3", 6)]),
    "nothing": ("", []),
}


@pytest.mark.parametrize("name", UNITS)
def test_parse_assignments_reads_as_systemd_does(name: str) -> None:
    text, wanted = UNITS[name]
    found = [(item.section, item.key, item.value, item.line) for item in parse_assignments(text)]
    assert found == wanted


FILES = {
    "plain": ("A=plain words here   \n", {"A": "plain words here"}),
    "comments": ("# a=1\n; b=2\n  # c=3\nA=1", {"A": "1"}),
    "single quotes": ("B='single \\ $x'  tail\n", {"B": "single \\ $xtail"}),
    "double quotes": ('C="double \\" \\$ \\n \\\\ \\\nnext" more\n', {"C": 'double " $ \\n \\ nextmore'}),
    "continuation": ("D=cont\\\n  inued\\ \nE=1\n", {"D": "cont  inued ", "E": "1"}),
    "export is not a name": ("export E=bad\nE = spaced \n", {"E": "spaced"}),
    "quotes inside an unquoted value": ('F=a"b"c\n', {"F": 'a"b"c'}),
    "hash and semicolon in a value": ("G=x#y ; z\n", {"G": "x#y ; z"}),
    "invalid names": ("1BAD=1\nA-B=1\n=1\nA=2\n", {"A": "2"}),
    "empty": ("I=\nJ=''\n", {"I": "", "J": ""}),
    "leading space": ("J=  lead\n", {"J": "lead"}),
    "unquoted escapes": ("K=a\\tb\\\\c\n", {"K": "atb\\c"}),
    "value over lines": ("L='multi\nline'\n", {"L": "multi\nline"}),
    "escaped space at the end": ("M=trail\\ \\ \n", {"M": "trail  "}),
    "several quoted pieces": ('N="q"\'r\'"s"\n', {"N": "qrs"}),
    "quotes after the first character": ("P=a'b c'd\n", {"P": "a'b c'd"}),
    "no equals sign": ("noequals\nQ=1\n", {"Q": "1"}),
    "backslash at the end": ("Q=last\\", {"Q": "last"}),
    "cut off in single quotes": ("Q='last", {"Q": "last"}),
    "cut off in double quotes": ('Q="last\\', {"Q": "last"}),
    "cut off before the value": ("Q=", {"Q": ""}),
    "cut off in the name": ("A=1\nQ", {"A": "1"}),
    "trailing space without line end": ("Q=x  ", {"Q": "x"}),
    "escape first": ("Q=\\x y\n", {"Q": "x y"}),
    "last wins": ("A=1\nA=2\n", {"A": "2"}),
    "windows lines": ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    "fedora": (
        'OPTIONS="--selinux-enabled \\\n  --live-restore \\\n"\n',
        {"OPTIONS": "--selinux-enabled   --live-restore "},
    ),
    "nothing after NUL": ("A=1\0\nB=2\n", {"A": "1"}),
}


@pytest.mark.parametrize("name", FILES)
def test_parse_environment_file_reads_as_systemd_does(name: str) -> None:
    text, wanted = FILES[name]
    assert parse_environment_file(text) == wanted


def test_parse_environment_file_comment_with_backslash_differs_before_254() -> None:
    text = "# comment \\\nA=1\nB=2\n# x\\y\nC=3\n"
    assert parse_environment_file(text) == {"A": "1", "B": "2", "C": "3"}
    assert parse_environment_file(text, comment_continues=True) == {"B": "2", "C": "3"}


@settings(deadline=None)
@given(st.text(alphabet="AB=\"'\\\n #;x$", max_size=30))
def test_parse_environment_file_any_text_gives_valid_names(text: str) -> None:
    assert all(name.isidentifier() for name in parse_environment_file(text))
