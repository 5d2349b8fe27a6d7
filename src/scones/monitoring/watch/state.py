"""What a look leaves for the next one, as an object of the store: NumPy's npz, without pickle."""

from __future__ import annotations

import io
import json
import logging
import zipfile
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import ValidationError

from scones.errors import ObjectMissing, SettingsError
from scones.monitoring.drift.sequential import Detector
from scones.monitoring.watch.position import Position
from scones.monitoring.watch.records import Alarm, Totals
from scones.monitoring.watch.repeats import LATEST
from scones.monitoring.watch.window import Window
from scones.store import Bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["WatchState", "load_position", "load_state", "pack", "unpack"]

_log = logging.getLogger(__name__)
_FORM: Final = 2
_FAULTS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, TypeError, NotImplementedError)


@dataclass(frozen=True)
class WatchState:
    """How far a watch has come.

    Attributes:
        version: of the model that is watched.
        position: what was read of the capture.
        detector: what it makes of the pictures so far.
        window: the latest of them; ``times`` of the latest 20,000, float64 POSIX seconds, the last one's last.
        contents: uint64, hashes of the bytes of the same 20,000; 0 where a picture was not captured.
        alarm: the drift that stands.
        totals: counts of all looks.
        newest: time of the newest record there is, POSIX seconds; None while there has been none.
    """

    version: str
    position: Position
    detector: Detector
    window: Window
    times: NDArray[np.float64]
    contents: NDArray[np.uint64]
    alarm: Alarm | None
    totals: Totals
    newest: float | None

    def begun_anew(self, version: str, detector: Detector) -> WatchState:
        """The same place in the capture with a detector that has seen nothing."""
        return replace(
            self,
            version=version,
            detector=detector,
            window=Window.none(),
            times=np.zeros(0),
            contents=np.zeros(0, np.uint64),
            alarm=None,
        )

    def time_of(self, picture: int) -> float:
        """When a picture was answered, by its number in the stream; of one long ago, when the first known was."""
        place = picture - (self.detector.seen - len(self.times))
        return float(self.times[min(max(place, 0), len(self.times) - 1)])

    def shown(self, more: Window, contents: NDArray[np.uint64]) -> WatchState:
        """The state after the detector was shown further pictures; ``contents`` are those of all of the latest."""
        times = np.concatenate([self.times, more.times])[-LATEST:]
        return replace(self, window=self.window.then(more), times=times, contents=contents)


def pack(state: WatchState) -> bytes:
    """Write a state down."""
    window = state.window
    told = {
        "form": _FORM,
        "version": state.version,
        "detector": state.detector.to_json(),
        "alarm": state.alarm.model_dump(mode="json") if state.alarm else None,
        "totals": state.totals.model_dump(),
        "newest": state.newest,
        "first": window.first,
        "events": window.events,
        "inferences": window.inferences,
        "files": window.files,
    }
    arrays: dict[str, NDArray[Any]] = {
        "told": np.frombuffer(json.dumps(told).encode(), np.uint8),
        "times": state.times,
        "contents": state.contents,
        "window times": window.times,
        "window places": window.places,
        "window probabilities": window.probabilities,
        "window embeddings": window.embeddings,
        "window outside": window.outside,
        **state.position.to_arrays(),
    }
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpack(data: bytes) -> WatchState:
    """Read a state back.

    Raises:
        ValueError: it is damaged, or of another form.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        told = json.loads(arrays["told"].tobytes())
        if told["form"] != _FORM:
            raise ValueError(f"form {told['form']}, not {_FORM}")
        if len(arrays["times"]) != len(arrays["contents"]):
            raise ValueError("it does not hold as many contents as times")
        return WatchState(
            version=told["version"],
            position=Position.from_arrays(arrays),
            detector=Detector.from_json(told["detector"]),
            window=_window(told, arrays),
            times=arrays["times"],
            contents=arrays["contents"].astype(np.uint64),
            alarm=Alarm.model_validate(told["alarm"]) if told["alarm"] else None,
            totals=Totals.model_validate(told["totals"]),
            newest=told["newest"],
        )
    except (*_FAULTS, SettingsError, ValidationError) as error:
        raise ValueError(f"no state of a watch ({type(error).__name__}: {error})") from error


def _window(told: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Window:
    window = Window(
        told["first"],
        arrays["window times"],
        tuple(told["events"]),
        tuple(told["inferences"]),
        tuple(told["files"]),
        arrays["window places"],
        arrays["window probabilities"],
        arrays["window embeddings"],
        arrays["window outside"],
    )
    if len({len(part) for part in vars(window).values() if part is not window.first}) != 1:
        raise ValueError("the parts of its window are not of one length")
    return window


def load_state(bucket: Bucket, key: str) -> WatchState | None:
    """Read what a look left; None where that is gone or damaged, which is logged.

    Raises:
        StoreError: the store does not answer.
    """
    try:
        return unpack(bucket.get(key))
    except (ObjectMissing, ValueError) as error:
        _log.warning("%s cannot be used: %s", key, error)
        return None


def load_position(bucket: Bucket, key: str) -> Position | None:
    """Read only how far a look read, from a state of which another version of Scones wrote the rest; None as above.

    Raises:
        StoreError: the store does not answer.
    """
    try:
        with np.load(io.BytesIO(bucket.get(key)), allow_pickle=False) as file:
            return Position.from_arrays({name: file[name] for name in file.files})
    except (ObjectMissing, *_FAULTS):
        return None
