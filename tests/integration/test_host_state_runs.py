# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real inspections of a host whose certificate is current: the answer is the same through a pipe and as a module, where there is no pipe."""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import pytest
from test_real_runs import Run, play

from support.ca.ca_directory import PASSPHRASE_TEXT, tree

PLAYS = """
- hosts: localhost
  gather_facts: false
  roles: [portcullis.docker_tls.docker_ca]
- hosts: docker_hosts
  gather_facts: false
  roles: [portcullis.docker_tls.docker_server_cert]
# The next run.
- hosts: localhost
  gather_facts: false
  roles: [portcullis.docker_tls.docker_ca]
- hosts: docker_hosts
  gather_facts: false
  roles: [portcullis.docker_tls.docker_server_cert]
  post_tasks:
    - portcullis.docker_tls.host_state: {roles: [docker_server_cert]}
      register: plain
    # For a password Ansible opens a terminal, which swallows what was meant for the pipe, and waits for ever.
    - portcullis.docker_tls.host_state: {roles: [docker_server_cert]}
      become: true
      vars: {ansible_become_exe: "{{ playbook_dir }}/sudo", ansible_become_password: unused}
      register: sudo
    - ansible.builtin.find: {paths: "{{ playbook_dir }}/files/remote", recurse: true, patterns: AnsiballZ_host_state.py}
      register: from_pipes
    - portcullis.docker_tls.host_state: {roles: [docker_server_cert]}
      become: true
      become_method: ansible.builtin.su
      vars: {ansible_become_exe: "{{ playbook_dir }}/su"}
      register: su
    - portcullis.docker_tls.host_state: {roles: [docker_server_cert]}
      environment: {ANY: thing}
      register: module
    - ansible.builtin.find: {paths: "{{ playbook_dir }}/files/remote", recurse: true, patterns: AnsiballZ_host_state.py}
      register: from_modules
    - portcullis.docker_tls.host_state: {roles: [docker_server_cert]}
      vars: {docker_server_cert_names: [other.example.org]}
      environment: {ANY: thing}
      register: other_names
    - ansible.builtin.copy:
        dest: "%(result)s"
        content: "{{ dict(['plain', 'sudo', 'su', 'module', 'other_names', 'from_pipes', 'from_modules'] |
          zip([plain, sudo, su, module, other_names, from_pipes.matched, from_modules.matched])) | to_json }}"
        mode: "0600"
"""
INVENTORY = """
all:
  vars:
    ansible_connection: local
    ansible_python_interpreter: {python}
    docker_ca_path: {top}/ca
    docker_ca_passphrase: "{{{{ lookup('ansible.builtin.env', 'CA_SECRET') }}}}"
    site: example.org
docker_hosts:
  hosts:
    web1: {{docker_server_cert_path: "{top}/certs", docker_server_cert_names: ["web1.{{{{ site }}}}"]}}
"""
WAYS = ("plain", "sudo", "su", "module")
#: In their places: programs that change no user, which needs no permission and no password.
BECOME = {
    "sudo": '#!/bin/sh\nwhile [ "$1" != -u ]; do shift; done\nshift 2\nexec "$@"\n',
    "su": '#!/bin/sh\nwhile [ "$1" != -c ]; do shift; done\nexec /bin/sh -c "$2"\n',
}


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, Run]:
    """One run in which the same host is checked in every way; pipelining is off, as Ansible has it by default."""
    directory = tmp_path_factory.mktemp("looks")
    for name, text in BECOME.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    inventory = directory / "inventory.yml"
    inventory.write_text(INVENTORY.format(top=directory, python=sys.executable))
    settings = {"inventory": "[docker_hosts]\nweb1\n", "ANSIBLE_BECOME_ALLOW_SAME_USER": "1"}
    run = play(directory, PLAYS, PASSPHRASE_TEXT, "-i", str(inventory), **settings)
    assert run.status == 0, run.output
    return directory, run


@pytest.mark.parametrize("way", WAYS)
def test_host_with_a_current_certificate_is_current_in_every_way(looks: tuple[pathlib.Path, Run], way: str) -> None:
    found = looks[1].result[way]
    assert (found["current"], found["changed"], found["reasons"]) == (True, False, []), found
    (request,) = found["requests"]
    assert request["certificate"]["serial"] == serial_in_ledger(looks[0])


def test_answers_of_all_ways_are_the_same(looks: tuple[pathlib.Path, Run]) -> None:
    plain, *others = ({key: looks[1].result[way][key] for key in ("current", "reasons", "requests")} for way in WAYS)
    assert all(other == plain for other in others)


def test_pipe_leaves_no_module_on_the_host_and_the_other_way_is_a_module(looks: tuple[pathlib.Path, Run]) -> None:
    found = looks[1].result
    assert (found["from_pipes"], found["from_modules"]) == (0, 2)


def test_host_that_wants_other_names_is_not_current_by_module_either(looks: tuple[pathlib.Path, Run]) -> None:
    found = looks[1].result["other_names"]
    assert (found["current"], found["reasons"]) == (False, ["names-changed"])


def serial_in_ledger(directory: pathlib.Path) -> t.Any:
    lines = tree(directory / "ca")["ledger.jsonl"].decode().splitlines()
    (entry,) = [entry for entry in map(json.loads, lines) if entry["event"] == "issued"]
    return entry["serial"]
