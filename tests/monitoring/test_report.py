import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from scones.capture import CaptureProblems, CaptureRecord, capture_key, encode_line
from scones.cli.monitor import monitor
from scones.errors import StoreError
from scones.monitoring import monitor_page, summarise
from scones.store import Bucket, Layout, open_bucket

from .looks import look

START = datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC)
OURS = {"model_version": "v1", "threshold": "0.9", "labels": "bicycle,motorcycle"}


def records(count: int, picture: bytes | None = None) -> list[CaptureRecord]:
    return [
        CaptureRecord(
            f"event-{number}",
            f"order-{number}",
            START + timedelta(seconds=number // 20),
            (0.6 + 0.39 * number / count, 0.4 - 0.39 * number / count),
            "image/png",
            picture,
            OURS,
        )
        for number in range(count)
    ]


@pytest.fixture
def bucket(tmp_path: Path, png_bytes: Callable[..., bytes]) -> Bucket:
    bucket = open_bucket(str(tmp_path / "store"), "scones")
    lines = [encode_line(record) for record in records(30, png_bytes())]
    for part in range(3):  # ten records a file
        key = capture_key("capture", "scones", "AllTraffic", START + timedelta(minutes=part), str(part))
        bucket.put(key, "\n".join(lines[10 * part : 10 * part + 10]).encode())
    return bucket


def report(bucket: Bucket, *flags: str) -> tuple[str, str]:
    """Run the verb; returns stdout and stderr."""
    assert bucket.folder is not None
    app = typer.Typer()
    app.add_typer(monitor, name="monitor")
    command = ["monitor", "report", "--store", str(bucket.folder.parent), *flags]
    result = CliRunner().invoke(app, command)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_the_page_tells_what_matters_in_words(png_bytes: Callable[..., bytes]) -> None:
    page = monitor_page(summarise(records(200, png_bytes())), source="capture/scones")
    text = re.sub(r"\s+", " ", page)
    assert "200 pictures were classified in 9 seconds." in text
    assert "not sure enough of 154 (77.0 %)" in text
    assert "A bar is 1 second." in text
    assert text.count('class="pixelated"') == 24


def test_pictures_that_cannot_be_shown_leave_a_placeholder_with_the_reason() -> None:
    page = monitor_page(summarise([*records(1, b"broken"), *records(1, None), *records(1, b"")]))
    assert page.count('class="no-picture"') == 3
    assert "no picture that can be read" in page
    assert "its picture was not kept" in page


def test_an_empty_capture_is_a_friendly_page() -> None:
    page = monitor_page(summarise([]))
    assert "Nothing captured yet" in page
    assert "scones serve" in page


def test_an_empty_capture_still_tells_its_problems() -> None:
    problems = CaptureProblems()
    problems.add("capture/x.jsonl line 1", "no capture record")
    assert "capture/x.jsonl line 1" in monitor_page(summarise([], problems=problems))


def test_a_single_record_of_another_teams_endpoint_makes_a_page() -> None:
    page = monitor_page(summarise([CaptureRecord("e", "", START, (0.2, 0.3, 0.5))]))
    assert "1 picture was classified." in page
    assert "No threshold is known" in page
    assert "class 2" in page


def test_hostile_labels_names_and_versions_are_text() -> None:
    bad = "<script>alert(1)</script>"
    hostile = CaptureRecord(bad, bad, START, (0.2, 0.8), attributes={"labels": f"a,{bad}", "model_version": bad})
    problems = CaptureProblems()
    problems.add(bad, bad)
    page = monitor_page(summarise([hostile], problems=problems), title=bad, source=bad)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_many_labels_are_folded_into_one_bar() -> None:
    made = [CaptureRecord(str(n), "", START, (1.0,), attributes={"labels": f"label {n}"}) for n in range(40)]
    assert "26 other labels" in monitor_page(summarise(made))


def test_the_verb_reads_every_record_of_every_file_and_prints_where_the_page_lies(bucket: Bucket) -> None:
    out, err = report(bucket)
    assert out.strip() == bucket.url("reports/monitor.html")
    assert "30 pictures were classified" in bucket.get("reports/monitor.html").decode()
    assert "bicycle 30" in err


def test_the_verbs_json_holds_the_figures_and_nothing_else(bucket: Bucket) -> None:
    value = json.loads(report(bucket, "--json")[0])
    assert value["records"] == sum(entry["records"] for entry in value["bins"]) == 30
    assert value["labels"] == {"bicycle": 30}
    assert value["report"].endswith("monitor.html")
    assert value["problems"] == {"count": 0, "examples": []}


def test_lines_that_are_no_record_are_counted_and_shown(bucket: Bucket) -> None:
    bucket.put("capture/scones/AllTraffic/2026/11/20/11/00-00-000-x.jsonl", b'{"captureData": {"endpo')
    assert json.loads(report(bucket, "--json")[0])["problems"]["count"] == 1
    assert "could not be used" in bucket.get("reports/monitor.html").decode()


def test_another_prefix_endpoint_task_and_threshold_can_be_read(bucket: Bucket, tmp_path: Path) -> None:
    theirs = CaptureRecord("e", "", START, (0.3, 0.7))
    bucket.put(capture_key("their/capture", "ep", "v", START, "u"), encode_line(theirs).encode())
    whole = json.loads(report(bucket, "--prefix", "their/capture/", "--json")[0])
    assert whole["labels"] == {"class 1": 1}
    flags = ["--prefix", "their/capture", "--endpoint", "ep", "--task", "vehicles", "--threshold", "0.9"]
    named = json.loads(report(bucket, *flags, "--json", "--out", str(tmp_path / "new" / "page.html"))[0])
    assert named["labels"] == {"motorcycle": 1}
    assert named["below_threshold_share"] == 1
    assert named["report"] == str(tmp_path / "new" / "page.html")
    assert "class 1" not in (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert json.loads(report(bucket, "--endpoint", "nobody", "--json")[0])["records"] == 0


def test_a_file_that_cannot_be_written_is_one_clear_error(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="choose another file with --out"):
        report(bucket, "--out", str(tmp_path / "file" / "page.html"))


def test_the_page_says_of_which_share_of_the_records_pictures_are_looked_at(bucket: Bucket, tmp_path: Path) -> None:
    for flags, told in (((), "of all records"), (("--pictures", "0.25"), "of 25 % of the records, chosen by event id")):
        out = tmp_path / "page.html"
        report(bucket, "--out", str(out), *flags)
        assert told in out.read_text("utf-8")


def test_a_second_report_says_the_same_and_counts_what_came_since(bucket: Bucket) -> None:
    first, again = (json.loads(report(bucket, "--json")[0]) for _ in range(2))
    assert again == first
    late = CaptureRecord("late", "late", START, (0.6, 0.4), attributes=OURS)
    bucket.put(capture_key("capture", "scones", "AllTraffic", START, "late"), encode_line(late).encode())
    assert json.loads(report(bucket, "--json")[0])["records"] == first["records"] + 1


def test_the_report_of_a_watched_endpoint_begins_with_what_the_watch_saw(bucket: Bucket) -> None:
    bucket.append(Layout.watch_series("scones"), look(1).model_dump(mode="json"))
    report(bucket)
    page = bucket.get("reports/monitor.html").decode()
    assert "All is well: no drift in 20 pictures." in page
    assert page.index("Evidence over time") < page.index("Pictures over time")


def test_the_report_of_an_endpoint_that_nobody_watches_says_how_to_begin(bucket: Bucket) -> None:
    report(bucket)
    assert "Look once: scones monitor watch" in bucket.get("reports/monitor.html").decode()
    report(bucket, "--prefix", "capture")
    assert "scones monitor watch" not in bucket.get("reports/monitor.html").decode()  # it may be anybody's
