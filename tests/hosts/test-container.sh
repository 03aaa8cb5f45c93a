#!/bin/sh
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Inside a test host: starts a container that lives on, without any registry. "docker run -d --name NAME [OPTIONS]".
# usage: test-container [NAME [docker run options...]]     (NAME is "keeper" unless told)
set -eu
name=${1:-keeper}
[ $# -eq 0 ] || shift
docker image inspect local/busybox >/dev/null 2>&1 ||
  docker import /usr/local/share/test-host/busybox.tar local/busybox >/dev/null
exec docker run -d --name "$name" "$@" local/busybox /bin/sleep 1000000
