# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units that no Debian has, on a Debian host: docker-ce's, Fedora's, Amazon's, openSUSE's. The fixtures are the core's."""

from __future__ import annotations

import pytest

from conftest import ROOT, Host

FIXTURES = ROOT / "tests/unit/fixtures/units"
# What the fixtures leave out because it has nothing to do with the command, and dockerd needs all the same.
REST = "[Service]\nKillMode=process\nDelegate=yes\nExecReload=/bin/kill -s HUP $MAINPID\n"
PLACES = """\
ln -sf /usr/sbin/dockerd /usr/bin/dockerd
ln -sf /usr/sbin/runc /usr/sbin/docker-runc
mkdir -p /usr/libexec/docker && ln -sf /usr/bin/docker-init /usr/sbin/docker-proxy /usr/libexec/docker/
"""


def install_unit(host: Host, name: str) -> None:
    """Give the host the unit of a fixture, with its environment files, and start it."""
    host.sh(PLACES)
    host.put("/etc/systemd/system/docker.service", (FIXTURES / name / "docker.service").read_text())
    host.put("/etc/systemd/system/docker.service.d/10-rest.conf", REST)
    for path in sorted((FIXTURES / name / "env").rglob("*")):
        if path.is_file():
            # The test host lacks the capability to raise limits for its containers.
            text = path.read_text().replace("nofile=32768:65536", "nofile=1024:1024")
            host.put(f"/{path.relative_to(FIXTURES / name / 'env')}", text)
    host.sh("systemctl daemon-reload; systemctl reset-failed; systemctl restart docker.service")
    host.wait(30)
    host.sh("docker start keeper >/dev/null")


@pytest.mark.parametrize("name", ["docker-ce", "fedora-moby-engine", "amazon-linux-2023", "opensuse-leap-without-host"])
def test_unit_of_another_distribution_is_secured_and_given_back(host: Host, name: str) -> None:
    """Amazon's has a listener without TLS among its options; the others have nothing to adopt."""
    settings = {"live_restore": "enable", "existing_settings": "adopt"}
    install_unit(host, name)
    before, process = host.files(), host.keeper()
    flags = set(host.sh("tr '\\0' '\\n' < /proc/$(pidof dockerd)/cmdline").splitlines())
    done = host.secure(**settings)
    assert all(check["passed"] for check in done.result["verification"])
    kept = set(host.sh("tr '\\0' '\\n' < /proc/$(pidof dockerd)/cmdline").splitlines())
    assert {flag for flag in flags - kept if not flag.startswith(("-H", "--host", "fd://", "tcp://"))} == set()
    assert not host.run(**settings).result["changed"]
    assert host.keeper() == process
    host.secure(**settings)
    assert host.run(state="absent").result["changed"]
    host.sh("rm -rf /etc/docker/certs")
    assert host.files() == before
    assert host.keeper() == process
    assert host.works()


def test_package_upgrade_that_changes_the_unit_is_followed(host: Host) -> None:
    host.secure(live_restore="enable")
    text = host.sh("cat /lib/systemd/system/docker.service")
    host.put("/etc/systemd/system/docker.service", text.replace("-H fd://", "-H fd:// --label=new=1"))
    host.sh("systemctl daemon-reload")
    done = host.run(live_restore="enable")
    assert done.reasons == ["unit-changed"]
    assert "new=1" in host.sh("docker info -f '{{.Labels}}'")
    assert not host.run(live_restore="enable").result["changed"]
