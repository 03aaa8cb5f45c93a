# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client that a user gives for verifications: what is refused before anything is touched, and what when it is used."""

from __future__ import annotations

import pathlib
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._client_files import session
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import verification
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables import binding
from support.ansible.role_variables import variables
from support.ca import certificates as made

ROOT = made.authority("client", unit="company-clients", number=81)
ISSUING = made.intermediate(ROOT, "Company issuing CA", 82)
FOREIGN = made.authority("client", unit="other", number=83)
MONITOR = made.leaf(ISSUING, "client", common_name="monitor")


def given(directory: pathlib.Path, pair: made.Pair = MONITOR, *, key: bytes = b"") -> dict[str, t.Any]:
    (directory / "cert.pem").write_text(pair.pem + ISSUING.pem)
    (directory / "key.pem").write_bytes(key or pair.key_pem)
    return {"certificate_path": str(directory / "cert.pem"), "key_path": str(directory / "key.pem")}


def test_pair_that_leads_to_an_anchor_of_the_group_is_taken_with_its_chain(tmp_path: pathlib.Path) -> None:
    certificate, key, used = session.read(given(tmp_path), "ops", FOREIGN.pem + ROOT.pem, made.NOW)
    assert certificate == MONITOR.pem + ISSUING.pem
    assert key.encode() == MONITOR.key_pem
    assert used == "CN=monitor of docker_daemon_verify_clients"


@pytest.mark.parametrize(
    ("pair", "key", "says"),
    [
        pytest.param(made.leaf(FOREIGN, "client"), b"", "leads to no CA that the hosts admit", id="foreign"),
        pytest.param(made.leaf(ISSUING), b"", "not a client certificate: its extended key usage is serverAuth", id="server"),
        pytest.param(MONITOR, ROOT.key_pem, "is not that of the certificate", id="other-key"),
        pytest.param(
            made.leaf(ISSUING, "client", end=made.NOW - timedelta(days=1)), b"", "is valid from", id="expired"
        ),
    ],
)  # fmt: skip
def test_pair_that_cannot_open_a_host_is_refused(
    tmp_path: pathlib.Path, pair: made.Pair, key: bytes, says: str
) -> None:
    with pytest.raises(TlsError) as caught:
        session.read(given(tmp_path, pair, key=key), "ops", ROOT.pem, made.NOW)
    assert caught.value.code == "verification-client-unusable"
    assert "access group ops" in caught.value.message and says in caught.value.message
    assert caught.value.hint
    assert "PRIVATE" not in caught.value.message


def test_file_that_is_gone_or_is_no_key_is_refused(tmp_path: pathlib.Path) -> None:
    one = given(tmp_path, key=b"no key")
    with pytest.raises(TlsError) as caught:
        session.read(one, "ops", ROOT.pem, made.NOW)
    assert str(tmp_path / "key.pem") in caught.value.message
    (tmp_path / "cert.pem").unlink()
    with pytest.raises(TlsError) as caught:
        session.read(one, "ops", ROOT.pem, made.NOW)
    assert f"{tmp_path / 'cert.pem'} is not a file on the controller" in caught.value.message


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("alice", "has to be a dictionary"),
        ({"dev": {"certificate_path": "/c", "key_path": "/k"}}, "dev is not an access group (clients, ops)"),
        ({"ops": "/c"}, "must have exactly certificate_path and key_path"),
        ({"ops": {"certificate_path": "/c"}}, "must have exactly certificate_path and key_path"),
        ({"ops": {"certificate_path": "/c", "key_path": "/k", "passphrase": "x"}}, "must have exactly"),
        ({"ops": {"certificate_path": "certs/a.pem", "key_path": "/k"}}, "is not an absolute path"),
        ({"ops": {"certificate_path": "/nowhere/c.pem", "key_path": "/k"}}, "is not a file on the controller"),
    ],
)
def test_variable_that_cannot_work_is_refused_before_the_run(value: t.Any, says: str) -> None:
    assert any(says in problem for problem in session.problems(value, ["clients", "ops"]))


def test_variable_that_can_work_is_no_problem(tmp_path: pathlib.Path) -> None:
    assert list(session.problems({"ops": given(tmp_path)}, ["clients", "ops"])) == []
    assert list(session.problems({}, [])) == list(session.problems(None, [])) == []


HOST: dict[str, t.Any] = {"docker_daemon_access_groups": ["ops"], "docker_daemon_verify": "always"}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [({}, {}, ["ops"]), ({"ops": {}}, {"ops": {}}, []), ({"ops": {}}, {}, ["ops"])],
    ids=["nobody", "both", "one"],
)
def test_client_is_made_where_a_host_has_none_given(first: t.Any, second: t.Any, expected: list[str]) -> None:
    name = session.VARIABLE
    known = variables(**HOST, ansible_play_batch=["web1", "web2"])
    fleet = {"web1": {**HOST, name: first}, "web2": {**HOST, name: second}}
    made_for = verification.clients(binding.Bound(known, lambda value: value), fleet)
    assert made_for is not None and made_for["groups"] == expected
