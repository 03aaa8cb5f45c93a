# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a revocation, and names of clients that look alike.

The CA reports the pending revocations (result ``revocations`` of the module authorities, kept by the role docker_ca as
``__docker_ca_checked``); without any, every list here is empty and ``site.yml`` does nothing more than usual.
"""

from __future__ import annotations

import typing as t
import unicodedata
from dataclasses import asdict, dataclass, field

from ...module_utils._fleet import advice
from .._variables.binding import Bound
from .._variables.fleet_variables import INSPECTED, Fleet, as_written
from . import access_lists, inspected, inventory, locations
from .access_lists import Pending, admitting, is_rolled_back

# Letters of Cyrillic and Greek that are written like Latin ones (Unicode Technical Standard 39, confusables), lower case.
_CONFUSABLES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u043a\u043c\u0442\u043d\u0432\u04cf\u0431"
    "\u03b1\u03bf\u03c1\u03bd\u03b9\u03ba\u03c4\u03c5\u03c7\u03b5\u03b3",
    "aeopcyxijshdqwkmthbl6aopviktuxey",
)


def are_similar(name: str, other: str) -> bool:
    """Return whether two names differ in case, white space, accents, look-alikes of other alphabets, or by one slip of the keyboard.

    A slip is a letter too many, too few, another or two exchanged. Digits are none: ``ci-1`` and ``ci-2`` are two clients.
    """
    one, two = _folded(name), _folded(other)
    return one == two or _looks_like(one, two) or _is_slip(one, two)


def _folded(name: str) -> str:
    """Return the name without case, white space, accents and invisible characters."""
    plain = unicodedata.normalize("NFKD", name.casefold()).translate(_CONFUSABLES)
    kept = "".join(each for each in plain if not each.isspace() and unicodedata.category(each) not in ("Mn", "Cf"))
    return kept.replace("rn", "m").replace("vv", "w")


def _looks_like(one: str, two: str) -> bool:
    """Return whether an ASCII name and one of the same length share at least half of their characters, and differ where only one has ASCII."""
    if len(one) != len(two) or one.isascii() == two.isascii():
        return False
    different = [(a, b) for a, b in zip(one, two) if a != b]
    return len(different) * 2 <= len(one) and all(a.isascii() != b.isascii() for a, b in different)


def _is_slip(one: str, two: str) -> bool:
    short, long = sorted((one, two), key=len)
    if len(short) < 3 or len(long) - len(short) > 1:
        return False
    begin = next((at for at, (a, b) in enumerate(zip(short, long)) if a != b), len(short))
    if len(short) < len(long):
        return not long[begin].isdigit() and short[begin:] == long[begin + 1 :]
    changed = short[begin : begin + 2] + long[begin : begin + 2]
    if short[begin + 1 :] == long[begin + 1 :]:
        return not (short[begin] + long[begin]).isdigit()
    return (
        not any(each.isdigit() for each in changed)
        and short[begin : begin + 2] == long[begin : begin + 2][::-1]
        and short[begin + 2 :] == long[begin + 2 :]
    )


Mapping = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

CHECKED = "__docker_ca_checked"
#: The authorities as a run without the CA host has read them.
READ = "__docker_tls_authorities"
ADMITTED, REFUSED = "client-of-", "former-client-of-"
#: Begins the name of the check with a certificate that has the serial number revoked last in a group.
LISTED = "revoked-client-of-"


@dataclass(frozen=True)
class RevocationPlan:
    """The rest of a revocation, once the hosts have taken the new generation of the authority.

    ``held``: authorities whose other members keep their certificates, because no host admits the new generation yet; ``problems``: a sentence
    for each of them; ``changes``: generations that the CA retires; ``revoke_ca`` and ``revoke_hosts`` as above, without those that are held.
    """

    held: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    changes: list[dict[str, t.Any]] = field(default_factory=list)
    revoke_ca: list[str] = field(default_factory=list)
    revoke_hosts: list[str] = field(default_factory=list)


def plan(bound: Bound, fleet: Fleet) -> dict[str, t.Any]:
    """Return the plan of a revocation as a dictionary."""
    groups = bound.groups()
    waiting = held(groups, fleet)
    going = [one for one in revocations(groups, fleet) if one["authority"] not in waiting]
    hosts = dropping(groups, fleet, going)
    planned = RevocationPlan(
        held=list(waiting),
        problems=list(waiting.values()),
        changes=changes(going),
        revoke_ca=[locations.ca_host(groups)] if going else [],
        revoke_hosts=inspected.hosts_not_refused(hosts, fleet),
    )
    return asdict(planned)


def revoked_clients(clients: t.Iterable[Mapping]) -> list[dict[str, str]]:
    """Return name and group of the clients that may no longer connect. In: docker_client_cert_clients."""
    return [
        {"name": client["name"], "group": client.get("group", "clients")}
        for client in clients
        if client.get("state", "present") == "revoked"
    ]


def revocations(groups: Groups, hostvars: Mapping) -> list[Mapping]:
    """Return the pending revocations, as the CA reported them in this run."""
    return list(_checked(groups, hostvars).get("revocations") or [])


def _checked(groups: Groups, hostvars: Mapping) -> Mapping:
    """Return what the role docker_ca has registered on the CA host, {} where it did not run."""
    return t.cast(Mapping, locations.variables_of(hostvars, locations.ca_host(groups)).get(CHECKED) or {})


def listed(groups: Groups, hostvars: Mapping) -> list[dict[str, t.Any]]:
    """Return by access group the certificates that revocation lists alone refuse, as of this run: ``authority``, ``clients``, ``generations``."""
    checked = _checked(groups, hostvars)
    leaving = {each for one in checked.get("revocations") or [] for each in one["generations"]}
    found: dict[str, dict[str, t.Any]] = {}
    for one in checked.get("revoked_certificates") or []:
        if one["authority"] in leaving:
            continue
        entry = found.setdefault(one["group"], {"authority": one["group"], "clients": [], "generations": []})
        for key, value in (("clients", one["client"]), ("generations", one["authority"])):
            if value not in entry[key]:
                entry[key].append(value)
    return list(found.values())


def revocation_hosts(groups: Groups, hostvars: Mapping, step: str, predicting: bool = False) -> list[str]:
    """Return the hosts of a play of ``site.yml`` that a revocation needs; [] where nothing is revoked, and in check mode.

    ``step``: ``controller``, ``ca``, or ``hosts`` (those that admit a group something leaves of). Where lists are enough only the controller has
    something to do: it reports.
    """
    pending = revocations(groups, hostvars)
    reported = step == "controller" and (listed(groups, hostvars) or continued(groups, hostvars))
    if predicting or not (pending or reported):
        return []
    if step == "hosts":
        return dropping(groups, hostvars, pending)
    return [locations.ca_host(groups) if step == "ca" else "localhost"]


def recording_hosts(groups: Groups, hostvars: Mapping, predicting: bool = False) -> list[str]:
    """Return the hosts of the play that records where a revocation is complete; [] where this run has nothing to record.

    The controller does it for all, or with --limit any host of the run.
    """
    if predicting or not (revocations(groups, hostvars) or listed(groups, hostvars) or continued(groups, hostvars)):
        return []
    here = [host for host in groups.get("docker_hosts") or [] if access_lists.is_reached(host, hostvars)]
    return [locations.CONTROLLER, *(host for host in here if host != locations.CONTROLLER)]


def continued(groups: Groups, hostvars: Mapping) -> list[Pending]:
    """Return the revocations of earlier runs that this run may complete, because it has reached one of their hosts."""
    return [
        one
        for one in access_lists.pending(_answer(groups, hostvars), groups, hostvars)
        if any(access_lists.is_reached(host, hostvars) for host in one.hosts)
    ]


def dropping(groups: Groups, hostvars: Mapping, pending: t.Sequence[Mapping]) -> list[str]:
    """Return the hosts that drop what ``pending`` revokes; one that is rolled back gets its former authorities instead."""
    hosts = admitting(groups, hostvars, [one["authority"] for one in pending]) if pending else []
    return [host for host in hosts if not is_rolled_back(hostvars[host])]


def _answer(groups: Groups, hostvars: Mapping) -> Mapping:
    """Return the CA's answer in this run: from the role docker_ca, otherwise from another role that has read the authorities."""
    checked = _checked(groups, hostvars)
    if "authorities" in checked:
        return checked
    for host in ["localhost", *(groups.get("docker_hosts") or [])]:
        found = (as_written(hostvars, host) if host in hostvars else {}).get(READ) or {}
        if "authorities" in found:
            return t.cast(Mapping, found)
    return {}


def unknown_clients(groups: Groups, hostvars: Mapping) -> frozenset[str]:
    """Return the revoked clients of which the ledger has no certificate."""
    return frozenset(map(str, _answer(groups, hostvars).get("revoked_unknown") or []))


class Incomplete(t.NamedTuple):
    """Work that a run does not complete, and advice about it."""

    message: str
    hint: str


def incomplete_revocations(groups: Groups, hostvars: Mapping, predicting: bool = False) -> list[Incomplete]:
    """Return each revocation that this run does not begin: it was limited to some hosts or tasks, or a name is misspelt.

    ``predicting``: in check mode, which fails where the run would.
    """
    answer = _answer(groups, hostvars)
    if not answer:
        return _unread(groups, hostvars)
    begun = "would not begin" if predicting else "was not begun"
    found = [
        Incomplete(
            f"REVOKED, AND STILL ADMITTED: {', '.join(one['clients'])} can connect with certificates of {', '.join(one['generations'])} on "
            f"{advice.named(admitting(groups, hostvars, [one['authority']])) or 'no host of the inventory'}. This run was limited to some hosts "
            f"or tasks (--limit, --tags), so the revocation {begun}.",
            "Run portcullis.docker_tls.site for the whole inventory, without --limit and --tags.",
        )
        for one in answer.get("revocations_deferred") or []
    ]
    if answer.get("authorities") and answer.get("compared") is False:
        found.append(
            Incomplete(
                "Whether revoked clients still have access is not known: the ledger of the CA cannot be read.",
                "Run portcullis.docker_tls.site without --limit and --tags; it reports the problem with the ledger.",
            )
        )
    return [
        *found,
        *_not_reached(groups, hostvars),
        *_not_completed(answer, groups, hostvars),
        *_misspelt(answer, groups, hostvars),
    ]


def _not_reached(groups: Groups, hostvars: Mapping) -> list[Incomplete]:
    """Return each new entry in the revocation lists that proxies do not get, because this run does not include them."""
    found = []
    for one in listed(groups, hostvars):
        hosts = admitting(groups, hostvars, [one["authority"]])
        outside = [host for host in hosts if not locations.variables_of(hostvars, host).get(INSPECTED)]
        if outside:
            found.append(
                Incomplete(
                    f"REVOKED, AND STILL ADMITTED: {', '.join(one['clients'])} can connect with certificates of {', '.join(one['generations'])} on "
                    f"{advice.named(outside)}, which this run does not include. The revocation list refuses them on the other hosts.",
                    "Run portcullis.docker_tls.site without --limit and --tags.",
                )
            )
    return found


def _not_completed(answer: Mapping, groups: Groups, hostvars: Mapping) -> list[Incomplete]:
    """Return each revocation of an earlier run that is not known to be complete on a host which this run does not include."""
    found = []
    for one in access_lists.pending(answer, groups, hostvars):
        outside = [host for host in one.hosts if not locations.variables_of(hostvars, host).get(INSPECTED)]
        if outside:
            found.append(
                Incomplete(
                    f"REVOKED, AND PERHAPS STILL ADMITTED: no run has verified since the revocation of {one.client} that {advice.named(outside)} "
                    f"{'refuses' if len(outside) == 1 else 'refuse'} its certificate of {one.generation}, and this run does not include "
                    f"{'it' if len(outside) == 1 else 'them'}.",
                    "Run portcullis.docker_tls.site without --limit and --tags. Remove a host that no longer exists from the inventory.",
                )
            )
    return found


def _misspelt(answer: Mapping, groups: Groups, hostvars: Mapping) -> list[Incomplete]:
    """Return each revoked name without a certificate that looks like another client's.

    The other client has a valid certificate that no list has any more, or is listed as present.
    """
    unknown = answer.get("revoked_unknown") or []
    if not unknown:
        return []
    lists, _unread_lists = access_lists.client_lists(groups, hostvars)
    listed_names = {
        str(client["name"]) for each in lists for client in inventory.present_clients(each.entries())
    } - set(map(str, unknown))
    certified = {str(one["client"]) for one in answer.get("unlisted") or []}
    found = []
    for name in unknown:
        alike = sorted(other for other in certified | listed_names if are_similar(str(name), other))
        if alike:
            have = [other for other in alike if other in certified]
            which = (
                f"{', '.join(have)} has a valid certificate"
                if have
                else f"The inventory lists {', '.join(alike)} as present"
            )
            found.append(
                Incomplete(
                    f"NOT REVOKED: the inventory revokes {name}, and no certificate in the ledger has this name. {which}.",
                    "Write the name as the certificate has it, or remove the entry if it is for another client, and run portcullis.docker_tls.site again.",
                )
            )
    return found


def _unread(groups: Groups, hostvars: Mapping) -> list[Incomplete]:
    """Return an entry if clients are revoked and no task of this run has read the CA (--start-at-task)."""
    lists, _unread_lists = access_lists.client_lists(groups, hostvars) if hostvars else ([], [])
    names = list(dict.fromkeys(one["name"] for each in lists for one in revoked_clients(each.entries())))
    if not names:
        return []
    return [
        Incomplete(
            f"Whether {', '.join(names)} still have access, though revoked, is not known: this run has not read the CA.",
            "Run portcullis.docker_tls.site from its beginning, without --start-at-task.",
        )
    ]


def changes(pending: t.Iterable[Mapping]) -> list[dict[str, t.Any]]:
    """Return the changes of the CA for the time when the members have their new certificates."""
    return [
        {"name": str(one["authority"]), "state": "retired", "generation": int(str(one["issuing"]).rpartition("-g")[2])}
        for one in pending
    ]


def held(groups: Groups, hostvars: Mapping) -> dict[str, str]:
    """Return the authorities whose members must not get new certificates yet, each with the reason: no host would admit those."""
    problems = {}
    for one in revocations(groups, hostvars):
        hosts = admitting(groups, hostvars, [one["authority"]])
        if hosts and one["members"] and not any(_lets_in(hostvars[host]) for host in hosts):
            problems[str(one["authority"])] = (
                f"The revocation of {', '.join(one['clients'])} stops here: none of the hosts that admit the group "
                f"{one['authority']} ({', '.join(hosts)}) has taken the new authority {one['issuing']}, so the other members of the "
                "group would be locked out everywhere. Nothing has been taken from them."
            )
    return problems


def _lets_in(variables: Mapping) -> bool:
    """Return whether the controller has verified that a client of the issuing generation is answered; a host's own report is not enough."""
    return bool((variables.get("docker_daemon_verification") or {}).get("passed"))


def generation_clients(
    made: Mapping, authorities: Mapping, wanted: str, access_groups: t.Container[str] = ()
) -> list[dict[str, str]]:
    """Return the temporary clients of single generations for M(endpoint_info).

    ``made``: RV(temporary_client.generations). ``wanted``: ``admitted``, those of generations that are trusted, of the groups
    that the host admits; ``refused``, those of retired generations.
    """
    living = {one["id"]: name for name, authority in authorities.items() for one in authority.get("generations") or []}
    found = []
    for identifier, client in sorted(made.items()):
        admitted = living.get(identifier) in access_groups if identifier in living else False
        if wanted == "admitted" and not admitted:
            continue
        if wanted == "refused" and identifier in living:
            continue
        prefix = ADMITTED if wanted == "admitted" else REFUSED
        contents = {name: client[name] for name in ("certificate_content", "key_content")}
        found.append({"name": f"{prefix}{identifier}", **contents})
    return found
