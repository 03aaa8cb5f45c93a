# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files, modes, owners and ledger events of the shortest inventory are the recorded ones."""

from __future__ import annotations

from fleet import hosts_of
from manifest import manifest, recorded
from testinfra_helpers import ephemeral_directory

testinfra_hosts = ["ansible://localhost"]


def test_files_and_ledger_events_are_as_recorded() -> None:
    found = manifest(hosts_of("docker_hosts"), ephemeral_directory())
    assert found == recorded(found)
