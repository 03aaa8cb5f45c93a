# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one table renderer: aligned, no trailing blanks, nothing that moves a terminal's cursor."""

from __future__ import annotations

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _text_table


def test_align_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [("", "HOST", "DETAIL"), ("ok", "web1", "short"), ("FAILED", "a", "")]
    assert _text_table.align(rows) == ["        HOST  DETAIL", "ok      web1  short", "FAILED  a"]


def test_align_first_column_has_its_least_width() -> None:
    assert _text_table.align([("ok", "x")], first_width=8) == ["ok        x"]


def test_align_no_rows_give_no_lines() -> None:
    assert _text_table.align([]) == []


def test_clean_control_characters_become_question_marks() -> None:
    assert _text_table.clean("a\x1b[31mb\nc\u202e") == "a?[31mb?c?"
