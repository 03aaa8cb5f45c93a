# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._action import CertificateAction


class ActionModule(CertificateAction):
    """Install a server certificate; install cryptography where it is missing."""

    MODULE = "portcullis.docker_tls.server_certificate"
