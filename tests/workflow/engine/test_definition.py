import json
from typing import Any

import pytest

from scones.errors import DefinitionError
from scones.workflow.engine import load
from scones.workflow.engine.machine import Task

INVOKE = "arn:aws:states:::lambda:invoke"


def problems_of(definition: Any, substitutions: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        load(definition, substitutions)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def with_state(**fields: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": fields}}


def task(**fields: Any) -> dict[str, Any]:
    parameters = {"FunctionName": "f"}
    return with_state(**{"Type": "Task", "Resource": INVOKE, "Parameters": parameters, "End": True, **fields})


def test_a_definition_is_read_from_text_with_its_substitutions() -> None:
    text = json.dumps(task(Parameters={"FunctionName": "${Serialize}", "Payload.$": "$"}, TimeoutSeconds=3))
    machine = load(text, {"Serialize": "serialize_image", "Unused": "x"})
    state = machine.states["A"]
    assert isinstance(state, Task)
    assert (state.timeout, state.next) == (3, None)
    assert state.parameters is not None
    assert state.parameters["FunctionName"] == "serialize_image"
    assert machine.hash == load(machine.text).hash


def test_all_problems_come_at_once_each_with_its_place() -> None:
    found = problems_of(
        {
            "StartAt": "Classify",
            "Timeout": 3,
            "States": {
                "Classify": {
                    "Type": "Task",
                    "Resource": INVOKE,
                    "Parameters": {"FunctionName": "${Classify}", "Payload.$": "$.[", "Typo": 1},
                    "Retry": [{"ErrorEquals": []}, {"ErrorEquals": ["States.Timeoutt"], "MaxAttempts": -1}],
                    "Catch": [
                        {"ErrorEquals": ["States.ALL", "X"], "Next": "Gone"},
                        {"ErrorEquals": ["Y"], "Next": "Done"},
                    ],
                    "ResultPath": "$$.x",
                    "Next": "Fan",
                },
                "Fan": {"Type": "Parallel", "Next": "Done"},
                "Done": {"Type": "Succeed", "Color": "red"},
                "Lost": {"Type": "Pass"},
            },
        }
    )
    starts = [
        "Timeout: no field that this engine knows in a state machine",
        "States.Classify.Parameters.FunctionName: ${Classify} has no value",
        "States.Classify.Parameters.Payload.$: ",
        "States.Classify.Parameters.Typo: not supported for arn:aws:states:::lambda:invoke",
        "States.Classify.Retry[0].ErrorEquals: must be a list of at least one error name",
        "States.Classify.Retry[1].ErrorEquals: States.Timeoutt is no error name",
        "States.Classify.Retry[1].MaxAttempts: must be a whole number from 0",
        "States.Classify.Catch[0].ErrorEquals: States.ALL must stand alone",
        "States.Classify.Catch[0].ErrorEquals: States.ALL must be in the last entry",
        "States.Classify.Catch[0].Next: there is no state 'Gone'",
        "States.Classify.ResultPath: $$.x lies in the context object",
        "States.Fan.Branches: must be a list of at least one branch",
        "States.Done.Color: no field that this engine knows in a Succeed state",
        "States.Lost.Next: is missing",
        "States.Lost: no other state leads here",
    ]
    missing = [start for start in starts if not any(problem.startswith(start) for problem in found)]
    assert not missing, found
    assert len(found) == len(starts), found


def test_an_unknown_type_of_state_is_refused_with_those_that_there_are() -> None:
    [problem] = problems_of(with_state(Type="Mapp"))
    assert problem.startswith("States.A.Type: Mapp is not a type of state: use one of Choice, Fail, Map, ")


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        ("{", "the document: is no JSON"),
        ('{"StartAt": "A", "TimeoutSeconds": NaN}', "the document: is no JSON"),
        ("[]", "the document: must be a JSON object"),
        ({}, "StartAt: is missing"),
        ({"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}, "StartAt: there is no state 'B'"),
        ({"StartAt": "A", "States": {}}, "States: must be a JSON object of at least one state"),
        ({"StartAt": "A", "States": {"A": 3}}, "States.A: must be a JSON object"),
        ({**with_state(Type="Succeed"), "QueryLanguage": "JMESPath"}, "QueryLanguage: must be JSONPath or JSONata"),
        (with_state(Type="Succeed", QueryLanguage="jsonata"), "States.A.QueryLanguage: must be JSONPath or JSONata"),
        ({**with_state(Type="Succeed"), "TimeoutSeconds": 0}, "TimeoutSeconds: must be a whole number from 1"),
        (with_state(), "States.A.Type: is missing"),
        (task(Resource="arn:aws:states:::sqs:sendMessage"), "States.A.Resource: 'arn:aws:states:::sqs:sendMessage' is"),
        (
            task(Resource="arn:aws:states:::lambda:invoke.waitForTaskToken"),
            "States.A.Parameters: must hand on $$.Task.Token",
        ),
        (task(Parameters={}), "States.A.Parameters.FunctionName: is missing"),
        (task(Parameters={"FunctionName": "f", "Payload": {"x.$": 3}}), "States.A.Parameters.Payload.x.$: a key that"),
        (task(Parameters={"FunctionName": "f", "FunctionName.$": "$.f"}), "States.A.Parameters.FunctionName.$: Func"),
        (task(ResultSelector=[1]), "States.A.ResultSelector: must be a JSON object"),
        (task(InputPath=3), "States.A.InputPath: must be a path"),
        (task(ResultPath="$.a[*]"), "States.A.ResultPath: "),
        (task(End="yes"), "States.A.End: must be true or false"),
        (task(Next="A"), "States.A.End: cannot stand beside Next"),
        (task(Retry={}), "States.A.Retry: must be a list"),
        (task(Retry=[3]), "States.A.Retry[0]: must be a JSON object"),
        (task(Retry=[{"ErrorEquals": ["E"], "BackoffRate": 0.5}]), "States.A.Retry[0].BackoffRate: must be a number"),
        (task(Retry=[{"ErrorEquals": ["E"], "IntervalSeconds": 9, "MaxDelaySeconds": 9}]), "States.A.Retry[0].MaxDel"),
        (task(Retry=[{"ErrorEquals": ["E"], "JitterStrategy": "HALF"}]), "States.A.Retry[0].JitterStrategy: must be"),
        (with_state(Type="Choice", Choices=[]), "States.A.Choices: must be a list of at least one rule"),
        (with_state(Type="Choice", Choices=[{"Variable": "$.a", "IsNull": True}]), "States.A.Choices[0].Next: is miss"),
        (with_state(Type="Wait", End=True), "States.A.Type: a Wait needs one of Seconds, SecondsPath, Timestamp, Tim"),
        (with_state(Type="Wait", Seconds=1, SecondsPath="$.s", End=True), "States.A.Type: a Wait needs one of"),
        (with_state(Type="Wait", Timestamp="2026-11-20 10:00", End=True), "States.A.Timestamp: must be an RFC 3339"),
        (with_state(Type="Fail", Error="E", ErrorPath="$.e"), "States.A.ErrorPath: cannot stand beside Error"),
        (with_state(Type="Fail", CausePath="States.Nope()"), "States.A.CausePath: States.Nope is not supported"),
    ],
)
def test_a_faulty_definition_is_refused_with_the_place(definition: Any, problem: str) -> None:
    found = problems_of(definition)
    assert any(line.startswith(problem) for line in found), found


def test_a_state_name_that_stands_twice_is_no_silent_loss() -> None:
    text = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "A": {"Type": "Fail"}}}'
    assert problems_of(text) == ["the document: A stands twice in the same object"]


def test_a_loaded_machine_cannot_be_changed() -> None:
    machine = load(with_state(Type="Succeed"))
    with pytest.raises(TypeError):
        machine.states["B"] = machine.states["A"]  # type: ignore[index]
