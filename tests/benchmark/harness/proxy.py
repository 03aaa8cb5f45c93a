# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The listener `proxy` beside dockerd's own TLS: what clients notice of a change, and what a connection costs."""

from __future__ import annotations

import dataclasses
import http.client
import ssl
import statistics
import subprocess
import time
import typing as t
from pathlib import Path

from .bench import CACHE, OURS, PROJECT, Bench, OutOfTime, Section, say
from .cases import measure_fleet
from .fleets import RealFleet, renewal_variables
from .gap import PATIENCE, PORT, Client, bundle_below, client_context, inside, starts
from .measure import CommandFailed, Sample

DOCKERD, PROXY = "dockerd", "proxy"
LISTENERS = (DOCKERD, PROXY)
EVENTS = ("renewal", "revocation", "rotation", "restart")
PAUSE = 0.005
CONNECTIONS, REQUESTS = 100, 1000
COPY_BYTES = 500_000_000
#: A container that never stops writing, for `docker logs -f`.
TALKER = (*"docker run -d --name talker local/busybox sh -c".split(), "while true; do echo x; sleep 1; done")
UNIT = "docker-tls-proxy.service"


class ProxyFleet(RealFleet):
    """Real hosts, each with a listener: `listeners` in the order of the hosts, the last one for the rest of them."""

    def __init__(self, bench: Bench, size: int, listeners: t.Sequence[str]) -> None:
        super().__init__(bench, size, "ssh")
        self.title = f"{self.title}, listener `{listeners[-1]}`"
        self.listeners = listeners

    def variables(self, bench: Bench, contender: str) -> dict[str, t.Any]:
        return {**super().variables(bench, contender), "docker_daemon_live_restore": "enable"}

    def _host_variables(self, host: str) -> dict[str, t.Any]:
        number = min(self.hosts.index(host), len(self.listeners) - 1)
        return {**super()._host_variables(host), "docker_daemon_listener": self.listeners[number]}


def measure_renewal(bench: Bench, size: int) -> Section:
    """Measure a ping, a run without changes and a renewal of all."""
    cases = dataclasses.replace(bench, cases=("no-change", "renewal"))
    return measure_fleet(cases, ProxyFleet(bench, size, [PROXY]), [OURS])


# What clients notice -------------------------------------------------------------------------------------------------


class Streams:
    """`docker logs -f` and `docker exec -i` through the port, open while something changes."""

    def __init__(self, address: str, bundle: Path) -> None:
        files = [
            f"--tls{name}={bundle / file}"
            for name, file in (("cacert", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))
        ]
        command = ["docker", "-H", f"tcp://{address}:{PORT}", "--tlsverify", *files]
        self.notes = CACHE / "logs" / "proxy-logs-f"
        with self.notes.open("wb") as output:
            self.logs = subprocess.Popen(
                [*command, "logs", "-f", "--tail", "0", "talker"], stdout=output, stderr=subprocess.DEVNULL
            )
        self.exec = subprocess.Popen(
            [*command, "exec", "-i", "keeper", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )  # fmt: skip
        self._grows()

    def _grows(self) -> bool:
        """Return whether another line comes out of the log in time."""
        before, deadline = self.notes.stat().st_size, time.monotonic() + 10
        while time.monotonic() < deadline and self.logs.poll() is None:
            if self.notes.stat().st_size > before:
                return True
            time.sleep(0.1)
        return False

    def broken(self) -> list[str]:
        """End both; return the names of those that had ended, or do not carry what is sent any more."""
        found = [] if self._grows() else ["logs -f"]
        try:
            output, _ = self.exec.communicate(b"still here\n", timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            output = b""
        if output != b"still here\n":
            found.append("exec -i")
        for process in (self.logs, self.exec):
            process.kill()
            process.wait()
        return found


def measure_changes(bench: Bench) -> Section:
    """Make each of `EVENTS` on a host with each listener, under the eyes of clients."""
    section = Section(
        "Changes under a client's eyes, beside each other", {"events": list(EVENTS), "image": bench.image}
    )
    try:
        for listener in LISTENERS:
            _measure_listener(bench, listener, section)
    except CommandFailed as error:
        section.problems.append(str(error))
    except OutOfTime:
        section.problems.append("the time limit was reached")
    return section


def _measure_listener(bench: Bench, listener: str, section: Section) -> None:
    fleet = ProxyFleet(bench, 1, [listener])
    variables = {**fleet.variables(bench, OURS), "docker_client_cert_clients": [{"name": "alice"}, {"name": "bob"}]}
    without_bob = {**variables, "docker_client_cert_clients": [{"name": "alice"}, {"name": "bob", "state": "revoked"}]}
    rotation = {
        **without_bob,
        "docker_rotate_ca_authority": "all",
        "docker_rotate_ca_execute": True,
        "docker_rotate_ca_again_after": "0s",
    }
    site, rotate = fleet.playbook(OURS), PROJECT / "playbooks" / "rotate_ca.yml"
    try:
        fleet.reset()
        host = fleet.hosts[0]
        inside(host, "test-container", "keeper")
        inside(host, *TALKER)
        bench.playbook(f"{listener} first (not counted)", site, variables, inventory=fleet.inventory)
        clients = fleet.directory / "state" / "clients"
        bundle, bob = bundle_below(clients, "alice"), client_context(bundle_below(clients, "bob"))
        plays: dict[str, tuple[Path, dict[str, t.Any]]] = {
            "renewal": (site, {**variables, **renewal_variables(OURS)}),
            "revocation": (site, without_bob),
            "rotation": (rotate, rotation),
        }
        for event in EVENTS:
            fleet.before_run()
            started, streams = starts(host), Streams(fleet.addresses[host], bundle)
            served = _served(fleet.addresses[host], client_context(bundle))
            client = Client(fleet.addresses[host], bundle, PAUSE)
            client.start()
            try:
                if event in plays:
                    play, used = plays[event]
                    sample = bench.playbook(f"{listener} {event}", play, used, inventory=fleet.inventory)
                    section.add(f"{listener}/{event}", sample)
                else:
                    inside(host, "systemctl", "restart", "docker")
                time.sleep(1)  # an answer after the change belongs to it
            finally:
                client.stopped.set()
                client.join(PATIENCE)
                broken = streams.broken()
            notes = client.notes
            section.facts[f"{listener}/{event}"] = {
                "answered": len(notes.answered),
                "refused": notes.refused,
                "broken": notes.broken,
                "longest_wait": round(notes.longest_wait, 2),
                "restarts": starts(host) - started,
                "streams_broken": broken,
            }
            say(f"  {listener} {event}: {section.facts[f'{listener}/{event}']}")
            if event in ("renewal", "rotation") and _served(fleet.addresses[host], client_context(bundle)) == served:
                section.problems.append(f"{listener}: the {event} has not changed the certificate")
            if event == "revocation" and _served(fleet.addresses[host], bob):
                section.problems.append(f"{listener}: the revoked client is admitted")
    finally:
        fleet.remove()


def _served(address: str, context: ssl.SSLContext) -> bytes:
    """Return the served certificate as an admitted client sees it, b"" where the client is not admitted."""
    connection = http.client.HTTPSConnection(address, PORT, timeout=PATIENCE, context=context)
    try:
        connection.connect()
        found = t.cast(ssl.SSLSocket, connection.sock).getpeercert(binary_form=True)
        _ask(connection)
        return found or b""
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()


# What a connection costs ---------------------------------------------------------------------------------------------


def measure_cost(bench: Bench) -> Section:
    """Measure connections, requests and `docker cp` on two hosts side by side, in turns: one with each listener."""
    section = Section(
        "What a connection costs",
        {"image": bench.image, "bytes": COPY_BYTES, "connections": CONNECTIONS, "requests_of_a_connection": REQUESTS},
    )
    fleet = ProxyFleet(bench, 2, LISTENERS)
    try:
        fleet.reset()
        for host in fleet.hosts:
            inside(host, "test-container", "keeper")
        site = fleet.playbook(OURS)
        bench.playbook("cost first (not counted)", site, fleet.variables(bench, OURS), inventory=fleet.inventory)
        hosts = dict(zip(LISTENERS, fleet.hosts))
        bundle = bundle_below(fleet.directory / "state" / "clients")
        addresses = {listener: fleet.addresses[host] for listener, host in hosts.items()}
        section.facts["memory_mib"] = _memory(hosts[PROXY])
        section.facts.update(_latencies(addresses, bundle))
        say(f"  {section.facts}")
        _copies(bench, addresses, bundle, section)
        section.facts["memory_after_mib"] = _memory(hosts[PROXY])
    except CommandFailed as error:
        section.problems.append(str(error))
    except OutOfTime:
        section.problems.append("the time limit was reached")
    finally:
        fleet.remove()
    return section


def _latencies(addresses: t.Mapping[str, str], bundle: Path) -> dict[str, float]:
    """Return medians in milliseconds, by listener: of a new connection with a request, and of a request on an open one."""
    context = client_context(bundle)
    new: dict[str, list[float]] = {listener: [] for listener in addresses}
    opened: dict[str, list[float]] = {listener: [] for listener in addresses}
    connections = {
        listener: http.client.HTTPSConnection(each, PORT, timeout=PATIENCE, context=context)
        for listener, each in addresses.items()
    }
    for _ in range(CONNECTIONS):
        for listener, address in addresses.items():
            begin = time.perf_counter()
            connection = http.client.HTTPSConnection(address, PORT, timeout=PATIENCE, context=context)
            _ask(connection)
            new[listener].append(time.perf_counter() - begin)
            connection.close()
    for _ in range(REQUESTS):
        for listener, connection in connections.items():
            begin = time.perf_counter()
            _ask(connection)
            opened[listener].append(time.perf_counter() - begin)
    for connection in connections.values():
        connection.close()
    return {
        f"{listener}_{name}_ms": round(statistics.median(values[listener]) * 1000, 3)
        for name, values in (("new", new), ("open", opened))
        for listener in addresses
    }


def _ask(connection: http.client.HTTPSConnection) -> None:
    connection.request("GET", "/_ping")
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise CommandFailed(f"/_ping was answered with {response.status}")


def _copies(bench: Bench, addresses: t.Mapping[str, str], bundle: Path, section: Section) -> None:
    """Copy a file into a container and out of it."""
    content = CACHE / "work" / "content"
    with content.open("wb") as file:
        file.truncate(COPY_BYTES)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(bundle)}
    for _ in range(bench.repetitions):
        for direction in ("in", "out"):
            for listener, address in addresses.items():
                command = (
                    f"docker cp {content} keeper:/content"
                    if direction == "in"
                    else "docker cp keeper:/content - >/dev/null"
                )
                used = {**environment, "DOCKER_HOST": f"tcp://{address}:{PORT}"}
                sample: Sample = bench.measure(f"{listener} cp {direction}", ["sh", "-c", command], used)
                section.add(f"{listener}/cp {direction}", sample)
    content.unlink()


def _memory(host: str) -> float:
    """Return the resident memory of the proxy's processes in MiB, shared pages counted in each."""
    script = f"m=$(systemctl show -p MainPID --value {UNIT}); ps -o rss= -p $m --ppid $m"
    return round(sum(map(int, inside(host, "sh", "-c", script).split())) / 1024, 1)
