"""What an execution did, from its history: hand-written ones, and the engine's own."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scones.workflow.diagram import Course, draw, follow, read_graph
from scones.workflow.engine import Engine, load

LINE: dict[str, Any] = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Task", "Catch": [{"ErrorEquals": ["Broken"], "Next": "C"}], "Next": "B"},
        "B": {"Type": "Task", "End": True},
        "C": {"Type": "Pass", "End": True},
    },
}


def course_of(document: dict[str, Any], history: Any) -> Course:
    return follow(read_graph(document), history.events)


def test_times_visits_and_retries_are_added_up(history: Any) -> None:
    history.enter("A", after=1).fail("A", after=0.5, again=True).fail("A", after=1.5, again=True)
    history.leave("A", after=1).enter("B").leave("B", after=2).add("ExecutionSucceeded")
    course = course_of(LINE, history)
    assert (course.status, course.seconds) == ("SUCCEEDED", 6.0)
    a, b = course.states.values()
    assert (a.status, a.visits, a.retries, a.seconds, a.error) == ("succeeded", 1, 2, 3.0, "Broken")
    assert (b.status, b.visits, b.retries, b.seconds, b.error) == ("succeeded", 1, 0, 2.0, "")
    assert course.ways == {(None, "A", "start"): 1, ("A", "B", "next"): 1, ("B", None, "end"): 1}


def test_a_caught_failure_leads_along_its_catch(history: Any) -> None:
    history.enter("A").fail("A").leave("A").enter("C", "Pass").leave("C", "Pass").add("ExecutionSucceeded")
    course = course_of(LINE, history)
    assert [figures.status for figures in course.states.values()] == ["caught", "succeeded"]
    assert set(course.ways) == {(None, "A", "start"), ("A", "C", "catch"), ("C", None, "end")}


def test_a_catch_beside_a_next_to_the_same_state_is_told_apart(history: Any) -> None:
    document = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Task", "Catch": [{"ErrorEquals": ["Broken"], "Next": "B"}], "Next": "B"},
            "B": {"Type": "Succeed"},
        },
    }
    history.enter("A").fail("A").leave("A").enter("B", "Succeed")
    assert ("A", "B", "next") not in course_of(document, history).ways
    assert course_of(document, history).ways["A", "B", "catch"] == 1


def test_a_failure_that_nothing_catches_is_the_last_states(history: Any) -> None:
    history.enter("A").leave("A").enter("B").fail("B", after=1).add("ExecutionFailed", error="Broken", cause="it broke")
    course = course_of(LINE, history)
    assert course.states["B"].status == "failed"
    assert course.states["B"].seconds == 1.0
    assert ("B", None, "end") not in course.ways


def test_a_state_that_fails_without_an_event_of_its_own_is_blamed(history: Any) -> None:
    history.enter("A").leave("A").enter("B").add("ExecutionFailed", error="States.Runtime", cause="no such path")
    figures = course_of(LINE, history).states["B"]
    assert (figures.status, figures.error, figures.cause) == ("failed", "States.Runtime", "no such path")


@pytest.mark.parametrize(("ending", "status"), [("ExecutionTimedOut", "TIMED_OUT"), ("ExecutionAborted", "ABORTED")])
def test_a_state_that_was_ended_from_outside_is_stopped(ending: str, status: str, history: Any) -> None:
    course = course_of(LINE, history.enter("A").add(ending, after=3))
    assert (course.status, course.states["A"].status, course.states["A"].seconds) == (status, "stopped", 3.0)


def test_what_runs_is_timed_until_now(history: Any) -> None:
    history.enter("A").fail("A", after=2, again=True)
    graph = read_graph(LINE)
    assert follow(graph, history.events).states["A"].seconds == 2.0
    later = follow(graph, history.events, now=history.time + timedelta(seconds=5))
    assert (later.states["A"].status, later.states["A"].seconds, later.seconds) == ("running", 7.0, 7.0)


def test_a_loop_counts_its_visits_and_its_ways(history: Any) -> None:
    document = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Next": "B"},
            "B": {"Type": "Choice", "Choices": [{"Next": "A"}], "Default": "A", "Next": "A"},
        },
    }
    for _ in range(3):
        history.enter("A", "Pass").leave("A", "Pass", after=1).enter("B", "Choice").leave("B", "Choice")
    course = course_of(document, history)
    assert (course.states["A"].visits, course.states["A"].seconds) == (3, 3.0)
    assert course.ways == {
        (None, "A", "start"): 1, ("A", "B", "next"): 3, ("B", "A", "rule"): 2, ("B", "A", "default"): 2,
    }  # fmt: skip


MAP: dict[str, Any] = {
    "StartAt": "Each",
    "States": {
        "Each": {
            "Type": "Map",
            "ItemProcessor": {
                "StartAt": "In",
                "States": {"In": {"Type": "Task", "Next": "Out"}, "Out": {"Type": "Pass", "End": True}},
            },
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Tell"}],
            "End": True,
        },
        "Tell": {"Type": "Succeed"},
    },
}


def test_visits_that_overlap_are_told_apart_first_in_first_out(history: Any) -> None:
    history.enter("Each", "Map").add("MapStateStarted", "Each", length=3)
    history.enter("In").enter("In", after=1).leave("In", after=1).enter("Out", "Pass").enter("In", after=1)
    history.leave("Out", "Pass").leave("In", after=1).leave("In", after=1).leave("Each", "Map")
    course = course_of(MAP, history.add("ExecutionSucceeded"))
    figures = course.states["In"]
    assert (figures.status, figures.visits, figures.seconds) == ("succeeded", 3, 2.0 + 3.0 + 2.0)
    assert course.states["Each"].items == 3
    assert course.ways[None, "In", "start"] == 3
    assert course.ways["In", "Out", "next"] == 1


def test_what_is_left_open_inside_ends_with_what_encloses_it(history: Any) -> None:
    history.enter("Each", "Map").enter("In").enter("In").enter("In")
    history.fail("In", after=1).add("MapIterationFailed", "Each", error="Broken", cause="").add(
        "MapStateFailed", "Each", error="Broken", cause="it broke"
    )
    history.leave("Each", "Map").enter("Tell", "Succeed", after=100).leave("Tell", "Succeed").add("ExecutionSucceeded")
    course = course_of(MAP, history)
    assert [(one.name, one.status) for one in course.states.values()] == [
        ("Each", "caught"),
        ("In", "failed"),
        ("Tell", "succeeded"),
    ]
    assert course.states["In"].seconds == 3.0
    assert ("Each", "Tell", "catch") in course.ways
    assert ("Each", None, "end") not in course.ways


def test_a_history_of_another_machine_breaks_nothing(history: Any) -> None:
    history.enter("Gone").leave("Gone").leave("Never entered").fail("Nor this").add("Strange", "A").add(
        "ExecutionFailed"
    )
    course = course_of(LINE, history)
    assert set(course.states) == {"Gone", "Never entered", "Nor this", "A"}
    assert course.ways == {}
    draw(LINE, history.events)


def test_no_history_is_an_execution_that_has_done_nothing() -> None:
    course = follow(read_graph(LINE), [])
    assert (course.status, course.started, course.states, course.ways) == ("RUNNING", None, {}, {})


def test_the_order_of_events_is_told_by_their_numbers(history: Any) -> None:
    history.enter("A").leave("A", after=1).enter("B").leave("B", after=1).add("ExecutionSucceeded")
    graph = read_graph(LINE)
    assert follow(graph, history.events[::-1]) == follow(graph, history.events)


def task(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:lambda:::function:{name}", **more}


ENGINE: dict[str, Any] = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Left", "States": {"Left": task("answer", End=True)}},
                {
                    "StartAt": "Right",
                    "States": {"Right": {"Type": "Pass", "Next": "Righter"}, "Righter": {"Type": "Succeed"}},
                },
            ],
            "ResultPath": "$.both",
            "Next": "Each",
        },
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.numbers",
            "ItemProcessor": {
                "StartAt": "Odd?",
                "States": {
                    "Odd?": {
                        "Type": "Choice",
                        "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Two"}],
                        "Default": "Other",
                    },
                    "Two": task("answer", End=True),
                    "Other": {"Type": "Pass", "End": True},
                },
            },
            "ResultPath": "$.each",
            "Next": "Try",
        },
        "Try": task(
            "fail",
            Retry=[{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 1}],
            Catch=[{"ErrorEquals": ["ValueError"], "ResultPath": "$.error", "Next": "Inner"}],
            Next="Never",
        ),
        "Never": {"Type": "Succeed"},
        "Inner": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "Lose", "States": {"Lose": {"Type": "Fail", "Error": "Lost"}}}],
            "Catch": [{"ErrorEquals": ["Lost"], "Next": "End"}],
            "Next": "Never",
        },
        "End": {"Type": "Choice", "Choices": [{"Variable": "$.Error", "StringEquals": "Won", "Next": "Never"}]},
    },
}  # fmt: skip


class FastClock:
    """A hundred seconds pass in one."""

    def __init__(self) -> None:
        self._began = time.time()

    def now(self) -> float:
        return self._began + 100.0 * (time.time() - self._began)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        condition.wait(seconds / 100.0)


def test_the_engines_own_history_is_followed_through_branches_items_retries_and_catches(tmp_path: Path) -> None:
    def fail(event: Any, context: Any) -> Any:
        raise ValueError("not now")

    functions = {"answer": lambda event, context: event, "fail": fail}
    with Engine(tmp_path / "journal.db", {"machine": load(ENGINE)}, functions, clock=FastClock()) as engine:
        engine.start("machine", {"numbers": [1, 2, 3]}, name="one")
        [ended] = engine.wait("one", timeout=30)
        events = engine.history("one")
    course = follow(read_graph(ENGINE), events)
    assert (course.status, ended.error) == ("FAILED", "States.NoChoiceMatched")
    assert {name: one.status for name, one in course.states.items()} == {
        "Both": "succeeded", "Left": "succeeded", "Right": "succeeded", "Righter": "succeeded",
        "Each": "succeeded", "Odd?": "succeeded", "Two": "succeeded", "Other": "succeeded",
        "Try": "caught", "Inner": "caught", "Lose": "failed", "End": "failed",
    }  # fmt: skip
    assert (course.states["Each"].items, course.states["Odd?"].visits, course.states["Other"].visits) == (3, 3, 2)
    assert (course.states["Try"].retries, course.states["Try"].error) == (1, "ValueError")
    assert course.states["Try"].seconds >= 1.0
    assert (course.states["Inner"].error, course.states["End"].error) == ("Lost", "States.NoChoiceMatched")
    assert course.ways == {
        (None, "Both", "start"): 1, (None, "Left", "start"): 1, ("Left", None, "end"): 1,
        (None, "Right", "start"): 1, ("Right", "Righter", "next"): 1, ("Both", "Each", "next"): 1,
        (None, "Odd?", "start"): 3, ("Odd?", "Two", "rule"): 1, ("Odd?", "Other", "default"): 2,
        ("Two", None, "end"): 1, ("Other", None, "end"): 2, ("Each", "Try", "next"): 1,
        ("Try", "Inner", "catch"): 1, (None, "Lose", "start"): 1, ("Inner", "End", "catch"): 1,
    }  # fmt: skip


def test_what_fails_inside_and_is_tried_again_is_no_failure_in_the_end(tmp_path: Path) -> None:
    document = {
        "StartAt": "Both",
        "States": {
            "Both": {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "Shaky", "States": {"Shaky": task("shaky", End=True)}},
                    {"StartAt": "Pause", "States": {"Pause": {"Type": "Wait", "Seconds": 1, "End": True}}},
                ],
                "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}],
                "End": True,
            }
        },
    }
    calls: list[Any] = []

    def shaky(event: Any, context: Any) -> Any:
        calls.append(event)
        if len(calls) == 1:
            raise ValueError("not now")

    with Engine(tmp_path / "journal.db", {"machine": load(document)}, {"shaky": shaky}, clock=FastClock()) as engine:
        engine.start("machine", {}, name="one")
        engine.wait("one", timeout=30)
        course = follow(read_graph(document), engine.history("one"))
    both, shaken, pause = course.states.values()
    assert (both.status, both.visits, both.retries) == ("succeeded", 1, 1)
    assert (shaken.status, shaken.visits) == ("caught", 2)
    assert (pause.status, pause.visits) == ("stopped", 2)
