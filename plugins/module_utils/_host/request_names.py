# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of a host in a request, and the identity of its machine.

The machine id does not identify a machine: virtual machines of one template share it, and the keys of their SSH server. It is identified by

* the boot id of the kernel (Linux, random.c: random for each boot), which clones do not share, but containers on one kernel do;
* device and inode of the root directory, which containers on one kernel do not share;
* the auxiliary vector of process 1 (getauxval(3): addresses that the kernel chose at random for it). Only root of this machine can
  read it, so that a hostile host cannot give itself the identity of another host and keep that one from its certificate.

The CA leaves out names that only the host reports and that may belong to another machine (``_ca/reported_names``). Without a record the
host would miss them in its new certificate, and each run would issue another one. The record is text before the PEM block, which
readers skip (RFC 7468 section 2: "Data before the encapsulation boundaries are permitted"): so it takes its place together with
the key, in the same rename, and goes with it.
"""

from __future__ import annotations

import hashlib
import os
import socket
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .._pki import names

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_AUXILIARY_VECTOR = "/proc/1/auxv"


def machine_identity(boot_id: str = _BOOT_ID, auxiliary_vector: str = _AUXILIARY_VECTOR, root: str = "/") -> str:
    """Return an identifier that is the same in each call on one machine until its next boot, and another one on every other machine.

    "" where it cannot be computed. The hashed values do not leave the machine.
    """
    try:
        boot = _read(boot_id)
        status = os.stat(root)
    except OSError:
        return ""
    try:
        vector = _read(auxiliary_vector)
    except OSError:  # not root
        vector = b""
    identity = b"\0".join((boot.strip(), f"{status.st_dev}:{status.st_ino}".encode("ascii"), vector))
    return hashlib.sha256(identity).hexdigest()


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(4096)


LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Host:
    """The values that a request may take from its host; ``select_addresses`` resolves selectors such as ``private``.

    ``machine``: the identity of the machine (``_host/machine_identity``).
    """

    fqdn: str
    select_addresses: t.Callable[[t.Sequence[str]], t.Sequence[str]]
    machine: str = ""


@dataclass(frozen=True)
class WantedNames:
    """Common name and names of a request. ``reported``: those that only the host reports, so that the CA may leave them out.

    ``chosen``: the common name is a variable's. Otherwise any of the names is one.
    """

    subject: names.SubjectNames
    reported: frozenset[str] = frozenset()
    chosen: bool = True


def host_fqdn() -> str:
    """Return this host's full name; its plain name where the resolver only returns ``localhost`` (a common /etc/hosts)."""
    name = socket.getfqdn()
    if name.split(".")[0] in ("localhost", "localhost6", "ip6-localhost") or not names.is_name(name):
        return socket.gethostname()
    return name


def wanted_names(request: t.Mapping[str, t.Any], host: Host) -> WantedNames:
    """Return the names of a request. Raises TlsError ``name-invalid``, ``common-name-invalid``, ``address-selector-invalid``."""
    return _client(request) if request["profile"] == "client" else _server(request, host)


def machine_of(host: Host, key_path: str) -> str:
    """Return an identifier of a machine and a key on it, "" where the machine cannot be distinguished from others."""
    text = f"{host.machine} {key_path}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if host.machine else ""


def foretold(requests: t.Iterable[t.Mapping[str, t.Any]], host: Host) -> list[dict[str, t.Any]]:
    """Return what a host without ``cryptography`` can report about its server requests; invalid ones are left out, because a run will report them."""
    found = []
    for request in requests:
        if request["profile"] == "server":
            try:
                asked = list(wanted_names(request, host).subject.names)
            except TlsError:
                continue
            found.append({"id": request["id"], "names": asked, "machine": machine_of(host, request["key_path"])})
    return found


def _client(request: t.Mapping[str, t.Any]) -> WantedNames:
    common_name = request["common_name"] or request["id"]
    names.check_common_name(common_name, f"common_name of {request['id']!r}")
    found = names.normalize_names(request["names"], _what(request))
    return WantedNames(names.SubjectNames(common_name, found or (names.client_identity(common_name),)))


def _what(request: t.Mapping[str, t.Any]) -> str:
    return f"the entry of names of {request['id']!r}"


def _server(request: t.Mapping[str, t.Any], host: Host) -> WantedNames:
    what = _what(request)
    declared = set(names.normalize_names(_declared(request), what))
    of_facts = {names.normalize_name(name) for name in request["fact_names"] if names.is_name(name)}
    reported = set(names.normalize_names(_reported(request, host), what))
    found = names.normalize_names(declared | reported)
    if not found or any(name.startswith(names.CLIENT_PREFIX) for name in found):
        problem = "has a client's name among its names" if found else "has no names"
        raise TlsError(
            f"the server certificate {request['id']!r} {problem}",
            hint="Set names, fqdn, local_names or addresses.",
            code="name-invalid",
        )
    common_name = request["common_name"]
    if common_name:
        names.check_common_name(common_name, f"common_name of {request['id']!r} (docker_server_cert_common_name)")
    preferred = [*_full_name(request, host), *request["optional_names"]]
    spelled = [names.normalize_name(name) for name in preferred if names.is_name(name)]
    return WantedNames(
        names.SubjectNames(common_name or names.default_common_name([*spelled, *found]), found),
        frozenset((reported - declared) | (of_facts & declared)),
        chosen=bool(common_name) and common_name not in request["fact_names"],
    )


def _declared(request: t.Mapping[str, t.Any]) -> list[str]:
    """Return the names that are the controller's words."""
    found = list(request["names"])
    found += [name for name in request["optional_names"] if names.is_name(name)]
    # Who writes a host name into common_name expects it to work, and clients look only at the names.
    if "." in request["common_name"] and names.is_name(request["common_name"]):
        found.append(request["common_name"])
    if request["local_names"]:
        found.extend(LOCAL_NAMES)
    return found + [entry for entry in request["addresses"] if _is_address(entry)]


def _is_address(entry: str) -> bool:
    """Return whether an entry of ``addresses`` is an address itself, and no selector such as ``private``."""
    return names.is_name(entry) and names.address_or_none(names.normalize_name(entry)) is not None


def _reported(request: t.Mapping[str, t.Any], host: Host) -> list[str]:
    found = _full_name(request, host)
    if request["addresses"]:
        found.extend(host.select_addresses(request["addresses"]))
    return found


def _full_name(request: t.Mapping[str, t.Any], host: Host) -> list[str]:
    """Return the host's full name where it is asked for.

    The CA of the collection leaves out a name that it may not sign. Another issuer may take all names from the request, so only a name is
    in that which extends one of the inventory by a domain: those are signed (``_ca.reported``).
    """
    if not request["fqdn"]:
        return []
    extends = [f"{name.lower()}." for name in (*request["names"], *request["optional_names"])]
    return [] if request["external_issuer"] and not host.fqdn.lower().startswith(tuple(extends)) else [host.fqdn]


_TITLE = "This host reported these names when it asked for a certificate with this key:"


def with_record(key: bytes, names: t.Iterable[str]) -> bytes:
    """Return the PEM of a key with a record of ``names``, in canonical spelling (ASCII without blanks); none for no names."""
    found = sorted(set(names))
    lines = "".join(f"{line}\n" for line in (_TITLE, *found)) if found else ""
    return lines.encode("ascii", "replace") + without_record(key)


def without_record(key: bytes) -> bytes:
    """Return the PEM of a key alone."""
    return key[max(key.find(b"-----BEGIN "), 0) :]


def recorded(key: bytes) -> frozenset[str]:
    """Return the names that were asked for with a key, none where that is not known."""
    text = key[: max(key.find(b"-----BEGIN "), 0)].decode("ascii", "replace")
    before, title, after = text.partition(_TITLE + "\n")
    return frozenset(after.split()) if title and not before.strip() else frozenset()
