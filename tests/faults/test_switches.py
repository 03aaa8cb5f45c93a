# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Admitted clients for every way to configure TLS: the real dockerd is asked about the table that ``_adoption.effective_settings`` follows."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest

from conftest import CLIENTS, Host
from support.ca.certificates import foreign_authority, leaf
from support.hosts.tls_switches import FILES, ROWS, D, H

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


DROP_IN = """\
mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\\nExecStart=\\nExecStart=%s\\n' "$(command -v dockerd)" >/etc/systemd/system/docker.service.d/override.conf
systemctl daemon-reload
systemctl restart docker
"""


@pytest.mark.parametrize("switch", [{"tls": True}, {"tlsverify": True}, {"tls": True, "tlscacert": ""}], ids=str)
def test_host_with_clients_of_a_ca_is_not_changed_before_it_is_named(host: Host, switch: dict[str, object]) -> None:
    host.sh(MAKE)
    hosts = ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2376"]
    host.put("/etc/docker/daemon.json", json.dumps({"hosts": hosts, **FILES, **switch}))
    host.sh(DROP_IN)
    certificate, before = host.issue().pem, host.files()
    process = host.sh("systemctl show -p MainPID --value docker")
    answer = host.run(certificate=certificate, existing_settings="adopt")
    assert answer.error["code"] == "clients-would-be-shut-out"
    assert answer.error["hint"]
    assert (host.files(), host.sh("systemctl show -p MainPID --value docker")) == (before, process)


PROBE = """\
import json, ssl, sys
sys.path.insert(0, "/opt/faults")
from ansible_collections.portcullis.docker_tls.plugins.module_utils._endpoint import probe
asked = json.load(sys.stdin)
target = probe.Target("127.0.0.1", 2376, "localhost", 5.0)
found = probe.check_good_client(target, probe.Client(asked["certificate"], asked["key"]), asked["ca"])
strict = bool(ssl.create_default_context().verify_flags & ssl.VERIFY_X509_STRICT)
print(json.dumps([found.passed, found.detail, strict, sys.version_info >= (3, 13)]))
"""


@pytest.mark.parametrize("lacks", ["usage", "critical", "identifier"])
def test_own_probe_takes_a_ca_that_this_python_may_refuse(host: Host, lacks: str) -> None:
    """The hosts' Pythons are 3.9 to 3.14; from 3.13 on they are strict, and dockerd is not."""
    issuer, client = foreign_authority(**{lacks: False}), leaf(CLIENTS, "client", common_name="me")
    answer = host.run(certificate=host.issue(issuer=issuer).pem, ca=issuer.pem)
    assert not answer.error, answer.error
    order = {"certificate": client.pem, "key": client.key_pem.decode(), "ca": issuer.pem}
    host.put("/opt/faults/probe_here.py", PROBE)
    passed, detail, strict, newer = json.loads(host.sh("python3 /opt/faults/probe_here.py", json.dumps(order).encode()))
    assert passed, detail
    assert strict == newer
