# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of the reasons. Modules return codes, for programs; a table for people has the texts instead.

The words are phrases without a tense, because a plan (check mode) shows them as well as a report.
"""

from __future__ import annotations

import re
import typing as t

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
