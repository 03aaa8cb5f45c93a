# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of roles by their names: what Ansible would make of them, and never a host's words."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError

from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._variables import binding
from support.ansible.role_variables import Reported, variables
from support.contracts import records

TRUST = binding.is_trusted


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust what these tests write as Ansible trusts what stands in an inventory."""
    monkeypatch.setattr(binding, "is_trusted", lambda text: not isinstance(text, Reported))


def never(value: t.Any) -> t.Any:
    raise AssertionError(f"{value} costs 3.5 ms for each host and is a plain value")


def test_defaults_of_the_roles_need_no_template() -> None:
    known = {name: value for name, value in variables().items() if not name.startswith("docker_")}
    bound = binding.Bound(known, never)
    for role in ("docker_server_cert", "docker_daemon"):
        for name in binding.specification(role):
            assert "{{" not in str(bound[name]), name


def test_value_of_the_inventory_stands_before_the_default() -> None:
    bound = binding.Bound({"docker_server_cert_path": "/srv"}, never)
    assert (bound["docker_server_cert_path"], bound["docker_daemon_certificate_path"]) == ("/srv", "/srv")
    assert bound.get("docker_nothing", 1) == 1


def test_what_a_host_has_reported_is_never_filled_in() -> None:
    """A host may answer with a template; filled in, it would be sent the passphrase among its own names."""
    bound = binding.Bound({"docker_server_cert_common_name": Reported("{{ docker_ca_passphrase }}")}, never)
    assert bound["docker_server_cert_common_name"] == "{{ docker_ca_passphrase }}"


def test_trust_is_that_of_ansible() -> None:
    template = pytest.importorskip("ansible.template")
    if hasattr(template, "trust_as_template"):
        assert TRUST(template.trust_as_template("{{ x }}")) and TRUST([template.trust_as_template("{{ x }}")])
        assert not TRUST("{{ x }}") and not TRUST({"a": ["{{ x }}"]})
    else:
        from ansible.utils.unsafe_proxy import wrap_var

        assert TRUST("{{ x }}") and not TRUST(wrap_var("{{ x }}"))


@pytest.mark.parametrize("error", [AnsibleError("'zone' is undefined"), RecursionError("too deep")], ids=str)
def test_variable_that_cannot_be_computed_is_named(error: Exception) -> None:
    def fail(_value: t.Any) -> t.Any:
        raise error

    given = {"docker_daemon_port": "{{ zone }}", "docker_daemon_ca_passphrase": "{{ secret{%"}
    bound = binding.Bound(given, fail)
    with pytest.raises(binding.Unresolved, match=f"docker_daemon_port cannot be computed: {error}"):
        bound["docker_daemon_port"]
    with pytest.raises(
        binding.Unresolved, match=r"docker_daemon_ca_passphrase cannot be computed: .* is missing"
    ) as found:
        bound["docker_daemon_ca_passphrase"]
    assert str(error) not in records.said(str(found.value)) and "this account" in found.value.hint
    assert bound.given(given) == {}


def test_names_of_all_hosts_are_not_gone_through_for_each_host() -> None:
    class Names(list[str]):
        def __iter__(self) -> t.Iterator[str]:
            raise AssertionError("that makes the cost of a host grow with their number")

    known = variables(groups={"all": Names(["web1"]), "docker_hosts": Names(["web1"])})
    assert binding.Bound(known, str)["docker_server_cert_ca_host"] == "localhost"


def test_without_tags_is_the_same_value_in_plain_types() -> None:
    class Tagged(str):
        pass

    class Mapping(dict[str, t.Any]):
        pass

    found = binding.without_tags(Mapping({Tagged("a"): [Tagged("b"), 1, None, True, {"c": Tagged("d")}]}))
    assert found == {"a": ["b", 1, None, True, {"c": "d"}]}
    assert [type(found), *map(type, found), type(found["a"][0]), type(found["a"][4]["c"])] == [dict, str, str, str]
