"""What the figures of generated traffic say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scones.contracts import Arrival, ManifestLine
from scones.workflow.engine import ExecutionDetail, Status
from scones.workflow.generator import Sent
from scones.workflow.schedule import Schedule
from scones.workflow.tally import Figures, Right, Spread, Tally
from scones.workflow.traffic import Planned, parse_damage

BEGAN = 1_800_000_000.0


def sent(number: int, at: float, *, label: str = "bicycle", late: float = 0.0, **planned: Any) -> Sent:
    line = ManifestLine.model_validate(
        {
            "source-ref": "a.png",
            "label": label,
            "label_index": 0,
            "split": "test",
            "hash": "0",
            "width": 1,
            "height": 1,
            "origin": "",
        }
    )
    arrival = Arrival(task="vehicles", depot="main", driver_id="d", arrival_id=f"a{number}")
    return Sent(Planned(number, at, line, **planned), arrival, arrival.key(), late, BEGAN + at)


def execution(at: float, output: Any = None, status: Status = "SUCCEEDED") -> ExecutionDetail:
    stopped = datetime.fromtimestamp(BEGAN + at, UTC)
    return ExecutionDetail("classify", "e", "arn", status, stopped, stopped, None, None, "", {}, output)


def answer(label: str, outcome: str = "routed") -> dict[str, str]:
    return {"outcome": outcome, "label": label}


def tally(count: int = 10, rate: float = 2.0) -> Tally:
    schedule = Schedule(count=count, rate=rate)
    return Tally(schedule.dues(), count, BEGAN)


def test_nothing_is_known_at_first() -> None:
    figures = tally().figures(BEGAN)
    assert (figures.total, figures.due, figures.sent, figures.ended, figures.unended) == (10, 1, 0, 0, 0)
    assert (figures.sent_rate, figures.ended_rate, figures.late, figures.latency) == (None, None, None, None)
    assert figures.to_json(followed=True)["decided"] == {"right": 0, "n": 0, "share": None}


def test_the_achieved_rate_stands_beside_the_asked_one() -> None:
    counted = tally()
    for number in range(4):
        counted.sent(sent(number, at=number * 1.0, late=0.5 * number))
    figures = counted.figures(BEGAN + 3.2)
    assert (figures.due, figures.sent) == (7, 4), "three are due that were not sent"
    assert figures.asked_rate == 2.0
    assert figures.sent_rate == 1.0
    assert figures.late == Spread(p50=0.5, p90=1.5, p99=1.5, most=1.5, n=4)


def test_what_is_sent_at_once_has_no_rate_that_was_asked_for() -> None:
    counted = Tally(Schedule(count=3).dues(), 3, BEGAN)
    assert counted.figures(BEGAN + 1).asked_rate is None


def test_latency_is_from_the_writing_to_the_end() -> None:
    counted = tally()
    for number, seconds in enumerate([0.4, 0.1, 0.3, 0.2]):
        one = sent(number, at=float(number))
        counted.sent(one)
        counted.ended(one, execution(number + seconds, answer("bicycle")))
    spread = counted.figures(BEGAN + 5).latency
    assert spread is not None
    assert (spread.p50, spread.p90, spread.most) == pytest.approx((0.2, 0.4, 0.4), abs=1e-5)


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    assert Spread.of([float(value) for value in range(1, 1001)]) == Spread(500.0, 900.0, 990.0, 1000.0, 1000)
    assert Spread.of([3.0]) == Spread(3.0, 3.0, 3.0, 3.0, 1)


def outcomes_of_five() -> Figures:
    counted = tally()
    [damage] = parse_damage("blur:1")
    pairs = [
        (sent(0, 0.0), execution(1.0, answer("bicycle"))),
        (sent(1, 0.5), execution(1.0, answer("motorcycle", "wait"))),
        (sent(2, 1.0, damage=damage), execution(2.0, answer("motorcycle"))),
        (sent(3, 1.5), execution(2.0, answer("bicycle", "review"))),
        (sent(4, 2.0, garbage="text"), execution(3.0, status="FAILED")),
        (sent(5, 2.5), execution(3.0, status="TIMED_OUT")),
    ]
    for one, ended in pairs:
        counted.sent(one)
        counted.ended(one, ended)
    counted.sent(sent(0, 3.0, again=True))
    counted.sent(sent(6, 3.5))
    counted.sent(sent(7, 4.0))
    return counted.figures(BEGAN + 5.0, running=1, oldest=BEGAN + 3.5)


def test_outcomes_are_counted_and_a_duplicate_is_no_new_work() -> None:
    figures = outcomes_of_five()
    assert figures.outcomes == {"routed": 2, "wait": 1, "review": 1, "failed": 2}
    assert (figures.sent, figures.again, figures.ended, figures.running, figures.waiting) == (9, 1, 6, 1, 1)
    assert figures.kinds == {"plain": 6, "corrupted": 1, "garbage": 1}
    assert figures.garbage_failed == 1, "the other failure is none of the generator's making"


def test_answers_are_held_against_the_truth_unsure_ones_and_corrupted_ones_apart() -> None:
    figures = outcomes_of_five()
    assert figures.answers(unsure=False) == Right(1, 3)
    assert figures.answers(unsure=False, kind="plain") == Right(1, 2)
    assert figures.answers(unsure=False, kind="corrupted") == Right(0, 1)
    assert figures.answers(unsure=True) == Right(1, 1)
    told = figures.to_json(followed=True)
    assert told["decided"] == {"right": 1, "n": 3, "share": 0.3333}
    assert told["by_kind"]["corrupted"]["decided"] == {"right": 0, "n": 1, "share": 0.0}
    assert "ended" not in figures.to_json(followed=False)


def test_an_execution_without_an_answer_counts_for_no_label() -> None:
    counted = tally()
    one = sent(0, 0.0)
    counted.sent(one)
    counted.ended(one, execution(1.0, {"outcome": "duplicate", "arrival": "vehicles/main/d/a0"}))
    figures = counted.figures(BEGAN + 2)
    assert (figures.outcomes, figures.answers(unsure=False).share) == ({"duplicate": 1}, None)


def test_history_tells_of_each_of_the_last_seconds() -> None:
    figures = outcomes_of_five()
    assert list(figures.history)[-6:] == [(0, 0), (2, 0), (2, 2), (2, 2), (2, 2), (1, 0)]
    assert len(figures.history) == 30


def test_idle_time_counts_only_while_something_is_awaited() -> None:
    counted = tally()
    first = sent(0, 0.0)
    counted.sent(first)
    assert counted.figures(BEGAN + 20, oldest=first.written).idle == 20
    counted.ended(first, execution(21.0, answer("bicycle")))
    assert counted.figures(BEGAN + 50).idle == 0
    counted.sent(sent(1, 49.0))
    assert counted.figures(BEGAN + 50, oldest=BEGAN + 49.0).idle == 1
