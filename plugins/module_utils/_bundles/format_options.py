# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a bundle and the module's options to its formats."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._errors import TlsError
from .._host.file_owner import Owner
from .._pki import keys, reader
from . import bundle_files, format_files
from .formats.base import Endpoint, Identity


@dataclass(frozen=True)
class FormatOptions:
    """The options of the module about formats."""

    directory: str
    owner: Owner
    formats: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    consumer_directory: str
    passphrase: str


def resolve(options: t.Mapping[str, t.Any], bundle: bundle_files.Bundle) -> FormatOptions:
    """Return what ``options`` of the module's ``bundles`` wish for. Raises TlsError ``docker-host-invalid``."""
    endpoints = [Endpoint(each["name"], each["docker_host"]) for each in options["endpoints"] or []]
    for endpoint in endpoints:
        bundle_files.check_docker_host(
            endpoint.docker_host, f"docker_host of the endpoint {endpoint.name!r} of {bundle.id!r}"
        )
    if not endpoints and bundle.docker_host:
        endpoints = [Endpoint(_host_of(bundle.docker_host), bundle.docker_host)]
    return FormatOptions(
        directory=bundle.directory,
        owner=bundle.owner,
        formats=tuple(options["formats"] or ()),
        endpoints=tuple(endpoints),
        consumer_directory=options["consumer_directory"] or bundle.directory,
        passphrase=options["pkcs12_passphrase"] or "",
    )


def _host_of(docker_host: str) -> str:
    return re.sub(r"^tcp://\[?|\]?:\d+$", "", docker_host)


def plan(options: FormatOptions, bundle: bundle_files.Plan) -> format_files.Plan:
    """Return the plan of the formats for the planned bundle. Raises the errors of ``place.plan``."""
    files = {**bundle.found.files, **bundle.wanted}
    return format_files.plan(options.directory, options.owner, options.formats, _identity(options, files))


def _identity(options: FormatOptions, files: t.Mapping[str, bytes]) -> Identity | None:
    """Return the identity that the bundle will hold; None where a part is only going to be made (check mode)."""
    if not all(name in files for name in (bundle_files.CA, bundle_files.CERTIFICATE, bundle_files.KEY)):
        return None
    try:
        certificate = reader.load_certificate(files[bundle_files.CERTIFICATE], bundle_files.CERTIFICATE)
        keys.load_private_key(files[bundle_files.KEY], what=bundle_files.KEY)
    except TlsError:
        return None
    return Identity(
        client=reader.view_certificate(certificate).common_name,
        directory=options.consumer_directory,
        ca=files[bundle_files.CA],
        certificate=files[bundle_files.CERTIFICATE],
        key=files[bundle_files.KEY],
        endpoints=options.endpoints,
        passphrase=options.passphrase,
    )


def diffs(placed: t.Sequence[format_files.Plan]) -> list[dict[str, str]]:
    """Return a diff for each file of the formats that changes, in the order of the bundles; never a secret."""
    found = []
    for files in placed:
        before, after = format_files.describe(files, after=False), format_files.describe(files, after=True)
        for path in before:
            name = os.path.join(files.directory, path)
            found.append({"before_header": name, "after_header": name, "before": before[path], "after": after[path]})
    return found
