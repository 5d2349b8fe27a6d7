import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.page import charts
from scones.page.numbers import percent, wilson


def test_the_interval_of_a_share_agrees_with_published_figures() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
    for part, whole, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert wilson(part, whole) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**9).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_a_share_lies_in_its_interval_and_that_in_0_to_1(numbers: tuple[int, int]) -> None:
    low, high = wilson(*numbers)
    assert 0 <= low <= numbers[0] / numbers[1] <= high <= 1


def test_a_part_larger_than_the_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


def test_what_is_no_figure_is_written_as_a_dash() -> None:
    assert percent(None) == percent(math.nan) == "\N{EN DASH}"


@given(st.lists(st.text(max_size=60)))
def test_names_of_a_category_axis_are_distinct_and_not_empty(names: list[str]) -> None:
    keys = charts.distinct(names)
    assert len(set(keys)) == len(names)
    assert all(key.strip() for key in keys)
