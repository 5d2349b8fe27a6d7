"""``scones compare`` as a person and a program meet it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from scones import errors

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def shop(scones: Run, tiny_bundle: Callable[..., bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with staged pictures and three models: two of the task, and one of other labels."""
    folder = tmp_path_factory.mktemp("shop")
    assert scones("stage", "--source", "synthetic", "--json", cwd=folder).returncode == 0
    for version, options in (("a", {}), ("b", {"size": 64}), ("cats", {"labels": ("cat", "dog")})):
        home = folder / ".scones/store/scones/models/vehicles" / version
        home.mkdir(parents=True)
        (home / "model.tar.gz").write_bytes(tiny_bundle(version=version, **options))
    return folder


def dataset(shop: Path) -> str:
    return next((shop / ".scones/store/scones/datasets/vehicles").iterdir()).name


def test_one_sentence_says_whether_the_difference_is_real_and_a_page_shows_it(scones: Run, shop: Path) -> None:
    shown = scones("compare", "a", "b", "--dataset", dataset(shop), cwd=shop)
    assert shown.returncode == 0, shown.stderr
    assert "No difference shown between a and b" in shown.stderr
    page = Path(shown.stdout.splitlines()[-1])
    assert page.name == "compare-vehicles-a-b.html"
    assert "<html" in page.read_text()


def test_a_program_gets_every_figure(scones: Run, shop: Path) -> None:
    found = json.loads(scones("compare", "a", "b", "--dataset", dataset(shop), "--json", cwd=shop).stdout)
    assert (found["first"]["version"], found["second"]["version"], found["n"]) == ("a", "b", 200)
    assert found["verdict"] == "no difference shown"
    assert Path(found["report"]).is_file()


@pytest.mark.parametrize(
    ("other", "error", "said"),
    [
        ("cats", errors.TrainingError, "only models of the same labels can be compared"),
        ("gone", errors.BundleError, "no model at"),
        ("candidate", errors.BundleError, "scones train"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    scones: Run, shop: Path, other: str, error: type[errors.SconesError], said: str
) -> None:
    shown = scones("compare", "a", other, "--dataset", dataset(shop), cwd=shop)
    assert shown.returncode == error.exit_code
    assert said in shown.stderr
    assert "Traceback" not in shown.stderr
