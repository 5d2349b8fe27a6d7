"""The scheduled monitor on its store: which hours and files it reads, what it counts, and what it decides."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.bundle import BundleInfo, read_bundle
from scones.capture import CaptureRecord, capture_key, encode_line
from scones.functions.capture_window import Window, list_files, next_window, sampled
from scones.functions.drift import Drift, Tally, decide, first_day, measure_drift
from scones.functions.runtime import Runtime
from scones.functions.watched import Limits, Watched, look
from scones.registry.aliases import PRODUCTION, point
from scones.settings import Settings
from scones.store import Bucket, Entry, Layout

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
LABELS = ("bicycle", "motorcycle")


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return monitor(tmp_path)


def monitor(store: Path, **settings: Any) -> Runtime:
    return Runtime(Settings.load(environ={}, file=None, store=str(store), **settings))


def answers(
    first: int, second: int = 0, *, confidence: float = 0.95, time: datetime = TEN, **attributes: str
) -> list[CaptureRecord]:
    """So many answers of the first label, and of the second."""
    told = {"model_version": "v1", "threshold": "0.9", "labels": ",".join(LABELS)} | attributes
    told = {name: text for name, text in told.items() if text}
    sides = [(confidence, 1 - confidence)] * first + [(1 - confidence, confidence)] * second
    return [CaptureRecord(f"e{n}", f"i{n}", time, side, attributes=told) for n, side in enumerate(sides)]


def capture(
    bucket: Bucket, time: datetime, records: list[CaptureRecord], variant: str = "AllTraffic", written: float = 1000.0
) -> str:
    """Write a capture file, at a time of the store's own clock (POSIX seconds); its key."""
    name = f"{len(list(bucket.list(Layout.CAPTURE)))}"
    key = capture_key(Layout.CAPTURE, "scones", variant, time, name)
    bucket.put(key, "".join(encode_line(record) + "\n" for record in records).encode())
    assert bucket.folder is not None
    os.utime(bucket.folder / key, (written, written))
    return key


def run(runtime: Runtime, now: datetime, last: Watched | None = None, limits: Limits | None = None) -> Watched:
    window = next_window(now, last.until if last else None)
    assert window is not None
    return look(runtime, window, last, now, limits)


def ship(bucket: Bucket, bundle: bytes, counts: tuple[int, int] | None, **policy: Any) -> BundleInfo:
    """Put a model in production, with the mix of labels of its calibration pictures."""
    info = read_bundle(bundle)[0]
    if counts is not None:
        total = sum(counts)
        info = info.model_copy(
            update={"reference": {"pictures": total, "predicted_share": [count / total for count in counts]}}
        )
    bucket.put(f"{Layout.model('vehicles', info.version)}/bundle.json", info.model_dump_json().encode())
    point(bucket, "vehicles", PRODUCTION, info.version, who="t", why="t", now=TEN, **policy)
    return info


def test_a_run_sums_up_the_last_full_hour(runtime: Runtime) -> None:
    capture(runtime.home, TEN - HOUR, answers(50))
    capture(runtime.home, TEN + timedelta(minutes=1), answers(6, 2))
    capture(runtime.home, TEN + timedelta(minutes=59, seconds=59), answers(0, 2, confidence=0.6), "canary")
    capture(runtime.home, TEN + HOUR, answers(50))
    seen = run(runtime, TEN + timedelta(hours=1, minutes=10))
    assert (seen.start, seen.until, seen.files, seen.files_there) == (TEN, TEN + HOUR, 2, 2)
    assert (seen.records, seen.labels) == (10, {"bicycle": 6, "motorcycle": 4})
    assert (seen.judged, seen.below, seen.below_share, seen.threshold) == (10, 2, 0.2, 0.9)
    assert seen.mean_confidence == pytest.approx(0.88)
    assert Watched.model_validate(seen.model_dump(mode="json")) == seen


def test_an_hour_without_a_capture_is_an_hour_of_nothing(runtime: Runtime) -> None:
    seen = run(runtime, TEN)
    assert (seen.records, seen.files, seen.below_share, seen.mean_confidence, seen.drift) == (0, 0, None, None, None)
    assert seen.decision == "none"


@pytest.mark.parametrize(
    ("now", "last", "start", "until", "skipped"),
    [
        (TEN + timedelta(minutes=9), None, TEN - 2 * HOUR, TEN - HOUR, 0),
        (TEN + timedelta(minutes=10), None, TEN - HOUR, TEN, 0),
        (TEN + timedelta(minutes=30), TEN - 3 * HOUR, TEN - 3 * HOUR, TEN, 0),
        (TEN + timedelta(minutes=30), TEN - 24 * HOUR, TEN - 24 * HOUR, TEN, 0),
        (TEN + timedelta(minutes=30), TEN - 40 * HOUR, TEN - 24 * HOUR, TEN, 16),
    ],
)
def test_a_window_ends_with_the_last_hour_whose_files_have_come(
    now: datetime, last: datetime | None, start: datetime, until: datetime, skipped: int
) -> None:
    window = next_window(now, last)
    assert window is not None
    assert (window.start, window.until, window.skipped) == (start, until, skipped)


@pytest.mark.parametrize("last", [TEN, TEN + 5 * HOUR])
def test_without_a_new_full_hour_or_with_a_clock_that_went_backwards_there_is_nothing_to_look_at(
    last: datetime,
) -> None:
    assert next_window(TEN + timedelta(minutes=40), last) is None


def test_a_file_that_comes_late_is_read_by_the_next_run_and_only_once(runtime: Runtime) -> None:
    capture(runtime.home, TEN, answers(5), written=1000.0)
    first = run(runtime, TEN + 1.5 * HOUR)
    capture(runtime.home, TEN, answers(0, 3), written=1000.5)
    capture(runtime.home, TEN - 10 * HOUR, answers(0, 70), written=1000.5)
    capture(runtime.home, TEN + HOUR, answers(4), written=1001.0)
    second = run(runtime, TEN + 2.5 * HOUR, first)
    assert (second.labels, second.late_files) == ({"bicycle": 4, "motorcycle": 3}, 1)
    third = run(runtime, TEN + 3.5 * HOUR, second)
    assert (third.records, third.late_files) == (0, 0)


def test_more_files_than_a_run_may_read_are_sampled_evenly_and_it_says_so(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    for minute in range(60):
        capture(runtime.home, TEN + timedelta(minutes=minute), answers(*((1, 0) if minute < 30 else (0, 1))))
    seen = run(runtime, TEN + 1.5 * HOUR, limits=Limits(files=20))
    assert (seen.files, seen.files_there, seen.labels) == (20, 60, {"bicycle": 10, "motorcycle": 10})
    assert "the monitor lags: 0 hours left out, 20 of 60 files read" in caplog.text
    large = [Entry(f"{n}", 1000, 0.0, "") for n in range(10)]
    assert len(sampled(large, 100, 5000)) == 5
    assert len(sampled(large, 100, 1)) == 1
    assert sampled([], 1, 1) == []


def test_files_are_listed_by_the_hour_whatever_lies_beside_them(runtime: Runtime) -> None:
    key = capture(runtime.home, TEN, answers(1))
    runtime.home.put(key.replace(".jsonl", ".txt"), b"x")
    runtime.home.put("capture/scones/notes.jsonl", b"x")
    runtime.home.put("capture/scones-2/AllTraffic/2026/11/20/10/1.jsonl", b"x")
    files, late, newest = list_files(runtime.home, "scones", Window(TEN, TEN, TEN + HOUR), 0.0)
    assert ([file.key for file in files], late) == ([key], 0)
    assert newest >= 1000.0


def test_what_cannot_be_read_is_counted_and_keeps_nothing_else_from_being_read(runtime: Runtime) -> None:
    capture(runtime.home, TEN, [*answers(2), CaptureRecord("e", "", TEN, (7.0, 0.1))])
    runtime.home.put(capture_key("capture", "scones", "v", TEN, "u"), b'no record\n{"captureData"\n')
    seen = run(runtime, TEN + 1.5 * HOUR)
    assert (seen.records, seen.unreadable) == (2, 3)
    small = run(runtime, TEN + 1.5 * HOUR, limits=Limits(file_size=10))
    assert (small.files, small.records, small.unreadable) == (2, 0, 2)


def test_the_floor_counts_as_the_threshold_in_force(tmp_path: Path) -> None:
    runtime = monitor(tmp_path, threshold_floor=0.97)
    capture(runtime.home, TEN, answers(4))
    seen = run(runtime, TEN + 1.5 * HOUR)
    assert (seen.below_share, seen.threshold, seen.threshold_floor) == (1.0, 0.97, 0.97)


def test_answers_that_tell_nothing_are_judged_by_the_model_in_production(
    runtime: Runtime, tiny_bundle: Callable[..., bytes]
) -> None:
    silent = answers(3, model_version="", threshold="", labels="")
    capture(runtime.home, TEN, silent)
    assert run(runtime, TEN + 1.5 * HOUR).threshold == 0.9, "the task's default"
    ship(runtime.home, tiny_bundle(threshold=0.96), (50, 50))
    seen = run(runtime, TEN + 1.5 * HOUR)
    assert (seen.labels, seen.threshold, seen.below_share) == ({"bicycle": 3}, 0.96, 1.0)
    assert seen.reference is not None
    assert (seen.reference.origin, seen.reference.version) == ("model", "tiny-1")
    ship(runtime.home, tiny_bundle(), (50, 50), threshold=0.5)
    assert run(runtime, TEN + 1.5 * HOUR).threshold == 0.5, "a person's override"


def test_the_mix_is_compared_with_the_models_calibration_pictures(
    runtime: Runtime, tiny_bundle: Callable[..., bytes]
) -> None:
    ship(runtime.home, tiny_bundle(version="v1"), (600, 400))
    capture(runtime.home, TEN, answers(600, 400))
    capture(runtime.home, TEN + HOUR, answers(50, 950))
    first = run(runtime, TEN + 1.5 * HOUR)
    assert (first.distance, first.drift, first.in_a_row, first.decision) == (0.0, 0.0, 0, "none")
    second = run(runtime, TEN + 2.5 * HOUR, first)
    assert second.distance == pytest.approx(0.55)
    assert second.drift is not None
    assert second.drift > 0.4
    assert (second.in_a_row, second.decision) == (1, "wait")


def test_without_a_models_figures_the_first_day_is_the_reference(runtime: Runtime) -> None:
    last = None
    for hour in range(24):
        capture(runtime.home, TEN + hour * HOUR, answers(20))
        last = run(runtime, TEN + (hour + 1.5) * HOUR, last)
        assert last.drift is None, "what is still gathered is compared with nothing"
        assert last.reference is not None
        assert (last.reference.origin, last.reference.whole) == ("first day", hour == 23)
    assert last is not None
    assert last.reference is not None
    assert last.reference.counts == {"bicycle": 480}
    capture(runtime.home, TEN + 24 * HOUR, answers(0, 480))
    moved = run(runtime, TEN + 25.5 * HOUR, last)
    assert moved.distance == 1.0
    assert moved.reference == last.reference
    capture(runtime.home, TEN + 25 * HOUR, answers(0, 480, model_version="v2"))
    anew = run(runtime, TEN + 26.5 * HOUR, moved)
    assert anew.drift is None
    assert anew.reference is not None
    assert (anew.reference.version, anew.reference.since) == ("v2", TEN + 25 * HOUR)
    assert anew.in_a_row == moved.in_a_row, "a run that could compare nothing does not break the row"


def test_an_idle_hour_keeps_the_reference(runtime: Runtime) -> None:
    capture(runtime.home, TEN, answers(20))
    first = run(runtime, TEN + 1.5 * HOUR)
    assert run(runtime, TEN + 2.5 * HOUR, first).reference == first.reference


def test_a_first_day_without_answers_goes_on() -> None:
    nothing = first_day(None, "", Counter(), TEN, TEN + 30 * HOUR)
    assert not nothing.whole
    assert first_day(nothing, "", Counter(a=1), TEN + 30 * HOUR, TEN + 31 * HOUR).whole


@pytest.mark.parametrize("figures", [{}, {"predicted_share": [1.0], "pictures": 5}, {"predicted_share": [0.5, 0.5]}])
def test_a_bundle_without_usable_figures_is_no_reference(
    figures: dict[str, Any], runtime: Runtime, tiny_bundle: Callable[..., bytes]
) -> None:
    info = read_bundle(tiny_bundle(version="v1"))[0].model_copy(update={"reference": figures})
    runtime.home.put("models/vehicles/v1/bundle.json", info.model_dump_json().encode())
    capture(runtime.home, TEN, answers(20))
    seen = run(runtime, TEN + 1.5 * HOUR)
    assert seen.reference is not None
    assert seen.reference.origin == "first day"


def test_few_pictures_prove_no_drift_and_many_do() -> None:
    few, many = ({"bicycle": n} for n in (5, 500))
    reference = {"bicycle": 500, "motorcycle": 500}
    for counts, proven in ((few, False), (many, True)):
        drift = measure_drift(counts, reference)
        assert drift is not None
        assert drift.distance == 0.5
        assert (drift.proven > 0.15) is proven
    assert measure_drift({}, reference) is None
    assert measure_drift(few, {}) is None


def test_the_margin_holds_in_simulations() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    shares = [0.5, 0.3, 0.15, 0.05]
    over = 0
    for _ in range(2000):
        counts, reference = ({str(k): int(n) for k, n in enumerate(rng.multinomial(size, shares))} for size in (40, 90))
        drift = measure_drift(counts, reference)
        assert drift is not None
        over += drift.proven > 0
    assert over <= 20, "at most one in a hundred, by luck alone"


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 1000), max_size=6),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 1000), max_size=6),
)
def test_a_distance_is_a_share_whatever_was_counted(counts: dict[str, int], reference: dict[str, int]) -> None:
    drift = measure_drift(counts, reference)
    if drift is None:
        assert not any(counts.values()) or not any(reference.values())
    else:
        assert -1e-9 <= drift.distance <= 1 + 1e-9
        assert 0 <= drift.proven <= drift.distance + 1e-9


@pytest.mark.parametrize(
    ("drift", "before", "strictness", "row", "action"),
    [
        (None, 2, 0.9, 2, "none"),
        (Drift(0.9, 0.8), 2, 0.9, 0, "none"),
        (Drift(0.9, 0.1), 0, 0.9, 1, "wait"),
        (Drift(0.9, 0.1), 1, 0.9, 2, "wait"),
        (Drift(0.9, 0.1), 2, 0.9, 3, "raise"),
        (Drift(0.9, 0.1), 2, None, 3, "raise"),
        (Drift(0.9, 0.1), 7, 0.99, 8, "strict already"),
    ],
)
def test_three_runs_in_a_row_must_prove_it(
    drift: Drift | None, before: int, strictness: float | None, row: int, action: str
) -> None:
    decision = decide(drift, before, limit=0.15, strictness=strictness, floor=0.99)
    assert (decision.in_a_row, decision.action) == (row, action)


def test_of_several_thresholds_the_least_one_counts() -> None:
    tally = Tally()
    for threshold in ("0.995", "0.9"):
        for record in answers(1, threshold=threshold):
            tally.add(record)
    assert tally.strictness == 0.9
