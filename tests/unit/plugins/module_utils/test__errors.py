# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error type."""

from __future__ import annotations

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError


def test_tls_error_carries_message_hint_and_code() -> None:
    error = TlsError("cannot read /x", hint="Check it.", code="file-unreadable")
    assert (str(error), error.message, error.hint, error.code) == (
        "cannot read /x",
        "cannot read /x",
        "Check it.",
        "file-unreadable",
    )


def test_tls_error_hint_and_code_may_be_left_out() -> None:
    error = TlsError("cannot read /x")
    assert (error.hint, error.code) == ("", "")
