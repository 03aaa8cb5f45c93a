# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of docs/issuers.md, typed as they stand there into a shell, against a real OpenBao and a real openssl."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import typing as t
from datetime import datetime, timezone

from ansible_collections.portcullis.docker_tls.plugins.module_utils._issuers import openbao
from ansible_collections.portcullis.docker_tls.plugins.module_utils._pki import names, revocation_list, signing
from ansible_collections.portcullis.docker_tls.plugins.modules import acme_certificate, issued_certificates
from support.ansible.modules import run_module
from support.ca import bao_server, own_network
from support.ca import certificates as made

PAGE = (pathlib.Path(__file__).parents[2] / "docs/issuers.md").read_text()
KEY = made.private_key(number=1)


def commands(beginning: str) -> list[str]:
    """Return the commands of the console block whose first command begins so."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    found = [[line[2:] for line in block.splitlines() if line.startswith("$ ")] for block in blocks]
    (lines,) = [block for block in found if block[0].startswith(beginning)]
    return lines


def typed(command: str, directory: pathlib.Path, **settings: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def shell_of(bao: bao_server.Bao, directory: pathlib.Path) -> dict[str, str]:
    """Return the environment of an administrator's shell."""
    (directory / "bao-ca.pem").write_text(bao.ca_content)
    return {
        "BAO_ADDR": bao.url,
        "BAO_CACERT": str(directory / "bao-ca.pem"),
        "BAO_TOKEN": bao_server.ADMINISTRATOR,
        "PATH": f"{pathlib.Path(str(bao_server.PROGRAM)).parent}:{os.environ['PATH']}",
    }


def value(output: str, name: str) -> str:
    """Return a value of the table that bao prints."""
    return next(line.split()[1] for line in output.splitlines() if line.split()[:1] == [name])


def request(common_name: str, subject: t.Sequence[str], profile: str) -> dict[str, t.Any]:
    wanted = tuple(subject) or (names.client_identity(common_name),)
    return {
        "id": f"web1/{profile}",
        "authority": profile,
        "profile": profile,
        "request_content": signing.build_request(KEY, names.SubjectNames(common_name, wanted)).decode(),
        "common_name": common_name,
        "names": list(subject),
        "validity": "90d",
        "requester": "web1",
    }


def issue(asked: dict[str, t.Any], ca_content: str, settings: dict[str, t.Any]) -> dict[str, t.Any]:
    issuer = {"authority": asked["authority"], "issuer": "openbao", "ca_content": ca_content, "openbao": settings}
    return run_module(issued_certificates, {"requests": [asked], "issuers": [issuer]})


@bao_server.needs_bao
def test_roles_and_policies_of_openbao_sign_for_servers_and_for_clients_and_for_nothing_else(
    tmp_path: pathlib.Path,
) -> None:
    for bao in bao_server.started(tmp_path / "bao"):
        shell = shell_of(bao, tmp_path)
        bao.call("sys/auth/approle", {"type": "approle"})
        roots = {mount: bao.make_ca(mount, mount) for mount in ("pki-docker", "pki-docker-clients")}
        *_rest, role_id, secret_id = [
            typed(line, tmp_path, **shell) for line in commands("bao write pki-docker/roles/dockerd")
        ]
        for line in commands("bao write pki-docker-clients/roles/operator"):
            typed(line, tmp_path, **shell)
        access = {"url": bao.url, "ca_content": bao.ca_content, "mount": "pki-docker", "role": "dockerd"}
        approle = {"role_id": value(role_id, "role_id"), "secret_id": value(secret_id, "secret_id")}
        server = request("web1.example.org", ["web1.example.org", "localhost", "192.0.2.10", "127.0.0.1"], "server")
        found = issue(server, roots["pki-docker"], {**access, **approle})
        assert list(found["certificates"]) == ["web1/server"], found["rejected"]
        elsewhere = request("web1.example.com", ["web1.example.com"], "server")
        assert issue(elsewhere, roots["pki-docker"], {**access, **approle})["rejected"]["web1/server"]["code"] == (
            "issuer-refused"
        )
        clients = {**access, "mount": "pki-docker-clients", "role": "operator"}
        alice = request("alice", [], "client")
        denied = issue(alice, roots["pki-docker-clients"], {**clients, **approle})
        assert denied["rejected"]["web1/client"]["code"] == "issuer-denied"
        credentials = bao.call("auth/approle/role/docker-clients/secret-id", {})["data"]["secret_id"]
        identity = bao.call("auth/approle/role/docker-clients/role-id")["data"]["role_id"]
        found = issue(alice, roots["pki-docker-clients"], {**clients, "role_id": identity, "secret_id": credentials})
        assert found["certificates"]["web1/client"]["common_name"] == "alice", found["rejected"]


@bao_server.needs_bao
def test_commands_that_revoke_a_client_and_keep_the_lists_of_openbao_from_ending(tmp_path: pathlib.Path) -> None:
    for bao in bao_server.started(tmp_path / "bao"):
        shell = shell_of(bao, tmp_path)
        root = bao.make_ca("pki-docker-clients", "Clients")
        bao.call("pki-docker-clients/roles/operator", bao_server.CLIENT_ROLE)
        settings = {"url": bao.url, "ca_content": bao.ca_content, "mount": "pki-docker-clients", "role": "operator"}
        alice = issue(request("alice", [], "client"), root, {**settings, "token": bao_server.ADMINISTRATOR})
        certificate = alice["certificates"]["web1/client"]
        (tmp_path / "cert.pem").write_text(certificate["certificate_content"])
        for line in commands("bao write pki-docker-clients/config/crl"):
            typed(line, tmp_path, **shell)
        config = bao.call("pki-docker-clients/config/crl")["data"]
        assert (config["auto_rebuild"], config["expiry"]) == (True, "72h")
        options = {**{name: one.get("default", "") for name, one in openbao.OPTIONS.items()}, **settings, "token": "x"}
        lists = openbao.of_engine(openbao.settings_from(options, "it", lambda seconds: None), root)
        (found,) = revocation_list.read_lists(lists, "it")
        assert set(found.serials) == {int(certificate["certificate"]["serial"], 16)}


@bao_server.needs_bao
@own_network.needs_root
def test_commands_that_make_openbao_an_acme_server(tmp_path: pathlib.Path) -> None:
    """OpenBao looks for the answer to a challenge at port 80 and nowhere else, so all of it happens in a network of its own."""
    own_network.in_own_network(lambda: _order_by_acme(tmp_path))


def _order_by_acme(place: pathlib.Path) -> None:
    subprocess.run(["ip", "address", "add", "192.0.2.10/32", "dev", "lo"], check=True)
    subject = ["web1.example.org", "192.0.2.10"]
    (place / "server-key.pem.new").write_bytes(made.Pair(None, KEY).key_pem)
    (place / "server-key.pem.new").chmod(0o600)
    for bao in bao_server.started(place / "bao"):
        root = bao.make_ca("pki-docker", "Company root")
        shell = shell_of(bao, place)
        lines = [
            line.replace("https://bao.example.org:8200", bao.url)
            for line in commands("bao write pki-docker/roles/acme")
        ]
        output = [typed(line, place, **shell) for line in lines]
        resolver = {"dns_resolver": own_network.name_server("192.0.2.10")}  # which the machine has in real life
        bao.call("pki-docker/config/acme", {**bao.call("pki-docker/config/acme")["data"], **resolver})
        given = {
            "directory": f"{bao.url}/v1/pki-docker/acme/directory",
            "ca_content": bao.ca_content,
            "anchors_content": root,
            "key_path": str(place / "server-key.pem"),
            "common_name": subject[0],
            "names": subject,
            "account_directory": str(place / "accounts"),
        }
        denied = run_module(acme_certificate, given)
        assert (denied["code"], "externalAccountRequired" in denied["msg"]) == ("issuer-refused", True)
        credentials = {"eab_kid": value(output[-1], "id"), "eab_key": value(output[-1], "key")}
        ordered = run_module(acme_certificate, {**given, **credentials})
        again = run_module(acme_certificate, {**given, **credentials})
        typed(
            "bao patch pki-docker/roles/acme require_cn=true", place, **shell
        )  # as in a role that signs for the issuer openbao
        refused = run_module(acme_certificate, {**given, **credentials})
        assert (refused["code"], "docs/issuers.md" in refused["hint"]) == ("issuer-refused", True)
        other_host = {**given, **credentials, "account_directory": str(place / "accounts of another host")}
        assert run_module(acme_certificate, other_host)["code"] == "issuer-refused"
    for found in (ordered, again):
        answers = {"web1/server": {"certificate_content": found["certificate_content"]}}
        issuer = {"authority": "server", "issuer": "acme", "ca_content": root}
        asked = {"requests": [request(subject[0], subject, "server")], "issuers": [issuer], "answers": answers}
        one = run_module(issued_certificates, asked)["certificates"]["web1/server"]
        assert sorted(one["names"]) == sorted(subject)
        assert one["certificate"]["extended_key_usages"] == ["serverAuth"]


def test_openssl_commands_for_a_ca_that_is_asked_by_hand(tmp_path: pathlib.Path) -> None:
    root = made.authority(unit="company-root", number=2)
    root.write(tmp_path, "issuing")
    subject = ["web1.example.org", "192.0.2.10"]
    asked = request("web1.example.org", subject, "server")
    (tmp_path / "web1-server.csr").write_text(asked["request_content"])
    for line in commands("printf 'extendedKeyUsage=serverAuth"):
        typed(line, tmp_path)
    issuer = {
        "authority": "server",
        "issuer": "files",
        "ca_content": root.pem,
        "files": {"directory": str(tmp_path)},
    }
    found = run_module(issued_certificates, {"requests": [asked], "issuers": [issuer]})
    one = found["certificates"]["web1/server"]
    assert sorted(one["names"]) == sorted(subject), json.dumps(found["rejected"])
    assert datetime.fromisoformat(one["not_after"].replace("Z", "+00:00")) > datetime.now(timezone.utc)
