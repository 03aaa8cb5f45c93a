# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients, access groups and the hosts that admit them, and revocations that are not verified everywhere.

Lists of clients differ from host to host: one may be in ``host_vars/localhost``, another in the variables of the CA host or of a client machine.
Certificates are made by the lists that the controller and the client machines have. An entry with ``state: revoked`` counts in any list of any host.

The CA reports each valid certificate of a revoked client with the hosts that were verified to refuse it (``refused_by``, from its ledger). Any other
host that admits the access group may have been away when the client was revoked.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible.errors import AnsibleError

from ...module_utils._fleet import advice
from .._variables.fleet_variables import INSPECTED, as_written, has_template, is_computed
from . import inventory, locations

Mapping = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

CLIENTS, CA_CLIENTS = "docker_client_cert_clients", "docker_ca_clients"
DEFAULT_CLIENTS: list[Mapping] = [{"name": "client"}]
DEFAULT_GROUP = "clients"
#: What decides about access; an entry may hold templates that only a role can fill in.
_DECIDING = ("name", "group", "state", "controller")


@dataclass
class ClientList:
    """One list of clients, and the hosts whose variables have it."""

    variable: str
    clients: t.Any
    hosts: list[str] = field(default_factory=list)

    def entries(self) -> list[Mapping]:
        """Return its entries that are shaped as such."""
        found = self.clients if isinstance(self.clients, (list, tuple)) else []
        return [
            one
            for one in found
            if isinstance(one, t.Mapping)
            and one.get("name")
            and all(isinstance(one.get(name, ""), (str, int)) for name in ("name", "group"))
        ]


def client_lists(
    groups: Groups, hostvars: Mapping, known: t.Optional[t.Mapping[str, Mapping]] = None
) -> tuple[list[ClientList], list[str]]:
    """Return every list of clients that any host of the inventory has, and what cannot be read, a sentence each.

    ``known`` are variables of hosts as they are written, where they were read already.
    """
    lists: list[ClientList] = []
    unread: dict[str, str] = {}
    texts: dict[str, bool] = {}
    for host in _hosts(groups):
        written = known[host] if known is not None and host in known else _written(hostvars, host)
        for variable in (CLIENTS, CA_CLIENTS):
            raw = written.get(variable)
            if raw is None:
                continue
            if variable in (written.get("ansible_facts") or {}):
                unread[f"{host} {variable}"] = (
                    f"{host}: the facts of this host hold {variable}, which only the inventory may set: a host must not decide about access."
                )
                continue
            try:
                clients = _computed(hostvars, host, variable, raw)
            except (AnsibleError, KeyError, ValueError) as error:
                unread.setdefault(
                    str(raw),
                    f"{host}: {variable} cannot be computed, so it is not known which clients it revokes: {' '.join(str(error).split())}. "
                    "Write it so that it can be computed for every host, or where only the hosts that need it have it.",
                )
                continue
            texts[str(raw)] = True
            same = next((one for one in lists if one.variable == variable and _same(one.clients, clients)), None)
            if same is None:
                lists.append(ClientList(variable, clients, [host]))
            else:
                same.hosts.append(host)
    # One template for all, in group_vars, that only some hosts can evaluate: its value is known from those.
    return lists, [sentence for raw, sentence in unread.items() if raw not in texts]


def _hosts(groups: Groups) -> list[str]:
    """Return the controller and all hosts of the inventory."""
    ours = [host for name in ("all", "docker_ca", "docker_hosts", "docker_clients") for host in groups.get(name) or []]
    return list(dict.fromkeys([locations.CONTROLLER, *ours]))


def _written(hostvars: Mapping, host: str) -> Mapping:
    try:
        return as_written(hostvars, host)
    except KeyError:  # the implicit localhost
        return locations.variables_of(hostvars, host)


def _computed(hostvars: Mapping, host: str, variable: str, raw: t.Any) -> t.Any:
    """Return a list with what decides about access filled in. Raises ValueError where something is not."""
    if not _is_open(raw):
        return raw
    value = hostvars[host][variable]
    if _is_open(value):
        raise ValueError("one of its templates has no value")
    return value


def _is_open(value: t.Any) -> bool:
    """Return whether a template decides about access."""
    if not isinstance(value, (list, tuple)):
        return has_template(value) or not is_computed(value)
    deciding = (
        one.get(name) for one in value for name in _DECIDING if isinstance(one, t.Mapping) and one.get(name) is not None
    )
    loose = (one for one in value if not isinstance(one, t.Mapping))
    return any(has_template(each) or not is_computed(each) for each in (*deciding, *loose))


def _same(one: t.Any, other: t.Any) -> bool:
    return one is other or _core(one) == _core(other)


def _core(clients: t.Any) -> t.Any:
    """Return what decides about access in a list of clients, to compare two of them."""
    if not isinstance(clients, (list, tuple)):
        return clients
    return [
        tuple(one.get(name) for name in _DECIDING) if isinstance(one, t.Mapping) and one.get("name") else one
        for one in clients
    ]


def makers(groups: Groups) -> list[str]:
    """Return the hosts that get bundles."""
    return list(dict.fromkeys([locations.CONTROLLER, *(groups.get("docker_clients") or [])]))


def clients_of(host: str, lists: t.Iterable[ClientList]) -> list[Mapping]:
    """Return the clients by which ``host`` gets its bundles."""
    own = next((one for one in lists if one.variable == CLIENTS and host in one.hosts), None)
    return own.entries() if own is not None else list(DEFAULT_CLIENTS)


def bundles_of(host: str, groups: Groups, hostvars: Mapping, clients: t.Sequence[Mapping]) -> list[Mapping]:
    """Return the bundles that ``host`` gets by its list ``clients``."""
    known = {host: locations.variables_of(hostvars, host)}
    return inventory.client_bundles(host, known, clients, groups.get("docker_clients") or [])


def all_clients(of_the_ca: t.Any, groups: Groups, hostvars: Mapping) -> list[dict[str, t.Any]]:
    """Return the option ``clients`` of M(authorities) and M(authority_info): every client of the inventory, once for each group and state.

    In: ``of_the_ca`` is docker_ca_clients as the CA host has it. A client that is revoked in one list is in no other.
    """
    lists, _unread = client_lists(groups, hostvars)
    if of_the_ca and not any(_same(one.clients, of_the_ca) for one in lists):
        lists.append(ClientList(CA_CLIENTS, of_the_ca))
    revoked = {(one["name"], _group(one)): one for each in lists for one in each.entries() if _is_revoked(one)}
    names = {name for name, _unused in revoked}
    requests: dict[tuple[str, str], list[str]] = {}
    for host in makers(groups):
        clients = clients_of(host, lists)
        for one in inventory.present_clients(clients):
            requests.setdefault((one["name"], _group(one)), [])
        groups_of = {one["name"]: _group(one) for one in inventory.present_clients(clients)}
        for bundle in bundles_of(host, groups, hostvars, clients):
            if bundle["client"] in groups_of:
                requests[(bundle["client"], groups_of[bundle["client"]])].append(f"{host}/{bundle['id']}")
    made = {name for name, _unused in requests}
    others = {
        (one["name"], _group(one)): None
        for each in lists
        for one in inventory.present_clients(each.entries())
        if one["name"] not in made
    }
    return [
        *({"name": name, "group": group, "state": "revoked"} for name, group in revoked),
        *(
            {"name": name, "group": group, "state": "present", "requests": found}
            for (name, group), found in {**requests, **others}.items()
            if name not in names
        ),
    ]


def contradictions(groups: Groups, hostvars: Mapping, lists: t.Sequence[ClientList]) -> t.Iterator[str]:
    """Name each client that one list revokes and another gives a bundle to: it would connect by a new certificate at once."""
    revoked: dict[str, tuple[Mapping, ClientList]] = {}
    for each in lists:
        for one in each.entries():
            if _is_revoked(one):
                revoked.setdefault(str(one["name"]), (one, each))
    if not revoked:
        return
    for host in makers(groups):
        for name in dict.fromkeys(
            bundle["client"] for bundle in bundles_of(host, groups, hostvars, clients_of(host, lists))
        ):
            if name not in revoked:
                continue
            one, where = revoked[name]
            still = admitting(groups, hostvars, [_group(one)])
            yield (
                f"The client {name!r} is revoked in {where.variable} as {advice.named(where.hosts)} has it, and {host} gets a bundle for it by its "
                f"own {CLIENTS}. Nothing was revoked, and it still has access to {advice.named(still) or 'no host'}. Write state: revoked in every "
                "list that has the client (check host_vars and group_vars), or present if it should have access."
            )


def admitting(groups: Groups, hostvars: Mapping, names: t.Collection[str]) -> list[str]:
    """Return the Docker hosts that admit one of the access groups ``names``; one that is rolled back has its former groups, and counts too."""
    return [host for host in groups.get("docker_hosts") or [] if _admitted(hostvars[host]) & set(names)]


def is_proxy(variables: Mapping) -> bool:
    """Return whether a host should have the listener ``proxy``, which checks revocation lists."""
    if variables.get("docker_daemon_listener") != "proxy":
        return False
    return bool((variables.get("docker_daemon_state") or "present") == "present")


def groups_of_proxies(groups: Groups, hostvars: Mapping) -> set[str]:
    """Return the access groups that hosts admit which check revocation lists."""
    hosts = (hostvars[host] for host in groups.get("docker_hosts") or [])
    return {name for variables in hosts if is_proxy(variables) for name in _admitted(variables)}


def groups_by_list(groups: Groups, hostvars: Mapping, external: t.Collection[str] = ()) -> list[str]:
    """Return the access groups whose revoked clients are refused by revocation lists alone: only proxies admit them.

    ``external``: the groups whose certificates another issuer signs that gives no list; a proxy needs those of all groups that it admits or
    checks none. A host that is rolled back has its former listener, which is not known here.
    """
    hosts = {host: hostvars[host] for host in groups.get("docker_hosts") or []}
    proxies = {host for host, variables in hosts.items() if is_proxy(variables)}
    if not proxies:
        return []
    admitted = {host: _admitted(variables) for host, variables in hosts.items()}
    checking = {host for host in proxies if not admitted[host] & set(external)}
    others = {name for host, names in admitted.items() if host not in checking for name in names}
    return sorted({name for host in checking for name in admitted[host]} - others)


def checked_lists(result: Mapping) -> list[str]:
    """Return the ids of the authorities whose revocation lists a host checks, by a result of M(endpoint) or of its inspection."""
    lists = (result.get("endpoint") or {}).get("revocation_lists") or []
    return [unit for one in lists for unit in units(str(one["issuer"]))]


def units(subject: str) -> list[str]:
    """Return the organizational units of a subject (RFC 4514): the id of a generation, where it is an authority of ours."""
    return [part[len("OU=") :] for part in subject.split(",") if part.startswith("OU=")]


def _admitted(variables: Mapping) -> set[str]:
    """Return the access groups that a host admits."""
    if variables.get("docker_daemon_state") == "absent":
        return set()
    return set(variables.get("docker_daemon_access_groups") or [DEFAULT_GROUP])


def with_hosts(result: Mapping, groups: Groups, hostvars: Mapping) -> dict[str, t.Any]:
    """Return a result of M(authorities) or M(authority_info) with the hosts that each certificate opens, as the inventory has it."""
    keys = {
        "unlisted": "group",
        "revoked": "group",
        "revoked_certificates": "group",
        "revocations": "authority",
        "revocations_deferred": "authority",
    }
    if not any(result.get(key) for key in keys):
        return dict(result)
    opened: dict[str, list[str]] = {}
    proxies = {host for host in groups.get("docker_hosts") or [] if is_proxy(hostvars[host])}
    found = dict(result)
    for key, group in keys.items():
        entries = []
        for one in filter(lambda each: isinstance(each, t.Mapping), result.get(key) or []):
            name = str(one.get(group) or "")
            opened.setdefault(name, admitting(groups, hostvars, [name]))
            of_authority = {"proxies": [host for host in opened[name] if host in proxies]} if group != "group" else {}
            entries.append({**one, "hosts": opened[name], **of_authority})
        if key in result:
            found[key] = entries
    return found


def _group(client: Mapping) -> str:
    return str(client.get("group") or DEFAULT_GROUP)


def _is_revoked(client: Mapping) -> bool:
    return bool(client.get("state", "present") == "revoked")


@dataclass(frozen=True)
class Pending:
    """A revoked client, a generation of which it holds a valid certificate, and the ``hosts`` that are not known to refuse it.

    ``trusted``: whether the CA still has the generation, so that a host refuses the certificate by the revocation list only.
    """

    client: str
    generation: str
    trusted: bool
    hosts: tuple[str, ...]


def pending(answer: Mapping, groups: Groups, hostvars: Mapping) -> list[Pending]:
    """Return the pending revocations. In: ``answer``, a result of M(authorities) or M(authority_info). It does not contain those that this run begins."""
    begun = {each for one in answer.get("revocations") or [] for each in one["generations"]}
    deferred = {each for one in answer.get("revocations_deferred") or [] for each in one["generations"]}
    found: dict[tuple[str, str], Pending] = {}
    known: dict[str, list[str]] = {}  # asked once for each group: a fleet may have thousands of hosts
    for one in answer.get("revoked") or []:
        key = (str(one["client"]), str(one["generation"]))
        if key[1] in begun | deferred or (one["trusted"] and not one.get("listed")):
            continue
        refusing, group = set(one.get("refused_by") or ()), str(one["group"])
        if group not in known:
            known[group] = admitting(groups, hostvars, [group])
        hosts = [host for host in known[group] if host not in refusing or is_rolled_back(hostvars[host])]
        before = found[key].hosts if key in found else ()
        if hosts:
            found[key] = Pending(*key, bool(one["trusted"]), tuple(dict.fromkeys([*before, *hosts])))
    return list(found.values())


def is_reached(host: str, hostvars: Mapping) -> bool:
    """Return whether this run has inspected a host."""
    seen = locations.variables_of(hostvars, host).get(INSPECTED) or {}
    return bool(seen) and not seen.get("unreachable")


def refuses(one: Pending, variables: Mapping) -> bool:
    """Return whether this run has left a host so that it refuses the certificates: changed and verified, or found as it should be."""
    if is_rolled_back(variables):
        # Its former lists may lack the certificates, and its former authorities may be back: only the latter are reported.
        admitted = _admitted_generations(variables)
        return not one.trusted and admitted is not None and one.generation not in admitted
    if one.trusted:
        return one.generation in lists_after_run(variables) and is_verified(variables)
    changed, seen = variables.get("docker_daemon_endpoint") or {}, variables.get(INSPECTED) or {}
    if changed:
        return not _has_failed(changed) and is_verified(variables)
    return seen.get("current") is True


def lists_after_run(variables: Mapping) -> list[str]:
    """Return the ids of the authorities whose lists a host checks, as this run has left it: changed, or inspected and current."""
    return checked_lists(_as_left(variables))


def _admitted_generations(variables: Mapping) -> set[str] | None:
    """Return the generations that a host admits, as this run has left it. None where that is not known: an adopted authority has another subject."""
    subjects = (_as_left(variables).get("endpoint") or {}).get("access")
    found = [units(str(subject)) for subject in subjects or ()]
    return {unit for each in found for unit in each} if subjects is not None and all(found) else None


def _as_left(variables: Mapping) -> Mapping:
    """Return the result of the change of a host, or of its inspection where nothing was to change; {} where neither is known."""
    changed, seen = variables.get("docker_daemon_endpoint") or {}, variables.get(INSPECTED) or {}
    there = changed if changed else seen if seen.get("current") else {}
    return {} if _has_failed(there) else there


def is_verified(variables: Mapping) -> bool:
    """Return whether the controller saw nothing wrong, where it has verified the host in this run."""
    verification = variables.get("docker_daemon_verification") or {}
    return bool(verification.get("passed", not verification or verification.get("skipped")))


def is_rolled_back(variables: Mapping) -> bool:
    """Return whether the former state of a host is restored, with its former authorities."""
    return variables.get("docker_daemon_state") == "rolled_back"


def _has_failed(result: Mapping) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))
