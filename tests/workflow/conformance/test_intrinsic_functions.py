"""Intrinsic functions: all eighteen, with what they refuse.

Developer Guide, "Intrinsic functions for JSONPath states"; States Language, "Intrinsic Functions" and Appendix B.
"""

from collections.abc import Callable
from typing import Any

import pytest

NINE = [1, 2, 3, 4, 5, 6, 7, 8, 9]
LEFT, RIGHT = {"a": {"a1": 1, "a2": 2}, "b": 2}, {"a": {"a3": 1, "a4": 2}, "c": 3}


def calls(text: str, output: Any, **given: Any) -> dict[str, Any]:
    """What a function gives for an input."""
    return {"state": {"Type": "Pass", "Parameters": {"x.$": text}}, "given": given, "output": {"x": output}}


def fails(text: str, **given: Any) -> dict[str, Any]:
    """A function that cannot do what it is asked."""
    return {
        "state": {"Type": "Pass", "Parameters": {"x.$": text}}, "given": given, "error": "States.IntrinsicFailure",
    }  # fmt: skip


def random(first: str, second: str, relation: str) -> dict[str, Any]:
    """A random number that stands in a relation to the one before it: ``x`` to ``y``."""
    return {
        "machine": {"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Parameters": {"x.$": first, "y.$": second}, "Next": "B"},
            "B": {"Type": "Choice", "Default": "D", "Choices": [
                {"Variable": "$.y", f"Numeric{relation}Path": "$.x", "Next": "C"}]},
            "C": {"Type": "Pass", "Result": "yes", "End": True},
            "D": {"Type": "Fail"},
        }}, "output": "yes",
    }  # fmt: skip


CASES: dict[str, dict[str, Any]] = {
    # arrays
    "Array": calls("States.Array('Foo', 2020, $.someJson, null)", ["Foo", 2020, {"r": "a"}, None], someJson={"r": "a"}),
    "Array of nothing": calls("States.Array()", []),
    "Array of true, fractions and negative numbers": calls(
        "States.Array(true, false, 1.5, -2)", [True, False, 1.5, -2]),
    "Array in an Array": calls("States.Array(States.Array(1), States.Array())", [[1], []]),
    "ArrayPartition": calls("States.ArrayPartition($.a, 4)", [[1, 2, 3, 4], [5, 6, 7, 8], [9]], a=NINE),
    "ArrayPartition of more than there is": calls("States.ArrayPartition($.a, 20)", [NINE], a=NINE),
    "ArrayPartition of nothing": calls("States.ArrayPartition($.a, 2)", [], a=[]),
    "ArrayPartition rounds its size": calls("States.ArrayPartition($.a, $.n)", [[1, 2], [3]], a=[1, 2, 3], n=1.7),
    "ArrayPartition into chunks of none fails": fails("States.ArrayPartition($.a, 0)", a=NINE),
    "ArrayPartition into chunks of less fails": fails("States.ArrayPartition($.a, $.n)", a=NINE, n=-1),
    "ArrayPartition of a text fails": fails("States.ArrayPartition($.a, 2)", a="abc"),
    "ArrayContains": calls("States.ArrayContains($.a, $.v)", output=True, a=NINE, v=5),
    "ArrayContains of what is not in it": calls("States.ArrayContains($.a, $.v)", output=False, a=NINE, v="5"),
    "ArrayContains an object": calls(
        "States.ArrayContains($.a, $.v)", output=True, a=[{"b": 1, "c": 2}], v={"c": 2, "b": 1}),
    "ArrayContains null": calls("States.ArrayContains($.a, null)", output=True, a=[None]),
    "ArrayContains a text": calls("States.ArrayContains($.a, 'b')", output=True, a=["a", "b"]),
    "ArrayContains tells true from 1": calls("States.ArrayContains($.a, $.v)", output=False, a=[1], v=True),
    "ArrayContains of an object fails": fails("States.ArrayContains($.a, 1)", a={"b": 1}),
    "ArrayRange": calls("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
    "ArrayRange that does not meet its end": calls("States.ArrayRange(1, 8, 3)", [1, 4, 7]),
    "ArrayRange downwards": calls("States.ArrayRange(5, 1, -2)", [5, 3, 1]),
    "ArrayRange of one": calls("States.ArrayRange(1, 1, 1)", [1]),
    "ArrayRange rounds": calls("States.ArrayRange($.a, $.b, 1)", [2, 3], a=1.6, b=3.4),
    "ArrayRange of a thousand": calls("States.ArrayLength(States.ArrayRange(1, 1000, 1))", 1000),
    "ArrayRange of more than a thousand fails": fails("States.ArrayRange(0, 1000, 1)"),
    "ArrayRange with steps of none fails": fails("States.ArrayRange(1, 9, 0)"),
    "ArrayRange of a text fails": fails("States.ArrayRange($.a, 9, 1)", a="1"),
    "ArrayGetItem": calls("States.ArrayGetItem($.a, $.i)", 6, a=NINE, i=5),
    "ArrayGetItem of the first": calls("States.ArrayGetItem($.a, 0)", 1, a=NINE),
    "ArrayGetItem behind the end fails": fails("States.ArrayGetItem($.a, 9)", a=NINE),
    "ArrayGetItem before the beginning fails": fails("States.ArrayGetItem($.a, -1)", a=NINE),
    "ArrayGetItem of a text fails": fails("States.ArrayGetItem($.a, 0)", a="abc"),
    "ArrayLength": calls("States.ArrayLength($.a)", 9, a=NINE),
    "ArrayLength of nothing": calls("States.ArrayLength($.a)", 0, a=[]),
    "ArrayLength of a text fails": fails("States.ArrayLength($.a)", a="abc"),
    "ArrayUnique": calls("States.ArrayUnique($.a)", [1, 2, 3, 4], a=[1, 2, 3, 3, 3, 3, 3, 3, 4]),
    "ArrayUnique of objects": calls("States.ArrayUnique($.a)", [{"b": 1}, {"b": 2}], a=[{"b": 1}, {"b": 2}, {"b": 1}]),
    "ArrayUnique of nothing": calls("States.ArrayUnique($.a)", [], a=[]),
    "ArrayUnique tells numbers from texts": calls(
        "States.ArrayLength(States.ArrayUnique($.a))", 3, a=[1, "1", None, 1]),
    "ArrayUnique of a text fails": fails("States.ArrayUnique($.a)", a="aab"),
    # encoding, hashes
    "Base64Encode": calls("States.Base64Encode($.a)", "RGF0YSB0byBlbmNvZGU=", a="Data to encode"),
    "Base64Encode of letters that are not ASCII": calls("States.Base64Encode($.a)", "w6TkuK0=", a="ä中"),
    "Base64Encode of an empty text": calls("States.Base64Encode($.a)", "", a=""),
    "Base64Encode of 10,000 characters": calls("States.Base64Encode($.a)", "YWFh" * 3333 + "YQ==", a="a" * 10_000),
    "Base64Encode of 10,001 characters fails": fails("States.Base64Encode($.a)", a="a" * 10_001),
    "Base64Encode of a number fails": fails("States.Base64Encode($.a)", a=1),
    "Base64Decode": calls("States.Base64Decode($.a)", "Data to encode", a="RGF0YSB0byBlbmNvZGU="),
    "Base64Decode of 10,001 characters fails": fails("States.Base64Decode($.a)", a="a" * 10_001),
    "Base64Decode of lines, as MIME has them": calls("States.Base64Decode($.a)", "Data", a="RGF0\r\nYQ=="),
    "Hash with MD5": calls("States.Hash($.a, 'MD5')", "5eb63bbbe01eeed093cb22bb8f5acdc3", a="hello world"),
    "Hash with SHA-1": calls(
        "States.Hash($.a, $.b)", "aaff4a450a104cd177d28d18d74485e8cae074b7", a="input data", b="SHA-1"),
    "Hash with SHA-256": calls(
        "States.Hash('', 'SHA-256')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    "Hash with SHA-384": calls(
        "States.Hash($.a, 'SHA-384')",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7", a="abc"),
    "Hash with SHA-512": calls(
        "States.Hash($.a, 'SHA-512')",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f", a="abc"),
    "Hash of an object hashes its JSON": calls("States.Hash($.a, 'MD5')", "99914b932bd37a50b983c5e7c90ae93b", a={}),
    "Hash of 10,001 characters fails": fails("States.Hash($.a, 'MD5')", a="a" * 10_001),
    "Hash with another algorithm fails": fails("States.Hash($.a, 'SHA-3')", a="a"),
    # JSON
    "JsonMerge": calls("States.JsonMerge($.l, $.r, false)", {"a": {"a3": 1, "a4": 2}, "b": 2, "c": 3}, l=LEFT, r=RIGHT),
    "JsonMerge with an empty object": calls("States.JsonMerge($.l, $.r, false)", LEFT, l=LEFT, r={}),
    "JsonMerge of an array fails": fails("States.JsonMerge($.l, $.r, false)", l=LEFT, r=[]),
    "JsonMerge of null fails": fails("States.JsonMerge($.l, null, false)", l=LEFT),
    "JsonMerge however deep fails": fails("States.JsonMerge($.l, $.r, true)", l=LEFT, r=RIGHT),
    "StringToJson": calls("States.StringToJson($.a)", {"foo": "bar"}, a='{"foo": "bar"}'),
    "StringToJson of a number": calls("States.StringToJson('20')", 20),
    "StringToJson of null": calls("States.StringToJson($.a)", None, a="null"),
    "StringToJson of what is no JSON fails": fails("States.StringToJson($.a)", a="{foo: bar}"),
    "StringToJson of an object fails": fails("States.StringToJson($.a)", a={"foo": "bar"}),
    "JsonToString": calls("States.JsonToString($.a)", '{"name":"Foo","year":2020}', a={"name": "Foo", "year": 2020}),
    "JsonToString of a text": calls("States.JsonToString($.a)", '"x"', a="x"),
    "JsonToString of null": calls("States.JsonToString($.a)", "null", a=None),
    "JsonToString and back": calls(
        "States.StringToJson(States.JsonToString($.a))", [1, {"b": None}], a=[1, {"b": None}]),
    # mathematics
    "MathAdd": calls("States.MathAdd($.value1, $.step)", 110, value1=111, step=-1),
    "MathAdd rounds": calls("States.MathAdd($.a, $.b)", 5, a=1.6, b=3.4),
    "MathAdd rounds a half upwards": calls("States.MathAdd($.a, 0)", 3, a=2.5),
    "MathAdd of the greatest number": calls("States.MathAdd(2147483647, 0)", 2147483647),
    "MathAdd of a greater number fails": fails("States.MathAdd($.a, 0)", a=2147483648),
    "MathAdd of a text fails": fails("States.MathAdd($.a, 1)", a="1"),
    "MathRandom lies between its numbers": random("States.MathRandom(1, 3)", "States.MathAdd(1, 0)", "LessThanEquals"),
    "MathRandom of the same seed is the same": random(
        "States.MathRandom(1, 999999, 7)", "States.MathRandom(1, 999999, 7)", "Equals"),
    "MathRandom of nothing fails": fails("States.MathRandom(8, 8)"),
    "MathRandom of a text fails": fails("States.MathRandom($.a, 8)", a="1"),
    # texts
    "StringSplit": calls("States.StringSplit($.a, $.b)", ["1", "2", "3"], a="1,2,3", b=","),
    "StringSplit at several characters": calls(
        "States.StringSplit($.a, $.b)", ["This", "is", "a", "test", "string"], a="This.is+a,test=string", b=".+,="),
    "StringSplit drops what is empty": calls("States.StringSplit($.a, ',')", ["a", "b"], a=",a,,b,"),
    "StringSplit without the character": calls("States.StringSplit($.a, ',')", ["abc"], a="abc"),
    "StringSplit at what regular expressions mean": calls(
        "States.StringSplit($.a, '.|]^')", ["a", "b", "c"], a="a|b]c"),
    "StringSplit of a number fails": fails("States.StringSplit($.a, ',')", a=1),
    "UUID": calls("States.ArrayLength(States.StringSplit(States.UUID(), '-'))", 5),
    "Format": calls("States.Format('{}, this is the year {}', $.name, 2020)", "Foo, this is the year 2020", name="Foo"),
    "Format with a template of the input": calls(
        "States.Format($.t, $.n)", "Hello, my name is Arnav.", t="Hello, my name is {}.", n="Arnav"),
    "Format without a place": calls("States.Format('text')", "text"),
    "Format of true, null and numbers": calls(
        "States.Format('{} {} {} {}', true, null, 1, $.f)", "true null 1 1.5", f=1.5),
    "Format with escaped brackets": calls("States.Format('\\{{}\\}', 1)", "{1}"),
    "Format with an escaped apostrophe": calls(
        "States.Format('Welcome to {}\\'s playlist.', $.n)", "Welcome to Jo's playlist.", n="Jo"),
    "Format with an escaped backslash": calls("States.Format('a\\\\b {}', 1)", "a\\b 1"),
    "Format puts texts in as they are": calls("States.Format('{}', $.a)", "{} \"", a='{} "'),
    "Format with too few arguments fails": fails("States.Format('{} {}', 1)"),
    "Format with too many arguments fails": fails("States.Format('{}', 1, 2)"),
    # The States Language forbids these two; AWS answers so, as LocalStack's tests against it have recorded.
    "Format of an object": calls("States.Format('{}', $.a)", "{b=1, c=[]}", a={"b": 1, "c": []}),
    "Format of an array": calls("States.Format('{}', $.a)", "[1, x]", a=[1, "x"]),
    "Format with a template that is no text fails": fails("States.Format($.a, 1)", a=1),
    # expressions
    "a function of a function": calls(
        "States.Format('{}.{}', States.ArrayGetItem(States.StringSplit($.a, '/'), 1), States.MathAdd(1, 1))",
        "b.2", a="a/b"),
    "a function of the context object": calls("States.Format('{}', $$.State.Name)", "A"),
    "a function of a path in brackets": calls("States.JsonToString($.a['b c'])", "1", a={"b c": 1}),
    "a function of a path that finds many": calls("States.ArrayLength($.a[*].b)", 2, a=[{"b": 1}, {"b": 2}]),
    "blanks between arguments": calls("States.Array( 1 ,  'a b' , $.c )", [1, "a b", 2], c=2),
    "a path that leads nowhere in a function is States.Runtime": {
        "state": {"Type": "Pass", "Parameters": {"x.$": "States.ArrayLength($.a)"}},
        "error": "States.Runtime",
    },
    "a function in ResultSelector": {
        "state": {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:A",
                  "ResultSelector": {"n.$": "States.ArrayLength($.r)"}},
        "answers": {"A": {"r": [1, 2]}}, "output": {"n": 2},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
