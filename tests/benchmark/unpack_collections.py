# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take some collections out of the wheel of the `ansible` package: unpack_collections.py WHEEL DIRECTORY COLLECTION..."""

from __future__ import annotations

import sys
import zipfile


def unpack(wheel: str, directory: str, collections: list[str]) -> None:
    """Write the named collections below `directory`/ansible_collections; a collection the wheel lacks is a KeyError."""
    folders = tuple("ansible_collections/" + name.replace(".", "/") + "/" for name in collections)
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith(folders) and "/tests/" not in name]
        for folder in folders:
            archive.getinfo(folder + "MANIFEST.json")
        archive.extractall(directory, members)


if __name__ == "__main__":
    unpack(sys.argv[1], sys.argv[2], sys.argv[3:])
