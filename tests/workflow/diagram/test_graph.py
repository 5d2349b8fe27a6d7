"""What a definition's rules, states and edges are called."""

from typing import Any

import pytest

from scones.errors import DefinitionError
from scones.workflow.diagram import draw, read_graph, walk
from scones.workflow.diagram.details import state_detail
from scones.workflow.diagram.rules import rule_text


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"Variable": "$.a", "StringEquals": "x"}, '$.a = "x"'),
        ({"Variable": "$.a", "StringGreaterThanPath": "$.b"}, "$.a > $.b"),
        ({"Variable": "$.a", "NumericLessThanEquals": 3.5}, "$.a ≤ 3.5"),
        ({"Variable": "$.a", "TimestampLessThan": "2026-11-20T00:00:00Z"}, "$.a < 2026-11-20T00:00:00Z"),
        ({"Variable": "$.a", "StringMatches": "*.png"}, '$.a like "*.png"'),
        ({"Variable": "$.a", "IsPresent": True}, "$.a is present"),
        ({"Variable": "$.a", "IsNumeric": False}, "$.a is not a number"),
        ({"Not": {"Variable": "$.a", "BooleanEquals": False}}, "not ($.a = false)"),
        (
            {"And": [{"Variable": "$.a", "IsNull": True}, {"Or": [{"Variable": "$.b", "NumericEquals": 1}] * 2}]},
            "$.a is null and ($.b = 1 or $.b = 1)",
        ),
        ({"Condition": "{% $n > 3 %}"}, "$n > 3"),
        ({"Variable": "$.a", "NumericNearly": 3}, "a rule"),
        ({"And": []}, "a rule"),
        ("text", "a rule"),
    ],
)
def test_a_rule_is_read_as_people_say_it(rule: Any, text: str) -> None:
    assert rule_text(rule) == text


@pytest.mark.parametrize(
    ("resource", "parameters", "text"),
    [
        ("arn:aws:states:::lambda:invoke", {"FunctionName": "${Classify.Arn}"}, "lambda · Classify"),
        (
            "arn:aws:states:::lambda:invoke.waitForTaskToken",
            {"FunctionName": "ask"},
            "lambda · ask · until called back",
        ),
        ("arn:aws:states:::states:startExecution.sync:2", {"StateMachineArn": "review"}, "start · review · to its end"),
        ("arn:aws:states:::aws-sdk:s3:putObject", {"Bucket": "b", "Key.$": "$.k"}, "s3:putObject · b"),
        ("arn:aws:states:::sns:publish", {"TopicArn": "arn:aws:sns:eu-west-1:1:alarms"}, "sns:publish · alarms"),
        ("arn:aws:lambda:eu-west-1:1:function:classify:live", None, "lambda · classify:live"),
        ("arn:aws:states:eu-west-1:1:activity:weigh", None, "activity · weigh"),
        ("${ClassifyFunctionArn}", None, "ClassifyFunctionArn"),
        (17, None, "17"),
    ],
)
def test_a_task_says_what_it_calls(resource: Any, parameters: Any, text: str) -> None:
    assert state_detail({"Type": "Task", "Resource": resource, "Parameters": parameters}) == text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"Type": "Wait", "Seconds": 30}, "30 s"),
        ({"Type": "Wait", "TimestampPath": "$.due"}, "until $.due"),
        ({"Type": "Fail", "Error": "Broken"}, "Broken"),
        ({"Type": "Map", "ItemsPath": "$.all", "MaxConcurrency": 4}, "each of $.all · 4 at once"),
        (
            {"Type": "Map", "ItemReader": {}, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}},
            "each item of a file · distributed",
        ),
        ({"Type": "Pass"}, ""),
    ],
)
def test_other_states_say_what_they_do(state: Any, text: str) -> None:
    assert state_detail(state) == text


def test_rules_that_lead_to_the_same_state_share_an_edge_and_so_do_errors() -> None:
    choices = [{"Variable": "$.a", "NumericEquals": n, "Next": "B"} for n in (1, 2)]
    catches = [{"ErrorEquals": [error], "Next": "B"} for error in ("X", "States.ALL")]
    graph = read_graph(
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Choice", "Choices": choices, "Default": "B"},
                "B": {"Type": "Task", "Catch": catches, "Next": "A"},
            },
        }
    )
    assert [(edge.kind, edge.label) for edge in graph.edges] == [
        ("start", ""),
        ("rule", "$.a = 1 or $.a = 2"),
        ("default", "Default"),
        ("next", ""),
        ("catch", "X, any error"),
    ]


def test_nested_states_are_all_walked() -> None:
    inner = {"StartAt": "In", "States": {"In": {"Type": "Succeed"}}}
    graph = read_graph(
        {
            "States": {
                "P": {"Type": "Parallel", "Branches": [inner, {"States": {"M": {"Type": "Map", "Iterator": inner}}}]},
            }
        }
    )
    assert [(sorted(part.states), depth) for part, depth in walk(graph)] == [
        (["P"], 0),
        (["In"], 1),
        (["M"], 1),
        (["In"], 2),
    ]


@pytest.mark.parametrize("document", ["{", "[]", "{}", '{"States": {}}', '{"States": []}'])
def test_what_has_no_states_is_refused(document: str) -> None:
    with pytest.raises(DefinitionError, match="the definition"):
        draw(document)


def test_what_is_nested_too_deeply_is_refused() -> None:
    document: dict[str, Any] = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    for _ in range(1000):
        document = {"States": {"P": {"Type": "Parallel", "Branches": [document]}}}
    with pytest.raises(DefinitionError, match="nested too deeply"):
        draw(document)
