# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CA: a play that signs many requests, and one module call that signs very many, against their floors."""

from __future__ import annotations

import json
import os
import sys
import typing as t
from pathlib import Path

from .bench import (
    BASELINE,
    CACHE,
    HERE,
    OURS,
    PASSPHRASE,
    PROJECT,
    Bench,
    OutOfTime,
    Section,
    baseline_variables,
    our_variables,
)
from .fleets import fresh_directory
from .measure import CommandFailed

# community.crypto signs one by one, about a second each: fewer of them say enough.
BASELINE_COUNT = 20
OPENSSL_COUNT = 20


def measure_signing(bench: Bench, count: int) -> Section:
    """Measure one play that signs `count` requests against a play that does nothing."""
    section = Section(f"{count} CSRs in one play", {"requests": count, "key_type": bench.key_type})
    work = fresh_directory(CACHE / "work" / "signing")

    def sign(contender: str, number: int, variables: dict[str, t.Any]) -> None:
        requests = json.loads((work / "requests.json").read_bytes())["requests"][:number]
        playbook = HERE / {OURS: "ours", BASELINE: "baseline"}[contender] / "signing.yml"
        cell = f"{contender}/{number} requests"
        section.add(cell, bench.playbook(f"signing {cell}", playbook, {**variables, "requests": requests}))

    def measure_ours() -> None:
        variables = our_variables(bench, work)
        bench.playbook("signing authorities (not counted)", HERE / "ours" / "authorities.yml", variables)
        for _ in range(bench.repetitions):
            section.add("nothing", bench.playbook("signing nothing", HERE / "floor" / "nothing.yml", {}))
            sign(OURS, count, variables)

    def measure_baseline() -> None:
        variables = baseline_variables(bench, work / "baseline")
        bench.playbook("signing authorities (not counted)", HERE / "baseline" / "authorities.yml", variables)
        for _ in range(bench.repetitions):
            sign(BASELINE, min(count, BASELINE_COUNT), variables)

    _worker(bench, "make_requests.py", str(count), str(work / "requests.json"))
    _attempt(bench, section, {OURS: measure_ours, BASELINE: measure_baseline})
    return section


def measure_ca(bench: Bench, count: int) -> Section:
    """Measure one signed_certificates call with `count` requests against the raw loop and the openssl command line."""
    section = Section(f"{count:,} CSRs in one call of the CA", {"requests": count, "key_type": "ecdsa-p256"})
    work = fresh_directory(CACHE / "work" / "ca")
    requests = work / "requests.json"

    def measure_ours() -> None:
        variables = our_variables(bench, work)
        bench.playbook("ca authorities (not counted)", HERE / "ours" / "authorities.yml", variables)
        authority = work / "ca" / "authorities" / "server-g1"
        for _ in range(bench.repetitions):
            sample = _worker(bench, "raw_loop.py", str(requests), str(authority), str(work / "raw.json"))
            section.add("raw loop", sample)
            section.add("ours", _worker(bench, "call_module.py", str(requests), str(work / "ca")))
        section.facts = _what_was_kept(work, CACHE / "logs" / "ca-call_module.py.log", count)
        _measure_openssl(bench, section, authority, requests, work / "openssl")

    _worker(bench, "make_requests.py", str(count), str(requests))
    _attempt(bench, section, {OURS: measure_ours})
    return section


def _attempt(bench: Bench, section: Section, steps: dict[str, t.Callable[[], None]]) -> None:
    try:
        for contender, step in steps.items():
            if contender not in bench.contenders:
                continue
            try:
                step()
            except CommandFailed as error:
                section.problems.append(f"{contender}: {error}")
    except OutOfTime:
        section.problems.append("the time limit was reached")


def _worker(bench: Bench, script: str, *arguments: str) -> t.Any:
    paths = f"{PROJECT / '.collections'}:{CACHE / 'collections'}"
    environment = {**os.environ, "BENCH_PASSPHRASE": PASSPHRASE, "PYTHONPATH": paths}
    return bench.measure(f"ca {script}", [sys.executable, str(HERE / "workers" / script), *arguments], environment)


def _what_was_kept(work: Path, output: Path, count: int) -> dict[str, t.Any]:
    """Return what the last call left behind: certificates in its answer, in the ledger, on disk."""
    ledger = (work / "ca" / "ledger.jsonl").read_text().splitlines()
    kept = len(list((work / "ca" / "issued").glob("*.pem")))
    return {
        "requests": count,
        "answered": output.read_text().count('"certificate_content"'),
        "ledger_lines": len(ledger),
        "files": kept,
    }


def _measure_openssl(bench: Bench, section: Section, authority: Path, requests: Path, directory: Path) -> None:
    fresh_directory(directory)
    for number, request in enumerate(json.loads(requests.read_bytes())["requests"][:OPENSSL_COUNT]):
        (directory / f"{number}.csr").write_text(request["request_content"])
    command = [str(HERE / "workers" / "openssl.sh"), str(authority), str(directory)]
    environment = {**os.environ, "BENCH_PASSPHRASE": PASSPHRASE}
    for _ in range(bench.repetitions):
        section.add(f"openssl/{OPENSSL_COUNT} requests", bench.measure("ca openssl", command, environment))
