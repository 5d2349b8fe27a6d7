from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from scones.errors import ObjectMissing, SourceEmpty, StoreError
from scones.picture import MAX_BYTES, decode
from scones.staging import Dataset, SourcePicture, load_dataset, synthetic_pictures, write_dataset
from scones.store import Bucket, Layout, open_bucket
from scones.task import Task

Draw = Callable[..., bytes]
NOW = datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC)


def stage(bucket: Bucket, task: Task, pictures: Iterable[SourcePicture], **options: Any) -> Dataset:
    return write_dataset(bucket, task, pictures, source={"kind": "test"}, clock=lambda: NOW, **options)


@pytest.fixture(scope="module")
def drawn() -> list[SourcePicture]:
    return list(synthetic_pictures(train=20, test=5))


def test_a_dataset_is_written_and_read_back(bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]) -> None:
    written = stage(bucket, vehicles, drawn)
    loaded = load_dataset(bucket, "vehicles")
    assert loaded == written
    assert loaded.labels == ("bicycle", "motorcycle")
    assert loaded.source == {"kind": "test"}
    assert loaded.record.created_at == "2026-11-20T10:14:51+00:00"
    counts = loaded.counts()
    assert counts["test"] == {"bicycle": 5, "motorcycle": 5}
    assert sum(counts["train"].values()) + sum(counts["calibration"].values()) == 40
    assert len(loaded.lines) == 50
    by_origin = {one.origin: one for one in drawn}
    for line in loaded.lines:
        assert loaded.read(line) == by_origin[line.origin].data
        assert line.label == by_origin[line.origin].label
        assert line.label_index == vehicles.labels.index(line.label)


def test_the_manifest_has_the_augmented_shape_and_lists_have_three_columns(
    bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    dataset = stage(bucket, vehicles, drawn)
    rows = [json.loads(row) for row in bucket.get(f"{dataset.prefix}/manifest.jsonl").splitlines()]
    assert set(rows[0]) == {
        "source-ref", "label", "label_index", "split", "hash", "width", "height", "origin", "group",
    }  # fmt: skip
    assert all(row["source-ref"] == f"pictures/{row['split']}/{row['label']}/{row['hash'][:16]}.png" for row in rows)
    for split in ("train", "test"):
        table = [row.split("\t") for row in bucket.get(f"{dataset.prefix}/{split}.lst").decode().splitlines()]
        wanted = [row for row in rows if row["split"] == split]
        assert table == [[str(k), str(row["label_index"]), row["source-ref"]] for k, row in enumerate(wanted)]
    assert bucket.get_json(f"{dataset.prefix}/checks.json")["counts"] == dataset.counts()
    assert bucket.get_json(f"{dataset.prefix}/dataset.json")["version"] == dataset.version


def test_the_version_is_of_the_pictures_whatever_their_order_and_place(
    tmp_path: Path, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    one = stage(open_bucket(str(tmp_path), "one"), vehicles, drawn)
    moved = [SourcePicture(f"elsewhere/{k}", p.label, p.data, p.split) for k, p in enumerate(reversed(drawn))]
    two = stage(open_bucket(str(tmp_path), "two"), vehicles, moved)
    fewer = stage(open_bucket(str(tmp_path), "three"), vehicles, drawn[1:])
    swapped = vehicles.model_copy(update={"labels": ("motorcycle", "bicycle")})
    other = stage(open_bucket(str(tmp_path), "four"), swapped, drawn)
    assert one.version == two.version
    assert len({one.version, fewer.version, other.version}) == 3


def test_staging_again_writes_nothing(bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]) -> None:
    first = stage(bucket, vehicles, drawn)
    assert bucket.folder is not None
    before = {path: path.stat().st_mtime_ns for path in bucket.folder.rglob("*")}
    steps: set[str] = set()
    again = stage(bucket, vehicles, drawn, progress=lambda what, done, total: steps.add(what))
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in bucket.folder.rglob("*")} == before
    assert "writing pictures" not in steps


def test_the_same_pictures_from_another_place_keep_their_record_and_add_one_to_the_series(
    bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    moved = [SourcePicture(f"moved/{one.origin}", one.label, one.data, one.split) for one in drawn]
    for pictures, folder in ((drawn, "/a"), (moved, "/b"), (moved, "/b")):
        dataset = write_dataset(bucket, vehicles, pictures, source={"folder": folder}, clock=lambda: NOW)
    # the stored files and what the manifest says of them are the first staging's
    assert dataset.source == {"folder": "/a"}
    assert not any(line.origin.startswith("moved/") for line in dataset.lines)
    series = Layout.dataset_series("vehicles")
    records = [bucket.get_json(Layout.record(series, number)) for number in (1, 2)]
    assert [record["source"] for record in records] == [{"folder": "/a"}, {"folder": "/b"}]
    assert {record["version"] for record in records} == {dataset.version}
    assert bucket.latest_number(series) == 2


def test_the_newest_staging_counts_even_when_its_version_is_old(
    bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    old, new = stage(bucket, vehicles, drawn[2:]), stage(bucket, vehicles, drawn)
    assert load_dataset(bucket, "vehicles").version == new.version
    stage(bucket, vehicles, drawn[2:])
    assert load_dataset(bucket, "vehicles").version == old.version
    assert load_dataset(bucket, "vehicles", new.version) == new


def test_arrays_come_in_the_manifests_order_and_in_the_models_size(
    bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    dataset = stage(bucket, vehicles, drawn)
    seen: list[tuple[int, int]] = []
    images, labels = dataset.arrays("test", 32, lambda what, done, total: seen.append((done, total)))
    lines = [line for line in dataset.lines if line.split == "test"]
    assert images.shape == (10, 32, 32, 3)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert labels.tolist() == [line.label_index for line in lines]
    np.testing.assert_array_equal(images[3], np.asarray(decode(dataset.read(lines[3]))))
    assert seen[-1] == (10, 10)
    assert dataset.arrays("train", 16)[0].shape[1:] == (16, 16, 3)


def test_files_of_any_size_and_mode_keep_their_bytes_and_get_their_true_extension(
    bucket: Bucket, vehicles: Task, draw: Draw
) -> None:
    def save(seed: int, kind: str, mode: str, size: tuple[int, int]) -> bytes:
        buffer = io.BytesIO()
        PIL.Image.open(io.BytesIO(draw(seed))).resize(size).convert(mode).save(buffer, kind)
        return buffer.getvalue()

    files = [
        SourcePicture("bicycle/a.png", "bicycle", save(1, "JPEG", "L", (300, 200)), "train"),
        SourcePicture("bicycle/b.jpg", "bicycle", save(2, "PNG", "RGBA", (20, 50)), "train"),
        SourcePicture("motorcycle/c", "motorcycle", save(3, "GIF", "P", (64, 64)), "train"),
        SourcePicture("motorcycle/d", "motorcycle", save(4, "WEBP", "RGB", (64, 64)), "test"),
    ]
    # which of these are held back to calibrate with is up to their content: add some that surely train
    files += synthetic_pictures(train=8, test=0)
    dataset = stage(bucket, vehicles, files)
    lines = {line.origin: line for line in dataset.lines}
    extensions = [lines[one.origin].source_ref.rsplit(".", 1)[1] for one in files[:4]]
    assert extensions == ["jpg", "png", "gif", "webp"]
    assert [dataset.read(lines[one.origin]) for one in files[:4]] == [one.data for one in files[:4]]
    assert (lines["bicycle/a.png"].width, lines["bicycle/a.png"].height) == (300, 200)
    assert dataset.checks.modes["L"] == 1
    assert dataset.checks.formats["webp"] == 1


def test_unreadable_files_are_listed_and_never_fatal(
    bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    bad = [
        SourcePicture("bicycle/text.png", "bicycle", b"hello, I am text"),
        SourcePicture("bicycle/cut.png", "bicycle", drawn[0].data[: len(drawn[0].data) // 2]),
        SourcePicture("bicycle/empty.png", "bicycle", b""),
        SourcePicture("bicycle/huge.png", "bicycle", b"\x89PNG" + bytes(MAX_BYTES)),
        SourcePicture("bicycle/pipe.png", "bicycle", b"", fault="is no plain file"),
    ]
    dataset = stage(bucket, vehicles, bad + drawn)
    listed = {entry.origin: entry.reason for entry in dataset.checks.unreadable}
    assert set(listed) == {one.origin for one in bad}
    assert "bicycle/text.png is no picture that can be read" in listed["bicycle/text.png"]
    assert listed["bicycle/pipe.png"] == "bicycle/pipe.png is no plain file"
    assert dataset.version == stage(bucket, vehicles, drawn).version


def test_without_splits_content_decides_and_nothing_leaks(
    bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    plain = [SourcePicture(one.origin, one.label, one.data) for one in drawn]
    counts = stage(bucket, vehicles, plain).counts()
    assert all(sum(labels.values()) > 0 for labels in counts.values())
    assert stage(bucket, vehicles, plain[::-1]).counts() == counts


def test_a_label_without_a_training_picture_is_named(
    bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    only = [one for one in drawn if one.label == "bicycle"]
    texts = [SourcePicture(f"motorcycle/{number}.png", "motorcycle", b"text") for number in range(6)]
    held = next(one for one in drawn if one.label == "motorcycle" and one.split == "test")
    fault = "(motorcycle/0.png: is no picture that can be read: expected PNG, JPEG or WebP)"
    gone = "of its 1 readable pictures 0 were duplicates and 1 went to calibration and test"
    for more, told in (
        ([], "the source holds none of it"),
        (texts, f"none of its 6 files is a picture {fault}"),
        ([*texts, held], f"{gone}; 6 files could not be read {fault}"),
    ):
        with pytest.raises(SourceEmpty) as caught:
            stage(bucket, vehicles, [*only, *more])
        assert str(caught.value) == (
            f"label 'motorcycle' of task vehicles has no training picture: {told}: add more pictures"
        )
    assert list(bucket.list("")) == []


def test_nothing_staged_is_told_with_the_command_to_run(bucket: Bucket) -> None:
    with pytest.raises(ObjectMissing, match=r"no dataset of task vehicles .* run `scones stage --task vehicles`"):
        load_dataset(bucket, "vehicles")


def test_an_unknown_version_is_told_with_those_that_there_are(
    bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    with pytest.raises(ObjectMissing, match=r"no dataset of task vehicles .* run `scones stage"):
        load_dataset(bucket, "vehicles", "nope")
    versions = [stage(bucket, vehicles, drawn[first:]).version for first in range(7)]
    stage(bucket, vehicles, drawn[5:])
    bucket.delete(f"{Layout.dataset('vehicles', versions[6])}/manifest.jsonl")
    with pytest.raises(ObjectMissing) as caught:
        load_dataset(bucket, "vehicles", "nope")
    newest = ", ".join(versions[number] for number in (5, 4, 3, 2, 1))
    assert str(caught.value) == f"no dataset version nope of task vehicles; staged are {newest}"


def test_a_removed_picture_is_told_with_the_command_to_run(
    bucket: Bucket, vehicles: Task, drawn: list[SourcePicture]
) -> None:
    dataset = stage(bucket, vehicles, drawn)
    line = next(line for line in dataset.lines if line.split == "test")
    bucket.delete(dataset.key(line))
    with pytest.raises(ObjectMissing, match="run `scones stage --task vehicles` again"):
        dataset.arrays("test", 32)


@pytest.mark.parametrize("name", ["manifest.jsonl", "dataset.json", "checks.json"])
def test_a_damaged_file_is_told(bucket: Bucket, vehicles: Task, drawn: list[SourcePicture], name: str) -> None:
    dataset = stage(bucket, vehicles, drawn)
    bucket.put(f"{Layout.dataset('vehicles', dataset.version)}/{name}", b'{"half": ')
    with pytest.raises(StoreError, match=rf"{name} is damaged .*stage again"):
        load_dataset(bucket, "vehicles")
