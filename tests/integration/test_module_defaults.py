# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that share an action plugin keep their own module_defaults, and those of the action group."""

from __future__ import annotations

import pathlib

from test_real_runs import play

PLAY = """
- hosts: all
  gather_facts: false
  collections: [portcullis.docker_tls]
  module_defaults:
    portcullis.docker_tls.ledger_info: {path: "%(ca)s"}
    group/portcullis.docker_tls.docker_tls: {path: /of/the/group}
  tasks:
    - ledger_info:
      register: of_the_module
      ignore_errors: true
    - portcullis.docker_tls.authority_backup: {archive_path: /nonexistent}
      register: of_the_group
      ignore_errors: true
    - portcullis.docker_tls.authority_key_info: {certificates: []}
      register: without
      ignore_errors: true
      module_defaults: {group/portcullis.docker_tls.docker_tls: {}}
    - portcullis.docker_tls.module:
      register: direct
      ignore_errors: true
    - ansible.builtin.copy:
        dest: "%(result)s"
        content: "{{ [of_the_module, of_the_group, without, direct] | to_json }}"
        mode: "0600"
"""


def test_defaults_of_a_module_are_not_those_of_its_neighbours(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ca").mkdir()
    run = play(tmp_path, PLAY, "")
    assert run.status == 0, run.output
    of_the_module, of_the_group, without, direct = run.result
    assert of_the_module["ledger"]["path"].startswith(str(tmp_path / "ca"))
    assert "/of/the/group" in of_the_group["msg"]
    assert without["keys"] == []
    assert direct["failed"] is True
    assert "portcullis.docker_tls.module is not a module" in direct["msg"]
