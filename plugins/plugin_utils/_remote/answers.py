# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each module may answer from a host: its RETURN block, as a schema that later plays can rely on."""

from __future__ import annotations

import typing as t

from .answer_schema import LONG, Data, Either, Fields, Flag, Items, Maybe, Named, Number, Shape, Text

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
        {
            "archive": Fields(
                {**_texts("path", "sha256"), "files": _NUMBER, "authorities": _TEXTS, "ledger": LEDGER_END},
            )
        }
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
        {
            "restart_needed": _FLAG,
            "containers_stopped": _NUMBER,
            "unconfirmed": _FLAG,
            "not_verified": _FLAG,
        },
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
        {"recorded": Items(_LEDGER_EVENT, most=1_000_000), "known": _NUMBER, "foreign": _TEXTS},
        {"ledger": LEDGER_END},
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
