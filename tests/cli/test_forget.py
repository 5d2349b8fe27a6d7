"""A person at the command line has somebody forgotten."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scones.errors import JournalError, ObjectMissing, SettingsError
from scones.staging import SourcePicture
from scones.workflow.engine import Journal
from tests.forgetting.world import GONE, World, build

Scones = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def one_world(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_bundle: Callable[..., bytes],
    red_and_blue: Callable[..., list[SourcePicture]],
) -> World:
    return build(tmp_path_factory.mktemp("world"), tiny_bundle(), red_and_blue()[115:130])


@pytest.fixture
def world(one_world: World, tmp_path: Path) -> World:
    """What lies in the working directory."""
    return one_world.copy(tmp_path)


def test_a_dry_run_lists_what_would_go_and_changes_nothing(scones: Scones, world: World, tmp_path: Path) -> None:
    before = world.traces()
    shown = scones("forget", GONE, "--dry-run", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    rows = {
        cells[0]: cells[1] for line in shown.stdout.splitlines() if len(cells := line.replace("│", " ").split()) > 2
    }
    listed = json.loads(scones("forget", GONE, "--dry-run", "--json", cwd=tmp_path).stdout)
    assert listed["removed"] is False
    assert {kind: int(rows[kind]) for kind in listed["counts"]} == listed["counts"]
    assert listed["who"] == f"driver {GONE}"
    assert f"arrivals/vehicles/main/{GONE}/sure.png" in listed["keys"]["arrivals"]
    assert set(listed["keys"]) == set(listed["counts"])
    assert world.traces() == before


def test_what_is_removed_and_what_is_kept_is_told_and_then_nothing_is_left(
    scones: Scones, world: World, tmp_path: Path
) -> None:
    done = scones("forget", GONE, "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"removed: all of this, of driver {GONE}" in done.stderr
    assert done.stderr.count("stays: it says that") == 3
    assert "learned from datasets/vehicles/" in done.stderr
    assert {path.partition("/")[0] for path in world.traces()} == {"order-claims"}
    again = scones("forget", GONE, "--yes", cwd=tmp_path)
    assert again.returncode == ObjectMissing.exit_code
    assert again.stderr.startswith(f"scones: nothing is left of driver {GONE} in bucket scones")


def test_a_program_gets_the_same_as_json(scones: Scones, world: World, tmp_path: Path) -> None:
    done = json.loads(scones("forget", f"vehicles/main/{GONE}/sure", "--yes", "--json", cwd=tmp_path).stdout)
    assert done["removed"] is True
    assert done["counts"]["arrivals"] == 1
    assert world.find(f"vehicles/main/{GONE}/sure").counts == {}


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_without_anybody_to_ask_nothing_is_removed(
    scones: Scones, world: World, tmp_path: Path, more: list[str]
) -> None:
    refused = scones("forget", GONE, *more, cwd=tmp_path)
    assert refused.returncode == SettingsError.exit_code
    assert "say --yes" in refused.stderr
    assert world.find().counts["arrivals"] == 5


@pytest.mark.parametrize(("said", "left"), [("n\n", 5), ("y\n", 0)])
def test_a_person_is_asked_first(world: World, tmp_path: Path, said: str, left: int) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "scones", "forget", GONE],
        cwd=tmp_path, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, said.encode())
    _, told = child.communicate(timeout=120)
    os.close(ours)
    assert f"Remove all that is known of driver {GONE}, for good?" in told
    assert child.returncode == (1 if left else 0)
    assert world.find().counts.get("arrivals", 0) == left


def test_while_an_engine_is_at_work_it_only_looks(scones: Scones, world: World, tmp_path: Path) -> None:
    with Journal(world.settings.journal):
        assert scones("forget", GONE, "--dry-run", cwd=tmp_path).returncode == 0
        refused = scones("forget", GONE, "--yes", cwd=tmp_path)
    assert refused.returncode == JournalError.exit_code
    assert "in use by another engine; end that process" in refused.stderr
    assert world.find().counts["arrivals"] == 5


def test_a_capture_under_another_prefix_is_found_there(scones: Scones, world: World, tmp_path: Path) -> None:
    assert world.bucket.folder is not None
    (world.bucket.folder / "capture").rename(world.bucket.folder / "seen")
    words = ("forget", GONE, "--dry-run", "--json")
    assert "capture" not in json.loads(scones(*words, cwd=tmp_path).stdout)["counts"]
    listed = json.loads(scones(*words, "--capture-prefix", "seen/", cwd=tmp_path).stdout)
    assert listed["counts"]["capture"] == 9


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("driver-9", "--yes"), ObjectMissing, "nothing is left of driver driver-9"),
        (("driver-7", "--yes", "--bucket", "none"), ObjectMissing, "no bucket 'none'"),
        (("../driver-7", "--yes"), SettingsError, "is nobody's name"),
        (("vehicles/main/d/a", "--depot", "north", "--yes"), SettingsError, "leave --depot out"),
    ],
)
def test_what_cannot_be_forgotten_is_told_in_one_line(
    scones: Scones, tmp_path: Path, words: tuple[str, ...], error: type[Exception], said: str
) -> None:
    (tmp_path / ".scones/store/scones").mkdir(parents=True)
    refused = scones("forget", *words, cwd=tmp_path)
    assert refused.returncode == getattr(error, "exit_code", 1)
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
