# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module certificate_bundles: what docker and its users find in the directory afterwards."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_bundles
from support.ansible.modules import run_module
from support.ca import certificates as made
from support.contracts import records
from support.hosts.accounts import mode

SERVERS = made.authority("server", unit="server-g1")
SERVERS_2 = made.authority("server", unit="server-g2", number=21)
CLIENTS = made.authority("client", unit="clients-g1", number=2)
CLIENTS_2 = made.authority("client", unit="clients-g2", number=22)
OTHERS = made.authority("client", unit="others-g1", number=23)
HOST = "tcp://docker1.example.org:2376"
ALL_NEW = ["certificate-changed", "key-changed", "ca-changed", "environment-changed"]


def client(issuer: made.Pair = CLIENTS, number: int = 1) -> made.Pair:
    return made.leaf(issuer, "client", common_name="portainer", key=made.private_key("ecdsa-p256", number))


CLIENT = client()


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "portainer"


def wait(directory: pathlib.Path, pair: made.Pair = CLIENT) -> None:
    """Leave a key as certificate_requests does."""
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / "key.pem.new"
    path.write_bytes(pair.key_pem)
    path.chmod(0o600)


def bundle(place: pathlib.Path, pair: made.Pair | None = CLIENT, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "id": "portainer",
        "directory": str(place),
        "certificate_content": pair.pem if pair is not None else "",
        "ca_content": SERVERS.pem,
        "docker_host": HOST,
        "owner": None,
        **changes,
    }


def run(*bundles: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    return run_module(certificate_bundles, {"bundles": list(bundles)}, **options)


def installed(directory: pathlib.Path, pair: made.Pair = CLIENT, **changes: t.Any) -> None:
    wait(directory, pair)
    assert run(bundle(directory, pair, **changes))["changed"]


def tree(path: pathlib.Path) -> dict[str, tuple[int, bytes]]:
    return {each.name: (mode(each), each.read_bytes()) for each in sorted(path.rglob("*")) if each.is_file()}


def test_new_bundle_has_all_files_with_their_modes(directory: pathlib.Path) -> None:
    wait(directory)
    result = run(bundle(directory))
    assert result["changed"]
    assert result["bundles"][0]["reasons"] == ALL_NEW
    assert result["bundles"][0]["certificate"] == CLIENT.view.to_dict()
    assert result["bundles"][0]["backup_files"] == []
    assert mode(directory) == 0o700
    found = tree(directory)
    assert {name: entry[0] for name, entry in found.items()} == {
        "ca.pem": 0o444,
        "cert.pem": 0o444,
        "env.sh": 0o600,
        "key.pem": 0o400,
    }
    assert found["ca.pem"][1].decode() == SERVERS.pem
    assert found["cert.pem"][1].decode() == CLIENT.pem
    assert found["key.pem"][1] == CLIENT.key_pem


def test_second_run_changes_nothing(directory: pathlib.Path) -> None:
    installed(directory)
    before = tree(directory)
    for again in (bundle(directory), bundle(directory, None), bundle(directory, None, ca_content="")):
        result = run(again)
        assert not result["changed"]
        assert result["bundles"][0]["reasons"] == []
        assert result["bundles"][0]["certificate"] == CLIENT.view.to_dict()
    assert tree(directory) == before


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
@pytest.mark.parametrize("name", ["portainer", "with space", 'o\'brien; $(touch x) `id` "$HOME"'])
def test_environment_file_sets_all_three_whatever_the_path(tmp_path: pathlib.Path, shell: str, name: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    directory = tmp_path / name
    installed(directory)
    script = '. "$1" && printf "%s|" "$DOCKER_HOST" "$DOCKER_TLS_VERIFY" "$DOCKER_CERT_PATH" && env | grep -c ^DOCKER_'
    command = [shell, "-euc", script, "x", str(directory / "env.sh")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, env={"PATH": os.environ["PATH"]})
    assert done.stdout.decode() == f"{HOST}|1|{directory}|3\n"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        pytest.param({"ca_content": SERVERS_2.pem + SERVERS.pem}, ["ca-changed"], id="ca-overlap"),
        pytest.param({"docker_host": "tcp://[fd00::5]:2376"}, ["environment-changed"], id="docker-host"),
        pytest.param({"docker_host": ""}, [], id="no-docker-host-keeps-the-file"),
        pytest.param({"environment_file": False, "docker_host": "tcp://x:1"}, [], id="environment-not-wanted"),
        pytest.param({"ca_content": f"text\n{SERVERS.pem}\n"}, [], id="same-ca-other-text"),
        pytest.param({"certificate_content": f"{CLIENT.pem}{CLIENTS.pem}"}, ["certificate-changed"], id="chain"),
    ],
)
def test_change_of_one_thing_writes_only_that(
    directory: pathlib.Path, changes: dict[str, t.Any], reasons: list[str]
) -> None:
    installed(directory)
    key = (directory / "key.pem").stat().st_ino
    result = run(bundle(directory, **changes))
    assert result["bundles"][0]["reasons"] == reasons
    assert result["changed"] is bool(reasons)
    assert (directory / "key.pem").stat().st_ino == key
    assert not list(directory.glob("*.bak"))


def test_renewal_swaps_key_and_certificate_without_a_backup(directory: pathlib.Path) -> None:
    installed(directory)
    renewed = client(number=3)
    wait(directory, renewed)
    result = run(bundle(directory, renewed))
    assert result["bundles"][0]["reasons"] == ["certificate-changed", "key-changed"]
    assert sorted(tree(directory)) == ["ca.pem", "cert.pem", "env.sh", "key.pem"]
    assert (directory / "key.pem").read_bytes() == renewed.key_pem


def test_next_generation_of_an_authority_is_the_same_one(directory: pathlib.Path) -> None:
    installed(directory)
    renewed = client(CLIENTS_2, number=3)
    wait(directory, renewed)
    result = run(bundle(directory, renewed, ca_content=SERVERS_2.pem))
    assert result["bundles"][0]["backup_files"] == []
    assert not list(directory.glob("*.bak"))


def test_files_of_another_authority_are_kept_beside_and_its_key_is_not(directory: pathlib.Path) -> None:
    foreign = client(OTHERS, number=5)
    installed(directory, foreign, ca_content=OTHERS.pem)
    (directory / "env.sh").chmod(0o600)
    (directory / "env.sh").write_text("export MINE=1\n")
    (directory / "config.json").write_text("{}")
    wait(directory)
    result = run(bundle(directory))
    kept = {pathlib.Path(path).name.split(".")[0]: pathlib.Path(path) for path in result["bundles"][0]["backup_files"]}
    assert set(kept) == {"ca", "cert", "env"}
    assert not [path for path in directory.rglob("*") if path.is_file() and foreign.key_pem in path.read_bytes()]
    assert f"The private key in {directory}/key.pem was another authority's" in str(result["warnings"])
    assert kept["cert"].read_text() == foreign.pem
    assert kept["ca"].read_text() == OTHERS.pem
    assert mode(kept["env"]) == 0o600
    assert kept["cert"].name.endswith("Z.bak")
    assert (directory / "config.json").read_text() == "{}"
    assert str(kept["cert"]) in str(result["warnings"])
    assert not run(bundle(directory))["changed"]


def test_key_of_a_former_access_group_is_not_kept(directory: pathlib.Path) -> None:
    """It would open what that group opens, until its certificate ends."""
    former = client(made.authority("client", unit="ops-g1", number=3), number=5)
    installed(directory, former)
    wait(directory)
    run(bundle(directory))
    assert not [path for path in directory.rglob("*") if path.is_file() and former.key_pem in path.read_bytes()]


def test_client_of_a_group_with_another_issuer_is_replaced_without_a_backup(directory: pathlib.Path) -> None:
    installed(directory)
    moved = client(OTHERS, number=5)
    wait(directory, moved)
    result = run(bundle(directory, moved))
    assert result["bundles"][0]["backup_files"] == []
    assert result["warnings"] == []


def test_certificate_of_another_person_in_a_bundle_is_kept_beside(directory: pathlib.Path) -> None:
    installed(directory)
    (directory / "cert.pem").write_text(made.leaf(OTHERS, "client", common_name="somebody").pem)
    renewed = client(number=3)
    wait(directory, renewed)
    (kept,) = run(bundle(directory, renewed))["bundles"][0]["backup_files"]
    assert pathlib.Path(kept).name.startswith("cert.pem.")


@pytest.mark.parametrize("name", ["key.pem", "cert.pem"])
def test_nonsense_in_the_way_is_kept_beside(directory: pathlib.Path, name: str) -> None:
    wait(directory)
    (directory / name).write_text("nonsense")
    result = run(bundle(directory))
    assert [pathlib.Path(path).read_text() for path in result["bundles"][0]["backup_files"]] == ["nonsense"]


def test_directory_in_the_way_of_a_file_is_moved_aside(directory: pathlib.Path) -> None:
    wait(directory)
    (directory / "ca.pem" / "inside").mkdir(parents=True)
    result = run(bundle(directory))
    assert len(result["bundles"][0]["backup_files"]) == 1
    assert (directory / "ca.pem").read_text() == SERVERS.pem


@pytest.mark.parametrize(
    ("name", "loose"), [("key.pem", 0o644), ("cert.pem", 0o600), ("ca.pem", 0o666), ("env.sh", 0o644), (".", 0o755)]
)
def test_insecure_permissions_are_put_right(directory: pathlib.Path, name: str, loose: int) -> None:
    installed(directory)
    before = {**tree(directory), ".": (0o700, b"")}
    (directory / name).chmod(loose)
    check = run(bundle(directory, None), check=True)
    assert check["bundles"][0]["reasons"] == ["permissions-changed"]
    assert mode(directory / name) == loose
    result = run(bundle(directory, None), diff=True)
    assert result["bundles"][0]["reasons"] == ["permissions-changed"]
    assert result["plan"] == [f"client portainer: bundle in {directory} (permissions-changed)"]
    assert mode(directory / name) == before[name][0]
    assert {**tree(directory), ".": (0o700, b"")} == before
    assert not run(bundle(directory, None))["changed"]


def test_run_that_was_cut_off_before_the_key_was_tidied_leaves_nothing_behind(directory: pathlib.Path) -> None:
    installed(directory)
    wait(directory)
    (directory / "cert.pem").unlink()
    run(bundle(directory))
    assert sorted(tree(directory)) == ["ca.pem", "cert.pem", "env.sh", "key.pem"]


def test_waiting_key_of_something_else_stays(directory: pathlib.Path) -> None:
    installed(directory)
    wait(directory, client(number=9))
    assert not run(bundle(directory))["changed"]
    assert (directory / "key.pem.new").exists()


@pytest.mark.parametrize(
    ("prepare", "changes", "code"),
    [
        pytest.param(
            lambda directory: wait(directory, client(number=9)), {}, "key-mismatch", id="waiting-key-of-another"
        ),
        pytest.param(lambda directory: directory.mkdir(), {}, "key-mismatch", id="no-key-at-all"),
        pytest.param(lambda _directory: None, {}, "key-mismatch", id="no-directory"),
        pytest.param(
            lambda directory: (wait(directory), (directory / "key.pem.new").chmod(0o644)),
            {},
            "key-mismatch",
            id="waiting-key-open-to-others",
        ),
        pytest.param(
            lambda directory: (installed(directory), (directory / "key.pem").unlink()),
            {"certificate_content": ""},
            "key-mismatch",
            id="kept-certificate-lost-its-key",
        ),
        pytest.param(wait, {"certificate_content": ""}, "certificate-missing", id="nothing-to-keep"),
        pytest.param(wait, {"ca_content": ""}, "certificate-missing", id="no-ca-to-keep"),
        pytest.param(wait, {"certificate_content": "x"}, "certificate-unreadable", id="certificate-nonsense"),
        pytest.param(wait, {"ca_content": "x"}, "certificate-unreadable", id="ca-nonsense"),
        pytest.param(
            wait,
            {"certificate_content": made.leaf(SERVERS, key=CLIENT.key).pem},
            "issued-certificate-wrong",
            id="server-certificate",
        ),
        pytest.param(wait, {"docker_host": "docker1"}, "docker-host-invalid", id="docker-host"),
        pytest.param(wait, {"owner": "no-such-user"}, "user-unknown", id="user"),
        pytest.param(wait, {"directory": "portainer"}, "path-invalid", id="relative-directory"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    directory: pathlib.Path, prepare: t.Callable[[pathlib.Path], object], changes: dict[str, t.Any], code: str
) -> None:
    prepare(directory)
    before = tree(directory) if directory.exists() else None
    result = run(bundle(directory, **changes))
    assert result["failed"]
    assert result["code"] == code
    assert (tree(directory) if directory.exists() else None) == before


@pytest.mark.parametrize("same", ["id", "directory"])
def test_two_bundles_in_one_place_are_refused(tmp_path: pathlib.Path, same: str) -> None:
    first, second = bundle(tmp_path / "a"), bundle(tmp_path / "b", id="second")
    second[same] = first[same]
    result = run(first, second)
    assert result["code"] == "bundle-duplicate"
    assert f"the same {same}" in result["msg"]


def test_check_mode_on_a_clean_machine_predicts_all(directory: pathlib.Path) -> None:
    result = run(bundle(directory, None), check=True, diff=True)
    assert result["changed"]
    assert result["bundles"][0]["reasons"] == ["directory-missing", *ALL_NEW]
    assert result["bundles"][0]["certificate"] is None
    assert not directory.exists()
    assert result["diff"] == [
        {"prepared": f"client portainer: new bundle in {directory} ({', '.join(['directory-missing', *ALL_NEW])})\n"}
    ]


def test_check_mode_before_the_authority_exists_predicts(directory: pathlib.Path) -> None:
    result = run(bundle(directory, None, ca_content=""), check=True)
    assert result["changed"]
    assert not directory.exists()


def test_check_mode_with_nonsense_in_place_predicts(directory: pathlib.Path) -> None:
    installed(directory)
    (directory / "cert.pem").chmod(0o644)
    (directory / "cert.pem").write_text("nonsense")
    result = run(bundle(directory, None), check=True, diff=True)
    assert result["bundles"][0]["certificate"] is None


def test_diff_says_until_when_and_never_shows_a_key(directory: pathlib.Path) -> None:
    wait(directory)
    result = run(bundle(directory), diff=True)
    end = result["bundles"][0]["certificate"]["not_after"][:10]
    assert result["diff"][0]["prepared"] == (
        f"client portainer: bundle in {directory}, certificate until {end} ({', '.join(ALL_NEW)})\n"
    )
    assert "dirname:" not in str(result["diff"])
    assert "PRIVATE KEY" not in str(result)


def test_thing_in_the_way_that_cannot_be_moved_is_named(
    directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait(directory)
    (directory / "ca.pem").mkdir()

    def fail(*_arguments: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "replace", fail)
    result = run(bundle(directory))
    assert result["code"] == "file-unwritable"
    assert str(directory / "ca.pem") in result["msg"]
    assert not (directory / "key.pem").exists()


def leaving(place: pathlib.Path, name: str = "portainer") -> dict[str, t.Any]:
    return {"id": name, "state": "absent", "common_name": name, "directory": str(place), "owner": None}


def test_bundle_of_a_revoked_client_is_removed_once(directory: pathlib.Path) -> None:
    wait(directory)
    run_module(certificate_bundles, {"bundles": [bundle(directory)]})
    foretold = run_module(certificate_bundles, {"bundles": [leaving(directory)]}, check=True, diff=True)
    assert foretold["changed"] and (directory / "key.pem").exists()
    assert foretold["plan"] == [f"client portainer: bundle in {directory} removed (client-revoked)"]
    done = run_module(certificate_bundles, {"bundles": [leaving(directory)]})
    assert (done["changed"], done["bundles"][0]["reasons"]) == (True, ["client-revoked"])
    assert not directory.exists()
    assert not run_module(certificate_bundles, {"bundles": [leaving(directory)]})["changed"]


def test_directory_for_the_files_of_all_users_is_refused_and_keeps_its_mode(tmp_path: pathlib.Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    result = run(bundle(shared))
    assert (result["code"], mode(shared)) == ("directory-unusable", 0o1777)
    assert list(shared.iterdir()) == []


def test_bundle_that_is_the_only_record_of_a_certificate_is_kept(directory: pathlib.Path) -> None:
    wait(directory)
    run_module(certificate_bundles, {"bundles": [bundle(directory)]})
    kept = run_module(
        certificate_bundles, {"bundles": [{**leaving(directory), "keep_if_issued_by": OTHERS.pem + CLIENTS.pem}]}
    )
    assert (kept["changed"], kept["bundles"]) == (False, [])
    (only,) = records.returned("certificate_bundles", kept)["unrecorded"]
    assert (only["id"], only["directory"]) == ("portainer", str(directory))
    assert (directory / "key.pem").exists()
    foreign = run_module(certificate_bundles, {"bundles": [{**leaving(directory), "keep_if_issued_by": CLIENTS_2.pem}]})
    assert (foreign["changed"], foreign["unrecorded"], directory.exists()) == (True, [], False)


def test_bundle_of_somebody_else_in_the_same_place_stays(directory: pathlib.Path) -> None:
    wait(directory)
    run_module(certificate_bundles, {"bundles": [bundle(directory)]})
    assert not run_module(certificate_bundles, {"bundles": [leaving(directory, "bob")]})["changed"]
    assert (directory / "key.pem").exists()


def test_directory_of_a_revoked_client_keeps_what_is_not_ours(directory: pathlib.Path) -> None:
    wait(directory)
    run_module(certificate_bundles, {"bundles": [bundle(directory)]})
    (directory / "config.json").write_text("{}")
    (directory / "portainer.p12").write_text("ours")
    (directory / ".formats.json").write_text('{"files": ["portainer.p12"]}')
    run_module(certificate_bundles, {"bundles": [leaving(directory)]})
    assert [path.name for path in directory.iterdir()] == ["config.json"]
