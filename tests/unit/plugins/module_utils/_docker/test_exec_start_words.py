# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words as systemd reads them. Every table row was checked on systemd 252 and 257 (test_systemd_oracle.py)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import command_line
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError

# No NUL (a unit file cannot hold it) and no lone surrogates (a unit file is UTF-8).
TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=30)

SPLITS = {
    "plain": ("a  b\tc", ["a", "b", "c"]),
    "nothing": ("   ", []),
    "double quotes": ('"a b" c', ["a b", "c"]),
    "single quotes": ("'a \"b' c", ['a "b', "c"]),
    "quotes inside a word": ("a\"b c\"d 'e f'g", ["ab cd", "e fg"]),
    "empty words": ('"" x""y \'\'', ["", "xy", ""]),
    "escaped quotes": (r""" "a\"b" 'c\'d' """, ['a"b', "c'd"]),
    "escapes": (r"e\x41f g\101h i\u00e9j \s\t a\\b", ["eAf", "gAh", "iéj", " \t", "a\\b"]),
    "bytes that make a character": (r"\xc3\xa9 \303\251", ["é", "é"]),
    "wide escape": (r"\U0001F433", ["\U0001f433"]),
    "unknown escapes keep the backslash": (r"\q \e \x4 \09 \777", [r"\q", r"\e", r"\x4", r"\09", r"\777"]),
    "impossible characters": (r"\ud800 \U00110000 \x00", [r"\ud800", r"\U00110000", r"\x00"]),
    "backslash at the end": ("a\\", ["a\\"]),
    "escaped space": (r"a\ b", [r"a\ b"]),
    "percent and dollar stay": ("%% %n $A ${B} $$", ["%%", "%n", "$A", "${B}", "$$"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SPLITS)
def test_split_words_reads_as_systemd_does(name: str) -> None:
    text, wanted = SPLITS[name]
    found = command_line.split_words(text)
    assert [word.value for word in found] == wanted
    assert all(word.raw in text for word in found)


@pytest.mark.parametrize("text", ['a "b', "a 'b c", '"', "a\"b' c"])
def test_split_words_open_quote_is_an_error(text: str) -> None:
    with pytest.raises(TlsError, match="not closed") as caught:
        command_line.split_words(text)
    assert caught.value.code == "unit-unsupported"


def test_split_command_knows_the_escaped_semicolon() -> None:
    assert [word.value for word in command_line.split_command(r'/bin/x \; ";" a;b')] == ["/bin/x", ";", ";", "a;b"]


@settings(deadline=None)
@given(TEXTS)
def test_quote_word_any_text_is_read_back(text: str) -> None:
    spelled = command_line.quote_word(text)
    (word,) = command_line.split_words(spelled)
    assert word.raw == spelled
    assert "\n" not in spelled
    assert command_line.expand_braced(command_line.expand_specifiers(word.value), {"A": "wrong"}) == text
    assert command_line.whole_variable(word.value) is None


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=6))
def test_quote_word_many_words_are_read_back(texts: list[str]) -> None:
    line = " ".join(command_line.quote_word(text, expands_variables=False) for text in texts)
    assert [command_line.expand_specifiers(word.value) for word in command_line.split_words(line)] == texts


@settings(deadline=None)
@given(st.text(alphabet="ab \\\"'\t\n$%;{}x4", max_size=25))
def test_split_words_any_text_keeps_raw_pieces_in_order(text: str) -> None:
    try:
        found = command_line.split_words(text)
    except TlsError:
        return
    position = 0
    for word in found:
        position = text.index(word.raw, position) + len(word.raw)
    assert [word.value for word in command_line.split_words(" ".join(w.raw for w in found))] == [w.value for w in found]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("--a 'b c' d", ["--a", "b c", "d"]),
        ('"f g"h i', ["f gh", "i"]),
        (r"d\\ e", ["d\\", "e"]),
        (r"h\n i\"j a\ b", ["hn", 'i"j', "a b"]),
        ("'' x", ["", "x"]),
        ("'open quote", ["open quote"]),
        ('"', [""]),
        (" \n\t", []),
        ("a\\", ["a"]),
    ],
)
def test_split_value_reads_as_systemd_does(text: str, wanted: list[str]) -> None:
    assert command_line.split_value(text) == wanted


EXPANSIONS = [
    ("${A}", "x"),
    ("a${A}b", "axb"),
    ("$${A}", "${A}"),
    ("$$A", "$A"),
    ("a$A", "a$A"),
    ("${UNSET}", ""),
    ("${A", "${A"),
    ("$", "$"),
    ("a$$b", "a$b"),
    ("${A}${B}", "xy z"),
]


@pytest.mark.parametrize(("text", "wanted"), EXPANSIONS)
def test_expand_braced_replaces_as_systemd_does(text: str, wanted: str) -> None:
    assert command_line.expand_braced(text, {"A": "x", "B": "y z"}) == wanted


def test_braced_variables_names_them_in_order() -> None:
    assert command_line.braced_variables("${A}x$${B}${C}") == ["A", "C"]


@pytest.mark.parametrize(
    ("text", "wanted"), [("$A", "A"), ("$$A", None), ("${A}", None), ("a$A", None), ("$", ""), ("$A b", "A b")]
)
def test_whole_variable_is_the_word_alone(text: str, wanted: str | None) -> None:
    assert command_line.whole_variable(text) == wanted


def test_expand_specifiers_knows_the_directories_of_the_system_manager() -> None:
    assert command_line.expand_specifiers("%% %n %%n %%%p 5%") == "% %n %n %%p 5%"
    assert command_line.expand_specifiers("unix://%t/%E%%t") == "unix:///run//etc%t"


@pytest.mark.parametrize(("value", "found"), [("%t/%%n 5%", ""), ("a%%%i%H", "%i"), ("plain", "")])
def test_unknown_specifier_is_the_first_that_stays(value: str, found: str) -> None:
    assert command_line.unknown_specifier(value) == found


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("--x=%n", "--x=docker.service", True),
        ("%%n", "%n", True),
        ("%%n", "docker.service", False),
        ("a.b", "axb", False),
        ("x%H.y", "xhost.y", True),
    ],
)
def test_specifier_pattern_matches_what_systemd_makes_of_it(pattern: str, text: str, matches: bool) -> None:
    assert bool(command_line.specifier_pattern(pattern).fullmatch(text)) is matches
