# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a name of the inventory is, where an inventory may ask for facts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleUndefinedVariable

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan.signing import reserved_names


def test_reserved_names_are_all_that_the_inventory_declares_with_all_their_owners() -> None:
    hostvars = {
        "Web1": {"ansible_host": "bastion", "docker_server_cert_names": ["docker.example.org."]},
        "web2": {
            "ansible_host": "bastion",
            "docker_daemon_listen": ["10.0.0.12:2376", "private"],
            "docker_daemon_address": "d2.example.org",
        },
        "olympus": {},
    }
    assert reserved_names(hostvars, hostvars) == {
        "web1": ["Web1"],
        "web2": ["web2"],
        "olympus": ["olympus"],
        "bastion": ["Web1", "web2"],
        "docker.example.org": ["Web1"],
        "10.0.0.12": ["web2"],
        "d2.example.org": ["web2"],
    }


class Written(dict[str, Any]):
    """hostvars with templates: ``raw_get`` gives what is written in the inventory, the rest what comes of it."""

    def __init__(self, filled: dict[str, Any], written: dict[str, Any]) -> None:
        super().__init__(filled)
        self._written = written

    def raw_get(self, host: str) -> dict[str, Any]:
        return {**self[host], **self._written.get(host, {})}


CLAIMS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    # what comes of the variable, what is written in the inventory, whether the name is evil's too
    "fact": ({"docker_server_cert_names": ["web1"]}, {"docker_server_cert_names": ["{{ ansible_fqdn }}"]}, False),
    "fact-of-its-address": (
        {"docker_server_cert_addresses": ["10.0.0.11"]},
        {"docker_server_cert_addresses": ["{{ ansible_facts.default_ipv4.address }}"]},
        False,
    ),
    "fact-in-capitals": (
        {"docker_server_cert_names": ["WEB1."]},
        {"docker_server_cert_names": ["{{ ansible_fqdn }}"]},
        False,
    ),
    "fact-beside-a-literal": (
        {"docker_server_cert_names": ["evil.example.org", "web1"]},
        {"docker_server_cert_names": ["evil.example.org", "{{ ansible_fqdn }}"]},
        False,
    ),
    "whole-list": ({"docker_server_cert_names": ["web1"]}, {"docker_server_cert_names": "{{ names_of_mine }}"}, False),
    "common-name": (
        {"docker_server_cert_common_name": "web1"},
        {"docker_server_cert_common_name": "{{ ansible_fqdn }}"},
        False,
    ),
    "address": ({"docker_daemon_address": "10.0.0.11"}, {"docker_daemon_address": "{{ ansible_fqdn }}"}, False),
    "listen": ({"docker_daemon_listen": ["10.0.0.11:2376"]}, {"docker_daemon_listen": ["{{ ansible_x }}:2376"]}, False),
    "fact-through-a-variable": (
        {"docker_server_cert_names": ["web1"]},
        {"docker_server_cert_names": ["{{ mine }}"], "mine": "{{ ansible_facts.hostname }}"},
        False,
    ),
    "connection-from-a-fact": ({"ansible_host": "10.0.0.11"}, {"ansible_host": "{{ ansible_fqdn }}"}, False),
    "literal": ({"docker_server_cert_names": ["web1"]}, {}, True),
    "literal-beside-a-fact": (
        {"docker_server_cert_names": ["Web1", "evil.example.org"]},
        {"docker_server_cert_names": ["Web1", "{{ ansible_fqdn }}"]},
        True,
    ),
    "literal-listen": ({"docker_daemon_listen": ["10.0.0.11:2376"]}, {}, True),
    "same-ansible-host": ({"ansible_host": "10.0.0.11"}, {"ansible_host": "{{ bastion }}"}, True),
}


@pytest.mark.parametrize(("filled", "written", "shared"), CLAIMS.values(), ids=CLAIMS)
def test_reserved_names_of_another_host_are_shared_only_where_the_inventory_writes_them_out(
    filled: dict[str, Any], written: dict[str, Any], shared: bool
) -> None:
    """A host that names itself like another is given the other's name by an inventory that asks for its facts."""
    hostvars = Written({"web1": {"ansible_host": "10.0.0.11"}, "evil": filled}, {"evil": written})
    found = reserved_names(["web1", "evil"], hostvars)
    wanted = ["evil", "web1"] if shared else ["web1"]
    assert wanted in (found["web1"], found["10.0.0.11"])
    assert shared or all("evil" not in found[name] for name in ("web1", "10.0.0.11"))
    assert found["evil"] == ["evil"]


def test_reserved_names_from_a_fact_belong_to_nobody_and_those_of_other_templates_to_their_host() -> None:
    hostvars = Written(
        {
            "a": {"docker_server_cert_names": ["db.example.org"]},
            "c": {"docker_server_cert_names": ["cache.example.org"], "docker_daemon_listen": ["10.0.0.3:2376"]},
            "b": {"docker_server_cert_names": ["b.zone.org", "10.0.0.2"], "ansible_host": "10.0.0.2"},
        },
        {
            "a": {"docker_server_cert_names": ["{{ ansible_facts['fqdn'] }}"]},
            "b": {"docker_server_cert_names": ["{{ inventory_hostname }}.{{ zone }}", "{{ ansible_host }}"]},
            "c": {
                "docker_server_cert_names": ["{{ mine }}"],
                "mine": "{{ ansible_facts.fqdn }}",
                "docker_daemon_listen": ["{{ ansible_facts.default_ipv4.address }}:2376"],
            },
        },
    )
    assert reserved_names(["a", "b", "c"], hostvars) == {
        "a": ["a"], "c": ["c"], "b": ["b"], "10.0.0.2": ["b"], "b.zone.org": ["b"],
    }  # fmt: skip


@pytest.mark.parametrize("written", ["reg.example.org, 10.0.0.9", ["reg.example.org", "10.0.0.9"]], ids=str)
def test_reserved_names_are_whole_also_where_a_text_stands_for_the_list(written: Any) -> None:
    hostvars = {"web1": {"docker_server_cert_names": written}}
    assert reserved_names(["web1"], hostvars) == {name: ["web1"] for name in ("web1", "reg.example.org", "10.0.0.9")}


class Uncomputable(dict[str, Any]):
    """Variables of which one cannot be computed, as ansible-core 2.19 and newer say it."""

    def get(self, name: str, default: Any = None) -> Any:
        if name == "docker_server_cert_names":
            raise AnsibleUndefinedVariable("'hostvars' is undefined")
        return super().get(name, default)


@pytest.mark.parametrize("names", [None, ["{{ hostvars['vip'].ansible_host }}"]], ids=["fails", "stays-a-template"])
def test_variable_that_cannot_be_computed_keeps_no_other_name_from_its_host(names: Any) -> None:
    bad = (
        Uncomputable(ansible_host="10.0.0.1")
        if names is None
        else {"docker_server_cert_names": names, "ansible_host": "10.0.0.1"}
    )
    hostvars = {"web1": bad, "web2": {"docker_server_cert_names": ["shop.example.org"]}}
    assert reserved_names(hostvars, hostvars) == {
        "web1": ["web1"], "web2": ["web2"], "10.0.0.1": ["web1"], "shop.example.org": ["web2"],
    }  # fmt: skip
