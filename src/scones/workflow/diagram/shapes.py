"""Outlines and icons: each type of state has its own, so that colour is never needed to tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scones.workflow.diagram.layout import Place
from scones.workflow.diagram.routes import Point

__all__ = ["ICONS", "MARKS", "arrow_head", "number", "outline", "polyline"]

_ROUND: Final = 9.0
"""Radius of the bends of edges."""

ICONS: Final = {
    # a cog
    "Task": "M7 10a3 3 0 1 0 6 0a3 3 0 1 0-6 0M10 4.5V7M10 13v2.5M4.5 10H7M13 10h2.5M6.1 6.1l1.8 1.8M12.1 12.1l1.8 1.8"
    "M6.1 13.9l1.8-1.8M12.1 7.9l1.8-1.8",
    "Pass": "M4.5 10h10.5M11 6l4 4-4 4",
    # a fork in the road
    "Choice": "M10 16v-5M10 11C10 8 5.5 8.5 5.5 4.5M10 11C10 8 14.5 8.5 14.5 4.5M3.5 6.5l2-2 2 2M12.5 6.5l2-2 2 2",
    "Wait": "M4.5 10a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0M10 6.5V10l2.5 1.5",
    "Succeed": "M5 10.5l3.5 3.5L15 6.5",
    "Fail": "M6 6l8 8M14 6l-8 8",
    "Parallel": "M6 4.5v11M10 4.5v11M14 4.5v11",
    # a pile of sheets
    "Map": "M7.5 4.5h8v8M5 7h8v8H5z",
    "": "M7.5 7.5c0-3.5 5-3.5 5 0 0 2-2.5 2-2.5 4M10 14.5v.5",
}
"""Strokes in a square of 20 pixels, by type; "" is for any other."""

MARKS: Final = {
    "succeeded": "M-3.5 .3l2.5 2.5L3.5-2.5",
    "caught": "M0-4v4.5M0 3.4v.4",
    "failed": "M-2.8-2.8l5.6 5.6M2.8-2.8l-5.6 5.6",
    "running": "M-2-3.4L3.2 0-2 3.4z",
    "stopped": "M-2.4-2.4h4.8v4.8h-4.8z",
}
"""Strokes around the middle of a status's mark."""


def number(value: float) -> str:
    """A coordinate as SVG has it, to a tenth of a pixel.

    Example:
        >>> number(12.0), number(0.25), number(-0.04)
        ('12', '0.2', '0')
    """
    return f"{value:z.1f}".removesuffix(".0")


def outline(kind: str, place: Place) -> str:
    """The outline of a state's box, as the data of an SVG path."""
    left, top, width, height = place
    if kind == "Choice":  # pointed at both sides, with an upper and a lower side for edges
        return _cut(place, 12.0, height / 2)
    if kind == "Fail":
        return _cut(place, 10.0, 10.0)
    radius = {"Wait": height / 2, "Succeed": height / 2, "Pass": 3.0, "Parallel": 12.0, "Map": 12.0}.get(kind, 8.0)
    across, down = number(width - 2 * radius), number(height - 2 * radius)
    r = number(radius)
    return (
        f"M{number(left + radius)} {number(top)}h{across}a{r} {r} 0 0 1 {r} {r}v{down}a{r} {r} 0 0 1-{r} {r}"
        f"h-{across}a{r} {r} 0 0 1-{r}-{r}v-{down}a{r} {r} 0 0 1 {r}-{r}z"
    )


def _cut(place: Place, across: float, down: float) -> str:
    left, top, width, height = place
    right, bottom = left + width, top + height
    corners = [
        (left + across, top), (right - across, top), (right, top + down), (right, bottom - down),
        (right - across, bottom), (left + across, bottom), (left, bottom - down), (left, top + down),
    ]  # fmt: skip
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in corners) + "z"


def polyline(points: Sequence[Point]) -> str:
    """A line through points with round bends, as the data of an SVG path."""
    corners = [points[0]]
    for before, point, after in zip(points, points[1:], points[2:], strict=False):
        straight = before[0] == point[0] == after[0] or before[1] == point[1] == after[1]
        if point not in (before, after) and not straight:
            corners.append(point)
    corners.append(points[-1])
    parts = [f"M{number(corners[0][0])} {number(corners[0][1])}"]
    for before, point, after in zip(corners, corners[1:], corners[2:], strict=False):
        radius = min(_ROUND, _length(before, point) / 2, _length(point, after) / 2)
        start, end = _towards(point, before, radius), _towards(point, after, radius)
        parts.append(f"L{number(start[0])} {number(start[1])}")
        parts.append(f"Q{number(point[0])} {number(point[1])} {number(end[0])} {number(end[1])}")
    parts.append(f"L{number(corners[-1][0])} {number(corners[-1][1])}")
    return "".join(parts)


def arrow_head(tip: Point) -> str:
    """The head of an arrow that points down, as the data of an SVG path."""
    x, y = tip
    return f"M{number(x)} {number(y)}l-4.5-8.5q4.5 2 9 0z"


def _length(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(point: Point, other: Point, by: float) -> Point:
    """The point that lies so far from one on the level or upright line to another."""
    length = _length(point, other) or 1.0
    return (point[0] + (other[0] - point[0]) * by / length, point[1] + (other[1] - point[1]) * by / length)
