# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The setups of other tools: recognised, assessed, repaired. Every fixture is made by the recipe itself."""

from __future__ import annotations

import os
import pathlib
import stat
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._adoption import (
    assess,
    effective_settings,
    inspect_host,
    repair,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.exec_start import FlagUse
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import adoption_answer as answers
from support.ca.foreign import Recipe, docker_machine, docker_recipe, endpoint, fact, situation

NOW = datetime.now(timezone.utc) + timedelta(days=1)
UNIT = "/lib/systemd/system/docker.service"


def flags(**values: t.Any) -> list[FlagUse]:
    return [FlagUse(name, value, UNIT, False) for name, value in values.items()]


def live(directory: pathlib.Path, recipe: Recipe, place: str = "/etc/docker") -> list[effective_settings.FileFact]:
    """Return the three files that dockerd reads, with the modes that the recipe's text asks for."""
    server = "server.pem" if "server.pem" in recipe.contents else "server-cert.pem"
    return [
        fact(directory, f"{place}/ca.pem", recipe.contents["ca.pem"], 0o444),
        fact(directory, f"{place}/{server}", recipe.contents[server], 0o444),
        fact(directory, f"{place}/server-key.pem", recipe.contents["server-key.pem"], 0o400),
    ]


def codes(found: assess.Situation) -> dict[str, str]:
    return {one.code: one.severity for one in assess.assess_host(found)}


# --- the effective configuration


def test_read_endpoint_joins_hosts_and_says_where_they_stand() -> None:
    uses = flags(host="fd://")
    found = effective_settings.read_endpoint(uses, {"hosts": ["tcp://0.0.0.0:2375"]}, {}, "/etc/docker/daemon.json")
    assert found.hosts == ("fd://", "tcp://0.0.0.0:2375")
    assert (found.tcp, found.is_open, found.paths) == (("tcp://0.0.0.0:2375",), True, {})
    assert found.where == {"hosts": "/etc/docker/daemon.json"}


@pytest.mark.parametrize(
    ("at", "drop_ins", "layout"),
    [
        (endpoint(), (), "docker-recipe"),
        (endpoint("/var/docker"), (), "docker-recipe"),
        (endpoint(names="docker-machine"), (), "docker-machine"),
        (endpoint(), ("/etc/systemd/system/docker.service.d/10-machine.conf",), "docker-machine"),
        (endpoint(tls=False, verify=False, paths={}), (), "open"),
        (endpoint(verify=False), (), "open"),
        (endpoint(hosts=("fd://",)), (), "local"),
        (
            endpoint(paths={"tlscacert": "/root/.docker/ca.pem", "tlscert": "/root/.docker/cert.pem", "tlskey": "/root/.docker/key.pem"}),
            (),
            "docker-home",
        ),
        (
            endpoint(paths={"tlscacert": "/certs/server/ca.pem", "tlscert": "/certs/server/cert.pem", "tlskey": "/certs/server/key.pem"}),
            (),
            "dind",
        ),
        (endpoint(paths={"tlscacert": "/x/a.crt", "tlscert": "/x/b.crt", "tlskey": "/x/b.key"}), (), "other"),
    ],
)  # fmt: skip
def test_layout_is_recognised(at: effective_settings.Endpoint, drop_ins: tuple[str, ...], layout: str) -> None:
    assert effective_settings.layout_of(at, drop_ins, managed=False) == layout
    assert effective_settings.layout_of(at, drop_ins, managed=True) == "portcullis"


# --- findings


def test_judge_of_dockers_recipe_finds_the_one_authority_and_nothing_worse(tmp_path: pathlib.Path) -> None:
    found = codes(situation(live(tmp_path, docker_recipe()), NOW))
    assert found == {"one-authority-for-both": "warning", "authority-without-key-usage": "warning"}


def test_judge_of_docker_machine_finds_what_python_refuses(tmp_path: pathlib.Path) -> None:
    found = codes(situation(live(tmp_path, docker_machine()), NOW, endpoint(names="docker-machine")))
    refused = {"authority-without-key-usage": "warning", "authority-without-identifier": "warning"}
    assert found == {"one-authority-for-both": "warning", **refused}


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"usages": "serverAuth,clientAuth"}, "server-is-client"), ({"names": False}, "names-missing"), ({"bits": 1024}, "key-weak")],
    ids=["both-usages", "no-names", "weak"],
)  # fmt: skip
def test_judge_of_a_certificate_that_scripts_make_finds_its_fault(
    tmp_path: pathlib.Path, changes: dict[str, t.Any], code: str
) -> None:
    try:
        recipe = docker_recipe(**changes)
    except Exception as error:
        pytest.skip(f"this openssl makes none: {error}")
    assert code in codes(situation(live(tmp_path, recipe), NOW))


@pytest.mark.parametrize(
    ("days", "code", "severity"),
    [(340, "certificate-expires-soon", "warning"), (366, "certificate-expired", "critical")],
)
def test_judge_of_a_certificate_near_and_after_its_end(
    tmp_path: pathlib.Path, days: int, code: str, severity: str
) -> None:
    found = codes(situation(live(tmp_path, docker_recipe()), NOW + timedelta(days=days)))
    assert found[code] == severity
    assert found[code.replace("certificate", "authority")] == severity


def test_judge_of_an_open_port_is_critical() -> None:
    plain = endpoint(hosts=("tcp://0.0.0.0:2375",), tls=False, verify=False, paths={})
    assert codes(situation([], NOW, plain)) == {"port-open": "critical"}
    assert "clients-not-verified" in codes(situation([], NOW, endpoint(verify=False)))


def test_judge_of_a_ca_that_strict_clients_refuse_says_so_and_names_the_way_out(tmp_path: pathlib.Path) -> None:
    found = assess.assess_host(situation(live(tmp_path, docker_recipe()), NOW))
    (one,) = (finding for finding in found if finding.code == "authority-without-key-usage")
    assert "Python from 3.13" in one.message
    assert "rotate_ca" in one.repair


def test_judge_of_a_misspelt_key_says_what_was_meant() -> None:
    found = assess.assess_host(situation([], NOW, endpoint(misspelled=(("tls_verify", "tlsverify"),))))
    (one,) = (finding for finding in found if finding.code == "daemon-json-misspelled")
    assert (one.severity, "tls_verify" in one.message, "tlsverify is probably the intended key" in one.message) == (
        "critical",
        True,
        True,
    )


def test_judge_without_anchors_says_who_gets_in(tmp_path: pathlib.Path) -> None:
    assert codes(situation(live(tmp_path, docker_recipe())[1:], NOW))["anchors-missing"] == "critical"


def test_judge_of_files_that_do_not_last(tmp_path: pathlib.Path) -> None:
    found = situation(live(tmp_path, docker_recipe(), "/tmp/certs"), NOW, endpoint("/tmp/certs"))
    assert "files-not-lasting" in codes(found)


def test_judge_of_a_key_of_another_certificate(tmp_path: pathlib.Path) -> None:
    found = live(tmp_path, docker_recipe())
    found[2] = fact(tmp_path, "/etc/docker/server-key.pem", docker_recipe().contents["key.pem"], 0o400)
    assert codes(situation(found, NOW))["key-mismatch"] == "critical"


def test_judge_of_a_daemon_that_was_not_restarted(tmp_path: pathlib.Path) -> None:
    found = situation(live(tmp_path, docker_recipe()), NOW, served_fingerprint="00")
    assert codes(found)["served-not-stored"] == "warning"


def findings_at(found: assess.Situation, path: str) -> dict[str, assess.Finding]:
    return {one.code: one for one in assess.assess_host(found) if one.path == path}


def test_judge_of_a_key_that_all_can_read_keeps_it_where_dockerd_needs_it(tmp_path: pathlib.Path) -> None:
    found = live(tmp_path, docker_recipe())
    found[2] = fact(tmp_path, "/etc/docker/server-key.pem", docker_recipe().contents["server-key.pem"], 0o644)
    at_key = findings_at(situation(found, NOW), "/etc/docker/server-key.pem")
    assert set(at_key) == {"key-readable"}
    assert (at_key["key-readable"].severity, at_key["key-readable"].action) == ("critical", "mode")


@pytest.mark.parametrize(
    ("recipe", "path", "name", "code", "severity"),
    [
        ("recipe", "/etc/docker/ca-key.pem", "ca-key.pem", "authority-key-on-host", "warning"),
        ("machine", "/root/.docker/machine/certs/ca-key.pem", "ca-key.pem", "authority-key-on-host", "critical"),
        ("machine", "/tmp/ca-key.pem", "ca-key.pem", "key-left-behind", "critical"),
        ("recipe", "/root/server-key.pem", "server-key.pem", "key-left-behind", "warning"),
        ("recipe", "/home/alice/key.pem", "key.pem", "key-left-behind", "warning"),
        ("recipe", "/tmp/ansible.xyz/key.pem", "key.pem", "key-left-behind", "critical"),
    ],
)  # fmt: skip
def test_judge_of_keys_left_where_they_were_made_moves_them(
    tmp_path: pathlib.Path, recipe: str, path: str, name: str, code: str, severity: str
) -> None:
    made = docker_recipe() if recipe == "recipe" else docker_machine()
    beside = os.path.dirname(path)
    more = [
        fact(tmp_path, path, made.contents[name], 0o600),
        fact(tmp_path, f"{beside}/cert.pem", made.contents["cert.pem"], 0o444),
        fact(tmp_path, f"{beside}/ca-copy.pem", made.contents["ca.pem"], 0o444),
    ]
    names = "docker-machine" if recipe == "machine" else "docker-recipe"
    found = situation([*live(tmp_path, made), *more], NOW, endpoint(names=names))
    assert {one: (f.severity, f.action) for one, f in findings_at(found, path).items()} == {code: (severity, "move")}


def test_judge_leaves_a_clients_key_in_its_place_and_strangers_keys_alone(tmp_path: pathlib.Path) -> None:
    made = docker_recipe()
    more = [
        fact(tmp_path, "/root/.docker/key.pem", made.contents["key.pem"], 0o600),
        fact(tmp_path, "/root/.docker/cert.pem", made.contents["cert.pem"], 0o444),
        fact(tmp_path, "/tmp/web.key", docker_machine().contents["server-key.pem"], 0o644),
    ]
    found = situation([*live(tmp_path, made), *more], NOW)
    assert findings_at(found, "/root/.docker/key.pem") == {}
    assert findings_at(found, "/tmp/web.key") == {}


def test_judge_on_the_ca_host_accepts_the_authoritys_key_of_the_collection(tmp_path: pathlib.Path) -> None:
    made = docker_machine()
    ours = fact(tmp_path, "/etc/docker/ca/authorities/server-g1/key.pem", made.contents["ca-key.pem"], 0o600)
    found = situation(
        [*live(tmp_path, made), ours], NOW, endpoint(names="docker-machine"), ours=("/etc/docker/ca/",), is_ca_host=True
    )
    assert findings_at(found, ours.path) == {}


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        (assess.Unit(UNIT, "docker.io", True, "apt-get install --reinstall docker.io"), "unit-edited"),
        (assess.Unit("/etc/systemd/system/docker.service", packaged_path=UNIT), "unit-replaced"),
    ],
)
def test_judge_of_a_unit_that_was_changed(tmp_path: pathlib.Path, unit: assess.Unit, code: str) -> None:
    assert code in codes(situation(live(tmp_path, docker_recipe()), NOW, unit=unit))


# --- package managers


DPKG = "??5??????   /lib/systemd/system/docker.service\n"


@pytest.mark.parametrize(
    ("path", "owner", "verified", "changed"),
    [
        ("/lib/systemd/system/docker.service", "/lib/systemd/system/docker.service", DPKG, True),
        ("/usr/lib/systemd/system/docker.service", "/lib/systemd/system/docker.service", DPKG, True),
        (
            "/usr/lib/systemd/system/docker.service",
            "/usr/lib/systemd/system/docker.service",
            "??5?????? c /etc/init.d/docker\n",
            False,
        ),
    ],
)
def test_unit_of_asks_dpkg_by_either_name(
    monkeypatch: pytest.MonkeyPatch, path: str, owner: str, verified: str, changed: bool
) -> None:
    monkeypatch.setattr(inspect_host.shutil, "which", lambda name: name if name == "dpkg" else None)

    def run(command: t.Sequence[str]) -> tuple[int, str]:
        if command[1] == "-S":
            return (0, f"docker.io: {owner}\n") if command[2] == owner else (1, "")
        return (0, f"{'0' * 32}  {owner[1:]}\n") if command[0] == "dpkg-query" else (2, verified)

    found = inspect_host.unit_of(path, run)
    assert (found.package, found.changed) == ("docker.io", changed)
    assert "docker.io" in found.reinstall


def test_unit_of_asks_rpm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_host.shutil, "which", lambda name: name if name == "rpm" else None)
    answers = {"-qf": (0, "moby-engine"), "-Vf": (1, "S.5....T.    /usr/lib/systemd/system/docker.service\n")}
    found = inspect_host.unit_of("/usr/lib/systemd/system/docker.service", lambda command: answers[command[1]])
    assert (found.package, found.changed, found.reinstall) == ("moby-engine", True, "dnf reinstall moby-engine")
    assert inspect_host.unit_of("/etc/systemd/system/docker.service").changed is None


# --- files and repairs, on disk


@pytest.fixture
def host(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory with what Docker's recipe leaves: everything in one place, readable as the umask has it."""
    for name, data in docker_recipe().contents.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o644)
    (tmp_path / "notes.txt").write_text("no certificate")
    (tmp_path / "empty.pem").write_text("")
    os.mkfifo(tmp_path / "pipe.pem")
    return tmp_path


def test_search_finds_certificates_and_keys_and_never_waits(host: pathlib.Path) -> None:
    found = effective_settings.search([str(host / "ca.pem")], [])
    assert [os.path.basename(one.path) for one in found] == sorted(docker_recipe().contents)
    by_name = {os.path.basename(one.path): one for one in found}
    assert by_name["ca-key.pem"].key == effective_settings.KeyFact(True, "", "")
    assert by_name["server-key.pem"].key is not None
    assert (
        by_name["server-key.pem"].key.fingerprint == by_name["server-cert.pem"].certificates[0].public_key_fingerprint
    )


def on_disk(host: pathlib.Path) -> assess.Situation:
    return situation(effective_settings.search([], [str(host)]), NOW, endpoint(str(host)))


def test_repair_closes_keys_and_moves_those_that_nobody_uses(host: pathlib.Path, tmp_path: pathlib.Path) -> None:
    before = {path.name: path.read_bytes() for path in host.iterdir() if path.is_file()}
    quarantine = str(tmp_path / "state/adopted")
    repairs = repair.plan(assess.assess_host(on_disk(host)), ["modes", "stray_keys"], quarantine)
    assert {os.path.basename(one.path) for one in repairs} == {"ca-key.pem", "server-key.pem", "key.pem"}
    repair.carry_out(repairs, quarantine)
    assert not (host / "ca-key.pem").exists()
    assert stat.S_IMODE((host / "server-key.pem").stat().st_mode) == 0o600
    moved = {path.name.rpartition("%2f")[2]: path for path in pathlib.Path(quarantine).iterdir()}
    assert {name: path.read_bytes() for name, path in moved.items()} == {
        name: before[name] for name in ("ca-key.pem", "key.pem")
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in moved.values()} == {0o400}
    assert stat.S_IMODE(os.stat(quarantine).st_mode) == 0o700
    assert repair.plan(assess.assess_host(on_disk(host)), ["modes", "stray_keys"], quarantine) == ()


def test_repair_of_modes_alone_moves_nothing(host: pathlib.Path) -> None:
    repairs = repair.plan(assess.assess_host(on_disk(host)), ["modes"], "/var/lib/docker-tls/adopted")
    repair.carry_out(repairs, "/var/lib/docker-tls/adopted")
    assert {path.name for path in host.glob("*.pem")} > {"ca-key.pem", "key.pem", "server-key.pem"}
    for name in ("ca-key.pem", "key.pem", "server-key.pem"):
        assert stat.S_IMODE((host / name).stat().st_mode) == 0o600


def test_repair_of_a_file_that_was_replaced_by_a_link_is_refused(host: pathlib.Path, tmp_path: pathlib.Path) -> None:
    repairs = repair.plan(assess.assess_host(on_disk(host)), ["stray_keys"], str(tmp_path / "adopted"))
    (host / "key.pem").rename(host / "elsewhere")
    (host / "key.pem").symlink_to(host / "elsewhere")
    with pytest.raises(TlsError) as caught:
        repair.carry_out([one for one in repairs if one.path.endswith("/key.pem")], str(tmp_path / "adopted"))
    assert caught.value.code == "file-changed"


def test_repair_keeps_two_keys_of_one_name_apart(tmp_path: pathlib.Path) -> None:
    quarantine = str(tmp_path / "adopted")
    for content in (docker_recipe().contents["key.pem"], docker_machine().contents["key.pem"]):
        (tmp_path / "key.pem").write_bytes(content)
        repair.carry_out([repair.Repair("key-left-behind", str(tmp_path / "key.pem"), f"{quarantine}/k")], quarantine)
    assert sorted(os.listdir(quarantine)) == ["k", "k.2"]


# --- the report


def test_report_names_the_authority_its_keys_and_the_certificates_but_never_a_key(host: pathlib.Path) -> None:
    found = on_disk(host)
    told = inspect_host.report(inspect_host.Inspection(found, "docker-recipe", assess.assess_host(found)))
    assert "PRIVATE KEY" not in str(told)
    (authority,) = told["authorities"]
    assert authority["signs"] == ["server", "clients"]
    assert authority["keys"] == [{"path": str(host / "ca-key.pem"), "encrypted": True}]
    assert answers.fingerprint(authority["certificate_content"]) == authority["fingerprint_sha256"]
    assert answers.problem(told) == ""
    assert {os.path.basename(one["source"]) for one in told["certificates"]} == {"cert.pem", "server-cert.pem"}


def test_search_looks_beside_above_and_below_what_daemon_json_names(tmp_path: pathlib.Path) -> None:
    """A link to the certificate is followed, and its own directory is searched too."""
    named, kept = tmp_path / "a/docker/tls", tmp_path / "b/pki"
    for directory in (named / "private", kept):
        directory.mkdir(parents=True)
    key = docker_recipe(encrypted=False).contents["ca-key.pem"]
    (kept / "ca.pem").write_bytes(docker_recipe(encrypted=False).contents["ca.pem"])
    (named / "ca.pem").symlink_to(kept / "ca.pem")
    wanted = [named / "ca-key.pem", named / "private/ca.key", named.parent / "ca-key.pem", kept / "cakey"]
    for path in wanted:
        path.write_bytes(key)
    found = {one.path for one in effective_settings.search([str(named / "ca.pem")], [])}
    assert {str(path) for path in wanted} <= found
