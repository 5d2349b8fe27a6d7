from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.capture import CaptureProblems, CaptureRecord
from scones.monitoring import summarise
from scones.monitoring.timeline import LADDER, MAX_BINS

START = datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC)
OURS = {"model_version": "v1", "threshold": "0.9", "labels": "bicycle,motorcycle"}


def record(number: int, *probabilities: float, after: float = 0, **attributes: str) -> CaptureRecord:
    return CaptureRecord(
        f"event-{number}", f"order-{number}", START + timedelta(seconds=after), probabilities, attributes=attributes
    )


def test_a_small_capture_sums_up_to_figures_checked_by_hand() -> None:
    summary = summarise(
        [
            record(1, 0.95, 0.05, after=0, **OURS),
            record(2, 0.20, 0.80, after=1, **OURS),
            record(3, 0.55, 0.45, after=1, **OURS),
            record(4, 0.01, 0.99, after=3, **(OURS | {"model_version": "v2", "threshold": "0.5"})),
        ]
    )
    assert summary.records == 4
    assert (summary.first, summary.last) == (START, START + timedelta(seconds=3))
    assert summary.labels == {"bicycle": 2, "motorcycle": 2}
    assert summary.mean_confidence == pytest.approx((0.95 + 0.80 + 0.55 + 0.99) / 4)
    assert (summary.judged, summary.below, summary.below_share) == (4, 2, 0.5)
    assert summary.thresholds == {0.5: 1, 0.9: 3}
    assert summary.threshold == 0.5
    assert [(entry.version, entry.records, entry.below) for entry in summary.versions] == [("v1", 3, 2), ("v2", 1, 0)]
    assert summary.versions[0].mean == pytest.approx((0.95 + 0.80 + 0.55) / 3)
    assert summary.bin_seconds == 1
    assert [entry.records for entry in summary.bins] == [1, 2, 0, 1]
    assert [entry.below for entry in summary.bins] == [0, 2, 0, 0]
    assert [entry.threshold for entry in summary.bins] == [0.9, 0.9, None, 0.5]
    assert summary.bins[2].mean is None
    assert [entry.name for entry in summary.unsure] == ["order-3", "order-2", "order-1", "order-4"]
    assert summary.without_picture == 4


def test_another_teams_capture_without_attributes_gets_numbered_labels_and_the_given_threshold() -> None:
    theirs = CaptureRecord("event-7", "", START, (0.1, 0.2, 0.7))
    assert summarise([theirs]).labels == {"class 2": 1}
    assert summarise([theirs]).below_share is None
    named = summarise([theirs], ["x", "y", "z"], 0.8)
    assert named.labels == {"z": 1}
    assert named.below_share == 1
    assert named.unsure[0].name == "event-7"
    assert named.versions[0].version == ""


def test_given_labels_of_another_number_name_nothing() -> None:
    assert summarise([record(1, 0.1, 0.9)], ["only one"]).labels == {"class 1": 1}


def test_the_records_own_threshold_goes_before_the_given_one_unless_it_is_none() -> None:
    records = [record(1, 0.7, threshold="0.6"), record(2, 0.7, threshold="high"), record(3, 0.7, threshold="nan")]
    assert summarise(records, threshold=0.8).thresholds == {0.6: 1, 0.8: 2}


def test_a_confidence_at_the_threshold_is_not_below_it() -> None:
    assert summarise([record(1, 0.9, 0.1)], threshold=0.9).below == 0


@pytest.mark.parametrize("answer", [(), (float("nan"), 0.5), (float("inf"),), (-3.2, 4.1)])
def test_an_answer_that_is_no_probabilities_is_a_problem_and_not_a_figure(answer: tuple[float, ...]) -> None:
    problems = CaptureProblems()
    summary = summarise([record(1, *answer), record(2, 0.6, 0.4)], problems=problems)
    assert summary.records == 1
    assert problems.lines == 1
    assert problems.examples[0].startswith("record event-1: its answer")


def test_a_clock_far_off_is_a_problem_and_does_not_stretch_the_charts() -> None:
    wrong = CaptureRecord("e", "", datetime(1, 1, 1, tzinfo=UTC), (0.6, 0.4))
    summary = summarise([wrong, record(2, 0.6, 0.4)])
    assert (summary.records, summary.problems.lines) == (1, 1)


def test_nothing_captured_is_an_empty_summary() -> None:
    summary = summarise([])
    assert (summary.records, summary.bins, summary.threshold, summary.mean_confidence) == (0, (), None, None)
    assert summary.figures()["first"] is None


def test_only_the_least_sure_keep_their_pictures() -> None:
    def stream() -> Iterator[CaptureRecord]:
        for number in range(2000):
            yield CaptureRecord(f"e{number}", "", START, (number / 2000,), picture=b"p")

    summary = summarise(stream(), keep=5, sample=50)
    assert [entry.name for entry in summary.unsure] == [f"e{number}" for number in range(5)]
    assert len(summary.dots) == 50
    assert summary.without_picture == 0


def test_the_same_record_twice_is_counted_twice_and_breaks_nothing() -> None:
    summary = summarise([record(1, 0.6, 0.4)] * 100, keep=10, sample=10)
    assert (summary.records, len(summary.unsure), len(summary.dots)) == (100, 10, 10)


@pytest.mark.parametrize(
    ("seconds", "width"),
    [(10, 1), (59, 1), (61, 5), (1000, 30), (3600, 300), (86_400, 1800), (7 * 86_400, 10_800), (365 * 86_400, 604_800)],
)
def test_a_span_is_cut_into_bins_of_a_unit_that_people_use(seconds: int, width: int) -> None:
    summary = summarise(record(number, 0.7, after=number * seconds / 40) for number in range(41))
    assert summary.bin_seconds == width
    assert len(summary.bins) <= MAX_BINS


def test_every_width_is_a_multiple_of_the_one_before() -> None:
    assert all(wide % narrow == 0 for narrow, wide in pairwise(LADDER))


_RECORDS = st.lists(
    st.builds(
        lambda number, after, share, threshold, version: record(
            number,
            share,
            1 - share,
            after=after,
            **({} if threshold is None else {"threshold": repr(threshold)}),
            **({"model_version": version} if version else {}),
        ),
        st.integers(0, 50),
        st.integers(0, 10**8) | st.integers(0, 100),
        st.floats(0, 1),
        st.none() | st.sampled_from([0.5, 0.9]),
        st.sampled_from(["", "v1", "v2"]),
    ),
    max_size=80,
)


@given(_RECORDS, st.randoms(use_true_random=False))
def test_one_pass_says_the_same_as_a_whole_computation_whatever_the_order(
    records: list[CaptureRecord], random: Random
) -> None:
    shuffled = list(records)
    random.shuffle(shuffled)
    found = summarise(iter(shuffled), ["a", "b"], None, keep=7)

    confidences = [max(entry.probabilities) for entry in records]
    limits = [float(text) if (text := entry.attributes.get("threshold")) else None for entry in records]
    below = [limit is not None and value < limit for value, limit in zip(confidences, limits, strict=True)]
    assert found.records == sum(entry.records for entry in found.bins) == sum(found.histogram) == len(records)
    assert found.judged == sum(entry.judged for entry in found.bins) == sum(limit is not None for limit in limits)
    assert found.below == sum(entry.below for entry in found.bins) == sum(below)
    assert found.labels == Counter("ab"[entry.probabilities[1] > entry.probabilities[0]] for entry in records)
    assert [entry.confidence for entry in found.unsure] == sorted(confidences)[:7]
    assert len(found.bins) <= MAX_BINS
    for entry in found.bins:
        end = entry.start + timedelta(seconds=found.bin_seconds)
        inside = sorted(value for value, one in zip(confidences, records, strict=True) if entry.start <= one.time < end)
        assert entry.records == len(inside)
        if inside:
            assert entry.mean == pytest.approx(sum(inside) / len(inside))
            assert entry.median == pytest.approx(inside[(len(inside) - 1) // 2], abs=0.0026)


@given(_RECORDS, st.randoms(use_true_random=False))
def test_the_order_of_the_records_changes_nothing(records: list[CaptureRecord], random: Random) -> None:
    shuffled = list(records)
    random.shuffle(shuffled)
    one, other = summarise(records, keep=5, sample=5), summarise(shuffled, keep=5, sample=5)
    assert [(dot.time, dot.confidence) for dot in one.dots] == [(dot.time, dot.confidence) for dot in other.dots]
    assert [entry.confidence for entry in one.unsure] == [entry.confidence for entry in other.unsure]
    assert [(bin_.start, bin_.records, bin_.threshold) for bin_ in one.bins] == [
        (bin_.start, bin_.records, bin_.threshold) for bin_ in other.bins
    ]
