# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks before a change, together."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import exec_start, findings, unit_reader
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.listeners import resolve_listen
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import Variable, parse_unit
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import preflight
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host.network import classify
from support.ca.certificates import NOW, authority, leaf

SERVER = authority("server")
LEAF = leaf(SERVER)
ADDRESSES = tuple(classify("eth0", ipaddress.ip_address(text)) for text in ("127.0.0.1", "10.0.0.5"))
OWN = "/etc/systemd/system/docker.service.d/zz-docker-tls.conf"
VENDOR = "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"
SETTINGS = {
    "hosts": ["fd://", "tcp://10.0.0.5:2376"],
    "tls": True,
    "tlsverify": True,
    "tlscacert": "/etc/docker/certs/client-ca.pem",
    "tlscert": "/etc/docker/certs/server-cert.pem",
    "tlskey": "/etc/docker/certs/server-key.pem",
}


def listen(*entries: str, **options: t.Any) -> t.Any:
    return resolve_listen(entries or ("10.0.0.5:2376",), port=2376, addresses=ADDRESSES, **options)


def host(
    command: str = VENDOR, *, head: str = "", late: bool = False, strip: t.Any = exec_start.HOST_FLAGS, **changes: t.Any
) -> preflight.HostFacts:
    files = [("/u/docker.service", f"{head}[Service]\nExecStart={command}\n")]
    if late:
        files.append(
            ("/etc/systemd/system/docker.service.d/zzz.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n")
        )
    model = parse_unit(files, OWN)
    variables = {
        "DOCKER_OPTS": Variable("DOCKER_OPTS", "-H 0.0.0.0:2375", "/etc/default/docker"),
        "OPTIONS": Variable("OPTIONS", "--live-restore --log-driver=journald", "/etc/sysconfig/docker"),
    }
    facts = preflight.HostFacts(
        now=NOW,
        unit_facts=changes.pop("unit_facts", unit_reader.UnitFacts("loaded", "/usr/lib/systemd/system/docker.service")),
        unit=model,
        derivation=exec_start.derive(model, variables, strip),
        config_path="/etc/docker/daemon.json",
        config_data=b"{}",
        addresses=ADDRESSES,
    )
    return dataclasses.replace(facts, **changes)


def wanted(**changes: t.Any) -> preflight.WantedEndpoint:
    endpoint = preflight.WantedEndpoint(
        listen=listen(),
        settings=dict(SETTINGS),
        directory="/etc/docker/certs",
        certificate=LEAF.pem.encode(),
        key=LEAF.key_pem,
        ca=SERVER.pem.encode(),
        client_ca=authority("client", number=2).pem.encode(),
    )
    return dataclasses.replace(endpoint, **changes)


def masked(state: str = "masked") -> unit_reader.UnitFacts:
    return unit_reader.UnitFacts("loaded", "/usr/lib/systemd/system/docker.service", socket_load_state=state)


REQUIRES = "[Unit]\nRequires=docker.socket\n"
E, W = findings.ERROR, findings.WARNING
LIVE = {**SETTINGS, "live-restore": True}
CASES: dict[str, tuple[preflight.HostFacts, preflight.WantedEndpoint, list[tuple[str, str]]]] = {
    "good": (host(), wanted(), []),
    "no file": (host(config_data=None), wanted(), []),
    "nothing to manage": (
        host(unit_facts=unit_reader.UnitFacts("not-found", snap_docker=True)),
        wanted(),
        [(E, "docker-snap")],
    ),
    "no unit known": (host(unit=None, derivation=None), wanted(), []),
    "listener findings": (host(), wanted(listen=listen("10.0.0.5:2375")), [(E, "listen-port-2375")]),
    # daemon.json
    "broken daemon.json": (host(config_data=b'{"a": 1,}'), wanted(), [(E, "daemon-json-invalid")]),
    "duplicate keys": (host(config_data=b'{"a": 1, "a": 2}'), wanted(), [(E, "daemon-json-invalid")]),
    "host for hosts": (host(config_data=b'{"host": ["fd://"]}'), wanted(), [(E, "daemon-json-misspelled")]),
    "unknown key": (
        host(config_data=b'{"tlsverfy": true}', engine_version="20.10.24+dfsg1"),
        wanted(),
        [(E, "daemon-json-key-unknown")],
    ),
    "unknown key that dockerd runs with": (
        host(config_data=b'{"tlsverfy": true}', engine_version="20.10.24", config_in_use=True),
        wanted(),
        [(W, "daemon-json-key-unknown")],
    ),
    "unknown key, misspelled in a known way": (
        host(config_data=b'{"tls-verify": true}', engine_version="20.10.24"),
        wanted(),
        [(E, "daemon-json-misspelled")],
    ),
    "unknown key, engine newer than the table": (
        host(config_data=b'{"tlsverfy": true}', engine_version="29.7.2"),
        wanted(),
        [],
    ),
    "hosts of another tool": (host(config_data=b'{"hosts": ["fd://"]}'), wanted(), [(E, "existing-settings")]),
    "tls of another tool": (host(config_data=b'{"tls": true, "tlskey": "/x"}'), wanted(), [(E, "existing-settings")]),
    "hosts adopted": (
        host(config_data=b'{"hosts": ["fd://"]}'),
        wanted(existing_settings="adopt"),
        [(W, "existing-settings-adopted")],
    ),
    "hosts of ours": (host(config_data=b'{"hosts": ["fd://"]}'), wanted(written={"hosts": ["fd://"]}), []),
    # flags
    "tls flag": (host(VENDOR + " --tlsverify"), wanted(), [(E, "flag-conflict")]),
    "tls flag adopted": (
        host(VENDOR + " --tlsverify", strip=exec_start.ENDPOINT_FLAGS),
        wanted(),
        [(W, "flag-replaced")],
    ),
    "tls flag, key not written": (host(VENDOR + " --tlsverify"), wanted(settings={"hosts": []}), []),
    "live-restore flag": (host(VENDOR + " $OPTIONS"), wanted(settings=LIVE), [(E, "flag-conflict")]),
    "live-restore flag, key not written": (host(VENDOR + " $OPTIONS"), wanted(), []),
    "tcp host in the unit": (
        host(VENDOR + " -H tcp://0.0.0.0:2375"),
        wanted(),
        [(E, "flag-listener-foreign"), (W, "listener-replaced")],
    ),
    "tcp host in the unit, adopted": (
        host(VENDOR + " -H tcp://0.0.0.0:2375"),
        wanted(existing_settings="adopt"),
        [(W, "listener-replaced")],
    ),
    "tcp host in the unit, which our drop-in replaces already": (
        host(VENDOR + " -H tcp://0.0.0.0:2375"),
        wanted(flags_taken_over=True),
        [(W, "listener-replaced")],
    ),
    "tcp host without its scheme, in the environment": (
        host("/usr/bin/dockerd -H fd:// $DOCKER_OPTS"),
        wanted(),
        [(E, "flag-listener-foreign"), (W, "environment-inlined"), (W, "listener-replaced")],
    ),
    "systemd listener keeps -H, hosts not written": (
        host(strip=frozenset()),
        wanted(settings={k: v for k, v in SETTINGS.items() if k != "hosts"}),
        [],
    ),
    "foreign key and flag": (
        host(VENDOR + " $OPTIONS", config_data=b'{"log-driver": "local"}'),
        wanted(),
        [(E, "existing-conflict")],
    ),
    "foreign list and flag": (
        host(VENDOR + " --label=a=b", config_data=b'{"labels": ["c=d"]}'),
        wanted(),
        [(E, "existing-conflict")],
    ),
    "runtimes may be in both": (host(VENDOR + " --add-runtime a=/b", config_data=b'{"runtimes": {}}'), wanted(), []),
    "later drop-in": (host(late=True), wanted(), [(E, "dropin-after-ours")]),
    "running with an unknown listener": (
        host(running_arguments=("-H", "fd://", "-H", "tcp://0.0.0.0:2375"), containers_running=0),
        wanted(),
        [(W, "running-flags-differ")],
    ),
    "running with a listener that the files in use do not explain": (
        host(running_arguments=("-H", "unix:///x.sock"), unit_in_use=True, containers_running=0),
        wanted(),
        [(E, "running-flags-unexplained")],
    ),
    "running with the local socket that we gave it": (
        host(
            "/usr/bin/dockerd -H tcp://0.0.0.0:2375",
            running_arguments=("-H", exec_start.DEFAULT_SOCKET),
            unit_in_use=True,
            containers_running=0,
        ),
        wanted(existing_settings="adopt"),
        [(W, "listener-replaced")],
    ),
    "cannot be asked": (
        host(running_arguments=("-H", "fd://")),
        wanted(settings=LIVE),
        [(W, "containers-unknown")],
    ),
    "cannot be asked, kept by a flag": (
        host(VENDOR + " --live-restore", running_arguments=("-H", "fd://")),
        wanted(),
        [],
    ),
    "cannot be asked, required": (
        host(running_arguments=("-H", "fd://")),
        wanted(settings=LIVE, live_restore="require"),
        [(E, "containers-would-stop")],
    ),
    "running as the unit says": (
        host(
            running_arguments=("-H", "fd://", "--containerd=/run/containerd/containerd.sock"),
            containers_running=0,
            unit_in_use=True,
        ),
        wanted(),
        [],
    ),
    # docker.socket
    "masked socket": (host(head=REQUIRES, unit_facts=masked()), wanted(), [(E, "socket-masked")]),
    "missing socket": (host(head=REQUIRES, unit_facts=masked("not-found")), wanted(), [(E, "socket-missing")]),
    "masked socket that nobody needs": (host(unit_facts=masked()), wanted(), []),
    "systemd listener": (host(), wanted(listener="systemd", settings={"tls": True}), []),
    "systemd listener without a socket": (
        host(unit_facts=masked("not-found")),
        wanted(listener="systemd"),
        [(E, "socket-listener-unsupported")],
    ),
    "systemd listener without fd": (
        host("/usr/bin/dockerd"),
        wanted(listener="systemd"),
        [(E, "socket-listener-unsupported")],
    ),
    # ports
    "port taken": (host(listeners=(("10.0.0.5", 2376, "nginx"),)), wanted(), [(E, "port-taken")]),
    "port taken everywhere": (host(listeners=(("*", 2376, ""),)), wanted(), [(E, "port-taken")]),
    "port taken on IPv6": (host(listeners=(("[::]", 2376, "x"),)), wanted(), [(E, "port-taken")]),
    "port taken elsewhere": (host(listeners=(("127.0.0.1", 2376, "x"), ("odd", 2376, "x"))), wanted(), []),
    "port taken below a wildcard": (
        host(listeners=(("127.0.0.1", 2376, "x"),)),
        wanted(listen=listen("0.0.0.0:2376")),
        [(E, "port-taken")],
    ),
    "other port taken": (host(listeners=(("10.0.0.5", 22, "sshd"), ("10.0.0.5%eth0", 23, "x"))), wanted(), []),
    # engine
    "old engine": (host(engine_version="19.03.15"), wanted(), [(E, "engine-too-old")]),
    "oldest engine": (host(engine_version="20.10.5+dfsg1"), wanted(), []),
    "odd version": (host(engine_version="dev"), wanted(), []),
    "new engine": (host(engine_version="v29.7.2"), wanted(), []),
    "swarm": (host(swarm_active=True), wanted(), []),
    "swarm and live-restore": (host(swarm_active=True), wanted(settings=LIVE), [(E, "live-restore-swarm")]),
    "swarm and require": (host(swarm_active=True), wanted(live_restore="require"), [(E, "live-restore-swarm")]),
    # containers
    "containers would stop": (host(containers_running=2), wanted(), [(W, "containers-will-stop")]),
    "containers must not stop": (
        host(containers_running=1),
        wanted(live_restore="require"),
        [(E, "containers-would-stop")],
    ),
    "containers, no restart": (host(containers_running=2), wanted(restart_needed=False), []),
    "containers, live-restore on": (host(containers_running=2, live_restore_active=True), wanted(), []),
    "containers, live-restore coming": (host(containers_running=2), wanted(settings=LIVE, live_restore="require"), []),
    "containers, live-restore by flag": (host(VENDOR + " $OPTIONS", containers_running=2), wanted(), []),
    "no containers": (host(containers_running=0), wanted(live_restore="require"), []),
    # clock
    "clocks together": (host(controller_now=NOW + timedelta(seconds=60)), wanted(), []),
    "clocks apart": (host(controller_now=NOW + timedelta(seconds=61)), wanted(), [(W, "clock-skew")]),
    "clocks apart the other way": (host(controller_now=NOW - timedelta(days=1)), wanted(), [(W, "clock-skew")]),
    # directory
    "relative directory": (host(), wanted(directory="certs"), [(E, "directory-invalid")]),
    "climbing directory": (host(), wanted(directory="/etc/../certs"), [(E, "directory-invalid")]),
    "directory in /tmp": (host(), wanted(directory="/tmp/certs"), [(E, "directory-not-lasting")]),
    "directory in /run": (host(), wanted(directory="/run"), [(E, "directory-not-lasting")]),
    "directory with a like name": (host(), wanted(directory="/runway/certs"), []),
    "directory at home": (host(), wanted(directory="/home/docker/certs"), []),
    "directory that the unit hides": (
        host(VENDOR + "\nProtectHome=yes"),
        wanted(directory="/home/docker/certs"),
        [(E, "directory-hidden")],
    ),
    "directory that the unit shows read-only": (
        host(VENDOR + "\nProtectHome=read-only"),
        wanted(directory="/root/certs"),
        [],
    ),
    # certificates
    "address without a name": (
        host(),
        wanted(listen=listen("127.0.0.1:2376")),
        [(W, "certificate-names")],
    ),
    "wildcard asks for no address": (
        host(addresses=(*ADDRESSES, classify("virbr0", ipaddress.ip_address("192.168.122.1")))),
        wanted(listen=listen("0.0.0.0:2376")),
        [],
    ),
    "wrong key": (host(), wanted(key=b"nonsense"), [(E, "key-unreadable")]),
}


@pytest.mark.parametrize("name", CASES)
def test_check_finds_exactly_what_is_wrong(name: str) -> None:
    facts, endpoint, expected = CASES[name]
    found = preflight.check(facts, endpoint)
    assert [(item.severity, item.code) for item in found] == expected
    assert all(item.message and not item.message.endswith(".") for item in found)


def test_check_reports_everything_together_errors_first() -> None:
    facts = host(
        VENDOR + " --tls",
        config_data=b'{"host": "x", "hosts": []}',
        containers_running=3,
        engine_version="19.03.1",
        listeners=(("*", 2376, "nginx"),),
    )
    found = preflight.check(facts, wanted(client_ca=b"", directory="/tmp/x"))
    errors = ["flag-conflict", "daemon-json-misspelled", "existing-settings", "port-taken", "engine-too-old"]
    assert [item.code for item in found] == [
        *errors,
        "directory-not-lasting",
        "anchors-missing",
        "containers-will-stop",
    ]


def test_check_names_the_variable_that_helps() -> None:
    (found,) = preflight.check(host(config_data=b'{"hosts": ["tcp://0.0.0.0:2375"]}'), wanted())
    assert "tcp://0.0.0.0:2375" in found.message
    assert "docker_daemon_existing_settings: adopt" in found.hint


def test_raise_errors_one_error_keeps_its_code_and_hint() -> None:
    found = [findings.warning("w", "careful"), findings.error("e", "bad thing", "Do this.")]
    with pytest.raises(TlsError) as caught:
        findings.raise_errors(found, "it cannot be done")
    assert (caught.value.message, caught.value.hint, caught.value.code) == (
        "it cannot be done: bad thing",
        "Do this.",
        "e",
    )


def test_raise_errors_several_are_counted_and_listed() -> None:
    found = [findings.error("a", "first", "Do this."), findings.error("b", "second")]
    with pytest.raises(TlsError) as caught:
        findings.raise_errors(found, "it cannot be done")
    assert caught.value.message == "it cannot be done, 2 problems: (1) first. Do this.; (2) second"
    assert caught.value.code == "preflight-failed"


def test_raise_errors_warnings_alone_pass() -> None:
    findings.raise_errors([findings.warning("w", "careful")], "it")


def test_finding_to_dict_is_what_modules_return() -> None:
    item = findings.warning("w", "careful", "Look.")
    assert item.to_dict() == {"severity": "warning", "code": "w", "message": "careful", "hint": "Look."}
    assert item.text() == "careful. Look."


CLOCKS = [
    # host's clock against the controller's, whether a certificate comes, findings
    pytest.param(timedelta(seconds=30), True, [], id="right"),
    pytest.param(timedelta(minutes=-3), True, [(W, "clock-skew")], id="a-little-behind"),
    pytest.param(
        timedelta(minutes=-5), True, [(E, "host-clock-wrong")], id="behind-by-more-than-a-certificate-is-backdated"
    ),
    pytest.param(timedelta(hours=20), True, [(W, "clock-skew")], id="hours-ahead"),
    pytest.param(timedelta(days=2), True, [(E, "host-clock-wrong")], id="days-ahead"),
    pytest.param(timedelta(days=-4000), True, [(E, "host-clock-wrong")], id="no-battery"),
    pytest.param(timedelta(days=2), False, [(W, "clock-skew")], id="days-ahead-and-no-certificate-comes"),
]


@pytest.mark.parametrize(("ahead", "comes", "expected"), CLOCKS)
def test_clock_that_is_wrong_is_refused_before_a_certificate_is_signed(
    ahead: timedelta, comes: bool, expected: list[tuple[str, str]]
) -> None:
    """Whatever the dates of the files are by that clock, the clock has to be corrected."""
    here = host(now=NOW + ahead, controller_now=NOW)
    found = preflight.check(here, wanted(new_certificate=comes))
    assert [(item.severity, item.code) for item in found] == expected
    assert all("clock" in item.text() for item in found)


def test_clock_that_is_wrong_is_told_in_words() -> None:
    (found,) = preflight.check(
        host(now=NOW - timedelta(days=12, hours=5), controller_now=NOW), wanted(new_certificate=True)
    )
    assert "12 days behind the controller's" in found.message


@pytest.mark.parametrize(("in_swarm", "advice"), [(True, "drain the node"), (False, "live_restore: enable")])
def test_advice_on_containers_that_would_stop_is_one_that_the_host_can_have(in_swarm: bool, advice: str) -> None:
    (found,) = preflight.check(host(containers_running=2, swarm_active=in_swarm), wanted())
    assert found.code == "containers-will-stop"
    assert advice in found.hint
    assert ("enable" in found.hint) is not in_swarm
