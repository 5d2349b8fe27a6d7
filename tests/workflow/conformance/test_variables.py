"""Variables: where Assign stands, what it reads, when its values count, and who sees them.

Developer Guide, "Passing data between states with variables"; States Language, "State Machine Variables".
"""

from collections.abc import Callable
from typing import Any

import pytest

PASS = {"Type": "Pass"}
TASK = {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:A"}
SET = {"Type": "Pass", "Assign": {"x": 3, "o": {"p": {"q r": 2, "s": [1]}, "t": {"s": 2}}, "l": [1, 2]}}


def flow(**states: dict[str, Any]) -> dict[str, Any]:
    """States in a row: each leads to the next unless it says or does otherwise."""
    names = list(states)
    found = {}
    for name, after in zip(names, [*names[1:], None], strict=True):
        state = states[name]
        leads = state["Type"] in ("Choice", "Fail", "Succeed") or {"Next", "End"} & state.keys()
        found[name] = state if leads else {**state, **({"Next": after} if after else {"End": True})}
    return {"StartAt": names[0], "States": found}


def picks(**template: Any) -> dict[str, Any]:
    """A Pass whose output is a payload template's payload; a name stands for ``name.$``."""
    return {"Type": "Pass", "Parameters": {f"{name}.$": value for name, value in template.items()}}


def assigned(state: dict[str, Any], output: Any, read: str = "$v", **case: Any) -> dict[str, Any]:
    """The variable ``v`` after a state A."""
    return {"machine": flow(A=state, Z=picks(v=read)), "output": {"v": output}, **case}


def reads(state: dict[str, Any], output: Any, **case: Any) -> dict[str, Any]:
    """The output of a state that comes after :data:`SET`."""
    return {"machine": flow(S=SET, A=state), "output": output, **case}


def choice(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Choice", "Choices": [{**rule, "Next": "Z"} for rule in rules], "Default": "Z", **fields}


def mapping(processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": processor, "ItemsPath": "$.l", **fields}


def catching(assign: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**TASK, "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": assign, "Next": "Z"}], **fields}


ONE = {"Variable": "$.a", "NumericEquals": 1}
TWICE = {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}

CASES: dict[str, dict[str, Any]] = {
    # Assign in each type of state: what $ is
    "a constant": assigned({"Type": "Pass", "Assign": {"v": {"a": [1, None]}}}, {"a": [1, None]}),
    "nothing assigned": {"machine": flow(A={"Type": "Pass", "Assign": {}}), "given": 1, "output": 1},
    "Assign leaves the output alone": {
        "machine": flow(A={"Type": "Pass", "Assign": {"v": 1}}), "given": {"a": 1}, "output": {"a": 1},
    },
    "$ of a Pass is its input": assigned({"Type": "Pass", "Assign": {"v.$": "$.a"}}, 1, given={"a": 1}),
    "$ of a Pass is what InputPath left": assigned(
        {"Type": "Pass", "InputPath": "$.b", "Assign": {"v.$": "$.a"}}, 2, given={"a": 1, "b": {"a": 2}}),
    "$ of a Pass is what Parameters make": assigned(
        {"Type": "Pass", "Parameters": {"b.$": "$.a"}, "Assign": {"v.$": "$"}}, {"b": 1}, given={"a": 1}),
    "$ of a Pass is its Result": assigned(
        {"Type": "Pass", "Result": {"r": 2}, "ResultPath": "$.x", "Assign": {"v.$": "$.r"}}, 2, given={"a": 1}),
    "$ of a Wait is its input": assigned({"Type": "Wait", "Seconds": 0, "Assign": {"v.$": "$.a"}}, 1, given={"a": 1}),
    "$ of a Wait is what InputPath left": assigned(
        {"Type": "Wait", "Seconds": 0, "InputPath": "$.b", "Assign": {"v.$": "$.a"}}, 2, given={"a": 1, "b": {"a": 2}}),
    "$ of a Task is the function's answer": assigned(
        {**TASK, "Assign": {"v.$": "$.r"}}, 1, answers={"A": {"r": 1}}, given={"r": 0}),
    "$ of a Task is the answer before ResultSelector": assigned(
        {**TASK, "ResultSelector": {"s.$": "$.r"}, "Assign": {"v.$": "$.r"}}, 1, answers={"A": {"r": 1}}),
    "$ of a Task is the answer wherever ResultPath puts it": assigned(
        {**TASK, "ResultPath": None, "OutputPath": "$.a", "Assign": {"v.$": "$.r"}}, 1,
        answers={"A": {"r": 1}}, given={"a": {}}),
    "$ of lambda:invoke has the Payload": assigned(
        {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "A"},
         "Assign": {"v.$": "$.Payload.r"}}, 1, answers={"A": {"r": 1}}),
    "$ of a Parallel is the outputs": assigned(
        {"Type": "Parallel", "Branches": [flow(B=PASS), flow(C=PASS)], "Assign": {"v.$": "$"}}, [{}, {}]),
    "$ of a Parallel is the outputs before ResultSelector": assigned(
        {"Type": "Parallel", "Branches": [flow(B=PASS)], "ResultSelector": {"n": 1}, "Assign": {"v.$": "$"}}, [{}]),
    "$ of a Map is the outputs": assigned(mapping(flow(B=PASS), Assign={"v.$": "$[1]"}), 8, given={"l": [7, 8]}),
    "$ of a Map is the outputs before ResultSelector": assigned(
        mapping(flow(B=PASS), ResultSelector={"n": 1}, Assign={"v.$": "$"}), [7, 8], given={"l": [7, 8]}),
    "$ of a Choice's rule is its input": assigned(choice({**ONE, "Assign": {"v.$": "$.b"}}), 2, given={"a": 1, "b": 2}),
    "$ of a Choice's rule is what InputPath left": assigned(
        choice({**ONE, "Assign": {"v.$": "$"}}, InputPath="$.c"), {"a": 1}, given={"a": 2, "c": {"a": 1}}),
    "a Choice's own Assign counts where no rule fits": assigned(
        choice({**ONE, "Assign": {"v": 1}}, Assign={"v.$": "$.a"}), 2, given={"a": 2}),
    "a Choice's own Assign does not count where a rule fits": assigned(
        choice({**ONE, "Assign": {"v": 1}}, Assign={"v": 2, "w": 2}), 1, given={"a": 1}),
    "only the rule that fits assigns": assigned(
        choice({**ONE, "Assign": {"v": 1}}, {"Variable": "$.a", "IsPresent": True, "Assign": {"v": 2}}), 2,
        given={"a": 2}),
    "$ of a Catch is the error": assigned(catching({"v.$": "$.Error"}), "Busy", answers={"A": "!Busy"}),
    "a Catch assigns, and the state's own Assign does not count": assigned(
        catching({"v": "caught"}, Assign={"v": "done"}), "caught", answers={"A": "!Busy"}),
    "the state's own Assign counts where nothing fails": assigned(
        catching({"v": "caught"}, Assign={"v": "done"}), "done", answers={"A": 1}),
    "a Catch of a Map assigns in the outer scope": assigned(
        mapping(flow(B={"Type": "Fail", "Error": "Busy"}),
                Catch=[{"ErrorEquals": ["Busy"], "Assign": {"v.$": "$.Error"}, "Next": "Z"}]),
        "Busy", given={"l": [1]}),
    "Assign however deep": assigned(
        {"Type": "Pass", "Assign": {"v": {"a": [{"b.$": "$.c"}]}}}, {"a": [{"b": 1}]}, given={"c": 1}),
    "Assign may call a function": assigned(
        {"Type": "Pass", "Assign": {"v.$": "States.Format('{}!', $.a)"}}, "1!", given={"a": 1}),
    "Assign may read the context object": assigned({"Type": "Pass", "Assign": {"v.$": "$$.State.Name"}}, "A"),
    "Assign may read several values": assigned(
        {"Type": "Pass", "Assign": {"v.$": "$.o..p"}}, [1, 2], given={"o": [{"p": 1}, {"q": {"p": 2}}]}),
    "Assign of a path that leads nowhere is States.Runtime": {
        "machine": flow(A={"Type": "Pass", "Assign": {"v.$": "$.nowhere"}}), "error": "States.Runtime",
    },
    # order
    "Assign reads what was before": {
        "machine": flow(S={"Type": "Pass", "Assign": {"x": 3, "a": 6}},
                        A={"Type": "Pass", "Assign": {"x.$": "$a", "next.$": "$x"}}, Z=picks(x="$x", n="$next")),
        "output": {"x": 6, "n": 3},
    },
    "two variables change places": {
        "machine": flow(S={"Type": "Pass", "Assign": {"x": 1, "y": 2}},
                        A={"Type": "Pass", "Assign": {"x.$": "$y", "y.$": "$x"}}, Z=picks(x="$x", y="$y")),
        "output": {"x": 2, "y": 1},
    },
    "a variable counts from the next state on": {
        "machine": flow(S=SET, A={**picks(x="$x"), "Assign": {"x": 4}, "OutputPath": "$x"}), "output": 3,
    },
    "a variable that counts itself": {
        "machine": flow(S={"Type": "Pass", "Assign": {"n": 0}},
                        A={"Type": "Pass", "Assign": {"n.$": "States.MathAdd($n, 1)"}},
                        B={"Type": "Choice", "Choices": [{"Variable": "$n", "NumericLessThan": 3, "Next": "A"}],
                           "Default": "Z"},
                        Z=picks(n="$n")),
        "output": {"n": 3},
    },
    "a variable of its own state is not there yet": {
        "machine": flow(A={"Type": "Pass", "Assign": {"x": 1, "y.$": "$x"}}), "error": "States.Runtime",
    },
    "a Task that is tried again reads what was before it": {
        "machine": flow(S=SET, A={**TASK, "Retry": [TWICE], "Assign": {"x.$": "States.MathAdd($x, 1)"}},
                        Z=picks(x="$x")),
        "answers": {"A": ["!Busy", 0]}, "output": {"x": 4},
    },
    # every field that takes a path
    "a variable in InputPath": reads({"Type": "Pass", "InputPath": "$o.p"}, {"q r": 2, "s": [1]}),
    "a variable in OutputPath": reads({"Type": "Pass", "OutputPath": "$o.p['q r']"}, 2),
    "a variable in Parameters": reads(picks(a="$x", b="$o.p['q r']", c="$l[0]"), {"a": 3, "b": 2, "c": 1}),
    "a variable in Parameters of a Task": reads({**TASK, "Parameters": {"a.$": "$x"}}, 0, answers={"A": 0}),
    "a variable in ResultSelector": reads({**TASK, "ResultSelector": {"a.$": "$x"}}, {"a": 3}, answers={"A": 0}),
    "a variable with several values": reads(picks(a="$o..s"), {"a": [[1], 2]}),
    "a variable in a function": reads(picks(a="States.Format('{}/{}', $x, $o.p['q r'])"), {"a": "3/2"}),
    "a variable in a rule": {
        "machine": flow(S=SET, A=choice({"Variable": "$x", "NumericEquals": 3}, Default="N"), N={"Type": "Fail"},
                        Z={"Type": "Succeed"}), "given": 1, "output": 1,
    },
    "a variable at the other side of a rule": {
        "machine": flow(S=SET, A=choice({"Variable": "$.a", "NumericEqualsPath": "$x"}, Default="N"),
                        N={"Type": "Fail"}, Z={"Type": "Succeed"}), "given": {"a": 3}, "output": {"a": 3},
    },
    "IsPresent of a variable that is not there": {
        "machine": flow(A=choice({"Variable": "$nowhere", "IsPresent": False}, Default="N"), N={"Type": "Fail"},
                        Z={"Type": "Succeed"}), "output": {},
    },
    "a variable in SecondsPath": {
        "machine": flow(S={"Type": "Pass", "Assign": {"o": {"s": 0}}}, A={"Type": "Wait", "SecondsPath": "$o.s"}),
        "given": 1, "output": 1,
    },
    "a variable in TimestampPath": {
        "machine": flow(S={"Type": "Pass", "Assign": {"t": "2016-03-14T01:59:00Z"}},
                        A={"Type": "Wait", "TimestampPath": "$t"}), "given": 1, "output": 1,
    },
    "a variable in ErrorPath and CausePath": {
        "machine": flow(S={"Type": "Pass", "Assign": {"e": {"n": "E", "c": "why"}}},
                        A={"Type": "Fail", "ErrorPath": "$e.n", "CausePath": "$e.c"}), "error": "E", "cause": "why",
    },
    "a variable in ItemsPath": reads({"Type": "Map", "ItemsPath": "$l", "ItemProcessor": flow(B=PASS)}, [1, 2]),
    "a variable in ItemSelector": reads(
        {"Type": "Map", "ItemSelector": {"a.$": "$x", "v.$": "$$.Map.Item.Value"}, "ItemProcessor": flow(B=PASS)},
        [{"a": 3, "v": 7}], given=[7]),
    "a variable in MaxConcurrencyPath": reads(
        {"Type": "Map", "MaxConcurrencyPath": "$x", "ItemProcessor": flow(B=PASS)}, [7], given=[7]),
    "a variable in TimeoutSecondsPath": {
        "machine": flow(S={"Type": "Pass", "Assign": {"t": 86_400}}, A={**TASK, "TimeoutSecondsPath": "$t"}),
        "answers": {"A": 0}, "output": 0,
    },
    "a variable that is not there in Parameters is States.Runtime": {
        "machine": flow(A=picks(a="$nowhere")), "error": "States.Runtime",
    },
    "a variable that is not there in InputPath is States.Runtime": {
        "machine": flow(A={"Type": "Pass", "InputPath": "$nowhere"}), "error": "States.Runtime",
    },
    # scope
    "a branch reads a variable from outside": reads(
        {"Type": "Parallel", "Branches": [flow(B=picks(a="$x")), flow(C=picks(a="$o.p.s"))]}, [{"a": 3}, {"a": [1]}]),
    "an item reads a variable from outside": reads(mapping(flow(B=picks(a="$x"))), [{"a": 3}], given={"l": [1]}),
    "a branch has variables of its own": {
        "machine": flow(A={"Type": "Parallel", "Branches": [
            flow(B={"Type": "Pass", "Assign": {"v": 1}}, C=picks(v="$v")),
            flow(D={"Type": "Pass", "Assign": {"v": 2}}, E=picks(v="$v")),
        ]}), "output": [{"v": 1}, {"v": 2}],
    },
    "an item has variables of its own": {
        "machine": flow(A=mapping(flow(B={"Type": "Pass", "Assign": {"v.$": "$"}}, C=picks(v="$v")))),
        "given": {"l": [7, 8]}, "output": [{"v": 7}, {"v": 8}],
    },
    "a branch does not see another's variables": {
        "machine": flow(A={"Type": "Parallel", "Branches": [
            flow(B={"Type": "Pass", "Assign": {"v": 1}}), flow(D=PASS, E=picks(v="$v"))]}),
        "status": "FAILED",
    },
    "a branch's variables end with it": {
        "machine": flow(A={"Type": "Parallel", "Branches": [flow(B={"Type": "Pass", "Assign": {"v": 1}})]},
                        Z=picks(v="$v")), "status": "FAILED",
    },
    "a Map in a Map reads the variables of both around it": reads(
        mapping(flow(B={"Type": "Pass", "Assign": {"i.$": "$"}}, C={"Type": "Map", "ItemProcessor": flow(
            D=picks(x="$x", i="$i", j="$"))})), [[{"x": 3, "i": [7], "j": 7}]], given={"l": [[7]]}),
    "a Parallel assigns to a variable that its branches read": {
        "machine": flow(S=SET, A={"Type": "Parallel", "Branches": [flow(B=picks(v="$x"))], "Assign": {"x.$": "$"}},
                        Z=picks(x="$x")), "output": {"x": [{"v": 3}]},
    },
    # names and limits
    "a name may have letters that are not ASCII": assigned(
        {"Type": "Pass", "Assign": {"größe": 1}}, 1, read="$größe"),
    "a name may have 80 letters": assigned({"Type": "Pass", "Assign": {"v" * 80: 1}}, 1, read="$" + "v" * 80),
    "a variable may be null": assigned({"Type": "Pass", "Assign": {"v": None}}, None),
    "a variable that is too long fails": {
        "machine": flow(A={"Type": "Pass", "Assign": {"v.$": "States.Array($, $)"}}), "given": "x" * 150_000,
        "error": "States.DataLimitExceeded",
    },
    "the variables of one Assign are limited together": {
        "machine": flow(A={"Type": "Pass", "Assign": {"v.$": "$", "w.$": "$"}}), "given": "x" * 150_000,
        "error": "States.DataLimitExceeded",
    },
    "the variables of two states are not limited together": {
        "machine": flow(A={"Type": "Pass", "Assign": {"v.$": "$"}}, B={"Type": "Pass", "Assign": {"w.$": "$"}},
                        Z={"Type": "Pass", "Result": 1}), "given": "x" * 150_000, "output": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
