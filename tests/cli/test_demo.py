"""The main job, end to end, as a newcomer runs it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from scones.errors import StoreError

DATA = os.environ.get("SCONES_TEST_DATA")
REAL = Path(DATA or "/nowhere") / "cifar-100-python.tar.gz"


OFFLINE = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
"""A proxy where nobody listens: as good as no network."""
Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
Start: TypeAlias = Callable[..., subprocess.Popen[str]]


def check(shown: subprocess.CompletedProcess[str], data: str) -> dict[str, Any]:
    assert shown.returncode == 0, shown.stderr
    result: dict[str, Any] = json.loads(shown.stdout)
    assert list(result) == [
        "data", "test_images", "accuracy", "ece", "executions", "orders_claimed", "capture_records", "drift",
        "report", "evaluation_report", "seconds",
    ]  # fmt: skip
    assert result["data"] == data
    assert result["test_images"] == 200
    assert result["executions"]["failed"] == 0
    assert sum(result["executions"].values()) == 200
    assert result["capture_records"] == 200
    assert not result["drift"]["false_alarm"]
    assert result["drift"]["pictures_to_alarm"] <= 40
    assert 0 < result["orders_claimed"] <= result["executions"]["succeeded"]
    for page in ("report", "evaluation_report"):
        assert Path(result[page]).read_text().lower().startswith("<!doctype html>")
    return result


@pytest.mark.skipif(not REAL.is_file(), reason="SCONES_TEST_DATA names no folder with cifar-100-python.tar.gz")
def test_the_demo_on_cifar_100_and_clean(scones: Run, tmp_path: Path) -> None:
    result = check(scones("demo", "--json", "--archive", str(REAL), cwd=tmp_path), "cifar100")
    assert result["accuracy"] >= 0.90

    listed = json.loads(scones("clean", "--dry-run", "--json", cwd=tmp_path).stdout)
    assert result["report"].removeprefix(f"{tmp_path}/") in listed["files"]
    assert (tmp_path / ".scones/demo").exists()
    removed = json.loads(scones("clean", "--json", cwd=tmp_path).stdout)
    assert removed["removed"]
    assert not (tmp_path / ".scones").exists()
    assert "nothing to remove" in scones("clean", cwd=tmp_path).stderr


def test_a_terminated_demo_takes_its_endpoint_along_and_the_next_one_beside_which_another_is_refused_makes_the_same(
    start_scones: Start, wait_until: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "scones.toml").write_text('endpoint = "prod"\nbucket = "mine"\n')  # of the caller: nobody heeds it
    (tmp_path / "queue.py").write_text("raise SystemExit('imported from the folder of the caller')\n")
    child = start_scones("demo", cwd=tmp_path, **OFFLINE)
    wait_until(lambda: (tmp_path / ".scones/demo/serve.log").exists() or child.poll() is not None)
    child.terminate()
    child.communicate(timeout=60)
    assert child.returncode == 128 + 15
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in commands if str(tmp_path).encode() in command]
    (model,) = (tmp_path / ".scones/demo/store").glob("*/models/vehicles/*/evaluation.html")
    stale = tmp_path / ".scones/demo/stale"
    stale.write_text("from the first run")

    first = start_scones("demo", "--json", cwd=tmp_path, **OFFLINE)
    wait_until(lambda: not stale.exists() or first.poll() is not None)
    second = start_scones("demo", cwd=tmp_path, **OFFLINE)
    assert "a demo runs in" in second.communicate(timeout=60)[1]
    assert second.returncode == StoreError.exit_code
    out, err = first.communicate(timeout=300)
    result = check(subprocess.CompletedProcess(first.args, first.returncode, out, err), "synthetic")
    assert "going on with pictures that scones draws itself" in err.lower()
    assert result["evaluation_report"] == str(model), "same data, same seed: same model"


def test_the_demo_leaves_a_folder_alone_that_it_did_not_make(scones: Run, tmp_path: Path) -> None:
    mine = tmp_path / ".scones/demo/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    assert scones("demo", "--archive", str(REAL) if REAL.is_file() else "x", cwd=tmp_path).returncode != 0
    scones("clean", cwd=tmp_path)
    assert mine.read_text() == "precious"


def test_clean_leaves_a_download_alone_that_the_demo_did_not_make(scones: Run, tmp_path: Path) -> None:
    mine = tmp_path / ".scones/cache/cifar-100-python.tar.gz"
    mine.parent.mkdir(parents=True)
    mine.write_text("staged by hand")
    assert "nothing to remove" in scones("clean", cwd=tmp_path).stderr
    assert mine.exists()
