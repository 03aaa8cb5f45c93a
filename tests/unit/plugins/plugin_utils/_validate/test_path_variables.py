# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that are paths get into units, configuration files and commands: what cannot be one is refused before a host is touched."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import packages
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate import written_values
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate.preflight import inventory_problems
from support.contracts import records
from support.contracts.documentation import of_playbooks, of_roles

SET = {"docker_ca_passphrase": "a phrase of some length"}
DIRECTORIES = (
    "docker_ca_path",
    "docker_server_cert_path",
    "docker_server_cert_ca_path",
    "docker_client_cert_path",
    "docker_client_cert_ca_path",
    "docker_daemon_certificate_path",
    "docker_daemon_ca_path",
)
FILES = (
    "docker_ca_backup_path",
    "docker_ca_backup_controller_path",
    "docker_ca_restore_path",
    "docker_ca_restore_controller_path",
    "docker_daemon_config_path",
)
GROUPS = {"docker_hosts": ["web1", "web2"], "docker_clients": ["desk"]}


def found(predicting: bool = False, **hosts: dict[str, Any]) -> list[str]:
    hostvars = {host: {**SET, **hosts.get(host, {})} for host in ("localhost", "web1", "web2", "desk")}
    return [records.said(one) for one in inventory_problems(GROUPS, hostvars, predicting=predicting)]


@pytest.mark.parametrize("predicting", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("path", ["/etc/docker/a\nExecStart=/bin/sh", "/a\tb", "/a\x00b", "/a\rb", "/a\x85b"], ids=repr)
@pytest.mark.parametrize("name", [*DIRECTORIES, *FILES])
def test_control_characters_are_refused(name: str, path: str, predicting: bool) -> None:
    (problem,) = found(web1={name: path}, predicting=predicting)
    assert problem.startswith(f"{name} is {path!r}, which has a line break or another control character in it (web1).")


@pytest.mark.parametrize("path", ["/etc/docker/../x", "/a/..", "../x", "~/../x"])
@pytest.mark.parametrize("name", [*DIRECTORIES, *FILES])
def test_path_to_a_directory_above_is_refused(name: str, path: str) -> None:
    (problem,) = found(localhost={name: path})
    assert problem.startswith(f"{name} is {path!r}, which has .. in it (localhost).")


@pytest.mark.parametrize("path", ["ca", "./ca", "-rf", "5"])
@pytest.mark.parametrize(
    "name", [*DIRECTORIES, "docker_ca_backup_path", "docker_ca_restore_path", "docker_daemon_config_path"]
)
def test_relative_path_is_refused(name: str, path: str) -> None:
    (problem,) = found(localhost={name: path})
    assert f"{name} is {path!r}, which is not an absolute path" in problem


@pytest.mark.parametrize("path", ["~", "~/", "~alice", "$HOME", "/home/alice/"])
@pytest.mark.parametrize("name", DIRECTORIES)
def test_home_of_a_user_is_refused(name: str, path: str) -> None:
    (problem,) = found(localhost={name: path})
    assert f"{name} is {path!r}, which is the home of a user" in problem


@pytest.mark.parametrize("path", ["/etc", "/tmp/", "~", "/etc/ssh", "/usr/local"])
def test_directory_of_others_is_refused_for_a_bundle(path: str) -> None:
    (problem,) = found(localhost={"docker_client_cert_clients": [{"name": "a", "controller_directory": path}]})
    assert problem.startswith(f"docker_client_cert_clients: controller_directory is {path!r}, which is ")
    (problem,) = found(localhost={"docker_client_cert_users": [{"user": "u", "directory": path}]})
    assert problem.startswith(f"docker_client_cert_users: directory is {path!r}, which is ")


@pytest.mark.parametrize("path", ["/srv/ca", "/srv/ca/", "/srv/ca/clients"])
def test_directory_within_the_ca_is_refused(path: str) -> None:
    (problem,) = found(localhost={"docker_ca_path": "/srv/ca", "docker_client_cert_path": path})
    assert problem.startswith(f"docker_client_cert_path is {path!r}, which is in the CA directory /srv/ca")
    clients = [{"name": "a", "controller_directory": "~/.docker_tls/ca/a"}]
    (problem,) = found(localhost={"docker_client_cert_clients": clients})
    assert "which is in the CA directory ~/.docker_tls/ca" in problem
    assert found(localhost={"docker_ca_path": "/srv/ca", "docker_client_cert_path": "/srv/ca-clients"}) == []


@pytest.mark.parametrize("path", ["~/.docker", "/home/u/.docker", "/srv/ci/docker", "$HOME/certs"])
def test_directory_of_its_own_is_taken_for_a_bundle(path: str) -> None:
    assert found(localhost={"docker_client_cert_users": [{"user": "u", "directory": path}]}) == []


@pytest.mark.parametrize("path", ["/", "//", "/etc", "/etc/", "/etc/docker/", "/usr/./", "/etc/ssl", "/var/lib/docker"])
@pytest.mark.parametrize("name", DIRECTORIES)
def test_directory_of_the_system_is_refused(name: str, path: str) -> None:
    (problem,) = found(localhost={name: path})
    assert f"{name} is {path!r}, which is a directory of the system" in problem


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("docker_client_cert_clients", {"name": "a", "controller_directory": "/a\nb"}),
        ("docker_client_cert_clients", {"name": "a", "consumer_directory": "/a\nb"}),
        ("docker_client_cert_users", {"user": "u", "directory": "/a\nb"}),
    ],
    ids=["controller", "consumer", "user"],
)
def test_paths_in_lists_are_read_too(name: str, entry: dict[str, str]) -> None:
    (problem,) = found(desk={name: [entry]})
    assert problem.startswith(f"{name}: ")
    assert "control character in it (desk)" in problem


@pytest.mark.parametrize("path", ["/a\nb", "/a\x00b", "/../b", "b"], ids=["line", "nul", "above", "relative"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("docker_server_cert_issuer", {"issuer": "files", "ca_content": "x", "files": {"directory": "PATH"}}),
        (
            "docker_server_cert_issuer",
            {"issuer": "files", "ca_content": "x", "files": {"directory": "/d", "key_path": "PATH"}},
        ),
        ("docker_server_cert_issuer", {"issuer": "acme", "ca_content": "x", "acme": {"webroot": "PATH"}}),
        ("docker_server_cert_issuer", {"issuer": "acme", "ca_content": "x", "acme": {"account_directory": "PATH"}}),
        ("docker_server_cert_issuer", {"issuer": "tasks", "ca_content": "x", "tasks": "PATH"}),
        ("docker_daemon_verify_clients", {"clients": {"certificate_path": "PATH", "key_path": "/dev/null"}}),
        ("docker_client_cert_users", [{"user": "u", "directory": "PATH"}]),
        ("docker_client_cert_clients", [{"name": "a", "controller_directory": "PATH"}]),
    ],
    ids=["requests", "key", "webroot", "account", "tasks", "verification", "user", "controller"],
)
def test_paths_within_a_variable_are_refused_before_any_host_is_touched(name: str, value: Any, path: str) -> None:
    def put(found: Any) -> Any:
        if isinstance(found, dict):
            return {key: put(one) for key, one in found.items()}
        return [put(one) for one in found] if isinstance(found, list) else found.replace("PATH", path)

    hosts = {host: {name: put(value)} for host in ("localhost", "web1", "web2", "desk")}
    problems = found(**hosts)
    assert problems and all(name in one for one in problems), problems
    assert any(repr(path) in one or path in one for one in problems), problems


@pytest.mark.parametrize("path", ["/a\nb", "/a\x00b", "/../b"], ids=["line", "nul", "above"])
@pytest.mark.parametrize("name", written_values.OF_PLAYBOOKS)
def test_paths_of_playbooks_are_refused(name: str, path: str) -> None:
    value = [path] if name == "docker_adopt_search_paths" else path
    (problem,) = map(records.said, written_values.of_playbooks({name: value}))
    assert problem.startswith(f"{name} is {path!r}, which has ")


def test_paths_of_adopted_authorities_are_refused_without_their_secrets() -> None:
    entry = {"certificate_path": "ca.pem", "key_path": "/a\nb", "key_passphrase": "secret"}
    assert written_values.of_playbooks({}, [entry, {"certificate_path": "{{ later }}", "key_path": "~/ca.key"}]) == [
        "docker_adopt_authorities: certificate_path is 'ca.pem', which is not an absolute path. "
        "Write an absolute path without .. and control characters.",
        "docker_adopt_authorities: key_path is '/a\\nb', which has a line break or another control character in it. "
        "Write an absolute path without .. and control characters.",
    ]


def test_usual_paths_of_playbooks_are_accepted() -> None:
    given = {"docker_status_html_path": "status.html", "docker_adopt_search_paths": ["/srv/*/tls", "~/ca"]}
    assert written_values.of_playbooks(given, [{"certificate_path": "/root/ca.pem", "key_path": "~/ca-key.pem"}]) == []


@pytest.mark.parametrize(
    "name", ["../x", "", "a/b", "/x", ".", "a\nb", "a\x00b", "x" * 59, "Clients", "a b", "-a", "server", "é"], ids=repr
)
@pytest.mark.parametrize("predicting", [False, True], ids=["run", "check"])
def test_name_of_an_access_group_that_is_no_name_is_refused(name: str, predicting: bool) -> None:
    (problem,) = found(predicting=predicting, localhost={"docker_ca_access_groups": ["clients", name]})
    assert problem.startswith(f"docker_ca_access_groups has {name!r}, which is ")


def test_longest_name_of_an_access_group_is_accepted() -> None:
    assert found(localhost={"docker_ca_access_groups": ["clients", "x" * 58, "a_b-c", "0"]}) == []


def test_consumer_may_see_its_directory_on_windows() -> None:
    clients = [{"name": "a", "consumer_directory": "C:\\certs"}]
    assert found(localhost={"docker_client_cert_clients": clients}) == []


def test_one_sentence_names_all_hosts_with_the_same_path() -> None:
    (problem,) = found(web1={"docker_server_cert_path": "/a\nb"}, web2={"docker_server_cert_path": "/a\nb"})
    assert "web1" in problem
    assert "web2" in problem


@pytest.mark.parametrize(
    "path", ["/etc/docker/certs", "/ca", "~/ca", "$HOME/ca", "/srv/a b", "/srv/..a", "/srv/Zoë", ""]
)
@pytest.mark.parametrize("name", [*DIRECTORIES, *FILES])
def test_other_paths_are_accepted(name: str, path: str) -> None:
    assert found(localhost={name: path}, web1={name: path}) == []


@pytest.mark.parametrize(
    "name",
    [
        "haproxy; reboot",
        "-o=Dpkg::Pre-Invoke::=reboot",
        "/tmp/x.deb",
        "https://x/y.deb",
        "a,b",
        "a b",
        "a\nb",
        "../x",
        "haproxy=",
        ["a"],
        5,
    ],
    ids=repr,
)
@pytest.mark.parametrize("variable", packages.VARIABLES)
def test_name_of_a_package_that_is_none_is_refused(variable: str, name: Any) -> None:
    problems = found(localhost={variable: name}, web1={variable: name})
    assert any(
        f"{variable} is {name!r}, which is not the name of one package" in one for one in problems
    ) or isinstance(name, list)
    assert problems and all(variable in one for one in problems)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "haproxy",
        "python3-cryptography",
        "python3.11-cryptography",
        "libstdc++6",
        "haproxy=2.6.12-1+deb12u4",
        "haproxy=2.6.*",
    ],
)
@pytest.mark.parametrize("variable", packages.VARIABLES)
def test_name_of_a_package_is_accepted(variable: str, name: str) -> None:
    assert found(localhost={variable: name}, web1={variable: name}) == []


def test_every_variable_that_is_a_path_or_a_package_is_checked() -> None:
    ours = sorted({*of_roles(), *of_playbooks()})
    assert sorted([*DIRECTORIES, *FILES, *written_values.OF_PLAYBOOKS]) == [
        name for name in ours if name.endswith(("_path", "_paths"))
    ]
    assert sorted(packages.VARIABLES) == [name for name in ours if name.endswith("_package")]


@pytest.mark.parametrize("name", [name for name in DIRECTORIES if name.endswith("_ca_path")])
def test_roles_may_name_the_ca_directory(name: str) -> None:
    assert (
        found(
            localhost={"docker_ca_path": "/srv/ca", name: "/srv/ca"},
            web1={name: "/srv/ca", "docker_ca_path": "/srv/ca"},
        )
        == []
    )
