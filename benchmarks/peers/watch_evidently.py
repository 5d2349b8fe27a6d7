"""Evidently's data drift, with its own choice of tests and lines, on chunks of 500 pictures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import DriftedColumnsCount
from watching import Alarms, chunks, watch

CHUNK = 500
NUMBERS = ("confidence", "brightness", "contrast", "sharpness")


def alarms_if(reference: dict[str, np.ndarray], alarming: Callable[[dict[str, float]], bool]) -> Alarms:
    """Alarms of a chunk, as the number and share of columns that drifted say."""
    definition = DataDefinition(numerical_columns=list(NUMBERS), categorical_columns=["class"])

    def dataset(columns: dict[str, np.ndarray]) -> Any:
        frame = pd.DataFrame({name: columns[name] for name in NUMBERS} | {"class": columns["class"].astype(str)})
        return Dataset.from_pandas(frame, data_definition=definition)

    known = dataset(reference)

    def alarms(stream: dict[str, np.ndarray]) -> Iterator[int]:
        for end, chunk in chunks(stream, CHUNK):
            found = Report([DriftedColumnsCount()]).run(dataset(chunk), known).dict()
            if alarming(found["metrics"][0]["value"]):
                yield end

    return alarms


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    watch(
        lambda reference: {
            "half of the columns": (alarms_if(reference, lambda found: found["share"] >= 0.5), 20),
            "any column": (alarms_if(reference, lambda found: found["count"] > 0), 20),
        }
    )
