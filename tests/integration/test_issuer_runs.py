# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of the role docker_server_cert with other issuers: a user's tasks (openssl), ACME (pebble) and OpenBao."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

from support.ansible import playbook_runs
from support.ca import acme_server, bao_server, half_an_engine
from support.ca import certificates as made

PLAY = """
- hosts: localhost
  gather_facts: false
  roles: [portcullis.docker_tls.docker_ca, portcullis.docker_tls.docker_server_cert]
"""
CLIENT_PLAY = PLAY.replace("docker_server_cert]", "docker_server_cert, portcullis.docker_tls.docker_client_cert]")
#: What docs/issuers.md shows, with the paths of the test.
TASKS = """
- name: Write the requests
  ansible.builtin.copy:
    content: "{{ item.request_content }}"
    dest: "DIRECTORY/{{ item.id | replace('/', '-') }}.csr"
    mode: "0644"
  loop: "{{ docker_issuer_requests }}"
- name: Sign them with the company's CA
  ansible.builtin.command:
    cmd: >-
      openssl x509 -req -in DIRECTORY/{{ item.id | replace('/', '-') }}.csr -CA DIRECTORY/{{ item.profile }}-ca.pem
      -CAkey DIRECTORY/{{ item.profile }}-ca.key -days 90
      -copy_extensions copy -extfile DIRECTORY/{{ item.profile }}.cnf
  loop: "{{ docker_issuer_requests }}"
  register: company_signed
  changed_when: true
- name: Answer
  ansible.builtin.set_fact:
    docker_issuer_answers: "{{ docker_issuer_answers | default({}) | combine({item.item.id: company_answer}) }}"
  vars:
    company_answer: {certificate_content: "{{ item.stdout }}"}
  loop: "{{ company_signed.results }}"
"""
ROOT = made.authority(unit="company-root", number=95)
CLIENTS = made.authority("client", unit="company-clients", number=96)


def run(
    directory: pathlib.Path,
    issuer: dict[str, t.Any],
    *options: str,
    clients: t.Optional[dict[str, t.Any]] = None,
) -> subprocess.CompletedProcess[str]:
    """Run the roles for this machine; another issuer signs for the clients too, so there is no CA and no passphrase.

    ``clients``: their issuer, where the bundles are made too.
    """
    (directory / "play.yml").write_text(CLIENT_PLAY if clients else PLAY)
    (directory / "inventory").write_text(f"[docker_hosts]\nlocalhost {playbook_runs.LOCAL}\n")
    usual = {"issuer": "files", "files": {"directory": "/nonexistent"}}
    for_clients = {**(clients or usual), "only_docker_clients": True, "ca_content": CLIENTS.pem}
    variables = {
        "docker_ca_path": str(directory / "ca"),
        "docker_ca_passphrase": "",
        "docker_server_cert_path": str(directory / "certs"),
        "docker_server_cert_issuer": issuer,
        "docker_client_cert_issuers": {"clients": for_clients},
        "docker_client_cert_path": str(directory / "bundles"),
        "docker_client_cert_clients": [{"name": "alice"}, {"name": "bob"}],
    }
    settings = playbook_runs.environment(directory / "project", directory / "home", directory / "tmp")
    command = [playbook_runs.PLAYBOOK, "-i", str(directory / "inventory"), str(directory / "play.yml")]
    return playbook_runs.run(
        [*command, "-e", json.dumps(variables), *options], {**settings, "ANSIBLE_NOCOLOR": "1"}, directory
    )


def installed(directory: pathlib.Path, anchor: str) -> bool:
    """Return whether the server's certificate is there and openssl verifies it below an anchor."""
    (directory / "anchor.pem").write_text(anchor)
    path = str(directory / "certs/server-cert.pem")
    command = [
        "openssl",
        "verify",
        "-purpose",
        "sslserver",
        "-CAfile",
        str(directory / "anchor.pem"),
        "-untrusted",
        path,
        path,
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def recorded(directory: pathlib.Path) -> list[tuple[str, str, str]]:
    """Return event, issuer and request of each line of the ledger."""
    lines = map(json.loads, (directory / "ca/ledger.jsonl").read_text().splitlines())
    return [(line["event"], line["issuer"], line["request"]) for line in lines]


def tasks_of(directory: pathlib.Path, text: str = TASKS) -> dict[str, t.Any]:
    for profile, authority in (("server", ROOT), ("client", CLIENTS)):
        authority.write(directory, f"{profile}-ca")
        usage = f"extendedKeyUsage={profile}Auth\nbasicConstraints=critical,CA:FALSE\n"
        (directory / f"{profile}.cnf").write_text(usage)
    (directory / "issuer.yml").write_text(text.replace("DIRECTORY", str(directory)))
    return {"issuer": "tasks", "ca_content": ROOT.pem, "tasks": str(directory / "issuer.yml")}


def test_tasks_of_the_user_sign_with_openssl_and_run_only_where_something_is_due(tmp_path: pathlib.Path) -> None:
    issuer = tasks_of(tmp_path)
    first = run(tmp_path, issuer)
    assert first.returncode == 0, first.stdout + first.stderr
    assert installed(tmp_path, ROOT.pem)
    assert recorded(tmp_path) == [("external-issued", "tasks", "localhost/server")]
    second = run(tmp_path, issuer)
    assert second.returncode == 0, second.stdout
    assert "Sign them with the company's CA" not in second.stdout
    assert "changed=0" in second.stdout


def subject_and_issuer(path: pathlib.Path) -> str:
    command = ["openssl", "x509", "-noout", "-subject", "-issuer", "-nameopt", "RFC2253", "-in", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_tasks_of_the_user_sign_for_clients_too(tmp_path: pathlib.Path) -> None:
    issuer = tasks_of(tmp_path)
    first = run(tmp_path, issuer, clients=issuer)
    assert first.returncode == 0, first.stdout + first.stderr
    for name in ("alice", "bob"):
        found = subject_and_issuer(tmp_path / "bundles" / name / "cert.pem")
        assert f"subject=CN={name}\n" in found
        assert "company-clients" in found
    assert recorded(tmp_path)[1:] == [
        ("external-issued", "tasks", "localhost/alice"),
        ("external-issued", "tasks", "localhost/bob"),
    ]
    second = run(tmp_path, issuer, clients=issuer)
    assert "changed=0" in second.stdout, second.stdout
    assert "Sign them with the company's CA" not in second.stdout


def test_tasks_that_answer_nothing_fail_the_host_and_leave_it_as_it_is(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, tasks_of(tmp_path, "- ansible.builtin.debug: {msg: nothing}\n"))
    assert done.returncode != 0
    assert "its issuer has given no answer" in done.stdout
    assert not (tmp_path / "certs/server-cert.pem").exists()


def test_tasks_that_sign_for_both_usages_are_refused(tmp_path: pathlib.Path) -> None:
    issuer = tasks_of(tmp_path)
    (tmp_path / "server.cnf").write_text("extendedKeyUsage=serverAuth,clientAuth\n")
    done = run(tmp_path, issuer)
    assert done.returncode != 0
    assert "it is not a pure server certificate: it has serverAuth, clientAuth" in done.stdout
    assert not (tmp_path / "certs/server-cert.pem").exists()


@acme_server.needs_pebble
def test_host_orders_by_acme_and_answers_the_challenges(tmp_path: pathlib.Path) -> None:
    for server in acme_server.started(tmp_path / "pebble"):
        settings = {
            "directory": server.directory,
            "ca_content": server.ca_content,
            "port": server.challenge_port,
            "account_directory": str(tmp_path / "accounts"),
        }
        done = run(tmp_path, {"issuer": "acme", "ca_content": server.root, "acme": settings})
        issued = server.log.read_text().count("Issued certificate")
    assert issued == 1, done.stdout
    # pebble before 2.10 writes both usages; what came of the order is then the reason of the failure.
    both = "it is not a pure server certificate: it has serverAuth, clientAuth" in done.stdout
    assert both is (done.returncode != 0), done.stdout
    assert installed(tmp_path, server.root) is not both


@bao_server.needs_bao
def test_openbao_issues_for_the_role_and_an_engine_that_is_away_fails_the_host_alone(tmp_path: pathlib.Path) -> None:
    for bao in bao_server.started(tmp_path / "bao"):
        root = bao.make_ca("pki", "Root")
        bao.make_role("pki", "dockerd", allow_any_name=True)
        settings = {"url": bao.url, "ca_content": bao.ca_content, "mount": "pki", "role": "dockerd"}
        access = {**settings, "token": bao_server.ADMINISTRATOR}
        issuer = {"issuer": "openbao", "ca_content": root, "openbao": access}
        first = run(tmp_path, issuer)
        assert first.returncode == 0, first.stdout + first.stderr
        assert installed(tmp_path, root)
        assert recorded(tmp_path) == [("external-issued", "openbao", "localhost/server")]
    before = (tmp_path / "certs/server-cert.pem").read_bytes()
    assert "changed=0" in run(tmp_path, issuer).stdout
    done = run(tmp_path, issuer, "-e", "docker_server_cert_force_renewal=true")
    assert done.returncode != 0
    assert "cannot be reached" in done.stdout
    assert bao_server.ADMINISTRATOR not in done.stdout
    assert (tmp_path / "certs/server-cert.pem").read_bytes() == before


def test_run_without_changes_sends_nothing_to_the_engine_and_check_mode_neither(tmp_path: pathlib.Path) -> None:
    with half_an_engine.started(ROOT) as engine:
        access = {"url": engine.url, "role": "dockerd", "role_id": "an-id", "secret_id": "a-secret-id"}
        issuer = {"issuer": "openbao", "ca_content": ROOT.pem, "openbao": access}
        assert run(tmp_path, issuer, "--check").returncode == 0
        assert engine.asked == []
        first = run(tmp_path, issuer)
        assert first.returncode == 0, first.stdout + first.stderr
        paths = [path for path, _headers, _body in engine.asked]
        assert paths == ["/v1/auth/approle/login", "/v1/pki/sign/dockerd", "/v1/auth/token/revoke-self"]
        assert "changed=0" in run(tmp_path, issuer).stdout
        run(tmp_path, issuer, "--check", "-e", "docker_server_cert_force_renewal=true")
        assert len(engine.asked) == 3
    assert not any("a-secret-id" in text for text in (first.stdout, first.stderr))


def sign_by_hand(directory: pathlib.Path, name: str, profile: str) -> None:
    """Follow docs/issuers.md for a request, and write the certificate beside it."""
    command = ["openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", f"../{profile}-ca.pem", "-days", "365"]
    command += ["-CAkey", f"../{profile}-ca.key", "-copy_extensions", "copy", "-extfile", f"../{profile}.cnf"]
    subprocess.run([*command, "-out", f"{name}.pem"], cwd=directory, capture_output=True, check=True)


def test_files_with_keys_that_are_made_elsewhere_for_servers_and_clients(tmp_path: pathlib.Path) -> None:
    tasks_of(tmp_path)  # the CAs, and the options of openssl
    keys = {name: made.private_key(number=number) for number, name in enumerate(("localhost", "alice", "bob"), 97)}
    for name, key in keys.items():
        (tmp_path / f"{name}.key").write_bytes(made.keys.encode_private_key(key))
        (tmp_path / f"{name}.key").chmod(0o600)
    files = {"directory": str(tmp_path / "exchange"), "key_path": f"{tmp_path}/{{host}}.key"}
    issuer = {"issuer": "files", "ca_content": ROOT.pem, "files": files}
    clients = {"issuer": "files", "files": {**files, "key_path": f"{tmp_path}/{{client}}.key"}}
    first = run(tmp_path, issuer, clients=clients)
    assert first.returncode != 0
    assert "its certificate is awaited" in first.stdout
    assert not (tmp_path / "certs/server-cert.pem").exists()
    sign_by_hand(tmp_path / "exchange", "localhost-server", "server")
    waiting = run(tmp_path, issuer, clients=clients)  # now the clients wait: their role comes after that of the server
    assert installed(tmp_path, ROOT.pem), waiting.stdout
    for name in ("alice", "bob"):
        sign_by_hand(tmp_path / "exchange", f"localhost-{name}", "client")
    done = run(tmp_path, issuer, clients=clients)
    assert done.returncode == 0, done.stdout + done.stderr
    pairs = {"localhost": "certs/server-key.pem", "alice": "bundles/alice/key.pem", "bob": "bundles/bob/key.pem"}
    for name, path in pairs.items():
        found = made.keys.load_private_key((tmp_path / path).read_bytes(), what=path)
        assert found.private_numbers() == keys[name].private_numbers()
    assert "changed=0" in run(tmp_path, issuer, clients=clients).stdout
    assert [request for _event, _issuer, request in recorded(tmp_path)] == [
        "localhost/server",
        "localhost/alice",
        "localhost/bob",
    ]


SESSION = """
- hosts: localhost
  gather_facts: false
  tasks:
    - portcullis.docker_tls.client_session: {path: "DIRECTORY/ca", name: deploy, validity: 30m, group: clients}
      register: client
    - ansible.builtin.command: "openssl verify -purpose sslclient -CAfile DIRECTORY/clients.pem {{ client.client_cert }}"
    - ansible.builtin.command: "cmp {{ client.ca_path }} DIRECTORY/servers.pem"
"""


def session(directory: pathlib.Path, clients: dict[str, t.Any], *options: str) -> subprocess.CompletedProcess[str]:
    """Run a play with a session of a group that another issuer signs for, as it signs for the servers."""
    (directory / "play.yml").write_text(SESSION.replace("DIRECTORY", str(directory)))
    (directory / "inventory").write_text(f"[docker_hosts]\nlocalhost {playbook_runs.LOCAL}\n")
    (directory / "servers.pem").write_text(ROOT.pem)
    (directory / "clients.pem").write_text(clients["ca_content"])
    variables = {
        "docker_server_cert_issuer": {"issuer": "files", "files": {"directory": "/srv"}, "ca_content": ROOT.pem},
        "docker_client_cert_issuers": {"clients": {**clients, "only_docker_clients": True}},
    }
    settings = playbook_runs.environment(directory / "project", directory / "home", directory / "tmp")
    command = [playbook_runs.PLAYBOOK, "-i", str(directory / "inventory"), str(directory / "play.yml")]
    return playbook_runs.run(
        [*command, "-e", json.dumps(variables), *options], {**settings, "ANSIBLE_NOCOLOR": "1"}, directory
    )


@bao_server.needs_bao
def test_session_of_a_group_that_openbao_signs_for_and_its_line_in_the_ledger(tmp_path: pathlib.Path) -> None:
    for bao in bao_server.started(tmp_path / "bao"):
        root = bao.make_ca("pki", "Clients")
        bao.call("pki/roles/operator", bao_server.CLIENT_ROLE)
        access = {"url": bao.url, "ca_content": bao.ca_content, "mount": "pki", "role": "operator"}
        issuer = {
            "issuer": "openbao",
            "ca_content": root,
            "openbao": {**access, "token": bao_server.ADMINISTRATOR},
        }
        foretold = session(tmp_path, issuer, "--check")
        assert "failed=0" in foretold.stdout and not (tmp_path / "ca").exists(), foretold.stdout
        done = session(tmp_path, issuer)
        assert done.returncode == 0, done.stdout + done.stderr
        assert recorded(tmp_path) == [("external-issued", "openbao", "clients")]
    away = session(tmp_path, issuer)
    assert away.returncode != 0
    assert "cannot be reached" in away.stdout


def test_session_of_a_group_whose_issuer_makes_none_within_a_run_is_refused(tmp_path: pathlib.Path) -> None:
    issuer = {"issuer": "files", "files": {"directory": str(tmp_path)}, "ca_content": CLIENTS.pem}
    done = session(tmp_path, issuer)
    assert done.returncode != 0
    assert "the issuer files of the access group clients makes no certificate within a run" in done.stdout


LISTS = """
- hosts: localhost
  gather_facts: false
  roles: [portcullis.docker_tls.docker_ca]
  tasks:
    - ansible.builtin.debug:
        msg: "LISTS {{ found.crl_content | length > 0 }} PROBLEM {{ found.crl_problem.code | default('none') }}"
      vars: {found: "{{ docker_ca_authorities.clients }}"}
"""


@bao_server.needs_bao
def test_lists_of_openbao_are_read_for_proxies_and_an_engine_that_is_away_fails_no_run(tmp_path: pathlib.Path) -> None:
    def lists(listener: str) -> str:
        (tmp_path / "play.yml").write_text(LISTS)
        (tmp_path / "inventory").write_text(
            f"[docker_hosts]\nlocalhost {playbook_runs.LOCAL} docker_daemon_listener={listener}\n"
        )
        variables = {
            "docker_ca_path": str(tmp_path / "ca"),
            "docker_server_cert_issuer": {"issuer": "files", "files": {"directory": "/srv"}, "ca_content": ROOT.pem},
            "docker_client_cert_issuers": {"clients": clients},
        }
        settings = playbook_runs.environment(tmp_path / "project", tmp_path / "home", tmp_path / "tmp")
        command = [playbook_runs.PLAYBOOK, "-i", str(tmp_path / "inventory"), str(tmp_path / "play.yml")]
        done = playbook_runs.run([*command, "-e", json.dumps(variables)], settings, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return next(line for line in done.stdout.splitlines() if "LISTS" in line and "PROBLEM" in line)

    for bao in bao_server.started(tmp_path / "bao"):
        root = bao.make_ca("pki", "Clients")
        access = {"url": bao.url, "ca_content": bao.ca_content, "mount": "pki", "role": "operator", "token": "none"}
        clients = {"issuer": "openbao", "only_docker_clients": True, "ca_content": root, "openbao": access}
        assert "LISTS False PROBLEM none" in lists("proxy")
        clients["revocation_lists"] = "engine"
        assert "LISTS False PROBLEM none" in lists("dockerd")
        assert "LISTS True PROBLEM none" in lists("proxy")
    assert "LISTS False PROBLEM issuer-unreachable" in lists("proxy")
