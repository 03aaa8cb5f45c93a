# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a unit's files say together: lists, resets, order, environment."""

from __future__ import annotations

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.our_units import HEADER
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import (
    EnvironmentSource,
    UnitModel,
    Variable,
    command_variables,
    parse_unit,
    read_environment,
)

OWN = "/etc/systemd/system/docker.service.d/zz-docker-tls.conf"
FRAGMENT = "/usr/lib/systemd/system/docker.service"
ETC = "/etc/systemd/system/docker.service.d"


def model_of(*texts: str) -> UnitModel:
    paths = [FRAGMENT, *(f"{ETC}/{number}0-x.conf" for number in range(1, len(texts)))]
    return parse_unit(list(zip(paths, texts)), OWN)


def test_parse_unit_empty_assignment_resets_the_command() -> None:
    model = model_of("[Service]\nExecStart=/bin/a\n", "[Service]\nExecStart=\nExecStart=/bin/b\n")
    assert model.commands == ("/bin/b",)
    assert model.command_path == f"{ETC}/10-x.conf"
    assert model.paths == (FRAGMENT, f"{ETC}/10-x.conf")


def test_parse_unit_without_reset_has_both_commands() -> None:
    assert model_of("[Service]\nExecStart=/bin/a\n", "[Service]\nExecStart=/bin/b\n").commands == ("/bin/a", "/bin/b")


def test_parse_unit_no_command_says_so() -> None:
    model = model_of("[Unit]\nExecStart=/bin/a\n")
    assert (model.commands, model.command_path) == ((), "")


def test_parse_unit_own_dropin_is_left_out_by_path_and_by_header() -> None:
    ours = "[Service]\nExecStart=\nExecStart=/bin/ours\n"
    moved = f"{ETC}/yy-moved.conf"
    files = [(FRAGMENT, "[Service]\nExecStart=/bin/a\n"), (moved, f"{HEADER}\n{ours}"), (OWN, ours)]
    model = parse_unit(files, OWN)
    assert model.commands == ("/bin/a",)
    assert model.paths == (FRAGMENT,)
    assert model.late_overrides == ()


def test_parse_unit_later_override_of_others_is_reported() -> None:
    late = "/run/systemd/system/docker.service.d/zzz.conf"
    files = [
        (FRAGMENT, "[Service]\nExecStart=/bin/a\n"),
        (f"{ETC}/zy.conf", "[Service]\nExecStart=\n"),
        (late, "[Service]\nExecStart=/bin/b\n"),
        (f"{ETC}/zzzz.conf", "[Service]\nRestart=no\n"),
    ]
    assert parse_unit(files, OWN).late_overrides == (late,)


def test_parse_unit_reads_the_other_settings_that_matter() -> None:
    model = model_of(
        "[Unit]\nRequires=docker.socket a.service\nBindsTo=b.service\n[Service]\nProtectHome=Yes\n"
        "EnvironmentFile=-/etc/default/docker\nEnvironmentFile=/etc/100%%/x\nUnsetEnvironment=A B=1\n",
    )
    assert model.requires == ("docker.socket", "a.service", "b.service")
    assert model.protect_home == "yes"
    assert model.environment_files == (
        EnvironmentSource("/etc/default/docker", True),
        EnvironmentSource("/etc/100%/x", False),
    )
    assert model.unset_environment == ("A", "B=1")


def test_parse_unit_environment_lines_are_words() -> None:
    model = model_of('[Service]\nEnvironment=A=x "B=y z" C\nEnvironment="open\nEnvironment=D=50%%\n')
    assert [(item.name, item.value, item.source) for item in model.environment] == [
        ("A", "x", FRAGMENT),
        ("B", "y z", FRAGMENT),
        ("D", "50%", FRAGMENT),
    ]


def test_parse_unit_empty_environment_resets() -> None:
    assert [
        v.name
        for v in model_of("[Service]\nEnvironment=A=1\n", "[Service]\nEnvironment=\nEnvironment=B=1\n").environment
    ] == ["B"]


def test_read_environment_later_files_win_over_earlier_and_over_the_unit() -> None:
    model = model_of(
        "[Service]\nEnvironmentFile=/e/1\nEnvironment=A=unit B=unit\nEnvironmentFile=-/e/*.env\nEnvironmentFile=-/e/none\n"
    )
    texts = {"/e/1": [("/e/1", "A=1\nC=1\n")], "/e/*.env": [("/e/a.env", "A=2\n"), ("/e/b.env", "A=3\n")]}
    found = read_environment(model, texts, {"B": "manager", "D": "manager"})
    assert found["A"] == Variable("A", "3", "/e/b.env")
    assert found["B"] == Variable("B", "unit", FRAGMENT)
    assert found["C"] == Variable("C", "1", "/e/1")
    assert found["D"] == Variable("D", "manager", "systemd's own environment (systemctl show-environment)")


def test_read_environment_unset_takes_names_and_exact_pairs_away() -> None:
    model = model_of("[Service]\nEnvironment=A=1 B=1 C=1\nUnsetEnvironment=A B=1 C=2 D\n")
    assert list(read_environment(model, {})) == ["C"]


def test_read_environment_old_systemd_reads_comments_otherwise() -> None:
    model = model_of("[Service]\nEnvironmentFile=/e\n")
    texts = {"/e": [("/e", "# x \\\nA=1\n")]}
    assert "A" in read_environment(model, texts)
    assert "A" not in read_environment(model, texts, comment_continues=True)


def test_command_variables_are_all_that_the_command_names() -> None:
    model = model_of("[Service]\nExecStart=/bin/$X $A '$B' -H${C}/${D} $$E x$F\n")
    assert command_variables(model) == {"A", "B", "C", "D"}


def test_read_environment_takes_from_process_1_what_the_unit_passes() -> None:
    unit = "[Service]\nPassEnvironment=A B\nPassEnvironment=C\nEnvironment=B=unit\n"
    found = read_environment(
        model_of(unit), {}, {"A": "manager", "D": "manager"}, passed={"A": "1", "B": "1", "C": "1", "E": "1"}
    )
    assert {name: item.value for name, item in found.items()} == {"A": "1", "B": "unit", "C": "1", "D": "manager"}
    assert "PassEnvironment=" in found["A"].source
    assert "systemctl show-environment" in found["D"].source
    reset = read_environment(model_of(unit, "[Service]\nPassEnvironment=\n"), {}, passed={"A": "1"})
    assert "A" not in reset
