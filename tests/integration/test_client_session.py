# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays that use community.docker, as docs/clients.md has them, against an endpoint with mutual TLS; and what they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import threading
import typing as t

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, signing
from ansible_collections.portcullis.docker_tls.plugins.module_utils._time import utc_now
from ansible_collections.portcullis.docker_tls.plugins.modules import (
    certificate_bundles,
    signed_certificates,
)
from support.ansible import playbook_runs
from support.ansible.modules import run_module
from support.ca import certificates as made
from support.ca.ca_directory import PASSPHRASE_TEXT, ensure
from support.clients import docker_api as api

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSUMERS = ROOT / ".cache/consumers"
needs_community_docker = pytest.mark.skipif(
    not (CONSUMERS / "ansible_collections/community/docker").exists(), reason="tools/consumers did not run"
)


class World(t.NamedTuple):
    """A home with a CA and a client's bundle in the usual places, and an endpoint of that CA."""

    home: pathlib.Path
    runtime: pathlib.Path
    endpoint: api.Endpoint

    def run(self, play: str, **more: t.Any) -> subprocess.Popen[str]:
        directory = self.home / "project"
        temporary = self.home / "tmp"
        settings = {
            **playbook_runs.environment(directory, self.home, temporary, CONSUMERS),
            "ANSIBLE_LOCAL_TEMP": str(temporary),
            "ANSIBLE_REMOTE_TEMP": str(temporary),
            "XDG_RUNTIME_DIR": str(self.runtime),
        }
        (directory / "play.yml").write_text(play)
        address, port = self.endpoint.docker_host[len("tcp://") :].split(":")
        host = (
            f"web1 docker_daemon_address={address} docker_daemon_port={port} docker_ca_passphrase='{PASSPHRASE_TEXT}'"
        )
        (directory / "inventory").write_text(f"localhost {playbook_runs.LOCAL}\n[docker_hosts]\n{host}\n")
        command = [playbook_runs.PLAYBOOK, "-vvv", "--diff", "-i", "inventory", "play.yml"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(
            command, env=settings, cwd=directory, text=True, start_new_session=True, **{**pipes, **more}
        )

    def finish(self, play: str) -> tuple[int, str]:
        with self.run(play) as process:
            output = process.communicate()[0]
        return process.returncode, output

    def ledger(self) -> list[dict[str, t.Any]]:
        return [json.loads(line) for line in (self.home / ".docker_tls/ca/ledger.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def made_world(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[World]:
    home = tmp_path_factory.mktemp("home")
    (home / ".docker_tls").mkdir(mode=0o700)
    ca = home / ".docker_tls/ca"
    ensure(ca, "clients", now=utc_now())
    server_key, client_key = made.private_key("ecdsa-p256", 31), made.private_key("ecdsa-p256", 32)
    wanted = {
        "server": (server_key, "web1.example.org", ["localhost", "127.0.0.1"]),
        "clients": (client_key, "alice", []),
    }
    requests = [
        {
            "id": authority,
            "authority": authority,
            "profile": "server" if authority == "server" else "client",
            "request_content": signing.build_request(key, names.SubjectNames("x", ("x.example.org",))).decode(),
            "common_name": common_name,
            "names": subject,
        }
        for authority, (key, common_name, subject) in wanted.items()
    ]
    signed = run_module(signed_certificates, {"path": str(ca), "passphrase": PASSPHRASE_TEXT, "requests": requests})
    assert not signed["failed"], signed
    certificates = {name: entry["certificate_content"] for name, entry in signed["certificates"].items()}
    trusted = {name: entry["trusted_content"] for name, entry in signed["authorities"].items()}
    key_pem = made.keys.encode_private_key(server_key).decode()
    server = api.Server(certificates["server"], key_pem, trusted["clients"])
    with api.endpoint(home / "server", server) as endpoint:
        world = World(home, home / "runtime", endpoint)
        world.runtime.mkdir(mode=0o700)
        _give_alice_a_bundle(world, certificates["clients"], trusted["server"], client_key)
        yield world


def _give_alice_a_bundle(world: World, certificate: str, ca: str, key: t.Any) -> None:
    directory = world.home / ".docker_tls/clients/alice"
    directory.mkdir(mode=0o700, parents=True)
    (directory / "key.pem.new").write_bytes(made.keys.encode_private_key(key))
    (directory / "key.pem.new").chmod(0o600)
    bundle = {
        "id": "alice",
        "directory": str(directory),
        "certificate_content": certificate,
        "ca_content": ca,
        "formats": ["module_defaults"],
        "endpoints": [
            {"name": "elsewhere", "docker_host": "tcp://127.0.0.1:1"},
            {"name": "web1", "docker_host": world.endpoint.docker_host},
        ],
    }
    result = run_module(certificate_bundles, {"bundles": [bundle]})
    assert not result["failed"], result


@pytest.fixture
def world(made_world: World) -> World:
    made_world.endpoint.clients.clear()
    return made_world


def documented_play(name: str) -> list[dict[str, t.Any]]:
    """Return the play of docs/clients.md that is marked with this name."""
    text = (ROOT / "docs/clients.md").read_text()
    found = re.search(rf"<!-- tested: {name} -->\n```yaml\n(.*?)```", text, re.DOTALL)
    assert found, name
    plays: list[dict[str, t.Any]] = yaml.safe_load(found.group(1))
    return plays


@needs_community_docker
def test_documented_play_with_module_defaults_reaches_each_hosts_endpoint(world: World) -> None:
    status, output = world.finish(yaml.safe_dump(documented_play("module_defaults")))
    assert status == 0, output
    assert set(world.endpoint.clients) == {"alice"}


@needs_community_docker
def test_documented_play_with_a_session_leaves_nothing_behind(world: World) -> None:
    status, output = world.finish(yaml.safe_dump(documented_play("client_session")))
    assert status == 0, output
    assert set(world.endpoint.clients) == {"report"}
    assert '"session-ended"' in output
    assert list(world.runtime.iterdir()) == []
    assert "PRIVATE KEY" not in output
    assert PASSPHRASE_TEXT not in output
    last = world.ledger()[-1]
    assert (last["event"], last["reasons"]) == ("issued", ["temporary-client"])


SESSION = """
- hosts: docker_hosts
  gather_facts: false
  tasks:
    - portcullis.docker_tls.client_session:
        {path: ~/.docker_tls/ca, passphrase: "{{ docker_ca_passphrase }}", name: report, docker_host: "%(docker_host)s"}
      delegate_to: localhost
      register: client
    - ansible.builtin.copy: {dest: "%(result)s", content: "{{ client | to_json }}", mode: "0600"}
      delegate_to: localhost
"""


def wait_for_watchers(runtime: pathlib.Path) -> None:
    """Return when every watcher of a session below ``runtime`` has ended."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (
                str(runtime).encode() in (process / "cmdline").read_bytes()
                and b"rmtree" in (process / "cmdline").read_bytes()
            ):
                ended = select.poll()
                ended.register(os.pidfd_open(int(process.name)), select.POLLIN)
                ended.poll()


def test_session_without_an_end_ends_with_the_run(world: World, tmp_path: pathlib.Path) -> None:
    play = SESSION % {"result": tmp_path / "result.json", "docker_host": world.endpoint.docker_host}
    status, output = world.finish(play)
    assert status == 0, output
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["environment"] == {
        "DOCKER_HOST": world.endpoint.docker_host,
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": result["session"],
    }
    assert result["certificate"]["common_name"] == "report"
    wait_for_watchers(world.runtime)
    assert list(world.runtime.iterdir()) == []


def _open_when_ended(process: subprocess.Popen[str], gate: pathlib.Path) -> None:
    process.wait()
    os.close(os.open(gate, os.O_RDONLY | os.O_NONBLOCK))


def test_session_of_a_run_that_is_killed_is_removed(world: World, tmp_path: pathlib.Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    play = SESSION % {"result": tmp_path / "result.json", "docker_host": ""}
    play += f"    - ansible.builtin.command: cat {gate}\n      delegate_to: localhost\n"
    with (tmp_path / "output").open("w+") as output, world.run(play, stdout=output) as process:
        # A play that fails before it comes to the gate never opens it: then its end does.
        threading.Thread(target=_open_when_ended, args=(process, gate), daemon=True).start()
        with gate.open("w"):  # opens when the play has come to read it
            assert process.poll() is None, (tmp_path / "output").read_text()
            (session,) = world.runtime.iterdir()
            assert sorted(path.name for path in session.iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    wait_for_watchers(world.runtime)
    assert list(world.runtime.iterdir()) == []


def test_session_in_check_mode_issues_nothing(world: World, tmp_path: pathlib.Path) -> None:
    before = len(world.ledger())
    play = yaml.safe_load(SESSION % {"result": tmp_path / "result.json", "docker_host": ""})
    play[0]["tasks"][0]["check_mode"] = True
    status, output = world.finish(yaml.safe_dump(play))
    assert status == 0, output
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["session"], result["ca_path"], result["client_key"]) == ("", "", "")
    assert len(world.ledger()) == before
    assert list(world.runtime.iterdir()) == []


def test_session_with_bad_input_fails_with_one_message_and_issues_nothing(world: World) -> None:
    before = len(world.ledger())
    wrong = {
        "duration-invalid": {"validity": "30d"},
        "docker-host-invalid": {"docker_host": "docker1"},
        "directory-unusable": {"location": "/nonexistent"},
        "session-invalid": {"state": "absent", "session": str(world.home)},
    }
    (play,) = yaml.safe_load(SESSION % {"result": "/dev/null", "docker_host": ""})
    good = play["tasks"][0]
    module = "portcullis.docker_tls.client_session"
    play["tasks"] = [{**good, module: {**good[module], **changes}, "ignore_errors": True} for changes in wrong.values()]
    status, output = world.finish(yaml.safe_dump([play]))
    assert status == 0, output
    assert re.findall(r'"code": "([a-z-]+)"', output) == list(wrong)
    assert "Traceback" not in output
    assert len(world.ledger()) == before
    assert world.home.exists()
