"""Writes a plan as SVG text: edges, boxes, labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from scones.workflow.diagram.boxes import ICON, INDENT, LINE
from scones.workflow.diagram.graph import Edge
from scones.workflow.diagram.layout import Box, Chip, Plan, Region, Route
from scones.workflow.diagram.routes import Point
from scones.workflow.diagram.shapes import ICONS, MARKS, arrow_head, number, outline, polyline
from scones.workflow.diagram.text import clean
from scones.workflow.diagram.visits import Course, StateFigures
from scones.workflow.diagram.words import edge_tooltip, short_figures, state_tooltip

__all__ = ["Painter", "badge", "escaped"]

_NECK: Final = 5.0
"""A line ends so much before its arrow's tip, so that a thick one does not show beside it."""
_AGAIN: Final = "M11 3.2A5.2 5.2 0 1 0 11.2 8M11.4.2v3.3H8.1"
_PILE: Final = (6.0, 3.0, 0.0)


def escaped(text: str) -> str:
    """Text as XML has it."""
    return escape(clean(text))


def badge(status: str, at: Point) -> str:
    """The mark of a status, around a point."""
    x, y = number(at[0]), number(at[1])
    return (
        f'<circle class="sm-badge" cx="{x}" cy="{y}" r="9"/>'
        f'<path class="sm-badge-glyph" transform="translate({x} {y})" d="{MARKS[status]}"/>'
    )


def _tooltip(lines: Sequence[str]) -> str:
    return f"<title>{escape(chr(10).join(lines))}</title>"


def _attribute(text: str | None) -> str:
    return quoteattr(clean(text or ""))


class Painter:
    """Paints plans, one within another.

    Args:
        course: what an execution did, to be shown upon the machine; None for the machine alone.
    """

    def __init__(self, course: Course | None) -> None:
        self._course = course

    def plan(self, plan: Plan, at: Point, out: list[str]) -> None:
        """Paint a plan that begins at a point: what was taken lies upon what was not, boxes and labels upon both."""
        for route in sorted(plan.routes, key=lambda route: self._taken(route.edge) > 0):
            self._route(route, at, out)
        for edge, middle in plan.marks:
            self._mark(edge, (middle[0] + at[0], middle[1] + at[1]), out)
        for box in plan.boxes:
            self._box(box, at, out)
        for route in plan.routes:
            if route.chip:
                self._chip(route.edge, route.chip, at, out)

    def _taken(self, edge: Edge) -> int:
        return self._course.ways.get((edge.source, edge.target, edge.kind), 0) if self._course else 0

    def _begin_edge(self, edge: Edge, more: str = "") -> str:
        taken = self._taken(edge)
        style = f"sm-edge sm-{edge.kind}{' sm-taken' if taken else ''}"
        return f'<g class="{style}"{more}>{_tooltip(edge_tooltip(edge, taken))}'

    def _route(self, route: Route, at: Point, out: list[str]) -> None:
        edge = route.edge
        points = [(x + at[0], y + at[1]) for x, y in route.points]
        tip, head = points[-1], ""
        if edge.target is not None:
            points[-1] = (tip[0], tip[1] - _NECK)
            head = f'<path class="sm-head" d="{arrow_head(tip)}"/>'
        data = f' data-kind="{edge.kind}" data-source={_attribute(edge.source)} data-target={_attribute(edge.target)}'
        line = polyline(points)
        begin = self._begin_edge(edge, data)
        out.append(f'{begin}<path class="sm-hit" d="{line}"/><path class="sm-line" d="{line}"/>{head}</g>')

    def _chip(self, edge: Edge, chip: Chip, at: Point, out: list[str]) -> None:
        left, top, width, height = chip.place
        left, top = left + at[0], top + at[1]
        out.append(
            f'{self._begin_edge(edge)}<rect class="sm-chip" x="{number(left)}" y="{number(top)}" '
            f'width="{number(width)}" height="{number(height)}" rx="11"/>'
        )
        for index, line in enumerate(chip.lines):
            x, y = number(left + width / 2), number(top + 14.5 + 14.0 * index)
            out.append(f'<text class="sm-label" x="{x}" y="{y}" text-anchor="middle">{escaped(line)}</text>')
        out.append("</g>")

    def _mark(self, edge: Edge, middle: Point, out: list[str]) -> None:
        at = f'cx="{number(middle[0])}" cy="{number(middle[1])}"'
        out.append(f'<g class="{"sm-taken" if self._taken(edge) else "sm-idle"}">')
        if edge.source is None:
            out.append(f'<title>start</title><circle class="sm-mark" {at} r="8"/></g>')
        else:
            out.append(f'<title>end</title><circle class="sm-ring" {at} r="8"/>')
            out.append(f'<circle class="sm-mark" {at} r="4.5"/></g>')

    def _box(self, box: Box, at: Point, out: list[str]) -> None:
        left, top = box.place[0] + at[0], box.place[1] + at[1]
        state = box.state
        figures = self._course.states.get(state.name) if self._course else None
        kind = state.type if state.type in ICONS else ""
        style = f"sm-box sm-{kind.lower() or 'other'}" + (f" sm-visited sm-{figures.status}" if figures else "")
        status = f' data-status="{figures.status}"' if figures else ""
        out.append(
            f'<g class="{style}" data-state={_attribute(state.name)}{status}>{_tooltip(state_tooltip(state, figures))}'
            f'<path class="sm-outline" d="{outline(kind, (left, top, box.place[2], box.place[3]))}"/>'
        )
        self._caption(box, kind, figures, (left, top), out)
        for region in box.regions:
            self._region(region, at, out, pile=kind == "Map")
        if figures:
            out.append(badge(figures.status, (left + box.place[2] - 4.0, top + 4.0)))
        out.append("</g>")

    def _caption(self, box: Box, kind: str, figures: StateFigures | None, at: Point, out: list[str]) -> None:
        """The icon, and the text in the middle of the box, or of the head of one that holds others."""
        caption, height = box.caption, box.caption.size[1]
        icon = f"translate({number(at[0] + 12.0)} {number(at[1] + (height - ICON) / 2)})"
        out.append(f'<g transform="{icon}"><rect class="sm-icon" width="20" height="20" rx="5"/>')
        out.append(f'<path class="sm-glyph" d="{ICONS[kind]}"/></g>')
        lines = [("sm-name", line) for line in caption.name]
        lines += [("sm-detail", caption.detail)] if caption.detail else []
        lines += [("sm-time", short_figures(figures, caption.room))] if figures else []
        y = at[1] + (height - len(lines) * LINE) / 2
        if box.state.retries:
            place = f"translate({number(at[0] + INDENT + caption.room - 12.0)} {number(y + 2.0)})"
            again = "<title>is tried again when it fails</title>"
            out.append(f'<path class="sm-again" transform="{place}" d="{_AGAIN}">{again}</path>')
        for index, (style, line) in enumerate(lines):
            x, base = number(at[0] + INDENT), number(y + LINE * index + 12.0)
            out.append(f'<text class="{style}" x="{x}" y="{base}">{escaped(line)}</text>')

    def _region(self, region: Region, at: Point, out: list[str], *, pile: bool) -> None:
        """A nested graph on its sheet; a Map's is a pile of sheets."""
        left, top, width, height = region.place
        for more in _PILE if pile else (0.0,):
            x, y = number(left + at[0] + more), number(top + at[1] + more)
            size = f'width="{number(width)}" height="{number(height)}"'
            out.append(f'<rect class="sm-region" x="{x}" y="{y}" {size} rx="8"/>')
        self.plan(region.plan, (region.at[0] + at[0], region.at[1] + at[1]), out)
