# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures as results of tasks; how long a host may take, and the limit that ends the wait.

Ansible waits for a module without end: a host whose disk is gone or whose Python hangs would stop the run for all hosts.
The limit uses SIGALRM, as the keyword ``timeout`` of a task does, because only a signal ends a blocking read. That keyword
ends the wait, but neither the ssh process (measured with ansible-core 2.18 and 2.19) nor the removal of temporary files
that follows it, which waits for the same host again.

The limit is read by the variable's name, so that no task has to pass it. In a role it is that role's variable; a task of a
playbook takes the variable of the role that its module belongs to, or the one that the play names (``PLAY_VARIABLE``).
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import signal
import subprocess
import threading
import time
import traceback
import types
import typing as t
from dataclasses import dataclass

from ...module_utils._argument_specs import ENDPOINT_OPTIONS
from ...module_utils._errors import TlsError
from ...module_utils._outcome import cryptography_problem

Result = dict[str, t.Any]


def failure(message: str, hint: str, code: str = "") -> Result:
    """Return a task's result for a failure that nothing was changed before."""
    found = {"failed": True, "changed": False, "msg": message, "hint": hint}
    return {**found, "code": code} if code else found


def of_error(error: TlsError) -> Result:
    """Return the same for a TlsError."""
    return failure(error.message, error.hint, error.code)


def require_cryptography() -> None:
    """Raise TlsError where the Python that runs Ansible has no usable cryptography, which a step on the controller needs."""
    problem = cryptography_problem()
    if problem is not None:
        hint = "Install cryptography for the Python that runs Ansible."
        raise TlsError(f"on the controller, {problem[0]}", hint=hint, code=problem[1])


def rejection(rejected: t.Mapping[str, t.Mapping[str, str]]) -> Result:
    """Return the failure of a host whose requests M(signed_certificates) has rejected (its ``rejected``, or a part of it)."""
    reasons = list(rejected.values())
    codes = {reason["code"] for reason in reasons}
    return failure(
        "; ".join(reason["msg"] for reason in reasons),
        " ".join(dict.fromkeys(reason["hint"] for reason in reasons if reason["hint"])),
        codes.pop() if len(codes) == 1 else "requests-refused",
    )


_CLOSED = re.compile(r"(Shared c|C)onnection to \S+ closed\.")


def raw_output(result: t.Mapping[str, t.Any]) -> str:
    """Return the last line of a host's output that is not a module's answer (sudo, a shell, a traceback), "" if it answered.

    On a terminal ssh has the last word on stderr, and it is not about the failure.
    """
    for stream in ("module_stderr", "module_stdout"):
        lines = [line.strip() for line in str(result.get(stream) or "").splitlines()]
        output = [line for line in lines if line and not _CLOSED.fullmatch(line)]
        if output:
            return output[-1]
    return ""


#: How long a program on this machine may take to end after SIGTERM, before it is killed.
_GRACE = 1.0


class TimeLimitExceeded(BaseException):
    """The time limit has passed. It is not an Exception, because the ssh connection plugin repeats its command on any Exception."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} seconds")
        self.seconds = seconds


@contextlib.contextmanager
def time_limit(seconds: float, *, clock: t.Callable[[], float] = time.monotonic) -> t.Iterator[None]:
    """Raise TimeLimitExceeded in the block when it takes longer than ``seconds``.

    Whatever interrupts the block, the programs on this machine that it waited for are ended. An alarm that is set already
    (a task's ``timeout``) stays: the earlier of both comes first. Outside the main thread, where Python takes no signals,
    no limit is set.
    """
    with _ending_programs():
        earlier = signal.getitimer(signal.ITIMER_REAL)[0]
        if threading.current_thread() is not threading.main_thread() or 0 < earlier <= seconds:
            yield
        else:
            with _alarm(seconds, earlier, clock):
                yield


@contextlib.contextmanager
def _alarm(seconds: float, earlier: float, clock: t.Callable[[], float]) -> t.Iterator[None]:
    """Raise TimeLimitExceeded in the block after ``seconds``; then set the alarm again that was due in ``earlier`` seconds."""
    armed = True

    def expire(_number: int, _frame: types.FrameType | None) -> None:
        if armed:
            raise TimeLimitExceeded(seconds)

    begun = clock()
    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        try:
            yield
        finally:
            armed = False  # from here on the alarm interrupts nothing, so the following steps are always done
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if earlier:
            signal.setitimer(signal.ITIMER_REAL, max(earlier - (clock() - begun), 0.001))


@contextlib.contextmanager
def _ending_programs() -> t.Iterator[None]:
    try:
        yield
    except Exception:
        raise  # the connection plugin's own failures; it has ended its process
    except BaseException as error:
        end_programs(error)
        raise


def end_programs(error: BaseException) -> None:
    """End the programs that the interrupted functions had started (those that their variables hold), and the programs that those started.

    A connection plugin keeps its process in a variable and does not end it when it is interrupted. What runs on another host
    cannot be reached from here, nor what sudo has started on this one.
    """
    frames = [frame for frame, _line in traceback.walk_tb(error.__traceback__)]
    found = {
        id(value): value for frame in frames for value in frame.f_locals.values() if isinstance(value, subprocess.Popen)
    }
    for program in found.values():
        if program.poll() is None:
            _end(program)


def _end(program: subprocess.Popen[t.Any]) -> None:
    begun = {pid: started(pid) for pid in descendants(program.pid)}
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):  # sudo's process is root's
            program.send_signal(number)
        for pid, since in begun.items():
            if since and started(pid) == since:  # else it has ended, and another process may have its number
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(_GRACE)
        _wait_for_all(begun)


def _wait_for_all(begun: t.Mapping[int, str]) -> None:
    end = time.monotonic() + _GRACE
    while any(words and started(pid) == words for pid, words in begun.items()) and time.monotonic() < end:
        time.sleep(0.02)


def descendants(pid: int) -> list[int]:
    """Return the processes that ``pid`` and its children have started, where the system has /proc (proc(5)), else none."""
    children: dict[int, list[int]] = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        fields = _stat(path)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(path.split("/")[2]))
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found[1:]


def started(pid: int) -> str:
    """Return when a process has started, which distinguishes it from a later one with the same number; "" where that is not known."""
    fields = _stat(f"/proc/{pid}/stat")
    return fields[19] if fields and fields[0] != "Z" else ""


def _stat(path: str) -> list[str]:
    """Return the fields of proc(5) from the third, the state, on."""
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()
    except OSError:
        return []


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

#: What dockerd may take (``_endpoint/atomic_swap.py``, ``rollback.py``): to stop, for the change and for its rollback, and to start with the old
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


def timeout_failure(limit: HostTimeout) -> dict[str, t.Any]:
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
