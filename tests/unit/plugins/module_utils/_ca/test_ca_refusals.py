# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the CA refuses in a run it refuses in check mode too, with the same code, and in both nothing is touched."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import tarfile
import types
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._ca import layout
from support.ca.ca_directory import client_request, csr, ensure, sign, spec, tree
from support.ca.certificates import authority, leaf
from support.ca.foreign import docker_recipe
from support.ca.operations import BY_NAME, Options, ca_of, now, run
from support.contracts import error_codes

SOURCES = pathlib.Path(layout.__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Case:
    """An operation on a CA that is refused: something done to the CA, or something asked of it."""

    operation: str
    arrange: t.Callable[[pathlib.Path], object] = lambda place: None
    options: t.Callable[[pathlib.Path], Options] = lambda place: {}


def asked(**options: t.Any) -> t.Callable[[pathlib.Path], Options]:
    return lambda place: options


def one_request(**changes: t.Any) -> t.Callable[[pathlib.Path], Options]:
    """Return one signing request for a server, with these changes."""
    usual = {"id": "web9", "authority": "server", "profile": "server", "request_content": csr(), "requester": "web9"}
    return asked(requests=[{**usual, "common_name": "web9.example.org", "names": ["web9.example.org"], **changes}])


def again(wanted: t.Any = None, **age: t.Any) -> t.Callable[[pathlib.Path], None]:
    """Have a CA that was made at another time."""

    def arrange(place: pathlib.Path) -> None:
        shutil.rmtree(ca_of(place))
        ensure(ca_of(place), now=now() + timedelta(**age), wanted=wanted)

    return arrange


def file(name: str, text: str | bytes) -> t.Callable[[pathlib.Path], object]:
    data = text.encode() if isinstance(text, str) else text
    return lambda place: (ca_of(place) / name).write_bytes(data)


def swapped_keys(place: pathlib.Path) -> None:
    keys = [ca_of(place) / f"authorities/{name}/key.pem" for name in ("server-g1", "clients-g1")]
    contents = [key.read_bytes() for key in keys]
    for key, content in zip(keys, reversed(contents)):
        key.write_bytes(content)


def tampered(place: pathlib.Path) -> None:
    ledger = ca_of(place) / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace("alice", "mallory", 1))


def unrecorded(place: pathlib.Path) -> None:
    """A generation comes from elsewhere."""
    ensure(place / "other", now=now())
    shutil.copytree(place / "other/authorities/clients-g1", ca_of(place) / "authorities/ops-g1")


def under_a_file(place: pathlib.Path) -> Options:
    (place / "file").write_text("")
    return {"path": str(place / "file/ca")}


def archive(place: pathlib.Path, data: bytes) -> Options:
    (place / "archive.tar.gz").write_bytes(data)
    return {"archive_path": str(place / "archive.tar.gz")}


def newer(place: pathlib.Path) -> None:
    """The CA of the archive is there again, and has signed something since."""
    with tarfile.open(place / "archive.tar.gz") as archived:
        archived.extractall(ca_of(place), filter="data")
    (ca_of(place) / "backup.json").unlink()
    sign(ca_of(place), client_request("dora"), now=now())


def weak(place: pathlib.Path) -> Options:
    recipe = docker_recipe(bits=1024)
    return {"certificate_content": recipe.text("ca.pem"), "key_content": recipe.text("ca-key.pem")}


def of_pair(pair: t.Any) -> t.Callable[[pathlib.Path], Options]:
    """Return a CA, or what is none, to be adopted."""
    return asked(certificate_content=pair.pem, key_content=pair.key_pem.decode(), key_passphrase="")


def different(place: pathlib.Path) -> Options:
    """Return two requests that are refused for different reasons."""
    (one,) = one_request(validity="9999d")(place)["requests"]
    (other,) = one_request(id="web10", names=["a..b"])(place)["requests"]
    return {"requests": [one, other]}


#: At least one case for each code. In a case's name, the words after a blank distinguish it from others.
CASES: dict[str, Case] = {
    "authority-behind": Case(
        "sign", options=one_request(replaces={"serial": "0badcafe", "issuer": "CN=x,OU=server-g7,O=y"})
    ),
    "authority-exists": Case("adopt", options=asked(names=["server"])),
    "authority-expired": Case(
        "sign",
        again([spec(validity=timedelta(days=1)), spec("clients")], days=-3),
        one_request(validity="1d", expired=True),
    ),
    "authority-foreign": Case(
        "sign",
        options=one_request(
            replaces={"serial": "0badcafe", "issuer": "CN=other", "authority_fingerprint_sha256": "ab" * 32}
        ),
    ),
    "authority-incomplete": Case(
        "sign", lambda place: (ca_of(place) / "authorities/server-g1/certificate.pem").unlink()
    ),
    "authority-incomplete of the key": Case(
        "sign", lambda place: (ca_of(place) / "authorities/server-g1/key.pem").unlink()
    ),
    "authority-lost": Case("new-group", lambda place: shutil.rmtree(ca_of(place) / "authorities/server-g1")),
    "authority-missing": Case("backup", lambda place: shutil.rmtree(ca_of(place))),
    "authority-missing of a rotation": Case("rotate-accept", lambda place: shutil.rmtree(ca_of(place))),
    "authority-not-yet-valid": Case(
        "adopt", options=of_pair(authority("both", unit="x", begin=now() + timedelta(days=2)))
    ),
    "authority-unexpected": Case("adopt", options=asked(fingerprint_sha256="ab" * 32)),
    "authority-unknown": Case("rotate-accept", options=asked(name="ops")),
    "authority-unknown of a generation": Case("sign", options=one_request(generation=7)),
    "authority-unrecorded": Case("sign", unrecorded),
    "authority-unsuitable": Case("adopt", options=of_pair(leaf(authority("server")))),
    "authority-weak": Case("adopt", options=weak),
    "backup-missing": Case("restore", options=asked(archive_path="/nowhere/archive.tar.gz")),
    "backup-place-unfit": Case("backup", options=lambda place: {"archive_path": str(ca_of(place) / "x.tar.gz")}),
    "backup-unreadable": Case("restore", options=lambda place: archive(place, b"no archive")),
    "ca-directory-unsafe": Case("sign", lambda place: place.chmod(0o777)),
    "ca-directory-unsafe link": Case(
        "new-group", lambda place: (ca_of(place).rename(place / "real"), ca_of(place).symlink_to("real"))
    ),
    "certificate-unreadable": Case("sign", file("authorities/server-g1/certificate.pem", "no certificate")),
    "clock-behind": Case("sign", again(days=1)),
    "clock-behind of a rotation": Case("rotate-accept", again(days=1)),
    "common-name-invalid": Case("sign", options=one_request(common_name="x" * 65)),
    "directory-unusable": Case("new-group", options=under_a_file),
    "duration-invalid": Case("sign", options=one_request(validity="a year")),
    "fingerprint-invalid": Case("adopt", options=asked(fingerprint_sha256="xyz")),
    "group-name-invalid": Case("new-group", options=asked(access_groups=["Bad Name"])),
    "host-listed-twice": Case(
        "sign", options=lambda place: {**one_request()(place), "same_machine": [["web9", "web10"]]}
    ),
    "key-mismatch": Case("sign", swapped_keys),
    "key-missing": Case("adopt", options=asked(key_content="")),
    "key-not-encrypted": Case("sign", file("authorities/server-g1/key.pem", authority("server").key_pem)),
    "key-not-encrypted backup": Case("backup", file("authorities/server-g1/key.pem", authority("server").key_pem)),
    "key-unreadable": Case("sign", file("authorities/server-g1/key.pem", "no key")),
    "ledger-tampered": Case("sign", tampered),
    "ledger-tampered backup": Case("backup", tampered),
    "name-invalid": Case("sign", options=one_request(names=["a..b"])),
    "name-taken": Case("sign", options=one_request(names=["web1.example.org"])),
    "names-too-many": Case("sign", options=one_request(names=[f"n{number}.example.org" for number in range(2000)])),
    "passphrase-missing": Case("sign", options=asked(passphrase="")),
    "passphrase-too-short": Case("new-group", options=asked(passphrase="tiny one")),
    "passphrase-unusable": Case("new-group", options=asked(passphrase="an uncommon\nsequence")),
    "passphrase-well-known": Case("passphrase", options=asked(new_passphrase="change me please")),
    "passphrase-wrong": Case("sign", options=asked(passphrase="not the right one")),
    "passphrase-wrong of a rotation": Case("rotate-accept", options=asked(passphrase="not the right one")),
    "passphrase-wrong of a new group": Case("new-group", options=asked(passphrase="not the right one")),
    "profile-mismatch": Case("sign", options=one_request(authority="clients")),
    "request-duplicate": Case("sign", options=lambda place: {"requests": one_request()(place)["requests"] * 2}),
    "request-invalid": Case("sign", options=one_request(request_content="no request")),
    "requests-refused": Case("sign", options=different),
    "restore-over-existing": Case("restore", lambda place: ensure(ca_of(place), now=now())),
    "restore-over-newer": Case("restore", newer),
    "validity-too-long": Case("sign", options=one_request(validity="9999d")),
}


@pytest.mark.parametrize("name", CASES)
def test_run_and_check_mode_refuse_with_the_same_code(place: pathlib.Path, name: str) -> None:
    case = CASES[name]
    operation = BY_NAME[case.operation]
    operation.prepare(place)
    case.arrange(place)
    options = case.options(place)
    before = tree(place)
    for check in (True, False):
        result = run(operation, place, check=check, **options)
        found = result.get("code") if result.get("failed") else f"no refusal, changed: {result.get('changed')}"
        assert found == name.split()[0], (check, result.get("msg"))
        assert result["hint"]
        assert tree(place) == before


def mounts(patch: pytest.MonkeyPatch, place: pathlib.Path) -> None:
    (place / "mounts").write_text(f"server:/ca {place} nfs4 rw 0 0\n")
    patch.setattr(layout, "MOUNTS", str(place / "mounts"))


def read_only(patch: pytest.MonkeyPatch, place: pathlib.Path) -> None:
    real = os.statvfs(place)
    fields = {name: getattr(real, name) for name in dir(real) if name.startswith("f_")}
    patch.setattr(os, "statvfs", lambda path: types.SimpleNamespace(**{**fields, "f_flag": os.ST_RDONLY}))


#: What the kernel says of the place.
OF_THE_SYSTEM: dict[str, t.Callable[[pytest.MonkeyPatch, pathlib.Path], None]] = {
    "network-filesystem": mounts,
    "ca-unwritable": read_only,
}


@pytest.mark.parametrize("code", OF_THE_SYSTEM)
@pytest.mark.parametrize("operation", ["sign", "new-group", "rotate-accept", "passphrase"])
def test_run_and_check_mode_refuse_the_place_with_the_same_code(
    place: pathlib.Path, monkeypatch: pytest.MonkeyPatch, code: str, operation: str
) -> None:
    OF_THE_SYSTEM[code](monkeypatch, place)
    assert [run(BY_NAME[operation], place, check=check)["code"] for check in (True, False)] == [code, code]


#: Codes that no operation here can be refused with in both ways, and why.
NOT_FORETOLD = {
    "authority-key-mismatch": "the key was compared before; this is the last check before a signature",
    "ca-directory-unreadable": "the account has no right to read, which root has",
    "ca-locked": "another run works at that moment, and check mode does not wait for its end",
    "ca-unlockable": "the disk fails at that moment; a read-only one is ca-unwritable before that",
    "file-unwritable": "the disk fails at that moment",
    "generation-missing": "9,999 generations",
    "head-invalid": "ledger_info only reads",
    "issued-certificate-wrong": "the check of what was just signed",
    "key-type-unknown": "the choices of the option refuse it before",
    "ledger-unreadable": "the disk fails at that moment",
    "ledger-unwritable": "the disk fails at that moment",
    "profile-unknown": "the choices of the option refuse it before",
    "purpose-unknown": "the choices of the option refuse it before",
    "serial-used": "a random number of 159 bits is drawn twice",
    "validity-invalid": "the end is before the begin: the parsing of durations refuses it before",
}
#: Lists of revoked certificates are made by the CA and refused by hosts: _endpoint/test_refusal_codes.py.
OF_HOSTS = ("crl-",)
FILES = sorted([*(SOURCES / "_ca").glob("*.py"), *(SOURCES / "_pki").glob("*.py")])


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_refusal_of_the_ca_has_its_case(file: pathlib.Path) -> None:
    known = {name.split()[0] for name in CASES} | set(OF_THE_SYSTEM) | set(NOT_FORETOLD)
    assert {code for code in error_codes.raised(file) if not code.startswith(OF_HOSTS)} <= known


def test_what_is_not_foretold_can_be_raised() -> None:
    raised = set().union(*map(error_codes.raised, FILES))
    assert set(NOT_FORETOLD) <= raised
