"""Executions that a Task starts and waits for."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from scones.workflow.engine import Engine

from .conftest import FUNCTION, HandClock, Run


def parent(pattern: str, **fields: Any) -> dict[str, Any]:
    parameters = {"StateMachineArn": "child", "Input": {"n.$": "$.n"}, **fields.pop("Parameters", {})}
    resource = f"arn:aws:states:::states:startExecution{pattern}"
    return {"StartAt": "A", "States": {"A": {
        "Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **fields}}}  # fmt: skip


CHILD = {
    "StartAt": "C",
    "States": {"C": {"Type": "Pass", "Parameters": {"twice.$": "States.MathAdd($.n, $.n)"}, "End": True}},
}
FAILING = {"StartAt": "C", "States": {"C": {"Type": "Fail", "Error": "Bad", "Cause": "luck"}}}
WAITING = {"StartAt": "C", "States": {"C": {"Type": "Wait", "Seconds": 9999, "End": True}}}


@pytest.mark.parametrize(("pattern", "output"), [(".sync:2", {"twice": 4}), (".sync", '{"twice":4}')])
def test_the_result_describes_the_execution_that_has_ended(run: Run, pattern: str, output: Any) -> None:
    result = run(parent(pattern), {"n": 2}, machines={"child": CHILD}).output
    assert (result["Status"], result["Output"]) == ("SUCCEEDED", output)
    assert result["ExecutionArn"].endswith(f":child:{result['Name']}")
    assert set(result) == {
        "ExecutionArn", "Input", "InputDetails", "Name", "Output", "OutputDetails", "StartDate", "StateMachineArn",
        "Status", "StopDate",
    }  # fmt: skip


def test_a_child_that_fails_fails_the_task_with_its_description_as_the_cause(run: Run) -> None:
    ended = run(parent(".sync:2"), {"n": 2}, machines={"child": FAILING})
    assert ended.error == "States.TaskFailed"
    told = json.loads(ended.cause or "")
    assert (told["Status"], told["Error"], told["Cause"]) == ("FAILED", "Bad", "luck")


def test_a_name_that_was_used_before_is_refused_where_the_task_waits(run: Run) -> None:
    definition = parent(".sync:2", Parameters={"Name": "once"})
    assert run(definition, {"n": 1}, machines={"child": CHILD}).status == "SUCCEEDED"
    again = run(definition, {"n": 1}, machines={"child": CHILD}, name="again")
    assert again.error == "StepFunctions.ExecutionAlreadyExistsException"


def test_a_start_that_finds_an_execution_tells_when_that_one_started(run: Run) -> None:
    definition = parent("", Parameters={"Name": "once"})
    first = run(definition, {"n": 1}, machines={"child": CHILD}).output
    assert run(definition, {"n": 1}, machines={"child": CHILD}, name="again").output == first


def test_a_retry_starts_another_child(run: Run) -> None:
    retry = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 1, "JitterStrategy": "FULL"}]
    ended = run(parent(".sync:2", Retry=retry), {"n": 1}, machines={"child": FAILING})
    assert ended.error == "States.TaskFailed"


def test_a_task_that_takes_too_long_stops_its_child(tmp_path: Path, clock: HandClock) -> None:
    machines = {"m": parent(".sync:2", TimeoutSeconds=10), "child": WAITING}
    with Engine(tmp_path / "j.db", machines, clock=clock) as engine:
        engine.start("m", {"n": 1}, name="e")
        clock.move(11)
        assert engine.wait("e", timeout=20)[0].error == "States.Timeout"
        assert [child.status for child in engine.executions(machine="child")] == ["ABORTED"]


def test_an_aborted_parent_stops_its_child(tmp_path: Path) -> None:
    with Engine(tmp_path / "j.db", {"m": parent(".sync"), "child": WAITING}) as engine:
        engine.start("m", {"n": 1}, name="e")
        engine.abort("e", error="Enough")
        assert [child.status for child in engine.executions(machine="child")] == ["ABORTED"]


def test_a_parent_still_waits_for_its_child_after_a_restart(tmp_path: Path) -> None:
    release, running = threading.Event(), threading.Event()

    def work(event: Any, context: Any) -> str:
        running.set()
        release.wait(20)
        return "done"

    child = {"StartAt": "C", "States": {"C": {"Type": "Task", "Resource": FUNCTION + "work", "End": True}}}
    machines = {"m": parent(".sync:2"), "child": child}
    engine = Engine(tmp_path / "j.db", machines, {"work": work})
    engine.start("m", {"n": 1}, name="e")
    assert running.wait(20)
    engine.stop(grace=0)
    release.set()
    with Engine(tmp_path / "j.db", machines, {"work": work}) as engine:
        assert engine.wait("e", timeout=20)[0].output["Output"] == "done"
        assert len(engine.executions(machine="child")) == 1
