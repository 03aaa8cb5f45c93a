# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host reports of itself is signed only where it can belong to no other machine; else it is left out with a warning."""

from __future__ import annotations

import pathlib
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import policy, sign_batch
from support.ca.ca_directory import csr, ensure, request, rules, sign
from support.ca.certificates import NOW

OWN = {"web1": "web1", "web2": "web2", "192.0.2.11": "web1", "192.0.2.12": "web2"}


def asks(name: str, *reported: str, number: int = 1, **changes: t.Any) -> policy.SigningRequest:
    """Return what the controller makes of the request of ``name``, an inventory name."""
    values: dict[str, t.Any] = {
        "request_content": csr(number),
        "common_name": "",
        "names": (name, "localhost"),
        "reported_names": reported,
        "extends": (name,),
    }
    return request(name, **{**values, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A CA that has signed nothing."""
    path = tmp_path_factory.mktemp("made") / "ca"
    ensure(path)
    return path


def outcome(ca: pathlib.Path, *requests: policy.SigningRequest, **changes: t.Any) -> sign_batch.BatchResult:
    wanted = {
        name: changes.pop(name) for name in ("reserved", "contested", "same_machine", "shared") if name in changes
    }
    made_rules = rules(**{"reserved": OWN, "predicting": changes.pop("predicting", False), **wanted})
    return sign(ca, *requests, **{"partial": True, "rules": made_rules, **changes})


def signed_names(result: sign_batch.BatchResult, host: str) -> set[str]:
    return set(result.signed[host].approved.subject.names) - {"localhost"}


#: What web1 reports, and whether its certificate has it.
REPORTED: dict[str, tuple[str, bool]] = {
    "extension": ("web1.example.test", True),
    "extension-by-a-label": ("web1.lan", True),
    "extension-in-capitals": ("WEB1.Example.Test.", True),
    "another-name": ("vault.corp.example.org", False),
    "another-short-name": ("vault", False),
    "other-host": ("web2", False),
    "extension-of-other-host": ("web2.example.test", False),
    "extension-of-an-extension-of-other-host": ("web1.db.example.test", False),
    "no-label-boundary": ("web10.example.test", False),
    "prefix": ("my-web1.example.test", False),
    "below": ("a.web1.example.test", False),
    "wildcard": ("*.example.test", False),
    "wildcard-of-an-extension": ("*.web1.example.test", False),
    "address": ("10.0.0.5", False),
    "address-of-other-host": ("192.0.2.12", False),
    "client": ("dirname:CN=alice", False),
    "loopback": ("127.0.0.1", False),
    "loopback-name": ("localhost.localdomain", False),
    "no-name": ("my web1", False),
    "control-characters": ("web1\x1b[2J.example.test", False),
}


@pytest.mark.parametrize(("name", "accepted"), REPORTED.values(), ids=REPORTED)
@pytest.mark.parametrize("predicting", [False, True], ids=["run", "check"])
def test_reported_name_is_signed_only_if_it_extends_an_own_name(
    made: pathlib.Path, name: str, accepted: bool, predicting: bool
) -> None:
    result = outcome(made, asks("web1", name), reserved={**OWN, "web1.db": "db"}, predicting=predicting)
    assert not result.refused
    spelled = name.lower().rstrip(".")
    assert (spelled in signed_names(result, "web1")) is accepted
    assert result.signed["web1"].approved.subject.common_name == (spelled if accepted else "web1")
    assert len(result.warnings) == (0 if accepted else 1)
    for warning in result.warnings:
        assert warning.startswith("web1: ") and "docker_server_cert_names" in warning and warning.isprintable()


@pytest.mark.parametrize(
    ("ranges", "address", "accepted"),
    [
        ((), "10.0.0.5", False),
        (("private",), "10.0.0.5", True),
        (("private",), "100.64.0.5", True),
        (("private",), "fd00::5", True),
        (("private",), "198.51.100.7", False),
        (("all",), "198.51.100.7", True),
        (("10.0.0.0/8",), "10.0.0.5", True),
        (("10.0.0.0/8",), "192.168.1.5", False),
        (("10.0.0.0/8",), "fd00::5", False),
        (("10.0.0.9",), "10.0.0.5", False),
        (("nonsense", "private"), "10.0.0.5", True),
    ],
)
def test_reported_address_is_signed_only_in_a_chosen_range(
    made: pathlib.Path, ranges: tuple[str, ...], address: str, accepted: bool
) -> None:
    result = outcome(made, asks("web1", address, address_ranges=ranges), predicting=True)
    assert (address in signed_names(result, "web1")) is accepted
    assert bool(result.warnings) is not accepted


@pytest.mark.parametrize("predicting", [False, True], ids=["run", "check"])
def test_address_that_two_hosts_report_is_left_out_for_both_and_the_rest_is_signed(
    made: pathlib.Path, predicting: bool
) -> None:
    """Case 11: VMs of one template, a NAT address, a bridge of libvirt."""
    both = [
        asks(name, "10.0.2.15", f"10.0.0.{number}", number=number, address_ranges=("private",))
        for number, name in enumerate(("web1", "web2"), 1)
    ]
    result = outcome(made, *both, predicting=predicting)
    assert not result.refused
    assert signed_names(result, "web1") == {"web1", "10.0.0.1"}
    assert signed_names(result, "web2") == {"web2", "10.0.0.2"}
    assert [warning.split(":")[0] for warning in result.warnings] == ["web1", "web2"]
    assert all("10.0.2.15" in warning for warning in result.warnings)


def test_address_that_a_host_outside_of_the_batch_reports_too_is_left_out(made: pathlib.Path) -> None:
    """With docker_daemon_serial a batch is one host, and the other one is asked for its certificate later or has it."""
    wish = asks("web1", "10.0.2.15", address_ranges=("private",))
    result = outcome(made, wish, contested={"10.0.2.15": ["web1", "web2"]}, predicting=True)
    assert signed_names(result, "web1") == {"web1"}


def test_host_that_reports_a_name_of_another_does_not_keep_it_from_its_certificate(made: pathlib.Path) -> None:
    evil = asks("evil", "web1.example.test", "web1", "192.0.2.11", number=2, address_ranges=("all",))
    result = outcome(made, evil, asks("web1", "web1.example.test", names=("web1", "192.0.2.11")), predicting=True)
    assert not result.refused
    assert signed_names(result, "web1") == {"web1", "192.0.2.11", "web1.example.test"}
    assert signed_names(result, "evil") == {"evil"}


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> pathlib.Path:
    """A CA that has given web1 its full name and an address that only web1 reported."""
    path = tmp_path / "ca"
    ensure(path)
    outcome(path, asks("web1", "web1.example.test", "10.0.2.15", address_ranges=("private",)))
    return path


def test_reported_name_in_a_valid_certificate_of_another_is_left_out_and_the_holder_keeps_it(ca: pathlib.Path) -> None:
    later = {"now": NOW + timedelta(days=1)}
    second = asks("web2", "10.0.2.15", number=2, address_ranges=("private",))
    assert signed_names(outcome(ca, second, **later), "web2") == {"web2"}
    first = asks("web1", "web1.example.test", "10.0.2.15", address_ranges=("private",))
    result = outcome(ca, first, second, contested={"10.0.2.15": ["web1", "web2"]}, **later)
    assert "10.0.2.15" in signed_names(result, "web1")
    assert "10.0.2.15" not in signed_names(result, "web2")


def test_reported_name_is_free_again_after_the_certificate_of_the_holder(ca: pathlib.Path) -> None:
    second = asks("web2", "10.0.2.15", number=2, address_ranges=("private",))
    assert "10.0.2.15" in signed_names(outcome(ca, second, now=NOW + timedelta(days=400)), "web2")


def test_name_that_a_host_reports_takes_none_from_the_host_that_declares_it(made: pathlib.Path) -> None:
    """Declared outside of the inventory's variables (with the module itself), so it is reserved for no requester."""
    declares = asks("web1", names=("web1", "10.0.0.9"))
    reports = asks("web2", "10.0.0.9", number=2, address_ranges=("private",))
    result = outcome(made, reports, declares, predicting=True)
    assert not result.refused
    assert "10.0.0.9" in signed_names(result, "web1")
    assert "10.0.0.9" not in signed_names(result, "web2")


def test_request_without_any_name_left_is_refused_alone(made: pathlib.Path) -> None:
    bare = asks("my host", "vault.corp.example.org", names=(), extends=())
    result = outcome(made, bare, asks("web1"), predicting=True)
    assert (list(result.signed), list(result.refused)) == (["web1"], ["my host"])
    error = result.refused["my host"]
    assert error.code == "name-invalid" and "docker_server_cert_names" in error.hint


LABEL = "a" * 60
LONG = f"web1.{LABEL}.example.test"
COMMON_NAMES: dict[str, tuple[dict[str, t.Any], str]] = {
    "full-name": ({"reported_names": ("web1.example.test",)}, "web1.example.test"),
    "full-name-too-long": ({"reported_names": (LONG,)}, "web1"),
    "inventory-name-too-long": ({"names": (LONG, "10.0.0.5"), "extends": (LONG,)}, "10.0.0.5"),
    "all-too-long": ({"names": (LONG,), "extends": (LONG,)}, "web1"),
    "declared": ({"common_name": "Docker on web1", "reported_names": ("web1.example.test",)}, "Docker on web1"),
    "wildcard-declared": ({"common_name": "*.a.example.test", "names": ("*.a.example.test",)}, "*.a.example.test"),
    "wildcard-is-not-the-default": ({"names": ("*.a.example.test", "web1")}, "web1"),
    "address-only": ({"names": ("192.0.2.11", "127.0.0.1"), "extends": ()}, "192.0.2.11"),
    "local-only": ({"names": ("localhost",), "extends": ()}, "localhost"),
}


@pytest.mark.parametrize(("changes", "expected"), COMMON_NAMES.values(), ids=COMMON_NAMES)
def test_common_name_is_the_first_name_that_fits(made: pathlib.Path, changes: dict[str, t.Any], expected: str) -> None:
    result = outcome(made, asks("web1", **changes), predicting=True)
    assert result.signed["web1"].approved.subject.common_name == expected
    for name in (*changes.get("names", ()), *changes.get("reported_names", ())):
        assert name in result.signed["web1"].approved.subject.names


@pytest.mark.parametrize("predicting", [False, True], ids=["run", "check"])
def test_one_machine_under_two_names_is_refused_for_both_and_the_rest_is_signed(
    made: pathlib.Path, predicting: bool
) -> None:
    """Case 14."""
    result = outcome(
        made, asks("web1"), asks("web2"), asks("web3"), same_machine=[["web1", "web2"]], predicting=predicting
    )
    assert list(result.signed) == ["web3"]
    for name, other in (("web1", "web2"), ("web2", "web1")):
        error = result.refused[name]
        assert error.code == "host-listed-twice"
        assert f"{name} and {other} are one and the same machine" in error.message
        assert error.hint
