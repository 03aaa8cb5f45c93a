# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of an adoption, and what is passed on to modules."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import adoption
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import adoption_answer as answers


def pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"


FINGERPRINT = hashlib.sha256(b"docker1").hexdigest()
SETTINGS = {"authorities": None, "repair": ["modes"], "keep_2375": False, "execute": False}
AUTHORITY = {
    "subject": "CN=docker1",
    "fingerprint_sha256": FINGERPRINT,
    "certificate_content": pem(b"docker1"),
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
        "tls": True,
        "names": [],
        "searched": ["/etc/docker"],
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
    return {adoption.INSPECTED: {"adoption": {**values, **changes}}}


def plan(hostvars: dict[str, Any], **settings: Any) -> str:
    return "\n".join(adoption.adoption_plan(hostvars, hostvars, {**SETTINGS, **settings}))


def test_plan_tells_findings_and_proposes_what_to_adopt() -> None:
    text = plan({"web1": found(), "web2": found()})
    assert "web1: docker-recipe, tcp://0.0.0.0:2376:" in text
    assert "critical: key-readable: /k: M" in text
    assert f"CN=docker1 (until 2027-11-22T13:00:00Z, {FINGERPRINT[:16]}) on web1, web2" in text
    assert "- names: [server, clients]" in text
    assert 'host: "web1"' in text
    assert f"fingerprint_sha256: {FINGERPRINT}\n" in text
    assert '# "web2" claims to have it too: "/root/ca-key.pem"' in text
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


@pytest.mark.parametrize(
    ("layout", "word"), [("portcullis", "their clients need nothing"), ("open", "new authorities")]
)
def test_plan_numbers_its_steps_and_says_what_becomes_of_the_clients(layout: str, word: str) -> None:
    steps = [line.strip() for line in plan({"web1": found(layout)}).splitlines() if line.startswith("    ")]
    numbered = [line for line in steps if line[:2] in ("1.", "2.", "3.", "4.")]
    assert [line[0] for line in numbered] == ["1", "2", "3"]
    assert word in numbered[0]


@pytest.mark.parametrize(("keep", "word"), [(False, "closed"), (True, "served on")])
def test_plan_for_an_open_port_says_what_becomes_of_it(keep: bool, word: str) -> None:
    host = found("open", plain_listeners=["tcp://0.0.0.0:2375"], authorities=[])
    assert word in plan({"web1": host}, keep_2375=keep)


def test_plan_names_hosts_that_did_not_answer_and_leaves_out_those_of_no_play() -> None:
    text = plan({"web1": {adoption.INSPECTED: {"unreachable": True, "msg": "no route"}}, "web2": {}})
    assert "web1: not inspected: no route" in text
    assert "web2" not in text


@pytest.mark.parametrize(
    ("hostvars", "authorities", "word"),
    [
        ({"web1": found()}, None, "docker_adopt_authorities does not define"),
        ({"web1": found()}, [], ""),
        ({"web1": found()}, [{}], ""),
        ({"web1": found("open")}, None, ""),
        ({"web1": found("portcullis")}, None, ""),
        ({"web1": {adoption.INSPECTED: {"failed": True}}}, [], "could not be inspected"),
        ({"web1": {}}, None, ""),
    ],
)
def test_problems_are_those_that_would_lock_somebody_out(hostvars: dict[str, Any], authorities: Any, word: str) -> None:
    problems = adoption.adoption_problems(hostvars, hostvars, {**SETTINGS, "authorities": authorities})
    assert [word in problem for problem in problems] == ([True] if word else [])


def test_found_certificates_come_from_both_playbooks() -> None:
    files = {"files": [{"certificate_content": "PEM2", "path": "/c"}, {"certificate_content": "", "path": "/d"}]}
    hostvars = {"web1": found(), "web2": {adoption.FILES: files}, "web3": {}}
    assert adoption.found_certificates(hostvars, hostvars) == [
        {"content": "PEM", "requester": "web1", "source": "/etc/docker/server-cert.pem"},
        {"content": "PEM2", "requester": "web2", "source": "/c"},
    ]


def test_plain_listeners_are_those_before_the_change() -> None:
    hostvars = {"web1": found("open", plain_listeners=["tcp://:2375"]), "web2": {}}
    assert adoption.plain_listeners("web1", hostvars) == ["tcp://:2375"]
    assert adoption.plain_listeners("web2", hostvars) == []


def test_plan_shows_all_who_claim_a_ca_and_where_they_contradict_each_other() -> None:
    """The answer of the first host of the inventory may be forged: it is not the only host that is named."""
    liar = {**AUTHORITY, "subject": "CN=our good CA", "keys": [{"path": "/tmp/mine.pem", "encrypted": False}]}
    text = plan({"evil": found(authorities=[liar]), "web1": found()})
    assert "CN=our good CA (until" in text and "on evil\n" in text
    assert "CN=docker1 (until" in text and "on web1\n" in text
    assert "describe one certificate differently" in text
    assert '# "web1" claims to have it too: "/root/ca-key.pem"' in text
    assert "differently" not in plan({"web1": found(), "web2": found()})


def test_plan_is_not_spoofed_by_what_a_host_says() -> None:
    evil = found(
        findings=[
            {"severity": "info", "code": "x", "path": "/k\nweb2: portcullis", "message": "\x1b[2J", "repair": "R"}
        ]
    )
    lines = adoption.adoption_plan(["evil"], {"evil": evil}, SETTINGS)
    assert not any("\n" in line or "\x1b" in line for line in lines)


def broken(**changes: Any) -> dict[str, Any]:
    answer = {**found()[adoption.INSPECTED]["adoption"], **changes}
    return {name: value for name, value in answer.items() if value != "GONE"}


UNUSABLE: dict[str, Any] = {
    "no-dictionary": ["x"],
    "text": "x",
    "empty-but-something": {"x": 1},
    **{f"without-{name}": broken(**{name: "GONE"}) for name in found()[adoption.INSPECTED]["adoption"]},
    "listeners-of-numbers": broken(listeners=[1]),
    "paths-of-lists": broken(paths={"tlscert": []}),
    "findings-no-list": broken(findings={"a": 1}),
    "finding-without-repair": broken(findings=[{"severity": "info", "code": "x", "path": "", "message": ""}]),
    "authority-without-keys": broken(authorities=[{name: AUTHORITY[name] for name in AUTHORITY if name != "keys"}]),
    "authority-key-without-path": broken(authorities=[{**AUTHORITY, "keys": [{"encrypted": True}]}]),
    "fingerprint-of-another": broken(authorities=[{**AUTHORITY, "fingerprint_sha256": "ab" * 32}]),
    "two-certificates": broken(authorities=[{**AUTHORITY, "certificate_content": pem(b"docker1") * 2}]),
    "no-certificate": broken(authorities=[{**AUTHORITY, "certificate_content": "x"}]),
    "certificate-no-base64": broken(
        authorities=[{**AUTHORITY, "certificate_content": pem(b"").replace("\n\n", "\nAAA\n")}]
    ),
    "certificate-of-number": broken(certificates=[{"content": 5, "source": ""}]),
    "text-too-long": broken(layout="x" * 5000),
    "too-many": broken(listeners=["x"] * 1001),
    "too-big": broken(more="x" * 5_000_000),
    "no-plain-data": broken(more={1, 2}),
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
def test_answer_that_is_not_what_it_should_be_is_that_host_s_failure_alone(answer: Any) -> None:
    assert answers.problem(answer)
    hostvars = {"evil": {adoption.INSPECTED: {"adoption": answer}}, "web1": found()}
    text = plan(hostvars)
    assert "evil: not inspected: its answer cannot be used: " in text
    assert "web1: docker-recipe" in text
    (problem,) = adoption.adoption_problems(hostvars, hostvars, {**SETTINGS, "authorities": []})
    assert problem.startswith("evil could not be inspected")
    assert [one["requester"] for one in adoption.found_certificates(hostvars, hostvars)] == ["web1"]
    assert adoption.plain_listeners("evil", hostvars) == []


@pytest.mark.parametrize("answer", ["x", ["x"], {"adoption": None, "msg": "x"}])
def test_registered_result_that_is_none_is_told(answer: Any) -> None:
    assert "evil: not inspected: " in plan({"evil": {adoption.INSPECTED: answer}})


@pytest.mark.parametrize(
    "files",
    [
        "x",
        {"files": "x"},
        {"files": ["x", {"path": 1, "certificate_content": "PEM"}]},
        {"files": [{"path": "/c", "certificate_content": "x" * 70_000}]},
    ],
)
def test_found_certificates_of_a_strange_answer_are_none(files: Any) -> None:
    hostvars = {"evil": {adoption.FILES: files}}
    assert adoption.found_certificates(hostvars, hostvars) == []
    assert adoption.unseen_hosts(hostvars, hostvars) == (
        [] if isinstance(files, dict) and isinstance(files["files"], list) else ["evil"]
    )


def test_answer_that_is_right_has_no_problem() -> None:
    assert answers.problem(found()[adoption.INSPECTED]["adoption"]) == ""


# --- clients of a CA that is not named


@pytest.mark.parametrize(
    ("authorities", "refused"),
    [
        ([{"fingerprint_sha256": FINGERPRINT}], False),
        ([{"fingerprint_sha256": FINGERPRINT.upper()}], False),
        ([{"fingerprint_sha256": "ab" * 32}], True),
        ([{"host": "web1"}], False),
        ([], False),
        (None, True),
    ],
    ids=["named", "named-otherwise", "another", "not-known-before", "given-up", "nothing-said"],
)
def test_problems_name_the_ca_whose_clients_would_be_shut_out(authorities: Any, refused: bool) -> None:
    problems = adoption.adoption_problems(["web1"], {"web1": found()}, {**SETTINGS, "authorities": authorities})
    assert bool(problems) == refused
    assert all(problem.startswith("clients-would-be-shut-out: web1 has clients of ") for problem in problems)


# --- where a key was searched

ELSEWHERE = {"fingerprint_sha256": FINGERPRINT, "path": "/home/ops/ca-key.pem", "encrypted": False}


def test_plan_proposes_the_key_on_the_ca_host() -> None:
    answer = {"keys": [ELSEWHERE, {**ELSEWHERE, "fingerprint_sha256": "ab" * 32}], "searched": ["/home/ops"]}
    text = plan({"web1": found(authorities=[{**AUTHORITY, "keys": []}])}, ca_host="ca1", keys=answer)
    assert (
        'host: "web1"\n      certificate_path: "/root/ca.pem"\n      key_host: "ca1"\n      key_path: "/home/ops/ca-key.pem"'
        in text
    )
    assert "passphrase" not in text.split("Proposal")[1]
    assert "WHERE_THE_KEY_IS" not in text


def test_plan_without_a_key_says_where_was_looked_and_what_adds_a_place() -> None:
    host = found(authorities=[{**AUTHORITY, "keys": []}], searched=["/etc/docker", "/root"])
    text = plan({"web1": host}, ca_host="ca1", keys={"keys": [], "searched": ["/home/ops"]})
    assert "web1: /etc/docker, /root\n" in text
    assert "ca1: /home/ops\n" in text
    assert "docker_adopt_search_paths" in text


@pytest.mark.parametrize("answer", [None, {}, [], {"keys": None}, {"keys": ["x"], "searched": None}, {"skipped": True}])
def test_plan_with_a_strange_answer_of_the_ca_host_is_still_a_plan(answer: Any) -> None:
    assert "WHERE_THE_KEY_IS" in plan({"web1": found(authorities=[{**AUTHORITY, "keys": []}])}, keys=answer)


def test_found_authorities_are_each_ca_once() -> None:
    hostvars = {"web1": found(), "web2": found(), "web3": {adoption.INSPECTED: {"unreachable": True}}}
    assert adoption.found_authorities(hostvars, hostvars) == [AUTHORITY["certificate_content"]]


def of_company(**changes: Any) -> dict[str, Any]:
    """Return the variables of a host whose clients have certificates of the CA that docker_client_cert_issuers names."""
    issuer = {"issuer": "openbao", "ca_content": AUTHORITY["certificate_content"], "only_docker_clients": True}
    return {**found(**changes), "docker_client_cert_issuers": {"clients": issuer}}


def test_ca_of_another_issuer_need_not_be_adopted_and_the_plan_says_so() -> None:
    hostvars = {"web1": of_company()}
    assert adoption.adoption_problems(hostvars, hostvars, SETTINGS) == []
    text = plan(hostvars)
    assert "is a CA of docker_client_cert_issuers: its clients are admitted as before" in text
    assert "Proposal" not in text


def test_ca_of_servers_that_another_issuer_replaces_is_not_proposed_and_no_authority_is_announced() -> None:
    """A host with certificates of a company's PKI: one CA has signed for it, another for its clients."""
    servers = {
        **AUTHORITY,
        "subject": "CN=issuing",
        "signs": ["server"],
        "fingerprint_sha256": hashlib.sha256(b"s").hexdigest(),
    }
    clients = {**AUTHORITY, "signs": ["clients"]}
    hostvars = {"web1": of_company(authorities=[clients, {**servers, "certificate_content": pem(b"s")}])}
    assert "Proposal" in plan(hostvars) and "new authorities are made" in plan(hostvars)
    hostvars["web1"]["docker_server_cert_issuer"] = {"issuer": "files", "ca_content": "PEM", "files": {}}
    assert adoption.adoption_problems(hostvars, hostvars, SETTINGS) == []
    text = plan(hostvars)
    assert "has signed for servers alone, which docker_server_cert_issuer does from now on" in text
    assert "other issuers sign, so no authority is made" in text
    assert "Proposal" not in text and "WHERE_THE_KEY_IS" not in text


def test_second_ca_beside_that_of_another_issuer_still_has_to_be_named() -> None:
    other = {**AUTHORITY, "subject": "CN=other", "fingerprint_sha256": hashlib.sha256(b"other").hexdigest()}
    hostvars = {"web1": of_company(authorities=[AUTHORITY, {**other, "certificate_content": pem(b"other")}])}
    (problem,) = adoption.adoption_problems(hostvars, hostvars, SETTINGS)
    assert problem.startswith("clients-would-be-shut-out: web1")
    assert "CN=other" in plan(hostvars) and "Proposal" in plan(hostvars)
    adopted = {**SETTINGS, "authorities": [{"fingerprint_sha256": other["fingerprint_sha256"]}]}
    assert adoption.adoption_problems(hostvars, hostvars, adopted) == []


def test_ca_of_another_issuer_of_servers_alone_does_not_admit_clients() -> None:
    issuer = {"issuer": "openbao", "ca_content": AUTHORITY["certificate_content"]}
    hostvars = {"web1": {**found(), "docker_server_cert_issuer": issuer}}
    assert [problem for problem in adoption.adoption_problems(hostvars, hostvars, SETTINGS) if "web1" in problem]
