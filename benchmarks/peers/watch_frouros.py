"""Frouros's detectors on two numbers of each picture, as its documentation sets them; the first of the two alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from frouros.detectors.concept_drift import ADWIN, KSWIN, ADWINConfig, KSWINConfig, PageHinkley, PageHinkleyConfig
from frouros.detectors.data_drift import IncrementalKSTest
from watching import Alarms, watch

LOOKED_AT = ("confidence", "brightness")
WINDOW, LEVEL = 100, 0.01


def streaming(make: Callable[[], Any]) -> Alarms:
    """Alarms of a detector a column, begun anew after each."""

    def alarms(stream: dict[str, np.ndarray]) -> Iterator[int]:
        detectors = {name: make() for name in LOOKED_AT}
        for at, values in enumerate(zip(*(stream[name].tolist() for name in LOOKED_AT), strict=True), 1):
            drifted = False
            for detector, value in zip(detectors.values(), values, strict=True):
                detector.update(value=value)
                if detector.drift:
                    drifted = True
                    detector.reset()
            if drifted:
                yield at

    return alarms


def against(reference: dict[str, np.ndarray]) -> Alarms:
    """Alarms of an incremental Kolmogorov-Smirnov test of the latest pictures against the reference, at 1 %."""

    def alarms(stream: dict[str, np.ndarray]) -> Iterator[int]:
        detectors = {}
        for name in LOOKED_AT:
            detectors[name] = IncrementalKSTest(window_size=WINDOW)
            detectors[name].fit(X=reference[name][:WINDOW])
        for at, values in enumerate(zip(*(stream[name].tolist() for name in LOOKED_AT), strict=True), 1):
            tests = [one.update(value=value)[0] for one, value in zip(detectors.values(), values, strict=True)]
            if any(test is not None and test.p_value < LEVEL for test in tests):
                yield at

    return alarms


if __name__ == "__main__":
    watch(
        lambda reference: {
            "ADWIN": (streaming(lambda: ADWIN(config=ADWINConfig())), 30),
            "PageHinkley": (streaming(lambda: PageHinkley(config=PageHinkleyConfig())), 30),
            "KSWIN": (streaming(lambda: KSWIN(config=KSWINConfig(seed=0))), 5),
            "incremental KS test": (against(reference), 10),
        }
    )
