"""Models come and go: promote, rollback, and what `scones models` tells of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from scones.bundle import read_bundle
from scones.errors import BundleError, PromotionRefused
from scones.registry import register
from scones.staging import SourcePicture, write_dataset
from scones.store import open_bucket
from scones.task import load_task

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shop(tmp_path: Path, tiny_bundle: Callable[..., bytes], red_and_blue: Callable[[], list[SourcePicture]]) -> Path:
    """A folder where model "old" is in production and "new", which is mostly wrong, the candidate."""
    bucket, task = open_bucket(str(tmp_path / ".scones/store"), "scones"), load_task("vehicles")
    dataset = write_dataset(bucket, task, red_and_blue()[90:], source={"kind": "test"})
    for number, (version, strength) in enumerate({"old": 3.2, "new": -8.0}.items(), 1):
        kind = {"version": version, "strength": strength, "dataset": dataset.version, "origin": "fitted"}
        info, model = read_bundle(tiny_bundle(**kind))
        info = info.model_copy(update={"trained_at": f"2026-11-{number:02d}T00:00:00+00:00"})
        register(bucket, info, model, who="Ada", now=datetime(2026, 11, 20, tzinfo=UTC))
    return tmp_path


def told(shown: subprocess.CompletedProcess[str]) -> str:
    """The one line that an error is."""
    lines = [line for line in shown.stderr.splitlines() if line.startswith("scones: ")]
    assert len(lines) == 1, shown.stderr
    return lines[0]


def test_a_model_is_refused_forced_and_taken_back(scones: Run, shop: Path) -> None:
    def run(*words: str) -> Any:
        shown = scones(*words, "--json", cwd=shop)
        assert shown.returncode == 0, shown.stderr
        return json.loads(shown.stdout)

    home = shop / ".scones/store/scones"
    only_said = scones("promote", "--dry-run", "--json", cwd=shop)
    assert only_said.returncode == PromotionRefused.exit_code
    judged = json.loads(only_said.stdout)
    assert (judged["version"], judged["production"], judged["promoted"], judged["dry_run"]) == (
        "new",
        "old",
        False,
        True,
    )
    assert {gate["name"]: gate["verdict"] for gate in judged["gates"]}["risk"] == "refused"
    assert not (home / "models/vehicles/new/evaluation.json").exists()

    refused = scones("promote", cwd=shop)
    assert refused.returncode == PromotionRefused.exit_code
    assert "not worse: " in told(refused)
    assert "risk: " in told(refused)
    assert "accuracy 6.7% against 93.3% of production on the same 30 test pictures" in refused.stdout
    assert (home / "models/vehicles/new/evaluation.html").is_file(), "it was measured on the way"

    done = run("promote", "--force", "--why", "the old one is worse [at night]", "--who", "Bob")
    assert (done["production"], done["promoted"], done["forced"]) == ("new", True, True)
    again = scones("promote", cwd=shop)
    assert (again.returncode, "new is in production of task vehicles already" in again.stderr) == (0, True)

    listed = {one["version"]: one for one in run("models")}
    assert listed["new"]["aliases"] == ["production", "candidate"]
    assert (listed["new"]["parent"], listed["new"]["evaluation"]["n"]) == ("old", 30)
    assert (listed["old"]["aliases"], listed["old"]["evaluation"]) == ([], None)
    assert "not evaluated" in scones("models", cwd=shop).stdout

    assert run("rollback", "--dry-run")["rolled_back"] is False
    assert run("rollback", "--why", "alarm")["version"] == "old"
    assert "nothing lies below old" in told(scones("rollback", cwd=shop))

    shown = scones("models", "--history", cwd=shop).stdout
    for said in ("the task's first model", "forced: the old one is worse [at night]", "back to record 1: alarm", "Bob"):
        assert said in shown
    records = run("models", "--history")
    assert [one["version"] for one in records["production"]] == ["old", "new", "old"]
    assert [one["version"] for one in records["candidate"]] == ["old", "new"]


def test_a_model_that_was_trained_elsewhere_is_taken_in_as_the_candidate(
    scones: Run, shop: Path, tiny_bundle: Callable[..., bytes]
) -> None:
    (shop / "model.tar.gz").write_bytes(tiny_bundle(version="elsewhere"))
    listed = json.loads(scones("models", "--add", "model.tar.gz", "--json", cwd=shop).stdout)
    assert {one["version"]: one["aliases"] for one in listed} == {
        "old": ["production"], "new": [], "elsewhere": ["candidate"]
    }  # fmt: skip
    (shop / "model.tar.gz").write_bytes(b"no model")
    refused = scones("models", "--add", "model.tar.gz", cwd=shop)
    assert "model.tar.gz is damaged" in told(refused)


def test_without_its_bundle_a_model_is_not_gone_back_to(scones: Run, shop: Path) -> None:
    assert scones("promote", "--force", "--why", "a test", cwd=shop).returncode == 0
    (shop / ".scones/store/scones/models/vehicles/old/model.tar.gz").unlink()
    shown = scones("rollback", cwd=shop)
    assert shown.returncode == BundleError.exit_code
    assert "production stays as it is" in told(shown)
    assert json.loads(scones("models", "--json", cwd=shop).stdout)[-1]["aliases"] == ["production", "candidate"]
