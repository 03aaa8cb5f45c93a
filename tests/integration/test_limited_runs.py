# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs that --limit confines to a part of the inventory, or that know of the CA in another way than most.

The fleet has bundles only, so no dockerd is needed.
"""

from __future__ import annotations

import getpass
import json
import pathlib
import sys
import typing as t

import pytest
from cryptography import x509

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[2] / "playbooks"
INVENTORY = f"[docker_ca]\ncahost {playbook_runs.LOCAL} ansible_become=false\n"


def play(
    directory: pathlib.Path,
    playbook: str,
    *options: str,
    revoked: bool = False,
    more: str = "",
    settings: t.Mapping[str, str] | None = None,
    inventory: pathlib.Path | None = None,
    **variables: t.Any,
) -> tuple[int, str]:
    """Run a playbook for alice, who may be revoked, and bob; both have their bundles on the controller. Return how it ended and what it said.

    ``more`` goes into the inventory, ``settings`` into the environment.
    """
    alice = {"name": "alice", "state": "revoked" if revoked else "present"}
    given: dict[str, t.Any] = {
        "docker_ca_path": str(directory / "ca"),
        "docker_ca_passphrase": PASSPHRASE_TEXT,
        "docker_client_cert_path": str(directory / "bundles"),
        "docker_client_cert_clients": [alice, {"name": "bob"}],
        **variables,
    }
    (directory / "inventory").write_text(INVENTORY + more)
    environment = playbook_runs.environment(directory, directory / "home", directory / "tmp")
    command = [
        playbook_runs.PLAYBOOK,
        "-i",
        str(inventory or directory / "inventory"),
        str(PLAYBOOKS / playbook),
        "-e",
        json.dumps(given),
    ]
    environment = {**environment, "ANSIBLE_NOCOLOR": "1", **(settings or {})}
    done = playbook_runs.run([*command, *options], environment, directory)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def site(directory: pathlib.Path, *options: str, **more: t.Any) -> str:
    code, output = play(directory, "site.yml", *options, **more)
    assert code == 0, output
    return output


def issuer(directory: pathlib.Path) -> str:
    """Return which generation has signed bob's certificate."""
    found = x509.load_pem_x509_certificate((directory / "bundles/bob/cert.pem").read_bytes())
    return found.issuer.rfc4514_string().partition("OU=")[2].partition(",")[0]


def generations(directory: pathlib.Path) -> list[str]:
    return sorted(one.name for one in (directory / "ca/authorities").iterdir() if one.name.startswith("clients"))


def test_revocation_that_leaves_the_controller_out_waits_for_the_bundles_there(tmp_path: pathlib.Path) -> None:
    """``all`` is not the localhost that Ansible makes itself: no play would give bob his new certificate."""
    site(tmp_path)
    code, limited = play(tmp_path, "site.yml", "--limit", "all", revoked=True)
    assert (code, "revocation-deferred: alice" in limited) == (2, True), limited
    assert "REVOKED, AND STILL ADMITTED: alice can connect with certificates of clients-g1" in limited
    assert (generations(tmp_path), issuer(tmp_path)) == (["clients-g1"], "clients-g1")
    site(tmp_path, "--limit", "all,localhost", revoked=True)
    assert (generations(tmp_path), issuer(tmp_path)) == (["clients-g2"], "clients-g2")


@pytest.mark.parametrize("playbook", ["rotate_ca.yml", "adopt.yml", "verify.yml"])
def test_playbook_that_plans_on_the_controller_fails_where_limit_excludes_it(
    tmp_path: pathlib.Path, playbook: str
) -> None:
    """Without it nothing would happen, and the run would appear successful."""
    wanted = {"docker_rotate_ca_authority": "server", "docker_rotate_ca_execute": True, "docker_adopt_execute": True}
    code, output = play(tmp_path, playbook, "--limit", "cahost", **wanted)
    assert (code, "--limit cahost excludes localhost" in output) == (2, True), output
    assert "--limit cahost,localhost" in output
    assert not (tmp_path / "ca").exists()


def test_bundles_are_renewed_by_a_run_of_the_controller_alone(tmp_path: pathlib.Path) -> None:
    site(tmp_path)
    before = (tmp_path / "bundles/bob/cert.pem").read_bytes()
    here = f"[controllers]\nlocalhost {playbook_runs.LOCAL}\n"
    site(tmp_path, "--limit", "localhost", more=here, docker_client_cert_force_renewal=True)
    assert (tmp_path / "bundles/bob/cert.pem").read_bytes() != before


def test_facts_need_not_be_variables(tmp_path: pathlib.Path) -> None:
    """What the authorities are is a fact, and later versions of Ansible make no variables of facts unless asked to."""
    site(tmp_path, settings={"ANSIBLE_INJECT_FACT_VARS": "False"})
    assert issuer(tmp_path) == "clients-g1"


def test_role_docker_ca_that_was_skipped_has_read_nothing(tmp_path: pathlib.Path) -> None:
    site(tmp_path)
    ours = "portcullis.docker_tls."
    plays = [
        {"hosts": "cahost", "gather_facts": False, "roles": [{"role": f"{ours}docker_ca", "when": False}]},
        {"hosts": "localhost", "gather_facts": False, "roles": [f"{ours}docker_client_cert"]},
    ]
    (tmp_path / "plays.yml").write_text(json.dumps(plays))
    code, output = play(tmp_path, str(tmp_path / "plays.yml"), docker_client_cert_force_renewal=True)
    assert code == 0, output


def test_host_that_names_itself_the_ca_host_is_refused_also_where_the_run_is_its_own(tmp_path: pathlib.Path) -> None:
    """Facts are above the inventory: the CA's passphrase would have gone to it, and certificates for names of others come from there."""
    said = {
        "changed": False,
        "ansible_facts": {"docker_server_cert_ca_host": "web1", "docker_server_cert_names": ["db1"]},
    }
    liar, asked = tmp_path / "liar", tmp_path / "asked"
    liar.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(asked)!r}, 'a').write(sys.stdin.read())\nprint({json.dumps(said)!r})\n"
    )
    liar.chmod(0o755)
    plays = [
        {"hosts": "docker_hosts", "gather_facts": True, "tasks": []},
        {"import_playbook": str(PLAYBOOKS / "site.yml")},
    ]
    (tmp_path / "plays.yml").write_text(json.dumps(plays))
    hosts = f"[docker_hosts]\nweb1 ansible_connection=local ansible_become=false ansible_python_interpreter={liar}\n"
    for options in ([], ["--limit", "web1"], ["--limit", "web1", "--tags", "none"]):
        code, output = play(tmp_path, str(tmp_path / "plays.yml"), *options, more=hosts)
        assert (code, "web1: the facts of this host hold docker_server_cert_ca_host" in output) == (2, True), output
        assert "Traceback" not in output
    assert not asked.exists() or PASSPHRASE_TEXT not in asked.read_text()


def test_variable_that_only_client_machines_can_compute_does_not_stop_the_controller(tmp_path: pathlib.Path) -> None:
    users = json.dumps([{"user": getpass.getuser(), "client": "bob", "directory": str(tmp_path / "desk")}])
    machine = f"[docker_clients]\ndesk {playbook_runs.LOCAL} ansible_become=false bundles_here='{users}'\n"
    site(tmp_path, more=machine + '[all:vars]\ndocker_client_cert_users="{{ bundles_here }}"\n')
    assert (tmp_path / "desk/cert.pem").exists()


def test_empty_order_of_batches_means_all_at_once(tmp_path: pathlib.Path) -> None:
    site(tmp_path, docker_daemon_serial=None)
    assert (tmp_path / "bundles/bob/cert.pem").exists()


def test_revocation_by_list_names_the_proxies_that_do_not_have_the_list(tmp_path: pathlib.Path) -> None:
    """The list is signed at once, whatever hosts a run has; bob keeps his certificate."""
    proxy = "[docker_hosts]\nweb1 ansible_host=127.0.0.1 ansible_port=9 docker_daemon_listener=proxy\n"
    site(tmp_path)
    before = (tmp_path / "bundles/bob/cert.pem").read_bytes()
    code, planned = play(tmp_path, "site.yml", "--check", "--limit", "cahost,localhost", revoked=True, more=proxy)
    assert code == 2, planned
    assert "alice can connect with certificates of clients-g1 on web1, which this run does not include" in planned
    assert "NOT VERIFIED: alice is revoked, and web1 may still admit it by clients-g1" in planned
    code, limited = play(tmp_path, "site.yml", "--limit", "cahost,localhost", revoked=True, more=proxy)
    assert code == 2, limited
    assert "alice can connect with certificates of clients-g1 on web1, which this run does not include" in limited
    assert "STILL ADMITS alice: this run does not include the host" in limited
    for options in ((), ("--check",)):
        limit = ("--limit", "cahost,localhost", *options)
        code, later = play(tmp_path, "site.yml", *limit, revoked=True, more=proxy)
        assert code == 2, later
        assert (
            "no run has verified since the revocation of alice that web1 refuses its certificate of clients-g1" in later
        )
        summary = later.partition("Docker TLS")[2]
        assert summary.count("NOT VERIFIED: alice is revoked, and web1 may still admit it by clients-g1 (until ") == 1
        assert "this verifies that web1 refuses alice" in summary.partition("Next:")[2]
    assert (generations(tmp_path), issuer(tmp_path)) == (["clients-g1"], "clients-g1")
    assert (tmp_path / "bundles/bob/cert.pem").read_bytes() == before
    assert not (tmp_path / "bundles/alice").exists()
    (crl,) = x509.load_pem_x509_crl((tmp_path / "ca/authorities/clients-g1/crl.pem").read_bytes())
    assert crl.serial_number
    code, away = play(tmp_path, "site.yml", revoked=True, more=proxy)
    assert code != 0
    assert "NOT VERIFIED: alice is revoked, and web1 may still admit it by clients-g1" in away, away
    assert "--limit" not in away.partition("Next:")[2]


#: In place of a Docker host's Python: it says that the host is as it should be, and which revocation lists its proxy checks.
HOST = """#!{python}
import sys
sys.stdin.read()
print("docker_tls: begun")
print({answer!r})
"""


def pretend(directory: pathlib.Path, *authorities: str) -> str:
    """Write a Docker host that has the revocation lists of ``authorities``, and return it for the inventory."""
    lists = [{"issuer": f"CN=Docker client CA,OU={name}", "number": 2, "revoked": 1} for name in authorities]
    seen = {"current": True, "reasons": [], "warnings": [], "requests": [], "endpoint": {"revocation_lists": lists}}
    answer = json.dumps({"docker_tls_answer": seen})
    path = directory / "python-of-web1"
    path.write_text(HOST.format(python=sys.executable, answer=answer))
    path.chmod(0o755)
    local = f"ansible_connection=local ansible_become=false ansible_pipelining=true ansible_python_interpreter={path}"
    return f"[docker_hosts]\nweb1 {local} docker_daemon_listener=proxy\n"


def test_run_that_completes_a_revocation_reports_it_and_later_runs_are_quiet(tmp_path: pathlib.Path) -> None:
    host = pretend(tmp_path)
    site(tmp_path, more=host)
    code, _first = play(tmp_path, "site.yml", "--limit", "cahost,localhost", revoked=True, more=host)
    assert code == 2
    code, lacking = play(tmp_path, "site.yml", revoked=True, more=host)
    assert (code, "MAY STILL ADMIT alice: its listener checks no revocation list" in lacking) == (2, True), lacking
    host = pretend(tmp_path, "clients-g1")
    done = site(tmp_path, revoked=True, more=host)
    assert "alice is shut out, its certificate of clients-g1 is refused" in done
    ledger = [json.loads(line) for line in (tmp_path / "ca/ledger.jsonl").read_text().splitlines()]
    assert [(one["client"], one["hosts"]) for one in ledger if one["event"] == "revocation-verified"] == [
        ("alice", ["web1"])
    ]
    for options in (("--limit", "cahost,localhost"), (), ("--limit", "web1"), ("--check",)):
        later = site(tmp_path, *options, revoked=True, more=host)
        assert "alice" not in later.replace("['alice']", ""), later
    assert len((tmp_path / "ca/ledger.jsonl").read_text().splitlines()) == len(ledger)
