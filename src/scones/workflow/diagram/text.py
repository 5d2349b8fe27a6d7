"""Text that must fit: estimated widths, lines, shortening, and what XML can carry."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from typing import Final

__all__ = ["ELLIPSIS", "clean", "duration", "shorten", "text_width", "wrap"]

ELLIPSIS: Final = "…"

# Widths of ASCII in Helvetica, in thousandths of the font size (Adobe's font metrics), by width.
_WIDTHS: Final = {
    character: width
    for width, characters in {
        191: "'",
        222: "ijl",
        260: "|",
        278: " !,./:;I[\\]ft",
        333: "()-`r",
        334: "{}",
        355: '"',
        389: "*",
        469: "^",
        500: "Jcksvxyz",
        556: "#$0123456789?L_abdeghnopqu",
        584: "+<=>~",
        611: "FTZ",
        667: "&ABEKPSVXY",
        722: "CDHNRUw",
        778: "GOQ",
        833: "Mm",
        889: "%",
        944: "W",
        1015: "@",
    }.items()
    for character in characters
}
_ROOM: Final = 1.12
"""The font of a reader may be wider than Helvetica."""
_BOLD: Final = 1.1
_OTHER: Final = 720
"""Width of a character that is not ASCII and not wide: a capital of Latin, Greek or Cyrillic."""
_FULL: Final = 0.4
"""A line that is so full, of its room, may end with a word; else words are broken."""
_UNITS: Final = (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1))
"""Each with its seconds, and the smaller one that is told beside it."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS = re.compile(r"(?<=[\s\-_./:,;])|(?<=[a-z0-9])(?=[A-Z])")


def clean(text: str) -> str:
    r"""One line of what XML can carry: each control character and half of a surrogate pair is a �.

    Example:
        >>> clean("a\x00b\nc")
        'a�b c'
    """
    return " ".join(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text).split())


def _character_width(character: str) -> int:
    if character in _WIDTHS:
        return _WIDTHS[character]
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0
    return 1050 if unicodedata.east_asian_width(character) in "WF" else _OTHER


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The estimated width of a line, rather too wide than too narrow.

    Args:
        text: a line.
        size: of the font, in pixels.
        bold: its weight.

    Example:
        >>> text_width("WWW", 10) > 2 * text_width("iii", 10) > 0
        True
    """
    return sum(map(_character_width, text)) * size / 1000 * _ROOM * (_BOLD if bold else 1.0)


def shorten(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The text, or as much of it as there is room for, and an ellipsis.

    Example:
        >>> shorten("ClassifyImage", 10, 1000), shorten("ClassifyImage", 10, 40)
        ('ClassifyImage', 'Classi…')
    """
    if text_width(text, size, bold=bold) <= room:
        return text

    def short(length: int) -> str:
        return text[:length].rstrip() + ELLIPSIS

    return short(bisect(range(1, len(text)), room, key=lambda length: text_width(short(length), size, bold=bold)))


def wrap(text: str, size: float, room: float, *, most: int, bold: bool = False) -> tuple[str, ...]:
    """The text on at most so many lines; it breaks where a word ends or begins, also in CamelCase.

    Example:
        >>> wrap("FilterInferences", 10, 60, most=2)
        ('Filter', 'Inferences')
        >>> wrap("FilterInferences", 10, 60, most=1)
        ('FilterInfer…',)
    """
    lines: list[str] = []
    rest = text.strip()
    while rest and len(lines) < most - 1 and text_width(rest, size, bold=bold) > room:
        ends = [match.start() for match in _BREAKS.finditer(rest)]
        fitting = [end for end in ends if end > 0 and text_width(rest[:end].rstrip(), size, bold=bold) <= room]
        # a word longer than a line is cut where the line ends, without a mark
        end = fitting[-1] if fitting else max(1, len(shorten(rest, size, room, bold=bold)) - 1)
        words = [end for end in fitting if rest[end - 1].isspace()]
        if words and text_width(rest[: words[-1]], size, bold=bold) > _FULL * room:
            end = words[-1]
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if rest:
        lines.append(shorten(rest, size, room, bold=bold))
    return tuple(lines)


def duration(seconds: float) -> str:
    """A time as people read it.

    Example:
        >>> [duration(seconds) for seconds in (0.0004, 0.0123, 0.34, 1.24, 75, 7300, 200000)]
        ['0.4 ms', '12 ms', '340 ms', '1.2 s', '1 min 15 s', '2 h 1 min', '2 d 7 h']
    """
    if seconds < 0.00995:
        return f"{max(0.0, seconds) * 1000:.2g} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    large, size, small, step = next(unit for unit in _UNITS if whole >= unit[1])
    count, rest = divmod(whole, size)
    return f"{count} {large} {rest // step} {small}" if rest // step else f"{count} {large}"
