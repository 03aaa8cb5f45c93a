# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA in an archive and back: nothing is lost in silence, no serial comes twice, nothing newer is overwritten."""

from __future__ import annotations

import io
import os
import pathlib
import shutil
import stat
import tarfile
import typing as t

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import (
    backup,
    create,
    import_certificates,
    layout,
    ledger,
    ledger_query,
    store,
)
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import keys
from support.ca.ca_directory import PASSPHRASE, call_context, ensure, modes, request, sign, tree
from support.ca.certificates import authority, leaf
from support.contracts import records


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A CA with two certificates; made once, because keys cost time."""
    path = tmp_path_factory.mktemp("model") / "ca"
    ensure(path, "clients")
    sign(path, request("web1"), request("web2"))
    return path


@pytest.fixture
def ca(model: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(model, tmp_path / "ca"))


def back_up(ca: pathlib.Path, archive: pathlib.Path, *, predict: bool = False) -> backup.Backup:
    return backup.make_backup(layout.ca_directory(str(ca)), str(archive), call_context(), predict=predict)


def bring_back(
    ca: pathlib.Path, archive: pathlib.Path, passphrase: bytes = PASSPHRASE, *, predict: bool = False
) -> backup.Restored:
    return backup.restore_backup(
        layout.ca_directory(str(ca)), str(archive), passphrase, call_context(), predict=predict
    )


def installed(ca: pathlib.Path, *names: str) -> list[ledger_query.Installed]:
    """Sign for hosts and return what they then report to have."""
    signed = sign(ca, *(request(name) for name in names)).signed
    return [ledger_query.Installed(name, one.view.serial, one.view.issuer) for name, one in signed.items() if one.view]


def test_backup_and_restore_give_the_same_ca_with_the_restore_in_its_ledger(
    ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    made = back_up(ca, tmp_path / "backup.tar.gz")
    assert stat.S_IMODE(os.stat(tmp_path / "backup.tar.gz").st_mode) == 0o600
    assert set(made.authorities) == {"server-g1", "clients-g1"}
    done = bring_back(tmp_path / "new/ca", tmp_path / "backup.tar.gz")
    assert (done.changed, done.head) == (True, made.head)
    before, after = tree(ca), tree(tmp_path / "new/ca")
    assert {name for name in before if before[name] != after.get(name)} == {"ledger.jsonl", "ledger.head"}
    assert after["ledger.jsonl"].startswith(before["ledger.jsonl"])
    found = ledger.scan(layout.ca_directory(str(tmp_path / "new/ca")))
    assert (found.head.seq, found.restored) == (made.head.seq + 1, True)
    assert set(modes(tmp_path / "new/ca").values()) == {"0o700", "0o600"}
    assert ensure(tmp_path / "new/ca", "clients").reasons == ()
    assert sorted(os.listdir(tmp_path / "new")) == ["ca"]


def test_backup_holds_no_lock_no_half_made_things_and_no_open_key(ca: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (ca / "staging/half").write_text("x")
    back_up(ca, tmp_path / "backup.tar.gz")
    with tarfile.open(tmp_path / "backup.tar.gz") as tar:
        names = tar.getnames()
        keys = [tar.extractfile(name).read() for name in names if name.endswith("key.pem")]  # type: ignore[union-attr]
    assert names[0] == "backup.json"
    assert not [name for name in names if name.startswith(("lock", "staging"))]
    assert len(keys) == 2
    assert all(b"ENCRYPTED" in key for key in keys)


def test_backup_in_a_prediction_writes_nothing(ca: pathlib.Path, tmp_path: pathlib.Path) -> None:
    before = tree(tmp_path)
    assert back_up(ca, tmp_path / "backup.tar.gz", predict=True).head.seq == 4
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("ca/backup.tar.gz", "backup-place-unfit"),
        ("missing/b.tar.gz", "backup-place-unfit"),
        (".", "backup-place-unfit"),
    ],
)
def test_backup_to_an_unfit_place_is_refused(ca: pathlib.Path, tmp_path: pathlib.Path, where: str, code: str) -> None:
    before = tree(ca)
    with pytest.raises(TlsError) as caught:
        back_up(ca, tmp_path / where)
    assert caught.value.code == code
    assert tree(ca) == before


def test_backup_of_a_tampered_ca_is_refused_and_keeps_the_older_archive(
    ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    archive = tmp_path / "backup.tar.gz"
    back_up(ca, archive)
    old = archive.read_bytes()
    lines = (ca / "ledger.jsonl").read_text().splitlines()
    (ca / "ledger.jsonl").write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    with pytest.raises(TlsError) as caught:
        back_up(ca, archive)
    assert caught.value.code == "ledger-tampered"
    assert archive.read_bytes() == old


def test_restore_on_the_second_run_changes_nothing(ca: pathlib.Path, tmp_path: pathlib.Path) -> None:
    back_up(ca, tmp_path / "backup.tar.gz")
    bring_back(tmp_path / "new", tmp_path / "backup.tar.gz")
    sign(tmp_path / "new", request("web9"))
    before = tree(tmp_path)
    assert not bring_back(tmp_path / "new", tmp_path / "backup.tar.gz").changed
    assert tree(tmp_path) == before


def test_restore_in_a_prediction_checks_and_writes_nothing(ca: pathlib.Path, tmp_path: pathlib.Path) -> None:
    back_up(ca, tmp_path / "backup.tar.gz")
    before = tree(tmp_path)
    assert bring_back(tmp_path / "new", tmp_path / "backup.tar.gz", predict=True).changed
    with pytest.raises(TlsError):
        bring_back(tmp_path / "new", tmp_path / "backup.tar.gz", b"not the right one", predict=True)
    assert tree(tmp_path) == before


def test_restore_over_the_same_ca_in_a_newer_state_is_refused(ca: pathlib.Path, tmp_path: pathlib.Path) -> None:
    back_up(ca, tmp_path / "backup.tar.gz")
    sign(ca, request("web3"))
    before = tree(ca)
    with pytest.raises(TlsError) as caught:
        bring_back(ca, tmp_path / "backup.tar.gz")
    assert caught.value.code == "restore-over-newer"
    assert "5 lines, the backup's 4" in caught.value.message
    assert tree(ca) == before


def test_restore_over_another_ca_is_refused_and_into_an_empty_directory_is_not(
    ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    back_up(ca, tmp_path / "backup.tar.gz")
    (tmp_path / "new").mkdir()
    (tmp_path / "new/something").write_text("x")
    with pytest.raises(TlsError) as caught:
        bring_back(tmp_path / "new", tmp_path / "backup.tar.gz")
    assert caught.value.code == "restore-over-existing"
    (tmp_path / "new/something").unlink()
    assert bring_back(tmp_path / "new", tmp_path / "backup.tar.gz").changed


def _without_manifest(source: pathlib.Path, target: pathlib.Path) -> None:
    _rewrite(source, target, lambda name, data: None if name == "backup.json" else data)


def _rewrite(
    source: pathlib.Path, target: pathlib.Path, change: t.Callable[[str, bytes], bytes | None], *more: tarfile.TarInfo
) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            data = change(member.name, old.extractfile(member).read())  # type: ignore[union-attr]
            if data is not None:
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))
        for member in more:
            new.addfile(member)


def _named(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


UNFIT: dict[str, t.Callable[[pathlib.Path, pathlib.Path], t.Any]] = {
    "no-archive": lambda source, target: target.write_bytes(b"no tar"),
    "cut-off": lambda source, target: target.write_bytes(source.read_bytes()[:700]),
    "no-manifest": _without_manifest,
    "outside": lambda source, target: _rewrite(source, target, lambda n, d: d, _named("../escaped")),
    "absolute": lambda source, target: _rewrite(source, target, lambda n, d: d, _named("/tmp/escaped")),
    "link": lambda source, target: _rewrite(source, target, lambda n, d: d, _named("link", tarfile.SYMTYPE)),
    "other-ledger": lambda source, target: _rewrite(source, target, lambda n, d: None if n.startswith("ledger") else d),
    "manifest-of-no-names": lambda source, target: _rewrite(source, target, _manifest(b"[]")),
    "manifest-too-deep": lambda source, target: _rewrite(source, target, _manifest(b"[" * 200_000)),
    "same-name-twice": lambda source, target: _rewrite(source, target, lambda n, d: d, _named("ledger.jsonl")),
    "file-as-directory": lambda source, target: _rewrite(source, target, lambda n, d: d, _named("ledger.jsonl/x")),
}


def _manifest(data: bytes) -> t.Callable[[str, bytes], bytes]:
    return lambda name, content: data if name == backup.MANIFEST else content


@pytest.mark.parametrize("kind", sorted(UNFIT))
def test_restore_of_an_archive_that_is_none_is_refused_and_leaves_nothing(
    ca: pathlib.Path, tmp_path: pathlib.Path, kind: str
) -> None:
    back_up(ca, tmp_path / "backup.tar.gz")
    UNFIT[kind](tmp_path / "backup.tar.gz", tmp_path / "unfit.tar.gz")
    before = tree(tmp_path)
    with pytest.raises(TlsError) as caught:
        bring_back(tmp_path / "new", tmp_path / "unfit.tar.gz")
    assert caught.value.code == "backup-unreadable"
    assert tree(tmp_path) == before


def test_restore_with_a_wrong_passphrase_or_a_changed_ledger_is_refused(
    ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    back_up(ca, tmp_path / "backup.tar.gz")
    with pytest.raises(TlsError) as caught:
        bring_back(tmp_path / "new", tmp_path / "backup.tar.gz", b"not the right one")
    assert caught.value.code == "passphrase-wrong"

    def change(name: str, data: bytes) -> bytes:
        return data.replace(b"web1", b"evil") if name == "ledger.jsonl" else data

    _rewrite(tmp_path / "backup.tar.gz", tmp_path / "changed.tar.gz", change)
    with pytest.raises(TlsError) as caught:
        bring_back(tmp_path / "new", tmp_path / "changed.tar.gz")
    assert caught.value.code == "ledger-tampered"
    with pytest.raises(TlsError) as caught:
        bring_back(tmp_path / "new", tmp_path / "missing.tar.gz")
    assert caught.value.code == "backup-missing"
    assert not (tmp_path / "new").exists()


def add_authority(ca: pathlib.Path, name: str, *, with_key: bool) -> None:
    """Add a second generation, as someone can who does not know the passphrase: the chain of the ledger has no key."""
    foreign = authority("client" if name == "clients" else "server", unit=f"{name}-g2", number=31)
    directory = ca / "authorities" / f"{name}-g2"
    directory.mkdir()
    (directory / store.CERTIFICATE).write_text(foreign.pem)
    (directory / store.ACCEPTED_MARK).touch()
    if with_key:
        data = keys.encrypt_private_key(foreign.key, b"a passphrase of the attacker", 1000)
        (directory / store.KEY).write_bytes(data)
    place = layout.ca_directory(str(ca))
    ledger.append(place, ledger.scan(place), [create.entry("authority-created", f"{name}-g2", foreign.view)])


@pytest.mark.parametrize("with_key", [False, True])
@pytest.mark.parametrize("name", ["clients", "server"])
def test_restore_refuses_an_authority_that_someone_added_to_the_archive(
    ca: pathlib.Path, tmp_path: pathlib.Path, name: str, with_key: bool
) -> None:
    add_authority(ca, name, with_key=with_key)
    back_up(ca, tmp_path / "evil.tar.gz")
    with pytest.raises(TlsError) as caught:
        bring_back(tmp_path / "new", tmp_path / "evil.tar.gz")
    assert caught.value.code == ("passphrase-wrong" if with_key else "authority-incomplete")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("with_key", [False, True])
def test_authority_that_someone_copied_into_the_directory_is_refused(ca: pathlib.Path, with_key: bool) -> None:
    add_authority(ca, "clients", with_key=with_key)
    with pytest.raises(TlsError) as caught:
        ensure(ca, "clients")
    assert caught.value.code == ("passphrase-wrong" if with_key else "authority-incomplete")


def test_sign_after_an_older_state_came_back_says_which_hosts_it_does_not_know(
    ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    back_up(ca, tmp_path / "backup.tar.gz")
    later = installed(ca, "web3", "web4")
    bring_back(tmp_path / "new", tmp_path / "backup.tar.gz")
    known = installed(ca, "web5")
    foreign = ledger_query.Installed("web6", "01", "CN=Somebody else")
    assert sign(ca, installed_=[*later, *known, foreign]).warnings == ()
    result = sign(tmp_path / "new", installed_=[*later, foreign])
    assert [one.requester for one in result.unknown] == ["web3", "web4"]
    assert "ledger-behind" in result.warnings[0]
    assert all(one.serial in result.warnings[0] for one in later)
    assert (result.reasons, dict(result.signed)) == ((), {})


def test_sign_takes_a_certificate_of_another_ca_with_our_names_for_no_certificate_of_ours(
    ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    ensure(tmp_path / "twin", "clients")
    twin = sign(tmp_path / "twin", request("web2")).signed["web2"].view
    ours = ledger_query.Installed("web1", "01", twin.issuer)
    theirs = ledger_query.Installed("web2", twin.serial, twin.issuer, "", twin.authority_key_identifier)
    assert [one.requester for one in sign(ca, installed_=[ours, theirs]).unknown] == ["web1"]


def test_sign_tells_of_newer_generations_than_the_ca_has(ca: pathlib.Path) -> None:
    newer = ledger_query.Installed("web1", "01", "CN=Docker CA,OU=server-g2")
    other = ledger_query.Installed("web2", "01", "CN=Docker CA,OU=sales-g7")
    warnings = sign(ca, installed_=[newer, other]).warnings
    assert len(warnings) == 1
    assert records.said(warnings[0]).startswith("authority-behind")


def test_record_takes_what_our_authorities_signed_and_makes_the_ledger_whole(
    ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    back_up(ca, tmp_path / "backup.tar.gz")
    signed = sign(ca, request("web3")).signed["web3"]
    bring_back(tmp_path / "new", tmp_path / "backup.tar.gz")
    place = layout.ca_directory(str(tmp_path / "new"))
    other = leaf(authority())
    found = [
        import_certificates.Found(signed.certificate_content, "web3", "/etc/docker/certs/server-cert.pem"),
        import_certificates.Found(signed.certificate_content, "web3", "a copy"),
        import_certificates.Found(other.pem, "web7"),
        import_certificates.Found("nothing", "web8"),
    ]
    before = tree(tmp_path / "new")
    foretold = import_certificates.record(place, found, "restored", call_context(), predict=True)
    assert tree(tmp_path / "new") == before
    done = import_certificates.record(place, found, "restored", call_context(), predict=False)
    assert foretold == done
    assert done.reasons == ("certificates-restored", "ledger-recorded")
    assert (len(done.entries), len(done.foreign)) == (1, 2)
    state = ledger.scan(place, asked=[signed.view.serial])  # type: ignore[union-attr]
    assert (state.restored, len(state.used)) == (False, 1)
    assert (tmp_path / f"new/issued/{signed.view.serial}.pem").read_text() == signed.certificate_content  # type: ignore[union-attr]
    again = import_certificates.record(place, found, "restored", call_context(), predict=False)
    assert (again.reasons, again.known) == ((), 1)


def test_record_of_two_certificates_with_one_serial_keeps_both(ca: pathlib.Path) -> None:
    place = layout.ca_directory(str(ca))
    (ca / "issued/01.pem").write_text("of another tool")
    signed = sign(ca, request("web3")).signed["web3"]
    assert signed.view is not None
    taken = ca / f"issued/{signed.view.serial}.pem"
    assert import_certificates._taken(place, signed.view.serial)
    assert taken.exists()
