import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scones.errors import SettingsError
from scones.monitoring.drift.bets import bin_sizes, class_bets, rank_bets, tail_bets
from scones.monitoring.drift.reference import DriftReference, fit_reference


@given(st.integers(100, 20_000))
def test_the_bins_share_out_all_gaps_and_are_fine_at_both_ends(n: int) -> None:
    sizes = bin_sizes(n)
    assert sum(sizes) == n + 1
    assert min(sizes) > 0
    assert sizes[0] == sizes[-1] == 1
    assert len(sizes) < 70


@given(n=st.integers(100, 5000))
def test_the_mean_of_every_bet_on_ranks_is_one_where_bins_come_as_often_as_they_are_large(n: int) -> None:
    assert rank_bets(n) @ (np.array(bin_sizes(n)) / (n + 1)) == pytest.approx(1)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(100, 2000), tail=st.floats(0.001, 0.2), seed=st.integers(0, 2**32 - 1))
def test_the_true_mean_of_every_bet_on_tails_is_at_most_one(n: int, tail: float, seed: int) -> None:
    """The true shares of the tails are drawn as a reference of n continuous scores gives them."""
    sizes = tuple(max(1, round(n * part)) for part in (tail, tail / 3, tail / 10))
    beyond = np.random.default_rng(seed).beta(sizes, n + 1 - np.array(sizes), (50, 3))
    beyond = np.minimum.accumulate(beyond, axis=1)  # a smaller tail lies in the larger
    shares = -np.diff(np.pad(beyond, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0))), axis=1)
    assert (tail_bets(sizes, n, 1e-6) @ shares.T).max() <= 1 + 1e-9


def test_the_mean_of_some_bet_on_a_tail_exceeds_one_no_more_often_than_delta_says() -> None:
    delta, draws, n, r = 0.05, 20_000, 1000, 30
    beyond = np.random.default_rng(1).beta(r, n + 1 - r, draws)
    wrong = int(((tail_bets((r,), n, delta) @ np.stack([1 - beyond, beyond])) > 1).any(0).sum())
    assert 0 < wrong <= delta * draws + 3 * np.sqrt(delta * draws)


@settings(max_examples=50, deadline=None)
@given(
    weights=st.lists(st.floats(0.001, 1), min_size=2, max_size=12),
    n=st.integers(100, 5000),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_true_mean_of_every_bet_on_classes_is_at_most_one(weights: list[float], n: int, seed: int) -> None:
    shares = np.array(weights) / sum(weights)
    counts = np.random.default_rng(seed).multinomial(n, shares)
    assert (class_bets(counts, 1e-5) @ shares).max() <= 1 + 1e-9


def test_a_class_that_always_came_is_not_bet_to_come_more_often() -> None:
    gains = class_bets(np.array([0, 500]), 0.01)
    assert (gains[:, 1] <= 1).all()
    assert gains[:, 0].max() > 2


@settings(max_examples=30, deadline=None)
@given(levels=st.integers(1, 50), seed=st.integers(0, 2**32 - 1))
def test_scores_that_tie_are_ranked_as_fairly_as_others(levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = {"score": rng.integers(levels, size=3000).astype(np.float64)}
    reference = fit_reference({"score": scores["score"][:1000]}, seed=seed)
    places = reference.places({"score": scores["score"][1000:]})[:, 0]
    share = np.array(bin_sizes(1000)) / 1001
    off = np.bincount(places, minlength=len(share)) / 2000 - share
    assert (np.abs(off) <= 6 * np.sqrt(share * (1 / 1000 + 1 / 2000)) + 0.003).all()


def test_a_reference_survives_json_and_ranks_the_same() -> None:
    rng = np.random.default_rng(2)
    reference = fit_reference({"score": rng.normal(size=500), "class": rng.integers(3, size=500)})
    again = DriftReference.from_json(reference.model_dump_json())
    assert again == reference
    new = {"score": np.append(rng.normal(size=20), np.nan), "class": rng.integers(5, size=21)}
    assert (again.places(new) == reference.places(new)).all()
    assert reference.places(new)[-1, 0] == -1
    assert (reference.places(new)[:, 1] == np.where(new["class"] < 3, new["class"], -1)).all()


def test_a_reference_that_can_tell_nothing_is_refused_in_a_sentence() -> None:
    scores = np.random.default_rng(3).normal(size=200)
    with pytest.raises(SettingsError, match="at least 100 pictures"):
        fit_reference({"score": scores[:99]})
    with pytest.raises(SettingsError, match="199 of other"):
        fit_reference({"score": scores, "other": scores[1:]})
    with pytest.raises(SettingsError, match="channel score has no score"):
        fit_reference({"score": np.append(scores, np.nan)})
    with pytest.raises(SettingsError, match="fit it again"):
        DriftReference.from_json("{}")
    with pytest.raises(SettingsError, match="in each phase of the cycle; the smallest has 20"):
        fit_reference({"score": scores}, phase=np.repeat([0, 1], [180, 20]))
    with pytest.raises(SettingsError, match="tells 2 phases of a cycle apart"):
        fit_reference({"score": scores}, phase=np.repeat([0, 1], 100)).places({"score": scores})
    with pytest.raises(SettingsError, match="no scores for score"):
        fit_reference({"score": scores}).places({"other": scores})
