# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pieces of other programs' configuration, read by the parsers of their formats, whatever the names and paths hold."""

from __future__ import annotations

import re
import typing as t

import pytest
import tomllib
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._bundles.formats import registry, tool_files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._bundles.formats.tool_files import (
    Endpoint,
    Identity,
    quoted,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._bundles.formats.tool_files import (
    _quoted as hcl_quoted,
)

DIRECTORY = '/home/o\'brien/a "b" ${HOME} %{x} \\ {{ y }}'


def identity(*names: str, directory: str = DIRECTORY) -> Identity:
    endpoints = tuple(Endpoint(name, f"tcp://{name}.example.org:2376") for name in names)
    return Identity("alice", directory, b"ca", b"cert", b"key", endpoints)


def made(name: str, path: str, *names: str, directory: str = DIRECTORY) -> str:
    return registry.MAKERS[name](identity(*names, directory=directory))[path].make().decode()


def test_traefik_has_one_provider_a_host() -> None:
    document = yaml.safe_load(made("traefik", "traefik/web2.yml", "web1", "web2"))
    assert document["providers"]["docker"] == {
        "endpoint": "tcp://web2.example.org:2376",
        "exposedByDefault": False,
        "tls": {"ca": f"{DIRECTORY}/ca.pem", "cert": f"{DIRECTORY}/cert.pem", "key": f"{DIRECTORY}/key.pem"},
    }


def test_prometheus_discovers_on_every_host_over_https() -> None:
    """Prometheus ignores tls_config with tcp:// (discovery/moby/docker.go)."""
    jobs = yaml.safe_load(made("prometheus", "prometheus.yml", "web1", "web2"))["scrape_configs"]
    files = {f"{part}_file": f"{DIRECTORY}/{part}.pem" for part in ("ca", "cert", "key")}
    assert [job["docker_sd_configs"] for job in jobs] == [
        [{"host": f"https://{name}.example.org:2376", "tls_config": files}] for name in ("web1", "web2")
    ]


def test_prometheus_has_a_job_a_host_because_containers_of_two_hosts_may_have_one_address() -> None:
    """Seen: Prometheus 2.42 drops the second of two targets of one job that have the same address."""
    jobs = yaml.safe_load(made("prometheus", "prometheus.yml", "web1", "web2"))["scrape_configs"]
    assert [job["job_name"] for job in jobs] == ["docker-web1", "docker-web2"]


@pytest.mark.parametrize(
    ("docker_host", "address"),
    [("tcp://web1.example.org:2376", "web1.example.org"), ("tcp://[fd00::5]:2376", "[fd00::5]")],
)
def test_prometheus_asks_a_published_port_at_its_host(docker_host: str, address: str) -> None:
    one = Identity("alice", DIRECTORY, b"", b"", b"", (Endpoint("web1", docker_host),))
    (job,) = yaml.safe_load(registry.MAKERS["prometheus"](one)["prometheus.yml"].make())["scrape_configs"]
    assert job["relabel_configs"] == [
        {
            "source_labels": ["__meta_docker_port_public"],
            "regex": "([0-9]+)",
            "target_label": "__address__",
            "replacement": f"{address}:$1",
        }
    ]


def test_gitlab_runner_has_its_own_section_a_host() -> None:
    document = tomllib.loads(made("gitlab_runner", "gitlab-runner/web1.toml", "web1"))
    assert document == {
        "runners": [
            {
                "name": "web1",
                "executor": "docker",
                "docker": {"host": "tcp://web1.example.org:2376", "tls_verify": True, "tls_cert_path": DIRECTORY},
            }
        ]
    }


def test_gitlab_runner_sections_of_all_hosts_are_one_file() -> None:
    texts = [made("gitlab_runner", f"gitlab-runner/{name}.toml", "web1", "web2") for name in ("web1", "web2")]
    assert [runner["name"] for runner in tomllib.loads("\n".join(texts))["runners"]] == ["web1", "web2"]


def test_terraform_has_a_default_provider_and_one_by_name_a_host() -> None:
    hcl2 = pytest.importorskip("hcl2")
    directory = "/srv/alice bundle"
    document = hcl2.loads(made("terraform", "docker.tf", "web-1", "10.0.0.5", directory=directory))
    found = [
        {
            name: str(value).strip('"')
            for name, value in block['"docker"' if '"docker"' in block else "docker"].items()
            if not name.startswith("__")
        }
        for block in document["provider"]
    ]
    assert found == [
        {"host": "tcp://web-1.example.org:2376", "cert_path": directory},
        {"alias": "web-1", "host": "tcp://web-1.example.org:2376", "cert_path": directory},
        {"alias": "docker_10_0_0_5", "host": "tcp://10.0.0.5.example.org:2376", "cert_path": directory},
    ]


def test_terraform_text_reads_as_its_own_formatter_would_write_it() -> None:
    text = made("terraform", "docker.tf", "web1", directory="/srv/a")
    assert 'provider "docker" {\n  host      = "tcp://web1.example.org:2376"\n  cert_path = "/srv/a"\n}\n' in text
    assert '  alias     = "web1"\n' in text


@given(st.text())
def test_hcl_string_holds_no_template_and_ends_where_it_should(value: str) -> None:
    written = hcl_quoted(value)
    plain = re.sub(r"\\(u[0-9a-f]{4}|.)|\$\$\{|%%\{", "", written[1:-1])
    assert not re.search(r'["\n]|\$\{|%\{', plain)


def test_portainer_files_are_named_by_the_labels_of_its_form() -> None:
    files = registry.MAKERS["portainer"](identity("web1"))
    assert {path: file.make() for path, file in files.items() if file.private} == {
        "portainer/tls-ca-certificate.pem": b"ca",
        "portainer/tls-certificate.pem": b"cert",
        "portainer/tls-key.pem": b"key",
    }
    assert "web1\tweb1.example.org:2376" in files["portainer/environments.txt"].make().decode().splitlines()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_is_read_back_by_yaml_and_toml(value: str) -> None:
    assert tomllib.loads(f"x = {quoted(value)}")["x"] == value
    if all(character.isprintable() or character < "\x20" for character in value):
        assert yaml.safe_load(f"x: {quoted(value)}")["x"] == value


@given(st.text(min_size=1))
def test_context_name_is_one_that_the_cli_takes(name: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+", tool_files.context_name(name))
    assert tool_files.context_name(name) != "default"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web1.example.org", "web1.example.org"),
        ("fd00::5", "fd00--5"),
        ("a", "docker-a"),
        ("default", "docker-default"),
        ("_x", "docker-_x"),
        ("-", "docker-"),
    ],
)
def test_context_name_is_the_hosts_own_where_it_can_be(name: str, expected: str) -> None:
    assert tool_files.context_name(name) == expected


@pytest.mark.parametrize("name", [name for name in registry.MAKERS if name != "pkcs12"])
def test_format_without_an_endpoint_has_no_files(name: str) -> None:
    assert registry.MAKERS[name](identity()) == {}


@pytest.mark.parametrize("name", [name for name in registry.MAKERS if name != "pkcs12"])
def test_file_without_a_mark_holds_no_secret(name: str) -> None:
    secret = Identity(
        "alice", "/srv/a", b"CA-BYTES", b"CERT-BYTES", b"KEY-BYTES", (Endpoint("w1", "tcp://w1:2376"),), "PASS"
    )
    for path, file in registry.MAKERS[name](secret).items():
        data: t.Any = file.make()
        assert file.private or not re.search(b"CA-BYTES|CERT-BYTES|KEY-BYTES|PASS", data), path
