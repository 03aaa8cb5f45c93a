# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions of scenarios with several hosts and clients: the admitted clients by host, restarts of dockerd, interrupted clients."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import docker as sdk
import testinfra
from cryptography import x509

from playbook import Run
from prober import Prober
from testinfra_helpers import Bundle, address_of, client_bundle, container_identity, curl, docker, ephemeral_directory

Hosts = Mapping[str, Any]


def hosts_of(group: str) -> dict[str, Any]:
    """Return testinfra's hosts of an inventory group by name."""
    found = testinfra.get_hosts([f"ansible://{group}"], ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])
    return {host.backend.host: host for host in found}


def revoked(client: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of docker_client_cert_clients as the one of a client that is to be shut out."""
    return {**client, "state": "revoked"}


def _place_of_copies() -> Path:
    return ephemeral_directory() / "kept"


@contextlib.contextmanager
def place_for_copies() -> Generator[None, None, None]:
    """Have an empty directory for `kept`."""
    shutil.rmtree(_place_of_copies(), ignore_errors=True)
    _place_of_copies().mkdir()
    yield
    shutil.rmtree(_place_of_copies())


def kept(client: str) -> Bundle:
    """Return a copy of a client's bundle, as a thief or an old backup has it."""
    target = _place_of_copies() / f"{client}-{len(list(_place_of_copies().glob('*')))}"
    shutil.copytree(client_bundle(client).directory, target)
    return Bundle(target)


def with_ca_of(bundle: Bundle, client: str) -> Bundle:
    """Return a bundle with its own certificate and key and the ca.pem of `client`: all that a user of before was given again."""
    directory = bundle.directory.with_name(f"{bundle.directory.name}-new-ca")
    directory.mkdir(exist_ok=True)
    for name in ("cert.pem", "key.pem"):
        shutil.copy(bundle.directory / name, directory / name)
    shutil.copy(client_bundle(client).ca, directory / "ca.pem")
    return Bundle(directory)


def sdk_is_answered(address: str, bundle: Bundle) -> bool:
    """Whether Docker's SDK for Python is answered."""
    # requests lets these take the place of the SDK's own ca_cert.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)
    tls = sdk.tls.TLSConfig(client_cert=(bundle.certificate, bundle.key), ca_cert=bundle.ca, verify=True)
    try:
        client = sdk.DockerClient(base_url=f"tcp://{address}:2376", tls=tls, timeout=90)
        with contextlib.closing(client):
            return bool(client.ping())
    except (OSError, sdk.errors.DockerException):
        return False


def answers(host: Any, bundle: Bundle) -> bool:
    """Whether a host answers a client, by docker's CLI (Go), curl (OpenSSL) and Docker's SDK (Python), which agree."""
    address = address_of(host)
    seen = {
        "cli": docker(address, bundle, "version").succeeded,
        "curl": curl(address, bundle=bundle).stdout == "OK",
        "sdk": sdk_is_answered(address, bundle),
    }
    assert len(set(seen.values())) == 1, seen
    return seen["cli"]


def who_gets_in(hosts: Hosts, bundle: Bundle) -> set[str]:
    """Return the names of the hosts that answer a client."""
    return {name for name, host in hosts.items() if answers(host, bundle)}


def starts(host: Any) -> int:
    """Return how often dockerd has been started since the boot."""
    return int(host.check_output("journalctl -u docker.service -o cat --no-pager | grep -c '^Started '"))


@contextlib.contextmanager
def restarts_of(hosts: Hosts) -> Generator[dict[str, int], None, None]:
    """Yield how often each host's dockerd was restarted meanwhile, known at the end. The container of each host lives on."""
    before, restarts = {name: starts(host) for name, host in hosts.items()}, {}
    yield restarts
    for name, host in hosts.items():
        restarts[name] = starts(host) - before[name]
        assert container_identity(host) == host.check_output("cat /root/keeper")


@contextlib.contextmanager
def asked_without_a_pause(hosts: Hosts, client: str) -> Generator[dict[str, int], None, None]:
    """Ask all hosts as `client` meanwhile: no certificate is refused, and each restart is one gap at most; as `restarts_of`."""
    with restarts_of(hosts) as restarts, contextlib.ExitStack() as stack:
        probers = {
            name: stack.enter_context(Prober(address_of(host), client_bundle(client))) for name, host in hosts.items()
        }
        yield restarts
    for name, prober in probers.items():
        assert prober.notes.answered > 0
        assert prober.notes.wrong == []
        assert prober.notes.gaps <= restarts[name], (name, prober.notes, restarts)


def assert_changed_nothing(run: Run) -> None:
    """The run went well and reports no change of any host."""
    assert run.returncode == 0, run.output
    assert all(f"changed={count}" not in run.recap for count in range(1, 10)), run.output


def issuer_of(client: str) -> str:
    """Return who signed the certificate in a client's bundle."""
    certificate = x509.load_pem_x509_certificate(Path(client_bundle(client).certificate).read_bytes())
    return certificate.issuer.rfc4514_string()


def ledger() -> list[dict[str, Any]]:
    """Return the lines of the ledger on the controller."""
    return [json.loads(line) for line in (ephemeral_directory() / "ca" / "ledger.jsonl").read_text().splitlines()]


def servers_in_ledger() -> list[str]:
    """Return the serials of all server certificates in the ledger; there is none before the first run."""
    if not (ephemeral_directory() / "ca" / "ledger.jsonl").exists():
        return []
    return [line["serial"] for line in ledger() if line["event"] == "issued" and line.get("profile") == "server"]
