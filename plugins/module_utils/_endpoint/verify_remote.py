# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks of an endpoint from outside, in one call."""

from __future__ import annotations

import socket
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .._docker.tls_greeting import HandshakeError, ServerGreeting, read_greeting
from .._pki.der_name import name_text
from . import probe
from .probe import Check, Client, Target


@dataclass(frozen=True)
class ProbeClient:
    """A further client, that must or must not be admitted; ``name`` is that of its check."""

    name: str
    client: Client


@dataclass(frozen=True)
class Verification:
    """The expected values; empty texts: no expectation."""

    target: Target
    client: Client = field(default_factory=Client)
    ca: str = ""
    client_ca: str = ""
    fingerprint: str = ""
    engine_version: str = ""
    refused: tuple[ProbeClient, ...] = ()
    admitted: tuple[ProbeClient, ...] = ()
    limited: tuple[ProbeClient, ...] = ()
    upgraded: bool = False
    foreign_client: bool = True
    closed_ports: tuple[int, ...] = ()


def verify(wanted: Verification, now: datetime) -> dict[str, t.Any]:
    """Carry out all checks and return their results. Raises TlsError for options that cannot be used."""
    names = _subjects(wanted.client_ca)
    target = wanted.target
    greeting, problem = _greeting(target)
    if isinstance(problem, socket.timeout):  # TimeoutError from Python 3.10 on
        return _unreachable(wanted, now)
    own = (ProbeClient("good-client", wanted.client),) if wanted.client.certificate else ()
    checks = [
        replace(probe.check_good_client(target, one.client, wanted.ca, wanted.engine_version), check=one.name)
        for one in (*own, *wanted.admitted)
    ]
    checks += [probe.check_limited(target, one.name, one.client, wanted.ca) for one in wanted.limited]
    if wanted.upgraded and own:
        checks.append(probe.check_taken_over(target, wanted.client, wanted.ca))
    if greeting is None:
        checks.append(Check("served-certificate", False, f"no TLS server at {target.text}: {problem}"))
    else:
        checks += probe.check_greeting(greeting, wanted.fingerprint, names)
    checks.append(probe.check_no_certificate(target))
    checks += [probe.check_refused(target, one.name, one.client) for one in _refused(wanted, now)]
    checks.append(probe.check_plain_http(target))
    ports = [port for port in wanted.closed_ports if port != target.port]
    checks += [probe.check_port_closed(replace(target, port=port)) for port in ports]
    engine = checks[0].detail.partition(", engine ")[2] if own and checks[0].passed else ""
    return _result(target, checks, str(problem or ""), greeting, engine)


def _unreachable(wanted: Verification, now: datetime) -> dict[str, t.Any]:
    """Return the result where nothing answers in time: each further check would wait as long, and show the same."""
    target = wanted.target
    names = ["good-client"] if wanted.client.certificate else []
    names += [one.name for one in (*wanted.admitted, *wanted.limited)]
    names += ["no-certificate", *(one.name for one in _refused(wanted, now)), "plain-http"]
    checks = [Check("served-certificate", False, f"no TLS server at {target.text}: {probe.NO_ANSWER}")]
    checks += [Check(name, False, "not tried, because nothing answers") for name in names]
    return _result(target, checks, probe.NO_ANSWER)


def _result(
    target: Target, checks: t.Sequence[Check], problem: str, greeting: ServerGreeting | None = None, engine: str = ""
) -> dict[str, t.Any]:
    return {
        "passed": all(check.passed for check in checks),
        "checks": [check.to_dict() for check in checks],
        "endpoint": target.text,
        "engine_version": engine,
        "certificate_fingerprint": greeting.fingerprint_sha256 if greeting else "",
        "client_authorities": [name_text(name) for name in greeting.authority_names] if greeting else [],
        **_message(target, checks, problem),
    }


def _message(target: Target, checks: t.Sequence[Check], problem: str) -> dict[str, str]:
    """Return ``msg``, which a task shows whose ``failed_when`` uses ``passed``; nothing if all checks have passed."""
    failed = [f"{check.check}: {check.detail}" for check in checks if not check.passed]
    if not failed:
        return {}
    if problem:
        return {
            "msg": f"{target.text}, as seen from here: no TLS server at {target.text}: {problem}. Does the name resolve here, and "
            "does the host listen there, with no firewall between? docker_daemon_address is how the controller and clients reach it."
        }
    return {
        "msg": f"{target.text}, as seen from here: {'; '.join(failed)}. Run portcullis.docker_tls.site again; where a check fails again, check "
        "the path between the controller and dockerd on the host (a proxy, a port forwarding), and `journalctl -u docker` there."
    }


def _greeting(target: Target) -> tuple[ServerGreeting | None, Exception | None]:
    try:
        return read_greeting(target.address, target.port, target.timeout), None
    except (HandshakeError, OSError) as error:
        return None, error


def _refused(wanted: Verification, now: datetime) -> tuple[ProbeClient, ...]:
    if not wanted.foreign_client:
        return wanted.refused
    try:
        return (ProbeClient("foreign-authority", foreign_client(now)), *wanted.refused)
    except ImportError:
        return wanted.refused


def foreign_client(now: datetime) -> Client:
    """Return a client of an authority that is made up here and forgotten again. Raises ImportError without cryptography."""
    from .._pki import keys, names, reader, signing

    start, end = now - timedelta(minutes=5), now + timedelta(hours=1)
    authority_key, key = keys.generate_private_key("ecdsa-p256"), keys.generate_private_key("ecdsa-p256")
    authority = signing.self_sign_authority(
        authority_key,
        common_name="Foreign CA",
        organization="",
        unit="",
        purpose="client",
        not_before=start,
        not_after=end,
    )
    leaf = signing.sign_leaf(
        signing.signer(authority, authority_key),
        public_key=key.public_key(),
        profile="client",
        subject=names.SubjectNames("foreign", ("foreign",)),
        not_before=start,
        not_after=end - timedelta(minutes=5),
    )
    return Client(reader.certificate_pem(leaf), keys.encode_private_key(key).decode("ascii"))


def _subjects(anchors: str) -> tuple[bytes, ...] | None:
    """Return the subject names (DER) of the expected client authorities, None for no expectation."""
    if not anchors.strip():
        return None
    from .._pki import reader

    return tuple(item.subject.public_bytes() for item in reader.load_certificates(anchors, "client_ca_content"))
