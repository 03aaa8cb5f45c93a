# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the listener ``proxy`` needs on a host: its files, why they change, and whether its unit starts, reloads or stops. Pure. |.

The present configuration is the only record of what was wanted before. It is read by the lines that ``config`` writes; whatever else
differs in it, a change by hand for example, is ``proxy-config-changed``.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._docker.our_units import unit_reasons
from .._errors import TlsError
from .service import RELOAD, RESTART, START, STOP, ProxyFiles, listeners
from .state import PROGRAM, ProxyState, ProxyUnit, check_package, unit_text

if t.TYPE_CHECKING:
    from .rights import Rights


_GROUP = re.compile(r"tcp-request content set-var\(txn\.group\) str\(([a-z0-9_-]+)\) if (group[0-9]+)")
_ISSUERS = re.compile(r"acl (group[0-9]+) ssl_c_i_dn -m str (.+)")
_BACKEND = re.compile(r"backend (group[0-9]+) from requests")
_RIGHTS = re.compile(r"its rights are: ([a-z0-9+ -]+)\"")
_CRL = re.compile(r" crl-file \S+(?: crt-ignore-err 12 ca-ignore-err 12)?")
_BIND = re.compile(r"bind \S+ ")
_TIMEOUT = "hard-stop-after "
#: Lines that follow from the groups and their rights; the names in them are only the numbers of the groups.
_FOLLOWS = (
    "tcp-request content set-var(",
    "tcp-request content accept ",
    "acl group",
    "use_backend ",
    "default_backend ",
)
_ALLOW = "http-request allow "


@dataclass(frozen=True)
class Parts:
    """A configuration in parts. ``rights``: group -> its words (``full``, ``read-only``); ``allowed``: group -> the lines of its rules."""

    listen: tuple[tuple[str, int], ...]
    stream_timeout: str
    lists: frozenset[str]
    issuers: t.Mapping[str, str]
    rights: t.Mapping[str, str]
    allowed: t.Mapping[str, tuple[str, ...]]
    rest: tuple[str, ...]


def parts(config: bytes | None) -> Parts:
    """Return a configuration of ours in parts; what is not recognized is in ``rest``."""
    text = (config or b"").decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()]
    names = {number: name for line in lines for name, number in _GROUP.findall(line)}
    issuers = {names.get(number, number): value for line in lines for number, value in _ISSUERS.findall(line)}
    rights = dict.fromkeys(names.values(), "full")
    allowed: dict[str, tuple[str, ...]] = dict.fromkeys(names.values(), ())
    rest: list[str] = []
    for section in text.split("\n\n"):
        own = [line.strip() for line in section.splitlines()]
        found = _BACKEND.match(own[0]) if own else None
        if found is not None:
            name, words = str(names.get(found[1], found[1])), _RIGHTS.search(section)
            rights[name] = words[1] if words else ""
            allowed[name] = tuple(line for line in own if line.startswith(_ALLOW))
        elif not section.startswith("backend "):
            rest += (_BIND.sub("", _CRL.sub("", line)) for line in own if not line.startswith((*_FOLLOWS, _TIMEOUT)))
    return Parts(
        listen=listeners(config),
        stream_timeout="".join(line for line in lines if line.startswith(_TIMEOUT)),
        lists=frozenset(each for line in lines for each in _CRL.findall(line)),
        issuers=issuers,
        rights=rights,
        allowed=allowed,
        rest=tuple(dict.fromkeys(rest)),
    )


def config_reasons(before: bytes | None, after: bytes | None, *, lists_change: bool) -> list[str]:
    """Return why haproxy.cfg changes, as stable words; none where it does not. ``lists_change``: the revocation lists change as well."""
    if before == after:
        return []
    old, new = parts(before), parts(after)
    kept = [name for name in new.rights if name in old.rights]
    differs = {
        "listen-changed": set(old.listen) != set(new.listen),
        "access-groups-changed": old.issuers != new.issuers,
        "rights-changed": any(
            (old.rights[one], old.allowed[one]) != (new.rights[one], new.allowed[one]) for one in kept
        ),
        "stream-timeout-changed": old.stream_timeout != new.stream_timeout,
        "proxy-config-changed": old.rest != new.rest or (old.lists != new.lists and not lists_change),
    }
    found = [reason for reason, is_so in differs.items() if is_so]
    explained = bool(found) or (lists_change and old.lists != new.lists)
    return found if explained else ["proxy-config-changed"]


def rights_texts(before: bytes | None, after: bytes | None) -> list[str]:
    """Return each change of a group's rights in words: ``rights of ci: read-only -> ci``."""
    old, new = parts(before), parts(after)
    found = []
    for name, words in new.rights.items():
        if name not in old.rights or (old.rights[name], old.allowed[name]) == (words, new.allowed[name]):
            continue
        found.append(f"rights of {name}: {old.rights[name]} -> {words}{' (other rules)' * (words == old.rights[name])}")
    return found


@dataclass(frozen=True)
class Wanted:
    """The listener as it is asked for.

    ``listen``: (address, port). ``groups``: name -> certificates of its authorities. ``certificates``: the directory of the live set.
    ``crl``: PEM, "" for none. ``sources``: networks that may connect, () for all.
    """

    listen: tuple[tuple[str, int], ...]
    groups: t.Mapping[str, t.Sequence[t.Any]]
    rights: t.Mapping[str, Rights]
    certificates: str
    crl: str
    stream_timeout: int
    sources: tuple[str, ...]
    docker_socket_unit: str
    package_follows: bool = False  # in check mode, where the role installs HAProxy


def wanted_files(state: ProxyState, wanted: Wanted) -> dict[str, bytes | None]:
    """Return path -> bytes (None: no file) of the files of the listener.

    Raises TlsError ``proxy-package-missing``, ``proxy-package-too-old``, ``proxy-socket-unreachable``, ``proxy-root-missing``, and those of
    ``config.render``.
    """
    from .authorities import expire
    from .config import ProxyConfig, ProxyGroup, render  # hosts with another listener do not pay for them

    package, files = state.package, state.files
    if package is None:
        raise TlsError("the HAProxy of this host was not read", hint="Please report it.", code="proxy-package-missing")
    if not package.version and wanted.package_follows:
        return _unknown(files)
    check_package(package)
    if not state.socket_group:
        raise TlsError(
            f"no group may use Docker's local socket {state.docker_socket}, and the proxy does not run as root",
            hint="Create the group docker and run systemctl restart docker.socket; Docker's packages do both.",
            code="proxy-socket-unreachable",
        )
    if not wanted.groups:  # in check mode, before the first run has made the authorities
        return _unknown(files)
    _check_roots(wanted.groups)
    has_crl = bool(wanted.crl.strip())
    config = render(
        ProxyConfig(
            listen=wanted.listen,
            certificate_path=files.bundle,
            ca_path=files.client_ca,
            crl_path=files.crl if has_crl else "",
            crl_expires=has_crl and expire(wanted.crl, (one for each in wanted.groups.values() for one in each)),
            groups=tuple(
                ProxyGroup.of(name, certificates, wanted.rights[name]) for name, certificates in wanted.groups.items()
            ),
            docker_socket=state.docker_socket,
            stream_timeout_seconds=wanted.stream_timeout,
            haproxy_version=package.version,
        )
    )
    unit = unit_text(
        ProxyUnit(
            config_path=files.config,
            certificates=wanted.certificates,
            runtime=files.runtime,
            docker_socket_unit=wanted.docker_socket_unit,
            socket_group=state.socket_group,
            program=PROGRAM,
            sources=wanted.sources,
            own_addresses=tuple(address for address, _port in wanted.listen if address not in ("0.0.0.0", "::")),
        )
    )
    return {
        files.config: config.encode("utf-8"),
        files.crl: f"{wanted.crl.strip()}\n".encode("ascii") if has_crl else None,
        files.unit_path: unit.encode("utf-8"),
    }


def _check_roots(groups: t.Mapping[str, t.Sequence[t.Any]]) -> None:
    """Raise TlsError ``proxy-root-missing`` for an intermediate CA whose own issuer is not trusted: OpenSSL refuses all clients below it.

    Measured with HAProxy 2.6 and 3.0; dockerd, which is written in Go, admits them.
    """
    subjects = {certificate.subject for several in groups.values() for certificate in several}
    for name, several in groups.items():
        for certificate in several:
            if certificate.issuer not in subjects:
                subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
                raise TlsError(
                    f"the client authority {subject} of the access group {name} is not a root, and its issuer {issuer} is not trusted, so the proxy "
                    "would refuse all clients of the group",
                    hint="Give the group a root of its own. Or add the issuer's certificate to the same ca_content, but only if everyone who has a "
                    "client certificate below it may use Docker. Or use the listener dockerd or systemd, which need no root.",
                    code="proxy-root-missing",
                )


def _unknown(files: ProxyFiles) -> dict[str, bytes | None]:
    """Return files without contents, where these cannot be known before the run."""
    return {**dict.fromkeys(files.paths), files.unit_path: b"", files.config: b""}


def no_files(state: ProxyState) -> dict[str, bytes | None]:
    """Return the same for a host without the listener: nothing stays where the unit is ours, all stays where it is not."""
    return dict.fromkeys(state.files.paths) if state.is_there else state.contents


def step(state: ProxyState, after: t.Mapping[str, bytes | None], *, certificates_change: bool, outdated: bool) -> str:
    """Return the step for the unit, "" for none. ``outdated``: it serves another certificate than its files have."""
    if after.get(state.files.unit_path) is None:
        return STOP if state.is_there else ""
    changed = [path for path, data in after.items() if data != state.contents[path]]
    if not state.active:
        return START
    if state.files.unit_path in changed and _effective(state.unit) != _effective(after[state.files.unit_path]):
        return RESTART
    return RELOAD if changed or certificates_change or outdated or not state.enabled else ""


def _effective(unit: bytes | None) -> list[bytes]:
    """Return what systemd reads of a unit: another comment interrupts no connection."""
    return [line for line in (unit or b"").splitlines() if line.strip() and not line.startswith((b"#", b";"))]


def reasons(state: ProxyState, after: t.Mapping[str, bytes | None]) -> tuple[str, ...]:
    """Return why the listener changes, as stable words."""
    files, found = state.files, []
    if after.get(files.unit_path) is None:
        return ("proxy-unwanted",) if state.is_there else ()
    if not state.is_there:
        return ("proxy-new",)
    lists_change = after[files.crl] != state.crl
    found += config_reasons(state.config, after[files.config], lists_change=lists_change)
    if lists_change:
        found.append("crl-changed")
    found += unit_reasons(state.unit, after[files.unit_path], "proxy-unit-changed")
    if not state.active:
        found.append("proxy-not-running")
    elif not state.enabled:
        found.append("proxy-not-enabled")
    return tuple(found)


def check_foreign(state: ProxyState) -> None:
    """Raise TlsError ``proxy-unit-foreign`` where another tool has a unit of our name."""
    if state.unit is not None and not state.is_there:
        raise TlsError(
            f"{state.files.unit_path} is there and was not written by this collection",
            hint="Move it away (systemctl disable --now, then rename it), or take another docker_daemon_listener.",
            code="proxy-unit-foreign",
        )
