#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: daemon_config
short_description: Change single settings in Docker's daemon.json
version_added: 1.0.0
author: portcullis.docker_tls contributors (@portcullis-docker-tls)
description:
  - Sets and removes keys of C(daemon.json). Every other key, its value, its spelling and the order and indent of the file stay byte for byte.
  - The file is read strictly. A syntax error, a key that stands there twice, a byte order mark or a value such as C(NaN) is an error that names line and
    column, and nothing is changed. dockerd itself takes the last of two equal keys without a word.
  - Nothing is restarted or reloaded. Note that dockerd does not start when a setting is both in this file and a flag of its unit; see
    M(portcullis.docker_tls.daemon_dropin) for C(-H), and M(portcullis.docker_tls.daemon_endpoint), which does all of it in one transaction.
extends_documentation_fragment:
  - portcullis.docker_tls._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description:
      - The file. It is made with mode C(0644) where it is missing; owner and mode of a file that is there stay.
      - Where it is a symbolic link, the file that it leads to is changed.
    type: path
    default: /etc/docker/daemon.json
  settings:
    description: Keys and the values that they must have, in dockerd's own words.
    type: dict
    default: {}
  remove:
    description: Keys that must not be there.
    type: list
    elements: str
    default: []
seealso:
  - module: portcullis.docker_tls.daemon_dropin
  - module: portcullis.docker_tls.daemon_endpoint
  - name: dockerd
    description: The settings that dockerd knows.
    link: https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
"""

EXAMPLES = r"""
- name: Keep containers running while dockerd restarts
  portcullis.docker_tls.daemon_config:
    settings:
      live-restore: true

- name: A mirror, and Docker's own logging again
  portcullis.docker_tls.daemon_config:
    settings:
      registry-mirrors: ["https://mirror.example.org"]
    remove: [log-driver, log-opts]
"""

RETURN = r"""
reasons:
  description: Why the file was written. Any of V(daemon-json-missing), V(setting-changed), V(setting-removed).
  returned: success
  type: list
  elements: str
  sample: [setting-changed]
config_path:
  description: The file that was looked at, links followed.
  returned: success
  type: str
  sample: /etc/docker/daemon.json
changes:
  description: The keys that change, each with its value before and after (null where it is not in the file).
  returned: success
  type: list
  elements: dict
  contains:
    key:
      description: The key.
      type: str
    before:
      description: Its value before.
      type: raw
    after:
      description: Its value after.
      type: raw
  sample: [{"key": "live-restore", "before": null, "after": true}]
code:
  description: A stable word for the failure, such as V(daemon-json-invalid).
  returned: failure
  type: str
hint:
  description: What to do about the failure.
  returned: failure
  type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._daemon import config_file
from ..module_utils._module import run_module


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    change = config_file.plan_config(params["path"], params["settings"], params["remove"])
    if change.reasons and not module.check_mode:
        config_file.write_config(change)
    return {
        "changed": bool(change.reasons),
        "reasons": list(change.reasons),
        "config_path": change.path,
        "changes": [{"key": key, "before": before, "after": after} for key, (before, after) in change.changes.items()],
        "diff": {
            "before_header": change.path if change.before is not None else f"{change.path} (absent)",
            "after_header": change.path if change.after is not None else f"{change.path} (absent)",
            "before": (change.before or b"").decode("utf-8"),
            "after": (change.after or b"").decode("utf-8"),
        },
    }


def main() -> None:
    """Run the module."""
    run_module(
        _run,
        needs_cryptography=False,
        argument_spec={
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "settings": {"type": "dict", "default": {}},
            "remove": {"type": "list", "elements": "str", "default": []},
        },
    )


if __name__ == "__main__":
    main()
