"""Pictures of state machines, with the way that an execution took and each state's time.

The names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Course": "scones.workflow.diagram.visits",
    "StateFigures": "scones.workflow.diagram.visits",
    "draw": "scones.workflow.diagram.drawing",
    "follow": "scones.workflow.diagram.visits",
    "read_graph": "scones.workflow.diagram.graph",
    "walk": "scones.workflow.diagram.graph",
}

__all__ = ["Course", "StateFigures", "draw", "follow", "read_graph", "walk"]

if TYPE_CHECKING:
    from scones.workflow.diagram.drawing import draw
    from scones.workflow.diagram.graph import read_graph, walk
    from scones.workflow.diagram.visits import Course, StateFigures, follow


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
