"""The main job, end to end, as a newcomer runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scones import errors as scones_errors

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

    listed = json.loads(run("clean", "--dry-run", "--json", cwd=tmp_path).stdout)
    assert result["report"].removeprefix(f"{tmp_path}/") in listed["files"]
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


def test_clean_leaves_a_download_alone_that_the_demo_did_not_make(tmp_path: Path) -> None:
    mine = tmp_path / ".scones/cache/cifar-100-python.tar.gz"
    mine.parent.mkdir(parents=True)
    mine.write_text("staged by hand")
    assert "nothing to remove" in run("clean", cwd=tmp_path).stderr
    assert mine.exists()


def test_a_demo_heeds_no_settings_of_the_callers_and_a_second_one_beside_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scones.toml").write_text('endpoint = "prod"\nbucket = "mine"\n')
    (tmp_path / "queue.py").write_text("raise SystemExit('imported from the folder of the caller')\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SCONES_", "AWS_"))}
    offline = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    scones = Path(sys.executable).with_name("scones")
    with subprocess.Popen(
        [scones, "demo", "--json"],
        cwd=tmp_path,
        env={**clean, **offline},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as first:
        while not (tmp_path / ".scones/demo.lock").exists() and first.poll() is None:
            pass
        second = subprocess.run(
            [scones, "demo"], cwd=tmp_path, env={**clean, **offline}, capture_output=True, text=True, check=False
        )
        assert second.returncode == scones_errors.StoreError.exit_code
        assert "a demo runs in" in second.stderr
        out, err = first.communicate(timeout=300)
    assert first.returncode == 0, err
    assert json.loads(out)["executions"]["failed"] == 0


def test_a_demo_that_is_terminated_takes_its_endpoint_along(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SCONES_", "AWS_"))}
    offline = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    with subprocess.Popen(
        [sys.executable, "-m", "scones", "demo"], cwd=tmp_path, env={**clean, **offline}, stderr=subprocess.DEVNULL
    ) as child:
        log = tmp_path / ".scones/demo/serve.log"
        while not log.exists() and child.poll() is None:
            pass
        child.terminate()
        assert child.wait(timeout=60) == 128 + 15
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in commands if str(tmp_path).encode() in command]
