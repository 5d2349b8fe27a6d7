"""Tasks of one's own: from a folder of photographs to a model, and what few pictures can teach."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from scones.task import load_task, task_names

Scones = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty plates, some with a dark crack, two photographs of each: 120x160 pixels."""
    folder = tmp_path_factory.mktemp("own") / "pictures"
    for plate in range(20):
        label = "Cracked Plate" if plate % 2 else "whole"
        (folder / label).mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(plate)
        base = rng.integers(150, 230, 3) + rng.normal(0, 12, (160, 120, 3))
        for shot in range(2):
            pixels = base + rng.normal(0, 4, base.shape)
            if plate % 2:
                x, y = rng.integers(10, 70, 2)
                for step in range(40):
                    pixels[y + step, x + step // 2 : x + step // 2 + 5] = 20
            image = PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            image.save(folder / label / f"plate-{plate}-{shot}.png")
    return folder


def test_the_tasks_that_come_with_scones_are_listed_and_shown(scones: Scones, tmp_path: Path) -> None:
    listed = json.loads(scones("task", "list", "--json", cwd=tmp_path).stdout)
    assert [one["name"] for one in listed] == task_names()
    assert {"vehicles", "vehicles-10", "road", "defects", "social"} <= set(task_names())
    assert "defects" in scones("task", "list", cwd=tmp_path).stdout
    (tmp_path / "copy.toml").write_text(scones("task", "show", "road", cwd=tmp_path).stdout)
    assert load_task(str(tmp_path / "copy.toml")) == load_task("road")
    assert json.loads(scones("task", "show", "road", "--json", cwd=tmp_path).stdout)["per_label"] == 2500


def test_a_folder_of_photographs_becomes_a_model_in_three_commands(scones: Scones, photographs: Path) -> None:
    home = photographs.parent
    made = scones("task", "new", "Plates", "--folder", "pictures", cwd=home)
    assert made.stdout.strip() == str(home / "plates.toml")
    assert "'Cracked Plate' is called cracked-plate" in made.stderr
    assert "next: scones stage --task plates.toml --folder pictures" in made.stderr
    file = home / "plates.toml"
    file.write_text(file.read_text().replace("# group_by = 'item-", "group_by = 'plate-"))
    staged = json.loads(scones("stage", "--task", "plates.toml", "--folder", "pictures", "--json", cwd=home).stdout)
    assert staged["labels"] == ["cracked-plate", "whole"]
    assert all(all(counts.values()) for counts in staged["counts"].values())
    trained = json.loads(scones("train", "--task", "plates.toml", "--json", cwd=home).stdout)
    assert trained["input_size"] == 192
    assert "calibration pictures are too few" in trained["threshold"]["note"]
    figures = json.loads(scones("evaluate", "--task", "plates.toml", "--json", cwd=home).stdout)
    assert figures["n"] == sum(staged["counts"]["test"].values())
    crossed = scones("crossvalidate", "--task", "plates.toml", "--repeats", "1", cwd=home)
    assert "on 40 pictures of 20 things" in crossed.stderr
    assert float(crossed.stdout) > 0.8


def test_labels_may_be_named_and_a_file_is_not_overwritten(scones: Scones, tmp_path: Path) -> None:
    made = scones("task", "new", "queue", "--labels", "van, car,bike", "--out", "q.toml", "--json", cwd=tmp_path)
    assert json.loads(made.stdout)["labels"] == ["van", "car", "bike"]
    again = scones("task", "new", "queue", "--labels", "a,b", "--out", "q.toml", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (4, "")
    assert again.stderr == "scones: q.toml is there already: remove it, or choose another file with --out\n"


@pytest.mark.parametrize("options", [[], ["--labels", "a,b", "--folder", "."]])
def test_labels_come_from_one_place(scones: Scones, tmp_path: Path, options: list[str]) -> None:
    ended = scones("task", "new", "t", *options, cwd=tmp_path)
    assert ended.returncode == 4
    assert "name the labels with --labels a,b,c, or a folder" in ended.stderr
