"""What is written where: the lines of a state's box and of an edge's label, and how large these are for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scones.workflow.diagram.graph import Edge, State
from scones.workflow.diagram.layers import Size
from scones.workflow.diagram.text import clean, shorten, text_width, wrap

__all__ = [
    "DETAIL",
    "ICON",
    "INDENT",
    "LABEL",
    "LINE",
    "NAME",
    "Caption",
    "caption",
    "edge_label",
    "edge_label_size",
]

NAME: Final = 13.0
"""Font size of a state's name; it is bold."""
DETAIL: Final = 11.0
"""Font size of the lines below it."""
LABEL: Final = 11.0
"""Font size of an edge's label."""
LINE: Final = 16.0
"""Height of a line, in pixels."""
ICON: Final = 20.0
INDENT: Final = 42.0
"""Where the text of a box begins: after its icon."""

_ROOM: Final = 196.0
_LABEL_ROOM: Final = 164.0
_RIGHT: Final = 16.0
_ABOVE: Final = 10.0
_RETRY: Final = 18.0
"""Room for the mark of a state that is tried again, after its name."""
_LEAST: Final = 76.0
_LEAST_TIMED: Final = 136.0


@dataclass(frozen=True, slots=True)
class Caption:
    """The text of a state's box.

    Attributes:
        name: one line or two.
        detail: one line, or "".
        room: how wide a line may be, in pixels.
        size: of the box; of a Parallel or a Map with something within, of its head.
    """

    name: tuple[str, ...]
    detail: str
    room: float
    size: Size


def caption(state: State, *, timed: bool, least: float = 0.0) -> Caption:
    """Set a state's text.

    Args:
        state: which.
        least: how wide the box is at least, for what lies in it.
        timed: keep a line for the times of an execution. It is kept in every box, so that a picture stays as
            it is while an execution goes on.
    """
    most = max(_ROOM, least - INDENT - _RIGHT)
    beside = _RETRY if state.retries else 0.0
    name = wrap(clean(state.name), NAME, most - beside, most=2, bold=True) or ("(no name)",)
    detail = state.detail
    if text_width(detail, DETAIL) > most and detail.count(" · ") > 1:
        detail = detail.rsplit(" · ", 1)[0]  # the tooltip has all
    detail = shorten(detail, DETAIL, most)
    widths = [text_width(line, NAME, bold=True) + beside for line in name] + [text_width(detail, DETAIL)]
    width = max(least, 4.0 * -(-(INDENT + max(*widths, _LEAST_TIMED if timed else _LEAST) + _RIGHT) // 4))
    lines = len(name) + bool(detail) + timed
    return Caption(name, detail, width - INDENT - _RIGHT, (width, max(44.0, lines * LINE + 2 * _ABOVE)))


def edge_label(edge: Edge) -> tuple[str, ...]:
    """The lines of an edge's label: as much of it as two lines hold."""
    return wrap(edge.label, LABEL, _LABEL_ROOM, most=2)


def edge_label_size(lines: tuple[str, ...]) -> Size:
    """How large a label is for its lines."""
    width = max(text_width(line, LABEL) for line in lines) + 20.0
    return 4.0 * -(-width // 4), len(lines) * 14.0 + 8.0
