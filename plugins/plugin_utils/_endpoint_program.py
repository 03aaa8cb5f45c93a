# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of the daemon (``_daemon.call``) as a program for a pipe. PRIVATE: may change without notice."""

from __future__ import annotations

import typing as t

from . import _answers, _pipe
from ._answers import Maybe

CHANGE = _pipe.Program(
    "_daemon/call",
    sources=(
        "_daemon/call",
        "_daemon/capsule",
        "_daemon/config",
        "_daemon/config_keys",
        "_daemon/confirm",
        "_daemon/dername",
        "_daemon/dropin",
        "_daemon/endpoint",
        "_daemon/engine",
        "_daemon/environment",
        "_daemon/findings",
        "_daemon/finish",
        "_daemon/flags",
        "_daemon/handshake",
        "_daemon/journal",
        "_daemon/jsontext",
        "_daemon/listen",
        "_daemon/listening",
        "_daemon/machine",
        "_daemon/options",
        "_daemon/plan",
        "_daemon/plan_back",
        "_daemon/plan_present",
        "_daemon/preflight",
        "_daemon/preflight_certificates",
        "_daemon/preflight_keys",
        "_daemon/probe",
        "_daemon/proof",
        "_daemon/report",
        "_daemon/restart",
        "_daemon/signals",
        "_daemon/socket_unit",
        "_daemon/state",
        "_daemon/swap",
        "_daemon/systemd",
        "_daemon/transaction",
        "_daemon/undo",
        "_daemon/unit",
        "_daemon/unit_source",
        "_daemon/unitfile",
        "_daemon/wording",
        "_daemon/words",
        "_errors",
        "_files",
        "_host/addresses",
        "_host/certstore",
        "_host/netlink",
        "_outcome",
        "_program",
        "_time",
        "_x509/attributes",
        "_x509/compat",
        "_x509/decide",
        "_x509/inspect",
        "_x509/keys",
        "_x509/names",
        "_x509/pem",
        "_x509/profiles",
        "_x509/verify",
        "_x509/wording",
    ),
)


_TEXT = Maybe(str)
_DIFF = {"before": _TEXT, "after": _TEXT, "before_header": _TEXT, "after_header": _TEXT, "prepared": _TEXT}
#: All that the module says. Ansible takes its own words out of a module's answer, but not out of a program's.
_SAID: t.Mapping[str, _answers.Shape] = {
    **_answers.COMMON,
    "changed": bool,
    "failed": bool,
    "msg": str,
    "hint": str,
    "code": str,
    "restarted": bool,
    "restart_needed": bool,
    "warnings": [str],
    "containers_stopped": int,
    "unconfirmed": bool,
    "endpoint": {},
    "proof": [{}],
    "diff": [_DIFF],
}


def answer(output: str, code: int) -> dict[str, t.Any]:
    """Return the module's result; a failure where the host's answer is none, because then nobody knows what it has done.

    ``code`` is the exit code that came with ``output``: 137 is a program that was killed, as by a host without memory.
    """
    found = _pipe.answer(output)
    why = _problem(found, code)
    if why:
        return {
            "failed": True,
            "changed": False,
            "code": "answer-unusable",
            "msg": f"The change of Docker's endpoint has begun on this host, but {why}.",
            "hint": "Run again: what was begun is finished or undone then, by the host's own guard process where the run was killed. "
            "If it happens again, please report it.",
        }
    return {"changed": False, **{name: part for name, part in (found or {}).items() if name in _SAID}}


def _problem(found: t.Mapping[str, t.Any] | None, code: int) -> str:
    """Return why an answer is none, "" where it is one."""
    if found is None:
        return f"its answer cannot be read (its Python ended with exit code {code})"
    if "crashed" in found:
        return str(found["crashed"])
    wrong = _answers.misshapen(found, _SAID)
    return f"{wrong} in its answer is not what the module returns" if wrong else ""
