"""Retry, Catch, waits and timeouts, on a clock that runs fast."""

import random
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scones.workflow.engine import Engine, Event
from scones.workflow.engine.machine import Retrier
from scones.workflow.engine.retrying import covers, retry_delay

WAIT = 20.0


class FastClock:
    """A hundred seconds pass in one."""

    def __init__(self) -> None:
        self._began = time.time()

    def now(self) -> float:
        return self._began + 100.0 * (time.time() - self._began)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        condition.wait(seconds / 100.0)


class Busy(Exception):
    pass


def definition(**fields: Any) -> dict[str, Any]:
    resource = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    task = {"Type": "Task", "Resource": resource, "End": True, **fields}
    return {"StartAt": "A", "States": {"A": task}}


def caught(*catchers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    machine = definition(Catch=list(catchers), **fields)
    machine["States"]["After"] = {"Type": "Succeed"}
    return machine


class Bench:
    """Opens engines on one journal, on a fast clock."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.db"
        self.clock = FastClock()

    def engine(self, machine: dict[str, Any], function: Any = None, **options: Any) -> Engine:
        return Engine(self.path, {"m": machine}, {"f": function}, clock=self.clock, **options)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def delays(events: list[Event]) -> list[float]:
    return [event.details["retryAt"] - event.time.timestamp() for event in events if "retryAt" in event.details]


def test_a_task_is_tried_again_with_growing_delays_until_it_succeeds(bench: Bench) -> None:
    counts: list[Any] = []

    def function(event: Any, context: Any) -> Any:
        counts.append(event)
        if len(counts) < 4:
            raise Busy
        return "at last"

    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 3, "MaxDelaySeconds": 5, "MaxAttempts": 3}]
    machine = definition(Retry=retry, Parameters={"retries.$": "$$.State.RetryCount"})
    with bench.engine(machine, function) as engine:
        engine.start("m", {}, name="e")
        assert engine.wait("e", timeout=WAIT)[0].output == "at last"
        assert counts == [{"retries": n} for n in range(4)]
        history = engine.history("e")
    assert delays(history) == pytest.approx([1.0, 3.0, 5.0], abs=0.5)
    failed = [event.time.timestamp() for event in history if event.type in ("TaskFailed", "TaskSucceeded")]
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(failed))


def test_attempts_are_counted_for_each_retrier_and_the_first_that_matches_decides(bench: Bench) -> None:
    errors = iter([Busy(), OSError(), Busy(), Busy()])
    retry = [
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 2},
        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 9},
    ]

    def function(event: Any, context: Any) -> Any:
        raise next(errors)

    with bench.engine(definition(Retry=retry), function) as engine:
        engine.start("m", {}, name="e")
        assert engine.wait("e", timeout=WAIT)[0].error == "Busy"
    assert next(errors, None) is None


def test_retries_and_waits_block_no_worker(bench: Bench) -> None:
    machine = definition()
    machine["States"]["A"] = {"Type": "Wait", "Seconds": 30, "End": True}
    with bench.engine(machine, concurrency=1) as engine:
        for number in range(20):
            engine.start("m", number)
        began = time.monotonic()
        engine.join(WAIT)
    # One worker, twenty waits of 0.3 s each in real time.
    assert time.monotonic() - began < 3.0


def test_full_jitter_takes_a_part_of_the_delay_and_large_counts_stay_finite() -> None:
    retrier = Retrier(errors=("E",), interval=2, max_attempts=9, backoff_rate=2.0, max_delay=None, full_jitter=True)
    drawn = [retry_delay(retrier, 3, random.Random(seed)) for seed in range(200)]
    assert 0.0 <= min(drawn) < 2.0
    assert 14.0 < max(drawn) <= 16.0
    assert retry_delay(retrier, 99_999_999, random.Random(0)) <= 31_622_400


@pytest.mark.parametrize(
    ("errors", "error", "expected"),
    [
        (["E"], "E", True),
        (["E"], "F", False),
        (["States.ALL"], "E", True),
        (["States.ALL"], "States.Timeout", True),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.ALL"], "States.Runtime", False),
        (["States.Runtime"], "States.Runtime", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
        (["States.TaskFailed"], "E", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.TaskFailed"], "States.DataLimitExceeded", False),
        (["States.Timeout"], "States.Timeout", True),
    ],
)
def test_the_wildcards_cover_what_aws_says(errors: list[str], error: str, expected: bool) -> None:
    assert covers(errors, error) is expected


def test_a_catch_hands_on_the_raw_input_with_the_error_in_it(bench: Bench) -> None:
    def function(event: Any, context: Any) -> Any:
        raise Busy("later")

    fields = {"InputPath": "$.a", "Parameters": {"x": 1}, "ResultPath": "$.r"}
    with bench.engine(
        caught(
            {"ErrorEquals": ["Other"], "Next": "After"},
            {"ErrorEquals": ["Busy"], "Next": "After", "ResultPath": "$.err"},
            **fields,
        ),
        function,
    ) as engine:
        engine.start("m", {"a": 1}, name="e")
        [ended] = engine.wait("e", timeout=WAIT)
        types = [event.type for event in engine.history("e")]
    assert (ended.output["a"], ended.output["err"]["Error"]) == (1, "Busy")
    assert "later" in ended.output["err"]["Cause"]
    assert types == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskFailed",
        "TaskStateExited",
        "SucceedStateEntered",
        "SucceedStateExited",
        "ExecutionSucceeded",
    ]


def test_without_a_result_path_the_error_is_the_whole_output(bench: Bench) -> None:
    def function(event: Any, context: Any) -> Any:
        raise Busy

    with bench.engine(caught({"ErrorEquals": ["States.TaskFailed"], "Next": "After"}), function) as engine:
        engine.start("m", {"a": 1}, name="e")
        assert set(engine.wait("e", timeout=WAIT)[0].output) == {"Error", "Cause"}


def test_a_task_that_hangs_times_out_and_its_late_answer_is_thrown_away(bench: Bench) -> None:
    release, returned = threading.Event(), threading.Event()

    def function(event: Any, context: Any) -> Any:
        release.wait(WAIT)
        returned.set()
        return "too late"

    catcher = {"ErrorEquals": ["States.Timeout"], "Next": "After"}
    with bench.engine(caught(catcher, TimeoutSeconds=5), function, concurrency=1) as engine:
        engine.start("m", {}, name="first")
        # The only worker hangs; another takes its place, or the second could not time out.
        engine.start("m", {}, name="second")
        ended = engine.wait("first", "second", timeout=WAIT)
        assert [execution.output["Error"] for execution in ended] == ["States.Timeout"] * 2
        assert "TaskTimedOut" in [event.type for event in engine.history("first")]
        before = engine.history("first")
        release.set()
        assert returned.wait(WAIT)
    with bench.engine(definition()) as engine:
        assert engine.history("first") == before


def test_a_machine_that_takes_too_long_is_timed_out_even_while_a_task_hangs(bench: Bench) -> None:
    release = threading.Event()
    machine = {**definition(), "TimeoutSeconds": 5}
    with bench.engine(machine, lambda event, context: release.wait(WAIT), concurrency=1) as engine:
        engine.start("m", {}, name="e")
        [ended] = engine.wait("e", timeout=WAIT)
        assert (ended.status, ended.error) == ("TIMED_OUT", "States.Timeout")
        assert engine.history("e")[-1].type == "ExecutionTimedOut"
        release.set()


def test_a_machine_whose_time_ran_out_while_no_engine_ran_does_not_go_on(bench: Bench) -> None:
    calls: list[Any] = []
    machine = definition()
    machine["States"] = {"W": {"Type": "Wait", "Seconds": 20, "Next": "A"}, **machine["States"]}
    machine |= {"StartAt": "W", "TimeoutSeconds": 30}
    with bench.engine(machine, lambda event, context: calls.append(event)) as engine:
        started = engine.start("m", {}, name="e").started.timestamp()
    condition = threading.Condition()
    with condition:
        bench.clock.wait(condition, started + 31 - bench.clock.now())
    with bench.engine(machine, lambda event, context: calls.append(event)) as engine:
        assert engine.wait("e", timeout=WAIT)[0].status == "TIMED_OUT"
    assert not calls


def test_an_abort_ends_an_execution_and_leaves_an_ended_one_alone(bench: Bench) -> None:
    machine = definition()
    machine["States"]["A"] = {"Type": "Wait", "Seconds": 9999, "End": True}
    with bench.engine(machine) as engine:
        engine.start("m", {}, name="e")
        engine.abort("e", error="Changed", cause="my mind")
        [ended] = engine.wait("e", timeout=WAIT)
        assert (ended.status, ended.error, ended.cause) == ("ABORTED", "Changed", "my mind")
        engine.abort("e", error="Again")
        assert engine.describe("e").error == "Changed"


def test_retry_attempts_and_the_end_of_a_wait_survive_a_restart(bench: Bench) -> None:
    retries: list[int] = []
    failed = threading.Event()

    def function(event: Any, context: Any) -> Any:
        retries.append(event["retries"])
        if len(retries) == 2:
            failed.set()
        raise Busy

    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 10, "BackoffRate": 1, "MaxAttempts": 2}]
    machine = definition(Retry=retry, Parameters={"retries.$": "$$.State.RetryCount"})
    with bench.engine(machine, function) as engine:
        engine.start("m", {}, name="e")
        assert failed.wait(WAIT)
    with bench.engine(machine, function) as engine:
        assert engine.wait("e", timeout=WAIT)[0].error == "Busy"
    assert retries == [0, 1, 2]
