import numpy as np
import pytest
from numpy.typing import NDArray

from scones.monitoring.drift.reference import fit_reference
from scones.monitoring.drift.sequential import Detector
from scones.monitoring.drift.sought import Search, Sought

D = 24


def embeddings(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Pictures of six kinds."""
    kinds = np.eye(6, D) * 4
    return (kinds[rng.integers(6, size=n)] + rng.normal(size=(n, D))).astype(np.float32)


def with_new(rng: np.random.Generator, n: int, share: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A share of the pictures is of a kind of its own, no farther away than the others from each other."""
    found, new = embeddings(rng, n), rng.random(n) < share
    found[new] = 4 * np.eye(D)[10] + rng.normal(size=(int(new.sum()), D))
    return found, new


def fitted(rng: np.random.Generator, n: int = 2000) -> Sought:
    return Sought.fit(embeddings(rng, n), np.zeros(n, np.int64), 1, rng)


def test_one_new_picture_in_ten_is_found_and_shown_although_no_channel_was_fitted_to_it() -> None:
    rng = np.random.default_rng(0)
    reference = fit_reference({"score": rng.normal(size=2000), "embedding": embeddings(rng, 2000)})
    detector = Detector(reference)
    before = detector.places({"score": rng.normal(size=500), "embedding": embeddings(rng, 500)})
    assert not detector.add(before)
    drifted, new = with_new(rng, 400, 0.1)
    after = detector.places({"score": rng.normal(size=400), "embedding": drifted})
    assert detector.add(after)
    told = detector.telling()[0]
    assert told.channel == "embedding"
    assert abs(told.since - 500) < 150
    shown = detector.responsible(told, np.concatenate([before, after]), 10)
    assert new[shown[shown >= 500] - 500].mean() >= 0.8


def test_healthy_embeddings_raise_no_alarm() -> None:
    rng = np.random.default_rng(1)
    detector = Detector(fit_reference({"embedding": embeddings(rng, 1000)}))
    for _ in range(8):
        assert not detector.add(detector.places({"embedding": embeddings(rng, 500)}))


@pytest.mark.parametrize("n", [100, 1000])
def test_the_true_mean_of_every_bet_is_at_most_one_whatever_direction_the_stream_taught(n: int) -> None:
    rng = np.random.default_rng(2)
    many = embeddings(rng, 50_000)
    for _ in range(10):
        sought = fitted(rng, n)
        search = Search(sought)
        search.places(with_new(rng, 100, 0.3)[0], np.zeros(100, np.int64))
        z = sought.within(many, np.zeros(len(many), np.int64))
        direction = sought.direction(search.latest)
        places = ((z @ direction)[:, None] > sought.lines(direction)[0]).sum(1)
        share = np.bincount(places, minlength=4) / len(many)
        assert (sought.bets(10_000, 0.01)[0] @ share).max() <= 1.001


def test_a_search_in_parts_that_was_stopped_and_read_back_ends_as_one_in_one_go() -> None:
    rng = np.random.default_rng(3)
    reference = fit_reference({"embedding": embeddings(rng, 400)})
    stream, _ = with_new(rng, 310, 0.2)
    stream[7] = np.nan
    whole, parted = Detector(reference), Detector(reference)
    places = whole.places({"embedding": stream})
    whole.add(places)
    assert places[:26, 0].tolist() == [-1] * 26, "a direction is learned from 25 pictures; one of 26 is not known"
    assert set(places[26:, 0]) == {0, 1, 2, 3}
    for start in range(0, 310, 33):
        again = parted.places({"embedding": stream[start : start + 33]})
        assert (again == places[start : start + 33]).all()
        parted.add(again)
        parted = Detector.from_json(parted.to_json())
    assert parted.to_json() == whole.to_json()


def test_pictures_are_placed_and_added_in_turns() -> None:
    rng = np.random.default_rng(4)
    detector = Detector(fit_reference({"embedding": embeddings(rng, 200)}))
    places = detector.places({"embedding": embeddings(rng, 5)})
    with pytest.raises(ValueError, match="5 pictures were placed, but 0 added"):
        detector.places({"embedding": embeddings(rng, 5)})
    for row in places:
        detector.add(row[None])
    assert detector.places({"embedding": embeddings(rng, 5)}).shape == (5, 1)


def test_the_phases_of_a_cycle_are_sought_in_apart() -> None:
    rng = np.random.default_rng(5)

    def cycle(n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """At night all pictures are moved the same way."""
        phase = np.arange(n, dtype=np.int64) // 400 % 2
        moved = 5 * np.eye(D, dtype=np.float32)[[20]] * phase[:, None]
        return (embeddings(rng, n) + moved).astype(np.float32), phase

    history, then = cycle(2000)
    detector = Detector(fit_reference({"embedding": history}, phase=then))
    more, then = cycle(2000)
    assert not detector.add(detector.places({"embedding": more}, then))
    more, then = cycle(800)
    more[rng.random(800) < 0.15] = 4 * np.eye(D)[10]
    assert detector.add(detector.places({"embedding": more}, then))
