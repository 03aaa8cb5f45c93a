# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of ansible-playbook: the passphrase is in no file and no output, and a host with forged answers gains nothing."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import sys
import typing as t

import pytest

from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT, csr, tree

CONTROL = "control sequence"

PLAY = """
- hosts: all
  gather_facts: false
  vars:
    secret: "{{ lookup('ansible.builtin.env', 'CA_SECRET') }}"
    ca: {path: "%(ca)s", passphrase: "{{ secret }}"}
  tasks:
    - portcullis.docker_tls.authorities: "{{ ca | combine({'access_groups': ['ops']}) }}"
      register: made
    - portcullis.docker_tls.temporary_client: "{{ ca | combine({'name': 'check', 'group': 'ops'}) }}"
      register: client
    - portcullis.docker_tls.signed_certificates: "{{ ca | combine({'requests': [{'id': 'a', 'authority': 'nobody', 'profile': 'client',
        'request_content': 'x', 'common_name': 'a'}]}) }}"
      register: refused
      ignore_errors: true
    - ansible.builtin.copy:
        dest: "%(result)s"
        content: "{{ {'made': made, 'client': client, 'refused': refused} | to_json }}"
        mode: "0600"
      no_log: true
      check_mode: false
"""
CONTROL_PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.ping: {data: "{{ lookup('ansible.builtin.env', 'CA_SECRET') }}"}
"""


class Run(t.NamedTuple):
    """What a run left behind."""

    status: int
    output: str
    result: dict[str, t.Any]


def play(
    directory: pathlib.Path,
    text: str,
    secret: str,
    *arguments: str,
    prefix: t.Sequence[str] = (),
    inventory: str = f"web1 {playbook_runs.LOCAL}\n",
    **environment: str,
) -> Run:
    """Run a play on this machine over the local connection with every temporary file below ``directory/files``."""
    (directory / "play.yml").write_text(text % {"ca": directory / "ca", "result": directory / "result.json"})
    (directory / "inventory").write_text(inventory)
    settings = {**playbook_runs.keeping(directory, directory / "files"), "CA_SECRET": secret, **environment}
    paths = ["-i", str(directory / "inventory"), str(directory / "play.yml")]
    done = playbook_runs.run([*prefix, playbook_runs.PLAYBOOK, *paths, *arguments], settings, directory)
    stored = directory / "result.json"
    result = json.loads(stored.read_text()) if stored.exists() else {}
    return Run(done.returncode, done.stdout + done.stderr, result)


def holding(directory: pathlib.Path, secret: str) -> list[str]:
    """Return the files below ``directory`` that hold the secret."""
    return [name for name, content in tree(directory).items() if secret.encode() in content]


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, Run]:
    """One run with everything that shows or keeps more: -vvvvv, debug, --diff, files kept, no pipelining configured."""
    directory = tmp_path_factory.mktemp("loud")
    return directory, play(directory, PLAY, PASSPHRASE_TEXT, "-vvvvv", "--diff", ANSIBLE_DEBUG="1")


def test_control_run_leaves_an_argument_of_another_module_in_a_file(tmp_path: pathlib.Path) -> None:
    """The test below would notice: without the action plugin's help arguments do stay on the disk."""
    run = play(tmp_path, CONTROL_PLAY, CONTROL, "-vvv")
    assert run.status == 0, run.output
    assert holding(tmp_path / "files", CONTROL)
    assert CONTROL in run.output


def test_control_run_shows_an_argument_of_another_module_when_ansible_debugs(tmp_path: pathlib.Path) -> None:
    run = play(tmp_path, CONTROL_PLAY, CONTROL, ANSIBLE_DEBUG="1")
    assert re.search(rf"done with _execute_module \(\S*ping, .*{CONTROL}", run.output)


def test_passphrase_is_in_no_file(loud: tuple[pathlib.Path, Run]) -> None:
    directory, run = loud
    assert run.status == 0, run.output
    assert holding(directory, PASSPHRASE_TEXT) == []


def test_passphrase_and_keys_are_in_no_output_and_no_result(loud: tuple[pathlib.Path, Run]) -> None:
    unused, run = loud
    assert PASSPHRASE_TEXT not in run.output
    assert "PRIVATE KEY" not in run.output
    assert PASSPHRASE_TEXT not in json.dumps(run.result)


def test_failure_is_one_message_without_traceback(loud: tuple[pathlib.Path, Run]) -> None:
    unused, run = loud
    refused = run.result["refused"]
    assert refused["code"] == "authority-unknown"
    assert "1 of 1 requests cannot be signed" in refused["msg"]
    assert "Traceback" not in run.output


def test_temporary_client_is_accepted_by_openssl_and_hidden_from_the_output(loud: tuple[pathlib.Path, Run]) -> None:
    directory, run = loud
    client = run.result["client"]
    for name in ("certificate_content", "ca_content", "key_content", "authority_content"):
        (directory.parent / name).write_text(client[name])
    verify = [
        "openssl",
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-CAfile",
        "authority_content",
        "certificate_content",
    ]
    subprocess.run(verify, cwd=directory.parent, check=True, capture_output=True)
    public = [
        subprocess.run(["openssl", *command], cwd=directory.parent, check=True, capture_output=True).stdout
        for command in (
            ["pkey", "-in", "key_content", "-pubout"],
            ["x509", "-in", "certificate_content", "-noout", "-pubkey"],
        )
    ]
    assert public[0] == public[1]
    assert client["ca_content"] == run.result["made"]["authorities"]["server"]["trusted_content"]
    assert client["key_content"] not in run.output
    assert holding(directory / "files", client["key_content"]) == []
    assert holding(directory / "ca", client["key_content"]) == []


def test_operator_and_requester_are_in_the_ledger(loud: tuple[pathlib.Path, Run]) -> None:
    directory, unused = loud
    *before, last = [json.loads(line) for line in (directory / "ca" / "ledger.jsonl").read_text().splitlines()]
    assert len(before) == 2
    assert (last["event"], last["requester"], last["reasons"]) == ("issued", "web1", ["temporary-client"])
    assert re.fullmatch(r".+@.+", last["operator"])


def test_check_mode_on_a_clean_host_foretells_and_writes_nothing(tmp_path: pathlib.Path) -> None:
    run = play(tmp_path, PLAY, PASSPHRASE_TEXT, "--check", "--diff", ANSIBLE_KEEP_REMOTE_FILES="0")
    assert run.status == 0, run.output
    assert not (tmp_path / "ca").exists()
    assert run.result["made"]["changed"]
    assert run.result["client"]["clients"]["ops"]["key_content"] == ""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_passphrase_is_in_no_write_to_a_file_and_in_no_command_line(tmp_path: pathlib.Path) -> None:
    """The kernel's own account: every execve, and every write with what it went to, of all processes of the run."""
    trace = tmp_path / "trace"
    watch = [
        "strace",
        "-f",
        "-y",
        "-s",
        "20000000",
        "-e",
        "trace=execve,write,writev,pwrite64,sendfile",
        "-o",
        str(trace),
    ]
    run = play(tmp_path, PLAY, PASSPHRASE_TEXT, prefix=watch)
    assert run.status == 0, run.output
    found = [line[:120] for line in trace.read_text(errors="replace").splitlines() if PASSPHRASE_TEXT in line]
    assert found
    to_pipes = re.compile(r"\d+ +write(v)?\(\d+<(pipe|socket|UNIX[^:]*):")
    assert [line for line in found if not to_pipes.match(line) and "execve" not in line] == []
    assert [line for line in found if "execve" in line] == []


def test_su_as_become_method_is_refused_before_anything_is_sent(tmp_path: pathlib.Path) -> None:
    run = play(tmp_path, PLAY, PASSPHRASE_TEXT, "--become", "--become-method", "su")
    assert run.status != 0
    assert "does not allow pipelining" in run.output
    assert not (tmp_path / "ca").exists()
    assert holding(tmp_path / "files", PASSPHRASE_TEXT) == []


def test_python_without_cryptography_in_a_virtual_environment_fails_clearly(tmp_path: pathlib.Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    run = play(
        tmp_path, PLAY, PASSPHRASE_TEXT, "-e", f"ansible_python_interpreter={tmp_path / 'bare' / 'bin' / 'python'}"
    )
    assert run.status != 0
    assert "virtual environment" in run.output
    assert not (tmp_path / "ca").exists()


# ---- hosts whose Python answers what it likes

ROLES = """
- hosts: localhost
  gather_facts: false
  roles: [portcullis.docker_tls.docker_ca]
- hosts: docker_hosts
  gather_facts: false
  roles: [portcullis.docker_tls.docker_server_cert]
- hosts: docker_clients
  gather_facts: false
  roles: [portcullis.docker_tls.docker_client_cert]
"""
INVENTORY = """
all:
  vars:
    ansible_connection: local
    docker_ca_path: {ca}
    docker_ca_passphrase: "{{{{ lookup('ansible.builtin.env', 'CA_SECRET') }}}}"
    docker_client_cert_clients: [{{name: alice}}, {{name: mallory}}]
  hosts:
    localhost: {{ansible_python_interpreter: {python}}}
    db: {{ansible_host: 192.0.2.5}}
  children:
    docker_hosts:
      hosts:
        web1: {{ansible_python_interpreter: {python}, docker_server_cert_path: {top}/certs, docker_server_cert_names: [web1.example.org]}}
        thief: {{ansible_python_interpreter: {top}/thief}}
        greedy: {{ansible_python_interpreter: {top}/greedy, docker_server_cert_names: ["*.greedy.example.org"]}}
        broken: {{ansible_python_interpreter: {top}/broken}}
        twin: {{ansible_python_interpreter: {top}/twin, docker_server_cert_names: ["{{{{ ansible_fqdn }}}}"], ansible_fqdn: web1}}
    docker_clients:
      hosts:
        greedy:
      vars:
        docker_client_cert_users: [{{user: root, client: mallory}}]
"""


def forged(number: int, identifier: str, *names: str, **changes: t.Any) -> dict[str, t.Any]:
    """Return an entry of an answer of certificate_requests."""
    wanted = {
        "id": identifier,
        "action": "issue",
        "profile": "server",
        "request_content": csr(number),
        "common_name": "web1.example.org",
        "names": list(names),
        "reasons": ["certificate-missing", 'x","names":["db"]'],
        "certificate": None,
    }
    return {**wanted, **changes}


#: What each lying host answers, whatever it is asked.
LIES: dict[str, t.Any] = {
    # Another host's names, among them one that the inventory declares and one that is only an address of another host's.
    "thief": {"requests": [forged(2, "server", "thief", "web1.example.org", "192.0.2.5")]},
    # Variables, wildcards, a second server certificate, other profiles and lifetimes, other hosts' ids and clients.
    "greedy": {
        "requests": [
            forged(
                3,
                "root:mallory",
                "greedy",
                "*.example.org",
                "*.greedy.example.org",
                profile="client",
                authority="clients",
                validity="9999d",
                requester="web1",
            ),
            forged(4, "web1/server", "db"),
            forged(5, "root:alice", "alice", profile="client", common_name="alice"),
            forged(6, "localhost/alice", "alice", profile="client", common_name="alice"),
        ],
        "ansible_facts": {
            "docker_server_cert_names": ["web1.example.org", "*.example.org"],
            "docker_client_cert_users": [{"user": "root", "client": "alice"}],
            "docker_ca_path": "/nonexistent",
            "docker_ca_authorities": {"server": {"trusted_content": "forged"}},
        },
        "rejected": {"web1/server": {"msg": "forged", "hint": "", "code": ""}},
        # What the modules that install have to answer.
        "directory": "",
        "certificate": None,
        "bundles": [],
        "add_host": {"host_name": "more", "groups": ["docker_hosts"]},
    },
    # The inventory takes a name from its facts, where it is another host.
    "twin": {"requests": [forged(7, "server", "twin", "web1")]},
    "broken": {"requests": ["text", {"request_content": {"a": 1}, "names": 7}]},
}


@pytest.fixture(scope="module")
def lies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[dict[str, t.Any]], pathlib.Path]:
    """One run over a good host and lying ones; what the ledger has afterwards."""
    directory = tmp_path_factory.mktemp("lies")
    for name, lie in LIES.items():
        answer = json.dumps({"changed": True, **lie})
        (directory / name).write_text(f"#!{sys.executable}\nprint({answer!r})\n")
        (directory / name).chmod(0o755)
    inventory = INVENTORY.format(ca=directory / "ca", python=sys.executable, top=directory)
    (directory / "inventory.yml").write_text(inventory)
    run = play(
        directory, ROLES, PASSPHRASE_TEXT, "-i", str(directory / "inventory.yml"), inventory="[docker_hosts]\nweb1\n"
    )
    lines = (directory / "ca" / "ledger.jsonl").read_text().splitlines()
    return run, [entry for entry in map(json.loads, lines) if entry["event"] == "issued"], directory


def test_lying_host_is_given_its_own_names_one_server_certificate_and_its_own_client(
    lies: tuple[Run, list[dict[str, t.Any]], pathlib.Path],
) -> None:
    run, issued, unused = lies
    mine = {entry["profile"]: entry for entry in issued if entry["requester"] == "greedy"}
    assert len([entry for entry in issued if entry["requester"] == "greedy"]) == 2, run.output
    assert (mine["server"]["authority"], mine["server"]["request"]) == ("server-g1", "greedy/server")
    assert set(mine["server"]["names"]) == {"greedy", "*.greedy.example.org"}
    assert (mine["client"]["subject"], mine["client"]["request"]) == ("CN=mallory", "greedy/root:mallory")
    for entry in mine.values():
        assert entry["reasons"] == ["certificate-missing"]
        assert entry["not_after"] < entry["time"].replace(entry["time"][:4], str(int(entry["time"][:4]) + 2))


def test_host_that_reports_another_s_names_gets_its_own_and_others_lose_none(
    lies: tuple[Run, list[dict[str, t.Any]], pathlib.Path],
) -> None:
    run, issued, directory = lies
    names = {entry["requester"]: set(entry["names"]) for entry in issued if entry["profile"] == "server"}
    assert {"web1", "web1.example.org"} <= names.pop("web1")
    assert names == {name: {name} for name in ("thief", "twin")} | {"greedy": {"greedy", "*.greedy.example.org"}}
    assert (directory / "certs" / "server-cert.pem").exists()
    recap = {line.split()[0]: line for line in run.output.splitlines() if " ok=" in line}
    assert "failed=0" in recap["web1"]
    assert "more" not in recap
    output = " ".join(run.output.split())
    assert "twin: the certificate is without what only the host itself reports: web1 (it belongs to web1)" in output
    assert "web1.example.org (it belongs to web1); 192.0.2.5 (it belongs to db)" in output
    assert "greedy: the certificate is without what only the host itself reports: *.example.org" in output
    assert "Traceback" not in run.output


ROLE_NAMES = ("docker_ca", "docker_server_cert", "docker_client_cert", "docker_daemon")
ROLES_PLAY = "- hosts: all\n  gather_facts: false\n  tasks:\n" + "".join(
    f"""
    - block: [ansible.builtin.include_role: {{name: portcullis.docker_tls.{role}}}]
      rescue: [ansible.builtin.meta: noop]
"""
    for role in ROLE_NAMES
)


def test_wrong_variable_of_a_role_shows_no_passphrase(tmp_path: pathlib.Path) -> None:
    """Ansible prints the role's whole specification then, with its templated defaults filled in."""
    wrong = {
        f"{role}_{name}": "wrong"
        for role in ("docker_ca", "docker_server_cert", "docker_client_cert")
        for name in ["key_type"]
    }
    variables = {**wrong, "docker_daemon_listener": "wrong", "docker_ca_passphrase": PASSPHRASE_TEXT}
    (tmp_path / "variables.json").write_text(json.dumps(variables))
    run = play(tmp_path, ROLES_PLAY, "", "-vvv", "-e", f"@{tmp_path / 'variables.json'}")
    assert all(f"of {name} must be one of" in run.output for name in wrong), run.output
    assert PASSPHRASE_TEXT not in run.output
