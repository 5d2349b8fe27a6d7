"""Tasks that start executions of other machines, and wait for them or not.

Developer Guide, "Start a new AWS Step Functions state machine from a running execution".
"""

from collections.abc import Callable
from typing import Any

import pytest

PREFIX = "arn:aws:states:eu-west-1:123456789012:stateMachine:"
DOUBLE = {
    "StartAt": "B",
    "States": {"B": {"Type": "Pass", "Parameters": {"d.$": "States.Array($.a, $.a)"}, "End": True}},
}
FAIL = {"StartAt": "B", "States": {"B": {"Type": "Fail", "Error": "Busy", "Cause": "why"}}}
SLOW = {"StartAt": "B", "TimeoutSeconds": 1, "States": {"B": {"Type": "Wait", "Seconds": 9, "End": True}}}


def start(pattern: str, child: dict[str, Any], machine: str = "child", /, **fields: Any) -> dict[str, Any]:
    """A Task that starts an execution of a child machine with ``{"a": 1}``."""
    parameters = {"StateMachineArn": PREFIX + machine, "Input": {"a.$": "$.a"}, **fields.pop("Parameters", {})}
    task = {
        "Type": "Task", "Resource": f"arn:aws:states:::states:startExecution{pattern}", "Parameters": parameters,
        **fields,
    }  # fmt: skip
    return {"state": task, "given": {"a": 1}, "others": {"child": child}}


def caught(case: dict[str, Any], *errors: str) -> dict[str, Any]:
    """The same with a Catch."""
    state = {**case["state"], "Catch": [{"ErrorEquals": list(errors), "ResultPath": None, "Next": "Z"}], "End": True}
    return {
        **case,
        "machine": {"StartAt": "A", "States": {"A": state, "Z": {"Type": "Pass", "Result": 0, "End": True}}},
    }


TEXT = {"s.$": "$.Status", "o.$": "States.StringToJson($.Output)", "i.$": "States.StringToJson($.Input)"}

CASES: dict[str, dict[str, Any]] = {
    "startExecution does not wait for the end": {
        **start("", SLOW, ResultSelector={"n.$": "States.ArrayLength(States.StringSplit($.ExecutionArn, ':'))"}),
        "output": {"n": 8},
    },
    "startExecution tells when it started": {
        **start("", DOUBLE, ResultSelector={"n.$": "States.ArrayLength(States.StringSplit($.StartDate, 'T'))"}),
        "output": {"n": 2},
    },
    "startExecution does not fail where its execution does": {
        **start("", FAIL, ResultSelector={"done": True}), "output": {"done": True},
    },
    "sync:2 gives the output as JSON": {
        **start(".sync:2", DOUBLE, ResultSelector={"s.$": "$.Status", "o.$": "$.Output"}),
        "output": {"s": "SUCCEEDED", "o": {"d": [1, 1]}},
    },
    "sync:2 gives the input as JSON": {
        **start(".sync:2", DOUBLE, ResultSelector={"i.$": "$.Input.a"}), "output": {"i": 1},
    },
    "sync gives input and output as JSON text": {
        **start(".sync", DOUBLE, ResultSelector=TEXT),
        "output": {"s": "SUCCEEDED", "o": {"d": [1, 1]}, "i": {"a": 1}},
    },
    "sync:2 with a name": {
        **start(".sync:2", DOUBLE, Parameters={"Name": "second"}, ResultSelector={"n.$": "$.Name"}),
        "output": {"n": "second"},
    },
    "sync:2 tells the machine": {
        **start(".sync:2", DOUBLE, ResultSelector={
            "m.$": "States.ArrayGetItem(States.StringSplit($.StateMachineArn, ':'), 6)"}), "output": {"m": "child"},
    },
    "an execution that fails is States.TaskFailed for sync:2": {**start(".sync:2", FAIL), "error": "States.TaskFailed"},
    "an execution that fails is States.TaskFailed for sync": {**start(".sync", FAIL), "error": "States.TaskFailed"},
    "an execution that times out is States.TaskFailed for its parent": {
        **start(".sync:2", SLOW), "error": "States.TaskFailed",
    },
    "Catch of an execution that fails": {**caught(start(".sync:2", FAIL), "States.TaskFailed"), "output": 0},
    "Catch of the execution's own error does not fit": {
        **caught(start(".sync:2", FAIL), "Busy"), "error": "States.TaskFailed",
    },
    "a machine that there is not is an error of the service": {
        **start(".sync:2", DOUBLE, "other"), "error": "StepFunctions.StateMachineDoesNotExistException",
    },
    "a name that is no name is an error of the service": {
        **start("", DOUBLE, Parameters={"Name": "no name"}), "error": "StepFunctions.InvalidNameException",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
