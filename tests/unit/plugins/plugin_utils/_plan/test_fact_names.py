# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names of a request the inventory takes from facts."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import host_reports

FROM_FACT: dict[str, tuple[Any, dict[str, Any], bool]] = {
    "literal": ("web1.example.org", {}, False),
    "fact": ("{{ ansible_fqdn }}", {}, True),
    "facts": ("{{ ansible_facts['fqdn'] }}", {}, True),
    "facts-of-a-host": ("{{ hostvars[inventory_hostname].ansible_default_ipv4.address }}", {}, True),
    "facter": ("{{ facter_fqdn }}", {}, True),
    "in-a-statement": ("{% if x %}{{ ansible_domain }}{% endif %}", {}, True),
    "connection": ("{{ ansible_host }}", {"ansible_host": "192.0.2.5"}, False),
    "connection-from-a-fact": ("{{ ansible_host }}", {"ansible_host": "{{ ansible_fqdn }}"}, True),
    "inventory": ("{{ inventory_hostname }}.{{ zone }}", {"zone": "example.org"}, False),
    "through-a-variable": ("{{ mine }}", {"mine": "{{ ansible_fqdn }}"}, True),
    "through-two": ("{{ a }}", {"a": ["{{ b.c }}"], "b": {"c": "{{ ansible_facts.fqdn }}"}}, True),
    "through-hostvars": ("{{ hostvars[inventory_hostname].mine }}", {"mine": "{{ ansible_fqdn }}"}, True),
    "through-lookup": ("{{ lookup('vars', 'mine') }}", {"mine": "{{ ansible_fqdn }}"}, True),
    "circle": ("{{ a }}", {"a": "{{ b }}", "b": "{{ a }}"}, False),
    "other-variables-do-not-matter": ("{{ zone }}", {"zone": "example.org", "mine": "{{ ansible_fqdn }}"}, False),
}


@pytest.mark.parametrize(("text", "variables", "expected"), FROM_FACT.values(), ids=FROM_FACT)
def test_is_from_fact_follows_variables(text: Any, variables: dict[str, Any], expected: bool) -> None:
    assert host_reports.is_from_fact(text, variables) is expected


NAMES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    # the request's values, the variables as written, the names that are the host's word
    "literal": ({"names": ["a.example.org"]}, {"docker_server_cert_names": ["a.example.org"]}, []),
    "entry": (
        {"names": ["a.example.org", "b.example.org"]},
        {"docker_server_cert_names": ["a.example.org", "{{ ansible_fqdn }}"]},
        ["b.example.org"],
    ),
    "entry-beside-another-template": (
        {"names": ["a.example.org", "b.example.org"]},
        {"docker_server_cert_names": ["{{ inventory_hostname }}.example.org", "{{ ansible_fqdn }}"]},
        ["b.example.org"],
    ),
    "whole": ({"names": ["a.org", "b.org"]}, {"docker_server_cert_names": "{{ [ansible_fqdn, 'a.org'] }}"}, ["a.org", "b.org"]),
    "written-out-too": (
        {"names": ["a.example.org", "a.example.org"]},
        {"docker_server_cert_names": ["A.example.org.", "{{ ansible_fqdn }}"]},
        [],
    ),
    "common-name": ({"common_name": "a.org"}, {"docker_server_cert_common_name": "{{ ansible_fqdn }}"}, ["a.org"]),
    "addresses": (
        {"addresses": ["private", "10.0.0.5"]},
        {"docker_server_cert_addresses": ["private", "{{ ansible_default_ipv4.address }}"]},
        ["10.0.0.5"],
    ),
    "listen": (
        {"addresses": ["10.0.0.5", "10.0.0.6"]},
        {
            "docker_server_cert_addresses": ["listen"],
            "docker_daemon_listen": ["10.0.0.6:2376", "{{ ansible_default_ipv4.address }}:2376"],
        },
        ["10.0.0.5"],
    ),
    "ansible-host": ({"optional_names": ["web1", "a.org"]}, {"ansible_host": "{{ ansible_fqdn }}"}, ["a.org"]),
    "ansible-ssh-host": ({"optional_names": ["web1", "a.org"]}, {"ansible_ssh_host": "{{ ansible_fqdn }}"}, ["a.org"]),
    "nothing": ({}, {}, []),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "variables", "expected"), NAMES.values(), ids=NAMES)
def test_fact_names_are_those_that_are_not_written_out(
    request_: dict[str, Any], variables: dict[str, Any], expected: list[str]
) -> None:
    assert host_reports.fact_names(request_, variables) == expected
    (made,) = host_reports.with_fact_names([{"profile": "server", **request_}], variables)
    assert made.get("fact_names", []) == expected


def test_with_fact_names_leaves_client_requests_given_names_and_nonsense_alone() -> None:
    variables = {"docker_server_cert_names": ["{{ ansible_fqdn }}"]}
    client = {"profile": "client", "names": ["a.org"]}
    given = {"profile": "server", "names": ["a.org", "b.org"], "fact_names": ["b.org"]}
    assert host_reports.with_fact_names([client, given], variables) == [client, given]
    assert host_reports.with_fact_names("nonsense", variables) == "nonsense"
    assert host_reports.with_fact_names(["nonsense"], variables) == ["nonsense"]
