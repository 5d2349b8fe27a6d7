"""Every figure of a model, on pictures of known colours and a model that goes by colour."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.errors import TrainingError
from scones.staging import Dataset
from scones.task import load_task
from scones.training import evaluate, save_evaluation
from scones.training.curves import POINTS, ranking
from scones.training.evaluation import measure
from scones.training.predictions import BATCH, lines_to_test, predict_lines

Bundle: TypeAlias = Callable[..., bytes]


@pytest.fixture
def dataset(coloured: Callable[..., Dataset]) -> Dataset:
    return coloured(100, odd=10)


@pytest.fixture
def classifier(tiny_bundle: Bundle) -> Classifier:
    return Classifier(*read_bundle(tiny_bundle()))


def test_an_evaluation_holds_every_figure_and_its_page_stands_beside_the_model(
    classifier: Classifier, dataset: Dataset
) -> None:
    said: list[tuple[str, int, int]] = []
    figures = evaluate(
        classifier, dataset, load_task("vehicles"), report=lambda what, done, total: said.append((what, done, total))
    )
    assert figures["n"] == sum(map(sum, figures["confusion"])) == 100
    assert figures["accuracy"] == pytest.approx(0.9)
    assert figures["confusion"] == [[40, 10], [0, 50]], "every tenth picture has the other colour: bicycles, all"
    assert figures["ece_excess"] == figures["ece"] - figures["ece_null"]
    assert figures["dataset"]["version"] == dataset.version
    assert {what: (done, total) for what, done, total in said if done == total}.keys() == {
        "model tiny-1",
        "distorted pictures",
    }
    page = save_evaluation(dataset.bucket, figures, dataset)
    assert page == "models/vehicles/tiny-1/evaluation.html"
    assert dataset.bucket.get(page).startswith(b"<!DOCTYPE html>")
    assert dataset.bucket.get_json(page.replace(".html", ".json")) == figures


def test_pictures_are_read_a_batch_at_a_time_and_answered_in_their_order(
    classifier: Classifier, dataset: Dataset
) -> None:
    lines = lines_to_test(classifier.info, dataset)
    assert len(lines) > BATCH
    found = predict_lines(classifier, dataset, lines)
    one_by_one = [classifier.classify([dataset.read(line)])[0] for line in lines]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-5)


def test_a_dataset_of_other_labels_is_refused(tiny_bundle: Bundle, dataset: Dataset) -> None:
    other = Classifier(*read_bundle(tiny_bundle(labels=("cat", "dog"))))
    with pytest.raises(TrainingError, match="knows cat, dog: use a dataset of its own task"):
        evaluate(other, dataset, load_task("vehicles"))


def test_a_perfectly_calibrated_model_shows_no_more_error_than_its_null(classifier: Classifier) -> None:
    rng = np.random.default_rng(0)
    first = rng.beta(0.3, 0.3, 2000)
    truth = (rng.random(2000) > first).astype(np.int64)
    probabilities = np.stack([first, 1 - first], axis=1).astype(np.float32)
    figures = measure(classifier.info, probabilities, truth, ["k"] * 2000)
    assert abs(figures["ece_excess"]) < 0.01
    inside = [row["by_chance"][0] <= row["accuracy"] <= row["by_chance"][1] for row in figures["reliability"]]
    assert sum(inside) >= len(inside) - 1
    sharper = first**3 / (first**3 + (1 - first) ** 3)
    sure = np.stack([sharper, 1 - sharper], axis=1).astype(np.float32)
    assert measure(classifier.info, sure, truth, ["k"] * 2000)["ece_excess"] > 0.03


def test_balanced_accuracy_counts_labels_and_not_pictures(classifier: Classifier) -> None:
    truth = np.array([0] * 90 + [1] * 10)
    always_first = np.tile(np.array([[0.9, 0.1]], np.float32), (100, 1))
    figures = measure(classifier.info, always_first, truth, ["k"] * 100)
    assert (figures["accuracy"], figures["balanced_accuracy"]) == (0.9, 0.5)


def test_a_ranking_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 20, 300) / 20, rng.random(300) < 0.3
    ahead = scores[truth][:, None] - scores[~truth][None]
    found = ranking(scores, truth)
    assert found["roc_auc"] == pytest.approx(((ahead > 0) + 0.5 * (ahead == 0)).mean())
    assert (found["roc"][0], found["roc"][-1]) == ([0, 0], [1, 1])


def test_a_perfect_and_a_useless_ranking_have_their_areas() -> None:
    truth = np.arange(100) < 50
    perfect, useless = ranking(truth.astype(float), truth), ranking(np.zeros(100), truth)
    assert (perfect["roc_auc"], perfect["average_precision"]) == (1.0, 1.0)
    assert (useless["roc_auc"], useless["average_precision"]) == (0.5, 0.5)


def test_curves_of_many_pictures_stay_small() -> None:
    rng = np.random.default_rng(0)
    found = ranking(rng.random(10_000), rng.random(10_000) < 0.5)
    assert len(found["roc"]) <= POINTS
    assert (found["roc"][0], found["roc"][-1]) == ([0, 0], [1, 1])


def test_curves_of_a_rare_label_keep_their_rise() -> None:
    truth = np.arange(10_000) < 50
    found = ranking(-np.arange(10_000.0), truth)
    assert sum(y < 1 for _, y in found["roc"]) > 40
    assert sum(x < 1 for x, _ in found["precision_recall"]) > 40
    assert found["precision_recall"][-1] == [1, 0.005]


def test_a_label_that_never_or_always_occurs_has_no_curve() -> None:
    for truth in (np.zeros(5, bool), np.ones(5, bool)):
        assert ranking(np.arange(5.0), truth)["roc_auc"] is None
