# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The problems of an inventory that can be found before any host is touched."""

from __future__ import annotations

import contextlib
import typing as t
from collections import Counter

from ansible.errors import AnsibleError
from ansible.release import __version__ as RUNNING

from ...module_utils._ca import layout
from ...module_utils._errors import TlsError
from ...module_utils._fleet import advice
from .._client_files import session
from .._plan import access_lists, issuer_settings, locations, site
from .._remote import failures, packages
from .._variables import binding
from .._variables.fleet_variables import as_written, is_computed, variable
from . import surroundings, written_values

Mapping = t.Mapping[str, t.Any]
OUR_PREFIXES = ("docker_ca_", "docker_server_cert_", "docker_client_cert_", "docker_daemon_")
#: Facts that the modules authorities and authority_info return.
OUR_FACTS = ("docker_ca_authorities", "docker_ca_ledger")
DEFAULT_GROUPS = ["clients"]
#: Other names of this machine to Ansible (C.LOCALHOST).
_LOCALHOST = ("127.0.0.1", "::1")
DEFAULT_CLIENTS = access_lists.DEFAULT_CLIENTS


def inventory_problems(
    groups: t.Mapping[str, t.Sequence[str]], hostvars: Mapping, *, predicting: bool = False
) -> list[str]:
    """Return one sentence for each problem of the inventory, most general first; empty when it is sound.

    In: the ``groups`` and ``hostvars`` of the play. Looked at: the group docker_ca, the clients and their groups, the groups that each
    host admits, the users of the client machines. ``predicting``: in check mode, which needs no passphrase where nothing is due.
    """
    too_old = surroundings.version_problem(RUNNING)
    if too_old:
        return [f"{too_old}. {surroundings.VERSION_HINT}"]
    authorities, machines = list(groups.get("docker_ca") or []), groups.get("docker_clients") or []
    if misplaced := place_problems(groups):
        return misplaced
    place = authorities[0] if authorities else "localhost"
    everywhere = hostvars[place]
    if lost := surroundings.awx_problems(as_written(hostvars, place), authorities):
        return lost
    known = everywhere.get("docker_ca_access_groups") or DEFAULT_GROUPS
    if misnamed := _group_problems(known):
        return misnamed
    # once: a fleet may have thousands
    written = {host: as_written(hostvars, host) for host in groups.get("docker_hosts") or []}
    if hidden := secret_problems(groups, hostvars, written):  # before anything evaluates them
        return hidden
    lists, unread = access_lists.client_lists(groups, hostvars, written)
    misshapen = [
        *_issuer_problems(groups, hostvars, place, known),
        *([] if predicting else _passphrase_problems(place, hostvars, known)),
        *_role_problems("docker_ca", place, everywhere),
        *_role_problems("docker_client_cert", "localhost", locations.variables_of(hostvars, "localhost")),
        *(
            problem
            for each in lists
            if each.variable == access_lists.CLIENTS
            for problem in _role_problems(
                "docker_client_cert", each.hosts[0], {each.variable: each.clients}, [each.variable]
            )
        ),
        *(
            problem
            for host in machines
            for problem in _role_problems("docker_client_cert", host, hostvars[host], ("docker_client_cert_users",))
        ),
    ]
    if misshapen:  # what follows reads these variables
        return list(dict.fromkeys(misshapen))
    serials = {host: variable(hostvars, host, site.VARIABLE, variables) for host, variables in written.items()}
    found = [
        *unread,
        *(problem for each in lists for problem in _client_problems(each, known)),
        *written_values.path_problems(hostvars, _with_others(written, hostvars, [place, "localhost", *machines])),
        *access_lists.contradictions(groups, hostvars, lists),
        *issuer_settings.not_revocable(
            locations.variables_of(hostvars, "localhost").get(issuer_settings.CLIENT_VARIABLE),
            (one for each in lists for one in each.entries()),
        ),
        *site.serial_problems(serials),
        *_simple_problems([place, "localhost", *written, *machines], hostvars),
        *(problem for host in written for problem in _host_problems(host, hostvars, written[host], known)),
        *(
            problem
            for host in machines
            for problem in _machine_problems(host, hostvars, access_lists.clients_of(host, lists))
        ),
    ]
    return list(dict.fromkeys(found))  # a machine may be in both groups


def _with_others(written: Mapping, hostvars: Mapping, hosts: t.Iterable[str]) -> dict[str, Mapping]:
    """Return ``written`` with the variables of more ``hosts``, where the inventory has them."""
    more = (host for host in hosts if host in hostvars and host not in written)
    return {**written, **{host: as_written(hostvars, host) for host in more}}


def place_problems(groups: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Return a sentence where the CA or the controller could not be found.

    Of two CAs with the same keys each would sign and revoke for itself. And where the inventory has 127.0.0.1 or ::1 but no localhost,
    Ansible gives a play of localhost that host, by that name (InventoryData.get_host): the controller would lose its bundles.
    """
    every = groups.get("all") or ()
    other = next((name for name in every if name in _LOCALHOST), "")
    if other and "localhost" not in every:
        return [
            f"the inventory has a host {other}, and Ansible takes that for localhost, the controller. "
            f"Name it localhost ansible_connection=local, or for a host that is reached by SSH write its name with ansible_host={other}."
        ]
    authorities = list(groups.get("docker_ca") or [])
    if len(authorities) < 2:
        return []
    return [
        f"the group docker_ca has {len(authorities)} hosts ({', '.join(authorities)}), but authorities live on one. "
        "Leave one host in it, or none to keep them on the controller."
    ]


def secret_problems(
    groups: t.Mapping[str, t.Sequence[str]], hostvars: Mapping, written: t.Optional[Mapping] = None
) -> list[str]:
    """Return a sentence for each secret that Ansible would take for a template, each once: most are the same for every host.

    ``written``: variables of the Docker hosts as they are written, where the caller has read them.
    """
    hosts = {locations.ca_host(groups), locations.CONTROLLER, *(groups.get("docker_clients") or [])}
    hosts |= set(() if written is not None else groups.get("docker_hosts") or ())
    known = {**{host: as_written(hostvars, host) for host in sorted(hosts) if host in hostvars}, **(written or {})}
    found: dict[str, str] = {}
    for host, variables in known.items():
        for problem in written_values.secret_problems(variables, host):
            found.setdefault(problem.partition(f" of {host} ")[0], problem)
    return list(found.values())


def _issuer_problems(
    groups: t.Mapping[str, t.Sequence[str]], hostvars: Mapping, place: str, known: t.Sequence[str]
) -> t.Iterator[str]:
    """Name the problems of the issuers of certificates; one that is the same everywhere is checked once."""
    hosts = [*(groups.get("docker_hosts") or []), *(groups.get("docker_clients") or [])]
    for name in (issuer_settings.SERVER_VARIABLE, issuer_settings.CLIENT_VARIABLE):
        yield from issuer_settings.differing(
            {host: as_written(hostvars, host).get(name) for host in hosts if host in hostvars}, name
        )
    where = next((host for host in hosts if host in hostvars), place)
    variables = locations.variables_of(hostvars, where)
    yield from issuer_settings.problems(
        variables.get(issuer_settings.SERVER_VARIABLE), variables.get(issuer_settings.CLIENT_VARIABLE), known
    )
    for name in (issuer_settings.SERVER_VARIABLE, issuer_settings.CLIENT_VARIABLE):
        yield from written_values.of_issuers(name, variables.get(name))


def _passphrase_problems(place: str, hostvars: Mapping, known: t.Sequence[str]) -> t.Iterator[str]:
    """Name a passphrase that is not set. Its text is not evaluated: a lookup may ask a person or a device.

    None is needed where other issuers sign everything.
    """
    variables = locations.variables_of(hostvars, place)
    names = (issuer_settings.SERVER_VARIABLE, issuer_settings.CLIENT_VARIABLE)
    if not issuer_settings.needs_ca(issuer_settings.declared(*(variables.get(name) for name in names)), known):
        return
    found = as_written(hostvars, place).get("docker_ca_passphrase")
    if isinstance(found, (bool, list, t.Mapping)):  # not shown: it may hold the secret
        yield f"docker_ca_passphrase of {place} is not a text but another value of YAML. Write the passphrase in quotes, or a lookup that returns it."
    if found is None or (isinstance(found, str) and not found.strip()):
        yield (
            f"docker_ca_passphrase is missing or empty for {place}, where the authorities are: it encrypts their keys, and every run "
            "needs it. If Ansible warned above that it could not parse the inventory, correct that first. "
            "Set it from Ansible Vault, a prompt or a lookup, for example -e @secrets.yml --ask-vault-pass. Where there is a CA "
            "already, it is the one that the CA was made with; for a new CA take one of at least 12 characters, and keep a copy."
        )


def _role_problems(role: str, host: str, variables: Mapping, only: t.Collection[str] = ()) -> t.Iterator[str]:
    """Name the values that a role's argument specification refuses; ``only`` these of its variables where some are named."""

    def given(names: t.Iterable[str]) -> dict[str, t.Any]:
        """Leave out what cannot be computed: the task that uses it names it, and on this host there may be none."""
        found = {}
        for name in names:
            with contextlib.suppress(AnsibleError, KeyError):
                found[name] = variables[name]
        return {name: value for name, value in found.items() if is_computed(value)}

    options = {name: option for name, option in binding.specification(role).items() if not only or name in only}
    for error in binding.problems(options, given):
        yield f"{host}: {error}. The role {role} needs another type: its README lists each variable with its type."


def fact_problems(variables: Mapping) -> list[str]:
    """Refuse facts that look like our variables: facts are reported by the host itself, and Ansible gives them priority over the inventory."""
    found = [
        name for name in variables.get("ansible_facts") or {} if name.startswith(OUR_PREFIXES) and name not in OUR_FACTS
    ]
    if not found:
        return []
    return [
        f"the facts of this host hold {', '.join(sorted(found))}, which only the inventory may set. "
        "Find out which module or fact cache they come from: a host must not decide about its own access"
    ]


def _group_problems(known: t.Any) -> list[str]:
    """Name the names of access groups that the CA would refuse: they are names of directories."""
    try:
        layout.check_group_names(known if isinstance(known, (list, tuple)) else (), "docker_ca_access_groups")
    except TlsError as error:
        return [f"{error.message}. {error.hint}"]
    return []


def _fact_problems(host: str, variables: Mapping) -> t.Iterator[str]:
    yield from (f"{host}: {problem}." for problem in fact_problems(variables))


def _simple_problems(hosts: t.Iterable[str], hostvars: Mapping) -> t.Iterator[str]:
    """Name limits of waiting that are not numbers of seconds, and packages that are not names: a host's failure in the middle would be late."""
    checks = {
        **dict.fromkeys(failures.VARIABLES, failures.why_invalid),
        **dict.fromkeys(packages.VARIABLES, packages.why_invalid),
    }
    for host in hosts:
        variables = as_written(hostvars, host) if host in hostvars else {}
        for name, why_invalid in checks.items():
            if variables.get(name) is not None:
                problem = why_invalid(variable(hostvars, host, name, variables))
                if problem:
                    yield f"{host}: {name} is {problem}."


def _client_problems(found: access_lists.ClientList, known: t.Sequence[str]) -> t.Iterator[str]:
    """Name the problems of one list of clients, of any host: a skipped entry would revoke no client."""
    where, clients = found.variable, found.clients
    if not isinstance(clients, (list, tuple)) or not all(
        isinstance(one, t.Mapping) and one.get("name") for one in clients
    ):
        yield f"{where}: every entry needs a name ({advice.named(found.hosts)})."
        return
    numbers = [client["name"] for client in clients if not isinstance(client["name"], str)]
    if numbers:
        shown = ", ".join(map(repr, numbers))
        yield f"{where}: the name of a client has to be a text, and YAML reads another value ({shown}) there. Write it in quotes."
        return
    for name, count in Counter(client["name"] for client in clients).items():
        if count > 1:
            yield f"{where}: {count} clients are named {name!r}. Give each client a name of its own."
    for client in clients:
        problem = locations.why_no_directory(client["name"])
        if problem:
            yield (
                f"{where}: the name of the client {client['name']!r} {problem}, and its bundle is in a directory of that name "
                f"({advice.named(found.hosts)}). Write a name without / and control characters that does not begin with - or ~, "
                "for example ops-alice."
            )
        state = client.get("state", "present")
        if state not in ("present", "revoked"):
            yield (
                f"{where}: the state of the client {client['name']!r} is {state!r}. "
                "Write present or revoked; to shut a client out, revoked (without its entry it keeps its access)."
            )
        group = client.get("group", "clients")
        if group not in known:
            yield (
                f"{where}: the client {client['name']!r} is of the group {group!r}, "
                f"which docker_ca_access_groups ({', '.join(known)}) does not have. Add it there or correct the name."
            )


def _port_problems(host: str, value: t.Any) -> t.Iterator[str]:
    text = str(value).strip()
    if value is None or not is_computed(value):
        return
    if isinstance(value, (bool, float)) or not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        yield f"{host}: docker_daemon_port is {value!r}, which is not a port. Write a whole number from 1 to 65535, for example 2376."


def _host_problems(host: str, hostvars: Mapping, variables: Mapping, known: t.Sequence[str]) -> t.Iterator[str]:
    yield from _fact_problems(host, variables)
    if variables.get("docker_daemon_port") is not None:
        with contextlib.suppress(AnsibleError, KeyError):  # what cannot be computed is named by the task that uses it
            yield from _port_problems(host, variable(hostvars, host, "docker_daemon_port", variables))
    name = "docker_daemon_access_groups"
    admitted = variable(hostvars, host, name, variables) if name in variables else DEFAULT_GROUPS
    wrong = list(binding.misshapen({name: {"type": "list"}}, {name: admitted}))
    if wrong:
        yield from (f"{host}: {problem}." for problem in wrong)
        return
    if not admitted:
        yield f"{host}: docker_daemon_access_groups is empty, so no client could connect. Name at least one group."
    for group in admitted or []:
        if group not in known:
            yield (
                f"{host}: docker_daemon_access_groups admits {group!r}, "
                f"which docker_ca_access_groups ({', '.join(known)}) does not have. Add it there or correct the name."
            )
    yield from session.problems(variable(hostvars, host, session.VARIABLE, variables), known)


def _machine_problems(host: str, hostvars: Mapping, clients: t.Sequence[Mapping]) -> t.Iterator[str]:
    variables = as_written(hostvars, host)
    yield from _fact_problems(host, variables)
    names = [client.get("name") for client in clients]
    for user in variable(hostvars, host, "docker_client_cert_users", variables) or []:
        client = user.get("client", names[0] if names else "")
        if client and client not in names:
            yield (
                f"{host}: docker_client_cert_users gives {user.get('user')!r} the client {client!r}, "
                f"which docker_client_cert_clients ({', '.join(map(str, names))}) does not have."
            )
