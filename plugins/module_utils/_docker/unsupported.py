# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Docker cannot be managed, and what is there instead. Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .findings import Finding, error

# Where generators put units (systemd.generator(7)): systemd-sysv-generator makes one of /etc/init.d/docker.
_GENERATED = "/systemd/generator"


@dataclass(frozen=True)
class UnitFacts:
    """What ``refusal`` needs to know of the host; from systemd, os-release and the file system."""

    load_state: str  # of docker.service: loaded, not-found, masked, bad-setting, error
    fragment_path: str = ""
    os_ids: tuple[str, ...] = ()  # ID and ID_LIKE of /etc/os-release
    snap_docker: bool = False  # /snap/docker or the unit snap.docker.dockerd.service is there
    rootless_sockets: tuple[str, ...] = ()  # /run/user/*/docker.sock
    podman_docker: bool = False  # /usr/bin/docker is podman's
    dockerd_found: bool = True  # a dockerd is in one of the directories for programs
    socket_load_state: str = "loaded"  # of docker.socket: loaded, not-found, masked
    init_system: str = "systemd"  # name of process 1


def refusal(facts: UnitFacts) -> Finding | None:
    """Return why this Docker cannot be managed (none, snap, rootless, NixOS, podman, no systemd, masked), or None."""
    if facts.init_system != "systemd":
        return error(
            "init-unsupported",
            f"process 1 is {facts.init_system}, not systemd",
            "Docker under another init system (OpenRC on Alpine) is not supported.",
        )
    if "nixos" in facts.os_ids or facts.fragment_path.startswith("/nix/"):
        return error(
            "docker-nixos",
            "NixOS generates Docker's unit and daemon.json, so nothing written here would last",
            "Set virtualisation.docker.daemon.settings and listenOptions in the system's configuration instead.",
        )
    if facts.load_state == "not-found" or _GENERATED in facts.fragment_path:
        return _nothing_to_manage(facts)
    if facts.load_state == "masked" and not facts.dockerd_found:  # so does the removal of Debian's package leave it
        return _docker_missing("docker.service is masked, and dockerd is not on this host")
    if facts.load_state == "masked":
        return error(
            "unit-masked", "docker.service is masked", "Run systemctl unmask docker.service if Docker is to run here."
        )
    if facts.load_state != "loaded":
        return error(
            "unit-broken",
            f"systemd could not load docker.service ({facts.load_state})",
            "See systemctl status docker.service, correct its files and run again.",
        )
    if os.path.basename(facts.fragment_path).startswith("podman"):
        return _podman()
    return None


def _nothing_to_manage(facts: UnitFacts) -> Finding:
    """Return the refusal for a host without docker.service: what is there instead."""
    if facts.snap_docker:
        return error(
            "docker-snap",
            "Docker is installed as a snap, whose service and files cannot be changed from outside its confinement",
            "Remove the snap and install Docker from the distribution or from Docker's own packages.",
        )
    if facts.rootless_sockets:
        return error(
            "docker-rootless",
            f"Docker runs rootless here ({', '.join(facts.rootless_sockets)}), as a service of a user",
            "Use Docker as a system service (docker.service), or remove this host from docker_hosts. The listener proxy does not support rootless Docker yet.",
        )
    if facts.podman_docker:
        return _podman()
    if not facts.dockerd_found and facts.load_state == "not-found":
        return _docker_missing("there is no Docker on this host (neither docker.service nor dockerd)")
    if not facts.dockerd_found:
        return _docker_missing(
            "there is no dockerd on this host; its docker.service is only what systemd makes of an init script that was left behind"
        )
    if facts.load_state != "not-found":
        return error(
            "unit-missing",
            f"docker.service is only what a generator makes of an init script ({facts.fragment_path})",
            "Install the package that brings the unit (docker-ce, docker.io, moby-engine), or write docker.service yourself.",
        )
    return error(
        "unit-missing",
        "dockerd is on this host, but systemd has no docker.service",
        "Install the package that brings the unit (docker-ce, docker.io, moby-engine), or write one of that name.",
    )


def program_missing(binary: str, unit_path: str) -> Finding:
    """Return the refusal for a unit whose program is gone."""
    return _docker_missing(f"docker.service ({unit_path}) starts {binary}, which is not on this host")


def _docker_missing(message: str) -> Finding:
    hint = "Install Docker Engine first (this collection secures it, it does not install it), or leave this host out of docker_hosts."
    return error("docker-missing", message, hint)


def _podman() -> Finding:
    return error(
        "docker-podman",
        "the docker command of this host is Podman, which has no dockerd",
        "Remove podman-docker and install Docker Engine, or leave this host out of docker_hosts.",
    )
