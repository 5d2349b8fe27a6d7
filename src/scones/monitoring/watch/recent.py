"""The pictures that came in lately, found again in the capture, with what people said that they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from scones.capture import event_hash, read_capture_file
from scones.errors import ObjectMissing, PictureError
from scones.monitoring.truth import join_truths
from scones.monitoring.watch.window import Window
from scones.picture import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.capture import CaptureRecord
    from scones.store import Bucket

__all__ = ["Recent", "recent_pictures"]

_MOST: Final = 400


@dataclass(frozen=True)
class Recent:
    """N pictures, the latest last.

    Attributes:
        images: upright RGB, uint8 (H, W, 3), each of its own size.
        times: float64 (N,), when they were answered, in POSIX seconds.
        truth: the label that people gave each; None where nobody did.
        latest: bool (N,), whether a picture is one of the latest, all of which are here. The others are older, and here
            because people judged them.
    """

    images: tuple[NDArray[np.uint8], ...]
    times: NDArray[np.float64]
    truth: tuple[str | None, ...]
    latest: NDArray[np.bool_]


def recent_pictures(
    bucket: Bucket, window: Window, truths: Mapping[int, str], labels: Sequence[str], *, most: int = _MOST
) -> Recent:
    """Find the latest pictures of a window, and of the older ones those that people judged.

    What cannot be found again (its file was removed, or its picture was not captured) is left out.

    Args:
        bucket: where the capture lies.
        window: of the watch.
        truths: as :func:`scones.monitoring.read_truths` finds them.
        labels: of the model.
        most: pictures of each kind.
    """
    n = len(window)
    latest = set(range(max(0, n - most), n))
    judged = [k for k in range(n) if k not in latest and _is_known(window, k, truths)]
    wanted = {window.events[k]: k for k in (*judged[-most:], *latest)}
    images: dict[int, NDArray[np.uint8]] = {}
    records: list[CaptureRecord] = []
    for file in sorted({window.files[k] for k in wanted.values()}):
        for record in _records(bucket, file):
            place = wanted.get(record.event_id)
            if place is not None and place not in images and record.picture is not None:
                try:
                    images[place] = np.asarray(decode(record.picture))
                except PictureError:
                    continue
                records.append(record)
    truth = {wanted[one.record.event_id]: one.truth for one in join_truths(records, truths, labels)}
    order = sorted(images)
    return Recent(
        tuple(images[k] for k in order),
        window.times[order],
        tuple(truth.get(k) for k in order),
        np.array([k in latest for k in order], np.bool_),
    )


def _is_known(window: Window, k: int, truths: Mapping[int, str]) -> bool:
    inference = window.inferences[k]
    return event_hash(window.events[k]) in truths or (bool(inference) and event_hash(inference) in truths)


def _records(bucket: Bucket, file: str) -> list[CaptureRecord]:
    try:
        return list(read_capture_file(bucket, file))
    except ObjectMissing:
        return []
