# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a format of a bundle is, and the formats of other tools: Docker contexts, environment files, GitLab runner, and others.

Layout and bytes are those of docker 28.2 (compared with the files of the CLI itself, in the tests):
``contexts/meta/<sha256 of the name>/meta.json`` and ``contexts/tls/<the same>/docker/{ca,cert,key}.pem``. A bundle in
``~/.docker`` is at once what ``docker --context NAME`` uses; anywhere else ``DOCKER_CONFIG`` points to it.

Archives are to hand to another machine. The CLI's own export never ends its archive (measured with 28.2: ``tar`` says "Unexpected EOF"), and the
CLI does not mind. Ours has the same members and its end, so ``tar`` and backup tools can read it too.

Each function returns the files of its format by their path in the bundle; none where the client has no endpoint.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import tarfile
import typing as t
from dataclasses import dataclass

from ..._errors import TlsError
from .. import bundle_files


@dataclass(frozen=True)
class Endpoint:
    """A Docker host that the client may use: a name for people, and ``tcp://HOST:PORT``."""

    name: str
    docker_host: str

    @property
    def address(self) -> str:
        """``HOST:PORT``, for what wants no scheme or another one."""
        return self.docker_host[len("tcp://") :]


@dataclass(frozen=True)
class Identity:
    """One client: its files, where its consumers see them, and where it may go."""

    client: str
    directory: str
    ca: bytes
    certificate: bytes
    key: bytes
    endpoints: tuple[Endpoint, ...]
    passphrase: str = ""

    def path(self, name: str) -> str:
        """Return where a consumer finds ``ca.pem``, ``cert.pem`` or ``key.pem``."""
        return f"{self.directory.rstrip('/')}/{name}"


def endpoints_by_name(identity: Identity, name_of: t.Callable[[str], str], what: str) -> dict[str, Endpoint]:
    """Return the endpoints by the names that a format gives them; ``what``: such a name in words, with ``{}`` for it.

    Raises TlsError ``endpoint-duplicate`` where two would have the same.
    """
    found: dict[str, Endpoint] = {}
    for endpoint in identity.endpoints:
        name = name_of(endpoint.name)
        if name in found:
            raise TlsError(
                f"the endpoints {found[name].name!r} and {endpoint.name!r} of {identity.client!r} would have the same "
                f"{what.format(repr(name))}",
                hint="Give one of them another name.",
                code="endpoint-duplicate",
            )
        found[name] = endpoint
    return found


@dataclass(frozen=True)
class File:
    """A file of a format, made only if the one in place will not do."""

    make: t.Callable[[], bytes]
    is_current: t.Callable[[bytes], bool]
    private: bool


def text(*lines: str) -> File:
    """Return a file without a secret, as lines."""
    return public("".join(f"{line}\n" for line in lines).encode())


def public(data: bytes) -> File:
    """Return a file without a secret, byte for byte."""
    return _exactly(data, private=False)


def secret(data: bytes) -> File:
    """Return a file whose content is never shown."""
    return _exactly(data, private=True)


def _exactly(data: bytes, *, private: bool) -> File:
    return File(make=lambda: data, is_current=lambda found: found == data, private=private)


def quoted(value: str) -> str:
    """Return a string in double quotes as YAML and TOML both read it: what JSON writes is a subset of theirs."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def header(comment: str = "#") -> str:
    """Return the first line of files that people may open."""
    return f"{comment} Written by portcullis.docker_tls; the next run writes it again."


#: The CLI's own rule (cli/command/context), and the one name that it keeps for itself.
_VALID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")
_RESERVED = "default"
_GO_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def context(identity: Identity) -> dict[str, File]:
    """Return a context for each endpoint; the private ones first, so that no context is listed without its key."""
    tls, meta = {}, {}
    for name, endpoint in named(identity).items():
        digest = hashlib.sha256(name.encode()).hexdigest()
        for file, data in material(identity).items():
            tls[f"contexts/tls/{digest}/docker/{file}"] = secret(data)
        meta[f"contexts/meta/{digest}/meta.json"] = public(metadata(name, endpoint, identity))
    return {**tls, **meta}


def named(identity: Identity) -> dict[str, Endpoint]:
    """Return the endpoints by their contexts' names. Raises TlsError ``endpoint-duplicate``."""
    return endpoints_by_name(identity, context_name, "docker context {}")


def context_name(name: str) -> str:
    """Return ``name`` as the CLI takes it: letters, digits and ``_.+-``, two at least, not ``default``."""
    plain = re.sub(r"[^a-zA-Z0-9_.+-]", "-", name)
    return plain if _VALID.fullmatch(plain) and plain != _RESERVED else f"docker-{plain.lstrip('-')}"


def material(identity: Identity) -> dict[str, bytes]:
    """Return the three files that a context has."""
    return {"ca.pem": identity.ca, "cert.pem": identity.certificate, "key.pem": identity.key}


def metadata(name: str, endpoint: Endpoint, identity: Identity) -> bytes:
    """Return ``meta.json`` byte for byte as Go's encoder writes it: no spaces, no newline, HTML signs escaped."""
    document = {
        "Name": name,
        "Metadata": {"Description": f"Client {identity.client}, by portcullis.docker_tls"},
        "Endpoints": {"docker": {"Host": endpoint.docker_host, "SkipTLSVerify": False}},
    }
    written = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    for sign, escape in _GO_ESCAPES.items():
        written = written.replace(sign, escape)
    return written.encode()


def context_archive(identity: Identity) -> dict[str, File]:
    """Return ``contexts-export/<context>.dockercontext`` for each endpoint; that ending is the CLI's."""
    return {
        f"contexts-export/{name}.dockercontext": secret(_archive(name, endpoint, identity))
        for name, endpoint in named(identity).items()
    }


def _archive(name: str, endpoint: Endpoint, identity: Identity) -> bytes:
    """Return the archive; the same identity gives the same bytes (no times, no owners)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "meta.json", 0o644, metadata(name, endpoint, identity))
        _add(archive, "tls", 0o700)
        _add(archive, "tls/docker", 0o700)
        for file, data in material(identity).items():
            _add(archive, f"tls/docker/{file}", 0o600, data)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, mode: int, data: bytes | None = None) -> None:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = mode, 0
    member.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
    member.size = len(data or b"")
    archive.addfile(member, io.BytesIO(data or b""))


# ``.envrc`` for direnv: the variables are there inside a project and gone outside.
def direnv(identity: Identity) -> dict[str, File]:
    """Return ``.envrc`` for the first endpoint; a project's own ``.envrc`` takes it in with ``source_env DIRECTORY``."""
    if not identity.endpoints:
        return {}
    variables = bundle_files.environment_variables(identity.endpoints[0].docker_host, identity.directory)
    return {
        ".envrc": text(
            header(),
            f"# In a project: echo {shlex.quote('source_env ' + shlex.quote(identity.directory))} >> .envrc && direnv allow",
            *bundle_files.exports(variables),
        )
    }


# GitLab runner's executor ``docker`` on a remote host.
def gitlab_runner(identity: Identity) -> dict[str, File]:
    """Return ``gitlab-runner/<host>.toml`` for each endpoint: what to put into the runner's ``config.toml``."""
    return {
        f"gitlab-runner/{name}.toml": text(
            header(),
            "# Into config.toml; url, token and image of the runner are yours.",
            "[[runners]]",
            f"  name = {quoted(name)}",
            '  executor = "docker"',
            "  [runners.docker]",
            f"    host = {quoted(endpoint.docker_host)}",
            "    tls_verify = true",
            f"    tls_cert_path = {quoted(identity.directory)}",
        )
        for name, endpoint in named(identity).items()
    }


# Variables for community.docker's modules, each host with its own endpoint.
_HOST = "{{ docker_tls_endpoints[inventory_hostname] | default(docker_tls_endpoints.values() | first) }}"


def module_defaults(identity: Identity) -> dict[str, File]:
    """Return ``module_defaults.yml``, a file of variables: ``docker_tls_module_defaults`` and ``docker_tls_endpoints``."""
    if not identity.endpoints:
        return {}
    return {
        "module_defaults.yml": text(
            header(),
            "# In a play for the Docker hosts, with connection: local",
            "#   vars_files: [this file]",
            '#   module_defaults: {group/community.docker.docker: "{{ docker_tls_module_defaults }}"}',
            "---",
            "docker_tls_module_defaults:",
            f"  docker_host: {quoted(_HOST)}",
            "  validate_certs: true",
            f"  ca_path: {_literal(identity.path('ca.pem'))}",
            f"  client_cert: {_literal(identity.path('cert.pem'))}",
            f"  client_key: {_literal(identity.path('key.pem'))}",
            "docker_tls_endpoints:",
            *(f"  {quoted(endpoint.name)}: {quoted(endpoint.docker_host)}" for endpoint in identity.endpoints),
        )
    }


def _literal(value: str) -> str:
    """Return a path that Ansible takes as it is, braces and all; plain ones are left readable."""
    return f"!unsafe {quoted(value)}" if "{" in value else quoted(value)


# Files named as Portainer's form "Docker Standalone, API" asks for them.
def portainer(identity: Identity) -> dict[str, File]:
    """Return the three files by the labels of the form's fields, and what to type into the others.

    Portainer keeps copies, so they have to be given again after a renewal; the module portainer_environment does that.
    """
    if not identity.endpoints:
        return {}
    rows = [f"{endpoint.name}\t{endpoint.address}" for endpoint in identity.endpoints]
    return {
        "portainer/tls-ca-certificate.pem": secret(identity.ca),
        "portainer/tls-certificate.pem": secret(identity.certificate),
        "portainer/tls-key.pem": secret(identity.key),
        "portainer/environments.txt": text(
            header(),
            "# Environments, Add environment, Docker Standalone, API. TLS on, Skip Certification Verification off.",
            "# Name\tDocker API URL",
            *rows,
        ),
    }


# Prometheus' service discovery of containers.
#
# The host is written ``https://``: Prometheus uses ``tls_config`` with no other scheme, ``tcp://`` would go out without
# TLS (discovery/moby/docker.go: client options only for ``http`` and ``https``). Each host has a job: containers of two
# hosts often have the same address, and of two targets alike in one job Prometheus silently drops one.
def prometheus(identity: Identity) -> dict[str, File]:
    """Return ``prometheus.yml`` with a job for each host, for ``scrape_config_files`` or to copy from."""
    if not identity.endpoints:
        return {}
    lines = [line for endpoint in identity.endpoints for line in _job(endpoint, identity)]
    return {"prometheus.yml": text(header(), "---", "scrape_configs:", *lines)}


def _job(endpoint: Endpoint, identity: Identity) -> list[str]:
    """Return the lines of a host's job; published ports of a container are scraped at the host."""
    host = endpoint.address.rpartition(":")[0]
    return [
        f"  - job_name: {quoted('docker-' + endpoint.name)}",
        "    docker_sd_configs:",
        f"      - host: {quoted('https://' + endpoint.address)}",
        "        tls_config:",
        f"          ca_file: {quoted(identity.path('ca.pem'))}",
        f"          cert_file: {quoted(identity.path('cert.pem'))}",
        f"          key_file: {quoted(identity.path('key.pem'))}",
        "    relabel_configs:",
        "      - source_labels: [__meta_docker_port_public]",
        '        regex: "([0-9]+)"',
        "        target_label: __address__",
        f"        replacement: {quoted(host + ':$1')}",
    ]


# Terraform's and OpenTofu's provider kreuzwerker/docker.
def terraform(identity: Identity) -> dict[str, File]:
    """Return ``docker.tf``: the first endpoint as the default provider, and each endpoint by its alias."""
    if not identity.endpoints:
        return {}
    blocks = _provider(identity.endpoints[0], "", identity)
    for alias, endpoint in endpoints_by_name(identity, _alias, "alias {} in docker.tf").items():
        blocks += ["", *_provider(endpoint, alias, identity)]
    return {"docker.tf": text(header(), "# Resources name theirs with: provider = docker.ALIAS", *blocks)}


def _provider(endpoint: Endpoint, alias: str, identity: Identity) -> list[str]:
    arguments = {"alias": alias, "host": endpoint.docker_host, "cert_path": identity.directory}
    written = [(name, value) for name, value in arguments.items() if value]
    width = max(len(name) for name, _value in written)
    return ['provider "docker" {', *(f"  {name:{width}} = {_quoted(value)}" for name, value in written), "}"]


def _alias(name: str) -> str:
    """Return the name of an endpoint as HCL takes it."""
    alias = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return alias if re.match(r"[A-Za-z]", alias) else f"docker_{alias}"


def _quoted(value: str) -> str:
    """Return a string of HCL, in which ``${`` and ``%{`` would begin a template."""
    return quoted(value).replace("${", "$${").replace("%{", "%%{")


# Traefik's Docker provider, static configuration.
def traefik(identity: Identity) -> dict[str, File]:
    """Return ``traefik/<host>.yml`` for each endpoint: one Traefik knows one Docker provider."""
    return {
        f"traefik/{name}.yml": text(
            header(),
            "---",
            "providers:",
            "  docker:",
            f"    endpoint: {quoted(endpoint.docker_host)}",
            "    exposedByDefault: false",
            "    tls:",
            f"      ca: {quoted(identity.path('ca.pem'))}",
            f"      cert: {quoted(identity.path('cert.pem'))}",
            f"      key: {quoted(identity.path('key.pem'))}",
        )
        for name, endpoint in named(identity).items()
    }
