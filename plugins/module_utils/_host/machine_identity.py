# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether two inventory names are one machine.

The machine id does not identify a machine: virtual machines of one template share it, and the keys of their SSH server. It is identified by

* the boot id of the kernel (Linux, random.c: random for each boot), which clones do not share, but containers on one kernel do;
* device and inode of the root directory, which containers on one kernel do not share;
* the auxiliary vector of process 1 (getauxval(3): addresses that the kernel chose at random for it). Only root of this machine can
  read it, so that a hostile host cannot give itself the identity of another host and keep that one from its certificate.
"""

from __future__ import annotations

import hashlib
import os

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
