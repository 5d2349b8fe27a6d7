"""What a page is made of: plain values, with nothing of HTML in them. All text is escaped when rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bokeh.model import Model

__all__ = [
    "Bar",
    "Bars",
    "Block",
    "Chart",
    "Column",
    "Gallery",
    "Key",
    "Note",
    "Picture",
    "Questions",
    "Section",
    "Table",
    "Tile",
    "Tone",
]

Tone = Literal["plain", "good", "warn"]
"""How a thing is meant: neutral, as it should be, or worth a look. Never told by colour alone."""


@dataclass(frozen=True)
class Tile:
    """A headline figure.

    Attributes:
        label: what it is, a few words.
        value: the figure as people read it, with its unit.
        detail: its interval, or what to compare it with.
        tone: "good" and "warn" mark a promise kept or broken.
    """

    label: str
    value: str
    detail: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Key:
    """What a mark in a chart stands for; it wraps on a phone, which a legend on the canvas cannot.

    Attributes:
        text: a word or two.
        color: its name in :mod:`scones.page.charts`, in lower case.
        shape: how the mark looks.
    """

    text: str
    color: Literal["blue", "orange", "green", "purple", "alert", "quiet", "ink"]
    shape: Literal["box", "band", "dot", "line", "dashes"] = "box"


@dataclass(frozen=True)
class Chart:
    """A Bokeh figure or layout, with a title and a sentence that says how to read it.

    Attributes:
        title: what is seen.
        model: as made by :mod:`scones.page.charts`.
        caption: how to read it.
        keys: what its marks stand for.
        summary: the message in words, for readers who cannot see the drawing.
        wide: takes the whole width of the page; else two stand side by side where there is room.
    """

    title: str
    model: Model
    caption: str = ""
    keys: Sequence[Key] = ()
    summary: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar: its name, its figure as people read it, and its length, 0 to 1."""

    name: str
    value: str
    length: float


@dataclass(frozen=True)
class Bars:
    """Shares below each other; names of any length have room.

    Attributes:
        title: what is shared out.
        bars: in the order they are shown.
        caption: how to read them.
        wide: takes the whole width of the page.
    """

    title: str
    bars: Sequence[Bar]
    caption: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand at its right edge."""

    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of text below column titles.

    Attributes:
        title: what the rows are.
        columns: as many as each row has cells.
        rows: text, numbers already written out.
        caption: what to know about it.
        wide: takes the whole width of the page.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture in a gallery.

    Attributes:
        data: the picture file's bytes as they came; None when there are none.
        title: the first line below it.
        detail: the second line.
        name: where it came from; shown small.
        level: a bar below the picture, 0 to 1 (a confidence).
        mark: a mark on that bar, 0 to 1 (a threshold).
    """

    data: bytes | None
    title: str
    detail: str = ""
    name: str = ""
    level: float | None = None
    mark: float | None = None


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side; small ones are shown enlarged with their pixels kept.

    Attributes:
        title: which pictures they are.
        pictures: in the order they are shown.
        caption: how to read them.
        empty: what to say when there is none.
    """

    title: str
    pictures: Sequence[Picture]
    caption: str = ""
    empty: str = ""
    wide: bool = True


@dataclass(frozen=True)
class Questions:
    """Pictures, each with a choice of answers, and a button that makes a CSV file (event, label) of those given.

    Attributes:
        title: what is asked.
        pictures: by their ``name`` an answer is known.
        choices: what can be answered.
        file: name of the CSV file.
        caption: how to go about it.
    """

    title: str
    pictures: Sequence[Picture]
    choices: Sequence[str]
    file: str
    caption: str = ""
    wide: bool = True


@dataclass(frozen=True)
class Note:
    """A sentence that stands out, and items below it."""

    text: str
    items: Sequence[str] = ()
    tone: Tone = "plain"
    wide: bool = True


Block = Chart | Bars | Table | Gallery | Questions | Note
"""What a section may hold."""


@dataclass(frozen=True)
class Section:
    """A heading, a sentence, and blocks."""

    title: str
    blocks: Sequence[Block]
    lead: str = ""
