# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of the inspection of the Docker hosts (``host_state``, registered as ``__docker_tls_inspected``)."""

from __future__ import annotations

import typing as t

from .._variables.fleet_variables import INSPECTED, as_written

Mapping = t.Mapping[str, t.Any]

#: Where the role docker_server_cert registers what M(certificate_requests) has returned.
REQUESTED = "__docker_server_cert_requested"


def hosts_with_work(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return those of ``hosts`` that the roles have to see, in their order: all but those that are current, refused or were not reached.

    A host that was not inspected is among them. One that was not reached, or has failed, is out of the run already, and must
    not be taken for the first of a ``serial`` play.
    """
    return [host for host in hosts if not _is_settled(_inspected(host, hostvars))]


def all_prepared(hosts: t.Sequence[str], hostvars: Mapping) -> bool:
    """Return whether the inspection has made the keys and requests that all of ``hosts`` need, so that none has to be asked again."""
    return bool(hosts) and all(prepared(as_written(hostvars, host)) for host in hosts if host in hostvars)


def prepared(variables: Mapping) -> Mapping:
    """Return the preparation by the inspection of a host, as M(certificate_requests) would have returned it; {} for nothing."""
    inspected = variables.get(INSPECTED)
    found = inspected.get("prepared") if isinstance(inspected, t.Mapping) else None
    return found if isinstance(found, t.Mapping) else {}


def requested(variables: Mapping) -> Mapping:
    """Return the request of a host for its server certificate, {} where it was not asked.

    In: the variables of the host. Where the role has skipped its question, the inspection had prepared the answer.
    """
    found = variables.get(REQUESTED)
    if isinstance(found, t.Mapping) and found.get("skipped"):
        return prepared(variables)
    return found if isinstance(found, t.Mapping) else {}


def refused_hosts(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return those of ``hosts`` that were refused, or that this run cannot complete, in their order.

    They fail in the last play only: Ansible counts every host that has failed so far against ``max_fail_percentage``, of this
    play or not, so one host that was refused early would stop all others.
    """
    found = ((host, _inspected(host, hostvars)) for host in hosts)
    return [host for host, one in found if isinstance(one, t.Mapping) and (one.get("refused") or one.get("incomplete"))]


def hosts_not_refused(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return those of ``hosts`` that were not refused, in their order."""
    return [host for host in hosts if not refusal_of(host, hostvars)]


def refusal_of(host: str, hostvars: Mapping) -> t.Any:
    """Return why a host was refused (``msg``, ``hint``, ``code``), None where it was not."""
    inspected = _inspected(host, hostvars)
    return inspected.get("refused") if isinstance(inspected, t.Mapping) else None


def _inspected(host: str, hostvars: Mapping) -> t.Any:
    """Return the registered result, which is not a template."""
    return as_written(hostvars, host).get(INSPECTED) if host in hostvars else None


def _is_settled(inspected: t.Any) -> bool:
    if not isinstance(inspected, t.Mapping):
        return False
    return bool(inspected.get("refused")) or any(
        inspected.get(name) is True for name in ("current", "failed", "unreachable")
    )
