# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run has done, host by host, from the results of its tasks. |.

Common name, names, issuer and end are those of the CA's answer, because a hostile host may report other values.
Of the host's words only the end of its old certificate and its reasons are shown.

Fed by ``playbooks/callback_plugins/docker_tls_summary.py``, which sees every result anyway: no task, no time on any host, and the
summary comes also when every host has failed, after which no further play would run.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ...module_utils._docker.findings import LOG_MARK
from ...module_utils._fleet import advice
from .._plan.host_reports import LOCAL_NAMES
from .._remote import failures

Mapping = t.Mapping[str, t.Any]

_SUFFIX = "/server"
_SERVER = "server"
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}):[0-9]{2}Z")
_EXPECTED_END = re.compile(r"(: new certificate until |: certificate expires \S+ -> )([0-9][0-9T:Z-]*|a new one)")
_REASON = re.compile(r"[a-z]+(-[a-z]+){0,7}")


def by_host(result: Mapping) -> dict[str, Mapping]:
    """Return the server certificates in a result of M(signed_certificates), by inventory name."""
    found = result.get("certificates")
    entries = found.items() if isinstance(found, t.Mapping) else ()
    # In check mode a CA host without cryptography does not report them.
    named = {str(name): one for name, one in entries if isinstance(one, t.Mapping) and one.get("common_name")}
    return {name[: -len(_SUFFIX)]: one for name, one in named.items() if name.endswith(_SUFFIX)}


def server_request(result: Mapping) -> Mapping | None:
    """Return the state of a host's server certificate, None where the result has none.

    Whether the host was asked about a server's is the controller's word (``asked``).
    """
    entries = result.get("requests")
    if not result.get("asked") or not isinstance(entries, (list, tuple)):
        return None
    return next((entry for entry in entries if isinstance(entry, t.Mapping)), None)


def pending_line(request: Mapping) -> str:
    """Return the line for a certificate that is not signed yet."""
    old = _old_end(request)
    return f"{f'certificate expires {old[1]}' if old else 'new certificate'}{_reasons(request)}"


def signed_line(request: Mapping, signed: Mapping) -> str:
    """Return the line for a certificate that was, or in check mode would be, signed."""
    names = sorted(str(name) for name in signed.get("names") or () if name not in LOCAL_NAMES)
    parts = [
        _ends(_old_end(request), _TIME.fullmatch(str(signed.get("not_after") or ""))),
        f"CN {signed.get('common_name')}",
        *([f"SAN {' '.join(names)}"] if names else []),
        f"issuer {_issuer(signed)}",
    ]
    return f"{', '.join(parts)}{_reasons(request)}"


def with_end(line: str, not_after: str) -> str:
    """Return the line of a client's request with the end of the certificate that was signed, as exact as the one that was expected."""
    end, expected = _TIME.fullmatch(not_after), _EXPECTED_END.search(line)
    if end is None or expected is None:
        return line
    shown = f"{end[1]}T{end[2]}Z" if "T" in expected[2] else end[1]
    return f"{line[: expected.start(2)]}{shown}{line[expected.end(2) :]}"


def _issuer(signed: Mapping) -> str:
    """Return who signs: a generation, or in check mode an authority that the run would make first, which has none yet."""
    authority = str(signed.get("authority"))
    return f"the new authority {authority}" if authority == _SERVER and not signed.get("issuer") else authority


def _old_end(request: Mapping) -> re.Match[str] | None:
    certificate = request.get("certificate")
    return _TIME.fullmatch(str(certificate.get("not_after"))) if isinstance(certificate, t.Mapping) else None


def _ends(old: re.Match[str] | None, new: re.Match[str] | None) -> str:
    """Return when the old and the new certificate end; to the minute where they end on one day."""
    if old is None or new is None:
        return f"new certificate until {new[1]}" if new is not None else "new certificate"
    if old[1] == new[1]:
        return f"certificate expires {old[1]}T{old[2]}Z -> {new[1]}T{new[2]}Z"
    return f"certificate expires {old[1]} -> {new[1]}"


def _reasons(request: Mapping) -> str:
    reasons = [reason for reason in request.get("reasons") or () if _REASON.fullmatch(str(reason))]
    return f" ({', '.join(reasons)})" if reasons else ""


Groups = t.Mapping[str, t.Collection[str]]

#: The prefix of the names of this collection's modules; the callback plugin knows them by it.
COLLECTION = "portcullis.docker_tls."
CONTROLLER = "localhost"
NOT_VERIFIED = "not-verified"
_LONGEST_PROBLEM = 300
# A failure of ours, which has a code, names all problems of a host and dockerd's own reason: those are shown whole.
_LONGEST_OF_OURS = 2000
# The subject of an inspection, by the module that makes it.
ENDPOINT, BUNDLES, AUTHORITIES = "its endpoint", "its client bundles", "its authorities"
_INSPECTS = {
    "endpoint": ENDPOINT,
    "certificate_bundles": BUNDLES,
    "authorities": AUTHORITIES,
    "authority_info": AUTHORITIES,
}
_OF_GROUP = {"docker_hosts": ENDPOINT, "docker_clients": BUNDLES, "docker_ca": AUTHORITIES}
_CA = {"authorities", "authority_info"}
_CHANGING = {"endpoint", "endpoint_info"}


@dataclass
class HostRun:
    """The results of one host. ``done``: lines of a plan; ``due``: why there is something to do, until it is done.

    ``inspected``: the subjects that a module has found to be correct, or has changed. ``finished``: the last module for it has ended well.
    """

    done: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    due: list[str] = field(default_factory=list)
    inspected: set[str] = field(default_factory=set)
    finished: bool = False
    refused: bool = False
    #: What went wrong last, and its stable code ("" for what is not of this collection).
    problem: str = ""
    code: str = ""
    #: The state of the host's server certificate, the index of its line in ``done``, and whether the CA has signed it.
    certificate: Mapping | None = None
    certificate_line: int = 0
    signed: bool = False
    #: The indices in ``done`` of the clients whose certificates were requested and are not installed, and those that the CA has signed.
    clients: dict[str, int] = field(default_factory=dict)
    signed_clients: set[str] = field(default_factory=set)
    #: The preparation by the inspection of the host, until the run comes to the host.
    prepared: Mapping = field(default_factory=dict)

    def note_prepared(self) -> None:
        """Use the preparation by the inspection: the run has come to this host."""
        found, self.prepared = self.prepared, {}
        request = server_request(found)
        if request is not None and found.get("plan"):
            self.note_reasons(request.get("reasons") or [])
            self.note_certificate(request)

    def note_reasons(self, reasons: t.Iterable[str]) -> None:
        """Take in why there is something to do."""
        self.reasons += [reason for reason in reasons if reason not in self.reasons]

    def note_certificate(self, request: Mapping) -> None:
        """Take in that a server certificate is due."""
        self.certificate, self.certificate_line = request, len(self.done)
        self.done.append(pending_line(request))

    def note_signed(self, signed: Mapping) -> None:
        """Take in which certificate the CA signed."""
        self.note_prepared()
        if self.certificate is not None:
            self.signed = True
            self.done[self.certificate_line] = signed_line(self.certificate, signed)

    def note_signed_client(self, client: str, signed: t.Any) -> None:
        """Take in that a client's certificate was signed, and its end: another issuer may have given it another one than was asked for."""
        self.signed_clients.add(client)
        index = self.clients.get(client)
        if index is not None and isinstance(signed, t.Mapping):
            self.done[index] = with_end(self.done[index], str(signed.get("not_after") or ""))

    def done_so_far(self, worded: t.Callable[[str], str] = str) -> list[str]:
        """Return ``done`` where the run has not finished this host: of a certificate that was only requested, with what became of it.

        ``worded`` puts the codes of a line into words.
        """
        lines = [worded(line) for line in self.done]
        unfinished = dict(self.clients)
        signed = set(self.signed_clients)
        if self.certificate is not None and not self.finished:
            unfinished[""] = self.certificate_line
            signed |= {""} if self.signed else set()
        for name, index in unfinished.items():
            # The CA keeps no certificates, and the host has not got this one.
            lines[index] += (
                ", signed but not installed: the next run requests another one" if name in signed else ", not signed"
            )
        return lines


@dataclass
class Access:
    """The CA's report about clients that the inventory does not want, as M(authorities) returns it.

    ``unlisted``: valid certificates that the inventory does not list; ``deferred``: revocations that this run does not do; ``unknown``: revoked
    clients that the ledger does not know; ``revoked``: valid certificates of revoked clients; ``revocations``: the pending ones;
    ``listed``: certificates that revocation lists alone refuse, as of this run.
    """

    unlisted: list[Mapping] = field(default_factory=list)
    deferred: list[Mapping] = field(default_factory=list)
    revoked: list[Mapping] = field(default_factory=list)
    revocations: list[Mapping] = field(default_factory=list)
    listed: list[Mapping] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    #: Client and authority with the hosts that were verified in this run to refuse it.
    verified: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def note_verified(self, recorded: t.Iterable[Mapping]) -> None:
        """Add what M(recorded_certificates) has recorded of verified revocations: a host may fail later for something else."""
        for one in recorded:
            if one.get("event") == "revocation-verified":
                key = (str(one.get("client")), str(one.get("authority")))
                self.verified.setdefault(key, set()).update(map(str, one.get("hosts") or []))

    def note(self, result: Mapping) -> None:
        """Add a result of a module that has read the CA; a later reading without the clients has no data about access."""
        if result.get("compared") is False:
            return
        lists = {
            "unlisted": self.unlisted,
            "revocations_deferred": self.deferred,
            "revoked": self.revoked,
            "revocations": self.revocations,
            "revoked_certificates": self.listed,
        }
        for key, kept in lists.items():
            if key not in result:  # what only M(authorities) returns, in front of a later reading
                continue
            kept[:] = [one for one in result.get(key) or [] if isinstance(one, t.Mapping)]
        leaving = {each for one in self.revocations for each in one.get("generations") or []}
        self.listed[:] = [one for one in self.listed if one.get("authority") not in leaving]
        self.unknown = [str(name) for name in result.get("revoked_unknown") or []]

    def by_host(self) -> dict[tuple[str, str], list[str]]:
        """Return by host and authority the clients whose certificates the list of that authority gets."""
        found: dict[tuple[str, str], list[str]] = {}
        for one in self.listed:
            for host in one.get("hosts") or []:
                clients = found.setdefault((str(host), str(one.get("authority"))), [])
                if one.get("client") not in clients:
                    clients.append(str(one.get("client")))
        return found


@dataclass
class Run:
    """A run as far as it has come. ``bundles``: directories on the controller with a bundle that was written.

    ``change_failed``: a change of a daemon, or its verification, is among the failures. ``missing``: the subjects that the run should have inspected on a
    host and did not. ``outside``: Docker hosts of the inventory that
    the run did not come to; ``docker_hosts``: how many there are; ``limited``: whether --limit may have excluded them.
    """

    #: Head of the ledger, ``LINES:DIGEST``; "" where no CA of ours was asked.
    ledger: str = ""
    check_mode: bool = False
    change_failed: bool = False
    hosts: dict[str, HostRun] = field(default_factory=dict)
    bundles: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    access: Access = field(default_factory=Access)
    missing: dict[str, list[str]] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    #: What the first task has warned of: misspelt variables, an inventory without Docker hosts.
    warnings: list[str] = field(default_factory=list)
    docker_hosts: int = 0
    limited: bool = True
    stopped: bool = False
    #: --limit leaves out the controller, so that the bundles of clients on it are not looked at.
    bundles_outside: bool = False

    def host(self, name: str) -> HostRun:
        """Return what happened on a host so far."""
        return self.hosts.setdefault(name, HostRun())

    def note_success(self, host: str, module: str, result: Mapping) -> None:
        """Take in the result of one of the collection's modules."""
        there = self.host(host)
        if module == "host_state":
            self._note_inspection(host, result)
            return
        there.note_prepared()
        if module == "plan":
            plan = result.get("plan") or {}
            self.warnings += [one for one in plan.get("warnings") or [] if one not in self.warnings]
        if module in _INSPECTS:
            there.inspected.add(_INSPECTS[module])
            there.finished = there.finished or module not in _CA
        if module in _CA:
            self.access.note(result)
        self._note_ledger(result)
        if module == "recorded_certificates":
            self.access.note_verified(one for one in result.get("recorded") or [] if isinstance(one, t.Mapping))
        if module == "signed_certificates":
            for name, signed in by_host(result).items():
                self.host(name).note_signed(signed)
            for name, signed in (result.get("certificates") or {}).items():
                self.host(str(name).partition("/")[0]).note_signed_client(str(name).partition("/")[2], signed)
        if module in _CHANGING and NOT_VERIFIED in there.due:
            self._note_verification(there, module, result)
        if result.get("changed"):
            self._note_change(host, module, result)

    def _note_ledger(self, result: Mapping) -> None:
        """Keep the ledger's head after this call: kept on another machine, it shows later whether the ledger was rewritten."""
        facts = result.get("ansible_facts") or {}
        found = facts.get("docker_ca_ledger") or result.get("ledger")
        if isinstance(found, t.Mapping) and found.get("seq") and found.get("digest"):
            self.ledger = f"{found['seq']}:{found['digest']}"

    def note_skipped(self, host: str, module: str) -> None:
        """Take in that a module had nothing to do: a client machine without users, for example."""
        if module == "certificate_bundles":
            self.host(host).inspected.add(BUNDLES)

    def _note_inspection(self, host: str, result: Mapping) -> None:
        there = self.host(host)
        there.prepared = result.get("prepared") or {}
        if result.get("current"):
            there.inspected.add(ENDPOINT)
            return
        there.due = [str(reason) for reason in result.get("reasons") or ["undecided"]]
        if result.get("refused"):  # it fails in the last play, which a run that is stopped does not come to
            there.refused = True
            self.note_problem(host, result["refused"])

    def _note_verification(self, there: HostRun, module: str, result: Mapping) -> None:
        """Add the verification that an earlier run has not completed, or that it would be made."""
        if module == "endpoint_info" and result.get("passed"):
            there.done.append("verified from the controller, for the first time since its last change")
        elif module == "endpoint" and self.check_mode and not result.get("changed"):
            there.done.append(f"verification from the controller ({NOT_VERIFIED})")

    def _note_change(self, host: str, module: str, result: Mapping) -> None:
        entries = [entry for entry in result.get("requests") or [] if isinstance(entry, t.Mapping)]
        reasons = [
            *(result.get("reasons") or []),
            *(reason for each in entries for reason in each.get("reasons") or []),
        ]
        there = self.host(host)
        there.note_reasons(reasons)
        lines = [str(line) for line in result.get("plan") or []]
        if module == "certificate_bundles":
            self._note_bundles(host, result)
            known = {line.split(": ")[0] for line in there.done}
            lines = [line for line in lines if line.split(": ")[0] not in known]
        elif module == "plain_relay":
            relayed = ", ".join(map(str, result.get("listen") or []))
            lines = [f"the plain port is served on for a while ({relayed})" if relayed else "the plain port is closed"]
        elif "cryptography-missing" in reasons:
            there.done.append("package for Python's cryptography")
        request = server_request(result) if module == "certificate_requests" else None
        if request is not None:
            there.note_certificate(request)
            return
        if module == "certificate_requests":
            for index, line in enumerate(lines, len(there.done)):
                there.clients[line.partition(": ")[0].removeprefix("client ")] = index
        there.done += lines

    def _note_bundles(self, host: str, result: Mapping) -> None:
        for bundle in result.get("bundles") or []:
            self.host(host).clients.pop(str(bundle.get("id")), None)
            if host == CONTROLLER and set(bundle.get("reasons") or ()) - {"client-revoked"}:
                self.bundles[str(bundle["id"])] = str(bundle["directory"])

    def note_problem(self, host: str, result: Mapping, module: str = "") -> None:
        """Take in why a host failed or was not reached; the last word counts. ``module``: that of ours which failed."""
        self.change_failed = self.change_failed or module in _CHANGING
        self.host(host).note_prepared()
        if module == "certificate_bundles":  # the other bundles are installed where the CA refused one
            self._note_bundles(host, result)
        output = failures.raw_output(result)
        texts = [str(result.get("msg") or "").partition("\nSee stdout")[0], output]
        self.host(host).code = str(result.get("code") or "")
        found = " ".join((": ".join(filter(None, texts)) or "no reason given").split())
        hint = " ".join(str(result.get("hint") or ("" if result.get("code") else advice.hint(found))).split())
        found = found.partition(f". {LOG_MARK}")[0]
        longest = _LONGEST_OF_OURS if result.get("code") else _LONGEST_PROBLEM
        if len(found) > longest:  # the advice is never cut off
            found = f"{found[:longest]}..."
        self.host(host).problem = found if hint in found else f"{found}{'' if found.endswith('.') else '.'} {hint}"

    def _plan_revocations(self, hosts: t.Collection[str]) -> None:
        """Add the predicted steps of the plays of a revocation, which have no hosts in check mode."""
        for one in self.access.revocations:
            generations, clients = (", ".join(map(str, one.get(name) or [])) for name in ("generations", "clients"))
            # The issuing generation is "" where the run makes it; the inspection, which cannot know it, does not plan it either.
            new = f"+ a new authority of {one.get('authority')}, then " if one.get("issuing") == "" else ""
            for host in one.get("hosts") or []:
                if host in hosts:
                    how = "restart twice" if new else "restart yes"
                    how = "proxy reload, restart no" if host in (one.get("proxies") or []) else how
                    self.host(host).done.append(
                        f"admits {new}- {generations}, {how}, verification (client-revoked: {clients})"
                    )
        for (host, generation), names in self.access.by_host().items():
            if host in hosts:
                self.host(host).done.append(
                    f"revocation list of {generation}, proxy reload, restart no (client-revoked: {', '.join(names)})"
                )

    def end(
        self,
        failed: t.Container[str],
        unreachable: t.Container[str],
        all_hosts: t.Iterable[str],
        groups: t.Optional[Groups] = None,
        limited: bool = True,
    ) -> None:
        """Add Ansible's statistics of each host at the end.

        ``groups``: the inventory's, without any limit; None where it is not known. Without a limit (``limited``) the controller belongs to the
        run, and where it is not among ``all_hosts`` its tasks were left out.
        """
        self.limited = limited
        hosts = list(all_hosts)
        hosts += [] if limited or CONTROLLER in hosts else [CONTROLLER]
        if self.check_mode:
            self._plan_revocations(hosts)
        self.stopped = any(host in unreachable or (host in failed and not self.host(host).refused) for host in hosts)
        for host in hosts:
            one = self.host(host)
            if host in unreachable:
                self.states[host] = "unreachable"
            elif host in failed or one.refused:
                self.states[host] = "failed"
            elif (one.due and not one.finished) or (self.stopped and host == CONTROLLER and not one.finished):
                self.states[host] = "not-done"
            elif one.done or one.reasons:
                self.states[host] = "changed"
            else:
                self.missing[host] = _missing(host, one, groups)
                self.states[host] = "not-checked" if self.missing[host] else "unchanged"
        docker_hosts = list((groups or {}).get("docker_hosts") or ())
        self.docker_hosts, self.outside = len(docker_hosts), [host for host in docker_hosts if host not in self.states]

    def note_limit(self, limited: bool) -> None:
        """Take in after ``end`` whether the run was started with --limit: it may leave out the controller and its bundles."""
        self.bundles_outside = limited and CONTROLLER not in self.states

    @property
    def outcome(self) -> str:
        """Return ``failed``, ``incomplete``, ``changed`` or ``nothing-to-do``."""
        found = set(self.states.values())
        if found & {"failed", "unreachable"}:
            return "failed"
        if not found or found & {"not-done", "not-checked"}:
            return "incomplete"
        return "changed" if "changed" in found else "nothing-to-do"

    def in_state(self, state: str) -> list[str]:
        """Return the hosts in a state, sorted."""
        return sorted(host for host, found in self.states.items() if found == state)


def _missing(host: str, one: HostRun, groups: t.Optional[Groups]) -> list[str]:
    """Return the subjects that the run should have inspected on a host and did not, because of --tags, --skip-tags or --start-at-task."""
    wanted = {what for group, what in _OF_GROUP.items() if host in ((groups or {}).get(group) or ())}
    if host == CONTROLLER:
        wanted.add(BUNDLES)
    if not wanted:
        return [] if one.inspected else ["it"]
    return sorted(wanted - one.inspected)
