# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to simulated hosts: like `local`, but a module runs in a fork of the process of simulated/server.py.

A real host starts Python and reads the module on its own processor. A thousand hosts on one machine would measure that
and nothing else; so the simulated ones keep all of it ready, and what is left is the controller's work.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: simulated
short_description: Hosts that live in one warm process
description: For the benchmark only.
author: The portcullis.docker_tls contributors
extends_documentation_fragment: connection_pipelining
options:
  name:
    description: Name of the host, which it takes for its own FQDN.
    type: str
    required: true
    vars: [{name: inventory_hostname}]
  socket:
    description: Where server.py listens.
    type: path
    required: true
    env: [{name: BENCH_SIMULATED_SOCKET}]
"""

import socket
import struct
from typing import Optional

from ansible.plugins.connection.local import Connection as LocalConnection


class Connection(LocalConnection):
    """Sends what Ansible would pipe into Python to the server."""

    transport = "simulated"
    has_pipelining = True

    def exec_command(
        self, cmd: str, in_data: Optional[bytes] = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Run a pipelined module; everything else (a shell that makes or removes a directory) runs as with `local`."""
        if not in_data:
            return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.get_option("socket"))
            name = self.get_option("name").encode()
            server.sendall(struct.pack("!QQ", len(name), len(in_data)) + name + in_data)
            with server.makefile("rb") as answer:
                code, out, err = struct.unpack("!iQQ", answer.read(20))
                return code, answer.read(out), answer.read(err)
