# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the reference pages that antsibull-docs writes become pages for people who read them for the first time.

antsibull-docs sorts everything by name. Readers need an example first, the variables that most people set before those that
few set, and the modules that are made for playbooks of their own apart from those that only the roles call. All functions
take and return reStructuredText; they know nothing of Sphinx.
"""

from __future__ import annotations

import re

#: First words of the description of a private module.
ROLES_ONLY = "For the roles and playbooks of this collection"

_ROW = "\n  * - .. raw:: html\n"
_ROW_NAME = re.compile(r'id="parameter-main--(\w+)')
_SECTION_AFTER_TABLE = "\n\n.. Attributes\n"
_PARAMETERS = ".. Options\n\nParameters\n^^^^^^^^^^\n"
_EXAMPLE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
_MODULE = re.compile(r"^\* :ansplugin:`(\w+) module .+\n", re.M)
_MODULE_PAGES = re.compile(r"(?:^    \w+_module\n)+", re.M)


def first_examples(readme: str) -> list[tuple[str, str]]:
    """Return the language and text of the code blocks that a role's README.md has before its table of variables."""
    return [(match[1], match[2]) for match in _EXAMPLE.finditer(readme.partition("\n## Variables")[0])]


def with_example(page: str, examples: list[tuple[str, str]]) -> str:
    """Return the page of a role with its examples before its table of parameters."""
    if not examples or _PARAMETERS not in page:
        return page
    lines = ["Example", "^" * 7, ""]
    for language, text in examples:
        body = [f"   {line}" if line else "" for line in text.rstrip("\n").split("\n")]
        lines += [f".. code-block:: {language}", "", *body, ""]
    return page.replace(_PARAMETERS, "\n".join(lines) + "\n" + _PARAMETERS, 1)


def ordered_parameters(page: str, names: list[str]) -> str:
    """Return the page of a role with the rows of its table in the order of ``names``; options of an option stay behind it."""
    table, end, rest = page.partition(_SECTION_AFTER_TABLE)
    head, *rows = table.split(_ROW)
    position = {name: number for number, name in enumerate(names)}
    stripped = [row.rstrip("\n") for row in rows]
    # sorted() is stable: rows of one name keep their order.
    ordered = sorted(stripped, key=lambda row: position[_ROW_NAME.search(row)[1]])
    return "".join([head.rstrip("\n") + "\n" if rows else head, *(f"{_ROW}{row}\n" for row in ordered), end, rest])


def public_modules_first(page: str, roles_only: set[str]) -> str:
    """Return the page with the list of modules, those of ``roles_only`` in a list of their own behind the public ones.

    The sidebar, which is made from the page's table of contents, has the same order.
    """
    entries = list(_MODULE.finditer(page))
    if not entries:
        return page
    public = [entry[0] for entry in entries if entry[1] not in roles_only]
    internal = [entry[0] for entry in entries if entry[1] in roles_only]
    title = "Modules for the roles only"
    note = "The roles and playbooks of this collection call these. Their options and results can change in any release."
    page = _MODULE_PAGES.sub(
        lambda pages: "".join(
            sorted(pages[0].splitlines(True), key=lambda line: line.strip()[: -len("_module")] in roles_only)
        ),
        page,
    )
    lists = [*public, "\n", title, "\n", "~" * len(title), "\n\n", note, "\n\n", *internal]
    return page[: entries[0].start()] + "".join(lists) + page[entries[-1].end() :]
