# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every measured fact that code cites has its section in docs/dev/dockerd-facts.md."""

from __future__ import annotations

import re

from support.contracts.documentation import ROOT

CITATION = re.compile(r"dockerd[-_]facts ((?:\d(?:\.\w+)?|\w+)(?:(?:, | and )\d(?:\.\w+)?)*)")


def cited() -> dict[str, set[str]]:
    """Return the cited sections, each with the files that cite it."""
    found: dict[str, set[str]] = {}
    for top in ("plugins", "tests", "roles", "playbooks", "molecule"):
        for path in (ROOT / top).rglob("*"):
            if path.suffix in {".py", ".yml", ".md"} and path.name != "test_dockerd_facts.py":
                for match in CITATION.finditer(" ".join(path.read_text().split())):
                    for section in re.split(r", | and ", match[1]):
                        found.setdefault(section, set()).add(str(path.relative_to(ROOT)))
    return found


def test_every_cited_fact_has_its_section() -> None:
    page = (ROOT / "docs/dev/dockerd-facts.md").read_text()
    sections = set(re.findall(r"^##+ (\d(?:\.\d)?)\.? ", page, re.MULTILINE))
    citations = cited()
    assert {"1.4", "2.2"} <= set(citations)
    assert {section: files for section, files in citations.items() if section not in sections} == {}
