# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What bundles say of Docker's endpoint: the address, and the variables."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._bundles import bundle_files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError


@pytest.mark.parametrize(
    "text", ["tcp://docker1:2376", "tcp://10.0.0.5:2376", "tcp://[::1]:2376", "tcp://d.example.org:1"]
)
def test_check_docker_host_good_text_passes(text: str) -> None:
    bundle_files.check_docker_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "docker1:2376",
        "https://docker1:2376",
        "tcp://docker1",
        "tcp://:2376",
        "tcp://docker1:0",
        "tcp://docker1:65536",
        "tcp://docker1:2376/",
        "tcp://fd00::5:2376",
        "unix:///var/run/docker.sock",
        "tcp://docker1:2376; rm -rf /",
        "tcp://a\nb:2376",
    ],
)
def test_check_docker_host_bad_text_is_named(text: str) -> None:
    with pytest.raises(TlsError) as caught:
        bundle_files.check_docker_host(text, "docker_host of 'x'")
    assert caught.value.code == "docker-host-invalid"
    assert "docker_host of 'x'" in caught.value.message


@pytest.mark.parametrize("docker_host", ["", "tcp://docker1:2376"])
def test_environment_variables_name_a_host_only_where_there_is_one(docker_host: str) -> None:
    found = bundle_files.environment_variables(docker_host, "/d")
    assert found.pop("DOCKER_HOST", "") == docker_host
    assert found == {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/d"}


def test_exports_quote_what_a_shell_would_read_otherwise() -> None:
    assert bundle_files.exports({"A": "1", "B": "o'brien $x"}) == ["export A=1", """export B='o'"'"'brien $x'"""]
