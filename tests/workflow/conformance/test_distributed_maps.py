"""Map, distributed, with items of the input: executions of its own, and how many of them may fail.

Readers, batches and written results, which moto cannot run, have their tests beside the engine's own.
Developer Guide, "Using Map state in Distributed mode for large-scale parallel workloads".
"""

from collections.abc import Callable
from typing import Any

import pytest

PASS = {"Type": "Pass", "End": True}
CONFIG = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
ONLY_ONES = {
    "StartAt": "B",
    "States": {
        "B": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "D"}], "Default": "C"},
        "C": {"Type": "Fail", "Error": "Busy", "Cause": "why"},
        "D": PASS,
    },
}
EXCEEDED = "States.ExceedToleratedFailureThreshold"


def mapping(processor: dict[str, Any] | None = None, given: Any = (1, 2, 3), **fields: Any) -> dict[str, Any]:
    """A distributed Map, of a Pass without a processor."""
    flow = processor or {"StartAt": "B", "States": {"B": PASS}}
    state = {"Type": "Map", "ItemProcessor": {"ProcessorConfig": CONFIG, **flow}, **fields}
    return {"state": state, "given": given}


def picks(**template: Any) -> dict[str, Any]:
    """A processor of one Pass whose output is a payload template's payload; a name stands for ``name.$``."""
    parameters = {f"{name}.$": value for name, value in template.items()}
    return {"StartAt": "B", "States": {"B": {"Type": "Pass", "Parameters": parameters, "End": True}}}


def counted(case: dict[str, Any], number: int) -> dict[str, Any]:
    """A Map of which only the number of results is compared: of those that failed, each says much about itself."""
    case["state"]["ResultSelector"] = {"n.$": "States.ArrayLength($)"}
    return {**case, "output": {"n": number}}


CASES: dict[str, dict[str, Any]] = {
    "the outputs stand in the order of the items": {**mapping(picks(x="$")), "output": [{"x": 1}, {"x": 2}, {"x": 3}]},
    "an empty list gives an empty list": {**mapping(given=[]), "output": []},
    "ItemsPath selects the items": {**mapping(given={"l": [1, 2]}, ItemsPath="$.l"), "output": [1, 2]},
    "ItemSelector makes what each item gets": {
        **mapping(given={"l": ["a"], "b": 2}, ItemsPath="$.l",
                  ItemSelector={"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "b.$": "$.b"}),
        "output": [{"i": 0, "v": "a", "b": 2}],
    },
    "an item is an execution's input": {
        **mapping(picks(x="$$.Execution.Input.a"), given=[{"a": 7}]), "output": [{"x": 7}],
    },
    "ResultSelector, ResultPath and OutputPath": {
        **mapping(given={"l": [1, 2]}, ItemsPath="$.l", ResultSelector={"n.$": "States.ArrayLength($)"},
                  ResultPath="$.r", OutputPath="$.r.n"), "output": 2,
    },
    "MaxConcurrency": {**mapping(MaxConcurrency=2), "output": [1, 2, 3]},
    "MaxConcurrencyPath": {
        **mapping(given={"l": [1, 2], "n": 1}, ItemsPath="$.l", MaxConcurrencyPath="$.n"), "output": [1, 2],
    },
    "a Label": {**mapping(Label="each-one"), "output": [1, 2, 3]},
    "Assign has the outputs": {
        "machine": {"StartAt": "A", "States": {
            "A": {**mapping()["state"], "Assign": {"v.$": "$"}, "ResultPath": None, "Next": "Z"},
            "Z": {"Type": "Pass", "Parameters": {"v.$": "$v"}, "End": True},
        }}, "given": [1, 2], "output": {"v": [1, 2]},
    },
    "an item has variables of its own": {
        **mapping({"StartAt": "B", "States": {
            "B": {"Type": "Pass", "Assign": {"v.$": "$"}, "Next": "C"},
            "C": {"Type": "Pass", "Parameters": {"v.$": "$v"}, "End": True},
        }}), "output": [{"v": 1}, {"v": 2}, {"v": 3}],
    },
    "an item does not read a variable from outside": {
        "machine": {"StartAt": "S", "States": {
            "S": {"Type": "Pass", "Assign": {"v": 1}, "Next": "A"},
            "A": {**mapping(picks(v="$v"))["state"], "End": True},
        }}, "given": [1], "status": "FAILED",
    },
    "ItemSelector reads a variable": {
        "machine": {"StartAt": "S", "States": {
            "S": {"Type": "Pass", "Assign": {"v": 1}, "Next": "A"},
            "A": {**mapping(ItemSelector={"v.$": "$v"})["state"], "End": True},
        }}, "given": [7], "output": [{"v": 1}],
    },
    "an object gives a child for each of its members": counted(mapping(given={"a": 1, "b": 2}), 2),
    # failures
    "an item that fails fails the whole": {**mapping(ONLY_ONES, [1, 2]), "error": EXCEEDED},
    "ToleratedFailureCount that is not exceeded": counted(mapping(ONLY_ONES, [1, 2, 1], ToleratedFailureCount=1), 3),
    "ToleratedFailureCount that is exceeded": {
        **mapping(ONLY_ONES, [1, 2, 2], ToleratedFailureCount=1), "error": EXCEEDED,
    },
    "ToleratedFailureCount 0": {**mapping(ONLY_ONES, [1, 2], ToleratedFailureCount=0), "error": EXCEEDED},
    "ToleratedFailurePercentage that is not exceeded": counted(
        mapping(ONLY_ONES, [1, 2, 1, 2], ToleratedFailurePercentage=50), 4),
    "ToleratedFailurePercentage that is exceeded": {
        **mapping(ONLY_ONES, [1, 2, 2, 2], ToleratedFailurePercentage=50), "error": EXCEEDED,
    },
    "ToleratedFailurePercentage 100": counted(mapping(ONLY_ONES, [2, 2], ToleratedFailurePercentage=100), 2),
    "of both thresholds the one that is exceeded counts": {
        **mapping(ONLY_ONES, [1, 2, 2, 1], ToleratedFailurePercentage=90, ToleratedFailureCount=1), "error": EXCEEDED,
    },
    "ToleratedFailureCountPath": counted(
        mapping(ONLY_ONES, {"l": [1, 2], "n": 1}, ItemsPath="$.l", ToleratedFailureCountPath="$.n"), 2),
    "ToleratedFailurePercentagePath": counted(
        mapping(ONLY_ONES, {"l": [1, 2], "n": 50}, ItemsPath="$.l", ToleratedFailurePercentagePath="$.n"), 2),
    "ToleratedFailureCountPath to a text is States.Runtime": {
        **mapping(ONLY_ONES, {"l": [1, 2], "n": "1"}, ItemsPath="$.l", ToleratedFailureCountPath="$.n"),
        "error": "States.Runtime",
    },
    "ToleratedFailurePercentagePath to more than 100 is States.Runtime": {
        **mapping(ONLY_ONES, {"l": [1, 2], "n": 101}, ItemsPath="$.l", ToleratedFailurePercentagePath="$.n"),
        "error": "States.Runtime",
    },
    "Catch of the threshold": {
        "machine": {"StartAt": "A", "States": {
            "A": {**mapping(ONLY_ONES)["state"], "Catch": [{"ErrorEquals": [EXCEEDED], "Next": "Z"}], "End": True},
            "Z": PASS,
        }}, "given": [1, 2], "output": {"Error": EXCEEDED, "Cause": "…"},
    },
    "Catch of the items' own error does not fit": {
        "machine": {"StartAt": "A", "States": {
            "A": {**mapping(ONLY_ONES)["state"], "Catch": [{"ErrorEquals": ["Busy"], "Next": "Z"}], "End": True},
            "Z": PASS,
        }}, "given": [1, 2], "error": EXCEEDED,
    },
    "an ItemsPath to no list is States.Runtime": {
        **mapping(given={"l": "abc"}, ItemsPath="$.l"), "error": "States.Runtime",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
