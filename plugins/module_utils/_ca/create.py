# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authorities made, and found again on the next run.

An authority is made in ``staging/<id>``, recorded in the ledger, and renamed into ``authorities``. A run killed before
the record left nothing that counts; one killed after it is finished by the next run. So an authority that the ledger knows and the
disk has not is a loss (a partial restore), never a reason to make a new CA in silence.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .. import _files
from .._errors import TlsError
from .._pki import keys, names, reader, signing
from .._pki.compat import NameOID
from .._time import isoformat
from . import (
    call_context,
    certificate_files,
    layout,
    ledger,
    ledger_query,
    stages,
    store,
)
from .call_context import ACCEPT_ONCE, CallContext
from .policy import DEFAULT_BACKDATE

# With restart_ledger the user accepts these; a sound ledger is never restarted.
_LEDGER_FAULTS = frozenset({"ledger-tampered", "authority-lost", "authority-unrecorded", "clock-behind"})


@dataclass(frozen=True)
class AuthoritySpec:
    """An authority as the user wants it."""

    name: str
    common_name: str
    organization: str
    key_type: str
    validity: timedelta
    generation: int = 1
    #: Trusted and not signing yet.
    accepted_only: bool = False

    @property
    def id(self) -> str:
        return store.identifier(self.name, self.generation)

    def check(self) -> None:
        """Raise TlsError ``key-type-unknown`` or ``common-name-invalid`` for a value that no authority can have."""
        keys.check_key_type(self.key_type, f"key_type of the authority {self.name}")
        names.check_common_name(self.common_name, f"common_name of the authority {self.name}")
        if self.organization:
            names.check_common_name(self.organization, f"organization of the authority {self.name}")


def spec_like(one: store.StoredAuthority) -> AuthoritySpec:
    """Return the spec that ``one`` was made by."""
    organizations = one.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return AuthoritySpec(
        name=one.name,
        common_name=one.view.common_name,
        organization=", ".join(str(each.value) for each in organizations),
        key_type=one.view.key_type,
        validity=one.view.not_after - one.view.not_before,
        generation=one.generation,
        accepted_only=one.accepted_only,
    )


@dataclass(frozen=True)
class Outcome:
    """What ``ensure`` did or, in a prediction, would do. ``missing`` are the authorities that were (would be) made.

    ``ledger`` is the state of the ledger before; without ``reasons`` it is also the state after.
    """

    stored: store.Stored
    missing: tuple[AuthoritySpec, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    ledger: ledger.Scan


def decide(
    specs: t.Sequence[AuthoritySpec], stored: store.Stored, now: datetime
) -> tuple[list[AuthoritySpec], list[str]]:
    """Return which authorities are missing, and warnings about the existing ones."""
    warnings = []
    for spec in specs:
        if spec.name in stored:
            current = store.issuing(stored[spec.name])
            warnings += _differences(spec, current)
            warnings += _age_warning(current, now)
    listed = {spec.name for spec in specs}
    for name in sorted(set(stored) - listed):
        warnings.append(
            f"access-group-unlisted: the access group {name} is no longer listed; its authority {store.issuing(stored[name]).id} stays "
            "in the CA directory, and hosts that admit the group still do"
        )
    return [spec for spec in specs if spec.name not in stored], warnings


def _differences(spec: AuthoritySpec, current: store.StoredAuthority) -> list[str]:
    if current.is_adopted:
        return []
    view = current.view
    lifetime = view.not_after - view.not_before
    pairs = [
        ("common name", view.common_name, spec.common_name),
        ("organization", spec_like(current).organization, spec.organization),
        ("key type", view.key_type, spec.key_type),
    ]
    if abs(lifetime - spec.validity) > timedelta(days=1):
        pairs.append(("validity", f"{lifetime.days}d", f"{spec.validity.days}d"))
    different = [f"{what} {has!r} instead of {wants!r}" for what, has, wants in pairs if has != wants]
    if not different:
        return []
    return [
        f"authority-differs: the authority {current.id} has {', '.join(different)}. It is not changed, because that would make it a new CA: set the "
        "options to its values, or replace it by a new generation with those of the options, key type included (rotation of the CA, "
        "portcullis.docker_tls.rotate_ca)"
    ]


def _age_warning(current: store.StoredAuthority, now: datetime) -> list[str]:
    view = current.view
    if now < view.not_after - (view.not_after - view.not_before) / 3:
        return []
    return [
        f"authority-expires-soon: the authority {current.id} ends {isoformat(view.not_after)}, in {(view.not_after - now).days} days, "
        "and nothing that it signs can be valid longer. Replace it by a new generation in time (rotation of the CA)"
    ]


def ensure(
    place: layout.CaDirectory,
    specs: t.Sequence[AuthoritySpec],
    passphrase: bytes,
    context: CallContext,
    *,
    predict: bool,
) -> Outcome:
    """Make the authorities of ``specs`` that are missing, after verifying those that are there; repair modes and a torn ledger.

    Everything that can be wrong is found before anything changes. A prediction does without a passphrase (b""): no key is opened then.
    Raises TlsError (codes of ``directory``, ``lock``, ``ledger``,
    ``store``, ``keys``; ``authority-lost``).
    """
    for spec in specs:
        spec.check()
    layout.check_place(place.path, allow_network=context.allow_network_filesystem)
    exists = os.path.isdir(place.path)
    if exists:
        layout.insecure_entries(place, os.geteuid())
    if predict:
        return Run(place, specs, passphrase, context).predict()
    if not exists:
        layout.prepare(place)
    with call_context.locked(place.lock, context.lock_timeout), layout.disk_errors(place):
        return Run(place, specs, passphrase, context).act()


@dataclass(frozen=True)
class _State:
    """The state before a run: authorities, ledger, recorded authorities that were not moved in, and whether a new chain begins."""

    stored: store.Stored
    ledger: ledger.Scan
    unfinished: tuple[str, ...]
    restart: bool

    @property
    def reasons(self) -> tuple[str, ...]:
        pairs = (("ledger-restarted", self.restart), ("authority-unfinished", self.unfinished))
        return tuple(reason for reason, holds in pairs if holds)


@dataclass(frozen=True)
class Settled:
    """A CA directory that was checked, and repaired after an interrupted run: safe to change."""

    stored: store.Stored
    ledger: ledger.Scan
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One run of ``ensure`` (or of ``generations``) between its checks of the place and its result."""

    place: layout.CaDirectory
    specs: t.Sequence[AuthoritySpec]
    passphrase: bytes
    context: CallContext

    def predict(self) -> Outcome:
        state = self._verified()
        missing, warnings = decide(self.specs, state.stored, self.context.now)
        due = certificate_files.due(state.stored, state.ledger, self.context.now)
        repairs = _repairs(layout.insecure_entries(self.place), state.ledger)
        reasons = (*repairs, *state.reasons, *_steps(missing, due))
        return Outcome(state.stored, tuple(missing), reasons, tuple(warnings), state.ledger)

    def act(self) -> Outcome:
        settled = self.settle()
        stored = settled.stored
        missing, advice = decide(self.specs, stored, self.context.now)
        if missing:
            self.create(missing, settled.ledger)
            stored = store.read_authorities(self.place)
        due = certificate_files.due(stored, settled.ledger, self.context.now)
        if due:
            certificate_files.renew(due, settled.ledger, self.passphrase, self.context.now)
            stored = stages.settled(store.read_authorities(self.place), settled.ledger)
        reasons = (*settled.reasons, *_steps(missing, due))
        return Outcome(stored, tuple(missing), reasons, (*settled.warnings, *advice), settled.ledger)

    def settle(self) -> Settled:
        """Verify everything, then make the due repairs and complete interrupted steps. Only under the lock."""
        place = self.place
        state = self._verified()
        repairs, warnings = repair(place, state.ledger)
        found, stored = state.ledger, state.stored
        if state.restart:
            found = self._restart_ledger(stored)
        swapped = ("passphrase-change-finished",) if store.is_unfinished(place) else ()
        found = store.finish(place, found)
        stages.finish(place, found)
        if state.unfinished:
            move_in(place, state.unfinished)
            stored = self._verified().stored
        self._discard_staged()
        return Settled(stored, found, (*swapped, *repairs, *state.reasons), warnings)

    def _verified(self) -> _State:
        """Return the present state after all checks: certificates, keys with the passphrase, the ledger's chain."""
        stored = store.read_authorities(self.place)
        for spec in self.specs:
            if spec.name in stored:
                store.check_authority(store.issuing(stored[spec.name]), self.context.now)
                if self.passphrase:  # else it is a prediction that was given none
                    # Each generation, not only the issuing one: the passphrase is what nobody has who copied an authority into the directory.
                    for one in stored[spec.name]:
                        store.open_key(one, self.passphrase)
        try:
            found = ledger.scan(self.place)
            ledger.check_clock(self.place, found, self.context.now)
            stored = stages.settled(stored, found)
            check_recorded(self.place, found, [one for generations in stored.values() for one in generations])
            return _State(stored, found, tuple(self._unfinished(found, stored)), restart=False)
        except TlsError as error:
            if not self.context.restart_ledger or error.code not in _LEDGER_FAULTS:
                raise
            return _State(stored, ledger.EMPTY, (), restart=True)

    def _unfinished(self, found: ledger.Scan, stored: store.Stored) -> list[str]:
        """Return the ids that a killed run recorded but had no time to move in. Raises TlsError ``authority-lost``."""
        on_disk = {one.id for generations in stored.values() for one in generations}
        unfinished = [name for name in found.authorities if name not in on_disk]
        for name in unfinished:
            path = os.path.join(self.place.staging, name)
            raw = _files.read_bytes_or_none(os.path.join(path, store.CERTIFICATE))
            if (
                raw is None
                or not os.path.exists(os.path.join(path, store.KEY))
                or (
                    reader.view_certificate(reader.load_certificate(raw, path)).fingerprint_sha256
                    != found.authorities[name]
                )
            ):
                raise TlsError(
                    f"the ledger has the authority {name}, but {os.path.join(self.place.authorities, name)} is not there",
                    hint=f"Restore the CA directory from its backup. To retire that authority and make a new one, {ACCEPT_ONCE}.",
                    code="authority-lost",
                )
        return unfinished

    def _discard_staged(self) -> None:
        for name in os.listdir(self.place.staging):
            shutil.rmtree(os.path.join(self.place.staging, name), ignore_errors=True)

    def _restart_ledger(self, stored: store.Stored) -> ledger.Scan:
        stamp = isoformat(self.context.now).replace(":", "")
        kept = ledger_query.entries_to_keep(self.place.ledger, self.context.now) if stored else []
        old = ledger.set_aside(self.place, stamp)
        common = {"time": isoformat(self.context.now), **self.context.origin}
        entries = [{"serial": "", "event": "ledger-restarted", **old, "taken_over": len(kept), **common}, *kept]
        for generations in stored.values():
            entries += [{**entry("authority-recorded", one.id, one.view), **common} for one in generations]
        ledger.append(self.place, ledger.scan(self.place), entries)
        return ledger.scan(self.place)

    def create(self, missing: t.Sequence[AuthoritySpec], found: ledger.Scan, **audit: t.Any) -> None:
        """Make authorities; ``audit`` are further fields for the ledger. Only under the lock, after ``settle``."""
        common = {"time": isoformat(self.context.now), **self.context.origin}
        entries = []
        for spec in missing:
            certificate = self._stage(spec)
            view = reader.view_certificate(certificate)
            entries.append({**entry("authority-created", spec.id, view), **audit, **common})
        _files.fsync_directory(self.place.staging)
        ledger.append(self.place, found, entries)
        move_in(self.place, (spec.id for spec in missing))

    def _stage(self, spec: AuthoritySpec) -> t.Any:
        """Make a new authority in ``staging/<id>`` and return its certificate."""
        key = keys.generate_private_key(spec.key_type)
        certificate = signing.self_sign_authority(
            key,
            common_name=spec.common_name,
            organization=spec.organization,
            unit=spec.id,
            purpose=store.purpose_of(spec.name),
            not_before=self.context.now - DEFAULT_BACKDATE,
            not_after=self.context.now + spec.validity,
        )
        path = stage(self.place, spec.id, certificate, key, self.passphrase, self.context)
        if spec.accepted_only:
            _files.write_atomic(os.path.join(path, store.ACCEPTED_MARK), b"", layout.FILE_MODE)
        return certificate


def stage(
    place: layout.CaDirectory, name: str, certificate: t.Any, key: t.Any, passphrase: bytes, context: CallContext
) -> str:
    """Write key, certificate and first revocation list of an authority into the directory ``staging/<name>`` and return its path."""
    encrypted = keys.encrypt_private_key(key, passphrase, context.rounds)
    path = os.path.join(place.staging, name)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)
    _files.ensure_directory(path, layout.DIRECTORY_MODE)
    _files.write_atomic(os.path.join(path, store.KEY), encrypted, layout.FILE_MODE)
    content = reader.certificate_pem(certificate).encode("ascii")
    _files.write_atomic(os.path.join(path, store.CERTIFICATE), content, layout.FILE_MODE)
    certificate_files.stage(path, certificate, key, context.now)
    return path


def move_in(place: layout.CaDirectory, ids: t.Iterable[str]) -> None:
    """Move authorities that the ledger has from ``staging`` to their places."""
    for name in ids:
        os.rename(os.path.join(place.staging, name), os.path.join(place.authorities, name))
    _files.fsync_directory(place.authorities)


def repair(place: layout.CaDirectory, found: ledger.Scan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Repair modes, missing directories and a torn ledger; return reasons and warnings. Only under the lock."""
    insecure = layout.insecure_entries(place, os.geteuid())
    layout.prepare(place)
    layout.repair_modes(insecure)
    return _repairs(insecure, found), (*_insecure_warnings(insecure), *ledger.repair(place, found))


def _repairs(insecure: t.Sequence[str], found: ledger.Scan) -> tuple[str, ...]:
    return tuple(reason for reason, holds in (("modes-repaired", insecure), ("ledger-repaired", found.torn)) if holds)


def _steps(missing: t.Sequence[AuthoritySpec], due: t.Sequence[store.StoredAuthority]) -> tuple[str, ...]:
    return tuple(reason for reason, holds in (("authority-missing", missing), (certificate_files.SIGNED, due)) if holds)


def _insecure_warnings(insecure: t.Sequence[str]) -> list[str]:
    """Return the warnings about paths that others had access to."""
    if not insecure:
        return []
    return [
        f"modes-repaired: others could read or write {', '.join(insecure)}; the modes are right again. Anyone who had access to a "
        "key file had only its encrypted form: think about a new passphrase, or a new generation if the passphrase was weak"
    ]


def entry(event: str, identifier: str, view: reader.CertificateView) -> dict[str, t.Any]:
    """Return the ledger's fields of an authority."""
    return {
        "serial": view.serial,
        "event": event,
        "authority": identifier,
        "fingerprint_sha256": view.fingerprint_sha256,
        "subject": view.subject,
        "not_before": isoformat(view.not_before),
        "not_after": isoformat(view.not_after),
        "public_key_fingerprint": view.public_key_fingerprint,
    }


def check_recorded(
    place: layout.CaDirectory, found: ledger.Scan, authorities: t.Iterable[store.StoredAuthority]
) -> None:
    """Refuse an authority that the ledger does not know, or knows with another certificate. Raises ``authority-unrecorded``."""
    for one in authorities:
        if found.authorities.get(one.id) != one.view.fingerprint_sha256:
            raise TlsError(
                f"the ledger {place.ledger} does not know the authority {one.id} as it is in {one.directory}",
                hint="Ledger and authorities come from different backups, or someone added the authority: restore all of the CA directory from one "
                f"backup. To accept the present state, {ACCEPT_ONCE}.",
                code="authority-unrecorded",
            )
