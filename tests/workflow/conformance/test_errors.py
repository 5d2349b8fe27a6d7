"""Errors: their names, and what Retry and Catch make of them.

Developer Guide, "Handling errors in Step Functions workflows"; States Language, "Error Handling".
"""

from collections.abc import Callable
from typing import Any

import pytest

TASK = {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:A"}
INVOKE = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "A"}}
LONG = "x" * 262_144
HALF = "x" * 150_000


def retry(*errors: str, **fields: Any) -> dict[str, Any]:
    return {"ErrorEquals": list(errors), **fields}


def task(answers: Any, *, retries: Any = (), catches: Any = (), **fields: Any) -> dict[str, Any]:
    """A Task with these answers; each Catch leads to a state of the name that it has, which adds that name."""
    state = {**TASK, **fields, "End": True}
    if retries:
        state["Retry"] = list(retries)
    if catches:
        state["Catch"] = [{**catch, "Next": next_name} for next_name, catch in catches]
    ends = {name: {"Type": "Pass", "Result": name, "ResultPath": "$.at", "End": True} for name, _ in catches}
    return {"machine": {"StartAt": "A", "States": {"A": state, **ends}}, "answers": {"A": answers}, "given": {"a": 1}}


CAUGHT = {"Error": "Busy", "Cause": "…", "at": "B"}
ALL = ("B", {"ErrorEquals": ["States.ALL"]})

CASES: dict[str, dict[str, Any]] = {
    "an exception of a function ends the execution under its name": {**task("!Busy"), "error": "Busy"},
    "an exception through lambda:invoke has its own name too": {
        "state": INVOKE, "answers": {"A": "!Busy"}, "error": "Busy",
    },
    # Catch
    "Catch by name": {**task("!Busy", catches=[("B", retry("Busy"))]), "output": CAUGHT},
    "Catch by one of several names": {**task("!Busy", catches=[("B", retry("Idle", "Busy"))]), "output": CAUGHT},
    "Catch of States.ALL": {**task("!Busy", catches=[ALL]), "output": CAUGHT},
    "Catch of States.TaskFailed": {**task("!Busy", catches=[("B", retry("States.TaskFailed"))]), "output": CAUGHT},
    "the first Catch that fits counts": {
        **task("!Busy", catches=[("B", retry("Busy")), ("C", retry("States.ALL"))]), "output": CAUGHT,
    },
    "a later Catch counts where the first does not fit": {
        **task("!Busy", catches=[("C", retry("Idle")), ("B", retry("States.ALL"))]), "output": CAUGHT,
    },
    "error names tell upper from lower case": {**task("!Busy", catches=[("B", retry("busy"))]), "error": "Busy"},
    "a part of a name does not fit": {**task("!BusyBee", catches=[("B", retry("Busy"))]), "error": "BusyBee"},
    "States.Timeout does not fit another error": {
        **task("!Busy", catches=[("B", retry("States.Timeout"))]), "error": "Busy",
    },
    "Catch with ResultPath adds the error to the input": {
        **task("!Busy", catches=[("B", retry("Busy", ResultPath="$.error"))]),
        "output": {"a": 1, "error": {"Error": "Busy", "Cause": "…"}, "at": "B"},
    },
    "Catch with ResultPath null keeps the input": {
        **task("!Busy", catches=[("B", retry("Busy", ResultPath=None))]), "output": {"a": 1, "at": "B"},
    },
    "Catch adds to the raw input, and no OutputPath follows": {
        **task("!Busy", catches=[("B", retry("Busy", ResultPath="$.error"))], InputPath="$.x", OutputPath="$.x"),
        "given": {"x": {"y": 1}}, "output": {"x": {"y": 1}, "error": {"Error": "Busy", "Cause": "…"}, "at": "B"},
    },
    "a Catch of an error of which nothing is caught ends the execution": {
        **task("!Busy", catches=[("B", retry("Idle"))]), "error": "Busy",
    },
    # Retry
    "Retry until it works": {
        **task(["!Busy", "!Busy", {"r": 1}], retries=[retry("Busy", MaxAttempts=2)]), "output": {"r": 1},
    },
    "Retry three times without MaxAttempts": {
        **task(["!Busy", "!Busy", "!Busy", 3], retries=[retry("Busy")]), "output": 3,
    },
    "Retry three times and no more without MaxAttempts": {
        **task(["!Busy", "!Busy", "!Busy", "!Busy", 4], retries=[retry("Busy")]), "error": "Busy",
    },
    "Retry no more than MaxAttempts": {
        **task(["!Busy", "!Busy", 2], retries=[retry("Busy", MaxAttempts=1)]), "error": "Busy",
    },
    "Retry never with MaxAttempts 0": {
        **task(["!Busy", 1], retries=[retry("Busy", MaxAttempts=0), retry("States.ALL")]), "error": "Busy",
    },
    "Retry of another name does not fit": {**task(["!Busy", 1], retries=[retry("Idle")]), "error": "Busy"},
    "Retry of States.TaskFailed": {**task(["!Busy", 1], retries=[retry("States.TaskFailed")]), "output": 1},
    "Retry comes before Catch": {
        **task(["!Busy", {}], retries=[retry("Busy")], catches=[ALL]), "output": {},
    },
    "Catch where the tries are used up": {
        **task("!Busy", retries=[retry("Busy", MaxAttempts=1)], catches=[ALL]), "output": CAUGHT,
    },
    "each Retry counts its own tries": {
        **task(["!A", "!B", "!A", "!B", {}], retries=[retry("A", MaxAttempts=2), retry("B", MaxAttempts=2)]),
        "output": {},
    },
    "a Retry that is used up ends all tries": {
        **task(["!A", "!B", "!C", "!B"], catches=[("B", retry("States.ALL"))], retries=[
            retry("A", "B", IntervalSeconds=1, BackoffRate=2.0, MaxAttempts=2), retry("C", IntervalSeconds=5),
        ]),
        "output": {"Error": "B", "Cause": "…", "at": "B"},
    },
    "Retry with all its fields": {
        **task(["!Busy", "!Busy", 2], retries=[
            retry("Busy", IntervalSeconds=1, MaxAttempts=5, BackoffRate=1.5, MaxDelaySeconds=2, JitterStrategy="FULL"),
        ]),
        "output": 2,
    },
    "the context object counts the tries": {
        **task(["!Busy", "!Busy", 0], retries=[retry("Busy")], ResultSelector={"n.$": "$$.State.RetryCount"}),
        "output": {"n": 2},
    },
    # States.Runtime and its like
    "States.ALL does not catch States.Runtime": {
        **task(0, catches=[ALL], InputPath="$.nowhere"), "error": "States.Runtime",
    },
    "States.ALL does not retry States.Runtime": {
        **task(0, retries=[retry("States.ALL")], OutputPath="$.nowhere"), "error": "States.Runtime",
    },
    "States.ALL catches States.ResultPathMatchFailure": {
        **task(0, catches=[("B", retry("States.ALL", ResultPath=None))], ResultPath="$.a.b"),
        "output": {"a": 1, "at": "B"},
    },
    "States.Runtime is not caught, not even by its name": {
        **task(0, catches=[("B", retry("States.Runtime", ResultPath=None))], Parameters={"x.$": "$.b"}),
        "error": "States.Runtime",
    },
    "Catch of States.IntrinsicFailure": {
        **task(0, catches=[("B", retry("States.IntrinsicFailure", ResultPath=None))],
               ResultSelector={"x.$": "States.StringToJson('{')"}),
        "output": {"a": 1, "at": "B"},
    },
    # States.DataLimitExceeded
    "a function's answer that is too long is States.DataLimitExceeded": {
        **task(LONG), "error": "States.DataLimitExceeded",
    },
    "an output that is too long is States.DataLimitExceeded": {
        **task(HALF, ResultPath="$.b"), "given": {"a": HALF}, "error": "States.DataLimitExceeded",
    },
    "an effective input that is too long is States.DataLimitExceeded": {
        **task(0, Parameters={"x.$": "$.a", "y.$": "$.a"}), "given": {"a": HALF}, "error": "States.DataLimitExceeded",
    },
    "an output of a Pass that is too long is States.DataLimitExceeded": {
        "state": {"Type": "Pass", "Parameters": {"x.$": "$", "y.$": "$"}}, "given": HALF,
        "error": "States.DataLimitExceeded",
    },
    "States.ALL does not catch States.DataLimitExceeded": {
        **task(LONG, catches=[ALL]), "error": "States.DataLimitExceeded",
    },
    "States.DataLimitExceeded can be caught by name": {
        **task(LONG, catches=[("B", retry("States.DataLimitExceeded"))]),
        "output": {"Error": "States.DataLimitExceeded", "Cause": "…", "at": "B"},
    },
    # Fail
    "Fail": {"state": {"Type": "Fail", "Error": "ErrorA", "Cause": "Kaiju"}, "error": "ErrorA", "cause": "Kaiju"},
    "Fail without an Error": {"state": {"Type": "Fail", "Cause": "Kaiju"}, "error": "", "cause": "Kaiju"},
    "Fail without anything": {"state": {"Type": "Fail"}, "error": ""},
    "Fail with ErrorPath and CausePath": {
        "state": {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c[0]"}, "given": {"e": "E", "c": ["why"]},
        "error": "E", "cause": "why",
    },
    "Fail with functions": {
        "state": {"Type": "Fail", "ErrorPath": "States.Format('{}', $.e)",
                  "CausePath": "States.Format('for {}, by {}.', $.e, $.c)"},
        "given": {"e": "E", "c": "C"}, "error": "E", "cause": "for E, by C.",
    },
    "Fail with a function that gives JSON text": {
        "state": {"Type": "Fail", "Error": "E", "CausePath": "States.JsonToString($.c)"}, "given": {"c": {"d": 1}},
        "error": "E", "cause": '{"d":1}',
    },
    "Fail with a path into the context object": {
        "state": {"Type": "Fail", "ErrorPath": "$$.State.Name", "Cause": "c"}, "error": "A", "cause": "c",
    },
    "an ErrorPath to a number is States.Runtime": {
        "state": {"Type": "Fail", "ErrorPath": "$.e"}, "given": {"e": 1}, "error": "States.Runtime",
    },
    "a CausePath that leads nowhere is States.Runtime": {
        "state": {"Type": "Fail", "Error": "E", "CausePath": "$.c"}, "error": "States.Runtime",
    },
    # Succeed
    "Succeed": {"state": {"Type": "Succeed"}, "given": {"a": 1}, "output": {"a": 1}},
    "Succeed has InputPath and OutputPath": {
        "state": {"Type": "Succeed", "InputPath": "$.a", "OutputPath": "$.b"}, "given": {"a": {"b": 1}}, "output": 1,
    },
    "Succeed with OutputPath null": {"state": {"Type": "Succeed", "OutputPath": None}, "given": 1, "output": {}},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
