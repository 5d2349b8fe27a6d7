import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones.errors import DefinitionError, ExecutionMissing, WorkflowError
from scones.workflow.engine import Engine, Event, StartRefused

WAIT = 20.0
ECHO = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"


def task(**fields: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": FUNCTION, "End": True, **fields}}}


def test_the_same_start_twice_is_one_execution_and_another_input_is_refused(tmp_path: Path) -> None:
    calls: list[Any] = []
    with Engine(tmp_path / "j.db", {"m": task()}, {"f": lambda event, context: calls.append(event)}) as engine:
        first = engine.start("m", {"a": 1, "b": 2}, name="e")
        engine.wait("e", timeout=WAIT)
        again = engine.start("m", {"b": 2, "a": 1}, name="e")
        assert (again.arn, again.started, again.status) == (first.arn, first.started, "SUCCEEDED")
        with pytest.raises(WorkflowError, match=r"^ExecutionAlreadyExists: machine m has had an execution 'e'"):
            engine.start("m", {"a": 2}, name="e")
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("machine", "given", "name", "error"),
    [
        ("gone", {}, "e", "StateMachineDoesNotExist"),
        ("m", {}, "", "InvalidName"),
        ("m", {}, "a b", "InvalidName"),
        ("m", {}, "a:b", "InvalidName"),
        ("m", {}, "x" * 81, "InvalidName"),
        ("m", "x" * 262_143, "e", "InvalidExecutionInput"),
        ("m", {"x": b""}, "e", "InvalidExecutionInput"),
        ("m", float("inf"), "e", "InvalidExecutionInput"),
    ],
)
def test_a_start_that_cannot_be_is_refused_and_leaves_nothing(
    tmp_path: Path, machine: str, given: Any, name: str, error: str
) -> None:
    with Engine(tmp_path / "j.db", {"m": ECHO}) as engine:
        with pytest.raises(StartRefused, match=f"^{error}: "):
            engine.start(machine, given, name=name)
        assert engine.executions() == []


def test_data_nested_too_deeply_for_the_journal_fails_one_execution_and_no_worker(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    text = "[" * 700 + "]" * 700
    machine = {
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Parameters": {"x.$": "States.StringToJson($)"}, "End": True}},
    }
    with Engine(tmp_path / "j.db", {"m": machine}, concurrency=1) as engine:
        with pytest.raises(StartRefused, match=r"nested|recursion"):
            engine.start("m", deep)
        engine.start("m", text, name="deep")
        engine.start("m", "[1]", name="flat")
        deep_end, flat_end = engine.wait("deep", "flat", timeout=WAIT)
    assert (deep_end.status, flat_end.output) == ("FAILED", {"x": [1]})


def test_the_context_object_tells_where_the_execution_is(tmp_path: Path) -> None:
    machine = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"c.$": "$$"}, "End": True}}}
    with Engine(tmp_path / "j.db", {"m": machine}) as engine:
        execution = engine.start("arn:aws:states:x:1:stateMachine:m", {"i": 1}, name="e")
        context = engine.wait("e", timeout=WAIT)[0].output["c"]
    assert context["Execution"].pop("StartTime").endswith("Z")
    assert context["State"].pop("EnteredTime").endswith("Z")
    assert context == {
        "Execution": {"Id": execution.arn, "Input": {"i": 1}, "Name": "e", "RedriveCount": 0},
        "State": {"Name": "A", "RetryCount": 0},
        "StateMachine": {"Id": "arn:aws:states:local:000000000000:stateMachine:m", "Name": "m"},
    }


def test_the_history_tells_every_step_in_order(tmp_path: Path) -> None:
    machine = task(ResultPath="$.r", Next="B")
    del machine["States"]["A"]["End"]
    rule = {"Variable": "$.r", "NumericEquals": 2, "Next": "C"}
    machine["States"] |= {"B": {"Type": "Choice", "Choices": [rule]}, "C": {"Type": "Fail", "Error": "E", "Cause": "c"}}
    seen: list[Event] = []
    with Engine(tmp_path / "j.db", {"m": machine}, {"f": lambda event, context: 2}, on_event=seen.append) as engine:
        engine.start("m", {"i": 1}, name="e")
        engine.wait("e", timeout=WAIT)
        history = engine.history("e")
    assert history == seen
    assert [(event.id, event.type, event.state, dict(event.details)) for event in history] == [
        (1, "ExecutionStarted", None, {"input": {"i": 1}}),
        (2, "TaskStateEntered", "A", {"input": {"i": 1}}),
        (3, "TaskSucceeded", "A", {"output": 2}),
        (4, "TaskStateExited", "A", {"output": {"i": 1, "r": 2}}),
        (5, "ChoiceStateEntered", "B", {"input": {"i": 1, "r": 2}}),
        (6, "ChoiceStateExited", "B", {"output": {"i": 1, "r": 2}}),
        (7, "FailStateEntered", "C", {"input": {"i": 1, "r": 2}}),
        (8, "ExecutionFailed", None, {"error": "E", "cause": "c"}),
    ]


def test_an_on_event_that_fails_changes_nothing(tmp_path: Path) -> None:
    def complain(event: Event) -> None:
        raise RuntimeError(event.type)

    with Engine(tmp_path / "j.db", {"m": ECHO}, on_event=complain) as engine:
        engine.start("m", {}, name="e")
        assert engine.wait("e", timeout=WAIT)[0].status == "SUCCEEDED"


def test_states_run_at_the_same_time_as_far_as_the_concurrency_allows(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)

    def meet(event: Any, context: Any) -> int:
        return barrier.wait(WAIT)

    with Engine(tmp_path / "j.db", {"m": task()}, {"f": meet}, concurrency=4, random=random.Random(7)) as engine:
        for _ in range(4):
            engine.start("m", {})
        engine.join(WAIT)
        assert sorted(engine.describe(execution.name).output for execution in engine.executions()) == [0, 1, 2, 3]


def test_a_wait_that_is_too_short_or_for_nobody_says_so(tmp_path: Path) -> None:
    machine = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 9999, "End": True}}}
    with Engine(tmp_path / "j.db", {"m": machine}) as engine:
        engine.start("m", {}, name="e")
        with pytest.raises(WorkflowError, match=r"still run after 0\.01 s"):
            engine.wait("e", timeout=0.01)
        with pytest.raises(ExecutionMissing, match="no execution 'gone'"):
            engine.wait("gone")
    with pytest.raises(WorkflowError, match=r"closed|stopped"):
        engine.start("m", {})


def ended_by(engine: Engine) -> str:
    return engine.wait("e", timeout=WAIT)[0].status


def aborted_by(engine: Engine) -> str:
    engine.abort("e")
    return "ABORTED"


@pytest.mark.parametrize(
    ("use", "status", "seconds"), [(aborted_by, "ABORTED", 9999), (ended_by, "SUCCEEDED", 0)], ids=["abort", "wait"]
)
def test_an_execution_that_is_just_being_started_is_not_missed(
    tmp_path: Path, use: Callable[[Engine], str], status: str, seconds: int
) -> None:
    machine = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": seconds, "End": True}}}
    seen: list[str] = []
    others: list[threading.Thread] = []

    def other() -> None:
        seen.append(use(engine))

    def meanwhile(event: Event) -> None:
        # It is in the journal by now, and its start has not been answered yet.
        if event.type == "ExecutionStarted":
            others.append(threading.Thread(target=other))
            others[0].start()

    with Engine(tmp_path / "j.db", {"m": machine}, on_event=meanwhile) as engine:
        engine.start("m", {}, name="e")
        others[0].join(WAIT)
        assert engine.wait("e", timeout=WAIT)[0].status == status
    assert seen == [status]


def test_a_name_that_two_machines_have_needs_the_machine(tmp_path: Path) -> None:
    with Engine(tmp_path / "j.db", {"m": ECHO, "n": ECHO}) as engine:
        engine.start("m", 1, name="e")
        arn = engine.start("n", 2, name="e").arn
        engine.join(WAIT)
        with pytest.raises(WorkflowError, match=r"several machines \(m, n\)"):
            engine.describe("e")
        assert engine.describe("e", machine="m").output == 1
        assert engine.describe(arn).output == 2


def test_a_stop_gives_up_a_function_that_hangs_and_the_next_engine_runs_it_again(tmp_path: Path) -> None:
    release, running = threading.Event(), threading.Event()

    def hang(event: Any, context: Any) -> None:
        running.set()
        release.wait(WAIT)

    engine = Engine(tmp_path / "j.db", {"m": task()}, {"f": hang})
    engine.start("m", {}, name="e")
    assert running.wait(WAIT)
    engine.stop(grace=0.05)
    release.set()
    with Engine(tmp_path / "j.db", {"m": task()}, {"f": lambda event, context: "again"}) as engine:
        assert engine.wait("e", timeout=WAIT)[0].output == "again"


def test_a_machine_that_goes_round_for_ever_ends_at_the_most_events_that_aws_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scones.workflow.engine.interpreter._MOST_EVENTS", 50)
    machine = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}}
    with Engine(tmp_path / "j.db", {"m": machine}) as engine:
        engine.start("m", {}, name="e")
        assert engine.wait("e", timeout=WAIT)[0].error == "States.Runtime"


def test_a_faulty_machine_is_refused_when_the_engine_is_opened(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="problems in the machine m"):
        Engine(tmp_path / "j.db", {"m": {"StartAt": "A", "States": {"A": {"Type": "Map"}}}})
    assert not (tmp_path / "j.db").exists()


def test_timeouts_of_tasks_that_have_ended_are_not_held_until_they_are_due(tmp_path: Path) -> None:
    with Engine(tmp_path / "j.db", {"m": task(TimeoutSeconds=3600)}, {"f": lambda event, context: event}) as engine:
        for number in range(1500):
            engine.start("m", number)
        engine.join(WAIT)
        assert len(engine._loop._timers) <= 1000
