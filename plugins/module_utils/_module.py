# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module does around its one call. PRIVATE: may change without notice."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ._errors import TlsError

MINIMUM_CRYPTOGRAPHY = (3, 3)


def cryptography_problem() -> tuple[str, str] | None:
    """Return (message, code) when this Python has no usable ``cryptography``, else None."""
    import sys

    try:
        import cryptography
    except ImportError as error:
        return (
            f"the Python library cryptography cannot be imported by {sys.executable}: {error}",
            "cryptography-missing",
        )
    found = tuple(int(part) for part in cryptography.__version__.split(".")[:2] if part.isdigit())
    if found < MINIMUM_CRYPTOGRAPHY:
        wanted = ".".join(map(str, MINIMUM_CRYPTOGRAPHY))
        return (
            f"cryptography {cryptography.__version__} in {cryptography.__file__} is older than {wanted}",
            "cryptography-too-old",
        )
    return None


def require_root(purpose: str) -> None:
    """Raise TlsError ``not-root`` unless the module runs as root."""
    if os.geteuid() != 0:
        raise TlsError(f"only root can {purpose}", hint="Set become: true for this task or play.", code="not-root")


def run_module(
    function: t.Callable[[AnsibleModule], dict[str, t.Any]],
    *,
    needs_cryptography: bool = True,
    **specification: t.Any,
) -> None:
    """Make the module of ``specification``, call ``function`` and report what it returns or the TlsError it raises."""
    module = AnsibleModule(supports_check_mode=True, **specification)
    problem = cryptography_problem() if needs_cryptography else None
    if problem is not None:
        module.fail_json(
            msg=problem[0],
            code=problem[1],
            hint="Install the distribution's package (python3-cryptography on Debian, Ubuntu, Fedora and their like), "
            "or point ansible_python_interpreter at a Python that has it.",
        )
    try:
        result = function(module)
    except TlsError as error:
        # Ansible shows the whole result (and msg once more above it), so the hint is in it once.
        module.fail_json(msg=error.message, hint=error.hint, code=error.code)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


def plan_diff(lines: t.Sequence[str]) -> dict[str, str]:
    """Return the diff that shows a plan's lines as they are, {} for none: Ansible prints ``prepared`` without adding to it."""
    return {"prepared": "".join(f"{line}\n" for line in lines)} if lines else {}
