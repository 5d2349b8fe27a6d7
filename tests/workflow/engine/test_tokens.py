"""Task tokens: a Task that somebody else ends."""

import json
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones.errors import WorkflowError
from scones.workflow.engine import Engine, StartRefused, TaskTimedOut, is_engine_token

from .conftest import HandClock, MemoryObjects

ASK = "arn:aws:states:::lambda:invoke.waitForTaskToken"


def asking(**fields: Any) -> dict[str, Any]:
    parameters = {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}}
    task = {"Type": "Task", "Resource": ASK, "Parameters": parameters, "End": True, **fields}
    return {"StartAt": "A", "States": {"A": task}}


class Desk:
    """Opens engines on one journal; ``tokens`` is what the function was asked with."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self._folder, self._clock = folder, clock
        self.tokens: queue.Queue[str] = queue.Queue()

    def open(self, first: Callable[[Engine], object] | None = None, **fields: Any) -> Engine:
        def ask(event: Any, context: Any) -> str:
            self.tokens.put(event["token"])
            return "this answer is not the result"

        return Engine(self._folder / "j.db", {"m": asking(**fields)}, {"ask": ask}, clock=self._clock, first=first)


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    return Desk(tmp_path, clock)


def test_the_result_is_what_is_sent_with_the_token(desk: Desk) -> None:
    with desk.open(ResultPath="$.answer") as engine:
        engine.start("m", {"n": 1}, name="e")
        engine.send_task_success(desk.tokens.get(timeout=20), {"yes": True})
        assert engine.wait("e", timeout=20)[0].output == {"n": 1, "answer": {"yes": True}}


def test_a_failure_that_is_sent_is_the_tasks_failure_and_can_be_tried_again_with_a_new_token(desk: Desk) -> None:
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    with desk.open(Retry=retry) as engine:
        engine.start("m", {}, name="e")
        first = desk.tokens.get(timeout=20)
        engine.send_task_failure(first, "Busy", "lunch")
        engine._clock.move(2)  # type: ignore[attr-defined]
        second = desk.tokens.get(timeout=20)
        assert second != first
        with pytest.raises(TaskTimedOut):
            engine.send_task_success(first, {})
        engine.send_task_failure(second, "Gone", "home")
        ended = engine.wait("e", timeout=20)[0]
    assert (ended.error, ended.cause) == ("Gone", "home")


def test_a_token_that_is_answered_twice_or_that_nobody_gave_is_refused(desk: Desk) -> None:
    with desk.open() as engine:
        engine.start("m", {}, name="e")
        token = desk.tokens.get(timeout=20)
        with pytest.raises(StartRefused, match="InvalidOutput"):
            engine.send_task_success(token, b"bytes")
        engine.send_task_success(token, 1)
        with pytest.raises(TaskTimedOut, match="no task waits for this token"):
            engine.send_task_success(token, 2)
        with pytest.raises(TaskTimedOut):
            engine.send_task_heartbeat("made up")
        assert engine.wait("e", timeout=20)[0].output == 1


def test_a_token_lives_through_a_restart_and_the_function_is_not_asked_again(desk: Desk) -> None:
    with desk.open() as engine:
        engine.start("m", {}, name="e")
        token = desk.tokens.get(timeout=20)
        while not any(event.type == "TaskSubmitted" for event in engine.history("e")):
            pass
    with desk.open() as engine:
        engine.send_task_success(token, "late")
        assert engine.wait("e", timeout=20)[0].output == "late"
    assert desk.tokens.empty()


def test_a_task_without_a_heartbeat_in_time_fails_as_such(desk: Desk, clock: HandClock) -> None:
    with desk.open(HeartbeatSeconds=10, TimeoutSeconds=100) as engine:
        engine.start("m", {}, name="e")
        token = desk.tokens.get(timeout=20)
        while not any(event.type == "TaskSubmitted" for event in engine.history("e")):
            pass
        for _ in range(3):
            clock.move(8)
            engine.send_task_heartbeat(token)
        assert engine.status("e") == "RUNNING"
        clock.move(11)
        assert engine.wait("e", timeout=20)[0].error == "States.HeartbeatTimeout"


def test_heartbeats_do_not_lengthen_the_timeout(desk: Desk, clock: HandClock) -> None:
    with desk.open(HeartbeatSecondsPath="$.beat", TimeoutSecondsPath="$.limit") as engine:
        engine.start("m", {"beat": 10, "limit": 20}, name="e")
        token = desk.tokens.get(timeout=20)
        while not any(event.type == "TaskSubmitted" for event in engine.history("e")):
            pass
        for _ in range(2):
            clock.move(9)
            engine.send_task_heartbeat(token)
        clock.move(3)
        assert engine.wait("e", timeout=20)[0].error == "States.Timeout"


def test_a_timeout_goes_on_through_a_restart(desk: Desk, clock: HandClock) -> None:
    with desk.open(TimeoutSeconds=20) as engine:
        engine.start("m", {}, name="e")
        desk.tokens.get(timeout=20)
        while not any(event.type == "TaskSubmitted" for event in engine.history("e")):
            pass
    clock.move(21)
    with desk.open(TimeoutSeconds=20) as engine:
        assert engine.wait("e", timeout=20)[0].error == "States.Timeout"


def test_what_is_done_first_comes_before_the_timeouts_that_have_passed_meanwhile(desk: Desk, clock: HandClock) -> None:
    with desk.open(TimeoutSeconds=20) as engine:
        engine.start("m", {}, name="e")
        token = desk.tokens.get(timeout=20)
        while not any(event.type == "TaskSubmitted" for event in engine.history("e")):
            pass
    clock.move(21)

    def fail(engine: Engine) -> None:
        raise WorkflowError("no")

    with pytest.raises(WorkflowError, match="no"):
        desk.open(fail, TimeoutSeconds=20)
    with desk.open(lambda engine: engine.send_task_success(token, "in time"), TimeoutSeconds=20) as engine:
        assert engine.wait("e", timeout=20)[0].output == "in time"


def test_a_token_is_known_as_the_engines_own(desk: Desk) -> None:
    with desk.open() as engine:
        engine.start("m", {}, name="e")
        token = desk.tokens.get(timeout=20)
        engine.send_task_success(token, 1)
    assert is_engine_token(token)
    assert not is_engine_token("AAAAKgAAAAIAAAAAAAAAAfX9f+9mHv/5q3uCVgEkJmF0ZUQ=")  # as Step Functions makes them


def test_an_object_can_carry_the_question_and_its_token(
    tmp_path: Path, objects: MemoryObjects, clock: HandClock
) -> None:
    # Developer Guide, "Integrating services": every AWS SDK integration has the callback pattern, in Standard workflows
    machine = asking(
        Resource="arn:aws:states:::aws-sdk:s3:putObject.waitForTaskToken",
        Parameters={"Bucket": "b", "Key": "question", "Body": {"n.$": "$.n", "token.$": "$$.Task.Token"}},
        TimeoutSecondsPath="$.n",
    )
    with Engine(tmp_path / "j.db", {"m": machine}, objects=objects, clock=clock) as engine:
        for name in ("answered", "late"):
            engine.start("m", {"n": 60}, name=name)
            while not any(event.type == "TaskSubmitted" for event in engine.history(name)):
                pass
            asked = json.loads(objects.get("b", "question"))
            if name == "answered":
                engine.send_task_success(asked["token"], asked["n"])
                assert engine.wait(name, timeout=20)[0].output == 60
        clock.move(61)
        assert engine.wait("late", timeout=20)[0].error == "States.Timeout"
