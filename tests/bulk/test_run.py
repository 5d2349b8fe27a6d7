from __future__ import annotations

from pathlib import Path

import pytest

from scones.bulk import Summary, check_summary, classify_places, open_rows
from scones.classifier import Classifier
from scones.errors import PictureError, SettingsError, SourceEmpty


def run(classifier: Classifier, out: Path, *places: Path, threshold: float = 0.9, start_over: bool = False) -> Summary:
    with open_rows("jsonl", out, classifier.info.labels, start_over=start_over) as rows:
        return classify_places([str(place) for place in places], classifier, threshold, rows, cores=2)


def test_a_run_counts_what_it_found(classifier: Classifier, pictures: Path, tmp_path: Path) -> None:
    (pictures / "notes.txt").touch()
    summary = run(classifier, tmp_path / "rows.jsonl", pictures, pictures / "00.png")
    assert (summary.pictures, summary.unreadable, summary.skipped, summary.earlier) == (50, 1, 1, 0)
    assert sum(summary.labels.values()) == 49
    assert 0 < summary.decided < 49
    assert summary.faults[0][0] == str(pictures / "17.png")
    assert summary.skipped_first == [str(pictures / "notes.txt")]


def test_a_run_goes_on_wherever_it_was_stopped_and_repeats_nothing(
    classifier: Classifier, pictures: Path, tmp_path: Path
) -> None:
    whole = run(classifier, tmp_path / "whole.jsonl", pictures)
    data = (tmp_path / "whole.jsonl").read_bytes()
    for cut in (0, 1, 100, len(data) // 2, len(data) - 1, len(data)):
        (tmp_path / "rows.jsonl").write_bytes(data[:cut])
        again = run(classifier, tmp_path / "rows.jsonl", pictures)
        assert (tmp_path / "rows.jsonl").read_bytes() == data
        assert (again.pictures, again.labels, again.decided) == (whole.pictures, whole.labels, whole.decided)
        assert again.earlier == data[:cut].count(b"\n")


def test_pictures_that_were_added_or_went_away_since_neither_lose_nor_repeat_a_row(
    classifier: Classifier, pictures: Path, tmp_path: Path
) -> None:
    run(classifier, tmp_path / "rows.jsonl", pictures)
    before = (tmp_path / "rows.jsonl").read_bytes()
    (pictures / "00.png").rename(pictures / "000.png")
    run(classifier, tmp_path / "rows.jsonl", pictures)
    after = (tmp_path / "rows.jsonl").read_bytes()
    assert after.startswith(before)
    assert after[len(before) :].count(b"\n") == 1
    assert b"000.png" in after[len(before) :]


def test_rows_of_another_model_or_threshold_are_not_mixed(
    classifier: Classifier, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    run(classifier, out, pictures)
    before = out.read_bytes()
    with pytest.raises(
        SettingsError, match=r"model tiny-1 at threshold 0\.9, and now it is tiny-1 at 0\.8.*--start-over"
    ):
        run(classifier, out, pictures, threshold=0.8)
    assert out.read_bytes() == before
    assert run(classifier, out, pictures, threshold=0.8, start_over=True).earlier == 0
    assert out.read_bytes() != before


def test_nothing_at_all_is_an_error_but_one_good_picture_is_enough(
    classifier: Classifier, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceEmpty, match="no pictures there"):
        check_summary(run(classifier, tmp_path / "a.jsonl", tmp_path / "empty"))
    with pytest.raises(PictureError, match=r"none of 1 could be read; the first, .*17\.png"):
        check_summary(run(classifier, tmp_path / "b.jsonl", pictures / "17.png"))
    check_summary(run(classifier, tmp_path / "c.jsonl", pictures / "17.png", pictures / "00.png"))
