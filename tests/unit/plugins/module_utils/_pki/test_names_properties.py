# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever text comes in: a canonical name that a certificate can carry, or a TlsError; never anything else."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, signing
from support.ca import certificates as made

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

NAME_LIKE = st.text(st.sampled_from("abzAZ019-_.*:%[]/@ üßς例\u200d\n\x00"), max_size=40)
FEW = hypothesis.settings(max_examples=200, deadline=None, database=None, derandomize=True)


@FEW
@hypothesis.given(st.one_of(NAME_LIKE, st.text(max_size=80)))
def test_normalize_name_any_text_is_canonical_or_refused(text: str) -> None:
    with contextlib.suppress(TlsError):
        name = names.normalize_name(text)
        assert name.isascii() or name.startswith(names.CLIENT_PREFIX)
        assert names.normalize_name(name) == name
        assert len(names.general_names([name])) == 1


@FEW
@hypothesis.given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_normalize_name_any_address_keeps_its_value(address: object) -> None:
    with contextlib.suppress(TlsError):
        name = names.normalize_name(str(address))
        assert name == address.compressed  # type: ignore[attr-defined]


@hypothesis.settings(FEW, max_examples=40)
@hypothesis.given(st.text(min_size=1, max_size=70))
def test_any_common_name_is_refused_or_survives_a_request(text: str) -> None:
    with contextlib.suppress(TlsError):
        names.check_common_name(text)
        subject = names.SubjectNames(text, (names.client_identity(text),))
        request = signing.load_request(signing.build_request(made.private_key(), subject))
        assert [str(attribute.value) for attribute in request.subject] == [text]
