# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocation lists of other issuers, for hosts that check lists: read from OpenBao, and checked before any host gets them.

Source: the API documentation of the PKI secrets engine (``GET /:mount/issuer/:issuer_ref/crl/pem`` and ``LIST /:mount/issuers`` need no token),
and OpenBao 2.7.2, measured: a list ends after 72 hours. Without ``auto_rebuild`` only a revocation or ``crl/rotate`` makes a new one; with it the engine
does so in time, and a revocation does not.
"""

from __future__ import annotations

import urllib.parse
from datetime import datetime

from .._errors import TlsError
from .._pki import pem, reader, revocation_list
from . import openbao
from .http import Answer, Caller

#: The value of ``revocation_lists`` that has the lists read from the PKI engine.
ENGINE = "engine"
_MOST_ISSUERS = 20
_HINT = "Check what the issuer publishes and what revocation_lists names, then run the play again. The hosts keep their lists until then."


def of_engine(settings: openbao.Settings, anchors: str) -> str:
    """Return the newest list of each of ``anchors`` (PEM) that the engine has, as PEM.

    Raises TlsError ``crl-issuer-unpinned`` where the CA that signs now is not one of ``anchors``, ``issuer-sealed``, ``issuer-failed``, and those of
    ``Caller.call``.
    """
    caller = Caller(settings.endpoint, "the issuer openbao")
    known = reader.load_certificates(anchors, "the anchors")
    signing = reader.load_certificate(_get(caller, settings, "issuer/default/pem").body, "the issuing CA of the engine")
    if signing not in known:
        name = reader.name_text(signing.subject)
        raise TlsError(
            f"the issuer openbao signs with {name}, which is not in its ca_content, so the proxies could not get its revocation list",
            hint=f"Add the certificate of {name} to ca_content. A proxy that checks lists needs that of every CA up to the root.",
            code="crl-issuer-unpinned",
        )
    found = _get(caller, settings, "issuers?list=true").json().get("data")
    references = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(references, list) or not references:
        raise _failed(settings, "did not name its CAs")
    lists: list[revocation_list.RevocationList] = []
    # The CA that signs now comes first: an engine with many names them in an order of its own.
    for reference in ["default", *references[:_MOST_ISSUERS]]:
        place = f"issuer/{urllib.parse.quote(str(reference), safe='')}/crl/pem"
        answer = _asked(caller, settings, place)
        # A CA whose key is elsewhere has no list here (500, measured); for one that is an anchor, ``checked`` reports that.
        if answer.status == 200:
            lists += revocation_list.read_lists(answer.body, f"the answer of {caller.name}")
    own = ([one for one in lists if revocation_list.is_by(one, authority)] for authority in known)
    newest = (max(several, key=lambda each: each.number).content for several in own if several)
    return "".join(dict.fromkeys(f"{content.strip()}\n" for content in newest))


def _get(caller: Caller, settings: openbao.Settings, place: str) -> Answer:
    answer = _asked(caller, settings, place)
    if answer.status != 200:
        raise _failed(settings, f"answered {settings.mount}/{place} with {answer.status}")
    return answer


def _asked(caller: Caller, settings: openbao.Settings, place: str) -> Answer:
    url = f"{settings.endpoint.url}/v1/{urllib.parse.quote(settings.mount)}/{place}"
    headers = {"X-Vault-Namespace": settings.namespace} if settings.namespace else {}
    answer = caller.call("GET", url, headers)
    if answer.status == 503:
        raise openbao.refusal(answer, settings, "its revocation lists")
    return answer


def checked(lists: str, anchors: str, now: datetime, group: str) -> str:
    """Return ``lists`` of an access group, fit for a proxy: one for each of ``anchors`` and no others (both PEM).

    Raises TlsError with the codes of ``revocation_list.check_lists``; the hint is advice about the issuer.
    """
    what = f"the revocation lists of the issuer of {group}"
    if not pem.blocks(lists, *pem.REVOCATION_LIST):
        raise TlsError(f"{what} hold no list in PEM form", hint=_HINT, code="crl-missing")
    try:
        found = revocation_list.check_lists(lists, anchors, now, what)
    except TlsError as error:
        raise TlsError(error.message, hint=_hint(error), code=error.code) from error
    return "".join(f"{one.content.strip()}\n" for one in found)


def _hint(error: TlsError) -> str:
    if error.code == "crl-ended":
        return (
            "Have the issuer make a new list: with OpenBao, bao read MOUNT/crl/rotate, and bao write MOUNT/config/crl auto_rebuild=true so that "
            "none ends. The hosts keep their lists until then."
        )
    if error.code == "crl-missing":
        return (
            "A proxy needs the list of every CA in ca_content, up to the root, and of the CA of this collection while trust_local_ca is true. Remove CAs "
            "that do not sign any more from ca_content, or give the lists of all with revocation_lists. The hosts keep their lists until then."
        )
    return (
        _HINT
        if error.code in ("crl-foreign", "crl-unreadable")
        else f"{error.hint} The hosts keep their lists until then."
    )


def _failed(settings: openbao.Settings, problem: str) -> TlsError:
    return TlsError(
        f"the issuer openbao at {settings.endpoint.url} {problem}, when its revocation lists were read",
        hint="Check mount and namespace of the issuer and its log, then run the play again. The hosts keep their lists until then.",
        code="issuer-failed",
    )
