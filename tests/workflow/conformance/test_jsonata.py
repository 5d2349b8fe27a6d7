"""States whose QueryLanguage is JSONata, on both interpreters.

States Language, "JSONata Concepts" and the page of each state; Developer Guide, "Transforming data with JSONata". The
same library evaluates the expressions of both, so this is about the fields, and about what may stand in them.
"""

from collections.abc import Callable
from typing import Any

import pytest

END = {"Type": "Succeed"}
TASK = {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:A"}
INVOKE = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
ORDERS = {"orders": [{"n": 1, "price": 3}, {"n": 2, "price": 5}]}
FAILS = "States.QueryEvaluationError"


def flow(language: str = "JSONata", **states: dict[str, Any]) -> dict[str, Any]:
    """States of JSONata, or of another language, one after the other."""
    names = list(states)
    onward = [{"Next": name} for name in names[1:]] + [{"End": True}]
    plain = ("Choice", "Succeed", "Fail")
    return {"QueryLanguage": language, "StartAt": names[0], "States": {
        name: state if state["Type"] in plain else {**state, **leads}
        for (name, state), leads in zip(states.items(), onward, strict=True)
    }}  # fmt: skip


def inner(**states: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flow("JSONata", **states).items() if key != "QueryLanguage"}


def gives(expression: str, output: Any, given: Any = None) -> dict[str, Any]:
    """What a Pass makes of an expression."""
    state = {"Type": "Pass", "Output": f"{{% {expression} %}}"}
    return {"machine": flow(A=state), "given": {} if given is None else given, "output": output}


def fails(expression: str, given: Any = None) -> dict[str, Any]:
    case = gives(expression, None, given)
    return {key: value for key, value in case.items() if key != "output"} | {"error": FAILS}


def choice(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return flow(A={"Type": "Choice", "Choices": [{"Next": "Z", **rule} for rule in rules], "Default": "Z", **fields},
                Z=END)  # fmt: skip


def mapping(processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": processor, **fields}


def caught(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return flow(A={**state, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z", **fields}]}, Z=END)


CASES: dict[str, dict[str, Any]] = {
    # expressions
    "a member of the input": gives("$states.input.a", 1, {"a": 1}),
    "a filter": gives("$states.input.orders[price > 4].n", 2, ORDERS),
    "several values become an array": gives("$states.input.orders.n", [1, 2], ORDERS),
    "a function": gives("$sum($states.input.orders.price)", 8, ORDERS),
    "a function of its own": gives("($twice := function($x) { $x * 2 }; $twice($states.input))", 8, 4),
    "an object": gives("{ 'n': $count($states.input.orders) }", {"n": 2}, ORDERS),
    "texts are put together": gives("'a' & $states.input & 1", "ab1", "b"),
    "null": gives("$states.input.a", None, {"a": None}),
    "a member that is missing is no member of an object": gives("{ 'a': $states.input.none }", {}),
    "the context object": gives("$states.context.State.Name", "A"),
    "the execution's input": gives("$states.context.Execution.Input.a", 1, {"a": 1}),
    "what is missing fails": fails("$states.input.none"),
    "a text and a number have no sum": fails("'a' + 1"),
    "a function is no JSON": fails("$sum"),
    "a variable that was never assigned fails": fails("$nobody"),
    "$error fails": fails("$error('no')"),
    # functions that Step Functions adds
    "$partition": gives("$partition([1, 2, 3, 4, 5], 2)", [[1, 2], [3, 4], [5]]),
    "$range": gives("$range(0, 10, 2)", [0, 2, 4, 6, 8, 10]),
    "$range downwards": gives("$range(3, 1, -1)", [3, 2, 1]),
    "$hash": gives("$hash('a', 'SHA-256')", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    "$random with a seed": gives("[$random(7) = $random(7)]", [True]),
    "$random without one": gives("[$random() < 1]", [True]),
    "$uuid": gives("$length($uuid())", 36),
    "$parse": gives("$parse('{\"a\": [1]}')", {"a": [1]}),
    "$parse of what is no JSON fails": fails("$parse('{')"),
    # where an expression may stand
    "literals stay": {
        "machine": flow(A={"Type": "Pass", "Output": {"a": " {% 1 %}", "b": "$states.input", "c.$": "$", "d": None}}),
        "output": {"a": " {% 1 %}", "b": "$states.input", "c.$": "$", "d": None},
    },
    "an expression however deep": {
        "machine": flow(A={"Type": "Pass", "Output": {"a": [1, {"b": "{% $states.input.c %}"}]}}), "given": {"c": 2},
        "output": {"a": [1, {"b": 2}]},
    },
    "Output may be any JSON": {"machine": flow(A={"Type": "Pass", "Output": [1]}), "output": [1]},
    "Output null": {"machine": flow(A={"Type": "Pass", "Output": None}), "given": 1, "output": None},
    # Pass, Wait, Succeed, Fail
    "a Pass without Output": {"machine": flow(A={"Type": "Pass"}), "given": {"a": 1}, "output": {"a": 1}},
    "Succeed with Output": {
        "machine": flow(A={"Type": "Succeed", "Output": "{% $states.input.a %}"}), "given": {"a": 1}, "output": 1},
    "Wait for Seconds": {
        "machine": flow(A={"Type": "Wait", "Seconds": "{% $states.input.s %}", "Output": "{% 'waited' %}"}),
        "given": {"s": 0}, "output": "waited",
    },
    "Wait until a Timestamp": {
        "machine": flow(A={"Type": "Wait", "Timestamp": "{% $states.input.t %}"}),
        "given": {"t": "2016-03-14T01:59:00Z"}, "output": {"t": "2016-03-14T01:59:00Z"},
    },
    "Wait for a text of Seconds fails": {
        "machine": flow(A={"Type": "Wait", "Seconds": "{% 'soon' %}"}), "error": FAILS},
    "Wait for less than nothing fails": {
        "machine": flow(A={"Type": "Wait", "Seconds": "{% -1 %}"}), "error": FAILS},
    "Fail with Error and Cause": {
        "machine": flow(A={"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "{% 'it ' & 'is' %}"}),
        "given": {"e": "Busy"}, "error": "Busy", "cause": "it is",
    },
    "Fail with an Error that is no text": {
        "machine": flow(A={"Type": "Fail", "Error": "{% 1 %}"}), "error": FAILS},
    # Task
    "Arguments": {
        "machine": flow(A={**INVOKE, "Arguments": {"FunctionName": "A", "Payload": {"a": "{% $states.input.a %}"}},
                           "Output": "{% $states.result.Payload %}"}),
        "given": {"a": 1}, "answers": {"A": {"r": 2}}, "output": {"r": 2},
    },
    "a Task without Output gives its result": {"machine": flow(A=TASK), "answers": {"A": {"r": 2}}, "output": {"r": 2}},
    "Output of a Task sees input and result": {
        "machine": flow(A={**TASK, "Output": ["{% $states.input.a %}", "{% $states.result.r %}"]}),
        "given": {"a": 1}, "answers": {"A": {"r": 2}}, "output": [1, 2],
    },
    "Assign of a Task sees the result": {
        "machine": flow(A={**TASK, "Assign": {"v": "{% $states.result.r %}"}}, Z={**END, "Output": "{% $v %}"}),
        "answers": {"A": {"r": 2}}, "output": 2,
    },
    "TimeoutSeconds": {
        "machine": flow(A={**TASK, "TimeoutSeconds": "{% $states.input.t %}"}), "given": {"t": 5},
        "answers": {"A": 1}, "output": 1,
    },
    "TimeoutSeconds that is a text fails": {
        "machine": flow(A={**TASK, "TimeoutSeconds": "{% 'long' %}"}), "answers": {"A": 1}, "error": FAILS},
    # Retry and Catch
    "a Catch without Output gives the error": {
        "machine": caught(TASK), "answers": {"A": "!Busy"}, "output": {"Error": "Busy", "Cause": "…"}},
    "Output of a Catch": {
        "machine": caught(TASK, Output={"in": "{% $states.input.a %}", "e": "{% $states.errorOutput.Error %}"}),
        "given": {"a": 1}, "answers": {"A": "!Busy"}, "output": {"in": 1, "e": "Busy"},
    },
    "Assign of a Catch": {
        "machine": flow(A={**TASK, "Catch": [{"ErrorEquals": ["Busy"], "Next": "Z",
                                              "Assign": {"v": "{% $states.errorOutput.Error %}"}}]},
                        Z={**END, "Output": "{% $v %}"}),
        "answers": {"A": "!Busy"}, "output": "Busy",
    },
    "a failing Output can be caught": {
        "machine": caught({**TASK, "Output": "{% $states.result.none %}"}, Output="{% $states.errorOutput.Error %}"),
        "answers": {"A": {}}, "output": FAILS,
    },
    "failing Arguments can be caught by name": {
        "machine": flow(A={**INVOKE, "Arguments": {"FunctionName": "A", "Payload": "{% $states.input.none %}"},
                           "Catch": [{"ErrorEquals": [FAILS], "Next": "Z", "Output": "caught"}]}, Z=END),
        "answers": {"A": {}}, "output": "caught",
    },
    # Choice
    "the first Condition that is true": {
        "machine": flow(A={"Type": "Choice", "Default": "Z", "Choices": [
            {"Condition": "{% $states.input = 1 %}", "Next": "Y"},
            {"Condition": "{% $states.input = 2 %}", "Next": "X"}]},
            X={"Type": "Succeed", "Output": "X"}, Y={"Type": "Succeed", "Output": "Y"},
            Z={"Type": "Succeed", "Output": "Z"}),
        "given": 2, "output": "X",
    },
    "Output of the rule that fits": {
        "machine": choice({"Condition": "{% $states.input.a > 1 %}", "Output": "{% $states.input.a %}"}, Output="own"),
        "given": {"a": 2}, "output": 2,
    },
    "a rule without Output passes the input": {
        "machine": choice({"Condition": "{% $states.input.a > 1 %}"}, Output="own"), "given": {"a": 2},
        "output": {"a": 2},
    },
    "Output of the Choice where no rule fits": {
        "machine": choice({"Condition": "{% $states.input.a > 1 %}"}, Output="own"), "given": {"a": 1},
        "output": "own",
    },
    "a Condition may be true": {"machine": choice({"Condition": True, "Output": 1}), "output": 1},
    "a Condition that is no truth value fails": {"machine": choice({"Condition": "{% 1 %}"}), "error": FAILS},
    "no Condition that is true and no Default": {
        "machine": flow(A={"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "Z"}]}, Z=END),
        "error": "States.NoChoiceMatched",
    },
    # Parallel
    "Arguments of a Parallel": {
        "machine": flow(A={"Type": "Parallel", "Branches": [inner(B={"Type": "Pass"}), inner(C={"Type": "Pass"})],
                           "Arguments": {"x": "{% $states.input.a %}"}}),
        "given": {"a": 1}, "output": [{"x": 1}, {"x": 1}],
    },
    "Output of a Parallel": {
        "machine": flow(A={"Type": "Parallel", "Branches": [inner(B={"Type": "Pass"})],
                           "Output": {"in": "{% $states.input.a %}", "out": "{% $states.result[0].a %}"}}),
        "given": {"a": 1}, "output": {"in": 1, "out": 1},
    },
    # Map
    "Items": {
        "machine": flow(A=mapping(inner(B={"Type": "Pass", "Output": "{% $states.input * 2 %}"}),
                                  Items="{% $states.input.l %}")),
        "given": {"l": [1, 2]}, "output": [2, 4],
    },
    "Items that are a list": {
        "machine": flow(A=mapping(inner(B={"Type": "Pass"}), Items=[1, "{% $states.input.a %}"])), "given": {"a": 2},
        "output": [1, 2],
    },
    "a Map without Items": {"machine": flow(A=mapping(inner(B={"Type": "Pass"}))), "given": [1, 2], "output": [1, 2]},
    "Items that are no list fail": {
        "machine": flow(A=mapping(inner(B={"Type": "Pass"}), Items="{% 1 %}")), "error": FAILS},
    "ItemSelector": {
        "machine": flow(A=mapping(inner(B={"Type": "Pass"}), Items="{% $states.input.l %}", ItemSelector={
            "i": "{% $states.context.Map.Item.Index %}", "v": "{% $states.context.Map.Item.Value %}",
            "a": "{% $states.input.a %}"})),
        "given": {"l": [5], "a": 1}, "output": [{"i": 0, "v": 5, "a": 1}],
    },
    "MaxConcurrency": {
        "machine": flow(A=mapping(inner(B={"Type": "Pass"}), Items=[1, 2], MaxConcurrency="{% $states.input.m %}")),
        "given": {"m": 1}, "output": [1, 2],
    },
    "Output of a Map": {
        "machine": flow(A=mapping(inner(B={"Type": "Pass"}), Items=[1, 2], Output="{% $sum($states.result) %}")),
        "output": 3,
    },
    # variables, and both languages
    "Assign reads what was before": {
        "machine": flow(S={"Type": "Pass", "Assign": {"x": 5}},
                        A={"Type": "Pass", "Assign": {"x": 42, "old": "{% $x %}"}},
                        Z={**END, "Output": ["{% $x %}", "{% $old %}"]}),
        "output": [42, 5],
    },
    "a state of JSONata in a machine of paths": {
        "machine": flow("JSONPath", A={"Type": "Pass", "Parameters": {"a.$": "$.b"}},
                        Z={**END, "QueryLanguage": "JSONata", "Output": "{% $states.input.a + 1 %}"}),
        "given": {"b": 1}, "output": 2,
    },
    "a variable of paths is read by JSONata": {
        "machine": flow("JSONPath", A={"Type": "Pass", "Assign": {"v.$": "$.b"}},
                        Z={**END, "QueryLanguage": "JSONata", "Output": "{% $v + 1 %}"}),
        "given": {"b": 1}, "output": 2,
    },
    "a variable of JSONata is read by paths": {
        "machine": flow("JSONPath", A={"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"v": "{% [1, 2] %}"}},
                        Z={"Type": "Pass", "Parameters": {"v.$": "$v[1]"}}),
        "output": {"v": 2},
    },
    "states in a Map of JSONata have the language of the machine": {
        "machine": flow("JSONPath", A={"Type": "Map", "QueryLanguage": "JSONata", "Items": [{"a": 1}],
                                       "ItemProcessor": inner(B={"Type": "Pass", "Parameters": {"x.$": "$.a"}})}),
        "output": [{"x": 1}],
    },
    "what is too long fails": {
        "machine": flow(A={"Type": "Pass", "Output": "{% $states.input & $states.input %}"}), "given": "x" * 150_000,
        "error": "States.DataLimitExceeded",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
