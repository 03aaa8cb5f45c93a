#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_status
short_description: Assess the TLS of a fleet of Docker hosts, and report it
version_added: 1.0.0
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Asks every endpoint, all at the same time and without a client certificate, which certificate the running daemon serves and which client
    authorities it admits; compares that with the hosts' disks and with the inventory.
  - Prints a table, and writes the same as JSON, as metrics for the textfile collector of Prometheus' node_exporter, and as one HTML page
    that needs no other file.
  - Runs on the controller. C(playbooks/status.yml) gathers its options from the inventory and the hosts; by hand it needs no more than names
    and endpoints.
  - Changes only the report files in its options.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
attributes:
  check_mode:
    support: full
    details: The files are not written.
  diff_mode:
    support: full
    details: Of the HTML page only the size is shown.
  idempotent:
    support: partial
    details: A report contains the time at which it was made, so its files differ from run to run.
options:
  hosts:
    description: The Docker hosts.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Inventory name., type: str, required: true}
      endpoint: {description: "Where clients reach the daemon, for example V(tcp://docker1.example.org:2376).", type: str, required: true}
      state: {description: Whether the host should have an endpoint., type: str, choices: [present, absent], default: present}
      access_groups:
        description: Access groups that the host should admit. Without any, the admitted groups are shown and not assessed.
        type: list
        elements: str
        default: []
      stored:
        description:
          - What M(portcullis.docker_tls.certificate_files_info) returned for the host's files. Without it the disk is not assessed.
          - The state V(unreachable) means that the host was not reached.
        type: dict
  clients:
    description: The client bundles.
    type: list
    elements: dict
    default: []
    suboptions:
      id: {description: "Name of the bundle, unique on its host.", type: str, required: true}
      client: {description: Name of the client., type: str, required: true}
      group: {description: Access group of the client., type: str, default: clients}
      host: {description: Inventory host that has the bundle; V(localhost) is the controller., type: str, default: localhost}
      stored: {description: What M(portcullis.docker_tls.certificate_files_info) returned for the bundle., type: dict}
      former:
        description: The same for other directories that may have a former bundle. One with a certificate of the CA is reported.
        type: list
        elements: dict
        default: []
  ca:
    description:
      - The authorities. Without them neither issuers nor access groups can be assessed for certain; the report then compares with what the
        bundles on the controller trust.
    type: dict
    suboptions:
      host: {description: Inventory name of the CA host., type: str, default: localhost}
      path: {description: The CA directory., type: str, default: ""}
      state:
        description: What became of reading them; where O(ca.authorities) is not empty, they were read.
        type: str
        choices: [read, missing, not-readable, unreachable, not-asked]
        default: not-asked
      problem: {description: Why they could not be read., type: str, default: ""}
      authorities: {description: What M(portcullis.docker_tls.authority_info) returned., type: dict, default: {}}
      ledger:
        description: >-
          RV(portcullis.docker_tls.ledger_info#module:ledger), with C(known) added, the list of the fingerprints of all certificates that
          it knows and that are valid. A certificate of ours that is not among them is reported. C(external) has those of them that another issuer
          has signed, by fingerprint, each with C(issuer), C(time) and C(requester).
        type: dict
      certificates:
        description: >-
          Valid client certificates that should not be used any more, RV(portcullis.docker_tls.authority_info#module:revoked) and
          RV(portcullis.docker_tls.authority_info#module:unlisted).
        type: list
        elements: dict
        default: []
  warning:
    description:
      - When a certificate is a warning because of its remaining life, as fractions of its whole life (V(1/4)) or lengths of time (V(30d));
        the first that holds counts.
      - Renewal begins when a third is left, so the default means that renewal has failed for a month in a year.
      - A length of time that is longer than a certificate's whole life is ignored for that certificate.
    type: list
    elements: str
    default: ["1/4"]
  critical: {description: "When it is critical, in the same way.", type: list, elements: str, default: [1/10]}
  fail_on:
    description: Which state of the fleet sets RV(status.alarm). The module itself does not fail.
    type: str
    choices: [critical, warning, never]
    default: critical
  timeout: {description: How many seconds to wait for each endpoint., type: int, default: 5}
  connections: {description: How many endpoints to ask at the same time., type: int, default: 64}
  table:
    description: The printed part of the report, everything, only problems, or nothing.
    type: str
    choices: [all, problems, none]
    default: all
  title: {description: Heading of the HTML page., type: str, default: Docker TLS status}
  json_path: {description: File for the JSON document. Empty for none., type: path, default: ""}
  prometheus_path:
    description: File for the metrics; node_exporter reads files whose names end with C(.prom). Empty for none.
    type: path
    default: ""
  html_path: {description: File for the HTML page. Empty for none., type: path, default: ""}
  file_mode: {description: "Mode of the files. They name hosts, addresses and clients, but hold no secret.", type: str, default: "0644"}
seealso:
  - module: portcullis.docker_tls.certificate_files_info
  - module: portcullis.docker_tls.ledger_info
  - module: portcullis.docker_tls.endpoint_info
"""

EXAMPLES = r"""
- name: Which certificate do these daemons serve, and until when
  portcullis.docker_tls.fleet_status:
    hosts:
      - {name: docker1, endpoint: "tcp://docker1.example.org:2376"}
      - {name: docker2, endpoint: "tcp://10.0.0.12:2376"}
    html_path: /srv/www/docker-tls.html
    prometheus_path: /var/lib/prometheus/node-exporter/docker_tls.prom
  delegate_to: localhost
  run_once: true
  register: fleet

- name: Stop when it is bad
  ansible.builtin.fail:
    msg: "{{ fleet.status.summary }}"
  when: fleet.status.alarm
"""

RETURN = r"""
status:
  description: The whole in a few words.
  returned: success
  type: dict
  contains:
    level: {description: "V(ok), V(unknown), V(warning) or V(critical), the worst of all.", type: str, sample: critical}
    exit_code: {description: "The same as monitoring plugins put it, 0 ok, 1 warning, 2 critical, 3 unknown.", type: int, sample: 2}
    summary: {description: One line., type: str, sample: "CRITICAL: 1 critical, 5 ok; web2 unreachable"}
    alarm: {description: Whether the level reaches O(fail_on)., type: bool, sample: true}
table: {description: The lines that were printed., returned: success, type: list, elements: str}
report:
  description: The document that is written to O(json_path).
  returned: success
  type: dict
  contains:
    schema: {description: Version of the document's form., type: int, sample: 1}
    generated: {description: When it was made., type: str, sample: "2026-11-22T13:00:00Z"}
    level: {description: The same as RV(status.level)., type: str}
    exit_code: {description: The same as RV(status.exit_code)., type: int}
    summary: {description: The same as RV(status.summary)., type: str}
    counts: {description: How much there is of each level., type: dict}
    thresholds: {description: O(warning) and O(critical)., type: dict}
    ca:
      description: The CA directory with its ledger (C(host), C(path), C(state), C(ledger), C(level), C(verdict), C(findings)).
      type: dict
    authorities:
      description: Every generation of every authority, with C(level), C(verdict), C(findings) and C(certificate).
      type: list
      elements: dict
    hosts:
      description: Every Docker host, with C(level), C(verdict), C(findings), C(stored), C(served), C(served_is_stored), C(starts_at_boot) and C(access)
        (C(wanted), C(admits), and C(rights) of the access groups with the listener V(proxy)).
      type: list
      elements: dict
    clients: {description: "Every client bundle, with C(level), C(verdict), C(findings) and C(certificate).", type: list, elements: dict}
    certificates:
      description: Every certificate of O(ca.certificates) that is not refused everywhere for good, with C(level), C(verdict), C(findings) and C(opens).
      type: list
      elements: dict
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _time
from ..module_utils._ca import access
from ..module_utils._fleet import assess, certificate_checks, collect, model
from ..module_utils._fleet.render import prometheus, report_text
from ..module_utils._module import run_module

Options = t.Mapping[str, t.Any]

HOST_OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "endpoint": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "access_groups": {"type": "list", "elements": "str", "default": []},
    "stored": {"type": "dict"},
}
CLIENT_OPTIONS: dict[str, t.Any] = {
    "id": {"type": "str", "required": True},
    "client": {"type": "str", "required": True},
    "group": {"type": "str", "default": "clients"},
    "host": {"type": "str", "default": "localhost"},
    "stored": {"type": "dict"},
    "former": {"type": "list", "elements": "dict", "default": []},
}
CA_OPTIONS: dict[str, t.Any] = {
    "host": {"type": "str", "default": "localhost"},
    "path": {"type": "str", "default": ""},
    "state": {
        "type": "str",
        "choices": ["read", "missing", "not-readable", "unreachable", "not-asked"],
        "default": "not-asked",
    },
    "problem": {"type": "str", "default": ""},
    "authorities": {"type": "dict", "default": {}},
    "ledger": {"type": "dict"},
    "certificates": {"type": "list", "elements": "dict", "default": []},
}
ARGUMENT_SPEC: dict[str, t.Any] = {
    "hosts": {"type": "list", "elements": "dict", "default": [], "options": HOST_OPTIONS},
    "clients": {"type": "list", "elements": "dict", "default": [], "options": CLIENT_OPTIONS},
    # Not a default of {}: Ansible would write the suboptions' defaults into that one dictionary.
    "ca": {"type": "dict", "apply_defaults": True, "options": CA_OPTIONS},
    "warning": {"type": "list", "elements": "str", "default": ["1/4"]},
    "critical": {"type": "list", "elements": "str", "default": ["1/10"]},
    "fail_on": {"type": "str", "choices": ["critical", "warning", "never"], "default": "critical"},
    "timeout": {"type": "int", "default": 5},
    "connections": {"type": "int", "default": 64},
    "table": {"type": "str", "choices": ["all", "problems", "none"], "default": "all"},
    # The page is written by the action plugin, on the controller.
    "title": {"type": "str", "default": "Docker TLS status"},
    "json_path": {"type": "path", "default": ""},
    "prometheus_path": {"type": "path", "default": ""},
    "html_path": {"type": "path", "default": ""},
    "file_mode": {"type": "str", "default": prometheus.MODE},
}


def make_report(options: Options, now: datetime) -> model.Report:
    """Ask the endpoints and assess the fleet. Raises TlsError for options that contradict each other."""
    thresholds = certificate_checks.check_thresholds(options["warning"], options["critical"])
    endpoints = [collect.endpoint(host["endpoint"]) for host in options["hosts"]]
    limits = collect.ProbeLimits(max(options["timeout"], 1), max(options["connections"], 1))
    served = collect.probe(endpoints, limits)
    return assess.assess_fleet(
        collect.authorities(options["ca"]),
        collect.ledger(options["ca"].get("ledger")),
        [collect.host(host, served) for host in options["hosts"]],
        [collect.client(client) for client in options["clients"]],
        thresholds,
        now,
        [access.from_dict(one) for one in options["ca"].get("certificates") or []],
    )


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    mode = prometheus.parse_mode(options["file_mode"])
    report = make_report(options, _time.utc_now())
    found = report_text.to_document(report)
    contents = {"json_path": report_text.to_json(found), "prometheus_path": prometheus.render(report)}
    outputs = [prometheus.Output(options[name], content) for name, content in contents.items() if options[name]]
    changed, diff = prometheus.write(outputs, mode, check_mode=module.check_mode)
    status = {key: found[key] for key in ("level", "exit_code", "summary")}
    alarm = options["fail_on"] != "never" and model.rank(report.level) >= model.rank(options["fail_on"])
    lines = (
        [] if options["table"] == "none" else report_text.render(report, problems_only=options["table"] == "problems")
    )
    return {"changed": changed, "diff": diff, "status": {**status, "alarm": alarm}, "table": lines, "report": found}


def main() -> None:
    """Run the module."""
    run_module(_run, argument_spec=ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
