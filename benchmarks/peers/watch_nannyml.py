"""NannyML's univariate drift, drift by reconstruction, and estimated performance, on chunks of 500 pictures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import nannyml as nml
import numpy as np
import pandas as pd
from watching import Alarms, watch

CHUNK = 500
NUMBERS = ("confidence", "brightness", "contrast", "sharpness")
CLASSES, EMBEDDED = range(20), range(192)


def framed(columns: dict[str, np.ndarray]) -> pd.DataFrame:
    """A table of pictures."""
    told = {name: columns[name] for name in NUMBERS}
    told |= {"class": columns["class"].astype(str)}
    told |= {f"p{k}": columns["probabilities"][:, k].astype(np.float64) for k in CLASSES}
    told |= {f"e{k}": columns["embedding"][:, k] for k in EMBEDDED}
    return pd.DataFrame(told | {"truth": columns["truth"].astype(str)})


def alarms_of(calculator: Any, *, estimates: bool = False) -> Alarms:
    """Alarms of a calculator that knows the reference."""

    def alarms(stream: dict[str, np.ndarray]) -> Iterator[int]:
        table = framed(stream)
        table = table.iloc[: len(table) // CHUNK * CHUNK]
        found = calculator.estimate(table) if estimates else calculator.calculate(table)
        told = found.filter(period="analysis").to_df()
        alerts = told.loc[:, [column for column in told.columns if column[-1] == "alert"]].to_numpy(bool).any(1)
        yield from ((np.flatnonzero(alerts) + 1) * CHUNK).tolist()

    return alarms


def made(reference: dict[str, np.ndarray]) -> dict[str, tuple[Alarms, int]]:
    """The calculators, fitted."""
    table = framed(reference)
    table = table.iloc[: len(table) // CHUNK * CHUNK]
    univariate = nml.UnivariateDriftCalculator(column_names=[*NUMBERS, "class"], chunk_size=CHUNK).fit(table)
    rebuilt = nml.DataReconstructionDriftCalculator(column_names=[f"e{k}" for k in EMBEDDED], chunk_size=CHUNK).fit(
        table
    )
    estimated = nml.CBPE(
        metrics=["accuracy"], y_pred_proba={str(k): f"p{k}" for k in CLASSES}, y_true="truth", y_pred="class",
        problem_type="classification_multiclass", chunk_size=CHUNK,
    ).fit(table)  # fmt: skip
    return {
        "univariate, any column": (alarms_of(univariate), 20),
        "reconstruction of embeddings": (alarms_of(rebuilt), 20),
        "CBPE": (alarms_of(estimated, estimates=True), 20),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    watch(made)
