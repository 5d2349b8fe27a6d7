import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from scones.page import Bar, Bars, Chart, Column, Gallery, Key, Note, Picture, Section, Table, Tile, charts, render_page

HOSTILE = "<script>alert('x')</script> $$\\frac{1}{2}$$ \"quoted\" & more"
_LOADING = {"src", "href", "action", "data", "poster", "srcset", "formaction"}


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = _Elements()
    reader.feed(page)
    return reader.found


def loads(page: str) -> Iterator[str]:
    """Every address that the page would load by itself or lead to."""
    for _, attributes in elements(page):
        yield from (value for name, value in attributes.items() if name in _LOADING and value)
    for style in re.findall(r"<style>(.*?)</style>", page, re.DOTALL):
        yield from re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", style)


def everything(text: str) -> str:
    heat = charts.heat_map([text, "b"], [[3, 1], [0, 4]], row_label="truth", column_label=text)
    section = Section(
        text,
        [
            Chart(text, heat, caption=text, keys=[Key(text, "blue", "dot")], summary=text),
            Bars(text, [Bar(text, text, 0.5)], caption=text),
            Table(text, [Column(text), Column("n", numeric=True)], [[text, "3"]], caption=text),
            Gallery(text, [Picture(b"nothing", text, text, name=text, level=0.5, mark=2.0)], caption=text),
            Note(text, [text], tone="warn"),
        ],
        lead=text,
    )
    tiles = [Tile(text, text, text, "good")]
    return render_page(text, [section], kind=text, lead=text, facts=[(text, text)], tiles=tiles, footer=text)


def test_hostile_text_never_becomes_markup_wherever_it_stands() -> None:
    page = everything(HOSTILE)
    assert "<script>alert" not in page
    assert [tag for tag, _ in elements(page)].count("script") == 3  # the drawings, Bokeh, and what draws them


def test_text_for_the_canvas_is_never_read_as_tex_which_would_ask_the_network() -> None:
    drawings = re.search(r'id="drawings">(.*?)</script>', everything(HOSTILE), re.DOTALL)
    assert drawings is not None
    assert "$$" not in drawings.group(1)


def test_a_page_loads_nothing_and_its_policy_forbids_it() -> None:
    page = everything("plain")
    assert [address for address in loads(page) if not address.startswith("data:")] == []
    policy = next(a["content"] for _, a in elements(page) if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_bokeh_comes_once_a_page_and_not_at_all_without_a_chart() -> None:
    heat = [charts.heat_map(["a"], [[1]], row_label="r", column_label="c") for _ in range(3)]
    many = render_page("Three", [Section("S", [Chart(str(n), model) for n, model in enumerate(heat)])])
    assert 1_000_000 < len(many.encode()) < 1_600_000
    assert len(render_page("None", [Section("S", [Note("text")])]).encode()) < 20_000


def test_two_narrow_blocksshare_a_row_and_one_alone_takes_it_all() -> None:
    def widths(names: str) -> list[str]:
        blocks = [Table("t", [Column("c")], [], wide=one == "wide") for one in names.split()]
        page = render_page("W", [Section("S", blocks)])
        return re.findall(r'class="card (\w+)"', page)

    assert widths("narrow narrow") == ["left", "right"]
    assert widths("narrow") == ["whole"]
    assert widths("narrow wide narrow narrow narrow") == ["whole", "whole", "left", "right", "whole"]


def test_an_empty_gallery_says_so() -> None:
    page = render_page("G", [Section("S", [Gallery("Mistakes", [], empty="There is no mistake.")])])
    assert "There is no mistake." in page


@pytest.mark.parametrize(("level", "width"), [(-1.0, "0.00%"), (0.5, "50.00%"), (7.0, "100.00%")])
def test_a_level_outside_its_scale_is_drawn_at_the_end(level: float, width: str) -> None:
    page = render_page("G", [Section("S", [Gallery("g", [Picture(None, "t", level=level)])])])
    assert f'style="width:{width}"' in page
