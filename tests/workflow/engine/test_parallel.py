"""Parallel: branches at the same time, joined in their order."""

import threading
from pathlib import Path
from typing import Any

from scones.workflow.engine import Engine

from .conftest import FUNCTION, Run


def branch(name: str, **fields: Any) -> dict[str, Any]:
    return {"StartAt": name, "States": {name: {"Type": "Pass", "End": True, **fields}}}


def parallel(*branches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    state = {"Type": "Parallel", "Branches": list(branches), "End": True, **fields}
    return {"StartAt": "P", "States": {"P": state}}


def call(name: str, function: str, **fields: Any) -> dict[str, Any]:
    return branch(name, Type="Task", Resource=FUNCTION + function, **fields)


def test_the_result_is_each_branchs_output_in_the_order_of_the_branches(run: Run) -> None:
    slow_is_over = threading.Event()

    def slow(event: Any, context: Any) -> str:
        slow_is_over.wait(20)
        return "slow"

    def fast(event: Any, context: Any) -> str:
        slow_is_over.set()
        return "fast"

    definition = parallel(call("A", "slow"), call("B", "fast"), branch("C", Result=3))
    assert run(definition, {}, slow=slow, fast=fast).output == ["slow", "fast", 3]


def test_every_branch_gets_what_parameters_make_of_the_input(run: Run) -> None:
    fields = {"InputPath": "$.a", "Parameters": {"x.$": "$.b", "y": 1}, "ResultPath": "$.r", "OutputPath": "$.r"}
    ended = run(parallel(branch("A"), branch("B", OutputPath="$.x"), **fields), {"a": {"b": 7}})
    assert ended.output == [{"x": 7, "y": 1}, 7]


def test_a_branch_that_fails_fails_the_state_with_its_error_and_stops_the_others(run: Run) -> None:
    def fail(event: Any, context: Any) -> None:
        raise KeyError("gone")

    waiting = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 99_999, "End": True}}}
    assert run(parallel(call("A", "fail"), waiting), {}, fail=fail).error == "KeyError"


def test_a_failed_branch_is_caught_by_the_state_with_the_error_at_result_path(run: Run) -> None:
    failing = branch("A", Type="Fail", Error="Custom", Cause="because")
    del failing["States"]["A"]["End"]
    catch = [{"ErrorEquals": ["Custom"], "ResultPath": "$.error", "Next": "Q"}]
    definition = parallel(failing, branch("B"), Catch=catch)
    definition["States"]["Q"] = {"Type": "Succeed"}
    assert run(definition, {"n": 1}).output == {"n": 1, "error": {"Error": "Custom", "Cause": "because"}}


def test_a_retry_runs_all_branches_again(run: Run) -> None:
    calls: list[str] = []

    def count(event: Any, context: Any) -> int:
        calls.append("good")
        return len(calls)

    def fail_first(event: Any, context: Any) -> str:
        calls.append("bad")
        if calls.count("bad") == 1:
            raise OSError
        return "ok"

    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1, "JitterStrategy": "FULL"}]
    ended = run(parallel(call("A", "count"), call("B", "fail"), Retry=retry), {}, count=count, fail=fail_first)
    assert (ended.status, ended.output[1]) == ("SUCCEEDED", "ok")
    assert calls.count("bad") == 2


def test_branches_nest(run: Run) -> None:
    inner = parallel(branch("C", Result=1), branch("D", Result=2))
    inner["States"]["Q"] = inner["States"].pop("P")
    inner["StartAt"] = "Q"
    assert run(parallel(inner, branch("B", Result=3)), {}).output == [[1, 2], 3]


def test_a_branch_that_has_ended_does_not_run_again_after_a_restart(tmp_path: Path) -> None:
    calls: list[str] = []
    release, running = threading.Event(), threading.Event()

    def hang(event: Any, context: Any) -> str:
        running.set()
        release.wait(20)
        return "b"

    def quick(event: Any, context: Any) -> str:
        calls.append("a")
        return "a"

    definition = parallel(call("A", "quick"), call("B", "hang"))
    functions = {"quick": quick, "hang": hang}
    engine = Engine(tmp_path / "j.db", {"m": definition}, functions)
    engine.start("m", {}, name="e")
    assert running.wait(20)
    while not any(event.type == "TaskSucceeded" for event in engine.history("e")):
        pass
    engine.stop(grace=0)
    release.set()
    with Engine(tmp_path / "j.db", {"m": definition}, functions) as engine:
        assert engine.wait("e", timeout=20)[0].output == ["a", "b"]
    assert calls == ["a"]
