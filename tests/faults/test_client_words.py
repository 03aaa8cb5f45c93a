# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What programs print when a real dockerd rejects their certificate: the table of docs/troubleshooting.md."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from conftest import CLIENTS, ROOT, SERVER, Host
from support.ca.certificates import authority, leaf

#: The authority of a group that the host does not admit.
OTHER_GROUP = authority("client", unit="other-g1", number=5)
COLUMNS = ("no certificate", "certificate of another group")
PYTHON = """\
import http.client, ssl, sys
host, ca, certificate, key = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
if certificate:
    context.load_cert_chain(certificate, key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
connection = http.client.HTTPSConnection(host, 2376, context=context, timeout=10)
connection.request("GET", "/_ping")
print(connection.getresponse().status)
"""


def table() -> dict[tuple[str, str], dict[str, str]]:
    """Return the words of the page by program, generation of the engine, and column."""
    page = (ROOT / "docs/troubleshooting.md").read_text().partition("### What a refused client prints")[2]
    found = {}
    for line in page.partition("\n\n### ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[2].startswith("`"):
            found[cells[0], cells[1]] = dict(zip(COLUMNS, (cell.strip("`") for cell in cells[2:])))
    return found


def engine_of(host: Host) -> str:
    version = host.sh("docker version --format '{{.Server.Version}}'")
    return "20.10" if version.startswith("20.10") else "26.1 and 28.5"


def command(program: str, address: str, ca: pathlib.Path, identity: pathlib.Path | None) -> list[str]:
    """Return how ``program`` asks the endpoint, with the certificate and key ``identity`` or with none.

    With a certificate in TLS 1.2: in TLS 1.3 the client is done before the server has checked it, and the connection may end before the alert is read.
    """
    certificate, key = ("", "") if identity is None else (str(identity), str(identity.with_suffix(".key")))
    if program == "docker":
        options = ["--tlsverify", f"--tlscacert={ca}", f"--tlscert={certificate}", f"--tlskey={key}"]
        return ["docker", "-H", f"tcp://{address}:2376", *options, "version"]
    if program == "curl":
        shown = ["--tls-max", "1.2", "--cert", certificate, "--key", key] if certificate else []
        return ["curl", "-sS", "--cacert", str(ca), *shown, f"https://{address}:2376/_ping"]
    return [sys.executable, "-c", PYTHON, address, str(ca), certificate, key]


def test_words_of_a_rejected_client_are_those_of_the_page(host: Host, tmp_path: pathlib.Path) -> None:
    host.secure()
    ca = SERVER.write(tmp_path, "ca")
    stranger = leaf(OTHER_GROUP, "client", common_name="eve").write(tmp_path, "eve")
    admitted = leaf(CLIENTS, "client", common_name="alice").write(tmp_path, "alice")
    rows = {program: words for (program, engine), words in table().items() if engine == engine_of(host)}
    assert set(rows) == {"docker", "curl", "Python"}
    rejected = said(command("docker", host.address, ca, stranger), tmp_path)
    assert "remote error: tls: certificate required" in rejected or "remote error: tls: bad certificate" in rejected
    for program, words in rows.items():
        for column, identity in zip(COLUMNS, (None, stranger)):
            assert words[column] in said(command(program, host.address, ca, identity), tmp_path), (program, column)
        printed = said(command(program, host.address, ca, admitted), tmp_path)
        assert "rror" not in printed and "alert" not in printed


def test_docker_command_of_the_release_prints_the_words_of_the_page_too(host: Host, tmp_path: pathlib.Path) -> None:
    """The other test has the docker command of the controller, which is newer than most hosts."""
    host.secure()
    for name, pair in {
        "admitted": leaf(CLIENTS, "client", common_name="alice"),
        "stranger": leaf(OTHER_GROUP, "client", common_name="eve"),
    }.items():
        pair.write(tmp_path, name)
        host.put(f"/root/words/{name}.pem", (tmp_path / f"{name}.pem").read_bytes())
        host.put(f"/root/words/{name}.key", (tmp_path / f"{name}.key").read_bytes(), "0600")
    host.put("/root/words/ca.pem", SERVER.pem)
    words = next(
        words for (program, engine), words in table().items() if (program, engine) == ("docker", engine_of(host))
    )
    printed = {name: said_on(host, identity) for name, identity in IDENTITIES.items()}
    assert "Server:" in printed["admitted"] and "rror" not in printed["admitted"]
    for column in COLUMNS:
        assert words[column] in printed[column], (column, host.sh("docker --version"))


IDENTITIES = {"no certificate": "", "certificate of another group": "stranger", "admitted": "admitted"}


def said_on(host: Host, identity: str) -> str:
    """Return what the host's own docker command prints when it asks the endpoint, with the certificate of ``identity`` or with none."""
    paths = f"--tlscert=/root/words/{identity}.pem --tlskey=/root/words/{identity}.key" if identity else ""
    asked = f"docker -H tcp://{host.address}:2376 --tlsverify --tlscacert=/root/words/ca.pem {paths} version 2>&1"
    return host.sh(f"env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root/words {asked}", check=False)


def said(asked: list[str], home: pathlib.Path) -> str:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "DOCKER_CONFIG": str(home)}
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.partition("Server:")[0] + done.stderr
