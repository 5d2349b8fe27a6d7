"""What a hunt for bugs found: each of these once stopped the engine, held it up, or filled the memory."""

import asyncio
import logging
import queue
import random
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from scones.errors import WorkflowError
from scones.workflow.engine import Engine, Event, Journal, StartRefused, load
from scones.workflow.engine.run import PARKED

from .conftest import FUNCTION, HandClock, MemoryObjects

DONE = {"Type": "Pass", "End": True}
START = "arn:aws:states:::states:startExecution"
ASK = "arn:aws:states:::lambda:invoke.waitForTaskToken"


def chain(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def call(function: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": FUNCTION + function, "End": True, **fields}


def distributed(work: dict[str, Any], **fields: Any) -> dict[str, Any]:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **chain(W=work)}
    return chain(M={"Type": "Map", "ItemProcessor": processor, "End": True, **fields})


def asking(**fields: Any) -> dict[str, Any]:
    parameters = {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}}
    return chain(A={"Type": "Task", "Resource": ASK, "Parameters": parameters, "End": True, **fields})


def test_calls_that_are_given_up_as_they_end_cost_no_workers(tmp_path: Path) -> None:
    rng = random.Random(0)

    def pause(event: Any, context: Any) -> int:
        threading.Event().wait(rng.uniform(0.001, 0.004))
        return 1

    def fail(event: Any, context: Any) -> None:
        pause(event, context)
        raise ValueError

    branches = [chain(A=call("pause")), chain(B=call("fail")), chain(C=call("pause"))]
    machine = chain(P={"Type": "Parallel", "Branches": branches, "End": True})
    with Engine(tmp_path / "j.db", {"m": machine}, {"pause": pause, "fail": fail}, concurrency=4) as engine:
        for number in range(150):
            engine.start("m", number)
        engine.join(30)


def test_a_name_that_is_started_twice_in_one_turn_is_one_execution(tmp_path: Path) -> None:
    def start(**onward: Any) -> dict[str, Any]:
        parameters = {"StateMachineArn": "leaf", "Name": "x", "Input": {}}
        return {"Type": "Task", "Resource": START, "Parameters": parameters, **onward}

    machines = {"leaf": chain(P=DONE), "two": chain(A=start(Next="B"), B=start(End=True))}
    with Engine(tmp_path / "j.db", machines) as engine:
        engine.start("two", {}, name="t")
        assert engine.wait("t", timeout=20)[0].status == "SUCCEEDED"
        assert len(engine.executions("leaf")) == 1


def test_half_a_surrogate_pair_in_a_file_of_items_is_an_item(tmp_path: Path) -> None:
    objects = MemoryObjects({("b", "k"): rb'["fine", "half \ud83d"]'})
    reader = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"}}
    with Engine(tmp_path / "j.db", {"m": distributed(DONE, ItemReader=reader)}, objects=objects) as engine:
        engine.start("m", {}, name="e")
        assert engine.wait("e", timeout=20)[0].output == ["fine", "half \ud83d"]


def test_what_looks_like_a_placeholder_after_substitution_is_none_after_a_restart(tmp_path: Path) -> None:
    states = chain(
        W={"Type": "Wait", "SecondsPath": "$", "Next": "P"}, P={"Type": "Pass", "Result": "${Text}", "End": True}
    )
    machine = load(states, {"Text": "write ${Name} here"})
    with Engine(tmp_path / "j.db", {"m": machine}) as engine:
        engine.start("m", 1, name="e")
    with Engine(tmp_path / "j.db", {"m": machine}) as engine:
        assert engine.wait("e", timeout=20)[0].output == "write ${Name} here"


LONG = {"Type": "Wait", "Seconds": 99_999, "Comment": "n", "End": True}


@pytest.mark.parametrize(
    "bad",
    [
        chain(L=LONG),
        chain(P={"Type": "Parallel", "Branches": [chain(L=LONG), chain(P2=DONE)], "End": True}),
        chain(M={"Type": "Map", "ItemsPath": "$", "ItemProcessor": chain(L=LONG), "End": True}),
        distributed(LONG),
        chain(T={"Type": "Task", "Resource": f"{START}.sync:2", "Comment": "n", "End": True,
                 "Parameters": {"StateMachineArn": "long", "Input": {}}}),
    ],
)  # fmt: skip
def test_a_definition_that_can_no_longer_be_read_ends_its_own_executions_alone(
    tmp_path: Path, bad: dict[str, Any]
) -> None:
    waiting = chain(W={"Type": "Wait", "SecondsPath": "$", "End": True})
    with Engine(tmp_path / "j.db", {"m": waiting, "n": bad, "long": chain(L=LONG)}) as engine:
        engine.start("m", 1, name="good")
        engine.start("n", [1, 2], name="bad")
    with sqlite3.connect(tmp_path / "j.db") as journal:
        journal.execute("UPDATE definitions SET text = CAST(replace(text, 'Comment', 'Color') AS BLOB)")
    journal.close()
    with Engine(tmp_path / "j.db", {"m": waiting}) as engine:
        good, ended = engine.wait("good", "bad", timeout=20)
        engine.join(20)
    assert (good.status, ended.status, ended.error) == ("SUCCEEDED", "FAILED", "States.Runtime")
    assert "Color" in (ended.cause or "")


def test_one_execution_does_not_wait_for_all_items_of_a_large_map(tmp_path: Path) -> None:
    seen: list[Any] = []
    started = threading.Event()

    def work(event: Any, context: Any) -> Any:
        started.set()
        time.sleep(0.001)  # a moment, so that the others come in between
        seen.append(event)
        return event

    machines = {"large": distributed(call("work"), MaxConcurrency=20), "small": chain(T=call("work"))}
    with Engine(tmp_path / "j.db", machines, {"work": work}, concurrency=2) as engine:
        engine.start("large", list(range(400)))
        assert started.wait(20)
        for number in range(5):
            engine.start("small", f"small {number}", name=f"s{number}")
        engine.wait(*(f"s{number}" for number in range(5)), machine="small", timeout=30)
        worked = len(seen)
        engine.join(30)
    assert worked < 300


def test_a_stop_does_not_work_what_is_left_of_a_large_map(tmp_path: Path) -> None:
    machine = distributed(DONE)
    with Engine(tmp_path / "j.db", {"m": machine}) as engine:
        engine.start("m", list(range(6000)), name="e")
    with Journal.open_readonly(tmp_path / "j.db") as reader:
        assert reader.status("e") == "RUNNING"
        assert len(reader.executions("m/M", limit=6000)) < 6000
    with Engine(tmp_path / "j.db", {"m": machine}) as engine:
        assert len(engine.wait("e", timeout=60)[0].output) == 6000


def test_a_machine_that_starts_itself_can_be_stopped(tmp_path: Path) -> None:
    again = {"Type": "Task", "Resource": START, "Parameters": {"StateMachineArn": "m", "Input": {}}, "End": True}
    engine = Engine(tmp_path / "j.db", {"m": chain(A=again)})
    engine.start("m", {})
    stopping = threading.Thread(target=engine.stop, daemon=True)
    stopping.start()
    stopping.join(20)
    assert not stopping.is_alive()


@pytest.mark.parametrize("given", [{"image": "x" * 50_000}, {str(number): "y" * 10 for number in range(3000)}])
def test_what_waits_is_in_the_journal_alone(tmp_path: Path, given: dict[str, str]) -> None:
    tokens: queue.Queue[str] = queue.Queue()
    machines = {"w": chain(W={"Type": "Wait", "Seconds": 9999, "End": True}), "t": asking()}
    with Engine(tmp_path / "j.db", machines, {"ask": lambda event, _: tokens.put(event["token"])}) as engine:
        for machine in machines:
            engine.start(machine, given)
        tokens.get(timeout=20)
        while not any(event.type == "TaskSubmitted" for event in engine.history(engine.executions("t")[0].arn)):
            pass
        engine.start("w", 1)  # one more turn
        large = [run for run in engine._interpreter.runs.values() if run.large]
        assert len(large) == 2
        assert all(run.root.input is PARKED and run.input is PARKED for run in large)


def test_on_event_cannot_wait_for_the_engine_and_is_told_so(tmp_path: Path) -> None:
    said: list[str] = []

    def heed(event: Event) -> None:
        if event.machine == "m" and event.type == "ExecutionSucceeded":
            for use in (lambda: engine.start("n", 1), lambda: engine.join(1), engine.stop):
                try:
                    use()
                except WorkflowError as error:
                    said.append(str(error))

    with Engine(tmp_path / "j.db", {"m": chain(P=DONE), "n": chain(P=DONE)}, on_event=heed) as engine:
        engine.start("m", 1, name="e")
        engine.wait("e", timeout=20)
        assert len(said) == 3
        assert all("the engine's own thread" in text for text in said)
        assert engine.start("n", 1).status == "RUNNING"


def test_an_on_event_that_exits_breaks_the_engine_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def heed(event: Event) -> None:
        raise SystemExit(1)

    caplog.set_level(logging.CRITICAL)
    engine = Engine(tmp_path / "j.db", {"m": chain(P=DONE)}, on_event=heed)
    with pytest.raises(WorkflowError, match="SystemExit"):
        engine.start("m", 1)
    engine.stop()


@pytest.mark.parametrize("stopping", [False, True])
def test_executions_that_wait_for_executions_can_be_hundreds_deep(tmp_path: Path, *, stopping: bool) -> None:
    rules = [{"Variable": "$.n", "NumericEquals": 0, "Next": "W"}]
    parameters = {"StateMachineArn": "m", "Input": {"n.$": "States.MathAdd($.n, -1)"}}
    deeper = {"Type": "Task", "Resource": f"{START}.sync:2", "Parameters": parameters, "ResultPath": None, "End": True}
    wait = {"Type": "Wait", "Seconds": 9999 if stopping else 0, "End": True}
    machine = chain(C={"Type": "Choice", "Choices": rules, "Default": "D"}, D=deeper, W=wait)
    with Engine(tmp_path / "j.db", {"m": machine}) as engine:
        engine.start("m", {"n": 400}, name="top")
        if stopping:
            engine.abort("top")
        engine.join(60)
        assert {one.status for one in engine.executions(limit=1000)} == {"ABORTED" if stopping else "SUCCEEDED"}


def test_a_function_may_start_an_execution_while_the_engine_stops(tmp_path: Path) -> None:
    began, stopping = threading.Event(), threading.Event()

    def work(event: Any, context: Any) -> str:
        began.set()
        assert stopping.wait(20)
        while not engine._loop._pausing:
            pass
        engine.start("inner", {}, name="i")
        return "done"

    machines = {"m": chain(T=call("work")), "inner": chain(P=DONE)}
    engine = Engine(tmp_path / "j.db", machines, {"work": work})
    engine.start("m", {}, name="e")
    assert began.wait(20)
    stopping.set()
    engine.stop()
    with Engine(tmp_path / "j.db", machines, {"work": work}) as engine:
        assert [one.status for one in engine.wait("e", "i", timeout=20)] == ["SUCCEEDED"] * 2


def test_a_timeout_counts_the_call_too_and_a_heartbeat_during_it_counts(tmp_path: Path, clock: HandClock) -> None:
    answered, go_on = threading.Event(), threading.Event()

    def ask(event: Any, context: Any) -> None:
        for _ in range(3):
            clock.move(8)
            engine.send_task_heartbeat(event["token"])
        answered.set()
        go_on.wait(20)

    machine = asking(HeartbeatSeconds=10, TimeoutSeconds=30)
    with Engine(tmp_path / "j.db", {"m": machine}, {"ask": ask}, clock=clock) as engine:
        engine.start("m", {}, name="e")
        assert answered.wait(20)
        assert engine.status("e") == "RUNNING"
        go_on.set()
        while not any(event.type == "TaskSubmitted" for event in engine.history("e")):
            pass
        clock.move(7)
        assert engine.wait("e", timeout=20)[0].error == "States.Timeout"


def test_an_answer_that_is_too_long_is_refused_and_the_token_stays_good(tmp_path: Path) -> None:
    tokens: queue.Queue[str] = queue.Queue()
    with Engine(tmp_path / "j.db", {"m": asking()}, {"ask": lambda event, _: tokens.put(event["token"])}) as engine:
        engine.start("m", {}, name="e")
        token = tokens.get(timeout=20)
        with pytest.raises(StartRefused, match="InvalidOutput"):
            engine.send_task_success(token, "x" * 300_000)
        engine.send_task_failure(token, None, None)  # type: ignore[arg-type]
        assert engine.wait("e", timeout=20)[0].status == "FAILED"


def test_a_recovery_while_it_runs_takes_nothing_up_twice(tmp_path: Path) -> None:
    with Engine(tmp_path / "j.db", {"m": chain(T=call("f"))}, {"f": lambda event, _: event}) as engine:
        for number in range(50):
            engine.start("m", number)
            assert engine.recover() == 0
        engine.join(20)


def test_a_store_that_raises_what_is_no_exception_costs_no_worker(tmp_path: Path) -> None:
    objects = MemoryObjects({})

    def put(bucket: str, key: str, body: bytes) -> None:
        raise asyncio.CancelledError

    objects.put = put  # type: ignore[method-assign]
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
        "Parameters": {"Bucket": "b", "Key": "k", "Body": ""},
        "End": True,
    }
    with Engine(tmp_path / "j.db", {"m": chain(T=task)}, objects=objects, concurrency=1) as engine:
        for number in range(3):
            engine.start("m", number)
        engine.join(20)


def test_a_stopped_engine_says_that_it_was_stopped(tmp_path: Path) -> None:
    with Engine(tmp_path / "j.db", {"m": chain(P=DONE)}) as engine:
        engine.start("m", 1, name="e")
    for use in (lambda: engine.describe("e"), lambda: engine.wait("e"), lambda: engine.start("m", 1)):
        with pytest.raises(WorkflowError, match="the engine was stopped"):
            use()


def test_a_number_beyond_all_bounds_is_a_problem_of_the_definition() -> None:
    with pytest.raises(WorkflowError, match="is no JSON"):
        load('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 1e999, "End": true}}}')


def test_the_children_of_a_map_with_an_odd_name_can_be_found(tmp_path: Path) -> None:
    machine = distributed(DONE)
    machine = {"StartAt": "Each: item", "States": {"Each: item": machine["States"]["M"]}}
    with Engine(tmp_path / "j.db", {"m": machine}) as engine:
        engine.start("m", [7], name="e")
        engine.wait("e", timeout=20)
        [child] = engine.executions("m/Each--item")
        assert engine.describe(child.arn).output == 7
