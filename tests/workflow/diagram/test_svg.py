"""The picture itself: safe, self-contained, readable by everyone, and right about what an execution did."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones.workflow.definitions import definition
from scones.workflow.diagram import draw

ReadPicture = Callable[[str], Any]
CHROMIUM = Path("/usr/bin/chromium")
SVG = "{http://www.w3.org/2000/svg}"

ODD: dict[str, Any] = {
    "Comment": '<b>bold</b> & "quoted" ]]> \x00',
    "StartAt": "<script>alert('x')</script>",
    "States": {
        "<script>alert('x')</script>": {
            "Type": "Choice",
            "Choices": [{"Variable": "$['a&b']", "StringEquals": "</text><script>", "Next": "\"'><&\x07"}],
            "Default": "W" * 80,
        },
        "\"'><&\x07": {"Type": "Fail", "Error": "<&>", "Cause": "</title>"},
        "W" * 80: {
            "Type": "Task",
            "Resource": "<r>" * 50,
            "Retry": [{"ErrorEquals": ["</desc>"]}],
            "Next": "画像を取り込む" * 9,
        },
        "画像を取り込む" * 9: {"Type": "Succeed"},
    },
}


TASK = "arn:aws:states:::lambda:invoke"
ARRIVAL: dict[str, Any] = {
    "Comment": "An arrival is read, and classified.",
    "StartAt": "Read",
    "States": {
        "Read": {"Type": "Task", "Resource": TASK, "Retry": [{"ErrorEquals": ["StoreError"]}], "Next": "Known?"},
        "Known?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.body.duplicate", "BooleanEquals": True, "Next": "Duplicate"}],
            "Default": "Classify",
        },
        "Duplicate": {"Type": "Succeed"},
        "Classify": {"Type": "Task", "Resource": TASK, "Next": "Filter"},
        "Filter": {
            "Type": "Task",
            "Resource": TASK,
            "Catch": [{"ErrorEquals": ["ThresholdConfidenceNotMet"], "Next": "Ask"}],
            "Next": "Route",
        },
        "Ask": {"Type": "Task", "Resource": TASK, "End": True},
        "Route": {"Type": "Task", "Resource": TASK, "End": True},
    },
}


def test_names_of_any_kind_are_text_and_never_markup(read_picture: ReadPicture) -> None:
    picture = read_picture(draw(ODD, [], title="<i>", subtitle="a & b"))
    names = {element.tag.removeprefix(SVG) for element in picture.root.iter()}
    assert names == {"svg", "title", "desc", "style", "rect", "g", "path", "circle", "text"}
    assert picture.root.findtext(f"{SVG}title") == "<i> · a & b"
    assert picture.box("<script>alert('x')</script>").tooltip.startswith("<script>alert('x')</script>\n")
    assert "\N{REPLACEMENT CHARACTER}" in picture.box("\"'><&\N{REPLACEMENT CHARACTER}").tooltip


def test_the_picture_asks_for_nothing_from_elsewhere_and_runs_nothing() -> None:
    svg = draw(ODD, [])
    assert re.findall(r"https?:[^\"']*", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|url\(|href|<script|<image|\son\w+=", svg)


def test_the_same_gives_the_same_text_in_every_process() -> None:
    code = "from scones.workflow.diagram import draw; from scones.workflow.definitions import definition as d;"
    code += "import hashlib; print(hashlib.sha256(draw(d('classify'), [], title='classify').encode()).hexdigest())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_it_says_in_words_what_it_shows(read_picture: ReadPicture, history: Any) -> None:
    events = history.enter("Read").leave("Read", after=1.5).events
    root = read_picture(draw(ARRIVAL, events, title="arrival", subtitle="a-1")).root
    assert root.get("role") == "img"
    ids = root.get("aria-labelledby").split()
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert ids == [title.get("id"), desc.get("id")]
    assert title.text == "arrival · a-1"
    assert desc.text.startswith("An arrival is read, and classified. It begins with Read.")
    for words in (
        "Read leads to Known?.",
        "Known? leads to Duplicate if $.body.duplicate = true.",
        "Known? leads to Classify otherwise.",
        "Filter leads to Ask on ThresholdConfidenceNotMet.",
        "Ask ends it.",
        "The execution: RUNNING, 1.5 s.",
        "Read: succeeded · 1.5 s.",
    ):
        assert words in desc.text


def test_every_type_of_state_has_its_own_mark(read_picture: ReadPicture) -> None:
    types = ["Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map", "Strange"]
    picture = read_picture(draw({"States": {name: {"Type": name} for name in types}}))
    icons = {box.element.find(f".//{SVG}path[@class='sm-glyph']").get("d") for box in picture.boxes}
    assert len(icons) == len(types)


def test_a_long_rule_is_shortened_and_its_tooltip_has_all_of_it(read_picture: ReadPicture) -> None:
    rules = [{"Variable": f"$.number{n}", "NumericEquals": n} for n in range(20)]
    document = {
        "StartAt": "A",
        "States": {"A": {"Type": "Choice", "Choices": [{"Or": rules, "Next": "B"}]}, "B": {"Type": "Succeed"}},
    }
    [chip] = read_picture(draw(document)).chips
    assert len(chip.lines) == 2
    assert chip.lines[-1].text.endswith("…")
    assert "$.number19 = 19" in chip.tooltip


def test_catches_are_dashed_and_name_their_errors(read_picture: ReadPicture) -> None:
    svg = draw(ARRIVAL)
    assert re.search(r"\.sm-catch \.sm-line[^}]*stroke-dasharray", svg)
    texts = {" ".join(line.text for line in chip.lines) for chip in read_picture(svg).chips}
    assert texts == {"ThresholdConfidenceNotMet", "Default", "$.body.duplicate = true"}


def test_the_way_that_was_taken_is_shown_with_times_and_the_rest_is_not(
    read_picture: ReadPicture, history: Any
) -> None:
    history.enter("Read").fail("Read", "StoreError", 0.2, again=True).fail("Read", "StoreError", 0.5, again=True)
    history.leave("Read", after=0.5).enter("Known?", "Choice").leave("Known?", "Choice")
    history.enter("Classify").leave("Classify", after=0.04).enter("Filter")
    history.fail("Filter", "ThresholdConfidenceNotMet").leave("Filter").enter("Ask")
    picture = read_picture(draw(ARRIVAL, history.events))
    assert picture.ways(taken=True) == {
        ("", "Read", "start"),
        ("Read", "Known?", "next"),
        ("Known?", "Classify", "default"),
        ("Classify", "Filter", "next"),
        ("Filter", "Ask", "catch"),
    }
    assert {box.name: box.status for box in picture.boxes if box.status} == {
        "Read": "succeeded",
        "Known?": "succeeded",
        "Classify": "succeeded",
        "Filter": "caught",
        "Ask": "running",
    }
    assert picture.box("Read").lines[-1].text == "1.2 s · 2 retries"
    assert "StoreError: it broke" in picture.box("Read").tooltip
    [way] = [edge for edge in picture.edges if edge.source == "Classify"]
    assert way.tooltip == "Classify → Filter\ntaken once"


def test_a_picture_stays_as_it_is_while_its_execution_goes_on(read_picture: ReadPicture, history: Any) -> None:
    before = read_picture(draw(ARRIVAL, history.enter("Read").events))
    history.leave("Read", after=75).enter("Known?", "Choice").leave("Known?", "Choice").enter("Duplicate", "Succeed")
    after = read_picture(draw(ARRIVAL, history.add("ExecutionSucceeded").events))
    assert [(box.name, box.rect) for box in before.boxes] == [(box.name, box.rect) for box in after.boxes]


@pytest.fixture(scope="module")
def browser() -> Any:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


# The text of each state's box that reaches beyond it, or that of a label beyond its own.
BEYOND = """() => {
  const beyond = [];
  for (const text of document.querySelectorAll("text.sm-name, text.sm-detail, text.sm-time, text.sm-label")) {
    const around = text.parentElement.querySelector(":scope > .sm-outline, :scope > .sm-chip").getBoundingClientRect();
    const box = text.getBoundingClientRect();
    if (box.left < around.left || box.right > around.right || box.top < around.top || box.bottom > around.bottom)
      beyond.push(text.textContent);
  }
  return beyond;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_all_text_lies_in_its_box_in_both_colour_schemes(
    browser: Any, scheme: str, tmp_path: Path
) -> None:
    file = tmp_path / "picture.svg"
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    grounds = []
    for document in (ODD, definition("classify"), definition("review")):
        file.write_text(draw(document, []), encoding="utf-8")
        page.goto(file.as_uri())
        assert page.evaluate(BEYOND) == []
        grounds.append(page.evaluate("getComputedStyle(document.querySelector('.sm-ground')).fill"))
    context.close()
    assert set(grounds) == {{"light": "rgb(255, 255, 255)", "dark": "rgb(24, 33, 42)"}[scheme]}
