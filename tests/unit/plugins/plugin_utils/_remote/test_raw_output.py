# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts print instead of an answer."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import failures


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": "No start of json char found", "module_stdout": "/bin/sh: 1: sudo: not found\r\n", "module_stderr": ""}, "/bin/sh: 1: sudo: not found"),
        ({"msg": "MODULE FAILURE", "module_stdout": "sudo: not found\r\n", "module_stderr": "Shared connection to web1 closed.\r\n"}, "sudo: not found"),
        ({"msg": "MODULE FAILURE", "module_stdout": "", "module_stderr": "Traceback:\n  line 1\nOSError: disk full\n"}, "OSError: disk full"),
        ({"msg": "MODULE FAILURE", "module_stdout": "", "module_stderr": ""}, ""),
        ({"msg": "port 2376 is taken"}, ""),
    ],
    ids=["no-sudo", "on-a-terminal", "traceback", "silence", "an-answer"],
)  # fmt: skip
def test_instead_of_an_answer_is_the_last_thing_that_the_host_said(result: dict[str, t.Any], expected: str) -> None:
    assert failures.raw_output(result) == expected
