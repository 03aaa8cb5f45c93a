# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The summary at the end of site.yml. Ansible loads callback plugins beside a playbook, so it needs no setting.

It speaks up only where a play carries the variable ``__docker_tls_summary`` and a task has run since, and writes to a file only where the
environment variable DOCKER_TLS_SUMMARY_PATH names one; docs/renewal.md has an example. The plan of adopt.yml skips every task of site.yml.
"""

from __future__ import annotations

import os
import typing as t

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase

from ansible_collections.portcullis.docker_tls.plugins.module_utils import _files
from ansible_collections.portcullis.docker_tls.plugins.module_utils._errors import TlsError
from ansible_collections.portcullis.docker_tls.plugins.module_utils._time import utc_now
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils import _bytecode  # noqa: F401  Before what it speeds up.
from ansible_collections.portcullis.docker_tls.plugins.plugin_utils._output import run, run_output, summary

DOCUMENTATION = """
name: docker_tls_summary
type: aggregate
short_description: Changes of a run of site.yml by host, with reasons and next steps
author: The portcullis.docker_tls contributors (@portcullis-collections)
description:
  - Prints a summary after the recap, and writes it as JSON to the file that the environment variable C(DOCKER_TLS_SUMMARY_PATH) names.
"""

PATH = "DOCKER_TLS_SUMMARY_PATH"
SWITCH = "__docker_tls_summary"
NOTHING_RAN = (
    "Docker TLS: no task was run, so nothing was inspected and nothing changed. "
    "Run the playbook from its beginning, without --start-at-task and --tags."
)


class CallbackModule(CallbackBase):
    """Collect the results of the collection's modules, and show them at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "docker_tls_summary"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self) -> None:
        super().__init__()
        self._run = run.Run()
        self._inventory: t.Any = None
        self._asked = self._wanted = self._skipped = False
        if C.DEFAULT_STDOUT_CALLBACK in run_output.CALLBACKS:
            run_output.hide(self._display)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """Find out whether this playbook is one that wants a summary."""
        self._asked = self._asked or bool(play.get_vars().get(SWITCH))
        self._run.check_mode = self._run.check_mode or bool(play.check_mode)
        self._inventory = _inventory(play) or self._inventory

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Take in a result."""
        self._wanted = self._asked
        host, module, found = _parts(result)
        if module:
            self._run.note_success(host, module, found)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """Take in that a task had nothing to do."""
        self._skipped = True
        host, module, _found = _parts(result)
        self._run.note_skipped(host, module)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """Take in a failure, of whatever task."""
        self._wanted = self._asked
        host, module, found = _parts(result)
        if not ignore_errors:
            self._run.note_problem(host, found, module)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """Take in that a host was not reached."""
        self._wanted = self._asked
        host, _module, found = _parts(result)
        self._run.note_problem(host, found)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """Print the summary."""
        if not self._wanted:
            if self._asked and not self._skipped and "json" not in C.DEFAULT_STDOUT_CALLBACK:
                run_output.show(self._display, [NOTHING_RAN])
            return
        failed, unreachable = ({host for host, count in each.items() if count} for each in (stats.failures, stats.dark))
        groups = self._inventory.get_groups_dict() if self._inventory is not None else None
        limited = groups is None or bool(context.CLIARGS.get("subset"))
        self._run.end(failed, unreachable, stats.processed, groups, limited)
        self._run.note_limit(bool(context.CLIARGS.get("subset")))
        if "json" not in C.DEFAULT_STDOUT_CALLBACK:  # what another program reads is left alone
            run_output.show(self._display, summary.text(self._run))
        path = os.environ.get(PATH, "")
        if path:
            self._write(path)

    def _write(self, path: str) -> None:
        try:
            _files.write_atomic(os.path.abspath(path), summary.document(self._run, utc_now()).encode(), 0o644)
        except (TlsError, OSError) as error:
            self._display.warning(f"{PATH} is {path}, and the summary cannot be written there: {error}")


def _parts(result: t.Any) -> tuple[str, str, t.Mapping[str, t.Any]]:
    """Return host, module ("" where it is none of ours) and result; ansible-core 2.18 has only the names with an underscore."""
    host, task, found = (
        getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")
        for name in ("host", "task", "result")
    )
    resolved = str(getattr(task, "resolved_action", "") or task.action)
    # In ansible-core 2.18 it may name the action plugin (plugin_routing in meta/runtime.yml); the task names the module.
    module = str(task.action).rpartition(".")[2] if resolved.startswith(run.COLLECTION) else ""
    return host.get_name(), module, found


def _inventory(play: t.Any) -> t.Any:
    """Return the inventory with its groups, also of the hosts outside --limit; None where this Ansible has it elsewhere.

    No public attribute has it. Without it the summary does not mention the hosts outside.
    """
    manager = play.get_variable_manager() if hasattr(play, "get_variable_manager") else None
    found = getattr(manager, "_inventory", None)
    return found if hasattr(found, "get_groups_dict") else None
