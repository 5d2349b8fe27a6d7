import random

import pytest

from scones.workflow.engine.failure import StateFailure
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.paths import PathMissing, Scope, parse_path

DATA = {"a": {"b": [{"c d": 1, "it's": 2}]}, "detail-type": 3, "ü": 4}


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
    ],
)
def test_a_path_names_one_place_in_the_data_or_the_context(text: str, value: Json) -> None:
    assert read(text) == value


@pytest.mark.parametrize("text", ["$.x", "$.a.b[1]", "$.a[0]", "$.a.b.c", "$$.x"])
def test_a_path_that_leads_nowhere_is_missing(text: str) -> None:
    with pytest.raises(PathMissing):
        read(text)


@pytest.mark.parametrize("text", ["", "a", "$.", "$.a[*]", "$..a", "$.a[?(@.b)]", "$.a[-1]", "$.a b", "$.a[0"])
def test_what_is_more_or_less_than_a_reference_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_path(text)


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
