# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of an adoption, and what is passed on to modules."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils import _adoption as adoption

SETTINGS = {"authorities": None, "repair": ["modes"], "keep_2375": False, "execute": False}
AUTHORITY = {
    "subject": "CN=docker1",
    "fingerprint_sha256": "ab" * 32,
    "not_after": "2027-11-22T13:00:00Z",
    "certificate_path": "/root/ca.pem",
    "signs": ["server", "clients"],
    "keys": [{"path": "/root/ca-key.pem", "encrypted": True}],
}


def found(layout: str = "docker-recipe", **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "layout": layout,
        "managed": layout == "portcullis",
        "listeners": ["fd://", "tcp://0.0.0.0:2376"],
        "plain_listeners": [],
        "paths": {"tlscert": "/etc/docker/server-cert.pem"},
        "where": {"tlscert": "/lib/systemd/system/docker.service"},
        "authorities": [AUTHORITY],
        "certificates": [{"content": "PEM", "source": "/etc/docker/server-cert.pem", "subject": "", "not_after": ""}],
        "findings": [
            {
                "severity": "critical",
                "code": "key-readable",
                "path": "/k",
                "message": "M",
                "repair": "R",
                "action": "mode",
            }
        ],
    }
    return {"docker_adoption": {"adoption": {**values, **changes}}}


def plan(hostvars: dict[str, Any], **settings: Any) -> str:
    return "\n".join(adoption.adoption_plan(hostvars, hostvars, {**SETTINGS, **settings}))


def test_plan_tells_findings_and_proposes_what_to_adopt() -> None:
    text = plan({"web1": found(), "web2": found()})
    assert "web1: docker-recipe, tcp://0.0.0.0:2376:" in text
    assert "critical: key-readable: /k: M" in text
    assert "CN=docker1 (until 2027-11-22T13:00:00Z, abababababababab) on web1, web2" in text
    assert "- names: [server, clients]" in text
    assert 'host: "web1"' in text
    assert "key_passphrase:" in text
    assert "To carry it out: -e docker_adopt_execute=true" in text


@pytest.mark.parametrize("path", ["/a\n      key_passphrase: x", "/{{ lookup('pipe', 'id') }}", "/{% x %}"])
def test_plan_proposes_no_path_that_would_be_more_than_a_path(path: str) -> None:
    text = plan({"web1": found(authorities=[{**AUTHORITY, "certificate_path": path}])})
    assert path not in text and "{%" not in text and "lookup" not in text
    assert 'certificate_path: "/path/to/it"' in text


def test_plan_without_a_key_says_where_docker_machine_keeps_it() -> None:
    text = plan({"web1": found("docker-machine", authorities=[{**AUTHORITY, "keys": []}])})
    assert "WHERE_THE_KEY_IS" in text
    assert "~/.docker/machine/certs" in text


def test_plan_that_is_carried_out_proposes_nothing() -> None:
    text = plan({"web1": found()}, authorities=[{"names": ["server"]}], execute=True)
    assert "Proposal" not in text
    assert "as server;" in text
    assert "It is carried out now." in text


@pytest.mark.parametrize(("keep", "word"), [(False, "closed"), (True, "served on")])
def test_plan_for_an_open_port_says_what_becomes_of_it(keep: bool, word: str) -> None:
    host = found("open", plain_listeners=["tcp://0.0.0.0:2375"], authorities=[])
    assert word in plan({"web1": host}, keep_2375=keep)


def test_plan_names_hosts_that_did_not_answer_and_leaves_out_those_of_no_play() -> None:
    text = plan({"web1": {"docker_adoption": {"unreachable": True, "msg": "no route"}}, "web2": {}})
    assert "web1: not examined: no route" in text
    assert "web2" not in text


@pytest.mark.parametrize(
    ("hostvars", "authorities", "word"),
    [
        ({"web1": found()}, None, "docker_adopt_authorities does not say"),
        ({"web1": found()}, [], ""),
        ({"web1": found()}, [{}], ""),
        ({"web1": found("open")}, None, ""),
        ({"web1": found("portcullis")}, None, ""),
        ({"web1": {"docker_adoption": {"failed": True}}}, [], "could not be examined"),
        ({"web1": {}}, None, ""),
    ],
)
def test_problems_are_those_that_would_lock_somebody_out(hostvars: dict[str, Any], authorities: Any, word: str) -> None:
    problems = adoption.adoption_problems(hostvars, hostvars, {**SETTINGS, "authorities": authorities})
    assert [word in problem for problem in problems] == ([True] if word else [])


def test_found_certificates_come_from_both_playbooks() -> None:
    files = {"files": [{"certificate_content": "PEM2", "path": "/c"}, {"certificate_content": "", "path": "/d"}]}
    hostvars = {"web1": found(), "web2": {"docker_record_files": files}, "web3": {}}
    assert adoption.found_certificates(hostvars, hostvars) == [
        {"content": "PEM", "requester": "web1", "source": "/etc/docker/server-cert.pem"},
        {"content": "PEM2", "requester": "web2", "source": "/c"},
    ]


def test_plain_listeners_are_those_before_the_change() -> None:
    hostvars = {"web1": found("open", plain_listeners=["tcp://:2375"]), "web2": {}}
    assert adoption.plain_listeners("web1", hostvars) == ["tcp://:2375"]
    assert adoption.plain_listeners("web2", hostvars) == []
