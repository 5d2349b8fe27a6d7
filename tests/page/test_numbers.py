import math

from hypothesis import given
from hypothesis import strategies as st

from scones.page import charts
from scones.page.numbers import percent


def test_what_is_no_figure_is_written_as_a_dash() -> None:
    assert percent(None) == percent(math.nan) == "\N{EN DASH}"


@given(st.lists(st.text(max_size=60)))
def test_names_of_a_category_axis_are_distinct_and_not_empty(names: list[str]) -> None:
    keys = charts.distinct(names)
    assert len(set(keys)) == len(names)
    assert all(key.strip() for key in keys)
