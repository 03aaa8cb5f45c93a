# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on a disk: every state, and that no key leaves it."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import collect_files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy import config, rights
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.service import enable, proxy_files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._proxy.state import ProxyUnit, unit_text
from support.ca.certificates import authority, private_key
from support.contracts import records
from support.hosts.fleet import client, server_authority


def read(path: pathlib.Path | str, **paths: Any) -> dict[str, Any]:
    (found,) = collect_files.read_all(
        [collect_files.Wanted("one", str(path), **{name: str(one) for name, one in paths.items()})]
    )
    return found


@pytest.fixture
def bundle(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "cert.pem").write_text("some text\n" + client().pem)
    (tmp_path / "key.pem").write_bytes(client().key_pem)
    (tmp_path / "ca.pem").write_text(server_authority().pem * 2)
    return tmp_path


def test_read_all_returns_certificates_and_that_the_key_matches(bundle: pathlib.Path) -> None:
    found = read(bundle / "cert.pem", key_path=bundle / "key.pem", ca_path=bundle / "ca.pem")
    assert found == {
        "id": "one",
        "path": f"{bundle}/cert.pem",
        "state": "read",
        "problem": "",
        "certificate_content": client().pem,
        "ca_content": server_authority().pem * 2,
        "client_ca_content": "",
        "key_matches": True,
        "configured": None,
        "starts_at_boot": None,
        "revocation_lists_content": "",
        "rights": {},
    }


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "rsa-2048", "ed25519"])
def test_read_all_tells_a_foreign_key(bundle: pathlib.Path, key_type: str) -> None:
    (bundle / "key.pem").write_bytes(keys.encode_private_key(private_key(key_type, 77)))
    assert read(bundle / "cert.pem", key_path=bundle / "key.pem")["key_matches"] is False


def test_read_all_of_an_encrypted_key_does_not_ask_anybody(bundle: pathlib.Path) -> None:
    encrypted = keys.encrypt_private_key(client().key, b"an uncommon sequence", rounds=1000)
    (bundle / "key.pem").write_bytes(encrypted)
    assert read(bundle / "cert.pem", key_path=bundle / "key.pem")["key_matches"] is None


@pytest.mark.parametrize("key", [None, b"", b"rubbish"])
def test_read_all_without_a_usable_key_cannot_tell(bundle: pathlib.Path, key: bytes | None) -> None:
    (bundle / "key.pem").unlink()
    if key is not None:
        (bundle / "key.pem").write_bytes(key)
    assert read(bundle / "cert.pem", key_path=bundle / "key.pem")["key_matches"] is None


def test_read_all_never_returns_a_key_wherever_a_path_points(bundle: pathlib.Path) -> None:
    (bundle / "link.pem").symlink_to(bundle / "key.pem")
    (bundle / "both.pem").write_bytes(client().key_pem + client().pem.encode())
    found = [read(bundle / "link.pem"), read(bundle / "both.pem", ca_path=bundle / "link.pem")]
    assert "PRIVATE" not in str(found)
    assert (found[0]["state"], found[1]["certificate_content"]) == ("invalid", client().pem)


@pytest.mark.parametrize(
    ("name", "state"), [("absent.pem", "missing"), ("ca.pem/x", "missing"), (".", "invalid"), ("text.pem", "invalid")]
)
def test_read_all_tells_what_is_not_there(bundle: pathlib.Path, name: str, state: str) -> None:
    (bundle / "text.pem").write_text("nothing")
    assert read(bundle / name)["state"] == state


def test_read_all_is_not_held_up_by_a_pipe(bundle: pathlib.Path) -> None:
    os.mkfifo(bundle / "pipe.pem")
    assert read(bundle / "pipe.pem", key_path=bundle / "pipe.pem")["state"] == "invalid"


def test_read_all_refuses_what_is_too_large(bundle: pathlib.Path) -> None:
    with (bundle / "large.pem").open("wb") as stream:
        stream.truncate(collect_files.LARGEST + 1)
    assert read(bundle / "large.pem")["state"] == "invalid"


def test_read_all_without_permission_says_so(bundle: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(collect_files.os, "open", refuse)
    found = read(bundle / "cert.pem")
    assert (found["state"], found["problem"]) == ("not-readable", "permission denied")


def test_read_all_understands_home_directories(bundle: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(bundle))
    assert read("~/cert.pem")["path"] == f"{bundle}/cert.pem"
    assert read("~nobody-of-this-name/cert.pem")["state"] == "missing"


def test_read_all_looks_again_where_a_renewal_came_between(
    bundle: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(collect_files, "key_matches", lambda _certificate, _key: next(answers))
    assert read(bundle / "cert.pem", key_path=bundle / "key.pem")["key_matches"] is True


@pytest.mark.parametrize(("ours", "enabled"), [(True, True), (True, False), (False, False)])
def test_read_all_knows_the_listener_proxy_by_its_unit(
    bundle: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, ours: bool, enabled: bool
) -> None:
    monkeypatch.setattr(collect_files, "UNIT_DIRECTORY", str(tmp_path))
    files = proxy_files("docker.service", str(tmp_path))
    unit = ProxyUnit("/etc/x.cfg", f"{bundle}/current", "/run/x", "docker.socket", "docker")
    pathlib.Path(files.unit_path).write_text(unit_text(unit) if ours else "[Unit]\n")
    if enabled:
        enable(files)
    (tmp_path / "daemon.json").write_text("{}")
    wanted = collect_files.Wanted(
        "web1",
        str(bundle / "cert.pem"),
        config_path=str(tmp_path / "daemon.json"),
        unit="docker.service" if ours else "",
    )
    found = collect_files.read_all([wanted])[0]
    assert found["configured"] is ours
    assert found["starts_at_boot"] is (enabled if ours else None)


GROUPS = (
    config.ProxyGroup.of("ops", [authority("client", unit="ops-g1", number=20).certificate]),
    config.ProxyGroup.of(
        "ci", [authority("client", unit="ci-g1", number=21).certificate], rights.parse_rights("read-only", "x")
    ),
)
CRL = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"


@pytest.mark.parametrize(("checked", "elsewhere"), [(True, False), (False, False), (True, True)])
def test_read_all_returns_the_lists_that_the_proxy_checks_and_nothing_else(
    bundle: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, checked: bool, elsewhere: bool
) -> None:
    monkeypatch.setattr(collect_files, "UNIT_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(collect_files, "ROOT", str(tmp_path / "root"))
    files = proxy_files("docker.service", str(tmp_path), str(tmp_path / "root"))
    store = "/etc/other/current" if elsewhere else f"{bundle}/current"
    pathlib.Path(files.unit_path).write_text(unit_text(ProxyUnit("/x", store, "/run/x", "docker.socket", "docker")))
    os.makedirs(files.directory)
    wanted_config = config.ProxyConfig(
        listen=(("0.0.0.0", 2376),),
        certificate_path="/x/server.pem",
        ca_path="/x/client-ca.pem",
        crl_path=files.crl if checked else "",
        groups=GROUPS,
        docker_socket="/run/docker.sock",
        stream_timeout_seconds=3600,
        haproxy_version=(3, 0, 11),
    )
    pathlib.Path(files.config).write_text(config.render(wanted_config))
    pathlib.Path(files.crl).write_text(CRL + client().key_pem.decode())
    wanted = collect_files.Wanted("web1", str(bundle / "cert.pem"), unit="docker.service")
    result = records.returned("certificate_files_info", {"changed": False, "files": collect_files.read_all([wanted])})
    found = result["files"][0]["revocation_lists_content"]
    assert found == (CRL if checked and not elsewhere else "")
    assert result["files"][0]["rights"] == ({} if elsewhere else {"ops": "full", "ci": "read-only"})
