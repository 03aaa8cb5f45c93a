# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that work in a CA directory."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that open the keys of a CA, and in C(DIRECTORY) those that the ones that open none have too."""

    DOCUMENTATION = r"""
options:
  passphrase:
    description:
      - Passphrase of the CA's keys, from any source that Ansible knows (Ansible Vault, a prompt, a lookup). One for all authorities.
      - At least 12 characters; passphrases from examples, such as V(changeme1234), are refused.
      - It never appears in a command line, a file, a diff or any output. To that end the module is always sent through a pipe
        (pipelining), regardless of the configuration; with a connection that cannot do that, the task fails before anything is sent.
    type: str
    required: true
  allow_network_filesystem:
    description:
      - Whether O(path) may be on a network file system such as NFS or CIFS, where the lock may not keep two hosts apart.
        By default it must be on a local one.
      - Only when no other host ever works in that directory.
    type: bool
    default: false
notes:
  - The task must not run with C(async).
"""
    DIRECTORY = r"""
options:
  path:
    description:
      - Directory of the CA. It belongs to the user that the task runs as, with mode C(0700), and everything in it has mode C(0600).
      - It must not be below a directory that every user can write.
    type: path
    required: true
  lock_timeout:
    description: How many seconds to wait while another run holds the lock of the CA directory.
    type: int
    default: 60
  operator:
    description:
      - Who runs this, for the ledger. By default the user and the host name of the controller, as C(user@host).
    type: str
    default: ""
"""
