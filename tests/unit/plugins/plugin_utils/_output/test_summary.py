# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run did, where, why and what next: from results as Ansible hands them over."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import typing as t
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import run as runs
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import run_output, summary

NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
CERTIFICATE: dict[str, t.Any] = {
    "changed": True,
    "plan": ["certificate expires 2026-12-01 -> 2099-01-01, CN evil.example.test, SAN + evil.example.test (forged)"],
    "requests": [
        {
            "id": "server",
            "reasons": ["expires-soon", "names-changed"],
            "common_name": "evil.example.test",
            "names": ["evil.example.test"],
            "certificate": {"not_after": "2026-12-01T10:00:00Z"},
        }
    ],
    "asked": {"server": {"names": ["web3"]}},
}
SIGNED: dict[str, t.Any] = {
    "changed": True,
    "certificates": {
        "web3/server": {
            "authority": "server-g1",
            "not_after": "2027-11-22T10:00:00Z",
            "common_name": "web3.example.test",
            "names": ["web3.example.test", "web3", "10.0.0.7", "localhost", "127.0.0.1", "::1"],
            "left_out": ["evil.example.test"],
        },
        "desk/root:ci": {"common_name": "ci"},
    },
}
DAEMON = {
    "changed": True,
    "plan": ["restart yes, 14 containers kept (certificate-changed)"],
    "reasons": ["certificate-changed"],
}
CLIENT = {"changed": True, "plan": ["client ci: new certificate until 2027-11-22, CN ci (certificate-missing)"]}
BUNDLE = {
    "changed": True,
    "plan": ["client ci: new bundle in /b/ci: key.pem (key-changed)"],
    "bundles": [{"id": "ci", "directory": "/b/ci", "reasons": ["key-changed"]}],
}


CURRENT = {"current": True, "reasons": [], "changed": False}


def run_of(
    *results: tuple[str, str, t.Mapping[str, t.Any]],
    check_mode: bool = False,
    groups: dict[str, list[str]] | None = None,
    **states: list[str],
) -> runs.Run:
    """Return a finished run; ``states``: failed, unreachable, current (as their inspection said), others."""
    run = runs.Run(check_mode=check_mode)
    for host, module, result in results:
        if module:
            run.note_success(host, module, result)
        else:
            run.note_problem(host, result)
    hosts = dict.fromkeys(
        [*(host for host, _module, _result in results), *(host for named in states.values() for host in named)]
    )
    for host in states.pop("current", []):
        run.note_success(host, "host_state", CURRENT)
        hosts[host] = None
    run.end(states.get("failed", []), states.get("unreachable", []), hosts, groups)
    return run


def told(run: runs.Run, *, env_file: bool = False) -> list[str]:
    return [line for line in summary.text(run, has_file=lambda _path: env_file) if line]


def test_text_of_a_renewal_says_certificate_and_restart() -> None:
    run = run_of(
        ("web3", "certificate_requests", CERTIFICATE),
        ("web1", "signed_certificates", SIGNED),
        ("web3", "endpoint", DAEMON),
        current=["web1", "web2"],
    )
    assert told(run) == [
        "Docker TLS: 1 changed, 2 as it should be",
        "changed      web3  certificate expires 2026-12-01 -> 2027-11-22, CN web3.example.test, SAN 10.0.0.7 web3 web3.example.test, "
        "issuer server-g1 (expires soon, other names)",
        "                   restart yes, 14 containers kept (a new certificate)",
    ]
    assert run.outcome == "changed"


PREPARED = {
    "changed": True,
    "current": False,
    "reasons": ["expires-soon"],
    "prepared": {name: CERTIFICATE[name] for name in ("requests", "plan", "asked")},
}


def test_text_of_a_renewal_is_the_same_where_the_inspection_has_prepared_it() -> None:
    role = [("web1", "signed_certificates", SIGNED), ("web3", "endpoint", DAEMON)]
    asked = run_of(("web3", "certificate_requests", CERTIFICATE), *role)
    prepared = run_of(("web3", "host_state", PREPARED), *role)
    assert told(prepared) == told(asked)
    assert prepared.host("web3").reasons == asked.host("web3").reasons


def test_host_that_the_run_did_not_come_to_has_nothing_done_though_its_request_is_prepared() -> None:
    run = run_of(("web3", "host_state", PREPARED), ("web1", "", {"msg": "port 2376 is taken"}), failed=["web1"])
    (line,) = (line for line in told(run) if "web3" in line)
    assert line.endswith("web3  due (expires soon), but the run has stopped before it came to this host")
    assert run.host("web3").done == []


def test_warnings_of_the_first_task_are_in_the_summary_too() -> None:
    plan = {"changed": False, "plan": {"warnings": ["docker_daemon_prt is not a variable"]}}
    run = run_of(("localhost", "plan", plan), ("localhost", "plan", plan), current=["web1"])
    assert "WARNING: docker_daemon_prt is not a variable" in told(run)
    assert json.loads(summary.document(run, NOW))["warnings"] == ["docker_daemon_prt is not a variable"]
    assert json.loads(summary.document(run_of(current=["web1"]), NOW))["warnings"] == []


SERVER_LINES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str]] = {
    "first": (
        {"certificate": None, "reasons": ["certificate-missing"]},
        {},
        "new certificate until 2027-11-22, CN web3.example.test, SAN 10.0.0.7 web3 web3.example.test, issuer server-g1 "
        "(no certificate yet)",
    ),
    "same-day": (
        {"certificate": {"not_after": "2027-11-22T09:00:00Z"}},
        {"names": ["localhost"], "common_name": "localhost"},
        "certificate expires 2027-11-22T09:00Z -> 2027-11-22T10:00Z, CN localhost, issuer server-g1 (expires soon, other names)",
    ),
    "authority-is-yet-to-be-made": (
        {"certificate": None, "reasons": ["certificate-missing"]},
        {"names": ["web3"], "common_name": "web3", "authority": "server"},
        "new certificate until 2027-11-22, CN web3, SAN web3, issuer the new authority server (no certificate yet)",
    ),
    "another-issuer": (
        {"certificate": None, "reasons": ["certificate-missing"]},
        {"names": ["web3"], "common_name": "web3", "authority": "openbao", "issuer": "openbao"},
        "new certificate until 2027-11-22, CN web3, SAN web3, issuer openbao (no certificate yet)",
    ),
    "lies": (
        {"certificate": {"not_after": "never\x1b[2J"}, "reasons": ["certificate-missing", "\x1b[2J", "All is well"]},
        {"names": ["web3"], "common_name": "web3"},
        "new certificate until 2027-11-22, CN web3, SAN web3, issuer server-g1 (no certificate yet)",
    ),
}


@pytest.mark.parametrize(("reported", "signed", "expected"), SERVER_LINES.values(), ids=SERVER_LINES)
def test_text_of_a_server_certificate_is_what_the_ca_signed(
    reported: dict[str, t.Any], signed: dict[str, t.Any], expected: str
) -> None:
    asked = {**CERTIFICATE, "requests": [{**CERTIFICATE["requests"][0], **reported}]}
    answer = {"certificates": {"web3/server": {**SIGNED["certificates"]["web3/server"], **signed}}}
    run = run_of(("web3", "certificate_requests", asked), ("web3", "signed_certificates", answer))
    assert told(run)[1] == f"changed      web3  {expected}"


def test_text_of_a_plan_says_that_nothing_was_done() -> None:
    run = run_of(("web3", "endpoint", DAEMON), check_mode=True)
    assert told(run)[0] == "Docker TLS, a plan: 1 would change"
    assert told(run)[-2:] == ["Next:", "  - run without --check to do it"]


def test_text_of_nothing_to_do_is_one_line() -> None:
    run = run_of(("web1", "endpoint", {"changed": False, "plan": []}))
    assert told(run) == ["Docker TLS: 1 as it should be"]
    assert run.outcome == "nothing-to-do"


def test_text_names_failed_and_unreachable_hosts_first_with_their_problem() -> None:
    run = run_of(
        ("a", "endpoint", DAEMON),
        ("b", "certificate_requests", CERTIFICATE),
        ("b", "", {"msg": "port 2376\nis taken"}),
        ("c", "", {"msg": "ssh: connect to host 10.0.0.9 port 22: No route to host"}),
        failed=["b", "d"],
        unreachable=["c"],
    )
    lines = told(run)
    assert lines[0] == "Docker TLS: 2 failed, 1 not reached, 1 changed"
    assert lines[1].startswith(
        "FAILED       b  port 2376 is taken (done before: certificate expires 2026-12-01 (expires soon, other names), not signed)"
    )
    assert lines[2] == "FAILED       d  stopped by the failure of another host or of a task for all"
    assert lines[3] == (
        "UNREACHABLE  c  ssh: connect to host 10.0.0.9 port 22: No route to host. Check that the host is up and that ssh USER@HOST works from here; "
        "ansible_host and ansible_port set where Ansible connects."
    )
    assert lines[4].startswith("changed      a  restart yes")
    assert [line[:24] for line in lines[5:]] == ["Next:", "  - fix the errors on th", "  - run again when the h"]
    assert run.outcome == "failed"


def test_text_of_a_failure_of_ours_keeps_its_own_hint() -> None:
    """A failure with a code has its own hint, also an empty one: what dockerd or a proxy says is not about SSH."""
    run = run_of(
        ("web1", "", {"failed": True, "code": "probe-failed", "msg": "ssh: connect: Connection refused"}),
        failed=["web1"],
    )
    assert "ansible_port" not in "".join(summary.text(run))


def test_text_of_a_host_without_sudo_says_what_it_said_and_what_to_do() -> None:
    result = {"msg": "Module result deserialization failed: No start of json char found", "module_stderr": ""}
    run = run_of(("web1", "", {**result, "module_stdout": "/bin/sh: 1: sudo: not found\r\n"}), failed=["web1"])
    assert told(run)[1] == (
        "FAILED       web1  Module result deserialization failed: No start of json char found: /bin/sh: 1: sudo: not found. "
        "Set ansible_user: root for this host if Ansible logs in as root, so that it does not call sudo; otherwise install sudo there."
    )


def test_next_step_after_a_failure_does_not_say_that_everything_was_rolled_back() -> None:
    run = run_of(failed=["web1"])
    run.note_problem("web1", {"msg": "no answer"}, "endpoint_info")
    (step,) = summary.next_steps(run)
    assert "A change that its host could not verify was rolled back" in step
    assert "A change that only the controller could not verify stays, and every run verifies it again" in step


REQUESTED = {
    "changed": True,
    "plan": [
        "client alice: certificate expires 2026-12-01 -> 2027-11-22 (expires-soon)",
        "client root:ci: new certificate until 2027-11-22, CN ci (certificate-missing)",
    ],
}


def test_certificate_of_a_client_that_was_refused_was_not_done() -> None:
    """The certificate bundles of the others are installed by the task that fails for the refused one."""
    installed = {"changed": True, "bundles": [{"id": "root:ci", "directory": "/b", "reasons": ["key-changed"]}]}
    signed = {"changed": True, "certificates": {"desk/root:ci": {"common_name": "ci"}}}
    run = runs.Run()
    run.note_success("desk", "certificate_requests", REQUESTED)
    run.note_success("ca", "signed_certificates", signed)
    run.note_problem("desk", {"msg": "alice is refused", "code": "x", "hint": "", **installed}, "certificate_bundles")
    run.end(["desk"], [], ["desk"], None)
    first = "client alice: certificate expires 2026-12-01 -> 2027-11-22 (expires soon), not signed"
    (line,) = (line for line in told(run) if line.startswith("FAILED"))
    assert line.endswith(
        f"(done before: {first}; client root:ci: new certificate until 2027-11-22, CN ci (no certificate yet))"
    )
    (host,) = json.loads(summary.document(run, NOW))["hosts"]
    assert host["done"][0].endswith("(expires-soon), not signed")


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("new certificate until 2027-11-30, CN alice", "new certificate until 2027-06-18, CN alice"),
        ("certificate expires 2026-12-01 -> 2027-11-30", "certificate expires 2026-12-01 -> 2027-06-18"),
        ("certificate expires 2026-12-01 -> a new one", "certificate expires 2026-12-01 -> 2027-06-18"),
        (
            "certificate expires 2026-11-30T10:00Z -> 2026-11-30T18:00Z",
            "certificate expires 2026-11-30T10:00Z -> 2027-06-18T22:26Z",
        ),
        ("new certificate, CN alice", "new certificate, CN alice"),
    ],
)
def test_end_of_a_clients_certificate_is_the_one_that_its_issuer_gave(asked: str, shown: str) -> None:
    line = "client root:alice: {} (expires-soon)"
    signed = {"desk/root:alice": {"common_name": "alice", "not_after": "2027-06-18T22:26:13Z"}}
    run = runs.Run()
    run.note_success("desk", "certificate_requests", {"changed": True, "plan": [line.format(asked)]})
    run.note_success("ca", "signed_certificates", {"changed": True, "certificates": signed})
    assert run.host("desk").done == [line.format(shown)]


def test_certificates_of_clients_that_were_signed_and_not_installed_are_told_apart() -> None:
    run = runs.Run()
    run.note_success("desk", "certificate_requests", REQUESTED)
    run.note_success(
        "ca", "signed_certificates", {"changed": True, "certificates": {"desk/alice": {"common_name": "alice"}}}
    )
    run.note_problem("desk", {"msg": "the disk is full"}, "certificate_bundles")
    run.end(["desk"], [], ["desk"], None)
    (line,) = (line for line in told(run) if line.startswith("FAILED"))
    assert "(expires soon), signed but not installed: the next run requests another one; client root:ci" in line
    assert line.endswith("(no certificate yet), not signed)")


INSPECTION = {"current": False, "reasons": ["expires-soon"], "changed": False}


@pytest.mark.parametrize(
    ("check_mode", "label", "word"),
    [(True, "NOT DONE     ", "planned"), (False, "NOT DONE    ", "done before")],
    ids=["plan", "run"],
)
def test_host_that_a_plan_did_not_come_to_has_planned_things_and_not_done_them(
    check_mode: bool, label: str, word: str
) -> None:
    made = {"changed": True, "plan": ["new authority server-g1 (authority-missing)"]}
    run = run_of(("localhost", "authorities", made), check_mode=check_mode, unreachable=["web1"])
    assert told(run)[2] == (
        f"{label} localhost  the run has stopped before it came to this host ({word}: new authority server-g1 (no authority yet))"
    )


def test_hosts_that_a_failed_canary_has_kept_from_their_turn_are_not_as_they_should_be() -> None:
    run = run_of(
        ("canary", "host_state", INSPECTION),
        ("web1", "host_state", INSPECTION),
        ("web2", "host_state", {"current": True, "reasons": [], "changed": False}),
        ("canary", "", {"msg": "port 22 is taken"}),
        ("localhost", "authorities", {"changed": False}),
        failed=["canary"],
    )
    assert told(run)[:4] == [
        "Docker TLS: 1 failed, 2 not done, 1 as it should be",
        "FAILED       canary     port 22 is taken",
        "NOT DONE     localhost  the run has stopped before it came to this host",
        "NOT DONE     web1       due (expires soon), but the run has stopped before it came to this host",
    ]
    hosts = {entry["host"]: entry for entry in json.loads(summary.document(run, NOW))["hosts"]}
    assert (hosts["web1"]["state"], hosts["web1"]["due"]) == ("not-done", ["expires-soon"])
    assert (hosts["web2"]["state"], hosts["web2"]["due"]) == ("unchanged", [])


REFUSED = {
    "current": False,
    "reasons": ["port-taken"],
    "refused": {"msg": "port 2376 is taken by nginx", "hint": "End it.", "code": "port-taken"},
}


@pytest.mark.parametrize("failed", [["web1"], []], ids=["to-the-end", "stopped-before"])
def test_refused_host_has_failed_also_where_the_run_did_not_come_to_say_so(failed: list[str]) -> None:
    run = run_of(("web1", "host_state", REFUSED), failed=failed, current=["web2"])
    assert run.states == {"web1": "failed", "web2": "unchanged"}
    assert told(run)[:2] == [
        "Docker TLS: 1 failed, 1 as it should be",
        "FAILED       web1  port 2376 is taken by nginx. End it.",
    ]


def test_refused_host_is_not_what_others_were_stopped_by() -> None:
    due = {"current": False, "reasons": ["expired"]}
    run = run_of(("web1", "host_state", REFUSED), ("web2", "host_state", due), failed=["web1"])
    assert told(run)[2] == (
        "NOT DONE     web2  due (expired), but this run has left that out (--tags, --skip-tags or --start-at-task)"
    )


def test_hosts_that_had_their_turn_beside_a_failed_one_are_done() -> None:
    run = run_of(
        ("web1", "host_state", INSPECTION),
        ("web1", "endpoint", DAEMON),
        ("web2", "host_state", INSPECTION),
        ("web2", "endpoint", {"changed": False}),
        ("web3", "", {"msg": "gone"}),
        ("localhost", "certificate_bundles", {"changed": False}),
        unreachable=["web3"],
    )
    assert told(run)[0] == "Docker TLS: 1 not reached, 1 changed, 2 as it should be"


def test_next_step_after_a_refusal_speaks_of_no_change_of_dockerd() -> None:
    run = run_of(failed=["web1"])
    run.note_problem("web1", {"msg": "wrong"}, "host_state")
    assert summary.next_steps(run) == [
        "fix the errors on the failed hosts, then run again: completed steps are not repeated"
    ]


def test_text_of_a_client_is_told_once_and_says_where_it_is() -> None:
    run = run_of(("localhost", "certificate_requests", CLIENT), ("localhost", "certificate_bundles", BUNDLE))
    lines = told(run)
    assert lines[1] == "changed      localhost  client ci: new certificate until 2027-11-22, CN ci (no certificate yet)"
    assert lines[-1] == "  - client ci: where it is used elsewhere, copy /b/ci there"
    assert told(run, env_file=True)[-1] == (
        "  - client ci: try . /b/ci/env.sh && docker version; where it is used elsewhere, copy /b/ci there"
    )


def test_command_that_the_next_step_proposes_is_quoted_for_the_shell(tmp_path: Path) -> None:
    """A directory can have a name with which a pasted command would do something else."""
    directory = tmp_path / "a;touch PWN;'b $(id)"
    directory.mkdir()
    (directory / "env.sh").write_text("SEEN=yes\n")
    run = run_of(("localhost", "certificate_requests", CLIENT), ("localhost", "certificate_bundles", BUNDLE))
    run.bundles["ci"] = str(directory)
    step = summary.next_steps(run)[-1]
    command = step.partition("try ")[2].partition(" && docker version")[0]
    shell = ["sh", "-c", f'{command} && echo "$SEEN"']
    assert subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "yes\n"
    assert os.listdir(tmp_path) == [directory.name]
    assert shlex.split(step.partition("elsewhere, copy ")[2]) == [str(directory), "there"]


@pytest.mark.parametrize(
    ("has_archive", "advice"),
    [
        (True, "elsewhere, import its context_archive there, or copy ca.pem"),
        (
            False,
            "elsewhere, add context_archive to its bundles, run again and import its context_archive there, or copy ca.pem",
        ),
    ],
)
def test_bundle_in_the_docker_directory_of_an_account_is_not_to_be_copied(has_archive: bool, advice: str) -> None:
    """config.json is there too, with the account's logins at registries."""
    run = run_of(("localhost", "certificate_requests", CLIENT), ("localhost", "certificate_bundles", BUNDLE))
    run.bundles["ci"] = "/home/you/.docker"
    step = summary.next_steps(run, has_file=lambda path: has_archive and path == "/home/you/.docker/contexts-export")[
        -1
    ]
    assert "copy /home/you/.docker there" not in step
    assert advice in step and "config.json" in step


def test_text_of_a_bundle_alone_says_what_is_written() -> None:
    run = run_of(("desk", "certificate_bundles", BUNDLE))
    assert told(run)[1:] == ["changed      desk  client ci: new bundle in /b/ci: key.pem (a new key)"]


def test_text_of_a_large_fleet_is_cut_and_the_document_is_whole() -> None:
    run = run_of(*((f"web{number:04}", "endpoint", DAEMON) for number in range(1000)))
    lines = told(run)
    assert len(lines) == summary.MOST_HOSTS + 2
    assert lines[-1].startswith(f"... and {1000 - summary.MOST_HOSTS} hosts more")
    assert len(json.loads(summary.document(run, NOW))["hosts"]) == 1000


def test_text_of_a_missing_library_says_what_comes() -> None:
    result = {"changed": True, "reasons": ["cryptography-missing"], "msg": "The package would be installed"}
    assert told(run_of(("web1", "endpoint", result)))[1] == "changed      web1  package for Python's cryptography"


def test_text_of_a_change_without_a_plan_says_its_reasons() -> None:
    result = {"changed": True, "reasons": ["something-new"]}
    assert told(run_of(("web1", "another_module", result)))[1] == "changed      web1  something-new"


def test_text_shows_no_control_characters_of_a_host() -> None:
    run = run_of(("web1", "", {"msg": "bad \x1b[2J thing"}), failed=["web1"])
    assert "\x1b" not in "".join(told(run))


@pytest.mark.parametrize(("listen", "word"), [(["0.0.0.0:2375"], "served on"), ([], "is closed")])
def test_text_tells_of_the_relay_of_the_plain_port(listen: list[str], word: str) -> None:
    assert word in "\n".join(told(run_of(("web1", "plain_relay", {"changed": True, "listen": listen}))))


def test_hint_of_a_long_problem_is_never_cut_off() -> None:
    run = run_of(("web1", "", {"msg": "x" * 2000, "hint": "Do this."}), failed=["web1"])
    assert run.host("web1").problem.endswith("xxx... Do this.")


def test_reason_of_dockerd_is_shown_whole_and_its_log_is_not() -> None:
    whole = f"dockerd did not start: {'a long reason ' * 60}end of it. Everything is as it was before"
    message = f"{whole}. dockerd's last log lines: one | two"
    run = run_of(("web1", "", {"msg": message, "hint": "Do this.", "code": "daemon-start-failed"}), failed=["web1"])
    assert run.host("web1").problem == f"{whole}. Do this."


def test_problem_is_cut_where_it_is_long() -> None:
    assert len(told(run_of(("web1", "", {"msg": "x" * 5000}), failed=["web1"]))[1]) < 400


@pytest.mark.parametrize("message", ["port 2376 is taken", "port 2376 is taken. Stop nginx."])
def test_problem_has_its_hint_once(message: str) -> None:
    run = run_of(("web1", "", {"msg": message, "hint": "Stop nginx."}), failed=["web1"])
    assert told(run)[1] == "FAILED       web1  port 2376 is taken. Stop nginx."


def test_host_that_recovered_from_a_failure_is_not_failed() -> None:
    run = run_of(("web1", "", {"msg": "rescued"}), ("web1", "endpoint", DAEMON))
    assert run.outcome == "changed"
    assert "rescued" not in "".join(told(run))


def test_document_has_the_outcome_on_a_line_of_its_own() -> None:
    run = run_of(("web1", "certificate_requests", CERTIFICATE))
    text = summary.document(run, NOW)
    assert '\n  "outcome": "changed",\n' in text or text.startswith('{\n  "outcome": "changed",\n')
    assert json.loads(text)["hosts"] == [
        {
            "host": "web1",
            "state": "changed",
            "reasons": ["expires-soon", "names-changed"],
            "done": ["certificate expires 2026-12-01 (expires-soon, names-changed)"],
            "due": [],
            "code": "",
            "problem": "",
        }
    ]


@pytest.mark.parametrize("hosts", [[], ["web1"]])
def test_outcome_of_hosts_without_results_is_not_that_there_is_nothing_to_do(hosts: list[str]) -> None:
    assert run_of(others=hosts).outcome == "incomplete"


GROUPS = {"docker_hosts": ["web1", "web2", "web3"], "docker_clients": ["desk"], "docker_ca": ["ca1"]}
AUTHORITIES: dict[str, t.Any] = {"changed": False, "authorities": {}}
NOT_INSPECTED: dict[str, tuple[str, str, str]] = {
    "docker-host": ("web1", "authority_info", "its endpoint"),
    "ca-host": ("ca1", "certificate_bundles", "its authorities"),
    "client-machine": ("desk", "authority_info", "its client bundles"),
    "controller": ("localhost", "authorities", "its client bundles"),
}


@pytest.mark.parametrize(("host", "module", "missing"), NOT_INSPECTED.values(), ids=NOT_INSPECTED)
def test_host_that_was_not_inspected_for_what_it_is_is_not_as_it_should_be(
    host: str, module: str, missing: str
) -> None:
    """A tag excludes some of a run's tasks; the others do not show what these would have found."""
    run = run_of((host, module, {"changed": False}), groups=GROUPS)
    assert run.states[host] == "not-checked"
    assert f"NOT CHECKED  {host}  this run has not inspected {missing}: left out by --tags" in "\n".join(told(run))
    assert "run again without --tags, --skip-tags or --start-at-task" in told(run)[-1]
    assert run.outcome == "incomplete"


def test_hosts_that_were_inspected_for_what_they_are_are_as_they_should_be() -> None:
    nothing = {"changed": False}
    run = run_of(
        ("ca1", "authorities", AUTHORITIES),
        ("desk", "certificate_bundles", nothing),
        ("localhost", "certificate_bundles", nothing),
        ("web2", "endpoint", nothing),
        current=["web1", "web3"],
        groups=GROUPS,
    )
    assert told(run) == ["Docker TLS: 6 as it should be"]


@pytest.mark.parametrize(("limited", "state"), [(False, "not-checked"), (True, None)])
def test_controller_whose_tasks_a_tag_left_out_is_not_checked(limited: bool, state: str | None) -> None:
    """Ansible counts only hosts that a task has run for."""
    run = runs.Run()
    run.note_success("web1", "host_state", CURRENT)
    run.end([], [], ["web1"], GROUPS, limited)
    assert run.states.get("localhost") == state


def test_client_machine_without_users_has_nothing_to_inspect() -> None:
    run = runs.Run()
    run.note_skipped("desk", "certificate_bundles")
    run.end([], [], ["desk"], GROUPS)
    assert run.states == {"desk": "unchanged"}


def test_host_that_is_due_and_whose_work_a_tag_left_out_is_not_done() -> None:
    run = run_of(("web1", "host_state", {"current": False, "reasons": ["expires-soon"]}), groups=GROUPS)
    assert told(run)[0].startswith("Docker TLS: 1 not done")
    assert run.outcome == "incomplete"


def test_hosts_outside_the_limit_are_named_and_not_counted() -> None:
    run = run_of(("localhost", "certificate_bundles", {"changed": False}), current=["web1"], groups=GROUPS)
    assert told(run) == [
        "Docker TLS: 2 as it should be",
        "Not in this run: 2 of 3 Docker hosts (web2, web3).",
    ]
    assert json.loads(summary.document(run, NOW))["not_in_this_run"] == ["web2", "web3"]


@pytest.mark.parametrize(
    ("limited", "hosts", "expected"),
    [(True, ["web1"], True), (False, ["web1"], False), (True, ["web1", "localhost"], False)],
)
def test_limited_run_says_that_the_bundles_on_the_controller_are_not_in_it(
    limited: bool, hosts: list[str], expected: bool
) -> None:
    run = runs.Run()
    run.note_success("web1", "host_state", CURRENT)
    run.end([], [], hosts, GROUPS, limited)
    run.note_limit(limited)
    line = (
        "Not in this run: bundles of clients on the controller; none is made or renewed without localhost in --limit."
    )
    assert (line in told(run)) is expected
    assert json.loads(summary.document(run, NOW))["bundles_not_in_this_run"] is expected


def test_document_has_the_code_of_a_failure_for_programs() -> None:
    refused = {"msg": "dockerd did not start", "code": "daemon-start-failed", "hint": "See its log."}
    run = run_of(("web1", "", refused), ("web2", "", {"msg": "no route"}), failed=["web1"], unreachable=["web2"])
    codes = {one["host"]: one["code"] for one in json.loads(summary.document(run, NOW))["hosts"]}
    assert codes == {"web1": "daemon-start-failed", "web2": ""}


def test_run_that_stops_does_not_blame_a_limit_for_the_hosts_it_has_not_come_to() -> None:
    run = runs.Run()
    run.note_problem("localhost", {"msg": "no passphrase"})
    run.end(["localhost"], [], ["localhost"], GROUPS, limited=False)
    assert "The run stopped before it came to 3 of 3 Docker hosts (web1, web2, web3)." in told(run)
    assert not any("Not in this run" in line for line in told(run))


NOT_VERIFIED = {"current": False, "reasons": ["not-verified"]}


def test_host_that_was_verified_late_is_said_to_be() -> None:
    run = run_of(
        ("web1", "host_state", NOT_VERIFIED),
        ("web1", "endpoint", {"changed": False, "reasons": ["not-verified"]}),
        ("web1", "endpoint_info", {"changed": False, "passed": True}),
        groups=GROUPS,
    )
    assert told(run)[1] == "changed      web1  verified from the controller, for the first time since its last change"


def test_plan_of_a_host_that_is_not_verified_says_that_it_would_be() -> None:
    run = run_of(
        ("web1", "host_state", NOT_VERIFIED),
        ("web1", "endpoint", {"changed": False, "reasons": ["not-verified"]}),
        check_mode=True,
    )
    assert told(run)[:2] == [
        "Docker TLS, a plan: 1 would change",
        "would change  web1  verification from the controller (not verified from the controller since the last change)",
    ]


def test_certificate_of_a_host_that_failed_is_said_to_be_lost() -> None:
    run = run_of(
        ("web3", "host_state", INSPECTION),
        ("web3", "certificate_requests", CERTIFICATE),
        ("web3", "signed_certificates", SIGNED),
        ("web3", "", {"msg": "dockerd did not start", "code": "daemon-start-failed"}),
        failed=["web3"],
    )
    assert "signed but not installed: the next run requests another one" in told(run)[1]


LINES = {
    "known": ("restart yes (listen-changed, dropin-missing)", "restart yes (other addresses, no drop-in yet)"),
    "first-run": (
        "restart yes (endpoint-new, live-restore-changed, authority-changed, anchors-changed, certificate-changed, dropin-missing)",
        "restart yes (new endpoint, another setting of live-restore)",
    ),
    "with-a-name": ("has to leave (client-revoked: bob, amy)", "has to leave (the client is revoked: bob, amy)"),
    "not-reasons": ("CN web (old)", "CN web (old)"),
    "no-reasons": ("restart yes", "restart yes"),
    "another-tools": ("done (thing-done, expired)", "done (thing-done, expired)"),
    "in-the-middle": ("a (expired) b", "a (expired) b"),
    "both-alike": ("x (certificate-changed, certificate-pending)", "x (a new certificate)"),
}


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES)
def test_reasons_at_the_end_of_a_line_are_words(line: str, expected: str) -> None:
    assert run_output.worded(line) == expected


HEAD = {"seq": 9, "digest": "ab" * 32}


@pytest.mark.parametrize("result", [{"ledger": HEAD}, {"ansible_facts": {"docker_ca_ledger": HEAD}}])
def test_summary_of_a_change_has_the_head_of_the_ledger(result: dict[str, t.Any]) -> None:
    """Anyone who keeps it on another machine can show later that the ledger was rewritten."""
    run = run_of(("olympus", "authorities", {**result, "changed": True, "plan": ["new authority server-g1"]}))
    assert f"Ledger: 9:{'ab' * 32}" in summary.text(run)
    assert json.loads(summary.document(run, NOW))["ledger"] == f"9:{'ab' * 32}"


def test_summary_without_a_change_has_the_head_in_the_json_only() -> None:
    run = run_of(("olympus", "authority_info", {"ledger": HEAD}))
    assert not any(line.startswith("Ledger") for line in summary.text(run))
    assert json.loads(summary.document(run, NOW))["ledger"].startswith("9:")


def test_json_has_its_schema_and_its_time_as_those_of_status_and_verify() -> None:
    found = json.loads(summary.document(run_of(current=["web1"]), NOW))
    assert (found["schema"], found["generated"]) == (1, "2026-11-30T12:00:00Z")
