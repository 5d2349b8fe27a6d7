"""A person at the command line: what waits, and an answer."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scones.contracts import Review
from scones.errors import MessageError, ObjectExists, ObjectMissing, TaskError, WorkflowError
from scones.store import Bucket, Layout, open_bucket

Scones = Callable[..., subprocess.CompletedProcess[str]]
RECORD: dict[str, Any] = json.loads((Path(__file__).parent.parent / "contract/records.json").read_text())["review"]


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path / ".scones/store"), "scones")


def ask(bucket: Bucket, name: str, *, seconds: int = 3600, task: str = "vehicles") -> str:
    """Let a person be asked just now; the arrival."""
    fields = RECORD | {"arrival_id": name, "task": task, "task_token": "secret", "seconds": seconds}
    review = Review.model_validate(fields | {"asked_at": datetime.now(UTC) - timedelta(seconds=30)})
    bucket.put_json(Layout.review(review.path), review.model_dump(mode="json"))
    return review.path


def test_reviews_lists_what_waits_the_most_urgent_first(scones: Scones, bucket: Bucket, tmp_path: Path) -> None:
    for name, seconds in (("slow", 90_000), ("soon", 100), ("late", 10), ("done", 3600), ("said", 3600)):
        ask(bucket, name, seconds=seconds)
    bucket.put_json(Layout.result("vehicles/main/driver-1/done"), {})
    bucket.put_json(Layout.answer("vehicles/main/driver-1/said"), {})
    shown = scones("reviews", cwd=tmp_path)
    rows = [line.split("│")[1:-1] for line in shown.stdout.splitlines() if "bicycle" in line]
    assert [[cell.strip() for cell in row[:5]] for row in rows] == [
        ["vehicles/main/driver-1/late", "bicycle", "0.5000", "0.9000", "none"],
        ["vehicles/main/driver-1/soon", "bicycle", "0.5000", "0.9000", rows[1][4].strip()],
        ["vehicles/main/driver-1/slow", "bicycle", "0.5000", "0.9000", "25 h"],
    ]
    assert rows[1][4].strip().endswith(" s")
    listed = json.loads(scones("reviews", "--json", cwd=tmp_path).stdout)
    assert [one["arrival"].rsplit("/", 1)[1] for one in listed] == ["late", "soon", "slow"]
    assert "secret" not in json.dumps(listed)


def test_an_answer_is_kept_and_no_longer_waits(scones: Scones, bucket: Bucket, tmp_path: Path) -> None:
    path = ask(bucket, "a1")
    shown = scones("answer", "a1", "bicycle", "--who", "ada", "--json", cwd=tmp_path)
    given = json.loads(shown.stdout)
    assert (given["arrival"], given["label"], given["by"]) == (path, "bicycle", "ada")
    assert bucket.get_json(Layout.answer(path)) == {name: given[name] for name in ("label", "by", "at")}
    assert json.loads(scones("reviews", "--json", cwd=tmp_path).stdout) == []
    again = scones("answer", path, "motorcycle", "--who", "bob", cwd=tmp_path)
    assert again.returncode == ObjectExists.exit_code
    assert f"ada answered {path} before" in again.stderr


def test_an_answer_to_a_task_of_ones_own_needs_its_file(scones: Scones, bucket: Bucket, tmp_path: Path) -> None:
    ask(bucket, "a1", task="plates")
    assert scones("answer", "a1", "round", cwd=tmp_path).returncode == TaskError.exit_code
    (tmp_path / "plates.toml").write_text(
        'name = "plates"\ntitle = "Plates"\nlabels = ["round", "square"]\n[policy]\ntarget_risk = 0.05\n'
    )
    assert scones("answer", "a1", "round", "--task", "plates.toml", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("a1", "car"), MessageError, "use one of bicycle, motorcycle"),
        (("b1", "bicycle"), ObjectMissing, "`scones reviews` lists those that wait"),
        (("late", "bicycle"), WorkflowError, "it is too late to answer"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(
    scones: Scones, bucket: Bucket, words: tuple[str, ...], error: type[Exception], said: str, tmp_path: Path
) -> None:
    ask(bucket, "a1")
    ask(bucket, "late", seconds=10)
    shown = scones("answer", *words, cwd=tmp_path)
    assert shown.returncode == error.exit_code  # type: ignore[attr-defined]
    assert said in shown.stderr
    assert len(shown.stderr.splitlines()) == 1
