# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocation lists of a real OpenBao, and lists of other issuers before a host gets them; openssl decides who is admitted."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import openbao
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, reader, signing
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import external_issuers as on_controller
from support.ca import bao_server
from support.ca import certificates as made
from support.contracts import records

pytestmark = bao_server.needs_bao


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[bao_server.Bao]:
    yield from bao_server.started(tmp_path_factory.mktemp("bao"))


class Mount:
    """A PKI engine for clients with a root of its own."""

    def __init__(self, bao: bao_server.Bao, name: str, namespace: str = "") -> None:
        self.bao, self.name, self.namespace = bao, name, namespace
        self.root = bao.make_ca(name, f"Clients of {name}", f"{namespace}/" if namespace else "")
        self.path = f"{namespace}/{name}" if namespace else name
        bao.call(f"{self.path}/roles/operator", bao_server.CLIENT_ROLE)

    def options(self, **changes: t.Any) -> dict[str, t.Any]:
        given = {"url": self.bao.url, "ca_content": self.bao.ca_content, "mount": self.name, "role": "operator"}
        return {**given, "token": "no-token-is-needed", "namespace": self.namespace, **changes}

    def lists(self, anchors: str = "", **changes: t.Any) -> str:
        usual = {name: option.get("default", "") for name, option in openbao.OPTIONS.items()}
        options = {**usual, **self.options(**changes)}
        settings = openbao.settings_from(options, "the issuer of the test", lambda seconds: None)
        return openbao.of_engine(settings, anchors or self.root)

    def client(self, name: str) -> str:
        subject = names.SubjectNames(name, (names.client_identity(name),))
        request = signing.build_request(made.private_key(), subject).decode()
        answer = self.bao.call(f"{self.path}/sign/operator", {"csr": request, "common_name": name, "ttl": "24h"})
        return str(answer["data"]["certificate"])

    def revoke(self, certificate: str) -> None:
        serial = f"{reader.load_certificate(certificate, 'it').serial_number:x}"
        serial = serial.zfill(len(serial) + len(serial) % 2)
        pairs = ":".join(serial[at : at + 2] for at in range(0, len(serial), 2))
        self.bao.call(f"{self.path}/revoke", {"serial_number": pairs})


def now() -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=5)


def admitted(root: str, lists: str, client: str, directory: pathlib.Path) -> bool:
    """Return what OpenSSL decides, by the flags that HAProxy sets."""
    for name, text in (("ca", root), ("lists", lists), ("client", client)):
        (directory / f"{name}.pem").write_text(text)
    command = ["openssl", "verify", "-crl_check", "-crl_check_all", "-CAfile", "ca.pem", "-CRLfile", "lists.pem"]
    return subprocess.run([*command, "client.pem"], cwd=directory, capture_output=True, check=False).returncode == 0


def test_list_of_the_engine_refuses_whom_it_has_revoked_and_nobody_else(
    bao: bao_server.Bao, tmp_path: pathlib.Path
) -> None:
    mount = Mount(bao, "pki-revoked")
    alice, bob = mount.client("alice"), mount.client("bob")
    before = openbao.checked(mount.lists(), mount.root, now(), "ops")
    assert admitted(mount.root, before, bob, tmp_path)
    mount.revoke(bob)
    after = openbao.checked(mount.lists(), mount.root, now(), "ops")
    assert not admitted(mount.root, after, bob, tmp_path)
    assert admitted(mount.root, after, alice, tmp_path)


def test_namespace_of_the_engine_has_lists_of_its_own(bao: bao_server.Bao) -> None:
    bao.call("sys/namespaces/lists", {})
    mount = Mount(bao, "pki", "lists")
    assert openbao.checked(mount.lists(), mount.root, now(), "ops")
    with pytest.raises(TlsError, match="answered pki/issuer/default/pem with"):
        mount.lists(namespace="")


def test_ca_that_signs_now_has_to_be_among_the_anchors(bao: bao_server.Bao, tmp_path: pathlib.Path) -> None:
    """Else the clients that it signs for would be refused for want of its list."""
    mount = Mount(bao, "pki-below")
    root = f"{mount.root}\n"
    issuing = bao.make_intermediate("pki-below", "pki-below", "Issuing CA of clients")
    client = mount.client("carol")
    with pytest.raises(TlsError, match="signs with CN=Issuing CA of clients, which is not in its ca_content") as caught:
        mount.lists(root)
    assert caught.value.code == "crl-issuer-unpinned"
    both = openbao.checked(mount.lists(root + issuing), root + issuing, now(), "ops")
    assert admitted(root + issuing, both, client, tmp_path)
    mount.revoke(client)
    both = openbao.checked(mount.lists(root + issuing), root + issuing, now(), "ops")
    assert not admitted(root + issuing, both, client, tmp_path)


def test_ca_without_its_key_in_the_engine_has_no_list_and_does_not_keep_the_others_from_theirs(
    bao: bao_server.Bao,
) -> None:
    """An administrator imports an issuing CA together with its root, whose key is elsewhere."""
    mount, elsewhere = Mount(bao, "pki-imported"), made.authority("client", unit="company-root", number=83)
    bao.call("pki-imported/issuers/import/cert", {"pem_bundle": elsewhere.pem})
    assert openbao.checked(mount.lists(), mount.root, now(), "ops").count("BEGIN") == 1


def test_two_roots_of_one_engine_have_both_lists(bao: bao_server.Bao) -> None:
    mount = Mount(bao, "pki-two")
    generated = bao.call("pki-two/root/generate/internal", {"common_name": "Clients 2", "key_type": "ec"})
    second = str(generated["data"]["certificate"])
    assert openbao.checked(mount.lists(mount.root + second), mount.root + second, now(), "ops").count("BEGIN") == 2


@pytest.mark.parametrize(
    ("moment", "code", "says"),
    [
        (timedelta(days=4), "crl-ended", "bao read MOUNT/crl/rotate"),
        (timedelta(days=-4), "crl-not-yet-valid", "Set the clock"),
    ],
    ids=["ended", "begins later"],
)
def test_list_that_would_refuse_all_clients_is_refused_with_what_to_do(
    bao: bao_server.Bao, moment: timedelta, code: str, says: str
) -> None:
    mount = Mount(bao, f"pki-{code}")
    with pytest.raises(TlsError) as caught:
        openbao.checked(mount.lists(), mount.root, now() + moment, "ops")
    assert (caught.value.code, says in caught.value.hint) == (code, True)
    assert "the issuer of ops" in caught.value.message


def test_list_that_lacks_a_trusted_ca_is_refused(bao: bao_server.Bao) -> None:
    mount, other = Mount(bao, "pki-lacking"), made.authority("client", unit="ops-g1", number=81)
    with pytest.raises(TlsError) as caught:
        openbao.checked(mount.lists(), mount.root + other.pem, now(), "ops")
    assert (caught.value.code, "trust_local_ca" in caught.value.hint) == ("crl-missing", True)
    with pytest.raises(TlsError, match="hold no list in PEM form"):
        openbao.checked(mount.root, mount.root, now(), "ops")


def entry(mount: Mount, **changes: t.Any) -> dict[str, t.Any]:
    usual = {"authority": "ops", "issuer": "openbao", "ca_content": mount.root, "openbao": mount.options()}
    return {**usual, "revocation_lists": "engine", **changes}


def described(mount: Mount, lists: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the group as a task gets it whose module has answered with the lists that it was given."""
    given = str(lists.get("ops", {}).get("crl_content", ""))
    authority = {"name": "ops", "trusted_content": mount.root, "crl_content": given}
    outcome = {"authorities": {"ops": authority}, "ansible_facts": {"docker_ca_authorities": {"ops": dict(authority)}}}
    found = on_controller.completed(outcome, lists)
    assert found["ansible_facts"]["docker_ca_authorities"] == found["authorities"]
    return dict(found["authorities"]["ops"])


def test_controller_reads_the_lists_of_groups_that_are_admitted_by_proxies_alone(bao: bao_server.Bao) -> None:
    mount = Mount(bao, "pki-controller")
    assert on_controller.read([entry(mount, revocation_lists="")], lambda: pytest.fail("asked")) == {}
    assert on_controller.read([entry(mount)], lambda: {"clients"}) == {}
    lists = on_controller.read([entry(mount)], lambda: {"ops"})
    found = described(mount, lists)
    assert x509.load_pem_x509_crl(found["crl_content"].encode()).is_signature_valid(
        x509.load_pem_x509_certificate(mount.root.encode()).public_key()  # type: ignore[arg-type]
    )
    assert "crl_problem" not in found
    foretold = {"authorities": {"ops": {"name": "ops", "trusted_content": "", "crl_content": ""}}}
    assert on_controller.completed(foretold, lists) == foretold
    option = on_controller.with_lists([{"authority": "ops"}, {"authority": "server"}], lists)
    assert [list(one) for one in option] == [["authority", "crl_content"], ["authority"]]


def test_lists_that_cannot_be_read_are_the_problem_of_the_group_and_not_of_the_run(bao: bao_server.Bao) -> None:
    mount = Mount(bao, "pki-away")
    wrong = {**mount.options(), "timeout": "soon"}
    lacking = {**entry(mount), "openbao": None}
    assert on_controller.read([lacking], lambda: {"ops"})["ops"]["code"] == "issuer-settings-invalid"
    given: dict[str, t.Any] = {
        "issuer-settings-invalid": entry(mount, openbao=wrong),
        "crl-missing": entry(mount, revocation_lists="-----BEGIN X509 CRL-----"),
        "crl-issuer-unpinned": entry(mount, ca_content=made.authority().pem),
        "issuer-sealed": entry(mount),
    }
    for code, one in given.items():
        if code == "issuer-sealed":
            bao.seal()
        found = described(mount, on_controller.read([one], lambda: {"ops"}))
        assert found["crl_content"] == ""
        problem = found["crl_problem"]
        assert problem["code"] == code, problem
        records.said(f"{problem['msg']} {problem['hint']}", code=code)
        assert "no-token-is-needed" not in str(problem)
    bao.unseal()
