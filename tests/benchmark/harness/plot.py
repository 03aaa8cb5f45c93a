# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growth with the number of hosts, as an SVG with a ground of its own: a page may be dark where the system is light."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from xml.sax.saxutils import escape

from .bench import BASELINE, OURS, Section

# Okabe and Ito's colours: distinct also for colour-blind readers.
LINES = {
    "ping": ("#7f7f7f", "ping play"),
    f"{OURS}/no-change": ("#009e73", "ours, no change"),
    f"{OURS}/renewal": ("#0072b2", "ours, renewal of all"),
    f"{OURS}/first": ("#cc79a7", "ours, first run"),
    f"{BASELINE}/no-change": ("#d55e00", f"{BASELINE}, no change"),
}
WIDTH, HEIGHT, LEFT, TOP, PANEL_WIDTH, PANEL_HEIGHT = 920, 380, 60, 40, 370, 250
STYLE = "text{font:15px sans-serif;fill:#333}.grid{stroke:#8884}.axis{stroke:#888}path{fill:none;stroke-width:2}.ground{fill:#fff}"


@dataclass(frozen=True)
class Panel:
    """One diagram: its title, where it begins, and the scales."""

    title: str
    left: float
    largest_x: float
    largest_y: float

    def x(self, value: float) -> float:
        """Return the horizontal place of a number of hosts."""
        return self.left + PANEL_WIDTH * value / self.largest_x

    def y(self, value: float) -> float:
        """Return the vertical place of a number of seconds."""
        return TOP + PANEL_HEIGHT * (1 - value / self.largest_y)


def growth(sections: t.Iterable[Section], cell: str, what: str) -> list[tuple[int, float]]:
    """Return (hosts, median) of a cell over all simulated fleets."""
    found = [section for section in sections if section.parameters.get("simulated") and cell in section.cells]
    return sorted((int(section.parameters["hosts"]), section.cells[cell].median(what)) for section in found)


def draw(sections: t.Sequence[Section]) -> str:
    """Return the SVG; an empty text if fewer than two sizes were measured."""
    sizes = {size for size, _ in growth(sections, "ping", "wall")}
    if len(sizes) < 2:
        return ""
    parts = [_panel(sections, "wall", "seconds (wall)", LEFT, max(sizes))]
    parts.append(_panel(sections, "cpu", "seconds (controller's CPU)", LEFT + PANEL_WIDTH + 90, max(sizes)))
    drawn = [line for cell, line in LINES.items() if growth(sections, cell, "wall")]
    parts += [_legend(number, *line) for number, line in enumerate(drawn)]
    header = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
    title = "<title>Cost of a run by the number of simulated hosts</title>"
    licence = "<!-- SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors -->\n<!-- SPDX-License-Identifier: GPL-3.0-or-later -->"
    return (
        "\n".join(
            [
                header,
                licence,
                title,
                f"<style>{STYLE}</style>",
                '<rect class="ground" width="100%" height="100%"/>',
                *parts,
                "</svg>",
            ]
        )
        + "\n"
    )


def _panel(sections: t.Sequence[Section], what: str, title: str, left: float, largest_x: int) -> str:
    curves = {cell: growth(sections, cell, what) for cell in LINES}
    largest = max(cost for curve in curves.values() for _, cost in curve)
    step = _nice_step(largest / 5)
    panel = Panel(title, left, largest_x, step * (int(largest / step) + 1))
    return "\n".join(
        [*_frame(panel, step), *(_curve(panel, LINES[cell][0], curve) for cell, curve in curves.items() if curve)]
    )


def _nice_step(rough: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least `rough`."""
    power = 10.0 ** len(str(int(rough))) / 10 if rough >= 1 else 0.1
    return next((power * factor for factor in (1, 2, 5, 10) if power * factor >= rough), power * 10)


def _frame(panel: Panel, step: float) -> t.Iterator[str]:
    right, bottom = panel.left + PANEL_WIDTH, TOP + PANEL_HEIGHT
    yield f'<text x="{panel.left}" y="{TOP - 14}">{escape(panel.title)}</text>'
    value = 0.0
    while value <= panel.largest_y:
        height = panel.y(value)
        yield f'<line class="grid" x1="{panel.left}" x2="{right}" y1="{height:.1f}" y2="{height:.1f}"/>'
        yield f'<text x="{panel.left - 6}" y="{height + 4:.1f}" text-anchor="end">{value:g}</text>'
        value = round(value + step, 6)
    for quarter in range(5):
        hosts = panel.largest_x * quarter / 4
        yield f'<text x="{panel.x(hosts):.1f}" y="{bottom + 18}" text-anchor="middle">{hosts:g}</text>'
    yield f'<line class="axis" x1="{panel.left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
    yield f'<text x="{right}" y="{bottom + 36}" text-anchor="end">hosts</text>'


def _curve(panel: Panel, colour: str, points: t.Sequence[tuple[int, float]]) -> str:
    places = [(panel.x(size), panel.y(cost)) for size, cost in points]
    path = " ".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(places))
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
    return f'<path stroke="{colour}" d="{path}"/>{dots}'


def _legend(number: int, colour: str, text: str) -> str:
    x, y = LEFT + (number % 3) * 290, TOP + PANEL_HEIGHT + 56 + 20 * (number // 3)
    return f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{colour}"/><text x="{x + 12}" y="{y}">{escape(text)}</text>'
