# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers of hosts that are adopted, and where their endpoints listen.

The host was set up by others. An answer in the wrong form is the failure of that host alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import typing as t

from ...module_utils._docker.listeners import default_entries, is_wildcard, kept_entries, undecided
from ...module_utils._text_table import clean
from .._remote.answer_schema import Fields, Flag, Items, Misshapen, Named, Shape, Text
from .._variables.fleet_variables import connected_address
from .host_reports import LOCAL_NAMES
from .inventory import as_list, ascii_name, listen_addresses

MOST_BYTES = 4 * 1024 * 1024
MOST_ENTRIES = 1000
MOST_CERTIFICATE = 64 * 1024
_TEXT, _FLAG, _CERTIFICATE = Text(), Flag(), Text(MOST_CERTIFICATE)
_TEXTS = Items(_TEXT, MOST_ENTRIES)
_AUTHORITY: dict[str, Shape] = {
    **dict.fromkeys(("subject", "fingerprint_sha256", "not_after", "certificate_path"), _TEXT),
    "certificate_content": _CERTIFICATE,
    "signs": _TEXTS,
    "keys": Items(Fields({"path": _TEXT, "encrypted": _FLAG}), MOST_ENTRIES),
}
_ADOPTION = Fields(
    {
        "layout": _TEXT,
        **dict.fromkeys(("managed", "tls"), _FLAG),
        **dict.fromkeys(("listeners", "plain_listeners", "names", "searched"), _TEXTS),
        **dict.fromkeys(("paths", "where"), Named(_TEXT)),
        "authorities": Items(Fields(_AUTHORITY), MOST_ENTRIES),
        "certificates": Items(Fields({"content": _CERTIFICATE, "source": _TEXT}), MOST_ENTRIES),
        "findings": Items(
            Fields(dict.fromkeys(("severity", "code", "path", "message", "repair"), _TEXT)), MOST_ENTRIES
        ),
    }
)
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")


def problem(found: t.Any) -> str:
    """Return why ``found``, the ``adoption`` of M(adoption_info), cannot be used, "" where it can.

    The fingerprint of an authority has to be that of the certificate that comes with it.
    """
    try:
        accepted = _ADOPTION.clean(found, "adoption")
        size = len(json.dumps(accepted))
    except Misshapen as error:
        return str(error)
    if size > MOST_BYTES:
        return f"it has {size} bytes, and {MOST_BYTES} are the most that is taken"
    digests = [(fingerprint(one["certificate_content"]), one["fingerprint_sha256"]) for one in accepted["authorities"]]
    good = all(own and own == stated for own, stated in digests)
    return "" if good else "authorities: a fingerprint is not that of its certificate"


def fingerprint(content: str) -> str:
    """Return the SHA-256 fingerprint of the one certificate in a PEM text, "" where there is none or more."""
    match = _PEM.fullmatch(content)
    try:
        return hashlib.sha256(base64.b64decode("".join(match[1].split()), validate=True)).hexdigest() if match else ""
    except binascii.Error:
        return ""


def shown(text: t.Any) -> str:
    """Return a host's text for a line of a plan: it begins no line of its own and moves no cursor."""
    return clean(str(text))


Mapping = t.Mapping[str, t.Any]

_PORT = 2376
_LOCAL = ("fd://", "unix://")


def listener_lines(host: str, found: Mapping, variables: Mapping) -> list[str]:
    """Return what becomes of the listeners of ``host``, and which names its clients will no longer find in its certificate.

    In: inventory name, the ``adoption`` of M(adoption_info), and the host's variables.
    """
    if found["managed"]:
        return []
    before, after = _before(found), _after(found, variables)
    kept = not found["plain_listeners"] and sorted(before) == sorted(after)
    if kept:
        lines = [f"    listener: {', '.join(after)}, as it is"]
    else:
        plain = " without TLS" if found["plain_listeners"] else ""
        source = " (docker_daemon_listen)" if _told(variables) else ""
        lines = [f"    listener: {', '.join(before) or 'none over TCP'}{plain} -> {', '.join(after)}{source}"]
    if found["listeners"] and not any(str(url).startswith(_LOCAL) for url in found["listeners"]):
        lines.append("    listener: dockerd has no local socket now; it gets one")
    if kept and not all(map(is_wildcard, after)) and not _told(variables):
        lines.append(f"        -> To have that in the inventory too: docker_daemon_listen: {after}")
    gone = [name for name in found["names"] if not _is_named(str(name), host, variables, after)]
    if gone:
        lines.append(f"    names: the new certificate will not have {', '.join(gone)}, which the old one has")
        lines.append(f"        -> Where clients connect by one of them: docker_server_cert_names: {gone}")
    return lines


def listener_problems(host: str, found: Mapping, variables: Mapping) -> list[str]:
    """Return why the listeners of ``host`` cannot be kept as they are, as sentences; () where they are configured or can be kept."""
    kept = _kept(found, variables)
    if found["managed"] or _told(variables) or not kept:
        return []
    problems = [f"{host}: {finding.message}. {finding.hint}" for finding in undecided(kept, _port(variables))]
    unknown = [
        entry
        for entry in kept
        if not is_wildcard(entry)
        and not _is_named(listen_addresses([entry])[0] if listen_addresses([entry]) else entry, host, variables, ())
    ]
    if unknown and not problems:
        problems.append(
            f"{host}: it listens on {', '.join(unknown)} only, which the inventory does not name, so the new certificate would not have that address. "
            f"Set docker_daemon_listen: {list(kept)} for this host to keep it, or other addresses."
        )
    return problems


def _told(variables: Mapping) -> list[str]:
    return [str(entry) for entry in as_list(variables.get("docker_daemon_listen"))]


def _port(variables: Mapping) -> int:
    text = str(variables.get("docker_daemon_port", _PORT))
    return int(text) if text.isdigit() else _PORT


def _tcp(found: Mapping) -> list[str]:
    return [str(url) for url in found["listeners"] if not str(url).startswith(_LOCAL)]


def _before(found: Mapping) -> list[str]:
    return list(kept_entries(_tcp(found)))


def _kept(found: Mapping, variables: Mapping) -> tuple[str, ...]:
    return kept_entries(_tcp(found), _port(variables) if found["plain_listeners"] else 0)


def _after(found: Mapping, variables: Mapping) -> list[str]:
    return _told(variables) or list(_kept(found, variables)) or list(default_entries(_port(variables)))


def _is_named(name: str, host: str, variables: Mapping, listen: t.Iterable[str]) -> bool:
    """Return whether a certificate for ``host`` has ``name``: its own names, declared names, and its inventory name with a domain."""
    declared = [host, connected_address(host, variables), variables.get("docker_daemon_address")]
    declared += [*as_list(variables.get("docker_server_cert_names")), variables.get("docker_server_cert_common_name")]
    declared += [*as_list(variables.get("docker_server_cert_addresses")), *listen_addresses(list(listen)), *LOCAL_NAMES]
    own = {ascii_name(str(each)) for each in declared if each}
    return ascii_name(name) in own or ("." not in host and ascii_name(name).startswith(f"{ascii_name(host)}."))
