"""Self-contained HTML pages: tiles, charts, tables, galleries and notes in one file that opens offline.

Every report is a list of sections of these parts; :func:`render_page` makes one HTML file of them that
holds its own script, style and pictures and asks no network for anything. The names are loaded on
first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Bar": "scones.page.parts",
    "Bars": "scones.page.parts",
    "Block": "scones.page.parts",
    "Chart": "scones.page.parts",
    "Column": "scones.page.parts",
    "Gallery": "scones.page.parts",
    "Key": "scones.page.parts",
    "Note": "scones.page.parts",
    "Picture": "scones.page.parts",
    "Questions": "scones.page.parts",
    "Section": "scones.page.parts",
    "Table": "scones.page.parts",
    "Tile": "scones.page.parts",
    "render_page": "scones.page.render",
}

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
    "render_page",
]

if TYPE_CHECKING:
    from scones.page.parts import (
        Bar,
        Bars,
        Block,
        Chart,
        Column,
        Gallery,
        Key,
        Note,
        Picture,
        Questions,
        Section,
        Table,
        Tile,
    )
    from scones.page.render import render_page


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
