# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way to configure TLS of dockerd, and who is admitted over TCP then.

One table for two tests: the unit tests ask ``_adoption.effective_settings``, tests/faults asks a real dockerd of each release.
``D`` stands for a directory with the files of a CA ``named``; ``H`` for a home whose ``.docker`` holds those of a CA ``home``.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

D, H = "/var/tmp/switches", "/var/tmp/switches/home"
FILES = {"tlscacert": f"{D}/ca.pem", "tlscert": f"{D}/cert.pem", "tlskey": f"{D}/key.pem"}
FLAGS = tuple(f"--{key}={path}" for key, path in FILES.items())
_PAIR = {key: path for key, path in FILES.items() if key != "tlscacert"}
_HOME = {"HOME": H}
_VERIFY = {"DOCKER_TLS_VERIFY": "1"}


@dataclass(frozen=True)
class Switches:
    """The settings of dockerd, and who is admitted. ``starts``: dockerd starts with it. ``ca``: whose clients are admitted."""

    name: str
    admits: str
    values: t.Mapping[str, t.Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    environment: t.Mapping[str, str] = field(default_factory=dict)
    ca: str = ""
    starts: bool = True


def _clients(name: str, *given: t.Any, ca: str = "named", **more: t.Any) -> Switches:
    return Switches(name, "clients", *given, ca=ca, **more)


ROWS = (
    _clients("both", {"tls": True, "tlsverify": True, **FILES}),
    _clients("tls-alone", {"tls": True, **FILES}),
    _clients("tlsverify-alone", {"tlsverify": True, **FILES}),
    _clients("tls-false-tlsverify", {"tls": False, "tlsverify": True, **FILES}),
    _clients("tlsverify-null", {"tls": True, "tlsverify": None, **FILES}),
    _clients("host-without-scheme", {"hosts": ["127.0.0.1:2399"], "tls": True, **FILES}),
    Switches("tlsverify-false", "unverified", {"tls": True, "tlsverify": False, **FILES}),
    Switches("tlsverify-false-alone", "unverified", {"tlsverify": False, **FILES}),
    Switches("tls-false", "plain", {"tls": False, **FILES}),
    Switches("tls-null", "plain", {"tls": None, **FILES}),
    Switches("files-alone", "plain", {**FILES}),
    Switches("nothing", "plain"),
    Switches("no-tlscacert", "system", {"tls": True, **FILES, "tlscacert": ""}),
    _clients("flag-tls", {}, ("--tls", *FLAGS)),
    _clients("flag-tlsverify", {}, ("--tlsverify", *FLAGS)),
    _clients("flag-tls-false-tlsverify", {}, ("--tls=false", "--tlsverify", *FLAGS)),
    _clients("flag-tlscacert-twice", {}, ("--tlsverify", "--tlscacert=/nowhere/ca.pem", *FLAGS)),
    Switches("flag-tls-false", "plain", {}, ("--tls=false", *FLAGS)),
    Switches("flag-tls-twice", "plain", {}, ("--tls=true", "--tls=false", *FLAGS)),
    Switches("flag-tlsverify-false", "unverified", {}, ("--tlsverify=false", *FLAGS)),
    Switches("flag-tlscacert-alone", "plain", {}, FLAGS[:1]),
    Switches("flags-of-files-alone", "plain", {}, FLAGS),
    _clients("flag-tls-files-in-json", FILES, ("--tls",)),
    _clients("flag-tlsverify-tls-in-json", {"tls": True, **FILES}, ("--tlsverify",)),
    Switches("flag-tls-tlsverify-false-in-json", "unverified", {"tlsverify": False, **FILES}, ("--tls",)),
    Switches("flag-tlsverify-false-tls-in-json", "unverified", {"tls": True, **FILES}, ("--tlsverify=false",)),
    _clients("flag-tls-home", {}, ("--tls",), _HOME, ca="home"),
    _clients("flag-tlsverify-certpath", {}, ("--tlsverify",), {"DOCKER_CERT_PATH": f"{H}/.docker"}, ca="home"),
    Switches("environment-alone", "plain", {}, (), {**_HOME, **_VERIFY}),
    Switches("environment-flags-of-files", "plain", {}, FLAGS, _VERIFY),
    _clients("environment-tls-in-json", {"tls": True}, (), {**_HOME, **_VERIFY}, ca="home"),
    _clients("environment-flags-tls-in-json", {"tls": True}, FLAGS, _VERIFY),
    Switches("flags-of-files-tls-in-json", "system", {"tls": True}, FLAGS, starts=False),
    Switches("files-nowhere", "system", {"tlsverify": True}, starts=False),
    _clients("misspelt", {"tls_verify": True, **FILES}, starts=False),
    _clients("tls-and-misspelt", {"tls": True, "tls_verify": True, **FILES}, starts=False),
    _clients("misspelt-by-letters", {"tlsVerify": True, **FILES}, starts=False),
    _clients("misspelt-file", {"tls": True, **_PAIR, "tls-ca-cert": f"{D}/ca.pem"}, starts=False),
)
