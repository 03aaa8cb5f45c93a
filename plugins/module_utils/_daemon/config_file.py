# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One change of a daemon.json on disk: decided, made, reported. PRIVATE: may change without notice."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .._files import advice, file_status, read_bytes_or_none, write_atomic
from . import config


@dataclass(frozen=True)
class ConfigChange:
    """What a daemon.json is and is to be; ``path`` is where a link leads, ``before`` None where there is no file."""

    path: str
    before: bytes | None
    after: bytes | None
    changes: dict[str, tuple[t.Any, t.Any]]
    reasons: tuple[str, ...]


def plan_config(path: str, settings: t.Mapping[str, t.Any], remove: t.Sequence[str]) -> ConfigChange:
    """Return what has to be done so that the file has ``settings`` and none of ``remove``; changes nothing.

    Raises TlsError ``daemon-json-invalid`` (with line and column), ``daemon-json-misspelled``, ``option-invalid``,
    ``file-unreadable``.
    """
    _check_options(settings, remove)
    real = os.path.realpath(path)
    before = read_bytes_or_none(real)
    values = config.parse_daemon_json(before, path).values
    changed = any(key in values for key in remove) or config.difference(values, {**values, **settings})
    if not changed:
        return ConfigChange(real, before, before, {}, ())
    after = config.merge(before, settings, remove, path).encode("utf-8")
    changes = config.difference(values, config.parse_daemon_json(after, path).values)
    reasons = ["daemon-json-missing"] if before is None else []
    reasons += ["setting-changed"] if any(key in settings for key in changes) else []
    reasons += ["setting-removed"] if any(key not in settings for key in changes) else []
    return ConfigChange(real, before, after, changes, tuple(reasons))


def write_config(change: ConfigChange) -> None:
    """Make the change in one rename; owner and mode stay, a new file is root's with 0644. Raises TlsError ``file-unwritable``."""
    try:
        os.makedirs(os.path.dirname(change.path), mode=0o755, exist_ok=True)
    except OSError as problem:
        raise TlsError(
            f"cannot make the directory of {change.path}: {problem.strerror}",
            hint=advice(problem),
            code="file-unwritable",
        ) from problem
    status = file_status(change.path)
    if status is None:
        write_atomic(change.path, change.after or b"", 0o644)
    else:
        write_atomic(change.path, change.after or b"", status.st_mode & 0o7777, status.st_uid, status.st_gid)


def _check_options(settings: t.Mapping[str, t.Any], remove: t.Sequence[str]) -> None:
    misspelled = config.misspelled_keys(settings)
    if misspelled:
        listed = ", ".join(f"{key} (meant is probably {meant})" for key, meant in misspelled)
        raise TlsError(
            f"settings has keys that dockerd does not read: {listed}",
            hint="dockerd accepts host in daemon.json and ignores it; the key is hosts.",
            code="daemon-json-misspelled",
        )
    both = sorted(set(settings) & set(remove))
    if both:
        raise TlsError(
            f"settings and remove both name {', '.join(both)}",
            hint="Name each key in one of the two options.",
            code="option-invalid",
        )
