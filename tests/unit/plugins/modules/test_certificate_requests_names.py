# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that the CA has left out of a certificate: the host does not ask for another one because of them."""

from __future__ import annotations

import ipaddress
import json
import os
import pathlib
import subprocess
import sys
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import network, request_names
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, signing
from ansible_collections.portcullis.docker_tls.plugins.module_utils._time import utc_now
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_requests
from support.ansible.modules import run_module
from support.ca import certificates as made
from support.contracts import records

ROOT = pathlib.Path(__file__).resolve().parents[4]
#: Gives a module its arguments; ansible-core 2.18 has another way than its successors.
ARGUMENTS = """
import json
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = json.dumps({{"ANSIBLE_MODULE_ARGS": json.loads({!r})}}).encode()
basic._ANSIBLE_PROFILE = "legacy"
"""
AUTHORITY = made.authority("server")
NAT, OTHER = "10.0.2.15", "10.0.0.5"


class Machine:
    """A host with changing names and addresses, and a CA that signs what it likes."""

    def __init__(self, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.fqdn = "web1"
        self.addresses = [NAT, OTHER]
        monkeypatch.setattr(request_names.socket, "getfqdn", lambda: self.fqdn)
        monkeypatch.setattr(network, "local_addresses", self._local)

    def _local(self) -> list[network.Address]:
        return [network.classify("eth0", ipaddress.ip_address(text)) for text in self.addresses]

    def asks(self, *, check: bool = False, **changes: t.Any) -> dict[str, t.Any]:
        """Return what the host wants when it is asked for these."""
        request = {
            "id": "server",
            "profile": "server",
            "key_path": str(self.directory / "server-key.pem"),
            "certificate_path": str(self.directory / "server-cert.pem"),
            "authority_content": AUTHORITY.pem,
            "optional_names": ["web1"],
            "addresses": ["private"],
            **changes,
        }
        result = run_module(certificate_requests, {"requests": [request]}, check=check)
        assert not result["failed"], result
        return dict(result["requests"][0])

    def gets(self, asked: dict[str, t.Any], *left_out: str, common_name: str = "web1") -> None:
        """Install the certificate with the key as ``endpoint`` does: the bytes as they are."""
        found = signing.sign_leaf(
            signing.signer(AUTHORITY.certificate, AUTHORITY.key),
            public_key=signing.load_request(asked["request_content"]).public_key(),
            profile="server",
            subject=names.SubjectNames(common_name, tuple(name for name in asked["names"] if name not in left_out)),
            not_before=utc_now() - timedelta(minutes=5),
            not_after=utc_now() + timedelta(days=365),
        )
        (self.directory / "server-cert.pem").write_text(made.Pair(found, None).pem)
        (self.directory / "server-key.pem.new").rename(self.directory / "server-key.pem")


@pytest.fixture
def machine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_certificate_without_what_the_ca_left_out_is_current(machine: Machine, check: bool) -> None:
    machine.fqdn = "vault.corp.example.org"
    machine.gets(machine.asks(), NAT, machine.fqdn)
    assert machine.asks(check=check)["reasons"] == []


def test_certificate_with_all_that_was_asked_for_is_current(machine: Machine) -> None:
    machine.gets(machine.asks())
    assert machine.asks()["reasons"] == []


CHANGES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "further-address": ({"addresses": [NAT, OTHER, "10.0.0.6"]}, {}),
    "address-gone": ({"addresses": [NAT]}, {}),
    "extended-name": ({"fqdn": "web1.example.test"}, {}),
    "declared": ({}, {"names": [NAT]}),
    "declared-as-an-address": ({}, {"addresses": ["private", NAT]}),
    "declared-beside": ({}, {"names": ["shop.example.test"]}),
    "common-name": ({}, {"common_name": "shop.example.test"}),
}


@pytest.mark.parametrize(("attributes", "changes"), CHANGES.values(), ids=CHANGES)
def test_names_that_were_not_asked_for_before_or_are_declared_now_are_asked_for(
    machine: Machine, attributes: dict[str, t.Any], changes: dict[str, t.Any]
) -> None:
    machine.gets(machine.asks(), NAT)
    for name, value in attributes.items():
        setattr(machine, name, value)
    asked = machine.asks(**changes)
    assert "names-changed" in asked["reasons"]
    assert (NAT in asked["names"]) is (NAT in machine.addresses or NAT in changes.get("names", ()))
    machine.gets(asked, common_name=asked["common_name"])
    assert machine.asks(**changes)["reasons"] == []


def test_renewal_asks_for_what_was_left_out_once_more(machine: Machine) -> None:
    machine.gets(machine.asks(), NAT)
    assert NAT in machine.asks(force=True)["names"]


def test_waiting_key_of_another_request_gets_the_record_of_this_one(machine: Machine) -> None:
    """A run that was cut off before it was signed, on a host that has got a further address since."""
    first = machine.asks()
    machine.addresses = [*machine.addresses, "10.0.0.6"]
    second = machine.asks()
    assert machine_key(first) == machine_key(second)
    machine.gets(second, "10.0.0.6")
    assert machine.asks()["reasons"] == []


def machine_key(asked: dict[str, t.Any]) -> t.Any:
    return signing.load_request(asked["request_content"]).public_key().public_numbers()


@pytest.mark.parametrize("common_name", ["web1", OTHER, ""], ids=["name", "address", "none"])
def test_common_name_that_the_ca_chose_among_the_names_is_accepted(machine: Machine, common_name: str) -> None:
    machine.fqdn = "vault.corp.example.org"
    asked = machine.asks()
    machine.gets(asked, NAT, machine.fqdn, common_name=common_name or "web1")
    assert machine.asks()["reasons"] == []


def test_common_name_that_is_no_name_of_the_host_is_changed(machine: Machine) -> None:
    machine.gets(machine.asks(), common_name="Docker on web1")
    assert machine.asks()["reasons"] == ["common-name-changed"]


def test_name_that_comes_from_a_fact_may_be_left_out(machine: Machine) -> None:
    facts = {"names": ["db.example.org", "shop.example.test"], "common_name": "db.example.org"}
    facts["fact_names"] = ["db.example.org"]
    machine.gets(machine.asks(**facts), "db.example.org")
    assert machine.asks(**facts)["reasons"] == []
    facts["fact_names"] = []
    assert machine.asks(**facts)["reasons"] == ["common-name-changed", "names-changed"]


def test_key_with_its_record_is_a_key_for_openssl(machine: Machine) -> None:
    machine.asks()
    path = machine.directory / "server-key.pem.new"
    assert request_names.recorded(path.read_bytes()) == {NAT, OTHER}
    done = subprocess.run(["openssl", "pkey", "-in", path, "-noout", "-text"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "text", [b"", b"nonsense", b"-----BEGIN", b"nonsense\n-----BEGIN X-----", b"\xff\n-----BEGIN "]
)
def test_what_is_no_record_is_none(text: bytes) -> None:
    assert request_names.recorded(text) == frozenset()


WITHOUT_LIBRARY = """
import sys
sys.modules["cryptography"] = None
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_requests
certificate_requests.main()
"""


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_host_without_cryptography_says_in_check_mode_what_it_would_report(tmp_path: pathlib.Path, check: bool) -> None:
    """In a Python of its own, because this one has the library already."""
    paths = {"key_path": str(tmp_path / "key.pem"), "certificate_path": str(tmp_path / "cert.pem")}
    server = {"id": "server", "profile": "server", "authority_content": "", "names": ["shop.example.test"], **paths}
    client = {"id": "ci", "profile": "client", "authority_content": "", **paths}
    given = {"requests": [server, client, {**server, "id": "wrong", "names": ["a/b"]}], "_ansible_check_mode": check}
    done = subprocess.run(
        [sys.executable, "-c", f"{ARGUMENTS.format(json.dumps(given))}{WITHOUT_LIBRARY}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / ".collections")},
    )
    result = json.loads(done.stdout)
    records.returned("certificate_requests", result)
    assert (result["failed"], result["code"]) == (True, "cryptography-missing")
    assert [entry["id"] for entry in result.get("foretold", [])] == (["server"] if check else [])
    for entry in result.get("foretold", []):
        assert {"shop.example.test", "localhost", request_names.host_fqdn().lower()} <= set(entry["names"])
        assert len(entry["machine"]) == 64
    assert list(tmp_path.iterdir()) == []


def test_two_looks_at_one_machine_say_so_and_another_key_path_differs(machine: Machine) -> None:
    """Case 14: several daemons on one machine have directories of their own, and are not mistake."""
    first, second = machine.asks()["machine"], machine.asks(check=True)["machine"]
    assert len(first) == 64 and first == second
    assert machine.asks(key_path=str(machine.directory / "other-key.pem"))["machine"] != first
