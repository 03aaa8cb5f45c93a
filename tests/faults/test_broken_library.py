# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A python3-cryptography that is there and does not work, as the two programs that nearly every host gets find it."""

from __future__ import annotations

import typing as t

import pytest
from test_faults import assert_untouched

from ansible_collections.portcullis.docker_tls.plugins.module_utils._argument_specs import (
    ENDPOINT_OPTIONS,
    REQUEST_OPTIONS,
)
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote import program
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.programs import CHANGE, INSPECTION
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables import binding
from conftest import CERTIFICATES, SERVER, Host

ASIDE = "/root/aside.tar"
PACKAGES = "cd /usr/lib/python3/dist-packages"
TAKE_NATIVE = f"{PACKAGES} && tar -cf {ASIDE} cryptography _cffi_backend*.so"
BROKEN = {
    "no-native-part": "find cryptography/hazmat/bindings -name '_*.so' ! -name '_padding*' -delete",
    "empty-native-part": "for f in cryptography/hazmat/bindings/_[or]*.so; do : > $f; done",
    "no-cffi": "rm _cffi_backend*.so",
    "cffi-raises": "rm _cffi_backend*.so; echo 'raise RuntimeError(\"not this Python\")' > _cffi_backend.py",
    "panics": (
        "echo 'class PanicException(BaseException): __module__ = \"pyo3_runtime\"' >> cryptography/x509/__init__.py; "
        "echo 'raise PanicException(\"Python API call failed\")' >> cryptography/x509/__init__.py"
    ),
    "package-of-nothing": "rm -r cryptography; echo > cryptography.py",
}


def asked(host: Host, sent: program.Program, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what a program answers that came through a pipe, as the roles' actions send it."""
    found = program.answer(host.sh("python3 -I - 2>/root/stderr", sent.script(arguments)))
    assert found is not None
    return found


def options(specification: dict[str, t.Any], **given: t.Any) -> dict[str, t.Any]:
    found, wrong = binding.validated(specification, given)
    assert not wrong
    return dict(found)


@pytest.mark.parametrize("name", BROKEN)
def test_library_that_is_there_and_broken_is_named(host: Host, name: str) -> None:
    before, process = host.files(), host.keeper()
    host.sh(f"{TAKE_NATIVE} && {BROKEN[name]}")
    try:
        endpoint = options(ENDPOINT_OPTIONS)
        answer = asked(host, CHANGE, {"options": endpoint, "check_mode": False})
        request = options(
            REQUEST_OPTIONS,
            id="web1",
            profile="server",
            authority_content=SERVER.pem,
            key_path=f"{CERTIFICATES}/server-key.pem",
            certificate_path=f"{CERTIFICATES}/server-cert.pem",
        )
        look = asked(host, INSPECTION, {"requests": [request], "endpoint": endpoint, "prepare": True})
        trace = host.sh("cat /root/stderr")
    finally:
        host.sh(f"{PACKAGES} && rm -rf cryptography cryptography.py _cffi_backend* && tar -xf {ASIDE}")
    assert (answer["failed"], answer["code"]) == (True, "cryptography-broken"), answer
    assert "/usr/lib/python3/dist-packages/cryptography" in answer["msg"]
    assert "--reinstall" in answer["hint"]
    assert (look["current"], look["reasons"]) == (False, ["cryptography-broken"]), look
    assert "Traceback" not in trace
    assert_untouched(host, before, process)


def test_library_that_is_not_there_is_missing(host: Host) -> None:
    host.sh(f"{TAKE_NATIVE} && rm -r cryptography")
    try:
        answer = asked(host, CHANGE, {"options": options(ENDPOINT_OPTIONS), "check_mode": True})
    finally:
        host.sh(f"{PACKAGES} && tar -xf {ASIDE}")
    assert answer["code"] == "cryptography-missing"
