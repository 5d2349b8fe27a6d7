"""Bulk classification: how near `scones classify` comes to what the same cores can do at most.

The floor is decoding, resizing and inference alone: one process a core, each with its pictures in memory already, in
the batches that suit the model best; no start, no listing, no reading, no rows. The product is the whole verb, from
its start to its end. Both take turns, so that what slows the machine down slows both.

Arguments: number of small pictures, number of photographs; by default 50,000 and 1,000.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from harness import Claim, emit, progress

from scones.classifier import Classifier
from scones.machine import available_cores
from scones.picture import model_input
from scones.staging import synthetic_pictures

SCONES = str(Path(sys.executable).with_name("scones"))
SMALL, PHOTOGRAPHS = 50_000, 1_000
ROUNDS = 3
FLOOR_SHARE = 4
"""The floor's rate needs fewer pictures: this part of them before each run of the product, and as many after it."""
BATCHES = (4, 8, 16, 32, 64)

_state: dict[str, Any] = {}


def _start(model: Path, pictures: list[bytes]) -> None:
    """Make a process ready: everything is loaded, and has run once."""
    _state.update(classifier=Classifier.load(model), pictures=pictures)
    _classify((0, 4, 4))


def _classify(work: tuple[int, int, int]) -> None:
    """Classify pictures first … last - 1, a batch at a time."""
    first, last, batch = work
    classifier: Classifier = _state["classifier"]
    pictures: list[bytes] = _state["pictures"]
    size = classifier.info.input_size
    for start in range(first, last, batch):
        places = range(start, min(start + batch, last))
        classifier.predict(np.stack([model_input(pictures[place % len(pictures)], size) for place in places]))


def floor_rate(pool: Pool, cores: int, count: int, batch: int) -> float:
    """Pictures a second of all cores together; each takes some when done with the last: all end at once."""
    step = min(10 * batch, max(batch, count // cores // 16))
    work = [(first, min(first + step, count), batch) for first in range(0, count, step)]
    begun = time.monotonic()
    for _ in pool.imap_unordered(_classify, work):
        pass
    return count / (time.monotonic() - begun)


def product_rate(folder: Path, model: Path, count: int) -> float:
    """Pictures a second of the whole verb."""
    out = folder.parent / "rows.jsonl"
    command = [SCONES, "classify", str(folder), "--model", str(model), "--out", str(out), "--start-over", "--json"]
    begun = time.monotonic()
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    seconds = time.monotonic() - begun
    summary = json.loads(ended.stdout)
    assert (summary["pictures"], summary["unreadable"]) == (count, 0), summary
    return count / seconds


def compare(name: str, folder: Path, pictures: list[bytes], count: int, model: Path, cores: int) -> dict[str, Any]:
    """Let floor and product take turns; the median of their ratios counts."""
    part = count // FLOOR_SHARE
    with multiprocessing.get_context("spawn").Pool(cores, _start, (model, pictures)) as pool:
        trials = {batch: floor_rate(pool, cores, part // 4, batch) for batch in BATCHES}
        batch = max(trials, key=lambda batch: trials[batch])
        rounds = []
        floor = [floor_rate(pool, cores, part, batch)]
        for number in range(ROUNDS):
            product = product_rate(folder, model, count)
            floor.append(floor_rate(pool, cores, part, batch))
            around = statistics.mean(floor[-2:])
            rounds.append(
                {"product": round(product, 1), "floor": round(around, 1), "ratio": round(product / around, 3)}
            )
            progress(f"{name}, round {number + 1} of {ROUNDS}: {product:,.1f} a second of {around:,.1f}")
    ratio = statistics.median(row["ratio"] for row in rounds)
    return {"pictures": count, "floor_batch": batch, "ratio": ratio, "rounds": rounds}


def write_pictures(folder: Path, distinct: Sequence[bytes], ending: str, count: int) -> None:
    """Fill a folder: a file of its own for each distinct picture, links to these for the others."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number:06d}{ending}"
        if number < len(distinct):
            path.write_bytes(distinct[number])
        else:
            path.hardlink_to(folder / f"{number % len(distinct):06d}{ending}")


def photograph(seed: int) -> bytes:
    """A JPEG of 4000x3000 pixels with large shapes, fine grain and 3 MB, as a telephone takes it."""
    rng = np.random.default_rng(seed)
    shapes = PIL.Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    image = np.asarray(shapes.resize((4000, 3000), PIL.Image.Resampling.BICUBIC), dtype=np.int16)
    grain = rng.normal(0, 6, (3000, 4000, 1)).astype(np.int16)
    data = io.BytesIO()
    PIL.Image.fromarray(np.clip(image + grain, 0, 255).astype(np.uint8)).save(data, "JPEG", quality=88)
    return data.getvalue()


def train(folder: Path) -> Path:
    """Train a model on the backbone that Scones ships; returns its bundle."""
    run: Callable[..., Any] = subprocess.run
    run([SCONES, "stage", "--source", "synthetic"], cwd=folder, check=True, stdout=sys.stderr)
    trained = run([SCONES, "train", "--json"], cwd=folder, check=True, stdout=subprocess.PIPE)
    return Path(json.loads(trained.stdout)["bundle"])


def main() -> None:
    started = time.monotonic()
    small, photographs = (int(word) for word in sys.argv[1:3]) if len(sys.argv) > 2 else (SMALL, PHOTOGRAPHS)
    cores = available_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress("training a model …")
        model = train(folder)
        progress(f"writing {small:,} small pictures and {photographs:,} photographs …")
        icons = [one.data for one in synthetic_pictures(train=1000, test=0)]
        photos = [photograph(seed) for seed in range(4)]
        write_pictures(folder / "small", icons, ".png", small)
        write_pictures(folder / "photographs", photos, ".jpg", photographs)
        of_small = compare("small", folder / "small", icons, small, model, cores)
        of_photos = compare("12 MP", folder / "photographs", photos, photographs, model, cores)
    of_photos["megabytes_each"] = round(statistics.mean(map(len, photos)) / 1e6, 1)
    claims = [
        Claim("bulk_small_of_floor", of_small["ratio"], "share", ">= 0.85"),
        Claim("bulk_12mp_of_floor", of_photos["ratio"], "share", ">= 0.85"),
    ]
    emit("bulk", started, claims, {"cores": cores, "small": of_small, "photographs_12mp": of_photos})


if __name__ == "__main__":
    main()
