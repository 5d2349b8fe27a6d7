"""Bulk classification as a person runs it, and as a machine stops it."""

from __future__ import annotations

import itertools
import json
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import pytest

from scones import errors
from scones.bundle import read_bundle
from scones.registry import register
from scones.registry.aliases import point
from scones.store import open_bucket

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
Start: TypeAlias = Callable[..., subprocess.Popen[str]]
SCONES = str(Path(sys.executable).with_name("scones"))


@pytest.fixture
def place(tmp_path: Path, tiny_bundle: Callable[..., bytes], png_bytes: Callable[..., bytes]) -> Path:
    """A folder with model.tar.gz and 40 pictures, one of them damaged."""
    (tmp_path / "model.tar.gz").write_bytes(tiny_bundle())
    (tmp_path / "pictures").mkdir()
    for number in range(40):
        data = png_bytes((250 - 6 * number, 10, 6 * number))
        (tmp_path / f"pictures/{number:02d}.png").write_bytes(data[:30] if number == 7 else data)
    return tmp_path


@pytest.fixture
def many(place: Path) -> Path:
    """The same with 4,000 pictures."""
    for number in range(40, 4000):
        (place / f"pictures/{number}.png").hardlink_to(place / f"pictures/{number % 40:02d}.png")
    return place


def words(*more: str) -> tuple[str, ...]:
    return "classify", "pictures", "--model", "./model.tar.gz", *more


def in_a_shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", script], cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_rows_go_to_stdout_and_a_summary_to_stderr(scones: Run, place: Path) -> None:
    ended = scones(*words(), cwd=place)
    assert ended.returncode == 0, ended.stderr
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [row["source"] for row in rows] == [f"pictures/{number:02d}.png" for number in range(40)]
    assert rows[0]["label"] == "bicycle"
    assert rows[-1] == {
        "source": "pictures/39.png",
        "label": "motorcycle",
        "confidence": rows[-1]["probabilities"]["motorcycle"],
        "decided": True,
        "probabilities": rows[-1]["probabilities"],
        "model_version": "tiny-1",
        "threshold": 0.9,
    }
    for said in (
        "40 pictures in",
        "a second",
        "model tiny-1",
        "could not be read: 1",
        "pictures/07.png: the picture is",
    ):
        assert said in ended.stderr


def test_the_summary_is_one_object_and_the_rows_are_csv_where_the_name_ends_so(scones: Run, place: Path) -> None:
    ended = scones(*words("--out", "new/rows.csv", "--json"), cwd=place)
    assert ended.stderr == ""
    summary = json.loads(ended.stdout)
    assert (summary["pictures"], summary["unreadable"], summary["earlier"]) == (40, 1, 0)
    assert summary["out"] == "new/rows.csv"
    assert (place / "new/rows.csv").read_text().startswith("source,label,confidence,decided,probability_bicycle")
    assert scones(*words("--json"), cwd=place).returncode == errors.SettingsError.exit_code


def test_a_model_is_a_version_or_an_alias_with_the_threshold_of_its_policy(
    scones: Run, place: Path, tiny_bundle: Callable[..., bytes]
) -> None:
    bucket = open_bucket(str(place / ".scones/store"), "scones")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    for version, threshold in (("old", 0.7), ("new", 0.8)):
        register(bucket, *read_bundle(tiny_bundle(version=version, threshold=threshold)), who="test", now=now)
    point(bucket, "vehicles", "production", "old", who="test", why="test", now=now, threshold=0.75)
    models = {"": ("old", 0.75), "production": ("old", 0.75), "candidate": ("new", 0.8), "old": ("old", 0.7)}
    for reference, expected in models.items():
        ended = scones("classify", "pictures/00.png", *(["--model", reference] if reference else []), cwd=place)
        row = json.loads(ended.stdout)
        assert (row["model_version"], row["threshold"]) == expected


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("pictures",), "BundleError", "scones train"),
        (("pictures", "--model", "./pictures/00.png"), "BundleError", "pictures/00.png"),
        (("pictures/07.png", "--model", "./model.tar.gz", "--out", "a.csv"), "PictureError", "pictures/07.png"),
        (("nowhere", "--model", "./model.tar.gz", "--out", "a.csv"), "PictureError", "No such file"),
        (("empty", "--model", "./model.tar.gz"), "SourceEmpty", "no pictures there"),
        (("pictures", "--model", "./model.tar.gz", "--out", "a.xlsx"), "SettingsError", "jsonl, csv, parquet"),
        (
            ("pictures", "--model", "./model.tar.gz", "--out", "model.tar.gz/a.csv"),
            "StoreError",
            "choose another place",
        ),
    ],
)
def test_errors_are_one_line_with_their_own_exit_code(
    scones: Run, place: Path, arguments: tuple[str, ...], error: str, said: str
) -> None:
    (place / "empty").mkdir()
    ended = scones("classify", *arguments, cwd=place)
    assert ended.returncode == getattr(errors, error).exit_code
    lines = [line for line in ended.stderr.splitlines() if line.startswith("scones: ")]
    assert len(lines) == 1
    assert said in lines[0]


def test_a_run_that_is_killed_again_and_again_ends_like_one_that_never_was(
    scones: Run, start_scones: Start, wait_until: Callable[..., None], many: Path
) -> None:
    scones(*words("--out", "whole.jsonl"), cwd=many)
    out = many / "rows.jsonl"
    kills = 0
    for size in (1, 150_000, 400_000):
        child = start_scones(*words("--out", "rows.jsonl"), cwd=many)
        wait_until(lambda: child.poll() is not None or (out.exists() and out.stat().st_size > size))  # noqa: B023
        child.kill()
        kills += child.wait() == -signal.SIGKILL
    assert kills
    ended = scones(*words("--out", "rows.jsonl"), cwd=many)
    assert ended.returncode == 0, ended.stderr
    assert "of an earlier run" in ended.stderr
    assert out.read_bytes() == (many / "whole.jsonl").read_bytes()


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_space(scones: Run, place: Path) -> None:
    scones(*words("--out", "whole.jsonl"), cwd=place)
    limited = subprocess.run(
        [SCONES, *words("--out", "rows.jsonl")],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000)),
    )
    assert limited.returncode == errors.StoreError.exit_code
    assert "scones: cannot write on in rows.jsonl" in limited.stderr
    assert "the same command goes on with them" in limited.stderr
    written = (place / "rows.jsonl").read_bytes()
    assert 0 < len(written) <= 5_000
    assert written.endswith(b"\n")
    assert scones(*words("--out", "rows.jsonl"), cwd=place).returncode == 0
    assert (place / "rows.jsonl").read_bytes() == (place / "whole.jsonl").read_bytes()


def on_a_small_disk(script: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a mount namespace of its own, with a file system of 8 KiB at ``disk``."""
    (place / "disk").mkdir()
    space = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c"]
    mount = "mount -t tmpfs -o size=8k none disk"
    if (
        not shutil.which("unshare")
        or subprocess.run([*space, mount], cwd=place, capture_output=True, check=False).returncode
    ):
        pytest.skip("this system lets no user mount a file system of its own (unshare --user --mount)")
    return subprocess.run(
        [*space, f"{mount} && {script}"], cwd=place, capture_output=True, text=True, check=False, timeout=120
    )


def test_no_space_left_has_its_own_exit_code_and_leaves_whole_rows(place: Path) -> None:
    command = shlex.join([SCONES, *words("--out", "disk/rows.jsonl")])
    ended = on_a_small_disk(f"{command}; code=$?; cat disk/rows.jsonl; exit $code", place)
    assert ended.returncode == errors.StoreFull.exit_code, ended.stderr
    assert "no space left; free some, or choose another place" in ended.stderr
    assert all(json.loads(line)["model_version"] == "tiny-1" for line in ended.stdout.splitlines())


def test_a_read_only_disk_has_its_own_exit_code(place: Path) -> None:
    command = shlex.join([SCONES, *words("--out", "disk/rows.jsonl")])
    ended = on_a_small_disk(f"mount -o remount,ro disk && {command}", place)
    assert ended.returncode == errors.StoreReadOnly.exit_code, ended.stderr
    assert "cannot write disk/rows.jsonl: no permission; allow it, or choose another place" in ended.stderr


def test_a_pipe_that_nobody_reads_any_more_ends_the_run_quietly(many: Path) -> None:
    ended = in_a_shell(f"{shlex.join([SCONES, *words()])} | head -n 1", many)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["source"] == "pictures/00.png"
    assert ended.stderr == ""


def test_a_stream_that_cannot_be_written_is_told_in_one_line(place: Path) -> None:
    ended = in_a_shell(f"{shlex.join([SCONES, *words()])} > /dev/full", place)
    assert ended.returncode == errors.StoreFull.exit_code
    assert ended.stderr == (
        "scones: cannot write the rows to stdout: no space left; free some, or choose another place\n"
    )


def test_ctrl_c_stops_the_run_and_the_same_command_goes_on(
    scones: Run, start_scones: Start, wait_until: Callable[..., None], many: Path
) -> None:
    child = start_scones(*words("--out", "rows.jsonl"), cwd=many)
    out = many / "rows.jsonl"
    wait_until(lambda: out.exists() and out.stat().st_size > 0)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    if child.returncode:  # else it was quicker than the signal
        assert child.returncode == 130
        assert "stopped; the same command goes on" in said
    assert scones(*words("--out", "rows.jsonl"), cwd=many).returncode == 0
    sources = [json.loads(line)["source"] for line in out.read_text().splitlines()]
    assert len(sources) == len(set(sources)) == 4000
    assert all(a < b for a, b in itertools.pairwise(sources))
