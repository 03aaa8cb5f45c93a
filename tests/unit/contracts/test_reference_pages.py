# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reference pages of the site: example before variables, variables in the order of their specification, public modules first."""

from __future__ import annotations

import importlib.util

import pytest
import yaml

from support.contracts.documentation import ROOT

SPEC = importlib.util.spec_from_file_location("reference_pages", ROOT / "docs/reference_pages.py")
reference_pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reference_pages)

HEAD = """Title
+++++

.. Options

Parameters
^^^^^^^^^^

.. list-table::
  :header-rows: 1

  * - Parameter
    - Comments
"""
AFTER = """

.. Attributes


Authors
^^^^^^^
"""


def row(name):
    return f"""
  * - .. raw:: html

        <div class="ansibleOptionAnchor" id="parameter-main--{name}"></div>

      **{name}**
"""


def page(*names):
    return HEAD + "".join(map(row, names)) + AFTER


def test_rows_follow_the_specification():
    assert reference_pages.ordered_parameters(page("a", "b", "c"), ["c", "a", "b"]) == page("c", "a", "b")


def test_suboptions_stay_behind_their_option():
    written = page("alpha", "alpha/one", "alpha/two", "beta")
    assert reference_pages.ordered_parameters(written, ["beta", "alpha"]) == page(
        "beta", "alpha", "alpha/one", "alpha/two"
    )


def test_a_variable_without_specification_is_an_error():
    with pytest.raises(KeyError, match="unknown"):
        reference_pages.ordered_parameters(page("unknown"), ["known"])


def test_the_example_stands_before_the_parameters():
    shown = reference_pages.with_example(page("a"), [("yaml", "- hosts: all\n\n  roles: []\n")])
    assert "Example\n^^^^^^^\n\n.. code-block:: yaml\n\n   - hosts: all\n\n     roles: []\n" in shown
    assert shown.index("Example\n^") < shown.index("Parameters\n^")


def test_a_page_without_parameters_is_left_as_it_is():
    assert reference_pages.with_example("Title\n", [("yaml", "x: 1\n")]) == "Title\n"


def test_modules_of_the_roles_come_after_public_ones():
    index = (
        "Modules\n~~~~~~~\n\n"
        "* :ansplugin:`alpha module <c.alpha#module>` -- For roles\n"
        "* :ansplugin:`beta module <c.beta#module>` -- For people\n"
        "\n.. toctree::\n\n    alpha_module\n    beta_module\n"
    )
    lines = reference_pages.public_modules_first(index, {"alpha"}).splitlines()
    beta, title, alpha = (
        next(i for i, line in enumerate(lines) if word in line) for word in ("beta", "roles only", "alpha")
    )
    assert beta < title < alpha < lines.index(".. toctree::")
    assert lines[-2:] == ["    beta_module", "    alpha_module"]


@pytest.mark.parametrize("role", sorted(path.name for path in (ROOT / "roles").iterdir()))
def test_every_role_has_a_first_example_that_is_a_play(role):
    language, text = reference_pages.first_examples((ROOT / f"roles/{role}/README.md").read_text())[0]
    plays = yaml.safe_load(text)
    assert language == "yaml"
    assert f"portcullis.docker_tls.{role}" in str(plays[-1]["roles"])


def test_the_mark_of_a_module_for_the_roles_is_in_its_documentation():
    marked = [
        path.stem for path in (ROOT / "plugins/modules").glob("*.py") if reference_pages.ROLES_ONLY in path.read_text()
    ]
    assert "host_state" in marked and "endpoint" not in marked
