# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of rotate_ca.yml on this machine. The fleet has bundles only, so no dockerd is needed."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import re
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout as ca_directory
from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import stages as ca_generations
from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE, PASSPHRASE_TEXT, call_context, ensure, spec, tree

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[2] / "playbooks"
GROUPS = {"docker_ca_access_groups": ["clients", "ops"]}
CLIENTS = {"docker_client_cert_clients": [{"name": "alice"}, {"name": "olga", "group": "ops"}]}


class Run(t.NamedTuple):
    """What a run said."""

    code: int
    output: str

    @property
    def flat(self) -> str:
        return " ".join(self.output.split())

    @property
    def changed_nothing(self) -> bool:
        return self.code == 0 and not re.search(r"changed=[1-9]", self.output)


def ca_of(directory: pathlib.Path) -> pathlib.Path:
    return directory / "ca"


def play(directory: pathlib.Path, playbook: str, passphrase: str = PASSPHRASE_TEXT, **variables: t.Any) -> Run:
    (directory / "inventory").write_text(f"localhost {playbook_runs.LOCAL}\n")
    quiet = "interpreter_python = auto_silent\n"
    settings = {
        **playbook_runs.environment(directory, directory, directory, configuration=quiet),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "LC_ALL": "C.UTF-8",
        "CA_PASSPHRASE": passphrase,
    }
    given = {
        "docker_ca_path": str(ca_of(directory)),
        "docker_client_cert_ca_path": str(ca_of(directory)),
        "docker_client_cert_path": str(directory / "bundles"),
        "docker_ca_passphrase": "{{ lookup('ansible.builtin.env', 'CA_PASSPHRASE') }}",
        **GROUPS,
        **CLIENTS,
        **variables,
    }
    inventory = str(directory / "inventory")
    command = [playbook_runs.PLAYBOOK, "-i", inventory, str(PLAYBOOKS / playbook), "-e", json.dumps(given)]
    done = playbook_runs.run(command, settings, directory)
    assert "Traceback" not in done.stdout + done.stderr
    assert passphrase not in done.stdout + done.stderr
    return Run(done.returncode, done.stdout + done.stderr)


def site(directory: pathlib.Path, **variables: t.Any) -> Run:
    return play(directory, "site.yml", **variables)


def rotate(directory: pathlib.Path, authority: str, *, execute: bool = True, **variables: t.Any) -> Run:
    return play(
        directory, "rotate_ca.yml", docker_rotate_ca_authority=authority, docker_rotate_ca_execute=execute, **variables
    )


def generations(directory: pathlib.Path) -> list[str]:
    return sorted(one.name for one in (ca_of(directory) / "authorities").iterdir())


def names_in(path: pathlib.Path) -> list[str]:
    """Return issuer of a certificate file's first certificate, or the names of a bundle of authorities."""
    found = x509.load_pem_x509_certificates(path.read_bytes())
    return [one.issuer.rfc4514_string().partition("OU=")[2].partition(",")[0] for one in found]


def bundle(directory: pathlib.Path, client: str) -> dict[str, list[str]]:
    place = directory / "bundles" / client
    return {name: names_in(place / name) for name in ("ca.pem", "cert.pem")}


@pytest.mark.parametrize("name", ["docker_rotate_ca_execute", "docker_rotate_ca_force_retire"])
def test_variable_that_is_neither_true_nor_false_is_refused_before_anything_is_read(
    tmp_path: pathlib.Path, name: str
) -> None:
    run = play(tmp_path, "rotate_ca.yml", docker_rotate_ca_authority="server", **{name: "maybe"})
    assert run.code == 2 and f"{name} is 'maybe', which is neither true nor false" in run.flat, run.output
    assert not ca_of(tmp_path).exists()


def test_all_authorities_are_replaced_in_one_run_and_the_second_changes_nothing(tmp_path: pathlib.Path) -> None:
    assert site(tmp_path).code == 0
    planned = rotate(tmp_path, "all", execute=False)
    assert planned.changed_nothing, planned.output
    for name in ("server", "clients", "ops"):
        assert f"Rotation of the authority {name}: {name}-g1 (issuing)" in planned.output
    assert planned.output.count("Nothing has been changed") == 1
    run = rotate(tmp_path, "all")
    assert run.code == 0, run.output
    assert "Nothing to do" not in run.output and run.output.count("Complete: ") == 3
    assert generations(tmp_path) == ["clients-g2", "ops-g2", "server-g2"]
    assert bundle(tmp_path, "alice") == {"ca.pem": ["server-g2"], "cert.pem": ["clients-g2"]}
    assert bundle(tmp_path, "olga") == {"ca.pem": ["server-g2"], "cert.pem": ["ops-g2"]}
    again = rotate(tmp_path, "all")
    assert again.changed_nothing, again.output
    assert again.output.count("Complete: ") == 3
    assert site(tmp_path).changed_nothing


@pytest.mark.parametrize("authority", ["clients", "all"])
def test_expired_authorities_are_replaced(tmp_path: pathlib.Path, authority: str) -> None:
    before = datetime.now(timezone.utc) - timedelta(days=40)
    names = ("server", "clients", "ops")
    short = [name for name in names if authority in (name, "all")]
    wanted = [spec(name, validity=timedelta(days=30 if name in short else 1825)) for name in names]
    ensure(ca_of(tmp_path), wanted=wanted, now=before)
    refused = site(tmp_path)
    assert refused.code != 0
    assert f"the authority {short[0]}-g1 expired at" in refused.flat
    assert f"docker_rotate_ca_authority={short[0]}" in refused.flat
    run = rotate(tmp_path, authority)
    assert run.code == 0, run.output
    assert "has expired, and with it everything that it signed" in run.output
    assert generations(tmp_path) == sorted(f"{name}-g{2 if name in short else 1}" for name in names)
    done = site(tmp_path)
    assert done.code == 0, done.output
    assert bundle(tmp_path, "alice") == {
        "ca.pem": [f"server-g{2 if 'server' in short else 1}"],
        "cert.pem": [f"clients-g{2 if 'clients' in short else 1}"],
    }


def test_wrong_passphrase_in_the_middle_changes_nothing_and_the_right_one_goes_on(tmp_path: pathlib.Path) -> None:
    assert site(tmp_path).code == 0
    place = ca_directory.ca_directory(str(ca_of(tmp_path)))
    now = datetime.now(timezone.utc)
    ca_generations.change(place, spec("server"), "accepted", PASSPHRASE, call_context(now), predict=False)
    assert site(tmp_path).code == 0  # everybody trusts both: what comes next is that the new one signs
    before = tree(ca_of(tmp_path)), tree(tmp_path / "bundles")
    wrong = rotate(tmp_path, "server", passphrase="a wrong passphrase, really")
    assert wrong.code != 0
    assert "Phase 2 of 3, reissue" in wrong.output
    assert "the key of the authority server-g1" in wrong.flat and "passphrase" in wrong.flat
    assert (tree(ca_of(tmp_path)), tree(tmp_path / "bundles")) == before
    right = rotate(tmp_path, "server")
    assert right.code == 0, right.output
    assert generations(tmp_path) == ["clients-g1", "ops-g1", "server-g2"]


def test_tampered_ledger_in_the_middle_is_named_by_its_line(tmp_path: pathlib.Path) -> None:
    assert site(tmp_path).code == 0
    path = ca_of(tmp_path) / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0].replace(b"Docker CA", b"Docker Ca"), *lines[1:]]))
    before = tree(ca_of(tmp_path))
    run = rotate(tmp_path, "server")
    assert run.code != 0
    assert "line 2 does not follow from line 1" in run.flat
    assert tree(ca_of(tmp_path)) == before


BAD = {
    "unknown": (
        {"docker_rotate_ca_authority": "opz"},
        "there is no authority 'opz' in the CA; there are: clients, ops, server",
    ),
    "host-admits-unknown-group": ({"docker_ca_access_groups": ["clients"]}, "which docker_ca_access_groups"),
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    directory = tmp_path_factory.mktemp("fleet")
    assert site(directory).code == 0
    return directory


@pytest.mark.parametrize(("variables", "message"), BAD.values(), ids=BAD)
def test_bad_input_of_a_rotation_is_one_message_and_changes_nothing(
    fleet: pathlib.Path, variables: dict[str, t.Any], message: str
) -> None:
    before = tree(ca_of(fleet))
    run = play(
        fleet,
        "rotate_ca.yml",
        **{"docker_rotate_ca_authority": "server", "docker_rotate_ca_execute": True, **variables},
    )
    assert run.code != 0
    assert message in run.flat, run.output
    assert tree(ca_of(fleet)) == before


def test_two_operators_rotate_at_once_and_one_new_generation_comes_of_it(tmp_path: pathlib.Path) -> None:
    assert site(tmp_path).code == 0
    shared = {"docker_ca_path": str(ca_of(tmp_path)), "docker_client_cert_ca_path": str(ca_of(tmp_path))}
    shared["docker_client_cert_path"] = str(tmp_path / "bundles")
    desks = [tmp_path / name for name in ("ann", "ben")]
    for desk in desks:
        desk.mkdir()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda desk: rotate(desk, "server", **shared), desks))
    assert [run.code for run in runs] == [0, 0], "\n".join(run.output for run in runs)
    assert generations(tmp_path) == ["clients-g1", "ops-g1", "server-g2"]
    assert bundle(tmp_path, "alice") == {"ca.pem": ["server-g2"], "cert.pem": ["clients-g1"]}
    assert site(tmp_path).changed_nothing


def test_rotation_stops_with_a_code_and_a_hint_before_a_client_is_locked_out(tmp_path: pathlib.Path) -> None:
    both = [{"name": "alice"}, {"name": "bob"}]
    assert site(tmp_path, docker_client_cert_clients=both).code == 0
    only_alice = {"docker_client_cert_clients": both[:1]}
    run = rotate(tmp_path, "clients", **only_alice)
    assert run.code != 0
    assert "the phase retire of the rotation of clients must not begin" in run.flat, run.output
    assert "the certificate of bob from clients-g1 is valid until" in run.flat
    assert "-e docker_rotate_ca_force_retire=true" in run.flat and "rotation-blocked" in run.flat
    assert generations(tmp_path) == ["clients-g1", "clients-g2", "ops-g1", "server-g1"]
    forced = rotate(tmp_path, "clients", docker_rotate_ca_force_retire=True, **only_alice)
    assert forced.code == 0, forced.output
    assert generations(tmp_path) == ["clients-g2", "ops-g1", "server-g1"]


def test_rotation_stops_where_it_is_told_and_continues_later(tmp_path: pathlib.Path) -> None:
    """Copies of bundles that the inventory does not know are made by hand between two phases."""
    assert site(tmp_path).code == 0
    wrong = rotate(tmp_path, "all", docker_rotate_ca_stop_after="issue")
    assert (
        wrong.code == 2 and "docker_rotate_ca_stop_after is 'issue'. Write one of trust, reissue, retire" in wrong.flat
    )
    run = rotate(tmp_path, "all", docker_rotate_ca_stop_after="trust")
    assert run.code == 0, run.output
    assert "Stopped before the phase reissue, because docker_rotate_ca_stop_after is trust" in run.output
    assert "copy the bundles of alice, olga to where they are used" in run.output
    assert "with -e docker_rotate_ca_stop_after=reissue, or without it, to continue with reissue" in run.output
    both = ["server-g2", "server-g1"]  # the newest first
    assert bundle(tmp_path, "alice") == {"ca.pem": both, "cert.pem": ["clients-g1"]}
    again = rotate(tmp_path, "all", docker_rotate_ca_stop_after="trust")
    assert again.changed_nothing and "Stopped before the phase reissue" in again.output, again.output
    assert site(tmp_path).changed_nothing
    run = rotate(tmp_path, "all", docker_rotate_ca_stop_after="reissue")
    assert run.code == 0, run.output
    assert "Stopped before the phase retire" in run.output and "they have new certificates now" in run.output
    assert "run the same command without it, to continue with retire" in run.output
    assert bundle(tmp_path, "olga") == {"ca.pem": both, "cert.pem": ["ops-g2"]}
    run = rotate(tmp_path, "all")
    assert run.code == 0 and run.output.count("Complete: ") == 3, run.output
    assert generations(tmp_path) == ["clients-g2", "ops-g2", "server-g2"]


@pytest.mark.parametrize(
    ("playbook", "code"), [("rotate_ca.yml", "rotation-authority-missing"), ("restore_ca.yml", "archive-not-named")]
)
def test_playbook_that_lacks_its_variable_stops_before_anything_is_touched(
    tmp_path: pathlib.Path, playbook: str, code: str
) -> None:
    run = play(tmp_path, playbook)
    assert run.code != 0
    assert code in run.flat and '"hint": ""' not in run.flat, run.output
    assert not ca_of(tmp_path).exists()
