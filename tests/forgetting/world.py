"""A small world in which two drivers have left all the traces that there can be."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import PIL.Image

from scones.bundle import read_bundle
from scones.capture import read_capture
from scones.classifier import Classifier
from scones.contracts import failure_message
from scones.dispatch import add_orders, sample_orders
from scones.forgetting import Found, Person, open_eraser, remove, search
from scones.monitoring import monitor_page, summarise
from scones.picture import encode_png
from scones.serving import VARIANT, CaptureWriter, Endpoint, Lineup, Slot, Terms, background_endpoint
from scones.settings import Settings
from scones.staging import SourcePicture, write_dataset
from scones.staging.examples import with_examples
from scones.staging.source import Source
from scones.store import Bucket, Layout, open_bucket
from scones.task import load_task
from scones.workflow.application import open_engine
from scones.workflow.arrivals import start_arrival
from scones.workflow.batch import start_batch
from scones.workflow.engine import Engine, Journal
from scones.workflow.intake.dead_letters import DeadLetter, want_again
from scones.workflow.reviews import Answers, answer_review, find_review

from ..workflow.engine.conftest import HandClock

GONE, STAYS = "driver-7", "driver-77"
"""The one who is to be forgotten, and another whose name begins so."""
LATER: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""When nothing is on its way any more."""
RED, PURPLE = (170, 0, 0), (120, 0, 120)


def picture(seed: int, colour: tuple[int, int, int]) -> bytes:
    """A picture like no other; of red ones a tiny model is sure, of purple ones it is not."""
    pixels = np.random.default_rng(seed).integers(0, 60, (32, 32, 3)) + colour
    return encode_png(PIL.Image.fromarray(pixels.astype(np.uint8)))


@dataclass(frozen=True)
class World:
    """Where it all lies.

    Attributes:
        settings: store, bucket, journal.
        bucket: the bucket.
        pieces: what nobody may find any more, by driver: parts of their pictures, as files and as base64.
        dataset: the version that was staged.
    """

    settings: Settings
    bucket: Bucket
    pieces: dict[str, list[bytes]]
    dataset: str

    def copy(self, folder: Path) -> World:
        """The same in another folder, for whoever changes it."""
        shutil.copytree(self.settings.journal.parent, folder / ".scones")
        settings = _settings(folder)
        return replace(self, settings=settings, bucket=open_bucket(settings.store, settings.bucket))

    def find(self, who: str = GONE, *, now: datetime = LATER, depot: str | None = None) -> Found:
        with Journal.open_readonly(self.settings.journal) as journal:
            return search(self.bucket, open_eraser(self.bucket), journal, Person.named(who, depot), now=now)

    def forget(self, who: str = GONE, report: Callable[[str, int, int], object] = lambda *_: None) -> Found:
        eraser = open_eraser(self.bucket)
        with Journal(self.settings.journal) as journal:
            found = search(self.bucket, eraser, journal, Person.named(who), now=LATER)
            remove(found, self.bucket, eraser, journal, report=report)
        return found

    def traces(self, driver: str = GONE) -> dict[str, list[bytes]]:
        """What can be found of a driver on the disk: names and pieces of pictures, by path."""
        name = re.compile(rb"(?<![\w-])" + driver.encode() + rb"(?![\w])")
        told: dict[str, list[bytes]] = {}
        for path, text in self._all():
            found = [match[0] for match in name.finditer(path.encode() + b"\n" + text)]
            found += [piece for piece in self.pieces[driver] if piece in text]
            if found:
                told[path] = found
        return told

    def _all(self) -> Iterator[tuple[str, bytes]]:
        assert self.bucket.folder is not None
        for path in self.bucket.folder.rglob("*"):
            yield str(path.relative_to(self.bucket.folder)), b"" if path.is_dir() else path.read_bytes()
        journal = self.settings.journal
        for path in journal.parent.glob(f"{journal.name}*"):
            yield path.name, path.read_bytes()


def _settings(folder: Path) -> Settings:
    return Settings.load(
        environ={}, file=None, store=str(folder / ".scones/store"), journal=folder / ".scones/journal.sqlite"
    )


def build(folder: Path, bundle: bytes, learned: Sequence[SourcePicture]) -> World:
    """Let both drivers come, be answered, wait, fail, be classified in batches, be learned from and be shown.

    Args:
        folder: holds the store and the journal, where `scones` finds them.
        bundle: of a tiny model.
        learned: other pictures of the dataset.
    """
    settings = _settings(folder)
    bucket = open_bucket(settings.store, settings.bucket)
    add_orders(bucket, "main", sample_orders(30, seed=1))
    clock = HandClock()
    clock.move(-86_400)
    with ExitStack() as stack:
        writer = stack.enter_context(CaptureWriter(bucket, Layout.CAPTURE, "scones", VARIANT))
        lineup = Lineup(Slot(VARIANT, Classifier(*read_bundle(bundle)), 0.9))
        url = stack.enter_context(background_endpoint(Endpoint(lineup, Terms("scones"), captures={VARIANT: writer})))
        settings = settings.model_copy(update={"endpoint_url": url, "review_seconds": 1_000_000})
        engine = stack.enter_context(open_engine(settings, clock=clock))
        for driver in (GONE, STAYS):
            _work(engine, bucket, driver, "pruned", picture(_seed(driver, 1), RED))
        clock.move(1)
        engine.prune(days=0)
        for driver in (GONE, STAYS):
            _visit(engine, bucket, driver)
        _batch(engine, bucket, {"prefix": "arrivals/vehicles/"})
        dataset = _stage(bucket, learned)
        _batch(engine, bucket, {"manifest": f"{Layout.dataset('vehicles', dataset)}/manifest.jsonl"})
    bucket.put_json(f"{Layout.model('vehicles', 'tiny-1')}/bundle.json", {"dataset": dataset})
    page = monitor_page(summarise(read_capture(bucket, Layout.CAPTURE)), title="What it saw", source="here")
    bucket.put(Layout.report("monitor"), page.encode())
    for record in read_capture(bucket, Layout.CAPTURE):  # what the monitor keeps names no driver, but inferences
        bucket.put(Layout.watch_state("scones", f"{record.event_id}.npz"), record.inference_id.encode())
        bucket.put_json(Layout.audit("scones", record.event_id), {"inferences": [record.inference_id]})
    return World(settings, bucket, {who: list(_pieces(bucket, who)) for who in (GONE, STAYS)}, dataset)


def _seed(driver: str, number: int) -> int:
    return 1000 * len(driver) + number


def _work(engine: Engine, bucket: Bucket, driver: str, name: str, data: bytes) -> str:
    key = f"arrivals/vehicles/main/{driver}/{name}.png"
    bucket.put(key, data)
    execution, _ = start_arrival(engine, bucket, key)
    engine.wait(execution, machine="classify", timeout=60)
    return execution


def _visit(engine: Engine, bucket: Bucket, driver: str) -> None:
    _work(engine, bucket, driver, "sure", picture(_seed(driver, 2), RED))
    for number, name in enumerate(("answered", "waits"), 3):
        execution = _work(engine, bucket, driver, name, picture(_seed(driver, number), PURPLE))
        while not any(event.type == "TaskSubmitted" for event in engine.history(execution, "review")):
            pass
        if name == "answered":
            review = find_review(bucket, f"vehicles/main/{driver}/{name}")
            answer_review(bucket, review, "bicycle", labels=load_task("vehicles").labels, by="ada", now=review.asked_at)
            Answers(engine, bucket).deliver()
            engine.wait(execution, machine="review", timeout=60)
    failed = engine.describe(_work(engine, bucket, driver, "poison", b"no picture"), "classify")
    key = f"arrivals/vehicles/main/{driver}/poison.png"
    letter = DeadLetter(
        key=key, error=str(failed.error), cause=failure_message(failed.cause), execution=failed.name, at="", hint=""
    )
    bucket.put_json(Layout.dead_letter(key), letter.model_dump())
    want_again(bucket, letter)


def _batch(engine: Engine, bucket: Bucket, which: dict[str, Any]) -> None:
    name, _ = start_batch(engine, bucket, {"s3_bucket": bucket.name, "task": "vehicles", **which})
    engine.wait(name, machine="batch", timeout=120)


def _stage(bucket: Bucket, learned: Sequence[SourcePicture]) -> str:
    task = load_task("vehicles")
    source = with_examples(Source({"kind": "folder"}, learned), bucket, task, lambda name: open_bucket("", name))
    return write_dataset(bucket, task, source.pictures, source=source.record).version


def _pieces(bucket: Bucket, driver: str) -> Iterator[bytes]:
    """A long piece of each file that came, and of each text that the endpoint got."""
    for key in bucket.list(f"arrivals/vehicles/main/{driver}"):
        if not key.endswith("poison.png"):
            yield bucket.get(key)[100:200]
    files = {picture(_seed(driver, number), colour) for number in (1, 2, 3, 4) for colour in (RED, PURPLE)}
    for key in bucket.list(Layout.CAPTURE):
        for line in bucket.get(key).splitlines():
            data = json.loads(line)["captureData"]["endpointInput"]["data"]
            if base64.b64decode(data) in files:
                yield data[200:300].encode()
