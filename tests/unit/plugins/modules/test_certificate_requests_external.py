# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module certificate_requests where another issuer signs: several anchors, chains, and clients named in the issuer's way."""

from __future__ import annotations

import pathlib
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import request_names
from ansible_collections.portcullis.docker_tls.plugins.modules import certificate_requests
from support.ansible.modules import run_module
from support.ca import certificates as made

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)
ROOT = made.authority(unit="company-root", number=31)
OTHER_ROOT = made.authority(unit="other-root", number=32)


FIRST, SECOND, FOREIGN = (
    made.intermediate(ROOT, "Issuing 1", 33),
    made.intermediate(ROOT, "Issuing 2", 34),
    made.intermediate(OTHER_ROOT, "Issuing 9", 35),
)


def asked(directory: pathlib.Path, profile: str = "server", **changes: t.Any) -> dict[str, t.Any]:
    """Return what the module says of one identity, whose files are in ``directory``; nothing is made."""
    request = {
        "id": profile,
        "profile": profile,
        "key_path": str(directory / "key.pem"),
        "certificate_path": str(directory / "cert.pem"),
        "fqdn": False,
        "local_names": False,
        "names": ["web1.example.test"] if profile == "server" else [],
        "common_name": "" if profile == "server" else "ops-Alice",
        "authority_content": ROOT.pem,
        "external_issuer": True,
        **changes,
    }
    result = run_module(certificate_requests, {"requests": [request]}, check=True)
    assert not result["failed"], result
    found: dict[str, t.Any] = result["requests"][0]
    return {**found, "plan": result["plan"]}


def install(directory: pathlib.Path, pair: made.Pair, *chain: made.Pair) -> None:
    (directory / "cert.pem").write_text("".join(each.pem for each in (pair, *chain)))
    (directory / "key.pem").write_bytes(pair.key_pem)


def leaf(issuer: made.Pair, profile: str = "server", **changes: t.Any) -> made.Pair:
    given = {"subject_names": ["web1.example.test"], "common_name": "web1.example.test"} if profile == "server" else {}
    return made.leaf(issuer, profile, **{**given, "begin": NOW - 10 * DAY, "end": NOW + 80 * DAY, **changes})


@pytest.mark.parametrize("issuer", [FIRST, SECOND], ids=["one-issuing-ca", "the-next-one"])
def test_certificate_that_leads_to_the_root_over_its_chain_is_not_due(
    tmp_path: pathlib.Path, issuer: made.Pair
) -> None:
    install(tmp_path, leaf(issuer), issuer)
    assert asked(tmp_path)["reasons"] == []


def test_pinned_intermediate_and_one_of_several_roots_are_enough(tmp_path: pathlib.Path) -> None:
    install(tmp_path, leaf(FIRST))
    assert asked(tmp_path, authority_content=FIRST.pem)["reasons"] == []
    install(tmp_path, leaf(FIRST), FIRST)
    assert asked(tmp_path, authority_content=OTHER_ROOT.pem + ROOT.pem)["reasons"] == []


@pytest.mark.parametrize(
    ("pair", "chain"),
    [
        pytest.param(leaf(FOREIGN), (FOREIGN,), id="other-root"),
        pytest.param(leaf(FIRST), (), id="chain-missing"),
        pytest.param(leaf(FIRST), (SECOND,), id="wrong-chain"),
        pytest.param(leaf(made.authority(number=36)), (), id="a-ca-of-ours-before-the-move"),
    ],
)
def test_certificate_that_leads_to_no_anchor_is_due(tmp_path: pathlib.Path, pair: made.Pair, chain: t.Any) -> None:
    install(tmp_path, pair, *chain)
    found = asked(tmp_path)
    assert found["reasons"] == ["authority-changed"]
    assert " -> Docker CA (authority-changed)" in found["plan"][0]


def test_without_an_external_issuer_a_chain_does_not_count(tmp_path: pathlib.Path) -> None:
    install(tmp_path, leaf(FIRST), FIRST)
    assert asked(tmp_path, external_issuer=False)["reasons"] == ["authority-changed"]


@pytest.mark.parametrize(
    ("spelled", "due"),
    [
        pytest.param(["ops-alice"], [], id="host-name"),
        pytest.param(["dirname:CN=ops-Alice"], [], id="directory-name"),
        pytest.param(["ops-alice", "other"], ["names-changed"], id="another-name-too"),
    ],
)
def test_client_may_have_its_common_name_as_the_issuer_spells_it(
    tmp_path: pathlib.Path, spelled: list[str], due: list[str]
) -> None:
    install(tmp_path, leaf(FIRST, "client", common_name="ops-Alice", subject_names=spelled), FIRST)
    assert asked(tmp_path, "client")["reasons"] == due


def test_client_with_another_common_name_is_due(tmp_path: pathlib.Path) -> None:
    install(tmp_path, leaf(FIRST, "client", common_name="ops-bob", subject_names=["ops-bob"]), FIRST)
    assert asked(tmp_path, "client")["reasons"] == ["common-name-changed", "names-changed"]


def test_certificate_that_ends_with_its_root_is_renewed_by_its_remaining_life(tmp_path: pathlib.Path) -> None:
    root = made.authority(unit="company-root", number=31, end=NOW + 10 * DAY)
    install(tmp_path, leaf(root, begin=NOW - 90 * DAY, end=NOW + 10 * DAY))
    assert asked(tmp_path, authority_content=root.pem)["reasons"] == ["expires-soon"]


@pytest.mark.parametrize(
    ("fqdn", "expected"),
    [
        pytest.param("web1.example.test", ["web1", "web1.example.test"], id="extends-the-inventory-name"),
        pytest.param("template-vm", ["web1"], id="another-name"),
        pytest.param("web10.example.test", ["web1"], id="begins-like-it"),
    ],
)
def test_request_has_the_full_name_only_where_it_extends_a_name_of_the_inventory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, fqdn: str, expected: list[str]
) -> None:
    """Another issuer may take all names from the request, and the CA that leaves one out is not asked."""
    monkeypatch.setattr(request_names.socket, "getfqdn", lambda: fqdn)
    asking = {"fqdn": True, "names": [], "optional_names": ["web1"]}
    assert asked(tmp_path, **asking)["names"] == expected
    assert set(asked(tmp_path, external_issuer=False, **asking)["names"]) == {"web1", fqdn}
