# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugins, with the connection and the modules played by the test."""

from __future__ import annotations

import sys
import types
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.action import (
    authorities,
    authority_info,
    certificate_bundles,
    certificate_requests,
    signed_certificates,
    temporary_client,
)
from ansible_collections.portcullis.docker_tls.plugins.action import (
    endpoint as endpoint_module,
)
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import local
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.answers import AUTHORITIES
from support.ansible.actions import GOOD, MISSING, Connection, action
from support.hosts.answers import sample, whole

ALL = {
    "authorities": authorities,
    "authority_info": authority_info,
    "certificate_bundles": certificate_bundles,
    "certificate_requests": certificate_requests,
    "endpoint": endpoint_module,
    "server_certificate": "server_certificate",
    "signed_certificates": signed_certificates,
}
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "authorities": {"passphrase": "p"},
    "certificate_bundles": {"bundles": [{"id": "a", "directory": "/d"}]},
    "certificate_requests": {"requests": [{"id": "a", "profile": "server"}]},
    "signed_certificates": {"requests": [{"id": "a"}], "passphrase": "p"},
    "endpoint": {"listen": ["private"]},
}


def run(found: t.Any) -> dict[str, t.Any]:
    result: dict[str, t.Any] = found.run(task_vars={})
    return result


@pytest.mark.parametrize("name", ALL)
def test_run_calls_the_module_of_the_same_name_without_the_package_option(name: str) -> None:
    found = action(ALL[name], {**ARGUMENTS.get(name, {}), "cryptography_package": "other"}, [GOOD])
    assert run(found).items() >= whole(found.MODULE, GOOD).items()
    ((module, arguments, *unused),) = found.called
    assert module == f"portcullis.docker_tls.{name}"
    assert "cryptography_package" not in arguments
    assert arguments.items() >= ARGUMENTS.get(name, {}).items()


@pytest.mark.parametrize("code", ["cryptography-missing", "cryptography-too-old"])
@pytest.mark.parametrize("name", ALL)
def test_run_without_cryptography_installs_it_and_runs_again(name: str, code: str) -> None:
    found = action(ALL[name], dict(ARGUMENTS.get(name, {})), [{**MISSING, "code": code}, {"reasons": ["expired"]}])
    expected = {"changed": True, "reasons": ["cryptography-missing", "expired"]}
    assert run(found).items() >= whole(found.MODULE, expected).items()
    assert found._shared_loader_obj.action_loader.asked == [{"name": "python3-cryptography", "state": "present"}]
    assert len(found.called) == 2


def test_run_with_old_package_lists_fetches_them() -> None:
    found = action(authority_info, {}, [MISSING, GOOD], packages=[{"failed": True, "msg": "no package"}, {}])
    assert run(found)["changed"]
    assert found._shared_loader_obj.action_loader.asked[1]["update_cache"] is True


@pytest.mark.parametrize("name", ALL)
def test_run_without_cryptography_in_check_mode_foretells_and_installs_nothing(name: str) -> None:
    found = action(ALL[name], dict(ARGUMENTS.get(name, {})), [MISSING], check=True)
    result = run(found)
    assert not result.get("failed")
    assert (result["changed"], result["reasons"]) == (True, ["cryptography-missing"])
    assert "python3-cryptography would be installed" in result["msg"]
    assert found._shared_loader_obj.action_loader.asked == []
    wanted = {"certificate_requests": "requests", "certificate_bundles": "bundles", "authorities": "authorities"}
    assert wanted.get(name, "changed") in result


FAILURES: dict[str, tuple[dict[str, t.Any], str]] = {
    "never-install": ({"arguments": {"cryptography_package": ""}}, "no cryptography in /usr/bin/python3"),
    "virtual-environment": ({"virtual": True}, "virtual environment"),
    "ansible-s-own-python": (
        {"interpreter": sys.executable, "connection": Connection(transport="local")},
        "that Ansible itself runs with",
    ),
    "package-unknown": (
        {"packages": [{"failed": True, "msg": "No package matching"}, {"failed": True, "msg": "still"}]},
        "could not be installed: No package matching",
    ),
    "other-python": ({"answers": [MISSING, MISSING]}, "although the package python3-cryptography is installed"),
}


@pytest.mark.parametrize(("how", "text"), FAILURES.values(), ids=FAILURES)
def test_run_where_cryptography_cannot_be_had_fails_clearly(
    how: dict[str, t.Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "cryptography_problem", lambda: ("none", "cryptography-missing"))
    given = {"arguments": {}, "answers": [MISSING], **how}
    found = action(authority_info, given.pop("arguments"), given.pop("answers"), **given)
    result = run(found)
    assert result["failed"]
    assert result["code"] == "cryptography-missing"
    assert text in result["msg"]
    assert result["hint"] and result["hint"] not in result["msg"]


def test_run_with_another_failure_installs_nothing() -> None:
    failure = {"failed": True, "changed": False, "msg": "x", "code": "key-mismatch"}
    found = action(authority_info, {}, [failure])
    assert run(found) == failure
    assert found._shared_loader_obj.action_loader.asked == []


PASSPHRASE_ACTIONS = {
    "authorities": authorities,
    "authority_generation": "authority_generation",
    "signed_certificates": signed_certificates,
    "temporary_client": temporary_client,
}


def with_passphrase(
    plugin: types.ModuleType | str, connection: Connection, answer: dict[str, t.Any] | None = None
) -> t.Any:
    arguments: dict[str, t.Any] = {"path": "/ca", "passphrase": "p", "name": "check"}
    return action(plugin, arguments, [answer or GOOD], connection=connection)


@pytest.mark.parametrize("plugin", PASSPHRASE_ACTIONS.values(), ids=PASSPHRASE_ACTIONS)
@pytest.mark.parametrize("keep", [False, True], ids=["tidy", "keep-remote-files"])
def test_run_with_a_passphrase_is_pipelined_whatever_the_configuration(
    plugin: types.ModuleType | str, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_KEEP_REMOTE_FILES", keep)
    found = with_passphrase(plugin, Connection())
    run(found)
    ((unused, arguments, pipelined, options),) = found.called
    assert pipelined
    assert options == {"pipelining": True}
    assert found._connection.options == {"pipelining": False}
    assert arguments["operator"] == local.user()
    assert not found._always_pipelined


BECOME = {
    "su-2.18": types.SimpleNamespace(name="su"),
    "su-2.19": types.SimpleNamespace(name="ansible.builtin.su", pipelining=False),
}
IMPOSSIBLE: dict[str, tuple[Connection, str]] = {
    "connection": (Connection(has_pipelining=False, transport="paramiko_ssh"), "paramiko_ssh"),
    "tty": (Connection(_is_tty_requested=lambda: True), "RequestTTY"),
    **{name: (Connection(become=become), "su") for name, become in BECOME.items()},
}


@pytest.mark.parametrize("plugin", PASSPHRASE_ACTIONS.values(), ids=PASSPHRASE_ACTIONS)
@pytest.mark.parametrize(("connection", "text"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_run_with_a_passphrase_where_pipelining_is_impossible_sends_nothing(
    plugin: types.ModuleType | str, connection: Connection, text: str
) -> None:
    found = with_passphrase(plugin, connection)
    result = run(found)
    assert (result["failed"], result["code"]) == (True, "pipelining-impossible")
    assert text in result["msg"]
    assert found.called == []


@pytest.mark.parametrize(
    "become", [types.SimpleNamespace(name="sudo"), types.SimpleNamespace(name="x", pipelining=True)]
)
def test_run_with_a_passphrase_and_another_become_method_works(become: t.Any) -> None:
    assert run(with_passphrase(authorities, Connection(become=become))) == whole("authorities", GOOD)


def test_run_with_a_connection_without_the_option_works() -> None:
    found = with_passphrase(authorities, Connection(options={}))
    assert run(found) == whole(found.MODULE, GOOD)
    assert found._connection.options == {}


def test_run_without_a_passphrase_leaves_pipelining_to_the_configuration() -> None:
    found = action(authority_info, {}, [GOOD])
    run(found)
    assert found.called[0][2] is False


LIE = {
    "changed": False,
    "requests": [],
    "ansible_facts": {"docker_server_cert_ca_host": "evil", "discovered_interpreter_python": "/evil"},
    "add_host": {"host_name": "evil"},
    "ansible_stats": {"data": {}},
}


@pytest.mark.parametrize("name", ["certificate_requests", "endpoint", "server_certificate", "certificate_bundles"])
def test_run_of_a_lying_host_sets_no_variable(name: str) -> None:
    found = action(name, {}, [dict(LIE)])
    assert "ansible_facts" not in run(found)
    found = action(name, {}, [dict(LIE)])
    found._discovered_interpreter_key, found._discovered_interpreter = "discovered_interpreter_python", "/usr/bin/found"
    result = run(found)
    assert result["ansible_facts"] == {"discovered_interpreter_python": "/usr/bin/found"}
    assert not {"add_host", "ansible_stats"} & set(result)


CHECK = {"check": "c", "passed": True, "detail": "d"}
FILE = {
    **dict.fromkeys(("id", "path", "state", "problem", "certificate_content", "ca_content", "client_ca_content"), "")
}
NONSENSE: list[tuple[str, dict[str, t.Any]]] = [
    *(("certificate_files_info", {"files": files}) for files in (5, [5], [{"id": 5}], [{**FILE, "ca_content": 5}])),
    *(("endpoint", {"verification": checks}) for checks in (5, [5], [{**CHECK, "detail": 5}], [{"check": 5}])),
    *(("endpoint", {"reasons": reasons}) for reasons in (5, [5], "x")),
    *(
        ("certificate_bundles", {"bundles": bundles})
        for bundles in (5, [5], [{"id": "a", "directory": "", "certificate": 5}])
    ),
    *(("certificate_requests", {"requests": requests}) for requests in (5, [5], [{"reasons": 5}])),
    ("server_certificate", {"plan": [{"a": 1}]}),
]


@pytest.mark.parametrize(("name", "answer"), NONSENSE, ids=str)
def test_run_of_a_host_that_answers_nonsense_fails_for_itself(name: str, answer: dict[str, t.Any]) -> None:
    """What reads it later reads that of all hosts at once, and would fail for all of them."""
    result = run(action(name, {}, [{"changed": True, **answer}]))
    assert (result["failed"], result["changed"], result["code"]) == (True, False, "answer-unusable")
    assert f"cannot be used: {list(answer)[-1]}" in result["msg"]
    assert not set(answer) & set(result)


def test_run_of_the_ca_host_sets_its_one_fact() -> None:
    authorities = {"server": sample(AUTHORITIES._shape)}
    facts = {"docker_ca_authorities": authorities, "docker_ca_path": "/evil"}
    result = run(action("authority_info", {}, [{"changed": False, "authorities": authorities, "ansible_facts": facts}]))
    assert result["ansible_facts"] == {"docker_ca_authorities": authorities}


@pytest.mark.parametrize("answer", [["x"], {"layout": 5}, "x", None], ids=str)
def test_examined_host_that_answers_nonsense_fails_for_itself(answer: t.Any) -> None:
    """The plays after it read the answer on the controller, for all hosts at once."""
    told = {"changed": False, "adoption": answer, "repairs": [], "ansible_facts": {"x": 1}}
    result = run(action("adoption_info", {}, [told]))
    assert (result["failed"], result["code"]) == (True, "answer-unusable")
    assert "adoption" not in result
    assert "--limit" in result["hint"]


@pytest.mark.parametrize("answer", [{"failed": True, "msg": "x"}, {"adoption": {}}])
def test_examined_host_that_fails_or_knows_nothing_is_passed_on(answer: dict[str, t.Any]) -> None:
    assert run(action("adoption_info", {}, [answer])) == {
        "changed": False,
        **answer,
    }


REFUSED = {"msg": "no certificate is signed for web1: no", "hint": "Ask.", "code": "name-taken"}


def test_server_certificate_that_was_refused_fails_without_asking_the_host() -> None:
    found = action("server_certificate", {"certificate_content": "", "rejected": {"server": REFUSED}}, [])
    result = found.run(task_vars={})
    assert found.called == []
    assert (result["failed"], result["changed"], result["hint"], result["code"]) == (True, False, "Ask.", "name-taken")
    assert "no certificate is signed for web1" in result["msg"]


def test_server_certificate_that_was_not_refused_is_installed() -> None:
    found = action("server_certificate", {"certificate_content": "C", "rejected": {}}, [{"changed": True}])
    assert found.run(task_vars={})["changed"]
    assert found.called[0][1] == {"certificate_content": "C"}


def test_certificate_bundles_install_the_others_and_fail_for_the_refused() -> None:
    bundles = [{"id": "root:a", "directory": "/a"}, {"id": "root:b", "directory": "/b"}]
    found = action(
        certificate_bundles, {"bundles": bundles, "rejected": {"root:a": REFUSED}}, [{"changed": True, "bundles": []}]
    )
    result = found.run(task_vars={})
    assert [bundle["id"] for bundle in found.called[0][1]["bundles"]] == ["root:b"]
    assert (result["failed"], result["changed"], result["code"]) == (True, True, "name-taken")


def test_certificate_bundles_that_were_all_refused_ask_nothing_of_the_host() -> None:
    found = action(certificate_bundles, {"bundles": [{"id": "a"}], "rejected": {"a": REFUSED}}, [])
    assert found.run(task_vars={})["failed"]
    assert found.called == []
