# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An authority that has expired, or ends before what it is to sign: the CA's part of the way away from it."""

from __future__ import annotations

import pathlib
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout, stages
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.ca.ca_directory import PASSPHRASE, call_context, client_request, ensure, request, sign, spec, tree
from support.ca.certificates import NOW

MONTH = timedelta(days=30)
AFTER = NOW + MONTH + timedelta(days=1)
REQUESTS = {"server": request(validity="10d"), "clients": client_request(validity="10d")}


@pytest.fixture(name="ca")
def ca_of_a_month(tmp_path: pathlib.Path) -> pathlib.Path:
    ensure(tmp_path / "ca", wanted=[spec("server", validity=MONTH), spec("clients", validity=MONTH)])
    return tmp_path / "ca"


def change(ca: pathlib.Path, name: str, state: str) -> tuple[str, ...]:
    place = layout.ca_directory(str(ca))
    return stages.change(place, spec(name), state, PASSPHRASE, call_context(AFTER), predict=False).reasons


@pytest.mark.parametrize("name", REQUESTS)
def test_expired_authority_signs_nothing_and_says_what_to_do(ca: pathlib.Path, name: str) -> None:
    before = tree(ca)
    for attempt in (
        lambda: ensure(ca, wanted=[spec("server", validity=MONTH), spec("clients", validity=MONTH)], now=AFTER),
        lambda: sign(ca, REQUESTS[name], now=AFTER),
    ):
        with pytest.raises(TlsError) as caught:
            attempt()
        assert caught.value.code in ("authority-expired", "validity-too-long")
        assert tree(ca) == before
    with pytest.raises(TlsError) as caught:
        ensure(ca, wanted=[spec(name, validity=MONTH)], now=AFTER)
    assert caught.value.code == "authority-expired"
    assert f"the authority {name}-g1 expired at" in caught.value.message
    assert (
        "portcullis.docker_tls.rotate_ca" in caught.value.hint
        and f"docker_rotate_ca_authority={name}" in caught.value.hint
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_expired_authority_is_replaced_and_the_next_one_signs(ca: pathlib.Path, name: str) -> None:
    assert change(ca, name, "accepted") == ("generation-accepted",)
    assert change(ca, name, "issuing") == ("generation-issuing",)
    signed = sign(ca, REQUESTS[name], now=AFTER).signed[REQUESTS[name].id]
    assert signed.view is not None and f"OU={name}-g2" in signed.view.issuer
    assert change(ca, name, "retired") == ("generation-retired",)
    assert not (ca / f"authorities/{name}-g1").exists()


def test_authority_that_ends_soon_signs_until_its_end_while_the_next_one_waits(ca: pathlib.Path) -> None:
    """Else a host whose renewal is due would keep the rotation from going on that it needs."""
    with pytest.raises(TlsError) as caught:
        sign(ca, request(validity="365d"))
    assert caught.value.code == "validity-too-long"
    place = layout.ca_directory(str(ca))
    stages.change(place, spec("server"), "accepted", PASSPHRASE, call_context(), predict=False)
    signed = sign(ca, request(validity="365d")).signed["web1"]
    assert signed.view is not None
    assert "OU=server-g1" in signed.view.issuer
    assert signed.view.not_after == NOW + MONTH
