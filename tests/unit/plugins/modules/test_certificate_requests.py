# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module certificate_requests: decisions with reasons, keys that wait, requests that carry the right names."""

from __future__ import annotations

import ipaddress
import os
import pathlib
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import network, request_names
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys, reader, signing
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_requests
from support.ansible.modules import run_module
from support.ca import certificates as made
from support.hosts.accounts import mode

FQDN = "docker1.example.org"
AUTHORITY = made.authority()
CLIENTS = made.authority("client", number=2)
NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_names.socket, "getfqdn", lambda: FQDN)
    found = [
        network.classify("eth0", ipaddress.ip_address("10.0.0.5")),
        network.classify("eth0", ipaddress.ip_address("192.0.2.5")),
    ]
    monkeypatch.setattr(network, "local_addresses", lambda: found)


@pytest.fixture
def certs(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "certs"


def server(certs: pathlib.Path, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "id": "server",
        "profile": "server",
        "key_path": str(certs / "server-key.pem"),
        "certificate_path": str(certs / "server-cert.pem"),
        "authority_content": AUTHORITY.pem,
        **changes,
    }


def run(*requests: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    return run_module(certificate_requests, {"requests": list(requests)}, **options)


def install(certs: pathlib.Path, pair: made.Pair | None = None, **changes: t.Any) -> made.Pair:
    """Put a certificate and its key in place as if an earlier run had done it."""
    certs.mkdir(exist_ok=True)
    if pair is None:
        wanted = {
            "subject_names": [FQDN, "localhost", "127.0.0.1", "::1"],
            "begin": NOW - 100 * DAY,
            "end": NOW + 265 * DAY,
        }
        pair = made.leaf(AUTHORITY, **{**wanted, **changes})
    (certs / "server-cert.pem").write_text(pair.pem)
    (certs / "server-key.pem").write_bytes(pair.key_pem)
    return pair


def tree(path: pathlib.Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}


def test_clean_host_gets_a_waiting_key_and_a_request_for_its_names(certs: pathlib.Path) -> None:
    result = run(server(certs, names=["Web.Example.org", "10.0.0.9"], addresses=["private"]))
    assert result["changed"]
    entry = result["requests"][0]
    assert entry["action"] == "issue"
    assert entry["reasons"] == ["certificate-missing", "key-missing"]
    assert entry["certificate"] is None
    names = [FQDN, "localhost", "web.example.org", "10.0.0.5", "10.0.0.9", "127.0.0.1", "::1"]
    assert entry["names"] == names
    assert (entry["common_name"], entry["key_type"], entry["profile"]) == (FQDN, "ecdsa-p256", "server")
    pending = certs / "server-key.pem.new"
    assert (mode(certs), mode(pending)) == (0o700, 0o600)
    assert [each.name for each in certs.iterdir()] == ["server-key.pem.new"]
    request = signing.load_request(entry["request_content"])
    key = keys.load_private_key(pending.read_bytes(), what="pending")
    assert keys.public_key_fingerprint(key.public_key()) == keys.public_key_fingerprint(request.public_key())
    assert reader.name_text(request.subject) == f"CN={FQDN}"


def test_second_run_finds_the_waiting_key_again(certs: pathlib.Path) -> None:
    run(server(certs))
    before = tree(certs)
    second = run(server(certs, names=["more.example.org"]))
    assert tree(certs) == before
    assert "more.example.org" in second["requests"][0]["names"]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.chmod(0o644), id="readable-by-others"),
        pytest.param(lambda path: path.write_text("nonsense"), id="nonsense"),
        pytest.param(lambda path: os.link(path, path.with_name("copy")), id="second-name"),
        pytest.param(lambda path: (path.rename(path.with_name("real")), path.symlink_to("real")), id="link"),
        pytest.param(
            lambda path: path.write_bytes(made.Pair(None, made.private_key("ed25519")).key_pem), id="other-type"
        ),
    ],
)
def test_waiting_key_that_is_not_to_be_trusted_is_made_anew(
    certs: pathlib.Path, spoil: t.Callable[[pathlib.Path], object]
) -> None:
    first = run(server(certs))["requests"][0]
    pending = certs / "server-key.pem.new"
    spoil(pending)
    second = run(server(certs))["requests"][0]
    one, two = (signing.load_request(entry["request_content"]).public_key() for entry in (first, second))
    assert keys.public_key_fingerprint(one) != keys.public_key_fingerprint(two)
    assert mode(pending) == 0o600
    assert not pending.is_symlink()


def test_waiting_key_that_is_the_live_key_is_not_used_again(certs: pathlib.Path) -> None:
    pair = install(certs)
    pending = certs / "server-key.pem.new"
    pending.write_bytes(pair.key_pem)
    pending.chmod(0o600)
    request = signing.load_request(run(server(certs, force=True))["requests"][0]["request_content"])
    assert keys.public_key_fingerprint(request.public_key()) != pair.fingerprint


def test_good_certificate_is_left_alone(certs: pathlib.Path) -> None:
    pair = install(certs)
    before = tree(certs)
    result = run(server(certs))
    assert not result["changed"]
    entry = result["requests"][0]
    assert (entry["action"], entry["reasons"], entry["request_content"]) == ("none", [], "")
    assert entry["certificate"] == pair.view.to_dict()
    assert (result["plan"], result.get("diff", {})) == ([], {})
    assert tree(certs) == before


@pytest.mark.parametrize(
    ("installed", "wanted", "reasons"),
    [
        pytest.param({}, {"names": ["x.example.org"]}, ["names-changed"], id="names"),
        pytest.param({}, {"local_names": False}, ["names-changed"], id="local-names"),
        pytest.param({}, {"addresses": ["all"]}, ["names-changed"], id="addresses"),
        pytest.param({}, {"key_type": "ed25519"}, ["key-type-changed"], id="key-type"),
        pytest.param({}, {"common_name": "Docker Host"}, ["common-name-changed"], id="common-name"),
        pytest.param({}, {"force": True}, ["forced"], id="forced"),
        pytest.param({}, {"renew_before": "270d"}, ["expires-soon"], id="renew-before"),
        pytest.param({"end": NOW + 30 * DAY}, {}, ["expires-soon"], id="expires-soon"),
        pytest.param({"end": NOW - DAY}, {}, ["expired"], id="expired"),
        pytest.param({"begin": NOW + DAY}, {}, ["not-yet-valid"], id="not-yet-valid"),
        pytest.param({}, {"authority_content": CLIENTS.pem}, ["authority-changed"], id="authority"),
        pytest.param(
            {}, {"authority_content": made.authority(number=8).pem}, ["authority-changed"], id="authority-same-name"
        ),
        pytest.param({}, {"authority_content": ""}, ["authority-changed"], id="authority-to-come"),
        pytest.param({}, {"names": [FQDN.upper() + "."], "validity": "365d"}, [], id="nothing"),
    ],
)
def test_change_gives_its_reason(
    certs: pathlib.Path, installed: dict[str, t.Any], wanted: dict[str, t.Any], reasons: list[str]
) -> None:
    install(certs, **installed)
    entry = run(server(certs, **wanted))["requests"][0]
    assert entry["reasons"] == reasons
    assert bool(entry["request_content"]) is bool(reasons)
    assert entry["certificate"]["fingerprint_sha256"]


@pytest.mark.parametrize(
    ("spoil", "reasons"),
    [
        pytest.param(lambda certs: (certs / "server-key.pem").unlink(), ["key-missing"], id="key-missing"),
        pytest.param(lambda certs: (certs / "server-key.pem").write_text("x"), ["key-unreadable"], id="key-nonsense"),
        pytest.param(lambda certs: (certs / "server-cert.pem").unlink(), ["certificate-missing"], id="cert-missing"),
        pytest.param(
            lambda certs: (certs / "server-cert.pem").write_text("x"), ["certificate-unreadable"], id="cert-nonsense"
        ),
        pytest.param(
            lambda certs: ((certs / "server-cert.pem").unlink(), os.mkfifo(certs / "server-cert.pem")),
            ["certificate-unreadable"],
            id="cert-is-a-pipe",
        ),
        pytest.param(
            lambda certs: ((certs / "server-key.pem").unlink(), (certs / "server-key.pem").mkdir()),
            ["key-unreadable"],
            id="key-is-a-directory",
        ),
    ],
)
def test_damage_gives_its_reason(
    certs: pathlib.Path, spoil: t.Callable[[pathlib.Path], object], reasons: list[str]
) -> None:
    install(certs)
    spoil(certs)
    assert run(server(certs))["requests"][0]["reasons"] == reasons


def test_key_of_another_certificate_is_reissued_with_a_warning_that_names_both(certs: pathlib.Path) -> None:
    install(certs)
    (certs / "server-key.pem").write_bytes(made.Pair(None, made.private_key("ecdsa-p256", 9)).key_pem)
    result = run(server(certs))
    assert result["requests"][0]["reasons"] == ["key-mismatch"]
    warning = str(result["warnings"])
    assert str(certs / "server-key.pem") in warning
    assert str(certs / "server-cert.pem") in warning


def test_certificate_of_the_future_warns_of_the_clock(certs: pathlib.Path) -> None:
    install(certs, begin=NOW + DAY)
    assert "clock" in str(run(server(certs))["warnings"])


def test_check_mode_decides_all_and_writes_nothing(certs: pathlib.Path) -> None:
    result = run(server(certs, authority_content=""), check=True, diff=True)
    assert result["changed"]
    assert result["requests"][0]["action"] == "issue"
    assert result["requests"][0]["request_content"] == ""
    assert not certs.exists()
    assert result["diff"]["prepared"] == (
        f"new certificate, CN {FQDN}, SAN {FQDN}, issuer a new authority (certificate-missing, key-missing)\n"
    )


def test_diff_is_a_plan_without_keys(certs: pathlib.Path) -> None:
    install(certs, end=NOW + 10 * DAY)
    result = run(server(certs, names=["new.example.org"], validity="365d"), diff=True)
    old, new = ((datetime.now(timezone.utc) + days * DAY).strftime("%Y-%m-%d") for days in (10, 365))
    line = f"certificate expires {old} -> {new}, SAN + new.example.org (names-changed, expires-soon)"
    assert result["plan"] == [line]
    assert result["diff"] == {"prepared": line + "\n"}
    assert "PRIVATE KEY" not in str(result)


@pytest.mark.parametrize(("jitter", "reasons"), [("0", []), ("1/20", ["expires-soon"])])
def test_jitter_renews_earlier_and_says_when(certs: pathlib.Path, jitter: str, reasons: list[str]) -> None:
    install(
        certs, begin=NOW - 235 * DAY, end=NOW + 130 * DAY
    )  # due in 8.3 days; this name's place is at 0.63 of a window of 18 days
    wanted = server(certs, renew_jitter=jitter, renew_jitter_name="web1")
    first = run(wanted)["requests"][0]
    assert first["reasons"] == reasons
    due = datetime.fromisoformat(first["renew_at"].replace("Z", "+00:00"))
    assert (due <= NOW) is bool(reasons)
    assert run(wanted)["requests"][0]["renew_at"] == first["renew_at"]


def test_renewal_time_of_no_certificate_is_none(certs: pathlib.Path) -> None:
    assert run(server(certs))["requests"][0]["renew_at"] is None


def test_live_files_are_never_touched(certs: pathlib.Path) -> None:
    install(certs)
    before = tree(certs)
    run(server(certs, force=True))
    after = tree(certs)
    assert set(after) - set(before) == {str(certs / "server-key.pem.new")}
    assert {path: after[path] for path in before} == before


def test_several_identities_in_one_call(certs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    install(certs)
    client = {
        "id": "ops alice",
        "profile": "client",
        "key_path": str(tmp_path / "alice" / "key.pem"),
        "certificate_path": str(tmp_path / "alice" / "cert.pem"),
        "authority_content": CLIENTS.pem,
        "owner": None,
    }
    result = run(server(certs), client)
    assert [entry["action"] for entry in result["requests"]] == ["none", "issue"]
    assert result["requests"][1]["common_name"] == "ops alice"
    assert result["requests"][1]["names"] == ["dirname:CN=ops alice"]


@pytest.mark.parametrize("key_type", ["ecdsa-p384", "ed25519", "rsa-2048"])
def test_key_type_is_the_wanted_one(certs: pathlib.Path, key_type: str) -> None:
    request = signing.load_request(run(server(certs, key_type=key_type))["requests"][0]["request_content"])
    assert keys.key_type_of(request.public_key()) == key_type


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"optional_names": ["my docker host", "web_1"]}, ["web_1"], id="optional-names"),
        pytest.param({"common_name": "other.example.org"}, ["other.example.org"], id="common-name-is-a-name"),
        pytest.param({"common_name": "Docker Host"}, [], id="common-name-is-no-name"),
        pytest.param({"fqdn": False}, [f"-{FQDN}"], id="no-fqdn"),
        pytest.param({"addresses": ["192.0.2.0/24"]}, ["192.0.2.5"], id="network"),
        pytest.param({"names": ["bücher.example"]}, ["xn--bcher-kva.example"], id="idn"),
    ],
)
def test_names_come_from_the_options(certs: pathlib.Path, changes: dict[str, t.Any], expected: list[str]) -> None:
    base = {FQDN, "localhost", "127.0.0.1", "::1"}
    for name in expected:
        base = base - {name[1:]} if name.startswith("-") else base | {name}
    assert set(run(server(certs, **changes), check=True)["requests"][0]["names"]) == base


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        pytest.param(
            {"common_name": "x" * 65}, "common-name-invalid", "docker_server_cert_common_name", id="common-name-65"
        ),
        pytest.param({"names": ["10.0.0.0/8"]}, "name-invalid", "names of 'server' '10.0.0.0/8'", id="bad-name"),
        pytest.param({"names": ["dirname:CN=x"]}, "name-invalid", "a client's name", id="client-name"),
        pytest.param({"fqdn": False, "local_names": False}, "name-invalid", "has no names", id="no-names"),
        pytest.param({"renew_before": "soon"}, "duration-invalid", "renew_before of 'server' is", id="renew-before"),
        pytest.param({"renew_before": "30d", "validity": "30d"}, "renew-before-too-long", "(30d)", id="renew-always"),
        pytest.param({"renew_jitter": "often"}, "duration-invalid", "renew_jitter of 'server' is", id="renew-jitter"),
        pytest.param({"validity": "0d"}, "duration-invalid", "validity of 'server' is", id="validity"),
        pytest.param({"authority_content": "x"}, "certificate-unreadable", "authority_content of", id="authority"),
        pytest.param({"key_path": "server-key.pem"}, "path-invalid", "key_path", id="relative-path"),
        pytest.param({"owner": "no-such-user"}, "user-unknown", "no-such-user", id="user"),
        pytest.param({"group": "no-such-group"}, "group-unknown", "no-such-group", id="group"),
        pytest.param({"addresses": ["eth0"]}, "address-selector-invalid", "eth0", id="addresses"),
    ],
)
def test_bad_option_is_named_and_nothing_is_written(
    certs: pathlib.Path, changes: dict[str, t.Any], code: str, says: str
) -> None:
    install(certs)
    before = tree(certs)
    result = run(server(certs, **changes))
    assert result["failed"]
    assert result["code"] == code
    assert says in result["msg"]
    assert tree(certs) == before


@pytest.mark.parametrize(
    ("optional", "expected"),
    [(["docker1", "192.0.2.5"], "docker1"), ([], "a" * 30), (["b" * 60 + ".example.org"], "a" * 30)],
)
def test_host_name_over_64_characters_is_a_name_and_not_the_common_name(
    certs: pathlib.Path, monkeypatch: pytest.MonkeyPatch, optional: list[str], expected: str
) -> None:
    long = ".".join(["a" * 30] * 3)
    monkeypatch.setattr(request_names.socket, "getfqdn", lambda: long)
    (entry,) = run(server(certs, optional_names=optional))["requests"]
    assert long in entry["names"]
    assert entry["common_name"] == expected


def test_problems_of_all_requests_stand_in_one_message(certs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    second = server(tmp_path / "other", id="second", names=["a b"])
    result = run(server(certs, names=["x/y"]), second)
    assert result["msg"].startswith("2 requests cannot be made")
    assert "'x/y'" in result["msg"]
    assert "'a b'" in result["msg"]
    assert not certs.exists()


@pytest.mark.parametrize("same", ["id", "key_path"])
def test_two_requests_with_one_place_are_refused(certs: pathlib.Path, tmp_path: pathlib.Path, same: str) -> None:
    first, second = server(certs), server(tmp_path / "other", id="second")
    second[same] = first[same]
    result = run(first, second)
    assert result["code"] == "request-duplicate"
    assert f"the same {same}" in result["msg"]


def test_unknown_key_type_lists_the_known_ones(certs: pathlib.Path) -> None:
    result = run(server(certs, key_type="dsa"))
    assert result["failed"]
    assert "ecdsa-p256" in result["msg"]


@pytest.mark.parametrize("anchors", ["own", "foreign", "missing"])
def test_authority_of_a_foreign_certificate_is_named_by_the_anchor_beside_it(certs: pathlib.Path, anchors: str) -> None:
    other = made.authority(number=8)
    install(certs, made.leaf(other, subject_names=[FQDN]))
    if anchors != "missing":
        (certs / "ca.pem").write_text((AUTHORITY if anchors == "foreign" else other).pem)
    entry = run(server(certs))["requests"][0]
    assert "authority-changed" in entry["reasons"]
    assert entry["authority_fingerprint_sha256"] == (other.view.fingerprint_sha256 if anchors == "own" else "")
