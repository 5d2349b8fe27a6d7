"""How data flows through a state: InputPath, Parameters, ResultSelector, ResultPath, OutputPath, and paths.

Developer Guide, "Processing input and output"; States Language, "Paths" and "Input and Output Processing".
"""

from collections.abc import Callable
from typing import Any

import pytest

ROBOT = {"name": "R2", "parts": [{"id": 1, "kind": "arm"}, {"id": 2, "kind": "leg"}, {"id": 3, "kind": "arm"}]}
TASK = {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:A"}
INVOKE = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "A", "Payload.$": "$"},
}
DEEP = {"a": {"b": {"c": [10, 20, 30]}, "d e": 4, "f.g": 5, "h-i": 6, "j_k": 7}}


def picks(**template: Any) -> dict[str, Any]:
    """A state whose output is a payload template's payload; a name stands for ``name.$``."""
    return {"Type": "Pass", "Parameters": {f"{name}.$": value for name, value in template.items()}}


def path(text: str, given: Any, output: Any) -> dict[str, Any]:
    """What a path finds in the input."""
    return {"state": picks(x=text), "given": given, "output": {"x": output}}


CASES: dict[str, dict[str, Any]] = {
    "a Pass passes its input on": {"state": {"Type": "Pass"}, "given": {"a": 1}, "output": {"a": 1}},
    "an input may be a text": {"state": {"Type": "Pass"}, "given": "text", "output": "text"},
    "an input may be null": {"state": {"Type": "Pass"}, "given": None, "output": None},
    "an input may be an array": {"state": {"Type": "Pass"}, "given": [1, 2], "output": [1, 2]},
    "without an input the input is an empty object": {"state": {"Type": "Pass"}, "output": {}},
    # InputPath
    "InputPath selects a part of the input": {
        "state": {"Type": "Pass", "InputPath": "$.a"}, "given": {"a": {"b": 1}}, "output": {"b": 1},
    },
    "InputPath null gives an empty object": {
        "state": {"Type": "Pass", "InputPath": None}, "given": {"a": 1}, "output": {},
    },
    "InputPath may read the context object": {
        "state": {"Type": "Pass", "InputPath": "$$.Execution.Input"}, "given": {"a": 1}, "output": {"a": 1},
    },
    "InputPath with a slice gives an array": {
        "state": {"Type": "Pass", "InputPath": "$.a[0:2]"}, "given": {"a": [1, 2, 3, 4]}, "output": [1, 2],
    },
    "InputPath with several indexes gives an array": {
        "state": {"Type": "Pass", "InputPath": "$.a[0,1]"}, "given": {"a": [1, 2, 3, 4]}, "output": [1, 2],
    },
    "an InputPath that leads nowhere is States.Runtime": {
        "state": {"Type": "Pass", "InputPath": "$.b"}, "given": {"a": 1}, "error": "States.Runtime",
    },
    "an InputPath into null is States.Runtime": {
        "state": {"Type": "Pass", "InputPath": "$.a.b"}, "given": {"a": None}, "error": "States.Runtime",
    },
    # Parameters
    "Parameters without .$ are constants": {
        "state": {"Type": "Pass", "Parameters": {"a": 1, "b": "$.c", "d": [None, True, {}]}}, "given": {"c": 2},
        "output": {"a": 1, "b": "$.c", "d": [None, True, {}]},
    },
    "Parameters select from the input that InputPath left": {
        "state": {"Type": "Pass", "InputPath": "$.a", "Parameters": {"x.$": "$.b"}}, "given": {"a": {"b": 1}, "b": 2},
        "output": {"x": 1},
    },
    "Parameters select however deep a .$ stands": {
        "state": {"Type": "Pass", "Parameters": {"a": {"b": [{"c.$": "$.d"}]}}}, "given": {"d": 1},
        "output": {"a": {"b": [{"c": 1}]}},
    },
    "Parameters may read the context object": {
        "state": picks(name="$$.State.Name"), "output": {"name": "A"},
    },
    "Parameters may take the whole input": {"state": picks(all="$"), "given": [1], "output": {"all": [1]}},
    "a path in Parameters that leads nowhere is States.Runtime": {
        "state": picks(x="$.b"), "given": {"a": 1}, "error": "States.Runtime",
    },
    "an index behind the end in Parameters is States.Runtime": {
        "state": picks(x="$.a[3]"), "given": {"a": [1]}, "error": "States.Runtime",
    },
    "a path in Parameters of a Task that leads nowhere is States.Runtime": {
        "state": {**TASK, "Parameters": {"x.$": "$.b"}}, "answers": {"A": 1}, "error": "States.Runtime",
    },
    # Result, ResultPath, OutputPath
    "Result takes the place of the input": {
        "state": {"Type": "Pass", "Result": {"r": [1]}}, "given": {"a": 1}, "output": {"r": [1]},
    },
    "a Result is no template": {"state": {"Type": "Pass", "Result": {"r.$": "$.a"}}, "output": {"r.$": "$.a"}},
    "a Result may be false": {"state": {"Type": "Pass", "Result": False}, "output": False},
    "a Result may be zero": {"state": {"Type": "Pass", "Result": 0}, "output": 0},
    "a Result may be null": {
        "state": {"Type": "Pass", "Result": None, "ResultPath": "$.r"}, "given": {"a": 1},
        "output": {"a": 1, "r": None},
    },
    "ResultPath adds the result to the input": {
        "state": {"Type": "Pass", "Result": 2, "ResultPath": "$.r"}, "given": {"a": 1}, "output": {"a": 1, "r": 2},
    },
    "ResultPath replaces what is there": {
        "state": {"Type": "Pass", "Result": 2, "ResultPath": "$.a"}, "given": {"a": {"b": 1}, "c": 3},
        "output": {"a": 2, "c": 3},
    },
    "ResultPath makes the objects on its way": {
        "state": {"Type": "Pass", "Result": "Hi!", "ResultPath": "$.b.greeting"}, "given": {"a": 1},
        "output": {"a": 1, "b": {"greeting": "Hi!"}},
    },
    "ResultPath adds beside what is there": {
        "state": {"Type": "Pass", "Result": 6, "ResultPath": "$.master.result.sum"},
        "given": {"master": {"detail": [1, 2, 3]}}, "output": {"master": {"detail": [1, 2, 3], "result": {"sum": 6}}},
    },
    "ResultPath in brackets": {
        "state": {"Type": "Pass", "Result": 2, "ResultPath": "$['r']['s']"}, "given": {"a": 1},
        "output": {"a": 1, "r": {"s": 2}},
    },
    "ResultPath into an item of an array": {
        "state": {"Type": "Pass", "Result": 9, "ResultPath": "$.a[1]"}, "given": {"a": [1, 2, 3]},
        "output": {"a": [1, 9, 3]},
    },
    "ResultPath $ takes the place of the input": {
        "state": {"Type": "Pass", "Result": 2, "ResultPath": "$"}, "given": {"a": 1}, "output": 2,
    },
    "ResultPath null drops the result": {
        "state": {"Type": "Pass", "Result": 2, "ResultPath": None}, "given": {"a": 1}, "output": {"a": 1},
    },
    "ResultPath adds to the raw input, whatever InputPath selects": {
        "state": {"Type": "Pass", "InputPath": "$.a", "ResultPath": "$.b"}, "given": {"a": 1, "c": 2},
        "output": {"a": 1, "c": 2, "b": 1},
    },
    "a ResultPath into a text is States.ResultPathMatchFailure": {
        "state": {"Type": "Pass", "Result": 1, "ResultPath": "$.x"}, "given": "foo",
        "error": "States.ResultPathMatchFailure",
    },
    "a ResultPath into a number is States.ResultPathMatchFailure": {
        "state": {"Type": "Pass", "Result": 1, "ResultPath": "$.a.b"}, "given": {"a": 1},
        "error": "States.ResultPathMatchFailure",
    },
    "OutputPath selects a part of the output": {
        "state": {"Type": "Pass", "OutputPath": "$.a"}, "given": {"a": {"b": 1}}, "output": {"b": 1},
    },
    "OutputPath null gives an empty object": {
        "state": {"Type": "Pass", "OutputPath": None}, "given": {"a": 1}, "output": {},
    },
    "OutputPath may read the context object": {
        "state": {"Type": "Pass", "OutputPath": "$$.Execution.Name"}, "output": "execution",
    },
    "OutputPath selects from what ResultPath made": {
        "state": {"Type": "Pass", "Result": {"c": 2}, "ResultPath": "$.b", "OutputPath": "$.b.c"}, "given": {"a": 1},
        "output": 2,
    },
    "an OutputPath that leads nowhere is States.Runtime": {
        "state": {"Type": "Pass", "OutputPath": "$.b"}, "given": {"a": 1}, "error": "States.Runtime",
    },
    # the result of a Task
    "a function's answer is the output": {"state": TASK, "answers": {"A": {"r": 1}}, "given": 1, "output": {"r": 1}},
    "a function may answer null": {"state": TASK, "answers": {"A": None}, "output": None},
    "lambda:invoke answers with its metadata": {
        "state": {**INVOKE, "ResultSelector": {"p.$": "$.Payload", "s.$": "$.StatusCode", "v.$": "$.ExecutedVersion"}},
        "answers": {"A": [{"r": 1}]}, "output": {"p": {"r": 1}, "s": 200, "v": "$LATEST"},
    },
    "ResultSelector makes the result anew": {
        "state": {**TASK, "ResultSelector": {"x.$": "$.r[0]", "y": 2}}, "answers": {"A": {"r": [1]}},
        "output": {"x": 1, "y": 2},
    },
    "ResultSelector may read the context object": {
        "state": {**TASK, "ResultSelector": {"x.$": "$$.Execution.Input.a"}}, "answers": {"A": 0}, "given": {"a": 1},
        "output": {"x": 1},
    },
    "ResultSelector comes before ResultPath, and OutputPath after it": {
        "state": {**TASK, "ResultSelector": {"x.$": "$.r"}, "ResultPath": "$.got", "OutputPath": "$.got.x"},
        "answers": {"A": {"r": 1}}, "given": {"a": 1}, "output": 1,
    },
    "ResultSelector flattens an array of arrays": {
        "state": {**TASK, "ResultSelector": {"flat.$": "$[*][*]"}}, "answers": {"A": [[[1, 2], [3], []]]},
        "output": {"flat": [1, 2, 3]},
    },
    "a path in ResultSelector that leads nowhere is States.Runtime": {
        "state": {**TASK, "ResultSelector": {"x.$": "$.b"}}, "answers": {"A": {}},
        "error": "States.Runtime",
    },
    # paths
    "a path with an index": path("$.a.b.c[1]", DEEP, 20),
    "a path through an item of an array": path("$.parts[1].kind", ROBOT, "leg"),
    "a path with an index from the end": path("$.a.b.c[-1]", DEEP, 30),
    "a path with a slice": path("$.a.b.c[1:3]", DEEP, [20, 30]),
    "a path with a slice from the end": path("$.vals[-3:]", {"vals": [0, 10, 20, 30]}, [10, 20, 30]),
    "a path with a slice and a step": path("$.a.b.c[0:3:2]", DEEP, [10, 30]),
    "a path in brackets with a blank": path("$.a['d e']", DEEP, 4),
    "a path with a dot before its brackets": path("$.a.['d e']", DEEP, 4),
    "a path in brackets with a dot": path("$.a['f.g']", DEEP, 5),
    "a path in brackets with a hyphen": path("$['a']['h-i']", DEEP, 6),
    "a path in brackets with double quotes": path('$["a"]["j_k"]', DEEP, 7),
    "a path with letters that are not ASCII": path("$.größe.中", {"größe": {"中": 1}}, 1),
    "a path to all items": path("$.parts[*].kind", ROBOT, ["arm", "leg", "arm"]),
    "a path to all members": path("$.*", {"a": 1, "b": [2]}, [1, [2]]),
    "a path to members however deep": path("$..id", ROBOT, [1, 2, 3]),
    "a filter by a text": path("$.parts[?(@.kind == 'arm')].id", ROBOT, [1, 3]),
    "a filter by a number": path("$.parts[?(@.id > 1)].kind", ROBOT, ["leg", "arm"]),
    "a filter with and": path("$.parts[?(@.id > 1 && @.kind == 'arm')].id", ROBOT, [3]),
    "a filter with or": path("$.parts[?(@.id == 1 || @.kind == 'leg')].id", ROBOT, [1, 2]),
    "a filter by presence": path("$.a[?(@.b)]", {"a": [{"b": 1}, {"c": 2}]}, [{"b": 1}]),
    "a filter that finds nothing gives an empty array": path("$.parts[?(@.id > 9)]", ROBOT, []),
    "a path to a null finds it": path("$.a", {"a": None}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
