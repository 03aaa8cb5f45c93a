# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run decides, and why, on a host in memory: from the options to the report."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import endpoint, journal
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.plan import Options, parse_time
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.rollback import roll_back
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ca.certificates import NOW, authority, leaf, private_key
from support.hosts.machine import DOCKERD, FakeMachine, install
from support.hosts.world import ADDRESS, UNIT, Effects, World

SERVER = authority("server")
CLIENTS = authority("client", number=1)
OTHERS = authority("client", unit="others-g1", number=2)


class Bench:
    """A world, and runs on it."""

    def __init__(self, world: World, machine: FakeMachine) -> None:
        self.world = world
        self.machine = machine

    def run(self, *, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
        values: dict[str, t.Any] = {
            "listen": (f"{ADDRESS}:2376",),
            "directory": str(self.world.certificates),
            "config_path": str(self.world.config),
            "ca": SERVER.pem,
            "client_ca": CLIENTS.pem,
            **changes,
        }
        state = journal.StateDirectory(str(self.world.state))
        return endpoint.run(Options(**values), t.cast("t.Any", self.machine), state, NOW, check_mode=check_mode)

    def inspect(self, **changes: t.Any) -> tuple[bool, tuple[str, ...]]:
        """Return whether the host has nothing to do, and why not."""
        values = {"listen": (f"{ADDRESS}:2376",), "directory": str(self.world.certificates), **changes}
        options = Options(config_path=str(self.world.config), ca=SERVER.pem, client_ca=CLIENTS.pem, **values)
        state = journal.StateDirectory(str(self.world.state))
        found = endpoint.is_current(options, t.cast("t.Any", self.machine), state, NOW)
        return found.current, found.reasons

    def issue(self, number: int = 5) -> str:
        """Lay a new key beside the live one and return its certificate."""
        pair = leaf(SERVER, subject_names=(ADDRESS, "localhost"), key=private_key("ecdsa-p256", number))
        self.world.certificates.mkdir(mode=0o700, exist_ok=True)
        (self.world.certificates / "server-key.pem.new").write_bytes(pair.key_pem)
        return pair.pem

    def secure(self, **changes: t.Any) -> dict[str, t.Any]:
        return self.run(certificate=self.issue(), **changes)

    def values(self) -> dict[str, t.Any]:
        values: dict[str, t.Any] = json.loads(self.world.config.read_text())
        return values


@pytest.fixture
def bench(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    world = World(tmp_path / "host").build()
    return Bench(world, install(monkeypatch, world, Effects()))


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_first_check_run_names_whom_the_endpoint_would_admit(bench: Bench, listener: str) -> None:
    """There is no CA yet, so no certificate of an authority, and the groups are known all the same."""
    pending: dict[str, t.Any] = {"certificate_pending": True, "ca": "", "client_ca": ""}
    groups = (("clients", ""), ("ops", ""))
    result = bench.run(check_mode=True, listener=listener, group_authorities=groups, **pending)
    (line,) = result["plan"]
    assert "admits + clients (a new authority) + ops (a new authority), restart yes" in line
    assert "endpoint-new" in line
    assert not bench.world.state.exists() and bench.world.restarts == 0


def test_first_run_writes_the_whole_endpoint(bench: Bench) -> None:
    result = bench.secure()
    directory = bench.world.certificates
    assert bench.values() == {
        "hosts": ["fd://", f"tcp://{ADDRESS}:2376"],
        "tls": True,
        "tlsverify": True,
        "tlscacert": f"{directory}/current/client-ca.pem",
        "tlscert": f"{directory}/current/server-cert.pem",
        "tlskey": f"{directory}/current/server-key.pem",
    }
    assert result["restarted"]
    assert result["endpoint"]["listen"] == [f"{ADDRESS}:2376"]
    assert result["endpoint"]["access"] == ["CN=Docker CA,OU=client-g1"]
    assert not (directory / "server-key.pem.new").exists()


def test_second_run_changes_nothing_and_restarts_nothing(bench: Bench) -> None:
    bench.secure()
    restarts, effects = bench.world.restarts, bench.machine.effects.count
    result = bench.run()
    assert (result["changed"], result["reasons"], result["diff"]) == (False, [], [])
    assert (bench.world.restarts, bench.machine.effects.count) == (restarts, effects)


def test_check_mode_tells_the_same_and_does_nothing(bench: Bench) -> None:
    certificate = bench.issue()
    before = bench.world.snapshot()
    planned = bench.run(certificate=certificate, check_mode=True)
    assert bench.machine.effects.count == 1  # the test's own directory
    assert bench.world.snapshot() == before
    done = bench.run(certificate=certificate)
    for name in ("changed", "reasons", "diff", "restart_needed", "containers_stopped"):
        assert planned[name] == done[name], name


def test_check_mode_on_a_clean_host_awaits_the_certificate(bench: Bench) -> None:
    result = bench.run(check_mode=True)
    assert result["reasons"][0] == "certificate-pending"
    assert result["restart_needed"]
    assert result["endpoint"]["certificate"] is None


def test_missing_certificate_outside_check_mode_is_an_error(bench: Bench) -> None:
    with pytest.raises(TlsError, match="certificate is missing"):
        bench.run()
    assert not bench.world.state.exists()


def test_key_that_someone_exchanged_is_an_error_though_nothing_is_to_be_changed(bench: Bench) -> None:
    """dockerd reads its files only when it starts: the running one still serves, the next would not come up."""
    bench.secure()
    key = (bench.world.certificates / "server-key.pem").resolve()
    key.chmod(0o600)
    key.write_bytes(leaf(SERVER, key=private_key("ecdsa-p256", 6)).key_pem)
    key.chmod(0o400)
    with pytest.raises(TlsError, match="does not belong to the server certificate"):
        bench.run()


def edit(**settings: t.Any) -> t.Callable[[Bench], None]:
    def change(bench: Bench) -> None:
        bench.world.config.write_text(json.dumps({**bench.values(), **settings}))

    return change


def edit_dropin(bench: Bench) -> None:
    path = bench.world.units / "docker.service.d/zz-docker-tls.conf"
    path.write_text(path.read_text() + "# edited\n")


def upgrade_docker(bench: Bench) -> None:
    (bench.world.root / "lib/docker.service").write_text(UNIT.replace("-H fd://", "-H fd:// --init"))


def stop_docker(bench: Bench) -> None:
    bench.world.end()


def exchange_certificate_behind_our_back(bench: Bench) -> None:
    process = bench.world.process
    if process is not None:
        process.fingerprint = "00" * 32


def open_directory(bench: Bench) -> None:
    bench.world.certificates.chmod(0o755)


@pytest.mark.parametrize(
    ("happens", "options", "reasons", "restarts"),
    [
        (None, {"client_ca": CLIENTS.pem + OTHERS.pem}, ["anchors-changed"], 1),
        (None, {"ca": SERVER.pem + OTHERS.pem}, ["authority-changed"], 0),
        (None, {"listen": ("127.0.0.1:2376",)}, ["listen-changed", "dropin-changed"], 1),
        (None, {"live_restore": "enable"}, ["live-restore-changed"], 0),
        (edit(**{"log-driver": "journald"}), {}, [], 0),
        (edit(tlsverify=False), {"existing_settings": "adopt"}, ["daemon-json-changed"], 1),
        (edit_dropin, {}, ["dropin-changed"], 1),
        (upgrade_docker, {}, ["unit-changed"], 1),
        (stop_docker, {}, ["daemon-not-running"], 1),
        (exchange_certificate_behind_our_back, {}, ["running-daemon-outdated"], 1),
        (open_directory, {}, ["directory-mode-changed"], 0),
    ],
    ids=[
        "a-group-more",
        "authority-for-clients",
        "other-address",
        "live-restore",
        "foreign-setting",
        "tls-switched-off",
        "dropin-edited",
        "package-upgrade",
        "docker-stopped",
        "not-restarted",
        "directory-open",
    ],
)
def test_change_has_its_reason_and_the_restarts_it_needs(
    bench: Bench,
    happens: t.Callable[[Bench], None] | None,
    options: dict[str, t.Any],
    reasons: list[str],
    restarts: int,
) -> None:
    bench.secure()
    before = bench.world.restarts
    if happens is not None:
        happens(bench)
    result = bench.run(**options)
    assert result["reasons"] == reasons
    assert bench.world.restarts - before == restarts
    assert bench.world.answers_locally
    assert bench.world.tcp
    assert not bench.run(**options)["changed"]


def test_setting_of_someone_else_is_refused_by_the_variable_s_name(bench: Bench) -> None:
    bench.world.config.write_text('{"hosts": ["tcp://0.0.0.0:2375"]}')
    certificate = bench.issue()
    with pytest.raises(TlsError) as caught:
        bench.run(certificate=certificate)
    assert "docker_daemon_existing_settings" in caught.value.hint
    assert bench.world.restarts == 0


def test_adopted_settings_come_back_with_absent(bench: Bench) -> None:
    text = '{"tls": false, "debug": true}'
    bench.world.config.write_text(text)
    result = bench.secure(existing_settings="adopt")
    assert [warning for warning in result["warnings"] if "tls = false" in warning], result["warnings"]
    bench.run(state="absent")
    assert bench.world.config.read_text() == text


@pytest.mark.parametrize(
    ("name", "mode", "right"),
    [("server-key.pem", 0o644, 0o400), ("server-cert.pem", 0o666, 0o444), (".", 0o755, 0o700)],
    ids=["key", "certificate", "directory"],
)
def test_modes_that_have_drifted_in_the_live_set_are_repaired_without_a_restart(
    bench: Bench, name: str, mode: int, right: int
) -> None:
    bench.secure()
    path = bench.world.certificates / "current" / name
    path.chmod(mode)
    process, restarts = bench.world.process, bench.world.restarts
    planned = bench.run(check_mode=True)
    assert (planned["changed"], planned["reasons"]) == (True, ["modes-repaired"])
    assert path.stat().st_mode & 0o7777 == mode
    result = bench.run()
    assert (result["reasons"], result["restarted"]) == (["modes-repaired"], False)
    assert path.stat().st_mode & 0o7777 == right
    assert (bench.world.process, bench.world.restarts) == (process, restarts)
    assert not bench.run()["changed"]


def test_mode_of_the_key_that_root_alone_can_use_is_left_alone(bench: Bench) -> None:
    bench.secure()
    (bench.world.certificates / "current/server-key.pem").chmod(0o600)
    assert not bench.run()["changed"]


def test_absent_keeps_what_others_have_written_since(bench: Bench) -> None:
    bench.world.config.write_text('{"debug": true}')
    bench.secure()
    edit(**{"log-driver": "journald"})(bench)
    result = bench.run(state="absent")
    assert result["reasons"] == ["endpoint-unwanted"]
    assert bench.values() == {"debug": True, "log-driver": "journald"}
    assert bench.world.answers_locally
    assert not bench.world.tcp
    assert not bench.run(state="absent")["changed"]


def test_absent_where_nothing_ever_was_leaves_no_trace(bench: Bench) -> None:
    before = sorted(bench.world.root.rglob("*"))
    assert not bench.run(state="absent")["changed"]
    assert sorted(bench.world.root.rglob("*")) == before


def test_absent_without_our_record_takes_the_endpoint_away_all_the_same(bench: Bench) -> None:
    bench.secure()
    (bench.world.state / "record.json").unlink()
    assert bench.run(state="absent")["changed"]
    assert bench.values() == {}
    assert bench.world.answers_locally


def test_rolled_back_without_an_earlier_state_is_an_error(bench: Bench) -> None:
    with pytest.raises(TlsError) as caught:
        bench.run(state="rolled_back")
    assert caught.value.code == "nothing-to-roll-back"


@pytest.mark.parametrize(("first", "second"), [("dockerd", "systemd"), ("systemd", "dockerd")])
def test_rolled_back_after_another_listener_listens_as_before(bench: Bench, first: str, second: str) -> None:
    bench.secure(listener=first)
    before = bench.world.snapshot()
    bench.run(listener=second)
    assert bench.run(state="rolled_back")["reasons"] == ["rolled-back"]
    assert bench.world.snapshot() == before
    assert bench.world.tcp == (f"{ADDRESS}:2376",)


def test_rolled_back_twice_goes_back_once(bench: Bench) -> None:
    bench.secure()
    first = bench.world.process
    bench.run(client_ca=CLIENTS.pem + OTHERS.pem)
    assert bench.run(state="rolled_back")["reasons"] == ["rolled-back"]
    assert first is not None
    assert bench.world.process is not None
    assert bench.world.process.anchors == first.anchors
    assert not bench.run(state="rolled_back")["changed"]
    assert not bench.run()["changed"]


@pytest.mark.parametrize(
    ("policy", "stopped", "warned"), [("keep", {"web"}, True), ("enable", set(), False), ("require", set(), False)]
)
def test_live_restore_decides_over_the_containers(bench: Bench, policy: str, stopped: set[str], warned: bool) -> None:
    bench.world.containers = {"web"}
    result = bench.secure(live_restore=policy)
    assert bench.world.stopped == stopped
    assert any("stopped 1 running container: web" in warning for warning in result["warnings"]) == warned
    assert result["containers_stopped"] == len(stopped)


def test_live_restore_that_was_off_is_off_after_absent(bench: Bench) -> None:
    bench.world.containers = {"web"}
    bench.secure(live_restore="enable")
    bench.run(state="absent")
    assert not bench.world.config.exists()
    assert bench.world.containers == {"web"}
    assert bench.world.process is not None
    assert not bench.world.process.live_restore


def test_unconfirmed_change_waits_and_is_confirmed_once(bench: Bench) -> None:
    assert bench.secure(confirm_timeout=60)["unconfirmed"]
    assert bench.world.timer
    waiting = bench.run(confirm_timeout=60)
    assert (waiting["changed"], waiting["unconfirmed"]) == (False, True)
    confirmed = bench.run(state="confirmed")
    assert (confirmed["changed"], confirmed["reasons"], confirmed["unconfirmed"]) == (True, ["confirmed"], False)
    assert not bench.world.timer
    assert not bench.run(state="confirmed")["changed"]
    assert not bench.run()["changed"]


def test_change_is_not_verified_until_the_controller_says_so(bench: Bench) -> None:
    """A run that ended between the change and the verification, or whose verification failed, is known to the next run."""
    made = bench.secure(verification_follows=True)
    assert (made["changed"], made["not_verified"]) == (True, True)
    for _run in ("a second run", "a third run"):
        waiting = bench.run(verification_follows=True)
        assert (waiting["changed"], waiting["not_verified"], waiting["reasons"]) == (False, True, ["not-verified"])
        assert bench.run(verification_follows=True, check_mode=True)["reasons"] == ["not-verified"]
        assert bench.inspect(verification_follows=True) == (False, ("not-verified",))
    confirmed = bench.run(state="confirmed")
    assert (confirmed["changed"], confirmed["not_verified"]) == (False, False)
    assert bench.run(verification_follows=True)["reasons"] == []
    assert bench.inspect(verification_follows=True) == (True, ())


def test_verification_that_is_due_is_no_reason_where_none_is_wanted_and_stays_due(bench: Bench) -> None:
    bench.secure(verification_follows=True)
    assert bench.run()["reasons"] == []
    assert bench.inspect() == (True, ())
    bench.secure()
    for check_mode in (True, False):
        (warning,) = bench.run(check_mode=check_mode)["warnings"]
        assert warning.startswith("the controller has not verified this endpoint since its last change")
    assert bench.run(verification_follows=True)["warnings"] == []
    assert bench.run(verification_follows=True)["reasons"] == ["not-verified"]


def test_change_that_was_rolled_back_needs_no_verification(bench: Bench) -> None:
    bench.secure(verification_follows=True)
    bench.run(state="confirmed")
    bench.world.problems.add("unverified")
    with pytest.raises(TlsError):
        bench.run(verification_follows=True, listen=(f"{ADDRESS}:2377",))
    bench.world.problems.clear()
    assert bench.run(verification_follows=True)["reasons"] == []


def test_verification_that_is_due_goes_with_the_endpoint(bench: Bench) -> None:
    bench.secure(verification_follows=True)
    bench.run(state="absent", verification_follows=True)
    assert not bench.run(state="absent", verification_follows=True)["changed"]
    assert bench.secure()["changed"]
    assert bench.run(verification_follows=True)["reasons"] == []


def test_confirmed_change_is_verified(bench: Bench) -> None:
    bench.secure(confirm_timeout=60, verification_follows=True)
    assert bench.run(confirm_timeout=60, verification_follows=True)["not_verified"]
    assert not bench.run(state="confirmed")["not_verified"]
    assert bench.run(verification_follows=True)["reasons"] == []


def test_unfinished_change_is_named_by_inspection_plan_and_run(bench: Bench) -> None:
    bench.secure(confirm_timeout=60)
    state = journal.StateDirectory(str(bench.world.state))
    left = state.read_journal()
    assert left is not None
    state.move_to(left, journal.COMMITTED)  # killed before it was tidied up
    assert bench.inspect() == (False, ("finished-interrupted-change",))
    for check_mode in (True, False):
        result = bench.run(check_mode=check_mode)
        assert result["plan"] == ["unfinished change of an earlier run (finished-interrupted-change)"]
    assert bench.inspect() == (True, ())


def test_power_failure_before_a_renewal_of_the_proxy_is_confirmed_costs_no_restart_of_dockerd(bench: Bench) -> None:
    """Only the proxy reads what was changed: the dockerd of after the boot is as good as that of before."""
    bench.secure(listener="proxy")
    before = bench.world.certificates.joinpath("server-cert.pem").read_bytes()
    assert bench.run(listener="proxy", certificate=bench.issue(6), confirm_timeout=60)["unconfirmed"]
    bench.world.boot()
    state = journal.StateDirectory(str(bench.world.state))
    left = state.read_journal()
    assert left is not None
    restarts = bench.world.restarts
    assert not roll_back(left, state, t.cast("t.Any", bench.machine)).restarted
    assert bench.world.restarts == restarts
    assert bench.world.certificates.joinpath("server-cert.pem").read_bytes() == before
    assert bench.world.proxy is not None
    assert state.read_journal() is None


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_power_failure_before_a_switch_to_the_proxy_is_confirmed_restarts_dockerd(bench: Bench, listener: str) -> None:
    bench.secure(listener=listener)
    tcp = bench.world.tcp
    assert bench.run(listener="proxy", confirm_timeout=60)["unconfirmed"]
    bench.world.boot()
    state = journal.StateDirectory(str(bench.world.state))
    left = state.read_journal()
    assert left is not None
    assert roll_back(left, state, t.cast("t.Any", bench.machine)).restarted
    assert (bench.world.proxy, bench.world.tcp) == (None, tcp)


def test_unconfirmed_change_gives_way_to_another(bench: Bench) -> None:
    bench.secure(confirm_timeout=60)
    result = bench.run(state="absent")
    assert result["reasons"] == ["recovered-unconfirmed-change", "staged-key-unwanted"]
    assert not bench.world.certificates.exists()
    assert bench.world.answers_locally
    assert not bench.world.tcp
    with pytest.raises(TlsError) as caught:
        bench.run(state="confirmed")
    assert caught.value.code == "confirmation-too-late"


def test_journal_that_cannot_be_read_stops_the_run(bench: Bench) -> None:
    bench.secure()
    (bench.world.state / "journal.json").write_text("{")
    with pytest.raises(TlsError) as caught:
        bench.run()
    assert caught.value.code == "journal-unreadable"


def test_locked_host_is_told_with_the_holder(bench: Bench) -> None:
    bench.secure()
    state = journal.StateDirectory(str(bench.world.state))
    with state.lock(), pytest.raises(TlsError, match="is locked by process") as caught:
        bench.run(lock_timeout=0)
    assert caught.value.code == "host-locked"


def test_result_never_holds_a_key(bench: Bench) -> None:
    result = json.dumps([bench.secure(), bench.run(certificate=bench.issue(6)), bench.run(state="absent")])
    kept = "".join(path.read_text() for path in bench.world.state.glob("*.json"))
    for text in (result, kept):
        assert "PRIVATE KEY" not in text


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"directory": "certs"}, "directory"),
        ({"directory": "/etc/docker/"}, "directory"),
        ({"directory": "/etc/docker/a\nExecStart=/bin/sh"}, "directory"),
        ({"config_path": "/etc/docker/a\nb.json"}, "config_path"),
        ({"service": "a\nb.service"}, "service"),
        ({"service": "docker"}, "service"),
        ({"port": 0}, r"port \(docker_daemon_port\) is '0'"),
        ({"stream_timeout": -1}, "docker_daemon_proxy_stream_timeout"),
        ({"start_timeout": 0}, "start_timeout"),
        ({"confirm_timeout": -1}, "confirm_timeout"),
    ],
)
def test_option_that_makes_no_sense_is_named(changes: dict[str, t.Any], named: str) -> None:
    with pytest.raises(TlsError, match=named) as caught:
        Options(**changes).checked()
    assert caught.value.code == "option-invalid"


@pytest.mark.parametrize("text", ["yesterday", "2026-11-22T13:00:00"])
def test_parse_time_without_a_zone_is_an_error(text: str) -> None:
    with pytest.raises(TlsError, match="controller_time"):
        parse_time(text)


def test_parse_time_reads_utc() -> None:
    assert parse_time("2026-11-22T13:00:00Z") == NOW
    assert parse_time(" ") is None


def test_port_of_the_running_dockerd_is_not_taken_after_daemon_json_was_rewritten(bench: Bench) -> None:
    """Another tool has rendered the file and not restarted Docker yet: dockerd still listens as configured at its start."""
    bench.secure()
    bench.world.config.write_text("{}")
    bench.world.others = (("::", 2376, DOCKERD),)
    assert bench.run()["reasons"][0] == "daemon-json-rewritten"


def test_port_that_dockerd_holds_for_something_else_is_taken(bench: Bench) -> None:
    bench.world.others = (("::", 2376, DOCKERD),)
    with pytest.raises(TlsError, match="port 2376 is taken on :: by dockerd"):
        bench.secure()
