# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units of packages as recipes edit them."""

from __future__ import annotations

import typing as t

from ansible_collections.portcullis.docker_tls.plugins.module_utils._docker.unit_file import parse_unit

# Made after docker.io's of Debian 12.
ORIGINAL = """\
[Unit]
Description=Docker Application Container Engine
After=network-online.target docker.socket firewalld.service containerd.service
Wants=network-online.target containerd.service
Requires=docker.socket

[Service]
Type=notify
# the default is not to use systemd for cgroups
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
LimitNOFILE=1048576
Delegate=yes

[Install]
WantedBy=multi-user.target
"""
FEDORA = """\
[Service]
ExecStart=/usr/bin/dockerd \\
          --host=fd:// \\
          --exec-opt native.cgroupdriver=systemd \\
          $OPTIONS
"""
COMMAND = "-H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"
TLS = "--tlsverify --tlscacert=/etc/docker/ca.pem --tlscert /etc/docker/server-cert.pem --tlskey=/etc/docker/server-key.pem"
UNIT = "/lib/systemd/system/docker.service"

EDITS: dict[str, tuple[str, str]] = {
    "sed-behind-fd": (ORIGINAL, ORIGINAL.replace("-H fd://", f"-H fd:// -H tcp://0.0.0.0:2376 {TLS}")),
    "sed-for-fd": (ORIGINAL, ORIGINAL.replace("-H fd://", "-H tcp://0.0.0.0:2375 -H unix:///var/run/docker.sock")),
    "fd-moved": (ORIGINAL, ORIGINAL.replace("-H fd://", f"{TLS} -H tcp://0.0.0.0:2376 -H fd://")),
    "at-the-end": (ORIGINAL, ORIGINAL.replace("$DOCKER_OPTS", f"$DOCKER_OPTS {TLS} -H=0.0.0.0:2376")),
    "other-flags-too": (
        ORIGINAL,
        ORIGINAL.replace("-H fd://", "-H fd:// -H tcp://:2375 --label a=b --data-root /srv/d"),
    ),
    "new-command": (ORIGINAL, ORIGINAL.replace(COMMAND, "-H unix:// -H tcp://0.0.0.0:2375")),
    "another-binary": (
        ORIGINAL,
        ORIGINAL.replace("/usr/sbin/dockerd " + COMMAND, "/usr/bin/dockerd -H tcp://0.0.0.0:2375"),
    ),
    "commented-out": (
        ORIGINAL,
        ORIGINAL.replace("ExecStart=", "#ExecStart=").replace(
            "ExecReload", "ExecStart=/usr/sbin/dockerd -H :2375\nExecReload"
        ),
    ),
    "continued": (FEDORA, FEDORA.replace("--host=fd:// \\\n", f"--host=fd:// -H tcp://0.0.0.0:2376 {TLS} \\\n")),
}


def effective(*files: tuple[str, str]) -> tuple[t.Any, ...]:
    model = parse_unit(list(files), "/none")
    return (
        model.commands,
        [(one.name, one.value) for one in model.environment],
        [s.pattern for s in model.environment_files],
    )
