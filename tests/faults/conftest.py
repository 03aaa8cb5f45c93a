# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real hosts with a real dockerd, and a way to hurt them."""

from __future__ import annotations

import functools
import io
import json
import os
import pathlib
import subprocess
import tarfile
import time
import typing as t
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.ca.certificates import Pair, authority, leaf

if t.TYPE_CHECKING:
    from proxy_lab import Lab

ROOT = pathlib.Path(__file__).parents[2]
HOSTS = ROOT / "tests/hosts"
SCENARIO = os.environ.get("FAULT_SCENARIO", "pc-faults")
SUITES = os.environ.get("FAULT_SUITES", "bookworm,trixie").split(",")
PACKAGE = "ansible_collections/portcullis/docker_tls/plugins/module_utils"
SERVER = authority("server")
CLIENTS = authority("client", number=1)
CERTIFICATES = "/etc/docker/certs"
# For a run that must not wait for a socket that never comes: it would wait longer than it is given to end.
NO_WAIT: dict[str, t.Any] = {"start_timeout": 3600, "timeout": 300}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "important: the most telling ones, for every change: tools/faults bookworm -- -m important"
    )


@dataclass
class Answer:
    """What a run on a host has said. ``killed``: it could not say anything any more."""

    result: dict[str, t.Any] = field(default_factory=dict)
    error: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    killed: bool = False

    @property
    def reasons(self) -> list[str]:
        return list(self.result.get("reasons", []))


class Host:
    """One test host. The container ``keeper`` runs in it, and should continue to run."""

    def __init__(self, name: str, suite: str, address: str) -> None:
        self.name = name
        self.suite = suite
        self.address = address

    def sh(self, command: str, data: bytes = b"", *, check: bool = True, timeout: float = 400) -> str:
        """Run a shell command on the host; return what it prints."""
        result = subprocess.run(
            ["docker", "exec", "-i", self.name, "sh", "-c", command], input=data, capture_output=True, timeout=timeout
        )
        if check and result.returncode:
            pytest.fail(f"{self.name}: {command}: {(result.stdout + result.stderr).decode('utf-8', 'replace')}")
        return result.stdout.decode("utf-8", "replace").strip()

    def put(self, path: str, data: str | bytes, mode: str = "0644") -> None:
        """Write a file on the host."""
        raw = data.encode() if isinstance(data, str) else data
        self.sh(f"mkdir -p $(dirname {path}) && cat > {path} && chmod {mode} {path}", raw)

    def prepare(self) -> None:
        """Bring the code there; AnsiballZ would, but takes seconds each time."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path in sorted((ROOT / "plugins/module_utils").rglob("*.py")):
                archive.add(path, f"{PACKAGE}/{path.relative_to(ROOT / 'plugins/module_utils')}")
            archive.add(pathlib.Path(__file__).with_name("on_host.py"), "on_host.py")
        self.sh("mkdir -p /opt/faults && tar -C /opt/faults -xf -", buffer.getvalue())

    def run(
        self,
        *,
        hooks: dict[str, str] | None = None,
        die_at: int = 0,
        check_mode: bool = False,
        timeout: float = 900,
        **options: t.Any,
    ) -> Answer:
        """Run ``endpoint`` with the options of a usual endpoint, and with faults."""
        order = {"options": {**usual(), **options}, "hooks": hooks or {}, "die_at": die_at, "check_mode": check_mode}
        done = subprocess.run(
            ["docker", "exec", "-i", self.name, "python3", "/opt/faults/on_host.py"],
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=timeout,
        )
        if done.returncode == 137:
            return Answer(killed=True)
        if done.returncode:
            pytest.fail(done.stderr.decode("utf-8", "replace")[-3000:])
        return Answer(**json.loads(done.stdout))

    def issue(self, **changes: t.Any) -> Pair:
        """Lay a new key beside the live one, as certificate_requests does; return its certificate."""
        pair = certificate(self.address, **changes)
        self.sh(
            f"mkdir -p -m 0700 {CERTIFICATES}"
        )  # a directory that is there keeps its mode, as with certificate_requests
        self.put(f"{CERTIFICATES}/server-key.pem.new", pair.key_pem, "0600")
        return pair

    def secure(self, **options: t.Any) -> Answer:
        """Give the host an endpoint with a new certificate."""
        answer = self.run(**{"certificate": self.issue().pem, **options})
        assert not answer.error, answer.error
        return answer

    def reset(self) -> None:
        """Make the host what it was when it was installed, with the container ``keeper`` running."""
        self.sh(RESET)
        self.wait(30)
        # Its process ignores SIGTERM; a restart that stops containers would wait ten seconds for it.
        keeper = "docker inspect keeper >/dev/null 2>&1 || test-container keeper --stop-signal KILL >/dev/null"
        self.sh(f"{keeper}; docker start keeper >/dev/null")

    def works(self, seconds: float = 0.0) -> bool:
        """Whether the local ``docker ps`` answers (within ``seconds``)."""
        deadline = time.monotonic() + seconds
        while True:
            if self.sh("timeout 5 docker ps >/dev/null 2>&1 && echo yes", check=False) == "yes":
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.5)

    def wait(self, seconds: float) -> None:
        assert self.works(seconds), self.sh("systemctl status docker; journalctl -n 30 -u docker -o cat", check=False)

    def keeper(self) -> str:
        """Return the process of the running container, "" where it does not run."""
        return self.sh("docker inspect -f '{{if .State.Running}}{{.State.Pid}}{{end}}' keeper", check=False)

    def keeper_at(self, path: str) -> str:
        """Return the process of the running container of the daemon with this local socket."""
        return self.sh(
            f"docker -H unix://{path} inspect -f '{{{{if .State.Running}}}}{{{{.State.Pid}}}}{{{{end}}}}' keeper",
            check=False,
        )

    def files(self) -> str:
        """Return all that dockerd and systemd read, as text to compare; leftovers would show."""
        return self.sh(LISTING)

    def settled(self, seconds: float = 60.0) -> bool:
        """Whether no change is under way any more (within ``seconds``)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.sh("test -e /var/lib/docker-tls/journal.json || echo yes", check=False) == "yes":
                return True
            time.sleep(0.3)
        return False

    def reboot(self) -> None:
        """Cut the power and switch it on again."""
        subprocess.run(["docker", "kill", self.name], check=True, capture_output=True)
        subprocess.run(["docker", "start", self.name], check=True, capture_output=True)
        self.wait(60)
        shown = ["docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", self.name]
        found = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
        self.address = found.split()[0]  # the engine may give it another one


RESET = """\
timeout 3 docker kill keeper >/dev/null 2>&1
for unit in docker-tls.socket docker-tls-proxy.service 'docker-tls-*'; do systemctl stop "$unit" 2>/dev/null; done
rm -rf /etc/docker-tls-proxy /run/docker-tls-proxy /etc/systemd/system/docker-tls-proxy.service \
    /etc/systemd/system/multi-user.target.wants/docker-tls-proxy.service
for unit in docker-tls-revert.timer docker-tls-revert.service; do systemctl disable $unit 2>/dev/null; rm -f /etc/systemd/system/$unit; done
umount /etc/docker /etc 2>/dev/null
ip address del 10.99.99.1/32 dev lo 2>/dev/null
test -e /usr/sbin/dockerd.real && mv /usr/sbin/dockerd.real /usr/sbin/dockerd
systemctl unmask docker.socket 2>/dev/null
rm -rf /etc/docker/daemon.json /etc/docker/.daemon.json* /etc/docker/certs /var/lib/docker-tls \
    /etc/systemd/system/docker.service.d /etc/systemd/system/docker.socket.d
rm -f /etc/default/docker /etc/systemd/system/docker.service /etc/systemd/system/docker-tls.socket /etc/sysconfig/docker \
    /run/docker-tls.env
systemctl daemon-reload
systemctl reset-failed
systemctl restart docker.socket docker.service
"""
LISTING = """\
cd / && find etc/docker etc/systemd/system/docker.service.d etc/systemd/system/docker.socket.d etc/systemd/system/docker-tls.socket \
    etc/docker-tls-proxy etc/systemd/system/docker-tls-proxy.service \
    etc/systemd/system/multi-user.target.wants/docker-tls-proxy.service ! -name key.json \
    ! -name server-key.pem.new ! -path etc/docker ! -path etc/docker/certs -printf '%p %M %U %G %l\\n' 2>/dev/null | sort
find etc/docker etc/systemd/system/docker.service.d etc/systemd/system/docker.socket.d etc/systemd/system/docker-tls.socket \
    etc/docker-tls-proxy etc/systemd/system/docker-tls-proxy.service -type f ! -name key.json \
    ! -name server-key.pem.new -exec sha256sum {} + 2>/dev/null | sort
systemctl show -p ExecStart --value docker | sed 's/;.*//'
"""


def usual() -> dict[str, t.Any]:
    """Return the options of an endpoint that every host can have."""
    return {"listen": ["0.0.0.0:2376"], "ca": SERVER.pem, "client_ca": CLIENTS.pem, "start_timeout": 60}


def certificate(address: str, issuer: Pair = SERVER, **changes: t.Any) -> Pair:
    """Return a server certificate with a key of its own."""
    values = {"key": ec.generate_private_key(ec.SECP256R1()), "subject_names": (address, "localhost", "127.0.0.1")}
    return leaf(issuer, **{**values, **changes})


@functools.cache
def key_file(directory: pathlib.Path) -> pathlib.Path:
    """Return a public key for up.sh, which wants one."""
    path = directory / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub")


@pytest.fixture(scope="session", params=SUITES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Host]:
    """Return a host, up for the whole session; kept afterwards with FAULT_KEEP=1."""
    suite = request.param
    name = f"{SCENARIO}-{suite}"
    subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)
    key = key_file(tmp_path_factory.getbasetemp())
    up = [str(HOSTS / "up.sh"), "--scenario", SCENARIO, name, suite, str(key)]
    address = subprocess.run(up, check=True, capture_output=True, text=True).stdout.split()[-1]
    host = Host(name, suite, address)
    host.prepare()
    yield host
    if not os.environ.get("FAULT_KEEP"):
        subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)


@pytest.fixture
def host(running: Host) -> Host:
    """Return the host as it was installed, with a running container."""
    running.reset()
    return running


@pytest.fixture(scope="module")
def lab(running: Host) -> t.Iterator[Lab]:
    """Return two proxies on the host, with a client for each of the rights."""
    from proxy_lab import Lab

    running.reset()
    found = Lab(running)
    if not found.is_supported:
        pytest.skip(f"HAProxy {'.'.join(map(str, found.version))} is too old for the listener proxy")
    found.start()
    yield found
    found.stop()
