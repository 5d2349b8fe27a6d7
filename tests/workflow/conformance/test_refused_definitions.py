"""Definitions that AWS documents as wrong are refused when they are loaded, with the place of what is wrong.

Only on this engine: moto refuses what its grammar cannot read, and much of this it can. Developer Guide, the page of
each state; States Language, "State Types".
"""

from typing import Any

import pytest

from scones.errors import DefinitionError
from scones.workflow.engine import load

END = {"Type": "Succeed"}
PASS = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:f", "End": True}
ONE = {"Variable": "$.a", "NumericEquals": 1}
DISTRIBUTED = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
ALL = {"ErrorEquals": ["States.ALL"]}


def flow(**states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def one(kind: str, **fields: Any) -> dict[str, Any]:
    """A machine of one state, which ends."""
    ends = {} if kind in ("Choice", "Succeed", "Fail") else {"End": True}
    return flow(A={"Type": kind, **ends, **fields})


def queries(**fields: Any) -> dict[str, Any]:
    """A Pass of JSONata."""
    return {**one("Pass", **fields), "QueryLanguage": "JSONata"}


def task(**fields: Any) -> dict[str, Any]:
    return flow(A={**TASK, **fields})


def choice(*rules: dict[str, Any]) -> dict[str, Any]:
    return flow(A={"Type": "Choice", "Choices": list(rules), "Default": "B"}, B=END)


def rule(**rule: Any) -> dict[str, Any]:
    return choice({"Variable": "$.a", "Next": "B", **rule})


def retry(*retriers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return task(Retry=[*retriers] or [{"ErrorEquals": ["Busy"], **fields}])


def catch(*catchers: dict[str, Any]) -> dict[str, Any]:
    return flow(A={**TASK, "Catch": list(catchers)}, B=END)


def mapping(processor: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return one("Map", **({"ItemProcessor": {**flow(B=PASS), **(processor or {})}} | fields))


def distributed(**fields: Any) -> dict[str, Any]:
    return mapping({"ProcessorConfig": DISTRIBUTED}, **fields)


def parallel(*branches: dict[str, Any], **states: dict[str, Any]) -> dict[str, Any]:
    """A Parallel that leads to the states beside it."""
    leads = {"Next": next(iter(states))} if states else {"End": True}
    return flow(A={"Type": "Parallel", "Branches": list(branches), **leads}, **states)


def assign(*names: str) -> dict[str, Any]:
    return {**PASS, "Assign": dict.fromkeys(names, 1)}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    # the machine
    "no StartAt": ({"States": {"A": END}}, "StartAt"),
    "StartAt at no state": ({"StartAt": "B", "States": {"A": END}}, "StartAt"),
    "no States": ({"StartAt": "A"}, "States"),
    "no state": ({"StartAt": "A", "States": {}}, "States"),
    "TimeoutSeconds that is no number": ({**flow(A=END), "TimeoutSeconds": "1"}, "TimeoutSeconds"),
    "another Version": ({**flow(A=END), "Version": "2.0"}, "Version"),
    "a field that there is not": ({**flow(A=END), "Timeout": 1}, "Timeout"),
    "a state's name of more than 80 characters": (flow(**{"A" * 81: END}), "States." + "A" * 81),
    "a name that two states have": (parallel(flow(B=PASS), flow(B=PASS)), "Branches[1].States.B"),
    # a state
    "no Type": (flow(A={"End": True}), "States.A.Type"),
    "a Type that there is not": (one("Sleep"), "States.A.Type"),
    "neither Next nor End": (flow(A={"Type": "Pass"}), "States.A.Next"),
    "Next beside End": (flow(A={**PASS, "Next": "B"}, B=END), "States.A.End"),
    "End that is no truth value": (flow(A={"Type": "Pass", "End": "true"}), "States.A.End"),
    "Next to no state": (flow(A={"Type": "Pass", "Next": "B"}), "States.A.Next"),
    "Next in the wrong case": (flow(A={"Type": "Pass", "Next": "b"}, B=END), "States.A.Next"),
    "Next out of a branch": (parallel(flow(B={"Type": "Pass", "Next": "C"}), C=END), "Branches[0].States.B.Next"),
    "Next into a branch": (parallel(flow(B=END), C={"Type": "Pass", "Next": "B"}), "States.C.Next"),
    "Next out of a Map": (
        flow(A={"Type": "Map", "ItemProcessor": flow(B={"Type": "Pass", "Next": "C"}), "Next": "C"}, C=END),
        "ItemProcessor.States.B.Next"),
    "ResultPath with a wildcard": (one("Pass", ResultPath="$.a[*]"), "States.A.ResultPath"),
    "ResultPath into the context object": (one("Pass", ResultPath="$$.a"), "States.A.ResultPath"),
    "ResultPath into a variable": (one("Pass", ResultPath="$v"), "States.A.ResultPath"),
    "InputPath that is no path": (one("Pass", InputPath="a"), "States.A.InputPath"),
    "Parameters that are no object": (one("Pass", Parameters=[1]), "States.A.Parameters"),
    ".$ with a number": (one("Pass", Parameters={"a.$": 1}), "States.A.Parameters.a.$"),
    ".$ with a text that is no path": (one("Pass", Parameters={"a.$": "b"}), "States.A.Parameters.a.$"),
    "a name with and without .$": (one("Pass", Parameters={"a": 1, "a.$": "$.b"}), "States.A.Parameters.a.$"),
    "a function that there is not": (one("Pass", Parameters={"a.$": "States.Sum(1)"}), "States.A.Parameters.a.$"),
    "a function with too few arguments": (one("Pass", Parameters={"a.$": "States.MathAdd(1)"}), "Parameters.a.$"),
    "a function without its bracket": (one("Pass", Parameters={"a.$": "States.Array(1"}), "Parameters.a.$"),
    "a text without its apostrophe": (one("Pass", Parameters={"a.$": "States.Array('a)"}), "Parameters.a.$"),
    # fields of other states
    "Pass with ResultSelector": (one("Pass", ResultSelector={}), "States.A.ResultSelector"),
    "Pass with Catch": (one("Pass", Catch=[]), "States.A.Catch"),
    "Wait with Parameters": (one("Wait", Seconds=1, Parameters={}), "States.A.Parameters"),
    "Wait with ResultPath": (one("Wait", Seconds=1, ResultPath="$"), "States.A.ResultPath"),
    "Choice with End": (flow(A={**choice(ONE)["States"]["A"], "End": True}, B=END), "States.A.End"),
    "Choice with Next": (flow(A={**choice(ONE)["States"]["A"], "Next": "B"}, B=END), "States.A.Next"),
    "Succeed with Next": (flow(A={**END, "Next": "B"}, B=END), "States.A.Next"),
    "Succeed with Assign": (one("Succeed", Assign={"v": 1}), "States.A.Assign"),
    "Succeed with ResultPath": (one("Succeed", ResultPath="$"), "States.A.ResultPath"),
    "Fail with Assign": (one("Fail", Assign={"v": 1}), "States.A.Assign"),
    "Fail with InputPath": (one("Fail", InputPath="$"), "States.A.InputPath"),
    "Fail with End": (one("Fail", End=True), "States.A.End"),
    "Fail with Error and ErrorPath": (one("Fail", Error="e", ErrorPath="$.e"), "States.A.ErrorPath"),
    "Fail with Cause and CausePath": (one("Fail", Cause="c", CausePath="$.c"), "States.A.CausePath"),
    "JSONata's fields in JSONPath": (one("Pass", Output="{% 1 %}"), "States.A.Output"),
    # query languages: AWS's own validation, as others have measured it
    "another QueryLanguage": ({**flow(A=END), "QueryLanguage": "jsonata"}, "QueryLanguage"),
    "a state of JSONPath in a machine of JSONata": (
        {**one("Pass", QueryLanguage="JSONPath"), "QueryLanguage": "JSONata"}, "States.A.QueryLanguage"),
    "QueryLanguage of a branch": (parallel({**flow(B=PASS), "QueryLanguage": "JSONata"}), "Branches[0].QueryLanguage"),
    "JSONPath's fields in JSONata": (queries(OutputPath="$"), "States.A.OutputPath"),
    "JSONata's Arguments of a Pass": (queries(Arguments={}), "States.A.Arguments"),
    "$ at the top level": (queries(Output="{% $.a %}"), "States.A.Output"),
    "$$": (queries(Output={"b": "{% $states.input[$$.a] %}"}), "States.A.Output.b"),
    "a bare name at the top level": (queries(Output={"b": ["{% phone %}"]}), "States.A.Output.b[0]"),
    "a bare name in a function": (queries(Output="{% $map([1], function($x) { b }) %}"), "States.A.Output"),
    "JSONata that cannot be read": (queries(Output="{% a[1,2) %}"), "States.A.Output"),
    "$states.errorOutput outside a Catch": (queries(Output="{% $states.errorOutput %}"), "States.A.Output"),
    "$states.result of a Pass": (queries(Assign={"v": "{% $states.result %}"}), "States.A.Assign.v"),
    "$eval": (queries(Output="{% $eval('1') %}"), "States.A.Output"),
    # Choice
    "no Choices": (flow(A={"Type": "Choice", "Default": "B"}, B=END), "States.A.Choices"),
    "no rule": (choice(), "States.A.Choices"),
    "Default to no state": (flow(A={"Type": "Choice", "Choices": [{**ONE, "Next": "B"}], "Default": "C"}, B=END),
                            "States.A.Default"),
    "a rule without Next": (choice(ONE), "States.A.Choices[0].Next"),
    "a rule without Variable": (choice({"NumericEquals": 1, "Next": "B"}), "States.A.Choices[0].Variable"),
    "a rule without an operator": (rule(), "States.A.Choices[0]"),
    "a rule with two operators": (rule(IsNumeric=True, NumericEquals=1), "States.A.Choices[0]"),
    "an operator that there is not": (rule(NumericUnequal=1), "States.A.Choices[0].NumericUnequal"),
    "StringEquals with a number": (rule(StringEquals=1), "States.A.Choices[0].StringEquals"),
    "NumericEquals with a text": (rule(NumericEquals="1"), "States.A.Choices[0].NumericEquals"),
    "BooleanEquals with a number": (rule(BooleanEquals=1), "States.A.Choices[0].BooleanEquals"),
    "TimestampEquals with a date": (rule(TimestampEquals="2026-03-14"), "States.A.Choices[0].TimestampEquals"),
    "IsPresent with a text": (rule(IsPresent="true"), "States.A.Choices[0].IsPresent"),
    "StringEqualsPath with a text": (rule(StringEqualsPath="b"), "States.A.Choices[0].StringEqualsPath"),
    "And of nothing": (choice({"And": [], "Next": "B"}), "States.A.Choices[0].And"),
    "And of no list": (choice({"And": ONE, "Next": "B"}), "States.A.Choices[0].And"),
    "Not of a list": (choice({"Not": [ONE], "Next": "B"}), "States.A.Choices[0].Not"),
    "Next in an inner rule": (choice({"Not": {**ONE, "Next": "B"}, "Next": "B"}), "States.A.Choices[0].Not.Next"),
    # Wait
    "Wait without a time": (one("Wait"), "States.A.Type"),
    "Wait with two times": (one("Wait", Seconds=1, SecondsPath="$.s"), "States.A.Type"),
    "Seconds below 0": (one("Wait", Seconds=-1), "States.A.Seconds"),
    "Seconds above 99,999,999": (one("Wait", Seconds=100_000_000), "States.A.Seconds"),
    "Seconds with a fraction": (one("Wait", Seconds=1.5), "States.A.Seconds"),
    "Timestamp without a zone": (one("Wait", Timestamp="2016-03-14T01:59:00"), "States.A.Timestamp"),
    "Timestamp with a small t": (one("Wait", Timestamp="2016-03-14t01:59:00Z"), "States.A.Timestamp"),
    # Task
    "no Resource": (one("Task"), "States.A.Resource"),
    "TimeoutSeconds 0": (task(TimeoutSeconds=0), "States.A.TimeoutSeconds"),
    "TimeoutSeconds and its Path": (task(TimeoutSeconds=1, TimeoutSecondsPath="$.t"), "States.A.TimeoutSecondsPath"),
    "HeartbeatSeconds that is no less": (task(TimeoutSeconds=5, HeartbeatSeconds=5), "States.A.HeartbeatSeconds"),
    "HeartbeatSeconds and its Path": (task(HeartbeatSeconds=1, HeartbeatSecondsPath="$.t"), "HeartbeatSecondsPath"),
    # Retry and Catch
    "Retry without ErrorEquals": (retry({"MaxAttempts": 1}), "States.A.Retry[0].ErrorEquals"),
    "Retry of no error": (retry({"ErrorEquals": []}), "States.A.Retry[0].ErrorEquals"),
    "Retry of States.ALL with another": (retry({"ErrorEquals": ["States.ALL", "Busy"]}), "Retry[0].ErrorEquals"),
    "Retry of States.ALL before another": (retry(ALL, {"ErrorEquals": ["Busy"]}), "States.A.Retry[0].ErrorEquals"),
    "IntervalSeconds 0": (retry(IntervalSeconds=0), "States.A.Retry[0].IntervalSeconds"),
    "MaxAttempts below 0": (retry(MaxAttempts=-1), "States.A.Retry[0].MaxAttempts"),
    "MaxAttempts above 99,999,999": (retry(MaxAttempts=100_000_000), "States.A.Retry[0].MaxAttempts"),
    "BackoffRate below 1": (retry(BackoffRate=0.5), "States.A.Retry[0].BackoffRate"),
    "MaxDelaySeconds 0": (retry(MaxDelaySeconds=0), "States.A.Retry[0].MaxDelaySeconds"),
    "MaxDelaySeconds above 31,622,400": (retry(MaxDelaySeconds=31_622_401), "States.A.Retry[0].MaxDelaySeconds"),
    "another JitterStrategy": (retry(JitterStrategy="SOME"), "States.A.Retry[0].JitterStrategy"),
    "Catch without Next": (catch(ALL), "States.A.Catch[0].Next"),
    "Catch to no state": (catch({**ALL, "Next": "C"}), "States.A.Catch[0].Next"),
    "Catch without ErrorEquals": (catch({"Next": "B"}), "States.A.Catch[0].ErrorEquals"),
    "Catch of States.ALL with another": (catch({"ErrorEquals": ["Busy", "States.ALL"], "Next": "B"}),
                                         "States.A.Catch[0].ErrorEquals"),
    "Catch of States.ALL before another": (
        catch({**ALL, "Next": "B"}, {"ErrorEquals": ["Busy"], "Next": "B"}), "States.A.Catch[0].ErrorEquals"),
    # Parallel and Map
    "no Branches": (one("Parallel"), "States.A.Branches"),
    "no branch": (one("Parallel", Branches=[]), "States.A.Branches"),
    "no ItemProcessor": (one("Map"), "States.A.ItemProcessor"),
    "ItemProcessor and Iterator": (mapping(Iterator=flow(C=PASS)), "States.A.ItemProcessor"),
    "ItemSelector and Parameters": (mapping(ItemSelector={}, Parameters={}), "States.A.Parameters"),
    "ItemsPath with a wildcard": (mapping(ItemsPath="$.a[*]"), "States.A.ItemsPath"),
    "MaxConcurrency below 0": (mapping(MaxConcurrency=-1), "States.A.MaxConcurrency"),
    "MaxConcurrency and its Path": (mapping(MaxConcurrency=1, MaxConcurrencyPath="$.m"), "MaxConcurrencyPath"),
    "a Mode that there is not": (mapping({"ProcessorConfig": {"Mode": "LOCAL"}}), "ProcessorConfig.Mode"),
    "DISTRIBUTED without ExecutionType": (mapping({"ProcessorConfig": {"Mode": "DISTRIBUTED"}}), "ExecutionType"),
    "ToleratedFailurePercentage above 100": (distributed(ToleratedFailurePercentage=101), "ToleratedFailurePercentage"),
    "ToleratedFailureCount and its Path": (
        distributed(ToleratedFailureCount=1, ToleratedFailureCountPath="$.n"), "ToleratedFailureCountPath"),
    "ToleratedFailurePercentage and its Path": (
        distributed(ToleratedFailurePercentage=1, ToleratedFailurePercentagePath="$.n"),
        "ToleratedFailurePercentagePath"),
    "a Label of more than 40 characters": (distributed(Label="l" * 41), "States.A.Label"),
    "a Label with a blank": (distributed(Label="a b"), "States.A.Label"),
    "a Label with a colon": (distributed(Label="a:b"), "States.A.Label"),
    # variables
    "Assign that is no object": (one("Pass", Assign=[1]), "States.A.Assign"),
    "Assign to the reserved name": (flow(A=assign("states")), "States.A.Assign.states"),
    "Assign to a part of a variable": (flow(A=assign("x.y")), "States.A.Assign.x.y"),
    "Assign to an item of a variable": (flow(A=assign("x[2]")), "States.A.Assign.x[2]"),
    "a variable's name that begins with a digit": (flow(A=assign("1x")), "States.A.Assign.1x"),
    "a variable's name of more than 80 characters": (flow(A=assign("x" * 81)), "States.A.Assign." + "x" * 81),
    "Assign in an inner rule": (choice({"Not": {**ONE, "Assign": {"v": 1}}, "Next": "B"}), "Choices[0].Not.Assign"),
    "Assign in a branch to a variable from outside": (
        flow(S={**assign("v"), "End": False, "Next": "A"},
             A={"Type": "Parallel", "Branches": [flow(B=assign("v"))], "End": True}), "States.B.Assign.v"),
    "Assign in a Map to a variable that is assigned after it": (
        flow(A={"Type": "Map", "ItemProcessor": flow(B=assign("v")), "Assign": {"v": 1}, "End": True}),
        "States.B.Assign.v"),
    "Assign in a Map in a Map to a variable from outside": (
        flow(A={"Type": "Map", "End": True, "Assign": {"v": 1}, "ItemProcessor": flow(
            B={"Type": "Map", "ItemProcessor": flow(C=assign("v")), "End": True})}), "States.C.Assign.v"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_wrong_definition_is_refused_with_the_place_of_what_is_wrong(name: str) -> None:
    definition, place = CASES[name]

    with pytest.raises(DefinitionError) as refused:
        load(definition)

    assert f"{place}: " in str(refused.value)


def test_two_branches_may_assign_to_variables_of_one_name() -> None:
    machine = load(parallel(flow(B=assign("v")), flow(C=assign("v"))))

    assert set(machine.states) == {"A", "B", "C"}
