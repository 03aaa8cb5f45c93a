# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of the documentation site; `make docs` builds it, with the reference pages that antsibull-docs writes beside it."""

from __future__ import annotations

import os
import pathlib
import re
import sys

import yaml
from docutils import nodes

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import reference_pages

COLLECTION = pathlib.Path(os.environ.get("PROJECT") or pathlib.Path(__file__).parent.parent)
REPOSITORY = "https://github.com/portcullis-collections/docker_tls"
ANSIBLE = "https://docs.ansible.com/ansible/latest/"

project = "portcullis.docker_tls"
release = re.search(r"^version: (.+)$", (COLLECTION / "galaxy.yml").read_text(), re.M).group(1)
copyright = "2026 portcullis.docker_tls contributors"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
nitpicky = True
smartquotes = False
html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"source_repository": REPOSITORY, "source_branch": "main", "source_directory": "docs/"}
pygments_style = "tango"
pygments_dark_style = "monokai"
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]

#: Links of the reference to Ansible itself. The site is built offline, without the inventory of Ansible's own site.
ANSIBLE_PAGES = {
    "common_return_values": "reference_appendices/common_return_values.html",
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
}


def link_to_ansible(app, env, node, content):
    """Resolve a reference to Ansible's own documentation; None leaves it to Sphinx, which then warns."""
    target = node.get("reftarget", "")
    builtin = re.fullmatch(r"ansible_collections\.ansible\.builtin\.(\w+)", target)
    page = f"collections/ansible/builtin/{builtin.group(1)}.html" if builtin else ANSIBLE_PAGES.get(target)
    if page is None:
        return None
    link = nodes.reference("", "", internal=False, refuri=ANSIBLE + page)
    link += content
    return link


def link_out_of_docs(app, docname, source):
    """Let a link to a file outside of docs/ go to the role's reference page, else to the file in the repository."""

    def target(match):
        path = match.group(1)
        if not (COLLECTION / path.partition("#")[0]).exists():
            raise FileNotFoundError(f"{docname} links to {path}, which does not exist")
        role = re.fullmatch(r"roles/(\w+)/README\.md", path)
        return f"](/reference/{role.group(1)}_role.rst)" if role else f"]({REPOSITORY}/blob/main/{path})"

    steps = docname.count("/") + 1
    source[0] = re.sub(rf"\]\((?:\.\./){{{steps}}}([^)]+)\)", target, source[0])


def modules_for_roles():
    """Return the names of the modules whose documentation marks them as private."""
    modules = (COLLECTION / "plugins/modules").glob("*.py")
    return {module.stem for module in modules if reference_pages.ROLES_ONLY in module.read_text()}


def shorten_reference(app, docname, source):
    """Give the pages that antsibull-docs writes short titles, and no list of contents: the theme has one."""
    if not docname.startswith("reference/"):
        return
    text = re.sub(r"^\.\. contents::\n(?:   .*\n)+", "", source[0], flags=re.M)
    if docname == "reference/index":
        text = re.sub(r"^Portcullis\.Docker_Tls\n=+$", "Roles, modules and filters\n" + "=" * 26, text, flags=re.M)
        head, plugins, rest = text.partition(".. _plugin_index_for_")
        plugin_index, roles, role_index = rest.partition(".. _role_plugins_in_")
        if roles:  # people set variables of roles; modules come second, filters are for the playbooks
            text = f"{head}{roles}{role_index.rstrip()}\n\n\n{plugins}{plugin_index}"
        text = reference_pages.public_modules_first(text, modules_for_roles())
    role = re.fullmatch(r"reference/(\w+)_role", docname)
    if role:
        directory = COLLECTION / "roles" / role.group(1)
        specs = yaml.safe_load((directory / "meta/argument_specs.yml").read_text())["argument_specs"]
        text = reference_pages.ordered_parameters(text, list(specs["main"]["options"]))
        text = reference_pages.with_example(text, reference_pages.first_examples((directory / "README.md").read_text()))
    title = re.search(rf"^{re.escape(project)}\.(\w+ \w+) -- .+\n\++$", text, re.M)
    if title:
        text = text.replace(title.group(0), title.group(1) + "\n" + "+" * len(title.group(1)), 1)
    source[0] = text


def setup(app):
    """Register the extensions of this file in Sphinx."""
    app.connect("missing-reference", link_to_ansible)
    app.connect("source-read", shorten_reference)
    app.connect("source-read", link_out_of_docs)
