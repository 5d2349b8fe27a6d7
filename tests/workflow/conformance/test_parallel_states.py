"""Parallel: branches with one input, their outputs in order, and what becomes of a failure.

Developer Guide, "Parallel workflow state"; States Language, "Parallel State".
"""

from collections.abc import Callable
from typing import Any

import pytest


def branch(*states: dict[str, Any], name: str = "B") -> dict[str, Any]:
    """States in a row, named ``B0``, ``B1``, …"""
    names = [f"{name}{number}" for number in range(len(states))]
    rows = zip(names, states, [*names[1:], None], strict=True)
    return {
        "StartAt": names[0],
        "States": {this: {**state, **onward(state, then)} for this, state, then in rows},
    }


def onward(state: dict[str, Any], then: str | None) -> dict[str, Any]:
    if state["Type"] in ("Succeed", "Fail"):
        return {}
    return {"End": True} if then is None else {"Next": then}


def parallel(*branches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A Parallel of branches of one state each, or of whole branches."""
    listed = [
        one if "StartAt" in one else branch(one, name="BCDE"[number]) for number, one in enumerate(branches)
    ]  # fmt: skip
    return {"Type": "Parallel", "Branches": listed, **fields}


def caught(state: dict[str, Any], catch: dict[str, Any]) -> dict[str, Any]:
    """A Parallel with a Catch that leads to a Pass."""
    return {"StartAt": "A", "States": {
        "A": {**state, "Catch": [{**catch, "Next": "Z"}], "End": True}, "Z": {"Type": "Pass", "End": True},
    }}  # fmt: skip


PASS = {"Type": "Pass"}
FAIL = {"Type": "Fail", "Error": "Busy", "Cause": "why"}
ALL = {"ErrorEquals": ["States.ALL"]}


def gives(value: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Result": value}


def task(name: str) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"}


CASES: dict[str, dict[str, Any]] = {
    "the outputs stand in the order of the branches": {
        "state": parallel(gives(1), gives(2), gives(3)), "output": [1, 2, 3],
    },
    "a branch that takes longer keeps its place": {
        "state": parallel(branch(*[PASS] * 5, gives(1), name="X"), gives(2)), "output": [1, 2],
    },
    "the outputs may be of any type": {
        "state": parallel(gives(None), gives("x"), gives([1]), gives({})), "output": [None, "x", [1], {}],
    },
    "each branch gets the input": {"state": parallel(PASS, PASS), "given": {"a": 1}, "output": [{"a": 1}, {"a": 1}]},
    "one branch is enough": {"state": parallel(PASS), "given": 1, "output": [1]},
    "InputPath selects what the branches get": {
        "state": parallel(PASS, PASS, InputPath="$.a"), "given": {"a": 1}, "output": [1, 1],
    },
    "Parameters make what the branches get": {
        "state": parallel(PASS, {"Type": "Pass", "OutputPath": "$.x"}, Parameters={"x.$": "$.a", "y": 2}),
        "given": {"a": 1}, "output": [{"x": 1, "y": 2}, 1],
    },
    "ResultSelector makes the result anew": {
        "state": parallel(gives(1), gives({"b": 2}), ResultSelector={"one.$": "$[0]", "two.$": "$[1]"}),
        "output": {"one": 1, "two": {"b": 2}},
    },
    "ResultSelector flattens": {
        "state": parallel(gives([1, 2]), gives([3]), ResultSelector={"all.$": "$[*][*]"}), "output": {"all": [1, 2, 3]},
    },
    "ResultPath adds the outputs to the input": {
        "state": parallel(gives(1), gives(2), ResultPath="$.r"), "given": {"a": 0}, "output": {"a": 0, "r": [1, 2]},
    },
    "ResultPath null drops the outputs": {
        "state": parallel(gives(1), ResultPath=None), "given": {"a": 0}, "output": {"a": 0},
    },
    "OutputPath selects from the outputs": {
        "state": parallel(gives(1), gives({"b": 2}), OutputPath="$[1]"), "output": {"b": 2},
    },
    "ResultSelector, ResultPath and OutputPath in this order": {
        "state": parallel(gives(1), ResultSelector={"x.$": "$[0]"}, ResultPath="$.r.s", OutputPath="$.r"),
        "given": {"a": 0}, "output": {"s": {"x": 1}},
    },
    "a Succeed ends its own branch only": {
        "state": parallel({"Type": "Succeed"}, branch(PASS, gives(2), name="X")), "given": 1, "output": [1, 2],
    },
    "a branch may choose": {
        "state": parallel({"StartAt": "B", "States": {
            "B": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "C"}], "Default": "D"},
            "C": {**gives("one"), "End": True}, "D": {**gives("other"), "End": True},
        }}), "given": 1, "output": ["one"],
    },
    "a branch may hold a Parallel": {
        "state": parallel(parallel(branch(gives(1), name="X"), branch(gives(2), name="Y")), gives(3)),
        "output": [[1, 2], 3],
    },
    "a Parallel goes on to the next state": {
        "machine": {"StartAt": "A", "States": {
            "A": {**parallel(gives(1), gives(2)), "Next": "Z"},
            "Z": {"Type": "Pass", "Parameters": {"n.$": "States.ArrayLength($)"}, "End": True},
        }}, "output": {"n": 2},
    },
    # failures
    "a branch that fails fails the whole": {"state": parallel(gives(1), FAIL), "error": "Busy", "cause": "why"},
    "a function that fails in a branch fails the whole": {
        "state": parallel(gives(1), branch(task("T0"), name="T")), "answers": {"T0": "!Busy"}, "error": "Busy",
    },
    "a branch that fails stops the others": {
        "state": parallel({"Type": "Wait", "Seconds": 60}, FAIL), "error": "Busy", "cause": "why",
    },
    "a Choice without a match in a branch fails the whole": {
        "state": parallel({"StartAt": "B", "States": {
            "B": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "C"}]},
            "C": {"Type": "Succeed"},
        }}), "given": 2, "error": "States.NoChoiceMatched",
    },
    "a Catch in a branch keeps the others at work": {
        "state": parallel(gives(1), {"StartAt": "T", "States": {
            "T": {**task("T"), "Catch": [{**ALL, "Next": "U"}], "End": True}, "U": {"Type": "Pass", "End": True},
        }}), "answers": {"T": "!Busy"}, "output": [1, {"Error": "Busy", "Cause": "…"}],
    },
    "Catch of a branch's error": {
        "machine": caught(parallel(gives(1), FAIL), {"ErrorEquals": ["Busy"]}),
        "output": {"Error": "Busy", "Cause": "why"},
    },
    "Catch of States.ALL": {
        "machine": caught(parallel(gives(1), FAIL), ALL), "output": {"Error": "Busy", "Cause": "why"},
    },
    "Catch of States.TaskFailed": {
        "machine": caught(parallel(branch(task("T0"), name="T")), {"ErrorEquals": ["States.TaskFailed"]}),
        "answers": {"T0": "!Busy"}, "output": {"Error": "Busy", "Cause": "…"},
    },
    "Catch with ResultPath": {
        "machine": caught(parallel(FAIL), {**ALL, "ResultPath": "$.error"}), "given": {"a": 1},
        "output": {"a": 1, "error": {"Error": "Busy", "Cause": "why"}},
    },
    "Catch adds to the raw input, whatever Parameters make": {
        "machine": caught(parallel(FAIL, Parameters={"x": 1}), {**ALL, "ResultPath": "$.error.first"}),
        "given": {"a": 1}, "output": {"a": 1, "error": {"first": {"Error": "Busy", "Cause": "why"}}},
    },
    "Catch of another error does not fit": {
        "machine": caught(parallel(FAIL), {"ErrorEquals": ["Idle"]}), "error": "Busy", "cause": "why",
    },
    "Catch of a Parallel around a Parallel": {
        "machine": caught(parallel(parallel(branch(FAIL, name="X"))), {"ErrorEquals": ["Busy"]}),
        "output": {"Error": "Busy", "Cause": "why"},
    },
    "Retry of a Parallel begins all branches anew": {
        "state": parallel(gives(1), branch(task("T0"), name="T"), Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 1}]),
        "answers": {"T0": ["!Busy", 2]}, "output": [1, 2],
    },
    "Retry of a Parallel that is used up": {
        "state": parallel(FAIL, Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 2}]), "error": "Busy", "cause": "why",
    },
    "Retry of a Task in a branch": {
        "state": parallel({"StartAt": "T", "States": {
            "T": {**task("T"), "Retry": [{"ErrorEquals": ["Busy"]}], "End": True}}}),
        "answers": {"T": ["!Busy", 2]}, "output": [2],
    },
    "a path in Parameters that leads nowhere is States.Runtime": {
        "state": parallel(PASS, Parameters={"x.$": "$.b"}), "error": "States.Runtime",
    },
    "outputs that are too long together are States.DataLimitExceeded": {
        "state": parallel(PASS, PASS), "given": "x" * 150_000, "error": "States.DataLimitExceeded",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
