"""Classify any number of pictures at once: from folders and S3, to a file of rows that a killed run goes on with.

The names are loaded on first use; each brings only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Picture": "scones.bulk.places",
    "RowFile": "scones.bulk.output",
    "RowStream": "scones.bulk.output",
    "Summary": "scones.bulk.summary",
    "absolute": "scones.bulk.places",
    "check_summary": "scones.bulk.run",
    "choose_format": "scones.bulk.output",
    "classify_pictures": "scones.bulk.classifying",
    "classify_places": "scones.bulk.run",
    "find_pictures": "scones.bulk.places",
    "open_rows": "scones.bulk.output",
}

__all__ = [
    "Picture",
    "RowFile",
    "RowStream",
    "Summary",
    "absolute",
    "check_summary",
    "choose_format",
    "classify_pictures",
    "classify_places",
    "find_pictures",
    "open_rows",
]

if TYPE_CHECKING:
    from scones.bulk.classifying import classify_pictures
    from scones.bulk.output import RowFile, RowStream, choose_format, open_rows
    from scones.bulk.places import Picture, absolute, find_pictures
    from scones.bulk.run import check_summary, classify_places
    from scones.bulk.summary import Summary


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)
