# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results: kept as JSON, section by section, and written as Markdown."""

from __future__ import annotations

import json
import os
import platform
import typing as t
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from .bench import BASELINE, CACHE, OURS, Section, say
from .cases import CASES
from .goals import Goal, cost_per_host, judge, ratio
from .measure import Cell, Sample
from .proxy_report import CHANGES_HEAD, COST_HEAD, changes_rows, cost_rows, judge_proxy

CASE_TITLES = {"first": "first run", "no-change": "no change", "renewal": "renewal of all", "new-host": "one new host"}
CAPTION = (
    "Seconds of a run by the number of simulated hosts: on the clock, and of the controller's processor. Ours without changes lies below a ping; "
    "the community.crypto playbook is in the tables"
)
BEGIN, END = "<!-- results: written by tools/bench --publish -->", "<!-- end of results -->"


def load(path: Path) -> dict[str, Section]:
    """Return the sections of a results file; none if there is no file, or if it is of other versions or another machine."""
    if not path.exists():
        return {}
    content = json.loads(path.read_bytes())
    if content["machine"] != machine():
        say(f"{path} is of {content['machine']}, and this is {machine()}: its sections are not kept")
        return {}
    return {name: _section(kept) for name, kept in content["sections"].items()}


def _section(kept: dict[str, t.Any]) -> Section:
    cells = {name: Cell([Sample(**sample) for sample in cell["samples"]]) for name, cell in kept["cells"].items()}
    return Section(kept["title"], kept["parameters"], cells, kept["problems"], kept["facts"])


def save(path: Path, sections: t.Mapping[str, Section]) -> None:
    """Write sections, the assessed goals and the machine as JSON."""
    goals = [asdict(goal) for goal in _judge(sections)]
    content = {
        "format": 1,
        "machine": machine(),
        "goals": goals,
        "sections": {k: asdict(v) for k, v in sections.items()},
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def machine() -> dict[str, t.Any]:
    """Return what a reader must know of the machine and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    manifest = CACHE / "collections" / "ansible_collections" / "community" / "crypto" / "MANIFEST.json"
    return {
        "processors": os.cpu_count(),
        "memory_gib": round(memory),
        "python": platform.python_version(),
        "ansible_core": metadata.version("ansible-core"),
        "cryptography": metadata.version("cryptography"),
        "community_crypto": json.loads(manifest.read_bytes())["collection_info"]["version"],
    }


def markdown(sections: t.Mapping[str, Section]) -> str:
    """Return goals and tables."""
    about = machine()
    parts = [
        f"{about['processors']} processors, {about['memory_gib']} GiB; Python {about['python']}, "
        f"ansible-core {about['ansible_core']}, cryptography {about['cryptography']}, community.crypto {about['community_crypto']}. "
        f"Medians; the number of runs is in the last column. {_measured(list(sections.values()))}",
        "### Goals",
        _goals(_judge(sections)),
        "### Fleets",
        _fleets(list(sections.values())),
        _per_host(sections),
        "### The CA",
        _floors(list(sections.values())),
        "### The API during a renewal",
        _gaps(list(sections.values())),
        "### The listener `proxy`",
        _table(CHANGES_HEAD, changes_rows(sections.get("proxy-changes"))),
        _table(COST_HEAD, cost_rows(sections.get("proxy-cost")), nothing=""),
        _problems(sections),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _judge(sections: t.Mapping[str, Section]) -> list[Goal]:
    return [*judge(sections), *judge_proxy(sections)]


def _measured(sections: t.Sequence[Section]) -> str:
    days = sorted(
        {str(section.parameters["measured"])[:10] for section in sections if "measured" in section.parameters}
    )
    return f"Measured {' to '.join(dict.fromkeys((days[0], days[-1])))}." if days else ""


def publish(document: Path, sections: t.Mapping[str, Section], *, picture: bool) -> None:
    """Replace the results between the two markers of the document; `picture` says whether there is a plot beside it."""
    text = document.read_text()
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{document} lacks the markers {BEGIN} and {END}")
    results = markdown(sections)
    if picture:
        results = results.replace("\n\n### Fleets", f"\n\n![{CAPTION}]({document.stem}.svg)\n\n### Fleets", 1)
    document.write_text(f"{before}{BEGIN}\n\n{results}\n{END}{after}")


def _table(head: t.Sequence[str], rows: t.Sequence[t.Sequence[str]], nothing: str = "Not measured.") -> str:
    if not rows:
        return nothing
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _goals(goals: t.Sequence[Goal]) -> str:
    verdict = {True: "**reached**", False: "missed", None: "not measured"}
    rows = [[goal.case, goal.goal, goal.found or "–", verdict[goal.reached]] for goal in goals]
    return _table(["case", "goal", "measured", ""], rows)


def _fleets(sections: t.Sequence[Section]) -> str:
    head = ["fleet", "case", "ours : ping", f"{BASELINE} : ours", "ours", BASELINE, "ping", "runs"]
    rows = []
    for section in sections:
        for case in CASES:
            ours, baseline = f"{OURS}/{case}", f"{BASELINE}/{case}"
            if "hosts" not in section.parameters or not {ours, baseline} & section.cells.keys():
                continue
            rows.append(
                [
                    section.title,
                    CASE_TITLES[case],
                    _ratio(section, ours, "ping"),
                    _ratio(section, baseline, ours),
                    *(_cost(section.cells.get(cell)) for cell in (ours, baseline, "ping")),
                    " / ".join(
                        str(len(section.cells[cell].samples)) for cell in (ours, baseline) if cell in section.cells
                    ),
                ]
            )
    note = "Ratios: wall, CPU. Costs: wall s / controller's CPU s / largest process MiB. Runs: ours / " + BASELINE + "."
    return f"{_table(head, rows)}\n\n{note}"


def _per_host(sections: t.Mapping[str, Section]) -> str:
    rows: list[list[str]] = []
    head = ["cost of each further simulated host, ms wall / CPU"]
    for cell, title in (
        ("ping", "ping"),
        (f"{OURS}/no-change", "ours, no change"),
        (f"{OURS}/renewal", "ours, renewal of all"),
        (f"{OURS}/first", "ours, first run"),
    ):
        wall, cpu = (cost_per_host(sections, cell, what) for what in ("wall", "cpu"))
        steps = [f"from {few:,} to {many:,}" for few, many in wall]
        head = max(head, ["cost of each further simulated host, ms wall / CPU", *steps], key=len)
        if wall:
            rows.append([title, *(f"{wall[step] * 1000:.0f} / {cpu[step] * 1000:.0f}" for step in wall)])
    return _table(head, [[*row, *[""] * (len(head) - len(row))] for row in rows], nothing="")


def _floors(sections: t.Sequence[Section]) -> str:
    rows = []
    for section in sections:
        if "requests" not in section.parameters:
            continue
        floor, wanted = "nothing" if "nothing" in section.cells else "raw loop", section.parameters["requests"]
        for name, cell in section.cells.items():
            count = int(name.rpartition("/")[2].split()[0]) if "/" in name else wanted
            per_request = "" if name == "nothing" else f"{cell.median('wall') / count * 1000:.2f}"
            # A way that was given fewer requests is compared by what one costs.
            compared = _ratio(section, name, floor) if count == wanted else ""
            rows.append([section.title, name, compared, per_request, _cost(cell), str(len(cell.samples))])
    return _table(["case", "way", "ratio to the floor", "ms a CSR", "wall s / CPU s / MiB", "runs"], rows)


def _gaps(sections: t.Sequence[Section]) -> str:
    rows = []
    for section in sections:
        facts = section.facts
        if "listener" not in section.parameters or not facts:
            continue
        broken = ", ".join(f"{count} {name}" for name, count in facts["broken"].items()) or "0"
        lived = "yes" if facts["container_lived_on"] else "no"
        values = (facts["restarts"], facts["refused"], broken, facts["longest_gap"], facts["longest_wait"], lived)
        rows.append([f"`{section.parameters['listener']}`", *map(str, values)])
    head = [
        "listener",
        "restarts",
        "refused",
        "broken off",
        "longest time without an answer, s",
        "longest wait, s",
        "container lived on",
    ]
    return _table(head, rows)


def _problems(sections: t.Mapping[str, Section]) -> str:
    lines = [
        f"- {section.title}: {problem.splitlines()[0]}" for section in sections.values() for problem in section.problems
    ]
    return "Incomplete:\n\n" + "\n".join(lines) if lines else ""


def _ratio(section: Section, above: str, below: str) -> str:
    wall, cpu = ratio(section, above, below), ratio(section, above, below, "cpu")
    return "" if wall is None or cpu is None else f"**{wall:.1f}**, {cpu:.1f}"


def _cost(cell: t.Optional[Cell]) -> str:
    if cell is None:
        return ""
    return f"{cell.median('wall'):.1f} / {cell.median('cpu'):.1f} / {cell.median('peak_mib'):.0f}"
