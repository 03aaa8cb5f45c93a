# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a fleet that status.yml, rotate_ca.yml and record_certificates.yml read, and the results.

Defaults that the roles have are repeated here, because a play without the roles does not have them; a test compares them.
"""

from __future__ import annotations

import os
import typing as t

from .._remote import failures
from .._validate import preflight
from .._variables.binding import Bound
from .._variables.fleet_variables import Fleet
from . import inventory, locations
from .inventory import revoked_bundles
from .locations import CONTROLLER
from .locations import variables_of as _variables

Mapping = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

#: Where the playbooks register the answers of the hosts, and C(tasks/status_ca.yml) those of the CA host.
FILES = "__docker_status_files"
AUTHORITIES, LEDGER = "__docker_status_authorities", "__docker_status_ledger"
CERTIFICATE_DIRECTORY = "/etc/docker/certs"
DAEMON_JSON = "/etc/docker/daemon.json"
#: The report's fields of a certificate of another issuer.
EXTERNAL_FIELDS = ("issuer", "time", "requester")
CONTROLLER_CLIENTS = ".docker_tls/clients"
_LONGEST_PROBLEM = 300
# What Ansible puts in front of the reason, in this order.
_NOISE = ("Task failed: ", "Failed to connect to the host via ssh: ", "ssh: ")


def status(bound: Bound, variables: Fleet, settings: Mapping) -> dict[str, t.Any]:
    """Return the options ``hosts``, ``clients`` and ``ca`` of M(fleet_status) for all hosts of the play.

    In: the variables of a task that runs after everything was read; ``settings`` with ``complete``, False where only the endpoints are asked.
    Raises ValueError for an inventory that has nothing of this collection, and is probably a wrong one.
    """
    here = bound.raw("ansible_play_hosts_all") or ()
    read = (bound.raw(name) or {} for name in (AUTHORITIES, LEDGER))
    groups = bound.groups()
    found = fleet(here, groups, variables, *read, complete=settings["complete"])
    if found["ca"]["state"] == "missing" and not (groups.get("docker_hosts") or groups.get("docker_clients")):
        place = f"{found['ca']['path']} on {found['ca']['host']}"
        raise ValueError(f"the inventory has no host in docker_hosts or docker_clients, and there is no CA in {place}")
    return found


def files(host: str, groups: Groups, hostvars: Mapping) -> list[dict[str, str]]:
    """Return the ``files`` of M(certificate_files_info) for ``host``: a daemon's, and those of the bundles that it has."""
    wanted = []
    if host in (groups.get("docker_hosts") or []):
        variables = _variables(hostvars, host)
        directory = (
            variables.get("docker_daemon_certificate_path")
            or variables.get("docker_server_cert_path")
            or CERTIFICATE_DIRECTORY
        )
        names = {"certificate": "server-cert", "key": "server-key", "ca": "ca", "client_ca": "client-ca"}
        paths = {f"{kind}_path": f"{directory}/{name}.pem" for kind, name in names.items()}
        config_path = variables.get("docker_daemon_config_path") or DAEMON_JSON
        wanted.append({"id": "server", "unit": "docker.service", **paths, "config_path": config_path})
    for bundle, directory, formers in _bundles(host, groups, hostvars):
        wanted.append({"id": f"client {bundle['id']}", **_bundle_paths(directory)})
        wanted += [{"id": f"former {bundle['id']} {former}", **_bundle_paths(former)} for former in formers]
    return wanted


def _bundle_paths(directory: str) -> dict[str, str]:
    names = {"certificate": "cert", "key": "key", "ca": "ca"}
    return {f"{kind}_path": f"{directory}/{name}.pem" for kind, name in names.items()}


def files_to_record(host: str, groups: Groups, hostvars: Mapping) -> list[dict[str, str]]:
    """Return ``files``, and the bundles of revoked clients: the ledger needs their certificates before it can revoke them."""
    machines = groups.get("docker_clients") or []
    found = files(host, groups, hostvars)
    if host != CONTROLLER and host not in machines:
        return found
    variables = _variables(hostvars, host)
    known, clients = {host: variables}, defined_clients(variables)
    for one in revoked_bundles(host, known, clients, machines, _client_path(variables)):
        directory = _expanded(one["directory"], {"user": one["owner"]})
        found.append({"id": f"client {one['id']}", **_bundle_paths(directory)})
    return found


def _client_path(variables: Mapping) -> str:
    return str(variables.get("docker_client_cert_path") or os.path.join(os.path.expanduser("~"), CONTROLLER_CLIENTS))


def fleet(
    hosts: t.Sequence[str],
    groups: Groups,
    hostvars: Mapping,
    authorities: Mapping,
    ledger: Mapping,
    *,
    complete: bool = True,
) -> dict[str, t.Any]:
    """Return the options ``hosts``, ``clients`` and ``ca`` of M(fleet_status) for ``hosts`` of the play.

    ``authorities`` and ``ledger`` are the results of M(authority_info) and M(ledger_info); what each host's
    M(certificate_files_info) returned is in its variable ``__docker_status_files``. ``complete`` is False where only
    the endpoints are to be checked: then bundles and authorities that this user has not are not missed.
    """
    daemons = groups.get("docker_hosts") or []
    clients = [client for host in hosts for client in _clients(host, groups, hostvars)]
    return {
        "hosts": [_host(host, hostvars) for host in hosts if host in daemons],
        "clients": [one for one in clients if complete or one["stored"]["state"] != "missing"],
        "ca": {
            **ca(groups, hostvars, authorities if complete or "authorities" in authorities else {}),
            "ledger": _ledger(ledger),
        },
    }


def ca(groups: Groups, hostvars: Mapping, result: Mapping) -> dict[str, t.Any]:
    """Return what became of reading the authorities."""
    host = locations.ca_host(groups)
    place = {"host": host, "path": locations.ca_directory(host, groups, hostvars)}
    if "authorities" in result:
        found = result["authorities"]
        unwanted = [*(result.get("revoked") or []), *(result.get("unlisted") or [])]
        return {**place, "state": "read" if found else "missing", "authorities": found, "certificates": unwanted}
    return {**place, "state": _state(result), "problem": _problem(result) if result else ""}


def _host(host: str, hostvars: Mapping) -> dict[str, t.Any]:
    variables = _variables(hostvars, host)
    return {
        "name": host,
        "endpoint": inventory.endpoint_url(host, hostvars),
        "state": variables.get("docker_daemon_state") or "present",
        "access_groups": list(variables.get("docker_daemon_access_groups") or preflight.DEFAULT_GROUPS),
        "stored": _stored(variables, "server"),
    }


def _clients(host: str, groups: Groups, hostvars: Mapping) -> t.Iterator[dict[str, t.Any]]:
    variables = _variables(hostvars, host)
    by_name = {client["name"]: client for client in defined_clients(variables)}
    for bundle, directory, formers in _bundles(host, groups, hostvars):
        stored = _stored(variables, f"client {bundle['id']}")
        if stored is None:
            continue
        if not stored.get("path"):
            stored = {**stored, "path": f"{directory}/cert.pem"}
        yield {
            "id": bundle["id"],
            "client": bundle["client"],
            "group": by_name.get(bundle["client"], {}).get("group", "clients"),
            "host": host,
            "stored": stored,
            "former": [
                {**found, "path": f"{former}/cert.pem"}
                for former in formers
                for found in [_stored(variables, f"former {bundle['id']} {former}")]
                if found is not None and found["state"] == "read"
            ],
        }


def _bundles(host: str, groups: Groups, hostvars: Mapping) -> t.Iterator[tuple[Mapping, str, list[str]]]:
    """Yield (bundle, directory, former directories) of the bundles on the controller or a client machine.

    The former ones are those that it had without controller_directory, docker_client_cert_path or the directory of a user.
    """
    machines = groups.get("docker_clients") or []
    if host != CONTROLLER and host not in machines:
        return
    variables = _variables(hostvars, host)
    path = _client_path(variables)
    usual = os.path.join(os.path.expanduser("~"), CONTROLLER_CLIENTS)
    known = {host: variables}
    bundles = list(inventory.client_bundles(host, known, defined_clients(variables), machines))
    present = {_real(inventory.bundle_directory(bundle, path), bundle) for bundle in bundles}
    for bundle in bundles:
        directory = inventory.bundle_directory(bundle, path)
        others = (
            inventory.bundle_directory({**bundle, "directory": ""}, place) for place in dict.fromkeys((path, usual))
        )
        formers = [_expanded(one, bundle) for one in dict.fromkeys(others) if _real(one, bundle) not in present]
        yield bundle, _expanded(directory, bundle), formers


def _expanded(directory: str, bundle: Mapping) -> str:
    """Return a directory of the controller without ~, which would be root's home with become."""
    return directory if bundle["user"] else os.path.expanduser(directory)


def _real(directory: str, bundle: Mapping) -> str:
    """Return what is the same for two names of a directory; of a user's, on another machine, the name."""
    return directory.rstrip("/") if bundle["user"] else os.path.realpath(os.path.expanduser(directory))


def defined_clients(variables: Mapping) -> t.Sequence[Mapping]:
    """Return the clients of the inventory, by default the one that the role has."""
    return variables.get("docker_client_cert_clients") or preflight.DEFAULT_CLIENTS


def _stored(variables: Mapping, identifier: str) -> dict[str, t.Any] | None:
    """Return the result of one set of files on a host, None where the disk is not checked."""
    result = variables.get(FILES)
    if not result or result.get("skipped"):
        return None
    for found in result.get("files") or []:
        if found["id"] == identifier:
            return dict(found)
    return {"state": _state(result), "problem": _problem(result)}


def _ledger(result: Mapping) -> dict[str, t.Any] | None:
    if "ledger" in result:
        entries = result["entries"]
        return {
            **result["ledger"],
            "known": [entry["fingerprint_sha256"] for entry in entries],
            "external": {
                entry["fingerprint_sha256"]: {name: str(entry.get(name) or "") for name in EXTERNAL_FIELDS}
                for entry in entries
                if entry.get("event") == "external-issued"
            },
        }
    return {"state": "not-readable", "problem": _problem(result)} if result and not result.get("skipped") else None


def _state(result: Mapping) -> str:
    if not result or result.get("skipped"):
        return "not-asked"
    return "unreachable" if result.get("unreachable") or result.get("timedout") else "not-readable"


def _problem(result: Mapping) -> str:
    """Return the error of a module or the connection, on one line of a limited length."""
    message = ". ".join(str(result[name]) for name in ("msg", "hint") if result.get(name))
    text = " ".join((failures.raw_output(result) or message or "no answer").split())
    for noise in _NOISE:
        text = text.removeprefix(noise)
    return text if len(text) <= _LONGEST_PROBLEM else f"{text[:_LONGEST_PROBLEM]}..."
