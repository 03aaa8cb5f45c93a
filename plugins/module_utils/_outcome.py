# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a call of ours comes to, in the words that Ansible shows. PRIVATE: may change without notice.

Nothing of Ansible's is imported here: this is also used where our code reaches a host without it.
"""

from __future__ import annotations

import os
import typing as t

from ._errors import TlsError

MINIMUM_CRYPTOGRAPHY = (3, 3)


def cryptography_problem() -> tuple[str, str] | None:
    """Return (message, code) when this Python has no usable ``cryptography``, else None."""
    import sys

    try:
        import cryptography
    except ImportError as error:
        return (
            f"the Python library cryptography cannot be imported by {sys.executable}: {error}",
            "cryptography-missing",
        )
    found = tuple(int(part) for part in cryptography.__version__.split(".")[:2] if part.isdigit())
    if found < MINIMUM_CRYPTOGRAPHY:
        wanted = ".".join(map(str, MINIMUM_CRYPTOGRAPHY))
        return (
            f"cryptography {cryptography.__version__} in {cryptography.__file__} is older than {wanted}",
            "cryptography-too-old",
        )
    return None


def require_root(purpose: str) -> None:
    """Raise TlsError ``not-root`` unless this process is root's."""
    if os.geteuid() != 0:
        raise TlsError(f"only root can {purpose}", hint="Set become: true for this task or play.", code="not-root")


def outcome(function: t.Callable[[], t.Mapping[str, t.Any]], *, needs_cryptography: bool = True) -> dict[str, t.Any]:
    """Return what ``function`` returns, or the failure (``failed``, ``msg``, ``hint``, ``code``) of the TlsError that it raises."""
    problem = cryptography_problem() if needs_cryptography else None
    if problem is not None:
        return {
            "failed": True,
            "msg": problem[0],
            "code": problem[1],
            "hint": "Install the distribution's package (python3-cryptography on Debian, Ubuntu, Fedora and their like), "
            "or point ansible_python_interpreter at a Python that has it.",
        }
    try:
        return dict(function())
    except TlsError as error:
        # Ansible shows the whole result (and msg once more above it), so the hint is in it once.
        return {"failed": True, "msg": error.message, "hint": error.hint, "code": error.code}
