# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a task waits for its host, the variable for that, and the failure of a host that takes longer.

The limit is read by the variable's name, so that no task has to pass it. In a role it is that role's variable; a task of a
playbook takes the variable of the role that its module belongs to, or the one that the play names (``PLAY_VARIABLE``).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ...module_utils._argument_specs_host import ENDPOINT_OPTIONS
from ...module_utils._errors import TlsError

#: Seconds; the roles' defaults are the same.
DEFAULT = 300
LONGEST = 86_400
#: A play's variable: the name of the variable that its tasks take their limit from.
PLAY_VARIABLE = "__docker_tls_host_timeout"

_CA, _SERVER = "docker_ca_host_timeout", "docker_server_cert_host_timeout"
_CLIENT, _DAEMON = "docker_client_cert_host_timeout", "docker_daemon_host_timeout"
_STATUS = "docker_status_host_timeout"
_DEFAULTS = {_STATUS: 60}
#: The roles' variables, which a role's own tasks take.
VARIABLES = (_CA, _SERVER, _CLIENT, _DAEMON)
_ENDPOINT = "endpoint"
#: Module, without its collection: its variable outside of our roles, and the purpose of the wait.
_MODULES = {
    "acme_certificate": (_SERVER, "the order of a certificate by ACME"),
    "adopted_authority": (_CA, "the adoption of a CA"),
    "adoption_info": (_DAEMON, "the inspection of this host"),
    "adoption_repair": (_DAEMON, "the repair of this host"),
    "authority_key_info": (_CA, "the search for keys of CAs"),
    "plain_relay": (_DAEMON, "the change of the relay for port 2375"),
    "certificate_bundles": (_CLIENT, "the installation of client bundles"),
    "certificate_files_info": (_STATUS, "the certificate files of this host"),
    "certificate_requests": (_DAEMON, "keys and signing requests"),
    "server_certificate": (_SERVER, "the installation of the server certificate"),
    _ENDPOINT: (_DAEMON, "the change of Docker's endpoint"),
    "host_state": (_DAEMON, "the inspection of this host"),
    "endpoint_info": (_DAEMON, "the verification of an endpoint"),
    "portainer_environment": (_CLIENT, "the change of Portainer's environment"),
    "issued_certificates": (_CA, "certificates from another issuer"),
    "signed_certificates": (_CA, "the signing of certificates"),
    "temporary_client": (_CA, "the signing of a temporary client certificate"),
    "client_session": (_CA, "the signing of a temporary client certificate"),
}
_ANY = (_CA, "the CA")

#: What dockerd may take (``_endpoint/restart.py``, ``rollback.py``): to stop, for the change and for its rollback, and to start with the old
#: configuration, at least.
_STOP = 120
_ROLLBACK_START = 120


_BEGUN = " The change that had begun is completed or rolled back on the host itself; run again when the host answers."


@dataclass(frozen=True)
class HostTimeout:
    """The limit of a task: ``seconds`` that it waits, ``variable`` that sets it, ``purpose``: of the wait.

    ``begun``: what happens to an unfinished change on the host, as a sentence.
    """

    variable: str
    seconds: int
    purpose: str
    begun: str = ""


def host_timeout(
    module: str,
    role: str,
    arguments: t.Mapping[str, t.Any],
    variables: t.Mapping[str, t.Any],
    template: t.Callable[[t.Any], t.Any],
) -> HostTimeout:
    """Return the limit of one execution of ``module`` with ``arguments``; ``role`` is the name of the task's role, "" outside of one.

    It is the sum of the variable's value and the times that the module itself may wait: for locks, and for dockerd. Raises TlsError
    ``host-timeout-invalid``.
    """
    variable, purpose = _MODULES.get(module.rpartition(".")[2], _ANY)
    of_role = f"{role.rpartition('.')[2].rpartition('/')[2]}_host_timeout"
    if of_role in VARIABLES:
        variable = of_role
    elif variables.get(PLAY_VARIABLE):
        variable = str(variables[PLAY_VARIABLE])
    given = variables.get(variable)
    seconds = default_of(variable) if given is None else parse(variable, template(given))
    begun = _BEGUN if module.endswith(f".{_ENDPOINT}") else ""
    return HostTimeout(variable, seconds + own_waits(module, arguments), purpose, begun)


def default_of(variable: str) -> int:
    """Return the seconds of a variable that is not set."""
    return _DEFAULTS.get(variable, DEFAULT)


def parse(variable: str, value: t.Any) -> int:
    """Return the seconds of a variable. Raises TlsError ``host-timeout-invalid``."""
    problem = why_invalid(value)
    if problem:
        raise TlsError(
            f"{variable} is {problem}",
            hint=f"Write the seconds that a task waits for a host as a whole number from 1 to {LONGEST}, for example {DEFAULT}.",
            code="host-timeout-invalid",
        )
    return int(str(value))


def why_invalid(value: t.Any) -> str:
    """Return the problem of the value of such a variable, "" for a valid one."""
    text = str(value)
    number = (
        not isinstance(value, (bool, float)) and text.isascii() and text.isdigit() and len(text) <= len(str(LONGEST))
    )
    return (
        ""
        if number and 1 <= int(text) <= LONGEST
        else f"{value!r}, which is not a number of seconds from 1 to {LONGEST}"
    )


def own_waits(module: str, arguments: t.Mapping[str, t.Any]) -> int:
    """Return the seconds that ``module`` with these options may itself wait for, at most: for a lock, and for dockerd."""
    given = arguments
    if module.endswith(f".{_ENDPOINT}"):
        given = {**{name: ENDPOINT_OPTIONS[name]["default"] for name in ("lock_timeout", "start_timeout")}, **arguments}
    start = _seconds(given.get("start_timeout"))
    dockerd = start + max(start, _ROLLBACK_START) + 2 * _STOP if start else 0
    return _seconds(given.get("lock_timeout")) + dockerd


def failure(limit: HostTimeout) -> dict[str, t.Any]:
    """Return the failure of a host that did not answer within ``limit``."""
    return {
        "failed": True,
        "changed": False,
        "code": "host-timeout",
        "msg": f"This host did not answer within {limit.seconds} seconds. The task waited for {limit.purpose}",
        "hint": f"Check whether the host's disk, memory and Python work. If the host is only slow, raise {limit.variable}.{limit.begun}",
    }


def _seconds(value: t.Any) -> int:
    """Return an option's seconds; 0 for a value that is not a number, which the module rejects."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
