"""A difference between two models is called real when it is, and hardly ever else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.errors import TrainingError
from scones.staging import Dataset
from scones.training import compare, save_comparison
from scones.training.comparison import NO_DIFFERENCE, mcnemar, paired_difference, sentence
from scones.training.report.comparison import SHOWN, comparison_page

Bundle = Callable[..., bytes]


@pytest.fixture
def dataset(coloured: Callable[..., Dataset]) -> Dataset:
    return coloured(20)


def good(tiny_bundle: Bundle, **options: Any) -> Classifier:
    return Classifier(*read_bundle(tiny_bundle(**{"version": "good", **options})))


def contrary(tiny_bundle: Bundle) -> Classifier:
    """The same labels, and every answer wrong: it was made for the labels the other way round."""
    info, model = read_bundle(tiny_bundle(version="contrary"))
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(model)
    weights = next(one for one in graph.graph.initializer if one.name == "weights")
    weights.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weights), "weights"))
    return Classifier(info, bytes(graph.SerializeToString()))


def test_a_model_that_is_always_right_is_better_than_one_that_never_is(tiny_bundle: Bundle, dataset: Dataset) -> None:
    found = compare(good(tiny_bundle), contrary(tiny_bundle), dataset)
    assert (found["n"], found["only_first_right"], found["only_second_right"]) == (20, 20, 0)
    assert (found["verdict"], found["difference"]) == ("first", -1.0)
    assert found["p_value"] == pytest.approx(2 * 0.5**20)
    assert found["difference_interval"][1] < -0.7
    assert found["first"]["accuracy"] == 1.0
    assert found["per_class"][0] == {"label": "bicycle", "n": 10, "first_right": 10, "second_right": 0}
    assert len(found["pictures"]) == 20
    row = found["pictures"][0]
    assert row["first"]["label"] == row["truth"] != row["second"]["label"]
    assert sentence(found).startswith("good is better than contrary: +100.0 points")


def test_which_one_is_named_first_makes_no_difference(tiny_bundle: Bundle, dataset: Dataset) -> None:
    right, wrong = good(tiny_bundle), contrary(tiny_bundle)
    one, other = compare(right, wrong, dataset), compare(wrong, right, dataset)
    assert other["verdict"] == "second"
    assert other["difference"] == -one["difference"]
    assert other["difference_interval"] == pytest.approx([-end for end in reversed(one["difference_interval"])])
    assert sentence(other) == sentence(one)


def test_models_of_other_input_sizes_can_be_compared(tiny_bundle: Bundle, dataset: Dataset) -> None:
    found = compare(good(tiny_bundle), good(tiny_bundle, size=64, version="large"), dataset)
    assert (found["verdict"], found["p_value"], found["pictures"]) == (NO_DIFFERENCE, 1.0, [])
    assert found["difference_interval"][0] < 0 < found["difference_interval"][1], "twenty pictures show little"
    assert sentence(found).startswith("No difference shown between good and large: of 20 test pictures")


def test_models_of_other_labels_are_refused(tiny_bundle: Bundle, dataset: Dataset) -> None:
    cats = good(tiny_bundle, labels=("cat", "dog"), version="cats")
    with pytest.raises(TrainingError, match=r"good knows bicycle, motorcycle, but model cats knows cat, dog: only"):
        compare(good(tiny_bundle), cats, dataset)


def test_the_page_shows_the_pictures_that_one_alone_gets_right(tiny_bundle: Bundle, dataset: Dataset) -> None:
    found = compare(good(tiny_bundle), contrary(tiny_bundle), dataset)
    key = save_comparison(dataset.bucket, found, dataset)
    page = dataset.bucket.get(key).decode()
    assert key == "reports/compare-vehicles-good-contrary.html"
    assert "Only good is right (20)" in page
    assert page.count('class="pixelated"') == 20
    assert "good is better than contrary" in page


def test_many_disputed_pictures_are_shown_in_part_and_hostile_text_is_text(
    tiny_bundle: Bundle, dataset: Dataset
) -> None:
    bad = "<script>alert(1)</script>"
    found = compare(good(tiny_bundle, version=bad), contrary(tiny_bundle), dataset)
    row = {**found["pictures"][0], "key": bad, "truth": bad}
    page = comparison_page({**found, "pictures": [row] * 100}, {})
    assert page.count('class="no-picture"') == SHOWN
    assert "Both are wrong, each in its own way (100)" in page
    assert "<script>alert" not in page


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 60))
def test_the_interval_holds_the_difference_and_stays_within_reason(
    both: int, first: int, second: int, neither: int
) -> None:
    n = both + first + second + neither
    low, high = paired_difference(both, first, second, n)
    assert -1 <= low <= (second - first) / n <= high <= 1
    assert low < high
    mirrored = paired_difference(both, second, first, n)
    assert mirrored == pytest.approx((-high, -low))


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    shares = (0.82, 0.10, 0.05, 0.03)  # both, only first, only second, neither
    draws = rng.multinomial(200, shares, 2000)
    held = [
        low <= shares[2] - shares[1] <= high
        for low, high in (paired_difference(int(a), int(b), int(c), 200) for a, b, c, _ in draws)
    ]
    assert 0.94 <= np.mean(held) <= 0.985


def test_equally_good_models_are_hardly_ever_told_apart() -> None:
    rng = np.random.default_rng(1)
    disputed = rng.binomial(200, 0.12, 2000)
    p_values = [
        mcnemar(int(first), int(n - first)) for n, first in zip(disputed, rng.binomial(disputed, 0.5), strict=True)
    ]
    assert np.mean(np.array(p_values) < 0.05) <= 0.05
