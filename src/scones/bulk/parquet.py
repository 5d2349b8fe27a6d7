"""Turn a file of rows into a Parquet file."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from scones.bulk.rows import columns, flat, row_format
from scones.errors import SettingsError
from scones.store import disk_error

__all__ = ["check_parquet", "write_parquet"]

_GROUP = 50_000


def check_parquet() -> None:
    """Make sure that Parquet can be written.

    Raises:
        SettingsError: the extra is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise SettingsError("Parquet needs pyarrow: pip install 'scones[parquet]', or write .jsonl or .csv")


def write_parquet(lines: Path, out: Path, labels: Sequence[str]) -> None:
    """Write a file of JSON lines as a Parquet file, whole or not at all.

    Columns are those of the CSV; a name that is no text has escapes in it. 50,000 rows are in memory at a time.

    Args:
        lines: the rows.
        out: the Parquet file.
        labels: of the model.

    Raises:
        StoreFull, StoreReadOnly, StoreError: it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"decided": pa.bool_(), "confidence": pa.float64(), "threshold": pa.float64()}
    kinds |= {f"probability_{label}": pa.float64() for label in labels}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in columns(labels)])
    unfinished = out.with_name(f"{out.name}.unfinished")
    try:
        with lines.open("rb") as file, pq.ParquetWriter(unfinished, schema) as writer:
            rows = (flat(row) for row, _ in row_format("jsonl", labels).rows(file))
            while group := list(islice(rows, _GROUP)):
                for row in group:
                    row["source"] = row["source"].encode(errors="backslashreplace").decode()
                writer.write_table(pa.Table.from_pylist(group, schema))
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(out)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)  # it may hold the very space that is missing
        raise disk_error(
            f"cannot write {out} (its rows are in {lines}: the same command tries again)", error
        ) from error
