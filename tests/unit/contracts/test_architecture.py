# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every function that docs/dev/architecture.md names exists in the file that it names, and the flows call them in the order of the page."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._argument_specs import (
    ENDPOINT_OPTIONS,
    REQUEST_OPTIONS,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import access, layout, revocation, stages
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import host_state, journal
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._host import request_names
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import options, signing
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables.binding import Bound
from support.ansible import plan_task
from support.ansible.role_variables import HostVars, facts, variables
from support.ca.ca_directory import PASSPHRASE, call_context, client_request, csr, ensure, request, sign, spec
from support.ca.certificates import NOW
from support.contracts import flows
from support.contracts.documentation import ROOT
from support.hosts.machine import install
from support.hosts.scenarios import given, issued, run, secure
from support.hosts.world import ADDRESS, Effects, World

NAMED = sorted(set(flows.named(flows.page())))
DAEMON = "From daemon.json to verification or rollback"


def test_page_names_the_functions_of_every_flow() -> None:
    assert len(re.findall(r"^## ", flows.page(), re.MULTILINE)) == 6
    assert len(NAMED) > 50


@functools.cache
def functions_of(path: pathlib.Path) -> frozenset[str]:
    return frozenset(node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("function", NAMED)
def test_function_exists(function: str) -> None:
    file, name = function.split(":")
    found = [ROOT / "plugins" / place / file for place in ("module_utils", "plugin_utils")]
    (path,) = [path for path in found if path.is_file()]
    assert name in functions_of(path)


def check_order(wanted: t.Sequence[str], called: t.Iterable[str], without: t.Collection[str] = ()) -> None:
    """Fail unless the functions of a flow were called, in its order. ``without``: those that this run of it does not come to."""
    expected = [name for name in dict.fromkeys(wanted) if name not in without]
    assert set(without) <= set(wanted)
    found = [name for name in called if name in expected]
    assert found == expected, f"missing: {sorted(set(expected) - set(found))}"


@pytest.fixture(name="world")
def a_world(tmp_path: pathlib.Path) -> World:
    return World(tmp_path / "host").build()


def test_certificate_comes_about_in_the_order_of_the_page(
    world: World, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One host, from its variables to the certificate that its dockerd serves."""
    (wanted, _external) = flows.tables("From a signing request to a certificate")
    machine: t.Any = install(monkeypatch, world, Effects())
    monkeypatch.setattr(host_state, "require_root", lambda what: None)
    ca = ensure(tmp_path / "ca")
    authority = ca.stored["server"][0].certificate_content
    clients = ca.stored["clients"][0].certificate_content
    known: dict[str, t.Any] = {
        name: {"certificate_content": content, "trusted_content": content}
        for name, content in (("server", authority), ("clients", clients))
    }
    endpoint = {
        **{name: option.get("default") for name, option in ENDPOINT_OPTIONS.items()},
        "listen": [f"{ADDRESS}:2376"],
        "directory": str(world.certificates),
        "config_path": str(world.config),
        "ca_content": authority,
        "client_ca_content": clients,
    }
    context = host_state.HostContext(
        request_names.Host("web1.example.test", lambda selectors: []),
        machine=lambda _options: machine,
        state=lambda _options: journal.StateDirectory(str(world.state)),
    )
    hosts = HostVars({"localhost": facts(docker_ca_authorities=known), "web1": {}})
    task = variables(
        hostvars=hosts,
        docker_server_cert_path=str(world.certificates),
        docker_server_cert_addresses=[],
        docker_server_cert_names=[ADDRESS, "localhost"],
        ansible_play_batch=["web1"],
    )
    bound = Bound(task, lambda value: value)
    with flows.calls() as called:
        asked = options.server_request(bound, known)
        made = {**{name: option.get("default") for name, option in REQUEST_OPTIONS.items()}, **asked}
        inspected = host_state.inspect([made], endpoint, context, NOW, prepare=True)
        hosts["web1"] = {"__docker_tls_inspected": inspected}
        plan_task.make("site", plan_task.hostvars(web1=hosts["web1"]))
        hosts["web1"]["__docker_server_cert_requested"] = task["__docker_server_cert_requested"] = inspected["prepared"]
        (batched,) = (signing.batch(bound, signing.SERVER, hosts) or {})["requests"]
        signed = sign(
            tmp_path / "ca",
            request(
                "web1",
                request_content=batched["request_content"],
                common_name=batched["common_name"],
                names=tuple(batched["names"]),
            ),
        ).signed["web1"]
        task["docker_server_cert_signed"] = {
            "certificates": {"web1/server": {"certificate_content": signed.certificate_content}}
        }
        given = options.signed_for(bound, "web1")
        run(world, machine, host_state.options_from({**endpoint, **given}))
    assert world.tcp == (f"{ADDRESS}:2376",)
    assert world.process is not None and signed.view is not None
    assert world.process.fingerprint == signed.view.fingerprint_sha256
    elsewhere = [  # before this run, and by the inspection: its first call is not that of the last step
        "_validate/preflight.py:inventory_problems",
        "_ca/create.py:ensure",
        "_endpoint/desired_files.py:wanted_certificates",
        "_endpoint/preflight_certificates.py:check_certificates",
    ]
    check_order(wanted, called, elsewhere)


#: Steps that this machine of the tests does itself, and those of another process.
ELSEWHERE = [
    "_endpoint/verify_local.py:verify",
    "_endpoint/machine.py:arm",
    "_endpoint/rollback_guard.py:settle",
    "_plan/verification.py:clients",
    "_plan/verification.py:endpoint",
    "_endpoint/verify_remote.py:verify",
    "_remote/programs.py:confirm_command",
]
RECOVERY, CONFIRM = "_endpoint/rollback.py:roll_back", "_endpoint/endpoint.py:_confirm"


def change(world: World, monkeypatch: pytest.MonkeyPatch, *problems: str) -> tuple[list[str], list[str]]:
    """Change address and certificate of an endpoint; return the functions of the page and those that were called."""
    secure(world)
    machine = install(monkeypatch, world, Effects())
    (wanted,) = flows.tables(DAEMON)
    asked = given(world, certificate=issued(world, 6), listen=("127.0.0.1:2376",))
    world.problems.update(problems)
    with flows.calls() as called:
        try:
            run(world, machine, asked)
        except TlsError as error:
            assert error.code == "verification-failed"
    return wanted, called


def test_change_runs_in_the_order_of_the_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, called = change(world, monkeypatch)
    check_order(wanted, called, [*ELSEWHERE, RECOVERY, CONFIRM])


def test_change_that_is_not_verified_is_rolled_back_in_the_order_of_the_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, called = change(world, monkeypatch, "unverified")
    ending = ["_endpoint/transaction.py:decide", "_endpoint/rollback.py:commit", "_endpoint/report.py:report"]
    check_order(wanted, called, [*ELSEWHERE, CONFIRM, *ending])


def revoke(path: pathlib.Path, *, by_list: bool) -> revocation.Outcome:
    """Revoke bob, a client of a CA in which alice stays."""
    clients = (access.Client("bob", revoked=True), access.Client("alice"))
    wanted = revocation.RevocationRequest(clients, by_list=frozenset({"clients"} if by_list else ()))
    context = call_context(NOW + timedelta(hours=1))
    return revocation.begin(layout.ca_directory(str(path)), wanted, spec("clients"), PASSPHRASE, context, predict=False)


def record(path: pathlib.Path) -> None:
    """Record that a host refuses bob."""
    found = [revocation.Verified("bob", "clients-g1", ("web1",))]
    context = call_context(NOW + timedelta(hours=3))
    revocation.record_verified(layout.ca_directory(str(path)), found, context, predict=False)


@pytest.fixture(name="ca")
def a_ca(tmp_path: pathlib.Path) -> pathlib.Path:
    """A CA with certificates of alice and bob."""
    ensure(tmp_path / "ca")
    sign(tmp_path / "ca", client_request("alice"), client_request("bob"))
    return tmp_path / "ca"


def on_the_ca_host(heading: str, table: int) -> list[str]:
    """Return the functions of a table that are steps of the CA host."""
    return [name for name in flows.tables(heading)[table] if name.startswith("_ca/")]


def test_ca_revokes_by_list_in_the_order_of_the_page(ca: pathlib.Path) -> None:
    with flows.calls() as called:
        assert revoke(ca, by_list=True).listed
        imitation = client_request("probe", request_content=csr(3), revoked=True, validity="10m")
        assert sign(ca, imitation, now=NOW + timedelta(hours=1)).signed
        record(ca)
    check_order(on_the_ca_host("Revocation", 0), called)


def test_ca_revokes_by_a_new_generation_in_the_order_of_the_page(ca: pathlib.Path) -> None:
    with flows.calls() as called:
        assert revoke(ca, by_list=False).revocations
        assert sign(ca, client_request("probe", request_content=csr(3)), now=NOW + timedelta(hours=1)).signed
        place = layout.ca_directory(str(ca))
        context = call_context(NOW + timedelta(hours=2))
        stages.change(place, spec("clients"), "retired", None, context, predict=False)
        record(ca)
    check_order(on_the_ca_host("Revocation", 2), called, ["_ca/stages.py:sign"])


def test_rotation_is_planned_in_the_order_of_the_page() -> None:
    (wanted,) = flows.tables("Rotation")
    task = plan_task.rotation_of_a_ca()
    settings = {"authority": "clients", "again_after": "0s", "execute": True}
    with flows.calls() as called:
        plan_task.make("rotation_start", plan_task.hostvars(), settings)
        found = plan_task.make("rotation", plan_task.hostvars(), settings, **task)
        for part in ("rotation_phase", "rotation_end"):
            plan_task.make(part, plan_task.hostvars(), __docker_tls_rotation=found)
    assert found["plan"]["phase"] == "trust"
    planned = [name for name in wanted if name.startswith(("_plan/", "_rotation/", "_fleet/collect_endpoints"))]
    check_order(planned, called, ["_plan/status.py:files"])
