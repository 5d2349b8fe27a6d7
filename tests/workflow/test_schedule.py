"""When arrivals are due."""

from itertools import pairwise
from typing import Any

import pytest

from scones.errors import SettingsError
from scones.workflow.schedule import Schedule


def test_without_a_rate_all_come_at_once() -> None:
    assert list(Schedule(count=3).dues()) == [0.0, 0.0, 0.0]


def test_an_even_stream_does_not_drift() -> None:
    dues = list(Schedule(count=100_001, rate=10.0).dues())
    assert (dues[1], dues[-1]) == (0.1, 10_000.0)


def test_bursts_come_besides_a_stream_in_order_of_time() -> None:
    dues = list(Schedule(duration=4.0, rate=1.0, burst=2, every=2.0).dues())
    assert dues == [0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 3.0]
    assert list(Schedule(count=5, burst=2, every=30.0).dues()) == [0.0, 0.0, 30.0, 30.0, 60.0]


def test_a_poisson_stream_keeps_its_rate_on_average_and_its_gaps_vary() -> None:
    schedule = Schedule(duration=1000.0, rate=5.0, spacing="poisson")
    dues = list(schedule.dues(seed=1))
    gaps = [later - earlier for earlier, later in pairwise(dues)]
    assert len(dues) == pytest.approx(5000, rel=0.05)
    # of exponential gaps, a share of 1/e is longer than the mean one
    assert sum(gap > 0.2 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.03)
    assert dues == sorted(dues)


def test_a_seed_gives_the_same_poisson_stream_again() -> None:
    def dues(seed: int) -> list[float]:
        return list(Schedule(count=20, rate=5.0, spacing="poisson").dues(seed))

    assert dues(4) == dues(4) != dues(5)


def test_of_count_and_duration_the_first_ends_it() -> None:
    assert len(list(Schedule(count=3, duration=10.0, rate=1.0).dues())) == 3
    assert len(list(Schedule(count=30, duration=10.0, rate=1.0).dues())) == 10


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(count=7),
        Schedule(duration=3.0, rate=10.0),
        Schedule(duration=3.0, rate=10.0, spacing="poisson", burst=4, every=1.0),
        Schedule(count=50, duration=2.0, rate=10.0),
    ],
)
def test_the_total_is_how_many_there_are(schedule: Schedule) -> None:
    assert schedule.total(seed=3) == len(list(schedule.dues(seed=3)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate": 5.0}, "must end"),
        ({"burst": 5, "every": 1.0}, "must end"),
        ({"duration": 5.0}, "--rate"),
        ({"count": 5, "burst": 5}, "--every"),
        ({"count": 5, "every": 5.0}, "--burst"),
        ({"count": 5, "spacing": "poisson"}, "--rate"),
        ({"count": 5, "rate": float("nan")}, "--rate nan"),
        ({"rate": 5.0, "duration": float("inf")}, "--duration inf"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Schedule(**options)
