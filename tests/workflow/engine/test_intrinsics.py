import random

import pytest

from scones.workflow.engine.failure import StateFailure
from scones.workflow.engine.intrinsics import evaluate, parse_expression
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.paths import Scope

DATA = {"name": "Ada", "n": 2, "list": [1, "x"], "a": {"k": 1}, "b": {"k": 2, "l": 3}, "t": '{"x": [1]}', "f": "{}!"}


def value_of(text: str) -> Json:
    return evaluate(parse_expression(text), Scope(DATA, {"Execution": {"Name": "e"}}, random.Random(0)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("States.Format('{} has {}', $.name, $.n)", "Ada has 2"),
        (r"States.Format('\{\} it\'s \\ {}', $.list)", "{} it's \\ [1, x]"),
        ("States.Format($.f, true)", "true!"),
        ("States.Format('{}', $$.Execution.Name)", "e"),
        ("States.Format('{}, ({})', 'a,b)', 'c')", "a,b), (c)"),
        ("States.Array(1, 'a', $.n, null, -2.5)", [1, "a", 2, None, -2.5]),
        ("States.Array()", []),
        ("States.JsonToString($.a)", '{"k":1}'),
        ("States.StringToJson($.t)", {"x": [1]}),
        ("States.JsonMerge($.a, $.b, false)", {"k": 2, "l": 3}),
        ("States.ArrayGetItem($.list, 1)", "x"),
        ("States.ArrayGetItem(States.StringSplit('a/b/c', '/'), 1)", "b"),
        ("States.StringSplit('arrivals/vehicles//n.png', '/.')", ["arrivals", "vehicles", "n", "png"]),
        ("States.Hash('abc', 'MD5')", "900150983cd24fb0d6963f7d28e17f72"),
        ("States.ArrayPartition(States.ArrayRange(1, 9, 1), 4)", [[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        ("States.ArrayPartition(States.Array(1, 2, 3), 1.5)", [[1, 2], [3]]),
        ("States.ArrayContains($.list, 'x')", True),
        ("States.ArrayContains($.list, true)", False),
        ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("States.ArrayRange(3, 1, -1)", [3, 2, 1]),
        ("States.ArrayRange(3, 1, 1)", []),
        ("States.ArrayLength($.list)", 2),
        ("States.ArrayUnique(States.Array(1, true, 1, 'a', 'a', null))", [1, True, "a", None]),
        ("States.Base64Encode('Data to encode')", "RGF0YSB0byBlbmNvZGU="),
        ("States.Base64Decode('RGVjb2RlZCBkYXRh')", "Decoded data"),
        ("States.MathAdd(111, -1)", 110),
        ("States.ArrayLength($.list[?(@ == 'x')])", 1),
        ("States.Array($.a.*, $.n)", [[1], 2]),
        ("States.MathAdd($.n, 0.5)", 3),
    ],
)
def test_an_intrinsic_function_gives_what_the_states_language_says(text: str, value: Json) -> None:
    assert value_of(text) == value


def test_a_uuid_comes_from_the_randomness_that_was_passed_in() -> None:
    assert value_of("States.UUID()") == value_of("States.UUID()")
    assert value_of("States.UUID()")[14] == "4"


def test_a_random_number_lies_from_the_first_to_below_the_end_and_a_seed_fixes_it() -> None:
    assert {value_of("States.MathRandom(1, 3)") for _ in range(3)} <= {1, 2}
    assert value_of("States.MathRandom(1, 999, 7)") == value_of("States.MathRandom(1, 999, 7)")


@pytest.mark.parametrize(
    "text",
    [
        "States.Format('{} {}', $.n)",
        "States.Format('{}', 1, 2)",
        "States.Format($.n, 1)",
        "States.StringToJson('{')",
        "States.StringToJson('NaN')",
        "States.JsonMerge($.a, $.b, true)",
        "States.JsonMerge($.a, $.n, false)",
        "States.Hash('abc', 'CRC32')",
        "States.ArrayGetItem($.list, 2)",
        "States.StringSplit($.name, '')",
        "States.ArrayPartition($.list, 0)",
        "States.ArrayPartition($.name, 1)",
        "States.ArrayRange(0, 1000, 1)",
        "States.ArrayRange(0, 9, 0)",
        "States.ArrayLength($.a)",
        "States.Base64Decode('=')",
        "States.MathAdd(2147483648, 1)",
        "States.MathAdd('1', 1)",
        "States.MathRandom(3, 3)",
    ],
)
def test_a_function_that_cannot_do_what_it_is_asked_is_an_intrinsic_failure(text: str) -> None:
    with pytest.raises(StateFailure, match=r"^States\.IntrinsicFailure: "):
        value_of(text)


def test_a_path_inside_a_function_that_leads_nowhere_is_a_parameter_path_failure() -> None:
    with pytest.raises(StateFailure, match=r"^States\.Runtime: .*\$\.nowhere"):
        value_of("States.Array($.nowhere)")


@pytest.mark.parametrize(
    "text",
    [
        "States.Unknown(1)",
        "States.UUID(1)",
        "States.JsonMerge($.a, $.b)",
        "States.Array(1 2)",
        "States.Array(1",
        "States.Array('a)",
        "States.Array(1) x",
        "plain",
        "'quoted'",
        "7",
    ],
)
def test_a_faulty_expression_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_expression(text)
