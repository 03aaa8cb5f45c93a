# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which authorities strict clients refuse, by openssl."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import verify
from support.ca import certificates as made


@pytest.mark.parametrize(
    ("pair", "codes"),
    [
        (made.foreign_authority(), []),
        (made.foreign_authority(usage=False), ["authority-without-key-usage"]),
        (made.foreign_authority(critical=False), ["authority-constraints-not-critical"]),
        (made.foreign_authority(identifier=False), ["authority-without-identifier"]),
        (
            made.foreign_authority(usage=False, critical=False, identifier=False),
            ["authority-without-key-usage", "authority-constraints-not-critical", "authority-without-identifier"],
        ),
        (made.authority(), []),
    ],
    ids=["complete", "no-key-usage", "not-critical", "no-identifier", "none", "ours"],
)
def test_faults_are_what_a_strict_openssl_refuses(tmp_path: pathlib.Path, pair: made.Pair, codes: list[str]) -> None:
    assert [code for code, _words in verify.strict_faults(pair.certificate)] == codes
    anchor, leaf = pair.write(tmp_path, "ca"), made.leaf(pair).write(tmp_path, "leaf")
    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(anchor), str(leaf)]
    assert (subprocess.run(command, capture_output=True, check=False).returncode == 0) == (not codes)
