#!/bin/sh
# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Signs every CSR of a directory with the openssl command line, one call each, as scripts do; the passphrase is in
# BENCH_PASSPHRASE.
# usage: openssl.sh AUTHORITY-DIRECTORY CSR-DIRECTORY
set -eu
cat >"$2/extensions" <<EOF
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
EOF
for request in "$2"/*.csr; do
  openssl x509 -req -in "$request" -CA "$1/certificate.pem" -CAkey "$1/key.pem" -passin env:BENCH_PASSPHRASE \
    -days 365 -extfile "$2/extensions" -out "${request%.csr}.pem"
done
