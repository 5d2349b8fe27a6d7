from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scones.errors import SourceEmpty, SourceError, SourceMissing
from scones.staging.folder import folder_pictures
from scones.task import Task

Draw = Callable[..., bytes]


@pytest.fixture
def folder(tmp_path: Path, draw: Draw) -> Path:
    for number, label in enumerate(("bicycle", "motorcycle")):
        place = tmp_path / "pictures" / label
        place.mkdir(parents=True)
        (place / "one.png").write_bytes(draw(number))
    return tmp_path / "pictures"


def test_a_sub_folder_is_a_label_and_bytes_stay_unchanged(folder: Path, vehicles: Task, draw: Draw) -> None:
    (folder / "bicycle" / "deeper").mkdir()
    (folder / "bicycle" / "deeper" / "two.jpeg").write_bytes(b"whatever")
    (folder / "bicycle" / ".DS_Store").write_bytes(b"hidden")
    (folder / "README").write_text("about")
    found = [(one.origin, one.label, one.data, one.split) for one in folder_pictures(folder, vehicles)]
    assert found == [
        ("bicycle/one.png", "bicycle", draw(0), None),
        ("bicycle/deeper/two.jpeg", "bicycle", b"whatever", None),
        ("motorcycle/one.png", "motorcycle", draw(1), None),
    ]


def test_what_is_no_plain_file_is_handed_on_with_its_fault(folder: Path, vehicles: Task, draw: Draw) -> None:
    os.mkfifo(folder / "bicycle" / "pipe.png")
    (folder / "bicycle" / "broken.png").symlink_to("nowhere")
    (folder / "loose.png").write_bytes(draw(5))
    faults = {one.origin: one.fault for one in folder_pictures(folder, vehicles) if one.fault}
    assert faults == {
        "bicycle/pipe.png": "is no plain file",
        "bicycle/broken.png": "is no plain file",
        "loose.png": "lies in no label's sub-folder: move it into one",
    }


def test_a_missing_folder_is_named(tmp_path: Path, vehicles: Task) -> None:
    with pytest.raises(SourceMissing, match=r"no folder at .*gone: give the path"):
        folder_pictures(tmp_path / "gone", vehicles)


def test_a_file_is_no_folder(tmp_path: Path, vehicles: Task) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceError, match="cannot list"):
        folder_pictures(tmp_path / "file", vehicles)


def test_an_empty_folder_says_which_sub_folders_it_should_hold(tmp_path: Path, vehicles: Task) -> None:
    with pytest.raises(SourceEmpty, match=r"holds no sub-folder: .* named bicycle, motorcycle"):
        folder_pictures(tmp_path, vehicles)


def test_a_label_without_files_is_named(folder: Path, vehicles: Task) -> None:
    (folder / "motorcycle" / "one.png").unlink()
    with pytest.raises(SourceEmpty, match=r"no picture of label 'motorcycle': put some into .*motorcycle"):
        folder_pictures(folder, vehicles)


def test_a_sub_folder_that_is_no_label_lists_both(folder: Path, vehicles: Task) -> None:
    (folder / "scooter").mkdir()
    with pytest.raises(
        SourceError,
        match="holds sub-folders bicycle, motorcycle, scooter, "
        "but the labels of task vehicles are bicycle, motorcycle: rename or move scooter, or name them under",
    ):
        folder_pictures(folder, vehicles)


def test_a_sub_folder_may_keep_a_name_that_is_no_labels(folder: Path, vehicles: Task) -> None:
    (folder / "bicycle").rename(folder / "City Bikes")
    task = vehicles.model_copy(update={"classes": {"bicycle": ("City Bikes", "Tandems")}})
    found = {(one.origin, one.label) for one in folder_pictures(folder, task)}
    assert found == {("City Bikes/one.png", "bicycle"), ("motorcycle/one.png", "motorcycle")}


def test_patterns_of_paths_tell_labels_and_the_rest_is_left_out(tmp_path: Path, vehicles: Task, draw: Draw) -> None:
    for name in ("top-1.png", "shots/b-1.png", "shots/m-1.png", "masks/b-1.png", "LICENSE"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(draw(1))
    task = vehicles.model_copy(update={"classes": {"bicycle": ("shots/b-*", "top-*"), "motorcycle": ("shots/m-*",)}})
    found = [(one.origin, one.label) for one in folder_pictures(tmp_path, task)]
    assert found == [("shots/b-1.png", "bicycle"), ("top-1.png", "bicycle"), ("shots/m-1.png", "motorcycle")]
