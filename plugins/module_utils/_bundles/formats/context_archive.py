# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives for ``docker context import NAME FILE``, to hand to another machine.

The CLI's own export never ends its archive (measured with 28.2: ``tar`` says "Unexpected EOF"), and the CLI does not
mind. This one has the same members and its end, so ``tar`` and backup tools can read it too.
"""

from __future__ import annotations

import io
import tarfile

from .base import Endpoint, File, Identity, secret
from .context import material, metadata, named


def files(identity: Identity) -> dict[str, File]:
    """Return ``contexts-export/<context>.dockercontext`` for each endpoint; that ending is the CLI's."""
    return {
        f"contexts-export/{name}.dockercontext": secret(_archive(name, endpoint, identity))
        for name, endpoint in named(identity).items()
    }


def _archive(name: str, endpoint: Endpoint, identity: Identity) -> bytes:
    """Return the archive; the same identity gives the same bytes (no times, no owners)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "meta.json", 0o644, metadata(name, endpoint, identity))
        _add(archive, "tls", 0o700)
        _add(archive, "tls/docker", 0o700)
        for file, data in material(identity).items():
            _add(archive, f"tls/docker/{file}", 0o600, data)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, mode: int, data: bytes | None = None) -> None:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = mode, 0
    member.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
    member.size = len(data or b"")
    archive.addfile(member, io.BytesIO(data or b""))
