# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module authority_key_info: keys of CAs, searched on a machine without Docker."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption import effective_settings
from ansible_collections.portcullis.docker_tls.plugins.modules import authority_key_info
from support.ansible.modules import run_module
from support.ca.certificates import authority
from support.ca.foreign import docker_recipe

OPEN = authority("server")
LOCKED = docker_recipe()


@pytest.fixture(autouse=True)
def places(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Return the only directory that is searched."""
    monkeypatch.setattr(effective_settings, "PLACES", (str(tmp_path / "*"),))
    monkeypatch.setattr(effective_settings, "HOME_PLACES", ())
    return tmp_path


def put(path: pathlib.Path, data: bytes | str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def found(certificate: str, *places: str) -> list[tuple[str, bool]]:
    result = run_module(authority_key_info, {"certificates": [certificate], "places": list(places)})
    assert not result["changed"]
    assert "PRIVATE KEY" not in str(result)
    return [(key["path"], key["encrypted"]) for key in result["keys"]]


def test_key_is_found_by_what_it_is_and_not_by_its_name(places: pathlib.Path) -> None:
    path = put(places / "ca/whatever.key", OPEN.key_pem)
    put(places / "ca/ca-key.pem", authority("client", number=1).key_pem)
    assert found(OPEN.pem) == [(path, False)]


def test_key_in_a_file_without_a_suffix_is_found(places: pathlib.Path) -> None:
    assert found(OPEN.pem) == []
    path = put(places / "ca/ca_private_key", OPEN.key_pem)
    assert found(OPEN.pem) == [(path, False)]


@pytest.mark.parametrize(
    ("name", "beside", "counts"),
    [
        ("any.key", LOCKED.contents["ca.pem"], True),
        ("any.key", OPEN.pem, False),
        ("ca-key.pem", OPEN.pem, False),
        ("ca-key.pem", "", True),
        ("docker-root-ca.key", "", True),
        ("myCA.key", "", False),
        ("any.key", "", False),
    ],
)
def test_encrypted_key_counts_by_what_is_around_it(
    places: pathlib.Path, name: str, beside: bytes | str, counts: bool
) -> None:
    path = put(places / f"ca/{name}", LOCKED.contents["ca-key.pem"])
    if beside:
        put(places / "ca/ca.pem", beside)
    assert found(LOCKED.text("ca.pem")) == ([(path, True)] if counts else [])


def test_places_add_directories_and_are_told(places: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = put(elsewhere / "a" / "ca.key", OPEN.key_pem)
    assert found(OPEN.pem) == []
    assert found(OPEN.pem, f"{elsewhere}/*") == [(path, False)]
    result = run_module(authority_key_info, {"certificates": [OPEN.pem], "places": [f"{elsewhere}/*"]})
    assert str(elsewhere / "a") in result["searched"]


def test_what_is_no_certificate_is_refused() -> None:
    result = run_module(authority_key_info, {"certificates": ["nothing"]})
    assert result["code"] == "certificate-unreadable"
    assert result["hint"]
