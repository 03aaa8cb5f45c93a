# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of this host decides how its unit is read: the system, snap, systemd's version, environments."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import unit_reader
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.systemd import Services, UnitState
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import parse_unit


def test_unit_facts_are_read_from_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services(UnitState("docker.service", "not-found"), UnitState("docker.socket", "masked"))
    facts = unit_reader.unit_facts(services, "systemd")
    assert (facts.load_state, facts.socket_load_state, facts.init_system) == ("not-found", "masked", "systemd")
    monkeypatch.setattr(unit_reader, "read_bytes_or_none", lambda _path: b'ID="nixos"\nID_LIKE=x\n')
    assert unit_reader.unit_facts(services, "systemd").os_ids == ("nixos", "x")


@pytest.mark.parametrize("place", ["snap/docker", "systemd/snap.docker.dockerd.service"])
def test_snap_is_known_by_its_directory_or_its_unit(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    services = Services(UnitState("docker.service", "not-found"), UnitState("docker.socket", "not-found"))
    monkeypatch.setattr(
        unit_reader, "_SNAP", (str(tmp_path / "snap/docker"), str(tmp_path / "systemd/snap.docker.dockerd.service"))
    )
    assert not unit_reader.unit_facts(services, "systemd").snap_docker
    (tmp_path / place).mkdir(parents=True)
    assert unit_reader.unit_facts(services, "systemd").snap_docker


@pytest.mark.parametrize(("version", "names"), [("systemd 252 (252.1)", []), ("systemd 257 (257)", ["A"]), ("", ["A"])])
def test_environment_comment_with_a_backslash_depends_on_systemd(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, version: str, names: list[str]
) -> None:
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\necho '{version}'\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    variables, fragment = tmp_path / "default-docker", tmp_path / "docker.service"
    variables.write_text("# comment \\\nA=1\n")
    fragment.write_text(f"[Service]\nEnvironmentFile=-{variables}\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n")
    service = UnitState("docker.service", "loaded", fragment_path=str(fragment))
    model = unit_reader.read_model(service, str(tmp_path / "zz-docker-tls.conf"))
    assert list(unit_reader.environment_of(model)) == names


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
    found = unit_reader.environment_of(model)
    assert (found["OPTS"].value if "OPTS" in found else None) == value
    assert (tmp_path / "log").exists() is asked


def test_environment_that_the_unit_passes_is_that_of_the_running_process(monkeypatch: pytest.MonkeyPatch) -> None:
    model = parse_unit(
        [("/u/docker.service", "[Service]\nPassEnvironment=HOME\nExecStart=/usr/bin/dockerd $HOME\n")], "/own.conf"
    )
    assert unit_reader.environment_of(model, os.getpid())["HOME"].value


def test_pairs_of_an_environment_leaves_out_what_is_no_variable() -> None:
    assert unit_reader.pairs_of(["A=1=2", "B=", "C", ""]) == {"A": "1=2", "B": ""}
