# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run did, where, why and what next: from results as Ansible hands them over."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import summary

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


def run_of(
    *results: tuple[str, str, t.Mapping[str, t.Any]], check_mode: bool = False, **states: list[str]
) -> summary.Run:
    """Return a finished run; ``states``: failed, unreachable, others."""
    run = summary.Run(check_mode=check_mode)
    for host, module, result in results:
        if module:
            run.note_success(host, module, result)
        else:
            run.note_problem(host, result)
    hosts = dict.fromkeys(
        [*(host for host, _module, _result in results), *(host for named in states.values() for host in named)]
    )
    run.end(states.get("failed", []), states.get("unreachable", []), hosts)
    return run


def told(run: summary.Run, *, env_file: bool = False) -> list[str]:
    return [line for line in summary.text(run, has_file=lambda _path: env_file) if line]


def test_text_of_a_renewal_says_certificate_and_restart() -> None:
    run = run_of(
        ("web3", "certificate_requests", CERTIFICATE),
        ("web1", "signed_certificates", SIGNED),
        ("web3", "daemon_endpoint", DAEMON),
        others=["web1", "web2"],
    )
    assert told(run) == [
        "Docker TLS: 1 changed, 2 as it should be",
        "changed      web3  certificate expires 2026-12-01 -> 2027-11-22, CN web3.example.test, SAN 10.0.0.7 web3 web3.example.test, "
        "issuer server-g1 (expires-soon, names-changed)",
        "                   restart yes, 14 containers kept (certificate-changed)",
    ]
    assert run.outcome == "changed"


SERVER_LINES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str]] = {
    "first": (
        {"certificate": None, "reasons": ["certificate-missing"]},
        {},
        "new certificate until 2027-11-22, CN web3.example.test, SAN 10.0.0.7 web3 web3.example.test, issuer server-g1 "
        "(certificate-missing)",
    ),
    "same-day": (
        {"certificate": {"not_after": "2027-11-22T09:00:00Z"}},
        {"names": ["localhost"], "common_name": "localhost"},
        "certificate expires 2027-11-22T09:00Z -> 2027-11-22T10:00Z, CN localhost, issuer server-g1 (expires-soon, names-changed)",
    ),
    "lies": (
        {"certificate": {"not_after": "never\x1b[2J"}, "reasons": ["certificate-missing", "\x1b[2J", "All is well"]},
        {"names": ["web3"], "common_name": "web3"},
        "new certificate until 2027-11-22, CN web3, SAN web3, issuer server-g1 (certificate-missing)",
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
    run = run_of(("web3", "daemon_endpoint", DAEMON), check_mode=True)
    assert told(run)[0] == "Docker TLS, a plan: 1 would change"
    assert told(run)[-2:] == ["Next:", "  - run without --check to do it"]


def test_text_of_nothing_to_do_is_one_line() -> None:
    run = run_of(("web1", "daemon_endpoint", {"changed": False, "plan": []}))
    assert told(run) == ["Docker TLS: 1 as it should be"]
    assert run.outcome == "nothing-to-do"


def test_text_names_failed_and_unreachable_hosts_first_with_their_problem() -> None:
    run = run_of(
        ("a", "daemon_endpoint", DAEMON),
        ("b", "certificate_requests", CERTIFICATE),
        ("b", "", {"msg": "port 2376\nis taken"}),
        ("c", "", {"msg": "ssh: connect to host 10.0.0.9 port 22: No route to host"}),
        failed=["b", "d"],
        unreachable=["c"],
    )
    lines = told(run)
    assert lines[0] == "Docker TLS: 2 failed, 1 not reached, 1 changed"
    assert lines[1].startswith("FAILED       b  port 2376 is taken (was to be: certificate expires")
    assert lines[2] == "FAILED       d  stopped by the failure of another host or of a task for all"
    assert lines[3] == (
        "UNREACHABLE  c  ssh: connect to host 10.0.0.9 port 22: No route to host. Check that the host is up and that ssh USER@HOST works from here; "
        "ansible_host and ansible_port say where Ansible connects."
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
        "Set ansible_user: root for this host if Ansible logs in as root, so that it does not call sudo; else install sudo there."
    )


def test_next_step_after_a_failure_does_not_say_that_everything_was_undone() -> None:
    """What only the controller's proof found stays as it is (and a second run, with nothing to change, does not prove it)."""
    run = run_of(failed=["web1"])
    run.note_problem("web1", {"msg": "no answer"}, "endpoint_info")
    (step,) = summary.next_steps(run)
    assert "A change of dockerd that its host could not prove was undone" in step
    assert "what only the controller could not prove stays (portcullis.docker_tls.verify looks again)" in step


LOOK = {"current": False, "reasons": ["expires-soon"], "changed": False}


@pytest.mark.parametrize(("check_mode", "word"), [(True, "planned"), (False, "done")], ids=["plan", "run"])
def test_host_that_a_plan_did_not_come_to_has_planned_things_and_not_done_them(check_mode: bool, word: str) -> None:
    made = {"changed": True, "plan": ["new authority server-g1 (authority-missing)"]}
    run = run_of(("localhost", "authorities", made), check_mode=check_mode, unreachable=["web1"])
    assert told(run)[2] == (
        "NOT DONE     localhost  the run has stopped before it came to this host; "
        f"{word} before: new authority server-g1 (authority-missing)"
    )


def test_hosts_that_a_failed_canary_has_kept_from_their_turn_are_not_as_they_should_be() -> None:
    run = run_of(
        ("canary", "host_state", LOOK),
        ("web1", "host_state", LOOK),
        ("web2", "host_state", {"current": True, "reasons": [], "changed": False}),
        ("canary", "", {"msg": "port 22 is taken"}),
        ("localhost", "authorities", {"changed": False}),
        failed=["canary"],
    )
    assert told(run)[:4] == [
        "Docker TLS: 1 failed, 2 not done, 1 as it should be",
        "FAILED       canary     port 22 is taken",
        "NOT DONE     localhost  the run has stopped before it came to this host",
        "NOT DONE     web1       due (expires-soon), but the run has stopped before it came to this host",
    ]
    hosts = {entry["host"]: entry for entry in json.loads(summary.document(run))["hosts"]}
    assert (hosts["web1"]["state"], hosts["web1"]["due"]) == ("not-done", ["expires-soon"])
    assert (hosts["web2"]["state"], hosts["web2"]["due"]) == ("unchanged", [])


REFUSED = {
    "current": False,
    "reasons": ["port-taken"],
    "refused": {"msg": "port 2376 is taken by nginx", "hint": "End it.", "code": "port-taken"},
}


@pytest.mark.parametrize("failed", [["web1"], []], ids=["to-the-end", "stopped-before"])
def test_refused_host_has_failed_also_where_the_run_did_not_come_to_say_so(failed: list[str]) -> None:
    run = run_of(("web1", "host_state", REFUSED), failed=failed, others=["web2"])
    assert run.states == {"web1": "failed", "web2": "unchanged"}
    assert told(run)[:2] == [
        "Docker TLS: 1 failed, 1 as it should be",
        "FAILED       web1  port 2376 is taken by nginx. End it.",
    ]


def test_refused_host_is_not_what_others_were_stopped_by() -> None:
    due = {"current": False, "reasons": ["expired"]}
    run = run_of(("web1", "host_state", REFUSED), ("web2", "host_state", due), failed=["web1"])
    assert run.states["web2"] == "unchanged"


def test_hosts_that_had_their_turn_beside_a_failed_one_are_done() -> None:
    run = run_of(
        ("web1", "host_state", LOOK),
        ("web1", "daemon_endpoint", DAEMON),
        ("web2", "host_state", LOOK),
        ("web2", "daemon_endpoint", {"changed": False}),
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
    assert (
        lines[1] == "changed      localhost  client ci: new certificate until 2027-11-22, CN ci (certificate-missing)"
    )
    assert lines[-1] == "  - client ci: where it is used elsewhere, copy /b/ci there"
    assert told(run, env_file=True)[-1] == (
        "  - client ci: try . /b/ci/env.sh && docker version; where it is used elsewhere, copy /b/ci there"
    )


def test_text_of_a_bundle_alone_says_what_is_written() -> None:
    run = run_of(("desk", "certificate_bundles", BUNDLE))
    assert told(run)[1:] == ["changed      desk  client ci: new bundle in /b/ci: key.pem (key-changed)"]


def test_text_of_a_large_fleet_is_cut_and_the_document_is_whole() -> None:
    run = run_of(*((f"web{number:04}", "daemon_endpoint", DAEMON) for number in range(1000)))
    lines = told(run)
    assert len(lines) == summary.MOST_HOSTS + 2
    assert lines[-1].startswith(f"... and {1000 - summary.MOST_HOSTS} hosts more")
    assert len(json.loads(summary.document(run))["hosts"]) == 1000


def test_text_of_a_missing_library_says_what_comes() -> None:
    result = {"changed": True, "reasons": ["cryptography-missing"], "msg": "The package would be installed"}
    assert (
        told(run_of(("web1", "daemon_endpoint", result)))[1] == "changed      web1  package for Python's cryptography"
    )


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
    run = run_of(("web1", "", {"msg": "rescued"}), ("web1", "daemon_endpoint", DAEMON))
    assert run.outcome == "changed"
    assert "rescued" not in "".join(told(run))


def test_document_has_the_outcome_on_a_line_of_its_own() -> None:
    run = run_of(("web1", "certificate_requests", CERTIFICATE))
    text = summary.document(run)
    assert '\n  "outcome": "changed",\n' in text or text.startswith('{\n  "outcome": "changed",\n')
    assert json.loads(text)["hosts"] == [
        {
            "host": "web1",
            "state": "changed",
            "reasons": ["expires-soon", "names-changed"],
            "done": ["certificate expires 2026-12-01 (expires-soon, names-changed)"],
            "due": [],
            "problem": "",
        }
    ]


@pytest.mark.parametrize("hosts", [[], ["web1"]])
def test_outcome_of_hosts_without_results_is_nothing_to_do(hosts: list[str]) -> None:
    assert run_of(others=hosts).outcome == "nothing-to-do"
