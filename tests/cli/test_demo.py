"""The main job, end to end, as a newcomer runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DATA = os.environ.get("SCONES_TEST_DATA")
REAL = Path(DATA or "/nowhere") / "cifar-100-python.tar.gz"


def run(*words: str, cwd: Path, **environ: str) -> Any:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SCONES_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-m", "scones", *words],
        cwd=cwd,
        env={**clean, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def check(shown: Any, data: str) -> dict[str, Any]:
    assert shown.returncode == 0, shown.stderr
    result: dict[str, Any] = json.loads(shown.stdout)
    assert list(result) == [
        "data", "test_images", "accuracy", "ece", "executions", "orders_claimed", "capture_records",
        "report", "evaluation_report", "seconds",
    ]  # fmt: skip
    assert result["data"] == data
    assert result["test_images"] == 200
    assert result["executions"]["failed"] == 0
    assert sum(result["executions"].values()) == 200
    assert result["capture_records"] == 200
    assert 0 < result["orders_claimed"] <= result["executions"]["succeeded"]
    for page in ("report", "evaluation_report"):
        assert Path(result[page]).read_text().lower().startswith("<!doctype html>")
    return result


@pytest.mark.skipif(not REAL.is_file(), reason="SCONES_TEST_DATA names no folder with cifar-100-python.tar.gz")
def test_the_demo_on_cifar_100_and_a_second_run_and_clean(tmp_path: Path) -> None:
    result = check(run("demo", "--json", cwd=tmp_path, SCONES_CIFAR100=str(REAL)), "cifar100")
    assert result["accuracy"] >= 0.90
    stale = tmp_path / ".scones/demo/stale"
    stale.write_text("from the first run")
    again = check(run("demo", "--json", "--archive", str(REAL), cwd=tmp_path), "cifar100")
    assert not stale.exists()
    assert again["accuracy"] == result["accuracy"]
    assert again["evaluation_report"] == result["evaluation_report"], "same data, same seed: same model"

    listed = run("clean", "--dry-run", cwd=tmp_path)
    assert result["report"].removeprefix(f"{tmp_path}/") in listed.stdout
    assert (tmp_path / ".scones/demo").exists()
    removed = json.loads(run("clean", "--json", cwd=tmp_path).stdout)
    assert removed["removed"]
    assert not (tmp_path / ".scones").exists()
    assert "nothing to remove" in run("clean", cwd=tmp_path).stderr


def test_the_demo_offline_draws_its_own_pictures_and_says_so(tmp_path: Path) -> None:
    # a proxy where nobody listens: as good as no network
    offline = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    shown = run("demo", "--json", cwd=tmp_path, **offline)
    check(shown, "synthetic")
    assert "going on with pictures that scones draws itself" in shown.stderr.lower()


def test_the_demo_leaves_a_folder_alone_that_it_did_not_make(tmp_path: Path) -> None:
    mine = tmp_path / ".scones/demo/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    assert run("demo", "--archive", str(REAL) if REAL.is_file() else "x", cwd=tmp_path).returncode != 0
    run("clean", cwd=tmp_path)
    assert mine.read_text() == "precious"
