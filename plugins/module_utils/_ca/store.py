# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The authorities in the CA directory, and the unfinished exchange of their keys.

An authority has a name (``server``, or an access group) and generations; ``authorities/<name>-g<generation>`` holds one.
A generation with the file ``accepted`` is trusted and does not sign yet; of the others the highest signs, and the older ones are
still trusted (``retiring``). The anchors to be trusted are those of all generations that are there and not expired.

``rekey`` makes ``passphrase.change`` appear in one rename, with every key in its new encryption. Anyone who works under the
lock next brings them to their places here, also after a crash in the middle.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .. import _files
from .._errors import TlsError
from .._pki import keys, reader
from .._pki.compat import NameOID
from .._time import isoformat
from . import layout, ledger
from .layout import CaDirectory

if t.TYPE_CHECKING:
    from .._pki.compat import PrivateKey, x509


SERVER = layout.SERVER
CERTIFICATE = "certificate.pem"
KEY = "key.pem"
#: The revocation list of a client authority, see ``crl``.
LIST = "crl.pem"
#: The mark of a generation that does not sign yet; an empty file.
ACCEPTED_MARK = "accepted"
#: The stages of a generation that is there.
ACCEPTED, ISSUING, RETIRING = "accepted", "issuing", "retiring"

_IDENTIFIER = re.compile(rf"(?P<name>{layout.GROUP.pattern})-g(?P<generation>[1-9][0-9]{{0,3}})")


@dataclass(frozen=True)
class StoredAuthority:
    """One generation of an authority as it is on disk; its key stays there."""

    name: str
    generation: int
    directory: str
    certificate: x509.Certificate
    certificate_content: str
    view: reader.CertificateView
    accepted_only: bool = False
    #: Its revocation list as PEM, "" where there is none.
    crl_content: str = ""

    @property
    def id(self) -> str:
        return identifier(self.name, self.generation)

    @property
    def purpose(self) -> str:
        return purpose_of(self.name)

    @property
    def key_path(self) -> str:
        return os.path.join(self.directory, KEY)

    @property
    def is_adopted(self) -> bool:
        """Whether another tool made it: our own carry their id as organizational unit."""
        units = self.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        return all(str(unit.value) != self.id for unit in units)

    @property
    def rekeyed_path(self) -> str:
        """Where its key waits with a new passphrase, if a change of it was cut off (see ``rekey``)."""
        place = CaDirectory(os.path.dirname(os.path.dirname(self.directory)))
        return os.path.join(place.passphrase_change, f"{self.id}.pem")


#: Generations of each authority by its name, oldest first.
Stored = t.Mapping[str, t.Sequence[StoredAuthority]]


def identifier(name: str, generation: int) -> str:
    """Return the id of a generation: directory name and OU of the certificate."""
    return f"{name}-g{generation}"


def split_identifier(text: str) -> tuple[str, int] | None:
    """Return (name, generation) of an id such as ``clients-g2``, None for anything else."""
    match = _IDENTIFIER.fullmatch(text)
    return (match["name"], int(match["generation"])) if match else None


def issuing(generations: t.Sequence[StoredAuthority]) -> StoredAuthority:
    """Return the generation that signs: the highest without the mark ``accepted`` (the highest where all have it)."""
    able = [one for one in generations if not one.accepted_only]
    return max(able or generations, key=lambda one: one.generation)


def stage_of(one: StoredAuthority, generations: t.Sequence[StoredAuthority]) -> str:
    """Return ``accepted``, ``issuing`` or ``retiring``."""
    current = issuing(generations)
    if one.generation == current.generation:
        return ISSUING
    return ACCEPTED if one.accepted_only or one.generation > current.generation else RETIRING


def purpose_of(name: str) -> str:
    """Return ``server`` for the server authority and ``client`` for that of an access group."""
    return "server" if name == SERVER else "client"


def read_authorities(place: CaDirectory) -> dict[str, list[StoredAuthority]]:
    """Return every generation of every authority, by name, oldest first; {} without a CA.

    Who only reads holds no lock: a generation that another run has retired since the directory was listed is none.
    Raises TlsError ``authority-incomplete`` (a directory without its certificate) or ``certificate-unreadable``.
    """
    found: dict[str, list[StoredAuthority]] = {}
    try:
        names = sorted(os.listdir(place.authorities))
    except (FileNotFoundError, NotADirectoryError):
        return found
    except OSError as error:
        raise TlsError(
            f"cannot read {place.authorities}: {error.strerror}",
            hint="Run as the user that owns the CA directory (become).",
            code="ca-directory-unreadable",
        ) from error
    for name in names:
        match = _IDENTIFIER.fullmatch(name)
        if match is not None:
            stored = _read_one(os.path.join(place.authorities, name), match["name"], int(match["generation"]))
            if stored is not None:
                found.setdefault(stored.name, []).append(stored)
    for generations in found.values():
        generations.sort(key=lambda stored: stored.generation)
    return found


def _read_one(directory: str, name: str, generation: int) -> StoredAuthority | None:
    path = os.path.join(directory, CERTIFICATE)
    raw = _files.read_bytes_or_none(path)
    if raw is None and not os.path.lexists(directory):
        return None
    if raw is None:
        raise TlsError(
            f"the authority {identifier(name, generation)} has no certificate: {path} is missing",
            hint="Restore it from the backup of the CA directory.",
            code="authority-incomplete",
        )
    with _restore_hint():
        certificate = reader.load_certificate(raw, path)
        view = reader.view_certificate(certificate, path)
    return StoredAuthority(
        name=name,
        generation=generation,
        directory=directory,
        certificate=certificate,
        certificate_content=reader.certificate_pem(certificate),
        view=view,
        accepted_only=os.path.lexists(os.path.join(directory, ACCEPTED_MARK)),
        crl_content=(_files.read_bytes_or_none(os.path.join(directory, LIST)) or b"").decode("ascii", "replace"),
    )


@contextlib.contextmanager
def _restore_hint() -> t.Iterator[None]:
    """Give an error that knows no advice that of a CA: its files can only come from the backup."""
    try:
        yield
    except TlsError as error:
        hint = error.hint or "Restore the file from the backup of the CA directory."
        raise TlsError(error.message, hint=hint, code=error.code) from error


def check_authority(stored: StoredAuthority, now: datetime) -> None:
    """Refuse an authority that must not sign: expired, not yet valid, no CA, or of the other purpose.

    Raises TlsError ``authority-expired``, ``authority-not-yet-valid`` or ``authority-unsuitable``.
    """
    view = stored.view
    if now >= view.not_after:
        raise TlsError(
            f"the authority {stored.id} expired at {isoformat(view.not_after)}",
            hint="Nothing that it signed is accepted any more. Replace it by a new generation: portcullis.docker_tls.rotate_ca with "
            f"docker_rotate_ca_authority={stored.name} (or all) and docker_rotate_ca_execute=true; see docs/operations.md.",
            code="authority-expired",
        )
    if now < view.not_before:
        raise TlsError(
            f"the authority {stored.id} begins at {isoformat(view.not_before)}, and it is {isoformat(now)} here",
            hint="Set the clock of the CA host.",
            code="authority-not-yet-valid",
        )
    usages = set(view.extended_key_usages)
    wanted = "serverAuth" if stored.purpose == "server" else "clientAuth"
    if not view.is_authority or (usages and wanted not in usages):
        what = f"allows {', '.join(sorted(usages))}" if view.is_authority else "is not a CA certificate"
        raise TlsError(
            f"the certificate of the authority {stored.id} in {stored.directory} {what}, but it has to be a CA for "
            f"{stored.purpose} certificates",
            hint="Restore the directory from its backup: this certificate does not belong there.",
            code="authority-unsuitable",
        )


def open_key(stored: StoredAuthority, passphrase: bytes) -> PrivateKey:
    """Return the private key of an authority (about 0.1 s: 600,000 rounds), checked against its certificate.

    Raises TlsError ``authority-incomplete``, ``passphrase-wrong``, ``key-not-encrypted``, ``key-unreadable`` or
    ``key-mismatch``.
    """
    raw = _files.read_bytes_or_none(stored.rekeyed_path) or _files.read_bytes_or_none(stored.key_path)
    if raw is None:
        raise TlsError(
            f"the authority {stored.id} has no key: {stored.key_path} is missing, though its certificate is there",
            hint="Restore it from the backup of the CA directory; without the key only a new generation helps.",
            code="authority-incomplete",
        )
    with _restore_hint():
        key = keys.load_private_key(raw, passphrase, what=f"the key of the authority {stored.id} ({stored.key_path})")
    if keys.public_key_fingerprint(key.public_key()) != stored.view.public_key_fingerprint:
        raise TlsError(
            f"{stored.key_path} is not the key of the certificate beside it",
            hint="Restore both files from one backup of the CA directory.",
            code="key-mismatch",
        )
    return key


def trusted_content(generations: t.Iterable[StoredAuthority], now: datetime) -> str:
    """Return the anchors of an authority as PEM, newest generation first, without the expired ones."""
    return "".join(stored.certificate_content for stored in _usable(generations, now))


def trusted_lists(generations: t.Iterable[StoredAuthority], now: datetime) -> str:
    """Return the revocation lists that go with ``trusted_content``, "" where one of these anchors has none.

    A proxy with the list of one anchor needs those of all (measured, HAProxy 2.6 and 3.0).
    """
    usable = _usable(generations, now)
    if not all(stored.crl_content for stored in usable):
        return ""
    return "".join(stored.crl_content for stored in usable)


def _usable(generations: t.Iterable[StoredAuthority], now: datetime) -> list[StoredAuthority]:
    """Return the generations that have not expired, newest first."""
    usable = [stored for stored in generations if stored.view.not_after > now]
    return sorted(usable, key=lambda one: -one.generation)


def describe(stored: Stored, now: datetime, distrusted: t.Container[str] = frozenset()) -> dict[str, dict[str, t.Any]]:
    """Return what modules report: by name the generation of each authority that signs, its anchors, all generations.

    The anchors of the ids in ``distrusted`` are left out, though they are still there.
    """
    result: dict[str, dict[str, t.Any]] = {}
    for name in sorted(stored, key=lambda one: (one != SERVER, one)):
        current = issuing(stored[name])
        trusted = [one for one in stored[name] if one.id not in distrusted]
        result[name] = {
            "id": current.id,
            "name": name,
            "purpose": current.purpose,
            "generation": current.generation,
            "adopted": current.is_adopted,
            "certificate_content": current.certificate_content,
            "trusted_content": trusted_content(trusted, now),
            "crl_content": trusted_lists(trusted, now),
            "certificate": current.view.to_dict(),
            "generations": [_describe_generation(one, stored[name]) for one in stored[name]],
        }
    return result


def _describe_generation(one: StoredAuthority, generations: t.Sequence[StoredAuthority]) -> dict[str, t.Any]:
    return {
        "id": one.id,
        "generation": one.generation,
        "stage": stage_of(one, generations),
        "certificate_content": one.certificate_content,
        "not_before": isoformat(one.view.not_before),
        "not_after": isoformat(one.view.not_after),
    }


#: The ledger's entry for the change, beside the keys.
EVENT = "event.json"


def is_unfinished(place: layout.CaDirectory) -> bool:
    """Return whether a killed run has left keys that are to be moved to their places."""
    return os.path.isdir(place.passphrase_change)


def finish(place: layout.CaDirectory, found: ledger.Scan) -> ledger.Scan:
    """Move the keys of a change of the passphrase to their places, record it, and return the ledger's state.

    Only under the lock and after ``ledger.repair``. Without a change under way it does nothing.
    """
    path = place.passphrase_change
    if not os.path.isdir(path):
        return found
    for name in sorted(os.listdir(path)):
        identifier, dot, suffix = name.rpartition(".")
        target = os.path.join(place.authorities, identifier)
        if dot and suffix == "pem" and os.path.isdir(target):
            os.rename(os.path.join(path, name), os.path.join(target, KEY))
            _files.fsync_directory(target)
    raw = _files.read_bytes_or_none(os.path.join(path, EVENT))
    if raw is not None:
        event = json.loads(raw)
        recorded = any(entry.get("change") == event["change"] for entry in ledger.entries(place))
        found = found if recorded else ledger.append(place, found, [event])
    shutil.rmtree(path)
    _files.fsync_directory(place.path)
    return found
