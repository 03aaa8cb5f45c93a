# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the collection's playbooks from a test, as a user would, against the scenario's hosts."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """What ansible-playbook said."""

    returncode: int
    output: str

    @property
    def recap(self) -> str:
        return self.output[self.output.rfind("PLAY RECAP") :]


def play(*options: str, playbook: str = "playbooks/site.yml", **variables: Any) -> Run:
    """Run a playbook of the checkout with extra variables and options (`--check`, `--limit`, `-vvv`, …)."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    extra = ["-e", json.dumps(variables)] if variables else []
    finished = subprocess.run(
        ["ansible-playbook", "-i", inventory, *extra, *options, str(ROOT / playbook)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        check=False,
    )
    return Run(finished.returncode, finished.stdout)


def fingerprint_of_host(host: Any) -> str:
    """Everything on a Docker host that a run could have changed, and the process of dockerd."""
    files = "find /etc/docker /etc/systemd/system /var/docker -exec stat -c '%n %a %U %Y' {} + -type f -exec sha256sum {} + 2>/dev/null | sort"
    return str(host.run(f"{files}; systemctl show -p MainPID docker.service").stdout)


def fingerprint_of_directory(directory: Path) -> dict[str, bytes]:
    """Every file below a directory of the controller, with its content."""
    return {
        str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file() and path.name != "lock"
    }
