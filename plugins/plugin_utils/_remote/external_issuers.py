# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other issuers asked from this process, and their answers beside those of the CA; their certificates are recorded on the CA host.

Credentials never leave the controller but for the issuer.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from ...module_utils._outcome import cryptography_problem
from . import controller, local
from .module_runner import PassphraseAction, Result
from .time_limit import TimeLimitExceeded

RECORD = "portcullis.docker_tls.recorded_certificates"
#: For actions that record issued certificates (``ModuleAction.MORE``).
MAINS: t.Mapping[str, t.Callable[..., None]] = {RECORD: local.main_of("recorded_certificates")}


def issue(arguments: t.Mapping[str, t.Any], *, check_mode: bool, diff: bool) -> Result:
    """Return the result of M(issued_certificates)."""
    problem = cryptography_problem()
    if problem is not None:
        hint = "Install cryptography for the Python that runs Ansible."
        return {"failed": True, "msg": f"on the controller, {problem[0]}", "hint": hint, "code": problem[1]}
    done = local.execute(local.main_of("issued_certificates"), arguments, check_mode=check_mode, diff=diff)
    if done is None:
        return {
            "failed": True,
            "msg": "the options of an issuer hold a value that is not plain data",
            "hint": "Give texts, numbers, lists and dictionaries.",
            "code": "option-invalid",
        }
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
            recorded = self.execute(RECORD, {"operator": controller.user(), **arguments}, task_vars)
        except (AnsibleError, TimeLimitExceeded) as error:
            # Certificates that were issued are not lost because the CA host went away.
            recorded = {"failed": True, "msg": f"the CA host does not answer: {error}"}
        return with_record(issued, recorded)
