# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host had before the first run comes back: another tool's files, a dockerd with TCP only, one that did not run."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import types
import typing as t

import pytest
from test_endpoint import SERVER, Bench

from ansible_collections.portcullis.docker_tls.plugins.module_utils._argument_specs import ENDPOINT_OPTIONS
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import (
    certificate_store,
    entry,
    journal,
    rollback_guard,
    verify_local,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import compat
from support.ca.certificates import leaf, private_key
from support.hosts.machine import install
from support.hosts.world import ADDRESS, UNIT, Effects, World

NAMES = ("ca.pem", "server-cert.pem", "server-key.pem")


@pytest.fixture
def bench(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    world = World(tmp_path / "host").build()
    return Bench(world, install(monkeypatch, world, Effects()))


def listing(directory: pathlib.Path) -> dict[str, t.Any]:
    """Return bytes or target, mode, owner and time of all that is in a directory, and of the directory."""
    found: dict[str, t.Any] = {}
    for path in (directory, *sorted(directory.rglob("*"))):
        status = path.lstat()
        text = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        time = status.st_mtime_ns if path.is_file() and not path.is_symlink() else 0
        found[str(path.relative_to(directory))] = (text, status.st_mode, status.st_uid, status.st_gid, time)
    return found


def other_tool(bench: Bench, *, settings: dict[str, t.Any] | None = None) -> pathlib.Path:
    """Give the host another tool's TLS files in our directory, one of them a link, and a daemon.json that names them."""
    place = bench.world.certificates
    place.mkdir()
    place.chmod(0o751)
    pair = leaf(SERVER, subject_names=("old.example.org",), key=private_key("ecdsa-p256", 8))
    elsewhere = bench.world.config.parent / "other-tool.pem"
    elsewhere.write_text(pair.pem)
    (place / "server-cert.pem").symlink_to("../other-tool.pem")
    (place / "server-key.pem").write_bytes(pair.key_pem)
    (place / "server-key.pem").chmod(0o440)
    (place / "ca.pem").write_text(SERVER.pem)
    (place / "ca.pem").chmod(0o664)
    (place / "other.pem").write_text("of the other tool")
    os.utime(place / "ca.pem", (1_500_000_000, 1_500_000_000))
    keys = dict(zip(("tlscacert", "tlscert", "tlskey"), (str(place / name) for name in NAMES)))
    bench.world.config.write_text(json.dumps({"tls": True, "tlsverify": True, **keys, **(settings or {})}))
    bench.world.boot()
    assert bench.world.process is not None
    return place


def adopted(bench: Bench) -> dict[str, t.Any]:
    return bench.secure(existing_settings="adopt")


def test_files_of_another_tool_come_back_with_absent_after_renewals(bench: Bench) -> None:
    place = other_tool(bench)
    before, config = listing(place), bench.world.config.read_bytes()
    adopted(bench)
    for number in (6, 7, 9, 6):
        bench.run(certificate=bench.issue(number))
    bench.issue(7)  # a key that waits for its certificate
    planned = bench.run(state="absent", check_mode=True)
    gone = bench.run(state="absent")
    assert gone["reasons"] == ["endpoint-unwanted", "certificates-given-back", "staged-key-unwanted"]
    assert (planned["reasons"], planned["diff"]) == (gone["reasons"], gone["diff"])
    assert listing(place) == before
    assert bench.world.config.read_bytes() == config
    process = bench.world.process
    assert process is not None
    assert process.fingerprint == gone["endpoint"]["certificate"]["fingerprint_sha256"]
    assert not bench.run(state="absent")["changed"]


def test_check_mode_of_absent_touches_no_file(bench: Bench) -> None:
    place = other_tool(bench)
    adopted(bench)
    before = listing(place)
    assert bench.run(state="absent", check_mode=True)["changed"]
    assert listing(place) == before


def test_files_come_back_each_time_that_they_were_adopted(bench: Bench) -> None:
    place = other_tool(bench)
    before = listing(place)
    for number in (5, 6):
        bench.run(certificate=bench.issue(number), existing_settings="adopt")
        bench.run(state="absent")
        assert listing(place) == before


def test_first_run_rolled_back_gives_the_files_back_too(bench: Bench) -> None:
    place = other_tool(bench)
    before = listing(place)
    adopted(bench)
    bench.run(state="rolled_back")
    assert listing(place) == before
    assert not bench.run(state="rolled_back")["changed"]
    assert bench.run(state="absent")["reasons"] == ["record-unwanted"]
    assert listing(place) == before
    assert not (bench.world.state / "record.json").exists()


def test_second_change_rolled_back_keeps_the_files_for_later(bench: Bench) -> None:
    place = other_tool(bench)
    before = listing(place)
    adopted(bench)
    bench.run(certificate=bench.issue(6))
    bench.run(state="rolled_back")
    assert bench.values()["tlscacert"].endswith("client-ca.pem")
    bench.run(state="absent")
    assert listing(place) == before


def test_failed_first_run_leaves_the_files_as_they_were(bench: Bench) -> None:
    place = other_tool(bench)
    before = listing(place)
    certificate = bench.issue()
    bench.world.problems = {"unverified"}
    with pytest.raises(TlsError, match="as it was before"):
        bench.run(certificate=certificate, existing_settings="adopt")
    bench.world.problems = set()
    assert bench.run(state="absent")["reasons"] == ["staged-key-unwanted"]
    assert listing(place) == before


def test_failed_absent_keeps_our_endpoint_and_their_files(bench: Bench) -> None:
    place = other_tool(bench)
    before = listing(place)
    adopted(bench)
    ours = bench.values()
    bench.world.problems = {"unverified"}
    with pytest.raises(TlsError, match="as it was before"):
        bench.run(state="absent")
    bench.world.problems = set()
    assert bench.values() == ours
    assert not bench.run()["changed"]
    bench.run(state="absent")
    assert listing(place) == before


def test_file_that_somebody_put_in_the_place_of_ours_is_put_aside(bench: Bench) -> None:
    place = other_tool(bench)
    before = listing(place)
    adopted(bench)
    later = leaf(SERVER, subject_names=("later.example.org",), key=private_key("ecdsa-p256", 8)).pem
    (place / "server-cert.pem").unlink()
    (place / "server-cert.pem").write_text(later)
    gone = bench.run(state="absent")
    assert [one for one in gone["warnings"] if "server-cert.pem" in one and ".docker-tls-saved" in one]
    found = listing(place)
    assert found.pop("server-cert.pem.docker-tls-saved")[0] == later.encode()
    assert found == before


def test_file_that_was_taken_over_in_a_later_run_is_put_aside(bench: Bench) -> None:
    place = other_tool(bench)
    before = listing(place)
    adopted(bench)
    (place / "ca.pem").unlink()
    (place / "ca.pem").write_text(SERVER.pem + "\n# of a backup\n")
    for number in (6, 7, 9):
        bench.run(certificate=bench.issue(number))
    gone = bench.run(state="absent")
    assert [one for one in gone["warnings"] if "ca.pem" in one]
    found = listing(place)
    assert b"of a backup" in found.pop("ca.pem.docker-tls-saved")[0]
    assert found == before


def test_files_that_only_the_certificates_role_took_over_come_back_without_a_restart(bench: Bench) -> None:
    """Nothing that dockerd reads differs; also where its local socket is lost, a running Docker is not stopped for that."""
    place = other_tool(bench)
    before = listing(place)
    certificate_store.activate(str(place), certificate_store.prepare(str(place), {}))
    assert (place / "ca.pem").is_symlink()
    bench.world.socket_owner = "dockerd"
    process = bench.world.process
    gone = bench.run(state="absent")
    assert (gone["reasons"], gone["restarted"]) == (["certificates-given-back"], False)
    assert listing(place) == before
    assert bench.world.process is process


def test_failed_absent_keeps_a_file_that_somebody_put_in_the_place_of_ours(bench: Bench) -> None:
    place = other_tool(bench)
    adopted(bench)
    theirs = SERVER.pem + "# theirs\n"
    (place / "ca.pem").unlink()
    (place / "ca.pem").write_text(theirs)
    ours = {name: (place / name).read_bytes() for name in ("client-ca.pem", "server-cert.pem", "server-key.pem")}
    bench.world.problems = {"unverified"}
    with pytest.raises(TlsError, match="as it was before"):
        bench.run(state="absent")
    assert (place / "ca.pem").read_text() == theirs
    assert {name: (place / name).read_bytes() for name in ours} == ours


def test_link_whose_target_is_gone_becomes_a_file_with_the_same_bytes(bench: Bench) -> None:
    place = other_tool(bench)
    data = (place / "server-cert.pem").read_bytes()
    adopted(bench)
    (bench.world.config.parent / "other-tool.pem").unlink()
    bench.run(state="absent")
    assert not (place / "server-cert.pem").is_symlink()
    assert (place / "server-cert.pem").read_bytes() == data


def test_link_whose_target_was_renewed_is_the_link_again(bench: Bench) -> None:
    place = other_tool(bench)
    adopted(bench)
    renewed = leaf(SERVER, subject_names=("renewed.example.org",), key=private_key("ecdsa-p256", 8))
    (bench.world.config.parent / "other-tool.pem").write_text(renewed.pem)
    gone = bench.run(state="absent")
    assert os.readlink(place / "server-cert.pem") == "../other-tool.pem"
    assert gone["endpoint"]["certificate"]["fingerprint_sha256"] == renewed.view.fingerprint_sha256


def test_directory_with_other_files_has_its_mode_again_and_our_certificates_stay(bench: Bench) -> None:
    place = bench.world.certificates
    place.mkdir()
    place.chmod(0o755)
    (place / "notes.txt").write_text("of somebody")
    bench.secure()
    assert place.stat().st_mode & 0o777 == 0o700
    bench.run(certificate=bench.issue(6))
    bench.run(state="absent")
    assert place.stat().st_mode & 0o777 == 0o755
    assert (place / "server-cert.pem").exists()
    assert (place / "notes.txt").exists()


@pytest.mark.parametrize("asked", ["certs", "certs-2", "certs-3"])
def test_files_come_back_whatever_directory_later_runs_name(bench: Bench, asked: str) -> None:
    place = other_tool(bench)
    before, config = listing(place), bench.world.config.read_bytes()
    adopted(bench)
    second = place.with_name("certs-2")
    second.mkdir(mode=0o700)
    certificate = bench.issue(6)
    (place / "server-key.pem.new").rename(second / "server-key.pem.new")
    bench.run(certificate=certificate, directory=str(second))
    gone = bench.run(state="absent", directory=str(place.with_name(asked)))
    assert "certificates-given-back" in gone["reasons"]
    assert listing(place) == before
    assert bench.world.config.read_bytes() == config
    assert not bench.run(state="absent", directory=str(place.with_name(asked)))["changed"]


def test_files_that_were_given_up_by_name_do_not_come_back(bench: Bench) -> None:
    """docs/adopt.md: the directory that holds them is removed."""
    place = other_tool(bench)
    config = bench.world.config.read_bytes()
    adopted(bench)
    bench.run(certificate=bench.issue(6))
    (note,) = place.glob("revision-*/adopted.json")
    shutil.rmtree(note.parent)
    assert bench.run(state="absent")["reasons"] == ["endpoint-unwanted"]
    assert bench.world.config.read_bytes() == config
    assert (place / "server-cert.pem").resolve().parent.name.startswith("revision-")


def test_staged_key_alone_goes_without_a_restart_and_with_the_directory(bench: Bench) -> None:
    bench.issue()
    planned = bench.run(state="absent", check_mode=True)
    assert (planned["changed"], planned["reasons"]) == (True, ["staged-key-unwanted"])
    assert bench.world.certificates.exists()
    gone = bench.run(state="absent")
    assert (gone["changed"], gone["restarted"], gone["restart_needed"]) == (True, False, False)
    assert gone["plan"] == ["leftovers of an unfinished run are removed, Docker is not touched (staged-key-unwanted)"]
    assert not bench.world.certificates.exists()
    assert not bench.run(state="absent")["changed"]


# A host with TCP only


def only_tcp(bench: Bench, port: int = 4243) -> None:
    (bench.world.root / "lib/docker.service").write_text(UNIT.replace("-H fd://", f"-H tcp://127.0.0.1:{port}"))
    bench.world.boot()
    assert not bench.world.answers_locally
    assert bench.world.tcp


@pytest.mark.parametrize("state", ["absent", "rolled_back"])
def test_host_with_only_tcp_is_given_back_by_one_restart(bench: Bench, state: str) -> None:
    only_tcp(bench)
    bench.secure(existing_settings="adopt")
    assert bench.world.answers_locally
    restarts, clock = bench.world.restarts, bench.world.clock
    bench.run(state=state)
    assert bench.world.restarts == restarts + 1
    assert bench.world.clock - clock < 10
    assert bench.world.tcp == ("127.0.0.1:4243",)


def test_failed_change_of_a_host_with_only_tcp_is_rolled_back_by_one_restart(bench: Bench) -> None:
    only_tcp(bench)
    certificate, before = bench.issue(), bench.world.snapshot()
    bench.world.problems = {"unverified"}
    clock = bench.world.clock
    with pytest.raises(TlsError, match="Everything is as it was before, the old dockerd was started again"):
        bench.run(certificate=certificate, existing_settings="adopt")
    assert bench.world.restarts == 2
    assert bench.world.clock - clock < 10
    assert bench.world.snapshot() == before


def test_timer_of_a_host_with_only_tcp_ends_at_once_and_well(bench: Bench) -> None:
    only_tcp(bench)
    bench.secure(existing_settings="adopt", confirm_timeout=60)
    restarts, clock = bench.world.restarts, bench.world.clock
    settle(bench)
    assert bench.world.restarts == restarts + 1
    assert bench.world.clock - clock < 10
    assert bench.world.tcp == ("127.0.0.1:4243",)
    assert not bench.world.timer


def settle(bench: Bench) -> None:
    """Do what the timer does when the time is up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollback_guard, "Machine", lambda *_arguments: bench.machine)
        rollback_guard.settle(journal.StateDirectory(str(bench.world.state)), timer=True)


def test_timer_is_disarmed_also_when_the_old_dockerd_does_not_start(bench: Bench) -> None:
    bench.secure(confirm_timeout=60)
    bench.world.problems = {"dies"}
    with pytest.raises(TlsError, match="former configuration is back"):
        settle(bench)
    assert not bench.world.timer


def test_verification_of_a_dockerd_that_cannot_be_asked_is_that_it_listens() -> None:
    machine = types.SimpleNamespace(ping=lambda: "", engine_version=lambda: None, engine=lambda: None)
    assert verify_local.check_local_socket(t.cast("t.Any", machine)).passed
    machine.engine = lambda: "one that does not answer"
    assert not verify_local.check_local_socket(t.cast("t.Any", machine)).passed


# Docker that did not run before


def fails(bench: Bench) -> None:
    """Somebody's setting keeps dockerd from starting."""
    bench.world.config.write_text('{"hosts": ["fd://"]}')  # beside -H fd:// of the unit
    bench.world.crash()
    assert bench.world.failed


def test_docker_that_had_failed_before_is_not_said_to_be_started_again(bench: Bench) -> None:
    fails(bench)
    certificate = bench.issue()
    bench.world.problems = {"dies"}
    with pytest.raises(TlsError) as caught:
        bench.run(certificate=certificate, existing_settings="adopt")
    message = caught.value.message
    assert "Docker had failed before this change already, and fails with it" in message
    assert "as it was before" not in message
    assert "started again" not in message
    assert "journalctl -u docker" in caught.value.hint
    assert caught.value.code == "daemon-start-failed"
    assert bench.world.restarts == 2


def test_docker_that_had_failed_before_is_not_touched_where_nothing_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(bench)
    certificate = bench.issue()
    monkeypatch.setattr(bench.machine, "daemon_reload", refuse_once(bench.machine.daemon_reload))
    with pytest.raises(TlsError, match="Docker had failed before this change already, and was not touched"):
        bench.run(certificate=certificate, existing_settings="adopt")
    assert bench.world.restarts == 0


def test_docker_that_had_failed_and_starts_with_its_former_settings_is_said_to_run(bench: Bench) -> None:
    bench.world.problems = {"dies"}
    bench.world.crash()
    assert bench.world.failed
    bench.world.problems = {"unverified"}
    with pytest.raises(TlsError, match="had failed before this change, and runs with it now"):
        bench.secure()
    assert bench.world.answers_locally


def test_docker_that_was_stopped_is_stopped_after_a_failed_change(bench: Bench) -> None:
    certificate = bench.issue()
    bench.world.end()
    bench.world.problems = {"unverified"}
    with pytest.raises(TlsError, match="as it was before: Docker was stopped then, and is stopped"):
        bench.run(certificate=certificate)
    assert bench.world.process is None
    assert not bench.world.config.exists()


def test_absent_is_done_where_docker_had_failed_before_and_says_that_it_still_fails(bench: Bench) -> None:
    bench.world.config.write_text('{"debug": true}')
    bench.secure()
    bench.world.problems = {"dies"}
    bench.world.crash()
    gone = bench.run(state="absent")
    assert [one for one in gone["warnings"] if "Docker had failed before the endpoint was removed" in one]
    assert bench.world.config.read_text() == '{"debug": true}'
    assert not bench.run(state="absent")["changed"]


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_absent_leaves_a_docker_stopped_that_somebody_has_stopped(bench: Bench, listener: str) -> None:
    bench.secure(listener=listener)
    bench.world.end()
    gone = bench.run(state="absent")
    assert (gone["changed"], gone["restarted"]) == (True, False)
    assert bench.world.process is None
    assert bench.world.socket_listens == ()
    bench.world.start()
    assert bench.world.answers_locally
    assert not bench.world.tcp


def refuse_once(real: t.Callable[[], None]) -> t.Callable[[], None]:
    calls: list[int] = []

    def called() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise TlsError("systemd does not answer", hint="Look.", code="systemd-command-failed")
        real()

    return called


def test_absent_on_a_host_with_an_address_of_ours_and_nothing_else_is_as_it_should_be(bench: Bench) -> None:
    bench.world.config.write_text(json.dumps({"hosts": ["fd://", f"tcp://{ADDRESS}:2375"]}))
    assert not bench.run(state="absent")["changed"]


# Without the library


@pytest.mark.parametrize(
    ("state", "needed"), [("absent", False), ("confirmed", False), ("present", True), ("rolled_back", True)]
)
def test_giving_back_needs_no_library(bench: Bench, monkeypatch: pytest.MonkeyPatch, state: str, needed: bool) -> None:
    problem = TlsError("no library", hint="Install it.", code="cryptography-missing")
    monkeypatch.setattr(compat, "library_problem", lambda: problem)
    monkeypatch.setattr(entry, "require_root", lambda _purpose: None)
    monkeypatch.setattr(entry, "Machine", lambda _systemd: bench.machine)
    monkeypatch.setattr(entry, "StateDirectory", lambda _path: journal.StateDirectory(str(bench.world.state)))
    given = {name: option.get("default") for name, option in ENDPOINT_OPTIONS.items()}
    options = {
        **given,
        "state": state,
        "directory": str(bench.world.certificates),
        "config_path": str(bench.world.config),
    }
    result = entry.run({"options": options, "check_mode": False})
    assert result.get("code") == ("cryptography-missing" if needed else None)
    assert needed or not result["changed"]
