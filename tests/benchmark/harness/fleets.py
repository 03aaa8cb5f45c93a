# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets: hosts that a contender's playbook runs on, real or simulated."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .bench import BASELINE, CACHE, HERE, OURS, PROJECT, Bench, baseline_variables, our_variables, quietly
from .measure import CommandFailed

COLLECTIONS = ("portcullis.docker_tls", "community.crypto")
SSH_OPTIONS = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"


class Fleet(t.Protocol):
    """What the cases need to know of a fleet."""

    name: str
    title: str
    size: int
    inventory: Path
    environment: dict[str, str]
    simulated: bool

    def reset(self) -> None:
        """Make every host, and the controller's state, as new."""

    def replace_one(self) -> None:
        """Make one host as new, nothing else."""

    def before_run(self) -> None:
        """Reset the counter of restarts: systemd refuses the fourth within a minute."""

    def playbook(self, contender: str) -> Path:
        """Return the contender's playbook."""

    def variables(self, bench: Bench, contender: str) -> dict[str, t.Any]:
        """Return its variables."""

    def remove(self) -> None:
        """Leave nothing behind."""


def renewal_variables(contender: str) -> dict[str, t.Any]:
    """Return what makes a contender renew every server certificate."""
    return {OURS: {"docker_server_cert_force_renewal": True}, BASELINE: {"tls_force": True}}[contender]


def fresh_directory(path: Path) -> Path:
    """Return `path`, empty."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True, mode=0o700)
    return path


class RealFleet:
    """Containers with systemd, dockerd and sshd, reached over SSH or with `docker exec`."""

    simulated = False

    def __init__(self, bench: Bench, size: int, transport: str) -> None:
        self.size = size
        self.transport = transport
        self.name = f"real-{size}-{transport}"
        over = "SSH" if transport == "ssh" else "the Docker connection"
        self.title = f"{size} real host{'s' if size > 1 else ''} over {over}"
        self.scenario = bench.scenario
        self.image = bench.image
        self.directory = fresh_directory(CACHE / "work" / self.name)
        self.inventory = self.directory / "inventory.json"
        self.environment: dict[str, str] = {}
        self.hosts = [f"{bench.scenario}-{number}" for number in range(1, size + 1)]
        self.addresses: dict[str, str] = {}
        self.key = self.directory / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)

    def reset(self) -> None:
        self.remove()
        fresh_directory(self.directory / "state")
        # More at once than processors: half of the start is waiting.
        with ThreadPoolExecutor(max_workers=4) as pool:
            self.addresses = dict(zip(self.hosts, pool.map(self._start, self.hosts)))
        self._write_inventory()

    def replace_one(self) -> None:
        host = self.hosts[0]
        quietly("docker", "rm", "-f", "-v", host)
        self.addresses[host] = self._start(host)
        self._write_inventory()

    def before_run(self) -> None:
        for host in self.hosts:
            quietly("docker", "exec", host, "systemctl", "reset-failed")

    def playbook(self, contender: str) -> Path:
        return {OURS: PROJECT / "playbooks" / "site.yml", BASELINE: HERE / "baseline" / "site.yml"}[contender]

    def variables(self, bench: Bench, contender: str) -> dict[str, t.Any]:
        build = our_variables if contender == OURS else baseline_variables
        return build(bench, self.directory / "state")

    def remove(self) -> None:
        quietly(str(PROJECT / "tests" / "hosts" / "down.sh"), self.scenario)

    def _start(self, host: str) -> str:
        script = PROJECT / "tests" / "hosts" / "up.sh"
        command = [str(script), "--scenario", self.scenario, host, self.image, f"{self.key}.pub"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise CommandFailed(f"{host} did not start: {result.stderr}{result.stdout}")
        return result.stdout.split()[0]

    def _write_inventory(self) -> None:
        shared: dict[str, t.Any] = {"ansible_user": "root"}
        if self.transport == "ssh":
            shared |= {"ansible_ssh_private_key_file": str(self.key), "ansible_ssh_common_args": SSH_OPTIONS}
        else:
            shared |= {"ansible_connection": "community.docker.docker"}
        hosts = {host: self._host_variables(host) for host in self.hosts}
        self.inventory.write_text(json.dumps({"docker_hosts": {"hosts": hosts, "vars": shared}}))

    def _host_variables(self, host: str) -> dict[str, t.Any]:
        if self.transport == "ssh":
            return {"ansible_host": self.addresses[host]}
        # Names of containers say nothing to the controller's resolver: it verifies the endpoint by address.
        return {"docker_daemon_address": self.addresses[host], "docker_server_cert_names": [self.addresses[host]]}


class SimulatedFleet:
    """Directories on this machine, each a host of its own in the inventory: what the control plane costs, no daemon.

    Their modules run in forks of one warm process, simulated/server.py: their CPU seconds are not the controller's.
    """

    simulated = True

    def __init__(self, bench: Bench, size: int) -> None:
        self.size = size
        self.name = f"simulated-{size}"
        self.title = f"{size} simulated host{'s' if size > 1 else ''}, control plane only"
        self.directory = fresh_directory(CACHE / "work" / self.name)
        self.inventory = self.directory / "inventory.json"
        self.environment = {"ANSIBLE_CONNECTION_PLUGINS": str(HERE / "simulated" / "connection")}
        self.server: t.Optional[subprocess.Popen[bytes]] = None
        self.scratch: t.Optional[Path] = None
        self.hosts = [f"sim-{number:04}" for number in range(1, size + 1)]
        shared = {
            "ansible_connection": "simulated",
            "ansible_pipelining": True,
            "ansible_python_interpreter": sys.executable,
            "bench_root": str(self.directory / "hosts") + "/{{ inventory_hostname }}",
            "docker_server_cert_path": "{{ bench_root }}/certs",
        }
        self.inventory.write_text(
            json.dumps({"docker_hosts": {"hosts": {host: {} for host in self.hosts}, "vars": shared}})
        )

    def reset(self) -> None:
        self._stop_server()
        fresh_directory(self.directory / "state")
        fresh_directory(self.directory / "hosts")
        self._start_server()
        for host in self.hosts:
            os.mkdir(self.directory / "hosts" / host)

    def replace_one(self) -> None:
        fresh_directory(self.directory / "hosts" / self.hosts[0])

    def before_run(self) -> None:
        pass

    def playbook(self, contender: str) -> Path:
        folder = {OURS: "ours", BASELINE: "baseline"}[contender]
        return HERE / folder / "control_plane.yml"

    def variables(self, bench: Bench, contender: str) -> dict[str, t.Any]:
        state = self.directory / "state"
        if contender == OURS:
            return our_variables(bench, state)
        return {**baseline_variables(bench, state), "tls_directory": "{{ bench_root }}/certs"}

    def remove(self) -> None:
        self._stop_server()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_server(self) -> None:
        # A socket's path may have 107 characters: not below the checkout, wherever that is.
        self.scratch = Path(tempfile.mkdtemp(prefix="bench-"))
        self.environment["BENCH_SIMULATED_SOCKET"] = str(self.scratch / "hosts")
        paths = [str(PROJECT / ".collections"), str(CACHE / "collections")]
        self.server = subprocess.Popen(
            [sys.executable, str(HERE / "simulated" / "server.py"), str(self.scratch / "hosts"), *COLLECTIONS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.directory / "server.log").open("wb"),
            env={**os.environ, "PYTHONPATH": ":".join(paths)},
        )
        if self.server.stdout is None or self.server.stdout.readline() != b"ready\n":
            raise CommandFailed((self.directory / "server.log").read_text())

    def _stop_server(self) -> None:
        if self.server is not None:
            self.server.communicate()
            self.server = None
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
