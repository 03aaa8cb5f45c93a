# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role docker_client_cert with every form, by ansible-playbook: what it leaves in the bundle, and where its secret is not."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest
import yaml

from ansible_collections.portcullis.docker_tls.plugins.module_utils._bundles.formats import registry
from ansible_collections.portcullis.docker_tls.plugins.module_utils._time import utc_now
from support.ansible import playbook_runs
from support.ca.ca_directory import PASSPHRASE_TEXT, ensure, tree

P12 = "the passphrase of client.p12"
INVENTORY = {
    "docker_hosts": {
        "hosts": {
            "web1": {"docker_daemon_access_groups": ["ops"]},
            "web2": {"docker_daemon_access_groups": ["clients", "ops"], "ansible_host": "10.0.0.2"},
            "web3": {},
        }
    }
}
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "docker_ca_passphrase": PASSPHRASE_TEXT,
            "docker_client_cert_pkcs12_passphrase": P12,
            "docker_client_cert_bundle_formats": list(registry.NAMES),
            "docker_client_cert_clients": [
                {"name": "alice", "group": "ops"},
                {"name": "bob", "bundles": ["context"], "consumer_directory": "/certs"},
            ],
        },
        "roles": ["portcullis.docker_tls.docker_client_cert"],
    }
]


class Run(t.NamedTuple):
    """Where a run worked and what it said."""

    directory: pathlib.Path
    output: str

    @property
    def clients(self) -> pathlib.Path:
        return self.directory / "home/.docker_tls/clients"


def play(directory: pathlib.Path, *arguments: str) -> Run:
    (directory / "play.yml").write_text(yaml.safe_dump(PLAY))
    local = {"hosts": {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}
    (directory / "inventory.yml").write_text(yaml.safe_dump({**INVENTORY, "ungrouped": local}))
    command = [playbook_runs.PLAYBOOK, "-i", "inventory.yml", "play.yml", *arguments]
    done = playbook_runs.run(command, playbook_runs.keeping(directory, directory), directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return Run(directory, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run with everything that shows or keeps more: -vvvv, --diff, files kept, no pipelining configured."""
    directory = tmp_path_factory.mktemp("forms")
    (directory / "home/.docker_tls").mkdir(mode=0o700, parents=True)
    ensure(directory / "home/.docker_tls/ca", "clients", "ops", now=utc_now())
    return play(directory, "-vvvv", "--diff")


def contexts(bundle: pathlib.Path) -> dict[str, str]:
    """Return the docker hosts by the names of the contexts."""
    files = bundle.glob("contexts/meta/*/meta.json")
    found = [yaml.safe_load(file.read_text()) for file in files]
    return {each["Name"]: each["Endpoints"]["docker"]["Host"] for each in found}


def test_client_gets_every_form_for_the_hosts_that_admit_it(loud: Run) -> None:
    alice = loud.clients / "alice"
    assert contexts(alice) == {"web1": "tcp://web1:2376", "web2": "tcp://10.0.0.2:2376"}
    made = {path.name for path in alice.iterdir()}
    assert made >= {"ca.pem", "cert.pem", "key.pem", "env.sh", ".envrc", "client.p12", "docker.tf", "prometheus.yml"}
    assert made >= {"contexts", "contexts-export", "gitlab-runner", "module_defaults.yml", "portainer", "traefik"}


def test_client_with_forms_of_its_own_gets_those(loud: Run) -> None:
    bob = loud.clients / "bob"
    assert contexts(bob) == {"web2": "tcp://10.0.0.2:2376", "web3": "tcp://web3:2376"}
    assert {path.name for path in bob.iterdir()} == {"ca.pem", "cert.pem", "key.pem", "contexts", ".formats.json"}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_pkcs12_opens_with_the_roles_passphrase(loud: Run) -> None:
    command = ["openssl", "pkcs12", "-in", str(loud.clients / "alice/client.p12"), "-passin", f"pass:{P12}", "-nokeys"]
    assert b"friendlyName: alice" in subprocess.run(command, capture_output=True, check=True).stdout


def test_passphrases_and_keys_are_in_no_file_of_ansible_and_no_output(loud: Run) -> None:
    written = {name: data for name, data in tree(loud.directory).items() if name not in ("play.yml",)}
    for secret in (P12, PASSPHRASE_TEXT):
        assert [name for name, data in written.items() if secret.encode() in data] == []
        assert secret not in loud.output
    assert "PRIVATE KEY" not in loud.output


def test_second_run_and_check_mode_change_nothing(loud: Run) -> None:
    before = tree(loud.clients)
    for arguments in (("--check", "--diff"), ()):
        assert "changed=0" in play(loud.directory, *arguments).output
        assert tree(loud.clients) == before
