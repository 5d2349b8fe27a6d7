"""What a bulk run comes to."""

from __future__ import annotations

from collections import Counter
from typing import Any

__all__ = ["Summary"]

_SHOWN = 20


class Summary:
    """Counts rows, and keeps the first 20 that could not be read.

    Attributes:
        pictures: rows in all, of which ``earlier`` were there before this run.
        labels: how many pictures got each label.
        decided: of these, how many the model decided alone.
        unreadable: rows with an error; ``faults`` holds source and reason of the first.
        skipped: files that were passed over because of their names; ``skipped_first`` names the first.

    Example:
        >>> summary = Summary()
        >>> summary.add({"source": "a.png", "label": "bicycle", "decided": True})
        >>> summary.add({"source": "b.png", "error": "is empty"})
        >>> summary.pictures, summary.decided, summary.faults
        (2, 1, [('b.png', 'is empty')])
    """

    def __init__(self) -> None:
        self.pictures = self.earlier = self.decided = self.unreadable = self.skipped = 0
        self.labels: Counter[str] = Counter()
        self.faults: list[tuple[str, str]] = []
        self.skipped_first: list[str] = []

    def add(self, row: dict[str, Any]) -> None:
        """Count a row."""
        self.pictures += 1
        if "error" in row:
            self.unreadable += 1
            if len(self.faults) < _SHOWN:
                self.faults.append((row["source"], row["error"]))
            return
        self.labels[row["label"]] += 1
        self.decided += bool(row["decided"])

    def skip(self, source: str) -> None:
        """Count a file that was passed over."""
        self.skipped += 1
        if len(self.skipped_first) < _SHOWN:
            self.skipped_first.append(source)

    def to_json(self) -> dict[str, Any]:
        """All of it, for a program."""
        return {
            "pictures": self.pictures,
            "earlier": self.earlier,
            "labels": dict(self.labels),
            "decided": self.decided,
            "unreadable": self.unreadable,
            "faults": [{"source": source, "error": error} for source, error in self.faults],
            "skipped": self.skipped,
            "skipped_first": self.skipped_first,
        }
