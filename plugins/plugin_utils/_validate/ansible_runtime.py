# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what runs Ansible can run the collection: the version of ansible-core, and a job of AWX (automation controller).

``requires_ansible`` in meta/runtime.yml only warns, unless the user has set COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH (ansible-core 2.14 to 2.21).

A job of AWX runs in a container that is removed after it, and gets the extra variables ``awx_job_id``, ``awx_job_template_name`` and, when a
workflow started it, ``awx_workflow_job_name`` (AWX user guide, "Launch a job template"; the same with the prefix ``tower_``). A sliced job is a
workflow that AWX makes itself and names after the job template (AWX user guide, "Job slicing"). No variable has the number of a job's slice.
"""

from __future__ import annotations

import re
import typing as t

#: The oldest supported ansible-core; meta/runtime.yml has the same (a contract test compares them).
MINIMUM_VERSION = (2, 18)
VERSION_CODE = "ansible-too-old"
VERSION_HINT = (
    "Install a newer one beside the distribution's, for example with pipx install ansible-core or in a virtual environment with "
    "pip install ansible-core, and run the ansible-playbook that comes with it."
)


def version_problem(running: str) -> str:
    """Return the problem of the version ``running`` (``2.17.14``, ``2.19.0.dev0``), "" if it is supported or unreadable."""
    found = re.match(r"(\d+)\.(\d+)", running)
    if found is None or tuple(map(int, found.groups())) >= MINIMUM_VERSION:
        return ""
    return f"ansible-core {running} is older than {'.'.join(map(str, MINIMUM_VERSION))}, the oldest that portcullis.docker_tls supports"


Mapping = t.Mapping[str, t.Any]


def awx_problems(variables: Mapping, authorities: t.Sequence[str]) -> list[str]:
    """Return one sentence for each problem, none outside of AWX.

    In: variables as the inventory and AWX give them; the hosts of the group docker_ca.
    """
    if _said(variables, "job_id") is None:
        return []
    found = []
    template = _said(variables, "job_template_name")
    if template is not None and template == _said(variables, "workflow_job_name"):
        found.append(
            f"This is one slice of a sliced job of AWX ({template!r}): it sees a part of the inventory, so it cannot know which hosts admit a "
            "revoked client, and without the CA host it has no authorities. Set job slicing of the job template to 1. If it is not a sliced "
            "job, but a workflow that has the name of the job template, rename one of them."
        )
    elif not authorities:
        found.append(
            "The group docker_ca is empty in a job of AWX: the authorities would be made in the job's container and be lost with it. "
            "Name the CA host in the group docker_ca; for authorities in a volume that is mounted into the container, name localhost there."
        )
    return found


def _said(variables: Mapping, name: str) -> t.Any:
    return variables.get(f"awx_{name}", variables.get(f"tower_{name}"))
