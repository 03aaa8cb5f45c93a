# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights of access groups: what may be written, and which requests a rule matches."""

from __future__ import annotations

import re
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy import rights

OPTION = "docker_daemon_group_rights"
ID = "4fa6e0f0c678"
#: A request each that changes something, enters a container, or shows files, output or secrets.
DANGEROUS = [
    ("POST", "/containers/create"),
    ("POST", f"/containers/{ID}/start"),
    ("POST", f"/containers/{ID}/exec"),
    ("POST", f"/containers/{ID}/attach"),
    ("GET", f"/containers/{ID}/attach/ws"),
    ("POST", f"/exec/{ID}/start"),
    ("GET", f"/containers/{ID}/archive"),
    ("HEAD", f"/containers/{ID}/archive"),
    ("PUT", f"/containers/{ID}/archive"),
    ("GET", f"/containers/{ID}/export"),
    ("GET", f"/containers/{ID}/logs"),
    ("GET", "/images/get"),
    ("GET", "/images/app/get"),
    ("GET", "/images/registry.example.org/team/app/get"),
    ("POST", "/session"),
    ("POST", "/grpc"),
    ("GET", "/swarm"),
    ("GET", "/swarm/unlockkey"),
    ("GET", "/configs"),
    ("GET", "/secrets"),
    ("GET", "/services"),
    ("POST", "/plugins/pull"),
    ("DELETE", f"/containers/{ID}"),
    ("CONNECT", "/info"),
]
SHOWS_PASSWORDS = [
    ("GET", f"/containers/{ID}/json"),
    ("GET", "/volumes"),
    ("GET", "/system/df"),
    ("GET", "/images/app/history"),
    ("GET", "/images/app/json"),
]
#: Other spellings of an allowed path that dockerd decodes or cleans (measured), or that resemble it.
TRICKS = [
    "/v1.41%2fcontainers/json",
    "/%63ontainers/json",
    "/containers%2fjson",
    "//containers/json",
    "/./containers/json",
    "/v1.41/../containers/json",
    "/containers/json/",
    "/containers/json;x",
    "/containers/json;/../../x",
    "/Containers/json",
    "/CONTAINERS/JSON",
    "/V1.41/containers/json",
    "/v1.41/v1.41/containers/json",
    "/v/containers/json",
    "/v1/containers/json",
    "/v1.41.2/containers/json",
    "/v1.41",
    "/x/containers/json",
    "/containers/json\n",
    "/containers/json\x00",
    "/containers/json#x",
    "/containers/json/x",
    "containers/json",
    "*",
    "",
    f"/containers/{ID}%2farchive",
    f"/containers/{ID}%2fstats",
    f"/containers/{ID}/../{ID}/archive",
    f"/containers/../{ID}/stats",
    "/containers/./stats",
    "/containers/../stats",
    "/containers//stats",
    f"/containers/{ID}/stats/../archive",
    f"/containers/{ID}/stats/..",
    f"/containers/{ID}\\archive",
    "/containers/\u0430/stats",
]


def allows(given_rights: rights.Rights, method: str, path: str) -> bool:
    """Decide as HAProxy does: ``method`` is one of the list and the expression matches the raw path (PCRE's $ is Python's)."""
    return given_rights.is_full or any(
        method in rule.methods and re.search(rule.expression, path) and "\n" not in path for rule in given_rights.rules
    )


def rule(path: t.Any, *methods: str) -> dict[str, t.Any]:
    return {"methods": list(methods or ("GET",)), "path": path}


@pytest.mark.parametrize("name", rights.PRESETS)
def test_preset_does_not_allow_what_changes_enters_or_reads_files(name: str) -> None:
    found = rights.parse_rights(name, OPTION)
    for version in ("", "/v1.41"):
        assert [each for each in DANGEROUS if allows(found, each[0], version + each[1])] == []


@pytest.mark.parametrize("name", ["read-only", "prometheus"])
def test_preset_without_secrets_does_not_allow_what_shows_passwords(name: str) -> None:
    found = rights.parse_rights(name, OPTION)
    assert [each for each in SHOWS_PASSWORDS if allows(found, *each)] == []


@pytest.mark.parametrize("name", rights.PRESETS)
def test_preset_is_made_of_rules_that_a_user_could_write(name: str) -> None:
    for each in rights.PRESETS[name]:
        assert rights.parse_rule({"methods": list(each.methods), "path": each.path}, "x") == each


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("read-only", "HEAD", "/_ping"),
        ("read-only", "GET", "/v1.41/containers/json"),
        ("read-only", "GET", "/v1.24/info"),
        ("read-only", "GET", f"/containers/{ID}/stats"),
        ("monitoring", "GET", f"/v1.48/containers/{ID}/json"),
        ("monitoring", "GET", "/v1.48/containers/my_app.1-web/json"),
        ("discovery", "GET", "/v1.24/events"),
        ("prometheus", "GET", "/v1.41/networks"),
        ("portainer", "GET", "/v1.41/volumes"),
        ("portainer", "GET", "/v1.41/images/sha256:4fa6e0f0c678/json"),
        ("ci", "POST", "/v1.41/build"),
        ("ci", "POST", "/v1.41/images/registry.example.org:5000/team/app/push"),
        ("ci", "DELETE", "/v1.41/images/registry.example.org/app:1.0"),
        ("ci", "GET", "/v1.41/images/app@sha256:4fa6e0f0c678/json"),
    ],
)
def test_preset_allows_what_its_tools_ask_for(name: str, method: str, path: str) -> None:
    assert allows(rights.parse_rights(name, OPTION), method, path)


@pytest.mark.parametrize("name", rights.PRESETS)
def test_preset_does_not_allow_other_spellings_of_a_path(name: str) -> None:
    found = rights.parse_rights(name, OPTION)
    assert [(path, method) for path in TRICKS for method in rights.METHODS if allows(found, method, path)] == []


@given(st.text(alphabet="/%.;:@?#{}\\ \tabcjson0129v-_é", max_size=60))
def test_no_rule_allows_a_path_with_another_structure(path: str) -> None:
    """Whatever is allowed has clean segments, of which none is empty, ``.`` or ``..``: dockerd routes it as it is written."""
    for each in rights.PRESETS.values():
        for one in each:
            if re.search(one.expression, path) and "\n" not in path:
                assert re.fullmatch(r"(/[a-zA-Z0-9_][a-zA-Z0-9_.:@-]*)+", path)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("/info", "methods and path"),
        ({"path": "/info"}, "methods and path"),
        ({"methods": ["GET"]}, "methods and path"),
        ({**rule("/info"), "deny": True}, "methods and path"),
        (rule("/info", "get"), "upper case"),
        (rule("/info", "*"), "upper case"),
        (rule("/info", "CONNECT"), "upper case"),
        ({"methods": [], "path": "/info"}, "list of HTTP methods"),
        ({"methods": "GET", "path": "/info"}, "list of HTTP methods"),
        ({"methods": [["GET"]], "path": "/info"}, "upper case"),
        (rule(""), "begins with /"),
        (rule(None), "begins with /"),
        (rule(5), "begins with /"),
        (rule("info"), "begins with /"),
        (rule("^/info$"), "begins with /"),
        (rule("/" + "a" * 300), "begins with /"),
        (rule("/"), "empty path segment"),
        (rule("/info/"), "empty path segment"),
        (rule("//info"), "empty path segment"),
        (rule("/info$"), "neither plain text nor one placeholder"),
        (rule("/.*"), "neither plain text nor one placeholder"),
        (rule("/containers/.*"), "neither plain text nor one placeholder"),
        (rule("/containers/*/json"), "neither plain text nor one placeholder"),
        (rule("/containers/{id}x/json"), "neither plain text nor one placeholder"),
        (rule("/containers/{}/json"), "neither plain text nor one placeholder"),
        (rule("/containers/[^/]+/json"), "neither plain text nor one placeholder"),
        (rule("/info json"), "neither plain text nor one placeholder"),
        (rule("/info'\nhttp-request allow"), "neither plain text nor one placeholder"),
        (rule("/info\x00"), "neither plain text nor one placeholder"),
        (rule("/inf\u00f6"), "neither plain text nor one placeholder"),
        (rule("/containers%2fjson"), "encoded character"),
        (rule("/%63ontainers"), "encoded character"),
        (rule("/../info"), "path segment '..'"),
        (rule("/containers/./json"), "path segment '.'"),
        (rule("/containers/json?all=1"), "query"),
        (rule("/info#x"), "query"),
        (rule("/v1.41/info"), "API version"),
        (rule("/v1.41"), "API version"),
        (rule("/{anything}"), "too wide"),
        (rule("/{a}/{b}"), "too wide"),
        (rule("/images/{name}"), "too wide"),
        (rule("/plugins/{name}", "GET", "DELETE"), "too wide"),
        (rule("/images/{a}/{b}"), "too wide"),
        (rule("/containers/{id}/{action}"), "too wide"),
        (rule("/containers/keeper/{action}"), "too wide"),
        (rule("/containers/{id}/attach/{way}"), "too wide"),
        (rule("/exec/{id}/{action}", "POST"), "too wide"),
        (rule("/images/{a}/{b}/json"), "too wide"),
        (rule("/images" + "/{a}" * 30 + "/json"), "too wide"),
        (rule("/containers/{id}", "POST"), "too wide"),
        (rule("/volumes/{name}", "GET", "POST"), "too wide"),
        (rule("/swarm/{what}"), "too wide"),
        (rule("/build/{what}", "DELETE"), "too wide"),
        (rule("/session", "POST"), "does not filter"),
        (rule("/grpc", "POST"), "does not filter"),
    ],
)
def test_rule_that_is_none_is_refused(value: t.Any, words: str) -> None:
    with pytest.raises(TlsError, match=re.escape(words)) as caught:
        rights.parse_rights({"rules": [value]}, "docker_daemon_group_rights[x]")
    assert caught.value.code == "rights-rule-invalid"
    assert caught.value.hint
    assert "docker_daemon_group_rights[x], rule 1" in caught.value.message


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("everything", "rights-unknown"),
        ("FULL", "rights-unknown"),
        ("", "rights-unknown"),
        ({"preset": "none"}, "rights-unknown"),
        ({"preset": ["ci"]}, "rights-unknown"),
        (None, "rights-invalid"),
        (True, "rights-invalid"),
        ([], "rights-invalid"),
        (["read-only"], "rights-invalid"),
        ({}, "rights-invalid"),
        ({"rules": []}, "rights-invalid"),
        ({"rules": "x"}, "rights-invalid"),
        ({"rules": [rule("/info")] * 201}, "rights-invalid"),
        ({"deny": [rule("/info")]}, "rights-invalid"),
        ({"preset": "full", "rules": [rule("/info")]}, "rights-invalid"),
    ],
)
def test_right_that_is_none_is_refused(value: t.Any, code: str) -> None:
    with pytest.raises(TlsError) as caught:
        rights.parse_group_rights({"x": value}, ["x"], OPTION)
    assert caught.value.code == code
    assert caught.value.hint
    assert "docker_daemon_group_rights[x]" in caught.value.message


def test_rights_of_own_rules_allow_these_only() -> None:
    found = rights.parse_rights(
        {"rules": [rule("/containers/{id}/restart", "POST"), rule("/containers/{id}/logs")]}, OPTION
    )
    assert allows(found, "POST", "/v1.41/containers/web/restart")
    assert allows(found, "GET", "/containers/web/logs")
    assert not allows(found, "POST", "/containers/web/stop")
    assert not allows(found, "GET", "/containers/web/restart")
    assert not allows(found, "GET", "/version")
    assert not allows(found, "POST", "/_ping")
    assert allows(found, "HEAD", "/_ping"), "what every client sends first"
    assert found.name == "rules"


def test_rights_of_a_preset_and_rules_allow_both() -> None:
    found = rights.parse_rights({"preset": "read-only", "rules": [rule("/containers/{id}/restart", "POST")]}, OPTION)
    assert allows(found, "GET", "/info")
    assert allows(found, "POST", "/containers/web/restart")
    assert found.name == "read-only + rules"
    assert rights.parse_rights({"preset": "ci"}, OPTION) == rights.parse_rights("ci", OPTION)


@pytest.mark.parametrize("name", ["{id}", "keeper", "4fa6e0f0c678"])
def test_rule_for_one_container_is_limited_like_one_for_all(name: str) -> None:
    """``top?ps_args=eww`` prints the environment, whether the rule has the container's name or a placeholder."""
    assert rights.parse_rule(rule(f"/containers/{name}/top"), OPTION).excludes_query
    assert rights.parse_rule(rule(f"/containers/{name}/attach", "POST"), OPTION).takes_connection_over
    assert rights.parse_rule(rule(f"/exec/{name}/start", "POST"), OPTION).shape == rights.EXEC_START
    assert not rights.parse_rule(rule("/containers/json"), OPTION).excludes_query


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/images/team/{app}/push", "POST"),
        ("/images/{name}", "DELETE"),
        ("/volumes/{name}", "PUT"),
        ("/networks/{id}", "GET"),
        ("/services/{id}/logs", "GET"),
        ("/plugins/{name}/json", "GET"),
        ("/swarm/unlockkey", "GET"),
    ],
)
def test_rule_with_one_name_where_docker_has_names_is_taken(path: str, method: str) -> None:
    assert rights.parse_rule(rule(path, method), OPTION).path == path


def test_group_without_an_entry_has_all_rights() -> None:
    found = rights.parse_group_rights({"monitoring": "read-only"}, ["clients", "monitoring"], OPTION)
    assert list(found) == ["clients", "monitoring"]
    assert found["clients"].is_full
    assert not found["monitoring"].is_full


@pytest.mark.parametrize("value", [{"clientz": "full"}, {5: "full"}, {"server": "read-only"}])
def test_right_for_an_unknown_group_is_refused(value: t.Any) -> None:
    with pytest.raises(TlsError, match="the host admits the access groups clients") as caught:
        rights.parse_group_rights(value, ["clients"], OPTION)
    assert caught.value.code == "rights-group-unknown"
    assert str(next(iter(value))) in caught.value.message


@pytest.mark.parametrize("value", [None, "read-only", ["clients"], 5])
def test_group_rights_that_are_no_dictionary_are_refused(value: t.Any) -> None:
    with pytest.raises(TlsError, match="not a dictionary") as caught:
        rights.parse_group_rights(value, ["clients"], OPTION)
    assert caught.value.code == "rights-invalid"
