# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocation lists of other issuers beside the authorities that a run has read: read from this process, for groups that proxies admit.

A list that cannot be read does not fail the run at once: the authority then has ``crl_problem``. A host that needs the list keeps the one that it has
(``options.endpoint``), and fails after its other work.
"""

from __future__ import annotations

import time
import typing as t

from ...module_utils import _time
from ...module_utils._errors import TlsError
from ...module_utils._outcome import cryptography_problem
from .._variables.binding import validated
from . import failures

Mapping = t.Mapping[str, t.Any]
Result = dict[str, t.Any]

FACT = "docker_ca_authorities"


def read(issuers: t.Iterable[Mapping], admitted: t.Callable[[], t.Container[str]]) -> dict[str, Result]:
    """Return by access group ``crl_content``, or the failure (``msg``, ``hint``, ``code``) that prevented it.

    In: the issuers with their settings; ``admitted`` returns the groups whose lists hosts check, and is asked only where an issuer has any.
    """
    having = [one for one in issuers if one.get("revocation_lists")]
    groups = admitted() if having else ()
    found: dict[str, Result] = {}
    for one in (each for each in having if each["authority"] in groups):
        try:
            found[one["authority"]] = {"crl_content": _lists(one)}
        except TlsError as error:
            found[one["authority"]] = _problem(error)
    return found


def _lists(one: Mapping) -> str:
    # Here and not above: HTTP and TLS are as much to load as all that a run without such issuers needs.
    from ...module_utils._issuers import issuer_lists, openbao

    if one["revocation_lists"] != issuer_lists.ENGINE:
        return str(one["revocation_lists"])
    problem = cryptography_problem()
    if problem is not None:
        hint = "Install cryptography for the Python that runs Ansible."
        raise TlsError(f"on the controller, {problem[0]}", hint=hint, code=problem[1])
    what = f"the issuer openbao of {one['authority']}"
    options, wrong = validated(openbao.OPTIONS, one.get("openbao") or {})
    if wrong:
        hint = "Correct the settings of the issuer; docs/issuers.md has an example."
        raise TlsError(
            f"{what} has settings that cannot be used: {'; '.join(wrong)}", hint=hint, code="issuer-settings-invalid"
        )
    return issuer_lists.of_engine(openbao.settings_from(options, what, time.sleep), str(one["ca_content"]))


def with_lists(issuers: t.Iterable[Mapping], lists: t.Mapping[str, Result]) -> list[Result]:
    """Return the option ``issuers`` of M(authorities) and M(authority_info) with ``lists``, the result of ``read``."""
    return [
        {**one, **{name: value for name, value in lists.get(one["authority"], {}).items() if name == "crl_content"}}
        for one in issuers
    ]


def completed(outcome: Result, lists: t.Mapping[str, Result]) -> Result:
    """Return the result of one of these modules: the lists of each group checked, or ``crl_problem`` in their place."""
    known = outcome.get("authorities")
    if outcome.get("failed") or not isinstance(known, dict):
        return outcome
    described = {name: _described(one, lists[name]) if name in lists else one for name, one in known.items()}
    facts = outcome.get("ansible_facts") or {}
    return {
        **outcome,
        "authorities": described,
        **({"ansible_facts": {**facts, FACT: described}} if FACT in facts else {}),
    }


def _described(one: Result, found: Result) -> Result:
    if not one["trusted_content"]:  # in check mode, of a CA host that cannot foretell its authorities
        return one
    if "crl_content" not in found:
        return {**one, "crl_content": "", "crl_problem": found}
    from ...module_utils._issuers import issuer_lists

    try:
        # Without the lists of all its authorities there is none: those of the CA may be missing while it is trusted too.
        content = issuer_lists.checked(
            one["crl_content"] or found["crl_content"], one["trusted_content"], _time.utc_now(), one["name"]
        )
    except TlsError as error:
        return {**one, "crl_content": "", "crl_problem": _problem(error)}
    return {**one, "crl_content": content}


def _problem(error: TlsError) -> Result:
    return {name: str(value) for name, value in failures.of_error(error).items() if name in ("msg", "hint", "code")}
