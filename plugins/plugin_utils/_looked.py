# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the look at the Docker hosts has found (``host_state``, registered as ``__docker_tls_looked``). PRIVATE: may change."""

from __future__ import annotations

import typing as t

from ._as_written import as_written

Mapping = t.Mapping[str, t.Any]


def hosts_with_work(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return those of ``hosts`` that the roles have to see, in their order: all but those that are current or were not reached.

    A host that nobody has looked at is among them. One that was not reached is out of the run already, and must not be
    taken for the first of a ``serial`` play.
    """
    return [host for host in hosts if not _is_settled(_looked(host, hostvars))]


def _looked(host: str, hostvars: Mapping) -> t.Any:
    """Return what was registered, which is no template."""
    return as_written(hostvars, host).get("__docker_tls_looked") if host in hostvars else None


def _is_settled(looked: t.Any) -> bool:
    return isinstance(looked, t.Mapping) and (looked.get("current") is True or looked.get("unreachable") is True)
