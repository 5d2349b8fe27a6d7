"""Choice: every comparison operator, with And, Or and Not.

Developer Guide, "Choice workflow state"; States Language, "Choice State".
"""

from collections.abc import Callable
from typing import Any

import pytest


def choice(*rules: dict[str, Any], default: bool = True, **fields: Any) -> dict[str, Any]:
    """A machine that answers the number of the first rule that matches, or -1."""
    ends = {str(number): {"Type": "Pass", "Result": number, "End": True} for number in range(len(rules))}
    state = {"Type": "Choice", "Choices": [{**rule, "Next": str(number)} for number, rule in enumerate(rules)]}
    if default:
        state["Default"] = "none"
        ends["none"] = {"Type": "Pass", "Result": -1, "End": True}
    return {"StartAt": "A", "States": {"A": {**state, **fields}, **ends}}


def yes(**words: Any) -> dict[str, Any]:
    """``$.v`` fits; words that begin with a capital are of the rule, the others of the input."""
    given = {word: value for word, value in words.items() if word[0].islower()}
    rule = {word: value for word, value in words.items() if word not in given}
    return {"machine": choice({"Variable": "$.v", **rule}), "given": given, "output": 0}


def no(**words: Any) -> dict[str, Any]:
    """``$.v`` does not fit."""
    return {**yes(**words), "output": -1}


def rules(given: Any, output: Any, *rules: dict[str, Any]) -> dict[str, Any]:
    """The first of these rules that fits."""
    return {"machine": choice(*rules), "given": given, "output": output}


IS_A = {"Variable": "$.a", "BooleanEquals": True}
IS_B = {"Variable": "$.b", "BooleanEquals": True}
NO_C = {"Variable": "$.c", "StringEquals": "x"}

CASES: dict[str, dict[str, Any]] = {
    "StringEquals": yes(v="ab", StringEquals="ab"),
    "StringEquals tells upper from lower case": no(v="Ab", StringEquals="ab"),
    "StringEquals drops no blanks": no(v="ab ", StringEquals="ab"),
    "StringEquals of a number does not match": no(v=1, StringEquals="1"),
    "StringEquals of null does not match": no(v=None, StringEquals="null"),
    "StringEquals of an empty text": yes(v="", StringEquals=""),
    "StringEquals takes a timestamp as the text that it is": no(
        v="2016-08-18T17:33:00+00:00", StringEquals="2016-08-18T17:33:00Z"),
    "StringEqualsPath": yes(v="ab", w="ab", StringEqualsPath="$.w"),
    "StringEqualsPath to another type does not match": no(v="1", w=1, StringEqualsPath="$.w"),
    "StringLessThan": yes(v="a", StringLessThan="b"),
    "StringLessThan puts upper case first": yes(v="B", StringLessThan="a"),
    "StringLessThan of the same text does not match": no(v="a", StringLessThan="a"),
    "StringLessThan of a beginning": yes(v="a", StringLessThan="aa"),
    "StringLessThanPath": yes(v="a", w="b", StringLessThanPath="$.w"),
    "StringLessThanEquals": yes(v="a", StringLessThanEquals="a"),
    "StringLessThanEqualsPath": no(v="b", w="a", StringLessThanEqualsPath="$.w"),
    "StringGreaterThan": yes(v="b", StringGreaterThan="a"),
    "StringGreaterThan of a number does not match": no(v=2, StringGreaterThan="1"),
    "StringGreaterThanPath": yes(v="b", w="a", StringGreaterThanPath="$.w"),
    "StringGreaterThanEquals": yes(v="b", StringGreaterThanEquals="b"),
    "StringGreaterThanEqualsPath": no(v="a", w="b", StringGreaterThanEqualsPath="$.w"),
    "StringMatches a star in the middle": yes(v="foo23.log", StringMatches="foo*.log"),
    "StringMatches a star at the beginning": yes(v="zebra.log", StringMatches="*.log"),
    "StringMatches several stars": yes(v="foobar.zebra", StringMatches="foo*.*"),
    "StringMatches a star that stands for nothing": yes(v="foo.log", StringMatches="foo*.log"),
    "StringMatches the whole text": no(v="foo23.log.gz", StringMatches="foo*.log"),
    "StringMatches takes a dot as a dot": no(v="fooxlog", StringMatches="foo.log"),
    "StringMatches takes brackets as brackets": yes(v="[a-c]+?", StringMatches="[a-c]+?"),
    "StringMatches an escaped star": yes(v="a*b", StringMatches="a\\*b"),
    "StringMatches an escaped star as nothing else": no(v="axb", StringMatches="a\\*b"),
    "StringMatches an escaped backslash": yes(v="a\\b", StringMatches="a\\\\b"),
    "StringMatches an escaped backslash before a star": yes(v="a\\bc", StringMatches="a\\\\*"),
    "StringMatches with a backslash before another letter is States.Runtime": {
        "machine": choice({"Variable": "$.v", "StringMatches": "a\\b"}), "given": {"v": "a\\b"},
        "error": "States.Runtime",
    },
    "StringMatches over lines": yes(v="a\nb", StringMatches="a*b"),
    "StringMatches no number": no(v=1, StringMatches="*"),
    "NumericEquals": yes(v=1, NumericEquals=1),
    "NumericEquals of a whole number and a fraction": yes(v=1.0, NumericEquals=1),
    "NumericEquals of a text does not match": no(v="1", NumericEquals=1),
    "NumericEquals of true does not match": no(v=True, NumericEquals=1),
    "NumericEqualsPath": yes(v=2.5, w=2.5, NumericEqualsPath="$.w"),
    "NumericEqualsPath to a text does not match": no(v=1, w="1", NumericEqualsPath="$.w"),
    "NumericLessThan": yes(v=-1, NumericLessThan=0),
    "NumericLessThan of null does not match": no(v=None, NumericLessThan=0),
    "NumericLessThanPath": no(v=1, w=1, NumericLessThanPath="$.w"),
    "NumericLessThanEquals": yes(v=1, NumericLessThanEquals=1),
    "NumericLessThanEqualsPath": yes(v=0.5, w=1, NumericLessThanEqualsPath="$.w"),
    "NumericGreaterThan": yes(v=1e3, NumericGreaterThan=999),
    "NumericGreaterThan of a text does not match": no(v="5", NumericGreaterThan=1),
    "NumericGreaterThanPath": yes(v=2, w=1, NumericGreaterThanPath="$.w"),
    "NumericGreaterThanEquals": yes(v=2, NumericGreaterThanEquals=2),
    "NumericGreaterThanEqualsPath": no(v=1, w=2, NumericGreaterThanEqualsPath="$.w"),
    "BooleanEquals": yes(v=False, BooleanEquals=False),
    "BooleanEquals of a text does not match": no(v="true", BooleanEquals=True),
    "BooleanEquals of a number does not match": no(v=1, BooleanEquals=True),
    "BooleanEqualsPath": yes(v=True, w=True, BooleanEqualsPath="$.w"),
    "BooleanEqualsPath to the other": no(v=True, w=False, BooleanEqualsPath="$.w"),
    "IsNull of null": yes(v=None, IsNull=True),
    "IsNull of another value": no(v=0, IsNull=True),
    "IsNull false": yes(v="", IsNull=False),
    "IsNull false of null": no(v=None, IsNull=False),
    "IsPresent": yes(v=1, IsPresent=True),
    "IsPresent of null": yes(v=None, IsPresent=True),
    "IsPresent of what is missing": rules({}, -1, {"Variable": "$.v", "IsPresent": True}),
    "IsPresent false of what is missing": rules({}, 0, {"Variable": "$.v", "IsPresent": False}),
    "IsPresent below what is missing": rules({}, -1, {"Variable": "$.v.w[0]", "IsPresent": True}),
    "IsPresent false of what is there": no(v=1, IsPresent=False),
    "IsString": yes(v="1", IsString=True),
    "IsString of a number": no(v=1, IsString=True),
    "IsString false of a number": yes(v=1, IsString=False),
    "IsNumeric": yes(v=1.5, IsNumeric=True),
    "IsNumeric of a text": no(v="1", IsNumeric=True),
    "IsNumeric of true": no(v=True, IsNumeric=True),
    "IsNumeric false of null": yes(v=None, IsNumeric=False),
    "IsBoolean": yes(v=False, IsBoolean=True),
    "IsBoolean of a text": no(v="false", IsBoolean=True),
    "IsBoolean false of an object": yes(v={}, IsBoolean=False),
    "a path to what is missing is States.Runtime": {
        "machine": choice({"Variable": "$.v", "StringEquals": "a"}), "given": {}, "error": "States.Runtime",
    },
    "a Path operator to what is missing is States.Runtime": {
        "machine": choice({"Variable": "$.v", "StringEqualsPath": "$.w"}), "given": {"v": "a"},
        "error": "States.Runtime",
    },
    "IsNumeric of what is missing is States.Runtime": {
        "machine": choice({"Variable": "$.v", "IsNumeric": True}), "given": {}, "error": "States.Runtime",
    },
    # And, Or, Not
    "And of what all fits": rules({"a": True, "b": True}, 0, {"And": [IS_A, IS_B]}),
    "And of what partly fits": rules({"a": True, "b": False}, -1, {"And": [IS_A, IS_B]}),
    "And stops at what does not fit": rules({"a": False}, -1, {"And": [IS_A, IS_B]}),
    "And stops before a field that may be missing": rules(
        {}, -1, {"And": [{"Variable": "$.c", "IsPresent": True}, NO_C]}),
    "Or of what partly fits": rules({"a": False, "b": True}, 0, {"Or": [IS_A, IS_B]}),
    "Or of what does not fit": rules({"a": False, "b": False}, -1, {"Or": [IS_A, IS_B]}),
    "Or stops at what fits": rules({"a": True}, 0, {"Or": [IS_A, IS_B]}),
    "Not": rules({"a": False}, 0, {"Not": IS_A}),
    "Not of what fits": rules({"a": True}, -1, {"Not": IS_A}),
    "Not of another type fits": rules({"a": "x"}, 0, {"Not": IS_A}),
    "nested": rules({"a": True, "b": False}, 0, {"And": [{"Or": [IS_A, IS_B]}, {"Not": {"And": [IS_A, IS_B]}}]}),
    # the state
    "the first rule that fits counts": rules({"a": True, "b": True}, 1, {"Not": IS_A}, IS_B, IS_A),
    "no rule that fits and no Default is States.NoChoiceMatched": {
        "machine": choice(IS_A, default=False), "given": {"a": False}, "error": "States.NoChoiceMatched",
    },
    "a Choice hands its input on": {
        "machine": {"StartAt": "A", "States": {
            "A": {"Type": "Choice", "Choices": [{**IS_A, "Next": "B"}]}, "B": {"Type": "Succeed"},
        }}, "given": {"a": True, "x": 1}, "output": {"a": True, "x": 1},
    },
    "a Choice has InputPath and OutputPath": {
        "machine": {"StartAt": "A", "States": {
            "A": {"Type": "Choice", "InputPath": "$.x", "OutputPath": "$.y", "Choices": [{**IS_A, "Next": "B"}]},
            "B": {"Type": "Succeed"},
        }}, "given": {"x": {"a": True, "y": 1}}, "output": 1,
    },
    "a rule may read the context object": rules({}, 0, {"Variable": "$$.State.Name", "StringEquals": "A"}),
    "a rule may compare with the context object": rules(
        {"v": "A"}, 0, {"Variable": "$.v", "StringEqualsPath": "$$.State.Name"}),
    "a rule may read an item of an array": rules({"v": [1, 2]}, 0, {"Variable": "$.v[1]", "NumericEquals": 2}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
