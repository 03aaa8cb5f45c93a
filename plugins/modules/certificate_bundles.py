#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_bundles
short_description: Install client certificates for the docker command line and other clients
version_added: 1.0.0
author: portcullis.docker_tls contributors (@portcullis-docker-tls)
description:
  - Puts C(ca.pem), C(cert.pem) and C(key.pem), the names that docker itself uses, into a directory of a user, with a file C(env.sh) that sets
    C(DOCKER_HOST), C(DOCKER_TLS_VERIFY) and C(DOCKER_CERT_PATH).
  - The key is the one that M(portcullis.docker_tls.certificate_requests) made there. It takes its place only with the certificate that was made for it.
  - Modes and owner are put right in every run. The directory gets C(0700), the key C(0400), the certificates C(0444) and C(env.sh) C(0600).
  - A certificate, key or C(ca.pem) of another authority that is in the way (a user's C(~/.docker) for another daemon, say) is kept beside it as
    C(<name>.<time>.bak). The next generation of the same authority counts as the same one.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows names, issuer, expiry and fingerprint, never a key.
  idempotent:
    support: full
options:
  bundles:
    description: The bundles of the host.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Name of the bundle in the result; each only once.
        type: str
        required: true
      directory:
        description: Where the bundle is. A leading C(~) is the home of O(bundles[].owner), C(~user) that of another user.
        type: str
        required: true
      certificate_content:
        description: The certificate (PEM, with its chain if it has one). Empty keeps the one that is there.
        type: str
        default: ""
      ca_content:
        description: Certificates (PEM) of the authorities that the servers' certificates may come from. Empty keeps those that are there.
        type: str
        default: ""
      docker_host:
        description: Endpoint for C(env.sh), as V(tcp://docker1.example.org:2376). Without one no C(env.sh) is written.
        type: str
        default: ""
      environment_file:
        description: Write C(env.sh). One that is there is never removed.
        type: bool
        default: true
      owner:
        description:
          - User that the files belong to, by name or number. By default the user that the task runs as; where that is root and the directory is a
            user's, that user.
          - In the directories of another user, root works with that user's rights. As owner, root follows no link that another user can set.
        type: str
      group:
        description: Group of the files. By default the user's own.
        type: str
  rejected:
    description:
      - Why requests for bundles were refused, by the id of the bundle, as RV(portcullis.docker_tls.signed_certificates#module:rejected) has it.
      - Such a bundle is left as it is; the others are installed, and then the task fails with that message.
    type: dict
    default: {}
seealso:
  - module: portcullis.docker_tls.certificate_requests
  - module: portcullis.docker_tls.signed_certificates
"""

EXAMPLES = r"""
- name: Install the certificate that was signed for the user deploy
  portcullis.docker_tls.certificate_bundles:
    bundles:
      - id: deploy
        directory: ~/.docker
        owner: deploy
        certificate_content: "{{ signed.certificates['deploy'].certificate_content }}"
        ca_content: "{{ docker_ca_authorities['server'].trusted_content }}"
        docker_host: tcp://docker1.example.org:2376

# After that the user needs only:
#   . ~/.docker/env.sh
#   docker version
"""

RETURN = r"""
bundles:
  description: The bundles in the order of O(bundles).
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Name of the bundle.
      type: str
      sample: deploy
    directory:
      description: Absolute path of the bundle.
      type: str
      sample: /home/deploy/.docker
    reasons:
      description:
        - Why it was written. Any of V(directory-missing), V(certificate-changed), V(key-changed), V(ca-changed), V(environment-changed),
          V(permissions-changed).
      type: list
      elements: str
      sample: [certificate-changed, key-changed]
    certificate:
      description: The certificate as in RV(portcullis.docker_tls.certificate_info#module:certificates), none where it is not known (check mode).
      type: dict
    backup_files:
      description: Where what was in the way has been kept.
      type: list
      elements: str
      sample: []
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _bundles
from ..module_utils._module import run_module
from ..module_utils._options import CRYPTOGRAPHY_OPTION
from ..module_utils._time import utc_now

_BUNDLE_OPTIONS: dict[str, t.Any] = {
    "id": {"type": "str", "required": True},
    "directory": {"type": "str", "required": True},
    "certificate_content": {"type": "str", "default": ""},
    "ca_content": {"type": "str", "default": ""},
    "docker_host": {"type": "str", "default": ""},
    "environment_file": {"type": "bool", "default": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    bundles = _bundles.resolve_all(module.params["bundles"])
    plans = [_bundles.plan(bundle, _bundles.observe(bundle), predicting=module.check_mode) for bundle in bundles]
    reported = []
    for plan in plans:
        backups = _bundles.install(plan, now) if plan.reasons and not module.check_mode else []
        for backup in backups:
            module.warn(f"What was not this collection's in {plan.bundle.directory} has been kept as {backup}.")
        reported.append(_bundles.report(plan, backups))
    return {
        "changed": any(plan.reasons for plan in plans),
        "bundles": reported,
        "diff": _bundles.diff(plans),
    }


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            "bundles": {"type": "list", "elements": "dict", "required": True, "options": _BUNDLE_OPTIONS},
            "rejected": {"type": "dict", "default": {}},
        },
    )


if __name__ == "__main__":
    main()
