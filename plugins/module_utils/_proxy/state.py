# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HAProxy and the listener ``proxy`` on a host: the package, our unit's text, and what is there; changes nothing. |.

Only the distribution's package counts: its user and its group are the ones that the unit runs with. 2.6 is the oldest version that this
was run on (Debian 12); 2.2 of Debian 11 knows neither ``error-log-format`` nor the TLS variables of the log.

Certificate, key and client authorities stay in the certificate store, which only root can read. Each start and each reload copies
the live set into a directory in memory (/run) that root owns and the proxy's group can read: no second copy of the key is on disk,
and a renewal is a new revision of the store and a reload. HAProxy 2.6 needs chain and key in one file. A file that has the same contents
already is not written again, so a rollback needs no room where /run is full. (``printf`` and ``[`` are of the shell, so no key is in a command
line; ``cat`` reports why a file cannot be written.)

Measured on Debian 12 (HAProxy 2.6, systemd 252), 13 (3.0, 257) and testing (3.2): ``MemoryDenyWriteExecute=`` keeps HAProxy from
starting (PCRE compiles at run time); 3.2 asks for resources that it can do without, so a filtered call fails instead of ending it;
a reload (USR2 to the master of ``-Ws``) interrupts no connection. Commands with the prefix ``+`` run as root and outside of the
sandbox (systemd.service(5)).
"""

from __future__ import annotations

import grp
import pwd
import re
import typing as t
from dataclasses import dataclass

from .._docker.our_units import filter_lines
from .._errors import TlsError
from .._files import read_bytes_or_none
from .._host import commands
from .service import ProxyFiles, is_enabled

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


#: HAProxy's ``maxconn``. Each connection has two files; systemd's own limit is 1,024, and HAProxy may not raise it in its sandbox.
MAXIMUM_CONNECTIONS = 2000
_FILES = 2 * MAXIMUM_CONNECTIONS + 512

OWN_MARK = "# Managed by Ansible (portcullis.docker_tls)"

_COPY = """\
PATH=/usr/sbin:/usr/bin:/sbin:/bin; umask 077; mkdir -p "$1"; chgrp "$2" "$1"; chmod 0750 "$1"; cd "$1"; group=$2; \
trap 'rm -f server.pem.new client-ca.pem.new' EXIT; \
stage() { [ "$2" = "$(cat "$1" 2>/dev/null)" ] || \
{ printf '%s\\n' "$2" | cat >"$1.new"; chgrp "$group" "$1.new"; chmod 0640 "$1.new"; }; }; \
swap() { [ ! -e "$1.new" ] || mv -f "$1.new" "$1"; }; \
bundle=$(cat "$0/server-cert.pem" && echo && cat "$0/server-key.pem"); authorities=$(cat "$0/client-ca.pem"); \
stage server.pem "$bundle"; stage client-ca.pem "$authorities"; swap server.pem; swap client-ca.pem"""

_SANDBOX = """\
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProcSubset=pid
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
InaccessiblePaths=-/etc/docker -/var/lib/docker -/root
UMask=0077
"""


@dataclass(frozen=True)
class ProxyUnit:
    """The input of the unit. Paths are absolute.

    ``certificates``: the directory of the live set; ``runtime``: where its copies go; ``socket_group``: who may use Docker's socket.
    ``sources``: networks that may connect (CIDR); empty: all. ``own_addresses``: where the proxy listens, which has to reach itself.
    """

    config_path: str
    certificates: str
    runtime: str
    docker_socket_unit: str
    socket_group: str
    program: str = "/usr/sbin/haproxy"
    user: str = "haproxy"
    group: str = "haproxy"
    sources: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()


def unit_text(unit: ProxyUnit) -> str:
    """Return the unit's text.

    Its restarts have no limit: where an address of the endpoint appears late (a VPN), the next attempt binds it.
    ``IPAddressAllow=`` filters in the kernel, in both directions; the proxy's only other traffic is on a Unix socket.
    """
    copy = f"+/bin/sh -ec {_quoted(_COPY)} {_quoted(unit.certificates)} {_quoted(unit.runtime)} {unit.group}"
    check = f"{unit.program} -c -f {unit.config_path}"
    lines = [
        f"{OWN_MARK}. Do not edit: the next run writes it again.",
        "# To take it away: docker_daemon_state: absent",
        "[Unit]",
        "Description=TLS endpoint of Docker (HAProxy in front of its local socket)",
        f"After=network.target {unit.docker_socket_unit}",
        f"Wants={unit.docker_socket_unit}",
        "StartLimitIntervalSec=0",
        "[Service]",
        "Type=notify",
        f"User={unit.user}",
        f"Group={unit.group}",
        f"SupplementaryGroups={unit.socket_group}",
        "# Certificate and key for this group only, in memory.",
        f"ExecStartPre={copy}",
        f"ExecStart={unit.program} -Ws -f {unit.config_path}",
        f"ExecReload={copy}",
        f"ExecReload={check}",
        "ExecReload=/bin/kill -USR2 $MAINPID",
        f"ExecStopPost=+/bin/rm -rf {unit.runtime}",
        "KillMode=mixed",
        "Restart=always",
        "RestartSec=2",
        "TimeoutStopSec=15",
        "SuccessExitStatus=143",
        f"LimitNOFILE={_FILES}",
        *filter_lines(unit.sources, unit.own_addresses),
        *_SANDBOX.splitlines(),
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def is_ours(data: bytes | None) -> bool:
    """Return whether a file was written by this collection."""
    return data is not None and data.startswith(OWN_MARK.encode("ascii"))


def _quoted(text: str) -> str:
    """Return a text as one word of a unit's command: systemd expands ``$`` and ``%`` there."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"'


@dataclass(frozen=True)
class ProxyState:
    """Our files as they are (None: no file), and the unit.

    Read only where the listener is wanted: ``package``, and Docker's local socket with the group that may use it ("": none but root).
    """

    files: ProxyFiles
    config: bytes | None = None
    crl: bytes | None = None
    unit: bytes | None = None
    active: bool = False
    enabled: bool = False
    package: Package | None = None
    docker_socket: str = ""
    socket_group: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the unit is ours."""
        return is_ours(self.unit)

    @property
    def contents(self) -> dict[str, bytes | None]:
        """Path -> bytes of the files that a change swaps."""
        return dict(zip(self.files.paths, (self.config, self.crl, self.unit)))


class Host(t.Protocol):
    """The operations of the machine that are needed here."""

    @property
    def proxy_files(self) -> ProxyFiles:
        """Where the files of the listener are."""

    def proxy_is_active(self) -> bool:
        """Return whether the unit runs."""

    def proxy_package(self) -> Package:
        """Return the HAProxy of this host."""

    def local_socket(self) -> tuple[str, str]:
        """Return the path of Docker's local socket, and the group that may use it."""


def read_proxy(host: Host, *, wanted: bool) -> ProxyState:
    """Return the present state. Raises TlsError ``file-unreadable``. ``wanted``: the listener should be set up."""
    files = host.proxy_files
    config, crl, unit = map(read_bytes_or_none, files.paths)
    socket, group = host.local_socket() if wanted else ("", "")
    return ProxyState(
        files=files,
        config=config,
        crl=crl,
        unit=unit,
        active=unit is not None and host.proxy_is_active(),
        enabled=is_enabled(files),
        package=host.proxy_package() if wanted else None,
        docker_socket=socket,
        socket_group=group,
    )
