# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode as a gate in CI, which has no passphrase: it says that nothing is due, or fails."""

from __future__ import annotations

import pathlib

import pytest
from test_limited_runs import play, site

from support.ca.ca_directory import tree


@pytest.mark.parametrize("passphrase", ["", "{{ lookup('ansible.builtin.env', 'NO_SUCH_VARIABLE') }}"])
def test_gate_without_the_passphrase_passes_where_nothing_is_due(tmp_path: pathlib.Path, passphrase: str) -> None:
    site(tmp_path)
    before = tree(tmp_path / "ca")
    code, output = play(tmp_path, "site.yml", "--check", docker_ca_passphrase=passphrase)
    assert (code, "Docker TLS, a plan: 2 as it should be" in output) == (0, True), output
    assert tree(tmp_path / "ca") == before


def test_gate_without_the_passphrase_fails_where_something_is_due(tmp_path: pathlib.Path) -> None:
    site(tmp_path)
    for due in ({"docker_client_cert_force_renewal": True}, {"docker_ca_access_groups": ["clients", "ops"]}):
        code, output = play(tmp_path, "site.yml", "--check", docker_ca_passphrase="", **due)
        assert (code, "passphrase" in output.partition("PLAY RECAP")[2]) == (2, True), output


def test_certificate_that_the_run_refuses_is_refused_in_check_mode(tmp_path: pathlib.Path) -> None:
    """Clients make no signing request in check mode; the CA assesses the request that they would make."""
    site(tmp_path)
    due = {"docker_client_cert_validity": "9999d", "docker_client_cert_force_renewal": True}
    found = [play(tmp_path, "site.yml", *more, **due) for more in (("--check",), ())]
    assert [code for code, _output in found] == [2, 2]
    assert all("its validity of 9999d goes beyond the authority clients-g1" in output for _code, output in found)


def test_run_needs_the_passphrase_also_where_nothing_is_due(tmp_path: pathlib.Path) -> None:
    site(tmp_path)
    code, output = play(tmp_path, "site.yml", docker_ca_passphrase="")
    assert (code, "docker_ca_passphrase is missing or empty" in output) == (2, True), output
