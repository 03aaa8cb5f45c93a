# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between two states of the proxy's files, so that a plan can name it: rights, addresses, sources. Pure.

The present configuration is the only record of what was wanted before. It is read by the lines that ``config`` writes; whatever else
differs in it, a change by hand for example, is ``proxy-config-changed``.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .files import listeners

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
