# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a ledger, and how people note it: kept on another machine, it shows later whether the ledger was rewritten."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._errors import TlsError


@dataclass(frozen=True)
class Head:
    """The last line: its number (from 1; 0 for an empty ledger) and its sha256."""

    seq: int
    digest: str

    def __str__(self) -> str:
        """Return ``LINES:DIGEST``, as people note it."""
        return f"{self.seq}:{self.digest}"

    @classmethod
    def parse(cls, text: str, option: str) -> Head:
        """Return the head in a text. Raises TlsError ``head-invalid`` naming ``option``."""
        match = re.fullmatch(r"(\d{1,9}):([0-9a-f]{64})", text.strip().lower())
        if match is None:
            raise TlsError(
                f"{option} is {text!r}, which is not a head of a ledger",
                hint="Write the number of lines, a colon, and the digest of 64 hexadecimal digits, as the summary of a run prints it.",
                code="head-invalid",
            )
        return cls(int(match[1]), match[2])
