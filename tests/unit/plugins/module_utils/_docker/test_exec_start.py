# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dockerd's command without -H, for every form of the unit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import (
    command_line,
    exec_start,
    our_units,
    unit_reader,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import (
    UnitModel,
    Variable,
    parse_unit,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from support.hosts import unit_fixtures

GOOD = [name for name in unit_fixtures.NAMES if not name.startswith("refused")]


def model_of(command: str) -> UnitModel:
    return parse_unit([("/u/docker.service", f"[Service]\nExecStart={command}\n")], "/e/zz-docker-tls.conf")


def derive(
    command: str, environment: dict[str, str] | None = None, strip: frozenset[str] = exec_start.HOST_FLAGS
) -> exec_start.Derivation:
    variables = {name: Variable(name, value, "/e/f") for name, value in (environment or {}).items()}
    return exec_start.derive(model_of(command), variables, strip)


@pytest.mark.parametrize("name", unit_fixtures.NAMES)
def test_derive_unit_of_a_distribution_gives_the_expected_dropin(name: str) -> None:
    text, learned = unit_fixtures.outcome(name)
    expected = unit_fixtures.ROOT / name / "expected.conf"
    assert text == (expected.read_text() if expected.exists() else None)
    assert learned == json.loads((unit_fixtures.ROOT / name / "expected.json").read_text())


@pytest.mark.parametrize("name", GOOD)
def test_derive_second_run_with_our_dropin_gives_the_same(name: str) -> None:
    text, _learned = unit_fixtures.outcome(name)
    if text is not None:
        again = unit_fixtures.derive(name, extra=((unit_fixtures.OWN_PATH, text),))
        assert our_units.service_dropin(again, after_network=False) == text


@pytest.mark.parametrize("name", GOOD)
def test_derive_of_what_was_derived_changes_nothing(name: str) -> None:
    found = unit_fixtures.derive(name)
    model = parse_unit(unit_fixtures.unit_files(name), unit_fixtures.OWN_PATH)
    again = exec_start.derive(replace(model, commands=(found.command,)), unit_fixtures.environment_of(name, model))
    assert again.hosts == ()
    assert not again.changed
    assert again.command == found.command
    assert again.arguments == found.arguments


def test_derive_endpoint_flags_takes_tls_flags_of_another_tool_away() -> None:
    found = unit_fixtures.derive("tls-flags-of-another-tool", exec_start.ENDPOINT_FLAGS)
    assert found.command == "/usr/bin/dockerd"
    assert exec_start.conflicts(found, ["hosts", "tlsverify", "tlscacert"]) == ()
    assert [note.code for note in found.notes] == ["listener-replaced", *["flag-replaced"] * 4]


def test_derive_nothing_to_strip_keeps_the_spelling() -> None:
    found = derive('/usr/bin/dockerd   "--label=a  b"\t$X')
    assert found.command == '/usr/bin/dockerd   "--label=a  b"\t$X'
    assert not found.changed


def test_derive_digest_follows_command_and_inlined_variables_only() -> None:
    command = "/usr/bin/dockerd -H fd:// $A $B"
    first = derive(command, {"A": "-H tcp://1.2.3.4:1 -D", "B": "--debug"})
    assert derive(command, {"A": "-H tcp://1.2.3.4:1 -D", "B": "--other"}).digest == first.digest
    assert derive(command, {"A": "-H tcp://1.2.3.4:2 -D", "B": "--debug"}).digest != first.digest
    assert derive(command + " -D", {"A": "-H tcp://1.2.3.4:1 -D", "B": "--debug"}).digest != first.digest
    assert derive("/usr/bin/dockerd  -H  fd://  $A $B", {"A": "-H tcp://1.2.3.4:1 -D"}).digest == first.digest


def test_derive_braced_variable_with_a_host_is_dropped_whole() -> None:
    found = derive("/usr/bin/dockerd --host=${L} -H ${L} -D", {"L": "tcp://10.0.0.1:2375"})
    assert found.command == "/usr/bin/dockerd -D"
    assert found.inlined == ("L in /e/f",)
    assert found.flags[0].source == "L in /e/f"


def test_derive_unset_variable_stays_a_reference() -> None:
    assert derive("/usr/bin/dockerd -H fd:// $UNSET ${UNSET}").command == "/usr/bin/dockerd $UNSET ${UNSET}"


def test_derive_group_in_a_variable_keeps_the_other_letters() -> None:
    assert derive("/usr/bin/dockerd $O", {"O": "-DH fd:// --x"}).command == "/usr/bin/dockerd -D --x"


def test_derive_awkward_values_of_a_variable_are_quoted() -> None:
    value = r"""-Hfd:// --a 'b c' d%n $$x "e\"f" g;h ; """
    found = derive("/usr/bin/dockerd $O", {"O": value})
    assert found.command == r"""/usr/bin/dockerd --a "b c" "d%%n" "$$$$x" "e\"f" "g;h" ";" """.strip()
    assert found.arguments == ("--a", "b c", "d%n", "$$x", 'e"f', "g;h", ";")


def test_derive_last_config_file_counts() -> None:
    assert derive("/usr/bin/dockerd --config-file /a --config-file=/b").config_path == "/b"
    assert derive("/usr/bin/dockerd --config-file=").config_path == "/etc/docker/daemon.json"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/bin/sh -c dockerd", "starts a shell"),
        ("/usr/bin/env dockerd -H fd://", "starts /usr/bin/env, not dockerd"),
        ("/usr/bin/dockerd -H fd:// ; /bin/true", "several commands"),
        ("-", "starts nothing"),
        ("/usr/bin/dockerd 'open", "not closed"),
    ],
)
def test_derive_other_commands_are_refused(command: str, message: str) -> None:
    with pytest.raises(TlsError, match=message) as caught:
        derive(command)
    assert caught.value.code == "unit-unsupported"


def test_derive_no_command_is_refused() -> None:
    with pytest.raises(TlsError, match="0 ExecStart"):
        exec_start.derive(parse_unit([("/u", "[Service]\n")], "/e/zz.conf"), {})


CONFLICTS = {
    "none": ("--debug", ["hosts", "tls"], []),
    "host": ("-D", ["hosts"], []),
    "tls": ("--tls=false --tlsverify", ["tls", "tlscert"], ["tls"]),
    "live-restore": ("--live-restore", ["live-restore"], ["live-restore"]),
    "own key not written": ("--live-restore", ["hosts"], []),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_conflicts_names_flags_that_dockerd_refuses_beside_keys(name: str) -> None:
    flags, keys, wanted = CONFLICTS[name]
    found = derive(f"/usr/bin/dockerd -H fd:// {flags}")
    assert [use.name for use in exec_start.conflicts(found, keys)] == wanted


def test_conflicts_without_stripping_finds_the_host() -> None:
    found = derive("/usr/bin/dockerd -H fd://", strip=frozenset())
    assert [use.text() for use in exec_start.conflicts(found, ["hosts"])] == ["--host=fd:// (/u/docker.service)"]


def busctl(*commands: list[str]) -> str:
    data = [[argv[0], argv, False, 0, 0, 0, 0, 0, 0, 0] for argv in commands]
    return json.dumps({"type": "a(sasbttttuii)", "data": data})


MISMATCHES = {
    "same": ("/usr/bin/dockerd -H fd:// $O", [["/usr/bin/dockerd", "-H", "fd://", "$O"]], ""),
    "prefix": ("-/usr/bin/dockerd", [["/usr/bin/dockerd"]], ""),
    "argv0": ("@/usr/bin/dockerd d -H x", [["d", "-H", "x"]], ""),
    "specifier": ("/usr/bin/dockerd %n %%n", [["/usr/bin/dockerd", "docker.service", "%n"]], ""),
    "semicolon": (r"/usr/bin/dockerd \;", [["/usr/bin/dockerd", ";"]], ""),
    "more": ("/usr/bin/dockerd", [["/usr/bin/dockerd", "-D"]], "systemd has 2 arguments"),
    "other": ("/usr/bin/dockerd -D", [["/usr/bin/dockerd", "-H"]], "argument 1 is '-H'"),
    "two commands": ("/usr/bin/dockerd", [["/bin/a"], ["/bin/b"]], "systemd has 2 commands"),
    "none": ("/usr/bin/dockerd", [], "systemd has 0 commands"),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_mismatch_compares_with_what_systemd_has_loaded(name: str) -> None:
    command, loaded, message = MISMATCHES[name]
    found = exec_start.mismatch(command, busctl(*loaded))
    assert found.startswith(message)
    assert bool(found) is bool(message)


def test_derive_listener_with_a_directory_specifier_is_written_out() -> None:
    found = derive("/usr/bin/dockerd -H unix://%t/d.sock --config-file=%E/d.json --label a%%i")
    assert found.hosts == ("unix:///run/d.sock",)
    assert found.config_path == "/etc/d.json"
    assert found.command == "/usr/bin/dockerd --config-file=%E/d.json --label a%%i"


@pytest.mark.parametrize("flag", ["-H unix:///run/%i.sock", "--config-file=/etc/%H.json"])
def test_derive_listener_with_another_specifier_is_refused(flag: str) -> None:
    with pytest.raises(TlsError, match=r"has the specifier %[iH] in .*, whose value is not known") as caught:
        derive(f"/usr/bin/dockerd {flag}")
    assert caught.value.code == "unit-unsupported"
    assert derive("/usr/bin/dockerd --label %i -H fd://").changed


LOCAL = {
    "fd": (["fd://"], True, ("fd://",)),
    "fd twice": (["fd://", "fd://"], True, ("fd://",)),
    "nothing": ([], True, ("unix:///var/run/docker.sock",)),
    "tcp only": (["tcp://0.0.0.0:2375"], True, ("unix:///var/run/docker.sock",)),
    "fd, socket masked": (["fd://"], False, ("unix:///var/run/docker.sock",)),
    "fd, socket masked, own path": (["fd://", "unix:///run/x.sock"], False, ("unix:///run/x.sock",)),
    "fd and default path": (["fd://", "unix:///var/run/docker.sock"], True, ("fd://",)),
    "fd and default path, new spelling": (["unix:///run/docker.sock", "fd://"], True, ("fd://",)),
    "fd and unix without path": (["fd://", "unix://"], True, ("fd://",)),
    "unix": (["unix:///var/run/docker.sock", "tcp://1.2.3.4:5"], True, ("unix:///var/run/docker.sock",)),
    "named fd": (["fd://docker.socket"], True, ("fd://docker.socket",)),
}


@pytest.mark.parametrize("name", LOCAL)
def test_local_hosts_always_keeps_a_local_socket(name: str) -> None:
    hosts, usable, wanted = LOCAL[name]
    assert exec_start.local_hosts(hosts, usable) == wanted


@pytest.mark.parametrize(
    ("hosts", "streams", "wanted"),
    [
        # docker.socket listens elsewhere: dockerd's default path is dockerd's own then.
        (["fd://", "unix://"], ["/srv/d.sock"], ("fd://", "unix://")),
        (["fd://", "unix:///srv/d.sock"], ["/srv/d.sock"], ("fd://",)),
        (["fd://", "unix:///srv/d.sock"], ["/run/docker.sock"], ("fd://", "unix:///srv/d.sock")),
    ],
)
def test_local_hosts_gives_dockerd_no_path_that_systemd_holds(
    hosts: list[str], streams: list[str], wanted: tuple[str, ...]
) -> None:
    assert exec_start.local_hosts(hosts, True, streams) == wanted


GENERATED = "/run/systemd/generator.late/docker.service"
FACTS = unit_reader.UnitFacts("loaded", "/usr/lib/systemd/system/docker.service", ("debian",))
REFUSALS = {
    "fine": (FACTS, None),
    "snap beside a package": (replace(FACTS, snap_docker=True, rootless_sockets=("/run/user/1000/docker.sock",)), None),
    "openrc": (replace(FACTS, init_system="init"), "init-unsupported"),
    "nixos": (replace(FACTS, os_ids=("nixos",)), "docker-nixos"),
    "nix unit": (replace(FACTS, fragment_path="/nix/store/x/docker.service"), "docker-nixos"),
    "snap": (replace(FACTS, load_state="not-found", snap_docker=True), "docker-snap"),
    "rootless": (
        replace(FACTS, load_state="not-found", rootless_sockets=("/run/user/1000/docker.sock",)),
        "docker-rootless",
    ),
    "podman": (replace(FACTS, load_state="not-found", podman_docker=True), "docker-podman"),
    "podman as docker.service": (
        replace(FACTS, fragment_path="/usr/lib/systemd/system/podman.service"),
        "docker-podman",
    ),
    "nothing": (replace(FACTS, load_state="not-found", dockerd_found=False), "docker-missing"),
    "an init script that was left": (replace(FACTS, fragment_path=GENERATED, dockerd_found=False), "docker-missing"),
    "an init script, and dockerd": (replace(FACTS, fragment_path=GENERATED), "unit-missing"),
    "an init script, and a snap": (replace(FACTS, fragment_path=GENERATED, snap_docker=True), "docker-snap"),
    "masked by the package's removal": (replace(FACTS, load_state="masked", dockerd_found=False), "docker-missing"),
    "dockerd without a unit": (replace(FACTS, load_state="not-found"), "unit-missing"),
    "masked": (replace(FACTS, load_state="masked"), "unit-masked"),
    "broken": (replace(FACTS, load_state="bad-setting"), "unit-broken"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_names_what_cannot_be_managed(name: str) -> None:
    facts, code = REFUSALS[name]
    found = unit_reader.refusal(facts)
    assert (found.code if found else None) == code
    if found:
        assert found.severity == "error"
        assert found.hint


HOST_ARGUMENTS = ("-H fd://", "-Hfd://", "-H=unix:///x", "--host tcp://1.2.3.4:2375", "--host=fd://", "-DH fd://")
OTHER_ARGUMENTS = (
    "--debug",
    "--label 'a b'",
    "-l -H",
    "--label=-H",
    "--label -H",
    "--tls",
    "%%",
    "%n",
    r"\;",
    '"a\\"b"',
)
VARIABLES = ("$EMPTY", "$PLAIN", "$HOST", "--label=${PLAIN}", "$$x", "\"-H\" 'fd://'")
ARGUMENTS = st.lists(st.sampled_from([*HOST_ARGUMENTS, *OTHER_ARGUMENTS, *VARIABLES]), max_size=8)
ENVIRONMENT = {"EMPTY": "", "PLAIN": "--mtu 1400", "HOST": "--dns 1.1.1.1 -H tcp://0.0.0.0:2375 --label 'x y'"}


@settings(deadline=None)
@given(ARGUMENTS)
def test_derive_any_command_loses_its_hosts_and_nothing_else(arguments: list[str]) -> None:
    command = " ".join(["/usr/bin/dockerd", *arguments])
    found = derive(command, ENVIRONMENT)
    again = derive(found.command, ENVIRONMENT)
    assert again.hosts == ()
    assert again.arguments == found.arguments
    assert not again.changed
    kept = [use for use in found.flags if use.name != "host"]
    assert [(use.name, use.value) for use in again.flags] == [(use.name, use.value) for use in kept]
    assert found.changed is bool(found.hosts)


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=8), max_size=5)
)
def test_derive_any_value_of_a_variable_survives_being_written_out(values: list[str]) -> None:
    spelled = " ".join(command_line.quote_word(f"--label={value}") for value in values)
    expected = [use.value for use in derive(f"/usr/bin/dockerd {spelled}").flags]
    value = " ".join("'" + f"--label={item}".replace("\\", "\\\\").replace("'", "\\'") + "'" for item in values)
    found = derive("/usr/bin/dockerd $O", {"O": f"-H fd:// {value}"})
    assert [use.value for use in found.flags if use.name == "label"] == values == expected
    assert list(derive(found.command).arguments) == [f"--label={item}" for item in values]
