# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line of the benchmark."""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import time
import typing as t
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from . import plot, report
from .bench import BASELINE, CACHE, OURS, PROJECT, Bench, OutOfTime, Section, say
from .ca import measure_ca, measure_signing
from .cases import CASES, measure_fleet
from .fleets import RealFleet, SimulatedFleet
from .gap import measure_gap
from .proxy import measure_changes, measure_cost, measure_renewal

KINDS = ("real", "simulated", "signing", "ca", "gap", "proxy")
#: Its goals are for Debian 13.
PROXY_IMAGE = "trixie"
RESULTS = CACHE / "results.json"
DOCUMENT = PROJECT / "docs" / "performance.md"

Plan = dict[str, t.Callable[[Bench], Section]]


def main() -> int:
    """Measure what the options say, section by section, and write the results."""
    options = _options()
    bench = Bench(
        scenario=options.scenario,
        repetitions=options.repetitions,
        deadline=time.monotonic() + options.time_limit * 60,
        key_type=options.key_type,
        contenders=options.contenders,
        cases=options.cases,
        image=options.image,
    )
    # A benchmark that is stopped removes its hosts, as one that ends.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(143)))
    sections = {} if options.fresh else report.load(options.results)
    plan = {} if options.report_only else _plan(options)
    images = {bench.image} if any(name.startswith(("real", "gap", "proxy")) for name in plan) else set()
    images |= {PROXY_IMAGE} if any(name.startswith("proxy") for name in plan) else set()
    if images:
        subprocess.run([PROJECT / "tools" / "engine"], check=True)
        subprocess.run([PROJECT / "tests" / "hosts" / "images.sh", *sorted(images)], check=True)
    for name, measure in plan.items():
        try:
            bench.remaining()
        except OutOfTime:
            say(f"{name}: not measured, the time limit of {options.time_limit:g} minutes is reached")
            continue
        say(name)
        section = measure(bench)
        section.parameters["measured"] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        section.parameters["load_average"] = round(os.getloadavg()[0], 1)
        for problem in section.problems:
            say(f"  PROBLEM {problem}")
        if section.cells:
            sections[name] = section
            report.save(options.results, _ordered(sections))
    _write(_ordered(sections), options)
    return 1 if any(sections[name].problems for name in plan if name in sections) else 0


def _write(sections: dict[str, Section], options: argparse.Namespace) -> None:
    target: Path = options.results
    text = report.markdown(sections)
    target.with_suffix(".md").write_text(text)
    picture = plot.draw(list(sections.values()))
    if picture:
        target.with_suffix(".svg").write_text(picture)
    say(f"\n{text}\nresults: {target}, and .md and .svg beside it")
    if options.publish:
        report.publish(DOCUMENT, sections, picture=bool(picture))
        report.save(DOCUMENT.with_suffix(".json"), sections)
        if picture:
            DOCUMENT.with_suffix(".svg").write_text(picture)


def _ordered(sections: dict[str, Section]) -> dict[str, Section]:
    """Return the sections by kind, then by size."""

    def place(name: str) -> tuple[int, int, str]:
        kind, _, rest = name.partition("-")
        size = rest.partition("-")[0]
        return KINDS.index(kind), int(size) if size.isdigit() else 0, rest

    return dict(sorted(sections.items(), key=lambda item: place(item[0])))


def _plan(options: argparse.Namespace) -> Plan:
    """Return what to measure, the goals' cases first: a run that is cut short has said the most."""
    plan: Plan = {}
    if "real" in options.sections:
        for size in sorted(options.hosts, reverse=True):
            for transport in options.transport:
                plan[f"real-{size}-{transport}"] = _real(size, transport)
    if "signing" in options.sections:
        plan[f"signing-{options.signing}"] = lambda bench: measure_signing(bench, options.signing)
    if "ca" in options.sections:
        plan[f"ca-{options.requests}"] = lambda bench: measure_ca(bench, options.requests)
    if "gap" in options.sections:
        for listener in options.listeners:
            plan[f"gap-{listener}"] = _gap(listener)
    if "proxy" in options.sections:
        plan["proxy-8"] = lambda bench: measure_renewal(bench, 8)
        plan["proxy-changes"] = lambda bench: measure_changes(replace(bench, image=PROXY_IMAGE))
        plan["proxy-cost"] = lambda bench: measure_cost(replace(bench, image=PROXY_IMAGE))
    if "simulated" in options.sections:
        for size in sorted(options.simulated):
            plan[f"simulated-{size}"] = _simulated(size, options.baseline_hosts)
    return plan


def _real(size: int, transport: str) -> t.Callable[[Bench], Section]:
    return lambda bench: measure_fleet(bench, RealFleet(bench, size, transport), bench.contenders)


def _gap(listener: str) -> t.Callable[[Bench], Section]:
    return lambda bench: measure_gap(bench, listener)


def _simulated(size: int, baseline_hosts: int) -> t.Callable[[Bench], Section]:
    def measure(bench: Bench) -> Section:
        # A run of the baseline with 1,000 hosts would take as long as all the rest.
        wanted = [one for one in bench.contenders if one == OURS or size <= baseline_hosts]
        return measure_fleet(bench, SimulatedFleet(bench, size), wanted)

    return measure


def _options() -> argparse.Namespace:
    checkout = hashlib.sha256(str(PROJECT).encode()).hexdigest()[:6]
    parser = argparse.ArgumentParser(
        prog="tools/bench", description="Measures; docs/performance.md says how to read it."
    )
    add = parser.add_argument
    add(
        "--sections",
        type=_words(KINDS),
        help="of " + ",".join(KINDS) + " (default: those that other options name, else all)",
    )
    add("--cases", type=_words(CASES), default=CASES, help="of " + ",".join(CASES))
    add("--contenders", type=_words((OURS, BASELINE)), default=(OURS, BASELINE), help=f"of {OURS},{BASELINE}")
    add("--hosts", type=_numbers, help="sizes of real fleets (1,8)")
    add("--transport", type=_words(("ssh", "docker")), help="of ssh,docker")
    add("--simulated", type=_numbers, help="sizes of simulated fleets (1,50,200,1000)")
    add("--baseline-hosts", type=int, default=50, help=f"largest simulated fleet for {BASELINE} (50)")
    add("--signing", type=int, help="CSRs in one play (100)")
    add("--requests", type=int, help="CSRs in one call of the CA (10000)")
    add("--listeners", type=_words(("dockerd", "systemd")), help="of dockerd,systemd: the API during a renewal")
    add("--repetitions", type=int, default=3)
    add("--time-limit", type=float, default=90, metavar="MINUTES", help="what is not begun by then is left out (90)")
    add("--key-type", default="ecdsa-p256", choices=["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"])
    add("--image", default="bookworm", help="release of the real hosts")
    add("--scenario", default=f"docker-tls-{checkout}-bench", help="prefix of the names of the hosts")
    add("--results", type=Path, default=RESULTS, help="sections that are not measured now are kept from there")
    add("--fresh", action="store_true", help="forget earlier results")
    add("--report-only", action="store_true", help="measure nothing, write the tables")
    add("--publish", action="store_true", help="write docs/performance.md, .json and .svg")
    options = parser.parse_args()
    named = {
        "real": options.hosts or options.transport,
        "simulated": options.simulated,
        "signing": options.signing,
        "ca": options.requests,
        "gap": options.listeners,
    }
    options.sections = options.sections or tuple(kind for kind, value in named.items() if value) or KINDS
    options.hosts = options.hosts or (8, 1)
    options.transport = options.transport or ("ssh", "docker")
    options.simulated = options.simulated or (1, 50, 200, 1000)
    options.signing = options.signing or 100
    options.requests = options.requests or 10000
    options.listeners = options.listeners or ("dockerd", "systemd")
    return options


def _words(allowed: t.Sequence[str]) -> t.Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        words = tuple(text.split(","))
        unknown = [word for word in words if word not in allowed]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(allowed)}")
        return words

    return parse


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


if __name__ == "__main__":
    raise SystemExit(main())
