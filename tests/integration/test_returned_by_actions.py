# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One real play of the modules that are nothing but their action plugins: what a play gets is what they document."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from test_real_runs import Run, play

from support.ca.ca_directory import PASSPHRASE_TEXT
from support.contracts.records import returned

PLAY = """
- hosts: all
  gather_facts: false
  vars:
    ca: {path: "%(ca)s", passphrase: "{{ lookup('ansible.builtin.env', 'CA_SECRET') }}"}
    row: {host: web1, seen_from: controller, check: good-client, passed: true, detail: HTTP 200}
    verification: {rows: ["{{ row }}"]}
    groups_of_ca: {access_groups: [ops]}
    gone: {clients: [{name: mallory, group: ops, state: revoked}], revocation_list_groups: [ops]}
    generations: {generations: [ops-g1]}
    session: {name: alice, group: ops, docker_host: "tcp://web1.example.org:2376"}
  tasks:
    - portcullis.docker_tls.authorities: "{{ ca | combine(groups_of_ca) }}"
      check_mode: false
    - portcullis.docker_tls.temporary_client: "{{ ca | combine({'name': 'mallory', 'group': 'ops'}) }}"
      register: mallory
      check_mode: false
    - portcullis.docker_tls.authorities: "{{ ca | combine(groups_of_ca, gone) }}"
      check_mode: false
    - ansible.builtin.file: {path: "%(ca)s/ledger.jsonl", mode: "0644"} # which is repaired, and told
      check_mode: false
    - portcullis.docker_tls.temporary_client: "{{ ca | combine({'name': 'a', 'group': 'ops', 'expired': true, 'revoked': ['ops']}, generations) }}"
      register: client
    - portcullis.docker_tls.temporary_client: "{{ ca | combine({'name': 'a', 'group': 'ops', 'validity': '1s'}) }}"
      register: client_refused
      ignore_errors: true
    - portcullis.docker_tls.client_session: "{{ ca | combine(session) }}"
      register: session_begun
    - portcullis.docker_tls.client_session: {state: absent, session: "{{ session_begun.session }}"}
      register: session_ended
      when: not ansible_check_mode
    - portcullis.docker_tls.client_session: "{{ ca | combine(session, {'docker_host': 'web1'}) }}"
      register: session_refused
      ignore_errors: true
    - portcullis.docker_tls.verification_report: "{{ verification }}"
      register: reported
    - portcullis.docker_tls.verification_report: "{{ verification | combine({'json_path': '/nonexistent/verification.json'}) }}"
      register: report_refused
      ignore_errors: true
    - ansible.builtin.copy:
        dest: "%(result)s"
        content: >-
          {{ {'temporary_client': [client, client_refused], 'client_session': [session_begun, session_ended, session_refused],
          'verification_report': [reported, report_refused]} | combine({'mallory': mallory.certificate.serial}) | to_json }}
        mode: "0600"
      no_log: true
      check_mode: false
"""


@pytest.mark.parametrize("options", [(), ("--check",)], ids=["run", "check-mode"])
def test_actions_return_what_they_document(tmp_path: pathlib.Path, options: tuple[str, ...]) -> None:
    (tmp_path / "runtime").mkdir(mode=0o700)
    run: Run = play(tmp_path, PLAY, PASSPHRASE_TEXT, *options, XDG_RUNTIME_DIR=str(tmp_path / "runtime"))
    assert run.status == 0, run.output
    revoked_serial = run.result.pop("mallory")
    results: dict[str, list[dict[str, t.Any]]] = run.result
    twin = results["temporary_client"][0]["revoked"]["ops"]["certificate"]
    assert options or twin["serial"] == revoked_serial
    for module, found in results.items():
        for result in found:
            if not result.get("skipped"):
                returned(
                    module, {name: value for name, value in result.items() if name not in ("censored", "skip_reason")}
                )
    for module, (good, *_others, refused) in results.items():
        assert not good.get("failed"), good
        # Check mode does not try to write, and so does not find that it cannot.
        assert refused.get("failed") or (module == "verification_report" and options)
