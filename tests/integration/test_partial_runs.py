# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs that begin in the middle or have a part of the hosts: what they cannot do they refuse, with the reason and what to do."""

from __future__ import annotations

import json
import pathlib

import pytest
from test_limited_runs import play, site

from support.ansible.playbook_runs import LOCAL


def hosts(directory: pathlib.Path) -> str:
    """Return two Docker hosts that are this machine, where no change is possible."""
    lines = (
        f"{name} {LOCAL} ansible_become=false docker_server_cert_path={directory}/{name}\n" for name in ("web1", "web2")
    )
    return "[docker_hosts]\n" + "".join(lines)


MIDDLE = {
    "the-bundles-in-check-mode": (
        "portcullis.docker_tls.docker_client_cert : Make a key and a signing request*",
        "--check",
    ),
    "the-bundles": ("portcullis.docker_tls.docker_client_cert : Make a key and a signing request*",),
}


@pytest.mark.parametrize("options", MIDDLE.values(), ids=MIDDLE)
def test_run_from_the_middle_says_that_it_has_not_read_the_ca(tmp_path: pathlib.Path, options: tuple[str, ...]) -> None:
    site(tmp_path)
    ledger = (tmp_path / "ca/ledger.jsonl").read_bytes()
    code, output = play(tmp_path, "site.yml", "--start-at-task", *options, more=hosts(tmp_path))
    summary = output.partition("PLAY RECAP")[2]
    assert code == 2, output
    assert "this run has not read the CA on cahost" in summary, output
    assert "from its beginning, without --start-at-task" in summary, output
    assert "Correct the variables" not in output
    assert (tmp_path / "ca/ledger.jsonl").read_bytes() == ledger


@pytest.mark.parametrize("more", [(), ("--check",)], ids=["run", "check"])
def test_first_run_without_the_ca_host_says_that_there_is_no_ca(tmp_path: pathlib.Path, more: tuple[str, ...]) -> None:
    code, output = play(tmp_path, "site.yml", "--limit", "web1", *more, more=hosts(tmp_path))
    summary = output.partition("PLAY RECAP")[2]
    assert code == 2, output
    assert "there is no CA on cahost yet" in summary and "with the CA host in the run" in summary, output
    assert not (tmp_path / "ca").exists()


def test_task_that_ansible_does_not_find_is_no_silent_success(tmp_path: pathlib.Path) -> None:
    _code, output = play(tmp_path, "site.yml", "--start-at-task", "Get the certificates", more=hosts(tmp_path))
    assert "Docker TLS: no task was run, so nothing was inspected and nothing changed" in output, output


def test_strategy_of_ansible_cfg_makes_nothing_happen_twice(tmp_path: pathlib.Path) -> None:
    """``free`` counts for plays that name no strategy, and runs for each host what is to run once."""
    output = site(tmp_path, "--limit", "all,localhost", settings={"ANSIBLE_STRATEGY": "free"})
    lines = map(json.loads, (tmp_path / "ca/ledger.jsonl").read_text().splitlines())
    assert [one["request"] for one in lines if one["event"] == "issued"] == ["localhost/alice", "localhost/bob"], output


@pytest.mark.parametrize(
    "playbook", ["site.yml", "status.yml", "verify.yml", "rotate_ca.yml", "adopt.yml", "backup_ca.yml"]
)
def test_misspelt_variable_is_warned_of_by_every_playbook(tmp_path: pathlib.Path, playbook: str) -> None:
    group = f"[docker_hosts:vars]\ndocker_daemon_listenr=proxy\n{hosts(tmp_path)}"
    more = {"docker_daemon_prot": 2376, "docker_rotate_ca_authority": "server"}
    _code, output = play(tmp_path, playbook, "--check", more=group, **more)
    summary = output.partition("PLAY RECAP")[2]
    wrong = (
        "docker_daemon_listenr is not a variable of portcullis.docker_tls, so it has no effect here (given for the group docker_hosts). "
        "Is docker_daemon_listener meant?"
    )
    assert "[WARNING]: " in output and wrong in output, output
    assert (
        "docker_daemon_prot is not a variable of portcullis.docker_tls, so it has no effect here (given with -e)"
        in output
    )
    if playbook == "site.yml":
        assert f"WARNING: {wrong}" in summary, output


def test_inventory_that_cannot_be_parsed_makes_no_ca(tmp_path: pathlib.Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("docker_hosts:\n  hosts: [web1\n")
    code, output = play(tmp_path, "site.yml", inventory=wrong)
    assert code == 2 and f"the inventory {wrong} could not be parsed" in output, output
    assert not (tmp_path / "ca").exists()
