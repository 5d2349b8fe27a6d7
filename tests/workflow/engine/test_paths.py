import random

import pytest

from scones.workflow.engine.failure import StateFailure
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.paths import PathMissing, Scope, parse_path

DATA = {
    "a": {"b": [{"c d": 1, "it's": 2}]},
    "detail-type": 3,
    "ü": 4,
    "list": [{"n": 1}, {"n": 2, "k": "x]"}, {"n": 3}],
}


def read(text: str) -> Json:
    return parse_path(text).read(Scope(DATA, {"Execution": {"Name": "e"}}, random.Random(0)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$", DATA),
        ("$.a.b[0]['c d']", 1),
        ('$["a"].b[0]["c d"]', 1),
        (r"$.a.b[0]['it\'s']", 2),
        ("$.detail-type", 3),
        ("$.ü", 4),
        ("$$.Execution.Name", "e"),
        ("$.list[-1]", {"n": 3}),
        ("$.list[*].n", [1, 2, 3]),
        ("$.list[?(@.n > 1)].n", [2, 3]),
        ("$.list[?(@.k == 'x]')]", [{"n": 2, "k": "x]"}]),
        ("$.list[?(@.k =~ /X.*/i)].n", [2]),
        ("$.list[?(@.n > 1 && @.n < 3)].n", [2]),
        ("$.list[?(@.k in ['y', 'x]'])].n", [2]),
        ("$.list[0:2].n", [1, 2]),
        ("$.list[0,2].n", [1, 3]),
        ("$..n", [1, 2, 3]),
        ("$.a.b[*]['c d']", [1]),
        ("$.list[*].nothing", []),
        ("$$.Execution.*", ["e"]),
    ],
)
def test_a_path_names_one_place_in_the_data_or_the_context(text: str, value: Json) -> None:
    assert read(text) == value


@pytest.mark.parametrize("text", ["$.x", "$.a.b[1]", "$.a[0]", "$.a.b.c", "$$.x", "$.x[*].y"])
def test_a_path_that_leads_nowhere_is_missing(text: str) -> None:
    with pytest.raises(PathMissing):
        read(text)


@pytest.mark.parametrize(
    "text", ["", "a", "$.", "$.a b", "$.a[0", "$.a[?(@.b size 1)]", "$.a.length()", "$.a['b','c']", "$.a[*]]"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|JSONPath|lacks|several names"):
        parse_path(text)


@pytest.mark.parametrize("text", ["$.a[*]", "$..a", "$.a[?(@.b)]", "$.a[-1]", "$.a[0:1]"])
def test_what_names_more_than_one_place_is_no_reference_path(text: str) -> None:
    parse_path(text)
    with pytest.raises(ValueError, match="no reference path"):
        parse_path(text, reference=True)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$", 9),
        ("$.new", {**DATA, "new": 9}),
        ("$.n.e.w", {**DATA, "n": {"e": {"w": 9}}}),
        ("$.a.b[0]", {**DATA, "a": {"b": [9]}}),
    ],
)
def test_a_value_is_placed_in_a_copy(text: str, result: Json) -> None:
    before = repr(DATA)
    assert parse_path(text).place(DATA, 9) == result
    assert repr(DATA) == before


@pytest.mark.parametrize("text", ["$.a.b[1]", "$.a.b.c", "$.ü.x", "$[0]"])
def test_a_result_path_that_does_not_fit_has_the_error_name_of_aws(text: str) -> None:
    with pytest.raises(StateFailure, match=r"States\.ResultPathMatchFailure"):
        parse_path(text).place(DATA, 9)
