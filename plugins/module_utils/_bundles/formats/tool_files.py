# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats that are text for one other tool: where Docker is, and where it finds the client's files.

Each function returns the files of its format by their path in the bundle; none where the client has no endpoint.
"""

from __future__ import annotations

import re
import shlex

from .. import bundle_files
from .base import Endpoint, File, Identity, endpoints_by_name, header, quoted, secret, text
from .context import named


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
