# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._action import ModuleAction, Result


class ActionModule(ModuleAction):
    """Examine a host; its answer sets no variable."""

    MODULE = "portcullis.docker_tls.adoption_info"

    def predict(self, arguments: Result) -> Result:
        """Return a host of which nothing is known."""
        del arguments
        return {"adoption": {}}
