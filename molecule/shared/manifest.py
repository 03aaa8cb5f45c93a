# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a run leaves on hosts and on the controller, with mode and owner, and the events of the ledger.

A scenario that has a file `manifest.txt` compares with it: a change of the code that is not meant to change a host has to leave the
manifest as it is. `RECORD_MANIFEST=1 tools/molecule-run SCENARIO` writes it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Optional

PLACES = "/etc/docker /var/lib/docker-tls /etc/systemd/system/docker* /run/systemd/system/docker*"
FIND = r"-printf '%y %m %u:%g %p %l\n'"
SHOWN = r"\.(json|conf|service|socket|timer)$"
# What is different in each run: serial numbers in names, addresses, times.
SERIAL = re.compile(r"\b[0-9a-f]{38,}\b")
ADDRESS = re.compile(r"\b(?!0\.0\.0\.0|127\.0\.0\.1)(\d{1,3}\.){3}\d{1,3}\b")
CONSTANT_FIELDS = ("seq", "event", "authority", "profile", "request", "requester", "reasons", "subject", "names")


def _comparable(text: str) -> str:
    return ADDRESS.sub("ADDRESS", SERIAL.sub("SERIAL", text))


def _files(listing: str) -> list[str]:
    return sorted({_comparable(line.strip()) for line in listing.splitlines()}, key=lambda line: line.split(" ")[3:])


def _of_host(host: Any) -> list[str]:
    listing = host.run(f"find {PLACES} {FIND} 2>/dev/null").stdout
    shown = [line.split(" ")[3] for line in listing.splitlines() if line.startswith("f") and "/etc/" in line]
    lines = _files(listing)
    for path in sorted(path for path in shown if re.search(SHOWN, path) and not path.endswith("/key.json")):
        lines += [f"--- {path}", *_comparable(host.file(path).content_string).splitlines()]
    return lines


def _of_controller(directory: Path) -> list[str]:
    # The owner is the user who runs the scenario.
    listing = subprocess.run(
        f"find ca clients {FIND.replace('%u:%g', 'OPERATOR')}",
        shell=True,
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return _files(listing)


def _of_ledger(path: Path) -> list[str]:
    events = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        _comparable(json.dumps({name: event[name] for name in CONSTANT_FIELDS if name in event})) for event in events
    ]


def manifest(hosts: dict[str, Any], directory: Path) -> str:
    """Return the manifest as text: a section for each host by name, for the controller's directory, and for the ledger."""
    sections = {name: _of_host(host) for name, host in sorted(hosts.items())}
    sections["controller"] = _of_controller(directory)
    sections["ledger"] = _of_ledger(directory / "ca" / "ledger.jsonl")
    return "\n".join(f"== {name}\n" + "\n".join(lines) + "\n" for name, lines in sections.items())


def recorded(found: str) -> Optional[str]:
    """Return the scenario's recorded manifest, None where it has none; write `found` first where RECORD_MANIFEST is set."""
    file = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "manifest.txt"
    if os.environ.get("RECORD_MANIFEST"):
        file.write_text(found)
    return file.read_text() if file.exists() else None
