"""The whole loop: a drift is injected, the monitor raises an alarm, people judge pictures, a model learns from them.

Needs CIFAR-100 (SCONES_CIFAR100). The task is ``vehicles-10``: of its 1,000 test pictures, which no model learns from,
half stand for what comes in while the model is well and while pictures are judged; the other half is shown to no model
before the end, and on it alone are the three accuracies measured: the first model on healthy pictures, the first and
the last on drifted ones. The drift is a new camera that is dark, flat and noisy, at a strength that is known to none of
the channels. What people would say is taken from the data set; all else is what the verbs do: `scones monitor watch`,
`scones monitor audit`, `scones monitor answer`, `scones retrain --promote`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import PIL.Image
from harness import Claim, emit, progress

from scones.capture import CaptureRecord
from scones.classifier import Classifier
from scones.intervals import share_interval
from scones.monitoring.watch.audit import answer, draw, new_audit_name, save_audit
from scones.monitoring.watch.health import health_of
from scones.monitoring.watch.look import Watcher
from scones.monitoring.watch.monitor import Monitor, Turn
from scones.monitoring.watch.rules import Rules
from scones.monitoring.watch.state import load_state
from scones.picture import decode, encode_png
from scones.registry import load_model, promote, register
from scones.retraining import retrain
from scones.serving.capture_writer import CaptureWriter
from scones.staging import Dataset, open_source, write_dataset
from scones.store import Bucket, Layout, open_bucket
from scones.task import Task, load_task
from scones.training import load_backbone, train

TASK, ENDPOINT = "vehicles-10", "loop"
AUDITED: Final = 200
SEED: Final = 0


def main() -> None:
    started = time.monotonic()
    archive, rng = Path(os.environ["SCONES_CIFAR100"]), np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        bucket, task = open_bucket(folder, "scones"), load_task(TASK)
        progress("staging and training …")
        source = open_source("cifar100", task, archive=archive)
        dataset = write_dataset(bucket, task, source.pictures, source=source.record)
        now = datetime.now(UTC) - timedelta(hours=1)
        info, model = train(dataset, task, load_backbone("small"), seed=SEED, now=now)
        register(bucket, info, model, who="bench", now=now)
        first = Classifier(info, model, threads=2)
        progress("what the model looks like in health …")
        health_of(bucket, TASK, info.version)
        shown, kept = halves(dataset, rng)
        monitor = Monitor(Watcher(bucket, ENDPOINT, TASK), rules=Rules(), acts=True, tell=lambda _: None)
        detail: dict[str, Any] = {"task": TASK, "kept": len(kept), "audited": AUDITED}

        progress("healthy pictures, then a new camera …")
        send(bucket, first, shown, now)
        healthy = turn(monitor)
        drifted = [(new_camera(data, rng), label) for data, label in shown]
        events = send(bucket, first, drifted, now + timedelta(minutes=20))
        alarmed = turn(monitor)
        detail["alarm"] = told(healthy, alarmed, len(shown))

        progress("people judge some of them …")
        judge(bucket, dict(zip(events, [label for _, label in drifted], strict=True)), rng)
        judged = turn(monitor)
        if judged.looked.look is not None and judged.looked.look.reviewed is not None:
            detail["reviewed"] = judged.looked.look.reviewed.model_dump()

        progress("a model learns from them …")
        last, detail["retrained"] = learn(bucket, task, first)

        unseen = [(new_camera(data, rng), label) for data, label in kept]
        before = accuracy(first, kept, task)
        drifted_accuracy, after = accuracy(first, unseen, task), accuracy(last, unseen, task)
        detail["after_on_healthy"] = round(accuracy(last, kept, task), 4)
        detail["intervals"] = {
            name: [round(end, 4) for end in share_interval(round(share * len(kept)), len(kept))]
            for name, share in (("before", before), ("drifted", drifted_accuracy), ("after", after))
        }
    most, half = before - 0.05, (before + drifted_accuracy) / 2
    claims = [
        Claim("accuracy_before", round(before, 4), "share", ">= 0.7"),
        Claim("accuracy_drifted", round(drifted_accuracy, 4), "share", f"<= {most:.4f}"),
        Claim("accuracy_after", round(after, 4), "share", f">= {half:.4f}"),
    ]
    emit("loop", started, claims, detail)


def halves(dataset: Dataset, rng: np.random.Generator) -> tuple[list[tuple[bytes, str]], list[tuple[bytes, str]]]:
    """The test pictures, in two parts."""
    lines = [line for line in dataset.lines if line.split == "test"]
    order = rng.permutation(len(lines)).tolist()
    pictures = [(dataset.read(lines[k]), lines[k].label) for k in order]
    return pictures[: len(pictures) // 2], pictures[len(pictures) // 2 :]


def new_camera(data: bytes, rng: np.random.Generator) -> bytes:
    """Dark, flat and noisy."""
    values = np.asarray(decode(data), np.float64)
    values = 30 + 0.3 * values + rng.normal(0, 8, values.shape)
    return encode_png(PIL.Image.fromarray(values.round().clip(0, 255).astype(np.uint8)))


def send(bucket: Bucket, model: Classifier, pictures: Sequence[tuple[bytes, str]], at: datetime) -> list[str]:
    """Let the model answer pictures, and capture them as the endpoint does."""
    events = []
    info = model.info
    with CaptureWriter(bucket, Layout.CAPTURE, ENDPOINT, "AllTraffic") as writer:
        for number, (data, _) in enumerate(pictures):
            events.append(f"{at:%H%M}-{number}")
            writer.add(
                CaptureRecord(
                    event_id=events[-1],
                    inference_id="",
                    time=at + timedelta(seconds=number),
                    probabilities=tuple(model.classify([data])[0]),
                    content_type="image/png",
                    picture=data,
                    attributes={"model_version": info.version, "labels": ",".join(info.labels)},
                )
            )
    return events


def turn(monitor: Monitor) -> Turn:
    """Look until nothing is left."""
    found = monitor.turn(datetime.now(UTC))
    while found.looked.more:
        found = monitor.turn(datetime.now(UTC))
    return found


def told(healthy: Turn, drifted: Turn, sent: int) -> dict[str, Any]:
    """What the monitor said."""
    quiet, look = healthy.looked.look, drifted.looked.look
    assert quiet is not None
    assert look is not None
    alarm = look.alarm
    return {
        "false_alarm": quiet.alarm is not None,
        "pictures_to_alarm": None if alarm is None else alarm.picture - sent + 1,
        "channels": [] if alarm is None else [one.channel for one in alarm.channels][:5],
        "outside": None if alarm is None else alarm.outside,
        "stance": None if drifted.reaction is None or drifted.reaction.standing is None
        else str(drifted.reaction.standing.stance),
    }  # fmt: skip


def judge(bucket: Bucket, truth: dict[str, str], rng: np.random.Generator) -> None:
    """People say what drawn pictures show."""
    from scones.monitoring.watch.history import newest_look

    _, look = newest_look(bucket, ENDPOINT)
    assert look is not None
    state = load_state(bucket, look.state)
    assert state is not None
    now = datetime.now(UTC)
    audit = draw(state.window, health_of(bucket, TASK, state.version), AUDITED, last=len(truth), now=now, rng=rng)
    save_audit(bucket, ENDPOINT, new_audit_name(now), audit)
    said = {audit.events[k]: truth[audit.events[k]] for k in audit.drawn}
    answer(bucket, ENDPOINT, audit, said, who="bench", now=now)


def learn(bucket: Bucket, task: Task, first: Classifier) -> tuple[Classifier, dict[str, Any]]:
    """Retrain, and promote where the verdict says so."""
    now = datetime.now(UTC)
    found = retrain(
        bucket, task, ENDPOINT, who="bench", now=now, open_other=lambda name: open_bucket("", name, make=False)
    )
    detail = found.to_json()
    detail["gates"] = [f"{gate['name']}: {gate['verdict']}" for gate in detail["gates"]]
    if found.verdict == "promote" and found.considered is not None:
        promote(bucket, found.considered, who="bench", why=found.reasons[0], now=now)
        return load_model(bucket, task.name, threads=2), detail
    return first, detail


def accuracy(model: Classifier, pictures: Sequence[tuple[bytes, str]], task: Task) -> float:
    answers = [int(np.argmax(model.classify([data])[0])) for data, _ in pictures]
    return float(np.mean([task.labels[k] == label for k, (_, label) in zip(answers, pictures, strict=True)]))


if __name__ == "__main__":
    main()
