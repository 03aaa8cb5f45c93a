# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our reading of unit files is compared with a real systemd: what it has loaded (busctl) and what a started program gets (argv).

Runs where DOCKER_TLS_SYSTEMD_HOSTS names running test hosts (containers of tests/hosts/up.sh), else is skipped:
``DOCKER_TLS_SYSTEMD_HOSTS="host-a host-b" pytest -n 0 …/test_systemd_oracle.py`` (one after the other: they share a unit).
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker import (
    command_line,
    exec_start,
    our_units,
    unit_file,
)
from support.hosts import unit_fixtures

HOSTS = os.environ.get("DOCKER_TLS_SYSTEMD_HOSTS", "").split()
pytestmark = pytest.mark.skipif(not HOSTS, reason="DOCKER_TLS_SYSTEMD_HOSTS names no host")

UNIT = "tls-oracle.service"
FRAGMENT = f"/run/systemd/system/{UNIT}"
PROGRAM = "/opt/tls-oracle/dockerd"
BUSCTL = (
    "busctl --json=short get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/tls_2doracle_2eservice "
    "org.freedesktop.systemd1.Service ExecStart"
)
SHOW_ARGUMENTS = """#!/usr/bin/python3
import json, os, sys
data = [os.fsencode(word).decode("latin-1") for word in sys.argv]
with open("/run/tls-oracle.out", "w") as stream: json.dump(data, stream)
"""
HEAD = "[Service]\nType=oneshot\n"
CASES: dict[str, tuple[list[str], dict[str, str]]] = {
    "plain": ([f"{HEAD}ExecStart={PROGRAM} -H fd:// --containerd=/run/c.sock\n"], {}),
    "continuation": (
        [
            f"{HEAD}ExecStart={PROGRAM} \\\n   --host=fd:// \\\n# comment \\\n  ; another\n  --exec-opt native.x=y \\\n  -D\n"
        ],
        {},
    ),
    "continuation in quotes": ([f"{HEAD}ExecStart={PROGRAM} \"a \\\n    b\" 'c\\\nd' x\n"], {}),
    "escapes": (
        [
            HEAD
            + rf"ExecStart={PROGRAM} "
            + r""""a\"b" 'c\'d' e\x41f g\101h i\u00e9j \s\t\q a\\b "x\qy" \; \e a\ b \xc3\xa9"""
            + "\n"
        ],
        {},
    ),
    "impossible escapes": ([HEAD + rf"ExecStart={PROGRAM} " + r"a\000b \x00 \777 \U00110000 \09 \x4" + "\n"], {}),
    "quotes": ([f'{HEAD}ExecStart={PROGRAM} a"b c"d \'e f\'g "" x""y\n'], {}),
    "percent": ([f'{HEAD}ExecStart={PROGRAM} %% %%n a%%b "50%%"\n'], {}),
    "variables": (
        [
            f'{HEAD}Environment=A=x "B=y z" "C=p \\"q r\\" s" E=\nExecStart={PROGRAM} $A $B ${{B}} $C ${{C}} "$B" $$A $${{A}} '
            'a$A a${A}b $UNSET ${UNSET} a${UNSET}b $E ${E} ${A $ $$ a$$b "$A b"\n'
        ],
        {},
    ),
    "no variables": ([f"{HEAD}Environment=A=x\nExecStart=:{PROGRAM} $A ${{A}} $$\n"], {}),
    "argv0": ([f"{HEAD}ExecStart=@{PROGRAM} dockerd -H fd://\n"], {}),
    "prefixes": ([f"{HEAD}ExecStart=-+{PROGRAM} -H fd://\n"], {}),
    "quoted program": ([f'{HEAD}ExecStart="{PROGRAM}" -H fd://\n'], {}),
    "value split": (
        [f"{HEAD}EnvironmentFile=/run/tls-oracle.d/env\nExecStart={PROGRAM} $O ${{O}}\n"],
        {"/run/tls-oracle.d/env": "O=\"--a 'b c' d\\\\ e \\\"f g\\\" h\\\\n i\\\"j '' 'open\"\n"},
    ),
    "environment file": (
        [
            f"{HEAD}EnvironmentFile=-/run/tls-oracle.d/env\nExecStart={PROGRAM} "
            + " ".join(f"${{{c}}}" for c in "ABCDEFGIJKLMNPQ")
            + "\n"
        ],
        {
            "/run/tls-oracle.d/env": '# c\n; d\nA=plain words here   \nB=\'single \\ $x\'  tail\nC="double \\" \\$ \\n \\\\ \\\nnext" more\n'
            'D=cont\\\n  inued\\ \n export E=bad\nE = spaced \nF=a"b"c\nG=x#y ; z\n1BAD=1\nI=\nJ=  lead\nK=a\\tb\\\\c\n'
            "L='multi\nline'\nM=trail\\ \\ \nN=\"q\"'r'\"s\"\nP=a'b c'd\nnoequals\nQ=last\\"
        },
    ),
    "order of environments": (
        [
            f"{HEAD}EnvironmentFile=/run/tls-oracle.d/env\nEnvironmentFile=-/run/tls-oracle.d/none\nEnvironment=A=unit B=unit\n"
            f"EnvironmentFile=/run/tls-oracle.d/env2\nExecStart={PROGRAM} ${{A}} ${{B}} ${{C}}\n"
        ],
        {"/run/tls-oracle.d/env": "A=1\nC=1\n", "/run/tls-oracle.d/env2": "A=2\n"},
    ),
    "drop-ins": (
        [
            f"{HEAD}ExecStart={PROGRAM} one\n",
            f"[Service]\nExecStart=\nExecStart={PROGRAM} two\n",
            f"[Service]\nExecStart=\nExecStart={PROGRAM} three %%\n",
        ],
        {},
    ),
    "windows lines": ([f"{HEAD}ExecStart={PROGRAM} one two\n".replace("\n", "\r\n")], {}),
    "continuation at the end": ([f"{HEAD}ExecStart={PROGRAM} one \\"], {}),
    "spaces": ([f"  [Service]  \nType = oneshot\n  ExecStart  =   {PROGRAM}   one\ttwo  \n"], {}),
    "backslash and space": ([f"{HEAD}ExecStart={PROGRAM} one \\ \nType=oneshot\n"], {}),
    "two backslashes": ([f"{HEAD}ExecStart={PROGRAM} one\\\\\n"], {}),
    "semicolons": ([f'{HEAD}ExecStart={PROGRAM} ";" a;b ;c\n'], {}),
    "letters": ([f'{HEAD}ExecStart={PROGRAM} é "ü ß"\n'], {}),
}


def run(host: str, script: str, data: str = "") -> str:
    command = ["docker", "exec", "-i", host, "sh", "-c", script]
    return subprocess.run(command, input=data, capture_output=True, text=True, check=True).stdout


class Loaded(t.NamedTuple):
    """A unit as a host's systemd has it."""

    busctl: str
    arguments: list[str]


def load(host: str, files: list[tuple[str, str]], environments: dict[str, str]) -> Loaded:
    """Install the unit's files on the host, load and start it; return what systemd and the program say."""
    run(host, f"rm -rf {FRAGMENT} {FRAGMENT}.d /run/tls-oracle*; mkdir -p {FRAGMENT}.d /opt/tls-oracle")
    run(host, f"cat > {PROGRAM}; chmod 755 {PROGRAM}", SHOW_ARGUMENTS)
    for path, text in [*files, *environments.items()]:
        run(host, f"mkdir -p $(dirname {path}); cat > {path}", text)
    run(host, "systemctl daemon-reload")
    loaded = run(host, BUSCTL)
    run(host, f"systemctl reset-failed {UNIT}; systemctl start {UNIT}")
    got = json.loads(run(host, "cat /run/tls-oracle.out"))
    return Loaded(loaded, [word.encode("latin-1").decode("utf-8", "surrogateescape") for word in got])


def named(texts: list[str]) -> list[tuple[str, str]]:
    """Return the texts with the paths of a unit and its drop-ins."""
    paths = [FRAGMENT, *(f"{FRAGMENT}.d/{number}0-x.conf" for number in range(1, len(texts)))]
    return list(zip(paths, texts))


def understood(
    files: list[tuple[str, str]], environments: dict[str, str]
) -> tuple[unit_file.UnitModel, exec_start.Derivation]:
    model = unit_file.parse_unit(files, "/etc/zz-docker-tls.conf")
    texts = {path: [(path, text)] for path, text in environments.items()}
    return model, exec_start.derive(model, unit_file.read_environment(model, texts), strip=frozenset())


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", CASES)
def test_unit_files_are_read_as_systemd_reads_them(host: str, name: str) -> None:
    texts, environments = CASES[name]
    loaded = load(host, named(texts), environments)
    model, derivation = understood(named(texts), environments)
    assert exec_start.mismatch(model.commands[0], loaded.busctl) == ""
    assert list(derivation.arguments) == loaded.arguments[1:]


@pytest.mark.parametrize("host", HOSTS)
def test_quoted_words_are_read_back_by_systemd(host: str) -> None:
    chosen = random.Random(host)
    alphabet = " \t\n\"'\\%$;{}()[]<>|&*?#~`!-=:@+abzAZ09/.éß漢\x01\x7f"
    texts = ["".join(chosen.choices(alphabet, k=chosen.randrange(0, 14))) for _number in range(1500)]
    texts += ["${HOME}", "$HOME", "%n", "$$", "%%", ";", "\\;", "", " ", "\\", "a\\", "-H", "$", "${", "\\x41", "x\\\n"]
    command = " ".join([PROGRAM, *(command_line.quote_word(text) for text in texts)])
    loaded = load(host, named([f"{HEAD}ExecStart={command}\n"]), {})
    assert loaded.arguments[1:] == texts
    assert exec_start.mismatch(command, loaded.busctl) == ""


def local(text: str) -> str:
    """Return a fixture's text with our program in the place of dockerd, and nothing that the host lacks."""
    text = (
        text.replace("Type=notify", "Type=oneshot")
        .replace("/usr/bin/dockerd", PROGRAM)
        .replace("/usr/sbin/dockerd", PROGRAM)
    )
    kept = [line for line in text.splitlines() if not line.startswith(("Requires=", "ExecStartPre="))]
    moved = [re.sub("^(EnvironmentFile=-?)/", r"\1/run/tls-oracle.d/", line) for line in kept]
    return "\n".join(moved) + "\n"


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", [name for name in unit_fixtures.NAMES if not name.startswith("refused")])
def test_dropins_of_the_fixtures_do_what_they_say(host: str, name: str) -> None:
    model = unit_file.parse_unit(unit_fixtures.unit_files(name), unit_fixtures.OWN_PATH)
    derivation = exec_start.derive(model, unit_fixtures.environment_of(name, model))
    files = [
        (f"{FRAGMENT}.d/{path.rpartition('/')[2]}", local(text)) for path, text in unit_fixtures.unit_files(name)[1:]
    ]
    own = our_units.service_dropin(derivation, after_network=False)
    files += [] if own is None else [(f"{FRAGMENT}.d/{our_units.DROPIN_NAME}", local(own))]
    environments = {
        f"/run/tls-oracle.d{source.pattern}": path.read_text()
        for source in model.environment_files
        for path in [unit_fixtures.ROOT / name / "env" / source.pattern.lstrip("/")]
        if path.exists()
    }
    loaded = load(host, [(FRAGMENT, local(unit_fixtures.unit_files(name)[0][1])), *files], environments)
    assert loaded.arguments[1:] == [word.replace("%n", UNIT) for word in derivation.arguments]
    assert exec_start.mismatch(local(derivation.command).rstrip("\n"), loaded.busctl) == ""
