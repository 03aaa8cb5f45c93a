# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import inventory
from support.contracts import records

AUTHORITIES = {
    "server": {"purpose": "server", "certificate_content": "S", "trusted_content": "S\n"},
    "clients": {"purpose": "client", "certificate_content": "C", "trusted_content": "C\n"},
    "ops": {"purpose": "client", "certificate_content": "O", "trusted_content": "O1\nO2\n"},
}
SETTINGS = {
    "path": "/b",
    "key_type": "ecdsa-p256",
    "validity": "365d",
    "renew_before": "1/3",
    "renew_jitter": "1/20",
    "force": False,
    "host": "h",
}


def answer(**changes: Any) -> dict[str, Any]:
    entry = {
        "id": "server",
        "request_content": "CSR",
        "common_name": "web1",
        "names": ["web1"],
        "reasons": ["certificate-missing"],
    }
    return {"requests": [{**entry, **changes}]}


def test_server_requests_of_hosts_without_a_wish_are_none() -> None:
    hostvars = {
        "a": {},
        "b": {"__docker_server_cert_requested": answer(request_content="")},
        "c": {"__docker_server_cert_requested": {}},
    }
    assert inventory.server_signing_requests(hostvars, hostvars, "365d") == []


def test_server_requests_take_the_hosts_own_validity() -> None:
    hostvars = {
        "a": {"__docker_server_cert_requested": answer()},
        "b": {"__docker_server_cert_requested": answer(), "docker_server_cert_validity": "30d"},
    }
    made = inventory.server_signing_requests(["a", "b"], hostvars, "365d")
    assert [(entry["id"], entry["validity"]) for entry in made] == [("a/server", "365d"), ("b/server", "30d")]


def test_server_requests_of_a_hostile_host_stay_one_server_certificate() -> None:
    hostile = answer(profile="client", authority="clients", validity="9999d", requester="b")
    hostile["requests"].append(dict(hostile["requests"][0], id="more"))
    made = inventory.server_signing_requests(["a"], {"a": {"__docker_server_cert_requested": hostile}}, "365d")
    assert len(made) == 1
    assert (made[0]["profile"], made[0]["authority"], made[0]["validity"], made[0]["requester"]) == (
        "server",
        "server",
        "365d",
        "a",
    )


def test_client_bundles_on_the_controller_are_one_for_each_client() -> None:
    clients = [{"name": "alice"}, {"name": "bob", "controller": False}, {"name": "eve", "state": "revoked"}]
    assert [bundle["client"] for bundle in inventory.client_bundles("localhost", {"localhost": {}}, clients, [])] == [
        "alice"
    ]


def test_client_bundle_on_the_controller_may_have_a_directory_of_its_own() -> None:
    clients = [{"name": "alice", "controller_directory": "~/.docker"}, {"name": "bob"}]
    bundles = inventory.client_bundles("localhost", {"localhost": {}}, clients, [])
    assert [inventory.bundle_directory(bundle, "/b") for bundle in bundles] == ["~/.docker", "/b/bob"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "..", ".", "", "-rf", "~/x", "~root", "a\nb"])
def test_client_bundle_stays_below_the_directory_of_bundles(name: str) -> None:
    bundle = {"client": name, "user": "", "directory": ""}
    with pytest.raises(TlsError) as error:
        inventory.bundle_directory(bundle, "/b")
    assert error.value.code == "inventory-invalid"
    assert "docker_client_cert_clients" in error.value.hint


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [("root", "alice", "~root/.docker")]),
        ({"ansible_user": "deploy"}, [("deploy", "alice", "~deploy/.docker")]),
        (
            {"docker_client_cert_users": [{"user": "ci", "client": "bob"}, {"user": "x", "directory": "/srv/x"}]},
            [("ci", "bob", "~ci/.docker"), ("x", "alice", "/srv/x")],
        ),
    ],
    ids=["default", "login-user", "listed"],
)
def test_client_bundles_on_a_client_machine_go_to_its_users(
    variables: dict[str, Any], expected: list[tuple[str, ...]]
) -> None:
    bundles = inventory.client_bundles("m", {"m": variables}, [{"name": "alice"}, {"name": "bob"}], ["m"])
    assert [(b["user"], b["client"], inventory.bundle_directory(b, "/b")) for b in bundles] == expected


def test_client_signing_requests_ignore_what_was_not_assigned_to_the_host() -> None:
    hostvars = {"m": {"__docker_client_cert_requested": answer(id="root:bob", common_name="admin", names=["admin"])}}
    assert inventory.client_signing_requests(["m"], hostvars, [{"name": "alice"}, {"name": "bob"}], ["m"], "365d") == []


def test_client_signing_requests_take_everything_but_the_key_from_the_controller() -> None:
    hostvars = {
        "m": {
            "__docker_client_cert_requested": answer(
                id="root:alice", common_name="admin", names=["admin"], profile="server"
            )
        }
    }
    clients = [{"name": "alice", "group": "ops", "validity": "8h"}]
    (made,) = inventory.client_signing_requests(["m"], hostvars, clients, ["m"], "365d")
    assert (made["common_name"], made["names"], made["profile"], made["authority"], made["validity"]) == (
        "alice",
        [],
        "client",
        "ops",
        "8h",
    )


def test_client_certificate_requests_name_paths_authority_and_owner() -> None:
    bundles = inventory.client_bundles("localhost", {"localhost": {}}, [{"name": "alice", "group": "ops"}], [])
    (made,) = inventory.client_certificate_requests(bundles, [{"name": "alice", "group": "ops"}], AUTHORITIES, SETTINGS)
    assert made["key_path"] == "/b/alice/key.pem"
    assert made["authority_content"] == "O"
    assert made["owner"] is None


def test_client_certificate_requests_of_an_unknown_group_say_which_there_are() -> None:
    bundles = inventory.client_bundles("localhost", {"localhost": {}}, [{"name": "alice"}], [])
    with pytest.raises(ValueError, match=r"'alice' is of the group 'opz'.*clients, ops") as caught:
        inventory.client_certificate_requests(bundles, [{"name": "alice", "group": "opz"}], AUTHORITIES, SETTINGS)
    records.said(str(caught.value))


def test_client_certificate_requests_of_an_unknown_client_say_which_there_are() -> None:
    with pytest.raises(ValueError, match=r"names the client 'zoe'.*\(alice\)"):
        inventory.client_certificate_requests([{"client": "zoe"}], [{"name": "alice"}], AUTHORITIES, SETTINGS)


def test_client_bundle_files_without_a_new_certificate_keep_the_old_one() -> None:
    bundles = inventory.client_bundles("localhost", {"localhost": {}}, [{"name": "alice"}, {"name": "bob"}], [])
    signed = {"localhost/bob": {"certificate_content": "NEW"}}
    made = inventory.client_bundle_files(
        bundles, "localhost", signed, AUTHORITIES, {"path": "/b", "docker_host": "tcp://x:2376"}
    )
    assert [(entry["directory"], entry["certificate_content"], entry["ca_content"]) for entry in made] == [
        ("/b/alice", "", "S\n"),
        ("/b/bob", "NEW", "S\n"),
    ]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "tcp://web1:2376"),
        ({"ansible_host": "10.0.0.5"}, "tcp://10.0.0.5:2376"),
        ({"ansible_host": "fd00::5"}, "tcp://[fd00::5]:2376"),
        ({"ansible_host": "a", "docker_daemon_address": "[fd00::5]"}, "tcp://[fd00::5]:2376"),
        ({"ansible_host": "a", "docker_daemon_listen": ["10.0.0.9:2999"]}, "tcp://10.0.0.9:2999"),
        ({"ansible_host": "a", "docker_daemon_listen": ["0.0.0.0:2999"]}, "tcp://a:2999"),
        ({"ansible_host": "a", "docker_daemon_listen": ["private"], "docker_daemon_port": 2380}, "tcp://a:2380"),
        ({"ansible_host": "a", "docker_daemon_listen": ["10.0.0.9:1", "10.0.0.8:1"]}, "tcp://a:1"),
        ({"ansible_host": "a", "docker_daemon_listen": ["2999"]}, "tcp://a:2376"),
        ({"ansible_host": "a", "docker_daemon_listen": "10.0.0.9:2999"}, "tcp://10.0.0.9:2999"),
        ({"ansible_host": "a", "docker_daemon_listen": None}, "tcp://a:2376"),
        (
            {"docker_daemon_address": "docker.example.org", "docker_daemon_listen": ["10.0.0.9:2376"]},
            "tcp://docker.example.org:2376",
        ),
    ],
)
def test_endpoint_url_is_where_clients_reach_the_host(variables: dict[str, Any], expected: str) -> None:
    assert inventory.endpoint_url("web1", {"web1": variables}) == expected


def test_server_requests_have_the_controllers_names_apart_from_what_only_the_host_reports() -> None:
    asked = {
        "names": ["web1", "*.apps.example.org", "localhost"],
        "extends": ["web1"],
        "address_ranges": ["private"],
        "common_name": "Docker",
    }
    reported = ["*.apps.example.org", "*.example.org", "web1", "web1.example.org", "10.0.0.5"]
    requested = {**answer(names=reported, common_name="evil", id="other"), "asked": {"server": asked}}
    (made,) = inventory.server_signing_requests(
        ["web1"], {"web1": {"__docker_server_cert_requested": requested}}, "365d"
    )
    assert (made["common_name"], made["names"]) == ("Docker", ["*.apps.example.org", "web1"])
    assert made["reported_names"] == ["*.example.org", "web1.example.org", "10.0.0.5"]
    assert (made["extends"], made["address_ranges"]) == (["web1"], ["private"])


def test_server_requests_of_a_host_that_was_asked_nothing_have_its_inventory_name_alone() -> None:
    requested = answer(names=["web1", "other"])
    (made,) = inventory.server_signing_requests(
        ["web1"], {"web1": {"__docker_server_cert_requested": requested}}, "365d"
    )
    assert (made["common_name"], made["names"], made["reported_names"]) == ("", ["web1"], ["other"])
    assert (made["extends"], made["address_ranges"]) == ([], [])


@pytest.mark.parametrize(
    ("action", "predicting", "count"), [("issue", True, 1), ("none", True, 0), ("issue", False, 0)]
)
def test_server_requests_of_check_mode_are_those_of_the_hosts_that_would_ask(
    action: str, predicting: bool, count: int
) -> None:
    hostvars = {"a": {"__docker_server_cert_requested": answer(request_content="", action=action)}}
    assert len(inventory.server_signing_requests(["a"], hostvars, "365d", "fail", predicting)) == count


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        (["0.0.0.0:2376"], []),
        (["[::]:2376"], []),
        (["private"], ["private"]),
        (["tcp://10.0.0.5:2376", "[fd00::5]:2376", "10.0.0.5:2377"], ["10.0.0.5", "fd00::5"]),
        (["docker.example.org:2376"], []),
    ],
)
def test_listen_addresses_are_those_that_a_certificate_needs(entries: list[str], expected: list[str]) -> None:
    assert inventory.listen_addresses(entries) == expected


def test_client_anchors_are_those_of_the_admitted_groups_in_order() -> None:
    assert inventory.client_anchors(AUTHORITIES, ["ops", "clients"]) == "O1\nO2\nC\n"


@pytest.mark.parametrize(
    ("groups", "message"), [(["opz"], "unknown group opz"), ([], "no client could connect"), (["server"], "server")]
)
def test_client_anchors_of_no_or_an_unknown_group_are_refused(groups: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inventory.client_anchors(AUTHORITIES, groups)


def test_dual_trust_is_one_certificate_for_both_purposes() -> None:
    end = "-----END CERTIFICATE-----\n"
    both = {"server": {"trusted_content": f"S{end}"}, "clients": {"trusted_content": f"C{end}S{end}"}}
    assert inventory.dual_trust(both, ["clients"])
    assert not inventory.dual_trust({**both, "clients": {"trusted_content": f"C{end}"}}, ["clients"])
    assert not inventory.dual_trust(
        {"server": {"trusted_content": ""}, "clients": {"trusted_content": ""}}, ["clients"]
    )


def test_client_bundles_leave_out_users_of_revoked_clients() -> None:
    clients = [{"name": "alice", "state": "revoked"}, {"name": "bob"}]
    users = [{"user": "a", "client": "alice"}, {"user": "b", "client": "bob"}, {"user": "c"}]
    made = inventory.client_bundles("m", {"m": {"docker_client_cert_users": users}}, clients, ["m"])
    assert [(bundle["user"], bundle["client"]) for bundle in made] == [("b", "bob"), ("c", "bob")]


def test_client_bundles_without_any_client_that_stays_are_none() -> None:
    assert inventory.client_bundles("m", {"m": {}}, [{"name": "alice", "state": "revoked"}], ["m"]) == []


def test_rejected_requests_are_those_of_the_host_without_its_name() -> None:
    rejected = {"a/server": {"msg": "x"}, "ab/server": {"msg": "y"}, "a/root:alice": {"msg": "z"}}
    assert inventory.rejected_requests(rejected, "a") == {"server": {"msg": "x"}, "root:alice": {"msg": "z"}}


CERTIFICATE = {"serial": "0a", "issuer": "CN=old", "authority_key_identifier": "bb", "names": []}
REPLACES = {
    "serial": "0a",
    "issuer": "CN=old",
    "authority_key_identifier": "bb",
    "authority_fingerprint_sha256": "cc",
}


@pytest.mark.parametrize(
    ("variables", "reasons", "default", "expected"),
    [
        ({}, ["authority-changed"], "fail", REPLACES),
        ({}, ["expires-soon"], "fail", None),
        ({}, ["authority-changed"], "replace", None),
        ({"docker_server_cert_foreign_authority": "replace"}, ["authority-changed"], "fail", None),
        ({"docker_server_cert_foreign_authority": "fail"}, ["authority-changed"], "replace", REPLACES),
        ({"docker_daemon_existing_settings": "adopt"}, ["authority-changed"], "fail", None),
        ({"docker_daemon_existing_settings": "fail"}, ["authority-changed"], "fail", REPLACES),
    ],
)
def test_server_requests_say_what_they_replace_unless_that_is_wanted(
    variables: dict[str, Any], reasons: list[str], default: str, expected: Any
) -> None:
    requested = answer(certificate=CERTIFICATE, reasons=reasons, authority_fingerprint_sha256="cc")
    hostvars = {"a": {"__docker_server_cert_requested": requested, **variables}}
    (made,) = inventory.server_signing_requests(["a"], hostvars, "365d", default)
    assert made.get("replaces") == expected


FOREIGN = "docker_server_cert_foreign_authority"
OF_ALICE = {"common_name": "alice"}
OF_UNIT = {"common_name": "someone", "issuer": "CN=Docker,OU=ops-g2,O=x"}


@pytest.mark.parametrize(
    ("hosts", "own", "certificate", "reasons", "replaces"),
    [
        ([{}], {}, OF_ALICE, ["authority-changed"], True),
        ([], {}, OF_ALICE, ["authority-changed"], True),
        ([{}], {}, OF_UNIT, ["authority-changed", "subject-changed"], True),
        ([{}], {}, OF_ALICE, ["expires-soon"], False),
        ([{}], {}, OF_ALICE, ["authority-changed", "expired"], False),
        # Of another tool, as in a user's ~/.docker: a copy is kept.
        ([{}], {}, {"common_name": "someone"}, ["authority-changed"], False),
        ([{FOREIGN: "replace"}], {}, OF_ALICE, ["authority-changed"], False),
        ([{FOREIGN: "replace"}, {}], {}, OF_ALICE, ["authority-changed"], True),
        ([{}], {FOREIGN: "replace"}, OF_ALICE, ["authority-changed"], False),
        ([{FOREIGN: "replace"}], {FOREIGN: "fail"}, OF_ALICE, ["authority-changed"], True),
        ([{"docker_daemon_existing_settings": "adopt"}], {}, OF_ALICE, ["authority-changed"], False),
    ],
)
def test_client_requests_say_which_valid_certificate_they_replace(
    hosts: list[dict[str, Any]],
    own: dict[str, Any],
    certificate: dict[str, Any],
    reasons: list[str],
    replaces: bool,
) -> None:
    present = {**CERTIFICATE, **certificate}
    requested = answer(id="root:alice", certificate=present, reasons=reasons, authority_fingerprint_sha256="cc")
    hostvars = {"m": {"__docker_client_cert_requested": requested, **own}}
    hostvars.update({f"web{number}": host for number, host in enumerate(hosts)})
    names = [name for name in hostvars if name != "m"]
    (made,) = inventory.client_signing_requests(["m"], hostvars, [{"name": "alice"}], ["m"], "365d", docker_hosts=names)
    assert made.get("replaces") == ({**REPLACES, "issuer": present["issuer"]} if replaces else None)


@pytest.mark.parametrize(
    "forged",
    [
        "text",
        {"requests": "text"},
        {"requests": ["text", None, 7]},
        answer(names="text"),
        answer(names=[{"a": 1}]),
        answer(request_content=["CSR"]),
        answer(common_name=None),
        answer(reasons=7),
        answer(certificate=["x"]),
        answer(id={}),
    ],
    ids=str,
)
def test_requests_that_are_not_shaped_as_such_do_not_keep_other_hosts_from_theirs(forged: Any) -> None:
    variables = {"__docker_server_cert_requested": forged, "__docker_client_cert_requested": forged}
    hostvars = {"evil": variables, "good": {"__docker_server_cert_requested": answer()}}
    made = inventory.server_signing_requests(["evil", "good"], hostvars, "365d")
    assert [entry["requester"] for entry in made] == ["good"]
    assert inventory.client_signing_requests(["evil"], hostvars, [{"name": "alice"}], ["evil"], "365d") == []


def test_reasons_that_a_host_invents_do_not_get_into_the_ledger() -> None:
    reasons = ["expires-soon", 'x","names":["a"]', "A" * 9999, ""]
    (made,) = inventory.server_signing_requests(
        ["a"], {"a": {"__docker_server_cert_requested": answer(reasons=reasons)}}, "365d"
    )
    assert made["reasons"] == ["expires-soon"]


@pytest.mark.parametrize(
    ("value", "made"), [(False, 0), ("no", 0), ("false", 0), (0, 0), (True, 1), ("yes", 1), ("1", 1)]
)
def test_client_whose_bundle_is_not_wanted_on_the_controller_gets_none_however_that_is_written(
    value: object, made: int
) -> None:
    found = inventory.client_bundles("localhost", {"localhost": {}}, [{"name": "alice", "controller": value}], [])
    assert len(found) == made
