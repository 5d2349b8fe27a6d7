from __future__ import annotations

from array import array
from collections import Counter

import pytest

from scones.loadtest import Counts, Curve, Load, Step, advise, find_knee, size_for, step_of


def step(connections: int, throughput: float, p99_ms: float, *, refused: int = 0, closed: int = 0) -> Step:
    counts = Counts(
        latencies=array("d", [p99_ms / 2000] * 90 + [p99_ms / 1000] * 10),
        refusals=array("d", [0.001] * refused),
        statuses=Counter({200: 100, 503: refused}),
        errors=Counter({"closed": closed}) if closed else Counter(),
        inside=round(throughput * 4.5),
    )
    return step_of(Load(5.0, connections, settle=0.5), counts)


def test_the_knee_is_the_most_throughput_whose_p99_is_twice_the_first_at_most() -> None:
    curve = find_knee([step(1, 500, 3), step(2, 1000, 4), step(4, 1400, 6), step(8, 1500, 6.1), step(16, 1480, 12)])
    assert curve.limit_ms == pytest.approx(6)
    assert curve.knee is not None
    assert curve.knee.connections == 4
    assert curve.peak.connections == 8


def test_what_callers_bear_moves_the_knee() -> None:
    steps = [step(1, 500, 3), step(2, 1000, 4), step(4, 1400, 6), step(8, 1500, 40), step(16, 1600, 60)]
    assert [found.connections for limit in (4, 50, 100) if (found := find_knee(steps, limit).knee)] == [2, 8, 16]
    assert find_knee(steps, 1).knee is None


@pytest.mark.parametrize("trouble", [{"refused": 1}, {"closed": 1}])
def test_a_step_in_which_something_was_refused_or_lost_is_beyond_the_knee(trouble: dict[str, int]) -> None:
    curve = find_knee([step(1, 500, 3), step(2, 1000, 4, **trouble)])
    assert curve.knee is not None
    assert curve.knee.connections == 1
    assert curve.peak.connections == 2


def test_instances_are_loaded_to_70_per_cent_of_the_knee() -> None:
    sizing = size_for(step(4, 1000, 3), 2100)
    assert (sizing.per_instance, sizing.target, sizing.instances) == (700, 42_000, 3)
    assert size_for(step(4, 1000, 3), 2101).instances == 4
    assert size_for(step(4, 1000, 3), 1).instances == 1
    assert size_for(step(4, 1000, 3)).instances is None


def test_the_advice_names_the_knee_the_target_with_its_safety_factor_and_the_instances() -> None:
    said, sizing = advise(find_knee([step(1, 500, 3), step(4, 1400, 5), step(8, 1500, 9)]), 3000)
    assert sizing is not None
    rest = "the rest is for bursts, and until another instance is there"
    share = "70\N{NARROW NO-BREAK SPACE}% of the knee (980/s)"
    assert said == [
        "the knee is 1,400/s with 4 callers: the most within a p99 of 6 ms (it was 5 ms)",
        f"autoscaling: InvocationsPerInstance 58,800, which is {share} for a minute; {rest}",
        "3,000/s at the busiest takes 4 instances like this one; 5 where one may fail",
    ]


def test_the_advice_says_what_is_doubtful() -> None:
    last = advise(find_knee([step(1, 500, 3), step(2, 900, 4)]))[0]
    assert last[-1] == "the knee is the largest load measured, so it may lie higher: measure with more --connections"
    none, sizing = advise(find_knee([step(1, 500, 3)], 1))
    assert sizing is None
    assert none[0].startswith("no load had all its answers with a p99 within 1 ms, so there is no knee")
    counts = Counts(latencies=array("d", [0.002] * 10), statuses=Counter({200: 10}), inside=10, cpu=4.4)
    held_up = step_of(Load(5.0, 9, settle=0.5), counts)
    curve = find_knee([step(1, 500, 3), held_up])
    assert "at 9 callers the load generator itself was held up" in advise(curve)[0][-1]


def test_a_steps_figures_are_told_in_milliseconds_and_whole_counts() -> None:
    told = step(4, 1000, 3, refused=2, closed=1).to_json()
    assert told["latency_ms"]["p99"] == pytest.approx(3)
    assert told["latency_ms"]["n"] == 100
    assert (told["statuses"], told["errors"], told["rate"]) == ({"200": 100, "503": 2}, {"closed": 1}, None)
    assert step_of(Load(1.0, 1), Counts()).to_json()["latency_ms"] is None


def test_a_step_that_lost_something_or_got_another_answer_is_not_clean() -> None:
    assert step(1, 500, 3).clean
    strange = Counts(latencies=array("d", [0.001]), statuses=Counter({200: 1, 400: 2}), unanswered=3, inside=1)
    assert step_of(Load(1.0, 1), strange).failed == 5
    assert not step_of(Load(1.0, 1), strange).clean


def test_a_curve_is_told_whole() -> None:
    curve = find_knee([step(1, 500, 3), step(2, 1000, 4)])
    assert isinstance(curve, Curve)
    told = curve.to_json()
    assert [one["connections"] for one in told["steps"]] == [1, 2]
    assert told["knee"]["throughput"] == 1000
    assert told["open_loop"] == []
