# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a call, as Ansible shows it.

Nothing of Ansible's is imported here: this is also used where our code reaches a host without it.
"""

from __future__ import annotations

import os
import typing as t

from ._errors import TlsError


def cryptography_problem() -> tuple[str, str] | None:
    """Return (message, code) when this Python has no usable ``cryptography``, else None."""
    problem = _library_problem()
    return (problem.message, problem.code) if problem is not None else None


def _library_problem() -> TlsError | None:
    from ._pki import compat

    return compat.library_problem()


def require_root(purpose: str) -> None:
    """Raise TlsError ``not-root`` unless this process is root's."""
    if os.geteuid() != 0:
        raise TlsError(f"only root can {purpose}", hint="Set become: true for this task or play.", code="not-root")


def require_cryptography() -> None:
    """Raise TlsError ``cryptography-missing``, ``-too-old`` or ``-broken`` where this Python has no usable library."""
    problem = _library_problem()
    if problem is not None:
        raise problem


def outcome(function: t.Callable[[], t.Mapping[str, t.Any]], *, needs_cryptography: bool = True) -> dict[str, t.Any]:
    """Return what ``function`` returns, or the failure (``failed``, ``msg``, ``hint``, ``code``) of the TlsError that it raises."""
    problem = _library_problem() if needs_cryptography else None
    if problem is not None:
        return _failure(problem)
    try:
        return dict(function())
    except TlsError as error:
        return _failure(error)
    except BaseException as error:  # the native part of cryptography may panic at any use, which is not Exception
        problem = _of_library(error)
        if problem is None:
            raise
        return _failure(problem)


def _of_library(error: BaseException) -> TlsError | None:
    """Return the library's problem where ``error`` shows one, else None."""
    if not isinstance(error, ImportError) and type(error).__module__ != "pyo3_runtime":
        return None
    from ._pki import compat

    return compat.library_error(error) if compat.is_of_library(error) else None


def _failure(error: TlsError) -> dict[str, t.Any]:
    # Ansible shows the whole result (and msg once more above it), so the hint is in it once.
    return {"failed": True, "msg": error.message, "hint": error.hint, "code": error.code}
