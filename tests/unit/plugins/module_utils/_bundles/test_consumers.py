# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats judged by who takes them: docker's CLI and SDK, curl, openssl, tar, shells. Each goes through mutual TLS."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_bundles
from support.ansible.modules import run_module
from support.ca import certificates as made
from support.clients import docker_api as api
from support.hosts.accounts import mode

PASSPHRASE = "öpen sesame $x"
needs_docker = pytest.mark.skipif(shutil.which("docker") is None, reason="no docker CLI")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")


class World(t.NamedTuple):
    """A client's bundle with every format, and an endpoint that it opens."""

    bundle: pathlib.Path
    endpoint: api.Endpoint


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[World]:
    directory = tmp_path_factory.mktemp("consumers")
    bundle = directory / "bundle of alice"
    bundle.mkdir(mode=0o700)
    pair = made.leaf(api.CLIENTS, "client", common_name="alice")
    (bundle / "key.pem.new").write_bytes(pair.key_pem)
    (bundle / "key.pem.new").chmod(0o600)
    with api.endpoint(directory / "server") as endpoint:
        options = {
            "id": "alice",
            "directory": str(bundle),
            "certificate_content": pair.pem,
            "ca_content": api.SERVERS.pem,
            "formats": ["context", "context_archive", "direnv", "pkcs12"],
            "endpoints": [
                {"name": "web1", "docker_host": endpoint.docker_host},
                {"name": "default", "docker_host": "tcp://[fd00::5]:2376"},
            ],
            "pkcs12_passphrase": PASSPHRASE,
        }
        result = run_module(certificate_bundles, {"bundles": [options]})
        assert not result["failed"], result
        yield World(bundle, endpoint)


@pytest.fixture(autouse=True)
def _nobody_yet(world: World) -> None:
    world.endpoint.clients.clear()


def call(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


def docker(*arguments: str, **environment: str) -> str:
    done = call("docker", *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tree(path: pathlib.Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(file.relative_to(path)): (mode(file), file.read_bytes())
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


@needs_docker
def test_context_is_what_the_cli_writes_byte_for_byte(world: World, tmp_path: pathlib.Path) -> None:
    ours = world.bundle
    listed = json.loads(docker("context", "inspect", "web1", DOCKER_CONFIG=str(ours)))[0]
    where = ",".join(f"{name}={ours / (name + '.pem')}" for name in ("ca", "cert", "key"))
    options = ("--description", listed["Metadata"]["Description"])
    docker(
        "context",
        "create",
        "web1",
        *options,
        "--docker",
        f"host={world.endpoint.docker_host},{where}",
        DOCKER_CONFIG=str(tmp_path),
    )
    theirs = tree(tmp_path / "contexts")
    assert len(theirs) == 4
    written = tree(ours / "contexts")
    assert {path: written[path][1] for path in theirs} == {path: entry[1] for path, entry in theirs.items()}
    private = [path for path in theirs if path.startswith("tls/")]
    assert {path: written[path][0] for path in private} == {path: theirs[path][0] for path in private}


@needs_docker
def test_context_opens_the_endpoint(world: World) -> None:
    answer = docker("--context", "web1", "version", "--format", "{{.Server.Version}}", DOCKER_CONFIG=str(world.bundle))
    assert answer.strip() == "28.0.0"
    assert set(world.endpoint.clients) == {"alice"}


@needs_docker
def test_context_can_be_used_by_default(world: World, tmp_path: pathlib.Path) -> None:
    shutil.copytree(world.bundle / "contexts", tmp_path / "contexts")
    docker("context", "use", "web1", DOCKER_CONFIG=str(tmp_path))
    assert docker("version", "--format", "{{.Server.Version}}", DOCKER_CONFIG=str(tmp_path)).strip() == "28.0.0"


@needs_docker
def test_context_of_a_host_with_a_reserved_name_has_another(world: World) -> None:
    names = docker("context", "ls", "--format", "{{.Name}}", DOCKER_CONFIG=str(world.bundle)).split()
    assert names == ["default", "docker-default", "web1"]


@needs_docker
def test_archive_is_imported_and_opens_the_endpoint(world: World, tmp_path: pathlib.Path) -> None:
    archive = world.bundle / "contexts-export/web1.dockercontext"
    docker("context", "import", "elsewhere", str(archive), DOCKER_CONFIG=str(tmp_path))
    answer = docker("--context", "elsewhere", "version", "--format", "{{.Server.Version}}", DOCKER_CONFIG=str(tmp_path))
    assert answer.strip() == "28.0.0"


@needs_docker
def test_archive_has_the_clis_members_and_an_end_too(world: World, tmp_path: pathlib.Path) -> None:
    """The CLI's own lacks its last padding and the end mark, which Python's tarfile and tar(1) refuse."""
    archive = world.bundle / "contexts-export/web1.dockercontext"
    docker("context", "export", "web1", str(tmp_path / "cli.tar"), DOCKER_CONFIG=str(world.bundle))
    with (tmp_path / "cli.tar").open("ab") as stream:
        stream.write(bytes(512 - stream.tell() % 512 + 1024))
    with tarfile.open(tmp_path / "cli.tar") as theirs, tarfile.open(archive) as ours:
        members = [
            [(each.name, each.mode, each.size, each.type) for each in file.getmembers()] for file in (theirs, ours)
        ]
    assert members[0] == members[1]
    assert call("tar", "-tf", str(archive)).returncode == 0


def test_sdk_opens_the_endpoint_with_the_bundle(world: World) -> None:
    script = "import docker; print(docker.from_env().version()['Version'])"
    settings = {
        "DOCKER_HOST": world.endpoint.docker_host,
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(world.bundle),
    }
    done = call(sys.executable, "-c", script, **settings)
    assert done.stdout.strip() == "28.0.0", done.stderr
    assert set(world.endpoint.clients) == {"alice"}


@needs_docker
def test_envrc_is_all_that_the_cli_needs(world: World) -> None:
    """What direnv does with it: bash reads it and its variables are taken over."""
    done = call(
        "bash", "-euc", '. "$1"; docker version --format "{{.Server.Version}}"', "x", str(world.bundle / ".envrc")
    )
    assert done.stdout.strip() == "28.0.0", done.stderr


def test_envrc_in_a_project_is_one_line_whatever_the_path(world: World, tmp_path: pathlib.Path) -> None:
    """The hint in the file is a command that works: direnv's source_env is called with the directory."""
    hint = next(line for line in (world.bundle / ".envrc").read_text().splitlines() if "source_env" in line)
    command = hint.partition(": ")[2].partition(" && ")[0]
    subprocess.run(["bash", "-euc", command], cwd=tmp_path, check=True)
    script = 'source_env() { printf "%s" "$1"; }; . ./.envrc'
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == str(world.bundle)


def openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return call("openssl", *arguments, P12=PASSPHRASE)


def test_pkcs12_is_read_by_openssl_without_its_legacy_provider(world: World) -> None:
    done = openssl("pkcs12", "-in", str(world.bundle / "client.p12"), "-passin", "env:P12", "-nodes", "-info")
    assert done.returncode == 0, done.stderr
    assert "PBES2, PBKDF2, AES-256-CBC, Iteration 600000, PRF hmacWithSHA256" in done.stderr
    assert "MAC: sha256" in done.stderr
    assert "friendlyName: alice" in done.stdout
    assert done.stdout.count("BEGIN CERTIFICATE") == 2
    assert done.stdout.count("PRIVATE KEY-----") == 2


def test_pkcs12_stays_shut_without_the_passphrase(world: World) -> None:
    done = openssl("pkcs12", "-in", str(world.bundle / "client.p12"), "-passin", "pass:wrong", "-nodes")
    assert done.returncode != 0
    assert "PRIVATE KEY" not in done.stdout


@needs_curl
def test_pkcs12_opens_the_endpoint(world: World, tmp_path: pathlib.Path) -> None:
    url = world.endpoint.docker_host.replace("tcp://", "https://") + "/version"
    settings = tmp_path / "curlrc"
    settings.write_text(
        f'cert-type = P12\ncert = "{world.bundle}/client.p12:{PASSPHRASE}"\ncacert = "{world.bundle}/ca.pem"\n'
    )
    done = call("curl", "-sS", "-K", str(settings), url)
    assert json.loads(done.stdout)["Version"] == "28.0.0", done.stderr
    assert set(world.endpoint.clients) == {"alice"}


@needs_curl
def test_endpoint_of_these_tests_lets_nobody_else_in(world: World) -> None:
    url = world.endpoint.docker_host.replace("tcp://", "https://") + "/version"
    assert call("curl", "-sS", "--cacert", str(world.bundle / "ca.pem"), url).returncode != 0
