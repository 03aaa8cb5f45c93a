# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The adoption of existing Docker hosts: what adopt.yml would do, as text, what prevents it, and what its later plays take over.

The hosts are inspected first, then the CA host searches for the keys of the CAs that they use. The plan is shown, and carried out only with
``docker_adopt_execute``: the CA host takes over the CAs that the inventory names and records their certificates, C(site.yml) secures the hosts, and
the relay for port 2375 and the repairs follow.
"""

from __future__ import annotations

import json
import typing as t

from .._variables.binding import Bound
from .._variables.fleet_variables import Fleet
from . import access_lists, issuer_settings, locations
from .adoption_answer import MOST_CERTIFICATE, MOST_ENTRIES, listener_lines, listener_problems, problem, shown

Mapping = t.Mapping[str, t.Any]

#: Where adopt.yml registers the answers of the Docker hosts and of the CA host, and record_certificates.yml those of all hosts.
INSPECTED, KEYS, FILES = "__docker_adoption", "__docker_adopt_keys", "__docker_record_files"
_CLIENTS_OF_OTHERS = ("docker-recipe", "docker-machine", "docker-home", "dind", "other")
_PURPOSES = ("server", "clients")
_MOST_PLACES = 10
_FATES = {
    "portcullis": "is this collection's already",
    "local": "has no TCP listener; portcullis.docker_tls.site makes one",
    "open": "is open; portcullis.docker_tls.site secures it, verifies it, and the open port is gone",
}


def adoption(bound: Bound, fleet: Fleet, settings: Mapping) -> dict[str, t.Any]:
    """Return the plan: ``lines`` to show, ``problems`` that prevent it, ``certificates`` for M(recorded_certificates), and ``plain_listeners`` by host.

    ``settings``: ``repair``, ``keep_2375`` and ``execute``. docker_adopt_authorities is not an option: its entries have passphrases.
    """
    groups = bound.groups()
    hosts, ca_host = list(groups.get("docker_hosts") or []), locations.ca_host(groups)
    given = {"authorities": bound.get("docker_adopt_authorities"), "ca_host": ca_host}
    known = {**settings, **given, "keys": locations.variables_of(fleet, ca_host).get(KEYS) or {}}
    return {
        "lines": adoption_plan(hosts, fleet, known),
        "problems": adoption_problems(hosts, fleet, known),
        "certificates": found_certificates(hosts, fleet),
        "plain_listeners": {host: plain_listeners(host, fleet) for host in hosts},
    }


def adoption_keys(bound: Bound, fleet: Fleet) -> dict[str, t.Any]:
    """Return the ``certificates`` of the CAs whose keys the CA host searches for."""
    return {"certificates": found_authorities(bound.groups().get("docker_hosts") or [], fleet)}


def record(bound: Bound, fleet: Fleet) -> dict[str, t.Any]:
    """Return the plan of record_certificates.yml: ``certificates`` that hosts and bundles have, and ``unseen``, hosts that could not be read."""
    groups = bound.groups()
    hosts = [locations.CONTROLLER, *(groups.get("docker_hosts") or []), *(groups.get("docker_clients") or [])]
    hosts = list(dict.fromkeys(hosts))
    return {"certificates": found_certificates(hosts, fleet), "unseen": unseen_hosts(hosts, fleet)}


def adoption_plan(hosts: t.Iterable[str], hostvars: Mapping, settings: Mapping) -> list[str]:
    """Return the lines that playbooks/adopt.yml shows.

    In: inventory names, ``hostvars`` with the hosts' answers, ``settings`` with ``authorities`` (None where the user has not set them),
    ``repair``, ``keep_2375``, ``execute``, ``ca_host`` and ``keys`` (the answer of M(authority_key_info) on it, {} for none).
    """
    names = _in_play(hosts, hostvars)
    lines: list[str] = []
    for host in names:
        lines += _host_lines(host, hostvars[host])
    lines += _authority_lines(names, hostvars, settings)
    lines += _what_follows(names, hostvars, settings)
    return lines


def adoption_problems(hosts: t.Iterable[str], hostvars: Mapping, settings: Mapping) -> list[str]:
    """Return why an adoption must not be carried out yet, as sentences."""
    problems = []
    names = _in_play(hosts, hostvars)
    silent = [host for host in names if not _adoption(hostvars[host])]
    if silent:
        problems.append(
            f"{', '.join(silent)} could not be inspected (the plan has the reason): make them reachable, or leave them out with --limit."
        )
    foreign = [host for host in names if _has_other_clients(host, hostvars)]
    if foreign and settings.get("authorities") is None:
        have = "has" if len(foreign) == 1 else "have"
        problems.append(
            f"clients-would-be-shut-out: {', '.join(foreign)} {have} clients of a CA of their own, and docker_adopt_authorities does not define what "
            "happens to it: name the CA (see the proposal), or set it to [] to give it up, which shuts all of its clients out. "
            "The variable is read on the controller: write it under all: vars:, not in the group docker_hosts."
        )
    problems += _left_out(foreign, hostvars, settings.get("authorities"))
    for host in names:
        found = _adoption(hostvars[host])
        problems += listener_problems(host, found, hostvars[host]) if found else []
    return problems


def _has_other_clients(host: str, hostvars: Mapping) -> bool:
    """Return whether a host has clients of a CA that it will not admit unless it is configured to."""
    found = _adoption(hostvars[host])
    if found.get("layout") not in _CLIENTS_OF_OTHERS:
        return False
    admitted = [one for one in found["authorities"] if "clients" in one["signs"]]
    return not admitted or not all(_goes_on(one, hostvars[host]) for one in admitted)


def _goes_on(authority: Mapping, variables: Mapping) -> bool:
    """Return whether a CA is an anchor of another issuer of clients: hosts admit it without its key, so there is nothing to adopt."""
    issuers = issuer_settings.declared({}, variables.get(issuer_settings.CLIENT_VARIABLE))
    return issuer_settings.is_anchor(issuers, str(authority["fingerprint_sha256"]))


def _is_replaced(authority: Mapping, variables: Mapping) -> bool:
    """Return whether a CA has signed for servers alone, which another issuer does from now on: there is nothing to adopt either."""
    issuers = issuer_settings.declared(variables.get(issuer_settings.SERVER_VARIABLE), {})
    return "clients" not in authority["signs"] and issuer_settings.is_external(issuers, issuer_settings.SERVER)


def _left_out(hosts: t.Iterable[str], hostvars: Mapping, adopted: t.Sequence[Mapping] | None) -> list[str]:
    """Return which hosts have clients of a CA that is none of those that are named, where all of these have a fingerprint."""
    named = {str(one.get("fingerprint_sha256") or "").lower().replace(":", "") for one in adopted or ()}
    if not named or "" in named:
        return []  # the host itself refuses then, before it is changed
    problems = []
    for host in hosts:
        admitted = [one for one in _adoption(hostvars[host])["authorities"] if "clients" in one["signs"]]
        problems += [
            f"clients-would-be-shut-out: {host} has clients of {shown(one['subject'])}, which docker_adopt_authorities does not name: add it "
            f"(fingerprint_sha256: {one['fingerprint_sha256']}), or set docker_daemon_existing_settings: replace for that host, which shuts them out."
            for one in admitted
            if one["fingerprint_sha256"] not in named and not _goes_on(one, hostvars[host])
        ]
    return problems


def found_authorities(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return the certificates of the CAs that are in use on hosts, as M(authority_key_info) takes them."""
    found: dict[str, str] = {}
    for host in hosts:
        for one in _adoption(hostvars[host]).get("authorities") or []:
            found.setdefault(one["fingerprint_sha256"], one["certificate_content"])
    return list(found.values())[:MOST_ENTRIES]


def _in_play(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return the hosts that were asked, reached or not; --limit leaves the others out."""
    return [host for host in hosts if hostvars[host].get(INSPECTED) is not None]


def _adoption(variables: Mapping) -> Mapping:
    """Return the answer of a host, {} where there is none or it cannot be used."""
    answer = variables.get(INSPECTED)
    found = answer.get("adoption") if isinstance(answer, t.Mapping) else None
    return found if found and not problem(found) else {}


def _why_nothing(variables: Mapping) -> str:
    answer = variables.get(INSPECTED)
    if not isinstance(answer, t.Mapping):
        return "its answer cannot be used: it is not a dictionary"
    if answer.get("adoption"):
        return f"its answer cannot be used: {problem(answer['adoption'])}"
    return str(answer.get("msg") or "it was not reached")


def _host_lines(host: str, variables: Mapping) -> list[str]:
    found = _adoption(variables)
    if not found:
        return [f"{host}: not inspected: {shown(_why_nothing(variables))}"]
    tcp = [str(url) for url in found["listeners"] if not str(url).startswith(("fd://", "unix://"))]
    fate = _FATES.get(
        str(found["layout"]),
        "is secured by another tool; portcullis.docker_tls.site takes its settings over and restores them with state absent",
    )
    lines = [f"{host}: {found['layout']}{f', {chr(44).join(tcp)}' if tcp else ''}: {fate}"]
    lines += [
        f"    {key}: {path} (set in {found['where'].get(key, '?')})" for key, path in sorted(found["paths"].items())
    ]
    lines += listener_lines(host, found, variables)
    for finding in found["findings"]:
        lines.append(f"    {finding['severity']}: {finding['code']}: {finding['path']}: {finding['message']}")
        lines.append(f"        -> {finding['repair']}")
    return [shown(line) for line in lines]


def _authority_lines(hosts: t.Iterable[str], hostvars: Mapping, settings: Mapping) -> list[str]:
    """Return the CAs that were found, each once by its certificate, with the claims of the hosts about it, and its entry for the adoption."""
    claims: dict[str, list[tuple[str, Mapping]]] = {}
    for host in hosts:
        found = _adoption(hostvars[host])
        for one in found.get("authorities") or [] if not found.get("managed") else []:
            claims.setdefault(one["fingerprint_sha256"], []).append((host, one))
    if not claims:
        return []
    lines = ["CAs in use:"]
    for fingerprint, claimed in claims.items():
        names: dict[str, list[str]] = {}
        for host, one in claimed:
            names.setdefault(f"{one['subject']} (until {one['not_after']}, {fingerprint[:16]})", []).append(host)
        lines += [f"    {shown(name)} on {', '.join(dict.fromkeys(names[name]))}" for name in names]
        if len(names) > 1:
            lines.append(
                "        -> these hosts describe one certificate differently: check it yourself (openssl x509 -text)"
            )
    external = [one for one, claimed in claims.items() if _goes_on(claimed[0][1], hostvars[claimed[0][0]])]
    lines += [
        f"    {one[:16]} is a CA of docker_client_cert_issuers: its clients are admitted as before, and there is nothing to adopt."
        for one in external
    ]
    replaced = [
        one for one, claimed in claims.items() if all(_is_replaced(each, hostvars[host]) for host, each in claimed)
    ]
    lines += [
        f"    {one[:16]} has signed for servers alone, which docker_server_cert_issuer does from now on: there is nothing to adopt."
        for one in replaced
        if one not in external
    ]
    claims = {one: claimed for one, claimed in claims.items() if one not in (*external, *replaced)}
    if settings.get("authorities") or not claims:
        return lines
    lines.append(
        "Proposal for docker_adopt_authorities (find the key where a note asks for it; compare the fingerprint with one that you know):"
    )
    for fingerprint, claimed in claims.items():
        lines += _proposal(fingerprint, claimed, settings)
    if any("WHERE_THE_KEY_IS" in line for line in lines):
        lines += _searched_places(hosts, hostvars, settings)
    return lines


def _searched_places(hosts: t.Iterable[str], hostvars: Mapping, settings: Mapping) -> list[str]:
    """Return on which hosts a CA's key was searched for, and where."""
    places = {host: [str(path) for path in _adoption(hostvars[host]).get("searched") or []] for host in hosts}
    places[str(settings.get("ca_host") or "localhost")] = [*map(str, _keys(settings).get("searched") or [])]
    lines = ["    A key was not found. These directories were searched:"]
    lines += [shown(f"        {host}: {', '.join(paths)}") for host, paths in places.items() if paths]
    return [
        *lines,
        "        -> docker_adopt_search_paths: [/path/to/the/directory] adds directories on all of them. The key may also be on the machine of",
        "           the one who made the CA: then give host, certificate_path and key_path above (docker-machine: ~/.docker/machine/certs there).",
    ]


def _keys(settings: Mapping) -> Mapping:
    """Return the CA host's answer about keys, {} where there is none or it cannot be used."""
    found = settings.get("keys")
    if not isinstance(found, t.Mapping) or not isinstance(found.get("keys"), (list, tuple)):
        return {}
    return found


def _proposal(fingerprint: str, claimed: t.Sequence[tuple[str, Mapping]], settings: Mapping) -> list[str]:
    """Return how to name a CA; the first place of its key is proposed, the others are named too."""
    signs = dict.fromkeys(name for _host, one in claimed for name in one["signs"] if name in _PURPOSES)
    places = [(host, one["certificate_path"], host, key) for host, one in claimed for key in one["keys"]]
    ca_host, (first, one) = str(settings.get("ca_host") or "localhost"), claimed[0]
    places += [(first, one["certificate_path"], ca_host, key) for key in _keys_of(fingerprint, settings)]
    host, certificate, key_host, key = places[0] if places else ("WHERE_THE_KEY_IS", "/path/to/ca.pem", "", None)
    lines = [
        f"    - names: [{', '.join(signs or _PURPOSES)}]",
        f"      host: {_quoted(host)}",
        f"      certificate_path: {_quoted(certificate)}",
        *([f"      key_host: {_quoted(key_host)}"] if key_host not in ("", host) else []),
        f"      key_path: {_quoted(key['path'] if key else '/path/to/ca-key.pem')}",
        f"      fingerprint_sha256: {fingerprint}",
    ]
    if key is None:
        lines.append("      # its key is on none of these hosts; the searched places are listed below")
    elif key["encrypted"]:
        lines.append('      key_passphrase: "{{ vault_old_ca_passphrase }}"')
    others = [
        f"      # {_quoted(name)} claims to have it too: {_quoted(key['path'])}"
        for _host, _path, name, key in places[1:]
    ]
    return [
        *lines,
        *others[:_MOST_PLACES],
        *([f"      # and {len(others) - _MOST_PLACES} more"] if len(others) > _MOST_PLACES else []),
    ]


def _keys_of(fingerprint: str, settings: Mapping) -> list[Mapping]:
    """Return the keys of a CA on the CA host."""
    keys = _keys(settings).get("keys") or []
    return [key for key in keys if isinstance(key, t.Mapping) and key.get("fingerprint_sha256") == fingerprint]


def _quoted(text: t.Any) -> str:
    """Return a value that a host has reported as one YAML string to copy: nothing in it is syntax or a template."""
    plain = str(text)
    if not plain.isprintable() or "{{" in plain or "{%" in plain:
        return '"/path/to/it"  # the host reports no usable path'
    return json.dumps(plain, ensure_ascii=False)


def _what_follows(hosts: t.Sequence[str], hostvars: Mapping, settings: Mapping) -> list[str]:
    steps = [_about_authorities(hosts, hostvars, settings.get("authorities"))]
    steps.append(
        "portcullis.docker_tls.site secures each endpoint in one transaction, verified on the host and from here, or rolled back"
    )
    plain = [host for host in hosts if _adoption(hostvars[host]).get("plain_listeners")]
    if plain and settings.get("keep_2375"):
        steps.append(
            f"{', '.join(plain)}: clients of the plain port are served on until docker_adopt_keep_2375 is false again"
        )
    elif plain:
        steps.append(f"{', '.join(plain)}: the plain port is closed, which is verified")
    if settings.get("repair"):
        steps.append(f"keys are repaired on the hosts: {', '.join(settings['repair'])}")
    lines = ["In this order:", *(f"    {number}. {step}" for number, step in enumerate(steps, start=1))]
    if any(_adoption(hostvars[host]).get("layout") in _CLIENTS_OF_OTHERS for host in hosts):
        lines.append(
            "Keep docker_daemon_existing_settings: adopt in the inventory as long as their units set TLS or listeners."
        )
    plan = "This is the plan, nothing was changed. To carry it out: -e docker_adopt_execute=true"
    lines.append("It is carried out now." if settings.get("execute") else plan)
    return lines


def _about_authorities(hosts: t.Iterable[str], hostvars: Mapping, adopted: t.Sequence[Mapping] | None) -> str:
    if adopted:
        names = sorted({str(name) for one in adopted for name in one.get("names", ["server", "clients"])})
        return (
            f"the CA is taken into the CA directory as {', '.join(names)}; its certificates are recorded in the ledger"
        )
    if any(_adoption(hostvars[host]).get("layout") == "portcullis" for host in hosts):
        return "the authorities in the CA directory continue as they are; their clients need nothing"
    if not any(_needs_ca(hostvars[host]) for host in hosts):
        return "other issuers sign, so no authority is made; clients of the CAs in their ca_content keep their certificates"
    return "new authorities are made, if there are none yet; clients need new bundles"


def _needs_ca(variables: Mapping) -> bool:
    """Return whether the CA of the collection signs anything, by a host's variables."""
    names = (issuer_settings.SERVER_VARIABLE, issuer_settings.CLIENT_VARIABLE)
    groups = variables.get("docker_ca_access_groups") or [access_lists.DEFAULT_GROUP]
    return issuer_settings.needs_ca(issuer_settings.declared(*(variables.get(name) for name in names)), groups)


def found_certificates(hosts: t.Iterable[str], hostvars: Mapping) -> list[dict[str, str]]:
    """Return what hosts have, as M(recorded_certificates) takes it.

    From the answers to playbooks/adopt.yml and to playbooks/record_certificates.yml.
    """
    found = []
    for host in hosts:
        for one in _adoption(hostvars[host]).get("certificates") or []:
            found.append({"content": one["content"], "requester": host, "source": one["source"]})
        for one in (_files(hostvars[host]) or [])[:MOST_ENTRIES]:
            content, path = one.get("certificate_content"), one.get("path")
            if isinstance(content, str) and isinstance(path, str) and 0 < len(content) <= MOST_CERTIFICATE:
                found.append({"content": content, "requester": host, "source": path})
    return found


def _files(variables: Mapping) -> list[Mapping] | None:
    """Return the files that a host has reported, None without a usable answer."""
    answer = variables.get(FILES)
    files = answer.get("files") if isinstance(answer, t.Mapping) else None
    return [one for one in files if isinstance(one, t.Mapping)] if isinstance(files, (list, tuple)) else None


def unseen_hosts(hosts: t.Iterable[str], hostvars: Mapping) -> list[str]:
    """Return the hosts whose certificate files playbooks/record_certificates.yml could not read."""
    return [host for host in hosts if _files(hostvars[host]) is None]


def plain_listeners(host: str, hostvars: Mapping) -> list[str]:
    """Return the plain TCP listeners that ``host`` had before, as M(plain_relay) takes them."""
    return [str(url) for url in _adoption(hostvars[host]).get("plain_listeners") or []]
