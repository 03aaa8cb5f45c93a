# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""call_module.py REQUESTS.json CA-DIRECTORY: one signed_certificates call, as the CA host runs it, without Ansible around.

The passphrase is in BENCH_PASSPHRASE; the result goes to standard output, as always.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ansible.module_utils.testing import patch_module_args

from ansible_collections.portcullis.docker_tls.plugins.modules import signed_certificates

if __name__ == "__main__":
    arguments = json.loads(Path(sys.argv[1]).read_bytes())
    arguments.update(path=sys.argv[2], passphrase=os.environ["BENCH_PASSPHRASE"])
    with patch_module_args(arguments):
        signed_certificates.main()
