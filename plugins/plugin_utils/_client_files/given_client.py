# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client that the user gives for verifications (docker_daemon_verify_clients), by access group: files of the controller.

Where another issuer signs for a group, this collection may have no way to make a client for ten minutes. The files are read where the
endpoint is asked from, in the process that asks: the key is in no variable and no result.
"""

from __future__ import annotations

import os
import typing as t
from datetime import datetime

from ...module_utils import _files
from ...module_utils._errors import TlsError
from ...module_utils._time import isoformat

VARIABLE = "docker_daemon_verify_clients"
_KEYS = ("certificate_path", "key_path")
_HINT = (
    f"Put a valid client certificate of the group with its intermediate certificates, and its key, at the paths of {VARIABLE}, "
    "or take the entry out."
)


def problems(value: t.Any, groups: t.Collection[str]) -> t.Iterator[str]:
    """Yield a sentence for everything that is wrong with the variable; ``groups``: the access groups. The files have to be there."""
    if value in (None, {}):
        return
    if not isinstance(value, t.Mapping):
        yield f"{VARIABLE} has to be a dictionary: the name of an access group, and under it certificate_path and key_path."
        return
    for group, one in value.items():
        where = f"{VARIABLE}: {group}"
        if str(group) not in groups:
            yield f"{where} is not an access group ({', '.join(groups)}). Correct the name, or add it to docker_ca_access_groups."
        if not isinstance(one, t.Mapping) or set(one) != set(_KEYS):
            yield f"{where} must have exactly certificate_path and key_path: files of the controller in PEM form."
            continue
        for name in _KEYS:
            path = os.path.expanduser(str(one[name]))
            if not os.path.isabs(path):
                yield f"{where}: {name} is {one[name]!r}, which is not an absolute path on the controller."
            elif not os.path.isfile(path):
                yield f"{where}: {name} {path} is not a file on the controller. Put the client's file there, or take the entry out."


def read(given: t.Any, group: str, anchors: str, now: datetime) -> tuple[str, str, str]:
    """Return certificate with its chain (PEM), key (PEM) and what to call the client, after checking that the pair can open a host.

    In: an entry of the variable, its access group, and the certificates (PEM) that the hosts admit for the group. Raises TlsError
    ``verification-client-unusable``, or that of a file that cannot be read or has a wrong content.
    """
    from ...module_utils._pki import keys, reader, renewal, verify

    for problem in problems({group: given}, [group]):
        raise TlsError(problem, hint=_HINT, code="verification-client-unusable")
    certificate_path, key_path = (os.path.expanduser(str(given[name])) for name in _KEYS)
    certificate_content, key_content = _text(certificate_path, group), _text(key_path, group)
    leaf, *chain = reader.load_certificates(certificate_content, certificate_path)
    view = reader.view_certificate(leaf, certificate_path)
    key = keys.load_private_key(key_content, what=key_path)
    if keys.public_key_fingerprint(key.public_key()) != view.public_key_fingerprint:
        raise _unusable(group, f"the key in {key_path} is not that of the certificate in {certificate_path}")
    if not renewal.has_profile(view, "client"):
        found = ", ".join(view.extended_key_usages) or "none"
        raise _unusable(group, f"{certificate_path} is not a client certificate: its extended key usage is {found}")
    if not view.not_before <= now < view.not_after:
        dates = f"from {isoformat(view.not_before)} until {isoformat(view.not_after)}"
        raise _unusable(group, f"the certificate in {certificate_path} is valid {dates}")
    if not verify.leads_to(leaf, chain, reader.load_certificates(anchors, f"the authorities of {group}")):
        problem = f"the certificate in {certificate_path} is issued by {view.issuer} and leads to no CA that the hosts admit for the group"
        raise _unusable(group, problem)
    return certificate_content, key_content, f"{view.subject} of {VARIABLE}"


def _text(path: str, group: str) -> str:
    data = _files.read_bytes_or_none(path)
    if data is None:
        raise _unusable(group, f"there is no {path}")
    return data.decode("ascii", "replace")


def _unusable(group: str, problem: str) -> TlsError:
    return TlsError(
        f"the client that {VARIABLE} gives for the access group {group} cannot be used: {problem}",
        hint=_HINT,
        code="verification-client-unusable",
    )
