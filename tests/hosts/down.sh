#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Removes the hosts and networks of a scenario, or of the whole checkout, with their volumes (hundreds of MB each).
# usage: down.sh SCENARIO | --all [FILE...]      (files and directories that go with them)
set -euo pipefail
# shellcheck source=tools/common.sh
source "$(dirname "$0")/../../tools/common.sh"

filter=label=$LABEL=$CHECKOUT
[ "${1:?usage: down.sh SCENARIO | --all [FILE...]}" = --all ] || filter=label=$LABEL-scenario=$1
rm -rf -- "${@:2}"
have docker || exit 0
mapfile -t hosts < <(docker ps -aq --filter "$filter")
[ ${#hosts[@]} -eq 0 ] || docker rm -f -v "${hosts[@]}" >/dev/null
mapfile -t networks < <(docker network ls -q --filter "$filter")
[ ${#networks[@]} -eq 0 ] || docker network rm "${networks[@]}" >/dev/null
