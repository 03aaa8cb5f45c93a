# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A variable that is nearly one of ours is reported; a variable of another role is not."""

from __future__ import annotations

import difflib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate import surroundings
from support.contracts.documentation import of_playbooks, of_roles

#: Variables of geerlingguy.docker and of other roles for Docker, facts and registered results.
OTHERS = (
    "docker_edition docker_packages docker_package docker_packages_state docker_obsolete_packages docker_service_manage docker_service_state "
    "docker_service_enabled docker_service_start_command docker_restart_handler_state docker_install_compose_plugin docker_compose_package "
    "docker_add_repo docker_repo_url docker_apt_release_channel docker_apt_ansible_distribution docker_apt_arch docker_apt_repository "
    "docker_apt_gpg_key docker_apt_filename docker_yum_repo_url docker_yum_gpg_key docker_users docker_daemon_options docker_daemon_config "
    "docker_daemon_env docker_daemon_flags docker_daemon_json docker_daemon_log_driver docker_daemon_host docker_hosts docker_clients docker_version "
    "docker_group docker_tls docker_tls_path docker_tls_verify docker_ca_cert docker_ca_key docker_ca_dir docker_cert_path docker_client_cert "
    "docker_client_cert_name docker_client_key docker_server_cert docker_server_key docker_storage_driver docker_compose_version docker_status "
    "docker_client_cert_signed docker_daemon_endpoint docker_daemon_verification docker_server_cert_signed docker_ca_authorities docker_ca_ledger "
    "ansible_host ansible_user http_port rock_daemon_port daemon_port"
).split()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("docker_daemon_listenr", "docker_daemon_listener"),
        ("docker_daemon_listner", "docker_daemon_listener"),
        ("docker_deamon_listener", "docker_daemon_listener"),
        ("dcoker_daemon_listener", "docker_daemon_listener"),
        ("Docker_Daemon_Port", "docker_daemon_port"),
        ("docker-daemon-port", "docker_daemon_port"),
        ("docker_daemon_ports", "docker_daemon_port"),
        ("docker_daemon_access_group", "docker_daemon_access_groups"),
        ("docker_client_certs_clients", "docker_client_cert_clients"),
        ("docker_client_cert_cleints", "docker_client_cert_clients"),
        ("docker_clientcert_clients", "docker_client_cert_clients"),
        ("docker_ca_passphrse", "docker_ca_passphrase"),
        ("docker_server_cert_adresses", "docker_server_cert_addresses"),
        ("docker_ca_rotate_execute", "docker_rotate_ca_execute"),
        ("docker_rotateca_authority", "docker_rotate_ca_authority"),
        ("docker_adopt_authority", "docker_adopt_authorities"),
        ("docker_status_html_paht", "docker_status_html_path"),
        ("docker_daemon_allowed_source", "docker_daemon_allowed_sources"),
        ("docker_daemon_serail", "docker_daemon_serial"),
    ],
)
def test_misspelt_variable_is_recognised(written: str, meant: str) -> None:
    assert surroundings.nearest(written, surroundings.known()) == meant


@pytest.mark.parametrize("name", OTHERS)
def test_variable_of_another_role_is_not_reported(name: str) -> None:
    assert surroundings.nearest(name, surroundings.known()) == ""


@pytest.mark.parametrize("name", sorted({*of_roles(), *of_playbooks()}))
def test_variable_that_exists_is_not_reported_and_each_letter_that_is_missing_is(name: str) -> None:
    known = surroundings.known()
    assert surroundings.nearest(name, known) == ""
    for index in range(len("docker_"), len(name)):
        shorter = name[:index] + name[index + 1 :]
        found = surroundings.nearest(shorter, known)
        assert shorter in known or difflib.SequenceMatcher(None, shorter, found).ratio() > 0.9, (shorter, found)


def test_known_variables_are_all_public_ones() -> None:
    assert surroundings.known() == {*of_roles(), *of_playbooks()}


def found(
    hosts: dict[str, dict[str, t.Any]],
    *task: str,
    extra: t.Collection[str] = (),
    groups: dict[str, list[str]] | None = None,
) -> list[str]:
    return surroundings.name_warnings(hosts, task, lambda: extra, groups or {"all": list(hosts)})


def test_warning_names_the_place() -> None:
    wrong = {"docker_daemon_listenr": "proxy"}
    fleet: dict[str, dict[str, t.Any]] = {"web1": {}, "web2": {}, "db1": {}, "localhost": {}}
    groups = {"all": ["web1", "web2", "db1"], "docker_hosts": ["web1", "web2", "db1"], "web": ["web1", "web2"]}
    start = "docker_daemon_listenr is not a variable of portcullis.docker_tls, so it has no effect here ("
    end = "). Is docker_daemon_listener meant?"
    for hosts, place in (
        (["web1"], "given for web1"),
        (["web1", "web2"], "given for the group web"),
        (["web1", "web2", "db1"], "given for the group docker_hosts"),
        (["web1", "web2", "db1", "localhost"], "given for the group docker_hosts"),
        (["web1", "db1"], "given for web1, db1"),
        ([], "given by a play"),
    ):
        given = {**fleet, **dict.fromkeys(hosts, wrong)}
        assert found(given, *wrong, groups=groups) == [f"{start}{place}{end}"]
    everywhere = dict.fromkeys(fleet, wrong)
    assert found(everywhere, *wrong, extra=["docker_daemon_listenr"], groups=groups) == [f"{start}given with -e{end}"]


def test_many_hosts_are_counted() -> None:
    hosts = {f"web{number}": {"docker_daemon_prt": 1} for number in range(9)}
    (warning,) = found({**hosts, "db1": {}}, groups={"all": [*hosts, "db1"]})
    assert "(given for web0, web1, web2 and 6 more hosts)" in warning


def test_facts_of_hosts_are_not_reported() -> None:
    reported = {"docker_daemon_prt": 1}
    assert found({"web1": {**reported, "ansible_facts": reported}}, *reported) == []


def test_nothing_is_asked_of_the_command_line_without_a_misspelt_variable() -> None:
    def refuse() -> list[str]:
        raise AssertionError

    assert surroundings.name_warnings({"web1": {"docker_daemon_port": 1}}, ["docker_ca_path"], refuse, {}) == []
