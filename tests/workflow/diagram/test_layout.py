"""Where things lie: nothing upon another, every edge there, no line through a box."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scones.workflow.definitions import MACHINES, definition
from scones.workflow.diagram import draw
from scones.workflow.diagram.boxes import DETAIL, LABEL, NAME
from scones.workflow.diagram.text import text_width

ReadPicture = Callable[[str], Any]
Rect = tuple[float, float, float, float]
SIZES = {"sm-name": (NAME, True), "sm-detail": (DETAIL, False), "sm-time": (DETAIL, True)}


def overlap(one: Rect, other: Rect, more: float = 0.0) -> bool:
    return (
        one[0] - more < other[2] and other[0] < one[2] + more and one[1] - more < other[3] and other[1] < one[3] + more
    )


def contains(outer: Rect, inner: Rect) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def segments(points: list[tuple[float, float]]) -> Iterator[Rect]:
    for (x1, y1), (x2, y2) in itertools.pairwise(points):
        yield min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def expected_edges(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The edges that a definition has, read with no help of what is tested."""
    yield "", document["StartAt"], "start"
    for name, state in document["States"].items():
        if state.get("End"):
            yield name, "", "end"
        elif "Next" in state:
            yield name, state["Next"], "next"
        for rule in state.get("Choices", []):
            yield name, rule["Next"], "rule"
        if "Default" in state:
            yield name, state["Default"], "default"
        for catcher in state.get("Catch", []):
            yield name, catcher["Next"], "catch"
        for part in [*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")])]:
            yield from expected_edges(part)


def check(picture: Any, document: Mapping[str, Any]) -> None:
    """All that has to hold for any picture."""
    whole = (0.0, 0.0, *picture.size)
    assert picture.ways() == set(expected_edges(document))
    for one, other in itertools.combinations(picture.boxes, 2):
        if one.name in other.around:
            assert contains(one.rect, other.rect), (one.name, other.name)
        elif other.name in one.around:
            assert contains(other.rect, one.rect), (one.name, other.name)
        else:
            assert not overlap(one.rect, other.rect, more=10), (one.name, other.name)
    for box in picture.boxes:
        assert contains(whole, box.rect)
        for line in box.lines:
            size, bold = SIZES[line.get("class")]
            left, base = float(line.get("x")), float(line.get("y"))
            width = text_width(line.text, size, bold=bold)
            assert contains(box.rect, (left, base - size, left + width + 8, base + 3)), line.text
    for chip in picture.chips:
        assert contains(whole, chip.rect)
        for line in chip.lines:
            middle, base, width = float(line.get("x")), float(line.get("y")), text_width(line.text, LABEL)
            assert contains(chip.rect, (middle - width / 2, base - 9, middle + width / 2, base + 3)), line.text
        assert not any(chip is not other and overlap(chip.rect, other.rect, more=6) for other in picture.chips)
    for chip in picture.chips:
        for box in picture.boxes:
            assert not overlap(chip.rect, box.rect) or contains(box.rect, chip.rect), (chip.tooltip, box.name)
    check_lines(picture)


def check_lines(picture: Any) -> None:
    """No edge runs through a box or through another edge's label, and each begins and ends where it says."""
    for edge in picture.edges:
        for x1, y1, x2, y2 in segments(edge.points):
            assert contains((0.0, 0.0, *picture.size), (x1, y1, x2, y2))
            inside = (x1 + 1, y1 + 1, x2 - 1, y2 - 1)
            for box in picture.boxes:
                if box.name not in edge.around:
                    assert not overlap(box.rect, (x1, y1 + 1, x2, y2 - 1) if x1 == x2 else inside), (edge, box.name)
            for chip in picture.chips:
                assert chip.tooltip == edge.tooltip or not overlap(chip.rect, (x1, y1, x2, y2)), (edge, chip)
        for name, (x, y), side in ((edge.source, edge.points[0], 3), (edge.target, edge.points[-1], 1)):
            if name:
                rect = picture.box(name).rect
                assert rect[0] < x < rect[2], edge
                assert abs(rect[side] - y) <= 5, edge


def check_no_two_upon_each_other(picture: Any) -> None:
    """No two edges look like one."""
    lines = [(edge, line) for edge in picture.edges for line in segments(edge.points)]
    for (one, a), (other, b) in itertools.combinations(lines, 2):
        if one is not other:
            for across, along in ((0, 1), (1, 0)):
                both = a[across] == a[across + 2] and b[across] == b[across + 2]
                near = abs(a[across] - b[across]) < 4
                together = min(a[along + 2], b[along + 2]) - max(a[along], b[along])
                assert not (both and near and together > 2), (one, other)


@pytest.mark.parametrize("name", MACHINES)
def test_each_machine_of_the_application_is_drawn_whole(name: str, read_picture: ReadPicture) -> None:
    picture = read_picture(draw(definition(name), title=name))
    check(picture, json.loads(definition(name)))
    check_no_two_upon_each_other(picture)


NIGHTLY: dict[str, Any] = {
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "${AskFunction}"},
            "Retry": [{"ErrorEquals": ["States.ALL"]}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Tell"}],
            "Next": "Ready?",
        },
        "Ready?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.status", "StringEquals": "RUNNING", "Next": "Wait"},
                {"Variable": "$.status", "StringEquals": "BUSY", "Next": "Wait"},
                {"Variable": "$.tries", "NumericGreaterThan": 9, "Next": "Tell"},
            ],
            "Default": "Prepare",
        },
        "Wait": {"Type": "Wait", "Seconds": 30, "Next": "Ask"},
        "Prepare": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "List", "States": {"List": {"Type": "Pass", "End": True}}},
                {
                    "StartAt": "Warm",
                    "States": {
                        "Warm": {"Type": "Pass", "Next": "Warm enough?"},
                        "Warm enough?": {
                            "Type": "Choice",
                            "Choices": [{"Variable": "$.n", "NumericLessThan": 3, "Next": "Warm"}],
                            "Default": "Warmed",
                        },
                        "Warmed": {"Type": "Succeed"},
                    },
                },
            ],
            "Catch": [{"ErrorEquals": ["NoPictures"], "Next": "Done"}],
            "Next": "Each",
        },
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.pictures",
            "ItemProcessor": {
                "StartAt": "Classify",
                "States": {
                    "Classify": {
                        "Type": "Task",
                        "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:classify",
                        "Catch": [{"ErrorEquals": ["PictureError"], "Next": "Skip"}],
                        "Next": "Sure?",
                    },
                    "Sure?": {
                        "Type": "Choice",
                        "Choices": [{"Variable": "$.tries", "NumericLessThan": 3, "Next": "Classify"}],
                        "Default": "Skip",
                    },
                    "Skip": {"Type": "Pass", "End": True},
                },
            },
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Tell"}],
            "Next": "Done",
        },
        "Tell": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Next": "Failed"},
        "Failed": {"Type": "Fail", "Error": "Night"},
        "Done": {"Type": "Succeed"},
    },
}


@pytest.mark.parametrize("timed", [False, True])
def test_loops_catches_and_nested_machines_are_drawn_whole(timed: bool, read_picture: ReadPicture) -> None:
    picture = read_picture(draw(NIGHTLY, [] if timed else None))
    check(picture, NIGHTLY)
    check_no_two_upon_each_other(picture)
    assert picture.box("Warm").around == ("Prepare",)
    assert picture.box("Classify").around == ("Each",)
    assert len(picture.regions) == 2 + 3  # a Map's is a pile of three sheets


def test_states_stand_below_those_that_lead_to_them_and_a_loop_goes_up_beside_them(read_picture: ReadPicture) -> None:
    picture = read_picture(draw(NIGHTLY))
    spine = ["Ask", "Ready?", "Prepare", "Each", "Done"]
    tops = [picture.box(name).rect[1] for name in spine]
    assert tops == sorted(tops)
    [loop] = [edge for edge in picture.edges if (edge.source, edge.target) == ("Wait", "Ask")]
    passed = [picture.box(name).rect for name in ("Ask", "Ready?", "Wait")]
    far = {x for x, _ in loop.points}
    assert min(far) < min(rect[0] for rect in passed) or max(far) > max(rect[2] for rect in passed)


def test_what_always_follows_stands_straight_below(read_picture: ReadPicture) -> None:
    states: dict[str, Any] = {f"Step number {n}": {"Type": "Pass", "Next": f"Step number {n + 1}"} for n in range(5)}
    states["Step number 5"] = {"Type": "Pass", "End": True}
    picture = read_picture(draw({"StartAt": "Step number 0", "States": states}))
    assert len({x for edge in picture.edges for x, _ in edge.points}) == 1


def test_a_faulty_definition_is_drawn_with_its_faults(read_picture: ReadPicture) -> None:
    document = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Next": "Nowhere"},
            "Alone": {"Type": "Strange", "End": True},
            "Text": "not an object",
            "Self": {"Type": "Choice", "Choices": [{"Variable": 3, "Next": "Self"}, "rule"], "Default": 5},
            "No branches": {"Type": "Parallel", "Branches": {}, "Next": None, "Catch": "x", "Retry": 3},
            "Empty": {"Type": "Map", "ItemProcessor": {"States": {}}, "End": "yes"},
        },
    }
    picture = read_picture(draw(document))
    assert {box.name for box in picture.boxes} == {*document["States"], "Nowhere"}
    assert "there is no such state" in picture.box("Nowhere").tooltip
    assert ("Self", "Self", "rule") in picture.ways()


def test_a_large_machine_is_drawn_too(read_picture: ReadPicture) -> None:
    states: dict[str, Any] = {}
    for n in range(80):
        choices = [{"Variable": "$.n", "NumericEquals": step, "Next": f"S{(n * step + 7) % 80}"} for step in (2, 3)]
        states[f"S{n}"] = {"Type": "Choice", "Choices": choices, "Default": f"S{min(n + 1, 79)}"}
    document = {"StartAt": "S0", "States": states}
    assert read_picture(draw(document)).ways() == set(expected_edges(document))


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).map(str.strip).filter(bool)


@st.composite
def machines(draw_one: st.DrawFn, prefix: str = "", depth: int = 0) -> dict[str, Any]:
    count = draw_one(st.integers(1, 7 if depth == 0 else 4))
    names = [f"{prefix}{n} {draw_one(NAMES)}" for n in range(count)]
    names = [" ".join(name.split()) for name in names]
    anywhere = st.sampled_from(names)
    states: dict[str, Any] = {}
    for index, name in enumerate(names):
        kinds = ["Task", "Pass", "Choice", "Wait", "Succeed", "Fail", *(["Parallel", "Map"] if depth < 2 else [])]
        kind = draw_one(st.sampled_from(kinds))
        state: dict[str, Any] = {"Type": kind}
        if kind == "Choice":
            targets = draw_one(st.lists(anywhere, min_size=1, max_size=3))
            state["Choices"] = [{"Variable": "$.x", "NumericEquals": n, "Next": at} for n, at in enumerate(targets)]
            if draw_one(st.booleans()):
                state["Default"] = draw_one(anywhere)
        elif kind not in ("Succeed", "Fail"):
            state |= draw_one(st.one_of(st.just({"End": True}), st.builds(lambda at: {"Next": at}, anywhere)))
        if kind in ("Task", "Parallel", "Map"):
            catches = draw_one(st.lists(anywhere, max_size=2))
            state["Catch"] = [{"ErrorEquals": [f"Error{n}"], "Next": at} for n, at in enumerate(catches)]
        if kind == "Parallel":
            parts = range(draw_one(st.integers(1, 3)))
            state["Branches"] = [draw_one(machines(f"{prefix}{index}.{n}.", depth + 1)) for n in parts]
        elif kind == "Map":
            state["ItemProcessor"] = draw_one(machines(f"{prefix}{index}.m.", depth + 1))
        states[name] = state
    return {"StartAt": draw_one(anywhere), "States": states}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(document=machines(), timed=st.booleans())
def test_any_machine_is_drawn_whole(document: dict[str, Any], timed: bool, read_picture: ReadPicture) -> None:
    check(read_picture(draw(document, [] if timed else None)), document)
