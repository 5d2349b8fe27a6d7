"""What the workflow writes for others to read, against golden files: questions, answers, examples, results, batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.settings import Settings
from scones.store import Bucket, open_bucket
from scones.workflow.application import open_engine
from scones.workflow.engine import Engine
from scones.workflow.reviews import Answers, answer_review, find_review

from ..workflow.engine.conftest import HandClock

RECORDS: dict[str, Any] = json.loads((Path(__file__).parent / "records.json").read_text("utf-8"))
RED, PURPLE = (220, 20, 20), (120, 20, 120)
NOW = datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC)


@pytest.fixture
def clock() -> HandClock:
    clock = HandClock()
    clock.move(NOW.timestamp() - clock.now())
    return clock


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


@pytest.fixture
def open_task(
    tmp_path: Path, clock: HandClock, start_endpoint: Callable[..., str], tiny_bundle: Callable[..., bytes]
) -> Callable[[str], Engine]:
    def open_task(task: str) -> Engine:
        url = start_endpoint(Classifier(*read_bundle(tiny_bundle(task=task))), new_id=lambda: "event-1")
        place = {"store": str(tmp_path), "journal": tmp_path / f"{task}.sqlite", "endpoint_url": url}
        return open_engine(Settings.load(environ={}, file=None, **place), clock=clock)

    return open_task


def start(engine: Engine, bucket: Bucket, key: str, picture: bytes) -> str:
    """Work an arrival; the name of its execution."""
    name = key.rsplit("/", 1)[1].removesuffix(".png")
    bucket.put(key, picture)
    engine.start("classify", {"image_data": "", "s3_bucket": "scones", "s3_key": key}, name=name)
    engine.wait(name, machine="classify", timeout=20)
    return name


def wait_until_asked(engine: Engine, name: str) -> None:
    while not any(event.type == "TaskSubmitted" for event in engine.history(name, "review")):
        pass


def test_a_question_its_answer_and_the_example_are_as_the_golden_file_says(
    open_task: Callable[[str], Engine], bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    path = "vehicles/main/driver-1/a1"
    with open_task("vehicles") as engine:
        name = start(engine, bucket, f"arrivals/{path}.png", png_bytes(PURPLE))
        wait_until_asked(engine, name)
        review = find_review(bucket, path)
        answer_review(bucket, review, "motorcycle", labels=("bicycle", "motorcycle"), by="ada", now=NOW)
        Answers(engine, bucket).deliver()
        engine.wait(name, machine="review", timeout=20)
    asked = bucket.get_json(f"reviews/{path}.json")
    assert len(asked.pop("task_token")) >= 32
    assert asked == RECORDS["review"]
    assert bucket.get_json(f"answers/{path}.json") == RECORDS["answer"]
    assert bucket.get_json(f"examples/{path}.json") == RECORDS["example"]


def test_a_safe_default_is_as_the_golden_file_says(
    open_task: Callable[[str], Engine], bucket: Bucket, clock: HandClock, png_bytes: Callable[..., bytes]
) -> None:
    with open_task("vehicles") as engine:
        name = start(engine, bucket, "arrivals/vehicles/main/driver-1/a1.png", png_bytes(PURPLE))
        wait_until_asked(engine, name)
        clock.move(3601)
        engine.wait(name, machine="review", timeout=20)
    assert bucket.get_json("results/vehicles/main/driver-1/a1.json") == RECORDS["manual"]


def test_a_result_is_as_the_golden_file_says(
    open_task: Callable[[str], Engine], bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    with open_task("defects") as engine:
        start(engine, bucket, "arrivals/defects/main/driver-1/a1.png", png_bytes(RED))
    expected = RECORDS["accepted"] | {"confidence": pytest.approx(RECORDS["accepted"]["confidence"])}
    assert bucket.get_json("results/defects/main/driver-1/a1.json") == expected


def test_a_batchs_lines_are_as_the_golden_file_says(
    open_task: Callable[[str], Engine], bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    bucket.put("trips/1.png", png_bytes(PURPLE))
    bucket.put("trips/2.png", b"hello")
    with open_task("vehicles") as engine:
        engine.start("batch", {"s3_bucket": "scones", "task": "vehicles", "prefix": "trips/"}, name="b")
        [ended] = engine.wait("b", machine="batch", timeout=20)
    files = bucket.get_json(ended.output["s3_key"])["ResultFiles"]
    answer, failure = (json.loads(bucket.get(files[status][0]["Key"])) for status in ("SUCCEEDED", "FAILED"))
    assert len(answer.pop("inference_id")) == 32
    assert answer == RECORDS["batch"]
    assert {"Input", "Error", "Cause"} <= set(failure)
    assert (json.loads(failure["Input"])["s3_key"], failure["Error"]) == ("trips/2.png", "PictureError")
