# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers of modules and programs: the shape of each, and the only place where one becomes the result of a task."""

from __future__ import annotations

import dataclasses
import typing as t

from .answer_schema import (
    LONG,
    Data,
    Either,
    Fields,
    Flag,
    Items,
    Maybe,
    Misshapen,
    Named,
    Number,
    Shape,
    Text,
    printable,
)
from .failures import failure

_TEXT, _FLAG, _NUMBER, _PEM = Text(), Flag(), Number(), Text(LONG)
_TEXTS = Items(_TEXT)
#: SHA-256 as the modules write it; "" where there is nothing to have a fingerprint of.
_FINGERPRINT = Text(pattern="(?:[0-9a-f]{64})?", name="a SHA-256 fingerprint")


def _texts(*names: str) -> dict[str, Shape]:
    return dict.fromkeys(names, _TEXT)


CERTIFICATE = Fields(
    {
        **_texts("subject", "issuer", "common_name", "serial", "not_before", "not_after"),
        "fingerprint_sha256": _FINGERPRINT,
        "names": _TEXTS,
    },
    {
        **_texts("key_type", "signature_algorithm"),
        **_texts("public_key_fingerprint", "subject_key_identifier", "authority_key_identifier"),
        **dict.fromkeys(("extended_key_usages", "key_usages"), _TEXTS),
        "is_authority": _FLAG,
    },
)
_GENERATION = Fields(
    {**_texts("id", "stage", "not_before", "not_after"), "certificate_content": _PEM, "generation": _NUMBER}
)
_REFUSAL = Fields(_texts("msg", "hint", "code"))
_AUTHORITY = Fields(
    {
        **_texts("id", "name", "purpose"),
        "generation": _NUMBER,
        "adopted": _FLAG,
        "certificate_content": _PEM,
        "trusted_content": _PEM,
        "certificate": Maybe(CERTIFICATE),
        "generations": Items(_GENERATION),
    },
    {"external": _FLAG, "issuer": _TEXT, "crl_content": _PEM, "crl_problem": _REFUSAL},
)
AUTHORITIES = Named(_AUTHORITY)
LEDGER_END = Fields({}, {"seq": _NUMBER, "digest": _TEXT, "time": Maybe(_TEXT), "restored": _FLAG})
_HELD = Fields(
    {
        **_texts("client", "group", "generation", "request", "requester", "source", "not_after", "reason"),
        "trusted": _FLAG,
    },
    {"listed": _FLAG, **dict.fromkeys(("hosts", "serials", "refused_by"), _TEXTS)},
)
_REVOCATION = Fields(
    {**_texts("authority", "issuing"), "clients": _TEXTS, "generations": _TEXTS, "members": _FLAG},
    {"hosts": _TEXTS, "proxies": _TEXTS},
)
_LISTED = Fields(_texts("serial", "authority", "client", "group"), {"hosts": _TEXTS})
_CHECKS = Items(Fields({"check": _TEXT, "passed": _FLAG, "detail": _TEXT}))
REQUESTS = Items(
    Fields(
        {"id": _TEXT, "action": _TEXT, "reasons": _TEXTS},
        {
            **_texts("profile", "common_name", "key_type", "machine", "key_path", "certificate_path"),
            "names": _TEXTS,
            "request_content": _PEM,
            "certificate": Maybe(CERTIFICATE),
            "renew_at": Maybe(_TEXT),
            "authority_fingerprint_sha256": _FINGERPRINT,
            "external_issuer": _FLAG,
        },
    )
)
_ENDPOINT = Fields(
    {
        "state": _TEXT,
        **dict.fromkeys(("listen", "addresses", "access"), _TEXTS),
        "certificate": Maybe(CERTIFICATE),
        "engine_version": _TEXT,
    },
    {
        **_texts("config_path", "directory"),
        "containers_running": _NUMBER,
        **dict.fromkeys(("live_restore", "swarm", "starts_at_boot"), _FLAG),
        "port_2375": _TEXTS,
        "revocation_lists": Items(Fields({"issuer": _TEXT, "number": _NUMBER, "revoked": _NUMBER})),
    },
)
#: The preparation of an inspection. ``asked`` are the controller's own values.
PREPARED = Fields({"requests": REQUESTS, "plan": Items(_PEM), "warnings": Items(_PEM)}, {"asked": Named(Data())})
#: What signed_certificates has refused, by the id of its request.
REJECTED = Named(_REFUSAL)
_SIGNED = Fields(
    {"certificate_content": _PEM, "authority_content": _PEM, "certificate": Maybe(CERTIFICATE)},
    {**_texts("authority", "issuer", "not_after", "common_name"), "names": _TEXTS, "left_out": _TEXTS},
)
_EVENT: dict[str, Shape] = {
    **_texts("time", "event", "authority", "profile", "requester", "subject", "serial", "not_before", "not_after"),
    **_texts("public_key_fingerprint", "request", "user", "prev", "host", "source"),
    **_texts("issuer", "issuer_subject", "client"),
    "fingerprint_sha256": _FINGERPRINT,
    **dict.fromkeys(("reasons", "names", "claimants", "hosts"), _TEXTS),
    "seq": _NUMBER,
    "days_left": _NUMBER,
    "superseded": _FLAG,
}
# An event has some of these fields; the option fields asks for names, and missing ones are null then.
_LEDGER_EVENT = Fields({}, {name: Maybe(shape) for name, shape in _EVENT.items()})

_AUTHORITIES_SAY = {
    "authorities": AUTHORITIES,
    "revocations_deferred": Items(_REVOCATION),
    "revoked_unknown": _TEXTS,
    "unlisted": Items(_HELD),
}


#: By module: the required and the optional fields of a success.
ANSWERS: t.Mapping[str, Fields] = {
    "acme_certificate": Fields({"certificate_content": _PEM}),
    "adopted_authority": Fields({"adopted": _TEXTS, "certificate": CERTIFICATE}),
    "adoption_info": Fields({"adoption": Data()}),
    "adoption_repair": Fields({"repairs": Items(Data()), "adoption": Data()}),
    "authorities": Fields(
        {**_AUTHORITIES_SAY, "revocations": Items(_REVOCATION)},
        {"revoked": Items(_HELD), "revoked_certificates": Items(_LISTED)},
    ),
    "authority_backup": Fields(
        {"archive": Fields({**_texts("path", "sha256"), "files": _NUMBER, "authorities": _TEXTS, "ledger": LEDGER_END})}
    ),
    "authority_generation": Fields({"authorities": AUTHORITIES}),
    "authority_info": Fields({**_AUTHORITIES_SAY, "ledger": LEDGER_END, "compared": _FLAG, "revoked": Items(_HELD)}),
    "authority_key_info": Fields(
        {
            "keys": Items(Fields({"fingerprint_sha256": _FINGERPRINT, "path": _TEXT, "encrypted": _FLAG})),
            "searched": _TEXTS,
        }
    ),
    "authority_passphrase": Fields({"authorities": _TEXTS, "unchanged": _TEXTS}),
    "authority_restore": Fields(
        {"restored": Fields({**_texts("made", "sha256"), "authorities": _TEXTS, "lines": _NUMBER})}
    ),
    "certificate_bundles": Fields(
        {
            "bundles": Items(
                Fields(
                    {**_texts("id", "directory"), "reasons": _TEXTS, "certificate": Maybe(CERTIFICATE)},
                    {"formats": Data(), "backup_files": _TEXTS},
                )
            )
        },
        {"unrecorded": Items(Fields(_texts("id", "directory", "serial")))},
    ),
    "certificate_files_info": Fields(
        {
            "files": Items(
                Fields(
                    {
                        **_texts("id", "path", "state", "problem"),
                        **dict.fromkeys(("certificate_content", "ca_content", "client_ca_content"), _PEM),
                        "revocation_lists_content": _PEM,
                        "rights": Named(_TEXT),
                        **dict.fromkeys(("key_matches", "configured", "starts_at_boot"), Maybe(_FLAG)),
                    }
                )
            )
        }
    ),
    "certificate_requests": Fields({"requests": REQUESTS}),
    "endpoint": Fields(
        {"endpoint": _ENDPOINT, "verification": _CHECKS, "restarted": _FLAG},
        {"restart_needed": _FLAG, "containers_stopped": _NUMBER, "unconfirmed": _FLAG, "not_verified": _FLAG},
    ),
    "endpoint_info": Fields(
        {
            "passed": _FLAG,
            "checks": _CHECKS,
            **_texts("endpoint", "engine_version", "certificate_fingerprint"),
            "client_authorities": _TEXTS,
        }
    ),
    "host_state": Fields(
        {"current": _FLAG},
        # The endpoint is {} where only certificates were asked about.
        {
            "requests": REQUESTS,
            "endpoint": Fields({}, {**_ENDPOINT.required, **_ENDPOINT.optional}),
            "prepared": PREPARED,
            "refused": Fields({}, _REFUSAL.required),
            "incomplete": Fields({}, _REFUSAL.required),
        },
    ),
    "issued_certificates": Fields({"certificates": Named(_SIGNED), "rejected": REJECTED, "pending": Items(Data())}),
    "ledger_info": Fields(
        {
            "ledger": Fields(
                {"state": _TEXT},
                {
                    **_texts("path", "problem", "digest"),
                    "line": Maybe(_NUMBER),
                    "lines": _NUMBER,
                    "begins": Maybe(_TEXT),
                },
            ),
            "count": _NUMBER,
            "entries": Items(_LEDGER_EVENT, most=1_000_000),
        }
    ),
    "plain_relay": Fields({"listen": _TEXTS}),
    "portainer_environment": Fields({"environment": Fields({**_texts("name", "docker_host"), "id": Maybe(_NUMBER)})}),
    "recorded_certificates": Fields(
        {"recorded": Items(_LEDGER_EVENT, most=1_000_000), "known": _NUMBER, "foreign": _TEXTS}, {"ledger": LEDGER_END}
    ),
    "server_certificate": Fields({"directory": _TEXT, "certificate": Maybe(CERTIFICATE)}),
    "signed_certificates": Fields(
        {"certificates": Named(_SIGNED), "rejected": REJECTED, "authorities": AUTHORITIES},
        {"ledger": LEDGER_END, "unknown": Items(Data())},
    ),
}
#: Fields that an answer of any module may have, also a failure.
COMMON: t.Mapping[str, Shape] = {
    "changed": _FLAG,
    "msg": _PEM,
    "hint": _PEM,
    "code": _TEXT,
    "reasons": _TEXTS,
    "plan": Items(_PEM),
    "foretold": Items(Fields({"id": _TEXT, "names": _TEXTS, "machine": _TEXT})),
}
#: The facts that a module may set: nothing else that a host answers becomes a variable.
FACTS: t.Mapping[str, t.Mapping[str, Shape]] = {
    "authorities": {"docker_ca_authorities": AUTHORITIES, "docker_ca_ledger": LEDGER_END},
    "authority_info": {"docker_ca_authorities": AUTHORITIES, "docker_ca_ledger": LEDGER_END},
    "authority_generation": {"docker_ca_authorities": AUTHORITIES},
}
_SIDE = Maybe(Either("a text or a dictionary", _PEM, Named(Data())))
_DIFF = Fields(
    {},
    {
        **dict.fromkeys(("before", "after"), _SIDE),
        **dict.fromkeys(("before_header", "after_header", "prepared"), Maybe(_PEM)),
    },
)
DIFFS = Items(_DIFF)


Result = dict[str, t.Any]

#: What Ansible itself adds to the result of a module, though the text in it may be the host's.
_TEXTS_OF_ANSIBLE = ("module_stdout", "module_stderr")
_MOST_MESSAGES = 100
#: The code of an answer that is in no shape of its module's.
UNUSABLE = "answer-unusable"


def unusable(why: str) -> Result:
    """Return the failure of a host whose answer cannot be used."""
    hint = "Check the host and its Python, or leave the host out with --limit."
    return failure(f"The answer of this host cannot be used: {why}.", hint, UNUSABLE)


def accept(module: str, answer: t.Any, unusable: t.Callable[[str], Result] = unusable) -> Result:
    """Return the answer of ``module`` (its name without the collection's) as a task's result.

    A success has everything that its schema requires and nothing that the schema lacks. A failure has its message, and of the
    rest what fits. An answer in another shape is the host's failure, with the message of ``unusable``. Never raises.
    """
    try:
        return _accepted(module, answer)
    except Misshapen as problem:
        return unusable(str(problem))
    except (RecursionError, ValueError, TypeError, AttributeError) as problem:  # objects that only resemble plain data
        return unusable(f"it is not plain data ({type(problem).__name__})")


def _accepted(module: str, answer: t.Any) -> Result:
    if not isinstance(answer, t.Mapping):
        raise Misshapen("", "a dictionary", answer)
    kept = _of_ansible(answer)
    facts = _facts(module, answer)
    if facts:
        kept["ansible_facts"] = facts
    if answer.get("failed"):
        return {**kept, **_failure(module, answer), "failed": True}
    schema = ANSWERS[module]
    found: Result = {"failed": False} if "failed" in answer else {}
    found.update(schema.clean(answer, ""))
    for name, shape in COMMON.items():
        if name in answer:
            found[name] = shape.clean(answer[name], name)
    if answer.get("diff") is not None:
        found["diff"] = _diff(answer["diff"])
    return {"changed": False, **kept, **found}


def _failure(module: str, answer: t.Mapping[str, t.Any]) -> Result:
    """Return what fits of a failure; its message is there in any case."""
    schema = ANSWERS[module]
    found = {}
    for name, shape in {**schema.required, **schema.optional, **COMMON}.items():
        if name in answer:
            try:
                found[name] = shape.clean(answer[name], name)
            except Misshapen:
                continue
    return {"changed": False, **found, "msg": found.get("msg") or "The module failed and gave no reason"}


def _diff(value: t.Any) -> t.Any:
    """Return the diff; Ansible takes one or a list of them."""
    if isinstance(value, t.Mapping):
        return DIFFS.clean([value], "diff")[0]
    return DIFFS.clean(value, "diff")


def _facts(module: str, answer: t.Mapping[str, t.Any]) -> Result:
    """Return the facts that the module may set; Ansible would put any other above the inventory's variables."""
    given = answer.get("ansible_facts")
    shapes: t.Mapping[str, Shape] = FACTS.get(module, {})
    if not given or not shapes:
        return {}
    if not isinstance(given, t.Mapping):
        raise Misshapen("ansible_facts", "a dictionary", given)
    return {name: shape.clean(given[name], name) for name, shape in shapes.items() if name in given}


def _of_ansible(answer: t.Mapping[str, t.Any]) -> Result:
    """Return what Ansible itself has put beside an answer, as far as Ansible can print it."""
    found: Result = {
        name: value for name, value in answer.items() if isinstance(name, str) and name.startswith("_ansible_")
    }
    for name in _TEXTS_OF_ANSIBLE:
        if isinstance(answer.get(name), str):
            found[name] = printable(answer[name])[-LONG:]
    if isinstance(answer.get("rc"), int):
        found["rc"] = answer["rc"]
    if isinstance(answer.get("invocation"), t.Mapping):
        found["invocation"] = printable(answer["invocation"])
    if _is_message(answer.get("exception")):
        found["exception"] = printable(answer["exception"])
    deprecations = answer.get("deprecations")
    if isinstance(deprecations, (list, tuple)):
        found["deprecations"] = [printable(each) for each in deprecations[:_MOST_MESSAGES] if _is_deprecation(each)]
    warnings = answer.get("warnings") or []
    if not isinstance(warnings, (list, tuple)) or not all(map(_is_message, warnings)):
        raise Misshapen("warnings", "a list of texts", warnings)
    return {**found, "warnings": [printable(each) for each in warnings]} if "warnings" in answer else found


def _is_message(value: t.Any) -> bool:
    """Return whether Ansible prints it: a text, or what newer ansible-cores make of one themselves."""
    return (isinstance(value, str) and len(value) <= LONG) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    )


def _is_deprecation(value: t.Any) -> bool:
    """Return whether Ansible prints it: ansible-core 2.18 has dictionaries, newer ones objects."""
    if isinstance(value, t.Mapping):
        return set(value) <= {"msg", "version", "date", "collection_name"} and all(
            isinstance(each, (str, type(None))) for each in value.values()
        )
    return not isinstance(value, str) and _is_message(value)


def accept_program(module: str, answer: t.Any, unusable: t.Callable[[str], Result] = unusable) -> Result:
    """Return the answer of a program of ours in place of ``module``: nothing in it is Ansible's own."""
    if not isinstance(answer, t.Mapping):
        return accept(module, answer, unusable)
    schema = ANSWERS[module]
    known = {*schema.required, *schema.optional, *COMMON, "failed", "warnings", "diff"}
    return accept(module, {name: value for name, value in answer.items() if name in known}, unusable)
