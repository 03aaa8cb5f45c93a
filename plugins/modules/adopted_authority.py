#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: adopted_authority
short_description: Adopt a CA that was made by hand or by another tool
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - For the roles and playbooks of this collection; options and results may change at any time.
  - Takes the certificate and the key of a CA of another tool into a CA directory as generation 1 of the server authority, of an access group, or of
    both.
  - The CA must be self-signed, valid, strong enough and allowed to sign certificates, and the key must be its own. The key is encrypted again; the
    files stay as they are.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._ca
  - portcullis.docker_tls._ca.directory
  - portcullis.docker_tls._cryptography
attributes:
  diff_mode:
    support: full
options:
  names:
    description:
      - The purpose of the CA, V(server), an access group, or both. One CA for both is what most recipes make; rotate away from it when that suits you.
    type: list
    elements: str
    default: [server, clients]
  certificate_path: {description: File with the CA's certificate on the host that the task runs on., type: path}
  certificate_content: {description: The CA's certificate as PEM., type: str}
  key_path: {description: File with the CA's key on the host that the task runs on., type: path}
  key_content:
    description: The CA's key as PEM. Empty for a key that is not there any more; that is enough where the CA has been adopted under all O(names) already.
    type: str
  key_passphrase:
    description: Passphrase of that key; empty for a key that has none. It need not be good, it is not used any more afterwards.
    type: str
    default: ""
  fingerprint_sha256:
    description:
      - SHA-256 fingerprint that the certificate has to have, in hexadecimal, with or without colons. Another certificate is refused.
      - Where the certificate is read from a host, this makes sure that it is the expected CA, not any certificate that the host returns.
    type: str
    default: ""
  source: {description: "Where the CA comes from, for the ledger. By default the path of the certificate.", type: str, default: ""}
"""

EXAMPLES = r"""
- name: Adopt the CA of Docker's documentation
  portcullis.docker_tls.adopted_authority:
    path: /etc/docker/ca
    passphrase: "{{ vault_docker_ca_passphrase }}"
    names: [server, clients]
    certificate_path: /root/ca.pem
    key_path: /root/ca-key.pem
    key_passphrase: "{{ vault_old_passphrase }}"
"""

RETURN = r"""
reasons:
  description: V(authority-adopted) where it was taken in, and the reasons of M(portcullis.docker_tls.authorities).
  returned: success
  type: list
  elements: str
adopted: {description: Ids that the CA has (would have) got., returned: success, type: list, elements: str, sample: [server-g1, clients-g1]}
certificate: {description: "Its certificate as plain values (subject, dates, key type, fingerprints).", returned: success, type: dict}
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._argument_specs import CA_OPTIONS, CRYPTOGRAPHY_OPTION
from ..module_utils._ca import call_context, import_ca, layout
from ..module_utils._ca.passphrase import check_passphrase
from ..module_utils._errors import TlsError
from ..module_utils._host.file_owner import read_regular
from ..module_utils._module import run_module


def _content(params: dict[str, t.Any], what: str) -> str:
    """Return the PEM text of ``certificate`` or ``key``, from its file or its option. Raises TlsError ``file-missing``."""
    path = params[f"{what}_path"]
    if not path:
        return str(params[f"{what}_content"] or "")
    data = read_regular(path)
    if data is None and what == "key":
        return ""  # in quarantine, once the CA was adopted; else it is asked for
    if data is None:
        raise TlsError(
            f"{path} ({what}_path) does not exist on this host",
            hint="Check the path and the host that the task runs on.",
            code="file-missing",
        )
    return data.decode("ascii", "replace")


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    params = module.params
    passphrase = check_passphrase(params["passphrase"], of_ca=params["path"])
    foreign = import_ca.Foreign(
        names=tuple(params["names"]),
        certificate=_content(params, "certificate"),
        key=_content(params, "key"),
        key_passphrase=params["key_passphrase"],
        source=params["source"] or params["certificate_path"] or "",
        fingerprint=params["fingerprint_sha256"],
    )
    context = call_context.call_context(params, now)
    place = layout.ca_directory(params["path"])
    done = import_ca.adopt(place, foreign, passphrase, context, predict=module.check_mode)
    return {
        "changed": bool(done.reasons),
        "reasons": list(done.reasons),
        "adopted": list(done.ids),
        "certificate": done.view.to_dict(),
        "warnings": list(done.warnings),
        "diff": {
            "before": {},
            "after": dict.fromkeys(done.ids, f"{done.view.subject}, until {done.view.to_dict()['not_after']}"),
        },
    }


def main() -> None:
    """Run the module."""
    run_module(
        lambda module: _run(module, _time.utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            **CA_OPTIONS,
            "names": {"type": "list", "elements": "str", "default": ["server", "clients"]},
            "certificate_path": {"type": "path"},
            "certificate_content": {"type": "str"},
            "key_path": {"type": "path", "no_log": False},
            "key_content": {"type": "str", "no_log": True},
            "key_passphrase": {"type": "str", "default": "", "no_log": True},
            "fingerprint_sha256": {"type": "str", "default": ""},
            "source": {"type": "str", "default": ""},
        },
        required_one_of=[("certificate_path", "certificate_content"), ("key_path", "key_content")],
        mutually_exclusive=[("certificate_path", "certificate_content"), ("key_path", "key_content")],
    )


if __name__ == "__main__":
    main()
