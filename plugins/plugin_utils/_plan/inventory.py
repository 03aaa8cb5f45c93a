# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory wants: hosts, addresses, clients and their bundles, also those of revoked clients. |.

A host's answer is not trusted: profile, authority, validity and requester of a signing request
are taken from the controller's own variables, and a client request counts only if that client is assigned to the host.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._variables.fleet_variables import connected_address, is_true
from . import inspected, issuer_settings, locations

Mapping = t.Mapping[str, t.Any]

# The form of reasons that a host may report: they get into the ledger.
_REASON = re.compile(r"[a-z]+(-[a-z]+){0,7}")
# In the name of each authority that this collection makes: its access group and its generation.
_OUR_AUTHORITY = re.compile(r"(?:^|,)OU=[a-z0-9_-]+-g[0-9]{1,4}(?:,|$)")


def _wanted_requests(answer: t.Any, *, predicting: bool = False) -> list[Mapping]:
    """Return the entries of a host's answer that ask for a certificate, and none that is not shaped as one.

    ``predicting``: in check mode, where hosts make no request.
    """
    entries = answer.get("requests") if isinstance(answer, t.Mapping) else None
    shaped = [entry for entry in entries if _is_request(entry)] if isinstance(entries, (list, tuple)) else []
    wanted = [entry for entry in shaped if entry["request_content"] or (predicting and entry.get("action") == "issue")]
    return [{**entry, "reasons": list(filter(_REASON.fullmatch, entry["reasons"]))} for entry in wanted]


def _is_request(entry: t.Any) -> bool:
    return (
        isinstance(entry, t.Mapping)
        and all(isinstance(entry.get(name), str) for name in ("id", "request_content", "common_name"))
        and all(_is_texts(entry.get(name)) for name in ("names", "reasons"))
        and isinstance(entry.get("certificate") or {}, t.Mapping)
    )


def _is_texts(value: t.Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


def server_signing_requests(
    hosts: t.Iterable[str], hostvars: Mapping, validity: str, foreign_authority: str = "fail", predicting: bool = False
) -> list[dict[str, t.Any]]:
    """Return what M(signed_certificates) is to sign for ``hosts``: one server certificate at most for each.

    In: inventory names, ``hostvars``, and the role's defaults of ``docker_server_cert_validity`` and ``_foreign_authority``
    (a host's own values count more); ``predicting`` is check mode. Names that the controller did not ask for itself are
    ``reported_names``: the CA decides about them.
    Out: its ``requests``, with the id ``<host>/server``.
    """
    return [
        {
            "id": f"{host}/server",
            "authority": "server",
            "profile": "server",
            "request_content": entry["request_content"],
            **_names_of(host, entry, hostvars[host]),
            "validity": hostvars[host].get("docker_server_cert_validity", validity),
            "requester": host,
            "reasons": entry["reasons"],
            **_replaced(entry, hostvars[host], foreign_authority),
        }
        for host in hosts
        for entry in _wanted_requests(inspected.requested(hostvars[host]), predicting=predicting)[:1]
    ]


def _replaced(entry: Mapping, variables: Mapping, foreign_authority: str) -> dict[str, t.Any]:
    """Return ``replaces`` for a certificate that must not be replaced unless the CA knows its authority; else nothing."""
    return {} if _replaces_any(variables, foreign_authority) else _present(entry)


def _replaces_any(variables: Mapping, usual: str) -> bool:
    adopted = variables.get("docker_daemon_existing_settings") in ("adopt", "replace")
    return bool(variables.get("docker_server_cert_foreign_authority", "replace" if adopted else usual) == "replace")


def _present(entry: Mapping) -> dict[str, t.Any]:
    certificate = entry.get("certificate")
    if "authority-changed" not in entry["reasons"] or not certificate:
        return {}
    texts = {name: str(certificate.get(name) or "") for name in ("serial", "issuer", "authority_key_identifier")}
    return {"replaces": {**texts, "authority_fingerprint_sha256": str(entry.get("authority_fingerprint_sha256") or "")}}


def _replaced_of_client(entry: Mapping, client: str, may_replace: bool) -> dict[str, t.Any]:
    """Return ``replaces`` for a client's valid certificate; nothing for what another tool has made, of which the bundle keeps a copy."""
    certificate = entry.get("certificate") or {}
    is_ours = certificate.get("common_name") == client or _OUR_AUTHORITY.search(str(certificate.get("issuer") or ""))
    return _present(entry) if is_ours and not may_replace and "expired" not in entry["reasons"] else {}


def _clients_may_replace(host: str, hostvars: Mapping, docker_hosts: t.Iterable[str]) -> bool:
    """Return whether the clients on ``host`` may change over to another CA: where it says so itself, or all Docker hosts change over."""
    own = "docker_server_cert_foreign_authority" in hostvars[host]
    wishes = [_replaces_any(hostvars[one], "fail") for one in ([host] if own else docker_hosts)]
    return bool(wishes) and all(wishes)


def _names_of(host: str, entry: Mapping, variables: Mapping) -> dict[str, t.Any]:
    """Return the names of a signing request: those of the controller, and apart from them what only the host reports."""
    # By the action that has asked the host (plugins/action/certificate_requests.py, host_state.py), and not by the host.
    asked = (inspected.requested(variables).get("asked") or {}).get("server") or {}
    own = {*(asked.get("names") or ()), host.lower()}
    return {
        "common_name": asked.get("common_name") or "",
        "names": [name for name in entry["names"] if name in own],
        "reported_names": [name for name in entry["names"] if name not in own],
        "extends": list(asked.get("extends") or ()),
        "address_ranges": list(asked.get("address_ranges") or ()),
    }


def ascii_name(name: str) -> str:
    """Return a name as hosts report it: lower-case ASCII (IDNA 2003, the codec that they use too)."""
    try:
        return name.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        return name.lower().rstrip(".")


def client_bundles(
    host: str, hostvars: Mapping, clients: t.Sequence[Mapping], machines: t.Container[str]
) -> list[Mapping]:
    """Return which client's bundle goes to which user and directory on ``host``.

    In: an inventory name, ``hostvars``, docker_client_cert_clients, the hosts of the group docker_clients.
    On a client machine: one for each entry of docker_client_cert_users, by default the first client for the user that Ansible logs in as.
    Elsewhere (the controller): one for each client without ``controller: false``. A controller that is a client machine too has both.
    None for a client that is revoked.
    Out: dicts with ``id`` (unique on the host), ``client``, ``user`` ("" = the user who runs the task), ``directory`` ("" = the usual one).
    """
    present = present_clients(clients)
    found: list[Mapping] = []
    if locations.has_own_bundles(host, machines):
        found += [
            {
                "id": client["name"],
                "client": client["name"],
                "user": "",
                "directory": client.get("controller_directory") or "",
            }
            for client in present
            if is_true(client.get("controller", True))
        ]
    if host in machines:
        found += _bundles_of_users(host, hostvars[host], clients, present)
    return found


def _bundles_of_users(
    host: str, variables: Mapping, clients: t.Iterable[Mapping], present: t.Sequence[Mapping]
) -> list[Mapping]:
    first = next((client["name"] for client in present), "")
    revoked = {client["name"] for client in clients} - {client["name"] for client in present}
    users = [
        user
        for user in variables.get("docker_client_cert_users") or [{}]
        if user.get("client", first) and user.get("client", first) not in revoked
    ]
    login = locations.login_user(host, variables)
    return [
        {
            "id": f"{user.get('user', login)}:{user.get('client', first)}",
            "client": user.get("client", first),
            "user": user.get("user", login),
            "directory": user.get("directory", ""),
        }
        for user in users
    ]


def present_clients(clients: t.Iterable[Mapping]) -> list[Mapping]:
    """Return the clients that are to have certificates."""
    return [client for client in clients if client.get("state", "present") == "present"]


def client_signing_requests(
    hosts: t.Iterable[str],
    hostvars: Mapping,
    clients: t.Sequence[Mapping],
    machines: t.Container[str],
    validity: str,
    predicting: bool = False,
    docker_hosts: t.Sequence[str] = (),
) -> list[dict[str, t.Any]]:
    """Return the signing requests of the client bundles on ``hosts``; ``predicting`` is check mode.

    Out: M(signed_certificates) ``requests``, with ids ``<host>/<bundle id>``. A host's answer counts only for the clients
    that the inventory assigns to it; common name, group and validity come from the client's entry.
    """
    by_name = {client["name"]: client for client in present_clients(clients)}
    requests = []
    for host in hosts:
        assigned = {bundle["id"]: bundle["client"] for bundle in client_bundles(host, hostvars, clients, machines)}
        may_replace = _clients_may_replace(host, hostvars, docker_hosts)
        for entry in _wanted_requests(hostvars[host].get("__docker_client_cert_requested"), predicting=predicting):
            client = by_name.get(assigned.get(entry["id"], ""))
            if client is None:
                continue
            requests.append(
                {
                    "id": f"{host}/{entry['id']}",
                    "authority": client.get("group", "clients"),
                    "profile": "client",
                    "request_content": entry["request_content"],
                    "common_name": client["name"],
                    "names": [],
                    "validity": client.get("validity", validity),
                    "requester": host,
                    "reasons": entry["reasons"],
                    **_replaced_of_client(entry, client["name"], may_replace),
                }
            )
    return requests


def client_certificate_requests(
    bundles: t.Iterable[Mapping], clients: t.Sequence[Mapping], authorities: Mapping, settings: Mapping
) -> list[dict[str, t.Any]]:
    """Return the ``requests`` of M(certificate_requests) for ``bundles`` (of client_bundles).

    ``settings`` holds the role's ``path``, ``key_type``, ``validity``, ``renew_before``, ``renew_jitter``, ``force``, the inventory
    name ``host``, and ``issuers`` by access group where one of them takes files. Raises ValueError for an unknown client or group.
    """
    requests = []
    for bundle in bundles:
        client = _client_named(bundle["client"], clients)
        group = client.get("group", "clients")
        if group not in authorities:
            raise ValueError(
                f"docker_client_cert_clients: the client {client['name']!r} is of the group {group!r}, which has no authority. "
                f"Those that have: {', '.join(sorted(set(authorities) - {'server'}))}. "
                "Add it to docker_ca_access_groups and run the role docker_ca, or correct the name."
            )
        directory = bundle_directory(bundle, settings["path"])
        requests.append(
            {
                "id": bundle["id"],
                "profile": "client",
                "key_path": f"{directory}/key.pem",
                "certificate_path": f"{directory}/cert.pem",
                "key_type": client.get("key_type", settings["key_type"]),
                "common_name": client["name"],
                "authority_content": authorities[group]["certificate_content"],
                **({"external_issuer": True} if authorities[group].get("external") else {}),
                **_key_source(settings, group, client["name"]),
                "validity": client.get("validity", settings["validity"]),
                "renew_before": client.get("renew_before", settings["renew_before"]),
                "renew_jitter": client.get("renew_jitter", settings["renew_jitter"]),
                "renew_jitter_name": settings["host"],
                "force": settings["force"],
                "owner": bundle["user"] or None,
            }
        )
    return requests


def _key_source(settings: Mapping, group: str, client: str) -> dict[str, str]:
    path = issuer_settings.key_source((settings.get("issuers") or {}).get(group), client=client)
    return {"key_source_path": path} if path else {}


def rejected_requests(rejected: Mapping, host: str) -> dict[str, t.Any]:
    """Return what of M(signed_certificates) ``rejected`` is about ``host``, by the part of the id after the host's name."""
    prefix = f"{host}/"
    return {name[len(prefix) :]: reason for name, reason in rejected.items() if name.startswith(prefix)}


def client_bundle_files(
    bundles: t.Iterable[Mapping], host: str, signed: Mapping, authorities: Mapping, settings: Mapping
) -> list[dict[str, t.Any]]:
    """Return the ``bundles`` of M(certificate_bundles) for ``host``.

    ``signed`` is what M(signed_certificates) gave ({} for nothing); ``settings`` holds the role's ``path`` and ``docker_host``.
    """
    return [
        {
            "id": bundle["id"],
            "directory": bundle_directory(bundle, settings["path"]),
            "certificate_content": signed.get(f"{host}/{bundle['id']}", {}).get("certificate_content", ""),
            "ca_content": authorities["server"]["trusted_content"],
            "docker_host": settings["docker_host"],
            "owner": bundle["user"] or None,
        }
        for bundle in bundles
    ]


def bundle_directory(bundle: Mapping, path: str) -> str:
    """Return where a bundle lives: its own directory, else the user's C(~/.docker), else that of bundle_places.of_client on the controller."""
    if bundle["directory"]:
        return str(bundle["directory"])
    return f"~{bundle['user']}/.docker" if bundle["user"] else locations.of_client(path, str(bundle["client"]))


def _client_named(name: str, clients: t.Sequence[Mapping]) -> Mapping:
    known = present_clients(clients)
    for client in known:
        if client["name"] == name:
            return client
    names = ", ".join(str(client["name"]) for client in known)
    raise ValueError(
        f"docker_client_cert_users names the client {name!r}, which docker_client_cert_clients ({names}) does not have."
    )


def endpoint_url(host: str, hostvars: Mapping) -> str:
    """Return by which ``tcp://ADDRESS:PORT`` clients reach the endpoint of ``host``.

    docker_daemon_address counts first; then the one address that docker_daemon_listen names, if it names just one;
    then ``ansible_host`` (or ``ansible_ssh_host``), then the inventory name. The port is that of the first listen entry, else docker_daemon_port.
    """
    variables = hostvars[host]
    listen = [str(entry) for entry in as_list(variables.get("docker_daemon_listen"))]
    literal = [address for address in listen_addresses(listen) if address != "private"]
    only = literal[0] if len(listen) == 1 and literal else ""
    address = variables.get("docker_daemon_address") or only or connected_address(host, variables)
    ports = [port for _address, colon, port in (entry.rpartition(":") for entry in listen) if colon and port.isdigit()]
    bracketed = f"[{address.strip('[]')}]" if ":" in address else address
    return f"tcp://{bracketed}:{ports[0] if ports else variables.get('docker_daemon_port', 2376)}"


def as_list(value: t.Any) -> list[t.Any]:
    """Return the entries of a variable that has to be a list; of a text, as modules read it, the parts between its commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return list(value) if isinstance(value, (list, tuple, set)) else []


def listen_addresses(entries: t.Any) -> list[str]:
    """Return which of the host's addresses a certificate needs for these listen entries.

    In: ``docker_daemon_listen`` (``private``, ``10.0.0.5:2376``, ``[fd00::5]:2376``, with or without ``tcp://``).
    Out: ``private`` and the addresses, without ports, wildcards and other texts (dockerd's preflight checks those).
    """
    addresses: list[str] = []
    for entry in as_list(entries):
        text = str(entry).removeprefix("tcp://")
        if text == "private":
            addresses.append(text)
            continue
        host = text[1:].split("]")[0] if text.startswith("[") else text.rsplit(":", 1)[0]
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            continue
        if not address.is_unspecified:
            addresses.append(str(address))
    return list(dict.fromkeys(addresses))


def client_anchors(authorities: Mapping, groups: t.Iterable[str]) -> str:
    """Return the PEM certificates of the client authorities of ``groups``: what dockerd is to trust.

    In: docker_ca_authorities, docker_daemon_access_groups. Raises ValueError for an unknown or missing group.
    """
    names = list(groups)
    known = sorted(name for name, authority in authorities.items() if authority["purpose"] != "server")
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        found = f"names the unknown group {', '.join(unknown)}" if unknown else "is empty, so no client could connect"
        raise ValueError(
            f"docker_daemon_access_groups {found}. The access groups with an authority are: {', '.join(known)}. "
            "Add the group to docker_ca_access_groups and run the role docker_ca, or correct the name."
        )
    return "".join(authorities[name]["trusted_content"] for name in names)


def dual_trust(authorities: Mapping, groups: t.Iterable[str]) -> bool:
    """Return whether one adopted CA is both the server authority and that of an admitted group.

    The user has adopted it for both; dockerd and the preflight would refuse it otherwise.
    """
    server = authorities.get("server") or {}
    of_server = _certificates(server.get("trusted_content", ""))
    return any(
        bool(of_server & _certificates((authorities.get(name) or {}).get("trusted_content", ""))) for name in groups
    )


def _certificates(text: str) -> set[str]:
    """Return the PEM blocks of a text."""
    end = "-----END CERTIFICATE-----"
    return {part.strip() for part in str(text).split(end) if part.strip()}


def revoked_bundles(
    host: str, hostvars: Mapping, clients: t.Sequence[Mapping], machines: t.Container[str], path: str
) -> list[dict[str, t.Any]]:
    """Return the bundles of revoked clients on ``host``, as M(certificate_bundles) removes them.

    ``path`` is where the controller has its bundles.
    """
    gone = [client for client in clients if client.get("state", "present") == "revoked"]
    names = [one["name"] for one in gone]
    found: list[Mapping] = []
    if locations.has_own_bundles(host, machines):
        found += [
            {"client": one["name"], "user": "", "directory": one.get("controller_directory") or ""} for one in gone
        ]
    if host in machines:
        login = locations.login_user(host, hostvars[host])
        found += [
            {"client": user["client"], "user": user.get("user", login), "directory": user.get("directory", "")}
            for user in hostvars[host].get("docker_client_cert_users") or []
            if user.get("client") in names
        ]
    return [
        {
            "id": f"{bundle['user']}:{bundle['client']}" if bundle["user"] else bundle["client"],
            "state": "absent",
            "common_name": bundle["client"],
            "directory": bundle_directory(bundle, path),
            "owner": bundle["user"] or None,
        }
        for bundle in found
    ]
