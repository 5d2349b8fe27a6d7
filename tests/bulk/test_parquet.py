from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from scones.bulk import classify_places, open_rows
from scones.classifier import Classifier
from scones.errors import SettingsError

without = pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="the extra parquet is installed")


@without
def test_without_its_extra_parquet_says_what_to_install(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match=r"pip install 'scones\[parquet\]'"),
        open_rows("parquet", tmp_path / "a.parquet", ("a", "b"), start_over=False),
    ):
        pass
    assert not list(tmp_path.iterdir())


class TestWithTheExtra:
    @pytest.fixture(autouse=True)
    def _needs_the_extra(self) -> None:
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")

    def run(
        self, classifier: Classifier, pictures: Path, out: Path, *, start_over: bool = False, stop_after: int = 1000
    ) -> int:
        done = 0

        def count(number: int) -> None:
            nonlocal done
            done += number
            if done > stop_after:
                raise KeyboardInterrupt

        with open_rows("parquet", out, classifier.info.labels, start_over=start_over) as rows:
            return classify_places([str(pictures)], classifier, 0.9, rows, cores=2, report=count).earlier

    def test_a_parquet_file_holds_a_row_for_each_picture(
        self, classifier: Classifier, pictures: Path, tmp_path: Path
    ) -> None:
        import pyarrow.parquet as pq

        self.run(classifier, pictures, tmp_path / "a.parquet")
        rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
        assert len(rows) == 50
        assert rows[0]["label"] == "bicycle"
        assert rows[0]["probability_bicycle"] == rows[0]["confidence"]
        assert rows[17]["label"] is None
        assert "no picture" in rows[17]["error"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "pictures"]

    def test_a_killed_run_goes_on_from_its_partial_file(
        self, classifier: Classifier, pictures: Path, tmp_path: Path
    ) -> None:
        import pyarrow.parquet as pq

        with pytest.raises(KeyboardInterrupt):
            self.run(classifier, pictures, tmp_path / "a.parquet", stop_after=20)
        assert not (tmp_path / "a.parquet").exists()
        assert self.run(classifier, pictures, tmp_path / "a.parquet") == 32
        assert pq.read_table(tmp_path / "a.parquet").num_rows == 50

    def test_a_finished_file_is_not_gone_on_with(self, classifier: Classifier, pictures: Path, tmp_path: Path) -> None:
        self.run(classifier, pictures, tmp_path / "a.parquet")
        with pytest.raises(SettingsError, match="is finished"):
            self.run(classifier, pictures, tmp_path / "a.parquet")
        assert self.run(classifier, pictures, tmp_path / "a.parquet", start_over=True) == 0
