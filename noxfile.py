# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# /// script
# dependencies = ["nox>=2025.02.09", "antsibull-nox==1.10.0"]
# ///

"""For those who are used to nox: its sessions call the make targets, so that there is one definition of each check."""

from __future__ import annotations

import nox

try:
    import antsibull_nox
except ImportError:
    pass
else:
    antsibull_nox.load_antsibull_nox_toml()


def make(target: str) -> None:
    """Define a session that runs one make target."""

    @nox.session(name=target, python=False)
    def session(session: nox.Session) -> None:
        session.run("make", target, external=True)

    session.__doc__ = f"make {target}"


for name in ("lint", "unit", "sanity", "docs", "build"):
    make(name)
