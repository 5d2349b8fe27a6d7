"""Model changes while requests come: 100,000 of them through 20 switches.

Each switch is a record that puts another model in production, as `scones promote` writes it; the endpoint follows it by
itself. The models differ by a constant, so that each picture's answer tells who gave it: every answer must be exactly
what the model that it names answers to that picture alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from endpoint_process import serve, train
from harness import Claim, emit, progress
from onnx import numpy_helper

from scones.bundle import BundleInfo, load_bundle
from scones.classifier import Classifier
from scones.contracts import Answer as Stated
from scones.loadtest import Answer, Load, Sample, drawn_samples, encode_request, find_target, send_load
from scones.picture import model_input
from scones.registry.aliases import PRODUCTION, point
from scones.registry.models import save_model
from scones.store import Bucket, open_bucket

CALLERS = 32
WAVE = 2.0
"""Seconds of a load; as many follow each other as it takes."""
PATIENCE = 60.0
"""Seconds in which a switch must be seen."""
LEAST = 1e-4
"""Two models' answers to a picture that is sent differ by so much at least."""


@dataclass
class Watch:
    """Looks at every answer, and switches when it is time.

    Attributes:
        bucket, task: where the record is written.
        versions: in the order in which they come into production; the first one is there.
        expected: by version, what it answers to each picture.
        each: answers between two switches, at least.
    """

    bucket: Bucket
    task: str
    versions: list[str]
    expected: dict[str, list[list[float]]]
    each: int
    seen: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    errors: int = 0
    mixed: int = 0
    examples: list[str] = field(default_factory=list)
    switched: float = field(default_factory=time.monotonic)
    took: list[float] = field(default_factory=list)
    _place: int = 0
    _since: int = 0

    def __call__(self, answer: Answer) -> None:
        """Take an answer."""
        self.answers += 1
        self._since += 1
        if answer.status != 200:
            self.errors += 1
            self._tell(answer, "status")
            return
        stated = Stated.from_header(answer.header("x-amzn-sagemaker-custom-attributes") or "").model_version
        if stated not in self.expected or self.expected[stated][answer.sample] != json.loads(answer.body):
            self.mixed += 1
            self._tell(answer, f"said to be of {stated}")
        if not self.seen[stated] and stated == self.versions[self._place]:
            self.took.append(time.monotonic() - self.switched)
        self.seen[stated] += 1
        if self._since >= self.each and self.seen[self.versions[self._place]] and self._place + 1 < len(self.versions):
            self._switch()

    @property
    def done(self) -> bool:
        """All models were in production, and the last one for long enough."""
        last = self._place + 1 == len(self.versions)
        return last and self._since >= self.each and self.seen[self.versions[-1]] > 0

    @property
    def stuck(self) -> bool:
        """A model that is in production has not answered for long."""
        unseen = not self.seen[self.versions[self._place]]
        return unseen and time.monotonic() - self.switched > PATIENCE

    def _switch(self) -> None:
        self._place += 1
        self._since, self.switched = 0, time.monotonic()
        version = self.versions[self._place]
        point(self.bucket, self.task, PRODUCTION, version, who="benchmark", why="a switch", now=datetime.now(UTC))

    def _tell(self, answer: Answer, what: str) -> None:
        if len(self.examples) < 10:
            self.examples.append(f"{what}: {answer.status} {answer.body[:120]!r}")


def shifted(info: BundleInfo, model: bytes, number: int) -> tuple[BundleInfo, bytes]:
    """The same model, surer of its first label by a constant before the softmax."""
    graph = onnx.load_model_from_string(model)
    [head] = [node for node in graph.graph.node if node.op_type == "Gemm"][-1:]
    [bias] = [value for value in graph.graph.initializer if value.name == head.input[2]]
    values = numpy_helper.to_array(bias).copy()
    values[0] += 0.1 * number
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    return info.model_copy(update={"version": f"switch-{number:02d}"}), graph.SerializeToString()


def telling(models: list[Classifier], samples: list[Sample]) -> tuple[list[Sample], dict[str, list[list[float]]]]:
    """The pictures whose answers tell the models apart, and these answers by version."""
    size = models[0].info.input_size
    rows = [[model.predict(model_input(one.data, size)[None])[0][0].tolist() for one in samples] for model in models]
    first = np.array(rows)[:, :, 0]
    apart = np.abs(np.diff(first, axis=0)).min(axis=0) >= LEAST
    kept = [place for place, tells in enumerate(apart) if tells]
    assert len(kept) >= 4, "the pictures do not tell the models apart"
    expected = {model.info.version: [row[place] for place in kept] for model, row in zip(models, rows, strict=True)}
    return [samples[place] for place in kept], expected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000, help="at least  [100000]")
    parser.add_argument("--switches", type=int, default=20, help="[20]")
    parser.add_argument("--short", action="store_true", help="1,500 requests through 3 switches")
    parser.add_argument("--model", type=Path, help="a model.tar.gz  [one that is trained for it]")
    given = parser.parse_args()
    wanted, switches = (1500, 3) if given.short else (given.requests, given.switches)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        info, model = load_bundle(given.model.absolute() if given.model else train(folder))
        bucket = open_bucket(str(folder / ".scones/store"), "scones")
        models = []
        for number in range(switches + 1):
            models.append(Classifier(*shifted(info, model, number)))
            save_model(bucket, *shifted(info, model, number))
        versions = [one.info.version for one in models]
        point(bucket, info.task, PRODUCTION, versions[0], who="benchmark", why="the first", now=datetime.now(UTC))
        samples, expected = telling(models, drawn_samples())
        watch = Watch(bucket, info.task, versions, expected, -(-wanted // len(versions)))
        with serve(folder, "--task", info.task, "--no-capture") as (served, _):
            target = find_target(served.url)
            requests = [encode_request(target, sample) for sample in samples]
            lost: Counter[str] = Counter()
            while not (watch.done or watch.stuck):
                counts = send_load(target, requests, Load(WAVE, CALLERS, heed=False), watch=watch)
                lost += counts.errors + Counter(unanswered=counts.unanswered)
                progress(f"{watch.answers:,} answers, {len(watch.took)} of {len(versions)} models, {dict(lost)}")
    seen = sum(watch.seen[version] > 0 for version in versions)
    claims = [
        Claim("requests", watch.answers + lost.total(), "requests", f">= {wanted}"),
        Claim("switches", seen - 1, "switches", f">= {switches}"),
        Claim("errors", watch.errors + lost.total(), "requests", "<= 0"),
        Claim("mixed_versions", watch.mixed, "answers", "<= 0"),
    ]
    detail = {
        "answers_by_version": dict(sorted(watch.seen.items())),
        "seconds_to_the_first_answer": [round(value, 2) for value in watch.took[1:]],
        "without_an_answer": dict(lost),
        "examples": watch.examples,
        "pictures": len(samples),
    }
    emit("switch", started, claims, detail)


if __name__ == "__main__":
    main()
