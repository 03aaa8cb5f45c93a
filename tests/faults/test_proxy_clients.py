# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clients of Docker's API through the proxy, each with the rights that docs/recipes/rights.md names for it."""

from __future__ import annotations

import io
import json
import pathlib
import shutil
import subprocess
import tarfile
import time
import typing as t

import docker
import docker.errors
import docker.tls
import pytest
from proxy_lab import DOCKER, OTHER_AUTHORITIES, Lab

from conftest import ROOT

TOOLS = ROOT / ".cache/clients"
PROMTOOL = shutil.which("promtool", path=f"{ROOT}/.cache/promtool") or shutil.which("promtool")
REFUSAL = "may not do this on this host"


def run(
    lab: Lab, client: str, directory: pathlib.Path, *command: str, data: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program of this machine as ``client``."""
    environment = lab.environment(client, directory)
    return subprocess.run(command, input=data, capture_output=True, text=True, timeout=120, env=environment)


@pytest.fixture
def sdk(
    lab: Lab, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[t.Callable[[str], docker.DockerClient]]:
    """Return docker-py's client of a group."""
    opened = []
    for name in OTHER_AUTHORITIES:
        monkeypatch.delenv(name, raising=False)

    def connect(client: str) -> docker.DockerClient:
        lab.environment(client, tmp_path)
        tls = docker.tls.TLSConfig(
            client_cert=(f"{tmp_path}/cert.pem", f"{tmp_path}/key.pem"), ca_cert=f"{tmp_path}/ca.pem", verify=True
        )
        opened.append(docker.DockerClient(f"tcp://{lab.host.address}:{DOCKER}", tls=tls, version="auto", timeout=60))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def test_docker_cli_of_this_machine_carries_all_streams(lab: Lab, tmp_path: pathlib.Path) -> None:
    """Another version than the host's: attach, cp in both directions, save and load, logs and events."""
    (tmp_path / "in").write_text("content\n")

    def cli(*words: str, data: str = "") -> str:
        done = run(lab, "operators", tmp_path, "docker", *words, data=data)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    cli("cp", f"{tmp_path}/in", "keeper:/tmp-in")
    cli("cp", "keeper:/tmp-in", f"{tmp_path}/out")
    assert (tmp_path / "out").read_text() == "content\n"
    cli("save", "-o", f"{tmp_path}/image.tar", "local/busybox")
    assert "local/busybox" in cli("load", "-i", f"{tmp_path}/image.tar")
    name = cli("create", "-i", "local/busybox", "sh", "-c", "read line; echo got $line; exit 5").strip()
    attached = run(lab, "operators", tmp_path, "docker", "start", "-a", "-i", name, data="abc\n")
    assert (attached.stdout, attached.returncode) == ("got abc\n", 5)
    assert cli("logs", "-f", name) == "got abc\n"
    assert cli("wait", name) == "5\n"
    # "0s" is the second that has begun, and so before an event in it (measured on the local socket of 20.10, too).
    assert f"container create {name}" in cli(
        "events", "--since", "5m", "--until", str(int(time.time()) + 2), "--filter", f"container={name}"
    )
    cli("rm", name)
    assert run(lab, "operators", tmp_path, "docker", "exec", "keeper", "sh", "-c", "exit 7").returncode == 7


def test_buildkit_builds_with_full_rights_and_says_why_it_does_not_with_others(lab: Lab) -> None:
    """BuildKit's session and its calls are HTTP/2 inside of an upgraded connection, which the proxy passes on unfiltered."""
    if lab.host.suite != "bookworm":  # Docker 20.10 has BuildKit's client in itself
        lab.host.sh(
            "docker buildx version >/dev/null 2>&1 || "
            "{ apt-get -qq update && apt-get -qq install -y --no-install-recommends docker-buildx; } >/dev/null 2>&1",
            check=False,
        )
        if lab.host.sh("docker buildx version", check=False) == "":
            pytest.skip("Debian's package docker-buildx cannot be fetched")
    lab.host.put(
        "/tmp/kit/Dockerfile",
        "FROM local/busybox\nCOPY word /word\nRUN --mount=type=cache,target=/x cat /word >/copy\n",
    )
    lab.host.put("/tmp/kit/word", "from the context\n")
    build = "DOCKER_BUILDKIT=1 docker build --progress=plain -t made-by-buildkit /tmp/kit"
    code, text = lab.docker("operators", build)
    assert code == 0, text
    code, text = lab.docker(
        "operators", "docker run --rm made-by-buildkit cat /copy; docker rmi made-by-buildkit >/dev/null"
    )
    assert (code, text) == (0, "from the context")
    line = lab.log(DOCKER, lambda line: line["kind"] == "stream" and line["path"].endswith(("/session", "/grpc")))
    assert line["client"] == "operators-1"
    code, text = lab.docker("builders", build)
    assert code != 0, text
    assert "403" in text or REFUSAL in text
    assert lab.host.sh("docker images -q made-by-buildkit") == ""


def test_compose_starts_a_project_with_full_rights_and_lists_it_with_monitoring(lab: Lab) -> None:
    """Debian's own package, 2.26 and newer; that of Debian 12 is written with docker-py."""
    if lab.host.suite == "bookworm":
        pytest.skip("its docker-compose is docker-py, and takes minutes to install")
    lab.host.sh(
        "command -v docker-compose >/dev/null || "
        "{ apt-get -qq update && apt-get -qq install -y --no-install-recommends docker-compose; } >/dev/null 2>&1",
        check=False,
    )
    if lab.host.sh("command -v docker-compose", check=False) == "":
        pytest.skip("Debian's package docker-compose cannot be fetched")
    service = {
        "image": "local/busybox",
        "command": ["sh", "-c", "echo started; exec sleep 1000"],
        "stop_grace_period": "0s",
    }
    project = {"version": "3", "services": {"web": service}}
    lab.host.put("/tmp/project/docker-compose.yml", json.dumps(project))
    compose = "cd /tmp/project && docker-compose --ansi never"
    code, text = lab.docker(
        "operators", f"{compose} up -d && {compose} exec -T web sh -c 'echo from exec' && {compose} logs"
    )
    assert code == 0, text
    assert "from exec" in text
    assert "started" in text
    try:
        code, text = lab.docker("grafana", f"{compose} ps")
        assert code == 0, text
        assert "web" in text
        code, text = lab.docker("grafana", f"{compose} restart")
        assert code != 0, text
        assert REFUSAL in text
    finally:
        code, text = lab.docker("operators", f"{compose} down")
    assert code == 0, text


def test_docker_py_does_everything_with_full_rights(lab: Lab, sdk: t.Callable[[str], docker.DockerClient]) -> None:
    client = sdk("operators")
    keeper = client.containers.get("keeper")
    assert keeper in client.containers.list()
    assert keeper.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True).output == (b"out\n", b"err\n")
    made = client.api.exec_create("keeper", ["sh", "-c", "read line; echo got $line"], stdin=True)
    stream = client.api.exec_start(made["Id"], socket=True)
    raw = getattr(stream, "_sock", stream)
    raw.sendall(b"abc\n")
    assert b"got abc" in b"".join(iter(lambda: raw.recv(4096), b""))
    assert client.api.exec_inspect(made["Id"])["ExitCode"] == 0
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("sent")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"xyz"))
    assert keeper.put_archive("/", buffer.getvalue())
    with tarfile.open(fileobj=io.BytesIO(b"".join(keeper.get_archive("/sent")[0]))) as archive:
        assert archive.extractfile("sent").read() == b"xyz"  # type: ignore[union-attr]
    assert client.containers.run("local/busybox", ["sh", "-c", "echo hi"], remove=True) == b"hi\n"
    assert keeper.stats(stream=False)["id"] == keeper.id
    image, _log = client.images.build(fileobj=io.BytesIO(b"FROM local/busybox\nRUN true\n"), tag="made-by-sdk", rm=True)
    client.images.remove(image.id, force=True)


def test_docker_py_gets_the_words_of_a_refusal(lab: Lab, sdk: t.Callable[[str], docker.DockerClient]) -> None:
    """``containers.list()`` inspects each container, so it needs ``monitoring``; with ``read-only`` it is ``sparse=True``."""
    readers, grafana = sdk("readers"), sdk("grafana")
    assert readers.containers.list(sparse=True)[0].attrs["Names"] == ["/keeper"]
    with pytest.raises(docker.errors.APIError) as caught:
        readers.containers.list()
    assert (caught.value.status_code, REFUSAL in caught.value.explanation) == (403, True)
    keeper = grafana.containers.list()[0]
    assert keeper.name == "keeper"
    assert keeper.image.tags == ["local/busybox:latest"]
    assert keeper.top()["Processes"]
    assert keeper.stats(stream=False)["id"] == keeper.id
    for act in (keeper.restart, keeper.logs, lambda: keeper.exec_run("true"), lambda: keeper.get_archive("/")):
        with pytest.raises(docker.errors.APIError, match=REFUSAL):
            act()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; tools/promtool fetches it")
def test_prometheus_discovers_containers(lab: Lab, tmp_path: pathlib.Path) -> None:
    """``promtool`` runs Prometheus' own docker_sd_configs; ``prometheus`` is the group of the preset with this name."""
    lab.environment("prometheus", tmp_path)
    tls = {"ca_file": f"{tmp_path}/ca.pem", "cert_file": f"{tmp_path}/cert.pem", "key_file": f"{tmp_path}/key.pem"}
    discovery = {"host": f"https://{lab.host.address}:{DOCKER}", "refresh_interval": "1s", "tls_config": tls}
    config = {"scrape_configs": [{"job_name": "docker", "docker_sd_configs": [discovery]}]}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    words = [PROMTOOL, "check", "service-discovery", "--timeout=5s", f"{tmp_path}/prometheus.yml", "docker"]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = [each["discoveredLabels"] for each in json.loads(done.stdout)]
    assert {each["__meta_docker_container_name"] for each in found} == {"/keeper"}
    assert {each["__meta_docker_network_name"] for each in found} == {"bridge"}


@pytest.mark.skipif(not (TOOLS / "venv").exists(), reason="Glances is not there; tools/clients fetches it")
def test_glances_shows_containers_with_the_right_monitoring(lab: Lab, tmp_path: pathlib.Path) -> None:
    glances = [f"{TOOLS}/venv/bin/glances", "-C", "/dev/null", "--stdout-json", "containers", "--stop-after", "4"]
    done = run(lab, "grafana", tmp_path, *glances)
    rounds = [
        json.loads(line)["containers"] for line in done.stdout.splitlines() if line.startswith('{"containers": [{')
    ]
    keeper = next(each for each in rounds[-1] if each["name"] == "keeper")
    assert (keeper["status"], keeper["image"]) == ("running", ["local/busybox:latest"])
    assert keeper["network"]["cumulative_rx"] >= 0


DISCOVERY = r"""
const Docker = require('dockerode'), fs = require('fs'), [host, port, files] = process.argv.slice(1)
const read = name => fs.readFileSync(files + '/' + name)
const docker = new Docker({host, port, protocol: 'https', ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem')})
const refusal = promise => promise.then(() => 'done', error => error.statusCode + ' ' + error.json.message)
async function main() {
  const keeper = docker.getContainer('keeper'), events = await docker.getEvents()
  const found = {
    api: (await docker.version()).ApiVersion,
    listed: (await docker.listContainers({all: true})).map(each => each.Names[0]),
    running: (await keeper.inspect()).State.Running,
    statistics: (await keeper.stats({stream: false})).id === (await keeper.inspect()).Id,
    networks: (await docker.listNetworks()).some(each => each.Name === 'bridge'),
    images: await refusal(docker.listImages()),
    logs: await refusal(keeper.logs({stdout: true})),
    exec: await refusal(keeper.exec({Cmd: ['true']})),
  }
  events.destroy()
  console.log(JSON.stringify(found))
}
main().catch(error => { console.error(error); process.exit(1) })
"""


@pytest.mark.skipif(not (TOOLS / "node_modules").exists(), reason="dockerode is not there; tools/clients fetches it")
def test_dockerode_reads_with_the_right_discovery(lab: Lab, tmp_path: pathlib.Path) -> None:
    """The library of Homepage, Uptime Kuma and Dockge."""
    lab.environment("traefik", tmp_path)
    done = subprocess.run(
        ["node", "-e", DISCOVERY, lab.host.address, str(DOCKER), str(tmp_path)],
        capture_output=True, text=True, timeout=60, cwd=TOOLS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    refusals = [found.pop(name) for name in ("images", "logs", "exec")]
    assert all(each.startswith("403 ") and REFUSAL in each for each in refusals), refusals
    assert found.pop("api")
    assert "/keeper" in found.pop("listed")
    assert found == {"running": True, "statistics": True, "networks": True}


def test_curl_reads_and_is_refused_with_docker_words(lab: Lab, tmp_path: pathlib.Path) -> None:
    lab.environment("readers", tmp_path)
    pems = ["--cacert", f"{tmp_path}/ca.pem", "--cert", f"{tmp_path}/cert.pem", "--key", f"{tmp_path}/key.pem"]

    def curl(path: str, *options: str) -> tuple[str, str]:
        url = f"https://{lab.host.address}:{DOCKER}{path}"
        words = ["curl", "-s", "-m", "30", "--path-as-is", "-w", "\n%{http_code}", *pems, *options, url]
        body, _, status = subprocess.run(words, capture_output=True, text=True).stdout.rpartition("\n")
        return status, body

    status, body = curl("/v1.41/containers/json")
    assert (status, json.loads(body)[0]["Names"]) == ("200", ["/keeper"])
    status, body = curl("/v1.41/containers/keeper/restart", "-X", "POST")
    assert (status, REFUSAL in json.loads(body)["message"]) == ("403", True)
    assert curl("/v1.41/containers/keeper/archive/../json")[0] == "403"
