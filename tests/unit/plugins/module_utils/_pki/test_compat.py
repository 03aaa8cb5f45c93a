# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each version of cryptography is asked for, and signatures of every kind."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import types
import typing as t
from datetime import datetime, timezone

import cryptography
import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _outcome
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import compat, reader
from support.ca import certificates as made

KEY_TYPES = ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"]


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_signature_is_by_tells_the_signer(key_type: str) -> None:
    authority = made.authority("server", key_type)
    leaf = made.leaf(authority).certificate
    assert compat.signature_is_by(leaf, authority.key.public_key())
    for other in KEY_TYPES:
        assert not compat.signature_is_by(leaf, made.private_key(other, 9).public_key())
    assert not compat.signature_is_by(leaf, object())


def test_signature_is_by_rsa_pss_where_the_library_knows_it() -> None:
    key = made.private_key("rsa-2048")
    command = ["openssl", "req", "-x509", "-key", "/dev/stdin", "-subj", "/CN=pss", "-sigopt", "rsa_padding_mode:pss"]
    data = subprocess.run(command, input=made.Pair(None, key).key_pem, capture_output=True, check=True).stdout
    certificate = reader.load_certificate(data, "pss")
    assert compat.signature_is_by(certificate, key.public_key()) is hasattr(
        certificate, "signature_algorithm_parameters"
    )


def test_times_old_library_gives_aware_datetimes() -> None:
    old = types.SimpleNamespace(not_valid_before=datetime(2026, 1, 2), not_valid_after=datetime(2026, 3, 4))
    assert compat.not_before(old) == datetime(2026, 1, 2, tzinfo=timezone.utc)  # type: ignore[arg-type]
    assert compat.not_after(old) == datetime(2026, 3, 4, tzinfo=timezone.utc)  # type: ignore[arg-type]


def test_times_new_library_gives_aware_datetimes() -> None:
    begin, end = datetime(2026, 1, 2, tzinfo=timezone.utc), datetime(2026, 3, 4, tzinfo=timezone.utc)
    new = types.SimpleNamespace(not_valid_before_utc=begin, not_valid_after_utc=end)
    assert (compat.not_before(new), compat.not_after(new)) == (begin, end)  # type: ignore[arg-type]


def test_load_pem_private_key_old_library_is_asked_without_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    def old_loader(data: bytes, password: bytes | None) -> tuple[bytes, bytes | None]:
        return data, password

    monkeypatch.setattr(compat, "serialization", types.SimpleNamespace(load_pem_private_key=old_loader))
    assert compat.load_pem_private_key(b"key", b"secret") == (b"key", b"secret")


def test_load_pem_private_key_other_type_errors_are_passed_on() -> None:
    with pytest.raises(TypeError):
        compat.load_pem_private_key(made.Pair(None, made.private_key()).key_pem, b"not needed")


def test_compat_without_cryptography_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    specification = importlib.util.spec_from_file_location(
        f"{compat.__package__}.compat_without_cryptography", compat.__file__
    )
    assert specification is not None
    assert specification.loader is not None
    bare = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(bare)
    assert not issubclass(TlsError, bare.UNREADABLE), "it would be taken for a certificate that cannot be read"
    assert inspect_doc(bare.x509) is not None
    for use in (lambda: bare.x509.load_pem_x509_certificate(b""), lambda: isinstance("", bare.rsa.RSAPublicKey)):
        with pytest.raises(TlsError) as caught:
            use()
        assert caught.value.code == "cryptography-missing"


def inspect_doc(thing: object) -> object:
    """Whatever tools ask of a name must not fail: they import every file."""
    return (getattr(thing, "__wrapped__", None), repr(thing))


RAISING = "class PanicException(BaseException):\n    pass\nPanicException.__module__ = 'pyo3_runtime'\n"
BROKEN = {
    "no cffi": {
        "__init__.py": "__version__ = '41.0.1'",
        "x509.py": "raise ModuleNotFoundError(\"No module named '_cffi_backend'\", name='_cffi_backend')",
    },
    "panic at import": {
        "__init__.py": "__version__ = '42.0.5'",
        "x509.py": f"{RAISING}raise PanicException('Python API call failed')",
    },
    "OpenSSL of another kind": {
        "__init__.py": "__version__ = '38.0.4'",
        "x509.py": "raise RuntimeError('OpenSSL 3.0 legacy provider failed to load')",
    },
    "a file of that name": {".py": "", "version": "unknown version"},
    "its package raises": {"__init__.py": "raise OSError('stale file handle')", "version": "unknown version"},
}
SAYS = """\
import json, sys
sys.path[:0] = sys.argv[1:]
from ansible_collections.portcullis.docker_tls.plugins.module_utils import _outcome
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import reader
pem = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"
found = [_outcome.outcome(lambda: {}), _outcome.outcome(lambda: reader.load_certificates(pem, "ca"), needs_cryptography=False)]
print(json.dumps(found))
"""


def said_with(directory: pathlib.Path) -> list[dict[str, str]]:
    """Return what a call of ours comes to where ``directory`` comes first: one that needs the library, one that uses it."""
    ours = next(path for path in sys.path if (pathlib.Path(path) / "ansible_collections/portcullis").exists())
    done = subprocess.run(
        [sys.executable, "-c", SAYS, str(directory), ours], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return t.cast("list[dict[str, str]]", json.loads(done.stdout))


@pytest.mark.parametrize("files", BROKEN.values(), ids=BROKEN.keys())
def test_broken_library_is_named_with_its_place_and_version(tmp_path: pathlib.Path, files: dict[str, str]) -> None:
    version = files.get("version") or files["__init__.py"].split("'")[1]
    if ".py" in files:
        (tmp_path / "cryptography.py").write_text("")
    else:
        (tmp_path / "cryptography").mkdir()
        for name, text in files.items():
            if name != "version":
                (tmp_path / "cryptography" / name).write_text(text)
    for found in said_with(tmp_path):
        assert (found["failed"], found["code"]) == (True, "cryptography-broken")
        assert version in found["msg"]
        assert "Reinstall" in found["hint"]
        if "its package raises" not in str(files) and "stale" not in str(files):
            assert str(tmp_path) in found["msg"]


def test_real_library_without_its_native_part_is_broken(tmp_path: pathlib.Path) -> None:
    real = pathlib.Path(cryptography.__file__).parent
    shutil.copytree(real, tmp_path / "cryptography", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for found in said_with(tmp_path):
        assert found["code"] == "cryptography-broken"
        assert f"cryptography {cryptography.__version__} in {tmp_path}" in found["msg"]


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (ImportError("cannot import name 'x'", name="cryptography.hazmat.bindings._padding"), True),
        (ImportError("libcffi.so.6: cannot open shared object file"), True),
        (type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})("no GIL"), True),
        (ImportError("No module named 'yaml'", name="yaml"), False),
        (KeyError("cryptography"), False),
    ],
)
def test_library_that_fails_at_a_later_use_is_told_from_other_failures(error: BaseException, broken: bool) -> None:
    def fail() -> dict[str, object]:
        raise error

    if not broken:
        with pytest.raises(type(error)):
            _outcome.outcome(fail)
        return
    found = _outcome.outcome(fail)
    assert found["code"] == "cryptography-broken"
    assert str(error) in found["msg"]
    assert cryptography.__version__ in found["msg"]
