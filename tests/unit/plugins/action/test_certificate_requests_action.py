# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of certificate_requests: the controller's own words stand beside the host's answer, whatever that says."""

from __future__ import annotations

import pathlib
import typing as t

from ansible_collections.portcullis.docker_tls.plugins.action import certificate_requests
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_requests as module
from support.ansible.actions import MISSING, action
from support.ansible.modules import run_module
from support.ca.certificates import authority
from support.contracts import records

REQUEST: dict[str, t.Any] = {
    "id": "server",
    "profile": "server",
    "optional_names": ["web1", "192.0.2.11"],
    "names": ["shop.example.test", "evil.example.test"],
    "addresses": ["private"],
}
VARIABLES = {"docker_server_cert_names": ["shop.example.test", "{{ ansible_fqdn }}"]}


def run(answer: dict[str, t.Any], *, check: bool = False) -> tuple[dict[str, t.Any], t.Any]:
    found = action(certificate_requests, {"requests": [dict(REQUEST)]}, [answer], check=check)
    return found.run(task_vars=dict(VARIABLES)), found


def test_answer_has_the_controllers_words_over_those_of_the_host() -> None:
    forged = {"server": {"names": ["db"], "extends": ["db"], "address_ranges": ["all"], "common_name": "db"}}
    result, found = run({"changed": False, "requests": [{"id": "x", "action": "none", "reasons": []}], "asked": forged})
    assert result["asked"] == {
        "server": {
            "names": ["web1", "192.0.2.11", "shop.example.test", "localhost", "127.0.0.1", "::1"],
            "extends": ["web1"],
            "address_ranges": ["private"],
            "common_name": "",
        }
    }
    ((_module, arguments, *_unused),) = found.called
    assert arguments["requests"][0]["fact_names"] == ["evil.example.test"]


def test_result_of_the_module_gets_the_controllers_words(tmp_path: pathlib.Path) -> None:
    request = {**REQUEST, "key_path": str(tmp_path / "key.pem"), "certificate_path": str(tmp_path / "cert.pem")}
    given = {**request, "addresses": [], "authority_content": authority("server").pem}
    made = run_module(module, {"requests": [given]}, check=True)
    result = records.returned("certificate_requests", run(made)[0])
    assert result["asked"]["server"]["extends"] == ["web1"]


def test_answer_of_a_host_that_failed_has_nothing_beside_it() -> None:
    result, _found = run({"failed": True, "msg": "x", "asked": {"server": {"names": ["db"]}}})
    assert "asked" not in result


def test_check_mode_without_cryptography_has_the_names_that_the_host_reports() -> None:
    told = [{"id": "server", "names": ["vault.corp.example.org"], "machine": "a" * 64}]
    result, _found = run({**MISSING, "foretold": told}, check=True)
    (entry,) = result["requests"]
    assert {"web1", "shop.example.test", "vault.corp.example.org"} <= set(entry["names"])
    assert (entry["action"], entry["machine"]) == ("issue", "a" * 64)
    assert "vault.corp.example.org" not in result["asked"]["server"]["names"]


def test_check_mode_without_cryptography_takes_nothing_of_a_misshapen_answer() -> None:
    told = [{"id": "server", "names": ["vault.corp.example.org"], "machine": 7}]
    result, _found = run({**MISSING, "foretold": told}, check=True)
    assert "vault.corp.example.org" not in str(result)


PREPARED: dict[str, t.Any] = {
    "requests": [{"id": "server", "action": "issue", "reasons": ["expired"], "request_content": "CSR"}],
    "plan": ["new certificate"],
    "warnings": ["a word"],
    "asked": {"server": {"names": ["web1"]}},
}


def test_host_that_has_prepared_its_request_is_not_asked_again_though_others_are() -> None:
    """Where all hosts have, site.yml skips the task; the answer is what the inspection has registered (test_inspected.py)."""
    found = action(certificate_requests, {"role": "docker_server_cert"}, [])
    inspected = {
        "__docker_server_cert_prepared": False,
        "__docker_tls_inspected": {"current": False, "prepared": PREPARED},
    }
    result = found.run(task_vars={"inventory_hostname": "web1", **inspected})
    assert (result["skipped"], result["changed"], found.called) == (True, False, [])


def test_what_an_earlier_play_has_prepared_is_not_taken_for_a_request_of_this_play() -> None:
    found = action(certificate_requests, {"role": "docker_server_cert"}, [])
    result = found.run(task_vars={"inventory_hostname": "web1", "__docker_tls_inspected": {"prepared": PREPARED}})
    assert (result["failed"], "requests" in result) == (True, False)  # this host's variables do not say what to ask for
