# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of the inspection of the Docker hosts (``host_state``, registered as ``__docker_tls_inspected``)."""

from __future__ import annotations

import typing as t

from .._variables.as_written import as_written

Mapping = t.Mapping[str, t.Any]


def hosts_with_work(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return those of ``hosts`` that the roles have to see, in their order: all but those that are current, refused or were not reached.

    A host that was not inspected is among them. One that was not reached, or has failed, is out of the run already, and must
    not be taken for the first of a ``serial`` play.
    """
    return [host for host in hosts if not _is_settled(_inspected(host, hostvars))]


def refused_hosts(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return those of ``hosts`` that were refused, in their order.

    They fail in the last play only: Ansible counts every host that has failed so far against ``max_fail_percentage``, of this
    play or not, so one host that was refused early would stop all others.
    """
    return [host for host in hosts if refusal_of(host, hostvars)]


def hosts_not_refused(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return those of ``hosts`` that were not refused, in their order."""
    return [host for host in hosts if not refusal_of(host, hostvars)]


def refusal_of(host: str, hostvars: Mapping) -> t.Any:
    """Return why a host was refused (``msg``, ``hint``, ``code``), None where it was not."""
    inspected = _inspected(host, hostvars)
    return inspected.get("refused") if isinstance(inspected, t.Mapping) else None


def _inspected(host: str, hostvars: Mapping) -> t.Any:
    """Return the registered result, which is not a template."""
    return as_written(hostvars, host).get("__docker_tls_inspected") if host in hostvars else None


def _is_settled(inspected: t.Any) -> bool:
    if not isinstance(inspected, t.Mapping):
        return False
    return bool(inspected.get("refused")) or any(
        inspected.get(name) is True for name in ("current", "failed", "unreachable")
    )
