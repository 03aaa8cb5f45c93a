# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._plan import status
from ..plugin_utils._remote.module_runner import ModuleAction, Result
from ..plugin_utils._variables.binding import Bound
from ..plugin_utils._variables.fleet_variables import Fleet


class ActionModule(ModuleAction):
    """Read certificate files. Its own plugin, because status.yml begins with it on all hosts (``module.py``)."""

    MODULE = "portcullis.docker_tls.certificate_files_info"

    def of_role(self, role: str, bound: Bound, fleet: Fleet) -> Result | None:
        """Return the files that the roles keep on the task's host, by its variables; with ``role`` V(record) also those of revoked clients."""
        wanted = status.files_to_record if role == "record" else status.files
        return {"files": wanted(str(bound["inventory_hostname"]), bound.groups(), fleet)}
