"""The context object, ``$$``, where it can be read and what it holds.

Developer Guide, "Accessing execution data from the Context object in Step Functions".
"""

from collections.abc import Callable
from typing import Any

import pytest

TIME = "States.ArrayLength(States.StringSplit({}, 'TZ'))"
"""2 for a time with a T, in UTC."""


def picks(**template: Any) -> dict[str, Any]:
    """A Pass whose output is a payload template's payload; a name stands for ``name.$``."""
    return {"Type": "Pass", "Parameters": {f"{name}.$": value for name, value in template.items()}}


def item(of: str, text: str) -> str:
    """An item of a text that is split at colons, counted from 0."""
    return f"States.ArrayGetItem(States.StringSplit({of}, ':'), {text})"


def mapping(each: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A Map over ``[7, 8]`` whose items go through one state."""
    processor = {"StartAt": "B", "States": {"B": {**each, "End": True}}}
    return {"state": {"Type": "Map", "ItemProcessor": processor, **fields}, "given": [7, 8]}


CASES: dict[str, dict[str, Any]] = {
    "the execution's name": {"state": picks(x="$$.Execution.Name"), "output": {"x": "execution"}},
    "the execution's input": {"state": picks(x="$$.Execution.Input.a"), "given": {"a": 1}, "output": {"x": 1}},
    "the execution's input stays what it was": {
        "machine": {"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Result": 2, "Next": "B"}, "B": {**picks(x="$$.Execution.Input"), "End": True},
        }}, "given": 1, "output": {"x": 1},
    },
    "the execution's id is its ARN": {
        "state": picks(x=item("$$.Execution.Id", "5"), y=item("$$.Execution.Id", "6"), z=item("$$.Execution.Id", "7")),
        "output": {"x": "execution", "y": "machine", "z": "execution"},
    },
    "the execution's start time": {"state": picks(x=TIME.format("$$.Execution.StartTime")), "output": {"x": 2}},
    "the execution's start time is a timestamp": {
        "machine": {"StartAt": "A", "States": {
            "A": {"Type": "Choice", "Choices": [
                {"Variable": "$$.Execution.StartTime", "IsTimestamp": True, "Next": "B"}]},
            "B": {"Type": "Succeed"},
        }}, "given": 1, "output": 1,
    },
    "how often the execution was redriven": {"state": picks(x="$$.Execution.RedriveCount"), "output": {"x": 0}},
    "the state's name": {
        "machine": {"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Next": "B b"}, "B b": {**picks(x="$$.State.Name"), "End": True},
        }}, "output": {"x": "B b"},
    },
    "the time when the state was entered": {"state": picks(x=TIME.format("$$.State.EnteredTime")), "output": {"x": 2}},
    "the machine's name": {"state": picks(x="$$.StateMachine.Name"), "output": {"x": "machine"}},
    "the machine's id is its ARN": {
        "state": picks(x=item("$$.StateMachine.Id", "5"), y=item("$$.StateMachine.Id", "6")),
        "output": {"x": "stateMachine", "y": "machine"},
    },
    "a part of it as an object": {
        "state": picks(x="States.JsonToString($$.StateMachine.Name)"), "output": {"x": '"machine"'},
    },
    "what it does not hold is States.Runtime": {
        "state": picks(x="$$.Execution.Nothing"), "error": "States.Runtime",
    },
    "the state's name in a branch is that of its own state": {
        "state": {"Type": "Parallel", "Branches": [
            {"StartAt": "B", "States": {"B": {**picks(x="$$.State.Name"), "End": True}}}]},
        "output": [{"x": "B"}],
    },
    "the items of a Map in its ItemSelector": {
        **mapping({"Type": "Pass"}, ItemSelector={"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"}),
        "output": [{"i": 0, "v": 7}, {"i": 1, "v": 8}],
    },
    "where the items of a Map come from": {
        **mapping({"Type": "Pass"}, ItemSelector={"s.$": "$$.Map.Item.Source"}), "output": [{"s": "STATE_DATA"}] * 2,
    },
    "the items of a Map in a function": {
        **mapping({"Type": "Pass"}, ItemSelector={
            "s.$": "States.Format('{}/{}', $$.Map.Item.Index, $$.Map.Item.Value)"}),
        "output": [{"s": "0/7"}, {"s": "1/8"}],
    },
    "no items outside a Map": {"state": picks(x="$$.Map.Item.Index"), "error": "States.Runtime"},
    "ItemsPath into the context object": {
        **mapping({"Type": "Pass"}, ItemsPath="$$.Execution.Input.l"), "given": {"l": [1, 2]}, "output": [1, 2],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
