# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The validation of a configuration by HAProxy itself, before it has to run with it (``haproxy -c``).

It is asked with the files of the change, all of them in memory (memfd_create(2)): the key is on no disk for it, and nothing stays
where the run is killed. HAProxy loads certificate, key, authorities and CRLs, so a key of another certificate is found here too.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._errors import TlsError

Run = t.Callable[[t.Sequence[str]], str]


def validate(run: Run, program: str, config: bytes, contents: t.Mapping[str, bytes]) -> None:
    """Raise TlsError ``proxy-config-refused`` where HAProxy refuses ``config``.

    ``contents``: path in ``config`` -> its new content. ``run`` returns "" for success, otherwise the output of the command.
    """
    with contextlib.ExitStack() as stack:
        text, places = config.decode("utf-8"), {}
        for path, data in contents.items():
            places[path] = stack.enter_context(_memory_file(data))
            text = text.replace(f" {path} ", f" {places[path]} ")
        problem = run([program, "-c", "-f", stack.enter_context(_memory_file(text.encode("utf-8")))])
        if not problem:
            return
        for path, place in places.items():
            problem = problem.replace(place, path)
    lines = [line for line in problem.splitlines() if "ALERT" in line] or problem.splitlines()
    raise TlsError(
        f"HAProxy refuses the configuration of the listener proxy: {' | '.join(lines[:4])}",
        hint="Nothing was changed. Where it names a certificate, key or CRL, correct that; otherwise please report it with these lines.",
        code="proxy-config-refused",
    )


@contextlib.contextmanager
def _memory_file(data: bytes) -> t.Iterator[str]:
    """Give ``data`` a path that another process of root can open."""
    descriptor = os.memfd_create("docker-tls-proxy")
    try:
        rest: t.Any = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)
