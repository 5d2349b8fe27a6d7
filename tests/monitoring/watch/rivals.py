"""Three models that learned from different pictures, an endpoint that captured some, and looks at it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import PIL.Image

from scones.bundle import read_bundle
from scones.capture import CaptureRecord, capture_key, encode_line
from scones.monitoring.drift.sequential import Detector
from scones.monitoring.watch.health import health_of
from scones.monitoring.watch.history import new_state_key
from scones.monitoring.watch.position import Position
from scones.monitoring.watch.records import Alarm, ChannelEvidence, Estimate, Look, Totals
from scones.monitoring.watch.state import WatchState, pack
from scones.monitoring.watch.window import Window
from scones.picture import encode_png
from scones.registry.aliases import point
from scones.registry.models import save_model
from scones.staging import SourcePicture, write_dataset
from scones.store import Bucket, Layout, open_bucket
from scones.task import load_task

ENDPOINT, TASK = "scones", "vehicles"
PROMOTED = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
T0 = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
LABELS = load_task(TASK).labels

Light = Literal["day", "night"]


def draw(rng: np.random.Generator, light: Light, *, red: bool) -> bytes:
    """A red or a blue picture; those of the night are in a light of their own."""
    values = rng.integers(0, 60, (32, 32, 3))
    values[..., 0 if red else 2] += rng.integers(90, 190)
    if light == "night":
        values = values // 4 + 150
    return encode_png(PIL.Image.fromarray(values.astype(np.uint8)))


def _pictures(light: Light, seed: int, *, flipped: bool = False) -> list[SourcePicture]:
    rng, found = np.random.default_rng(seed), []
    for number in range(320):
        red = number % 2 == 0
        split: Literal["train", "test"] = "test" if number < 160 else "train"
        label = LABELS[int(red == flipped)]
        found.append(SourcePicture(origin=f"{number}", label=label, data=draw(rng, light, red=red), split=split))
    return found


def build(folder: str, bundle: Callable[..., bytes]) -> Bucket:
    """A store with models that nobody promoted yet.

    ``day`` and ``also day`` learned from pictures of the day, ``night`` from those of the night. ``flipped`` learned
    from pictures of the day with the labels the wrong way round: there it was right, here it is not.
    """
    bucket, task = open_bucket(folder, "scones"), load_task(TASK)
    kinds: dict[str, tuple[Light, bool]] = {
        "day": ("day", False),
        "also-day": ("day", False),
        "night": ("night", False),
        "flipped": ("day", True),
    }
    for version, (light, flipped) in kinds.items():
        dataset = write_dataset(bucket, task, _pictures(light, len(version), flipped=flipped), source={"kind": "test"})
        made = bundle(version=version, dataset=dataset.version, strength=-8.0 if flipped else 8.0)
        save_model(bucket, *read_bundle(made))
        health_of(bucket, TASK, version)
    return bucket


@dataclass
class Watched:
    """An endpoint and its looks; each captures pictures of its own."""

    bucket: Bucket
    window: Window
    looks: int = 0

    @classmethod
    def of(cls, bucket: Bucket, *production: str, candidate: str | None = None) -> Watched:
        """Promote models one after the other, the last one at ``PROMOTED``."""
        for number, version in enumerate(production):
            at = PROMOTED - timedelta(days=len(production) - 1 - number)
            put(bucket, "production", version, at)
        if candidate is not None:
            put(bucket, "candidate", candidate, PROMOTED)
        return cls(bucket, Window.none())

    def capture(self, light: Light, count: int, *, judged: int = 0) -> None:
        """Capture pictures, ten a second before the next look; people judged the first ones of them."""
        rng, start = np.random.default_rng(1 + self.looks), T0 + timedelta(minutes=self.looks)
        records, truths = [], []
        for k in range(count):
            red, event = k % 2 == 0, f"event-{self.looks}-{k}"
            time = start + timedelta(seconds=0.1 * k)
            records.append(CaptureRecord(event, "", time, (0.5, 0.5), "image/png", draw(rng, light, red=red)))
            if k < judged:
                truth = {"groundTruthData": {"data": LABELS[1 - red], "encoding": "CSV"}}
                truths.append(json.dumps({**truth, "eventMetadata": {"eventId": event}, "eventVersion": "0"}))
        key = capture_key(Layout.CAPTURE, ENDPOINT, "AllTraffic", start, "u")
        self.bucket.put(key, "".join(f"{encode_line(one)}\n" for one in records).encode())
        if truths:
            self.bucket.put(Layout.ground_truth(ENDPOINT, f"{self.looks}.jsonl"), "\n".join(truths).encode())
        new = Window(
            first=0,
            times=np.array([one.time.timestamp() for one in records]),
            events=tuple(one.event_id for one in records),
            inferences=("",) * count,
            files=(key,) * count,
            places=np.zeros((count, 1), np.int32),
            probabilities=np.full((count, 2), 0.5, np.float32),
            embeddings=np.zeros((count, 3), np.float16),
            outside=np.zeros(count, np.bool_),
        )
        self.window = self.window.then(new)

    def look(
        self, light: Light = "day", count: int = 100, *, judged: int = 0, version: str | None = None, **more: object
    ) -> datetime:
        """Capture pictures and write a look at them; answers when it was."""
        self.capture(light, count, judged=judged)
        self.looks += 1
        at = T0 + timedelta(minutes=self.looks)
        version = version or current(self.bucket)
        reference = health_of(self.bucket, TASK, version).reference
        totals = Totals(pictures=count * self.looks)
        state = WatchState(
            version,
            Position(),
            Detector(reference),
            self.window,
            self.window.times,
            np.zeros(len(self.window), np.uint64),
            None,
            totals,
            None,
        )
        key = new_state_key(ENDPOINT, self.looks)
        self.bucket.put(key, pack(state))
        given = {"pictures": count, "seen": len(self.window), "expected": 0.95, "totals": totals, **more}
        fixed = {"at": at, "task": TASK, "version": version, "state": key, "alarm_line": 250_000}
        self.bucket.append(
            Layout.watch_series(ENDPOINT), Look.model_validate({**fixed, **given}).model_dump(mode="json")
        )
        return at


def lost(*, began: datetime = T0) -> Alarm:
    """A drift far out of all that the model knows."""
    channels = (ChannelEvidence(channel="brightness", evidence=1e6, began=began),)
    return Alarm(at=began, picture=0, began=began, channels=channels, outside=1.0)


ERRS = Estimate(share=0.1, low=0.05, high=0.3, answers=40)
"""What people's answers say of a model that is mostly wrong."""


def put(bucket: Bucket, alias: str, version: str, at: datetime, who: str = "Ada") -> int:
    """Let an alias name a model."""
    return point(bucket, TASK, alias, version, who=who, why="a test", now=at)


def current(bucket: Bucket) -> str:
    """The version in production."""
    return str((bucket.latest(Layout.policy_series(TASK)) or {})["version"])
