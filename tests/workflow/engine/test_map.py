"""Map inside an execution: the same work for each item."""

import threading
from pathlib import Path
from typing import Any

import pytest

from scones.workflow.engine import Engine

from .conftest import FUNCTION, Run

WORK = {"Type": "Task", "Resource": FUNCTION + "work", "End": True}


def mapped(work: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    processor = {"StartAt": "W", "States": {"W": work or {"Type": "Pass", "End": True}}}
    return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}}}


def test_the_result_is_each_items_output_in_the_order_of_the_items(run: Run) -> None:
    assert run(mapped(WORK), [3, 1, 2], work=lambda event, _: event * 10).output == [30, 10, 20]


@pytest.mark.parametrize(
    ("fields", "given", "output"),
    [
        ({}, [], []),
        ({"ItemsPath": "$.a.b"}, {"a": {"b": [1, 2]}}, [1, 2]),
        ({"InputPath": "$.a", "ItemsPath": "$.b"}, {"a": {"b": [1]}}, [1]),
        ({"ItemsPath": "$$.Execution.Input.l"}, {"l": ["x"]}, ["x"]),
        ({"ItemsPath": "$.l", "ItemSelector": {"v.$": "$$.Map.Item.Value.n", "i.$": "$$.Map.Item.Index", "k.$": "$.k"}},
         {"k": 5, "l": [{"n": 8}, {"n": 9}]}, [{"v": 8, "i": 0, "k": 5}, {"v": 9, "i": 1, "k": 5}]),
        ({"ItemsPath": "$.l", "Parameters": {"v.$": "$$.Map.Item.Value"}}, {"l": [4]}, [{"v": 4}]),
        ({"ItemsPath": "$.l", "ResultSelector": {"first.$": "$[0]"}, "ResultPath": "$.r"}, {"l": [4, 5]},
         {"l": [4, 5], "r": {"first": 4}}),
        ({"ItemsPath": "$.l", "MaxConcurrencyPath": "$.most"}, {"l": [1, 2, 3], "most": 1}, [1, 2, 3]),
    ],
)  # fmt: skip
def test_items_and_results_flow_as_the_states_language_says(
    run: Run, fields: dict[str, Any], given: Any, output: Any
) -> None:
    assert run(mapped(**fields), given).output == output


def test_the_item_is_in_the_context_object_of_the_work_for_it(run: Run) -> None:
    work = {"Type": "Pass", "Parameters": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"}, "End": True}
    assert run(mapped(work), ["a", "b"]).output == [{"i": 0, "v": "a"}, {"i": 1, "v": "b"}]


def test_the_older_iterator_does_the_same(run: Run) -> None:
    definition = mapped()
    definition["States"]["M"]["Iterator"] = definition["States"]["M"].pop("ItemProcessor")
    assert run(definition, [1]).output == [1]


def test_what_is_no_list_is_a_runtime_error(run: Run) -> None:
    assert run(mapped(ItemsPath="$.l"), {"l": {"a": 1}}).error == "States.Runtime"
    assert run(mapped(ItemsPath="$.l"), {}, name="other").error == "States.Runtime"


def test_no_more_items_than_max_concurrency_are_worked_at_the_same_time(run: Run) -> None:
    now, most, lock = 0, 0, threading.Lock()

    def work(event: Any, context: Any) -> Any:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.005)
        with lock:
            now -= 1
        return event

    assert run(mapped(WORK, MaxConcurrency=2), list(range(12)), work=work).output == list(range(12))
    assert most == 2


def test_an_item_that_fails_fails_the_map_with_its_error(run: Run) -> None:
    def work(event: Any, context: Any) -> Any:
        return 1 // event

    catch = [{"ErrorEquals": ["ZeroDivisionError"], "ResultPath": None, "Next": "Z"}]
    definition = mapped(WORK, Catch=catch)
    definition["States"]["Z"] = {"Type": "Pass", "Result": "caught", "End": True}
    assert run(definition, [1, 0, 1], work=work).output == "caught"
    assert run(mapped(WORK), [1, 0, 1], work=work, name="other").error == "ZeroDivisionError"


def test_maps_nest(run: Run) -> None:
    inner = {"Type": "Map", "End": True, "ItemProcessor": {"StartAt": "I", "States": {"I": WORK}}}
    assert run(mapped(inner), [[1, 2], [], [3]], work=lambda event, _: event + 1).output == [[2, 3], [], [4]]


def test_a_retried_map_begins_with_the_first_item_again(run: Run) -> None:
    seen: list[int] = []

    def work(event: int, context: Any) -> int:
        seen.append(event)
        if event == 2 and seen.count(2) == 1:
            raise OSError
        return event

    retry = [{"ErrorEquals": ["OSError"], "IntervalSeconds": 1, "JitterStrategy": "FULL"}]
    assert run(mapped(WORK, MaxConcurrency=1, Retry=retry), [1, 2, 3], work=work).output == [1, 2, 3]
    assert seen == [1, 2, 1, 2, 3]


def test_items_that_have_ended_are_not_worked_again_after_a_restart(tmp_path: Path) -> None:
    seen: list[int] = []
    release, running = threading.Event(), threading.Event()

    def work(event: int, context: Any) -> int:
        seen.append(event)
        if event == 3 and not release.is_set():
            running.set()
            release.wait(20)
        return event * 2

    definition = mapped(WORK, MaxConcurrency=1)
    engine = Engine(tmp_path / "j.db", {"m": definition}, {"work": work})
    engine.start("m", [1, 2, 3, 4], name="e")
    assert running.wait(20)
    engine.stop(grace=0)
    release.set()
    with Engine(tmp_path / "j.db", {"m": definition}, {"work": work}) as engine:
        assert engine.wait("e", timeout=20)[0].output == [2, 4, 6, 8]
        kinds = [event.type for event in engine.history("e")]
    assert seen == [1, 2, 3, 3, 4]
    assert kinds.count("MapIterationStarted") == kinds.count("MapIterationSucceeded") == 4


def test_a_thousand_items_of_states_without_work_do_not_hold_up_the_engine(run: Run) -> None:
    assert run(mapped(), list(range(1000))).output == list(range(1000))
