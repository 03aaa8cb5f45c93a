# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module does around its one call."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ._outcome import outcome

#: Problems of the library that an installation solves.
INSTALLABLE = ("cryptography-missing", "cryptography-too-old")


def run_module(
    function: t.Callable[[AnsibleModule], dict[str, t.Any]],
    *,
    needs_cryptography: bool = True,
    without_library: t.Callable[[AnsibleModule], dict[str, t.Any]] | None = None,
    **specification: t.Any,
) -> None:
    """Make the module of ``specification``, call ``function`` and report its result or its TlsError.

    ``without_library``: the result of check mode where ``cryptography`` is not installed yet.
    """
    module = AnsibleModule(supports_check_mode=True, **specification)
    result = outcome(lambda: function(module), needs_cryptography=needs_cryptography)
    if without_library is not None and module.check_mode and result.get("code") in INSTALLABLE:
        result = {**result, **outcome(lambda: without_library(module), needs_cryptography=False), "failed": True}
    if result.get("failed"):
        module.fail_json(**result)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


def plan_diff(lines: t.Sequence[str]) -> dict[str, str]:
    """Return the diff that shows a plan's lines as they are, {} for none: Ansible prints ``prepared`` without adding to it."""
    return {"prepared": "".join(f"{line}\n" for line in lines)} if lines else {}
