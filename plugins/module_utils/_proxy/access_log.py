# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who did what: the proxy's log, one JSON object a line, on its standard error, which systemd writes into the journal.

``kind`` is ``request`` (one request and its response), ``stream`` (a connection that the proxy passes on unfiltered: BuildKit, and
``docker exec`` where HAProxy cannot filter it) or ``connection`` (a connection without a request: a refused handshake).

Never in it: query strings (they can hold credentials of a registry), headers (``X-Registry-Auth``), bodies. Everything that a client
chooses passes HAProxy's ``json`` converter, so it can neither end the string nor the line. ``bytes`` limits it, so that a line fits
``log len``; a path is longer only where nothing real has it.
"""

from __future__ import annotations

#: HAProxy cuts a line off here (``log … len``): 2,048 bytes of path can become twice as many by the converter.
MAXIMUM_LINE = 8192
_MAXIMUM_PATH = 2048

#: Variables of HAProxy that the frontend and the backends set, read by ``FIELDS``.
GROUP, METHOD, PATH, STATUS, KIND = "txn.group", "txn.method", "txn.path", "txn.status", "txn.kind"

_UTC = "%[date,utime(%Y-%m-%dT%H:%M:%SZ)]"


def _text(source: str) -> str:
    return f'"%[{source},json(utf8s)]"'


#: Field and HAProxy's expression for it, in the order of the line. docs: "What the log of the proxy contains".
REQUEST_FIELDS: tuple[tuple[str, str], ...] = (
    ("time", f'"{_UTC}"'),
    ("kind", f'"%[var({KIND})]"'),
    ("client", _text("ssl_c_s_dn(CN)")),
    ("group", f'"%[var({GROUP})]"'),
    ("serial", '"%[ssl_c_serial,hex,lower]"'),
    ("address", '"%[src]"'),
    ("method", _text(f"var({METHOD}),bytes(0,32)")),
    ("path", _text(f"var({PATH}),bytes(0,{_MAXIMUM_PATH})")),
    ("status", f'"%[var({STATUS})]"'),
    ("bytes_sent", "%B"),
    ("bytes_received", "%U"),
    ("duration_ms", "%Tt"),
    ("end", '"%ts"'),
)

#: A connection that ended before a request: ``error`` in OpenSSL's words, ``verify_error`` its number (10 expired, 23 revoked).
CONNECTION_FIELDS: tuple[tuple[str, str], ...] = (
    ("time", f'"{_UTC}"'),
    ("kind", '"connection"'),
    ("client", _text("ssl_c_s_dn(CN)")),
    ("serial", '"%[ssl_c_serial,hex,lower]"'),
    ("address", '"%[src]"'),
    ("error", _text("fc_err_str")),
    ("verify_error", "%[ssl_c_err]"),
)


def log_format(fields: tuple[tuple[str, str], ...]) -> str:
    """Return HAProxy's log format for ``fields``: one JSON object."""
    return "{" + ",".join(f'"{name}":{source}' for name, source in fields) + "}"
