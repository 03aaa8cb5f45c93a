# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that say who issues certificates: what of them goes where, and what is refused before anything is touched."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import issuer_settings
from support.ca import certificates as made

BAO = {"url": "https://bao.example.test:8200", "mount": "pki-docker", "role": "dockerd", "token": "a-secret-token"}
SERVER = {"issuer": "openbao", "ca_content": "PEM", "openbao": BAO}
CLIENTS = {"ops": {**SERVER, "only_docker_clients": True, "trust_local_ca": False}}
GROUPS = ["clients", "ops"]


def test_no_issuer_is_declared_by_default_and_the_ca_signs_everything() -> None:
    assert issuer_settings.declared({}, {}) == issuer_settings.declared(None, None) == []
    assert issuer_settings.problems({}, {}, GROUPS) == []
    assert issuer_settings.needs_ca([], GROUPS)


def test_secrets_go_to_the_issuer_only() -> None:
    found = issuer_settings.declared(SERVER, CLIENTS)
    assert issuer_settings.anchors(found) == [
        {"authority": "server", "issuer": "openbao", "ca_content": "PEM"},
        {"authority": "ops", "issuer": "openbao", "ca_content": "PEM", "trust_local_ca": False},
    ]
    assert "a-secret-token" not in str(issuer_settings.anchors(found))
    assert issuer_settings.asked(found)[1] == {
        "authority": "ops",
        "issuer": "openbao",
        "ca_content": "PEM",
        "openbao": BAO,
    }


def test_local_issuer_with_anchors_is_trusted_and_not_asked() -> None:
    found = issuer_settings.declared({"issuer": "local", "ca_content": "PEM"}, {})
    assert issuer_settings.anchors(found) == [{"authority": "server", "issuer": "local", "ca_content": "PEM"}]
    assert issuer_settings.asked(found) == []
    assert not issuer_settings.is_external(found, "server")


def test_ca_is_needed_for_what_no_other_issuer_signs() -> None:
    assert issuer_settings.needs_ca(issuer_settings.declared(SERVER, CLIENTS), GROUPS)
    assert not issuer_settings.needs_ca(issuer_settings.declared(SERVER, CLIENTS), ["ops"])


@pytest.mark.parametrize(
    ("server", "clients", "says"),
    [
        pytest.param("openbao", {}, "docker_server_cert_issuer has to be a dictionary", id="text"),
        pytest.param({"issuer": "vaultt"}, {}, "issuer is 'vaultt'. Write one of local, openbao", id="kind"),
        pytest.param({**SERVER, "ca_content": " "}, {}, "ca_content is missing", id="anchors"),
        pytest.param({"issuer": "openbao", "ca_content": "PEM"}, {}, "openbao is missing", id="settings"),
        pytest.param({**SERVER, "tokn": "x"}, {}, "an issuer openbao has no tokn", id="unknown-key"),
        pytest.param({}, ["ops"], "docker_client_cert_issuers has to be a dictionary", id="list"),
        pytest.param({}, {"dev": CLIENTS["ops"]}, "dev is not an access group (clients, ops)", id="group"),
        pytest.param({}, {"ops": SERVER}, "gets root on the hosts that admit the group", id="shared-ca"),
        pytest.param({}, {"ops": {**SERVER, "only_docker_clients": "yes"}}, "gets root", id="shared-ca-text"),
        pytest.param(
            {}, {"ops": {**CLIENTS["ops"], "revocation_lists": True}}, "neither engine nor a text", id="lists-shape"
        ),
        pytest.param(
            {}, {"ops": {**CLIENTS["ops"], "revocation_lists": "http://pki/crl"}}, "neither engine nor", id="lists-url"
        ),
        pytest.param(
            {},
            {"ops": {**CLIENTS["ops"], "issuer": "files", "revocation_lists": "engine"}},
            "which only the issuer openbao has",
            id="lists-of-no-engine",
        ),
        pytest.param({**SERVER, "revocation_lists": "engine"}, {}, "has no revocation_lists", id="lists-of-servers"),
        pytest.param(
            {**SERVER, "only_docker_clients": True}, {}, "has no only_docker_clients", id="server-has-no-clients"
        ),
    ],
)
def test_problem_is_named_without_a_value(server: t.Any, clients: t.Any, says: str) -> None:
    found = issuer_settings.problems(server, clients, GROUPS)
    assert [sentence for sentence in found if says in sentence]
    assert "a-secret-token" not in " ".join(found)


@pytest.mark.parametrize("lists", ["engine", "-----BEGIN X509 CRL-----\n", "", None])
def test_lists_of_a_group_are_those_of_the_engine_or_a_text(lists: t.Any) -> None:
    clients = {"ops": {**CLIENTS["ops"], "revocation_lists": lists}}
    assert issuer_settings.problems(SERVER, clients, GROUPS) == []
    without = issuer_settings.without_lists(issuer_settings.declared({}, clients))
    assert without == (set() if lists else {"ops"})
    assert "revocation_lists" not in str(issuer_settings.anchors(issuer_settings.declared({}, clients)))


def test_hosts_that_disagree_are_refused_without_a_value() -> None:
    (found,) = issuer_settings.differing({"web1": SERVER, "web2": {}}, "docker_server_cert_issuer")
    assert "not the same for web1 and web2" in found
    assert "a-secret-token" not in found
    assert issuer_settings.differing({"web1": None, "web2": {}}, "docker_server_cert_issuer") == []
    assert issuer_settings.differing({}, "docker_server_cert_issuer") == []


def test_anchor_is_known_by_its_fingerprint() -> None:
    root = made.authority(unit="company", number=91)
    issuers = [{"authority": "server", "ca_content": f"some words\n{root.pem}"}]
    assert issuer_settings.is_anchor(issuers, root.view.fingerprint_sha256)
    assert not issuer_settings.is_anchor(issuers, "")
    assert not issuer_settings.is_anchor([{"authority": "server"}], root.view.fingerprint_sha256)


def test_clients_of_another_issuer_cannot_be_revoked_here() -> None:
    entries = [
        {"name": "bob", "group": "ops", "state": "revoked"},
        {"name": "eve", "group": "clients", "state": "revoked"},
        {"name": "olga", "group": "ops"},
    ]
    (found,) = issuer_settings.not_revocable(CLIENTS, entries)
    assert "The client 'bob' cannot be revoked here" in found
    assert list(issuer_settings.not_revocable({}, entries)) == []


@pytest.mark.parametrize(
    ("server", "clients", "says"),
    [
        pytest.param(
            {"issuer": "tasks", "ca_content": "PEM", "tasks": "issuer.yml"}, {}, "absolute path", id="tasks-path"
        ),
        pytest.param({"issuer": "acme", "ca_content": "PEM"}, {}, "acme is missing", id="acme-settings"),
        pytest.param(
            {},
            {"ops": {"issuer": "acme", "ca_content": "PEM", "acme": {}, "only_docker_clients": True}},
            "ACME issues certificates for the names of servers, not for clients",
            id="acme-clients",
        ),
    ],
)
def test_problem_of_the_other_kinds_is_named(server: t.Any, clients: t.Any, says: str) -> None:
    assert any(says in sentence for sentence in issuer_settings.problems(server, clients, GROUPS))


def test_issuers_that_are_asked_elsewhere_have_no_settings_here() -> None:
    found = issuer_settings.asked(
        issuer_settings.declared({"issuer": "acme", "ca_content": "PEM", "acme": {"eab_key": "secret"}}, {})
    )
    assert found == [{"authority": "server", "issuer": "acme", "ca_content": "PEM"}]


FILES = {"issuer": "files", "ca_content": "PEM", "files": {"directory": "/srv", "key_path": "/keys/{host}.pem"}}


def test_key_that_something_else_makes_has_a_path_for_each_host_or_client() -> None:
    assert issuer_settings.key_source(FILES, host="web1") == "/keys/web1.pem"
    assert issuer_settings.key_source({**FILES, "files": {"directory": "/srv"}}, host="web1") == ""
    assert issuer_settings.key_source({**FILES, "issuer": "local"}) == issuer_settings.key_source(None) == ""


@pytest.mark.parametrize(
    ("server", "path", "says"),
    [
        (True, "keys/web1.pem", "is not an absolute path"),
        (True, "/keys/{client}.pem", "has {client}, and only {host} is allowed in it"),
        (False, "/keys/key.pem", "lacks {client}: each client has a key of its own"),
        (False, "/keys/{host}-{client}.pem", "has {host}, and only {client} is allowed in it"),
    ],
)
def test_path_of_a_key_that_cannot_work_is_refused(server: bool, path: str, says: str) -> None:
    issuer = {**FILES, "files": {"directory": "/srv", "key_path": path}}
    clients = {"ops": {**issuer, "only_docker_clients": True}}
    found = issuer_settings.problems(issuer, {}, GROUPS) if server else issuer_settings.problems({}, clients, GROUPS)
    assert [sentence for sentence in found if says in sentence]
