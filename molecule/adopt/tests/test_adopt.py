# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of others: looked at, adopted with the same CA, tidied up; from an open port; backup, restore, passphrase. In this order."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import get_host

from common_tests import served_certificate
from fleet import assert_changed_nothing, ledger, with_ca_of
from playbook import Run, fingerprint_of_directory, fingerprint_of_host, play
from testinfra_helpers import (
    Bundle,
    address_of,
    answers_plain_http,
    answers_without_certificate,
    client_bundle,
    container_identity,
    docker,
    ephemeral_directory,
    is_listening,
)

testinfra_hosts = ["ansible://recipe"]
ADOPT = "playbooks/adopt.yml"
AUTHORITIES = "{{ old_authorities }}"
PASSPHRASE, NEW_PASSPHRASE = "correct horse battery staple", "a brand new passphrase of 2026"


@pytest.fixture
def recipe(host: Any) -> Any:
    return host


@pytest.fixture
def machine() -> Any:
    import os

    return get_host("ansible://machine", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])


def old(name: str) -> Bundle:
    """What a user of a host had before we came."""
    return Bundle(ephemeral_directory() / "old" / name)


def machine_with_new_ca() -> Bundle:
    """The old client of the host ``machine``, who was only given another ca.pem."""
    return with_ca_of(old("machine"), "alice")


def answered(host: Any, bundle: Bundle) -> bool:
    return docker(address_of(host), bundle, "version").succeeded


def succeeded(run: Run) -> Run:
    assert run.returncode == 0, run.output
    return run


def settled(**variables: Any) -> None:
    assert_changed_nothing(play(**variables))


def ca() -> Path:
    return ephemeral_directory() / "ca"


def test_old_clients_are_answered_before(recipe: Any, machine: Any) -> None:
    assert answered(recipe, old("recipe"))
    assert answered(machine, old("machine"))


def test_plan_says_what_is_wrong_and_changes_nothing(recipe: Any, machine: Any) -> None:
    before = fingerprint_of_host(recipe), fingerprint_of_host(machine)
    for options in ([], ["--check"]):
        output = succeeded(play(*options, playbook=ADOPT)).output
        for word in (
            *("recipe: docker-recipe", "machine: docker-machine", "unit-edited", "docker.io", "line 14 (ExecStart)"),
            *("unit-replaced", "(LimitCORE)", "key-readable"),
            *("/tmp/server-key.pem", "key-left-behind", "authority-key-on-host", "/root/ca-key.pem", "one-authority-for-both"),
            *("authority-without-identifier", "docker_adopt_authorities", "docker_adopt_execute=true"),
        ):  # fmt: skip
            assert word in output, word
        assert "PRIVATE KEY" not in output
    assert (fingerprint_of_host(recipe), fingerprint_of_host(machine)) == before
    assert not ca().exists()


def test_adoption_without_a_word_about_the_old_cas_is_refused(recipe: Any) -> None:
    before = fingerprint_of_host(recipe)
    run = play(playbook=ADOPT, docker_adopt_execute=True)
    assert run.returncode != 0
    assert "docker_adopt_authorities does not define" in run.output
    assert fingerprint_of_host(recipe) == before
    assert not ca().exists()


def test_adoption_with_a_wrong_passphrase_or_fingerprint_of_the_old_ca_changes_nothing(recipe: Any) -> None:
    before = fingerprint_of_host(recipe)
    wrong = [
        {
            "host": "recipe",
            "certificate_path": "/root/ca.pem",
            "key_path": "/root/ca-key.pem",
            "key_passphrase": "hullo",
        }
    ]
    run = play("-vvv", playbook=ADOPT, docker_adopt_execute=True, docker_adopt_authorities=wrong)
    assert run.returncode != 0
    assert "does not open with the passphrase" in run.output
    other = [{**wrong[0], "key_passphrase": "hello", "fingerprint_sha256": "ab" * 32}]
    run = play(playbook=ADOPT, docker_adopt_execute=True, docker_adopt_authorities=other)
    assert run.returncode != 0
    assert "clients-would-be-shut-out: recipe has clients of" in " ".join(run.output.split())
    assert fingerprint_of_host(recipe) == before
    assert not (ca() / "authorities" / "server-g1").exists()


def test_adoption_keeps_every_client_and_every_container(recipe: Any, machine: Any) -> None:
    run = succeeded(play("-vvv", playbook=ADOPT, docker_adopt_execute=True, docker_adopt_authorities=AUTHORITIES))
    assert "PRIVATE KEY" not in run.output
    assert PASSPHRASE not in run.output.replace("docker_ca_passphrase", "")
    for host, bundle in ((recipe, old("recipe")), (machine, machine_with_new_ca())):
        assert answered(host, bundle)
        assert answered(host, client_bundle("alice"))
        assert not answers_without_certificate(address_of(host))
        assert container_identity(host) == host.check_output("cat /root/keeper")
        assert host.run("docker ps").rc == 0
    assert not answered(recipe, machine_with_new_ca())
    issuer = served_certificate(address_of(recipe)).issuer.rfc4514_string()
    assert issuer == "CN=recipe.example.test,O=Example,C=DE"
    assert client_bundle("alice").directory.joinpath("ca.pem").read_text() == Path(old("recipe").ca).read_text()


def test_adoption_is_in_the_ledger(recipe: Any) -> None:
    entries = ledger()
    adopted = [(entry["authority"], entry["source"]) for entry in entries if entry["event"] == "authority-adopted"]
    assert adopted == [
        ("server-g1", "recipe:/root/ca.pem"),
        ("clients-g1", "recipe:/root/ca.pem"),
        ("machine-g1", "machine:/root/.docker/machine/certs/ca.pem"),
    ]
    assert {entry["requester"] for entry in entries if entry["event"] == "leaf-adopted"} == {"recipe", "machine"}


def test_ordinary_run_afterwards_changes_nothing(recipe: Any) -> None:
    settled()


def test_keys_are_closed_and_those_left_behind_are_moved_on_request(recipe: Any, machine: Any) -> None:
    assert recipe.check_output("stat -c %a /etc/docker/server-key.pem") == "600"
    assert recipe.file("/tmp/server-key.pem").exists
    succeeded(
        play(
            playbook=ADOPT,
            docker_adopt_execute=True,
            docker_adopt_authorities=AUTHORITIES,
            docker_adopt_repair=["modes", "stray_keys"],
        )
    )
    for host, moved in ((recipe, ("/tmp/server-key.pem", "/root/ca-key.pem")), (machine, ("/root/.docker/machine/certs/ca-key.pem",))):  # fmt: skip
        for path in moved:
            assert not host.file(path).exists
            assert host.file("/var/lib/docker-tls/adopted/" + path[1:].replace("/", "%2f")).exists
    assert recipe.file("/etc/docker/server-key.pem").exists
    assert answered(recipe, old("recipe"))


def what_systemd_starts(host: Any) -> tuple[str, ...]:
    """The command, the limit that was edited, the environment files, and the dockerd that runs."""
    names = ("MainPID", "LimitCORE", "EnvironmentFiles", "Environment", "UnitFileState")
    command = (
        "busctl --json=short get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/docker_2eservice"
    )
    started = json.loads(host.check_output(f"{command} org.freedesktop.systemd1.Service ExecStart"))["data"][0][:2]
    return (str(started), *(host.check_output(f"systemctl show -p {name} --value docker.service") for name in names))


def is_packaged(host: Any) -> bool:
    """Whether Docker's units are as their package has them, as dpkg says."""
    verified = host.run("dpkg --verify docker.io")
    return "systemd/system/docker." not in verified.stdout


def test_units_are_put_back_on_request_and_docker_is_not_restarted(recipe: Any, machine: Any) -> None:
    before = what_systemd_starts(recipe), what_systemd_starts(machine)
    options = {"docker_adopt_execute": True, "docker_adopt_authorities": AUTHORITIES, "docker_adopt_repair": ["units"]}
    assert not is_packaged(recipe)
    foretold = succeeded(play("--check", playbook=ADOPT, **options))
    assert not is_packaged(recipe)
    assert "changed=1" in foretold.recap
    succeeded(play(playbook=ADOPT, **options))
    assert (what_systemd_starts(recipe), what_systemd_starts(machine)) == before
    for host in (recipe, machine):
        assert is_packaged(host)
        assert host.check_output("systemctl show -p FragmentPath --value docker.service").startswith(
            ("/lib/", "/usr/lib/")
        )
        assert host.check_output("systemctl show -p NeedDaemonReload --value docker.service") == "no"
        assert host.run("docker ps").rc == 0
        assert container_identity(host) == host.check_output("cat /root/keeper")
    assert not machine.file("/etc/systemd/system/docker.service").exists
    link = machine.file("/etc/systemd/system/multi-user.target.wants/docker.service")
    assert link.linked_to.endswith("/lib/systemd/system/docker.service")
    output = succeeded(play(playbook=ADOPT)).output
    assert "unit-edited" not in output and "unit-replaced" not in output
    settled()


def test_docker_starts_anew_with_the_units_that_were_put_back(recipe: Any, machine: Any) -> None:
    for host, bundle in ((recipe, old("recipe")), (machine, machine_with_new_ca())):
        host.run_expect([0], "systemctl daemon-reload && systemctl restart docker")
        assert answered(host, bundle)
        assert host.run("docker ps").rc == 0


def test_adopted_endpoint_moves_to_the_proxy_and_back(recipe: Any, machine: Any) -> None:
    """The clients of before and the new ones are answered all the time; the port changes hands in one change."""
    clients = ((recipe, old("recipe")), (machine, machine_with_new_ca()))
    proxy = {"docker_daemon_listener": "proxy", "docker_daemon_haproxy_package": "haproxy"}
    plan = play("--check", **proxy)
    assert plan.returncode == 0 and "proxy start" in plan.output, plan.output
    succeeded(play(**proxy))
    for host, bundle in clients:
        assert answered(host, bundle) and answered(host, client_bundle("alice"))
        assert not answers_without_certificate(address_of(host))
        assert "haproxy" in host.check_output("ss -Hltnp 'sport = :2376'")
        assert not {"hosts", "tlsverify", "tlscacert"} & set(json.loads(host.file("/etc/docker/daemon.json").content))
        assert container_identity(host) == host.check_output("cat /root/keeper")
    settled(**proxy)
    succeeded(play())
    for host, bundle in clients:
        assert answered(host, bundle) and answered(host, client_bundle("alice"))
        assert "dockerd" in host.check_output("ss -Hltnp 'sport = :2376'")
        assert container_identity(host) == host.check_output("cat /root/keeper")


def test_back_out_gives_the_old_endpoint_back(recipe: Any, machine: Any) -> None:
    succeeded(play(docker_daemon_state="absent"))
    assert answered(recipe, old("recipe"))
    assert answered(machine, old("machine"))
    assert "provider=generic" in machine.check_output("docker info --format '{{json .Labels}}'")
    succeeded(play("--limit", "localhost,recipe"))
    assert answered(recipe, client_bundle("alice"))


def test_open_port_is_secured_first_and_closed_afterwards(recipe: Any, machine: Any) -> None:
    machine.run_expect(
        [0],
        "sed -i 's|-H tcp://0.0.0.0:2376.*server-key.pem|-H tcp://0.0.0.0:2375 -H unix:///var/run/docker.sock|' "
        "/etc/systemd/system/docker.service.d/10-machine.conf && systemctl daemon-reload && systemctl restart docker",
    )
    address = address_of(machine)
    assert answers_plain_http(address, 2375)
    limit = ("--limit", "localhost,machine")
    output = succeeded(play(*limit, playbook=ADOPT)).output
    assert "port-open" in output
    first = {"docker_adopt_execute": True, "docker_adopt_authorities": [], "docker_adopt_keep_2375": True}
    succeeded(play(*limit, playbook=ADOPT, **first))
    assert answered(machine, client_bundle("alice"))
    assert answers_plain_http(address, 2375)
    assert "plain-port-relayed" in succeeded(play(*limit, playbook=ADOPT)).output
    succeeded(play(*limit, playbook=ADOPT, docker_adopt_execute=True, docker_adopt_authorities=[]))
    assert answered(machine, client_bundle("alice"))
    assert not is_listening(address, 2375)


def test_older_state_of_the_ca_is_noticed_and_made_whole(recipe: Any) -> None:
    snapshot = ephemeral_directory() / "snapshot"
    shutil.rmtree(snapshot, ignore_errors=True)
    shutil.copytree(ca(), snapshot)
    succeeded(play("--limit", "localhost,recipe", docker_server_cert_force_renewal=True))
    serial = f"{served_certificate(address_of(recipe)).serial_number:x}"
    shutil.rmtree(ca())
    shutil.copytree(snapshot, ca())
    noticed = succeeded(play()).output.replace("\n", "").replace(" ", "")
    assert "ledger-behind" in noticed
    assert serial in noticed
    succeeded(play(playbook="playbooks/record_certificates.yml"))
    assert serial in [entry["serial"].lstrip("0") for entry in ledger() if entry["event"] == "leaf-recorded"]
    assert "ledger-behind" not in succeeded(play()).output


def test_backup_comes_back_and_refuses_to_overwrite(recipe: Any) -> None:
    backups = ephemeral_directory() / "backups"
    shutil.rmtree(backups, ignore_errors=True)
    succeeded(play(playbook="playbooks/backup_ca.yml", docker_ca_backup_controller_path=str(backups)))
    (archive,) = backups.iterdir()
    restore = {"playbook": "playbooks/restore_ca.yml", "docker_ca_restore_controller_path": str(archive)}
    succeeded(play("--limit", "localhost,recipe", docker_server_cert_force_renewal=True))
    before = fingerprint_of_directory(ca())
    refused = play(**restore)
    assert refused.returncode != 0
    assert "newer state" in refused.output
    assert fingerprint_of_directory(ca()) == before
    ca().rename(ephemeral_directory() / "lost")
    restored = succeeded(play(**restore)).output
    assert "1 recorded" in restored
    assert "ledger-behind" not in succeeded(play()).output
    shutil.rmtree(ephemeral_directory() / "lost")
    assert answered(recipe, old("recipe"))


def test_ledger_without_its_last_line_is_accepted_for_one_run(recipe: Any) -> None:
    lines = (ca() / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (ca() / "ledger.jsonl").write_bytes(b"".join(lines[:-1]))
    refused = play()
    assert refused.returncode != 0
    assert "docker_ca_restart_ledger=true" in " ".join(refused.output.split())
    succeeded(play(docker_ca_restart_ledger=True))
    assert ledger()[0]["event"] == "ledger-restarted"
    assert (ca() / "ledger.jsonl").read_bytes() != b"".join(lines)
    settled()
    assert answered(recipe, old("recipe"))


def test_passphrase_is_changed_for_all_keys(recipe: Any) -> None:
    change = {"playbook": "playbooks/change_passphrase.yml", "docker_ca_new_passphrase": NEW_PASSPHRASE}
    wrong = play(**{**change, "docker_ca_passphrase": "not the right one"})
    assert wrong.returncode != 0 and "does not open" in wrong.output
    done = succeeded(play("-vvv", **change))
    assert NEW_PASSPHRASE not in done.output.replace(f'"docker_ca_new_passphrase": "{NEW_PASSPHRASE}"', "")
    for name in ("server", "clients", "machine"):
        key = ca() / "authorities" / f"{name}-g1" / "key.pem"
        command = ["openssl", "pkey", "-in", str(key), "-passin", "stdin", "-noout"]
        opened = subprocess.run(command, input=f"{NEW_PASSPHRASE}\n", text=True, capture_output=True, check=False)
        assert opened.returncode == 0
    settled(docker_ca_passphrase=NEW_PASSPHRASE)
    assert play().returncode != 0
