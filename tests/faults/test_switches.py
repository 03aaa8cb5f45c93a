# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who gets in, for every way to tell dockerd about TLS: the real one is asked about the table that ``_adopt.effective`` follows."""

from __future__ import annotations

import dataclasses
import json
import pathlib

from conftest import Host
from helpers_tls_switches import ROWS, D, H

SCRIPT = pathlib.Path(__file__).with_name("switches_on_host.py")
NEW = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
MAKE = f"""\
set -e
for at in named:{D} home:{H}/.docker; do
  mkdir -p ${{at#*:}} && cd ${{at#*:}}
  openssl req -x509 {NEW} -days 9 -subj /CN=${{at%%:*}} -keyout ca-key.pem -out ca.pem
  openssl req {NEW} -subj /CN=localhost -keyout key.pem -out request.csr
  printf 'subjectAltName=DNS:localhost\\n' >extensions
  openssl x509 -req -days 9 -in request.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile extensions -out cert.pem
done
"""


def test_real_dockerd_lets_in_whom_the_table_names(host: Host) -> None:
    host.sh(MAKE)
    host.put("/opt/faults/switches_on_host.py", SCRIPT.read_bytes())
    order = json.dumps([dataclasses.asdict(row) for row in ROWS])
    seen = json.loads(host.sh("python3 /opt/faults/switches_on_host.py", order.encode(), timeout=1200))
    expected = {row.name: [row.admits if row.starts else "refused", row.ca if row.starts else ""] for row in ROWS}
    assert seen == expected
