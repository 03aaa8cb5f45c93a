#!/bin/sh
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# PID 1 of a test host. New releases of systemd refuse cgroup v1, so on an outer machine with v1 the host gets its own
# v2 hierarchy. On a cgroup v2 machine this does nothing.
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
  umount -R /sys/fs/cgroup && mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
fi
exec /lib/systemd/systemd "$@"
