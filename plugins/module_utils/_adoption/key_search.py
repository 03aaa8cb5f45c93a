# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the private keys of given CAs lie on a machine, be it one with Docker or not."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._pki import reader
from . import files

#: Where the one who made the CAs keeps them, beside the usual places.
HOME_PLACES = ("~", "~/.docker", "~/.docker/machine/certs", "~/certs", "~/docker-certs")
_CA_KEY = re.compile(r"(^|[^a-z])(ca|root)([^a-z].*)?key|key.*[^a-z](ca|root)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """The places of keys as (fingerprint of the CA's certificate, path, whether it is encrypted), and which places were searched."""

    keys: tuple[tuple[str, str, bool], ...]
    searched: tuple[str, ...]


def find(certificates: t.Iterable[str], places: t.Iterable[str]) -> Found:
    """Return the keys of ``certificates`` (PEM, a CA each) in the usual places and in ``places``.

    An encrypted key cannot be told apart before it is opened: it counts where it lies beside the CA's certificate, or where its name
    says that it is a CA's and no CA's certificate lies beside it. Raises TlsError ``certificate-unreadable``.
    """
    wanted = (*files.PLACES, *HOME_PLACES, *places)
    facts = files.search((), wanted)
    keys = []
    for text in certificates:
        view = reader.view_certificate(reader.load_certificate(text, "a CA's certificate"))
        for fact in facts:
            if fact.key is None:
                continue
            known = fact.key.fingerprint == view.public_key_fingerprint
            if known or (fact.key.encrypted and _may_be(fact, view.public_key_fingerprint, facts)):
                keys.append((view.fingerprint_sha256, fact.path, fact.key.encrypted))
    return Found(tuple(keys), files.directories((), wanted))


def _may_be(fact: files.FileFact, fingerprint: str, facts: t.Iterable[files.FileFact]) -> bool:
    """Return whether an encrypted key may be that of the CA whose key has this fingerprint, by what is around it."""
    directory = os.path.dirname(fact.path)
    beside = {
        view.public_key_fingerprint
        for other in facts
        for view in other.certificates
        if view.is_authority and os.path.dirname(other.path) == directory
    }
    return fingerprint in beside or (not beside and _CA_KEY.search(os.path.basename(fact.path)) is not None)
