# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that never rests: a new connection every few milliseconds, with whatever its bundle has at that moment."""

from __future__ import annotations

import http.client
import ssl
import threading
from dataclasses import dataclass, field
from typing import Optional

from testinfra_helpers import PORT, TIMEOUT, Bundle

PAUSE = 0.005


@dataclass
class Notes:
    """`gaps`: how often answers stopped coming. `wrong`: what a restart cannot explain, a certificate that one side refused."""

    answered: int = 0
    gaps: int = 0
    wrong: list[str] = field(default_factory=list)


class Prober(threading.Thread):
    """Asks for /_ping until stopped. Used as a context manager; the notes are complete after it."""

    def __init__(self, address: str, bundle: Bundle) -> None:
        super().__init__(daemon=True)
        self.address, self.bundle = address, bundle
        self.notes = Notes()
        self._stopped = threading.Event()
        self._failing = False

    def __enter__(self) -> Prober:
        self.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._stopped.set()
        self.join(TIMEOUT)

    def run(self) -> None:
        while not self._stopped.wait(PAUSE):
            context = self._context()
            if context is not None:
                self._ask(context)

    def _context(self) -> Optional[ssl.SSLContext]:
        """The bundle as it is; None while key and certificate are being replaced, each by one rename."""
        try:
            context = ssl.create_default_context(cafile=self.bundle.ca)
            context.load_cert_chain(self.bundle.certificate, self.bundle.key)
        except (ssl.SSLError, OSError):
            return None
        return context

    def _ask(self, context: ssl.SSLContext) -> None:
        connection = http.client.HTTPSConnection(self.address, PORT, timeout=TIMEOUT, context=context)
        try:
            connection.request("GET", "/_ping")
            if connection.getresponse().status != 200:
                self.notes.wrong.append("status")
            self.notes.answered += 1
            self._failing = False
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, ssl.SSLCertVerificationError) or "ALERT" in str(getattr(error, "reason", "")):
                self.notes.wrong.append(str(error))
            if not self._failing:
                self.notes.gaps += 1
            self._failing = True
        finally:
            connection.close()
