from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from scones.monitoring.drift.reference import fit_reference
from scones.monitoring.drift.sequential import Detector
from scones.monitoring.watch.health import health_of
from scones.monitoring.watch.why import explain, responsible
from scones.monitoring.watch.window import Window
from scones.store import Bucket
from tests.monitoring.watch.world import TASK

D = 32
Floats = NDArray[np.float64]


def classes(rng: np.random.Generator, n: int, kinds: tuple[int, ...] = tuple(range(10))) -> Floats:
    """Embeddings of things of several kinds, each around a place of its own."""
    centres = np.random.default_rng(99).normal(size=(30, D))
    found: Floats = centres[rng.choice(kinds, n)] * 1.5 + rng.normal(size=(n, D))
    return found


@pytest.mark.parametrize(("pictures", "share"), [(1000, 0.1), (400, 0.15), (3000, 0.04)])
def test_pictures_of_a_class_that_was_never_seen_are_shown_although_no_channel_tells_them_apart(
    pictures: int, share: float
) -> None:
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        new = rng.random(pictures) < share
        stream = np.where(new[:, None], classes(rng, pictures, (20,)), classes(rng, pictures))
        gains = rng.normal(-0.1, 0.4, pictures) + 0.3 * new
        shown = responsible(stream, gains, classes(rng, 1000), 50)
        found.append(new[shown].mean())
        assert len(shown) == len(set(shown.tolist())) == 50
    assert np.mean(found) >= 0.9


def test_damaged_pictures_are_shown_by_what_the_channel_wins_where_their_embeddings_are_as_ever() -> None:
    rng = np.random.default_rng(0)
    bad = rng.random(1000) < 0.3
    gains = np.where(bad, rng.normal(1, 0.3, 1000), rng.normal(-0.5, 0.3, 1000))
    shown = responsible(classes(rng, 1000), gains, classes(rng, 1000), 50)
    assert bad[shown].mean() > 0.95
    assert gains[shown].mean() > 1.2, "of those, the clearest"


def test_when_all_pictures_are_damaged_the_clearest_are_shown() -> None:
    rng = np.random.default_rng(1)
    gains = rng.normal(1, 0.3, 500)
    shown = responsible(classes(rng, 500) + 3, gains, classes(rng, 1000), 50)
    assert len(shown) == 50
    assert gains[shown].min() > np.median(gains)


def test_black_frames_that_are_all_the_same_are_found_even_when_they_are_few() -> None:
    rng = np.random.default_rng(2)
    stream = classes(rng, 300)
    stream[::30] = 0.1
    shown = responsible(stream, np.full(300, -0.1), classes(rng, 1000), 50)
    assert set(range(0, 300, 30)) <= set(shown[:12].tolist())


def test_of_healthy_pictures_hardly_any_speak_for_a_drift() -> None:
    rng = np.random.default_rng(3)
    shown = responsible(classes(rng, 1000), np.full(1000, -0.1), classes(rng, 1000), 1000)
    assert len(shown) < 50


def test_what_is_not_known_of_a_picture_does_not_count_and_nothing_at_all_is_no_error() -> None:
    rng = np.random.default_rng(4)
    stream = classes(rng, 4)
    stream[[0, 2]] = np.nan
    assert responsible(stream, np.array([-1.0, -50, 1, 2]), classes(rng, 3), 9).tolist() == [3, 2]
    assert responsible(np.full((2, D), np.nan), np.array([1.0, 2]), classes(rng, 200), 1).tolist() == [1]
    assert responsible(np.zeros((0, D)), np.zeros(0), classes(rng, 200), 9).tolist() == []


def test_a_window_is_explained_from_the_change_point_on(built: Bucket) -> None:
    rng = np.random.default_rng(5)
    n, change = 900, 400
    new = (np.arange(n) >= change) & (rng.random(n) < 0.2)
    score = rng.normal(size=n) + 1.5 * new
    reference = fit_reference({"score": rng.normal(size=1000)})
    detector = Detector(reference)
    places = reference.places({"score": score})
    detector.add(places)
    embeddings = np.where(new[:, None], classes(rng, n, (20,)), classes(rng, n)).astype(np.float16)
    embeddings[[7, change + 7]] = np.nan
    window = Window(
        first=0, times=np.arange(n, dtype=np.float64), events=tuple(map(str, range(n))), inferences=("",) * n,
        files=("",) * n, places=places.astype(np.int32), probabilities=np.full((n, 2), 0.5, np.float32),
        embeddings=embeddings, outside=np.zeros(n, np.bool_),
    )  # fmt: skip
    health = replace(health_of(built, TASK, "tiny-1"), embeddings=classes(rng, 1000).astype(np.float32))
    alarm = detector.telling()[0]
    shown = explain(health, detector, alarm, window, 24)
    assert abs(alarm.since - change) < 60
    assert shown.min() >= alarm.since
    assert new[shown].mean() >= 0.9
    late = replace(window, first=500)  # the window begins after the change
    assert explain(health, detector, replace(alarm, since=450), late, 24).size == 24
    over = replace(alarm, since=2000)  # as of a window that was begun anew
    assert explain(health, detector, over, window, 24).tolist() == []
