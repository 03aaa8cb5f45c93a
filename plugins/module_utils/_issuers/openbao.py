# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenBao's PKI engine: certificates, and the revocation lists of issuers, checked before any host gets them.

Some requests are on their way at a time, and none follows after the server has refused all of them. A request that may have been
signed (no answer in time) is not sent again in this run: signing twice may cost.

Source: the API documentation of the PKI secrets engine (``POST /:mount/sign/:role``), and OpenBao 2.7.2, measured: a role's defaults
are ``server_flag`` and ``client_flag`` true and ``use_csr_sans`` true; a TTL beyond the role's is shortened with a warning; names that
the role does not allow are refused with 400; a missing policy answers 403 and a sealed server 503.

Source: the API documentation of the PKI secrets engine (``GET /:mount/issuer/:issuer_ref/crl/pem`` and ``LIST /:mount/issuers`` need no token),
and OpenBao 2.7.2, measured: a list ends after 72 hours. Without ``auto_rebuild`` only a revocation or ``crl/rotate`` makes a new one; with it the engine
does so in time, and a revocation does not.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import typing as t
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._errors import TlsError
from .._pki import names, pem, reader, revocation_list
from .answer import Order
from .http import Answer, Caller, Endpoint, check_url, shown

#: Options of the issuer, as ``argument_spec``; those with no_log appear in no output.
OPTIONS: dict[str, t.Any] = {
    "url": {"type": "str", "required": True},
    "mount": {"type": "str", "default": "pki"},
    "role": {"type": "str", "required": True},
    "namespace": {"type": "str", "default": ""},
    "ca_content": {"type": "str", "default": ""},
    "token": {"type": "str", "default": "", "no_log": True},
    "role_id": {"type": "str", "default": "", "no_log": True},
    "secret_id": {"type": "str", "default": "", "no_log": True},
    "jwt": {"type": "str", "default": "", "no_log": True},
    "jwt_role": {"type": "str", "default": ""},
    "auth_mount": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 30},
    "concurrency": {"type": "int", "default": 8},
}
_MOUNT = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_ROLE = re.compile(r"[A-Za-z0-9_.-]+")
#: A code that is one request's own; every other one holds for all that would follow.
_OF_ONE_REQUEST = ("issuer-refused",)


@dataclass(frozen=True)
class Settings:
    """The engine, and the credentials. Exactly one of token, AppRole (role_id, secret_id) and JWT is given."""

    endpoint: Endpoint
    mount: str
    role: str
    namespace: str = ""
    token: str = field(default="", repr=False)
    role_id: str = field(default="", repr=False)
    secret_id: str = field(default="", repr=False)
    jwt: str = field(default="", repr=False)
    jwt_role: str = ""
    auth_mount: str = ""
    concurrency: int = 8

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(one for one in (self.token, self.role_id, self.secret_id, self.jwt) if one)


def settings_from(options: t.Mapping[str, t.Any], what: str, sleep: t.Callable[[float], None]) -> Settings:
    """Return the settings of ``what`` (the option that has them), checked.

    Raises TlsError ``issuer-settings-invalid``, ``issuer-url-invalid``.
    """
    check_url(options["url"], f"url of {what}")
    if not _MOUNT.fullmatch(options["mount"].strip("/")):
        raise _invalid(
            f"mount of {what} is {options['mount']!r}", "Write the path of the PKI engine, for example pki-docker."
        )
    if not _ROLE.fullmatch(options["role"]):
        raise _invalid(
            f"role of {what} is {options['role']!r}", "Write the name of a role of the PKI engine, for example dockerd."
        )
    ways = [bool(options["token"]), bool(options["role_id"] or options["secret_id"]), bool(options["jwt"])]
    if sum(ways) != 1:
        found = "no credentials" if not any(ways) else "more than one kind of credentials"
        raise _invalid(
            f"{what} has {found}", "Give exactly one: token; role_id and secret_id (AppRole); or jwt and jwt_role."
        )
    if ways[1] and not (options["role_id"] and options["secret_id"]):
        raise _invalid(f"{what} has only one of role_id and secret_id", "AppRole needs both.")
    if ways[2] and not options["jwt_role"]:
        raise _invalid(f"{what} has jwt without jwt_role", "Name the role of the JWT auth method.")
    for option in ("timeout", "concurrency"):
        if not 1 <= options[option] <= (600 if option == "timeout" else 64):
            raise _invalid(
                f"{option} of {what} is {options[option]}", "Use 1 to 600 seconds, and 1 to 64 requests at a time."
            )
    for option in ("token", "namespace"):
        if not options[option].isascii() or not options[option].isprintable():
            raise _invalid(
                f"{option} of {what} has characters that no header can carry", "Check for a line end at its end."
            )
    return Settings(
        endpoint=Endpoint(options["url"].rstrip("/"), options["ca_content"], options["timeout"], sleep=sleep),
        **{
            name: options[name]
            for name in ("role", "namespace", "token", "role_id", "secret_id", "jwt", "jwt_role", "concurrency")
        },
        mount=options["mount"].strip("/"),
        auth_mount=options["auth_mount"].strip("/"),
    )


def refusal(answer: Answer, settings: Settings, asked: str) -> TlsError:
    """Return the error of an answer other than 200. ``issuer-refused`` may be one request's own; the other codes hold for all."""
    errors = answer.json().get("errors")
    said = shown("; ".join(map(str, errors)) if isinstance(errors, list) else "", settings.secrets)
    detail = f": {said}" if said else ""
    role = f"{settings.mount}/sign/{settings.role}"
    if 300 <= answer.status < 400:
        place = shown(answer.headers.get("location", "another address"))
        problem, code = f"redirects to {place}, and credentials do not follow redirects", "issuer-failed"
        hint = "Set url of the issuer to that server, or to a balancer in front of it."
    elif answer.status == 503:
        state = "is sealed" if "sealed" in said.lower() else "is not ready"
        problem, code = f"{state}{detail}", "issuer-sealed"
        hint = "Unseal it or wait for it, then run the play again."
    elif answer.status == 403 or (answer.status == 400 and asked == "the login"):
        problem, code = f"refused {asked} with {answer.status}{detail}", "issuer-denied"
        namespace = f" in the namespace {settings.namespace}" if settings.namespace else ""
        hint = f"Check the credentials, their expiry, and that their policy allows update on {role}{namespace}."
    elif answer.status == 404:
        problem, code = f"has no {role}{detail}", "issuer-denied"
        hint = "Check mount, role and namespace of the issuer."
    elif answer.status == 400:
        problem, code = f"refused the request by {asked}{detail}", "issuer-refused"
        hint = (
            f"Compare the request with the role: bao read {settings.mount}/roles/{settings.role} (allowed_domains, allow_bare_domains, "
            "allow_ip_sans, allowed_ip_sans_cidr, key_type, cn_validations)."
        )
    else:
        return _failed(settings, f"answered {asked} with {answer.status}{detail}")
    return TlsError(f"the issuer openbao at {settings.endpoint.url} {problem}", hint=hint, code=code)


def usage_hint(settings: Settings) -> str:
    """Return which setting of the role decides about the usage of its certificates."""
    return (
        f"Set server_flag=true client_flag=false (client certificates: server_flag=false client_flag=true) on the role: "
        f"bao patch {settings.mount}/roles/{settings.role} (both are true by default)."
    )


def _failed(settings: Settings, problem: str) -> TlsError:
    return TlsError(
        f"the issuer openbao at {settings.endpoint.url} {problem}",
        hint="Check its log, then run the play again.",
        code="issuer-failed",
    )


def _invalid(problem: str, hint: str) -> TlsError:
    return TlsError(problem, hint=hint, code="issuer-settings-invalid")


def place(
    orders: t.Sequence[Order], settings: Settings, fault: t.Callable[[Order, str], TlsError | None]
) -> dict[str, str | TlsError]:
    """Return, by id, the certificates that were issued (PEM) or why there are none.

    In: ``fault`` returns the fault of the first certificate that every further one would have too; then the batch stops.
    Certificates that were issued before the server failed are kept; orders that were not placed have the error that stopped the batch.
    """
    if not orders:
        return {}
    caller = Caller(settings.endpoint, "the issuer openbao")
    try:
        # From here on the token of the login is among the secrets that no message may have.
        session = settings if settings.token else replace(settings, token=_login(caller, settings))
    except TlsError as error:
        return {order.id: error for order in orders}
    try:
        return _signed(caller, orders, session, fault)
    finally:
        if not settings.token:
            # It is not left behind for its whole life. Where this fails it ends by itself; the certificates are what counts.
            with contextlib.suppress(TlsError):
                _post(caller, session, "auth/token/revoke-self", {})


def _post(caller: Caller, settings: Settings, path: str, body: t.Mapping[str, t.Any]) -> Answer:
    headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
    if settings.token:
        headers["X-Vault-Token"] = settings.token
    if settings.namespace:
        headers["X-Vault-Namespace"] = settings.namespace
    return caller.call("POST", f"{settings.endpoint.url}/v1/{path}", headers, json.dumps(body).encode())


def _login(caller: Caller, settings: Settings) -> str:
    """Return a token for AppRole or JWT. Raises TlsError as ``refusal``, and ``issuer-failed``."""
    if settings.jwt:
        path, body = settings.auth_mount or "jwt", {"role": settings.jwt_role, "jwt": settings.jwt}
    else:
        path, body = settings.auth_mount or "approle", {"role_id": settings.role_id, "secret_id": settings.secret_id}
    answer = _post(caller, settings, f"auth/{urllib.parse.quote(path)}/login", body)
    if answer.status != 200:
        raise refusal(answer, settings, "the login")
    found = answer.json().get("auth")
    token = found.get("client_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        raise _failed(settings, "answered the login without a token that can be sent")
    return token


def _sign(caller: Caller, settings: Settings, order: Order) -> str:
    """Return the leaf and its chain as PEM. Raises TlsError as ``refusal``, and ``issuer-failed`` for an answer without them.

    Names are in the request too: a role with ``use_csr_sans: false`` takes these and not those of the CSR.
    """
    addresses = [name for name in order.names if names.address_or_none(name) is not None]
    hosts = [name for name in order.names if name not in addresses and not name.startswith(names.CLIENT_PREFIX)]
    life = f"{int(order.validity.total_seconds())}s"
    body = {"csr": order.request_content, "common_name": order.common_name, "ttl": life, "format": "pem"}
    if order.profile == "server":
        of_profile: dict[str, t.Any] = {"alt_names": ",".join(hosts), "ip_sans": ",".join(addresses)}
    else:
        of_profile = {"exclude_cn_from_sans": True}
    path = f"{urllib.parse.quote(settings.mount)}/sign/{settings.role}"
    answer = _post(caller, settings, path, {**body, **of_profile})
    if answer.status != 200:
        raise refusal(answer, settings, f"the role {settings.role}")
    data = answer.json().get("data")
    if not isinstance(data, dict) or not isinstance(data.get("certificate"), str):
        raise _failed(settings, "answered without a certificate")
    chain = data.get("ca_chain") or [data.get("issuing_ca") or ""]
    links = [link for link in chain if isinstance(link, str)] if isinstance(chain, list) else []
    return "\n".join([data["certificate"], *links])


def _signed(
    caller: Caller,
    orders: t.Sequence[Order],
    settings: Settings,
    fault: t.Callable[[Order, str], TlsError | None],
) -> dict[str, str | TlsError]:
    stopped: list[TlsError] = []
    lock = threading.Lock()

    def sign(order: Order) -> str | TlsError:
        with lock:
            if stopped:
                return stopped[0]
        try:
            return _sign(caller, settings, order)
        except TlsError as error:
            if error.code not in _OF_ONE_REQUEST:
                with lock:
                    stopped.append(error)
            return error

    first, rest = orders[0], orders[1:]
    # The first alone: a server that refuses everything, or whose certificates cannot be used, is asked once.
    answer = sign(first)
    done = {first.id: answer}
    wrong = fault(first, answer) if isinstance(answer, str) and rest else None
    if wrong is not None:
        stopped.append(wrong)
    with ThreadPoolExecutor(max_workers=settings.concurrency) as pool:
        done.update(zip((order.id for order in rest), pool.map(sign, rest)))
    return done


#: The value of ``revocation_lists`` that has the lists read from the PKI engine.
ENGINE = "engine"
_MOST_ISSUERS = 20
_HINT = "Check what the issuer publishes and what revocation_lists names, then run the play again. The hosts keep their lists until then."


def of_engine(settings: Settings, anchors: str) -> str:
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
        raise _failed_lists(settings, "did not name its CAs")
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


def _get(caller: Caller, settings: Settings, place: str) -> Answer:
    answer = _asked(caller, settings, place)
    if answer.status != 200:
        raise _failed_lists(settings, f"answered {settings.mount}/{place} with {answer.status}")
    return answer


def _asked(caller: Caller, settings: Settings, place: str) -> Answer:
    url = f"{settings.endpoint.url}/v1/{urllib.parse.quote(settings.mount)}/{place}"
    headers = {"X-Vault-Namespace": settings.namespace} if settings.namespace else {}
    answer = caller.call("GET", url, headers)
    if answer.status == 503:
        raise refusal(answer, settings, "its revocation lists")
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


def _failed_lists(settings: Settings, problem: str) -> TlsError:
    return TlsError(
        f"the issuer openbao at {settings.endpoint.url} {problem}, when its revocation lists were read",
        hint="Check mount and namespace of the issuer and its log, then run the play again. The hosts keep their lists until then.",
        code="issuer-failed",
    )
