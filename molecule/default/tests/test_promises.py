# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SECURITY.md and docs/threats.md promise, tried by anyone who has stolen a key. tests/unit/contracts/promises.yml names the sentences."""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from fleet import hosts_of, who_gets_in
from playbook import play
from testinfra_helpers import Bundle, address_of, client_bundle, curl, ephemeral_directory
from thief import forged, fragment, of_host, openssl

testinfra_hosts = ["ansible://localhost"]
PASSPHRASE = "correct horse battery staple"
PLACES = "/etc /root /tmp /run /var/lib/docker-tls /var/log"


@pytest.fixture(name="hosts", scope="module")
def docker_hosts() -> dict[str, Any]:
    return hosts_of("docker_hosts")


@pytest.fixture(name="bundle")
def client() -> Bundle:
    return client_bundle()


def authority(name: str) -> Path:
    """The directory of an authority's first generation."""
    return ephemeral_directory() / "ca" / "authorities" / f"{name}-g1"


def test_key_of_one_host_opens_no_host(hosts: dict[str, Any], bundle: Bundle, tmp_path: Path) -> None:
    for name, host in hosts.items():
        assert who_gets_in(hosts, of_host(host, tmp_path / name, bundle.ca)) == set()


def test_client_notices_another_host_in_place_of_the_one_that_it_calls(hosts: dict[str, Any], bundle: Bundle) -> None:
    for called in hosts:
        for host, there in hosts.items():
            answer = curl(address_of(there), bundle=bundle, name=called)
            assert (answer.stdout == "OK") is (host == called), (called, host, answer)


def test_every_host_is_localhost_to_a_client(hosts: dict[str, Any], bundle: Bundle) -> None:
    for host in hosts.values():
        assert curl(address_of(host), bundle=bundle, name="localhost").stdout == "OK"


def test_stolen_client_key_opens_every_host_that_admits_its_group(
    hosts: dict[str, Any], bundle: Bundle, tmp_path: Path
) -> None:
    shutil.copytree(bundle.directory, tmp_path / "stolen")
    assert who_gets_in(hosts, Bundle(tmp_path / "stolen")) == set(hosts)


def test_private_keys_stay_where_they_were_made(hosts: dict[str, Any], bundle: Bundle) -> None:
    of_hosts = {
        name: fragment(host.check_output("cat /etc/docker/certs/server-key.pem")) for name, host in hosts.items()
    }
    of_client = fragment(Path(bundle.key).read_text())
    on_controller = {
        path: path.read_bytes() for path in ephemeral_directory().rglob("*") if path.is_file() and not path.is_symlink()
    }
    for name, host in hosts.items():
        assert [path for path, data in on_controller.items() if of_hosts[name].encode() in data] == []
        foreign = [of_client, *(key for other, key in of_hosts.items() if other != name)]
        patterns = " ".join(f"-e {key}" for key in foreign)
        # The search itself is among the processes, whose arguments are in no file of these places.
        assert host.run(f"grep -rlsF {patterns} {PLACES}").stdout == ""
    assert [path.name for path, data in on_controller.items() if of_client.encode() in data] == ["key.pem"]


def test_client_cannot_sign_another(hosts: dict[str, Any], bundle: Bundle, tmp_path: Path) -> None:
    made = forged(tmp_path / "made", bundle.ca, Path(bundle.certificate), Path(bundle.key))
    assert who_gets_in(hosts, made) == set()


def test_key_of_the_server_authority_opens_no_daemon(hosts: dict[str, Any], bundle: Bundle, tmp_path: Path) -> None:
    server = authority("server")
    made = forged(tmp_path / "made", bundle.ca, server / "certificate.pem", server / "key.pem", PASSPHRASE)
    assert who_gets_in(hosts, made) == set()


def test_key_of_a_client_authority_opens_what_its_group_opens(
    hosts: dict[str, Any], bundle: Bundle, tmp_path: Path
) -> None:
    clients = authority("clients")
    made = forged(tmp_path / "made", bundle.ca, clients / "certificate.pem", clients / "key.pem", PASSPHRASE)
    assert who_gets_in(hosts, made) == set(hosts)


def test_backup_holds_no_key_that_opens_without_the_passphrase(tmp_path: Path) -> None:
    archive = tmp_path / "ca.tar.gz"
    done = play(playbook="playbooks/backup_ca.yml", docker_ca_backup_path=str(archive))
    assert done.returncode == 0, done.output
    with tarfile.open(archive) as opened:
        files = {one.name: opened.extractfile(one).read().decode() for one in opened if one.isfile()}  # type: ignore[union-attr]
    keys = {name: text for name, text in files.items() if "PRIVATE KEY" in text}
    assert len(keys) == 2, sorted(files)
    for name, text in keys.items():
        assert re.findall(r"-----BEGIN (.*)-----", text) == ["ENCRYPTED PRIVATE KEY"], name
        assert openssl("pkey", "-noout", "-passin", "pass:incorrect horse", data=text).returncode != 0
        assert openssl("pkey", "-noout", "-passin", f"pass:{PASSPHRASE}", data=text).returncode == 0
        shown = openssl("asn1parse", data=text).stdout
        assert ":PBKDF2" in shown and ":hmacWithSHA256" in shown and ":aes-256-cbc" in shown, shown
        assert f":{600_000:06X}" in shown, shown


def test_wire_shows_certificates_and_authorities_and_no_more(hosts: dict[str, Any]) -> None:
    """To a client without a key: openssl reports the messages that it was sent, and the next request is not answered."""
    for host in hosts.values():
        shown = openssl("s_client", "-connect", f"{address_of(host)}:2376").stdout
        assert "-----BEGIN CERTIFICATE-----" in shown
        assert "OU=clients-g1" in shown.replace(" = ", "="), shown
        assert curl(address_of(host)).stdout != "OK"
