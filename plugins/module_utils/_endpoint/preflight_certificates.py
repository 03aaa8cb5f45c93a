# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Preflight of files: whether the certificates fit, and whether the files can be replaced.

dockerd starts with an expired or clientAuth-only certificate, one without or with wrong names, one of a foreign authority,
and with anchors that are not authorities (dockerd-facts 1.6, measured on 26.1, 28.5, 29.7; 20.10 has no --validate at all).

A rename onto a mount point fails with EBUSY (rename(2)), onto or inside an immutable or append-only file or directory with EPERM
(ioctl_iflags(2)), on a read-only file system with EROFS. In check mode nothing may be written, so no probe file is made:
the kernel is asked for its mounts, the files' attributes and the room that is left.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shlex
import struct
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._docker.findings import Finding, error, warning
from .._errors import TlsError
from .._pki import keys, reader, verify
from .._pki.compat import x509
from .._pki.reader import CertificateView
from .._time import isoformat

# RFC 8446 4.2.4 and RFC 5246 7.4.4: the list of authorities is a vector of at most 2^16-1 bytes, each name with 2 bytes of
# length. Measured: one name too many breaks every connection, and nothing warns (dockerd-facts 2.4).
MAXIMUM_NAMES_BYTES = 65535


@dataclass(frozen=True)
class TlsFiles:
    """The bytes that dockerd will read after the change; b"" where a file is missing."""

    certificate: bytes
    key: bytes
    ca: bytes
    client_ca: bytes


@dataclass(frozen=True)
class _Loaded:
    """A certificate with its plain values."""

    certificate: x509.Certificate
    view: CertificateView


def check_certificates(
    files: TlsFiles, now: datetime, names: t.Sequence[str], *, allow_dual_trust: bool = False
) -> tuple[Finding, ...]:
    """Check key, certificate, authority and anchors; never raises for a problem of theirs.

    ``now``: the host's clock, aware. ``names``: addresses that clients connect to, which the certificate should name.
    ``allow_dual_trust``: an adopted authority signs both servers and clients; warn instead of refusing.
    """
    findings: list[Finding] = []
    chain = _load(files.certificate, "certificate", "the server certificate", findings)
    authorities = _load(files.ca, "authority", "the server authority (ca.pem)", findings)
    anchors = _load(files.client_ca, "anchors", "the client authorities (client-ca.pem)", findings)
    if chain:
        findings += _check_leaf(chain[0], now, names)
        findings += _check_key(chain[0], files.key)
    if chain and authorities:
        findings += _check_issuer(chain, authorities, now)
    findings += _check_anchors(anchors, now)
    findings += _check_dual_trust(anchors, authorities, allow_dual_trust)
    return tuple(findings)


def _load(data: bytes, code: str, what: str, findings: list[Finding]) -> list[_Loaded]:
    """Return the certificates of a file without doubles; append its problems."""
    if not data.strip():
        hint = "Run docker_server_cert first (portcullis.docker_tls.site does), or give the files."
        if code == "anchors":
            hint = (
                "Admit at least one access group. Without this file dockerd would trust every authority of the system."
            )
        findings.append(error(f"{code}-missing", f"{what} is missing", hint))
        return []
    try:
        found = dict.fromkeys(reader.load_certificates(data, what))
        return [_Loaded(item, reader.view_certificate(item, what)) for item in found]
    except TlsError as problem:
        findings.append(error(f"{code}-unreadable", problem.message, problem.hint))
        return []


def _check_leaf(leaf: _Loaded, now: datetime, names: t.Sequence[str]) -> list[Finding]:
    view = leaf.view
    findings = _check_dates(view, now)
    if view.is_authority:
        text = f"the server certificate ({view.subject}) is that of an authority"
        hint = "Give the certificate that was signed for this server."
        findings.append(error("certificate-is-authority", text, hint))
    usages = view.extended_key_usages
    if usages and not {"serverAuth", "anyExtendedKeyUsage"} & set(usages):
        text = f"the server certificate is not for servers (it has {', '.join(usages)}); every client would refuse it"
        findings.append(error("certificate-usage", text, "It needs the extended key usage serverAuth."))
    elif "clientAuth" in usages:
        text = "the server certificate is for clients as well: where its authority is admitted, this host's key is a client's"
        findings.append(warning("certificate-usage-both", text, "Issue it with serverAuth only."))
    if not view.names:
        text = "the server certificate has no subject alternative name, and current clients check no other name"
        findings.append(error("certificate-names-missing", text, "Issue it again with the host's names and addresses."))
    missing = [name for name in names if name not in view.names] if view.names else []
    if missing:
        text = f"the server certificate does not name {', '.join(missing)}, so clients cannot connect by that address"
        hint = (
            "Add it to the host's names (docker_server_cert_names or docker_server_cert_addresses) if clients use it."
        )
        findings.append(warning("certificate-names", text, hint))
    return findings


def _check_dates(view: CertificateView, now: datetime) -> list[Finding]:
    clock = f"The host's clock is at {isoformat(now)}: set it if that is wrong, otherwise issue the certificate again."
    if now < view.not_before:
        text = f"the server certificate is valid only from {isoformat(view.not_before)} on"
        return [error("certificate-not-yet-valid", text, clock)]
    if now >= view.not_after:
        text = f"the server certificate has expired at {isoformat(view.not_after)}"
        return [error("certificate-expired", text, clock)]
    return []


def _check_key(leaf: _Loaded, data: bytes) -> list[Finding]:
    if not data.strip():
        hint = "Run docker_server_cert, which makes one on the host."
        return [error("key-missing", "the server's key is missing", hint)]
    try:
        public_key = keys.load_private_key(data, what="the server's key").public_key()
    except TlsError as problem:
        return [error("key-unreadable", problem.message, "dockerd needs it as PEM without a passphrase.")]
    if keys.public_key_fingerprint(public_key) == leaf.view.public_key_fingerprint:
        return []
    text = (
        f"the server's key does not belong to the server certificate ({leaf.view.subject}, serial {leaf.view.serial})"
    )
    hint = "Restore the key that belongs to it, or let docker_server_cert issue a new pair."
    return [error("key-mismatch", text, hint)]


def _check_issuer(chain: t.Sequence[_Loaded], authorities: t.Sequence[_Loaded], now: datetime) -> list[Finding]:
    """The leaf must lead to ca.pem, which is what clients have, over an authority that is valid."""
    leaf, between = chain[0], [item.certificate for item in chain[1:]]
    leading = [item for item in authorities if verify.leads_to(leaf.certificate, between, [item.certificate])]
    if not leading:
        have = ", ".join(item.view.subject for item in authorities)
        text = f"the server certificate was not issued by the server authority: its issuer is {leaf.view.issuer}, ca.pem has {have}"
        hint = "Let docker_server_cert issue it, or install the right ca.pem."
        return [error("certificate-foreign-authority", text, hint)]
    usable = [item for item in leading if item.view.not_before <= now < item.view.not_after]
    if not usable:
        view = leading[0].view
        text = f"the server authority {view.subject} is valid from {isoformat(view.not_before)} to {isoformat(view.not_after)}"
        return [error("authority-not-valid", text, f"The host's clock is at {isoformat(now)}.")]
    end = max(item.view.not_after for item in usable)
    if end < leaf.view.not_after:
        text = f"the server authority ends {isoformat(end)}, before the certificate ({isoformat(leaf.view.not_after)})"
        hint = "Clients refuse the certificate from then on; renew the authority."
        return [warning("authority-ends-first", text, hint)]
    return []


def _check_anchors(anchors: t.Sequence[_Loaded], now: datetime) -> list[Finding]:
    findings: list[Finding] = []
    for item in anchors:
        view = item.view
        if not view.is_authority or (view.key_usages and "keyCertSign" not in view.key_usages):
            text = f"client-ca.pem holds {view.subject}, which is not an authority"
            findings.append(error("anchors-not-authority", text, "Only authorities belong there."))
        elif view.extended_key_usages and not {"clientAuth", "anyExtendedKeyUsage"} & set(view.extended_key_usages):
            text = f"client-ca.pem holds {view.subject}, an authority that is not for clients ({', '.join(view.extended_key_usages)})"
            findings.append(error("anchors-purpose", text, "dockerd would refuse all of its clients."))
        if not view.not_before <= now < view.not_after:
            text = f"client authority {view.subject} is valid from {isoformat(view.not_before)} to {isoformat(view.not_after)}"
            hint = f"Its clients are refused; the host's clock is at {isoformat(now)}."
            findings.append(warning("anchors-not-valid", text, hint))
    if anchors and not any(item.view.not_before <= now < item.view.not_after for item in anchors):
        text = "no client authority is valid now, so dockerd would refuse every client"
        findings.append(error("anchors-all-invalid", text, f"The host's clock is at {isoformat(now)}."))
    size = sum(len(item.certificate.subject.public_bytes()) + 2 for item in anchors)
    if size > MAXIMUM_NAMES_BYTES:
        text = f"the names of the {len(anchors)} client authorities take {size} bytes, and TLS has room for {MAXIMUM_NAMES_BYTES}"
        hint = "Every connection would fail. Admit fewer groups on this host."
        findings.append(error("anchors-too-many", text, hint))
    return findings


def _check_dual_trust(anchors: t.Sequence[_Loaded], authorities: t.Sequence[_Loaded], allowed: bool) -> list[Finding]:
    """A server authority among the anchors makes each server's key a client's key of all hosts (measured)."""
    server_keys = {item.view.public_key_fingerprint for item in authorities}
    both = [item.view.subject for item in anchors if item.view.public_key_fingerprint in server_keys]
    if not both:
        return []
    text = f"client-ca.pem admits the server authority {', '.join(both)}: certificates of servers could then act as clients"
    finding = warning if allowed else error
    return [finding("anchors-server-authority", text, "Keep the two kinds of authority apart.")]


# A change stages some ten small files; a file system with less than this is full for all practical purposes.
NEEDED_BYTES = 64 * 1024
NEEDED_INODES = 16
_IMMUTABLE = 0x10  # FS_IMMUTABLE_FL and FS_APPEND_FL of linux/fs.h
_APPEND_ONLY = 0x20
_ESCAPED = re.compile(r"\\([0-7]{3})")


def obstacles(paths: t.Iterable[str]) -> tuple[Finding, ...]:
    """Return an error for each place that cannot be replaced, made or removed by a rename in its directory.

    ``paths``: files that will change, also ones that do not exist yet. Codes: ``file-not-replaceable``,
    ``file-system-read-only``, ``file-system-full``. An attribute that the file system does not report is not an error.
    """
    mounts = mount_points(_mountinfo())
    found = [finding for path in paths for finding in _of_file(os.path.abspath(path), mounts)]
    return tuple({(item.code, item.message): item for item in reversed(found)}.values())[::-1]


def link_findings(link: str, target: str, *, exists: bool) -> tuple[Finding, ...]:
    """Check a daemon.json that is a link: the change is made to its target, and the tool that made the link may revert it.

    ``link`` is "" where daemon.json is not a link. Code ``daemon-json-link``: an error where the target does not exist.
    """
    if not link:
        return ()
    if not exists:
        text = f"{link} is a link to {target}, where there is no file"
        hint = "Mount or make its target, or remove the link: a file written there now could be hidden later."
        return (error("daemon-json-link", text, hint),)
    text = f"{link} is a link, so the settings are written to {target}"
    hint = "Where another tool manages that file (dotfiles, configuration management), it has to keep these settings."
    return (warning("daemon-json-link", text, hint),)


def mount_points(mountinfo: str) -> frozenset[str]:
    """Return the mount points of a ``/proc/self/mountinfo`` text (proc(5): field 5, blanks as octal escapes)."""
    fields = (line.split(" ") for line in mountinfo.splitlines())
    return frozenset(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), part[4]) for part in fields if len(part) > 4)


def _of_file(path: str, mounts: frozenset[str]) -> t.Iterator[Finding]:
    directory, missing = _existing_directory(os.path.dirname(path))
    real = os.path.join(os.path.realpath(directory), os.path.basename(path))
    if not missing and real in mounts:
        hint = f"Unmount it (umount {shlex.quote(path)}) and keep a plain file there, or mount its whole directory instead."
        yield _not_replaceable(f"{path} is a mount of its own, so it cannot be replaced by another file", hint)
    elif not missing and os.path.lexists(real) and not os.path.islink(real):
        yield from _of_attributes(path, real)
    yield from _of_directory(directory, mounts)


def _of_directory(directory: str, mounts: frozenset[str]) -> t.Iterator[Finding]:
    """Check the directory in which a file is renamed, or in which a missing directory would be made."""
    if not os.path.isdir(directory):
        yield _not_replaceable(f"{directory} is not a directory", "Move it away; a directory has to be there.")
        return
    status = os.statvfs(directory)
    if status.f_flag & os.ST_RDONLY:
        mount = _mount_of(os.path.realpath(directory), mounts)
        text = f"the file system at {mount} is mounted read-only, so nothing in it can be changed"
        hint = (
            f"Remount it (mount -o remount,rw {shlex.quote(mount)}). Where the system image is read-only by design, its own tools have to "
            f"make {directory} writable, or the variable for it has to name another directory."
        )
        yield error("file-system-read-only", text, hint)
        return
    blocked = list(_of_attributes(directory, os.path.realpath(directory)))
    if not blocked and not os.access(directory, os.W_OK | os.X_OK):
        text = f"{directory} cannot be written, not even by this user ({os.geteuid()})"
        hint = "Check its owner and mode and who mounts it: a network file system may refuse root (root_squash)."
        blocked = [_not_replaceable(text, hint)]
    yield from blocked
    if status.f_blocks and status.f_bfree * status.f_frsize < NEEDED_BYTES:
        yield _full(directory, f"{status.f_bfree * status.f_frsize} bytes", mounts)
    elif status.f_files and status.f_ffree < NEEDED_INODES:
        yield _full(directory, f"{status.f_ffree} inodes", mounts)


def _of_attributes(shown: str, path: str) -> t.Iterator[Finding]:
    flags = _attributes(path)
    for flag, word, option in ((_IMMUTABLE, "immutable", "i"), (_APPEND_ONLY, "append-only", "a")):
        if flags & flag:
            text = f"{shown} is {word} (lsattr shows {option!r}), so nothing can take its place"
            yield _not_replaceable(text, f"Find out why it is set, then run chattr -{option} {shown}.")


def _full(directory: str, left: str, mounts: frozenset[str]) -> Finding:
    mount = _mount_of(os.path.realpath(directory), mounts)
    hint = "Free some space (df and df -i show how much there is) and run again."
    return error("file-system-full", f"the file system at {mount} is full: it has {left} left", hint)


def _not_replaceable(message: str, hint: str) -> Finding:
    return error("file-not-replaceable", message, hint)


def _existing_directory(path: str) -> tuple[str, bool]:
    """Return ``path`` or its nearest parent that exists, and whether ``path`` itself is missing."""
    found = path
    while not os.path.lexists(found):
        found = os.path.dirname(found)
    return found, found != path


def _mount_of(path: str, mounts: frozenset[str]) -> str:
    while path not in mounts and path != "/":
        path = os.path.dirname(path)
    return path


def _attributes(path: str) -> int:
    """Return the attributes that chattr sets, 0 where they cannot be read (many file systems have none)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        answer = fcntl.ioctl(descriptor, _get_flags(platform.machine()), bytes(struct.calcsize("l")))
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return int(struct.unpack_from("=I", answer)[0])


def _get_flags(machine: str) -> int:
    """Return the number of FS_IOC_GETFLAGS: _IOR('f', 1, long), whose direction bits differ on some architectures."""
    read = 0x40000000 if machine.startswith(("ppc", "mips", "sparc", "alpha")) else 0x80000000
    return read | struct.calcsize("l") << 16 | ord("f") << 8 | 1


def _mountinfo() -> str:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""
