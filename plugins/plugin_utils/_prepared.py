# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests for certificates that the look at a host has brought already, so that the host is not asked twice.

``host_state`` with ``prepare`` lets a host where a certificate is due make its key and its request in the same call.
``certificate_requests`` takes them over if they are the answer to exactly what it would have asked.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._argument_specs_host import REQUEST_OPTIONS
from ..module_utils._module import plan_diff

Result = dict[str, t.Any]

_SPECIFICATION = {"requests": {"type": "list", "elements": "dict", "required": True, "options": REQUEST_OPTIONS}}


def question(requests: t.Any) -> str:
    """Return what stands for ``requests`` (the option of M(certificate_requests), defaults filled in or not); "" where they are refused."""
    given = {} if requests is None else {"requests": requests}
    checked = ArgumentSpecValidator(_SPECIFICATION).validate(given)
    if checked.error_messages:
        return ""
    asked = json.dumps(checked.validated_parameters["requests"], sort_keys=True)
    return hashlib.sha256(asked.encode("utf-8")).hexdigest()


def keep(answer: t.Any, requests: t.Any) -> Result:
    """Return what is registered of a host's ``prepared`` answer, {} where it is none. It is data of a host: only its shape is looked at."""
    names = ("requests", "plan", "warnings")
    if not isinstance(answer, dict) or not all(isinstance(answer.get(name), list) for name in names):
        return {}
    if not all(isinstance(entry, dict) for entry in answer["requests"]):
        return {}
    words = {name: [str(line) for line in answer[name]] for name in ("plan", "warnings")}
    return {"question": question(requests), "requests": answer["requests"], **words}


def take(kept: t.Any, requests: t.Any) -> Result | None:
    """Return the result of M(certificate_requests) if ``kept`` answers ``requests``, else None."""
    asked = question(requests)
    if not isinstance(kept, t.Mapping) or not asked or kept.get("question") != asked:
        return None
    plan = list(kept["plan"])
    warnings = {"warnings": list(kept["warnings"])} if kept["warnings"] else {}
    return {"changed": bool(plan), "plan": plan, "requests": kept["requests"], "diff": plan_diff(plan), **warnings}
