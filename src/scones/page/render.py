"""Make one HTML file of a page's parts: it holds all it needs, and may ask for nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from scones.page import charts
from scones.page.parts import Block, Chart, Questions, Section, Tile
from scones.page.thumbnails import thumbnail

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render_page"]


def render_page(
    title: str,
    sections: Sequence[Section],
    *,
    kind: str = "",
    lead: str = "",
    facts: Sequence[tuple[str, str]] = (),
    tiles: Sequence[Tile] = (),
    footer: str = "",
) -> str:
    """Render a page as one HTML file that opens offline.

    The page's own content-security policy lets nothing in but what is in the file, and runs no script
    but those whose hashes it names: text from outside cannot become code even if it were not escaped.

    Args:
        title: what it is about, a few words.
        sections: what it shows, from top to bottom.
        kind: what sort of page it is, above the title ("Evaluation report").
        lead: the message in a sentence or two, for those who read no further.
        facts: pairs of name and value below it (model, dataset…).
        tiles: headline figures.
        footer: the last line.

    Returns:
        The HTML text. With a chart it is about 1.4 MB, most of it Bokeh's script.

    Example:
        >>> "<h1>Bicycle &amp; motorcycle</h1>" in render_page("Bicycle & motorcycle", [])
        True
    """
    found = list(_charts(sections))
    targets = {id(chart): _target(number) for number, chart in enumerate(found)}
    scripts = [_bokeh_script(), _text("page.js")] if found else []
    if any(isinstance(block, Questions) for section in sections for block in section.blocks):
        scripts.append(_text("questions.js"))
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            kind=kind,
            lead=lead,
            facts=facts,
            tiles=tiles,
            sections=sections,
            footer=footer,
            style=_text("page.css"),
            scripts=scripts,
            policy=_policy(scripts),
            drawings=_drawings(found),
            chart_id=lambda chart: targets[id(chart)],
            thumbnail=thumbnail,
            kind_of=_kind_of,
            widths=_widths,
        )
    )


def _charts(sections: Iterable[Section]) -> Iterable[Chart]:
    return (block for section in sections for block in section.blocks if isinstance(block, Chart))


def _target(number: int) -> str:
    return f"chart-{number + 1}"


def _kind_of(block: Block) -> str:
    return type(block).__name__.lower()


def _widths(blocks: Sequence[Block]) -> list[str]:
    """Say which blocks share a row: two narrow ones do; a narrow one without a neighbour takes it all."""
    widths: list[str] = []
    for number, block in enumerate(blocks):
        narrow = not block.wide
        left = narrow and widths[-1:] != ["left"] and number + 1 < len(blocks) and not blocks[number + 1].wide
        right = narrow and widths[-1:] == ["left"]
        widths.append("left" if left else "right" if right else "whole")
    return widths


def _drawings(found: Sequence[Chart]) -> str:
    """The charts as JSON that can stand in a script element: no ``<`` ends it early."""
    if not found:
        return ""
    from bokeh.embed import json_item

    items = [dict(json_item(chart.model, _target(number))) for number, chart in enumerate(found)]  # type: ignore[arg-type]
    text = json.dumps({"dark": charts.DARK, "items": items}, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _policy(scripts: Iterable[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{text}'" for text in hashes) or "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _bokeh_script() -> str:
    script = (resources.files("bokeh") / "server" / "static" / "js" / "bokeh.min.js").read_text(encoding="utf-8")
    # A browser normalises line ends before it hashes the script.
    script = script.replace("\r\n", "\n").replace("\r", "\n")
    if "</script" in script.lower():
        raise RuntimeError("bokeh.min.js holds '</script' and cannot stand inside a page: use another version of bokeh")
    return script


@cache
def _text(name: str) -> str:
    return (resources.files("scones.page") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("scones.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = _share
    return environment


def _share(value: Any) -> str:
    """A number 0 to 1 as a CSS length; a value outside is drawn at the end."""
    return f"{100 * min(1.0, max(0.0, float(value))):.2f}%"
