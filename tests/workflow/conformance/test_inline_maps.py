"""Map, inline: where its items come from, what they get, what they give, and what becomes of a failure.

Developer Guide, "Using Map state in Inline mode"; States Language, "Map State".
"""

from collections.abc import Callable
from typing import Any

import pytest

PASS = {"Type": "Pass"}
FAIL = {"Type": "Fail", "Error": "Busy", "Cause": "why"}
ALL = {"ErrorEquals": ["States.ALL"]}
SHIPPED = {
    "ship-date": "2016-03-14T01:59:00Z",
    "detail": {
        "delivery-partner": "UQS",
        "shipped": [{"prod": "R31", "quantity": 1344}, {"prod": "S39", "quantity": 40}],
    },
}


def flow(**states: dict[str, Any]) -> dict[str, Any]:
    """A flow of states that starts at the first; a state without an end ends."""
    return {
        "StartAt": next(iter(states)),
        "States": {
            name: state if {"Next", "End"} & state.keys() or state["Type"] in ("Choice", "Fail", "Succeed")
            else {**state, "End": True} for name, state in states.items()
        },
    }  # fmt: skip


def mapping(each: dict[str, Any] | None = None, given: Any = (1, 2, 3), **fields: Any) -> dict[str, Any]:
    """A Map whose items go through one state, or a flow of them."""
    processor = flow(B=each or PASS) if each is None or "Type" in each else each
    return {"state": {"Type": "Map", "ItemProcessor": processor, **fields}, "given": given}


def caught(catch: dict[str, Any], **case: Any) -> dict[str, Any]:
    """A Map with a Catch that leads to a Pass."""
    return {**case, "machine": flow(A={**case["state"], "Catch": [{**catch, "Next": "Z"}]}, Z=PASS)}


def picks(**template: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Parameters": {f"{name}.$": value for name, value in template.items()}}


def task(name: str) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"}


TWOS_FAIL = flow(
    B={"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "C"}], "Default": "D"},
    C=FAIL,
    D=PASS,
)

CASES: dict[str, dict[str, Any]] = {
    "the outputs stand in the order of the items": {**mapping(picks(x="$")), "output": [{"x": 1}, {"x": 2}, {"x": 3}]},
    "an item that takes longer keeps its place": {
        **mapping(flow(
            B={"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "C"}], "Default": "E"},
            C={**PASS, "Next": "D"}, D={**PASS, "Next": "E"}, E=PASS,
        )), "output": [1, 2, 3],
    },
    "an empty list gives an empty list": {**mapping(FAIL, []), "output": []},
    "items may be of any type": {**mapping(given=[None, "x", [1], {}]), "output": [None, "x", [1], {}]},
    "ItemsPath selects the items": {**mapping(given={"l": [1, 2]}, ItemsPath="$.l"), "output": [1, 2]},
    "ItemsPath selects from what InputPath left": {
        **mapping(given={"a": {"l": [1]}, "l": [2]}, InputPath="$.a", ItemsPath="$.l"), "output": [1],
    },
    "ItemsPath into an item of an array": {**mapping(given={"l": [[1], [2, 3]]}, ItemsPath="$.l[1]"), "output": [2, 3]},
    "ItemSelector makes what each item gets": {
        **mapping(given=SHIPPED, InputPath="$.detail", ItemsPath="$.shipped", MaxConcurrency=0,
                  ItemSelector={"parcel.$": "$$.Map.Item.Value", "courier.$": "$.delivery-partner"}),
        "output": [{"parcel": item, "courier": "UQS"} for item in SHIPPED["detail"]["shipped"]],  # type: ignore[index]
    },
    "ItemSelector with the numbers of the items": {
        **mapping(given=["a", "b"], ItemSelector={"i.$": "$$.Map.Item.Index"}), "output": [{"i": 0}, {"i": 1}],
    },
    "ItemSelector with constants and functions": {
        **mapping(given=["a"], ItemSelector={"c": [1], "f.$": "States.Format('{}!', $$.Map.Item.Value)"}),
        "output": [{"c": [1], "f": "a!"}],
    },
    "an ItemSelector path that leads nowhere is States.Runtime": {
        **mapping(given=[1], ItemSelector={"x.$": "$.b"}), "error": "States.Runtime",
    },
    "ResultSelector makes the result anew": {
        **mapping(ResultSelector={"n.$": "States.ArrayLength($)", "last.$": "$[2]"}), "output": {"n": 3, "last": 3},
    },
    "ResultPath puts the outputs into the input": {
        **mapping({"Type": "Pass", "Result": 0}, SHIPPED, InputPath="$.detail", ItemsPath="$.shipped",
                  ResultPath="$.detail.shipped"),
        "output": {**SHIPPED, "detail": {"delivery-partner": "UQS", "shipped": [0, 0]}},
    },
    "ResultPath null drops the outputs": {
        **mapping(given={"l": [1]}, ItemsPath="$.l", ResultPath=None), "output": {"l": [1]},
    },
    "OutputPath selects from the outputs": {**mapping(OutputPath="$[1]"), "output": 2},
    "MaxConcurrency 1 takes one item after the other": {**mapping(MaxConcurrency=1), "output": [1, 2, 3]},
    "MaxConcurrency 2": {**mapping(given=list(range(9)), MaxConcurrency=2), "output": list(range(9))},
    "MaxConcurrencyPath": {
        **mapping(given={"l": [1, 2], "n": 1}, ItemsPath="$.l", MaxConcurrencyPath="$.n"), "output": [1, 2],
    },
    "MaxConcurrencyPath to a text is States.Runtime": {
        **mapping(given={"l": [1, 2], "n": "1"}, ItemsPath="$.l", MaxConcurrencyPath="$.n"), "error": "States.Runtime",
    },
    "MaxConcurrencyPath to a negative number is States.Runtime": {
        **mapping(given={"l": [1, 2], "n": -1}, ItemsPath="$.l", MaxConcurrencyPath="$.n"), "error": "States.Runtime",
    },
    "more items than run at the same time": {**mapping(given=list(range(60))), "output": list(range(60))},
    "the old names Iterator and Parameters": {
        "state": {"Type": "Map", "Iterator": flow(B=PASS), "ItemsPath": "$.l",
                  "Parameters": {"v.$": "$$.Map.Item.Value", "a.$": "$.a"}},
        "given": {"l": [1, 2], "a": 0}, "output": [{"v": 1, "a": 0}, {"v": 2, "a": 0}],
    },
    "the mode may be named": {
        "state": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **flow(B=PASS)}},
        "given": [1], "output": [1],
    },
    "a Map in a Map": {
        **mapping({"Type": "Map", "ItemProcessor": flow(C=picks(x="$"))}, [[1, 2], [], [3]]),
        "output": [[{"x": 1}, {"x": 2}], [], [{"x": 3}]],
    },
    "a Map in a Map has the items of its own": {
        **mapping({"Type": "Map", "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"},
                   "ItemProcessor": flow(C=PASS)}, [["a"], ["b"]]),
        "output": [[{"i": 0, "v": "a"}], [{"i": 0, "v": "b"}]],
    },
    "a Parallel in a Map": {
        **mapping({"Type": "Parallel", "Branches": [flow(C=PASS), flow(D=picks(x="$"))]}, [1, 2]),
        "output": [[1, {"x": 1}], [2, {"x": 2}]],
    },
    "a Task in a Map": {**mapping(task("B"), [1, 2]), "answers": {"B": {"r": 0}}, "output": [{"r": 0}, {"r": 0}]},
    "a Succeed ends its own item only": {
        **mapping(flow(B={"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "C"}],
                          "Default": "D"}, C={"Type": "Succeed"}, D={"Type": "Pass", "Result": 0})),
        "output": [0, 2, 0],
    },
    # failures
    "an item that fails fails the whole": {**mapping(TWOS_FAIL), "error": "Busy", "cause": "why"},
    "an input that is no list is States.Runtime": {**mapping(given={"a": 1}), "error": "States.Runtime"},
    "an ItemsPath to no list is States.Runtime": {
        **mapping(given={"l": "abc"}, ItemsPath="$.l"), "error": "States.Runtime",
    },
    "an ItemsPath that leads nowhere is States.Runtime": {
        **mapping(given={"a": 1}, ItemsPath="$.l"), "error": "States.Runtime",
    },
    "an item that fails stops the others": {
        **mapping(flow(B={"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "C"}],
                          "Default": "D"}, C=FAIL, D={"Type": "Wait", "Seconds": 60})),
        "error": "Busy", "cause": "why",
    },
    "Catch of an item's error": {
        **caught({"ErrorEquals": ["Busy"]}, **mapping(TWOS_FAIL)), "output": {"Error": "Busy", "Cause": "why"},
    },
    "Catch with ResultPath": {
        **caught({**ALL, "ResultPath": "$.error"}, **mapping(TWOS_FAIL, {"l": [1, 2]}, ItemsPath="$.l")),
        "output": {"l": [1, 2], "error": {"Error": "Busy", "Cause": "why"}},
    },
    "Catch in an item": {
        **mapping(flow(B={**task("B"), "Catch": [{**ALL, "Next": "C"}]}, C=PASS), [1, 2]), "answers": {"B": "!Busy"},
        "output": [{"Error": "Busy", "Cause": "…"}] * 2,
    },
    "Retry begins all items anew": {
        **mapping(task("B"), [1], Retry=[{"ErrorEquals": ["Busy"]}]), "answers": {"B": ["!Busy", 2]}, "output": [2],
    },
    "Retry in an item": {
        **mapping({**task("B"), "Retry": [{"ErrorEquals": ["Busy"]}]}, [1]), "answers": {"B": ["!Busy", 2]},
        "output": [2],
    },
    "outputs that are too long together are States.DataLimitExceeded": {
        **mapping({"Type": "Pass", "Parameters": {"x.$": "$", "y.$": "$"}}, ["x" * 99_000, "y" * 99_000]),
        "error": "States.DataLimitExceeded",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
