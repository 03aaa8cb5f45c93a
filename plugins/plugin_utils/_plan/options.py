# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that the roles pass to the modules, bound to their variables by name: for the inspection before them and for the roles themselves."""

from __future__ import annotations

import os
import typing as t
from datetime import datetime, timezone

from ...module_utils._errors import TlsError
from .._variables.binding import Bound, Unresolved
from .._variables.fleet_variables import ADDRESSES, Fleet, is_true
from . import access_lists, inventory, issuer_settings, locations

Mapping = t.Mapping[str, t.Any]
Options = dict[str, t.Any]

#: A selector of docker_server_cert_addresses: the addresses that docker_daemon_listen names.
LISTEN = "listen"


def authorities(bound: Bound, role: str) -> Mapping:
    """Return the authorities that this run has read, by name: the facts of ``<role>_ca_host``, else ``__<role>_info``. Raises Unresolved without any."""
    facts = bound.of_host(bound[f"{role}_ca_host"]).get("ansible_facts")
    found = (facts or {}).get("docker_ca_authorities") or (bound.raw(f"__{role}_info") or {}).get("authorities")
    if not found:
        raise _without_authorities(bound, role)
    return t.cast(Mapping, found)


class AuthoritiesMissing(Unresolved):
    """The CA of this run does not exist yet."""

    hint = (
        "Run portcullis.docker_tls.site with the CA host in the run (without --limit, or with localhost in it where the controller has the CA). "
        "Where there is a CA, correct the group docker_ca or docker_ca_path."
    )
    code = "authority-missing"


class AuthoritiesUnread(Unresolved):
    """No task of this run has read the CA."""

    hint = "Run the playbook from its beginning, without --start-at-task and --tags."
    code = "run-unfinished"


def _without_authorities(bound: Bound, role: str) -> Unresolved:
    host = str(bound[f"{role}_ca_host"])
    known = (
        bound.of_host(host).get("__docker_ca_checked"),
        bound.raw(f"__{role}_info"),
        bound.raw("__docker_tls_authorities"),
    )
    if any(isinstance(one, t.Mapping) and "authorities" in one for one in known):
        return AuthoritiesMissing(f"there is no CA on {host} yet, so no certificate can be signed")
    return AuthoritiesUnread(f"this run has not read the CA on {host}: it began behind the tasks that do")


def ledger(bound: Bound, role: str) -> Mapping:
    """Return the end of the CA's ledger, as far as this run has read it; otherwise {}."""
    facts = bound.of_host(bound[f"{role}_ca_host"]).get("ansible_facts")
    found = (facts or {}).get("docker_ca_ledger") or (bound.raw(f"__{role}_info") or {}).get("ledger")
    return t.cast(Mapping, found or {})


def ca_path(bound: Bound, role: str, fleet: Fleet) -> str:
    """Return the CA directory: ``<role>_ca_path``, else where docker_ca has it."""
    if role == "docker_ca":
        host = locations.ca_host(bound.groups())
        return locations.ca_directory(host, bound.groups(), fleet)
    return str(bound[f"{role}_ca_path"] or locations.ca_directory(bound[f"{role}_ca_host"], bound.groups(), fleet))


def ca_passphrase(bound: Bound, role: str, fleet: Fleet) -> t.Any:
    """Return the CA's passphrase: ``<role>_ca_passphrase``, else docker_ca_passphrase of the CA host, else of this one."""
    found = bound[f"{role}_ca_passphrase"]
    host = bound[f"{role}_ca_host"]
    if not found and host in fleet:
        found = fleet[host].get("docker_ca_passphrase")
    return found or bound.get("docker_ca_passphrase") or ""


def everybody(bound: Bound, fleet: Fleet) -> list[Options]:
    """Return every client of the inventory, as M(authorities) and M(authority_info) take them."""
    return access_lists.all_clients(bound.get("docker_ca_clients") or [], bound.groups(), fleet)


def issuers(bound: Bound, fleet: Fleet) -> list[Options]:
    """Return who issues for which authority instead of the CA, with settings: the task's own variables, else those of the Docker hosts."""
    found: list[t.Any] = []
    for name in (issuer_settings.SERVER_VARIABLE, issuer_settings.CLIENT_VARIABLE):
        hosts = bound.groups().get("docker_hosts") or ()
        others = (fleet[host].get(name) for host in hosts if host in fleet)
        found.append(bound.get(name) or next((one for one in others if one), {}))
    return issuer_settings.declared(*found)


def wanted_authorities(bound: Bound, fleet: Fleet) -> Options:
    """Return the options of the role docker_ca for M(authorities)."""
    shared = {
        "organization": bound["docker_ca_organization"],
        "key_type": bound["docker_ca_key_type"],
        "validity": bound["docker_ca_validity"],
    }
    return {
        "path": bound["docker_ca_path"],
        "passphrase": bound["docker_ca_passphrase"],
        "server": {"common_name": bound["docker_ca_common_name"], **shared},
        "client": {"common_name": bound["docker_ca_client_common_name"], **shared},
        "access_groups": bound["docker_ca_access_groups"],
        "unlisted_certificates": bound["docker_ca_unlisted_certificates"],
        "lock_timeout": bound["docker_ca_lock_timeout"],
        "restart_ledger": bound["docker_ca_restart_ledger"],
        "clients": everybody(bound, fleet),
        "issuers": issuer_settings.anchors(issuers(bound, fleet)),
        "revocation_list_groups": groups_by_list(bound, fleet),
        "cryptography_package": bound["docker_ca_cryptography_package"],
    }


def groups_by_list(bound: Bound, fleet: Fleet) -> list[str]:
    """Return the access groups that only hosts admit which check revocation lists."""
    known = issuers(bound, fleet)
    found = access_lists.groups_by_list(bound.groups(), fleet, issuer_settings.without_lists(known))
    return [group for group in found if not issuer_settings.is_external(known, group)]


def server_request(bound: Bound, known: Mapping) -> Options:
    """Return the request of the role docker_server_cert for M(certificate_requests). ``known`` are the authorities."""
    host, path = str(bound["inventory_hostname"]), bound["docker_server_cert_path"]
    return {
        "id": "server",
        "profile": "server",
        "key_path": f"{path}/server-key.pem",
        "certificate_path": f"{path}/server-cert.pem",
        "key_type": bound["docker_server_cert_key_type"],
        "common_name": bound["docker_server_cert_common_name"],
        "names": bound["docker_server_cert_names"],
        "optional_names": [host, _address(bound, host)],
        "fqdn": True,
        "local_names": bound["docker_server_cert_local_names"],
        "addresses": addresses(bound["docker_server_cert_addresses"], bound.get("docker_daemon_listen", [])),
        "authority_content": known["server"]["certificate_content"],
        **({"external_issuer": True} if known["server"].get("external") else {}),
        **_key_source(bound, known),
        "validity": bound["docker_server_cert_validity"],
        "renew_before": bound["docker_server_cert_renew_before"],
        "renew_jitter": bound["docker_server_cert_renew_jitter"],
        "renew_jitter_name": host,
        "force": bound["docker_server_cert_force_renewal"],
    }


def _key_source(bound: Bound, known: Mapping) -> Options:
    """Return where the key of this host is that something else makes. The variable is read only where it can name one: it holds secrets."""
    issuer = bound.get(issuer_settings.SERVER_VARIABLE) if known["server"].get("issuer") == "files" else None
    path = issuer_settings.key_source(issuer, host=str(bound["inventory_hostname"]))
    return {"key_source_path": path} if path else {}


def _address(bound: Bound, host: str) -> t.Any:
    """Return the address by which Ansible reaches the host of the task."""
    return next((bound[name] for name in ADDRESSES if bound.get(name)), host)


def addresses(wanted: t.Any, listen: t.Any) -> t.Any:
    """Return docker_server_cert_addresses with the addresses of the selector ``listen`` in it."""
    entries = inventory.as_list(wanted)
    if LISTEN not in entries:
        return wanted
    found = [each for entry in entries for each in (inventory.listen_addresses(listen) if entry == LISTEN else [entry])]
    return list(dict.fromkeys(found))


def endpoint(bound: Bound, known: Mapping, *, may_keep_lists: bool = False) -> Options:
    """Return the options of the role docker_daemon for M(endpoint), but for a certificate that was signed in this run.

    ``may_keep_lists``: whether the host may keep revocation lists that could not be renewed, because the run fails for it later (``host_state``).
    """
    groups, path = bound["docker_daemon_access_groups"], bound["docker_daemon_config_path"]
    is_proxy = bound["docker_daemon_listener"] == "proxy"
    anchors = inventory.client_anchors(known, groups)  # refuses groups that the CA does not have
    kept = _unrenewed(bound, known, groups, may_keep=may_keep_lists) if is_proxy else {}
    return {
        "state": bound["docker_daemon_state"],
        "listen": bound["docker_daemon_listen"],
        "port": bound["docker_daemon_port"],
        "listener": bound["docker_daemon_listener"],
        "directory": bound["docker_daemon_certificate_path"],
        "ca_content": known["server"]["trusted_content"],
        "client_ca_content": anchors,
        "group_authorities": _of_groups(known, groups, named=is_proxy),
        "group_rights": _rights_for(bound["docker_daemon_group_rights"], groups, bound["docker_daemon_listener"]),
        "crl_content": _lists_for(bound, known, [name for name in groups if name not in kept]) if is_proxy else "",
        **({"kept_lists": kept} if kept else {}),
        "stream_timeout": bound["docker_daemon_proxy_stream_timeout"],
        "allowed_sources": bound["docker_daemon_allowed_sources"],
        "haproxy_package": bound["docker_daemon_haproxy_package"],
        **({"config_path": path} if path else {}),
        "existing_settings": bound["docker_daemon_existing_settings"],
        "allow_public_address": bound["docker_daemon_allow_public_address"],
        "allow_port_2375": bound["docker_daemon_allow_port_2375"],
        "allow_dual_trust": inventory.dual_trust(known, groups),
        "live_restore": bound["docker_daemon_live_restore"],
        "start_timeout": bound["docker_daemon_start_timeout"],
        "confirm_timeout": bound["docker_daemon_confirm_timeout"],
        "controller_time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "verify": bound["docker_daemon_verify"] == "always",
        "verification_follows": bound["docker_daemon_verify"] != "never",
    }


def _rights_for(rights: t.Any, groups: t.Iterable[str], listener: str) -> t.Any:
    """Return the rights that concern a host: a proxy checks them all, and the other listeners only have to refuse those of admitted groups."""
    if listener == "proxy" or not isinstance(rights, t.Mapping):
        return rights
    return {name: rights[name] for name in groups if name in rights}


def _of_groups(known: Mapping, groups: t.Iterable[str], *, named: bool) -> dict[str, str]:
    """Return the trusted certificates of each access group: for a proxy (``named``), else only of those that check mode has none of yet."""
    found = {name: known[name]["trusted_content"] for name in groups}
    return found if named else {name: text for name, text in found.items() if not text}


def _unrenewed(bound: Bound, known: Mapping, groups: t.Sequence[str], *, may_keep: bool) -> dict[str, dict[str, str]]:
    """Return the failure for each access group whose revocation lists could not be read; the host keeps those that it has of it.

    Raises it where it may not keep them, or where the lists of the other groups would not be complete either.
    """
    found = {}
    for name in groups:
        problem = known[name].get("crl_problem")
        if problem and bound["docker_daemon_state"] == "present":
            message = f"the revocation list of the access group {name} cannot be renewed on this host: {problem['msg']}"
            found[name] = {"msg": message, "hint": problem["hint"], "code": problem["code"]}
    others = (known[name] for name in groups if name not in found)
    complete = all(one.get("crl_content") or not one.get("trusted_content") for one in others)
    if found and not (may_keep and complete):
        first = next(iter(found))
        raise TlsError(found[first]["msg"], hint=found[first]["hint"], code=found[first]["code"])
    return found


def _lists_for(bound: Bound, known: Mapping, groups: t.Sequence[str]) -> str:
    """Return ``_revocation_lists``. Raises TlsError ``crl-incomplete`` where that of another issuer would be left out for want of another group's."""
    having = [name for name in groups if known[name].get("external") and known[name].get("crl_content")]
    lacking = [name for name in groups if known[name]["trusted_content"] and not known[name].get("crl_content")]
    if having and lacking and bound["docker_daemon_state"] == "present":
        raise TlsError(
            f"the access group {having[0]} has revocation lists of its issuer, but the proxy of this host could not check them, because the access "
            f"group {lacking[0]} has none",
            hint=f"Set revocation_lists in docker_client_cert_issuers for {lacking[0]} too (an adopted authority needs rotate_ca), take that group out of "
            f"docker_daemon_access_groups of this host, or take revocation_lists of {having[0]} out.",
            code="crl-incomplete",
        )
    return _revocation_lists(known, groups)


def _revocation_lists(known: Mapping, groups: t.Iterable[str]) -> str:
    """Return the lists of all authorities of the access groups, "" where one of them has none: HAProxy needs all or none.

    In check mode an authority that the run would make has no certificate yet.
    """
    made = (known[name] for name in groups if known[name]["trusted_content"])
    lists = [str(one.get("crl_content") or "") for one in made]
    return "".join(lists) if all(lists) else ""


def signed_of(bound: Bound, role: str) -> Mapping:
    """Return the certificates for a role in this run, of the CA and of other issuers."""
    signed = bound.raw(f"{role}_signed") or {}
    later = (bound.raw(f"__{role}_answered") or {}) if signed.get("pending") else {}
    return {
        **signed,
        **{name: {**(signed.get(name) or {}), **(later.get(name) or {})} for name in ("certificates", "rejected")},
    }


def signed_for(bound: Bound, host: str) -> Options:
    """Return the new certificate of a host's endpoint, or why there is none, as options of M(endpoint)."""
    signed = signed_of(bound, "docker_server_cert")
    requested = (bound.raw("__docker_server_cert_requested") or {}).get("requests") or []
    mine = (signed.get("certificates") or {}).get(f"{host}/server") or {}
    due = any(one.get("action") == "issue" for one in requested)
    return {
        "certificate_content": str(mine.get("certificate_content", "")),
        "certificate_pending": bool(bound.raw("ansible_check_mode")) and due,
        "rejected": inventory.rejected_requests(signed.get("rejected") or {}, host),
    }


def installation(bound: Bound) -> t.Optional[Options]:
    """Return the options of M(server_certificate) for the signed or rejected request of this run, None where there is nothing to install."""
    signed = signed_for(bound, str(bound["inventory_hostname"]))
    if not signed["rejected"] and not (signed["certificate_content"] and is_true(bound["docker_server_cert_install"])):
        return None
    return {
        "directory": bound["docker_server_cert_path"],
        "certificate_content": signed["certificate_content"],
        "ca_content": authorities(bound, "docker_server_cert")["server"]["trusted_content"],
        "rejected": signed["rejected"],
    }


def bundles_path(bound: Bound) -> str:
    """Return where the controller has its bundles; without HOME it is the account's home."""
    return os.path.expanduser(str(bound["docker_client_cert_path"]))
