# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PEM blocks are found among other text, whole, and only those of the wanted kind."""

from __future__ import annotations

import re

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import pem

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
FEW = hypothesis.settings(max_examples=300, deadline=None, database=None, derandomize=True)

BLOCK = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
LEGACY_KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n"
    "-----END RSA PRIVATE KEY-----\n"
)


@pytest.mark.parametrize(
    ("text", "labels", "count"),
    [
        pytest.param("", pem.CERTIFICATE, 0, id="nothing"),
        pytest.param(BLOCK, pem.CERTIFICATE, 1, id="one"),
        pytest.param(f"subject=CN\n{BLOCK}text between\n{BLOCK}", pem.CERTIFICATE, 2, id="text-around"),
        pytest.param(BLOCK.replace("\n", "\r\n"), pem.CERTIFICATE, 1, id="crlf"),
        pytest.param(BLOCK.encode(), pem.CERTIFICATE, 1, id="bytes"),
        pytest.param(BLOCK[:-5], pem.CERTIFICATE, 0, id="cut-off"),
        pytest.param(BLOCK, pem.PRIVATE_KEY, 0, id="other-kind"),
        pytest.param(BLOCK.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), pem.CERTIFICATE, 0, id="trusted-certificate"),
        pytest.param(BLOCK + LEGACY_KEY, pem.PRIVATE_KEY, 1, id="legacy-headers"),
        pytest.param(BLOCK.replace("AAAA", "ÄÄÄÄ"), pem.CERTIFICATE, 1, id="not-ascii-stays-wrong"),
    ],
)
def test_blocks_text_gives_the_blocks_of_the_kind(text: str, labels: tuple[str, ...], count: int) -> None:
    found = pem.blocks(text, *labels)
    assert len(found) == count
    assert all(block.startswith(b"-----BEGIN ") and block.endswith(b"-----\n") for block in found)


@FEW
@hypothesis.given(
    st.lists(
        st.sampled_from(
            [
                "-----BEGIN A-----",
                "-----END A-----",
                "-----BEGIN B-----",
                "-----END B-----",
                "-",
                "-----",
                "\n",
                "END A",
                "MII=",
            ]
        ),
        max_size=12,
    )
)
def test_blocks_of_any_text_end_at_the_first_end_line_of_their_label(parts: list[str]) -> None:
    text = "".join(parts)
    plain = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)

    assert pem.blocks(text, "A", "B") == [f"{match.group(0)}\n".encode() for match in plain.finditer(text)]
