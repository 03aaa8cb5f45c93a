# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts for people: about client certificates that should not be used any more, and about hosts that Ansible cannot reach. |.

Ansible reports the messages of these programs without advice. The texts are those of OpenSSH 9.2, sudo 1.9.13, dash and bash, seen in real runs on
Debian 12, and of the ssh connection of ansible-core 2.18 to 2.21.
"""

from __future__ import annotations

import re
import typing as t

Mapping = t.Mapping[str, t.Any]

_MOST_HOSTS = 5
_REASONS = {
    "client-unlisted": "docker_client_cert_clients has no client {client}",
    "group-changed": "{client} is not of the group {group} any more",
    "bundle-unlisted": "the inventory has no bundle of {client} there any more",
    "client-revoked": "{client} is revoked",
}


def why(one: Mapping) -> str:
    """Return why a certificate (``unlisted`` or ``revoked`` of M(authority_info)) is not wanted."""
    sentence = _REASONS.get(str(one.get("reason")), "the inventory does not list it")
    return sentence.format(client=one.get("client"), group=one.get("group"))


def what(one: Mapping) -> str:
    """Return which certificate it is."""
    source = "" if one.get("source") == "issued" else f", {one.get('source')}"
    return f"{one.get('client')}, certificate of {one.get('generation')} ({one.get('request') or one.get('requester') or '-'}{source})"


def opens(one: Mapping, hosts: t.Sequence[str]) -> str:
    """Return the hosts that it opens, and its end."""
    until = str(one.get("not_after", ""))[:10]
    if hosts:
        return f"opens {named(hosts)} until {until}"
    if one.get("source") == "adopted":  # docker_daemon_state absent gives a host back to the CA that it had before
        return (
            f"opens no host with an endpoint of ours now; hosts whose endpoint was removed may admit it until {until}"
        )
    return f"opens no host now, and is valid until {until}"


def named(hosts: t.Sequence[str]) -> str:
    """Return host names as text, the first few of many."""
    more = len(hosts) - _MOST_HOSTS
    return f"{', '.join(map(str, hosts[:_MOST_HOSTS]))} and {more} more" if more > 0 else ", ".join(map(str, hosts))


def how_to_end(one: Mapping) -> str:
    """Return by what its access ends."""
    client, group = one.get("client"), one.get("group")
    is_unknown, is_issued = one.get("reason") == "client-unlisted", one.get("source") == "issued"
    ways = []
    if is_issued:
        ways.append("run portcullis.docker_tls.site with -e docker_ca_unlisted_certificates=revoke")
    if is_unknown:
        ways.append(
            f"give docker_client_cert_clients the entry {{name: {client}, group: {group}, state: revoked}} and run portcullis.docker_tls.site"
        )
    return ", or ".join(ways or [f"replace the authority of the group (docker_rotate_ca_authority={group})"])


_ASK_BECOME = "Run again with --ask-become-pass (-K), and type the password of the user that Ansible logs in as; or set ansible_become_password."
_SUDO_RIGHTS = "Give the user that Ansible logs in as the right to run every command as root with sudo (/etc/sudoers.d), or set another ansible_user."
_LOGIN = (
    "Log in once by hand: ssh USER@HOST. Ansible logs in as ansible_user, by default the name of your own account, with the keys of "
    "your SSH agent or ansible_ssh_private_key_file. --ask-pass asks for a password."
)

#: The first pattern that occurs decides. Patterns are case-insensitive.
_HINTS: tuple[tuple[str, str], ...] = (
    (
        r"\bsudo: (command )?not found\b|sudo: No such file or directory",
        "Set ansible_user: root for this host if Ansible logs in as root, so that it does not call sudo; otherwise install sudo there.",
    ),
    (
        r"must have a tty to run sudo",
        "Remove requiretty for this user from the host's sudoers: Defaults:USER !requiretty.",
    ),
    (
        r"missing (sudo|become) password|sudo: a (password|terminal) is required|timeout .*waiting for privilege escalation prompt",
        _ASK_BECOME,
    ),
    (r"incorrect sudo password|\d+ incorrect password attempt|duplicate become password prompt", _ASK_BECOME),
    (r"is not in the sudoers file|is not allowed to (run sudo|execute)|may not run sudo", _SUDO_RIGHTS),
    (
        r"remote host identification has changed",
        "Find out why the host has another key. If it was installed again: ssh-keygen -R HOST, then log in once by hand.",
    ),
    (
        r"host key verification failed|host key is known for|authenticity of host",
        "Log in once by hand (ssh USER@HOST), compare the fingerprint and confirm it: SSH then knows the host's key.",
    ),
    (
        r"you must install the sshpass program",
        "Install sshpass on the controller, or log in with an SSH key: ssh-copy-id USER@HOST.",
    ),
    (r"permission denied \(|too many authentication failures|no such identity", _LOGIN),
    (
        r"ssh: could not resolve hostname",
        "Correct the name in the inventory, or set ansible_host to the host's address.",
    ),
    (
        r"\bssh: connect to host (localhost port \d+|(127\.0\.0\.1|::1) port 22\b)",  # another port is a forwarded one
        "The inventory names localhost without ansible_connection: local, so Ansible logs in to this machine by SSH. Add ansible_connection: local there.",
    ),
    (
        r"\bssh: .*(connection refused|timed out|no route to host|network is unreachable|connection (reset|closed))",
        "Check that the host is up and that ssh USER@HOST works from here; ansible_host and ansible_port set where Ansible connects.",
    ),
    (
        r"module interpreter '.*' was not found|no python interpreters? found|python3?: (command )?not found",
        "Install Python 3 on the host (Debian: apt-get install python3), or set ansible_python_interpreter to where it is.",
    ),
    (
        r"this account is currently not available|password change required|password has expired",
        "Use a user that can log in with a shell: ssh USER@HOST has to end at a prompt.",
    ),
)
_COMPILED: t.Final = tuple((re.compile(pattern, re.IGNORECASE), hint) for pattern, hint in _HINTS)


def hint(text: str) -> str:
    """Return advice about ``text``, the message of a program that Ansible needs to reach a host; "" for any other text."""
    return next((advice for pattern, advice in _COMPILED if pattern.search(text)), "")
