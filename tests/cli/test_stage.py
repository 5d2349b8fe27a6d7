from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from scones.cli.stage import stage
from scones.errors import SettingsError, SourceMissing, TaskError
from scones.staging import load_dataset, synthetic_pictures
from scones.store import Layout, open_bucket

app = typer.Typer(rich_markup_mode="markdown")
app.command()(stage)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, one in enumerate(synthetic_pictures(train=12, test=0)):
        place = tmp_path / "pictures" / one.label
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.png").write_bytes(one.data)
    (tmp_path / "pictures" / "bicycle" / "notes[1].png").write_text("no picture")
    return tmp_path / "pictures"


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCONES_CIFAR100", raising=False)


def test_a_folder_is_staged_and_told_about(folder: Path, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["--folder", str(folder)], catch_exceptions=False)
    dataset = load_dataset(open_bucket(".scones/store", "scones"), "vehicles")
    assert ended.exit_code == 0
    assert ended.stdout.strip() == str(tmp_path / ".scones/store/scones" / dataset.prefix)
    assert dataset.version in ended.stderr
    assert "notes[1].png is no picture" in " ".join(ended.stderr.split())
    for word in ("class balance", "near duplicates", "leaks", "next: scones train"):
        assert word in ended.stderr


def test_json_is_one_object_and_nothing_else(folder: Path) -> None:
    ended = CliRunner().invoke(app, ["--folder", str(folder), "--bucket", "b", "--json"], catch_exceptions=False)
    result = json.loads(ended.stdout)
    assert ended.stderr == ""
    assert set(result) == {"task", "version", "location", "labels", "source", "counts", "checks", "seconds"}
    assert result["source"] == {"kind": "folder", "folder": str(folder)}
    assert len(result["checks"]["unreadable"]) == 1
    assert load_dataset(open_bucket(".scones/store", "b"), "vehicles").counts() == result["counts"]


def test_the_archive_may_be_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path
) -> None:
    monkeypatch.setenv("SCONES_CIFAR100", str(tmp_path / "gone.tar.gz"))
    with pytest.raises(SourceMissing, match=r"gone\.tar\.gz"):
        CliRunner().invoke(app, [], catch_exceptions=False)
    ended = CliRunner().invoke(app, ["--folder", str(folder), "--json"], catch_exceptions=False)
    assert ended.exit_code == 0  # a folder that is named beats it


def test_what_people_have_answered_comes_in_when_asked_for(folder: Path, draw: Callable[..., bytes]) -> None:
    bucket = open_bucket(".scones/store", "scones")
    record = json.loads((Path(__file__).parent.parent / "contract/records.json").read_text())["example"]
    bucket.put_json(Layout.example("vehicles/main/driver-1/a1"), record)
    bucket.put(record["s3_key"], draw(1))
    for words, number in (([], 0), (["--examples"], 1)):
        ended = CliRunner().invoke(app, ["--folder", str(folder), "--json", *words], catch_exceptions=False)
        assert json.loads(ended.stdout)["source"].get("examples", 0) == number
        lines = load_dataset(bucket, "vehicles").lines
        assert [(line.label, line.split) for line in lines if line.origin == record["s3_key"]] == [
            ("motorcycle", "train")
        ] * number


def test_errors_come_out_as_they_are(folder: Path) -> None:
    for arguments, error in (
        (["--task", "unknown"], TaskError),
        (["--source", "nowhere"], SettingsError),
        (["--source", "synthetic", "--folder", str(folder)], SettingsError),
    ):
        with pytest.raises(error):
            CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_help_teaches_with_an_example(make_help: Callable[[], str]) -> None:
    text = make_help()
    for words in ("scones stage --folder pictures", "--archive", "SCONES_CIFAR100", "synthetic", "Next: scones train"):
        assert words in text


@pytest.fixture
def make_help() -> Callable[[], str]:
    return lambda: " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120", "TERM": "dumb"}).stdout.split())
