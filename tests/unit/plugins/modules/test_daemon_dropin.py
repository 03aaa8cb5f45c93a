# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module daemon_dropin: the unit's own command without -H, written, loaded and compared."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon import (
    dropin,
    dropin_file,
    environment,
    unit_source,
    words,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.environment import parse_unit
from ansible_collections.portcullis.docker_tls.plugins.module_utils._daemon.systemd import Services, UnitState
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.modules import daemon_dropin
from helpers_modules import run_module

VENDOR = "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"
WITHOUT = "/usr/bin/dockerd --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"


class Host:
    """A host in a directory; its systemd loads the files that are there at daemon-reload."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.unit_directory = str(root / "etc")
        self.fragment = root / "docker.service"
        self.variables = root / "default-docker"
        self.dropins = root / "etc" / "docker.service.d"
        self.own = self.dropins / dropin.DROPIN_NAME
        self.load_state = "loaded"
        self.reloads = 0
        self.lies = False
        self.write_unit(VENDOR)

    def write_unit(self, command: str) -> None:
        self.fragment.write_text(f"[Service]\nType=notify\nEnvironmentFile=-{self.variables}\nExecStart={command}\n")

    def services(self) -> Services:
        found = tuple(str(path) for path in sorted(self.dropins.glob("*.conf")))
        service = UnitState("docker.service", self.load_state, fragment_path=str(self.fragment), drop_in_paths=found)
        return Services(service, UnitState("docker.socket", "loaded"))

    def init_system(self) -> str:
        return "systemd"

    def daemon_reload(self) -> None:
        self.reloads += 1

    def loaded_command(self) -> str:
        files = [
            (path, pathlib.Path(path).read_text())
            for path in (str(self.fragment), *self.services().service.drop_in_paths)
        ]
        marked = [(path, text.replace(environment.OWN_MARK, "#")) for path, text in files]
        (command,) = environment.parse_unit(marked, "/nowhere").commands
        argv = [words.expand_specifiers(word.value) for word in words.split_command(command)]
        return json.dumps({"data": [[argv[0], [*argv, "--lie"] if self.lies else argv]]})


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    monkeypatch.setattr(daemon_dropin, "Machine", lambda *_arguments: found)
    return found


def run(*, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return run_module(daemon_dropin, options, check=check)


def test_dropin_is_written_loaded_and_stays(host: Host) -> None:
    result = run()
    assert result["changed"]
    assert result["reasons"] == ["dropin-missing"]
    assert (result["command"], result["original_command"], result["hosts"]) == (WITHOUT, VENDOR, ["fd://"])
    assert result["config_path"] == "/etc/docker/daemon.json"
    assert result["dropin_path"] == str(host.own)
    assert host.own.read_text().endswith(f"ExecStart=\nExecStart={WITHOUT}\n")
    assert host.own.stat().st_mode & 0o777 == 0o644
    assert result["diff"]["before_header"].endswith("(absent)")
    assert result["diff"]["after"] == host.own.read_text()
    assert host.reloads == 1
    again = run()
    assert (again["changed"], again["reasons"], again["command"]) == (False, [], WITHOUT)
    assert host.reloads == 1


def test_check_mode_says_the_same_and_writes_nothing(host: Host) -> None:
    foretold = run(check=True)
    assert not host.dropins.exists()
    assert host.reloads == 0
    assert run() == foretold


def test_package_upgrade_is_seen(host: Host) -> None:
    run()
    host.write_unit(VENDOR + " --new-flag")
    result = run()
    assert result["reasons"] == ["unit-changed"]
    assert host.own.read_text().endswith(f"{WITHOUT} --new-flag\n")


def test_edited_dropin_is_written_anew(host: Host) -> None:
    run()
    wanted = host.own.read_text()
    host.own.write_text(wanted + "Restart=no\n")
    assert run()["reasons"] == ["dropin-changed"]
    assert host.own.read_text() == wanted


def test_host_in_an_environment_file_is_written_out_with_a_warning(host: Host) -> None:
    host.variables.write_text('DOCKER_OPTS="-H tcp://0.0.0.0:2375 --dns 1.1.1.1"\n')
    result = run()
    assert result["command"] == "/usr/bin/dockerd --containerd=/run/containerd/containerd.sock --dns 1.1.1.1"
    assert result["inlined"] == [f"DOCKER_OPTS in {host.variables}"]
    assert [text.partition(" ")[0] for text in result["warnings"]] == ["the", "the"]
    assert result["hosts"] == ["fd://", "tcp://0.0.0.0:2375"]


def test_unit_without_a_host_needs_no_dropin(host: Host) -> None:
    host.write_unit("/usr/bin/dockerd -D")
    result = run()
    assert (result["changed"], result["command"]) == (False, "/usr/bin/dockerd -D")
    assert not host.own.exists()


def test_unit_that_lost_its_host_loses_the_dropin(host: Host) -> None:
    run()
    host.write_unit("/usr/bin/dockerd -D")
    assert run()["reasons"] == ["dropin-unwanted"]
    assert not host.own.exists()


def test_options_for_network_and_tls_flags(host: Host) -> None:
    host.write_unit(VENDOR + " --tlsverify --tlscacert=/x")
    result = run(after_network=True, strip_tls_flags=True)
    assert result["command"] == WITHOUT
    assert "After=network-online.target" in host.own.read_text()
    assert len(result["warnings"]) == 2


def test_state_absent_removes_ours_only(host: Host) -> None:
    run()
    result = run(state="absent")
    assert result["reasons"] == ["dropin-unwanted"]
    assert (result["command"], result["hosts"], result["warnings"]) == ("", [], [])
    assert not host.dropins.exists()
    assert host.reloads == 2
    assert not run(state="absent")["changed"]
    host.dropins.mkdir()
    host.own.write_text("[Service]\n")
    assert not run(state="absent")["changed"]
    assert host.own.exists()


def test_state_absent_keeps_other_dropins(host: Host) -> None:
    run()
    (host.dropins / "10-proxy.conf").write_text("[Service]\nEnvironment=A=1\n")
    assert run(state="absent")["changed"]
    assert [path.name for path in host.dropins.iterdir()] == ["10-proxy.conf"]


def test_path_of_the_user_is_taken(host: Host) -> None:
    path = host.dropins / "zzz-mine.conf"
    assert run(path=str(path))["dropin_path"] == str(path)
    assert dropin.is_ours(path.read_text())
    assert not run(path=str(path))["changed"]


def test_file_of_somebody_else_is_never_replaced(host: Host) -> None:
    host.dropins.mkdir(parents=True)
    host.own.write_text("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n")
    result = run()
    assert (result["failed"], result["code"]) == (True, "dropin-foreign")
    assert host.own.read_text().endswith("/usr/bin/dockerd\n")


def test_dropin_that_would_have_no_effect_is_refused(host: Host) -> None:
    host.dropins.mkdir(parents=True)
    (host.dropins / "zzz.conf").write_text("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H fd://\n")
    result = run()
    assert (result["failed"], result["code"]) == (True, "dropin-after-ours")
    assert not host.own.exists()


def test_docker_that_cannot_be_managed_is_refused(host: Host) -> None:
    host.load_state = "masked"
    result = run()
    assert (result["failed"], result["code"]) == (True, "unit-masked")
    host.load_state = "loaded"
    host.write_unit("/bin/sh -c dockerd")
    assert run()["code"] == "unit-unsupported"


def test_systemd_that_reads_it_otherwise_brings_the_former_file_back(host: Host) -> None:
    host.lies = True
    result = run()
    assert (result["failed"], result["code"]) == (True, "dropin-not-effective")
    assert not host.own.exists()
    assert host.reloads == 2
    host.lies = False
    run()
    before = host.own.read_text()
    host.write_unit(VENDOR + " --more")
    host.lies = True
    assert run()["failed"]
    assert host.own.read_text() == before


def test_place_that_cannot_be_written_is_an_error(host: Host, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TlsError) as caught:
        dropin_file._write(str(tmp_path / "file" / "x.conf"), "text")
    assert caught.value.code == "file-unwritable"


def test_unit_facts_are_read_from_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services(UnitState("docker.service", "not-found"), UnitState("docker.socket", "masked"))
    facts = unit_source.unit_facts(services, "systemd")
    assert (facts.load_state, facts.socket_load_state, facts.init_system) == ("not-found", "masked", "systemd")
    monkeypatch.setattr(unit_source, "read_bytes_or_none", lambda _path: b'ID="nixos"\nID_LIKE=x\n')
    assert unit_source.unit_facts(services, "systemd").os_ids == ("nixos", "x")


@pytest.mark.parametrize("place", ["snap/docker", "systemd/snap.docker.dockerd.service"])
def test_snap_is_known_by_its_directory_or_its_unit(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    services = Services(UnitState("docker.service", "not-found"), UnitState("docker.socket", "not-found"))
    monkeypatch.setattr(
        unit_source, "_SNAP", (str(tmp_path / "snap/docker"), str(tmp_path / "systemd/snap.docker.dockerd.service"))
    )
    assert not unit_source.unit_facts(services, "systemd").snap_docker
    (tmp_path / place).mkdir(parents=True)
    assert unit_source.unit_facts(services, "systemd").snap_docker


@pytest.mark.parametrize(("version", "names"), [("systemd 252 (252.1)", []), ("systemd 257 (257)", ["A"]), ("", ["A"])])
def test_environment_comment_with_a_backslash_depends_on_systemd(
    host: Host, monkeypatch: pytest.MonkeyPatch, version: str, names: list[str]
) -> None:
    class Answer:
        stdout = version

    host.variables.write_text("# comment \\\nA=1\n")
    monkeypatch.setattr(unit_source.subprocess, "run", lambda *_arguments, **_options: Answer)
    model = unit_source.read_model(host.services().service, str(host.own))
    assert list(unit_source.environment_of(model)) == names


BUSCTL = "#!/bin/sh\necho asked >> {log}\n{answer}\n"


@pytest.mark.parametrize(
    ("unit", "answer", "value", "asked"),
    [
        (
            "ExecStart=/usr/bin/dockerd $OPTS",
            """echo '{"type": "as", "data": ["OPTS=-H fd://", "X=1"]}'""",
            "-H fd://",
            True,
        ),
        ("ExecStart=/usr/bin/dockerd $OPTS", "exit 1", None, True),
        ("ExecStart=/usr/bin/dockerd $OPTS", "echo nonsense", None, True),
        ("Environment=OPTS=own\nExecStart=/usr/bin/dockerd $OPTS", "exit 1", "own", False),
        ("ExecStart=/usr/bin/dockerd", "exit 1", None, False),
    ],
    ids=["set-environment", "refused", "unreadable", "set-by-the-unit", "no-variable"],
)
def test_environment_of_the_manager_is_read_where_nothing_else_sets_a_variable(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, unit: str, answer: str, value: str | None, asked: bool
) -> None:
    (tmp_path / "busctl").write_text(BUSCTL.format(log=tmp_path / "log", answer=answer))
    (tmp_path / "busctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    model = parse_unit([("/u/docker.service", f"[Service]\n{unit}\n")], "/own.conf")
    found = unit_source.environment_of(model)
    assert (found["OPTS"].value if "OPTS" in found else None) == value
    assert (tmp_path / "log").exists() is asked


def test_environment_that_the_unit_passes_is_that_of_the_running_process(monkeypatch: pytest.MonkeyPatch) -> None:
    model = parse_unit(
        [("/u/docker.service", "[Service]\nPassEnvironment=HOME\nExecStart=/usr/bin/dockerd $HOME\n")], "/own.conf"
    )
    assert unit_source.environment_of(model, os.getpid())["HOME"].value


def test_pairs_of_an_environment_leaves_out_what_is_no_variable() -> None:
    assert unit_source.pairs_of(["A=1=2", "B=", "C", ""]) == {"A": "1=2", "B": ""}
