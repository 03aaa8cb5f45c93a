# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of an issuer, checked: the engine, its anchors, and answers that exist already."""

from __future__ import annotations

import typing as t

from .._argument_specs_signing import SIGNING_OPTIONS
from .._errors import TlsError
from . import openbao, own_files
from .answer import load_anchors
from .batch import Source

#: One entry of ``requests`` of M(issued_certificates): that of M(signed_certificates), but for what only a CA of ours can do.
REQUEST_OPTIONS: dict[str, t.Any] = {
    **{
        name: one
        for name, one in SIGNING_OPTIONS.items()
        if name not in ("expired", "revoked", "generation", "replaces")
    },
    "renew_before": {"type": "str", "default": "1/3"},
}
#: One entry of its ``issuers``.
ISSUER_OPTIONS: dict[str, t.Any] = {
    "authority": {"type": "str", "required": True},
    "issuer": {"type": "str", "required": True, "choices": ["openbao", "acme", "tasks", "files"]},
    "ca_content": {"type": "str", "required": True},
    "openbao": {"type": "dict", "options": openbao.OPTIONS},
    "files": {"type": "dict", "options": own_files.OPTIONS},
}


def sources(given: t.Sequence[t.Mapping[str, t.Any]], sleep: t.Callable[[float], None]) -> dict[str, Source]:
    """Return the issuers by authority. In: the option ``issuers`` of M(issued_certificates), with defaults.

    Raises TlsError ``issuer-settings-invalid``, ``issuer-url-invalid``, ``anchor-unsuitable``, ``certificate-unreadable``.
    """
    found: dict[str, Source] = {}
    for options in given:
        authority, kind = options["authority"], options["issuer"]
        what = f"the issuer {kind} of {authority}"
        if authority in found:
            raise _invalid(f"{authority} has two issuers", "Leave one entry for each authority.")
        for engine in ("openbao", "files"):
            if (kind == engine) != (options[engine] is not None):
                problem = "lacks" if kind == engine else "also has"
                raise _invalid(
                    f"{what} {problem} the settings {engine}", f"Give them with the issuer {engine}, and with no other."
                )
        anchors = tuple(load_anchors(options["ca_content"], f"ca_content of {what}"))
        settings = openbao.settings_from(options["openbao"], what, sleep) if kind == "openbao" else None
        files = own_files.settings_from(options["files"], what) if kind == "files" else None
        found[authority] = Source(authority, kind, anchors, settings, files)
    return found


def answers(given: t.Mapping[str, t.Any]) -> dict[str, str | TlsError]:
    """Return the answers that exist already, by request id. Raises TlsError ``answer-invalid`` for a wrong form."""
    return {str(name): _answer(str(name), one) for name, one in given.items()}


def _answer(name: str, one: t.Any) -> str | TlsError:
    if isinstance(one, t.Mapping):
        content = one.get("certificate_content")
        if isinstance(content, str) and content.strip():
            return content
        if one.get("msg"):
            hint = str(one.get("hint") or "Check the output of your issuer, then run the play again.")
            return TlsError(str(one["msg"]), hint=hint, code=str(one.get("code") or "issuer-refused"))
    raise TlsError(
        f"the answer for {name} is neither a certificate nor a reason why there is none",
        hint="Give each answer certificate_content (the leaf and its chain as PEM), or msg and hint.",
        code="answer-invalid",
    )


def without(options: t.Mapping[str, t.Any], *names: str) -> dict[str, t.Any]:
    """Return ``options`` but for ``names``."""
    return {name: value for name, value in options.items() if name not in names}


def _invalid(problem: str, hint: str) -> TlsError:
    return TlsError(problem, hint=hint, code="issuer-settings-invalid")
