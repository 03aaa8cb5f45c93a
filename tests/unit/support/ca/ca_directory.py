# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA for tests, quick because its keys have few rounds, and requests for it."""

from __future__ import annotations

import functools
import os
import pathlib
import typing as t
from datetime import datetime, timedelta

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import create, layout, policy, sign_batch
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca.call_context import CallContext
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, signing
from support.ca.certificates import NOW, private_key

PASSPHRASE_TEXT = "an uncommon sequence"
PASSPHRASE = PASSPHRASE_TEXT.encode()
ROUNDS = 1000


def call_context(now: datetime = NOW, **changes: t.Any) -> CallContext:
    """Return surroundings with few rounds and no patience."""
    return CallContext(**{"now": now, "origin": {"user": "tester"}, "lock_timeout": 0, "rounds": ROUNDS, **changes})


def spec(name: str = "server", **changes: t.Any) -> create.AuthoritySpec:
    """Return one wanted authority."""
    values: dict[str, t.Any] = {
        "name": name,
        "common_name": "Docker CA",
        "organization": "",
        "key_type": "ecdsa-p256",
        "validity": timedelta(days=1825),
    }
    return create.AuthoritySpec(**{**values, **changes})


def specs(*groups: str) -> list[create.AuthoritySpec]:
    """Return the server authority and those of the groups (default: clients)."""
    return [spec("server"), *(spec(group) for group in groups or ("clients",))]


def ensure(path: pathlib.Path, *groups: str, predict: bool = False, **changes: t.Any) -> create.Outcome:
    """Make or verify the CA in ``path``."""
    passphrase = changes.pop("passphrase", PASSPHRASE)
    wanted = changes.pop("wanted", None) or specs(*groups)
    return create.ensure(layout.ca_directory(str(path)), wanted, passphrase, call_context(**changes), predict=predict)


@functools.cache
def csr(number: int = 1, key_type: str = "ecdsa-p256") -> str:
    """Return a request; its names are not those that anybody should get."""
    return signing.build_request(
        private_key(key_type, number), names.SubjectNames("evil", ("evil.example.org",))
    ).decode()


def request(name: str = "web1", **changes: t.Any) -> policy.SigningRequest:
    """Return a server request for ``<name>.example.org``."""
    values: dict[str, t.Any] = {
        "id": name,
        "authority": "server",
        "profile": "server",
        "request_content": csr(),
        "common_name": f"{name}.example.org",
        "names": (f"{name}.example.org", "localhost", "127.0.0.1", "::1"),
        "validity": "365d",
        "requester": name,
        "reasons": ("certificate-missing",),
    }
    return policy.SigningRequest(**{**values, **changes})


def client_request(name: str = "alice", **changes: t.Any) -> policy.SigningRequest:
    """Return a client request of the group ``clients``."""
    return request(name, **{"authority": "clients", "profile": "client", "common_name": name, "names": (), **changes})


def rules(**changes: t.Any) -> policy.Rules:
    """Return the rules of the module's defaults."""
    return policy.make_rules(**{"reserved": {}, "shared": (), "backdate": "5m", **changes})


def sign(path: pathlib.Path | str, *requests: policy.SigningRequest, **changes: t.Any) -> sign_batch.BatchResult:
    """Sign the requests with the CA in ``path``."""
    work = sign_batch.Batch(
        place=layout.ca_directory(str(path)),
        requests=requests,
        rules=changes.pop("rules", rules()),
        passphrase=changes.pop("passphrase", PASSPHRASE),
        installed=changes.pop("installed_", ()),
        partial=changes.pop("partial", False),
        context=call_context(**changes),
    )
    return sign_batch.sign(work)


def tree(path: pathlib.Path) -> dict[str, bytes]:
    """Return every file below ``path`` with its content, to see that nothing changed; the lock's holder does not count."""
    return {
        str(found.relative_to(path)): found.read_bytes() if found.is_file() else b""
        for found in sorted(path.rglob("*"))
        if found.name != "lock"
    }


def modes(path: pathlib.Path) -> dict[str, str]:
    """Return the modes of everything in the CA directory."""
    return {
        str(found.relative_to(path.parent)): oct(os.lstat(found).st_mode & 0o7777) for found in (path, *path.rglob("*"))
    }


class FillingDisk:
    """An ``fsync`` that works ``after`` times, then finds the disk full once; ``struck`` says whether it came to that."""

    def __init__(self, after: int, real: t.Callable[[int], None]) -> None:
        self._left = after
        self._real = real

    @property
    def struck(self) -> bool:
        return self._left < 0

    def __call__(self, descriptor: int) -> None:
        self._left -= 1
        if self._left == -1:
            raise OSError(28, "No space left on device")
        self._real(descriptor)
