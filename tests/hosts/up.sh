#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Starts one Docker host and prints its addresses when systemd, dockerd and sshd are up.
# usage: up.sh [--scenario NAME] [--fqdn NAME] [--network NAME[=SUBNET],...] HOST IMAGE-TAG PUBLIC-KEY-FILE [options...]
# The options are those of `docker create`. A host has its FQDN, and the first label of it, as names in its networks.
# A network is created if it is missing; with several the host has an address in each. All are printed, one a line.
set -euo pipefail
# shellcheck source=tools/common.sh
source "$(dirname "$0")/../../tools/common.sh"

scenario=none fqdn='' networks=()
while [ $# -gt 0 ]; do
  case $1 in
    --scenario) scenario=$2 ;;
    --fqdn) fqdn=$2 ;;
    --network) IFS=, read -ra more <<<"$2" && networks+=("${more[@]}") ;;
    *) break ;;
  esac
  shift 2
done
[ $# -ge 3 ] || die "usage: up.sh [--scenario NAME] [--fqdn NAME] [--network NAME[=SUBNET],...] HOST IMAGE-TAG PUBLIC-KEY-FILE [options...]"
host=$1 tag=$2 public_key=$3
fqdn=${fqdn:-$host}
shift 3

# Docker allows two networks of one name, so hosts that start at once must take turns.
ensure_network() {
  local name=${1%%=*} subnet=${1#*=} options=()
  if [ "$subnet" != "$1" ]; then options+=(--subnet "$subnet"); fi
  case $subnet in *:*) options+=(--ipv6) ;; esac
  (
    flock 9
    docker network inspect "$name" >/dev/null 2>&1 ||
      docker network create --label "$LABEL=$CHECKOUT" --label "$LABEL-scenario=$scenario" "${options[@]}" "$name" >/dev/null
  ) 9>"$CACHE/network.lock"
}

# Every network is there before the first start: the host's own dockerd picks a docker0 that clashes with none of them.
start() {
  local options=("$@")
  # The default bridge knows no names, so it takes no aliases.
  local names=(--alias "$fqdn" --alias "${fqdn%%.*}")
  if [ ${#networks[@]} -gt 0 ]; then options+=(--network "${networks[0]%%=*}" "${names[@]/--alias/--network-alias}"); fi
  docker create --name "$host" --hostname "$fqdn" --label "$LABEL=$CHECKOUT" --label "$LABEL-scenario=$scenario" \
    --cgroupns=private --tmpfs /run --tmpfs /tmp -v /var/lib/docker "${options[@]}" "docker-tls-host:$tag" >/dev/null || return 1
  for network in "${networks[@]:1}"; do docker network connect "${names[@]}" "${network%%=*}" "$host"; done
  # What it prints is the error, for the caller to look at.
  { docker start "$host" >/dev/null; } 2>&1
}

# Where the outer machine lacks a capability, --privileged fails; then everything but that one.
confined=(--cap-add=ALL --cap-drop=SYS_RESOURCE --security-opt seccomp=unconfined --security-opt apparmor=unconfined
  --security-opt systempaths=unconfined)
start_privileged_or_confined() {
  local problem
  if problem=$(start --privileged "$@"); then return; fi
  case $problem in *'unable to apply caps'*) ;; *) die "cannot start $host: $problem" ;; esac
  docker rm -f -v "$host" >/dev/null 2>&1 || true # the failed start leaves a container behind
  problem=$(start "${confined[@]}" "$@") || die "cannot start $host: $problem"
}

# One call into the container does all the waiting.
# shellcheck disable=SC2016 # expanded inside the host
wait_and_let_in='
  mkdir -p /root/.ssh && chmod 700 /root/.ssh && cat >>/root/.ssh/authorized_keys && chmod 600 /root/.ssh/authorized_keys
  for _ in $(seq 1440); do
    case $(systemctl is-system-running 2>/dev/null) in
      running|degraded) systemctl is-active --quiet docker ssh && exit 0 ;;
    esac
    sleep 0.25
  done
  systemctl list-units --failed --no-legend; journalctl -n 20 --no-pager -u docker; exit 1'

for network in "${networks[@]}"; do ensure_network "$network"; done
start_privileged_or_confined "$@"
docker exec -i "$host" sh -c "$wait_and_let_in" <"$public_key" >&2 || die "$host did not come up within six minutes"
for network in "${networks[@]:-bridge}"; do
  docker inspect -f "{{(index .NetworkSettings.Networks \"${network%%=*}\").IPAddress}}" "$host"
done
