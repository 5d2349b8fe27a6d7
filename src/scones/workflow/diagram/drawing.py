"""From a definition and a history to a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from scones.errors import DefinitionError
from scones.workflow.diagram.graph import read_graph
from scones.workflow.diagram.layout import lay_out
from scones.workflow.diagram.svg import write_svg
from scones.workflow.diagram.visits import follow
from scones.workflow.engine import Event

__all__ = ["draw"]


def draw(
    definition: str | Mapping[str, Any],
    history: Sequence[Event] | None = None,
    *,
    title: str = "",
    subtitle: str = "",
    now: datetime | None = None,
) -> str:
    """Draw a state machine, and what an execution did in it, as one self-contained SVG.

    The same arguments give the same text. A machine is laid out alike for every history, so that a picture
    does not move while an execution goes on.

    Args:
        definition: the document (Amazon States Language), as JSON text or as a mapping. Also one that the
            engine cannot run, or that has faults: a state that is missing is drawn as such.
        history: an execution's events; None for the machine alone.
        title: the machine's name.
        subtitle: the execution's name.
        now: until when to count the time of what still runs; None for the last event's time.

    Raises:
        DefinitionError: it is no JSON, has no states, or is nested too deeply.

    Example:
        >>> svg = draw({"StartAt": "Hello", "States": {"Hello": {"Type": "Succeed"}}}, title="greet")
        >>> svg.startswith("<svg "), "Hello" in svg
        (True, True)
    """
    try:
        graph = read_graph(definition)
        plan = lay_out(graph, timed=history is not None)
        course = None if history is None else follow(graph, history, now=now)
        return write_svg(graph, plan, title=title, subtitle=subtitle, course=course)
    except RecursionError as error:
        raise DefinitionError("the definition is nested too deeply to be drawn") from error
