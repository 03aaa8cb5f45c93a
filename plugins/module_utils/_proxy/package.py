# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which HAProxy is on this host, and whether it can be the listener ``proxy``.

Only the distribution's package counts: its user and its group are the ones that the unit runs with. 2.6 is the oldest version that this
was run on (Debian 12); 2.2 of Debian 11 knows neither ``error-log-format`` nor the TLS variables of the log.
"""

from __future__ import annotations

import grp
import pwd
import re
from dataclasses import dataclass

from .._errors import TlsError
from .._host import commands

PROGRAM = "/usr/sbin/haproxy"
USER = GROUP = "haproxy"
MINIMUM = (2, 6)
_VERSION = re.compile(r"^HA-?Proxy version (\d+)\.(\d+)(?:\.(\d+))?", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """HAProxy as found. ``version`` is () where its program is missing, or prints no version."""

    version: tuple[int, ...] = ()
    has_account: bool = False

    @property
    def text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))


def parse_version(output: str) -> tuple[int, ...]:
    """Return the version in the output of ``haproxy -v`` ("HAProxy version 2.6.12-1+deb12u4 …"), () where there is none."""
    match = _VERSION.search(output)
    return tuple(int(part) for part in match.groups() if part is not None) if match else ()


def find_package() -> Package:
    """Return the state of the package on this host."""
    return Package(parse_version(commands.run([PROGRAM, "-v"], 30)[1]), _has_account())


def check_package(package: Package) -> None:
    """Raise TlsError ``proxy-package-missing`` (the role can install it) or ``proxy-package-too-old``."""
    if not package.version or not package.has_account:
        found = f"HAProxy {package.text} without the user {USER}" if package.version else f"no {PROGRAM}"
        raise TlsError(
            f"the listener proxy needs HAProxy {'.'.join(map(str, MINIMUM))} or newer, and this host has {found}",
            hint="Install the distribution's package haproxy, or take another docker_daemon_listener on this host.",
            code="proxy-package-missing",
        )
    if package.version < MINIMUM:
        raise TlsError(
            f"the listener proxy needs HAProxy {'.'.join(map(str, MINIMUM))} or newer, and this host has {package.text}",
            hint="Take another docker_daemon_listener on this host, or upgrade its distribution.",
            code="proxy-package-too-old",
        )


def package_line(name: str) -> str:
    """Return the line of a plan for the package that is installed."""
    return f"package {name} (HAProxy)"


def _has_account() -> bool:
    try:
        pwd.getpwnam(USER)
        grp.getgrnam(GROUP)
    except KeyError:
        return False
    return True
