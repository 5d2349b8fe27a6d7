import numpy as np
from numpy.typing import NDArray

from scones.monitoring.drift.blocks import block_scores, first_of_each, phases
from scones.monitoring.drift.reference import fit_reference
from scones.monitoring.drift.sequential import Detector


def test_bursts_of_one_picture_fool_a_detector_that_takes_them_for_many_but_not_one_that_watches_blocks() -> None:
    rng = np.random.default_rng(5)
    burst = 20
    scenes_seen, again = rng.normal(size=400), rng.normal(size=300).repeat(burst)
    plain = fit_reference({"score": scenes_seen})
    fooled = Detector(plain)
    assert fooled.add(plain.places({"score": again}))
    one = Detector(plain)
    assert not one.add(plain.places({"score": again[first_of_each(np.repeat(np.arange(300), burst).tolist())]}))
    history = rng.normal(size=400).repeat(burst)
    blocks = fit_reference(block_scores({"score": history}, 2 * burst))
    watching = Detector(blocks)
    assert not watching.add(blocks.places(block_scores({"score": again}, 2 * burst)))


def test_day_and_night_look_like_drift_picture_by_picture_and_not_in_blocks_of_whole_days() -> None:
    rng = np.random.default_rng(6)
    day = 50

    def light(days: int) -> NDArray[np.float64]:
        return np.tile(np.repeat([2.0, -2.0], day // 2), days) + rng.normal(size=days * day)

    plain = fit_reference({"score": light(200)})
    fooled = Detector(plain)
    assert fooled.add(plain.places({"score": light(100)}))
    whole = fit_reference(block_scores({"score": light(200)}, day))
    watching = Detector(whole)
    assert not watching.add(whole.places(block_scores({"score": light(100)}, day)))
    assert watching.add(whole.places(block_scores({"score": light(30) - 1}, day), first=100))


def test_a_cycle_that_the_reference_went_through_is_no_drift_to_a_detector_that_knows_its_phases() -> None:
    rng = np.random.default_rng(7)

    def light(first: int, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        times = (first + np.arange(n)) * 864.0  # 100 pictures a day
        return 2 * np.sin(times / 86_400 * 2 * np.pi) + rng.normal(size=n), phases(times, 86_400, 10)

    history, then = light(0, 3000)
    reference = fit_reference({"light": history}, phase=then)
    watching = Detector(reference)
    for first in range(3000, 5000, 500):
        more, then = light(first, 500)
        assert not watching.add(watching.places({"light": more}, then))
    more, then = light(5025, 50)  # about noon, and now as dark as in the evening
    assert watching.add(watching.places({"light": more - 2}, then))
    assert watching.alarmed is not None
    assert watching.alarmed < 2040
    plain = fit_reference({"light": history})
    more, _ = light(3000, 2000)
    fooled = Detector(plain)
    assert fooled.add(plain.places({"light": more}))


def test_a_block_takes_the_mean_of_what_is_known_and_the_first_known_class() -> None:
    found = block_scores(
        {"score": np.array([np.nan, 4.0, np.nan, np.nan, 1.0]), "class": np.array([-1, 3, -1, -1, 2])}, 2
    )
    assert found["score"].tolist()[0] == 4
    assert np.isnan(found["score"][1])
    assert found["class"].tolist() == [3, -1]
