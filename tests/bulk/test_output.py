from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from scones.bulk import RowFile, choose_format, open_rows
from scones.bulk.rows import row_format
from scones.errors import SettingsError, StoreError

LABELS = ("bicycle", "motorcycle")
COMMON = {"model_version": "m1", "threshold": 0.843549}
ROWS: list[dict[str, Any]] = [
    {
        "source": "a.png", "label": "bicycle", "confidence": 0.9963477253913879, "decided": True,
        "probabilities": {"bicycle": 0.9963477253913879, "motorcycle": 0.00365233956836164}, **COMMON,
    },
    {"source": 'odd,"name"\r\n line.png', "error": "is empty", **COMMON},
    {"source": "räder/\udce4.png", "error": "no text in Latin-1", **COMMON},
    {
        "source": "b.png", "label": "motorcycle", "confidence": 0.5, "decided": False,
        "probabilities": {"bicycle": 0.5, "motorcycle": 0.5}, **COMMON,
    },
]  # fmt: skip
KINDS = ("jsonl", "csv")


def write(path: Path, kind: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Go on in a file, as a run does; returns the rows of earlier runs."""
    with RowFile(path, row_format(kind, LABELS)) as file:
        earlier = list(file.earlier())
        file.add(rows[len(earlier) :])
    return earlier


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_was_torn_anywhere_goes_on_and_ends_as_if_nothing_had_happened(kind: str, tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    write(whole, kind, ROWS)
    data = whole.read_bytes()
    ends = {len(data[: at + 1]) for at, byte in enumerate(data) if byte == 10}
    for cut in range(len(data)):
        torn.write_bytes(data[:cut])
        earlier = write(torn, kind, ROWS)
        assert torn.read_bytes() == data, cut
        assert [row["source"] for row in earlier] == [row["source"] for row in ROWS[: len(earlier)]]
        assert len(earlier) <= len([end for end in ends if end <= cut])
    assert len(write(whole, kind, ROWS)) == len(ROWS)
    assert whole.read_bytes() == data


def test_json_lines_hold_every_name_and_the_full_numbers(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", "jsonl", ROWS)
    text = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == ROWS
    assert "räder" in text


def test_csv_is_what_spreadsheets_read(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "csv", ROWS)
    with (tmp_path / "a.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [row["source"] for row in ROWS]
    assert list(rows[0]) == [
        "source", "label", "confidence", "decided", "probability_bicycle", "probability_motorcycle", "model_version",
        "threshold", "error",
    ]  # fmt: skip
    assert [row["decided"] for row in rows] == ["true", "", "", "false"]
    assert float(rows[0]["probability_bicycle"]) == 0.9963477253913879


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", ["my thesis\n", "my thesis", '{"a": 1}\n', "\0\0\0"])
def test_a_file_that_holds_something_else_is_left_alone(kind: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(content)
    with pytest.raises(SettingsError, match=r"row 1 is none of `scones classify`.*--start-over"):
        write(tmp_path / "file", kind, ROWS)
    assert (tmp_path / "file").read_text() == content


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_someone_damaged_is_named(kind: str, tmp_path: Path) -> None:
    write(tmp_path / "file", kind, ROWS[:1])
    with (tmp_path / "file").open("a") as file:
        file.write("damaged\n")
    with pytest.raises(SettingsError, match="row 2 is none"):
        write(tmp_path / "file", kind, ROWS)


def test_starting_over_drops_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("my thesis")
    with open_rows("csv", tmp_path / "a.csv", LABELS, start_over=True) as rows:
        rows.add(ROWS[:1])
    assert (tmp_path / "a.csv").read_bytes().startswith(b"source,label")


def test_one_run_at_a_time_has_a_file(tmp_path: Path) -> None:
    form = row_format("jsonl", LABELS)
    with RowFile(tmp_path / "a.jsonl", form), pytest.raises(StoreError, match="another run writes to"):
        RowFile(tmp_path / "a.jsonl", form)
    with RowFile(tmp_path / "a.jsonl", form) as file:
        assert list(file.earlier()) == []


def test_a_device_a_pipe_or_a_folder_is_no_file_to_go_on_with(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/null"), tmp_path / "pipe", tmp_path):
        with pytest.raises(SettingsError, match="no plain file"):
            RowFile(path, row_format("jsonl", LABELS))


@pytest.mark.parametrize(
    ("name", "out", "kind"),
    [(None, None, "jsonl"), (None, "a.CSV", "csv"), (None, "a.ndjson", "jsonl"), ("csv", "a.txt", "csv")],
)
def test_the_format_is_the_named_one_or_the_one_that_the_files_name_tells(
    name: str | None, out: str | None, kind: str
) -> None:
    assert choose_format(name, Path(out) if out else None) == kind


@pytest.mark.parametrize(("name", "out"), [(None, "a.txt"), ("xlsx", None), ("parquet", None)])
def test_a_format_that_cannot_be_is_refused(name: str | None, out: str | None) -> None:
    with pytest.raises(SettingsError, match=r"jsonl, csv, parquet|--out"):
        choose_format(name, Path(out) if out else None)


@pytest.mark.parametrize("end", ["", "\n"])
def test_somebody_elses_json_lines_are_refused_and_stay_as_they_are(end: str, tmp_path: Path) -> None:
    theirs = tmp_path / "m.jsonl"
    theirs.write_text('{"source": "a.png", "split": "train"}' + end)
    before = theirs.read_bytes()
    with pytest.raises(SettingsError, match="row 1 is none of `scones classify`"):
        write(theirs, "jsonl", ROWS)
    assert theirs.read_bytes() == before
