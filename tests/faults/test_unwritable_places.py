# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that cannot be replaced by a rename: a run and a check run report them with the same message, and nothing is changed."""

from __future__ import annotations

import pytest
from test_faults import refused

from conftest import Host

# Not every release has chattr: FS_IOC_GETFLAGS and FS_IOC_SETFLAGS (ioctl_iflags(2)) on x86-64 and arm64.
CHATTR = """\
#!/usr/bin/python3
import fcntl, os, struct, sys
change, path = sys.argv[1:]
descriptor, bit = os.open(path, os.O_RDONLY), {"i": 0x10, "a": 0x20}[change[1]]
flags = struct.unpack("l", fcntl.ioctl(descriptor, 0x80086601, bytes(8)))[0]
fcntl.ioctl(descriptor, 0x40086602, struct.pack("l", flags | bit if change[0] == "+" else flags & ~bit))
"""
MOUNT = "mkdir -p /srv/c && cp {0} /srv/c/f && mount --bind /srv/c/f {0}"
BROKEN = {
    "daemon-json-mounted": (MOUNT.format("/etc/docker/daemon.json"), "umount /etc/docker/daemon.json", "umount"),
    "daemon-json-immutable": ("chattr +i /etc/docker/daemon.json", "chattr -i /etc/docker/daemon.json", "chattr -i"),
    "etc-docker-append-only": ("chattr +a /etc/docker", "chattr -a /etc/docker", "chattr -a"),
    "unit-directory-immutable": ("chattr +i /etc/systemd/system", "chattr -i /etc/systemd/system", "chattr -i"),
    "certificates-immutable": ("chattr +i /etc/docker/certs", "chattr -i /etc/docker/certs", "chattr -i"),
    "state-immutable": (
        "mkdir -p /var/lib/docker-tls; chattr +i /var/lib/docker-tls",
        "chattr -i /var/lib/docker-tls",
        "chattr -i",
    ),
    "link-to-a-read-only-file-system": (
        "mkdir -p /srv/store; mount -t tmpfs none /srv/store; cp /etc/docker/daemon.json /srv/store/d.json; "
        "mount -o remount,ro /srv/store; ln -sf /srv/store/d.json /etc/docker/daemon.json",
        "umount /srv/store",
        "read-only by design",
    ),
    "dangling-link": ("ln -sf /srv/nowhere/daemon.json /etc/docker/daemon.json", "true", "Mount or make"),
}
CODES = {"link-to-a-read-only-file-system": "file-system-read-only", "dangling-link": "daemon-json-link"}


@pytest.fixture(autouse=True)
def with_chattr(host: Host) -> None:
    if not host.sh("command -v chattr", check=False):
        host.put("/usr/local/bin/chattr", CHATTR, "0755")


@pytest.mark.parametrize(("name", "before", "after", "advice"), [(n, *case) for n, case in BROKEN.items()], ids=BROKEN)
def test_file_that_cannot_be_replaced_is_found_before_anything_is_touched(
    host: Host, name: str, before: str, after: str, advice: str
) -> None:
    host.put("/etc/docker/daemon.json", '{"log-driver": "json-file"}')
    pair = host.issue()
    host.sh(before)
    code = CODES.get(name, "file-not-replaceable")
    try:
        planned = refused(host, code, check_mode=True, certificate_pending=True)
        answer = refused(host, code, certificate=pair.pem, live_restore="enable")
    finally:
        host.sh(after)
    assert advice in answer.error["hint"] + answer.error["message"]
    assert planned.error["hint"] == answer.error["hint"]


def test_daemon_json_that_is_a_link_is_changed_where_it_leads(host: Host) -> None:
    host.put("/srv/dotfiles/daemon.json", '{"log-driver": "json-file"}')
    host.sh("ln -sf /srv/dotfiles/daemon.json /etc/docker/daemon.json")
    done = host.secure(live_restore="enable")
    assert any("/srv/dotfiles/daemon.json" in warning for warning in done.result["warnings"])
    assert host.sh("readlink /etc/docker/daemon.json") == "/srv/dotfiles/daemon.json"
    assert not host.run(live_restore="enable").result["changed"]
    assert host.run(state="absent").result["changed"]
    assert host.sh("cat /srv/dotfiles/daemon.json") == '{"log-driver": "json-file"}'


def test_endpoint_that_cannot_be_taken_away_is_found_before_anything_is_touched(host: Host) -> None:
    host.secure(live_restore="enable")
    host.sh("chattr +i /etc/docker/daemon.json")
    try:
        for options in ({"state": "absent"}, {"state": "rolled_back"}, {"state": "absent", "check_mode": True}):
            refused(host, "file-not-replaceable", **options)
    finally:
        host.sh("chattr -i /etc/docker/daemon.json")
    assert not host.run(live_restore="enable").result["changed"]
