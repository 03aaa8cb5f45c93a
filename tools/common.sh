# shellcheck shell=bash
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sourced by every script in tools/: where things are, and how to say what happens.

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE=$PROJECT/.cache
# tools/matrix sets another one.
VENV=${TOOLS_VENV:-$PROJECT/.venv}
# Every container and network carries this label with the checkout that it belongs to: two checkouts on one engine never
# touch each other's.
LABEL=docker-tls
CHECKOUT=$(printf %s "$PROJECT" | sha256sum | cut -c1-6)
export PROJECT CACHE VENV LABEL CHECKOUT

# Who has just tried the demo as it proposes has exported these; our own calls go to the engine that the hosts run on.
case ${DOCKER_CERT_PATH:-} in "$CACHE"/*) unset DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH ;; esac

# Nothing of ours goes to ~/.ansible: two checkouts never share a state.
export ANSIBLE_HOME=$CACHE/ansible
export ANSIBLE_CONFIG=$PROJECT/ansible.cfg
# ansible insists on UTF-8; a bare machine often has no locale set.
export LC_ALL=C.UTF-8
export PATH=$VENV/bin:$PATH
# Some machines forbid Python to cache compiled files; Ansible then compiles itself again for every single call.
unset PYTHONDONTWRITEBYTECODE
mkdir -p "$CACHE/logs"

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Between the two, every ten seconds a line says that what is long and silent still continues: "==> WHAT: 30 s".
# It waits in read, not in sleep: nothing is left behind to keep a pipe open. It ends with the script, however that ends.
progress_begins() {
  local begin=$SECONDS
  (
    exec 7<> <(:)
    while ! read -rt "${PROGRESS_SECONDS:-10}" -u 7 && kill -0 $$ 2>/dev/null; do say "$1: $((SECONDS - begin)) s"; done
  ) &
  progress=$!
}
progress_ends() {
  kill "$progress" 2>/dev/null || true
  wait "$progress" 2>/dev/null || true
}
