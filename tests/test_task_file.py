"""Writing the file of a new task."""

from pathlib import Path

import PIL.Image
import pytest

from scones.errors import SourceMissing, TaskError
from scones.task import Task, load_task
from scones.task_file import called, labels_of_folder, task_file, write_new


def written(tmp_path: Path, text: str) -> Task:
    write_new(tmp_path / "t.toml", text)
    return load_task(str(tmp_path / "t.toml"))


def test_what_is_written_is_a_task_with_a_comment_on_everything(tmp_path: Path) -> None:
    text = task_file("Loading Bay", ["van", "car"])
    task = written(tmp_path, text)
    assert (task.name, task.labels, task.title, task.view) == ("loading-bay", ("van", "car"), "van or car", None)
    for field in Task.model_fields:
        assert field in text or field in {"gates", "per_label", "groups"}


def test_labels_are_called_as_keys_allow_and_folders_keep_their_names(tmp_path: Path) -> None:
    task = written(tmp_path, task_file("t", ["Delivery Van", 'the "Café"', "bike"]))
    assert task.labels == ("delivery-van", "the-cafe", "bike")
    assert task.classes == {"delivery-van": ("Delivery Van",), "the-cafe": ('the "Café"',)}


def test_every_line_that_is_commented_out_is_right_once_it_is_not(tmp_path: Path) -> None:
    lines = task_file("t", ["van", "car"]).splitlines()
    options = ("[view]", "size", "grids", "pool", "crop", "group_by", "van", "car")
    opened = [line[2:] if line.startswith(tuple(f"# {option}" for option in options)) else line for line in lines]
    task = written(tmp_path, "\n".join(opened))
    assert task.view
    assert task.view.crop == (0, 0.1, 1, 0.9)
    assert task.group_of("van/item-17-b.png") == "17"
    assert task.classes == {"van": ("van",), "car": ("car",)}


def test_large_pictures_are_seen_tile_by_tile(tmp_path: Path) -> None:
    for name, side in (("van", 200), ("car", 300), (".hidden", 9)):
        (tmp_path / name).mkdir()
        PIL.Image.new("RGB", (side, side)).save(tmp_path / name / "one.png")
    (tmp_path / "van" / "notes.txt").write_text("no picture")
    labels, large = labels_of_folder(tmp_path)
    assert (labels, large) == (["car", "van"], True)
    assert written(tmp_path, task_file("t", labels, large=large)).view
    PIL.Image.new("RGB", (32, 32)).save(tmp_path / "van" / "one.png")
    PIL.Image.new("RGB", (32, 32)).save(tmp_path / "car" / "one.png")
    assert not labels_of_folder(tmp_path)[1]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["A b", "a-B"], "labels 'A b' and 'a-B' would both be called a-b: rename one"),
        (["same", "same"], "two labels or more, not 1"),
        (["日本", "b"], "'日本' holds no letter a to z"),
        ([], "two labels or more, not 0"),
    ],
)
def test_labels_that_will_not_do_are_told(labels: list[str], said: str) -> None:
    with pytest.raises(TaskError, match=said):
        task_file("t", labels)


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    place = tmp_path / "t.toml"
    place.write_text("mine")
    with pytest.raises(TaskError, match=r"t\.toml is there already: remove it"):
        write_new(place, "yours")
    assert place.read_text() == "mine"


def test_a_file_that_cannot_be_a_tasks_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"not named \.toml"):
        write_new(tmp_path / "t.txt", "")
    with pytest.raises(TaskError, match=r"cannot write .*gone/t\.toml"):
        write_new(tmp_path / "gone" / "t.toml", "")
    with pytest.raises(SourceMissing, match="no folder at"):
        labels_of_folder(tmp_path / "gone")


def test_a_long_name_is_cut() -> None:
    assert len(called("x" * 100)) == 63
