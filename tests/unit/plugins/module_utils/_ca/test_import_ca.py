# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""CAs of others taken in: the same certificate, our encryption, and everything that they signed continues to work."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import typing as t
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from test_crash import Death, ended, in_child

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import (
    import_ca,
    import_certificates,
    layout,
    ledger,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import reader
from support.ca.ca_directory import PASSPHRASE, call_context, client_request, ensure, request, rules, sign, tree
from support.ca.certificates import authority, leaf
from support.ca.foreign import OLD_PASSPHRASE, Recipe, docker_machine, docker_recipe

NOW = datetime.now(timezone.utc) + timedelta(days=1)
BOTH = ("server", "clients")


def foreign(recipe: Recipe, *names: str, passphrase: str = "") -> import_ca.Foreign:
    return import_ca.Foreign(
        names or BOTH, recipe.text("ca.pem"), recipe.text("ca-key.pem"), passphrase, "web1:/root/ca.pem"
    )


def of_recipe() -> import_ca.Foreign:
    return foreign(docker_recipe(), passphrase=OLD_PASSPHRASE)


def of_machine() -> import_ca.Foreign:
    return foreign(docker_machine())


def take_in(
    path: pathlib.Path, what: import_ca.Foreign, *, predict: bool = False, now: datetime = NOW
) -> import_ca.Adopted:
    return import_ca.adopt(layout.ca_directory(str(path)), what, PASSPHRASE, call_context(now), predict=predict)


@pytest.mark.parametrize("what", [of_recipe, of_machine], ids=["docker-recipe", "docker-machine"])
def test_adopt_takes_a_ca_in_for_both_purposes_and_signs_what_its_clients_accept(
    tmp_path: pathlib.Path, what: t.Callable[[], import_ca.Foreign]
) -> None:
    given = what()
    done = take_in(tmp_path / "ca", given)
    assert (done.ids, done.reasons) == (("server-g1", "clients-g1"), ("authority-adopted",))
    assert any(warning.startswith("authority-of-both") for warning in done.warnings)
    assert any(warning.startswith("authority-without-key-usage") for warning in done.warnings)
    assert ensure(tmp_path / "ca", "clients", now=NOW).reasons == ()
    (tmp_path / "ca.pem").write_text(given.certificate)
    signed = sign(tmp_path / "ca", request(validity="30d"), client_request(validity="30d"), now=NOW).signed
    for name, purpose in (("web1", "sslserver"), ("alice", "sslclient")):
        (tmp_path / "leaf.pem").write_text(signed[name].certificate_content)
        later = ["-attime", str(int((NOW + timedelta(hours=1)).timestamp()))]
        command = [
            "openssl",
            "verify",
            "-purpose",
            purpose,
            *later,
            "-CAfile",
            tmp_path / "ca.pem",
            tmp_path / "leaf.pem",
        ]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_adopt_encrypts_the_key_with_our_passphrase_and_records_where_it_came_from(tmp_path: pathlib.Path) -> None:
    take_in(tmp_path / "ca", of_recipe())
    for name in BOTH:
        key = tmp_path / f"ca/authorities/{name}-g1/key.pem"
        assert b"ENCRYPTED PRIVATE KEY" in key.read_bytes()
        for passphrase, status in ((PASSPHRASE.decode(), 0), (OLD_PASSPHRASE, 1)):
            command = ["openssl", "pkey", "-in", key, "-passin", "stdin", "-noout"]
            done = subprocess.run(command, input=f"{passphrase}\n", text=True, capture_output=True, check=False)
            assert done.returncode == status
    entries = list(ledger.entries(layout.ca_directory(str(tmp_path / "ca"))))
    assert [(entry["event"], entry["authority"], entry["source"]) for entry in entries] == [
        ("authority-adopted", "server-g1", "web1:/root/ca.pem"),
        ("authority-adopted", "clients-g1", "web1:/root/ca.pem"),
    ]


def test_adopt_on_the_second_run_changes_nothing(tmp_path: pathlib.Path) -> None:
    take_in(tmp_path / "ca", of_recipe())
    before = tree(tmp_path)
    done = take_in(tmp_path / "ca", of_recipe())
    assert (done.ids, done.reasons) == ((), ())
    assert tree(tmp_path) == before


@pytest.mark.parametrize("predict", [False, True])
def test_adopt_on_the_second_run_needs_no_key_any_more(tmp_path: pathlib.Path, predict: bool) -> None:
    """docker_adopt_repair: stray_keys has moved it away."""
    take_in(tmp_path / "ca", of_recipe())
    before = tree(tmp_path / "ca")
    again = take_in(tmp_path / "ca", replace(of_recipe(), key=""), predict=predict)
    assert (again.ids, again.reasons) == ((), ())
    assert tree(tmp_path / "ca") == before


@pytest.mark.parametrize("adopted", [(), ("server",)])
@pytest.mark.parametrize("predict", [False, True])
def test_adopt_without_a_key_of_what_is_not_adopted_yet_is_refused(
    tmp_path: pathlib.Path, adopted: tuple[str, ...], predict: bool
) -> None:
    if adopted:
        take_in(tmp_path / "ca", replace(of_recipe(), names=adopted))
    with pytest.raises(TlsError) as caught:
        take_in(tmp_path / "ca", replace(of_recipe(), key=""), predict=predict)
    assert caught.value.code == "key-missing"
    assert "clients yet" in caught.value.message


def test_adopt_in_a_prediction_verifies_and_writes_nothing(tmp_path: pathlib.Path) -> None:
    done = take_in(tmp_path / "ca", of_recipe(), predict=True)
    assert (done.ids, done.reasons) == (("server-g1", "clients-g1"), ("authority-adopted",))
    with pytest.raises(TlsError):
        take_in(tmp_path / "ca", replace(of_recipe(), key_passphrase="wrong"), predict=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spell", [str, str.upper, lambda text: ":".join(text[i : i + 2] for i in range(0, 64, 2))])
def test_adopt_of_the_ca_that_is_expected_takes_it_in(tmp_path: pathlib.Path, spell: t.Callable[[str], str]) -> None:
    what = of_recipe()
    expected = reader.view_certificate(reader.load_certificate(what.certificate, "it")).fingerprint_sha256
    assert take_in(tmp_path / "ca", replace(what, fingerprint=spell(expected))).ids


@pytest.mark.parametrize(("given", "code"), [("ab" * 32, "authority-unexpected"), ("ab", "fingerprint-invalid")])
@pytest.mark.parametrize("predict", [False, True])
def test_adopt_of_another_ca_than_is_expected_is_refused(
    tmp_path: pathlib.Path, given: str, code: str, predict: bool
) -> None:
    what = replace(of_recipe(), fingerprint=given)
    with pytest.raises(TlsError) as caught:
        take_in(tmp_path / "ca", what, predict=predict)
    assert caught.value.code == code
    assert given in caught.value.message
    assert not (tmp_path / "ca").exists()


def test_adopt_for_one_purpose_lets_the_other_be_made(tmp_path: pathlib.Path) -> None:
    done = take_in(tmp_path / "ca", replace(of_machine(), names=("server",)))
    assert done.ids == ("server-g1",)
    assert not any(warning.startswith("authority-of-both") for warning in done.warnings)
    outcome = ensure(tmp_path / "ca", "clients", now=NOW)
    assert [one.name for one in outcome.missing] == ["clients"]
    assert not any("authority-differs" in warning for warning in outcome.warnings)


def test_adopt_over_another_authority_is_refused(tmp_path: pathlib.Path) -> None:
    ensure(tmp_path / "ca", "clients", now=NOW)
    before = tree(tmp_path)
    with pytest.raises(TlsError) as caught:
        take_in(tmp_path / "ca", of_machine())
    assert caught.value.code == "authority-exists"
    assert tree(tmp_path) == before


def test_adopt_with_another_passphrase_than_the_ca_has_is_refused(tmp_path: pathlib.Path) -> None:
    take_in(tmp_path / "ca", replace(of_machine(), names=("server",)))
    before = tree(tmp_path)
    with pytest.raises(TlsError) as caught:
        import_ca.adopt(
            layout.ca_directory(str(tmp_path / "ca")),
            of_machine(),
            b"another unusual one",
            call_context(NOW),
            predict=False,
        )
    assert caught.value.code == "passphrase-wrong"
    assert tree(tmp_path) == before


def unfit(kind: str) -> import_ca.Foreign:
    recipe, machine = docker_recipe(), docker_machine()
    purpose = authority("server", "rsa-2048")
    return (
        {
            "no-certificate": replace(of_machine(), certificate="nothing"),
            "leaf": replace(of_machine(), certificate=machine.text("server.pem"), key=machine.text("server-key.pem")),
            "other-key": replace(of_machine(), key=machine.text("key.pem")),
            "no-key": replace(of_machine(), key=machine.text("ca.pem")),
            "passphrase-missing": foreign(recipe),
            "passphrase-wrong": foreign(recipe, passphrase="hullo"),
            "passphrase-needless": foreign(machine, passphrase="hello"),
            "purpose": import_ca.Foreign(BOTH, purpose.pem, purpose.key_pem.decode()),
            "no-names": replace(of_machine(), names=()),
        }[kind]
        if kind != "no-names"
        else import_ca.Foreign((), "", "")
    )


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("no-certificate", "certificate-unreadable"),
        ("leaf", "authority-unsuitable"),
        ("other-key", "key-mismatch"),
        ("no-key", "key-unreadable"),
        ("passphrase-missing", "passphrase-missing"),
        ("passphrase-wrong", "passphrase-wrong"),
        ("passphrase-needless", "key-not-encrypted"),
        ("purpose", "authority-unsuitable"),
        ("no-names", "group-name-invalid"),
    ],
)
def test_adopt_of_what_cannot_be_continued_with_says_why(tmp_path: pathlib.Path, kind: str, code: str) -> None:
    given = unfit(kind)
    with pytest.raises(TlsError) as caught:
        take_in(tmp_path / "ca", given)
    assert caught.value.code == code
    assert caught.value.hint or code == "certificate-unreadable"
    assert "hullo" not in f"{caught.value.message}{caught.value.hint}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("days", "code"), [(-3, "authority-not-yet-valid"), (400, "authority-expired")])
def test_adopt_outside_the_life_of_a_ca_is_refused(tmp_path: pathlib.Path, days: int, code: str) -> None:
    with pytest.raises(TlsError) as caught:
        take_in(tmp_path / "ca", of_recipe(), now=NOW + timedelta(days=days))
    assert caught.value.code == code


def test_sign_with_an_adopted_ca_ends_no_later_than_it(tmp_path: pathlib.Path) -> None:
    """Docker's recipe gives its CA one year: with our default of 365 days nothing could be signed otherwise."""
    done = take_in(tmp_path / "ca", of_recipe())
    signed = sign(tmp_path / "ca", request(), now=NOW).signed["web1"]
    assert signed.view is not None
    assert signed.view.not_after == done.view.not_after


def test_sign_of_an_expired_client_works_right_after_the_ca_was_made(tmp_path: pathlib.Path) -> None:
    begun = of_recipe()
    start = import_ca.check_foreign(begun, BOTH, NOW)[0]
    moment = import_ca.reader.view_certificate(start).not_before + timedelta(seconds=5)
    take_in(tmp_path / "ca", begun, now=moment)
    view = sign(tmp_path / "ca", client_request(expired=True), now=moment).signed["alice"].view
    assert view is not None
    assert view.not_before < view.not_after < moment


def test_record_of_an_adopted_cas_leafs(tmp_path: pathlib.Path) -> None:
    recipe = docker_recipe()
    take_in(tmp_path / "ca", of_recipe())
    place = layout.ca_directory(str(tmp_path / "ca"))
    found = [
        import_certificates.Found(recipe.text(name), "web1", f"/etc/docker/{name}")
        for name in ("server-cert.pem", "cert.pem")
    ]
    stranger = leaf(authority())
    done = import_certificates.record(
        place, [*found, import_certificates.Found(stranger.pem)], "adopted", call_context(NOW), predict=False
    )
    assert [(one["event"], one["profile"]) for one in done.entries] == [
        ("leaf-adopted", "server"),
        ("leaf-adopted", "client"),
    ]
    assert len(done.foreign) == 1
    assert done.reasons == ("certificates-adopted",)


def holding(tmp_path: pathlib.Path, *requesters: str) -> tuple[pathlib.Path, str]:
    """A CA whose ledger has an old server certificate that these hosts have shown, and a name in it."""
    path, recipe = tmp_path / "ca", docker_recipe()
    take_in(path, of_recipe())
    content = recipe.text("server-cert.pem")
    shown = [import_certificates.Found(content, name, "/etc/docker/server-cert.pem") for name in requesters]
    import_certificates.record(layout.ca_directory(str(path)), shown, "adopted", call_context(NOW), predict=False)
    names = reader.view_certificate(reader.load_certificate(content, "it")).names
    return path, next(name for name in names if name not in ("localhost", "127.0.0.1"))


def refused(path: pathlib.Path, *requests: t.Any) -> set[str]:
    return set(sign(path, *requests, now=NOW, partial=True).refused)


def test_name_of_a_recorded_certificate_stays_with_the_host_that_has_it(tmp_path: pathlib.Path) -> None:
    path, name = holding(tmp_path, "web1")
    assert refused(path, request("evil", names=(name,))) == {"evil"}
    assert refused(path, request("evil", names=(name,)), request("web1", names=(name,))) == {"evil"}
    assert refused(path, request("evil", names=(name,))) == {"evil"}
    assert refused(path, request("web1", names=(name,))) == set()


def test_name_of_a_recorded_certificate_is_free_once_its_host_was_issued_one_without_it(tmp_path: pathlib.Path) -> None:
    path, name = holding(tmp_path, "web1")
    assert refused(path, request("web1", names=("other.example.org",))) == set()
    assert refused(path, request("web2", names=(name,))) == set()


def test_name_that_its_recorded_host_gives_up_in_the_same_batch_is_free(tmp_path: pathlib.Path) -> None:
    path, name = holding(tmp_path, "web1")
    assert refused(path, request("web2", names=(name,)), request("web1", names=("other.example.org",))) == set()


def test_name_of_a_certificate_that_several_hosts_have_shown_is_for_one_of_them(tmp_path: pathlib.Path) -> None:
    """The certificate is public: a host that reports it may have read it at another host's port. No other host gets the name, and never both."""
    path, name = holding(tmp_path, "evil", "web1")
    assert refused(path, request("web9", names=(name,))) == {"web9"}
    assert refused(path, request("evil", names=(name,)), request("web1", names=(name,))) == {"evil", "web1"}
    assert refused(path, request("web1", names=(name,))) == set()
    assert refused(path, request("evil", names=(name,))) == {"evil"}
    assert refused(path, request("web1", names=(name,))) == set()


def test_name_of_a_recorded_certificate_is_declared_by_the_inventory(tmp_path: pathlib.Path) -> None:
    path, name = holding(tmp_path, "evil")
    wanted = rules(reserved={name: "web1"})
    assert set(sign(path, request("web1", names=(name,)), now=NOW, partial=True, rules=wanted).refused) == set()


def test_recorded_certificate_of_nobody_and_a_client_s_hold_no_names(tmp_path: pathlib.Path) -> None:
    path, name = holding(tmp_path, "")
    assert refused(path, request("web1", names=(name,))) == set()


def test_adopt_killed_at_every_step_is_finished_by_the_next_run(tmp_path: pathlib.Path) -> None:
    given = of_machine()
    killed = 0
    for at in range(0, 200, 2):
        path = tmp_path / f"ca{at}"

        def work(path: pathlib.Path = path, at: int = at) -> None:
            Death(at).install()
            take_in(path, given)

        status = ended(in_child(work))
        done = take_in(path, given)
        assert {name: generations[-1].is_adopted for name, generations in done.stored.items()} == dict.fromkeys(
            BOTH, True
        )
        assert ensure(path, "clients", now=NOW).reasons == ()
        if status == 0:
            break
        assert status == -signal.SIGKILL
        killed += 1
    assert killed > 10
