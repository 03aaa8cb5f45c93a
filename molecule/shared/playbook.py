# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the collection's playbooks from a test, as a user would, against the scenario's hosts."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """What ansible-playbook said."""

    returncode: int
    output: str

    @property
    def recap(self) -> str:
        return self.output[self.output.rfind("PLAY RECAP") :]

    def did(self, task: str) -> bool:
        """Return whether a task with this name was done somewhere, and not only passed over."""
        blocks = re.findall(rf"{re.escape(task)}\] \*+\n(.*?)(?=^(?:TASK|PLAY) |\Z)", self.output, re.S | re.M)
        return any(re.search(r"^(?:ok|changed): ", block, re.M) for block in blocks)


def play(
    *options: str,
    playbook: str = "playbooks/site.yml",
    environment: Optional[Mapping[str, str]] = None,
    **variables: Any,
) -> Run:
    """Run a playbook of the checkout with extra variables and options (`--check`, `--limit`, `-vvv`, …)."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    extra = ["-e", json.dumps(variables)] if variables else []
    finished = subprocess.run(
        ["ansible-playbook", "-i", inventory, *extra, *options, str(ROOT / playbook)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        check=False,
    )
    return Run(finished.returncode, finished.stdout)


def on_day(offset: int) -> dict[str, str]:
    """Return the environment in which Ansible lives so many days off, here and where the inventory says so; an empty one for today.

    dockerd and its clients stay in the present: Go asks the kernel, whose clock is shared. Only decisions and certificates
    are of the past; access is always tested today.
    """
    hook = Path(__file__).with_name("other_day")
    path = os.pathsep.join(filter(None, [str(hook), os.environ.get("PYTHONPATH")]))
    return {"OTHER_DAY": f"{offset:+d}", "PYTHONPATH": path} if offset else {}


def fingerprint_of_host(host: Any) -> str:
    """Everything on a Docker host that a run could have changed, and the process of dockerd."""
    files = "find /etc/docker /etc/systemd/system /var/docker -exec stat -c '%n %a %U %Y' {} + -type f -exec sha256sum {} + 2>/dev/null | sort"
    return str(host.run(f"{files}; systemctl show -p MainPID docker.service").stdout)


def fingerprint_of_directory(directory: Path) -> dict[str, bytes]:
    """Every file below a directory of the controller, with its content."""
    return {
        str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file() and path.name != "lock"
    }
