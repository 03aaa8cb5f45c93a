# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a run: from the inventory, the answers of the hosts and the CA's state to the hosts of each play."""

from __future__ import annotations

import hashlib
import typing as t

import ansible.template
import pytest
from ansible.errors import AnsibleError

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._plan.registered import planned
from support.ansible.plan_task import GROUPS, hostvars, make, rotation_of_a_ca
from support.ansible.role_variables import HostVars
from support.contracts import records

REVOKED = {
    "authority": "clients",
    "clients": ["bob", "carol"],
    "issuing": "clients-g2",
    "generations": ["clients-g1"],
    "members": True,
}
WORK, CURRENT = {"current": False}, {"current": True}
REFUSED = {"current": False, "refused": {"code": "port-taken", "msg": "no"}}


def looked(**answers: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {host: {"__docker_tls_inspected": answer} for host, answer in answers.items()}


def test_hosts_with_work_are_changed_and_refused_ones_fail_in_the_end() -> None:
    found = make("site", hostvars(**looked(web1=WORK, web2=CURRENT, db1=REFUSED)))["plan"]
    assert (found["change"], found["refused"], found["serial"]) == (["web1"], ["db1"], "100%")
    assert found["revoke"] == found["revoke_ca"] == found["revoke_hosts"] == found["incomplete"] == []


def test_tasks_that_no_host_needs_are_known_for_all_batches() -> None:
    prepared = {**WORK, "prepared": {"requests": [], "plan": ["new certificate"], "warnings": []}}
    for answers, expected in (({"web1": prepared, "web2": CURRENT}, True), ({"web1": prepared, "web2": WORK}, False)):
        found = make("site", hostvars(**looked(**answers, db1=REFUSED)))["plan"]
        assert (found["prepared"], found["other_issuer"]) == (expected, False)
    acme = {"docker_server_cert_issuer": {"issuer": "acme", "ca_content": "x"}}
    assert make("site", hostvars(**looked(web1=prepared)), **acme)["plan"]["other_issuer"] is True
    assert (planned("prepared", GROUPS, hostvars()), planned("other_issuer", GROUPS, hostvars())) == (False, True)


def test_inventory_is_checked_where_the_run_began_behind_its_check() -> None:
    """--start-at-task with the inspection."""
    wrong = {"docker_daemon_access_groups": ["typo"]}
    known = hostvars(**looked(web1=WORK))
    known["web1"].update(wrong)
    assert "web1" in make("site", known)["plan"]["change"]  # the first task of the run has refused it, or could not
    del known["localhost"]["__docker_tls_inventory"]
    refused = make("site", known)
    assert refused["code"] == "inventory-invalid" and "typo" in refused["msg"]


def test_run_without_its_inspection_is_refused() -> None:
    refused = make("inventory", hostvars(), ansible_skip_tags=["always"])
    assert refused["code"] == "run-unfinished" and "--skip-tags always" in refused["msg"]


@pytest.mark.parametrize("part", ["inventory", "settings", "controller", "secrets", "record"])
def test_inventory_that_is_not_there_is_refused_by_every_playbook(part: str) -> None:
    nobody = {"all": [], "ungrouped": []}
    refused = make(part, hostvars(), groups=nobody, ansible_inventory_sources=["/nowhere/inventory.yml"])
    assert refused["code"] == "inventory-invalid" and "there is no inventory /nowhere/inventory.yml" in refused["msg"]
    found = make("inventory", hostvars(), groups=nobody, ansible_inventory_sources=["/etc", "web1,"])
    assert not found.get("failed")
    assert found["warned"] == [
        "the inventory /etc, web1, has no host in the group docker_hosts, so this run changes no Docker host"
    ]


@pytest.mark.parametrize("part", ["inventory", "settings", "controller", "secrets", "record"])
def test_misspelt_variable_is_named_by_the_first_task_of_every_playbook(part: str) -> None:
    known = hostvars(web1={"docker_daemon_listenr": "proxy"})
    found = make(part, known, ansible_play_hosts_all=["localhost"], ansible_play_hosts=["localhost"])
    (warning,) = map(records.said, found["warned"])
    assert "docker_daemon_listenr is not a variable" in warning and "(given for web1)" in warning
    assert found["plan"]["warnings"] == [warning]
    assert (
        "warnings"
        not in make("site", hostvars(web1={"docker_daemon_listenr": "proxy", **looked(web1=CURRENT)["web1"]}))["plan"]
    )


def test_variable_that_is_missing_because_it_is_misspelt_is_one_message() -> None:
    known = hostvars()
    known["localhost"]["docker_ca_passphrse"] = known["localhost"].pop("docker_ca_passphrase")
    refused = make("inventory", known)
    assert refused["code"] == "inventory-invalid"
    assert (
        "docker_ca_passphrase is missing" in refused["msg"]
        and "docker_ca_passphrse is not a variable" in refused["msg"]
    )


def test_order_of_a_play_counts_where_the_inventory_says_nothing() -> None:
    known = hostvars(**looked(web1=WORK))
    assert make("site", known, docker_daemon_serial=[1, "25%"])["plan"]["serial"] == [1, "25%"]


def test_revocation_goes_to_the_hosts_that_admit_the_group_by_what_they_were_inspected_with() -> None:
    known = hostvars(
        [REVOKED], **looked(web1=WORK, web2=REFUSED, db1={**WORK, "settings": {"docker_daemon_access_groups": ["ops"]}})
    )
    found = make("site", known)["plan"]
    assert (found["revoke"], found["revoke_ca"], found["revoke_hosts"]) == (["localhost"], ["localhost"], ["web1"])
    assert make("site", known, ansible_check_mode=True)["plan"]["revoke_ca"] == []


def test_members_are_held_while_no_host_admits_the_new_generation() -> None:
    broken = {"docker_daemon_endpoint": {"failed": True, "msg": "no"}}
    held = make("revocation", hostvars([REVOKED], web1=broken))["plan"]
    assert held["held"] == ["clients"] and held["changes"] == held["revoke_ca"] == held["revoke_hosts"] == []
    assert "The revocation of bob, carol stops here" in held["problems"][0]
    done = {"docker_daemon_endpoint": {"changed": True}, "docker_daemon_verification": {"passed": True}}
    going = make("revocation", hostvars([REVOKED], web1=done))["plan"]
    assert (going["held"], going["revoke_ca"], going["revoke_hosts"]) == ([], ["localhost"], GROUPS["docker_hosts"])
    assert going["changes"] == [{"name": "clients", "state": "retired", "generation": 2}]


def test_report_has_a_line_for_every_revoked_client_and_every_host() -> None:
    rows = make("revocation_report", hostvars([REVOKED]))["plan"]["rows"]
    revoked = [(row["host"], row["detail"].partition(":")[0]) for row in rows if row["check"] == "revoked"]
    assert sorted(revoked) == [
        (host, f"MAY STILL ADMIT {who}") for host in ("db1", "web1", "web2") for who in ("bob", "carol")
    ]


def test_inventory_that_cannot_work_fails_with_every_problem() -> None:
    assert make("inventory", hostvars())["plan"] == {}
    wrong = make(
        "inventory", hostvars(web1={"docker_daemon_access_groups": ["ops"]}, web2={"docker_daemon_access_groups": []})
    )
    assert (wrong["failed"], wrong["code"]) == (True, "inventory-invalid") and wrong["hint"]
    assert "web1: docker_daemon_access_groups admits 'ops'" in wrong["msg"] and "web2:" in wrong["msg"]


def test_variable_of_a_play_is_judged_like_one_of_the_inventory() -> None:
    assert "admits 'ops'" in make("inventory", hostvars(), docker_daemon_access_groups=["ops"])["msg"]


@pytest.mark.parametrize("part", ["site", "revocation", "inventory"])
def test_plan_needs_nobody_but_the_controller(part: str) -> None:
    assert make(part, HostVars(hostvars()), groups={})["plan"] is not None


def registered(known: HostVars, **plans: t.Any) -> HostVars:
    """Return the variables after tasks that have registered these plans on the controller."""
    found = {f"__docker_tls_{name}": {"plan": one} for name, one in plans.items()}
    return HostVars({**known, "localhost": {**known["localhost"], **found}})


def test_plays_have_the_hosts_of_the_plan() -> None:
    known = registered(hostvars(), plan={"change": ["web1"], "serial": "100%", "revoke_hosts": ["web1"]})
    assert planned("change", GROUPS, known) == ["web1"]
    assert planned("change", GROUPS, known, "localhost") == ["web1", "localhost"]
    later = registered(known, revocation={"revoke_hosts": []})
    assert (planned("revoke_hosts", GROUPS, known), planned("revoke_hosts", GROUPS, later)) == (["web1"], [])
    # The first that fails of a batch stops the fleet.
    batches = registered(hostvars(), plan={"change": ["web1"], "serial": [1, "25%"], "refused": ["web2"]})
    assert planned("change", GROUPS, batches, "localhost") == ["web1"]
    assert planned("refused", GROUPS, batches, "localhost") == ["web2", "localhost"]


def test_without_a_plan_plays_have_no_hosts_and_the_run_fails() -> None:
    known = hostvars()
    assert (planned("change", GROUPS, known, "localhost"), planned("serial", GROUPS, known)) == ([], "100%")
    assert planned("unfinished", GROUPS, {}) == []
    assert planned("unfinished", GROUPS, known) == ["localhost", *GROUPS["docker_hosts"], "desk"]
    failed = make("unfinished", known, ansible_play_hosts_all=["web1"])
    assert (failed["failed"], failed["code"]) == (True, "run-unfinished")
    assert "This run has not inspected the Docker hosts, so it has changed none" in failed["msg"]
    assert failed["hint"] == "Run portcullis.docker_tls.site from its beginning, without --start-at-task."
    predicted = make("unfinished", known, ansible_play_hosts_all=["web1"], ansible_check_mode=True)
    assert (predicted["code"], "would change none" in predicted["msg"]) == ("run-unfinished", True)
    assert make("unfinished", known, ansible_play_hosts_all=["desk"])["plan"] == {}


def test_run_whose_tasks_are_all_skipped_has_nothing_unfinished() -> None:
    """adopt.yml imports site.yml, and skips it where it only shows its own plan."""
    known = hostvars(localhost={"__docker_tls_plan": {"skipped": True}})
    assert planned("unfinished", GROUPS, known) == []


def test_run_whose_plan_is_complete_has_nothing_unfinished() -> None:
    complete = registered(hostvars(), plan={"incomplete": []})
    assert planned("unfinished", GROUPS, complete) == []
    rows = [{"host": "web1", "passed": False}, {"host": "web2", "passed": True}]
    for registers in ({"revocation": {"problems": ["held"]}}, {"report": {"rows": rows}}):
        known = registered(complete, **registers)
        assert planned("unfinished", GROUPS, known)
        failed = make("unfinished", known)
        assert failed["failed"] and "--limit" not in failed["hint"]


# ---- the other playbooks


def trusted(text: str) -> str:
    """Return a text as Ansible marks those of an inventory."""
    marked: str = getattr(ansible.template, "trust_as_template", str)(text)
    return marked


READ = {"files": [{"id": "server", "state": "read", "path": "/p", "certificate_content": "PEM"}]}
ADOPTED = {
    "layout": "open",
    "managed": False,
    "listeners": ["tcp://0.0.0.0:2375"],
    "plain_listeners": ["tcp://0.0.0.0:2375"],
    "tls": False,
    "names": [],
    "searched": [],
    "paths": {},
    "where": {},
    "authorities": [],
    "certificates": [{"content": "PEM", "source": "/etc/docker/server-cert.pem"}],
    "findings": [],
}


def test_verification_has_a_row_for_every_host_and_what_the_ca_says_about_clients() -> None:
    done = {"changed": False, "reasons": [], "verification": [{"check": "local", "passed": True, "detail": "answers"}]}
    seen = {"checks": [{"check": "good-client", "passed": True, "detail": "is answered"}], "passed": True}
    known = hostvars(web1={"docker_daemon_endpoint": done, "docker_daemon_verification": seen})
    access = {"compared": True, "revoked": [], "unlisted": []}
    rows = make("verification_report", known, __docker_verify_access=access)["plan"]["rows"]
    assert {row["host"]: row["passed"] for row in rows if row["check"] != "revoked-clients"} == {
        "web1": True,
        "web2": False,
        "db1": False,
    }
    assert [row["passed"] for row in rows if row["check"] == "revoked-clients"] == [True, True, True]


def test_status_has_every_host_of_the_play_as_it_was_read() -> None:
    known = hostvars(web1={"__docker_status_files": READ}, web2={"__docker_status_files": {"unreachable": True}})
    found = make("status", known, {"complete": True}, ansible_play_hosts_all=["localhost", "web1", "web2"])["plan"]
    assert {one["name"]: one["stored"]["state"] for one in found["hosts"]} == {"web1": "read", "web2": "unreachable"}
    assert found["ca"]["state"] == "not-asked"
    failed = {"failed": True, "msg": "no CA"}
    found = make("status", known, ansible_play_hosts_all=["localhost"], __docker_status_authorities=failed)["plan"]
    assert (found["ca"]["state"], found["ca"]["problem"]) == ("not-readable", "no CA")


def test_status_counts_variables_that_a_play_or_import_playbook_gives() -> None:
    known = hostvars(web1={"__docker_status_files": READ})
    found = make("status", known, ansible_play_hosts_all=["web1"], docker_daemon_access_groups=["ops"])["plan"]
    assert found["hosts"][0]["access_groups"] == ["ops"]


def test_adoption_shows_its_lines_and_says_what_later_plays_take_over() -> None:
    known = hostvars(web1={"__docker_adoption": {"adoption": ADOPTED}}, web2={"__docker_adoption": {"failed": True}})
    found = make("adoption", known, {"repair": ["modes"], "execute": "yes"})
    assert found["shown"][0].startswith("web1: open, tcp://0.0.0.0:2375")
    assert "web2: not inspected" in "\n".join(found["shown"])
    assert found["plan"]["problems"][0].startswith("web2 could not be inspected")
    assert found["plan"]["certificates"] == [
        {"content": "PEM", "requester": "web1", "source": "/etc/docker/server-cert.pem"}
    ]
    assert found["plan"]["plain_listeners"]["web1"] == ["tcp://0.0.0.0:2375"]
    assert make("adoption_keys", known)["plan"] == {"certificates": []}


def test_adoption_is_about_the_cas_that_the_inventory_names_and_returns_no_passphrase() -> None:
    content = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
    authority = {
        "subject": "CN=a",
        "fingerprint_sha256": hashlib.sha256(b"a").hexdigest(),
        "certificate_content": content,
        "not_after": "2027-11-22T13:00:00Z",
        "certificate_path": "/root/ca.pem",
        "signs": ["clients"],
        "keys": [],
    }
    adopted = {**ADOPTED, "layout": "docker-recipe", "authorities": [authority]}
    known = hostvars(web1={"__docker_adoption": {"adoption": adopted}})
    assert "docker_adopt_authorities does not define" in make("adoption", known)["plan"]["problems"][0]
    named = {"fingerprint_sha256": authority["fingerprint_sha256"], "key_passphrase": "SECRET-OF-THE-KEY"}
    found = make("adoption", known, docker_adopt_authorities=[named])
    assert found["plan"]["problems"] == [] and "SECRET-OF-THE-KEY" not in repr(found)
    assert make("adoption_keys", known)["plan"] == {"certificates": [content]}


def test_record_collects_certificates_and_names_the_hosts_that_could_not_be_read() -> None:
    files = {"files": [{"certificate_content": "PEM", "path": "/c"}]}
    found = make("record", hostvars(web1={"__docker_record_files": files}))["plan"]
    assert found["certificates"] == [{"content": "PEM", "requester": "web1", "source": "/c"}]
    assert found["unseen"] == ["localhost", "web2", "db1", "desk"]


def test_rotation_of_a_ca_without_hosts_begins_with_the_first_phase() -> None:
    task = {**rotation_of_a_ca(), "docker_daemon_serial": 1}
    settings: dict[str, t.Any] = {"authority": "clients", "again_after": "0s"}
    shown = make("rotation", hostvars(), settings, **task)
    assert shown["shown"][0] == "Rotation of the authority clients: clients-g1 (issuing)"
    assert shown["plan"]["rotate_ca"] == []
    found = make("rotation", hostvars(), {**settings, "execute": True}, **task)["plan"]
    assert (found["phase"], found["rotate_ca"], found["serial"]) == ("trust", ["ca1"], 1)
    assert found["ca_changes"] == [{"name": "clients", "state": "accepted", "generation": 2}]
    unknown = make("rotation", hostvars(), {"authority": "opz"}, **task)
    assert (unknown["failed"], unknown["code"]) == (True, "authority-unknown")


def test_playbook_fails_where_limit_excludes_the_controller() -> None:
    assert make("controller", hostvars(), ansible_play_hosts_all=["localhost", "web1"])["plan"] == {}
    found = make("controller", hostvars(), ansible_play_hosts_all=["web1"], ansible_limit="web1")
    assert (found["failed"], found["code"]) == (True, "controller-excluded")
    assert found["msg"].startswith("--limit web1 excludes localhost") and "--limit web1,localhost" in found["hint"]


def test_secrets_that_are_templates_by_mistake_are_named_before_they_are_evaluated() -> None:
    known = hostvars(web1={"docker_daemon_ca_passphrase": trusted("a {{ b")})
    found = make("secrets", known)
    assert (found["failed"], found["code"]) == (True, "inventory-invalid")
    assert "docker_daemon_ca_passphrase of web1" in found["msg"] and "a {{ b" not in repr(found)
    assert make("secrets", hostvars())["plan"] == {}


def test_variable_that_cannot_be_computed_is_one_message() -> None:
    def fail(value: t.Any) -> t.Any:
        raise AnsibleError(f"{value} has no value")

    known = hostvars()
    variables = {"groups": GROUPS, "hostvars": known, "docker_daemon_serial": trusted("{{ batches }}")}
    found = make("site", known, template=fail, **variables)
    assert (found["failed"], found["code"]) == (True, "inventory-invalid")
    assert "docker_daemon_serial cannot be computed" in found["msg"] and found["hint"]


def test_status_of_an_inventory_with_nothing_of_ours_is_refused() -> None:
    """A wrong inventory would only give the warnings of a fleet that is not set up yet."""
    play = {"ansible_play_hosts_all": ["localhost"], "__docker_status_authorities": {"authorities": {}}}
    refused = make("status", hostvars(), groups={"all": ["printer"]}, **play)
    assert refused["code"] == "inventory-invalid"
    assert "no host in docker_hosts or docker_clients, and there is no CA in " in refused["msg"]
    play["__docker_status_authorities"] = {"authorities": {"server-g1": {}}}
    assert make("status", hostvars(), groups={"all": ["printer"]}, **play)["plan"]["hosts"] == []
