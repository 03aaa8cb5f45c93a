# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module authorities: options in, one result out, nothing secret in it."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout, ledger, report
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca.call_context import CallContext
from ansible_collections.portcullis.docker_tls.plugins.module_utils._time import utc_now
from ansible_collections.portcullis.docker_tls.plugins.modules import authorities
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import access_lists
from support.ansible.modules import run_module
from support.ca.ca_directory import PASSPHRASE_TEXT, ROUNDS, client_request, sign, tree
from support.contracts import records


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CallContext, "rounds", ROUNDS)
    real = CallContext
    monkeypatch.setattr(f"{CallContext.__module__}.CallContext", lambda **given: real(**{"rounds": ROUNDS, **given}))


def run(path: pathlib.Path, *, check: bool = False, diff: bool = False, **options: t.Any) -> dict[str, t.Any]:
    arguments = {"path": str(path), "passphrase": PASSPHRASE_TEXT, **options}
    return run_module(authorities, arguments, check=check, diff=diff)


def test_authorities_on_the_first_run_reports_them(tmp_path: pathlib.Path) -> None:
    result = run(tmp_path / "ca", access_groups=["ops", "ci"])
    assert (result["changed"], result["reasons"]) == (True, ["authority-missing"])
    assert list(result["authorities"]) == ["server", "ci", "ops"]
    server = result["authorities"]["server"]
    assert (server["id"], server["purpose"], server["generation"]) == ("server-g1", "server", 1)
    assert server["certificate_content"] == server["trusted_content"]
    assert server["certificate"]["common_name"] == "Docker CA"
    assert result["authorities"]["ops"]["certificate"]["common_name"] == "Docker client CA"
    assert result["ansible_facts"]["docker_ca_authorities"] == result["authorities"]


def test_authorities_on_the_second_run_changes_nothing(tmp_path: pathlib.Path) -> None:
    first = run(tmp_path / "ca")
    before = tree(tmp_path)
    second = run(tmp_path / "ca")
    assert (second["changed"], second["reasons"]) == (False, [])
    assert second["authorities"] == first["authorities"]
    assert tree(tmp_path) == before
    assert second["warnings"] == []


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_authorities_without_a_change_reads_the_ledger_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    first = run(tmp_path / "ca")
    readings = []
    real = ledger.scan
    monkeypatch.setattr(ledger, "scan", lambda place, **asked: readings.append(place) or real(place, **asked))
    second = run(tmp_path / "ca", check=check)
    assert len(readings) == 1
    assert second["ansible_facts"]["docker_ca_ledger"] == first["ansible_facts"]["docker_ca_ledger"]


def test_authorities_after_a_change_tells_the_ledgers_new_end(tmp_path: pathlib.Path) -> None:
    first = run(tmp_path / "ca")
    second = run(tmp_path / "ca", access_groups=["clients", "ops"])
    ends = [result["ansible_facts"]["docker_ca_ledger"] for result in (first, second)]
    assert [end["seq"] for end in ends] == [2, 3]
    assert ends[1] == report.ledger_end(layout.ca_directory(str(tmp_path / "ca")))


def test_authorities_in_check_mode_foretells_the_first_run(tmp_path: pathlib.Path) -> None:
    foretold = run(tmp_path / "ca", check=True, diff=True)
    assert foretold["changed"]
    assert list(tmp_path.iterdir()) == []
    done = run(tmp_path / "ca", diff=True)
    assert list(foretold["authorities"]) == list(done["authorities"])
    for name, one in foretold["authorities"].items():
        assert set(one) == set(done["authorities"][name])
        assert (one["certificate_content"], one["certificate"]) == ("", None)
    assert foretold["plan"] == done["plan"]
    end = done["authorities"]["server"]["certificate"]["not_after"][:10]
    assert done["diff"]["prepared"].splitlines() == [
        f"new authority server-g1, CN Docker CA, ecdsa-p256, until {end} (authority-missing)",
        f"new authority clients-g1, CN Docker client CA, ecdsa-p256, until {end} (authority-missing)",
    ]


def test_authorities_never_shows_the_passphrase_or_a_key(tmp_path: pathlib.Path) -> None:
    for options in ({}, {"access_groups": ["Bad Name"]}, {"lock_timeout": "x"}):
        text = json.dumps(run(tmp_path / "ca", diff=True, **options))
        assert PASSPHRASE_TEXT not in text
        assert "PRIVATE KEY" not in text


def test_authorities_warns_of_options_that_differ(tmp_path: pathlib.Path) -> None:
    run(tmp_path / "ca")
    result = run(tmp_path / "ca", server={"key_type": "rsa-4096"})
    assert not result["changed"]
    assert "authority-differs" in str(result["warnings"])


BAD: dict[str, tuple[dict[str, t.Any], str]] = {
    "passphrase-empty": ({"passphrase": ""}, "passphrase-missing"),
    "passphrase-short": ({"passphrase": "eleven char"}, "passphrase-too-short"),
    "passphrase-known": ({"passphrase": "changeme1234"}, "passphrase-well-known"),
    "group-name": ({"access_groups": ["a b"]}, "group-name-invalid"),
    "group-server": ({"access_groups": ["server"]}, "group-name-invalid"),
    "validity-zero": ({"server": {"validity": "0d"}}, "duration-invalid"),
    "validity-text": ({"client": {"validity": "forever"}}, "duration-invalid"),
    "common-name-long": ({"server": {"common_name": "x" * 65}}, "common-name-invalid"),
    "common-name-empty": ({"client": {"common_name": ""}}, "common-name-invalid"),
    "organization-long": ({"server": {"organization": "x" * 65}}, "common-name-invalid"),
}


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize(("options", "code"), BAD.values(), ids=BAD)
def test_authorities_with_bad_input_fails_with_one_message_and_changes_nothing(
    tmp_path: pathlib.Path, options: dict[str, t.Any], code: str, check: bool
) -> None:
    result = run(tmp_path / "ca", check=check, **options)
    assert result["failed"]
    assert result["code"] == code
    assert result["hint"] and result["hint"] not in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_authorities_with_an_unknown_key_type_names_the_choices(tmp_path: pathlib.Path) -> None:
    result = run(tmp_path / "ca", server={"key_type": "dsa"})
    assert result["failed"]
    assert "ecdsa-p256" in result["msg"]
    assert not (tmp_path / "ca").exists()


def revoking(*names: str, **options: t.Any) -> dict[str, t.Any]:
    staying = [{"name": name} for name in options.pop("staying", ())]
    return {"clients": [*({"name": name, "state": "revoked"} for name in names), *staying], **options}


def test_authorities_with_a_revoked_client_says_what_has_to_leave(tmp_path: pathlib.Path) -> None:
    run(tmp_path / "ca")
    sign(tmp_path / "ca", client_request("bob"), now=utc_now())
    foretold = run(tmp_path / "ca", check=True, **revoking("bob", staying=["alice"]))
    assert foretold["reasons"] == ["client-revoked"]
    assert foretold["authorities"]["clients"]["certificate_content"] == ""
    result = run(tmp_path / "ca", **revoking("bob", staying=["alice"]))
    assert result["reasons"] == ["client-revoked"]
    assert result["revocations"] == [
        {
            "authority": "clients",
            "clients": ["bob"],
            "issuing": "clients-g2",
            "generations": ["clients-g1"],
            "members": True,
        }
    ]
    assert [(one["client"], one["trusted"]) for one in result["revoked"]] == [("bob", True)]
    assert result["authorities"]["clients"]["trusted_content"].count("BEGIN CERTIFICATE") == 2
    hosts = {"web1": {"docker_daemon_listener": "proxy"}, "web2": {"docker_daemon_access_groups": ["ops"]}}
    in_a_play = records.returned(
        "authorities", access_lists.with_hosts(result, {"docker_hosts": ["web1", "web2"]}, hosts)
    )
    assert (in_a_play["revocations"][0]["hosts"], in_a_play["revocations"][0]["proxies"]) == (["web1"], ["web1"])
    assert [one["hosts"] for one in in_a_play["revoked_certificates"]] == [["web1"]]
    assert not run(tmp_path / "ca", **revoking("bob", staying=["alice"]))["changed"]


def test_authorities_with_a_revoked_client_alone_trusts_the_new_one_only(tmp_path: pathlib.Path) -> None:
    run(tmp_path / "ca")
    sign(tmp_path / "ca", client_request("bob"), now=utc_now())
    clients = run(tmp_path / "ca", **revoking("bob"))["authorities"]["clients"]
    assert (clients["id"], clients["trusted_content"]) == ("clients-g2", clients["certificate_content"])


def test_authorities_with_a_deferred_revocation_warns_and_changes_nothing(tmp_path: pathlib.Path) -> None:
    run(tmp_path / "ca")
    sign(tmp_path / "ca", client_request("bob"), now=utc_now())
    before = tree(tmp_path)
    result = run(tmp_path / "ca", **revoking("bob", revocation_deferred=True))
    assert (result["changed"], result["revocations"]) == (False, [])
    assert result["revocations_deferred"][0]["clients"] == ["bob"]
    assert "revocation-deferred: bob may still connect with certificates of clients-g1" in str(result["warnings"])
    assert tree(tmp_path) == before


def test_limited_run_lists_a_client_and_trusts_on_what_it_has_to_defer(tmp_path: pathlib.Path) -> None:
    """The authority of a group whose only client is revoked is dropped at once, but not while that is deferred."""
    groups = {"access_groups": ["clients", "ops"], "revocation_list_groups": ["clients"]}
    run(tmp_path / "ca", **groups)
    sign(tmp_path / "ca", client_request("bob"), client_request("olga", authority="ops"), now=utc_now())
    clients = [{"name": "bob", "state": "revoked"}, {"name": "olga", "group": "ops", "state": "revoked"}]
    result = run(tmp_path / "ca", **groups, clients=clients, revocation_deferred=True)
    assert [(one["client"], one["group"]) for one in result["revoked_certificates"]] == [("bob", "clients")]
    assert [one["authority"] for one in result["revocations_deferred"]] == ["ops"]
    assert result["authorities"]["ops"]["trusted_content"] == result["authorities"]["ops"]["certificate_content"] != ""


def test_authorities_names_certificates_that_are_not_listed_and_ends_them_where_that_is_wanted(
    tmp_path: pathlib.Path,
) -> None:
    run(tmp_path / "ca")
    sign(tmp_path / "ca", client_request("bob", id="localhost/bob"), now=utc_now())
    listed = {"clients": [{"name": "alice", "requests": ["localhost/alice"]}]}
    named = run(tmp_path / "ca", **listed)
    assert (named["changed"], named["revocations"]) == (False, [])
    assert [(one["client"], one["generation"], one["reason"]) for one in named["unlisted"]] == [
        ("bob", "clients-g1", "client-unlisted")
    ]
    ended = run(tmp_path / "ca", **listed, unlisted_certificates="revoke")
    assert (ended["unlisted"], ended["revocations"][0]["clients"]) == ([], ["bob"])
    assert ended["plan"] == [
        "authority clients: clients-g2 signs, clients-g1 has to leave (client-revoked: bob)",
    ]


def test_authorities_warns_of_a_revoked_client_that_the_ledger_does_not_know(tmp_path: pathlib.Path) -> None:
    run(tmp_path / "ca")
    result = run(tmp_path / "ca", **revoking("bbo"))
    assert "client-unknown: the client 'bbo' is revoked, and the ledger has no certificate of that name" in str(
        result["warnings"]
    )
    assert (result["changed"], result["revoked_unknown"]) == (False, ["bbo"])
