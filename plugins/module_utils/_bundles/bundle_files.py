# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a bundle: written, compared, and never replaced by those of an older authority. |.

After the restore of a backup from before a rotation of the server authority, the CA gives the older generation. The hosts
still have certificates of the newer one, which a client with the older ``ca.pem`` would refuse.

A key is made beside its place (``key.pem.new``, see ``_requests``) and takes it here, only together with the
certificate that was made for it. Replaced files of others (another authority's certificate in a user's
``~/.docker``) is kept beside it as ``<name>.<time>.bak``. A private key is not: a copy that no one uses any more still opens
what its certificate opens.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from .._errors import TlsError
from .._files import ensure_directory, file_status, write_atomic
from .._host.file_owner import (
    Owner,
    acting_as,
    check_directory,
    check_links,
    expand_path,
    owner_of_place,
    read_regular,
    resolve_owner,
)
from .._pki import keys, names, pem, reader, renewal, verify
from .._time import isoformat

_SERVER = re.compile(r"(?:^|,)OU=server-g([0-9]{1,4})(?:,|$)")


def check(path: str, present: bytes, wanted: bytes, old_certificate: bytes, new_certificate: bytes) -> None:
    """Raise TlsError ``authority-behind`` where ``wanted`` for ``path`` has only older server authorities than ``present``.

    A client whose certificate changes over to another authority gets the ``ca.pem`` of that CA, whatever its generation.
    """
    if set(reader.subjects(present)) & set(reader.subjects(wanted)):
        return
    old, new = _newest(present), _newest(wanted)
    if not 0 < new < old or _has_new_issuer(old_certificate, new_certificate):
        return
    raise TlsError(
        f"{path} has generation {old} of the server authority, and the CA has only generation {new}: it is an older state",
        hint="Nothing was changed. Restore the newest backup of the CA (portcullis.docker_tls.restore_ca). Where there is none and the hosts have "
        f"certificates of the older authority, move {path} away and run again.",
        code="authority-behind",
    )


def _newest(data: bytes) -> int:
    found = (_SERVER.search(subject) for subject in reader.subjects(data))
    return max((int(match[1]) for match in found if match), default=0)


def _has_new_issuer(old: bytes, new: bytes) -> bool:
    if not new:
        return False
    try:
        before, after = (reader.view_certificate(reader.load_certificate(data, "cert.pem")) for data in (old, new))
    except TlsError:
        return True
    return (before.issuer, before.authority_key_identifier) != (after.issuer, after.authority_key_identifier)


CA, CERTIFICATE, KEY, ENVIRONMENT = "ca.pem", "cert.pem", "key.pem", "env.sh"
PENDING_KEY = "key.pem.new"

DIRECTORY_MODE = 0o700
MODES = {CA: 0o444, CERTIFICATE: 0o444, KEY: 0o400, ENVIRONMENT: 0o600}

#: Why a bundle is written, in the order in which it is reported; those between the first and the last are about one file.
_REASON_OF = {
    CERTIFICATE: "certificate-changed",
    KEY: "key-changed",
    CA: "ca-changed",
    ENVIRONMENT: "environment-changed",
}
REASONS = ("directory-missing", *_REASON_OF.values(), "permissions-changed")


@dataclass(frozen=True)
class Bundle:
    """The options of the module; empty contents keep the present files."""

    id: str
    directory: str
    owner: Owner
    certificate_content: str
    ca_content: str
    docker_host: str
    environment_file: bool


@dataclass(frozen=True)
class Found:
    """The content of the directory: the files that can be read, and names of those with a wrong type, owner or mode."""

    files: dict[str, bytes]
    pending_key: bytes | None
    insecure: tuple[str, ...]
    directory: str  # "missing", "insecure" or "secure"


@dataclass(frozen=True)
class Plan:
    """The files to write, and the former ones that are kept."""

    bundle: Bundle
    found: Found
    wanted: dict[str, bytes] = field(default_factory=dict)
    backups: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    lost_keys: tuple[str, ...] = ()  # names of private keys of another authority's that are replaced and not kept


def resolve_all(options: t.Sequence[t.Mapping[str, t.Any]]) -> list[Bundle]:
    """Return the module's ``bundles`` with their accounts and paths.

    Raises TlsError ``bundle-duplicate``, ``user-unknown``, ``home-missing``, ``path-invalid``, ``docker-host-invalid``.
    """
    bundles = [_resolve(each) for each in options]
    for what in ("id", "directory"):
        count = Counter(getattr(bundle, what) for bundle in bundles)
        doubles = sorted(value for value in count if count[value] > 1)
        if doubles:
            raise TlsError(
                f"two bundles have the same {what}: {', '.join(doubles)}",
                hint="Give each bundle its own.",
                code="bundle-duplicate",
            )
    return bundles


def _resolve(options: t.Mapping[str, t.Any]) -> Bundle:
    owner = resolve_owner(options["owner"] or "", options["group"] or "")
    directory = expand_path(options["directory"], owner, f"directory of {options['id']!r}")
    if not options["owner"]:
        owner = owner_of_place(directory, owner)
    docker_host = options["docker_host"] or ""
    if docker_host:
        check_docker_host(docker_host, f"docker_host of {options['id']!r}")
    return Bundle(
        id=options["id"],
        directory=directory,
        owner=owner,
        certificate_content=(options["certificate_content"] or "").strip(),
        ca_content=(options["ca_content"] or "").strip(),
        docker_host=docker_host,
        environment_file=options["environment_file"],
    )


def check_docker_host(text: str, option: str = "docker_host") -> None:
    """Raise TlsError ``docker-host-invalid`` unless ``text`` is ``tcp://HOST:PORT``.

    Without a port docker takes 2375, where nothing is encrypted; ``https://`` it refuses (both measured, CLI 28.2.2).
    """
    match = re.fullmatch(r"tcp://(\[[0-9A-Fa-f:.]+\]|[^:/\[\]]+):(\d{1,5})", text)
    if match is None or not names.is_name(match.group(1)) or not 0 < int(match.group(2)) < 65536:
        raise TlsError(
            f"{option} is {text!r}, which is not an address of a TLS endpoint",
            hint="Write tcp://HOST:PORT, for example tcp://docker1.example.org:2376 or tcp://[fd00::5]:2376.",
            code="docker-host-invalid",
        )


def environment_variables(docker_host: str, directory: str) -> dict[str, str]:
    """Return Docker's three variables; without the host where ``docker_host`` is empty.

    Always together, for each alone is a trap (measured): a path without DOCKER_TLS_VERIFY is not TLS for the CLI, and TLS
    without any check of the server for Docker's Python SDK.
    """
    host = {"DOCKER_HOST": docker_host} if docker_host else {}
    return {**host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": directory}


def exports(variables: t.Mapping[str, str]) -> list[str]:
    """Return the lines that set environment variables in a POSIX shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def environment(bundle: Bundle) -> bytes:
    """Return ``env.sh``, for POSIX shells."""
    lines = [
        "# Written by portcullis.docker_tls. Use it in a shell: . " + shlex.quote(f"{bundle.directory}/{ENVIRONMENT}"),
        *exports(environment_variables(bundle.docker_host, bundle.directory)),
    ]
    return ("\n".join(lines) + "\n").encode()


def observe(bundle: Bundle) -> Found:
    """Return the content of the bundle's directory. Raises TlsError ``directory-unusable``, ``owner-not-permitted``."""
    check_directory(bundle.directory, bundle.owner)
    for name in MODES:
        check_links(os.path.join(bundle.directory, name), bundle.owner)
    with acting_as(bundle.owner):
        status = file_status(bundle.directory)
        if status is None:
            return Found({}, None, (), "missing")
        directory = "secure" if is_good(status, DIRECTORY_MODE, bundle.owner) else "insecure"
        files, insecure = {}, []
        for name, mode in MODES.items():
            path = os.path.join(bundle.directory, name)
            try:
                data = read_regular(path)
            except TlsError:
                insecure.append(name)
                continue
            if data is not None:
                files[name] = data
                if not is_good(os.stat(path), mode, bundle.owner):
                    insecure.append(name)
        try:
            pending = read_regular(os.path.join(bundle.directory, PENDING_KEY), private_to=bundle.owner.uid)
        except TlsError:
            pending = None
    return Found(files, pending, tuple(insecure), directory)


def is_good(status: os.stat_result, mode: int, owner: Owner) -> bool:
    """Return whether a file or directory has the mode and belongs to the owner."""
    right_group = owner.gid is None or status.st_gid == owner.gid
    return status.st_mode & 0o7777 == mode and status.st_uid == owner.uid and right_group


def plan(bundle: Bundle, found: Found, *, predicting: bool = False) -> Plan:
    """Return the files to write. ``predicting`` is check mode: results of earlier steps may be missing.

    Raises TlsError ``authority-behind``, ``key-mismatch``, ``certificate-missing``, ``certificate-unreadable``,
    ``issued-certificate-wrong``.
    """
    wanted = _wanted_certificate(bundle, found, predicting)
    if not bundle.ca_content and CA not in found.files and not predicting:
        raise TlsError(
            f"{bundle.directory} has no {CA}, and none was given for {bundle.id!r}",
            hint="Give ca_content: clients check the server against it.",
            code="certificate-missing",
        )
    if bundle.ca_content:
        wanted[CA] = reader.canonical_pem(bundle.ca_content, f"ca_content of {bundle.id!r}")
        if CA in found.files:
            certificates = found.files.get(CERTIFICATE, b""), wanted.get(CERTIFICATE, b"")
            check(os.path.join(bundle.directory, CA), found.files[CA], wanted[CA], *certificates)
    if bundle.environment_file and bundle.docker_host:
        wanted[ENVIRONMENT] = environment(bundle)
    changed = [name for name, data in wanted.items() if found.files.get(name) != data]
    reasons = {_REASON_OF[name] for name in changed}
    if found.directory == "missing":
        reasons.add("directory-missing")
    insecure = [name for name in found.insecure if name not in changed and name in found.files]
    if insecure or found.directory == "insecure":
        reasons.add("permissions-changed")
    if predicting and not bundle.certificate_content and CERTIFICATE not in found.files:
        reasons |= {"certificate-changed", "key-changed"}
    writes = {name: wanted.get(name, found.files.get(name, b"")) for name in (*changed, *insecure)}
    ordered = {name: writes[name] for name in (KEY, CERTIFICATE, CA, ENVIRONMENT) if name in writes}
    foreign = [name for name in changed if _is_foreign(name, found, wanted)]
    keys_of_others = tuple(name for name in foreign if name in found.files and pem.holds_private_key(found.files[name]))
    backups = tuple(name for name in foreign if name not in keys_of_others)
    ordered_reasons = tuple(reason for reason in REASONS if reason in reasons)
    return Plan(bundle, found, ordered, backups, ordered_reasons, keys_of_others)


def _wanted_certificate(bundle: Bundle, found: Found, predicting: bool) -> dict[str, bytes]:
    """Return the certificate and the key that are to be there; nothing where the ones in place stay."""
    if not bundle.certificate_content:
        if not predicting:
            _check_kept(bundle, found)
        return {}
    what = f"certificate_content of {bundle.id!r}"
    certificate = reader.load_certificate(bundle.certificate_content, what)
    if not renewal.has_profile(reader.view_certificate(certificate, what), "client"):
        raise TlsError(
            f"{what} is not a client certificate",
            hint="A client's certificate has the usage clientAuth and no other.",
            code="issued-certificate-wrong",
        )
    for data in (found.files.get(KEY), found.pending_key):
        if data is not None and _belongs(certificate, data):
            return {KEY: data, CERTIFICATE: reader.canonical_pem(bundle.certificate_content, what)}
    raise TlsError(
        f"neither {KEY} nor {PENDING_KEY} in {bundle.directory} is the key of the certificate for {bundle.id!r}",
        hint="Nothing was changed. Run the play again, so that a new key gets its own certificate.",
        code="key-mismatch",
    )


def _check_kept(bundle: Bundle, found: Found) -> None:
    certificate, key = found.files.get(CERTIFICATE), found.files.get(KEY)
    place = os.path.join(bundle.directory, CERTIFICATE)
    if certificate is None:
        raise TlsError(
            f"there is no certificate for {bundle.id!r}: {place} does not exist, and none was given",
            hint="Give certificate_content, as signed_certificates returns it.",
            code="certificate-missing",
        )
    if key is None or not _belongs(reader.load_certificate(certificate, place), key):
        raise TlsError(
            f"{os.path.join(bundle.directory, KEY)} is not the key of {place}",
            hint="Have certificate_requests make a new request, and give the certificate that is signed for it.",
            code="key-mismatch",
        )


def _belongs(certificate: t.Any, key_data: bytes) -> bool:
    try:
        return verify.key_matches(certificate, keys.load_private_key(key_data, what="the key").public_key())
    except TlsError:
        return False


def _is_foreign(name: str, found: Found, wanted: t.Mapping[str, bytes]) -> bool:
    """Return whether a file that is about to be replaced was not ours, so that its loss could hurt."""
    if name not in found.files:
        return name in found.insecure
    if name == ENVIRONMENT:
        return b"portcullis.docker_tls" not in found.files[name]
    if name == CA:
        return not _families(found.files[CA]) & _families(wanted[CA])
    if b"portcullis.docker_tls" in found.files.get(ENVIRONMENT, b"") and _has_same_client(found, wanted):
        return False  # made here, and its access group has another issuer now
    old = _families(found.files.get(CERTIFICATE, b""), issuer=True)
    return not old or old != _families(wanted[CERTIFICATE], issuer=True)


def _has_same_client(found: Found, wanted: t.Mapping[str, bytes]) -> bool:
    old, new = _view(found.files.get(CERTIFICATE, b"")), _view(wanted[CERTIFICATE])
    return old is not None and new is not None and old.common_name == new.common_name


def _families(data: bytes, *, issuer: bool = False) -> set[str]:
    """Return the names in a file (the issuer of the first certificate, or all subjects) without their generation.

    All generations (``OU=server-g2``) are the same authority's.
    """
    found = reader.subjects(data)
    if issuer and found:
        found = [reader.name_text(reader.load_certificate(data, CERTIFICATE).issuer)]
    return {re.sub(r"(OU=[^,]*-g)\d+", r"\1", subject) for subject in found}


def install(plan: Plan, now: datetime) -> list[str]:
    """Write the planned files, each file in one rename, as the owner; return the paths of the backups.

    A run that is cut off between key and certificate leaves a pair that does not match; the next run sees that and
    renews it with the same pending key. Raises TlsError ``directory-unusable``, ``file-unwritable``.
    """
    bundle, gid = plan.bundle, plan.bundle.owner.gid
    stamp = isoformat(now).replace(":", "").replace("-", "")
    kept = [f"{os.path.join(bundle.directory, name)}.{stamp}.bak" for name in plan.backups]
    key = plan.wanted.get(KEY, plan.found.files.get(KEY))
    with acting_as(bundle.owner):
        ensure_directory(bundle.directory, DIRECTORY_MODE, uid=bundle.owner.uid, gid=gid)
        for name, path in zip(plan.backups, kept):
            _keep(plan, name, path)
        for name, data in plan.wanted.items():
            write_atomic(os.path.join(bundle.directory, name), data, MODES[name], gid=gid)
        if plan.found.pending_key is not None and plan.found.pending_key == key:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(bundle.directory, PENDING_KEY))
    return kept


def _keep(plan: Plan, name: str, path: str) -> None:
    """Keep a file: as a copy, so that it is missing at no moment; what cannot be read is moved."""
    if name in plan.found.files:
        write_atomic(path, plan.found.files[name], MODES[name], gid=plan.bundle.owner.gid)
        return
    source = os.path.join(plan.bundle.directory, name)
    try:
        os.replace(source, path)
    except OSError as error:
        raise TlsError(
            f"cannot move {source} out of the way: {error.strerror}",
            hint="Nothing was changed there. Find out who made it.",
            code="file-unwritable",
        ) from error


def report(plan: Plan, backups: list[str]) -> dict[str, t.Any]:
    """Return the bundle as the module reports it, with the certificate that it has after the plan."""
    view = _view(plan.wanted.get(CERTIFICATE, plan.found.files.get(CERTIFICATE, b"")))
    return {
        "id": plan.bundle.id,
        "directory": plan.bundle.directory,
        "reasons": list(plan.reasons),
        "certificate": view.to_dict() if view is not None else None,
        "backup_files": backups,
    }


def _view(data: bytes) -> reader.CertificateView | None:
    try:
        return reader.view_certificate(reader.load_certificate(data, CERTIFICATE))
    except TlsError:
        return None
