"""The interval of a share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from scones.intervals import share_interval


@given(st.integers(1, 2000), st.floats(0, 1))
def test_it_is_the_exact_interval(n: int, share: float) -> None:
    hits = round(share * n)
    exact = binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert share_interval(hits, n) == pytest.approx((exact.low, exact.high), abs=1e-9)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval_and_that_in_0_to_1(numbers: tuple[int, int]) -> None:
    low, high = share_interval(*numbers)
    assert 0 <= low <= numbers[0] / numbers[1] <= high <= 1


def test_nothing_looked_at_tells_nothing() -> None:
    assert share_interval(0, 0) == (0.0, 1.0)


def test_more_hits_than_looks_are_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        share_interval(3, 2)
