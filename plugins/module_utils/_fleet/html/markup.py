# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTML in which nothing can be forgotten to be escaped. PRIVATE: may change without notice.

A plain ``str`` is text and is escaped wherever it goes; only ``tag`` makes ``Markup``.
"""

from __future__ import annotations

import html
import typing as t

# Elements without content (HTML, section 13.1.2), as far as they are used here.
_VOID = frozenset({"meta", "br", "rect", "line"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(content: str) -> Markup:
    """Return ``content`` escaped, with everything that no page should hold (control and direction marks) as ``?``."""
    if isinstance(content, Markup):
        return content
    return Markup(html.escape("".join(letter if letter.isprintable() else "?" for letter in content), quote=True))


def tag(element: str, /, *children: str, **attributes: str | None) -> Markup:
    """Return an element. ``class_`` is ``class``, ``aria_label`` is ``aria-label``; an attribute that is None is left out."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in _VOID:
        return Markup(f"<{element}{pairs}>" if element in ("meta", "br") else f"<{element}{pairs}/>")
    return Markup(f"<{element}{pairs}>{join(children)}</{element}>")


def join(children: t.Iterable[str], between: str = "") -> Markup:
    """Return the children one after the other."""
    return Markup(text(between).join(text(child) for child in children))


def raw(content: str) -> Markup:
    """Return ``content`` as it is: for the page's own style sheet only."""
    return Markup(content)
