from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from scones.errors import BundleError
from scones.monitoring import read_truths
from scones.monitoring.watch.comparing import Sight, compare, sees_same_drift, sight_of
from scones.monitoring.watch.recent import Recent, recent_pictures
from scones.monitoring.watch.rules import Rules
from scones.store import Bucket, Layout
from tests.monitoring.watch.rivals import ENDPOINT, LABELS, T0, TASK, Light, Watched, build

RULES = Rules()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Callable[..., bytes]) -> Bucket:
    return build(str(tmp_path_factory.mktemp("models")), tiny_bundle)


def recent(bucket: Bucket, light: Light, count: int = 200, *, judged: int = 0, most: int = 400) -> Recent:
    for key in list(bucket.list("capture")) + list(bucket.list("ground-truth")):
        bucket.delete(key)
    watched = Watched.of(bucket)
    watched.capture(light, count, judged=judged)
    truths = read_truths(bucket, Layout.ground_truth(ENDPOINT))
    return recent_pictures(bucket, watched.window, truths, LABELS, most=most)


def sights(bucket: Bucket, pictures: Recent, *versions: str) -> list[Sight]:
    return [sight_of(bucket, TASK, version, pictures) for version in versions]


def test_a_model_that_learned_from_the_same_pictures_sees_the_same_drift(models: Bucket) -> None:
    pictures = recent(models, "night")
    old, new = sights(models, pictures, "day", "also-day")
    assert sees_same_drift(old, new, pictures, T0) is True
    found = compare(old, new, pictures, chance=0.01)
    assert (found.outside, found.production_outside) == (1.0, 1.0)
    assert found.verdict(RULES) == "even"


def test_a_model_that_knows_such_pictures_does_not_see_the_drift_and_does_better(models: Bucket) -> None:
    pictures = recent(models, "night")
    old, new = sights(models, pictures, "night", "day")
    assert sees_same_drift(old, new, pictures, T0) is False
    found = compare(old, new, pictures, chance=0.01)
    assert (found.version, found.pictures, found.outside, found.production_outside) == ("night", 200, 0.0, 1.0)
    assert found.verdict(RULES) == "better"
    assert compare(new, old, pictures, chance=0.01).verdict(RULES) == "worse"
    assert found.accuracy is not None


def test_nobody_can_tell_from_a_few_pictures_or_where_the_drift_is_not_found_again(models: Bucket) -> None:
    pictures = recent(models, "night", 40)
    old, new = sights(models, pictures, "night", "day")
    assert sees_same_drift(old, new, pictures, T0) is None
    pictures = recent(models, "night")
    old, new = sights(models, pictures, "night", "day")
    assert sees_same_drift(old, new, pictures, T0 + timedelta(seconds=16)) is None  # began among the last 40
    pictures = recent(models, "day")
    old, new = sights(models, pictures, "day", "also-day")
    assert sees_same_drift(old, new, pictures, T0) is None
    assert sees_same_drift(old, new, pictures, None) is False


def test_people_say_which_of_two_models_is_right_where_they_differ(models: Bucket) -> None:
    pictures = recent(models, "day", judged=40)
    old, new = sights(models, pictures, "day", "flipped")
    found = compare(old, new, pictures, chance=0.01)
    assert found.agreement < 0.1
    assert found.preferred is not None
    assert (found.preferred.share, found.preferred.answers) == (1.0, 40)
    assert found.preferred.low > 0.8
    assert found.verdict(RULES) == "better"
    assert compare(new, old, pictures, chance=0.01).verdict(RULES) == "worse"
    assert "by people's answers about 40 pictures" in str(found)
    few = recent(models, "day", judged=3)
    old, new = sights(models, few, "day", "flipped")
    assert compare(old, new, few, chance=0.01).verdict(RULES) == "even"


def test_pictures_that_production_was_not_sure_of_weigh_no_more_because_people_judged_more_of_them(
    models: Bucket,
) -> None:
    """People judged all of the doubtful tenth, where the model is right, and few of the rest, where it is wrong."""
    pictures = recent(models, "day", 200)
    old, new = sights(models, pictures, "day", "flipped")
    order = np.argsort(new.confidence)
    answers = old.answers, new.answers
    truth: list[str | None] = [None] * 200
    for k in order[:20]:
        truth[k] = str(answers[0][k])
    for k in order[20::9]:
        truth[k] = str(answers[1][k])
    judged = Recent(pictures.images, pictures.times, tuple(truth), pictures.latest)
    found = compare(old, new, judged, chance=0.01).preferred
    assert found is not None
    assert found.share < 0.25  # the plain share would be 0.5


def test_older_pictures_are_found_again_where_people_judged_them_and_what_is_gone_is_left_out(
    models: Bucket,
) -> None:
    pictures = recent(models, "day", 60, judged=5, most=20)
    assert (len(pictures.images), int(pictures.latest.sum())) == (25, 20)
    assert [label is not None for label in pictures.truth] == [True] * 5 + [False] * 20
    assert (np.diff(pictures.times) > 0).all()
    watched = Watched.of(models)
    watched.capture("day", 10)
    models.delete(watched.window.files[0])
    none = recent_pictures(models, watched.window, {}, LABELS)
    assert none.images == ()
    old, new = sights(models, none, "day", "flipped")
    assert compare(old, new, none, chance=0.01).verdict(RULES) == "unknown"
    assert "could not be compared" in str(compare(old, new, none, chance=0.01))
    with pytest.raises(BundleError):
        sight_of(models, TASK, "gone", none)
