"""Writes a plan as SVG text: the page around the drawing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from scones.workflow.diagram.graph import Graph
from scones.workflow.diagram.layout import Plan
from scones.workflow.diagram.painting import Painter, badge, escaped
from scones.workflow.diagram.shapes import number
from scones.workflow.diagram.style import style_sheet
from scones.workflow.diagram.text import clean, duration, shorten, text_width, wrap
from scones.workflow.diagram.visits import Course
from scones.workflow.diagram.words import describe

__all__ = ["write_svg"]

_PAGE: Final = 20.0
_NARROWEST: Final = 340.0
_WIDEST: Final = 900.0
"""A line of the comment is no longer: nobody reads across a wide picture."""
_LEGEND: Final = {
    "succeeded": "succeeded",
    "caught": "failed, and was caught",
    "failed": "failed",
    "running": "running",
    "stopped": "ended from outside",
}
_STATUS: Final = {"RUNNING": "running", "SUCCEEDED": "succeeded", "FAILED": "failed", "TIMED_OUT": "failed"}


def write_svg(graph: Graph, plan: Plan, *, title: str, subtitle: str, course: Course | None) -> str:
    """Write a picture.

    Args:
        graph: the machine.
        plan: where everything lies.
        title: the machine's name; may be empty.
        subtitle: such as the execution's name; may be empty.
        course: what an execution did, to be shown upon it.
    """
    width = max(plan.size[0], _NARROWEST)
    body, y = [], 12.0
    for line, height, style, size in _head(title, subtitle, graph.comment, course, width):
        y += height
        text = escaped(shorten(line, size, width - 2 * _PAGE, bold=style != "sm-quiet"))
        body.append(f'<text class="{style}" x="{number(_PAGE)}" y="{number(y)}">{text}</text>')
    top = y + 14.0 if body else 0.0
    Painter(course).plan(plan, ((width - plan.size[0]) / 2, top), body)
    height = top + plan.size[1]
    if course and course.states:
        height = _legend(course, width, height, body)
    told = clean(" · ".join(filter(None, (title, subtitle)))) or "State machine"
    description = describe(graph, course)
    key = hashlib.sha256("\n".join([told, description]).encode()).hexdigest()[:8]
    wide, high = number(width), number(height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sm{" sm-timed" if course else ""}" '
        f'width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" role="img" '
        f'aria-labelledby="sm-{key}-title sm-{key}-desc">'
    )
    return "\n".join(
        [
            head,
            f'<title id="sm-{key}-title">{escaped(told)}</title>',
            f'<desc id="sm-{key}-desc">{escaped(description)}</desc>',
            f"<style>{style_sheet()}</style>",
            f'<rect class="sm-ground" width="{wide}" height="{high}" rx="12"/>',
            *body,
            "</svg>\n",
        ]
    )


def _head(
    title: str, subtitle: str, comment: str, course: Course | None, width: float
) -> Iterator[tuple[str, float, str, float]]:
    """The lines above the drawing: text, height, style and font size."""
    if title:
        yield title, 22.0, "sm-heading", 19.0
    for line in wrap(comment, 12.0, min(width - 2 * _PAGE, _WIDEST), most=3):
        yield line, 18.0, "sm-quiet", 12.0
    if course:
        words = [subtitle, course.status.replace("_", " "), duration(course.seconds)]
        words += [f"{course.started:%Y-%m-%d %H:%M:%S} UTC"] if course.started else []
        status = _STATUS.get(course.status, "stopped")
        yield " · ".join(filter(None, words)), 22.0, f"sm-status sm-{status}", 12.0
    elif subtitle:
        yield subtitle, 18.0, "sm-quiet", 12.0


def _legend(course: Course, width: float, y: float, body: list[str]) -> float:
    """Write what the statuses' marks mean; answers the new height."""
    x, y = _PAGE, y + 12.0
    found = {figures.status for figures in course.states.values()}
    for status, words in _LEGEND.items():
        if status in found:
            step = 40.0 + text_width(words, 12.0)
            if x > _PAGE and x + step > width:
                x, y = _PAGE, y + 22.0
            body.append(f'<g class="sm-{status}">{badge(status, (x + 8.0, y))}')
            body.append(f'<text class="sm-quiet" x="{number(x + 22.0)}" y="{number(y + 4.0)}">{words}</text></g>')
            x += step
    return y + 20.0
