# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs of AWX that would lose their authorities, or see a part of the hosts."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._validate import preflight, surroundings
from support.contracts import records

JOB = {"awx_job_id": 7, "awx_job_template_name": "docker-tls"}


@pytest.mark.parametrize(
    ("variables", "authorities", "word"),
    [
        ({}, [], ""),
        (JOB, ["ca"], ""),
        (JOB, ["localhost"], ""),
        ({**JOB, "awx_workflow_job_name": "nightly"}, ["ca"], ""),
        (JOB, [], "container"),
        ({"tower_job_id": 7}, [], "container"),
        ({**JOB, "awx_workflow_job_name": "docker-tls"}, ["ca"], "sliced job"),
        ({**JOB, "awx_workflow_job_name": "docker-tls"}, [], "sliced job"),
    ],
    ids=["no-awx", "ca-host", "ca-in-a-volume", "workflow", "no-ca-host", "tower", "slice", "slice-without-ca-host"],
)
def test_problems_of_a_job(variables: dict[str, t.Any], authorities: list[str], word: str) -> None:
    found = [records.said(problem) for problem in surroundings.awx_problems(variables, authorities)]
    assert len(found) == bool(word) and word in "".join(found)


def test_first_task_of_site_refuses_it() -> None:
    hostvars = {"localhost": {**JOB, "docker_ca_passphrase": "a" * 12}}
    assert "container" in "".join(preflight.inventory_problems({"docker_hosts": ["web1"]}, hostvars | {"web1": {}}))
