# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS checks of docker-bench-security (CIS Docker Benchmark 1.6), as that script reads the host.

Read from its source (functions/helper_lib.sh, tests/2_*.sh, tests/3_*.sh), and written here again: it takes the paths from the text
of daemon.json, split at commas, and calls ``stat`` without ``-L``; it finds a TCP listener by "host" and "tcp://" on one line.
"""

from __future__ import annotations

import pytest

from conftest import Host

# One line a setting: its path as the script finds it, then mode, owner and group of exactly that path.
SETTINGS = """\
for key in tlscacert tlscert tlskey; do
    path=$(tr , '\\n' < /etc/docker/daemon.json | grep "$key" | sed 's/.*://' | tr -d '" ')
    echo "$key $(stat -c '%a %u%g' "$path" 2>&1)"
done
"""
# 3.5, 3.6, 3.17 and 3.18: our files lie in the first and change the second.
OTHERS = "for path in /etc/docker /etc/docker/daemon.json; do stat -c '%n %a %u%g' $path; done"


@pytest.mark.parametrize("listener", ["dockerd", "systemd"])
def test_tls_checks_of_docker_bench_security_pass(host: Host, listener: str) -> None:
    host.sh("""echo '{"log-driver": "json-file"}' > /etc/docker/daemon.json""")
    host.secure(listener=listener)
    for _time in ("first", "renewed"):
        found = dict(line.split(" ", 1) for line in host.sh(SETTINGS).splitlines())
        assert found == {"tlscacert": "444 00", "tlscert": "444 00", "tlskey": "400 00"}
        assert host.sh("tr , '\\n' < /etc/docker/daemon.json | grep '\"tlsverify\":' | grep -c true") == "1"
        listens = host.sh("grep -cE 'host.*tcp://' /etc/docker/daemon.json", check=False)
        assert listens == ("1" if listener == "dockerd" else "0")
        others = dict(line.split(" ", 1) for line in host.sh(OTHERS).splitlines())
        assert others == {"/etc/docker": "755 00", "/etc/docker/daemon.json": "644 00"}
        host.run(certificate=host.issue().pem, listener=listener)
