# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._remote.module_runner import PassphraseAction


class ActionModule(PassphraseAction):
    """Change the generations of an authority; the passphrase goes through a pipe."""

    MODULE = "portcullis.docker_tls.authority_generation"
