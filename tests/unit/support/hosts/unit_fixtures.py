# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads tests/unit/fixtures/units: one directory is one host's docker.service, with its drop-ins and environment files.

``expected.conf`` is the drop-in that must come out, ``expected.json`` what is learned on the way (or the refusal's code).
``PYTHONPATH=.collections python tests/unit/support/hosts/unit_fixtures.py --write`` writes both again, to be read before they are committed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import exec_start, our_units, unit_file
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError

ROOT = Path(__file__).resolve().parents[2] / "fixtures" / "units"
OWN_PATH = f"/etc/systemd/system/docker.service.d/{our_units.DROPIN_NAME}"
NAMES = sorted(path.name for path in ROOT.iterdir() if path.is_dir())


def unit_files(name: str) -> list[tuple[str, str]]:
    """Return (path, text) of the unit and its drop-ins, as systemd lists them."""
    drop_ins = sorted((ROOT / name / "docker.service.d").glob("*.conf"))
    return [
        ("/usr/lib/systemd/system/docker.service", (ROOT / name / "docker.service").read_text()),
        *((f"/etc/systemd/system/docker.service.d/{path.name}", path.read_text()) for path in drop_ins),
    ]


def environment_of(name: str, model: unit_file.UnitModel) -> dict[str, unit_file.Variable]:
    """Return the variables of the fixture."""
    texts = {}
    for source in model.environment_files:
        path = ROOT / name / "env" / source.pattern.lstrip("/")
        texts[source.pattern] = [(source.pattern, path.read_text())] if path.exists() else []
    return unit_file.read_environment(model, texts)


def derive(
    name: str, strip: frozenset[str] = exec_start.HOST_FLAGS, extra: tuple[tuple[str, str], ...] = ()
) -> exec_start.Derivation:
    """Return what is derived from the fixture; ``extra``: more drop-ins, such as our own of an earlier run."""
    model = unit_file.parse_unit([*unit_files(name), *extra], OWN_PATH)
    return exec_start.derive(model, environment_of(name, model), strip)


def outcome(name: str) -> tuple[str | None, dict[str, object]]:
    """Return (drop-in, what was learned) of the fixture as it comes out now."""
    try:
        found = derive(name)
    except TlsError as error:
        return None, {"code": error.code}
    learned = {
        "arguments": list(found.arguments),
        "binary": found.binary,
        "config_path": found.config_path,
        "hosts": list(found.hosts),
        "inlined": list(found.inlined),
        "local_hosts": list(exec_start.local_hosts(found.hosts)),
        "notes": [note.code for note in found.notes],
        "tls_conflicts": [
            use.text() for use in exec_start.conflicts(found, exec_start.ENDPOINT_FLAGS | {"live-restore"})
        ],
    }
    return our_units.service_dropin(found, after_network=False), learned


if __name__ == "__main__" and "--write" in sys.argv:
    for fixture in NAMES:
        text, facts = outcome(fixture)
        (ROOT / fixture / "expected.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
        if text is not None:
            (ROOT / fixture / "expected.conf").write_text(text)
