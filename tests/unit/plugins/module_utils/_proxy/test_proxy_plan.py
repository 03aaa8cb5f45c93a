# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the listener proxy means for a host in memory: which files, which step for its unit, and no restart of dockerd."""

from __future__ import annotations

import pathlib
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.our_units import stranger_is_refused
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint.plan import networks
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki.revocation_list import sign_list
from support.ca.certificates import NOW, authority, intermediate
from support.contracts import records
from support.hosts.machine import FakeMachine, install
from support.hosts.scenarios import CLIENTS, OTHERS, given, issued, proxied, run, secure, secure_by_proxy
from support.hosts.world import Effects, World


@pytest.fixture
def world(tmp_path: pathlib.Path) -> World:
    return World(tmp_path / "host").build()


@pytest.fixture
def machine(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    return install(monkeypatch, world, Effects())


def proxy_config(world: World) -> str:
    return (world.root / "etc/docker-tls-proxy/haproxy.cfg").read_text()


def test_first_run_starts_the_proxy_and_restarts_nothing(world: World, machine: FakeMachine) -> None:
    result = run(world, machine, proxied(world))
    assert (result["restarted"], result["restart_needed"]) == (False, False)
    assert "proxy-new" in result["reasons"]
    assert any("listen 10.0.0.5:2376" in line and "proxy start" in line for line in result["plan"])
    assert world.restarts == 0
    assert not world.config.exists()
    assert world.reachable == ("10.0.0.5:2376",)
    assert not run(world, machine, given(world, listener="proxy"))["changed"]


@pytest.mark.parametrize(("line", "step"), [("# another comment\n", "reload"), ("Nice=5\n", "restart")])
def test_unit_with_another_comment_is_no_reason_to_end_connections(
    world: World, machine: FakeMachine, line: str, step: str
) -> None:
    run(world, machine, proxied(world))
    unit = world.root / "etc/systemd/system/docker-tls-proxy.service"
    unit.write_text(unit.read_text().replace("[Install]", f"{line}[Install]"))
    planned = run(world, machine, given(world, listener="proxy"), check_mode=True)
    assert planned["reasons"] == ["proxy-unit-changed"]
    assert f"proxy {step}" in planned["plan"][0]
    assert run(world, machine, given(world, listener="proxy"))["changed"]
    assert line not in unit.read_text()


def test_plan_names_the_package_that_follows(world: World, machine: FakeMachine) -> None:
    world.haproxy = ()
    planned = run(world, machine, replace(proxied(world), haproxy_package="haproxy"), check_mode=True)
    assert planned["plan"][0] == "package haproxy (HAProxy)"
    assert len(planned["plan"]) == 2
    world.haproxy = (3, 0, 11)
    assert len(run(world, machine, replace(proxied(world), haproxy_package="haproxy"), check_mode=True)["plan"]) == 1


ADMITTED = (("clients", CLIENTS.pem), ("ops", OTHERS.pem))
BOTH = {"client_ca": CLIENTS.pem + OTHERS.pem, "group_authorities": ADMITTED}
OPS = authority("client", unit="ops-g1", number=41)
NAMED = {"client_ca": CLIENTS.pem + OPS.pem, "group_authorities": (("clients", CLIENTS.pem), ("ops", OPS.pem))}
RESTART = {"methods": ["POST"], "path": "/containers/{id}/restart"}


def limited(rights: t.Any) -> dict[str, t.Any]:
    return {**BOTH, "group_rights": {"ops": rights}}


def revoked(*serials: int, number: int = 1) -> dict[str, t.Any]:
    return {"crl": sign_list(CLIENTS.certificate, CLIENTS.key, serials, number=number, now=NOW)}


#: Options before, what changes in them, all reasons of the change, and what the plan says of it.
CHANGES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], list[str], str]] = {
    "anchors": ({}, {"client_ca": CLIENTS.pem + OTHERS.pem}, ["anchors-changed", "access-groups-changed"], "admits + "),
    "stream timeout": ({}, {"stream_timeout": 60}, ["stream-timeout-changed"], "proxy reload"),
    "addresses": (
        {}, {"listen": ("127.0.0.1:2376",)}, ["listen-changed"], "listen 10.0.0.5:2376 -> 127.0.0.1:2376, proxy reload",
    ),
    "sources": ({}, {"allowed_sources": ("10.0.0.0/8",)}, ["allowed-sources-changed"], "sources all -> 10.0.0.0/8, proxy restart"),
    "other sources": (
        {"allowed_sources": ("10.0.0.0/8",)}, {"allowed_sources": ("192.0.2.0/24", "fd00::/8")},
        ["allowed-sources-changed"], "sources 10.0.0.0/8 -> 192.0.2.0/24 fd00::/8, proxy restart",
    ),
    "addresses behind a filter": (
        {"allowed_sources": ("10.0.0.0/8",)}, {"allowed_sources": ("10.0.0.0/8",), "listen": ("10.0.0.7:2376",)},
        ["listen-changed"], "listen 10.0.0.5:2376 -> 10.0.0.7:2376, proxy restart",
    ),
    "first limit": (BOTH, limited("read-only"), ["rights-changed"], "rights of ops: full -> read-only, proxy reload"),
    "no limit": (limited("read-only"), BOTH, ["rights-changed"], "rights of ops: read-only -> full, proxy reload"),
    "other preset": (limited("read-only"), limited("ci"), ["rights-changed"], "rights of ops: read-only -> ci, "),
    "other rules": (
        limited({"rules": [RESTART]}), limited({"rules": [RESTART, {"methods": ["GET"], "path": "/info"}]}),
        ["rights-changed"], "rights of ops: rules -> rules (other rules), ",
    ),
    "limited group": (
        {}, limited("read-only"), ["anchors-changed", "access-groups-changed"], "admits + ",
    ),
    "limited group, named": (
        {}, {**NAMED, "group_rights": {"ops": "read-only"}}, ["anchors-changed", "access-groups-changed"], "admits + ops-g1 (read-only)",
    ),
    "group with all rights, named": ({}, NAMED, ["anchors-changed", "access-groups-changed"], "admits + ops-g1, "),
    "groups in another order": (
        limited("read-only"), {**limited("read-only"), "group_authorities": ADMITTED[::-1]}, ["proxy-config-changed"], "",
    ),
    "first lists": ({}, revoked(), ["crl-changed"], "proxy reload"),
    "newer lists": (revoked(), revoked(0xB0B, number=2), ["crl-changed"], "proxy reload"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "change", "reasons", "text"), CHANGES.values(), ids=CHANGES)
def test_change_of_the_proxy_is_named_and_dockerd_is_not_touched(
    world: World,
    machine: FakeMachine,
    before: dict[str, t.Any],
    change: dict[str, t.Any],
    reasons: list[str],
    text: str,
) -> None:
    world.addresses.add("10.0.0.7")
    run(world, machine, replace(proxied(world), **before))
    dockerd = world.process
    planned = run(world, machine, given(world, listener="proxy", **change), check_mode=True)
    result = run(world, machine, given(world, listener="proxy", **change))
    assert result["reasons"] == planned["reasons"] == reasons
    assert text in result["plan"][0]
    assert result["diff"][0]["prepared"] == planned["diff"][0]["prepared"]
    assert world.process is dockerd
    assert world.proxy_starts == 2
    assert not run(world, machine, given(world, listener="proxy", **change))["changed"]


def test_renewed_certificate_is_named_and_dockerd_is_not_touched(world: World, machine: FakeMachine) -> None:
    secure_by_proxy(world)
    dockerd = world.process
    result = run(world, machine, given(world, listener="proxy", certificate=issued(world, 6)))
    assert result["reasons"] == ["certificate-changed"]
    assert world.process is dockerd
    assert world.containers == {"web"}
    assert world.proxy_starts == 2


@pytest.mark.parametrize(
    ("former", "present"),
    [("verify required", "verify optional"), (" crl-file ", " ca-verify-file "), ("timeout connect 5s", "timeout connect 6s"),
     ("http-request del-header Upgrade", ""), ("default_backend unknown", "default_backend full")],
)  # fmt: skip
def test_configuration_that_was_edited_by_hand_is_named(
    world: World, machine: FakeMachine, former: str, present: str
) -> None:
    options = {**limited("read-only"), **revoked()}
    other = sign_list(OTHERS.certificate, OTHERS.key, (), number=1, now=NOW)
    options["crl"] += other
    run(world, machine, replace(proxied(world), **options))
    path = world.root / "etc/docker-tls-proxy/haproxy.cfg"
    text = path.read_text()
    assert former in text
    path.write_text(text.replace(former, present))
    assert run(world, machine, given(world, listener="proxy", **options))["reasons"] == ["proxy-config-changed"]
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("change", "reasons", "text"),
    [
        ({"allowed_sources": ("192.0.2.0/24",)}, ["allowed-sources-changed"], "sources 10.0.0.0/8 -> 192.0.2.0/24, restart yes"),
        ({"allowed_sources": ()}, ["allowed-sources-changed"], "sources 10.0.0.0/8 -> all, restart yes"),
        ({"listen": ("127.0.0.1:2376",), "allowed_sources": ("10.0.0.0/8",)}, ["listen-changed"], "listen 10.0.0.5:2376 -> 127.0.0.1:2376, restart"),
    ],
    ids=["other sources", "all sources", "addresses"],
)  # fmt: skip
def test_change_of_the_socket_unit_is_named(
    world: World, machine: FakeMachine, change: dict[str, t.Any], reasons: list[str], text: str
) -> None:
    first = given(world, certificate=issued(world), listener="systemd", allowed_sources=("10.0.0.0/8",))
    run(world, machine, first)
    result = run(world, machine, given(world, listener="systemd", **change))
    assert result["reasons"] == reasons
    assert text in result["plan"][0]


def test_upgraded_haproxy_gets_the_configuration_for_its_version_by_a_reload(
    world: World, machine: FakeMachine
) -> None:
    world.haproxy = (2, 6, 12)
    secure_by_proxy(world)
    former, dockerd = proxy_config(world), world.process
    world.haproxy = (3, 0, 11)
    result = run(world, machine, given(world, listener="proxy"))
    assert result["reasons"] == ["proxy-config-changed"]
    assert any("proxy reload, restart no" in line for line in result["plan"])
    assert "timeout client-hs" in proxy_config(world) and "timeout client-hs" not in former
    assert world.process is dockerd
    assert not run(world, machine, given(world, listener="proxy"))["changed"]


def test_authority_of_servers_alone_reloads_nothing(world: World, machine: FakeMachine) -> None:
    secure_by_proxy(world)
    result = run(world, machine, given(world, listener="proxy", ca=given(world).ca + OTHERS.pem, allow_dual_trust=True))
    assert result["reasons"] == ["authority-changed"]
    assert world.proxy_starts == 1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda world: setattr(world, "proxy", None), "proxy-not-running"),
        (lambda world: world.proxy_link.unlink(), "proxy-not-enabled"),
        (lambda world: setattr(world.proxy, "fingerprint", "older"), "proxy-outdated"),
    ],
    ids=["stopped", "disabled", "outdated"],
)
def test_proxy_that_is_not_as_it_should_be_is_repaired(
    world: World, machine: FakeMachine, spoil: t.Callable[[World], object], reason: str
) -> None:
    secure_by_proxy(world)
    spoil(world)
    result = run(world, machine, given(world, listener="proxy"))
    assert result["reasons"] == [reason]
    assert world.reachable
    assert world.proxy_link.is_symlink()
    assert not run(world, machine, given(world, listener="proxy"))["changed"]


def test_dockerd_gives_up_its_port_with_one_restart(world: World, machine: FakeMachine) -> None:
    world.config.write_text('{"log-driver": "journald"}')
    secure(world)
    result = run(world, machine, given(world, listener="proxy"))
    assert result["restarted"]
    assert world.restarts == 1 + 1  # the first one was for its own listener
    assert world.tcp == ()
    assert world.config.read_text() == '{"log-driver": "journald"}'
    assert not (world.units / "docker.service.d/zz-docker-tls.conf").exists()


def test_configuration_that_haproxy_refuses_changes_nothing(world: World, machine: FakeMachine) -> None:
    secure(world)
    before = world.snapshot()
    world.problems.add("refused")
    with pytest.raises(TlsError) as caught:
        run(world, machine, given(world, listener="proxy"))
    assert caught.value.code == "proxy-config-refused"
    assert world.snapshot() == before
    assert world.restarts == 1


def test_proxy_that_does_not_start_leaves_the_old_listener(world: World, machine: FakeMachine) -> None:
    secure(world)
    before = world.snapshot()
    world.problems.add("proxy-dies")
    with pytest.raises(TlsError) as caught:
        run(world, machine, given(world, listener="proxy"))
    assert caught.value.code == "proxy-start-failed"
    assert world.snapshot() == before
    assert world.tcp == ("10.0.0.5:2376",)


def test_local_listeners_of_the_user_stay_in_daemon_json(world: World, machine: FakeMachine) -> None:
    (world.root / "lib/docker.service").write_text("[Service]\nExecStart=/usr/sbin/dockerd\n")
    world.config.write_text('{"hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"]}')
    world.boot()
    run(world, machine, given(world, certificate=issued(world), listener="proxy", existing_settings="replace"))
    assert world.config.read_text() == '{"hosts": ["unix:///var/run/docker.sock"]}'
    assert world.answers_locally
    assert world.tcp == ()


@pytest.mark.parametrize(
    "value", ["10.0.0.5/8", "web1", "10.0.0.0/33", "", "any", "fe80::1%eth0", "10.0.0.0/8 IPAddressAllow=any"]
)
def test_source_that_is_no_network_is_refused(value: str) -> None:
    with pytest.raises(TlsError) as caught:
        networks([value])
    assert caught.value.code == "option-invalid"


def test_sources_are_written_as_systemd_takes_them() -> None:
    assert networks(["10.0.0.5", "fd00::/8", "10.0.0.5/32"]) == ("10.0.0.5/32", "fd00::/8")


def test_other_source_of_loopback_is_tried_where_it_must_not_get_through() -> None:
    assert stranger_is_refused(("10.0.0.0/8",))
    assert not stranger_is_refused(("127.0.0.0/8",))
    assert not stranger_is_refused(("0.0.0.0/0",))
    assert not stranger_is_refused(())


def test_intermediate_ca_without_its_root_is_refused_because_openssl_would_refuse_its_clients(
    world: World, machine: FakeMachine
) -> None:
    issuing = intermediate(CLIENTS, "Issuing CA", 71)
    with pytest.raises(TlsError) as caught:
        run(world, machine, replace(proxied(world), client_ca=issuing.pem))
    assert caught.value.code == "proxy-root-missing"
    assert "CN=Issuing CA of the access group clients is not a root" in caught.value.message
    run(world, machine, replace(proxied(world), client_ca=issuing.pem + CLIENTS.pem))


def lists(*serials: int, number: int = 1) -> str:
    return sign_list(CLIENTS.certificate, CLIENTS.key, serials, number=number, now=NOW)


def test_revocation_reloads_the_proxy_and_the_lists_are_reported(world: World, machine: FakeMachine) -> None:
    run(world, machine, replace(proxied(world), crl=lists()))
    dockerd = world.process
    newest = lists(0xB0B, number=2)
    result = run(world, machine, given(world, listener="proxy", crl=newest))
    assert (result["reasons"], result["restarted"]) == (["crl-changed"], False)
    assert any("proxy reload, restart no (crl-changed)" in line for line in result["plan"])
    assert world.process is dockerd
    expected = [{"issuer": CLIENTS.view.subject, "number": 2, "revoked": 1}]
    assert records.returned("endpoint", result)["endpoint"]["revocation_lists"] == expected
    again = run(world, machine, given(world, listener="proxy", crl=newest))
    assert (again["reasons"], again["endpoint"]["revocation_lists"]) == ([], expected)
    other = run(world, machine, given(world, listener="dockerd"))
    assert other["endpoint"]["revocation_lists"] == []


REFUSED: dict[str, tuple[t.Callable[[], str], str]] = {
    "older": (lambda: lists(0xB0B, number=2), "crl-older"),
    "shrunk": (lambda: lists(number=9), "crl-shrunk"),
    "dropped": (lambda: "", "crl-dropped"),
    "of-another-authority": (
        lambda: sign_list(OTHERS.certificate, OTHERS.key, (0xB0B,), number=9, now=NOW),
        "crl-missing",
    ),
}


@pytest.mark.parametrize(("content", "code"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("check_mode", [False, True])
def test_list_that_would_lock_out_or_let_in_is_refused_before_anything_is_touched(
    world: World, machine: FakeMachine, content: t.Callable[[], str], code: str, check_mode: bool
) -> None:
    run(world, machine, replace(proxied(world), crl=lists(0xB0B, number=3)))
    before = world.snapshot()
    with pytest.raises(TlsError) as caught:
        run(world, machine, given(world, listener="proxy", crl=content()), check_mode=check_mode)
    assert caught.value.code == code
    assert caught.value.hint
    assert world.snapshot() == before
    assert world.proxy_starts == 1
