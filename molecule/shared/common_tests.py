# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds on every Docker host of every scenario. A scenario's test file imports all of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from testinfra_helpers import (
    Bundle,
    address_of,
    answers_plain_http,
    answers_without_certificate,
    container_identity,
    curl,
    docker,
    ephemeral_directory,
    is_listening,
    journal,
    run,
)

testinfra_hosts = ["ansible://docker_hosts"]


@pytest.fixture(name="bundle")
def first_bundle() -> Bundle:
    """The first client's bundle on the controller."""
    return Bundle(sorted((ephemeral_directory() / "clients").iterdir())[0])


@pytest.fixture(name="address")
def endpoint_address(host: Any) -> str:
    return address_of(host)


@pytest.fixture(name="directory")
def certificate_directory(host: Any) -> str:
    return str(host.ansible.get_variables().get("docker_server_cert_path", "/etc/docker/certs"))


def served_certificate(address: str) -> x509.Certificate:
    """The greeting of the endpoint to every client, by openssl."""
    shown = subprocess.run(
        ["openssl", "s_client", "-connect", f"{address}:2376"],
        input="",
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    ).stdout
    return x509.load_pem_x509_certificate(shown[shown.index("-----BEGIN") :].encode())


def test_docker_cli_is_answered(host: Any, address: str, bundle: Bundle) -> None:
    answer = docker(address, bundle, "version", "--format", "{{.Server.Version}}")
    assert answer.succeeded, f"{answer.stderr}\n{journal(host)}"
    assert answer.stdout == host.check_output("docker version --format '{{.Server.Version}}'")


def test_curl_is_answered(address: str, bundle: Bundle) -> None:
    assert curl(address, bundle=bundle).stdout == "OK"


def test_python_sdk_is_answered(address: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    # requests lets these take the place of the SDK's own ca_cert (docs/troubleshooting).
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    sdk = pytest.importorskip("docker")
    tls = sdk.tls.TLSConfig(client_cert=(bundle.certificate, bundle.key), ca_cert=bundle.ca, verify=True)
    client = sdk.DockerClient(base_url=f"tcp://{address}:2376", tls=tls, timeout=90)
    assert client.ping()
    client.close()


def test_client_without_certificate_is_refused(address: str) -> None:
    assert not answers_without_certificate(address)
    assert curl(address).stdout != "OK"


def test_client_of_another_authority_is_refused(address: str, bundle: Bundle, tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=client"
    subprocess.run(
        [*command.split(), "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True,
        capture_output=True,
    )
    (tmp_path / "ca.pem").write_bytes(Path(bundle.ca).read_bytes())
    assert not docker(address, Bundle(tmp_path), "version").succeeded
    assert curl(address, bundle=Bundle(tmp_path)).stdout != "OK"


def test_server_certificate_does_not_open_a_daemon(
    host: Any, address: str, bundle: Bundle, directory: str, tmp_path: Path
) -> None:
    os.chmod(tmp_path, 0o700)
    for name, source in (("cert.pem", "server-cert.pem"), ("key.pem", "server-key.pem")):
        (tmp_path / name).write_bytes(host.check_output("cat %s", f"{directory}/{source}").encode() + b"\n")
    (tmp_path / "ca.pem").write_bytes(Path(bundle.ca).read_bytes())
    assert not docker(address, Bundle(tmp_path), "version").succeeded
    assert curl(address, bundle=Bundle(tmp_path)).stdout != "OK"


def test_plain_http_is_not_answered_and_2375_is_closed(address: str) -> None:
    assert not answers_plain_http(address)
    refused = run("docker", "-H", f"tcp://{address}:2376", "version")
    assert "Client sent an HTTP request to an HTTPS server" in refused.stderr
    assert not is_listening(address, 2375)


def test_local_socket_answers(host: Any) -> None:
    assert host.run("docker ps").rc == 0, journal(host)


def test_served_certificate_is_the_file(host: Any, address: str, directory: str) -> None:
    stored = x509.load_pem_x509_certificate(host.check_output("cat %s", f"{directory}/server-cert.pem").encode())
    assert served_certificate(address) == stored


def test_files_have_their_modes(host: Any, directory: str) -> None:
    def mode(path: str) -> str:
        return str(host.check_output("stat -L -c '%%a %%U %%G' %s", path))

    assert mode(directory) == "700 root root"
    assert mode(f"{directory}/server-key.pem") == "400 root root"
    for name in ("ca.pem", "client-ca.pem", "server-cert.pem"):
        assert mode(f"{directory}/{name}") == "444 root root"
    assert host.run("find %s -name '*.new'", directory).stdout == ""


def test_daemon_configuration_names_all_of_the_tls_settings(host: Any, directory: str) -> None:
    config = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert config["tlsverify"] is True
    assert config["tlscacert"] == f"{directory}/current/client-ca.pem"
    assert config["tlscert"] == f"{directory}/current/server-cert.pem"
    assert config["tlskey"] == f"{directory}/current/server-key.pem"


def test_unit_of_the_package_is_untouched(host: Any) -> None:
    assert host.run("dpkg --verify docker.io | grep -F docker.service").stdout == ""


def test_container_was_not_stopped(host: Any) -> None:
    assert container_identity(host) == host.check_output("cat /root/keeper")


def test_certificate_passes_openssl(host: Any, bundle: Bundle, directory: str, tmp_path: Path) -> None:
    (tmp_path / "server.pem").write_text(host.check_output("cat %s", f"{directory}/server-cert.pem"))
    (tmp_path / "clients.pem").write_text(host.check_output("cat %s", f"{directory}/client-ca.pem"))
    strict = ["openssl", "verify", "-x509_strict"]
    server = [*strict, "-purpose", "sslserver", "-CAfile", bundle.ca, tmp_path / "server.pem"]
    client = [*strict, "-purpose", "sslclient", "-CAfile", tmp_path / "clients.pem", bundle.certificate]
    assert subprocess.run(server, capture_output=True, check=False).returncode == 0
    assert subprocess.run(client, capture_output=True, check=False).returncode == 0
    assert (
        subprocess.run([*strict, "-CAfile", bundle.ca, bundle.certificate], capture_output=True, check=False).returncode
        != 0
    )
