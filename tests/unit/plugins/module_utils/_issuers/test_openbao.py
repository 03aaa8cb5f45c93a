# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The issuer openbao against a real OpenBao server: what it signs, what it refuses, and what becomes of a batch then."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric import utils

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import policy
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import answer, batch, openbao
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import compat, keys, names, reader, signing
from support.ca import bao_server, host_requests
from support.ca import certificates as made

pytestmark = bao_server.needs_bao
RULES = policy.make_rules(reserved={}, shared=[], backdate="5m")
NAMES = ("web1.example.test", "web1", "localhost", "10.0.0.5", "127.0.0.1", "::1", "fd00::5")


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[bao_server.Bao]:
    for server in bao_server.started(tmp_path_factory.mktemp("bao")):
        server.make_ca("pki-root", "Example root")
        server.make_intermediate("pki-docker", "pki-root", "Example issuing CA 1")
        server.make_role("pki-docker", "dockerd")
        server.call("pki-docker/roles/operator", bao_server.CLIENT_ROLE)
        yield server


@pytest.fixture(scope="module")
def root(bao: bao_server.Bao) -> str:
    return bao.text("pki-root/ca/pem")


def now() -> datetime:
    return datetime.now(timezone.utc)


def order(name: str = "web1", profile: str = "server", **changes: t.Any) -> answer.Order:
    key = made.private_key()
    wanted = names.normalize_names(NAMES) if profile == "server" else (names.client_identity(name),)
    common_name = f"{name}.example.test" if profile == "server" else name
    request = {
        "id": f"{name}/{profile}",
        "authority": "server" if profile == "server" else "ops",
        "profile": profile,
        "requester": name,
        "request_content": signing.build_request(key, names.SubjectNames(common_name, wanted)).decode(),
        "common_name": common_name,
        "names": wanted if profile == "server" else (),
        "validity": "90d",
    }
    found = answer.approve([policy.SigningRequest(**{**request, **changes})], {}, RULES, now())
    assert not found.refused
    return found.orders[0]


def settings(bao: bao_server.Bao, **changes: t.Any) -> openbao.Settings:
    given = {
        **{name: option.get("default", "") for name, option in openbao.OPTIONS.items()},
        **{"url": bao.url, "ca_content": bao.ca_content, "mount": "pki-docker", "role": "dockerd"},
        "token": bao_server.ADMINISTRATOR,
        **changes,
    }
    return openbao.settings_from(given, "the issuer of the test", lambda seconds: None)


def no_fault(asked: answer.Order, text: str) -> None:
    """Say that the first certificate has no fault that all would have."""


def signed(bao: bao_server.Bao, asked: answer.Order, **changes: t.Any) -> str:
    """Return what the server has answered to one order; the error is raised."""
    found = openbao.place([asked], settings(bao, **changes), no_fault)[asked.id]
    if isinstance(found, TlsError):
        raise found
    return found


def accepted(asked: answer.Order, text: str, root: str) -> answer.Accepted:
    anchors = answer.load_anchors(root, "the anchors")
    return answer.accept(asked, text, anchors, now(), issuer="the issuer openbao", usage_hint="Set the flags.")


def test_server_certificate_is_accepted_and_openssl_verifies_it_below_the_root(
    bao: bao_server.Bao, root: str, tmp_path: pathlib.Path
) -> None:
    found = accepted(order(), signed(bao, order()), root)
    assert set(found.view.names) == set(names.normalize_names(NAMES))
    assert found.authority_content.split() == root.split()
    certificates = reader.load_certificates(found.certificate_content, "the chain")
    assert [reader.view_certificate(one).common_name for one in certificates] == [
        "web1.example.test",
        "Example issuing CA 1",
    ]
    for name, content in (("root", root), ("leaf", found.certificate_content)):
        (tmp_path / f"{name}.pem").write_text(content)
    command = ["openssl", "verify", "-purpose", "sslserver", "-verify_hostname", "web1.example.test"]
    files = [
        "-CAfile",
        str(tmp_path / "root.pem"),
        "-untrusted",
        str(tmp_path / "leaf.pem"),
        str(tmp_path / "leaf.pem"),
    ]
    judged = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stderr


def test_client_certificate_has_the_common_name_and_the_usage_of_a_client(bao: bao_server.Bao, root: str) -> None:
    asked = order("ops-alice", "client")
    found = accepted(asked, signed(bao, asked, role="operator"), root)
    assert found.view.common_name == "ops-alice"
    assert found.view.extended_key_usages == ("clientAuth",)


def test_role_with_its_defaults_is_refused_for_both_usages_and_named_with_the_setting(
    bao: bao_server.Bao, root: str
) -> None:
    bao.make_role("pki-docker", "default-flags", client_flag=True)
    given = settings(bao, role="default-flags")
    text = signed(bao, order(), role="default-flags")
    with pytest.raises(TlsError) as caught:
        answer.accept(
            order(),
            text,
            answer.load_anchors(root, "the anchors"),
            now(),
            issuer="the issuer openbao",
            usage_hint=openbao.usage_hint(given),
        )
    assert caught.value.code == "issued-certificate-wrong"
    assert "serverAuth, clientAuth" in caught.value.message
    assert "bao patch pki-docker/roles/default-flags" in caught.value.hint


def test_role_that_takes_the_names_from_the_csr_is_refused_where_it_adds_one(bao: bao_server.Bao, root: str) -> None:
    bao.make_role("pki-docker", "csr-names", use_csr_sans=True)
    asked = order()
    more = names.SubjectNames("web1.example.test", names.normalize_names([*NAMES, "web2.example.test"]))
    request = signing.build_request(made.private_key(), more).decode()
    asked = order(request_content=request)
    with pytest.raises(TlsError, match=r"also has the names web2\.example\.test"):
        accepted(asked, signed(bao, asked, role="csr-names"), root)
    # The names of our request count where the role is made as documented.
    assert "web2.example.test" not in accepted(asked, signed(bao, asked), root).view.names


def test_role_that_leaves_out_a_name_is_refused(bao: bao_server.Bao, root: str) -> None:
    bao.make_role("pki-docker", "csr-only", use_csr_sans=True)
    fewer = names.SubjectNames("web1.example.test", ("web1.example.test",))
    asked = order(request_content=signing.build_request(made.private_key(), fewer).decode())
    with pytest.raises(TlsError, match="it lacks the names"):
        accepted(asked, signed(bao, asked, role="csr-only"), root)


def test_role_that_shortens_the_life_gives_a_warning(bao: bao_server.Bao, root: str) -> None:
    bao.make_role("pki-docker", "short", max_ttl="24h")
    found = accepted(order(), signed(bao, order(), role="short"), root)
    assert [warning.partition(":")[0] for warning in found.warnings] == ["life-shortened"]
    assert "asked for were 90d" in found.warnings[0]


def test_role_that_shortens_the_life_below_renew_before_is_refused(bao: bao_server.Bao, root: str) -> None:
    bao.make_role("pki-docker", "short", max_ttl="24h")
    asked = order()
    due = answer.approve([policy.SigningRequest(**_request_of(asked))], {asked.id: "30d"}, RULES, now()).orders[0]
    with pytest.raises(TlsError, match="due for renewal at once"):
        accepted(due, signed(bao, due, role="short"), root)


def _request_of(asked: answer.Order) -> dict[str, t.Any]:
    same = {
        name: getattr(asked, name) for name in ("id", "authority", "profile", "request_content", "common_name", "names")
    }
    return {**same, "requester": asked.requester, "validity": "90d"}


def test_new_issuing_ca_of_the_engine_is_accepted_below_the_same_root(bao: bao_server.Bao, root: str) -> None:
    before = accepted(order(), signed(bao, order()), root)
    bao.make_intermediate("pki-docker", "pki-root", "Example issuing CA 2")
    after = accepted(order(), signed(bao, order()), root)
    assert (before.view.issuer, after.view.issuer) == ("CN=Example issuing CA 1", "CN=Example issuing CA 2")


def test_certificate_of_another_root_is_refused(bao: bao_server.Bao) -> None:
    other = bao.make_ca("pki-other", "Other root")
    with pytest.raises(TlsError, match="does not lead to CN=Other root"):
        accepted(order(), signed(bao, order()), other)


def test_approle_signs_on_its_path_and_its_token_is_ended(bao: bao_server.Bao, root: str) -> None:
    credentials = bao.make_approle("docker", 'path "pki-docker/sign/dockerd" { capabilities = ["update"] }')
    before = bao.call("auth/token/accessors", method="LIST")["data"]["keys"]
    accepted(order(), signed(bao, order(), token="", **credentials), root)
    assert bao.call("auth/token/accessors", method="LIST")["data"]["keys"] == before


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        pytest.param({"token": "wrong-token"}, "issuer-denied", "with 403", id="token"),
        pytest.param({"mount": "nowhere"}, "issuer-denied", "has no nowhere/sign/dockerd", id="mount"),
        pytest.param({"role": "nobody"}, "issuer-refused", "unknown role", id="role"),
        pytest.param({"token": "", "role_id": "x", "secret_id": "y"}, "issuer-denied", "refused the login", id="login"),
        pytest.param({"namespace": "nowhere"}, "issuer-denied", "", id="namespace"),
        pytest.param({"ca_content": made.authority().pem}, "issuer-untrusted", "is not accepted", id="tls"),
        pytest.param({"url": "https://127.0.0.1:1"}, "issuer-unreachable", "refused", id="port"),
    ],
)
def test_whole_batch_has_the_reason_and_no_secret(
    bao: bao_server.Bao, changes: dict[str, t.Any], code: str, says: str
) -> None:
    bao.call("sys/auth/approle", {"type": "approle"}) if "approle/" not in bao.call("sys/auth")["data"] else None
    asked = [order("web1"), order("web2", names=("web2.example.test",))]
    found = openbao.place(asked, settings(bao, **changes), no_fault)
    assert list(found) == ["web1/server", "web2/server"]
    for error in found.values():
        assert isinstance(error, TlsError)
        assert error.code == code
        assert says in error.message.lower() or says in error.message
        assert error.hint
        assert not any(secret in error.message + error.hint for secret in ("wrong-token", bao_server.ADMINISTRATOR))


def test_name_that_the_role_refuses_is_the_failure_of_its_host_alone(bao: bao_server.Bao, root: str) -> None:
    good, bad = order("web1"), order("web2", names=("web2.elsewhere.test",), common_name="web2.elsewhere.test")
    found = openbao.place([bad, good], settings(bao), no_fault)
    error = found[bad.id]
    assert isinstance(error, TlsError)
    assert (error.code, "web2.elsewhere.test" in error.message) == ("issuer-refused", True)
    accepted(good, str(found[good.id]), root)


def test_sealed_server_keeps_what_was_signed_before_and_is_not_asked_again(bao: bao_server.Bao, root: str) -> None:
    asked = [order("web1"), *(order(f"web{number}", names=(f"web{number}.example.test",)) for number in range(2, 6))]
    bao.seal()
    try:
        found = openbao.place(asked, settings(bao, concurrency=1), no_fault)
    finally:
        bao.unseal()
    assert {error.code for error in found.values() if isinstance(error, TlsError)} == {"issuer-sealed"}
    assert len(found) == 5
    accepted(asked[0], signed(bao, asked[0]), root)


def test_fifty_orders_are_signed_each_for_its_own_key(bao: bao_server.Bao, root: str) -> None:
    asked = []
    for number in range(50):
        key = keys.generate_private_key("ecdsa-p256")
        subject = names.SubjectNames(f"h{number}.example.test", (f"h{number}.example.test",))
        request = signing.build_request(key, subject).decode()
        asked.append(order(f"h{number}", request_content=request, names=subject.names, common_name=subject.common_name))
    found = openbao.place(asked, settings(bao), no_fault)
    views = [accepted(one, str(found[one.id]), root).view for one in asked]
    assert len({view.serial for view in views}) == 50


def test_life_of_the_certificate_is_what_was_asked_for(bao: bao_server.Bao, root: str) -> None:
    found = accepted(order(), signed(bao, order()), root)
    assert abs(found.view.not_after - now() - timedelta(days=90)) < timedelta(minutes=5)
    assert not found.warnings


def test_role_with_its_defaults_is_asked_for_one_certificate_and_not_for_each_host(
    bao: bao_server.Bao, root: str
) -> None:
    bao.call("pki-docker/roles/defaults", {"allow_any_name": True, "key_type": "any"})
    before = len(bao.call("pki-docker/certs", method="LIST")["data"]["keys"])
    source = batch.Source(
        "server", "openbao", tuple(answer.load_anchors(root, "the anchors")), settings(bao, role="defaults")
    )
    requests = [host_requests.request(f"web{number}") for number in range(1, 5)]
    found = batch.issue(batch.Batch(requests, {}, {"server": source}, RULES), now())
    assert len(found.refused) == 4
    assert all("bao patch pki-docker/roles/defaults" in error.hint for error in found.refused.values())
    assert len(bao.call("pki-docker/certs", method="LIST")["data"]["keys"]) == before + 1


def json_web_token(key: t.Any, **claims: t.Any) -> str:
    """Return a token signed with ES256 (RFC 7518 §3.4), as a CI system makes it for a job."""
    parts = [{"alg": "ES256", "typ": "JWT"}, claims]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    r, s = utils.decode_dss_signature(key.sign(text, compat.ec.ECDSA(compat.hashes.SHA256())))
    signature = base64.urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).rstrip(b"=")
    return b".".join([text, signature]).decode()


def test_jwt_of_a_job_signs_in_a_namespace_and_an_expired_one_is_refused(bao: bao_server.Bao) -> None:
    key = made.private_key()
    public = key.public_key().public_bytes(
        compat.serialization.Encoding.PEM, compat.serialization.PublicFormat.SubjectPublicKeyInfo
    )
    bao.call("sys/namespaces/team", {})
    anchor = bao.make_ca("pki", "Root of the team", namespace="team/")
    bao.call("team/pki/roles/dockerd", bao_server.SERVER_ROLE)
    bao.call("team/sys/auth/jwt-ci", {"type": "jwt"})
    bao.call("team/auth/jwt-ci/config", {"jwt_validation_pubkeys": [public.decode()]})
    rules = 'path "pki/sign/dockerd" { capabilities = ["update"] }'
    bao.call("team/sys/policies/acl/docker", {"policy": rules})
    role = {"role_type": "jwt", "bound_audiences": ["bao"], "user_claim": "sub", "token_policies": "docker"}
    bao.call("team/auth/jwt-ci/role/docker", role)
    begins = int(now().timestamp()) - 5
    jwt = json_web_token(key, sub="job", aud="bao", nbf=begins, exp=begins + 300)
    access = {"token": "", "jwt_role": "docker", "auth_mount": "jwt-ci", "mount": "pki", "namespace": "team"}
    accepted(order(), signed(bao, order(), jwt=jwt, **access), anchor)
    late = json_web_token(key, sub="job", aud="bao", nbf=begins - 3600, exp=begins - 3300)
    with pytest.raises(TlsError) as caught:
        signed(bao, order(), jwt=late, **access)
    assert caught.value.code == "issuer-denied"
    assert late not in caught.value.message
    with pytest.raises(TlsError):
        signed(bao, order(), jwt=jwt, **{**access, "namespace": ""})
