# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names in certificates, and the extensions of each kind of certificate. |.

Accepted names, with reasons:

* **DNS names** (RFC 1123 §2.1, RFC 1035 §2.3.4): lower-case letters, digits, hyphens; labels of 1 to 63, 253 in all.
  Underscores are taken too: they are not host-name characters, but inventories and Docker networks are full of them,
  and Go, OpenSSL and Python match them (pkilint complains). A trailing dot is dropped. A last label of digits only
  is refused: it is a mistyped IPv4 address.
* **Wildcards**: ``*`` as the whole left-most label, with two labels or more behind it; OpenSSL matches no others.
* **IDN** become A-labels by the stdlib's codec (IDNA 2003), because the better library ``idna`` is not on every host
  and two hosts must not make different names of one text. Where IDNA 2003 and 2008 disagree on a letter (``ß``,
  ``ς``, joiners) the name is refused with the request to write the A-label (``xn--…``) that is meant.
* **IP addresses**: IPv4 without leading zeros (Python before 3.9.5 took ``010.0.0.1``), IPv6 in the spelling of RFC
  5952, with or without brackets; no zone, no unspecified, multicast or IPv4-mapped address: none of them is a
  client connects to.
* **Clients**: ``dirname:CN=<common name>``, see ``client_identity``.

| field | authority | server | client |
|---|---|---|---|
| basicConstraints, critical | CA, pathlen 0 | no CA | no CA |
| keyUsage, critical | keyCertSign, cRLSign | digitalSignature (+ keyEncipherment for RSA) | digitalSignature |
| extendedKeyUsage | serverAuth xor clientAuth (its purpose) | serverAuth | clientAuth |
| subjectKeyIdentifier, authorityKeyIdentifier | both | both | both |
| subjectAltName | - | DNS names, IP addresses | its common name as a directory name |

Server and client are never one certificate: with one CA and both usages every host's own key is root on every other
host (measured, dockerd 20.10.24). The usage on the authority repeats that: Go and OpenSSL refuse a leaf of the other
kind below it.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .compat import ExtendedKeyUsageOID, ExtensionOID, NameOID, rsa, x509

CLIENT_PREFIX = "dirname:CN="

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_DEVIATIONS = "\u00df\u03c2\u200c\u200d\u1e9e"
_MAXIMUM_NAME = 253
_MAXIMUM_COMMON_NAME = 64
_MAXIMUM_TEXT = 512
# The hosts of a batch share localhost, 127.0.0.1 and ::1, and each name is read several times on its way into a certificate.
_remembered = functools.lru_cache(maxsize=1024)


@dataclass(frozen=True)
class SubjectNames:
    """Who a certificate is for: the common name and the subject alternative names in canonical spelling."""

    common_name: str
    names: tuple[str, ...]


def _invalid(what: str, text: str, problem: str, hint: str) -> TlsError:
    return TlsError(f"{what} {text!r} {problem}", hint=hint, code="name-invalid")


@_remembered
def normalize_name(text: str, what: str = "the name") -> str:
    """Return the canonical spelling of a DNS name, wildcard, IPv4 or IPv6 address, or client identity.

    ``what`` is the source of ``text`` in messages. Raises TlsError ``name-invalid``.
    """
    name = str(text).strip()
    if not name:
        raise _invalid(what, text, "is empty", "Leave it out, or write a host name or an IP address.")
    if len(name) > _MAXIMUM_TEXT:
        raise _invalid(what, name[:40] + "…", "is too long", "A name has at most 253 characters.")
    if name.startswith(CLIENT_PREFIX):
        return client_identity(_client_of(name), what)
    if "/" in name:
        kind = "is a URL or a path" if "://" in name or not _is_network(name) else "is a network"
        raise _invalid(what, text, kind, "Write the bare host name or one IP address.")
    if ":" in name:
        return _normalize_ipv6(name, text, what)
    if re.fullmatch(r"[0-9.]+", name):
        return _normalize_ipv4(name, text, what)
    return _normalize_dns(name, text, what)


def _is_network(name: str) -> bool:
    try:
        ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
    return True


def _check_address(address: t.Any, text: str, what: str) -> None:
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        raise _invalid(
            what, text, "is not an address that a client connects to", "Write an address that the host answers on."
        )


def _normalize_ipv4(name: str, text: str, what: str) -> str:
    octets = name.split(".")
    hint = "Write four numbers from 0 to 255 without leading zeros, for example 192.168.1.5."
    if len(octets) != 4 or any(not octet or len(octet) > 3 or int(octet) > 255 for octet in octets):
        raise _invalid(what, text, "looks like an IPv4 address but is not valid", hint)
    if any(len(octet) > 1 and octet.startswith("0") for octet in octets):
        raise _invalid(what, text, "has leading zeros, which some programs read as octal", hint)
    address = ipaddress.IPv4Address(name)
    _check_address(address, text, what)
    return str(address)


def _normalize_ipv6(name: str, text: str, what: str) -> str:
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    if "%" in bare:
        raise _invalid(what, text, "has a zone", "Certificates know no zones: write the address without %….")
    try:
        address = ipaddress.IPv6Address(bare)
    except ValueError:
        head, _colon, tail = name.rpartition(":")
        if tail.isdigit() and (head.count(":") == 0 or head.endswith("]")):
            raise _invalid(what, text, "has a port", "Write the name or address alone.") from None
        raise _invalid(
            what, text, "is neither a host name nor an IPv6 address", "Write it as in fd00::5 or host.example.org."
        ) from None
    if address.ipv4_mapped is not None:
        raise _invalid(what, text, "is an IPv4 address in IPv6 spelling", f"Write {address.ipv4_mapped} instead.")
    _check_address(address, text, what)
    return address.compressed


def _normalize_dns(name: str, text: str, what: str) -> str:
    hint = "A host name has letters, digits, hyphens and dots, as in docker1.example.org or *.example.org."
    ascii_name = (name if name.isascii() else _to_ascii(name, text, what)).lower()
    if ascii_name.endswith("."):
        ascii_name = ascii_name[:-1]
    labels = ascii_name.split(".")
    wildcard = labels[0] == "*"
    checked = labels[1:] if wildcard else labels
    if wildcard and len(checked) < 2:
        raise _invalid(
            what, text, "is a wildcard over a whole top-level name", "Two labels must follow, as in *.docker.lan."
        )
    if any("*" in label for label in checked):
        raise _invalid(what, text, "has a * elsewhere than as its whole first label", hint)
    if len(ascii_name) > _MAXIMUM_NAME or any(len(label) > 63 for label in labels):
        raise _invalid(what, text, "is too long", "A host name has at most 253 characters, 63 between two dots.")
    if "@" in ascii_name:
        raise _invalid(what, text, "is a mail address", hint)
    if not all(_LABEL.fullmatch(label) for label in checked):
        raise _invalid(what, text, "is not a host name", hint)
    if checked[-1].isdigit():
        raise _invalid(what, text, "ends in a number, so it looks like a mistyped IPv4 address", hint)
    return ascii_name


def _to_ascii(name: str, text: str, what: str) -> str:
    hint = "Write the name in its ASCII form (xn--…), as the DNS has it."
    if any(letter in _DEVIATIONS for letter in name):
        raise _invalid(what, text, "has a letter that IDNA 2003 and 2008 spell differently", hint)
    lowered = name.lower()
    try:
        encoded = lowered.encode("idna")
        encoded.decode("idna")
    except UnicodeError as error:
        raise _invalid(what, text, "is not a host name in any script", hint) from error
    return encoded.decode("ascii")


def is_name(text: str) -> bool:
    """Return whether ``normalize_name`` takes ``text``: for names that are used where they can be (inventory names)."""
    try:
        normalize_name(text)
    except TlsError:
        return False
    return True


def normalize_names(texts: t.Iterable[str], what: str = "the name") -> tuple[str, ...]:
    """Return the canonical spellings without doubles: client identities, DNS names, IPv4, IPv6.

    The order depends on the names alone, so that a list in another order is the same certificate. Raises TlsError
    ``name-invalid``.
    """
    return tuple(sorted({normalize_name(text, what) for text in texts}, key=_order))


def _order(name: str) -> tuple[int, int, str]:
    address = address_or_none(name)
    if address is not None:
        return (address.version, int(address), name)
    return (0 if name.startswith(CLIENT_PREFIX) else 1, 0, name)


@_remembered
def address_or_none(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that ``name`` is, None for any other name."""
    if ":" not in name and not name[-1:].isdigit():
        return None  # no address ends so; an exception for each host name of a batch would cost more than the other checks of it
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def client_identity(common_name: str, what: str = "the common name") -> str:
    """Return the one name of a client: its common name as a directory name, ``dirname:CN=portainer``.

    A client certificate needs a subject alternative name (Python's verifier refuses one without, measured); dockerd
    checks none. A directory name can contain every common name, can never be taken for a host, and passes pkilint, which
    refuses single-label DNS names and every URN (measured, 0.13.3). Raises TlsError ``common-name-invalid``.
    """
    check_common_name(common_name, what)
    return CLIENT_PREFIX + escape_value(common_name)


def client_spellings(common_name: str) -> frozenset[str]:
    """Return the names that a client certificate of another issuer may have: each spells the common name, and names the same client.

    Engines that cannot write a directory name leave it out, or add the common name as a host name or a mail address (measured: OpenBao
    2.7.2, step-ca 0.30).
    """
    return frozenset({client_identity(common_name), common_name.lower(), f"email:{common_name}"})


def _client_of(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[len(CLIENT_PREFIX) :])


def default_common_name(found: t.Iterable[str]) -> str:
    """Return the first of ``found`` that can be a common name: of a host rather than the local one, at most 64 characters long.

    Where every one is longer, the first label of the first: clients check the names, and the common name is for people.
    Returns "" for none.
    """
    usable = [name for name in found if name and not name.startswith(CLIENT_PREFIX)]
    lasting = [name for name in usable if not name.startswith(("localhost", "127.", "*.")) and name != "::1"] or usable
    fitting = [name for name in lasting if len(name.encode("utf-8", "replace")) <= _MAXIMUM_COMMON_NAME]
    return (fitting or [name.split(".")[0][:_MAXIMUM_COMMON_NAME] for name in lasting] or [""])[0]


def escape_value(value: str) -> str:
    """Return the value of a Subject's attribute with the escapes of RFC 4514 §2.4."""
    text = re.sub(r'([,+"\\<>;=])', r"\\\1", value).replace("\x00", "\\00")
    if text[:1] in ("#", " "):
        text = "\\" + text
    return text[:-1] + "\\ " if value.endswith(" ") and len(value) > 1 else text


def general_names(names: t.Iterable[str]) -> list[x509.GeneralName]:
    """Return ``names`` (canonical spellings) as subject alternative names (RFC 5280 §4.2.1.6)."""
    return [_general_name(name) for name in names]


@_remembered
def _general_name(name: str) -> x509.GeneralName:
    address = address_or_none(name)
    if address is not None:
        return x509.IPAddress(address)
    if name.startswith(CLIENT_PREFIX):
        return x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _client_of(name))]))
    return x509.DNSName(name)


def check_common_name(text: str, option: str = "common_name") -> None:
    """Raise TlsError ``common-name-invalid`` naming ``option`` unless ``text`` fits a Subject.

    The limit is 64 (RFC 5280 A.1, ub-common-name), counted in bytes of UTF-8, as ``cryptography`` counts it; for
    host names that is characters.
    """
    size = len(text.encode("utf-8", "replace"))
    if not 1 <= size <= _MAXIMUM_COMMON_NAME:
        problem = "is empty" if size == 0 else f"has {size} characters; at most {_MAXIMUM_COMMON_NAME} fit"
        raise TlsError(
            f"{option} {text!r} {problem}",
            hint=f"Set {option} to a shorter name; longer host names are still allowed in the list of names.",
            code="common-name-invalid",
        )
    if text != text.strip() or not text.isprintable():
        raise TlsError(
            f"{option} {text!r} has spaces around it or characters that cannot be printed",
            hint="Use letters, digits, spaces and punctuation.",
            code="common-name-invalid",
        )


#: Extended key usage of each leaf profile.
USAGE_OF_PROFILE: dict[str, str] = {"server": "serverAuth", "client": "clientAuth"}

_KEY_USAGES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
    "key_cert_sign crl_sign encipher_only decipher_only"
).split()


@dataclass(frozen=True)
class Extension:
    """One extension and whether a reader that does not know it must refuse the certificate."""

    value: x509.ExtensionType
    critical: bool


def check_profile(profile: str) -> None:
    """Raise TlsError ``profile-unknown`` unless ``profile`` is ``server`` or ``client``."""
    if profile not in USAGE_OF_PROFILE:
        raise TlsError(f"{profile!r} is not a profile", hint="Use server or client.", code="profile-unknown")


def authority(purpose: str, public_key: t.Any) -> list[Extension]:
    """Return the extensions of a self-signed authority for ``server``, ``client`` or ``both``."""
    usages = {
        "server": [ExtendedKeyUsageOID.SERVER_AUTH],
        "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
        "both": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    }
    if purpose not in usages:
        raise TlsError(
            f"{purpose!r} is not a purpose of an authority", hint="Use server or client.", code="purpose-unknown"
        )
    key_identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    return [
        Extension(x509.BasicConstraints(ca=True, path_length=0), critical=True),
        Extension(_key_usage("key_cert_sign", "crl_sign"), critical=True),
        Extension(x509.ExtendedKeyUsage(usages[purpose]), critical=False),
        Extension(key_identifier, critical=False),
        Extension(x509.AuthorityKeyIdentifier(key_identifier.digest, None, None), critical=False),
    ]


def leaf_shared(
    profile: str, *, enciphers_keys: bool, authority_key_identifier: x509.AuthorityKeyIdentifier
) -> list[Extension]:
    """Return those extensions of a ``server`` or ``client`` certificate that others below the same authority have too."""
    check_profile(profile)
    usages = ["digital_signature", *(["key_encipherment"] if enciphers_keys else [])]
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if profile == "server" else ExtendedKeyUsageOID.CLIENT_AUTH
    return [
        Extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
        Extension(_key_usage(*usages), critical=True),
        Extension(x509.ExtendedKeyUsage([purpose]), critical=False),
        Extension(authority_key_identifier, critical=False),
    ]


def leaf_own(public_key: t.Any, names: list[x509.GeneralName]) -> list[Extension]:
    """Return the extensions that no other certificate has."""
    return [
        Extension(x509.SubjectAlternativeName(names), critical=False),
        Extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False),
    ]


def enciphers_keys(profile: str, public_key: t.Any) -> bool:
    """Return whether a certificate is also for RSA key exchange (TLS 1.2 and earlier)."""
    return profile == "server" and isinstance(public_key, rsa.RSAPublicKey)


def _key_usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in names for name in _KEY_USAGES})


def authority_key_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the identifier of the authority's key: its own SKI, which an adopted CA may have made in its own way."""
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_KEY_IDENTIFIER).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(t.cast(t.Any, certificate.public_key()))
    return x509.AuthorityKeyIdentifier(t.cast(x509.SubjectKeyIdentifier, found).digest, None, None)
