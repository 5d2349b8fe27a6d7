"""Many pictures from the command line, through the workflow."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scones.errors import EndpointBusy, SettingsError, SourceEmpty, WorkflowError
from scones.store import Bucket, open_bucket

Scones = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bucket(tmp_path: Path, png_bytes: Callable[..., bytes]) -> Bucket:
    place = open_bucket(str(tmp_path / ".scones/store"), "scones")
    for number, colour in enumerate(((220, 20, 20), (20, 20, 220), (120, 20, 120))):
        place.put(f"trips/{number}.png", png_bytes(colour))
    place.put("trips/poison.png", b"hello")
    return place


def test_a_batch_tells_what_it_found_and_where_the_answers_are(
    scones: Scones, bucket: Bucket, endpoint_url: str, tmp_path: Path
) -> None:
    words = ("batch", "--prefix", "trips/", "--endpoint-url", endpoint_url)
    shown = scones(*words, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "3 pictures classified" in shown.stderr
    assert "66.7% sure enough" in shown.stderr
    assert "failed: 1 (1 PictureError)" in shown.stderr
    assert "trips/poison.png: trips/poison.png is no picture" in shown.stderr
    [file] = shown.stdout.split()
    keys = [json.loads(line)["s3_key"] for line in Path(file).read_text().splitlines()]
    assert keys == ["trips/0.png", "trips/1.png", "trips/2.png"]
    told = json.loads(scones(*words, "--json", cwd=tmp_path).stdout)
    assert (told["pictures"], told["succeeded"], told["failed"], told["decided"]) == (4, 3, 1, 2)
    assert told["execution"].endswith(".2")
    assert Path(told["results"][0]).is_file()
    assert "PictureError" in Path(told["failures"][0]).read_text()


def test_a_manifest_is_worked_line_by_line(scones: Scones, bucket: Bucket, endpoint_url: str, tmp_path: Path) -> None:
    bucket.put("trips/list.jsonl", b'{"source-ref": "0.png"}\n{"source-ref": "1.png"}\n')
    words = ("batch", "--manifest", "trips/list.jsonl", "--endpoint-url", endpoint_url, "--json")
    told = json.loads(scones(*words, cwd=tmp_path).stdout)
    assert told["labels"] == {"bicycle": 1, "motorcycle": 1}


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ((), SettingsError, "either --prefix KEY or --manifest KEY"),
        (("--prefix", "a", "--manifest", "b"), SettingsError, "either --prefix KEY or --manifest KEY"),
        (("--prefix", "nothing/"), SourceEmpty, "no picture in"),
        (("--prefix", "trips/poison"), WorkflowError, "none of 1 pictures was classified; the first, trips/poison.png"),
        (("--manifest", "gone.jsonl"), WorkflowError, "gone.jsonl"),
        (("--prefix", "trips/", "--endpoint-url", "http://127.0.0.1:9"), EndpointBusy, "scones serve"),
    ],
)
def test_what_cannot_be_worked_is_told_in_one_line(
    scones: Scones,
    bucket: Bucket,
    words: tuple[str, ...],
    error: type[Exception],
    said: str,
    endpoint_url: str,
    tmp_path: Path,
) -> None:
    shown = scones("batch", "--endpoint-url", endpoint_url, *words, cwd=tmp_path)
    assert shown.returncode == error.exit_code, shown.stderr  # type: ignore[attr-defined]
    [line] = [line for line in shown.stderr.splitlines() if line.startswith("scones: ")]
    assert said in line
