# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The issuer of each certificate, by ``docker_server_cert_issuer`` and ``docker_client_cert_issuers``.

Both have one shape: ``issuer``, ``ca_content`` (the anchors), ``trust_local_ca``, and the settings of the engine under its name. They hold
secrets, so a problem names the variable and the key, and no value.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import typing as t

Mapping = t.Mapping[str, t.Any]
Options = dict[str, t.Any]

SERVER_VARIABLE, CLIENT_VARIABLE = "docker_server_cert_issuer", "docker_client_cert_issuers"
SERVER = "server"
LOCAL = "local"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----")
#: Which keys an issuer has beside those that all have.
SETTINGS: Mapping = {LOCAL: (), "openbao": ("openbao",), "files": ("files",), "acme": ("acme",), "tasks": ("tasks",)}
#: Those of them that M(issued_certificates) takes; the others are asked elsewhere, and their answers are checked.
_ASKED_HERE = ("openbao", "files")
_SHARED = ("issuer", "ca_content", "trust_local_ca")
#: Only for issuers of clients: the user confirms that the CA issues for Docker's clients alone.
DEDICATED = "only_docker_clients"
#: So has this: the revocation lists that hosts check which can (``access_lists.is_proxy``), as PEM, or ENGINE.
LISTS = "revocation_lists"
ENGINE = "engine"
_LIST_BEGINS = "-----BEGIN X509 CRL-----"


def declared(server: t.Any, clients: t.Any) -> list[Options]:
    """Return one entry for each authority that the variables name: ``authority`` beside its keys. In: values that ``problems`` has seen."""
    found = [{**server, "authority": SERVER}] if isinstance(server, t.Mapping) and server else []
    if isinstance(clients, t.Mapping):
        found += [{**one, "authority": str(group)} for group, one in clients.items() if isinstance(one, t.Mapping)]
    return found


def anchors(issuers: t.Iterable[Mapping]) -> list[Options]:
    """Return the option ``issuers`` of M(authorities) and M(authority_info): no settings, so no secrets."""
    return [{name: one[name] for name in ("authority", *_SHARED) if name in one} for one in issuers]


def asked(issuers: t.Iterable[Mapping]) -> list[Options]:
    """Return the option ``issuers`` of M(issued_certificates): those that are another than the CA of the collection."""
    return [
        {
            "authority": one["authority"],
            "issuer": one["issuer"],
            "ca_content": one["ca_content"],
            **{name: one[name] for name in SETTINGS.get(one["issuer"], ()) if name in one and name in _ASKED_HERE},
        }
        for one in issuers
        if one.get("issuer", LOCAL) != LOCAL
    ]


def key_source(issuer: t.Any, **words: str) -> str:
    """Return the path of the key that something else makes, "" where it makes none. In it ``{host}`` and ``{client}`` stand for ``words``."""
    files = issuer.get("files") if isinstance(issuer, t.Mapping) and issuer.get("issuer") == "files" else None
    path = str((files or {}).get("key_path") or "") if isinstance(files, t.Mapping) else ""
    for name, word in words.items():
        path = path.replace(f"{{{name}}}", word)
    return path


def is_external(issuers: t.Iterable[Mapping], authority: str) -> bool:
    """Return whether another issuer signs for an authority."""
    return any(one["authority"] == authority and one.get("issuer", LOCAL) != LOCAL for one in issuers)


def without_lists(issuers: t.Iterable[Mapping]) -> set[str]:
    """Return the authorities that another issuer signs for and has no revocation lists for."""
    return {one["authority"] for one in issuers if one.get("issuer", LOCAL) != LOCAL and not one.get(LISTS)}


def is_anchor(issuers: t.Iterable[Mapping], fingerprint: str) -> bool:
    """Return whether a certificate with this SHA-256 fingerprint is an anchor of one of the issuers: what leads to it is not foreign."""
    return bool(fingerprint) and any(
        fingerprint == one for issuer in issuers for one in _fingerprints(str(issuer.get("ca_content") or ""))
    )


def _fingerprints(text: str) -> t.Iterator[str]:
    for block in _CERTIFICATE.findall(text):
        with contextlib.suppress(ValueError):
            yield hashlib.sha256(base64.b64decode("".join(block.split()), validate=True)).hexdigest()


def needs_ca(issuers: t.Iterable[Mapping], groups: t.Iterable[str]) -> bool:
    """Return whether the CA of the collection signs anything: the servers' certificates, or those of an access group."""
    external = {one["authority"] for one in issuers if one.get("issuer", LOCAL) != LOCAL}
    return not {SERVER, *groups} <= external


def problems(server: t.Any, clients: t.Any, groups: t.Collection[str]) -> list[str]:
    """Return a sentence for everything that is wrong with the two variables; ``groups`` are the access groups."""
    found: list[str] = []
    if server not in (None, {}):
        found += _problems(SERVER_VARIABLE, server, is_client=False)
    if clients in (None, {}):
        return found
    if not isinstance(clients, t.Mapping):
        return [
            *found,
            f"{CLIENT_VARIABLE} has to be a dictionary: the name of an access group, and under it its issuer.",
        ]
    for group, one in clients.items():
        where = f"{CLIENT_VARIABLE}: {group}"
        if str(group) not in groups:
            found.append(
                f"{where} is not an access group ({', '.join(groups)}). Add it to docker_ca_access_groups, or correct the name."
            )
        found += _problems(where, one, is_client=True)
    return found


def _problems(where: str, one: t.Any, *, is_client: bool) -> list[str]:
    if not isinstance(one, t.Mapping):
        return [f"{where} has to be a dictionary with issuer, ca_content and the settings of the issuer."]
    kind = one.get("issuer", LOCAL)
    if not isinstance(kind, str) or kind not in SETTINGS:
        return [f"{where}: issuer is {kind!r}. Write one of {', '.join(SETTINGS)}."]
    known = {*_SHARED, *SETTINGS[kind], *([DEDICATED, LISTS] if is_client else [])}
    found = [
        f"{where}: an issuer {kind} has no {name}. It has {', '.join(sorted(known))}."
        for name in sorted(set(map(str, one)) - known)
    ]
    found += _list_problems(where, one)
    if kind == LOCAL:
        return found
    if not isinstance(one.get("ca_content"), str) or not one["ca_content"].strip():
        found.append(
            f"{where}: ca_content is missing. Give it the root or intermediate certificates (PEM) that the certificates of the issuer lead to, "
            "for example with lookup('ansible.builtin.file', 'company-root.pem')."
        )
    if is_client and kind == "acme":
        found.append(
            f"{where}: ACME issues certificates for the names of servers, not for clients. Choose local, openbao, files or tasks."
        )
    if kind == "tasks" and not str(one.get("tasks") or "").startswith("/"):
        found.append(
            f"{where}: tasks is not the absolute path of a file with tasks, for example {{{{ playbook_dir }}}}/issuer.yml."
        )
    for name in SETTINGS[kind] if kind != "tasks" else ():
        if not isinstance(one.get(name), t.Mapping):
            found.append(f"{where}: {name} is missing, the settings of the issuer. docs/issuers.md has an example.")
    found += _key_path_problems(where, one, is_client=is_client)
    if is_client and one.get(DEDICATED) is not True:
        found.append(
            f"{where}: anyone who has any client certificate below these CAs gets root on the hosts that admit the group, because Docker checks no names. "
            f"Use an issuing CA that issues only for Docker's clients, pin it in ca_content, and set {DEDICATED}: true."
        )
    return found


def _list_problems(where: str, one: Mapping) -> t.Iterator[str]:
    """Yield the problems of the revocation lists. Those of an issuer that only begins to sign (``local``) are given as PEM."""
    lists = one.get(LISTS)
    if lists in (None, ""):
        return
    if lists == ENGINE:
        if one.get("issuer", LOCAL) != "openbao":
            yield f"{where}: {LISTS} is {ENGINE}, which only the issuer openbao has. Give the lists as PEM, for example with lookup('file', ...)."
    elif not isinstance(lists, str) or _LIST_BEGINS not in lists:
        yield f"{where}: {LISTS} is neither {ENGINE} nor a text with lists in PEM form ({_LIST_BEGINS}). Convert one with openssl crl -inform DER."


def _key_path_problems(where: str, one: Mapping, *, is_client: bool) -> t.Iterator[str]:
    """Yield the problems of the path of keys that another tool makes: each of several clients needs its own."""
    path = key_source(one)
    if path and not path.startswith(("/", "~")):
        yield f"{where}: key_path is {path!r}, which is not an absolute path. It is on the {'machine of the bundle' if is_client else 'Docker host'}."
    word = "{client}" if is_client else "{host}"
    unknown = sorted(set(re.findall(r"\{[^{}]*\}", path)) - {word})
    if unknown:
        yield f"{where}: key_path has {', '.join(unknown)}, and only {word} is allowed in it."
    if path and is_client and word not in path:
        yield f"{where}: key_path lacks {word}: each client has a key of its own, for example /srv/docker-keys/{word}.pem."


def not_revocable(clients: t.Any, entries: t.Iterable[Mapping]) -> t.Iterator[str]:
    """Name each client with ``state: revoked`` whose certificate is from another issuer. Docker reads no revocation list (measured)."""
    issuers = declared({}, clients)
    for entry in entries:
        group = str(entry.get("group") or "clients")
        if entry.get("state") == "revoked" and is_external(issuers, group):
            yield (
                f"The client {entry.get('name')!r} cannot be revoked here: another issuer signs for the access group {group}, and Docker reads no revocation "
                "list of it. Have that issuer sign for the others with a new issuing CA, put that alone into ca_content, and take this client out of "
                f"the list; or take the group out of docker_daemon_access_groups. Hosts with the listener proxy check lists of that issuer: set {LISTS} of "
                "the group, and revoke the certificate there."
            )


def differing(values: t.Mapping[str, t.Any], variable: str) -> list[str]:
    """Return the problem that hosts disagree about a variable; ``values``: by host. One run has one issuer for each authority."""
    (first, value), *others = list(values.items()) or [("", None)]
    return [
        f"{variable} is not the same for {first} and {host}, but all hosts and the controller have one issuer: set it in group_vars/all."
        for host, other in others
        if (other or {}) != (value or {})
    ][:1]
