#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: portainer_environment
short_description: Give Portainer a Docker host with the current client certificate
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Makes an environment of the type Docker (API over TLS) in Portainer, or updates address and certificate of the environment with that name.
  - Portainer keeps copies of the files, so they have to be uploaded again after every renewal. The uploaded files are noted in O(directory) below
    C(.portainer) (no secret), because Portainer never returns them; a second run uploads nothing.
  - Server and client are both verified; an environment that skips that is put right.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
attributes:
  diff_mode:
    support: full
    details: Shows name, address and whether TLS is verified, never a key.
options:
  url: {description: "Address of Portainer, as V(https://portainer.example.org:9443), without a path.", type: str, required: true}
  api_key:
    description: Access token of an administrator of Portainer. It is sent through a pipe and never shown.
    type: str
    required: true
  name: {description: Name of the environment., type: str, required: true}
  docker_host:
    description: Address of the Docker host as Portainer reaches it, as V(tcp://docker1.example.org:2376).
    type: str
    required: true
  directory:
    description: Directory with C(ca.pem), C(cert.pem) and C(key.pem) on the host where the task runs. A leading C(~) is the home of its user.
    type: path
    required: true
  validate_certs:
    description: Check the certificate of O(url). Without it the key goes to anyone who answers there.
    type: bool
    default: true
  ca_path: {description: File with the certificates (PEM) that the one of O(url) comes from. By default the system's., type: path}
  timeout:
    description: How many seconds each request may take. Portainer tries the connection while it creates an environment.
    type: int
    default: 30
seealso:
  - module: portcullis.docker_tls.certificate_bundles
"""

EXAMPLES = r"""
- name: All Docker hosts are known to Portainer
  portcullis.docker_tls.portainer_environment:
    url: https://portainer.example.org:9443
    api_key: "{{ vault_portainer_key }}"
    name: "{{ inventory_hostname }}"
    docker_host: "{{ inventory_hostname | portcullis.docker_tls.endpoint_url(hostvars) }}"
    directory: ~/.docker_tls/clients/portainer
  delegate_to: localhost
"""

RETURN = r"""
environment:
  description: The environment.
  returned: success
  type: dict
  contains:
    id: {description: Its number in Portainer; null where check mode would make it., type: int, sample: 4}
    name: {description: Its name., type: str, sample: web1}
    docker_host: {description: Its address., type: str, sample: tcp://web1.example.org:2376}
reasons:
  description: Why it was written, any of V(environment-missing), V(url-changed), V(tls-changed), V(certificate-changed).
  returned: success
  type: list
  elements: str
  sample: [certificate-changed]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _portainer_api
from ..module_utils._argument_specs import CRYPTOGRAPHY_OPTION
from ..module_utils._bundles.bundle_files import check_docker_host
from ..module_utils._errors import TlsError
from ..module_utils._module import run_module

_WITHOUT_TLS = "The client's key goes to {} without encryption. Use Portainer's HTTPS port (9443)."


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    check_docker_host(options["docker_host"])
    server = _portainer_api.Server(
        url=_checked_url(options["url"]),
        api_key=options["api_key"],
        validate_certs=options["validate_certs"],
        ca_path=options["ca_path"] or "",
        timeout=options["timeout"],
    )
    files = _portainer_api.read_bundle(options["directory"])
    wanted = _portainer_api.Wanted(options["name"], options["docker_host"], options["directory"], files)
    plan = _portainer_api.plan(server, wanted)
    identifier = plan.found["Id"] if plan.found else None
    if plan.reasons and not module.check_mode:
        identifier = _portainer_api.apply(server, wanted, plan)
    environment = {"id": identifier, "name": wanted.name, "docker_host": wanted.docker_host}
    return {
        "changed": bool(plan.reasons),
        "reasons": list(plan.reasons),
        "environment": environment,
        "warnings": [_WITHOUT_TLS.format(server.url)] if server.url.startswith("http://") else [],
        "diff": {"before": _before(plan), "after": {**environment, "verified": True, "reasons": list(plan.reasons)}},
    }


def _checked_url(url: str) -> str:
    scheme, _colon, rest = url.rstrip("/").partition("://")
    if scheme not in ("https", "http") or not rest or "/" in rest or "@" in rest:
        raise TlsError(
            f"url is {url!r}, which is not an address of Portainer",
            hint="Write https://HOST:PORT, for example https://portainer.example.org:9443.",
            code="portainer-url-invalid",
        )
    return url.rstrip("/")


def _before(plan: _portainer_api.Plan) -> dict[str, t.Any]:
    if plan.found is None:
        return {}
    tls = plan.found.get("TLSConfig") or {}
    own = {key: plan.found.get(name) for key, name in (("id", "Id"), ("name", "Name"), ("docker_host", "URL"))}
    return {**own, "verified": bool(tls.get("TLS")) and not tls.get("TLSSkipVerify")}


def main() -> None:
    """Run the module."""
    run_module(
        _run,
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            "url": {"type": "str", "required": True},
            "api_key": {"type": "str", "required": True, "no_log": True},
            "name": {"type": "str", "required": True},
            "docker_host": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
            "timeout": {"type": "int", "default": 30},
        },
    )


if __name__ == "__main__":
    main()
