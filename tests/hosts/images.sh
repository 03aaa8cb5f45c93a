#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the images of the test hosts, docker-tls-host:SUITE, all in parallel; one that is up to date is left alone.
# usage: images.sh SUITE[-bare]...      ("-bare": without python3-cryptography)
set -euo pipefail
# shellcheck source=tools/common.sh
source "$(dirname "$0")/../../tools/common.sh"
here=$PROJECT/tests/hosts

# The state of the recipe is a label of the image: a changed Dockerfile rebuilds, anything else costs one inspect.
recipe=$(cat "$here/Dockerfile" "$here/init.sh" "$here/test-container.sh" | sha256sum | cut -c1-16)

up_to_date() {
  [ "$(docker image inspect -f '{{index .Config.Labels "docker-tls-recipe"}}' "docker-tls-host:$1" 2>/dev/null)" = "$recipe" ]
}

# The engine's registry if one answers, else Debian's own mirror.
base_image() {
  local suite=$1
  if timeout 120 docker pull -q "debian:$suite-slim" >/dev/null 2>&1; then
    echo "debian:$suite-slim"
    return
  fi
  docker image inspect "docker-tls-base:$suite" >/dev/null 2>&1 || debootstrap_image "$suite"
  echo "docker-tls-base:$suite"
}

debootstrap_image() {
  have mmdebstrap || install_mmdebstrap
  mmdebstrap --quiet --variant=minbase --include=ca-certificates --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt=force-unsafe-io \
    "$1" - | docker import - "docker-tls-base:$1" >/dev/null
}

install_mmdebstrap() {
  { [ "$(id -u)" = 0 ] && have apt-get; } ||
    die "no image registry answers, and mmdebstrap, which would do instead, is missing; install mmdebstrap"
  # Images are built in parallel: only one of them may run apt.
  (
    flock 9
    have mmdebstrap || { apt-get -qq update || true; apt-get -qq install -y --no-install-recommends mmdebstrap >&2; }
  ) 9>"$CACHE/apt.lock"
}

build() {
  local tag=$1 suite=${1%-bare} cryptography=yes base
  if [ "$suite" != "$tag" ]; then cryptography=no; fi
  # Two scenarios that start at once must not both build the same image.
  exec 8>"$CACHE/image-$tag.lock"
  flock 8
  if up_to_date "$tag"; then return; fi
  say "building docker-tls-host:$tag (log: .cache/logs/image-$tag.log)"
  {
    base=$(base_image "$suite")
    docker build --label "$LABEL=1" --label "docker-tls-recipe=$recipe" --build-arg "BASE=$base" \
      --build-arg "CRYPTOGRAPHY=$cryptography" -t "docker-tls-host:$tag" "$here"
  } >"$CACHE/logs/image-$tag.log" 2>&1 || { tail -n 20 "$CACHE/logs/image-$tag.log" >&2; return 1; }
}

running=()
for tag in "$@"; do
  up_to_date "$tag" && continue
  build "$tag" &
  running+=("$!")
done
failed=0
for job in "${running[@]}"; do wait "$job" || failed=1; done
exit "$failed"
