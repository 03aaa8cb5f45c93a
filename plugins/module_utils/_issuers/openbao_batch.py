# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch of orders placed with OpenBao or Vault: one login, some requests at a time, and none after the server has refused all of them.

A request that may have been signed (no answer in time) is not sent again in this run: signing twice may cost.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from .._errors import TlsError
from . import openbao
from .http import Caller
from .orders import Order

#: A code that is one request's own; every other one holds for all that would follow.
_OF_ONE_REQUEST = ("issuer-refused",)


def place(
    orders: t.Sequence[Order], settings: openbao.Settings, fault: t.Callable[[Order, str], TlsError | None]
) -> dict[str, str | TlsError]:
    """Return, by id, the certificates that were issued (PEM) or why there are none.

    In: ``fault`` returns the fault of the first certificate that every further one would have too; then the batch stops.
    Certificates that were issued before the server failed are kept; orders that were not placed have the error that stopped the batch.
    """
    if not orders:
        return {}
    caller = Caller(settings.endpoint, "the issuer openbao")
    try:
        token, is_ours = _token(caller, settings)
    except TlsError as error:
        return {order.id: error for order in orders}
    try:
        # With the token of the login among the secrets that no message may have.
        return _signed(caller, orders, replace(settings, token=token), token, fault)
    finally:
        if is_ours:
            _revoke(caller, settings, token)


def _token(caller: Caller, settings: openbao.Settings) -> tuple[str, bool]:
    call = openbao.login_call(settings)
    if call is None:
        return settings.token, False
    return openbao.token_of(caller.call(call.method, call.url, call.headers, call.body), settings), True


def _revoke(caller: Caller, settings: openbao.Settings, token: str) -> None:
    """End the token of this run. Where that fails it ends by itself; the certificates are what counts."""
    call = openbao.revoke_call(settings, token)
    with contextlib.suppress(TlsError):
        caller.call(call.method, call.url, call.headers, call.body)


def _signed(
    caller: Caller,
    orders: t.Sequence[Order],
    settings: openbao.Settings,
    token: str,
    fault: t.Callable[[Order, str], TlsError | None],
) -> dict[str, str | TlsError]:
    stopped: list[TlsError] = []
    lock = threading.Lock()

    def sign(order: Order) -> str | TlsError:
        with lock:
            if stopped:
                return stopped[0]
        call = openbao.sign_call(settings, order, token)
        try:
            return openbao.certificates_of(caller.call(call.method, call.url, call.headers, call.body), settings)
        except TlsError as error:
            if error.code not in _OF_ONE_REQUEST:
                with lock:
                    stopped.append(error)
            return error

    first, rest = orders[0], orders[1:]
    # The first alone: a server that refuses everything, or whose certificates cannot be used, is asked once.
    answer = sign(first)
    done = {first.id: answer}
    wrong = fault(first, answer) if isinstance(answer, str) and rest else None
    if wrong is not None:
        stopped.append(wrong)
    with ThreadPoolExecutor(max_workers=settings.concurrency) as pool:
        done.update(zip((order.id for order in rest), pool.map(sign, rest)))
    return done
