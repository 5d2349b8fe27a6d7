"""Which events of the workflow engine are news, and how they are grouped."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scones.notifications import Notification, drift_alarm, from_event
from scones.workflow.engine import Engine, Event

TIME = datetime(2027, 1, 15, 8, tzinfo=UTC)


def event(kind: str, machine: str = "classify", **details: Any) -> Event:
    return Event(machine, "a1-77", 9, kind, TIME, None, details)


def test_a_failed_execution_is_a_failure_grouped_by_machine_and_error() -> None:
    cause = json.dumps({"errorMessage": "bad.png is no picture", "errorType": "PictureError"})
    found = from_event(event("ExecutionFailed", error="PictureError", cause=cause))
    assert found == Notification(
        "failure",
        "classify PictureError",
        "classify fails with PictureError",
        TIME.timestamp(),
        "bad.png is no picture",
        "a1-77",
        {"machine": "classify", "execution": "a1-77", "error": "PictureError"},
    )


def test_an_execution_that_took_too_long_is_a_failure() -> None:
    found = from_event(event("ExecutionTimedOut", error="States.Timeout", cause="took longer than its 60 s"))
    assert found is not None
    assert (found.kind, found.group, found.detail) == (
        "failure",
        "classify States.Timeout",
        "took longer than its 60 s",
    )


def test_the_start_of_a_review_asks_a_person() -> None:
    given = {"task": "vehicles", "s3_key": "arrivals/a.png", "label": "bicycle", "confidence": 0.61, "threshold": 0.9}
    found = from_event(event("ExecutionStarted", "review", input={**given, "inferences": [0.61, 0.39]}))
    assert found is not None
    assert (found.kind, found.group, found.subject) == ("review", "vehicles", "arrivals/a.png")
    assert found.detail == "bicycle 0.61, below the threshold 0.9"
    assert found.fields == {**given, "execution": "a1-77"}


@pytest.mark.parametrize("details", [{}, {"input": None}, {"input": "text"}, {"input": {"confidence": [1]}}])
def test_a_review_of_another_shape_asks_a_person_too(details: dict[str, Any]) -> None:
    found = from_event(event("ExecutionStarted", "review", **details))
    assert found is not None
    assert (found.group, found.subject, found.detail) == ("unknown", "a1-77", "")


@pytest.mark.parametrize("cause", [None, "", "plain text", "[1]", '"text"', '{"errorMessage": null}', 3])
def test_a_failure_with_any_cause_is_told(cause: Any) -> None:
    assert from_event(event("ExecutionFailed", cause=cause)) is not None
    assert from_event(event("ExecutionFailed", error=None, cause=cause)) is not None


@pytest.mark.parametrize(
    "kind", ["ExecutionStarted", "ExecutionSucceeded", "ExecutionAborted", "TaskFailed", "PassStateEntered"]
)
def test_nothing_else_is_news(kind: str) -> None:
    assert from_event(event(kind, error="x", cause="y")) is None


def test_a_drift_alarm_is_grouped_by_endpoint_and_signal() -> None:
    found = drift_alarm("scones", "brightness", "0.31 instead of 0.52", time=5.0, fields={"psi": 0.4})
    assert (found.kind, found.group, found.title) == ("drift", "scones brightness", "scones: brightness has drifted")
    assert (found.detail, found.time, found.fields) == ("0.31 instead of 0.52", 5.0, {"psi": 0.4})


def test_an_execution_that_fails_on_the_engine_is_told(tmp_path: Path) -> None:
    told: list[Notification] = []

    def heed(event: Event) -> None:
        if (news := from_event(event)) is not None:
            told.append(news)

    def refuse(given: Any, context: Any) -> Any:
        raise ValueError("no such bay")

    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "refuse", "Payload.$": "$"},
        "End": True,
    }
    machine = {"StartAt": "Only", "States": {"Only": task}}
    functions: dict[str, Callable[..., object]] = {"refuse": refuse}
    with Engine(tmp_path / "j.sqlite", {"route": machine}, functions, on_event=heed) as engine:
        engine.start("route", {}, name="first")
        engine.wait("first", timeout=30)
    assert [(one.group, one.detail, one.subject) for one in told] == [("route ValueError", "no such bay", "first")]
