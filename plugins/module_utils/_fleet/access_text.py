# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts about valid client certificates that should not be used any more, for a run's summary and the status."""

from __future__ import annotations

import typing as t

Mapping = t.Mapping[str, t.Any]

_MOST_HOSTS = 5
_REASONS = {
    "client-unlisted": "docker_client_cert_clients has no client {client}",
    "group-changed": "{client} is not of the group {group} any more",
    "bundle-unlisted": "the inventory has no bundle of {client} there any more",
    "client-revoked": "{client} is revoked",
}


def why(one: Mapping) -> str:
    """Return why a certificate (``unlisted`` or ``revoked`` of M(authority_info)) is not wanted."""
    sentence = _REASONS.get(str(one.get("reason")), "the inventory does not list it")
    return sentence.format(client=one.get("client"), group=one.get("group"))


def what(one: Mapping) -> str:
    """Return which certificate it is."""
    source = "" if one.get("source") == "issued" else f", {one.get('source')}"
    return f"{one.get('client')}, certificate of {one.get('generation')} ({one.get('request') or one.get('requester') or '-'}{source})"


def opens(one: Mapping, hosts: t.Sequence[str]) -> str:
    """Return the hosts that it opens, and its end."""
    until = str(one.get("not_after", ""))[:10]
    if hosts:
        return f"opens {named(hosts)} until {until}"
    if one.get("source") == "adopted":  # docker_daemon_state absent gives a host back to the CA that it had before
        return (
            f"opens no host with an endpoint of ours now; hosts whose endpoint was removed may admit it until {until}"
        )
    return f"opens no host now, and is valid until {until}"


def named(hosts: t.Sequence[str]) -> str:
    """Return host names as text, the first few of many."""
    more = len(hosts) - _MOST_HOSTS
    return f"{', '.join(map(str, hosts[:_MOST_HOSTS]))} and {more} more" if more > 0 else ", ".join(map(str, hosts))


def how_to_end(one: Mapping) -> str:
    """Return by what its access ends."""
    client, group = one.get("client"), one.get("group")
    is_unknown, is_issued = one.get("reason") == "client-unlisted", one.get("source") == "issued"
    ways = []
    if is_issued:
        ways.append("run portcullis.docker_tls.site with -e docker_ca_unlisted_certificates=revoke")
    if is_unknown:
        ways.append(
            f"give docker_client_cert_clients the entry {{name: {client}, group: {group}, state: revoked}} and run portcullis.docker_tls.site"
        )
    return ", or ".join(ways or [f"replace the authority of the group (docker_rotate_ca_authority={group})"])
