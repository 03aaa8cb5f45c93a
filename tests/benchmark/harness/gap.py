# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client of the API notices while the certificate is renewed."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .bench import OURS, Bench, OutOfTime, Section, say
from .fleets import RealFleet, renewal_variables
from .measure import CommandFailed

PORT = 2376
PAUSE = 0.02
PATIENCE = 60.0


@dataclass
class Notes:
    """What the client noted: times of answers, the longest wait for one, and what was not answered."""

    answered: list[float] = field(default_factory=list)
    longest_wait: float = 0.0
    refused: int = 0
    broken: dict[str, int] = field(default_factory=dict)

    def longest_gap(self) -> float:
        """Return the longest time between two answers in seconds."""
        return max((later - earlier for earlier, later in zip(self.answered, self.answered[1:])), default=0.0)


class Client(threading.Thread):
    """Asks for /_ping again and again, each time over a new connection, until stopped. Its bundle may be replaced meanwhile."""

    def __init__(self, address: str, bundle: Path, pause: float = PAUSE) -> None:
        super().__init__(daemon=True)
        self.address = address
        self.bundle = bundle
        self.pause = pause
        self.stamp = self._stamp()
        self.context = client_context(bundle)
        self.notes = Notes()
        self.stopped = threading.Event()

    def _stamp(self) -> tuple[int, ...]:
        return tuple((self.bundle / name).stat().st_mtime_ns for name in ("ca.pem", "cert.pem", "key.pem"))

    def _reload(self) -> None:
        """Read the bundle again where it is another one; in the middle of an exchange, the next time."""
        with contextlib.suppress(OSError):
            stamp = self._stamp()
            if stamp != self.stamp:
                self.context, self.stamp = client_context(self.bundle), stamp

    def run(self) -> None:
        while not self.stopped.wait(self.pause):
            self._reload()
            begin = time.monotonic()
            try:
                self._ask()
            except ConnectionRefusedError:
                self.notes.refused += 1
            except (OSError, http.client.HTTPException) as error:
                name = type(error).__name__
                self.notes.broken[name] = self.notes.broken.get(name, 0) + 1
            else:
                end = time.monotonic()
                self.notes.answered.append(end)
                self.notes.longest_wait = max(self.notes.longest_wait, end - begin)

    def _ask(self) -> None:
        connection = http.client.HTTPSConnection(self.address, PORT, timeout=PATIENCE, context=self.context)
        try:
            connection.request("GET", "/_ping")
            response = connection.getresponse()
            if response.status != 200:
                raise http.client.HTTPException(f"status {response.status}")
            response.read()
        finally:
            connection.close()


def measure_gap(bench: Bench, listener: str) -> Section:
    """Renew the certificate of a host under a client's eyes, with a container that has to live on."""
    section = Section(f"Renewal under a client's eyes, listener `{listener}`", {"listener": listener})
    fleet = RealFleet(bench, 1, "ssh")
    variables = {
        **fleet.variables(bench, OURS),
        "docker_daemon_listener": listener,
        "docker_daemon_live_restore": "enable",
    }
    try:
        fleet.reset()
        host = fleet.hosts[0]
        inside(host, "test-container", "keeper")
        play = fleet.playbook(OURS)
        bench.playbook(f"gap {listener} first (not counted)", play, variables, inventory=fleet.inventory)
        kept, started = _container(host), starts(host)
        client = Client(fleet.addresses[host], bundle_below(fleet.directory / "state" / "clients"))
        client.start()
        try:
            renewal = {**variables, **renewal_variables(OURS)}
            section.add("ours/renewal", bench.playbook(f"gap {listener}", play, renewal, inventory=fleet.inventory))
            # What comes after the play belongs to it: an answer again.
            time.sleep(1)
        finally:
            client.stopped.set()
            client.join(PATIENCE)
        section.facts = _facts(client.notes, starts(host) - started, _container(host) == kept)
        say(f"  {section.facts}")
    except CommandFailed as error:
        section.problems.append(str(error))
    except OutOfTime:
        section.problems.append("the time limit was reached")
    finally:
        fleet.remove()
    return section


def _facts(notes: Notes, restarts: int, container_lived_on: bool) -> dict[str, t.Any]:
    return {
        "answered": len(notes.answered),
        "refused": notes.refused,
        "broken": notes.broken,
        "longest_gap": round(notes.longest_gap(), 2),
        "longest_wait": round(notes.longest_wait, 2),
        "restarts": restarts,
        "container_lived_on": container_lived_on,
    }


def client_context(bundle: Path) -> ssl.SSLContext:
    """Return what a client with this bundle trusts and shows. Raises OSError (ssl.SSLError) where it is incomplete."""
    context = ssl.create_default_context(cafile=str(bundle / "ca.pem"))
    context.load_cert_chain(bundle / "cert.pem", bundle / "key.pem")
    return context


def bundle_below(clients: Path, name: str = "") -> Path:
    """Return the directory of a client's bundle: of the client `name`, or of any."""
    for found in sorted(clients.rglob("cert.pem")):
        if not name or name in found.parts:
            return found.parent
    raise CommandFailed(f"there is no client's bundle below {clients}")


def inside(host: str, *command: str) -> str:
    """Run a command on a host and return its output. Raises CommandFailed."""
    result = subprocess.run(["docker", "exec", host, *command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise CommandFailed(f"{' '.join(command)} on {host}: {result.stderr}")
    return result.stdout


def _container(host: str) -> str:
    return inside(host, "docker", "inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "keeper")


def starts(host: str) -> int:
    """Return how often systemd has started dockerd since the host is up."""
    journal = inside(host, "journalctl", "-u", "docker.service", "-o", "cat", "--no-pager")
    return sum(line.startswith("Started ") for line in journal.splitlines())
