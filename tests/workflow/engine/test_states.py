import random
from typing import Any

import pytest

from scones.workflow.engine import load
from scones.workflow.engine.data import DATA_LIMIT
from scones.workflow.engine.failure import StateFailure
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import Task
from scones.workflow.engine.paths import Scope
from scones.workflow.engine.states import Done, argument, finish, perform

CONTEXT = {"Execution": {"Name": "e"}}


def run(fields: dict[str, Any], given: Json, result: Json = None) -> Done:
    """Run one state whose Task, if it is one, answers ``result`` (or its effective input, without one)."""
    rest = {} if fields["Type"] in ("Choice", "Succeed", "Fail") else {"End": True}
    end = {"End": {"Type": "Succeed"}} if fields["Type"] == "Choice" else {}
    machine = load({"StartAt": "A", "States": {"A": {**fields, **rest}, **end}})

    state, raw = machine.states["A"], Scope(given, CONTEXT, random.Random(0))
    if isinstance(state, Task):
        given = argument(state, raw)
        return finish(state, raw, given if result is None else result)
    return perform(state, raw)  # type: ignore[arg-type]


def task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:f", **fields}


@pytest.mark.parametrize(
    ("fields", "given", "result", "output"),
    [
        (task(), {"a": 1}, {"r": 2}, {"r": 2}),
        (task(InputPath="$.a"), {"a": 1}, None, 1),
        (task(InputPath=None), {"a": 1}, None, {}),
        (task(InputPath="$$.Execution"), {"a": 1}, None, {"Name": "e"}),
        (task(InputPath="$.a", Parameters={"x.$": "$.b", "y": [{"z.$": "$$.Execution.Name"}]}), {"a": {"b": 1}}, None,
         {"x": 1, "y": [{"z": "e"}]}),
        (task(ResultSelector={"s.$": "$.r"}, ResultPath="$.got"), {"a": 1}, {"r": 2}, {"a": 1, "got": {"s": 2}}),
        (task(ResultPath=None), {"a": 1}, {"r": 2}, {"a": 1}),
        (task(InputPath="$.a", ResultPath="$.b"), {"a": 1}, None, {"a": 1, "b": 1}),
        (task(ResultPath="$.b", OutputPath="$.b.r"), {"a": 1}, {"r": 2}, 2),
        (task(OutputPath=None), {"a": 1}, {"r": 2}, {}),
        ({"Type": "Pass"}, {"a": 1}, None, {"a": 1}),
        ({"Type": "Pass", "Result": None, "ResultPath": "$.n"}, {"a": 1}, None, {"a": 1, "n": None}),
        ({"Type": "Pass", "Parameters": {"b.$": "$.a"}}, {"a": 1}, None, {"b": 1}),
        ({"Type": "Pass", "Result": {"r.$": "$.a"}}, {"a": 1}, None, {"r.$": "$.a"}),
        ({"Type": "Wait", "Seconds": 1, "OutputPath": "$.a"}, {"a": 1}, None, 1),
        ({"Type": "Succeed", "InputPath": "$.a"}, {"a": 1}, None, 1),
    ],
)  # fmt: skip
def test_data_flows_through_a_state_as_the_states_language_says(
    fields: dict[str, Any], given: Json, result: Json, output: Json
) -> None:
    assert run(fields, given, result).output == output


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (task(InputPath="$.x"), "States.Runtime"),
        (task(OutputPath="$.x"), "States.Runtime"),
        (task(Parameters={"a.$": "$.x"}), "States.Runtime"),
        (task(ResultSelector={"a.$": "$.x"}), "States.Runtime"),
        (task(ResultPath="$.a.b"), "States.ResultPathMatchFailure"),
        (task(Parameters={"a.$": "States.StringToJson('{')"}), "States.IntrinsicFailure"),
        ({"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": 2, "Next": "End"}]},
         "States.NoChoiceMatched"),
    ],
)  # fmt: skip
def test_a_failure_has_the_error_name_that_aws_gives_it(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(StateFailure) as caught:
        run(fields, {"a": 1})
    assert caught.value.error == error


def test_a_choice_goes_where_its_first_matching_rule_says() -> None:
    rule = {"Variable": "$.a", "NumericEquals": 1, "Next": "End"}
    assert run({"Type": "Choice", "Choices": [rule]}, {"a": 1}) == Done({"a": 1}, "End")


def test_a_fail_state_takes_its_error_and_cause_from_the_data() -> None:
    state = {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('because of {}', $.why)"}
    with pytest.raises(StateFailure, match=r"^Bad: because of rain$"):
        run(state, {"e": "Bad", "why": "rain"})
    with pytest.raises(StateFailure, match=r"^States\.Runtime"):
        run(state, {"e": 3, "why": "rain"})


def test_state_over_262144_bytes_is_refused_wherever_it_appears() -> None:
    # Two quotes, and two bytes a letter: the limit is one of bytes in UTF-8, not of characters.
    most = "é" * ((DATA_LIMIT - 2) // 2)
    assert run({"Type": "Pass"}, most).output == most
    cases: list[tuple[dict[str, Any], Json, Json]] = [
        ({"Type": "Pass"}, most + "x", None),
        (task(), {}, most + "x"),
        (task(Parameters={"a.$": "$"}), most, {}),
        (task(ResultPath="$.b"), {"a": most[:-9]}, "x" * 20),
    ]
    for fields, given, result in cases:
        with pytest.raises(StateFailure) as caught:
            run(fields, given, result)
        assert caught.value.error == "States.DataLimitExceeded"
