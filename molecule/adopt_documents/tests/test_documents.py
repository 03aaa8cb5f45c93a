# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts secured by three documents: seen for what they are, never locked, taken over with the old CA, given back. In this order."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import get_host

from fleet import assert_changed_nothing
from playbook import Run, fingerprint_of_host, play
from testinfra_helpers import Bundle, address_of, answers_without_certificate, docker, ephemeral_directory

ADOPT = "playbooks/adopt.yml"
# What the documents are in the plan: dockerd refuses the one whose key is misspelt.
HOSTS = {"tls-alone": (), "misspelt": ("daemon-json-misspelled", "tls_verify"), "tcp-alone": ()}
# On one address of its own; no listener is asked for.
LISTENERS = {"tls-alone": "{address}:2376", "misspelt": "*:2376", "tcp-alone": "*:2376"}


@pytest.fixture(params=HOSTS, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def there(name: str) -> Any:
    return get_host(f"ansible://{name}", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])


def ca_of(name: str) -> Path:
    """The CA directory for a host, within what the scenario's destroy removes."""
    return ephemeral_directory() / "ca" / name


def run(name: str, *options: str, playbook: str = "playbooks/site.yml", **variables: Any) -> Run:
    """Run a playbook for one host, with a CA directory and bundles of its own."""
    places = {
        "docker_ca_path": str(ca_of(name)),
        "docker_client_cert_path": str(ephemeral_directory() / "clients" / name),
    }
    return play("--limit", f"localhost,{name}", *options, playbook=playbook, **{**places, **variables})


def succeeded(run: Run) -> str:
    assert run.returncode == 0, run.output
    return run.output


def authorities(name: str) -> list[dict[str, Any]]:
    ssl = "/etc/docker/ssl"
    found = {"certificate_path": f"{ssl}/ca.pem", "key_path": f"{ssl}/ca-key.pem", "key_passphrase": "hello"}
    return [{"host": name, **found}]


def answered(name: str, there: Any) -> bool:
    """Whether a client of before is answered, with the files that it has always had."""
    return docker(address_of(there), Bundle(ephemeral_directory() / "old" / name), "version").succeeded


def but_for_a_new_key(fingerprint: str) -> list[str]:
    """Return what was found on a host without the key that waits for its certificate, and without what says that a directory has it."""
    return [
        line for line in fingerprint.splitlines() if "/etc/docker/certs" not in line and "/etc/docker 755" not in line
    ]


def test_old_client_is_answered_where_the_document_is_right(name: str, there: Any) -> None:
    assert answered(name, there) == (name != "misspelt")
    assert (there.run("timeout 10 docker ps").rc == 0) == (name == "tls-alone")


def test_plan_knows_the_clients_and_the_ca(name: str, there: Any) -> None:
    before = fingerprint_of_host(there)
    output = succeeded(run(name, playbook=ADOPT))
    for word in (
        f"{name}: docker-recipe",
        f"CN={name} CA",
        "/etc/docker/ssl/ca-key.pem",
        "authority-without-key-usage",
        *HOSTS[name],
    ):
        assert word in output, word
    assert fingerprint_of_host(there) == before


@pytest.mark.parametrize("playbook", [ADOPT, "playbooks/site.yml"])
def test_nothing_is_changed_before_the_ca_is_named(name: str, there: Any, playbook: str) -> None:
    before = fingerprint_of_host(there)
    refused = run(name, playbook=playbook, **({"docker_adopt_execute": True} if playbook == ADOPT else {}))
    assert refused.returncode != 0
    output = " ".join(refused.output.split())
    assert ("docker_adopt_authorities does not define" if playbook == ADOPT else "would be shut out") in output
    assert but_for_a_new_key(fingerprint_of_host(there)) == but_for_a_new_key(before)
    if playbook == ADOPT:
        assert not ca_of(name).exists()
        return
    ledger = map(json.loads, (ca_of(name) / "ledger.jsonl").read_text().splitlines())
    signed = [entry for entry in ledger if entry["event"] == "issued" and entry["profile"] == "server"]
    assert not signed, "a certificate was signed for a host that is refused"
    ca_of(name).rename(ca_of(f"{name}-refused"))


def test_adoption_keeps_the_clients_and_the_listener(name: str, there: Any) -> None:
    options = {"docker_adopt_execute": True, "docker_adopt_authorities": authorities(name)}
    before = fingerprint_of_host(there)
    succeeded(run(name, "--check", playbook=ADOPT, **options))
    assert fingerprint_of_host(there) == before
    succeeded(run(name, playbook=ADOPT, **options))
    assert answered(name, there)
    assert docker(address_of(there), Bundle(ephemeral_directory() / "clients" / name / "alice"), "version").succeeded
    assert not answers_without_certificate(address_of(there))
    assert there.run("timeout 10 docker ps").rc == 0
    shown = there.check_output("ss -Hltn 'sport = :2376'").split()[3]
    assert shown == LISTENERS[name].format(address=address_of(there))


def test_ordinary_runs_go_on_with_it(name: str, there: Any) -> None:
    assert_changed_nothing(run(name))
    others = ", ".join(sorted(set(HOSTS) - {name}))  # --limit leaves them out, so nothing is known of them
    assert f"NOT VERIFIED: 2 of 3 hosts ({others})" in run(name, playbook="playbooks/verify.yml").output
    assert answered(name, there)


def test_back_out_lets_the_old_client_in(name: str, there: Any) -> None:
    succeeded(run(name, docker_daemon_state="absent"))
    assert answered(name, there)
    values = json.loads(there.check_output("cat /etc/docker/daemon.json"))
    assert values["tlscacert"] == "/etc/docker/ssl/ca.pem"
    assert "tls_verify" not in values
