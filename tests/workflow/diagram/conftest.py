"""Reads pictures back: what is drawn where; and writes histories as the engine does."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scones.workflow.engine import Event

SVG = "{http://www.w3.org/2000/svg}"
Rect = tuple[float, float, float, float]
"""Left, top, right, bottom."""
Point = tuple[float, float]


@dataclass
class Box:
    """A state as it is drawn, with the states that enclose it."""

    name: str
    element: ET.Element
    rect: Rect
    around: tuple[str, ...]

    @property
    def lines(self) -> list[ET.Element]:
        return self.element.findall(f"{SVG}text")

    @property
    def status(self) -> str | None:
        return self.element.get("data-status")

    @property
    def tooltip(self) -> str:
        return self.element.findtext(f"{SVG}title") or ""


@dataclass
class Edge:
    """An edge as it is drawn, with the states that enclose it."""

    kind: str
    source: str
    target: str
    points: list[Point]
    classes: list[str]
    tooltip: str
    around: tuple[str, ...]


@dataclass
class Chip:
    """An edge's label as it is drawn."""

    rect: Rect
    lines: list[ET.Element]
    tooltip: str


@dataclass
class Picture:
    """All that is drawn."""

    root: ET.Element
    size: Point
    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)
    regions: list[Rect] = field(default_factory=list)

    def box(self, name: str) -> Box:
        [found] = [box for box in self.boxes if box.name == name]
        return found

    def ways(self, *, taken: bool = False) -> set[tuple[str, str, str]]:
        edges = [edge for edge in self.edges if "sm-taken" in edge.classes or not taken]
        return {(edge.source, edge.target, edge.kind) for edge in edges}


def _outline(data: str) -> Rect:
    """The bounds of an outline; its arcs are quarters of circles, which do not reach beyond their ends."""
    x = y = 0.0
    xs, ys = [], []
    for command, text in re.findall(r"([MLhvaz])([^MLhvaz]*)", data):
        values = [float(value) for value in re.findall(r"-?\d+(?:\.\d+)?", text)]
        if command in "ML":
            x, y = values
        elif command == "h":
            x += values[0]
        elif command == "v":
            y += values[0]
        elif command == "a":
            x, y = x + values[5], y + values[6]
        xs.append(x)
        ys.append(y)
    return min(xs), min(ys), max(xs), max(ys)


def _corners(data: str) -> list[Point]:
    """The points of an edge's line; where it is bent, the corner of the bend."""
    found = []
    for _, text in re.findall(r"([MLQ])([^MLQ]*)", data):
        values = [float(value) for value in text.split()]
        found += list(zip(values[::2], values[1::2], strict=True))
    return found


def _rect(element: ET.Element) -> Rect:
    x, y, width, height = (float(element.get(name, 0)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def _read(element: ET.Element, around: tuple[str, ...], into: Picture) -> None:
    for child in element:
        inside = around
        tooltip = child.findtext(f"{SVG}title") or ""
        if (name := child.get("data-state")) is not None:
            outline = child.find(f"{SVG}path[@class='sm-outline']")
            assert outline is not None
            into.boxes.append(Box(name, child, _outline(outline.get("d", "")), around))
            inside = (*around, name)
        elif (kind := child.get("data-kind")) is not None:
            line = child.find(f"{SVG}path[@class='sm-line']")
            assert line is not None
            into.edges.append(
                Edge(
                    kind,
                    child.get("data-source", ""),
                    child.get("data-target", ""),
                    _corners(line.get("d", "")),
                    child.get("class", "").split(),
                    tooltip,
                    around,
                )
            )
        elif (chip := child.find(f"{SVG}rect[@class='sm-chip']")) is not None:
            into.chips.append(Chip(_rect(chip), child.findall(f"{SVG}text"), tooltip))
        elif child.get("class") == "sm-region":
            into.regions.append(_rect(child))
        _read(child, inside, into)


@pytest.fixture(scope="session")
def read_picture() -> Callable[[str], Picture]:
    """Read an SVG: ``read_picture(svg).box("Classify").rect``."""

    def read(svg: str) -> Picture:
        root = ET.fromstring(svg)
        found = Picture(root, (float(root.get("width", 0)), float(root.get("height", 0))))
        _read(root, (), found)
        return found

    return read


class History:
    """Writes events, each at a time after the last one."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
        self.events: list[Event] = []
        self.add("ExecutionStarted")

    def add(self, kind: str, state: str | None = None, after: float = 0.0, **details: Any) -> History:
        self.time += timedelta(seconds=after)
        self.events.append(Event("machine", "name", len(self.events) + 1, kind, self.time, state, details))
        return self

    def enter(self, state: str, kind: str = "Task", after: float = 0.0) -> History:
        return self.add(f"{kind}StateEntered", state, after, input={})

    def leave(self, state: str, kind: str = "Task", after: float = 0.0) -> History:
        return self.add(f"{kind}StateExited", state, after, output={})

    def fail(self, state: str, error: str = "Broken", after: float = 0.0, *, again: bool = False) -> History:
        more = {"retryAt": 0.0} if again else {}
        return self.add("TaskFailed", state, after, error=error, cause="it broke", **more)


@pytest.fixture
def history() -> History:
    """An execution's events: ``history.enter("A").leave("A", after=1.5).add("ExecutionSucceeded").events``."""
    return History()
