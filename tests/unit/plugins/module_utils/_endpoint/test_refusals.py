# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that a change would refuse is refused before that, by check mode and by the inspection, with the same code."""

from __future__ import annotations

import ast
import dataclasses
import ipaddress
import os
import pathlib
import types
import typing as t
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._argument_specs import (
    ENDPOINT_OPTIONS,
    REQUEST_OPTIONS,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.running_daemon import EngineFacts
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import (
    endpoint,
    host_state,
    preflight,
    preflight_certificates,
    state,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.journal import Record, StateDirectory
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.plan import options_from
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import requests
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host.network import classify
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys, reader
from support.ca.certificates import NOW, authority, intermediate, leaf, private_key
from support.hosts.machine import FakeMachine, install
from support.hosts.world import ADDRESS, Effects, World

SERVER = authority("server")
CLIENTS = authority("client", number=1)
ISSUING = intermediate(CLIENTS, "Issuing CA", 8)
BOTH = authority("both", unit="both-g1", number=2)
OLD_CLIENTS = authority("client", unit="old-g1", number=3, end=NOW - timedelta(days=1))
SOURCES = pathlib.Path(preflight.__file__).parents[1]


class Host:
    """A host in memory that has nothing yet; what is asked of it, and the ways to ask."""

    def __init__(self, world: World, machine: FakeMachine, patch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.machine: t.Any = machine
        self.patch = patch
        self.state = StateDirectory(str(world.state))

    @property
    def key(self) -> pathlib.Path:
        return self.world.certificates / "server-key.pem.new"

    def parameters(self, **changes: t.Any) -> dict[str, t.Any]:
        values = {name: option.get("default") for name, option in ENDPOINT_OPTIONS.items()}
        usual = {
            "listen": [f"{ADDRESS}:2376"],
            "directory": str(self.world.certificates),
            "config_path": str(self.world.config),
            "ca_content": SERVER.pem,
            "client_ca_content": CLIENTS.pem,
        }
        return {**values, **usual, **changes}

    def run(self, *, check_mode: bool, **changes: t.Any) -> str:
        """Return the code of the refusal of a change for which the certificate is there (check mode: is pending); "" for none."""
        if check_mode:
            changes["certificate_pending"] = True
        else:
            pair = leaf(SERVER, subject_names=(ADDRESS, "localhost"), key=private_key("ecdsa-p256", 5))
            key = pathlib.Path(self.parameters(**changes)["directory"]) / "server-key.pem.new"
            key.parent.mkdir(mode=0o700, exist_ok=True)
            key.write_bytes(pair.key_pem)
            changes["certificate_content"] = pair.pem
        try:
            options = options_from(self.parameters(**changes))
            endpoint.run(options, self.machine, self.state, NOW, check_mode=check_mode)
        except TlsError as error:
            return error.code
        finally:
            if not check_mode:
                key.unlink(missing_ok=True)
        return ""

    def inspect(self, *, prepare: bool, **changes: t.Any) -> dict[str, t.Any]:
        """Return what the inspection says of a host whose certificate is due."""
        request = {name: option.get("default") for name, option in REQUEST_OPTIONS.items()}
        request.update(
            id="server",
            profile="server",
            names=["web1"],
            key_path=str(self.world.certificates / "server-key.pem"),
            certificate_path=str(self.world.certificates / "server-cert.pem"),
            authority_content=SERVER.pem,
        )
        return host_state.inspect([request], self.parameters(**changes), self.context, NOW, prepare=prepare)

    def inspect_without_library(self, **changes: t.Any) -> dict[str, t.Any]:
        """Return what the inspection says where nothing can be done with certificates."""

        def missing(*_arguments: object, **_options: object) -> t.NoReturn:
            raise TlsError("no library", hint="Install it.", code="cryptography-missing")

        for module, name in ((reader, "load_certificate"), (reader, "load_certificates"), (keys, "load_private_key")):
            self.patch.setattr(module, name, missing)
        return host_state.without_library(
            ("no library", "cryptography-missing"), self.parameters(**changes), self.context, NOW
        )

    @property
    def context(self) -> host_state.HostContext:
        return host_state.HostContext(
            host=requests.Host("web1.example.test", lambda selectors: []),
            machine=lambda options: self.machine,
            state=lambda options: self.state,
        )


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(host_state, "require_root", lambda purpose: None)
    world = World(tmp_path / "host").build()
    return Host(world, install(monkeypatch, world, Effects()), monkeypatch)


@dataclass(frozen=True)
class Case:
    """What makes a host one that is refused: something done to it, or something asked of it."""

    arrange: t.Callable[[Host], object] = lambda host: None
    options: dict[str, t.Any] = field(default_factory=dict)


def config(text: str) -> t.Callable[[Host], object]:
    return lambda host: host.world.config.write_text(text)


def flags(text: str) -> t.Callable[[Host], object]:
    def arrange(host: Host) -> None:
        path = host.world.root / "lib/docker.service"
        path.write_text(path.read_text().replace("-H fd://", text))

    return arrange


def engine(**facts: t.Any) -> t.Callable[[Host], object]:
    found = dataclasses.replace(EngineFacts("20.10.24", False, False, 0), **facts)
    return lambda host: host.patch.setattr(host.machine, "engine_facts", lambda **_more: found)


def facts(**changes: t.Any) -> t.Callable[[Host], object]:
    """Have systemd and the system say something else of Docker's unit."""

    def arrange(host: Host) -> None:
        real = state.unit_facts
        host.patch.setattr(state, "unit_facts", lambda *given: dataclasses.replace(real(*given), **changes))

    return arrange


def addresses(*texts: str) -> t.Callable[[Host], object]:
    found = tuple(classify("eth0", ipaddress.ip_address(text)) for text in texts)
    return lambda host: host.patch.setattr(host.machine, "addresses", lambda bridges: found)


def haproxy(version: tuple[int, ...]) -> t.Callable[[Host], object]:
    return lambda host: setattr(host.world, "haproxy", version)


def taken(host: Host) -> None:
    host.world.others = (("0.0.0.0", 2376, "nginx"),)


def unexplained(host: Host) -> None:
    """Make dockerd run with a listener that its unit's files, which are older than it, do not have."""
    host.patch.setattr(state, "_unit_in_use", lambda *_arguments: True)
    host.patch.setattr(host.machine, "arguments", lambda _pid: ("-H", "unix:///elsewhere.sock"))


def dropin(unit_name: str, name: str, text: str) -> t.Callable[[Host], object]:
    def arrange(host: Host) -> None:
        directory = host.world.units / f"{unit_name}.d"
        directory.mkdir(parents=True)
        (directory / name).write_text(text)

    return arrange


def hidden(host: Host) -> None:
    path = host.world.root / "lib/docker.service"
    path.write_text(path.read_text() + "ProtectHome=yes\n")


def invalid(host: Host) -> None:
    engine(version="26.1.5")(host)
    host.patch.setattr(host.machine, "validate", lambda binary, arguments, path: f"{path}: invalid logging level")


def file_system(**changes: int) -> t.Callable[[Host], object]:
    """Have the kernel say something else of every file system."""

    def statvfs(path: str) -> t.Any:
        return types.SimpleNamespace(
            **{"f_flag": 0, "f_blocks": 9, "f_bfree": 10**6, "f_frsize": 4096, "f_files": 0, **changes}
        )

    return lambda host: host.patch.setattr(os, "statvfs", statvfs)


def mounted(host: Host) -> None:
    host.world.config.write_text("{}")
    text = f"30 22 0:20 / {host.world.config} rw - ext4 /dev/sda1 rw\n"
    host.patch.setattr(preflight_certificates, "_mountinfo", lambda: text)


def elsewhere(host: Host) -> None:
    """Have an endpoint already, in another daemon.json."""
    assert not host.run(check_mode=False)


def neighbour(*, of_certificates: bool = False, **changes: t.Any) -> t.Callable[[Host], object]:
    """Have another Docker service with an endpoint on the host, with the same daemon.json or the same certificates."""

    def arrange(host: Host) -> None:
        place = (
            {"directory": str(host.world.certificates)} if of_certificates else {"config_path": str(host.world.config)}
        )
        other = StateDirectory(str(host.world.state.with_name("second-tls")))
        other.make()
        other.write_record(Record(written_config=b"{}", **place, **changes))

    return arrange


def foreign_store(host: Host) -> None:
    host.world.certificates.mkdir(parents=True, mode=0o700)
    (host.world.certificates / "current").mkdir()


def journal(host: Host, text: str) -> None:
    host.world.state.mkdir(parents=True, mode=0o700, exist_ok=True)
    pathlib.Path(host.state.journal_path).write_text(text)


def record(host: Host, text: str) -> None:
    host.world.state.mkdir(parents=True, mode=0o700, exist_ok=True)
    pathlib.Path(host.state.record_path).write_text(text)


PROXY: dict[str, t.Any] = {"listener": "proxy", "group_authorities": {"ops": CLIENTS.pem}}
PROXY_WITH_LISTS = {**PROXY, "crl_content": "no list"}
#: At least one case for each code with which a change is refused. In a case's name, the words after a blank distinguish it from others.
CASES: dict[str, Case] = {
    "anchors-all-invalid": Case(options={"client_ca_content": OLD_CLIENTS.pem}),
    "anchors-not-authority": Case(options={"client_ca_content": leaf(CLIENTS).pem}),
    "anchors-purpose": Case(options={"client_ca_content": authority("server", unit="b-g1", number=4).pem}),
    "anchors-server-authority": Case(options={"ca_content": SERVER.pem + BOTH.pem, "client_ca_content": BOTH.pem}),
    "authority-unreadable": Case(options={"ca_content": "no certificate"}),
    "certificate-store-unusable": Case(foreign_store),
    "certificate-unreadable of the anchors": Case(options={"client_ca_content": "no certificate"}),
    "clients-would-be-shut-out": Case(
        config('{"hosts": ["fd://", "tcp://0.0.0.0:2376"], "tlsverify": true}'), {"existing_settings": "adopt"}
    ),
    "config-path-changed": Case(elsewhere),
    "config-path-not-read": Case(options={"config_path": "{root}/etc/docker/ok.json"}),
    "config-path-not-read with the unit's own": Case(flags("-H fd:// --config-file /etc/docker/own.json")),
    "crl-missing": Case(options=PROXY_WITH_LISTS),
    "crl-unreadable": Case(
        options={**PROXY_WITH_LISTS, "crl_content": "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"}
    ),
    "daemon-json-invalid": Case(config("{oops")),
    "daemon-json-invalid link": Case(lambda host: host.world.config.symlink_to("/dev/null")),
    "daemon-json-key-unknown": Case(config('{"dbug": true}')),
    "daemon-json-link": Case(lambda host: host.world.config.symlink_to("not-there.json")),
    "daemon-json-misspelled": Case(config('{"host": ["tcp://0.0.0.0:2376"]}')),
    "directory-hidden": Case(hidden, {"directory": "{root}/home"}),
    "directory-invalid": Case(options={"directory": "{root}/etc/../y"}),
    "directory-not-lasting": Case(options={"directory": "{root}/run"}),
    "docker-missing": Case(facts(load_state="not-found", dockerd_found=False)),
    "docker-nixos": Case(facts(os_ids=("nixos",))),
    "docker-podman": Case(facts(load_state="not-found", podman_docker=True)),
    "docker-podman unit": Case(facts(fragment_path="/usr/lib/systemd/system/podman.service")),
    "docker-rootless": Case(facts(load_state="not-found", rootless_sockets=("/run/user/1000/docker.sock",))),
    "docker-snap": Case(facts(load_state="not-found", snap_docker=True)),
    "dropin-after-ours": Case(
        dropin("docker.service", "zzz.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n")
    ),
    "endpoint-shared": Case(neighbour(of_certificates=True)),
    "endpoint-shared of another unit": Case(
        lambda host: (flags("-H fd:// --config-file /etc/docker/own.json")(host), neighbour()(host))
    ),
    "endpoint-shared daemon.json": Case(neighbour(settings={"tls": True}), {"listener": "proxy"}),
    "endpoint-shared listener": Case(neighbour()),
    "engine-too-old": Case(engine(version="19.03.1")),
    "existing-conflict": Case(lambda host: (flags("-H fd:// --debug")(host), config('{"debug": true}')(host))),
    "existing-settings": Case(config('{"hosts": ["tcp://127.0.0.1:2375"]}')),
    "file-not-replaceable": Case(mounted),
    "file-system-full": Case(file_system(f_bfree=0)),
    "file-system-read-only": Case(file_system(f_flag=os.ST_RDONLY)),
    "flag-conflict": Case(flags("-H fd:// --tlsverify")),
    "flag-listener-foreign": Case(flags("-H fd:// -H tcp://0.0.0.0:2375")),
    "host-clock-wrong": Case(options={"controller_time": "2027-09-22T13:00:00Z"}),
    "journal-unreadable": Case(lambda host: journal(host, "{}")),
    "record-unreadable": Case(lambda host: record(host, "{}")),
    "init-unsupported": Case(lambda host: host.patch.setattr(host.machine, "init_system", lambda: "openrc-init")),
    "listen-address-absent": Case(options={"listen": ["10.9.9.9:2376"]}),
    "listen-address-absent systemd": Case(options={"listen": ["10.9.9.9:2376"], "listener": "systemd"}),
    "listen-address-missing": Case(options={"listen": [":2376"]}),
    "listen-address-unusable": Case(options={"listen": ["224.0.0.1:2376"]}),
    "listen-host-name": Case(options={"listen": ["web1:2376"]}),
    "listen-invalid": Case(options={"listen": ["10.0.0:2376"]}),
    "listen-no-private-address": Case(addresses("127.0.0.1"), {"listen": ["private"]}),
    "listen-overlap": Case(options={"listen": ["0.0.0.0:2376", f"{ADDRESS}:2376"]}),
    "listen-port-2375": Case(options={"listen": ["0.0.0.0:2375"]}),
    "listen-port-invalid": Case(options={"listen": ["0.0.0.0:99999"]}),
    "listen-port-missing": Case(options={"listen": [ADDRESS]}),
    "listen-public-address": Case(addresses("9.9.9.9"), {"listen": ["0.0.0.0:2376"]}),
    "listen-scheme-unsupported": Case(options={"listen": ["unix:///run/docker.sock"]}),
    "listen-undecided": Case(
        config('{"hosts": ["fd://", "tcp://127.0.0.1:2375"]}'), {"existing_settings": "adopt", "listen": []}
    ),
    "live-restore-swarm": Case(engine(swarm_active=True), {"live_restore": "require"}),
    "option-invalid": Case(options={"port": 0}),
    "port-taken": Case(taken),
    "proxy-package-missing": Case(haproxy(()), {"listener": "proxy"}),
    "proxy-package-too-old": Case(haproxy((2, 2, 9)), {"listener": "proxy"}),
    "proxy-root-missing": Case(options={"listener": "proxy", "client_ca_content": ISSUING.pem}),
    "proxy-socket-unreachable": Case(lambda host: host.world.problems.add("no-group"), {"listener": "proxy"}),
    "proxy-unit-foreign": Case(lambda host: host.world.proxy_unit.write_text("[Unit]\n"), {"listener": "proxy"}),
    "rights-group-unknown": Case(
        options={"listener": "proxy", "group_authorities": {"ops": CLIENTS.pem}, "group_rights": {"opps": "read-only"}}
    ),
    "rights-need-proxy": Case(options={"listener": "dockerd", "group_rights": {"ops": "read-only"}}),
    "rights-need-proxy systemd": Case(
        options={"listener": "systemd", "group_rights": {"ops": {"rules": [{"methods": ["GET"], "path": "/info"}]}}}
    ),
    "rights-invalid": Case(options={**PROXY, "group_rights": {"ops": ["read-only"]}}),
    "rights-unknown": Case(options={**PROXY, "group_rights": {"ops": "read-mostly"}}),
    "rights-rule-invalid": Case(
        options={**PROXY, "group_rights": {"ops": {"rules": [{"methods": ["GOT"], "path": "/info"}]}}}
    ),
    "allowed-sources-unsupported": Case(
        lambda host: host.world.problems.add("no-cgroups"), {"listener": "proxy", "allowed_sources": ["10.0.0.0/8"]}
    ),
    "preflight-failed": Case(taken, {"directory": "{root}/run"}),
    "preflight-failed containers": Case(engine(containers_running=2, swarm_active=True), {"live_restore": "require"}),
    "running-flags-unexplained": Case(unexplained),
    "socket-listener-foreign": Case(dropin("docker.socket", "a.conf", "[Socket]\nListenStream=2375\n")),
    "socket-listener-unsupported": Case(flags("-H unix:///run/docker.sock"), {"listener": "systemd"}),
    "socket-masked": Case(facts(socket_load_state="masked")),
    "socket-missing": Case(facts(socket_load_state="not-found")),
    "unit-broken": Case(facts(load_state="bad-setting")),
    "unit-masked": Case(facts(load_state="masked")),
    "unit-missing": Case(facts(load_state="not-found")),
    "unit-unsupported": Case(flags("-H 'fd://")),
    "validate-failed": Case(invalid),
}

#: Reported of a certificate, so not by a host that has none yet; or they mean that it is missing.
OF_THE_CERTIFICATE = {
    *(f"certificate-{what}" for what in ("expired", "foreign-authority", "is-authority", "missing", "names-missing")),
    *(f"certificate-{what}" for what in ("not-yet-valid", "unreadable", "usage")),
    *("anchors-missing", "authority-missing", "authority-not-valid", "key-mismatch", "key-missing", "key-unreadable"),
}
#: Found only together with another one (as ``preflight-failed``) or before by another check; test_preflight has them alone.
ELSEWHERE = {
    "listen-empty",
    "anchors-too-many",
    "anchors-unreadable",
    "containers-would-stop",
}


def arranged(host: Host, name: str) -> tuple[str, dict[str, t.Any]]:
    """Prepare the host of the case; return the expected code, and the options."""
    code, case = name.split()[0], CASES[name]
    case.arrange(host)
    root = str(host.world.root)
    options = {k: v.replace("{root}", root) if isinstance(v, str) else v for k, v in case.options.items()}
    host.patch.setattr(preflight, "_NOT_LASTING", (f"{root}/run/",))
    host.patch.setattr(preflight, "_HOMES", (f"{root}/home/",))
    if code == "config-path-changed":
        options["config_path"] = str(host.world.root / "etc/docker/other.json")
    return code, options


@pytest.mark.parametrize("name", CASES)
def test_change_is_refused_and_nothing_is_touched(host: Host, name: str) -> None:
    code, options = arranged(host, name)
    before = host.world.snapshot()
    assert host.run(check_mode=False, **options) == code
    assert host.world.snapshot() == before


@pytest.mark.parametrize("name", CASES)
def test_check_mode_refuses_what_the_change_refuses(host: Host, name: str) -> None:
    code, options = arranged(host, name)
    assert host.run(check_mode=True, **options) == code


@pytest.mark.parametrize("prepare", [True, False], ids=["run", "check"])
@pytest.mark.parametrize("name", CASES)
def test_host_that_would_be_refused_makes_no_key(host: Host, name: str, prepare: bool) -> None:
    code, options = arranged(host, name)
    before = host.world.snapshot()
    found = host.inspect(prepare=prepare, **options)
    assert (found["current"], found["reasons"], found["refused"]["code"]) == (False, [code], code)
    assert "prepared" not in found
    assert found["refused"]["msg"]
    assert host.world.snapshot() == before


#: What only the library can find out: by certificates, those of the endpoint that is there among them.
BY_CERTIFICATES = (
    "anchors-",
    "authority-",
    "certificate-unreadable",
    "clients-",
    "config-path-changed",
    "crl-",
    "proxy-root-",
)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(BY_CERTIFICATES)])
def test_host_without_the_library_is_refused_for_the_same(host: Host, name: str) -> None:
    code, options = arranged(host, name)
    found = host.inspect_without_library(**options)
    assert (found["current"], found["reasons"], found["refused"]["code"]) == (False, [code], code)


@pytest.mark.parametrize("name", ["", *(name for name in CASES if name.startswith(BY_CERTIFICATES))])
def test_host_without_the_library_is_left_to_the_roles_where_nothing_else_is_wrong(host: Host, name: str) -> None:
    _code, options = arranged(host, name) if name else ("", {})
    found = host.inspect_without_library(**options)
    assert (found["current"], found["reasons"], "refused" in found) == (False, ["cryptography-missing"], False)


def test_host_that_would_not_be_refused_makes_its_key(host: Host) -> None:
    found = host.inspect(prepare=True)
    assert "refused" not in found
    assert (found["current"], host.key.is_file()) == (False, True)
    assert found["prepared"]["requests"][0]["request_content"]
    assert host.run(check_mode=True) == ""


def codes_of(file: str) -> t.Iterator[str]:
    """Yield the codes of the findings that forbid a change, as a source file has them."""
    for node in ast.walk(ast.parse((SOURCES / file).read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "error":
            found = node.args[0]
            if isinstance(found, ast.JoinedStr):  # f"{code}-missing" of the three kinds of files
                end = str(t.cast(ast.Constant, found.values[-1]).value)
                yield from (f"{kind}{end}" for kind in ("certificate", "authority", "anchors"))
            yield from (
                part.value for part in ast.walk(found) if isinstance(part, ast.Constant) and "-" in str(part.value)[1:]
            )


FILES = (
    *("_docker/listeners.py", "_docker/our_units.py", "_docker/unit_reader.py", "_endpoint/desired_files.py"),
    *("_endpoint/plan_present.py", "_endpoint/preflight.py", "_endpoint/preflight_certificates.py"),
    *("_docker/unit_reader.py", "_endpoint/preflight_certificates.py"),
)


@pytest.mark.parametrize("file", FILES)
def test_every_refusal_of_the_preflight_has_its_case(file: str) -> None:
    found = set(codes_of(file))
    assert found
    assert found <= {name.split()[0] for name in CASES} | OF_THE_CERTIFICATE | ELSEWHERE


@pytest.mark.parametrize("check_mode", [True, False])
def test_rollback_without_an_earlier_state_is_refused_by_check_mode_too(host: Host, check_mode: bool) -> None:
    assert host.run(check_mode=check_mode, state="rolled_back") == "nothing-to-roll-back"
