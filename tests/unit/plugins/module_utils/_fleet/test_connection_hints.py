# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hints for the words of SSH, sudo and shells. The texts are copied from real runs of site.yml."""

from __future__ import annotations

import pytest

from ansible_collections.portcullis.docker_tls.plugins.module_utils._fleet import advice

SENT = 'Task failed: Data could not be sent to remote host "172.19.0.2". Make sure this host can be reached over ssh: '
TEXTS = {
    "sudo-password-missing": ("Task failed: Missing sudo password", "--ask-become-pass"),
    "sudo-password-wrong": ("Task failed: Incorrect sudo password", "--ask-become-pass"),
    "sudo-password-required": ("MODULE FAILURE: sudo: a password is required", "--ask-become-pass"),
    "sudo-prompt-timeout": ("Timeout (12s) waiting for privilege escalation prompt: ", "--ask-become-pass"),
    "sudoers": ("No start of json char found: eve is not in the sudoers file.", "sudoers.d"),
    "sudoers-command": ("Sorry, user eve is not allowed to execute '/bin/sh -c x' as root on web1.", "sudoers.d"),
    "requiretty": ("No start of json char found: sudo: sorry, you must have a tty to run sudo", "!requiretty"),
    "no-sudo-dash": ("No start of json char found: /bin/sh: 1: sudo: not found", "ansible_user: root"),
    "no-sudo-bash": ("bash: line 1: sudo: command not found", "ansible_user: root"),
    "denied": (f"{SENT}nobodyhere@172.19.0.2: Permission denied (publickey,password).", "ansible_user"),
    "denied-2.18": ("Failed to connect to the host via ssh: root@10.0.0.2: Permission denied (publickey).", "ansible_user"),
    "host-key-unknown": (f"{SENT}Host key verification failed.", "fingerprint"),
    "host-key-strict": (f"{SENT}No ED25519 host key is known for 172.19.0.2 and you have requested strict checking.", "fingerprint"),
    "host-key-changed": (f"{SENT}@@@ @ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @ @@@ Host key verification failed.", "ssh-keygen -R"),
    "no-name": (f"{SENT}ssh: Could not resolve hostname web9.nowhere.test: Name or service not known", "ansible_host"),
    "refused": (f"{SENT}ssh: connect to host 172.19.0.2 port 2222: Connection refused", "ansible_port"),
    "localhost": (f"{SENT}ssh: connect to host localhost port 22: Connection refused", "ansible_connection: local"),
    "localhost-address": (f"{SENT}ssh: connect to host 127.0.0.1 port 22: Connection refused", "ansible_connection: local"),
    "localhost-forwarded": (f"{SENT}ssh: connect to host 127.0.0.1 port 2222: Connection refused", "ansible_port"),
    "no-route": (f"{SENT}ssh: connect to host 10.0.0.9 port 22: No route to host", "ansible_port"),
    "time-out": (f"{SENT}Connection timed out during banner exchange", "ansible_port"),
    "sshpass": ("to use the 'ssh' connection type with passwords or pkcs11_provider, you must install the sshpass program", "sshpass"),
    "no-python": ("The module interpreter '/usr/bin/python3' was not found.: /bin/sh: 1: /usr/bin/python3: not found", "ansible_python_interpreter"),
    "nologin": ("No start of json char found: This account is currently not available.", "shell"),
    "expired": ("No start of json char found: Password change required but no TTY available.", "shell"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "word"), TEXTS.values(), ids=TEXTS)
def test_hint_names_the_way_out(text: str, word: str) -> None:
    assert word in advice.hint(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OSError: disk full",
        "port 2376 is taken by nginx",
        "the key of the authority server-g1 does not open with the passphrase that was given",
        "dial tcp 10.0.0.9:2376: connect: connection refused",
        "Failed to fetch https://packages.example.test: Could not resolve hostname packages.example.test",
        "Docker is not there: docker: command not found",
    ],
)
def test_hint_for_other_texts_is_empty(text: str) -> None:
    assert advice.hint(text) == ""
