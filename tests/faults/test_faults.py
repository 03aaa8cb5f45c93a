# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that can go wrong, on purpose. Afterwards the local ``docker ps`` answers and the container still runs."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from conftest import PACKAGE, Answer, Host, certificate
from support.ca.certificates import LONG_AGO, NOW, authority

WRAPPER = """\
#!/bin/sh
# A dockerd that {what} once daemon.json has TLS.
case " $* " in *" --validate "*) exec /usr/sbin/dockerd.real "$@" ;; esac
if grep -q tlsverify /etc/docker/daemon.json 2>/dev/null; then {action}; fi
exec /usr/sbin/dockerd.real "$@"
"""


def assert_untouched(host: Host, before: str, process: str) -> None:
    """The host's Docker is exactly as it was, and so is its container."""
    assert host.works(), "the local docker ps does not answer"
    assert host.settled(1)
    assert host.files() == before
    assert host.keeper() == process


def refused(host: Host, code: str, **options: object) -> Answer:
    """Run, and expect a refusal with ``code`` that changes nothing."""
    before, process = host.files(), host.keeper()
    answer = host.run(**options)
    assert answer.error.get("code") == code, answer
    assert_untouched(host, before, process)
    return answer


@pytest.mark.important
def test_wrong_key_for_the_certificate_is_refused(host: Host) -> None:
    host.issue()
    refused(host, "key-mismatch", certificate=certificate(host.address).pem)


def test_certificate_of_a_foreign_authority_is_refused(host: Host) -> None:
    foreign = authority("server", unit="foreign-g1", number=7)
    refused(host, "certificate-foreign-authority", certificate=host.issue(issuer=foreign).pem)


def test_expired_certificate_is_refused(host: Host) -> None:
    old = host.issue(begin=LONG_AGO, end=NOW - timedelta(days=300))
    refused(host, "certificate-expired", certificate=old.pem)


def test_port_taken_by_another_process_is_refused(host: Host) -> None:
    pair = host.issue()
    host.sh("systemd-run -q --unit=squatter python3 -m http.server 2376")
    time.sleep(1)
    try:
        answer = refused(host, "port-taken", certificate=pair.pem)
    finally:
        host.sh("systemctl stop squatter")
    assert "python3" in answer.error["message"]


@pytest.mark.important
def test_port_taken_at_the_last_moment_is_rolled_back(host: Host) -> None:
    before, process = host.files(), host.keeper()
    take = "systemd-run -q --unit=squatter python3 -m http.server 2376; sleep 1"
    try:
        answer = host.run(certificate=host.issue().pem, live_restore="enable", hooks={"restart": take})
    finally:
        host.sh("systemctl stop squatter")
    assert answer.error["code"] == "daemon-start-failed"
    reason = answer.error["message"].partition("Everything is as it was")[0]
    assert "0.0.0.0:2376: bind: address already in use" in reason, "dockerd's reason comes first"
    assert_untouched(host, before, process)


def test_reason_of_dockerd_for_not_starting_is_shown_whole(host: Host) -> None:
    """dockerd names each setting that is a flag as well, with both values."""
    before, process = host.files(), host.keeper()
    host.sh("cp -a /usr/sbin/dockerd /usr/sbin/dockerd.real")
    again = 'exec /usr/sbin/dockerd.real "$@" --tlsverify=false --tlscert=/a/long/path/of/a/certificate.pem'
    flags = WRAPPER.format(what="has TLS flags too", action=again)
    host.put("/usr/sbin/dockerd.sh", flags, "0755")
    answer = host.run(
        certificate=host.issue().pem,
        live_restore="enable",
        hooks={"restart": "mv /usr/sbin/dockerd.sh /usr/sbin/dockerd"},
    )
    reason = answer.error["message"].partition("Everything is as it was")[0]
    for part in (
        "specified both as a flag and in the configuration file",
        "/a/long/path/of/a/certificate.pem",
        "from file",
    ):
        assert part in reason, answer
    assert_untouched(host, before, process)


def test_missing_listen_address_is_refused(host: Host) -> None:
    refused(host, "listen-address-absent", certificate=host.issue().pem, listen=["10.99.99.99:2376"])


def test_listen_address_that_goes_away_is_rolled_back(host: Host) -> None:
    host.sh("ip address add 10.99.99.1/32 dev lo")
    before, process = host.files(), host.keeper()
    answer = host.run(
        certificate=host.issue(subject_names=("10.99.99.1",)).pem,
        listen=["10.99.99.1:2376"],
        live_restore="enable",
        hooks={"restart": "ip address del 10.99.99.1/32 dev lo"},
    )
    assert answer.error["code"] == "daemon-start-failed"
    assert "cannot assign requested address" in answer.error["message"]
    assert_untouched(host, before, process)


SMALL_DISK = (
    "cp -a /etc/docker /tmp/docker && mount -t tmpfs -o size=128k tmpfs /etc/docker && cp -a /tmp/docker/. /etc/docker/"
    " && rm -rf /tmp/docker"
)
FILL = "dd if=/dev/zero of=/etc/docker/filler bs=1k 2>/dev/null; test -s /etc/docker/filler"


@pytest.mark.important
def test_disk_full_while_staging_changes_nothing(host: Host) -> None:
    host.put("/etc/docker/daemon.json", '{"log-level": "info"}', "0640")
    pair = host.issue()
    host.sh(SMALL_DISK)
    before, process = host.files(), host.keeper()
    answer = host.run(certificate=pair.pem, live_restore="enable", hooks={"arm-guard": FILL})
    host.sh("rm /etc/docker/filler")
    assert answer.error["code"] in ("file-unwritable", "certificate-store-unusable")
    assert "No space left" in answer.error["message"]
    assert "df" in answer.error["hint"]
    assert_untouched(host, before, process)


def test_full_disk_is_refused(host: Host) -> None:
    pair = host.issue()
    host.sh(f"{SMALL_DISK}; {FILL}")
    refused(host, "file-system-full", certificate=pair.pem, live_restore="enable")
    refused(host, "file-system-full", certificate_pending=True, check_mode=True)


def test_read_only_etc_is_refused(host: Host) -> None:
    pair = host.issue()
    host.sh("mount --bind /etc /etc && mount -o remount,bind,ro /etc")
    before, process = host.files(), host.keeper()
    answers = [
        host.run(certificate=pair.pem, live_restore="enable"),
        host.run(certificate_pending=True, check_mode=True),
    ]
    host.sh("umount /etc")
    assert [answer.error["code"] for answer in answers] == ["file-system-read-only"] * 2, answers
    assert "/etc is mounted read-only" in answers[0].error["message"]
    assert_untouched(host, before, process)


@pytest.mark.important
def test_daemon_json_changed_by_someone_in_between_is_theirs(host: Host) -> None:
    process = host.keeper()
    theirs = '{"log-level": "debug"}'
    hook = f"echo '{theirs}' > /etc/docker/daemon.json"
    answer = host.run(certificate=host.issue().pem, hooks={"rename .zz-docker-tls.conf": hook})
    assert answer.error["code"] == "daemon-json-changed"
    assert host.works()
    assert host.sh("cat /etc/docker/daemon.json") == theirs
    assert host.sh("ls /etc/systemd/system/docker.service.d 2>/dev/null", check=False) == ""
    assert host.keeper() == process


def test_second_run_at_the_same_time_is_told_so(host: Host) -> None:
    pair = host.issue()
    answers: list[Answer] = []
    hooks = {"daemon-reload": "touch /tmp/first; sleep 6"}
    first = threading.Thread(
        target=lambda: answers.append(host.run(certificate=pair.pem, live_restore="enable", hooks=hooks))
    )
    host.sh("rm -f /tmp/first")
    first.start()
    host.sh("while ! test -e /tmp/first; do sleep 0.1; done", timeout=30)
    second = host.run(lock_timeout=1)
    first.join()
    assert second.error["code"] == "host-locked"
    assert answers[0].result["restarted"], answers[0].error
    assert host.works()
    assert host.keeper()


@pytest.mark.parametrize(
    ("what", "action"),
    [
        pytest.param("dies", "sleep 0.5; echo 'level=error it dies' >&2; exit 1", id="dies"),
        pytest.param("hangs", "exec sleep 1000", id="hangs", marks=pytest.mark.important),
        pytest.param("hangs and cannot be ended", "trap '' TERM; while :; do sleep 1; done", id="hangs-hard"),
    ],
)
def test_bad_dockerd_is_rolled_back(host: Host, what: str, action: str) -> None:
    before, process = host.files(), host.keeper()
    pair = host.issue()
    host.sh("cp -a /usr/sbin/dockerd /usr/sbin/dockerd.real")
    host.put("/usr/sbin/dockerd.sh", WRAPPER.format(what=what, action=action), "0755")
    host.sh("mv /usr/sbin/dockerd.sh /usr/sbin/dockerd")
    answer = host.run(certificate=pair.pem, live_restore="enable", start_timeout=3)
    assert answer.error["code"] == "daemon-start-failed", answer
    assert "as it was before" in answer.error["message"]
    assert_untouched(host, before, process)
    assert "stop-sigterm' timed out" not in host.sh("journalctl -u docker -o cat"), "systemd has ended it, and not we"


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_tcp_listener_that_someone_gave_docker_socket_is_refused_and_can_be_adopted(host: Host, listener: str) -> None:
    host.put("/etc/systemd/system/docker.socket.d/50-tcp.conf", "[Socket]\nListenStream=0.0.0.0:2375\n")
    host.sh(
        "systemctl daemon-reload; systemctl reset-failed; systemctl restart docker.socket docker.service; docker start keeper >/dev/null"
    )
    pair = host.issue()
    answer = refused(host, "socket-listener-foreign", certificate=pair.pem, listener=listener)
    assert "/etc/systemd/system/docker.socket.d/50-tcp.conf" in answer.error["message"]
    before, process = host.files(), host.keeper()
    options = {"listener": listener, "existing_settings": "adopt", "live_restore": "enable"}
    done = host.run(certificate=pair.pem, **options)
    assert all(check["passed"] for check in done.result["verification"]), done
    assert host.sh("ss -Hltn sport = :2375") == ""
    assert not host.run(**options).result["changed"]
    assert host.run(state="absent").result["changed"]
    assert host.sh("ss -Hltn sport = :2375")
    host.sh("rm -rf /etc/docker/certs")
    assert_untouched(host, before, process)


def test_unknown_key_in_daemon_json_is_refused_on_every_engine(host: Host) -> None:
    host.put("/etc/docker/daemon.json", '{"log-levle": "info"}')
    before, process = host.files(), host.keeper()
    answer = host.run(certificate=host.issue().pem)
    assert answer.error["code"] == "daemon-json-key-unknown"
    assert "'log-level'" in answer.error["hint"]
    assert_untouched(host, before, process)


def test_more_than_three_restarts_within_a_minute_work(host: Host) -> None:
    for _unused in range(5):
        assert host.secure(live_restore="enable").result["restarted"]
    assert host.works()
    assert host.keeper()


def test_listener_in_the_environment_file_is_taken_over(host: Host) -> None:
    host.put("/etc/default/docker", 'DOCKER_OPTS="-H tcp://127.0.0.1:2377 --label=a=b"\n')
    host.sh("systemctl restart docker; docker start keeper")
    before = host.files()
    answer = refused(host, "flag-listener-foreign", certificate=host.issue().pem)
    assert "DOCKER_OPTS in /etc/default/docker" in answer.error["message"]
    refused(host, "flag-listener-foreign", certificate_pending=True, check_mode=True)
    done = host.secure(live_restore="enable", existing_settings="adopt")
    assert all(check["passed"] for check in done.result["verification"])
    assert "a=b" in host.sh("docker info -f '{{.Labels}}'")
    assert host.sh("ss -Hltn sport = :2377") == ""
    assert not host.run(live_restore="enable").result["changed"]
    assert host.secure(live_restore="enable").result["restarted"], "a later renewal is not refused"
    assert host.keeper()
    assert host.run(state="absent").result["changed"]
    host.sh("rm -rf /etc/docker/certs")
    assert host.files() == before


def test_wrong_clock_is_refused_before_a_certificate_is_signed(host: Host) -> None:
    """The controller's clock is the one that differs here: that of a container is its machine's."""
    pair = host.issue()
    for days in (-9, 9):
        there = (datetime.now(timezone.utc) + timedelta(days=days)).isoformat()
        planned = refused(host, "host-clock-wrong", certificate_pending=True, check_mode=True, controller_now=there)
        answer = refused(host, "host-clock-wrong", certificate=pair.pem, controller_now=there)
        assert planned.error["hint"] == answer.error["hint"]
        assert "9 days" in answer.error["message"] or "8 days" in answer.error["message"]


def test_advice_in_a_swarm_is_to_drain_the_node(host: Host) -> None:
    host.sh("docker swarm init --advertise-addr 127.0.0.1 >/dev/null")
    try:
        answer = host.run(certificate=host.issue().pem, check_mode=True)
        required = host.run(certificate=host.issue().pem, check_mode=True, live_restore="require")
    finally:
        host.sh("docker swarm leave --force")
    (warning,) = [text for text in answer.result["warnings"] if "running container" in text]
    assert "drain" in warning
    assert "enable" not in warning
    assert required.error["code"] in ("live-restore-swarm", "preflight-failed")
    assert "drain" in required.error["message"] + required.error["hint"]


def test_masked_docker_socket_is_refused(host: Host) -> None:
    host.sh("systemctl mask docker.socket")
    try:
        refused(host, "socket-masked", certificate=host.issue().pem)
    finally:
        host.sh("systemctl unmask docker.socket")


@pytest.mark.important
def test_unverified_change_is_rolled_back(host: Host) -> None:
    """The certificate is exchanged behind our back: dockerd serves another one than wanted."""
    host.secure(live_restore="enable")
    before, process = host.files(), host.keeper()
    other = certificate(host.address)
    host.put("/root/other.pem", other.pem)
    host.put("/root/other.key", other.key_pem)
    swap = (
        "cd /etc/docker/certs/current/ && cp -a server-cert.pem /root/good.pem && cp -a server-key.pem /root/good.key"
        " && cat /root/other.pem > server-cert.pem && cat /root/other.key > server-key.pem"
    )
    answer = host.run(certificate=host.issue().pem, hooks={"restart": swap})
    assert answer.error["code"] == "verification-failed"
    assert_untouched(host, before, process)


@pytest.mark.important
def test_unconfirmed_change_is_rolled_back_by_the_timer(host: Host) -> None:
    before, process = host.files(), host.keeper()
    answer = host.secure(live_restore="enable", confirm_timeout=5)
    assert answer.result["unconfirmed"]
    assert host.sh("systemctl is-active docker-tls-revert.timer") == "active"
    assert host.settled(40)
    host.wait(10)
    assert_untouched(host, before, process)
    assert host.sh("ls /etc/systemd/system | grep docker-tls", check=False) == ""


def test_confirmed_change_stays(host: Host) -> None:
    host.secure(live_restore="enable", confirm_timeout=8)
    assert host.run(live_restore="enable", confirm_timeout=8).result["unconfirmed"]
    confirmed = host.run(state="confirmed")
    assert confirmed.reasons == ["confirmed"]
    assert not host.run(state="confirmed").result["changed"]
    time.sleep(9)
    assert not host.run(live_restore="enable").result["changed"]
    assert host.sh("ls /etc/systemd/system | grep docker-tls", check=False) == ""
    assert host.works()


def test_confirmation_that_comes_too_late_is_told_so(host: Host) -> None:
    host.secure(confirm_timeout=2)
    assert host.settled(40)
    host.wait(10)
    assert host.run(state="confirmed").error["code"] == "confirmation-too-late"


def test_unconfirmed_change_is_rolled_back_after_a_reboot(host: Host) -> None:
    before = host.files()
    host.secure(confirm_timeout=10)
    host.reboot()
    assert host.settled(60)
    host.wait(20)
    assert host.files() == before


MOST_TELLING = ("restarted",)
KILLED_AT = ("open .journal", "arm-guard", "mkdir .staging", "link daemon.json", "rename .current", "rename .zz-docker",
             "rename .daemon.json", "daemon-reload", "restart", "restarted", "open .record", "unlink journal")  # fmt: skip


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(s, id=s.replace(" ", "-"), marks=[pytest.mark.important] if s in MOST_TELLING else [])
        for s in KILLED_AT
    ],
)
def test_killed_run_is_rolled_back_by_itself_and_by_the_next_run(host: Host, step: str) -> None:
    host.put("/etc/docker/daemon.json", '{"log-level": "info"}\n', "0640")
    process = host.keeper()
    before = host.files()
    pair = host.issue()
    answer = host.run(certificate=pair.pem, live_restore="enable", hooks={step: "die"})
    assert answer.killed, answer
    assert host.settled(60), "the guard has not settled it"
    host.wait(20)
    assert host.keeper() == process
    if step in ("open .record", "unlink journal"):
        assert not host.run(live_restore="enable").result["changed"]
        return
    assert host.files() == before
    host.secure(live_restore="enable")
    assert host.keeper() == process


@pytest.mark.parametrize("step", ["rename .zz-docker", "rename .daemon.json", "restarted"])
def test_power_failure_leaves_a_docker_that_works(host: Host, step: str) -> None:
    """The guard does not survive that: the next run settles it."""
    pair = host.issue()
    hook = "sync; systemctl mask --runtime --now 'docker-tls-guard*' 2>/dev/null; kill -9 $(pgrep -f revert.py) 2>/dev/null; kill -9 $PPID"
    host.run(certificate=pair.pem, hooks={step: hook})
    host.reboot()
    assert host.works()
    host.sh("docker start keeper")
    done = host.run(certificate=host.issue().pem)
    assert not done.error
    assert host.works()
    assert not host.run().result["changed"]


def test_terminated_run_is_rolled_back(host: Host) -> None:
    before, process = host.files(), host.keeper()
    answer = host.run(
        certificate=host.issue().pem, live_restore="enable", hooks={"restarted": "kill -TERM $PPID; sleep 1"}
    )
    assert answer.error["code"] == "interrupted"
    assert_untouched(host, before, process)


def test_run_whose_connection_is_cut_goes_on(host: Host) -> None:
    process = host.keeper()
    hooks = {"restarted": "kill -HUP $PPID; sleep 1"}
    answer = host.run(certificate=host.issue().pem, live_restore="enable", hooks=hooks)
    assert answer.result["restarted"], answer
    assert not host.run(live_restore="enable").result["changed"]
    assert host.keeper() == process


def test_running_dockerd_that_is_behind_its_files_is_restarted(host: Host) -> None:
    """Someone has put another certificate there and has not restarted dockerd."""
    host.secure(live_restore="enable")
    host.sh("systemctl stop docker docker.socket; cd /etc/docker/certs/current/ && cp -a . /root/set")
    host.sh("systemctl start docker.socket docker")
    host.secure(live_restore="enable")
    host.sh("cd /etc/docker/certs/current/ && cp /root/set/server-cert.pem /root/set/server-key.pem .")
    answer = host.run(live_restore="enable")
    assert answer.reasons == ["running-daemon-outdated"]
    assert not host.run(live_restore="enable").result["changed"]


def test_setting_that_dockerd_rejects_is_refused_in_check_mode_too(host: Host) -> None:
    """dockerd runs with the file of before, and would not start with this one."""
    if host.suite in ("bullseye", "bookworm"):
        pytest.skip("dockerd can be asked from 23.0 on")
    host.put("/etc/docker/daemon.json", '{"log-level": "loud"}\n')
    before = host.files()
    predicted = host.run(check_mode=True, certificate_pending=True)
    answer = host.run(certificate=host.issue().pem)
    assert (predicted.error["code"], answer.error["code"]) == ("validate-failed", "validate-failed")
    assert "/etc/docker/daemon.json" in predicted.error["message"] and "loud" in predicted.error["message"]
    assert "restart" not in answer.steps
    assert host.files() == before
    assert host.works()


@pytest.mark.parametrize("since", [0.0, 1.0], ids=["for ever", "since a time"])
def test_end_of_the_log_is_read_however_long_it_is(host: Host, since: float) -> None:
    host.sh("for _ in 1 2 3; do systemctl restart docker; systemctl reset-failed docker; done")
    module = f"{PACKAGE.replace('/', '.')}._docker.systemd"
    read = f"from {module} import Systemd; print(Systemd('docker.service', 'docker.socket').journal_tail({since}, lines=3))"
    found = host.sh(f'cd /opt/faults && python3 -c "{read}"')
    assert found == host.sh("journalctl -q -o cat -n 3 -u docker.service -u docker-tls.socket")
    assert len(found.splitlines()) == 3
