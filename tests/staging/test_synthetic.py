from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from scones.errors import SourceError
from scones.staging.synthetic import synthetic_pictures


def test_the_same_seed_draws_the_same_and_more_pictures_change_none() -> None:
    few = {one.origin: one.data for one in synthetic_pictures(3, train=2, test=1)}
    more = {one.origin: one.data for one in synthetic_pictures(3, train=4, test=2)}
    other = {one.origin: one.data for one in synthetic_pictures(4, train=2, test=1)}
    assert len(few) == 6
    assert few == {origin: data for origin, data in more.items() if origin in few}
    assert not set(few.values()) & set(other.values())
    assert len(set(more.values())) == len(more)


def test_pictures_are_small_rgb_pngs_of_both_labels_in_both_splits() -> None:
    pictures = list(synthetic_pictures(train=2, test=1))
    images = [PIL.Image.open(io.BytesIO(one.data)) for one in pictures]
    assert {(image.format, image.mode, image.size) for image in images} == {("PNG", "RGB", (32, 32))}
    assert [(one.split, one.label) for one in pictures] == [
        ("train", "bicycle"),
        ("train", "bicycle"),
        ("train", "motorcycle"),
        ("train", "motorcycle"),
        ("test", "bicycle"),
        ("test", "motorcycle"),
    ]


def test_a_linear_classifier_on_raw_pixels_does_not_solve_it() -> None:
    pictures = list(synthetic_pictures(train=150, test=60))
    images = np.stack([np.asarray(PIL.Image.open(io.BytesIO(one.data)), np.float64).ravel() for one in pictures]) / 255
    truth = np.array([1.0 if one.label == "motorcycle" else -1.0 for one in pictures])
    train = np.array([one.split == "train" for one in pictures])
    images -= images[train].mean(axis=0)
    gram = images[train] @ images[train].T + 100 * np.eye(int(train.sum()))  # ridge regression
    score = images[~train] @ images[train].T @ np.linalg.solve(gram, truth[train])
    assert 0.5 < float(np.mean(np.sign(score) == truth[~train])) < 0.9


def test_other_labels_cannot_be_drawn() -> None:
    with pytest.raises(SourceError, match="only draws bicycle and motorcycle, not scone"):
        synthetic_pictures(labels=("scone", "bicycle"))
