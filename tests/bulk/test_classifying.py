from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scones.bulk import Picture, classify_pictures, find_pictures
from scones.classifier import Classifier
from scones.errors import ObjectMissing, StoreError
from scones.staging import synthetic_pictures, write_dataset
from scones.store import Bucket, open_bucket
from scones.task import load_task
from scones.training import load_backbone, train


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A model on the backbone that Scones ships."""
    bucket = open_bucket(str(tmp_path_factory.mktemp("store")), "scones")
    task = load_task("vehicles")
    dataset = write_dataset(bucket, task, list(synthetic_pictures(train=80, test=0)), source={})
    return Classifier(*train(dataset, task, load_backbone("small"), now=datetime(2026, 11, 20, tzinfo=UTC)))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    folder = tmp_path_factory.mktemp("drawn")
    for number, one in enumerate(synthetic_pictures(train=50, test=0, seed=5)):
        (folder / f"{number:03d}.png").write_bytes(one.data)
    return list(find_pictures([str(folder)]))


@pytest.mark.parametrize(("cores", "readers", "batch"), [(1, 1, 1), (1, 1, 64), (2, 2, 16), (3, 8, 5)])
def test_batches_and_threads_change_no_label_no_order_and_no_answer(
    shipped: Classifier, drawn: list[Picture], cores: int, readers: int, batch: int
) -> None:
    found = classify_pictures(drawn, shipped, 0.9, cores=cores, readers=readers, batch=batch)
    rows = [row for some in found for row in some]
    assert [row["source"] for row in rows] == [picture.source for picture in drawn]
    expected = shipped.classify([picture.read() for picture in drawn])
    labels = shipped.info.labels
    assert [row["label"] for row in rows] == [labels[values.index(max(values))] for values in expected]
    for row, values in zip(rows, expected, strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(values, abs=1e-6)
        assert row["decided"] == (row["confidence"] >= 0.9)


def test_the_answers_are_those_of_the_endpoint(
    classifier: Classifier, pictures: Path, start_endpoint: Callable[..., str]
) -> None:
    url = start_endpoint(classifier)
    for (row,) in classify_pictures(find_pictures([str(pictures)]), classifier, 0.9, cores=2, batch=1):
        if "error" in row:
            continue
        request = urllib.request.Request(
            f"{url}/invocations", Path(row["source"]).read_bytes(), {"Content-Type": "image/png"}
        )
        with urllib.request.urlopen(request) as answer:
            assert list(row["probabilities"].values()) == pytest.approx(json.load(answer), abs=1e-6)


def test_unreadable_pictures_are_rows_with_an_error_wherever_they_stand(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello")
    found = find_pictures([str(tmp_path), str(tmp_path / "gone.png")])
    (rows,) = classify_pictures(found, classifier, 0.9, cores=1)
    assert [set(row) for row in rows] == [{"source", "error", "model_version", "threshold"}] * 3
    assert "is empty" in rows[0]["error"]
    assert "no picture" in rows[1]["error"]
    assert "No such file" in rows[2]["error"]


def test_a_store_that_fails_altogether_ends_the_run_with_its_error(classifier: Classifier, tmp_path: Path) -> None:
    bucket = open_bucket(str(tmp_path), "photos")
    (tmp_path / "photos/a.png").symlink_to("a.png")  # to itself, without end
    with pytest.raises(StoreError, match=r"cannot read a\.png") as caught:
        list(classify_pictures([Picture("s3://photos/a.png", bucket, "a.png")], classifier, 0.9, cores=1))
    assert not isinstance(caught.value, ObjectMissing)


def test_pictures_are_taken_as_they_are_needed(classifier: Classifier, pictures: Path) -> None:
    taken = itertools.count()
    endless = (Picture(str(pictures / "00.png"), key=str(number)) for number in taken)
    rows = classify_pictures(endless, classifier, 0.9, cores=2, batch=4)
    assert len(next(rows)) == 4
    rows.close()
    assert next(taken) <= 4 * 6


def test_a_bucket_is_read_by_many_at_once(classifier: Classifier, tmp_path: Path, pictures: Path) -> None:
    bucket: Bucket = open_bucket(str(tmp_path), pictures.name)
    found = find_pictures([f"s3://{pictures.name}"], bucket=lambda name: bucket)
    rows = [row for some in classify_pictures(found, classifier, 0.9, cores=1, readers=32) for row in some]
    assert len(rows) == 50
    assert sum("error" in row for row in rows) == 1
