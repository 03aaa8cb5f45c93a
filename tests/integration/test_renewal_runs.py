# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of site.yml through the wrapper of docs/examples/renewal: exit codes and summary. Clients only, so no dockerd is needed."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import journal
from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "docs/examples/renewal"
WRAPPER = EXAMPLES / "docker-tls-renew"


class Run(t.NamedTuple):
    """What a run said: its exit code, its output, the summary that it left (None for none)."""

    code: int
    output: str
    summary: dict[str, t.Any] | None

    @property
    def told(self) -> str:
        """The summary as people read it: what comes after the recap."""
        return self.output[self.output.rfind("Docker TLS") :].partition("\n\n")[0] + "\n"


def renew(
    directory: pathlib.Path,
    *options: str,
    passphrase: str = PASSPHRASE_TEXT,
    playbook: str = "site",
    **variables: t.Any,
) -> Run:
    """Run the wrapper against a fleet of clients on this machine."""
    kept = directory / "summary.json"
    kept.write_text('{"outcome": "nothing-to-do"}\n')  # of an earlier run
    quiet = "interpreter_python = auto_silent\n"
    settings = {
        **playbook_runs.environment(directory, directory / "home", directory, configuration=quiet),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        "CA_PASSPHRASE": passphrase,
        "DOCKER_TLS_SUMMARY_PATH": str(kept),
        "DOCKER_TLS_PLAYBOOK": f"portcullis.docker_tls.{playbook}",
    }
    (directory / "inventory").write_text(f"localhost {playbook_runs.LOCAL}\n")
    secret = {"docker_ca_passphrase": "{{ lookup('ansible.builtin.env', 'CA_PASSPHRASE') }}"}
    command = [str(WRAPPER), "-i", str(directory / "inventory"), "-e", json.dumps({**secret, **variables}), *options]
    done = playbook_runs.run(command, settings, directory)
    summary = json.loads(kept.read_text()) if kept.exists() else None
    return Run(done.returncode, done.stdout + done.stderr, summary)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The runs of a client's life, each on what the one before left."""
    directory = tmp_path_factory.mktemp("story")
    soon = {"docker_client_cert_renew_before": "30d"}
    return {
        "plan": renew(directory, "--check", "--diff"),
        "first": renew(directory, docker_client_cert_validity="1h", docker_client_cert_docker_host="tcp://web1:2376"),
        "renewal": renew(directory, **soon),
        "again": renew(directory, **soon),
        "tagged": renew(directory, "--tags", "of_nothing_here"),
        "wrong": renew(directory, passphrase="not the passphrase", docker_client_cert_force_renewal=True),
    }


@pytest.mark.parametrize(
    ("name", "code", "outcome"),
    [
        ("plan", 10, "changed"),
        ("first", 10, "changed"),
        ("renewal", 10, "changed"),
        ("again", 0, "nothing-to-do"),
        ("wrong", 2, "failed"),
    ],
)
def test_exit_code_tells_what_came_of_it(story: dict[str, Run], name: str, code: int, outcome: str) -> None:
    run = story[name]
    assert (run.code, (run.summary or {}).get("outcome")) == (code, outcome), run.output


def test_plan_reads_like_one_and_says_that_it_is_one(story: dict[str, Run]) -> None:
    told, run = story["plan"].told, story["plan"]
    assert told.startswith("Docker TLS, a plan: 1 would change\n")
    assert re.search(
        r"would change +localhost  new authority server-g1, CN Docker CA, ecdsa-p256, until \d{4}-\d\d-\d\d ", told
    )
    assert "client client: new certificate until " in told
    assert "run without --check" in told
    assert run.summary is not None and run.summary["check_mode"]
    assert run.output.count("client client: new bundle in ") == 1  # in the diff; the summary says each thing once


def test_first_run_says_how_to_try_it_and_what_to_copy(story: dict[str, Run]) -> None:
    assert re.search(r"- client client: try \. (\S+)/env\.sh && docker version; .* copy \1 there", story["first"].told)


def test_renewal_says_from_when_to_when_and_why(story: dict[str, Run]) -> None:
    run = story["renewal"]
    assert re.search(r"client client: certificate expires \S+ -> \S+ \(expires soon\)", run.told), run.told
    assert run.summary is not None
    assert "expires-soon" in run.summary["hosts"][0]["reasons"]


def test_run_with_nothing_to_do_says_so_in_a_line(story: dict[str, Run]) -> None:
    assert story["again"].told.strip() == "Docker TLS: 1 as it should be"


def test_run_with_nothing_to_do_is_a_screen(story: dict[str, Run]) -> None:
    lines = [line for line in story["again"].output.splitlines() if line.strip()]
    assert len(lines) <= 25, story["again"].output
    assert "no hosts matched" not in story["again"].output


def test_run_whose_tasks_are_left_out_by_tags_is_no_success(story: dict[str, Run]) -> None:
    assert story["tagged"].code == 3, story["tagged"].output
    assert "as it should be" not in story["tagged"].output


def test_failure_is_told_with_its_reason_and_what_to_do(story: dict[str, Run]) -> None:
    told = story["wrong"].told
    assert told.startswith("Docker TLS: 1 failed\nFAILED")
    assert "passphrase" in told
    assert "run again" in told


def test_host_that_is_not_reached_is_told_and_is_no_success(tmp_path: pathlib.Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("[docker_hosts]\naway ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh\n")
    run = renew(tmp_path, "-i", str(hosts))
    assert run.code == 4, run.output
    assert run.told.startswith("Docker TLS: 1 not reached, ")
    assert re.search(r"UNREACHABLE  away +", run.told), run.told
    assert run.summary is not None
    assert {each["host"]: each["state"] for each in run.summary["hosts"]}["away"] == "unreachable"


def test_yaml_that_cannot_be_read_is_not_a_host_that_was_not_reached(tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text("docker_hosts: [1,\n")
    run = renew(tmp_path, "-e", f"@{broken}")
    assert (run.code, run.summary) == (3, None), run.output
    assert "before it had a summary" in run.output


def test_revoked_client_that_is_younger_than_the_ledger_is_revoked_when_its_bundle_is_recorded(
    tmp_path: pathlib.Path,
) -> None:
    """A snapshot of the CA came back, and the first run after it is the one that revokes."""
    ca, bundle = (tmp_path / "home/.docker_tls" / name for name in ("ca", "clients/bob"))
    renew(tmp_path)
    shutil.copytree(ca, tmp_path / "snapshot")
    assert renew(tmp_path, docker_client_cert_clients=[{"name": "client"}, {"name": "bob"}]).code == 10
    shutil.rmtree(ca)
    shutil.copytree(tmp_path / "snapshot", ca)
    without = {"docker_client_cert_clients": [{"name": "client"}, {"name": "bob", "state": "revoked"}]}
    for options in (["--check"], []):
        refused = renew(tmp_path, *options, **without)
        assert (refused.code, "NOT REVOKED" in refused.output) == (2, True), refused.output
        assert "record_certificates" in refused.told
        assert (bundle / "cert.pem").exists()
    assert "1 recorded" in renew(tmp_path, playbook="record_certificates", **without).output
    done = renew(tmp_path, **without)
    assert done.code == 10, done.output
    assert not bundle.exists()
    ledger = [json.loads(line) for line in (ca / "ledger.jsonl").read_text().splitlines()]
    assert [entry["client"] for entry in ledger if entry["event"] == "client-revoked"] == ["bob"]


def test_relative_paths_begin_where_the_user_is(tmp_path: pathlib.Path) -> None:
    """Not in the directory of the playbook, which is the installed collection."""
    renew(tmp_path)
    files = {"json": "status.json", "prometheus": "docker.prom", "html": "reports.html"}
    output = renew(
        tmp_path, playbook="status", **{f"docker_status_{name}_path": file for name, file in files.items()}
    ).output
    assert [file for file in files.values() if not (tmp_path / file).is_file()] == [], output
    output = renew(tmp_path, playbook="backup_ca", docker_ca_backup_controller_path="backups").output
    (archive,) = (tmp_path / "backups").iterdir()
    assert str(archive) in output
    (tmp_path / "home/.docker_tls/ca").rename(tmp_path / "lost")
    output = renew(tmp_path, playbook="restore_ca", docker_ca_restore_controller_path=f"backups/{archive.name}").output
    assert (tmp_path / "home/.docker_tls/ca/ledger.jsonl").is_file(), output


def test_playbook_without_a_summary_is_no_success(tmp_path: pathlib.Path) -> None:
    """A stand-in for ansible-playbook that ends well and leaves nothing."""
    program = tmp_path / "ansible-playbook"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    done = subprocess.run(
        [str(WRAPPER)], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "no summary" in done.stderr) == (3, True)


def test_crontab_runs_the_wrapper_as_a_user_under_a_lock() -> None:
    lines = [line for line in (EXAMPLES / "docker-tls-renew.cron").read_text().splitlines() if not line.startswith("#")]
    assert "%" not in "".join(lines)  # cron makes a newline of it
    settings, (job,) = (
        [line for line in lines if re.match(r"[A-Z]+=", line)],
        [line for line in lines if line[0].isdigit()],
    )
    assert len(lines) == len(settings) + 1
    minute, hour, *rest = job.split(None, 6)[:5]
    assert (minute.isdigit(), hour.isdigit(), rest) == (True, True, ["*", "*", "*"])
    user, command = job.split(None, 6)[5:]
    assert user == "ansible"
    assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


@pytest.mark.parametrize(("code", "mail"), [(0, ""), (10, ""), (2, "it said this\n")])
def test_crontab_mails_only_failures(tmp_path: pathlib.Path, code: int, mail: str) -> None:
    program = tmp_path / "docker-tls-renew"
    program.write_text(f"#!/bin/sh\necho it said this\nexit {code}\n")
    program.chmod(0o755)
    text = (EXAMPLES / "docker-tls-renew.cron").read_text()
    command = next(line for line in text.splitlines() if line[:1].isdigit()).split(None, 6)[6]
    settings = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", command], env=settings, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == mail


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_units_are_what_systemd_understands(tmp_path: pathlib.Path) -> None:
    for name in ("docker-tls-renew.service", "docker-tls-renew.timer"):
        text = (EXAMPLES / name).read_text().replace("/usr/local/bin/docker-tls-renew", str(WRAPPER))
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / "docker-tls-renew.service"), str(tmp_path / "docker-tls-renew.timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "docker-tls-renew" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_service_has_a_state_directory_of_its_own() -> None:
    """systemd gives the directory and all in it to the service's account: on a Docker host these were root's journal and rollback guard."""
    text = (EXAMPLES / "docker-tls-renew.service").read_text()
    (directory,) = re.findall(r"^StateDirectory=(.*)$", text, re.MULTILINE)
    assert f"/var/lib/{directory}" != journal.STATE_DIRECTORY
    assert f"DOCKER_TLS_SUMMARY_PATH=/var/lib/{directory}/summary.json" in text
    assert f"`/var/lib/{directory}/summary.json`" in (EXAMPLES.parents[1] / "renewal.md").read_text()


def test_host_that_failed_is_not_hidden_by_one_that_is_not_reached(tmp_path: pathlib.Path) -> None:
    """ansible-playbook itself returns 4 for both."""
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "[docker_hosts]\naway ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh\n"
        "broken ansible_connection=local ansible_python_interpreter=/bin/false\n"
    )
    run = renew(tmp_path, "-i", str(hosts), "--check")
    states = {one["host"]: one["state"] for one in (run.summary or {})["hosts"]}
    assert (states["away"], states["broken"], run.code) == ("unreachable", "failed", 2), run.output


def test_run_without_a_summary_leaves_none_of_an_earlier_run(tmp_path: pathlib.Path) -> None:
    run = renew(tmp_path, "--no-such-option")
    assert (run.code, run.summary) == (2, None), run.output
