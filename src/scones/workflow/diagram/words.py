"""What a picture says in words: tooltips, figures, and the description for those who cannot see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from scones.page.numbers import plural
from scones.workflow.diagram.boxes import DETAIL
from scones.workflow.diagram.graph import Edge, Graph, State, walk
from scones.workflow.diagram.text import clean, duration, shorten, text_width
from scones.workflow.diagram.visits import Course, StateFigures

__all__ = ["describe", "edge_tooltip", "short_figures", "state_tooltip"]

_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_CAUSE: Final = 300


def _figures_text(figures: StateFigures) -> str:
    """A state's figures, in full."""
    return " · ".join([figures.status, duration(figures.seconds), *_counts(figures)])


def short_figures(figures: StateFigures, room: float) -> str:
    """A state's figures for its box: as many of them as there is room for, in pixels."""
    counts = list(_counts(figures))
    line = " · ".join([duration(figures.seconds), *counts])
    if text_width(line, DETAIL, bold=True) > room and figures.visits > 1:
        line = " · ".join([duration(figures.seconds), f"{_TIMES}{figures.visits}", *counts[1:]])
    return shorten(line, DETAIL, room, bold=True)


def _counts(figures: StateFigures) -> Iterator[str]:
    if figures.visits > 1:
        yield f"{figures.visits:,} visits"
    if figures.items:
        yield plural(figures.items, "item")
    if figures.retries:
        yield plural(figures.retries, "retry", "retries")


def state_tooltip(state: State, figures: StateFigures | None) -> list[str]:
    """The lines of a state's tooltip."""
    lines = [state.name, " · ".join(filter(None, (state.type or "no type", state.detail))), *state.notes]
    if figures:
        lines.append(_figures_text(figures))
        if figures.error:
            cause = figures.cause if len(figures.cause) <= _CAUSE else f"{figures.cause[:_CAUSE]}…"
            lines.append(f"{figures.error}: {cause}" if cause else figures.error)
    return [clean(line) for line in lines]


def edge_tooltip(edge: Edge, taken: int) -> list[str]:
    """The lines of an edge's tooltip."""
    source, target = ("start" if edge.source is None else edge.source), ("end" if edge.target is None else edge.target)
    lines = [f"{source} → {target}", _when(edge)]
    if taken:
        lines.append("taken once" if taken == 1 else f"taken {taken:,} times")
    return [clean(line) for line in lines if line]


def describe(graph: Graph, course: Course | None) -> str:
    """The picture in words."""
    words = [graph.comment] if graph.comment else []
    for part, depth in walk(graph):
        for edge in part.edges:
            if edge.source is None:
                words.append(f"{'It' if depth == 0 else 'A part'} begins with {edge.target}.")
            elif edge.target is None:
                words.append(f"{edge.source} ends it.")
            else:
                words.append(f"{edge.source} leads to {edge.target}{' ' if _when(edge) else ''}{_when(edge)}.")
    if course:
        words.append(f"The execution: {course.status}, {duration(course.seconds)}.")
        words += [f"{figures.name}: {_figures_text(figures)}." for figures in course.states.values()]
    return clean(" ".join(words))


def _when(edge: Edge) -> str:
    if edge.kind == "rule":
        return f"if {edge.label}"
    if edge.kind == "catch":
        return f"on {edge.label}"
    return "otherwise" if edge.kind == "default" else ""
