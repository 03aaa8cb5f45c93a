# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The functions of the plan fail with a message, whatever was skipped, failed or was answered in a run.

``_remote/answers.py`` checks each answer, so it has the shape of its module, and with --start-at-task, --tags or a failed host there is none.
"""

from __future__ import annotations

import functools
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.portcullis.docker_tls.plugins.action import plan
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan import (
    bundles,
    options,
    signing,
    verification,
)
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._remote.answers import ANSWERS
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables import binding
from support.ansible.role_variables import HostVars
from support.hosts.answers import sample

#: What a task registers, and the module that answers it.
REGISTERS = {
    "__docker_tls_inspected": "host_state",
    "__docker_server_cert_requested": "certificate_requests",
    "docker_server_cert_signed": "signed_certificates",
    "__docker_server_cert_answered": "signed_certificates",
    "__docker_server_cert_ordered": "acme_certificate",
    "__docker_client_cert_requested": "certificate_requests",
    "docker_client_cert_signed": "signed_certificates",
    "__docker_client_cert_installed": "certificate_bundles",
    "docker_daemon_endpoint": "endpoint",
    "docker_daemon_verification": "endpoint_info",
    "__docker_ca_checked": "authorities",
}
HOSTS = ["localhost", "web1", "web2", "desk"]
GROUPS = {"all": HOSTS, "docker_hosts": ["web1", "web2"], "docker_clients": ["desk"]}
REFUSED = {"msg": "no", "hint": "do", "code": "port-taken"}


@functools.cache
def answers(module: str) -> list[dict[str, t.Any] | None]:
    """Return answers of a module, and what stands in the place of one; None: nothing is registered."""
    changed = {"changed": True, "failed": False}
    return [
        None,
        {"changed": False, "skipped": True, "skip_reason": "x"},
        {"changed": False, "failed": True, "msg": "x", "code": "answer-unusable"},
        {"changed": False, "unreachable": True, "msg": "x"},
        {**changed, **sample(ANSWERS[module])},
        {**changed, **sample(ANSWERS[module], optional=False)},
    ]


Make = t.Callable[[binding.Bound, t.Any], t.Any]
SETTINGS = {name: option["default"] for name, option in plan.SETTINGS.items()}
MADE: dict[str, Make] = {
    "server request": lambda bound, fleet: options.server_request(bound, options.authorities(bound, signing.SERVER)),
    "endpoint": lambda bound, fleet: options.endpoint(bound, options.authorities(bound, "docker_daemon")),
    "what was signed": lambda bound, fleet: options.signed_for(bound, str(bound["inventory_hostname"])),
    "installation": lambda bound, fleet: options.installation(bound),
    "server batch": lambda bound, fleet: signing.batch(bound, signing.SERVER, fleet),
    "client batch": lambda bound, fleet: signing.batch(bound, signing.CLIENT, fleet),
    "server answers": lambda bound, fleet: signing.answered(bound, signing.SERVER, fleet),
    "client answers": lambda bound, fleet: signing.answered(bound, signing.CLIENT, fleet),
    "order": lambda bound, fleet: signing.acme(bound, fleet),
    "client requests": lambda bound, fleet: bundles.requests(bound, become=False),
    "bundles": lambda bound, fleet: bundles.bundles(bound, fleet, become=False),
    "clients": lambda bound, fleet: verification.clients(bound, fleet),
    "verification": lambda bound, fleet: verification.endpoint(bound, fleet),
}


def part(name: str) -> Make:
    """Return what makes a part of the plan."""
    return lambda bound, fleet: plan.PARTS[name](bound, fleet, SETTINGS)


MADE.update({f"plan: {name}": part(name) for name in plan.PARTS if name not in ("controller", "inventory", "secrets")})


#: What the inventory may say beside the answers. A playbook of roles may have a batch of one host, and an inventory several CA hosts.
CHOSEN: dict[str, st.SearchStrategy[t.Any]] = {
    "docker_daemon_listener": st.sampled_from(["dockerd", "systemd", "proxy"]),
    "docker_daemon_serial": st.sampled_from([None, 1, "25%", [1, "100%"]]),
    "docker_daemon_state": st.sampled_from(["present", "absent", "rolled_back"]),
}


@st.composite
def runs(draw: st.DrawFn) -> dict[str, dict[str, t.Any]]:
    """Return the variables of all hosts somewhere in a run."""
    found: dict[str, dict[str, t.Any]] = {}
    for host in HOSTS:
        registered = {name: draw(st.sampled_from(answers(module))) for name, module in REGISTERS.items()}
        found[host] = {name: value for name, value in registered.items() if value is not None}
    authorities = sample(ANSWERS["authorities"])["authorities"]["one"]
    facts = draw(st.sampled_from([{}, {"server": authorities}, {"server": authorities, "clients": authorities}]))
    found["localhost"]["ansible_facts"] = {"docker_ca_authorities": facts} if facts else {}
    return found


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_whatever_is_registered_the_failure_is_in_words(make: Make) -> None:
    @settings(max_examples=20, deadline=None)
    @given(
        known=runs(),
        host=st.sampled_from(HOSTS[1:]),
        check=st.booleans(),
        verify=st.sampled_from(["changed", "always", "never"]),
        chosen=st.fixed_dictionaries(CHOSEN),
        batch=st.sampled_from([HOSTS[1:], HOSTS[1:2], []]),
        authorities=st.sampled_from([[], ["web1"], ["desk"], ["web1", "web2"]]),
    )
    def attack(
        known: dict[str, dict[str, t.Any]],
        host: str,
        check: bool,
        verify: str,
        chosen: dict[str, t.Any],
        batch: list[str],
        authorities: list[str],
    ) -> None:
        variables = {
            **known[host],
            **chosen,
            "inventory_hostname": host,
            "groups": {**GROUPS, "docker_ca": authorities},
            "hostvars": HostVars({name: {**chosen, **one} for name, one in known.items()}),
            "ansible_play_batch": batch,
            "ansible_check_mode": check,
            "docker_daemon_verify": verify,
            "docker_client_cert_clients": [{"name": "desk", "group": "clients"}],
        }
        bound = binding.Bound(variables, lambda value: value)
        try:
            make(bound, bound.fleet())
        except (binding.Unresolved, ValueError, TlsError) as problem:
            assert str(problem)

    attack()


@pytest.mark.parametrize("clients", [{}, {"__docker_daemon_clients": {"changed": False, "skipped": True}}], ids=str)
def test_endpoint_is_not_verified_without_the_clients_for_it(clients: dict[str, t.Any]) -> None:
    """--start-at-task skips the task that makes them."""
    known = HostVars({"localhost": {}, "web1": {}})
    variables = {"inventory_hostname": "web1", "groups": {"docker_hosts": ["web1"]}, "hostvars": known, **clients}
    facts = {"docker_ca_authorities": {"server": {}, "clients": {}}}
    known["localhost"]["ansible_facts"] = facts
    bound = binding.Bound({**variables, "docker_daemon_verify": "always"}, lambda value: value)
    with pytest.raises(TlsError, match="the endpoint of web1 is not verified") as caught:
        verification.endpoint(bound, bound.fleet())
    assert (caught.value.code, "--start-at-task" in caught.value.hint) == ("run-unfinished", True)
