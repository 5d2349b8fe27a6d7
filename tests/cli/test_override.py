"""A person decides how the endpoint is run: override, release, undo, and what is told of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from scones.bundle import read_bundle
from scones.errors import ObjectMissing, SettingsError
from scones.registry import save_model
from scones.registry.aliases import point
from scones.store import open_bucket

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shop(tmp_path: Path, tiny_bundle: Callable[..., bytes]) -> Path:
    """A folder where "new" is in production, "old" was before, and "next" is the candidate."""
    bucket = open_bucket(str(tmp_path / ".scones/store"), "scones")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    for version in ("old", "new", "next"):
        save_model(bucket, *read_bundle(tiny_bundle(version=version)))
        alias = "candidate" if version == "next" else "production"
        point(bucket, "vehicles", alias, version, who="Ada", why="a test", now=now)
    return tmp_path


def test_a_person_rolls_back_changes_their_mind_and_lets_the_monitor_decide_again(scones: Run, shop: Path) -> None:
    def run(*words: str) -> Any:
        shown = scones("monitor", *words, "--json", cwd=shop)
        assert shown.returncode == 0, shown.stderr
        return json.loads(shown.stdout)

    def production() -> str:
        return str(json.loads(scones("models", "--history", "--json", cwd=shop).stdout)["production"][-1]["version"])

    said = run("override", "rolled-back", "--why", "it errs [at night]", "--dry-run")
    assert (said["taken"], said["number"], said["standing"]["version"]) == (False, 0, "old")
    assert (run("history"), production()) == ([], "new")

    done = run("override", "rolled-back", "--why", "it errs [at night]", "--who", "Bob")
    assert (done["taken"], done["number"], done["standing"]["held"]) == (True, 1, True)
    assert done["did"] == "model old is in production of task vehicles again, in place of new"
    assert production() == "old"

    back = run("undo", "--why", "it did not")
    assert (back["standing"]["stance"], back["standing"]["held"], production()) == ("observing", False, "new")
    free = run("release", "--why", "it does already")
    assert (free["taken"], free["number"]) == (False, 2)

    canary = run("override", "canary", "--weight", "0.25", "--threshold", "0.97", "--why", "try it")["standing"]
    assert (canary["candidate"], canary["weight"], canary["threshold"]) == ("next", 0.25, 0.97)
    free = run("release", "--why", "go on")
    assert (free["standing"]["stance"], free["standing"]["candidate"], free["standing"]["held"]) == (
        "canary",
        "next",
        False,
    )
    told = run("history")
    assert [(one["number"], one["stance"]) for one in told] == [
        (4, "canary"), (3, "canary"), (2, "observing"), (1, "rolled back")
    ]  # fmt: skip
    shown = scones("monitor", "history", cwd=shop).stdout
    for words in ("Bob", "it errs [at night]", "canary, threshold at least 0.97, candidate next answers 25%, held"):
        assert words in shown


def test_what_does_not_go_together_is_one_line_and_changes_nothing(scones: Run, shop: Path) -> None:
    for words, message in (
        (("override", "observing", "--threshold", "0.9", "--why", "x"), "--threshold does not go with the stance"),
        (("override", "cautious", "--why", " "), "--why is empty"),
        (("override", "canary", "--candidate", "new", "--why", "x"), "model new is in production itself"),
    ):
        shown = scones("monitor", *words, cwd=shop)
        assert shown.returncode == SettingsError.exit_code
        assert message in shown.stderr
    shown = scones("monitor", "undo", "--why", "x", cwd=shop)
    assert (shown.returncode, "nothing to undo" in shown.stderr) == (ObjectMissing.exit_code, True)
    assert scones("monitor", "override", "sleeping", "--why", "x", cwd=shop).returncode == 2
    assert "was never given a stance" in scones("monitor", "history", cwd=shop).stderr


def test_people_are_told_how_the_endpoint_is_run_now(scones: Run, shop: Path) -> None:
    shown = scones("monitor", "override", "cautious", "--why", "fog", "--dry-run", cwd=shop, SCONES_DRIFT_FLOOR="0.95")
    assert "endpoint scones would be run so: cautious, threshold at least 0.95, held" in shown.stderr
    shown = scones("monitor", "override", "rolled-back", "--why", "fog", cwd=shop)
    assert "endpoint scones is run so: rolled back, model old, threshold at least 0.99, held" in shown.stderr
    assert "model old is in production of task vehicles again" in shown.stderr
    shown = scones("monitor", "release", "--why", "no fog", cwd=shop)
    assert "endpoint scones is run so: rolled back, model old, threshold at least 0.99" in shown.stderr
    assert "held" not in shown.stderr
    assert "decides about endpoint scones already" in scones("monitor", "release", "--why", "x", cwd=shop).stderr
