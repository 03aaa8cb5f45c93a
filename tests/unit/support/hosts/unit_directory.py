# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A systemd that is a directory of units."""

from __future__ import annotations

import os
import pathlib

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.systemd import Services, Systemd, UnitState


class Manager(Systemd):
    """systemd that only notes its calls."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(unit_directory=str(directory))
        self.told: list[str] = []

    def show(self, proxy: str = "") -> Services:
        return Services(UnitState("docker.service"), UnitState("docker.socket"))

    def daemon_reload(self) -> None:
        self.told.append("daemon-reload")

    def command(self, *arguments: str) -> None:
        self.told.append(arguments[0])

    def is_active(self, unit: str) -> bool:
        return os.path.exists(os.path.join(self.unit_directory, unit))
