# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import types
import typing as t
from datetime import timedelta

from ..module_utils._argument_specs import CA_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._errors import TlsError
from ..module_utils._time import parse_duration
from ..plugin_utils._plan import issuer_settings, verification
from ..plugin_utils._plan import options as plan_options
from ..plugin_utils._remote import external_issuers, local
from ..plugin_utils._remote.answers import unusable
from ..plugin_utils._remote.external_issuers import IssuingAction
from ..plugin_utils._remote.failures import rejection, require_cryptography
from ..plugin_utils._remote.module_runner import Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(hours=24)
_OPTIONS: dict[str, t.Any] = {
    **CRYPTOGRAPHY_OPTION,
    **CA_OPTIONS,
    "name": {"type": "str", "required": True},
    "group": {"type": "str", "default": "clients"},
    "groups": {"type": "list", "elements": "str"},
    "validity": {"type": "str", "default": "10m"},
    "requester": {"type": "str", "default": ""},
    "expired": {"type": "bool", "default": False},
    "revoked": {"type": "list", "elements": "str", "default": []},
    "generations": {"type": "list", "elements": "str", "default": []},
    "external": {"type": "list", "elements": "dict"},
}
_AUTHORITY_INFO = "portcullis.docker_tls.authority_info"
_EXPIRED = "/expired"
_GENERATION, _REVOKED = "generation/", "revoked/"


def completed(options: Result) -> Result:
    """Return the options with the defaults of this action for those that another one does not have."""
    return {**{name: option.get("default") for name, option in _OPTIONS.items()}, **options}


class ActionModule(IssuingAction):
    """Make a key and a request in this process, and have the CA host sign it. The key is in the result only."""

    MODULE = "portcullis.docker_tls.signed_certificates"
    MAIN = staticmethod(local.main_of("signed_certificates"))
    MORE = types.MappingProxyType({**IssuingAction.MORE, _AUTHORITY_INFO: local.main_of("authority_info")})

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the clients that the verification of this batch needs, None where no host is verified."""
        del role
        return verification.clients(bound, fleet)

    def run_module(self, arguments: Result, package: t.Any, task_vars: Result) -> Result:
        """Return the client. Raises TlsError, also where this Python has no usable cryptography."""
        validate: t.Any = self.validate_argument_spec
        unused, options = validate(_OPTIONS, mutually_exclusive=[["group", "groups"]])
        require_cryptography()
        return self._make_client(options, package, task_vars)

    def _make_client(self, options: Result, package: t.Any, task_vars: Result) -> Result:
        asked = options["groups"] if options["groups"] is not None else [options["group"]]
        groups = list(dict.fromkeys(asked))
        _check_validity(options["validity"])
        declared = self._declared(task_vars) if options["external"] is None else []
        external = options["external"] or [one for one in issuer_settings.asked(declared) if one["authority"] in groups]
        if declared:
            _check_makes_clients(external)
        groups = [group for group in groups if not issuer_settings.is_external(external, group)]
        key_content, request_content = ("", "") if self._task.check_mode else _key_and_request(options["name"])
        signing = {name: options[name] for name in CA_OPTIONS}
        shared = {
            "profile": "client",
            "request_content": request_content,
            "common_name": options["name"],
            "validity": options["validity"],
            "requester": options["requester"] or str(task_vars.get("inventory_hostname", "")),
            "reasons": ["temporary-client"],
        }
        signing["requests"] = [
            {**shared, "id": f"{group}{suffix}", "authority": group, "expired": suffix == _EXPIRED}
            for group in groups
            for suffix in ("", *([_EXPIRED] if options["expired"] else []))
        ]
        for identifier in dict.fromkeys(options["generations"]):
            name, number = _generation(identifier)
            request = {**shared, "id": f"{_GENERATION}{identifier}", "authority": name, "generation": number}
            signing["requests"].append(request)
        signing["requests"] += [
            {**shared, "id": f"{_REVOKED}{group}", "authority": group, "revoked": True}
            for group in dict.fromkeys(options["revoked"])
        ]
        outcome: Result = {"certificates": {}}
        if signing["requests"]:
            outcome = super().run_module(signing, package, task_vars)
        if outcome.get("failed") or "certificates" not in outcome:
            return outcome
        needed = [request["id"] for request in signing["requests"] if not request.get("revoked")]
        missing = [identifier for identifier in needed if identifier not in outcome["certificates"]]
        if missing:
            return unusable(f"it has no certificate for {', '.join(missing)}")
        if external:
            outcome = self._with_external(outcome, external, options, shared, task_vars)
            refused = {name: one for name, one in (outcome.get("rejected") or {}).items() if name in asked}
            if declared and refused:
                return rejection(refused)
        if declared:
            outcome = self._with_anchors(outcome, options["path"], declared, task_vars)
            if outcome.get("failed"):
                return outcome
        made = [*asked, *(one["authority"] for one in external)]
        return _client(outcome, [name for name in dict.fromkeys(made) if name in outcome["certificates"]], key_content)

    def _declared(self, task_vars: Result) -> list[Result]:
        """Return the issuers of the inventory, for a task of the user: the roles select the issuer themselves."""
        bound = Bound(task_vars, self._templar.template)
        return plan_options.issuers(bound, self._fleet(bound))

    def _with_anchors(self, outcome: Result, path: str, declared: list[Result], task_vars: Result) -> Result:
        """Return the result with the anchors of the servers' certificates: the CA does not know them where another issuer signs."""
        arguments = {"path": path, "issuers": issuer_settings.anchors(declared)}
        found = self.execute(_AUTHORITY_INFO, arguments, task_vars)
        return found if found.get("failed") else {**outcome, "authorities": found["authorities"]}

    def _with_external(
        self, outcome: Result, issuers: list[Result], options: Result, shared: Result, task_vars: Result
    ) -> Result:
        """Return the result with a client of each of other issuers; one that makes none is a warning: the other checks still count."""
        names = [str(one["authority"]) for one in issuers]
        if self._task.check_mode:
            foretold = {
                name: {"certificate_content": "", "authority_content": "", "certificate": None} for name in names
            }
            return {**outcome, "certificates": {**outcome["certificates"], **foretold}}
        requests = [{**shared, "id": name, "authority": name} for name in names]
        place = {name: options[name] for name in ("path", "lock_timeout")}
        issued = self.issue({"requests": requests, "issuers": issuers}, place, task_vars)
        merged = external_issuers.with_issued(outcome, issued, names)
        told = [
            f"verification-without-client: {merged['rejected'][name]['msg']}. Whether a good client is answered was not checked. "
            "Give one with docker_daemon_verify_clients."
            for name in names
            if name in merged["rejected"]
        ]
        warnings = [*(merged.get("warnings") or ()), *told]
        return {**merged, **({"warnings": warnings} if warnings else {})}


def _check_makes_clients(external: t.Iterable[Result]) -> None:
    """Raise TlsError for an access group whose issuer makes no certificate within a run."""
    for one in external:
        if one["issuer"] not in verification.MAKES_CLIENTS:
            raise TlsError(
                f"the issuer {one['issuer']} of the access group {one['authority']} makes no certificate within a run",
                hint="Use the bundle of a client of this group (docker_client_cert_clients), or a group whose issuer is local or openbao.",
                code="issuer-unsuitable",
            )


def _generation(identifier: str) -> tuple[str, int]:
    """Return (name, number) of the id of a generation."""
    name, _mark, number = identifier.rpartition("-g")
    if not name or not number.isdigit() or not 0 < int(number) <= 9999:
        raise TlsError(
            f"generations has {identifier!r}, which is not an id of a generation",
            hint="Write the name and the number, as authority_info shows them, for example clients-g1.",
            code="authority-unknown",
        )
    return name, int(number)


def _check_validity(validity: str) -> None:
    length = parse_duration(validity, "validity")
    if not _SHORTEST <= length <= _LONGEST:
        raise TlsError(
            f"validity is {validity!r}; a temporary client lives from 1m to 24h",
            hint="For a client that stays use the role docker_client_cert.",
            code="duration-invalid",
        )


def _key_and_request(name: str) -> tuple[str, str]:
    """Return a new private key and a request for it, both as PEM; they are in memory only."""
    from ..module_utils._pki import keys, names
    from ..module_utils._pki import signing as issue

    names.check_common_name(name, "name")
    key = keys.generate_private_key("ecdsa-p256")
    request = issue.build_request(key, names.SubjectNames(name, (names.client_identity(name),)))
    return keys.encode_private_key(key).decode("ascii"), request.decode("ascii")


#: The fields that are taken of each signed certificate.
_RETURNED = ("certificate_content", "authority_content", "certificate")


def _client(outcome: Result, groups: list[str], key_content: str) -> Result:
    """Return the result. It holds a key, so the output hides it even where the task forgot no_log."""
    server = outcome.get("authorities", {}).get("server", {})
    shared = {"key_content": key_content, "ca_content": server.get("trusted_content", "")}
    made = {name: {key: one[key] for key in _RETURNED} for name, one in outcome["certificates"].items()}
    clients = {
        group: {
            **made[group],
            "expired_certificate_content": made.get(group + _EXPIRED, {}).get("certificate_content", ""),
            **shared,
        }
        for group in groups
    }
    generations, revoked = (
        {
            name[len(prefix) :]: {**one, "key_content": key_content}
            for name, one in made.items()
            if name.startswith(prefix)
        }
        for prefix in (_GENERATION, _REVOKED)
    )
    return {
        **{name: outcome[name] for name in ("warnings", "deprecations", "ansible_facts") if name in outcome},
        **(clients[groups[0]] if groups else {"certificate_content": "", **shared}),
        "key_content": key_content,
        "changed": outcome.get("changed", True),
        "reasons": outcome.get("reasons", []),
        "clients": clients,
        "generations": generations,
        "revoked": revoked,
        "_ansible_no_log": True,
    }
