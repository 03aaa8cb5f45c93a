# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every error of the code that runs on a host is a refusal with its case in test_refusals, or it is said here why it is none."""

from __future__ import annotations

import pathlib

import pytest
from test_refusals import CASES, ELSEWHERE, SOURCES

from support.contracts import error_codes

#: Codes of errors that no change on a host is refused with before it begins, and why.
NOT_FORETOLD = {
    "addresses-unreadable": "the kernel does not answer a netlink request",
    "rollback-guard-incomplete": "the rollback guard that is run by hand, without its files",
    "change-failed": "the change itself",
    "change-unfinished": "an earlier change of another unit was killed",
    "confirmation-too-late": "the state confirmed is not a change",
    "crl-dropped": "needs an endpoint with lists",
    "crl-ended": "read with the clock of the host",
    "crl-foreign": "needs a list",
    "crl-not-yet-valid": "read with the clock of the host",
    "crl-number-missing": "needs a list of another tool",
    "crl-older": "needs an endpoint with lists",
    "crl-unsuitable": "needs a list of another tool",
    "crl-shrunk": "needs an endpoint with lists",
    "daemon-json-changed": "somebody writes the file in the middle of the change",
    "daemon-start-failed": "the change itself",
    "directory-unsafe": "client bundles",
    "directory-unusable": "client bundles",
    "file-unreadable": "client bundles",
    "file-unwritable": "the disk fails at that moment",
    "group-unknown": "client bundles",
    "home-missing": "client bundles",
    "host-locked": "another run works at that moment, and check mode does not wait for its end",
    "interrupted": "the change itself",
    "issued-certificate-wrong": "the check of what the CA has signed",
    "key-source-unusable": "the request for a certificate",
    "key-mismatch": "the check of what the CA has signed",
    "live-restore-failed": "the change itself",
    "name-invalid": "the request for a certificate",
    "nothing-to-roll-back": "the state rolled_back, which has a test of its own",
    "owner-not-permitted": "client bundles",
    "path-invalid": "client bundles",
    "verification-failed": "the verification after the change",
    "address-selector-invalid": "the request for a certificate",
    "renew-before-too-long": "the request for a certificate",
    "request-duplicate": "the request for a certificate",
    "proxy-config-invalid": "text that the CA does not write",
    "proxy-config-refused": "HAProxy itself refuses its configuration",
    "proxy-issuer-ambiguous": "authorities of other tools",
    "proxy-issuer-unlimited": "authorities of other tools",
    "proxy-issuer-unnamed": "authorities of other tools",
    "proxy-version-unsupported": "the check of the package comes first (proxy-package-too-old)",
    "rights-need-haproxy": "an old HAProxy with rights of one's own",
    "rollback-failed": "the change itself",
    "systemd-command-failed": "systemd does not answer",
    "systemd-unavailable": "the init system is checked before that (init-unsupported)",
    "unit-mismatch": "the change itself",
    "user-unknown": "client bundles",
}
PACKAGES = ("_docker", "_endpoint", "_proxy", "_host")
FILES_OF_ERRORS = sorted(path for package in PACKAGES for path in (SOURCES / package).glob("*.py"))


@pytest.mark.parametrize("file", FILES_OF_ERRORS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_error_of_a_host_has_its_case_or_is_none_of_the_preflight(file: pathlib.Path) -> None:
    assert error_codes.raised(file) <= {name.split()[0] for name in CASES} | ELSEWHERE | set(NOT_FORETOLD)


def test_what_is_not_foretold_can_be_raised() -> None:
    lists = SOURCES / "_pki/revocation_list.py"
    raised = set().union(*map(error_codes.raised, [*FILES_OF_ERRORS, lists]))
    assert set(NOT_FORETOLD) <= raised
