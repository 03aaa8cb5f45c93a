# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run prints: tables without headings of empty plays, reasons in words, the verification. |.

A debug task would leave that to the callback: as JSON (the default) a table is a list of quoted strings, as YAML some of
its lines are quoted and others not, and both push it out of line. So it goes to the display itself, line by line, with
the colours that Ansible uses.

Ansible prints three lines for each play that has no hosts, and has no setting for that (``display_skipped_hosts`` is about tasks). site.yml has
one play for every case, and in most runs most of them have no hosts: two thirds of the output of a run with nothing to do.

A callback cannot remove the output of the stdout callback, so the heading of a play is held until the next line shows whether the play has
hosts. With -v everything is printed.

The words are phrases without a tense, because a plan (check mode) shows them as well as a report.
"""

from __future__ import annotations

import json
import re
import typing as t
from datetime import datetime

from ansible import constants as C

from ...module_utils import _text_table
from ...module_utils._fleet import advice
from ...module_utils._time import isoformat
from .._plan import access_lists

# Ansible's settings of colours, by the word that a line begins with.
_COLOURS = {
    "CRITICAL": "COLOR_ERROR",
    "CRITICAL:": "COLOR_ERROR",
    "FAILED": "COLOR_ERROR",
    "NOT": "COLOR_ERROR",
    "UNREACHABLE": "COLOR_UNREACHABLE",
    "WARNING": "COLOR_WARN",
    "WARNING:": "COLOR_WARN",
    "changed": "COLOR_CHANGED",
    "would": "COLOR_CHANGED",
    "unknown": "COLOR_SKIP",
    "UNKNOWN:": "COLOR_SKIP",
    "ok": "COLOR_OK",
    "OK:": "COLOR_OK",
}
#: Marks of a warning in a plan, anywhere in a line.
_WARNINGS = ("NOT KNOWN:", "OBSTACLE")


def show(display: t.Any, lines: t.Iterable[str]) -> None:
    """Print the lines of a table, each in the colour of its first word."""
    for line in lines:
        display.display(line, color=colour(line))


def colour(line: str) -> str | None:
    """Return the name of the colour for a line, None for no colour."""
    warns = any(mark in line for mark in _WARNINGS)
    setting = "COLOR_WARN" if warns else _COLOURS.get(line.partition(" ")[0])
    return getattr(C, setting) if setting else None


#: The stdout callback of ansible-core. Others (of AWX, for example) attribute the output to events: they get it unchanged.
CALLBACKS = ("default", "ansible.builtin.default")
#: Its output, 2.18 to 2.21.
_HEADING = "\nPLAY ["
_NO_HOSTS = "skipping: no hosts matched"


def hide(display: t.Any) -> None:
    """Have ``display`` (Ansible's Display) print no plays without hosts; once is enough."""
    if getattr(display, "verbosity", 0) or isinstance(getattr(display.display, "__self__", None), _Filter):
        return
    display.display = _Filter(display.display).show


class _Filter:
    def __init__(self, show: t.Callable[..., None]) -> None:
        self._show = show
        self._held: tuple[tuple[t.Any, ...], dict[str, t.Any]] | None = None

    def show(self, *arguments: t.Any, **options: t.Any) -> None:
        """Print a message, and before it the heading that was held; neither for a play without hosts."""
        message = str(arguments[0] if arguments else options.get("msg", ""))
        held, self._held = self._held, None
        if held is not None and message == _NO_HOSTS:
            return
        if held is not None:
            self._show(*held[0], **held[1])
        if message.startswith(_HEADING):
            self._held = (arguments, options)
            return
        self._show(*arguments, **options)


WORDS = {
    # the certificate of a host or a client
    "authority-changed": "another authority",
    "certificate-missing": "no certificate yet",
    "certificate-pending": "a new certificate",
    "certificate-unreadable": "the certificate cannot be read",
    "common-name-changed": "another common name",
    "expired": "expired",
    "expires-soon": "expires soon",
    "forced": "renewal asked for",
    "key-mismatch": "key and certificate do not belong together",
    "key-missing": "no key yet",
    "key-replaced": "another key was put in place for it",
    "key-type-changed": "another type of key",
    "key-unreadable": "the key cannot be read",
    "names-changed": "other names",
    "not-yet-valid": "not valid yet",
    "profile-changed": "other usages",
    # dockerd's endpoint
    "access-groups-changed": "other access groups",
    "allowed-sources-changed": "other sources may connect",
    "anchors-changed": "other client authorities",
    "asked-for": "asked for",
    "certificate-changed": "a new certificate",
    "certificate-links-missing": "links to the certificates are missing",
    "certificates-given-back": "certificates of another tool are restored",
    "confirmed": "verified from the controller in time",
    "daemon-json-changed": "other settings in daemon.json",
    "daemon-json-rewritten": "another tool has rewritten daemon.json",
    "daemon-not-running": "dockerd does not run",
    "directory-mode-changed": "other permissions of the directory",
    "dropin-changed": "another drop-in",
    "dropin-foreign": "another tool's drop-in",
    "dropin-missing": "no drop-in yet",
    "dropin-unwanted": "the drop-in is not needed",
    "endpoint-new": "new endpoint",
    "endpoint-unwanted": "no endpoint wanted",
    "finished-interrupted-change": "completion of an interrupted change",
    "listen-changed": "other addresses",
    "listener-changed": "another listener",
    "live-restore-changed": "another setting of live-restore",
    "not-verified": "not verified from the controller since the last change",
    "record-unwanted": "leftovers of an interrupted run",
    "recovered-interrupted-change": "rollback of an interrupted change",
    "recovered-unconfirmed-change": "rollback of an unconfirmed change",
    "rolled-back": "rollback asked for",
    "running-daemon-outdated": "dockerd runs with older files",
    "proxy-new": "the proxy is set up",
    "proxy-unwanted": "the proxy is removed",
    "proxy-config-changed": "the proxy's configuration differs",
    "proxy-unit-changed": "the proxy's unit differs",
    "proxy-not-running": "the proxy is not running",
    "proxy-not-enabled": "the proxy does not start at boot",
    "proxy-outdated": "the proxy runs with older files",
    "rights-changed": "other rights of access groups",
    "stream-timeout-changed": "another time limit of open streams",
    "crl-changed": "the list of revoked certificates differs",
    "staged-key-unwanted": "a key without certificate is left over",
    "unit-changed": "the unit starts dockerd by another command",
    "unconfirmed": "a change waits for its confirmation",
    "undecided": "known only after the change",
    # bundles of clients
    "ca-changed": "another ca.pem",
    "client-revoked": "the client is revoked",
    "directory-missing": "no bundle yet",
    "environment-changed": "another env.sh",
    "format-dropped": "a format is not wanted any more",
    "key-changed": "a new key",
    "layout-changed": "another layout of the files",
    "permissions-changed": "other permissions",
    # the CA
    "authority-adopted": "an authority is adopted",
    "authority-missing": "no authority yet",
    "authority-unfinished": "an authority was not completed",
    "bundle-unlisted": "the inventory has no such bundle",
    "client-unlisted": "the inventory has no such client",
    "group-changed": "the client is in another group",
    "ledger-behind": "the ledger is older than the certificates on the hosts",
    "certificates-external": "certificates of other issuers are added to the ledger",
    "ledger-recorded": "certificates are added to the ledger",
    "ledger-repaired": "the last line of the ledger was not complete",
    "ledger-restarted": "the ledger begins again",
    "ledger-restored": "restored from a backup",
    "modes-repaired": "permissions",
    "passphrase-change-finished": "completion of an interrupted change of the passphrase",
    "passphrase-changed": "another passphrase",
    # the controller
    "cryptography-missing": "Python's cryptography is missing",
    "cryptography-too-old": "Python's cryptography is too old",
    "revocation-list-signed": "a list of revoked certificates is signed",
    "revocation-verified": "the ledger records which hosts refuse a revoked client",
    "session-ended": "the session is over",
    "temporary-client": "a client for minutes",
    "tls-changed": "other TLS settings",
    "url-changed": "another URL",
}

#: Reasons that another one implies: people read one of them, programs get all codes.
_IMPLIED = {
    "anchors-changed": {"access-groups-changed"},
    "endpoint-new": {
        "anchors-changed",
        "authority-changed",
        "certificate-changed",
        "certificate-pending",
        "dropin-missing",
        "listen-changed",
    },
}

# The reasons at the end of a line of a plan: "(expires-soon, names-changed)", "(client-revoked: bob)".
_REASONS = re.compile(r"\(([a-z][^()]*)\)$")


def word(reason: str) -> str:
    """Return one reason in words; an unknown one (for example the code of an error) unchanged. The part after a colon is kept."""
    code, colon, what = reason.partition(": ")
    return f"{WORDS.get(code, code)}{colon}{what}"


def words(reasons: t.Iterable[str]) -> str:
    """Return reasons in words, as one text, without those that another one implies."""
    given = list(reasons)
    implied = set().union(*(_IMPLIED.get(one, ()) for one in given))
    return ", ".join(dict.fromkeys(word(one) for one in given if one not in implied))


def worded(line: str) -> str:
    """Return a line of a plan with the reasons at its end in words; any other line as it is."""
    found = _REASONS.search(line)
    reasons = found[1].split(", ") if found else []
    if found is None or reasons[0].partition(": ")[0] not in WORDS:
        return line
    return f"{line[: found.start()]}({words(reasons)})"


Mapping = t.Mapping[str, t.Any]

#: Version of the document's form: fields are added without a new one.
SCHEMA = 1
Row = dict[str, t.Any]


def verification_rows(hosts: t.Iterable[str], hostvars: Mapping, access: t.Optional[Mapping] = None) -> list[Row]:
    """Return one row for each check of each host.

    In: inventory names and ``hostvars`` after the role docker_daemon ran with docker_daemon_verify: always; ``access`` is the result of
    M(authority_info) with the clients of the inventory, where revoked clients are included.
    Out: dicts with ``host``, ``seen_from`` (host or controller), ``check``, ``passed``, ``detail``.
    A host that could not be inspected has a row with the reason, and never counts as verified.
    """
    rows: list[Row] = []
    for host in hosts:
        rows += _rows_of(host, hostvars[host])
        if access is not None:
            rows += _access_rows(host, access, hostvars[host].get("docker_daemon_endpoint") or {})
    return rows


def _access_rows(host: str, access: Mapping, endpoint: Mapping) -> t.Iterator[Row]:
    """Yield whether a revoked client can still connect. Another check verifies that the host admits only authorities that the CA trusts.

    A host that is as the variables want it has the revocation lists of the CA, and refuses the certificates in them. ``endpoint``: result of M(endpoint).
    """
    if not access.get("compared"):
        why = _complaint(access) or "the CA's ledger could not be compared with the clients of the inventory"
        yield _row(host, "controller", "revoked-clients", False, why)
        return

    checked = [] if _due(endpoint) or endpoint.get("failed") else access_lists.checked_lists(endpoint)

    def here(key: str) -> list[Mapping]:
        return [one for one in access.get(key) or [] if one.get("trusted") and host in (one.get("hosts") or ())]

    still = [
        f"STILL ADMITS {one['client']}, which is revoked, by {one['generation']} until {one['not_after']}"
        for one in here("revoked")
        if not (one.get("listed") and one["generation"] in checked)
    ]
    yield _row(host, "controller", "revoked-clients", not still, "; ".join(still) or "every revoked client is shut out")
    for one in here("unlisted"):
        text = f"{advice.what(one)} is admitted until {one['not_after']}: {advice.why(one)}"
        yield _row(host, "controller", "unlisted-certificate", True, text)


def _rows_of(host: str, variables: Mapping) -> t.Iterator[Row]:
    endpoint, outside = variables.get("docker_daemon_endpoint") or {}, variables.get("docker_daemon_verification") or {}
    if not endpoint or endpoint.get("failed") or endpoint.get("unreachable"):
        yield _row(host, "host", "inspected", False, _complaint(endpoint) or "the host was not reached")
        return
    due = _due(endpoint)
    settled = "as the variables want it" if not due else f"portcullis.docker_tls.site would change it ({words(due)})"
    yield _row(host, "host", "configuration", not due, settled)
    for seen_from, checks in (("host", endpoint.get("verification")), ("controller", outside.get("checks"))):
        for check in checks or []:
            yield _row(host, seen_from, check["check"], bool(check["passed"]), check["detail"])
    if not outside.get("checks"):
        yield _row(host, "controller", "inspected", False, _not_inspected(endpoint, outside))


def _due(endpoint: Mapping) -> list[str]:
    """Return how a host differs from the variables. "Not verified" is not a difference, because this is the verification."""
    return [str(reason) for reason in endpoint.get("reasons") or [] if reason != "not-verified"]


def _not_inspected(endpoint: Mapping, outside: Mapping) -> str:
    there = endpoint.get("endpoint") or {}
    if "certificate" in there and not there["certificate"]:
        return "the host has no server certificate yet: run portcullis.docker_tls.site"
    return _complaint(outside) or "nothing was seen from the controller"


def _complaint(result: Mapping) -> str:
    """Return the message of a failed module with its hint."""
    return ". ".join(str(result[name]) for name in ("msg", "hint") if result.get(name))


def _row(host: str, seen_from: str, check: str, passed: bool, detail: str) -> Row:
    return {"host": host, "seen_from": seen_from, "check": check, "passed": passed, "detail": " ".join(detail.split())}


def verification_table(rows: t.Sequence[Row]) -> list[str]:
    """Return the rows as lines of text with aligned columns, and a last line that sums them up."""
    heads = ("", "HOST", "SEEN FROM", "CHECK", "DETAIL")
    cells = [
        ("ok" if row["passed"] else "FAILED", row["host"], row["seen_from"], row["check"], row["detail"])
        for row in rows
    ]
    return [*_text_table.align([heads, *cells]), summary(rows)]


def summary(rows: t.Sequence[Row]) -> str:
    """Return one sentence about all rows."""
    hosts = {row["host"] for row in rows}
    failed = {row["host"] for row in rows if not row["passed"]}
    if not rows:
        return "There is no host to verify."
    if failed:
        return f"NOT VERIFIED: {len(failed)} of {_count(len(hosts), 'host')} ({', '.join(sorted(failed))})."
    return f"Verified: {_count(len(rows), 'check')} on {_count(len(hosts), 'host')}, all passed."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def head(now: datetime, operator: str, version: str, authorities: Mapping, endpoints: Mapping) -> Row:
    """Return the head of the document: its form, when and by whom it was made, of which authorities and endpoints.

    In: the controller's user and host, the collection's version, RV(authorities) of M(authority_info) (empty where the CA could not be read), and
    the URL of each host's endpoint.
    """
    known = [
        {"name": name, "id": one.get("id"), "purpose": one.get("purpose"), "fingerprint_sha256": _fingerprint(one)}
        for name, one in sorted(authorities.items())
    ]
    return {
        "schema": SCHEMA,
        "generated": isoformat(now),
        "collection": {"name": "portcullis.docker_tls", "version": version},
        "operator": operator,
        "authorities": known,
        "endpoints": dict(sorted(endpoints.items())),
    }


def _fingerprint(authority: Mapping) -> str | None:
    return (authority.get("certificate") or {}).get("fingerprint_sha256")


def verification_json(rows: t.Sequence[Row], about: Mapping) -> str:
    """Return the rows as a JSON document; ``about`` is its ``head``."""
    verified = bool(rows) and all(row["passed"] for row in rows)
    return json.dumps({**about, "verified": verified, "summary": summary(rows), "checks": list(rows)}, indent=2) + "\n"
