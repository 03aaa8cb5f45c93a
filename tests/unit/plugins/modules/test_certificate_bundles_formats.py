# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats of the module certificate_bundles: idempotence, removed and kept files, modes, and the diff."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._bundles import format_files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._bundles.formats import registry
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_bundles
from support.ansible.modules import run_module
from support.ca import certificates as made
from support.hosts.accounts import GID, UID, account, add_accounts, home_of, mode, needs_root

SERVERS = made.authority("server", unit="server-g1")
CLIENTS = made.authority("client", unit="clients-g1", number=2)
PASSPHRASE = "open sesame"
ENDPOINTS = [
    {"name": "web1", "docker_host": "tcp://web1.example.org:2376"},
    {"name": "web2", "docker_host": "tcp://[fd00::5]:2376"},
]
EVERY = sorted(registry.MAKERS)


def client(number: int = 1) -> made.Pair:
    return made.leaf(CLIENTS, "client", common_name="alice", key=made.private_key("ecdsa-p256", number))


CLIENT = client()


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "alice"


@pytest.fixture(autouse=True)
def _fast_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.portcullis.docker_tls.plugins.module_utils._bundles.formats.registry.ROUNDS", 1000
    )


def wait(directory: pathlib.Path, pair: made.Pair = CLIENT) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / "key.pem.new"
    path.write_bytes(pair.key_pem)
    path.chmod(0o600)


def run(
    place: pathlib.Path, pair: made.Pair | None = None, *, check: bool = False, diff: bool = False, **changes: t.Any
) -> dict[str, t.Any]:
    bundle = {
        "id": "alice",
        "directory": str(place),
        "certificate_content": pair.pem if pair else "",
        "ca_content": SERVERS.pem,
        "formats": EVERY,
        "endpoints": ENDPOINTS,
        "pkcs12_passphrase": PASSPHRASE,
        **changes,
    }
    result = run_module(certificate_bundles, {"bundles": [bundle]}, check=check, diff=diff)
    assert not result["failed"], result
    return result


def reasons(result: dict[str, t.Any]) -> list[str]:
    return list(result["bundles"][0]["reasons"])


def tree(path: pathlib.Path) -> dict[str, tuple[int, int, bytes]]:
    files = [each for each in sorted(path.rglob("*")) if each.is_file()]
    return {str(each.relative_to(path)): (mode(each), each.stat().st_ino, each.read_bytes()) for each in files}


@pytest.fixture
def installed(directory: pathlib.Path) -> pathlib.Path:
    wait(directory)
    run(directory, CLIENT)
    return directory


def test_every_format_is_made_at_once_and_closed_to_others(directory: pathlib.Path) -> None:
    wait(directory)
    result = run(directory, CLIENT)
    assert set(result["bundles"][0]["formats"]) == set(EVERY)
    for name, paths in result["bundles"][0]["formats"].items():
        assert paths, name
        for path in paths:
            assert mode(pathlib.Path(path)) == 0o600
            assert pathlib.Path(path).read_bytes()
    assert {f"{name.replace('_', '-')}-changed" for name in EVERY} <= set(reasons(result))
    assert all(mode(path) == 0o700 for path in directory.rglob("*") if path.is_dir())


def test_second_run_writes_nothing(installed: pathlib.Path) -> None:
    before = tree(installed)
    assert not run(installed)["changed"]
    assert not run(installed, CLIENT)["changed"]
    assert tree(installed) == before


@pytest.mark.parametrize("name", EVERY)
def test_format_alone_is_made_and_is_the_only_one(directory: pathlib.Path, name: str) -> None:
    wait(directory)
    result = run(directory, CLIENT, formats=[name])
    assert set(result["bundles"][0]["formats"]) == {name}
    listed = {str(pathlib.Path(path).relative_to(directory)) for path in result["bundles"][0]["formats"][name]}
    assert set(tree(directory)) == {"ca.pem", "cert.pem", "key.pem", ".formats.json", *listed}


def test_renewal_reaches_every_format_that_holds_the_key(installed: pathlib.Path) -> None:
    before = tree(installed)
    renewed = client(3)
    wait(installed, renewed)
    result = run(installed, renewed)
    changed = {"context-changed", "context-archive-changed", "pkcs12-changed", "portainer-changed"}
    assert changed == set(reasons(result)) - {"certificate-changed", "key-changed"}
    after = tree(installed)
    assert set(after) == set(before)
    assert not [name for name, entry in after.items() if CLIENT.key_pem in entry[2]]
    assert not run(installed)["changed"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"pkcs12_passphrase": "another"}, id="passphrase"),
        pytest.param({"ca_content": made.authority("server", unit="server-g2", number=21).pem + SERVERS.pem}, id="ca"),
    ],
)
def test_pkcs12_is_made_anew_only_for_a_reason(installed: pathlib.Path, changes: dict[str, t.Any]) -> None:
    before = (installed / "client.p12").read_bytes()
    assert "pkcs12-changed" in reasons(run(installed, **changes))
    assert (installed / "client.p12").read_bytes() != before
    assert not run(installed, **changes)["changed"]


def test_host_that_is_gone_loses_its_context_and_nothing_else(installed: pathlib.Path) -> None:
    (installed / "contexts/meta/mine").mkdir()
    (installed / "contexts/meta/mine/meta.json").write_text("{}")
    result = run(installed, endpoints=ENDPOINTS[:1])
    assert "format-dropped" in reasons(result)
    assert len(list((installed / "contexts/meta").iterdir())) == 2
    assert len(list((installed / "contexts/tls").iterdir())) == 1
    assert (installed / "contexts/meta/mine/meta.json").exists()
    assert not run(installed, endpoints=ENDPOINTS[:1])["changed"]


def after(result: dict[str, t.Any]) -> dict[str, str]:
    """Return what the diff shows of each file of the formats, by its path in the bundle."""
    return {each["after_header"].partition("/alice/")[2]: each["after"] for each in result["diff"] if "after" in each}


def test_dropped_formats_leave_the_bundle_alone(installed: pathlib.Path) -> None:
    check = run(installed, formats=[], check=True, diff=True)
    assert reasons(check) == ["format-dropped"]
    assert after(check)["client.p12"] == "removed\n"
    assert (installed / "client.p12").exists()
    assert reasons(run(installed, formats=[])) == ["format-dropped"]
    assert set(tree(installed)) == {"ca.pem", "cert.pem", "key.pem"}
    assert [path.name for path in installed.iterdir() if path.is_dir()] == []
    assert not run(installed, formats=[])["changed"]


def test_formats_of_a_revoked_client_go_with_the_bundle(installed: pathlib.Path) -> None:
    leaving = {"id": "alice", "state": "absent", "common_name": "alice", "directory": str(installed)}
    result = run_module(certificate_bundles, {"bundles": [leaving]})
    assert reasons(result) == ["client-revoked"]
    assert not installed.exists()


def test_bundle_without_formats_gets_no_list(directory: pathlib.Path) -> None:
    wait(directory)
    run(directory, CLIENT, formats=["docker", "environment"], endpoints=[])
    assert set(tree(directory)) == {"ca.pem", "cert.pem", "key.pem"}


def test_client_without_endpoints_gets_what_needs_none(directory: pathlib.Path) -> None:
    wait(directory)
    result = run(directory, CLIENT, endpoints=[])
    assert {name for name, paths in result["bundles"][0]["formats"].items() if paths} == {"pkcs12"}


def test_docker_host_alone_is_an_endpoint_by_its_hosts_name(directory: pathlib.Path) -> None:
    wait(directory)
    run(directory, CLIENT, formats=["traefik"], endpoints=[], docker_host="tcp://web9.example.org:2376")
    assert (directory / "traefik/web9.example.org.yml").exists()


def test_file_of_somebody_else_in_the_way_is_kept(directory: pathlib.Path) -> None:
    wait(directory)
    (directory / ".envrc").write_text("layout python\n")
    result = run(directory, CLIENT)
    (kept,) = result["bundles"][0]["backup_files"]
    assert pathlib.Path(kept).read_text() == "layout python\n"
    assert pathlib.Path(kept).name.startswith(".envrc.")
    assert kept in str(result["warnings"])
    assert not run(directory)["changed"]


@pytest.mark.parametrize("name", ["docker.tf", "client.p12"])
def test_file_of_somebody_else_with_a_private_key_is_not_kept(directory: pathlib.Path, name: str) -> None:
    wait(directory)
    secret = (
        made.leaf(CLIENTS, "client", key=made.private_key("ecdsa-p256", 7)).key_pem
        if name != "client.p12"
        else b"PKCS#12 of somebody else"
    )
    (directory / name).write_bytes(secret)
    result = run(directory, CLIENT)
    assert result["bundles"][0]["backup_files"] == []
    assert f"The private key in {directory}/{name} was another authority's" in str(result["warnings"])
    assert not [path for path in directory.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_own_file_that_somebody_changed_is_put_right_without_a_backup(installed: pathlib.Path) -> None:
    (installed / "docker.tf").write_text("x")
    result = run(installed)
    assert reasons(result) == ["terraform-changed"]
    assert result["bundles"][0]["backup_files"] == []


def test_insecure_mode_is_put_right(installed: pathlib.Path) -> None:
    (installed / "client.p12").chmod(0o644)
    before = (installed / "client.p12").read_bytes()
    assert reasons(run(installed)) == ["permissions-changed"]
    assert mode(installed / "client.p12") == 0o600
    assert not run(installed)["changed"]
    assert before


def test_check_mode_on_a_clean_machine_foretells_every_format(directory: pathlib.Path) -> None:
    result = run(directory, check=True, diff=True)
    assert {f"{name.replace('_', '-')}-changed" for name in EVERY} <= set(reasons(result))
    assert not directory.exists()


def test_check_mode_with_a_new_endpoint_shows_the_lines_and_no_secret(installed: pathlib.Path) -> None:
    before = tree(installed)
    more = [*ENDPOINTS, {"name": "web3", "docker_host": "tcp://web3.example.org:2376"}]
    result = run(installed, endpoints=more, check=True, diff=True)
    shown = after(result)
    assert '      - host: "https://web3.example.org:2376"' in shown["prometheus.yml"]
    assert shown["contexts-export/web3.dockercontext"] == "private, written again\n"
    assert tree(installed) == before
    assert not [word for word in ("PRIVATE KEY", PASSPHRASE) if word in json.dumps(result)]


def test_result_shows_neither_key_nor_passphrase(directory: pathlib.Path) -> None:
    wait(directory)
    result = run(directory, CLIENT, diff=True)
    text = json.dumps({name: value for name, value in result.items() if name != "invocation"})
    assert "PRIVATE KEY" not in text
    assert PASSPHRASE not in json.dumps(result)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pkcs12_passphrase": ""}, "passphrase-missing"),
        ({"endpoints": [{"name": "x", "docker_host": "http://x"}]}, "docker-host-invalid"),
        ({"endpoints": [dict(ENDPOINTS[0], name=name) for name in ("a b", "a-b")]}, "endpoint-duplicate"),
        ({"endpoints": [dict(ENDPOINTS[0], name=name) for name in ("a.b", "a_b")]}, "endpoint-duplicate"),
    ],
)
def test_bad_wish_is_refused_before_anything_is_written(
    directory: pathlib.Path, changes: dict[str, t.Any], code: str
) -> None:
    wait(directory)
    bundle = {
        "id": "alice", "directory": str(directory), "certificate_content": CLIENT.pem, "ca_content": SERVERS.pem,
        "formats": EVERY, "endpoints": ENDPOINTS, "pkcs12_passphrase": PASSPHRASE, **changes,
    }  # fmt: skip
    result = run_module(certificate_bundles, {"bundles": [bundle]})
    assert result["failed"]
    assert result["code"] == code
    assert set(tree(directory)) == {"key.pem.new"}


@pytest.mark.parametrize(
    "listed", ["nonsense", '{"files": 3}', '{"files": ["../keep", "/etc/hosts", "~/x", 7, "a/../../keep"]}', "[]"]
)
def test_list_of_files_can_reach_nothing_outside(directory: pathlib.Path, listed: str) -> None:
    outside = directory.parent / "keep"
    outside.write_text("x")
    wait(directory)
    (directory / format_files.MANIFEST).write_text(listed)
    run(directory, CLIENT, formats=["direnv"])
    assert outside.read_text() == "x"


@needs_root
def test_formats_in_a_users_home_are_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    with home_of(UID, GID) as home:
        add_accounts(monkeypatch, account("deploy", UID, GID, str(home)))
        directory = home / ".docker"
        wait(directory)
        for path in (directory, directory / "key.pem.new"):
            os.chown(path, UID, GID)
        run(directory, CLIENT, owner="deploy")
        assert {(path.stat().st_uid, path.stat().st_gid) for path in directory.rglob("*")} == {(UID, GID)}
        assert not run(directory, owner="deploy")["changed"]
