# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of client bundles, one line each that reads like a plan.

For example: ``client ci: new bundle in /home/ci/.docker, certificate until 2027-11-22 (directory-missing, certificate-changed)``.
"""

from __future__ import annotations

import typing as t


def lines(bundles: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """Return one line for each of the module's RV(bundles) that is written; never a key."""
    return [_line(bundle) for bundle in bundles if bundle["reasons"]]


def _line(bundle: t.Mapping[str, t.Any]) -> str:
    reasons, certificate = bundle["reasons"], bundle["certificate"]
    if "client-revoked" in reasons:
        return f"client {bundle['id']}: bundle in {bundle['directory']} removed (client-revoked)"
    parts = [f"{'new bundle' if 'directory-missing' in reasons else 'bundle'} in {bundle['directory']}"]
    if certificate is not None and "certificate-changed" in reasons:
        parts.append(f"certificate until {certificate['not_after'][:10]}")
    if bundle["backup_files"]:
        parts.append(f"the former files are kept as {' '.join(bundle['backup_files'])}")
    return f"client {bundle['id']}: {', '.join(parts)} ({', '.join(reasons)})"
