"""River's detectors on two numbers of each picture, as its documentation sets them; the first of the two alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from river import drift
from watching import Alarms, watch

LOOKED_AT = ("confidence", "brightness")


def streaming(make: Callable[[], Any]) -> Alarms:
    """Alarms of a detector a column; after an alarm it begins anew by itself."""

    def alarms(stream: dict[str, np.ndarray]) -> Iterator[int]:
        detectors = {name: make() for name in LOOKED_AT}
        for at, values in enumerate(zip(*(stream[name].tolist() for name in LOOKED_AT), strict=True), 1):
            drifted = False
            for detector, value in zip(detectors.values(), values, strict=True):
                detector.update(value)
                drifted |= detector.drift_detected
            if drifted:
                yield at

    return alarms


if __name__ == "__main__":
    watch(
        lambda _: {
            "ADWIN": (streaming(drift.ADWIN), 30),
            "PageHinkley": (streaming(drift.PageHinkley), 30),
            "KSWIN": (streaming(lambda: drift.KSWIN(seed=0)), 10),
        }
    )
