# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An action plugin with the connection and the modules played by the test."""

from __future__ import annotations

import importlib
import types
import typing as t

from ansible_collections.portcullis.docker_tls.plugins.action import module
from support.hosts.answers import whole

ACTIONS = "ansible_collections.portcullis.docker_tls.plugins.action"
MISSING = {"failed": True, "msg": "no cryptography in /usr/bin/python3", "code": "cryptography-missing", "hint": "x"}
GOOD = {"changed": False, "reasons": []}


class Connection:
    """As much of a connection plugin as the actions use."""

    def __init__(self, **changes: t.Any) -> None:
        self.transport = "ssh"
        self.has_pipelining = True
        self.become: t.Any = None
        self.always_pipeline_modules = False
        self.options: dict[str, t.Any] = {"pipelining": False}
        self.__dict__.update(changes)

    def get_option(self, name: str) -> t.Any:
        return self.options[name]

    def is_pipelining_enabled(self, wrap_async: bool = False) -> bool:
        return bool(self.options.get("pipelining"))

    def set_option(self, name: str, value: t.Any) -> None:
        self.options[name] = value


class Package:
    """The action plugin ansible.builtin.package, with prepared answers."""

    def __init__(self, answers: list[dict[str, t.Any]]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, t.Any]] = []

    def get(self, name: str, *, task: t.Any, **more: t.Any) -> Package:
        assert name == "ansible.builtin.package"
        self.asked.append(task.args)
        return self

    def run(self, task_vars: t.Any) -> dict[str, t.Any]:
        return self.answers.pop(0)


def code_of(name: str) -> t.Any:
    """Return the code of the action plugin of the module ``name``: its own or the shared one."""
    return importlib.import_module(f"{ACTIONS}.{'module' if name in module.MODULES else name}")


def action(
    plugin: types.ModuleType | str,
    arguments: dict[str, t.Any],
    answers: list[dict[str, t.Any]],
    *,
    check: bool = False,
    virtual: bool = False,
    packages: t.Sequence[dict[str, t.Any]] = ({},),
    interpreter: str = "/usr/bin/python3",
    connection: Connection | None = None,
) -> t.Any:
    """Return an action plugin on a host whose module gives ``answers`` one after the other.

    In: ``plugin``: the action plugin's code, or the name of a module.
    """
    name = plugin if isinstance(plugin, str) else "x"
    code = code_of(plugin) if isinstance(plugin, str) else plugin
    task = types.SimpleNamespace(
        args=arguments,
        check_mode=check,
        async_val=0,
        action=f"portcullis.docker_tls.{name}",
        environment=[],
        copy=lambda: types.SimpleNamespace(args={}),
    )
    found = code.ActionModule(
        task=task,
        connection=connection or Connection(),
        play_context=None,
        loader=None,
        templar=types.SimpleNamespace(template=lambda value: value),
        shared_loader_obj=None,
    )
    found._shared_loader_obj = types.SimpleNamespace(action_loader=Package(list(packages)))
    found._connection._shell = types.SimpleNamespace(tmpdir="/tmp")
    found._used_interpreter = f"#!{interpreter}"
    found.called = []
    left = [whole(found.MODULE, each) for each in answers]

    def execute(module_name: str, module_args: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
        found.called.append(
            (module_name, module_args, found._is_pipelining_enabled("new"), dict(found._connection.options))
        )
        return left.pop(0)

    found._execute_module = execute
    found._low_level_execute_command = lambda command, **more: {"stdout": f"{virtual}\n"}
    return found
