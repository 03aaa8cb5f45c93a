# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's variables before Ansible fills in their templates. PRIVATE: may change without notice."""

from __future__ import annotations

import typing as t

Mapping = t.Mapping[str, t.Any]


def as_written(hostvars: Mapping, host: str) -> Mapping:
    """Return the variables of a host that ``hostvars`` has, with their templates as they are.

    ``raw_get`` is Ansible's way; a plain mapping has no templates to fill in.
    """
    return t.cast(Mapping, getattr(hostvars, "raw_get", hostvars.__getitem__)(host))
