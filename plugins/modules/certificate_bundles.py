#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_bundles
short_description: Install client certificates for the docker command line and other clients
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Puts C(ca.pem), C(cert.pem) and C(key.pem), the names that docker itself uses, into a directory of a user, with a file C(env.sh) that sets
    C(DOCKER_HOST), C(DOCKER_TLS_VERIFY) and C(DOCKER_CERT_PATH).
  - The same identity in the form that other consumers take it, with O(bundles[].formats). These files are C(0600) and follow the certificate, the key
    and the endpoints; those of a format or endpoint that is no longer wanted are removed (C(.formats.json) lists the present ones).
  - The key is the one that M(portcullis.docker_tls.certificate_requests) made there. It takes its place only with the certificate that was made for it.
  - Modes and owner are put right in every run. The directory gets C(0700), the key C(0400), the certificates C(0444) and C(env.sh) C(0600).
  - A certificate or C(ca.pem) of another authority in the same place (for example a user's C(~/.docker) for another daemon) is kept beside it as
    C(<name>.<time>.bak). The next generation of the same authority counts as the same one. A private key that is replaced is not kept, for
    an unused copy still opens what its certificate opens; the module warns of it, in check mode too.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
  - portcullis.docker_tls._cryptography
attributes:
  diff_mode:
    support: full
    details: Shows RV(plan), never a key.
options:
  bundles:
    description: The bundles of the host.
    type: list
    elements: dict
    required: true
    suboptions:
      id: {description: Name of the bundle in the result; each only once., type: str, required: true}
      directory:
        description: Where the bundle is. A leading C(~) is the home of O(bundles[].owner), C(~user) that of another user.
        type: str
        required: true
      state:
        description:
          - V(absent) removes the bundle of a client that is revoked, C(key.pem), C(cert.pem), C(ca.pem) and C(env.sh), and the directory when
            nothing else is in it.
          - Only where C(cert.pem) is a client certificate of O(bundles[].common_name); what else is there is not touched.
        type: str
        choices: [present, absent]
        default: present
      common_name: {description: "Name of the client, for O(bundles[].state=absent).", type: str, default: ""}
      keep_if_issued_by:
        description:
          - Authorities in PEM form, for O(bundles[].state=absent). A bundle whose valid certificate one of them has signed is kept, and is in RV(unrecorded).
          - The roles set it for a revoked client that the ledger does not have. The ledger is then older than the certificate, and the bundle is
            the only record of its serial number.
        type: str
        default: ""
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
      environment_file: {description: Write C(env.sh). One that is there is never removed., type: bool, default: true}
      formats:
        description:
          - What else to make of the identity, below O(bundles[].directory).
          - V(docker) is C(ca.pem), C(cert.pem) and C(key.pem) and always made; V(environment) is C(env.sh), which O(bundles[].environment_file) governs.
          - V(context) is one docker context for each endpoint, in the CLI's own files; V(context_archive) are archives for C(docker context import).
          - V(direnv) is C(.envrc); V(pkcs12) is C(client.p12); V(portainer) are files named as Portainer's form asks for them.
          - V(module_defaults) is a file of variables for community.docker's modules, V(traefik), V(prometheus), V(terraform) and V(gitlab_runner) are
            pieces of the configuration of these.
          - Without an endpoint only V(pkcs12) has files.
        type: list
        elements: str
        choices: [docker, environment, context, context_archive, direnv, gitlab_runner, module_defaults, pkcs12, portainer, prometheus, terraform, traefik]
        default: []
      endpoints:
        description:
          - Docker hosts that the client may use, for the formats that name them; the first is the default one. By default O(bundles[].docker_host), named
            after its host.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the endpoint. That of its docker context is the same as far as the CLI takes it.
            type: str
            required: true
          docker_host: {description: "Its address, as V(tcp://docker1.example.org:2376).", type: str, required: true}
      consumer_directory:
        description: Where the consumers of O(bundles[].formats) see O(bundles[].directory), such as the mount point in a container. By default the same.
        type: str
        default: ""
      pkcs12_passphrase:
        description: Passphrase of C(client.p12). The file is made again if it does not open with it.
        type: str
        default: ""
      owner:
        description:
          - User that the files belong to, by name or number. By default the user that the task runs as; where that is root and the directory is a
            user's, that user.
          - In the directories of another user, root works with that user's rights. As owner, root follows no link that another user can set.
        type: str
      group: {description: Group of the files. By default the user's own., type: str}
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
        ca_content: "{{ ansible_facts.docker_ca_authorities['server'].trusted_content }}"
        docker_host: tcp://docker1.example.org:2376

# After that the user needs only:
#   . ~/.docker/env.sh
#   docker version

- name: The same with a docker context for each host, and a file for the browser
  portcullis.docker_tls.certificate_bundles:
    bundles:
      - id: deploy
        directory: ~/.docker
        owner: deploy
        formats: [context, pkcs12]
        endpoints:
          - {name: web1, docker_host: "tcp://web1.example.org:2376"}
          - {name: web2, docker_host: "tcp://web2.example.org:2376"}
        pkcs12_passphrase: "{{ vault_deploy_p12 }}"

# docker --context web2 ps
"""

RETURN = r"""
plan:
  description: One line for each bundle that is written, where, until when it is good, and why.
  returned: success
  type: list
  elements: str
  sample: ["client deploy: bundle in /home/deploy/.docker, certificate until 2027-11-22 (certificate-changed, key-changed)"]
bundles:
  description: The bundles in the order of O(bundles).
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Name of the bundle., type: str, sample: deploy}
    directory: {description: Absolute path of the bundle., type: str, sample: /home/deploy/.docker}
    reasons:
      description:
        - Why it was written. Any of V(directory-missing), V(certificate-changed), V(key-changed), V(ca-changed), V(environment-changed),
          V(permissions-changed); for each format its name, as V(context-archive-changed); V(format-dropped); V(client-revoked), it was removed.
      type: list
      elements: str
      sample: [certificate-changed, key-changed]
    certificate:
      description: The certificate with C(serial), C(subject), C(names), C(not_after) and others, none where it is not known (check mode).
      type: dict
    formats:
      description: The files of each format, empty where they are not known (check mode).
      type: dict
      sample: {pkcs12: [/home/deploy/.docker/client.p12]}
    backup_files: {description: Where a former file in the same place is kept., type: list, elements: str, sample: []}
unrecorded:
  description: Bundles of revoked clients that were kept, see O(bundles[].keep_if_issued_by).
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Name of the bundle., type: str, sample: bob}
    directory: {description: Absolute path of the bundle., type: str, sample: /home/ops/.docker_tls/clients/bob}
    serial: {description: "Serial number of its certificate, in hexadecimal digits.", type: str, sample: 3ac4f2}
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._argument_specs import CRYPTOGRAPHY_OPTION
from ..module_utils._bundles import (
    bundle_files,
    format_files,
    removal,
)
from ..module_utils._bundles.formats import registry
from ..module_utils._module import plan_diff, run_module
from ..module_utils._time import utc_now

_BUNDLE_OPTIONS: dict[str, t.Any] = {
    "id": {"type": "str", "required": True},
    "directory": {"type": "str", "required": True},
    "certificate_content": {"type": "str", "default": ""},
    "ca_content": {"type": "str", "default": ""},
    "docker_host": {"type": "str", "default": ""},
    "environment_file": {"type": "bool", "default": True},
    "formats": {"type": "list", "elements": "str", "choices": list(registry.NAMES), "default": []},
    "endpoints": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, "docker_host": {"type": "str", "required": True}},
    },
    "consumer_directory": {"type": "str", "default": ""},
    "pkcs12_passphrase": {"type": "str", "default": "", "no_log": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "common_name": {"type": "str", "default": ""},
    "keep_if_issued_by": {"type": "str", "default": ""},
}


def _run(module: AnsibleModule, now: datetime) -> dict[str, t.Any]:
    everything = module.params["bundles"]
    revoked = removal.find([option for option in everything if option["state"] == "absent"])
    unrecorded = [one for one in revoked if removal.is_unrecorded(one, now)]
    gone = [one for one in revoked if one not in unrecorded]
    options = [option for option in everything if option["state"] == "present"]
    bundles = bundle_files.resolve_all(options)
    wishes = [format_files.resolve(option, bundle) for option, bundle in zip(options, bundles)]
    plans = [
        bundle_files.plan(bundle, bundle_files.observe(bundle), predicting=module.check_mode) for bundle in bundles
    ]
    placed = [format_files.plan_options(each, plan) for each, plan in zip(wishes, plans)]
    reported = []
    for plan, files in zip(plans, placed):
        backups = bundle_files.install(plan, now) if plan.reasons and not module.check_mode else []
        backups += format_files.install(files, now) if files.reasons and not module.check_mode else []
        for backup in backups:
            module.warn(f"A file of another origin in {plan.bundle.directory} has been kept as {backup}.")
        verb = "would be" if module.check_mode else "was"
        for name in (*plan.lost_keys, *files.lost_keys):
            module.warn(
                f"The private key in {plan.bundle.directory}/{name} was another authority's. It {verb} replaced, and is not kept."
            )
        reasons = list(dict.fromkeys([*plan.reasons, *files.reasons]))
        reported.append(
            {**bundle_files.report(plan, backups), "reasons": reasons, "formats": format_files.report(files)}
        )
    for one in gone:
        if not module.check_mode:
            removal.remove(one)
        reported.append(one.report())
    lines = format_files.lines(reported)
    return {
        "changed": any(bundle["reasons"] for bundle in reported),
        "bundles": reported,
        "unrecorded": [{"id": one.id, "directory": one.directory, "serial": one.view.serial} for one in unrecorded],
        "plan": lines,
        "diff": [plan_diff(lines), *format_files.diffs(placed)],
    }


def main(run: t.Callable[..., None] = run_module) -> None:
    """Run the module; ``run`` is another way to do so (plugin_utils/_remote/local.py)."""
    run(
        lambda module: _run(module, utc_now()),
        argument_spec={
            **CRYPTOGRAPHY_OPTION,
            "bundles": {"type": "list", "elements": "dict", "required": True, "options": _BUNDLE_OPTIONS},
            "rejected": {"type": "dict", "default": {}},
        },
    )


if __name__ == "__main__":
    main()
