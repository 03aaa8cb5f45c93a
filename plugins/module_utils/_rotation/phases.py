# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of a rotation: what is due and what stops it, in words, and all of them in one run.

Pure. The phase is not stored; it follows from the generations in the CA and from the certificates on the hosts, on the
wire and in the bundles. So after every interruption the next run continues from the real state.

=========  ==============================  =================================  ===============================
phase      CA                              server authority                   client authority
=========  ==============================  =================================  ===============================
trust      a new generation is accepted    every bundle and host trusts both  every host admits both
reissue    the new one signs               hosts get new certificates         bundles get new certificates
retire     the old one is given up         bundles and hosts drop it          hosts drop it
=========  ==============================  =================================  ===============================

Where the generation that signs has expired, no host or client has to trust both, since nothing that it signed works any more: the
new one is made and signs at once, and every place gets its files of it in the first phase.

Pure. The earliest phase that any authority stands in is due for all; those that are further wait for it. So a host is restarted
once a phase, not once a phase and authority.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._text_table import align

TRUST, REISSUE, RETIRE, DONE = "trust", "reissue", "retire", "done"
ACCEPTED, ISSUING, RETIRING, RETIRED = "accepted", "issuing", "retiring", "retired"
PHASES = (TRUST, REISSUE, RETIRE)
SERVER = "server"


@dataclass(frozen=True)
class Generation:
    """A generation that is in the CA directory, with its stage, begin and end (None: not checked)."""

    id: str
    stage: str
    not_before: datetime
    not_after: datetime | None = None


@dataclass(frozen=True)
class Place:
    """A host (of which ``issuers`` are those of the certificates on disk and on the wire) or a bundle.

    ``trusts`` are the generations of this authority that it trusts (all places that were checked agree), ``still_trusts``
    those that any of them has, ``problem`` why it could not be checked ("" when it was). ``client`` is "" for a host.
    """

    name: str
    host: str
    client: str = ""
    problem: str = ""
    issuers: frozenset[str] = frozenset()
    trusts: frozenset[str] = frozenset()
    still_trusts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Held:
    """A certificate that is valid and, by the ledger, was not renewed since: whose, from whom, until when."""

    owner: str
    client: str
    generation: str
    not_after: str


@dataclass(frozen=True)
class Situation:
    """The input of the decision. ``hosts`` are those that this authority concerns."""

    name: str
    generations: tuple[Generation, ...]
    hosts: tuple[Place, ...]
    bundles: tuple[Place, ...]
    held: tuple[Held, ...] = ()
    revoked: frozenset[str] = frozenset()
    now: datetime | None = None
    again_after: timedelta = timedelta(0)

    def at(self, stage: str) -> tuple[str, ...]:
        """Return the ids of the generations in a stage."""
        return tuple(one.id for one in self.generations if one.stage == stage)

    def has_expired(self, identifier: str) -> bool:
        """Return whether nothing that this generation has signed is accepted any more."""
        ends = [one.not_after for one in self.generations if one.id == identifier]
        return self.now is not None and any(end is not None and end <= self.now for end in ends)

    @property
    def trusting(self) -> tuple[Place, ...]:
        """The places that have the anchors of this authority."""
        return (*self.bundles, *self.hosts) if self.name == SERVER else self.hosts

    def begin_of(self, identifier: str) -> datetime | None:
        """Return since when there is a generation, None where there is none of that id."""
        return next((one.not_before for one in self.generations if one.id == identifier), None)


@dataclass(frozen=True)
class Step:
    """What one place still needs in this phase."""

    place: Place
    what: str


@dataclass(frozen=True)
class Plan:
    """``phase``: the next one (DONE: none). ``changes``: the states that the CA has to reach first, one after the other.

    ``steps``: what places that can be reached still need. ``blockers``: why the CA must not change yet; they can be overruled,
    which ``risk`` puts into words. ``pending``: places whose state is not known.
    """

    name: str
    phase: str
    changes: tuple[str, ...]
    target: str
    leaving: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    blockers: tuple[str, ...] = ()
    risk: str = ""
    note: str = ""

    @property
    def change(self) -> str:
        """The state that the CA has to reach first, "" for none."""
        return self.changes[-1] if self.changes else ""

    @property
    def is_idle(self) -> bool:
        """Whether no rotation is under way: one is complete, or one would begin."""
        return self.phase == DONE or ACCEPTED in self.changes

    @property
    def hosts(self) -> tuple[str, ...]:
        """Docker hosts that have something to do."""
        return tuple(dict.fromkeys(step.place.host for step in self.steps if not step.place.client))

    @property
    def bundle_hosts(self) -> tuple[str, ...]:
        """Machines with bundles that have something to do."""
        return tuple(dict.fromkeys(step.place.host for step in self.steps if step.place.client))


def is_after(phase: str, stop_after: str) -> bool:
    """Return whether ``phase`` comes after the one with which a rotation is to stop; ``stop_after`` is "" where it is not to stop."""
    return bool(stop_after) and phase in PHASES and PHASES.index(phase) > PHASES.index(stop_after)


def decide(situation: Situation) -> Plan:
    """Return the plan: the first phase that is not complete in every place that can be reached.

    A phase that is complete there leads to the next one, whose ``change`` waits until ``blockers`` are gone.
    """
    waiting, olds = situation.at(ACCEPTED), situation.at(RETIRING)
    signing = situation.at(ISSUING)[0]
    if situation.has_expired(signing):
        return _replace(situation, signing, olds, waiting[-1] if waiting else "")
    if waiting:
        target = waiting[-1]
        steps = _steps(situation, TRUST, target)
        if steps:
            return Plan(situation.name, TRUST, (), target, (signing, *olds), steps)
        return _reissue(situation, target, (signing, *olds))
    if olds:
        steps = _steps(situation, REISSUE, signing)
        if steps:
            return Plan(situation.name, REISSUE, (), signing, olds, steps)
        return _retire(situation, signing, olds)
    leftovers = _steps(situation, RETIRE, signing)
    if leftovers:
        gone = {one for step in leftovers for one in step.place.still_trusts | step.place.issuers} - {signing}
        return Plan(situation.name, RETIRE, (), signing, tuple(sorted(gone)), leftovers)
    return _begin(situation, signing)


def _begin(situation: Situation, signing: str) -> Plan:
    """A rotation that would begin; not where one has just ended, for the same command given twice is not a wish for two."""
    one = next(one for one in situation.generations if one.id == signing)
    young = situation.now is not None and situation.now - one.not_before < situation.again_after
    if young and not signing.endswith("-g1"):
        unread = [place.name for place in (*situation.hosts, *situation.bundles) if place.problem]
        where = f"where that could be read (not from {', '.join(unread)})" if unread else "everywhere"
        note = (
            f"{signing} signs, and is the only generation that is trusted {where}. To replace it as well: "
            "-e docker_rotate_ca_again_after=0s"
        )
        return Plan(situation.name, DONE, (), signing, (), note=note)
    steps = _each(situation.trusting, "trusts the new generation too")
    return Plan(situation.name, TRUST, (ACCEPTED,), _following(signing), (signing,), steps)


def _replace(situation: Situation, signing: str, olds: tuple[str, ...], waiting: str) -> Plan:
    """An expired generation cannot lock out any client: the next generation signs at once, without blockers."""
    target = waiting or _following(signing)
    changes = (ISSUING,) if waiting else (ACCEPTED, ISSUING)
    trusts, certificate = f"trusts {target}", f"gets a certificate of {target}"
    of_bundles, of_hosts = certificate, f"admits {target}"
    if situation.name == SERVER:
        of_bundles, of_hosts = trusts, f"{certificate} and {trusts}"
    steps = (*_each(situation.bundles, of_bundles), *_each(situation.hosts, of_hosts))
    note = f"{signing} has expired, and with it everything that it signed, so no host or client has to trust both"
    return Plan(situation.name, TRUST, changes, target, (signing, *olds), steps, note=note)


def _following(identifier: str) -> str:
    name, _mark, number = identifier.rpartition("-g")
    return f"{name}-g{int(number) + 1}"


def _each(places: t.Iterable[Place], what: str) -> tuple[Step, ...]:
    return tuple(Step(one, what) for one in places if not one.problem)


def _reissue(situation: Situation, target: str, leaving: tuple[str, ...]) -> Plan:
    if situation.name == SERVER:
        steps = _each(situation.hosts, f"gets a certificate of {target}")
        blockers = _unknown(situation.bundles, f"whether it trusts {target} is not known")
        risk = f"Clients whose ca.pem lacks {target} will refuse every host."
    else:
        steps = _each(situation.bundles, f"gets a certificate of {target}")
        blockers = _unknown(situation.hosts, f"whether it admits {target} is not known")
        risk = f"Hosts that do not admit {target} will refuse all clients of the group with their new certificates."
    return Plan(situation.name, REISSUE, (ISSUING,), target, leaving, steps, blockers, risk)


def _retire(situation: Situation, signing: str, olds: tuple[str, ...]) -> Plan:
    gone = ", ".join(olds)
    steps = _each(situation.trusting, f"drops {gone}")
    blockers = [*_unknown((*situation.hosts, *situation.bundles), "its certificates are not known")]
    if situation.name == SERVER:
        risk = f"Hosts that still serve a certificate of {gone} will be refused by every client."
    else:
        blockers += _not_reissued(situation, olds)
        risk = f"Clients that still have a certificate of {gone} will be refused everywhere; hosts that were not reached continue to admit them."
    if all(situation.has_expired(one) for one in olds):
        blockers, risk = [], ""  # clients that have nothing else do not work any more anyway
    return Plan(situation.name, RETIRE, (RETIRED,), signing, olds, steps, tuple(blockers), risk)


def _not_reissued(situation: Situation, olds: tuple[str, ...]) -> t.Iterator[str]:
    """Yield what only the ledger knows: valid certificates of an old generation that nothing has taken the place of."""
    for one in situation.held:
        if one.generation in olds and one.client not in situation.revoked:
            owner = f"{one.owner}: " if one.owner else ""
            yield (
                f"{owner}the certificate of {one.client} from {one.generation} is valid until {one.not_after} and was not "
                "renewed; no bundle of the inventory has taken its place"
            )


def _unknown(places: t.Iterable[Place], what: str) -> tuple[str, ...]:
    return tuple(f"{one.name}: {what} ({one.problem})" for one in places if one.problem)


def _steps(situation: Situation, phase: str, target: str) -> tuple[Step, ...]:
    """Return what places that were checked still need before ``phase`` is complete."""
    found = []
    for place in (*situation.bundles, *situation.hosts):
        what = "" if place.problem else _need(situation.name, phase, place, target)
        if what:
            found.append(Step(place, what))
    return tuple(found)


def _need(name: str, phase: str, place: Place, target: str) -> str:
    is_server, is_host = name == SERVER, not place.client
    has_anchors = is_server or is_host
    has_certificate = is_host == is_server
    if phase in (TRUST, REISSUE) and has_anchors and target not in place.trusts:
        return f"does not trust {target} yet" if is_server else f"does not admit {target} yet"
    if phase == REISSUE and has_certificate and place.issuers - {target}:
        return f"has a certificate of {', '.join(sorted(place.issuers - {target}))}"
    if phase == RETIRE:
        if has_certificate and place.issuers - {target}:
            return f"has a certificate of {', '.join(sorted(place.issuers - {target}))}"
        if has_anchors and place.still_trusts - {target}:
            return f"still {'trusts' if is_server else 'admits'} {', '.join(sorted(place.still_trusts - {target}))}"
        if has_anchors and target not in place.trusts:
            return f"does not {'trust' if is_server else 'admit'} {target} yet"
    return ""


NOTHING_CHANGED = "Nothing has been changed. To carry it out: -e docker_rotate_ca_execute=true"
_UNKNOWN = "Not known here are copies of bundles outside of this inventory (Portainer, another machine)."
_STOP = "-e docker_rotate_ca_stop_after="
# A copy trusts the new generation of the server authority after phase 1, and has a certificate of the new one of its group after phase 2.
_COPIES_SERVER = f"{_UNKNOWN} They fail in phase 2. To copy the bundles there before: {_STOP}trust, and afterwards the same command without it."
_COPIES_GROUP = f"{_UNKNOWN} They fail in phase 3. To copy the bundles there before: {_STOP}reissue, and afterwards the same command without it."
_COPIES_ALL = (
    f"{_UNKNOWN} They fail in phase 2. To copy the bundles there before: {_STOP}trust; and again before phase 3: {_STOP}reissue; and afterwards the same "
    "command without it."
)
_CHANGES = {
    "accepted": "the CA makes {target}, which is trusted and does not sign yet",
    "issuing": "in the CA, {target} signs from now on",
    "retired": "the CA gives {leaving} up; its private key is destroyed",
}
_ONE_RESTART = "each host's dockerd is restarted once; a host with the listener proxy reloads that instead"
_RESTART = {
    (REISSUE, True): _ONE_RESTART,
    (TRUST, False): _ONE_RESTART,
    (RETIRE, False): _ONE_RESTART,
}


def render(situation: Situation, plan: Plan, *, executing: bool) -> list[str]:
    """Return the plan as text: the state of each place, the next steps, the obstacles."""
    stages = ", ".join(f"{one.id} ({one.stage})" for one in situation.generations)
    lines = [f"Rotation of the authority {situation.name}: {stages}"]
    lines += [f"  {line}" for line in align([_row(place) for place in (*situation.hosts, *situation.bundles)])]
    if plan.phase == DONE:
        return [*lines, f"Complete: {plan.note}."]
    lines.append(f"Phase {PHASES.index(plan.phase) + 1} of 3, {plan.phase}:")
    lines += [f"  ({plan.note})"] if plan.note else []
    if plan.changes:
        text = _what_changes(plan).format(target=plan.target, leaving=", ".join(plan.leaving))
        lines.append(f"  first  {text}")
    lines += [f"  then   {step.place.name}: {step.what}" for step in plan.steps]
    restart = _RESTART.get((plan.phase, situation.name == SERVER)) or ("issuing" in plan.changes and _ONE_RESTART)
    if restart and plan.hosts:
        lines.append(f"  ({restart})")
    lines += [f"  OBSTACLE  {blocker}" for blocker in plan.blockers]
    return lines if executing else [*lines, copies(plan.name), NOTHING_CHANGED]


def copies(authority: str, *, everything: bool = False) -> str:
    """Return when copies of bundles fail that are not in the inventory. ``everything``: all authorities are replaced together."""
    if everything:
        return _COPIES_ALL
    return _COPIES_SERVER if authority == SERVER else _COPIES_GROUP


def stopped(
    authority: str, due: str, stop_after: str, clients: t.Sequence[str], *, everything: bool = False
) -> list[str]:
    """Return why the phase ``due`` does not begin, and what is to be done before it. ``clients``: those with bundles that the rotation concerns."""
    has_server, has_group = everything or authority == SERVER, everything or authority != SERVER
    carry = f"copy the bundles of {', '.join(clients)} to where they are used outside of this inventory"
    steps = []
    if clients and due == REISSUE and has_server:
        steps.append(
            f"{carry}: their ca.pem trusts both generations now, and a copy of the former one refuses the hosts from the next phase on"
        )
    if clients and due == RETIRE and has_group:
        steps.append(
            f"{carry}: they have new certificates now, and the hosts refuse the former ones from the next phase on"
        )
    following = PHASES[PHASES.index(due) :]
    next_stop = (
        f"{_STOP}{due}, or without it, to continue with {due}" if len(following) > 1 else "it, to continue with retire"
    )
    steps.append(f"run the same command {'with ' if len(following) > 1 else 'without '}{next_stop}")
    return [
        f"Stopped before the phase {due}, because docker_rotate_ca_stop_after is {stop_after}. All clients and hosts continue to work.",
        "Next:",
        *(f"  - {step}" for step in steps),
    ]


def _what_changes(plan: Plan) -> str:
    if plan.changes == (ACCEPTED, ISSUING):
        return "the CA makes {target}, which signs at once"
    return _CHANGES[plan.change]


def _row(place: Place) -> tuple[str, str]:
    if place.problem:
        return place.name, f"NOT KNOWN: {place.problem}"
    parts = []
    if place.issuers:
        parts.append(f"certificate of {', '.join(sorted(place.issuers))}")
    if place.still_trusts or not place.client:
        partly = place.still_trusts - place.trusts
        text = f"trusts {', '.join(sorted(place.trusts)) or 'none'}"
        parts.append(f"{text} (and {', '.join(sorted(partly))} either on disk or on the wire)" if partly else text)
    return place.name, "; ".join(parts)


def to_dict(plan: Plan) -> dict[str, t.Any]:
    """Return the plan as the module reports it."""
    return {
        "authority": plan.name,
        "phase": plan.phase,
        "change": plan.change,
        "changes": [{"name": plan.name, "state": state, "generation": _number(plan.target)} for state in plan.changes],
        "target": plan.target,
        "leaving": list(plan.leaving),
        "steps": [{"name": step.place.name, "host": step.place.host, "what": step.what} for step in plan.steps],
        "hosts": list(plan.hosts),
        "bundle_hosts": list(plan.bundle_hosts),
        "blockers": list(plan.blockers),
        "risk": plan.risk,
        "note": plan.note,
        "idle": plan.is_idle,
    }


def _number(identifier: str) -> int:
    return int(identifier.rpartition("-g")[2])


ALL = "all"


def decide_all(situations: t.Sequence[Situation]) -> list[Plan]:
    """Return the plan of each authority.

    While any rotation is under way, an authority whose generation is not older than that rotation was a part of it and is
    complete: the command that is given again to continue is not a wish for two.
    """
    plans = [decide(one) for one in situations]
    begins = [one.begin_of(plan.target) for one, plan in zip(situations, plans) if not plan.is_idle]
    begun = min((begin for begin in begins if begin is not None), default=None)
    if begun is None:
        return plans
    settled = []
    for one, plan in zip(situations, plans):
        signing = one.at(ISSUING)[0]
        begin = one.begin_of(signing)
        is_part = begin is not None and begun - begin <= one.again_after and not signing.endswith("-g1")
        if plan.changes == (ACCEPTED,) and begin is not None and is_part:
            note = f"{signing} signs; its part of the rotation is done"
            plan = Plan(one.name, DONE, (), signing, (), note=note)
        settled.append(plan)
    return settled


def phase_of(plans: t.Iterable[Plan]) -> str:
    """Return the phase that is due for all."""
    phases = {plan.phase for plan in plans}
    return next((phase for phase in PHASES if phase in phases), DONE)


def render_all(situations: t.Sequence[Situation], plans: t.Sequence[Plan], *, executing: bool) -> list[str]:
    """Return the plans as text, one authority after the other."""
    due = phase_of(plans)
    lines: list[str] = []
    for situation, plan in zip(situations, plans):
        lines += render(situation, plan, executing=True)
        if plan.phase not in (due, DONE):
            lines.append(f"  (waits until the others have done the phase {due})")
    if due == DONE or executing:
        return lines
    return [*lines, copies(ALL, everything=True), NOTHING_CHANGED]


def all_to_dict(plans: t.Sequence[Plan]) -> dict[str, t.Any]:
    """Return the plans as one, of the phase that is due; the same keys as that of a single authority."""
    due = phase_of(plans)
    each = [to_dict(plan) for plan in plans if plan.phase == due]
    states = [one["change"] for one in each if one["change"]]
    return {
        "authority": ALL,
        "phase": due,
        "change": states[0] if states else "",
        "changes": _joined(each, "changes"),
        "target": ", ".join(one["target"] for one in each),
        "leaving": _joined(each, "leaving"),
        "steps": _joined(each, "steps"),
        "hosts": list(dict.fromkeys(_joined(each, "hosts"))),
        "bundle_hosts": list(dict.fromkeys(_joined(each, "bundle_hosts"))),
        "blockers": list(dict.fromkeys(_joined(each, "blockers"))),
        "risk": " ".join(one["risk"] for one in each if one["blockers"]),
        "note": ". ".join(one["note"] for one in each if one["note"]),
        "idle": all(plan.is_idle for plan in plans),
    }


def _joined(each: t.Iterable[t.Mapping[str, t.Any]], name: str) -> list[t.Any]:
    return [found for one in each for found in one[name]]
