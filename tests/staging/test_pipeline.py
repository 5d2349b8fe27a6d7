from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from scones.errors import SettingsError, SourceError, SourceMissing, TaskError
from scones.staging import choose_source, open_source
from scones.task import Task, load_task


def test_an_archive_or_a_folder_implies_its_source() -> None:
    assert choose_source(None) == "cifar100"
    assert choose_source(None, archive=Path("a")) == "cifar100"
    assert choose_source(None, folder=Path("f")) == "folder"
    assert choose_source("synthetic") == "synthetic"


@pytest.mark.parametrize(
    ("kind", "archive", "folder", "message"),
    [
        ("imagenet", None, None, "unknown source 'imagenet': use one of cifar100, folder, synthetic"),
        ("synthetic", "a", None, "source 'synthetic' does not go with a"),
        ("cifar100", None, "f", "source 'cifar100' does not go with f"),
        (None, "a", "f", "both an archive"),
    ],
)
def test_contradictions_are_told(kind: str | None, archive: str | None, folder: str | None, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        choose_source(kind, archive=Path(archive) if archive else None, folder=Path(folder) if folder else None)


def test_the_record_of_an_archive_holds_its_checksum(make_archive: Callable[..., Path], vehicles: Task) -> None:
    archive = make_archive()
    source = open_source("cifar100", vehicles, archive=archive)
    assert source.record == {
        "kind": "cifar100",
        "archive": str(archive),
        "md5": hashlib.md5(archive.read_bytes()).hexdigest(),
        "official": False,
    }
    assert len(list(source.pictures)) == 30


def test_the_synthetic_record_holds_the_seed(vehicles: Task) -> None:
    assert open_source("synthetic", vehicles, seed=5).record == {"kind": "synthetic", "seed": 5}


def test_the_synthetic_source_serves_no_other_task(vehicles: Task) -> None:
    other = vehicles.model_copy(update={"labels": ("car", "person")})
    with pytest.raises(SourceError, match="only draws bicycle and motorcycle, not car, person"):
        open_source("synthetic", other)


def test_the_folder_source_needs_a_folder(vehicles: Task) -> None:
    with pytest.raises(SettingsError, match="name it with --folder"):
        open_source("folder", vehicles)


def test_each_bad_input_has_an_exit_code_of_its_own(tmp_path: Path, vehicles: Task) -> None:
    with pytest.raises(SourceMissing) as missing:
        open_source("cifar100", vehicles, archive=tmp_path / "gone")
    with pytest.raises(TaskError) as unknown:
        load_task("scootrs")
    assert (missing.value.exit_code, unknown.value.exit_code) == (11, 4)
