# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error type of the collection."""

from __future__ import annotations


class TlsError(Exception):
    """Something the user can act on: what was being done and found, and what to do next.

    ``message`` names the path, host or option and what was found there; ``hint`` is advice;
    ``code`` is a stable kebab-case word for tests and for playbooks. None of them ever holds a secret.
    """

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
