# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options are documented as the code takes them: of modules, of the action plugins that take their place, and of filters.

Names, types, elements, choices, defaults and what is required, in every depth.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import typing as t

import pytest
import yaml
from ansible.plugins.action import ActionBase

from support.contracts.documentation import FILTERS, MODULES, ROOT, Options, block, options_of

PLUGINS = "ansible_collections.portcullis.docker_tls.plugins"
#: Modules that nothing but their action plugin runs; the code of the module is its documentation.
ACTIONS_ONLY = ("client_session", "plan", "verification_report", "temporary_client")
#: Taken from the task by the action plugin, before the module is run.
OF_THE_ACTION = {"cryptography_package"}


class _Seen(Exception):
    """The code has said which options it takes."""


def taken(module: str) -> Options:
    """Return the options that the module's code, or the action plugin in its place, takes."""
    seen: list[Options] = []

    def see(*_anything: t.Any, argument_spec: Options, **_more: t.Any) -> t.Any:
        seen.append(argument_spec)
        raise _Seen

    if module in ACTIONS_ONLY:
        code = importlib.import_module(f"{PLUGINS}.action.{module}")
        plugin = object.__new__(code.ActionModule)
        plugin.validate_argument_spec = lambda specification, **more: see(argument_spec=specification)
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(_Seen):
            patch.setattr(ActionBase, "run", lambda *_arguments: {})
            if hasattr(plugin, "run_module"):
                plugin.run_module({}, "", {})
            plugin.run()
        return seen[0]
    code = importlib.import_module(f"{PLUGINS}.modules.{module}")
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(_Seen):
        if inspect.signature(code.main).parameters:
            code.main(see)
        patch.setattr(code, "run_module", see)
        code.main()
    return seen[0]


def plain(options: Options, inner: str) -> Options:
    """Return what is compared of each option; ``inner`` is the key of suboptions."""
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "choices": list(option["choices"]) if option.get("choices") else None,
            "default": option.get("default"),
            "required": bool(option.get("required", False)),
            "suboptions": plain(option[inner], inner) if option.get(inner) else None,
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("module", MODULES)
def test_options_are_documented_as_the_code_takes_them(module: str) -> None:
    wanted, found = plain(options_of(module), "suboptions"), plain(taken(module), "options")
    if module == "host_state":
        # The module takes what its action plugin made complete; what a user may write is the action plugin's.
        found = plain(importlib.import_module(f"{PLUGINS}.action.host_state")._OPTIONS, "options")
        for name in ("requests", "endpoint"):
            assert found.pop(name)["type"] == wanted.pop(name)["type"]
    assert wanted.keys() - OF_THE_ACTION == found.keys() - OF_THE_ACTION
    assert {name: wanted[name] for name in found if name in wanted} == {
        name: found[name] for name in found if name in wanted
    }


@pytest.mark.parametrize("module", MODULES)
def test_package_of_cryptography_is_an_option_where_an_action_plugin_takes_it(module: str) -> None:
    needs = "cryptography_package" in options_of(module)
    assert needs is (
        "portcullis.docker_tls._cryptography" in block(module, "DOCUMENTATION")["extends_documentation_fragment"]
    )


def sidecar(name: str) -> Options:
    return dict(yaml.safe_load((ROOT / "plugins/filter" / f"{name}.yml").read_text()))


def test_every_filter_has_a_documentation_and_nothing_else_has() -> None:
    assert sorted(FILTERS) == sorted(path.stem for path in (ROOT / "plugins/filter").glob("*.yml"))


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_filter_is_documented_as_the_code_takes_it(name: str) -> None:
    documentation = sidecar(name)["DOCUMENTATION"]
    _input, *parameters = inspect.signature(FILTERS[name]).parameters.values()
    options = {key: option for key, option in documentation["options"].items() if key != "_input"}
    positional = [word.strip() for word in documentation.get("positional", "").split(",") if word.strip()]
    assert documentation["name"] == name
    names = [parameter.name for parameter in parameters]
    assert list(options) == names and positional == names[: len(positional)]
    for parameter in parameters:
        needed = parameter.default is inspect.Parameter.empty
        assert bool(options[parameter.name].get("required", False)) is needed, parameter.name
        if not needed and "default" in options[parameter.name]:
            default = parameter.default
            assert options[parameter.name]["default"] == (list(default) if isinstance(default, tuple) else default)
    assert documentation["options"]["_input"]["required"] is True
    assert sidecar(name)["EXAMPLES"] and sidecar(name)["RETURN"]["_value"]["type"]
