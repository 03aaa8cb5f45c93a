# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option of modules that need the Python library cryptography."""

from __future__ import annotations


class ModuleDocFragment:
    """Option of every module whose action plugin installs the library where it is missing."""

    DOCUMENTATION = r"""
options:
  cryptography_package:
    description:
      - Package that is installed with M(ansible.builtin.package) when the host's Python has no usable C(cryptography).
      - In check mode the module only reports that it would be installed. Nothing is installed into a virtual environment, nor for the Python that Ansible
        itself runs with; the task fails there with advice on what to do.
      - Empty means never to install anything.
    type: str
    default: python3-cryptography
requirements:
  - cryptography >= 3.3 (Python library, on the host that the module runs on; see O(cryptography_package))
"""
