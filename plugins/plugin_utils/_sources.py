# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both programs for a pipe import, the look and the change. PRIVATE: may change without notice.

Paths below ``module_utils``. The tests of each program compare its list with what its imports reach.
"""

from __future__ import annotations

SHARED = (
    "_adopt/effective",
    "_daemon/config",
    "_daemon/dropin",
    "_daemon/endpoint",
    "_daemon/endpoint_socket",
    "_daemon/engine",
    "_daemon/environment",
    "_daemon/findings",
    "_daemon/flags",
    "_daemon/handshake",
    "_daemon/journal",
    "_daemon/jsontext",
    "_daemon/listen",
    "_daemon/listening",
    "_daemon/local",
    "_daemon/local_fallback",
    "_daemon/machine",
    "_daemon/options",
    "_daemon/others",
    "_daemon/plan",
    "_daemon/plan_present",
    "_daemon/plan_units",
    "_daemon/preflight_certificates",
    "_daemon/report",
    "_daemon/running",
    "_daemon/socket_unit",
    "_daemon/start_guard",
    "_daemon/state",
    "_daemon/systemd",
    "_daemon/unit",
    "_daemon/unit_source",
    "_daemon/unitfile",
    "_daemon/wanted_files",
    "_daemon/words",
    "_errors",
    "_files",
    "_host/addresses",
    "_host/adopted",
    "_host/certstore",
    "_host/netlink",
    "_host/store_files",
    "_time",
    "_x509/attributes",
    "_x509/compat",
    "_x509/decide",
    "_x509/inspect",
    "_x509/keys",
    "_x509/names",
    "_x509/pem",
    "_x509/profiles",
    "_x509/verify",
    "_x509/wording",
)
