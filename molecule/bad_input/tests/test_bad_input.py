# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one clear message, nothing changed. First on a host that has nothing, then on one that has all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet import servers_in_ledger
from playbook import Run, fingerprint_of_directory, fingerprint_of_host, play
from testinfra_helpers import address_of, client_bundle, docker, ephemeral_directory

testinfra_hosts = ["ansible://box"]
PASSPHRASE = "correct horse battery staple"


@contextlib.contextmanager
def unchanged(host: Any) -> Iterator[None]:
    before = fingerprint_of_host(host), fingerprint_of_directory(ephemeral_directory() / "ca")
    yield
    assert (fingerprint_of_host(host), fingerprint_of_directory(ephemeral_directory() / "ca")) == before
    assert host.run("docker ps").rc == 0


def assert_refused(run: Run, *fragments: str) -> None:
    assert run.returncode != 0, run.output
    assert "Traceback" not in run.output
    assert PASSPHRASE not in run.output
    flat = " ".join(run.output.split())
    for fragment in fragments:
        assert fragment in flat, run.output


def role_alone(directory: Path, hosts: str, role: str) -> str:
    """Write a playbook that has this one role."""
    become = "false" if hosts == "localhost" else "true"
    path = directory / "role.yml"
    path.write_text(
        f"- hosts: {hosts}\n  gather_facts: false\n  become: {become}\n  roles: [portcullis.docker_tls.{role}]\n"
    )
    return str(path)


BEFORE_ANYTHING = {
    "passphrase-missing": ({"docker_ca_passphrase": ""}, "passphrase"),
    "passphrase-short": ({"docker_ca_passphrase": "elevenchars"}, "12 characters"),
    "ca-key-type": ({"docker_ca_key_type": "dsa"}, "docker_ca_key_type"),
    "ca-validity-zero": ({"docker_ca_validity": "0d"}, "not a usable length of time"),
    "two-clients-one-name": ({"docker_client_cert_clients": [{"name": "a"}, {"name": "a"}]}, "2 clients are named 'a'"),
    "client-of-unknown-group": (
        {"docker_client_cert_clients": [{"name": "a", "group": "opz"}]},
        "which docker_ca_access_groups",
    ),
    "host-admits-unknown-group": ({"docker_daemon_access_groups": ["opz"]}, "admits 'opz'"),
    "host-admits-nobody": ({"docker_daemon_access_groups": []}, "no client could connect"),
}


@pytest.mark.parametrize("case", BEFORE_ANYTHING)
def test_clean_host_is_left_clean(host: Any, case: str) -> None:
    variables, fragment = BEFORE_ANYTHING[case]
    with unchanged(host):
        assert_refused(play("--limit", "localhost,box", **variables), fragment)


def test_second_ca_host_is_refused(host: Any, tmp_path: Any) -> None:
    inventory = tmp_path / "two.yml"
    inventory.write_text("docker_ca: {hosts: {box: {}, bare: {}}}\n")
    with unchanged(host):
        assert_refused(play("-i", str(inventory)), "the group docker_ca has 2 hosts")


SERVER = {
    "server-key-type": ({"docker_server_cert_key_type": "dsa"}, "docker_server_cert_key_type"),
    "server-validity-zero": ({"docker_server_cert_validity": "0d"}, "not a usable length of time"),
    "server-validity-longer-than-authority": ({"docker_server_cert_validity": "9999d"}, "authority"),
    "san-is-no-name": ({"docker_server_cert_names": ["http://example.org/"]}, "'http://example.org/'"),
    "common-name-too-long": ({"docker_server_cert_common_name": "x" * 65}, "at most 64 fit"),
    "listen-2375": ({"docker_daemon_listen": ["0.0.0.0:2375"]}, "docker_daemon_allow_port_2375"),
    "listen-without-port": ({"docker_daemon_listen": ["10.0.0.1"]}, "port"),
    "listen-loopback-trap": ({"docker_daemon_listen": [":2376"]}, "127.0.0.1"),
    "listen-absent-address": ({"docker_daemon_listen": ["10.99.99.99:2376"]}, "10.99.99.99"),
    "listen-port-range": ({"docker_daemon_listen": ["0.0.0.0:99999"]}, "99999"),
}


# What only the CA can refuse, for which the host has made a key.
LATE = {"server-validity-longer-than-authority"}
IN_CHECK_MODE_TOO = {"listen-absent-address", "foreign-hosts"}


@contextlib.contextmanager
def costs_nothing(host: Any, *, key: bool = False) -> Iterator[None]:
    """The host is as it was, without a new key (``key``: but for that), and no certificate was signed for it."""
    fingerprint = fingerprint_of_host_but_pending_key if key else fingerprint_of_host
    before = fingerprint(host), servers_in_ledger()
    yield
    assert (fingerprint(host), servers_in_ledger()) == before
    assert host.run("docker ps").rc == 0


def refused_with(run: Run, host: str = "box") -> list[str]:
    """Return the codes with which a host was refused."""
    return re.findall(rf"fatal: \[{host}\]: FAILED! =>.*?\bcode:? *\"?:? *\"?([a-z-]+)", run.output, re.DOTALL)


@pytest.mark.parametrize("case", SERVER)
def test_docker_is_left_alone(host: Any, case: str) -> None:
    variables, fragment = SERVER[case]
    with costs_nothing(host, key=case in LATE):
        run = play("--limit", "localhost,box", **variables)
        assert_refused(run, fragment)
        if case in IN_CHECK_MODE_TOO:
            assert_same_in_check_mode(run, **variables)


def assert_same_in_check_mode(run: Run, host: str = "box", **variables: Any) -> None:
    """A check run fails the host once, with the code that the run gave."""
    predicted = play("--limit", f"localhost,{host}", "--check", **variables)
    assert refused_with(predicted, host) == refused_with(run, host) != []


# What is refused above, allowed; and what else a plan shows before there is anything.
ALLOWED = {
    "docker_daemon_listen": ["0.0.0.0:2375"],
    "docker_daemon_allow_port_2375": True,
    "docker_daemon_allow_public_address": True,
}


def test_public_address_and_port_2375_are_open_to_those_who_ask_for_them(host: Any) -> None:
    host.run_expect([0], "ip address add 9.9.9.9/32 dev lo")
    try:
        with unchanged(host):
            plan = ("--limit", "localhost,box", "--check", "--diff")
            assert_refused(play(*plan), "docker_daemon_allow_public_address")
            run = play(*plan, **ALLOWED)
            assert run.returncode == 0, run.output
            assert "listen 0.0.0.0:2375" in run.output
    finally:
        host.run_expect([0], "ip address del 9.9.9.9/32 dev lo")


def test_live_restore_is_as_it_is_set_and_a_file_that_dockerd_does_not_read_is_refused(host: Any) -> None:
    plan = ("--limit", "localhost,box", "--check", "--diff")
    with unchanged(host):
        unread = play(*plan, docker_daemon_config_path="/etc/docker/other.json")
        assert_refused(unread, "the unit makes dockerd read /etc/docker/daemon.json")
        kept = play(*plan, docker_daemon_live_restore="keep")
        enabled = play(*plan)
    assert "live-restore" not in kept.output, kept.output
    assert "/etc/docker/daemon.json" in enabled.output and '"live-restore": true' in enabled.output, enabled.output


def fingerprint_of_host_but_pending_key(host: Any) -> str:
    """A key that waits for its certificate is not a change to Docker: the next run uses it."""
    lines = fingerprint_of_host(host).splitlines()
    return "\n".join(line for line in lines if "/etc/docker/certs" not in line and not line.startswith("/etc/docker "))


BROKEN = {
    "syntax": ('{\n  "log-driver": "json-file",\n  oops\n}\n', "line 3"),
    "duplicate": ('{\n  "debug": true,\n  "debug": false\n}\n', "line 3"),
    "foreign-hosts": ('{"hosts": ["fd://", "tcp://127.0.0.1:2377"]}\n', "docker_daemon_existing_settings"),
    "foreign-tls": ('{"tlscacert": "/etc/pki/ca.pem"}\n', "docker_daemon_existing_settings"),
    "host-for-hosts": ('{"host": ["tcp://0.0.0.0:2376"]}\n', "hosts"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_daemon_json_that_cannot_be_merged_is_left_alone(host: Any, case: str) -> None:
    text, fragment = BROKEN[case]
    host.run_expect([0], f"cat > /etc/docker/daemon.json <<'END'\n{text}END")
    try:
        with costs_nothing(host):
            run = play("--limit", "localhost,box")
            assert_refused(run, fragment, "/etc/docker/daemon.json")
            if case in IN_CHECK_MODE_TOO:
                assert_same_in_check_mode(run)
    finally:
        host.run_expect([0], "rm /etc/docker/daemon.json")


def test_host_without_docker_is_told_so(host: Any) -> None:
    assert_refused(play("--limit", "localhost,nodocker"), "no Docker")


def test_snap_docker_is_refused_with_an_explanation(host: Any) -> None:
    nodocker = host.get_host("ansible://nodocker", ansible_inventory=host.backend.ansible_inventory)
    unit = "[Service]\nExecStart=/bin/true\n"
    nodocker.run_expect(
        [0], f"printf '{unit}' > /etc/systemd/system/snap.docker.dockerd.service && systemctl daemon-reload"
    )
    assert_refused(play("--limit", "localhost,nodocker"), "snap")


def test_cryptography_that_cannot_be_installed_is_named(host: Any) -> None:
    run = play("--limit", "localhost,bare", docker_server_cert_cryptography_package="python3-no-such-package")
    assert_refused(run, "cryptography", "python3-no-such-package")


# Roles alone: in site.yml another one would have come first.
NO_SUCH_PACKAGE = "python3-no-such-package"
WITHOUT_PACKAGE: dict[str, dict[str, Any]] = {
    "docker_ca": {"docker_ca_cryptography_package": NO_SUCH_PACKAGE},
    "docker_daemon": {"docker_daemon_cryptography_package": NO_SUCH_PACKAGE},
    "docker_client_cert": {
        "docker_client_cert_cryptography_package": NO_SUCH_PACKAGE,
        "docker_client_cert_users": [{"user": "root"}],
        "docker_client_cert_clients": [{"name": "client"}],
    },
}


@pytest.mark.parametrize("role", WITHOUT_PACKAGE)
def test_cryptography_that_cannot_be_installed_for_a_role_is_named(host: Any, tmp_path: Any, role: str) -> None:
    run = play("--limit", "localhost,bare", playbook=role_alone(tmp_path, "bare", role), **WITHOUT_PACKAGE[role])
    assert_refused(run, "cryptography", NO_SUCH_PACKAGE)


NOT_ITS_NAME = "vault.corp.example.org"
LEFT_OUT = (
    f"bare: the certificate is without what only the host itself reports: {NOT_ITS_NAME} (it does not extend a name"
)


def bare_host(host: Any) -> Any:
    return host.get_host("ansible://bare", ansible_inventory=host.backend.ansible_inventory)


def test_check_mode_on_a_host_without_cryptography_says_which_name_is_left_out(host: Any) -> None:
    """The hostname is changed to that of another machine, which no host of the inventory is."""
    bare = bare_host(host)
    hosts = bare.file("/etc/hosts").content_string.replace("bare.example.test", NOT_ITS_NAME)
    bare.run_expect([0], "printf '%%s' %s > /etc/hosts && hostname %s", hosts, NOT_ITS_NAME)
    run = play("--limit", "localhost,bare", "--check", "--diff")
    assert run.returncode == 0, run.output
    assert LEFT_OUT in " ".join(run.output.split()), run.output


def test_absent_where_nothing_ever_was_installs_nothing_and_is_as_it_should_be(host: Any) -> None:
    """Neither on a host without the library nor on one without Docker."""
    run = play("--limit", "localhost,bare,nodocker", docker_daemon_state="absent")
    assert run.returncode == 0, run.output
    recap = " ".join(run.recap.split())
    for name in ("bare", "nodocker"):
        assert re.search(rf"{name} : ok=\d+ changed=0 ", recap), run.output
    assert "2 as it should be" in run.output or "3 as it should be" in run.output, run.output
    assert bare_host(host).run("python3 -c 'import cryptography'").rc != 0


def test_host_is_refused_before_the_library_is_installed(host: Any) -> None:
    bare = bare_host(host)
    bare.run_expect([0], "echo '{oops' > /etc/docker/daemon.json")
    try:
        run = play("--limit", "localhost,bare")
        assert_refused(run, "/etc/docker/daemon.json")
        assert refused_with(run, "bare") == ["daemon-json-invalid"]
        assert_same_in_check_mode(run, "bare")
        assert bare.run("python3 -c 'import cryptography'").rc != 0
        assert not bare.file("/etc/docker/certs").exists
    finally:
        bare.run_expect([0], "rm /etc/docker/daemon.json")


def test_missing_cryptography_is_installed(host: Any) -> None:
    bare = bare_host(host)
    assert bare.run("python3 -c 'import cryptography'").rc != 0
    run = play("--limit", "localhost,bare")
    assert run.returncode == 0, run.output
    assert docker(address_of(bare), client_bundle(), "version").succeeded


def test_name_of_another_machine_is_not_signed_and_not_asked_for_again(host: Any) -> None:
    bare = bare_host(host)
    assert NOT_ITS_NAME not in bare.check_output("openssl x509 -in /etc/docker/certs/server-cert.pem -noout -text")
    run = play("--limit", "localhost,bare")
    assert run.returncode == 0, run.output
    assert "bare : ok=2 changed=0" in " ".join(run.recap.split()), run.output


def test_sound_input_works_after_all_of_it_and_a_refused_host_stops_no_other(host: Any) -> None:
    """One host after the other, the first of which a failure would stop the rest after: a refusal is none of that kind."""
    run = play("--limit", "localhost,box,nodocker", docker_daemon_serial=1)
    assert_refused(run, "snap")
    assert refused_with(run, "nodocker") == ["docker-snap"]
    assert docker(address_of(host), client_bundle(), "version").succeeded
    assert play("--limit", "localhost,box").returncode == 0


def test_one_machine_under_two_names_is_refused_and_keeps_its_certificate(host: Any, tmp_path: Path) -> None:
    certificate = host.file("/etc/docker/certs/server-cert.pem").content
    again = {
        "ansible_host": address_of(host),
        "ansible_user": "root",
        "ansible_private_key_file": str(ephemeral_directory() / "id_ed25519"),
    }
    (tmp_path / "again.json").write_text(json.dumps({"docker_hosts": {"hosts": {"again": again}}}))
    run = play("-i", str(tmp_path / "again.json"), "--limit", "localhost,box,again")
    assert_refused(run, "again and box are one and the same machine", "box : ok=2 changed=0")
    assert host.file("/etc/docker/certs/server-cert.pem").content == certificate


def test_wrong_passphrase_changes_nothing(host: Any) -> None:
    with unchanged(host):
        assert_refused(play("--limit", "localhost,box", docker_ca_passphrase="incorrect horse battery"), "passphrase")


def test_locked_ca_directory_is_named(host: Any) -> None:
    lock = ephemeral_directory() / "ca" / "lock"
    with unchanged(host), lock.open("r+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert_refused(play("--limit", "localhost,box", docker_ca_lock_timeout=1), str(lock))


IMPATIENT = {
    "docker_server_cert": {"docker_server_cert_lock_timeout": 1, "docker_server_cert_force_renewal": True},
    "docker_client_cert": {"docker_client_cert_lock_timeout": 1, "docker_client_cert_force_renewal": True},
}


@pytest.mark.parametrize("role", IMPATIENT)
def test_ca_directory_that_stays_locked_is_named_to_each_role(host: Any, tmp_path: Any, role: str) -> None:
    lock = ephemeral_directory() / "ca" / "lock"
    place = "box" if role == "docker_server_cert" else "localhost"
    with lock.open("r+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        run = play("--limit", "localhost,box", playbook=role_alone(tmp_path, place, role), **IMPATIENT[role])
    assert_refused(run, str(lock), "all of the 1 seconds waited")


def test_key_that_does_not_match_is_refused_by_the_daemon_role(host: Any, tmp_path: Any) -> None:
    keys = "/etc/docker/certs/server-key.pem"
    host.run_expect(
        [0],
        f"cp -L {keys} /root/saved && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out /root/other",
    )
    host.run_expect([0], f"cat /root/other > $(readlink -f {keys})")
    try:
        before = fingerprint_of_host(host)
        assert_refused(
            play("--limit", "localhost,box", playbook=role_alone(tmp_path, "docker_hosts", "docker_daemon")),
            "does not belong to the server certificate",
        )
        assert fingerprint_of_host(host) == before
        assert host.run("docker ps").rc == 0
    finally:
        host.run_expect([0], f"cat /root/saved > $(readlink -f {keys})")
