# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that simulated hosts live in: server.py SOCKET COLLECTION...

It imports what modules import, waits for the source of a module, and runs it in a fork of itself. It ends when its
standard input is closed. What a host is asked and what it answers is never kept: each fork reads its own files.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pkgutil
import selectors
import signal
import socket
import struct
import sys
import traceback

WARM = [
    "ansible.module_utils.basic",
    "ansible.module_utils.facts.ansible_collector",
    "ansible.module_utils._internal._ansiballz._loader",
]
WARM += [
    "cryptography.x509",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.asymmetric.rsa",
]


def preload(collections: list[str]) -> None:
    """Import what modules of these collections import; what cannot be imported here is left out."""
    for name in WARM:
        importlib.import_module(name)
    for collection in collections:
        root = f"ansible_collections.{collection}.plugins.module_utils"
        for module in pkgutil.walk_packages(importlib.import_module(root).__path__, root + "."):
            try:
                importlib.import_module(module.name)
            except Exception as error:
                print(f"{module.name} is not preloaded: {error}", file=sys.stderr)
    preload_inspection()


def preload_inspection() -> None:
    """Load what comes with the inspection of our host_state, a program with its own modules in it, by asking it about nothing."""
    program = importlib.import_module("ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.programs")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        execute(program.INSPECTION.script({"requests": [], "endpoint": None, "prepare": False}))
    if (program.answer(said.getvalue()) or {}).get("current") is not True:
        print(f"the inspection is not preloaded: {said.getvalue()}", file=sys.stderr)


def execute(source: bytes) -> int:
    """Run a module as Python would run its standard input; return the exit code."""
    try:
        exec(compile(source, "<stdin>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def serve_one(client: socket.socket) -> None:
    """Answer one request, in a process of its own that ends with it."""
    with client.makefile("rb") as request:
        name, source = (request.read(length) for length in struct.unpack("!QQ", request.read(16)))
    # Each host has a name of its own: a CA gives no name to two of them.
    socket.gethostname = lambda: name.decode()
    socket.getfqdn = lambda *_: f"{name.decode()}.example.test"
    files = [os.memfd_create(name) for name in ("out", "err")]
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), "utf-8")
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), "utf-8", line_buffering=True)
    code = execute(source)
    sys.stdout.flush()
    sys.stderr.flush()
    results = [os.pread(file, os.fstat(file).st_size, 0) for file in files]
    client.sendall(struct.pack("!iQQ", code, len(results[0]), len(results[1])) + b"".join(results))


def main(path: str, collections: list[str]) -> None:
    """Serve until standard input is closed, so that the server never outlives the benchmark."""
    preload(collections)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    print("ready", flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    # The children are not waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while all(key.fileobj is listener for key, _ in selector.select()):
        client, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            try:
                serve_one(client)
            finally:
                os._exit(0)
        client.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
