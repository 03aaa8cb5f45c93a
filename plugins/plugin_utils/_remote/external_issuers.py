# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other issuers, asked from the controller: for certificates and for revocation lists.

Credentials never leave the controller but for the issuer.

A list that cannot be read does not fail the run at once: the authority then has ``crl_problem``. A host that needs the list keeps the one that it has
(``options.endpoint``), and fails after its other work.
"""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleError

from ...module_utils import _time
from ...module_utils._errors import TlsError
from .._variables.binding import validated
from . import failures, local
from .failures import TimeLimitExceeded
from .module_runner import PassphraseAction, Result

RECORD = "portcullis.docker_tls.recorded_certificates"
#: For actions that record issued certificates (``ModuleAction.MORE``).
MAINS: t.Mapping[str, t.Callable[..., None]] = {RECORD: local.main_of("recorded_certificates")}


def issue(arguments: t.Mapping[str, t.Any], *, check_mode: bool, diff: bool) -> Result:
    """Return the result of M(issued_certificates)."""
    try:
        failures.require_cryptography()
    except TlsError as error:
        return failures.of_error(error)
    done = local.execute(local.main_of("issued_certificates"), arguments, check_mode=check_mode, diff=diff)
    if done is None:
        hint = "Give texts, numbers, lists and dictionaries."
        return failures.failure("the options of an issuer hold a value that is not plain data", hint, "option-invalid")
    return done


def with_issued(signed: t.Mapping[str, t.Any], issued: t.Mapping[str, t.Any], ids: t.Iterable[str]) -> Result:
    """Return the result of M(signed_certificates) with what other issuers have issued for the requests ``ids``.

    Where their call has failed as a whole, each of these requests is rejected: hosts of the CA get their certificates.
    """
    if issued.get("failed"):
        reason = {name: str(issued.get(name) or "") for name in ("msg", "hint", "code")}
        issued = {
            "rejected": {
                name: {**reason, "msg": f"no certificate is issued for {name}: {reason['msg']}"} for name in ids
            }
        }
    merged = {name: {**(signed.get(name) or {}), **(issued.get(name) or {})} for name in ("certificates", "rejected")}
    warnings = [*(signed.get("warnings") or ()), *(issued.get("warnings") or ())]
    prepared = "".join((one.get("diff") or {}).get("prepared", "") for one in (signed, issued))
    return {
        **signed,
        **({"ledger": issued["ledger"]} if issued.get("ledger") else {}),
        **merged,
        "pending": list(issued.get("pending") or ()),
        "changed": bool(signed.get("changed") or issued.get("changed")),
        **({"warnings": warnings} if warnings else {}),
        **({"diff": {"prepared": prepared}} if prepared else {}),
    }


def record(
    arguments: t.Mapping[str, t.Any], issued: t.Mapping[str, t.Any], place: t.Mapping[str, t.Any]
) -> t.Optional[Result]:
    """Return the options of M(recorded_certificates) for the issued certificates, None without any.

    In: the options and the result of M(issued_certificates); ``place``, the options for the place of the ledger.
    """
    made = issued.get("certificates") or {}
    certificates = [
        {
            "content": made[request["id"]]["certificate_content"],
            "issuer": str(made[request["id"]]["issuer"]),
            "request": str(request["id"]),
            **{name: request[name] for name in ("authority", "profile", "requester", "reasons") if name in request},
        }
        for request in arguments["requests"]
        if (made.get(request["id"]) or {}).get("certificate_content")
    ]
    return {**place, "reason": "external", "certificates": certificates} if certificates else None


def with_record(issued: Result, recorded: t.Mapping[str, t.Any]) -> Result:
    """Return the result of M(issued_certificates) after its certificates were recorded; a failure of that is a warning.

    The certificates are there, asking again may cost, and the issuer has a log of its own.
    """
    warnings = [*(issued.get("warnings") or ()), *(recorded.get("warnings") or ())]
    if recorded.get("failed"):
        failure = ". ".join(str(recorded[name]).rstrip(".") for name in ("msg", "hint") if recorded.get(name))
        warnings.append(
            f"ledger-unrecorded: the certificates of other issuers in this run could not be recorded in the ledger: {failure}. "
            "The certificates are used anyway; the log of the issuer has them."
        )
    ledger = {"ledger": recorded["ledger"]} if recorded.get("ledger") else {}
    return {**issued, **ledger, **({"warnings": warnings} if warnings else {})}


def answered(issued: t.Mapping[str, t.Any]) -> Result:
    """Return the result of a call that had all answers: a request that still awaits one is rejected."""
    missing = {
        str(one["id"]): {
            "msg": f"no certificate is issued for {one['id']}: its issuer has given no answer",
            "hint": "Have the tasks of the issuer set docker_issuer_answers for each id of docker_issuer_requests (docs/issuers.md).",
            "code": "answer-missing",
        }
        for one in issued.get("pending") or ()
    }
    return {**issued, "pending": [], "rejected": {**(issued.get("rejected") or {}), **missing}}


class IssuingAction(PassphraseAction):
    """An action that has certificates signed by the CA, by other issuers, or by both."""

    MORE = MAINS

    def secret(self, arguments: Result) -> str:
        """Return the secrets in the arguments: recorded values are not secret."""
        return super().secret(arguments) if "passphrase" in arguments else ""

    def issue(self, external: Result, place: t.Mapping[str, t.Any], task_vars: Result, *, diff: bool = False) -> Result:
        """Return the result of M(issued_certificates), recorded in the ledger at ``place``; in check mode nothing is asked for."""
        check = bool(self._task.check_mode)
        issued = issue(external, check_mode=check, diff=diff)
        arguments = None if check else record(external, issued, place)
        if arguments is None:
            return issued
        try:
            recorded = self.execute(RECORD, {"operator": local.user(), **arguments}, task_vars)
        except (AnsibleError, TimeLimitExceeded) as error:
            # Certificates that were issued are not lost because the CA host went away.
            recorded = {"failed": True, "msg": f"the CA host does not answer: {error}"}
        return with_record(issued, recorded)


Mapping = t.Mapping[str, t.Any]

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
    from ...module_utils._issuers import openbao

    if one["revocation_lists"] != openbao.ENGINE:
        return str(one["revocation_lists"])
    failures.require_cryptography()
    what = f"the issuer openbao of {one['authority']}"
    options, wrong = validated(openbao.OPTIONS, one.get("openbao") or {})
    if wrong:
        hint = "Correct the settings of the issuer; docs/issuers.md has an example."
        raise TlsError(
            f"{what} has settings that cannot be used: {'; '.join(wrong)}", hint=hint, code="issuer-settings-invalid"
        )
    return openbao.of_engine(openbao.settings_from(options, what, time.sleep), str(one["ca_content"]))


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
    from ...module_utils._issuers import openbao

    try:
        # Without the lists of all its authorities there is none: those of the CA may be missing while it is trusted too.
        content = openbao.checked(
            one["crl_content"] or found["crl_content"], one["trusted_content"], _time.utc_now(), one["name"]
        )
    except TlsError as error:
        return {**one, "crl_content": "", "crl_problem": _problem(error)}
    return {**one, "crl_content": content}


def _problem(error: TlsError) -> Result:
    return {name: str(value) for name, value in failures.of_error(error).items() if name in ("msg", "hint", "code")}
