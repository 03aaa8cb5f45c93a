# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module portainer_environment against a Portainer that keeps to the recorded contract."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.modules import portainer_environment
from support.ansible.modules import run_module
from support.clients import portainer as fake

HOST = "tcp://web1.example.org:2376"


@pytest.fixture
def portainer(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[fake.Portainer]:
    # Ansible loads all authorities of the system before each request, also over HTTP.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    with fake.portainer() as world:
        yield world


@pytest.fixture
def bundle(tmp_path: pathlib.Path) -> pathlib.Path:
    fill(tmp_path, "one")
    return tmp_path


def fill(directory: pathlib.Path, what: str) -> None:
    for name in ("ca", "cert", "key"):
        (directory / f"{name}.pem").write_text(f"-----BEGIN {name} {what}-----\n")


def files(what: str) -> dict[str, bytes]:
    return {name: f"-----BEGIN {name} {what}-----\n".encode() for name in ("ca", "cert", "key")}


def run(portainer: fake.Portainer, bundle: pathlib.Path, *, check: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    portainer.calls.clear()
    options = {
        "url": portainer.url,
        "api_key": fake.KEY,
        "name": "web1",
        "docker_host": HOST,
        "directory": str(bundle),
        **changes,
    }
    result = run_module(portainer_environment, options, check=check, diff=True)
    assert fake.KEY not in json.dumps(result)
    assert "BEGIN key" not in json.dumps(result)
    return result


def test_new_environment_is_created_with_everything_in_one_request(
    portainer: fake.Portainer, bundle: pathlib.Path
) -> None:
    result = run(portainer, bundle)
    assert (result["changed"], result["reasons"]) == (True, ["environment-missing"])
    assert result["environment"] == {"id": 1, "name": "web1", "docker_host": HOST}
    assert portainer.calls == ["GET /api/endpoints", "POST /api/endpoints"]
    assert portainer.environments == [
        {**fake.CONTRACT["environment"], "TLSConfig": portainer.environments[0]["TLSConfig"]}
    ]
    assert portainer.files == {1: files("one")}


def test_second_run_only_looks(portainer: fake.Portainer, bundle: pathlib.Path) -> None:
    run(portainer, bundle)
    result = run(portainer, bundle)
    assert (result["changed"], result["reasons"], result["environment"]["id"]) == (False, [], 1)
    assert portainer.calls == ["GET /api/endpoints"]


def test_renewed_certificate_is_uploaded_and_taken_into_use(portainer: fake.Portainer, bundle: pathlib.Path) -> None:
    run(portainer, bundle)
    fill(bundle, "two")
    result = run(portainer, bundle)
    assert result["reasons"] == ["certificate-changed"]
    assert portainer.calls[1:] == [
        *(f"POST /api/upload/tls/{name}" for name in ("ca", "cert", "key")),
        "PUT /api/endpoints/1",
    ]
    assert portainer.files == {1: files("two")}
    assert not run(portainer, bundle)["changed"]


def test_new_address_uploads_nothing(portainer: fake.Portainer, bundle: pathlib.Path) -> None:
    run(portainer, bundle)
    result = run(portainer, bundle, docker_host="tcp://10.0.0.9:2376")
    assert result["reasons"] == ["url-changed"]
    assert portainer.calls[1:] == ["PUT /api/endpoints/1"]
    assert portainer.environments[0]["URL"] == "tcp://10.0.0.9:2376"
    assert result["diff"]["before"]["docker_host"] == HOST


@pytest.mark.parametrize(
    "tls",
    [
        {"TLS": False, "TLSSkipVerify": False},
        {"TLS": True, "TLSSkipVerify": True, "TLSCACert": "x", "TLSCert": "x", "TLSKey": "x"},
        {"TLS": True, "TLSSkipVerify": False, "TLSCACert": "x"},
    ],
)
def test_environment_that_verifies_nothing_is_put_right(
    portainer: fake.Portainer, bundle: pathlib.Path, tls: dict[str, t.Any]
) -> None:
    run(portainer, bundle)
    portainer.environments[0]["TLSConfig"] = tls
    assert run(portainer, bundle)["reasons"] == ["tls-changed"]
    assert not run(portainer, bundle)["changed"]


def test_environment_that_somebody_made_by_hand_is_adopted(portainer: fake.Portainer, bundle: pathlib.Path) -> None:
    run(portainer, bundle)
    (note,) = (bundle / ".portainer").iterdir()
    assert fake.KEY not in note.read_text()
    note.unlink()
    assert run(portainer, bundle)["reasons"] == ["certificate-changed"]
    assert len(portainer.environments) == 1


def test_environment_that_was_made_anew_in_portainer_gets_the_files_again(
    portainer: fake.Portainer, bundle: pathlib.Path
) -> None:
    run(portainer, bundle)
    portainer.environments.append({**portainer.environments[0], "Id": 2})
    portainer.environments[0] = {**portainer.environments[0], "Name": "old"}
    portainer.files[2] = {}
    assert run(portainer, bundle)["reasons"] == ["certificate-changed"]
    assert portainer.files[2] == files("one")


def test_many_hosts_keep_notes_of_their_own(portainer: fake.Portainer, bundle: pathlib.Path) -> None:
    for name in ("web1", "web2", "web1", "web2"):
        result = run(portainer, bundle, name=name)
    assert not result["changed"]
    assert len(portainer.environments) == 2


def test_check_mode_foretells_and_changes_nothing(portainer: fake.Portainer, bundle: pathlib.Path) -> None:
    result = run(portainer, bundle, check=True)
    assert (result["changed"], result["environment"]["id"]) == (True, None)
    assert portainer.calls == ["GET /api/endpoints"]
    assert not (bundle / ".portainer").exists()


@pytest.mark.parametrize(
    ("prepare", "changes", "code", "said"),
    [
        pytest.param(None, {"api_key": "wrong"}, "portainer-refused", "A valid authorization token is missing", id="key"),
        pytest.param((500, b'{"message": "Unable to initiate communications with endpoint"}'), {}, "portainer-failed", "Unable to initiate", id="500"),
        pytest.param((500, b"\x00nonsense"), {}, "portainer-failed", "500", id="500-without-json"),
        pytest.param((200, b"<html>"), {}, "portainer-answer-invalid", "not JSON", id="another-server"),
        pytest.param((302, b""), {}, "portainer-failed", "302", id="redirect"),
        pytest.param(None, {"url": "http://127.0.0.1:1"}, "portainer-unreachable", "127.0.0.1:1", id="nobody"),
        pytest.param(None, {"url": "portainer.example.org"}, "portainer-url-invalid", "https://", id="url"),
        pytest.param(None, {"url": "https://u:p@x"}, "portainer-url-invalid", "https://", id="url-with-user"),
        pytest.param(None, {"docker_host": "https://x"}, "docker-host-invalid", "tcp://", id="docker-host"),
        pytest.param(None, {"directory": "/nonexistent"}, "certificate-missing", "/nonexistent", id="directory"),
    ],
)  # fmt: skip
def test_trouble_is_one_message_that_says_what_to_do(
    portainer: fake.Portainer,
    bundle: pathlib.Path,
    prepare: tuple[int, bytes] | None,
    changes: dict[str, t.Any],
    code: str,
    said: str,
) -> None:
    portainer.fail = prepare
    result = run(portainer, bundle, **changes)
    assert result["failed"]
    assert result["code"] == code
    assert said in result["msg"] + result["hint"]
    assert result["hint"]


@pytest.mark.parametrize("kind", ["agent", "two"])
def test_environment_that_is_something_else_is_left_alone(
    portainer: fake.Portainer, bundle: pathlib.Path, kind: str
) -> None:
    run(portainer, bundle)
    if kind == "agent":
        portainer.environments[0]["Type"] = 2
    else:
        portainer.environments.append({**portainer.environments[0], "Id": 2})
    result = run(portainer, bundle)
    assert result["code"] == "environment-different"
    assert portainer.calls == ["GET /api/endpoints"]


def test_plain_http_is_warned_of(portainer: fake.Portainer, bundle: pathlib.Path) -> None:
    assert "without encryption" in str(run(portainer, bundle)["warnings"])
