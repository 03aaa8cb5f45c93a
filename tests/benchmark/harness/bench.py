# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a benchmark run knows: where things are, how much time is left, how to run a playbook."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .measure import Cell, CommandFailed, Sample, run

PROJECT = Path(__file__).resolve().parents[3]
HERE = PROJECT / "tests" / "benchmark"
CACHE = PROJECT / ".cache" / "bench"
# For certificates that live as long as the benchmark; the same in tests/benchmark/baseline/vars.yml.
PASSPHRASE = "correct horse battery staple"
OURS = "ours"
BASELINE = "community.crypto"


class OutOfTime(Exception):
    """The time limit is reached: what is not measured yet stays so."""


@dataclass
class Section:
    """The cells that belong together, measured side by side, with what went wrong."""

    title: str
    parameters: dict[str, t.Any]
    cells: dict[str, Cell] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    facts: dict[str, t.Any] = field(default_factory=dict)

    def add(self, name: str, sample: Sample) -> None:
        """Append a sample to the cell `name`."""
        self.cells.setdefault(name, Cell()).samples.append(sample)


@dataclass
class Bench:
    """The settings of one run of the benchmark."""

    scenario: str
    repetitions: int
    deadline: float
    key_type: str
    contenders: tuple[str, ...]
    cases: tuple[str, ...]
    image: str
    command_timeout: float = 1800

    def remaining(self) -> float:
        """Return the seconds left; raises OutOfTime when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime
        return left

    def measure(
        self, label: str, command: t.Sequence[str], environment: t.Optional[t.Mapping[str, str]] = None
    ) -> Sample:
        """Run a command within the time that is left; its log is named after `label`."""
        log = CACHE / "logs" / (label.replace("/", "-").replace(" ", "-") + ".log")
        limit = min(self.remaining(), self.command_timeout)
        try:
            sample = run(command, log=log, environment=environment, timeout=limit)
        except CommandFailed:
            self.remaining()
            raise
        say(f"  {label:<50} {sample.wall:8.2f} s wall {sample.cpu:8.2f} s CPU {sample.peak_mib:7.0f} MiB")
        return sample

    def playbook(
        self,
        label: str,
        playbook: Path,
        variables: t.Mapping[str, t.Any],
        *,
        inventory: t.Optional[Path] = None,
        environment: t.Optional[t.Mapping[str, str]] = None,
    ) -> Sample:
        """Run a playbook with a fresh set of SSH connections, as a nightly run has them."""
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            extra = Path(scratch) / "variables.json"
            extra.write_text(json.dumps(dict(variables)))
            command = ["ansible-playbook", str(playbook), "-e", f"@{extra}"]
            if inventory is not None:
                command += ["-i", str(inventory)]
            complete = {
                **ansible_environment(),
                **(environment or {}),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{scratch}/ssh",
            }
            try:
                return self.measure(label, command, complete)
            finally:
                for socket in Path(scratch, "ssh").glob("*"):
                    quietly("ssh", "-O", "exit", "-o", f"ControlPath={socket}", "none")


def ansible_environment() -> dict[str, str]:
    """Return the environment of every ansible command: the project's ansible.cfg, and the collections of both contenders."""
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": f"{PROJECT / '.collections'}:{CACHE / 'collections'}",
        "ANSIBLE_HOME": str(CACHE / "ansible"),
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }


def our_variables(bench: Bench, state: Path) -> dict[str, t.Any]:
    """Return the variables of our roles: everything that is kept on the controller goes below `state`."""
    return {
        "docker_ca_path": str(state / "ca"),
        "docker_ca_passphrase": PASSPHRASE,
        "docker_ca_key_type": bench.key_type,
        "docker_server_cert_key_type": bench.key_type,
        "docker_client_cert_key_type": bench.key_type,
        "docker_client_cert_path": str(state / "clients"),
    }


def baseline_variables(bench: Bench, state: Path) -> dict[str, t.Any]:
    """Return the variables of the community.crypto playbook."""
    family, _, size = bench.key_type.partition("-")
    key: dict[str, t.Any] = {"type": "ECC", "curve": "secp384r1" if size == "p384" else "secp256r1"}
    if family == "rsa":
        key = {"type": "RSA", "size": int(size)}
    return {
        "tls_ca_path": str(state / "ca"),
        "tls_client_path": str(state / "client"),
        "tls_ca_passphrase": PASSPHRASE,
        "tls_key": key,
    }


def quietly(*command: str) -> bool:
    """Run a command that may fail, without a word; True if it did not."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
    return result.returncode == 0


def say(text: str) -> None:
    """Report the progress."""
    print(text, flush=True)
