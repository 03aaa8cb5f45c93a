# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of status.yml through the wrapper of docs/examples/monitoring: exit codes, verdict and report."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "docs/examples/monitoring"
WRAPPER = EXAMPLES / "docker-tls-status"


class Run(t.NamedTuple):
    """What a run said: its exit code, its output, the report that it left (None for none)."""

    code: int
    output: str
    report: dict[str, t.Any] | None


def play(directory: pathlib.Path, command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program with the environment of a user whose home lies in ``directory``."""
    settings = {
        **playbook_runs.environment(directory, directory / "home", directory),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        **more,
    }
    return playbook_runs.run(command, settings, directory)


def status(directory: pathlib.Path, *options: str) -> Run:
    """Run the wrapper."""
    kept = directory / "status.json"
    kept.unlink(missing_ok=True)
    (directory / "inventory").write_text(f"localhost {playbook_runs.LOCAL}\n")
    done = play(
        directory, [str(WRAPPER), "-i", str(directory / "inventory"), *options], DOCKER_TLS_STATUS_PATH=str(kept)
    )
    report = json.loads(kept.read_text()) if kept.exists() else None
    return Run(done.returncode, done.stdout + done.stderr, report)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return the directory of a user who has an authority and one client, and no Docker host."""
    directory = tmp_path_factory.mktemp("fleet")
    (directory / "inventory").write_text(f"localhost {playbook_runs.LOCAL}\n")
    secret = json.dumps({"docker_ca_passphrase": PASSPHRASE_TEXT})
    site = [playbook_runs.PLAYBOOK, "-i", str(directory / "inventory"), "-e", secret, "portcullis.docker_tls.site"]
    done = play(directory, site)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        ((), 0, "OK"),
        (("-e", '{"docker_status_warning": ["365d"]}'), 1, "WARNING"),
        (("-e", '{"docker_status_critical": ["365d"]}'), 2, "CRITICAL"),
    ],
)
def test_exit_code_is_that_of_a_monitoring_plugin(
    fleet: pathlib.Path, options: tuple[str, ...], code: int, word: str
) -> None:
    run = status(fleet, *options)
    assert run.code == code, run.output
    assert run.output.startswith(f"Docker TLS status {word}: ")
    assert run.report is not None
    assert (run.report["exit_code"], run.report["summary"]) == (
        code,
        run.output.splitlines()[0][len("Docker TLS status ") :],
    )


def test_playbook_that_fails_is_unknown_and_leaves_the_old_report_alone(fleet: pathlib.Path) -> None:
    run = status(fleet, "-e", '{"docker_status_warning": ["soon"]}')
    assert run.code == 3, run.output
    assert run.output.startswith("Docker TLS status UNKNOWN: ansible-playbook ended with 2\n")
    assert "soon" in run.output
    assert run.report is None


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_units_are_what_systemd_understands(tmp_path: pathlib.Path) -> None:
    names = ("docker-tls-status.service", "docker-tls-status.timer")
    for name in names:
        text = (EXAMPLES / name).read_text().replace("/usr/local/bin/docker-tls-status", str(WRAPPER))
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in names)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "docker-tls-status" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_service_writes_only_into_its_own_state_directory_and_accepts_a_warning() -> None:
    text = (EXAMPLES / "docker-tls-status.service").read_text()
    (directory,) = re.findall(r"^StateDirectory=(.*)$", text, re.MULTILINE)
    written = re.findall(r"(?:_path|_PATH)=(\S+)", text)
    assert len(written) == 3
    assert {str(pathlib.Path(path).parent) for path in written} == {f"/var/lib/{directory}"}
    assert re.findall(r"^SuccessExitStatus=(.*)$", text, re.MULTILINE) == ["1"]
