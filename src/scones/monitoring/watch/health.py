"""What a model's pictures and answers look like in health: fitted once, kept beside the model, compared with since."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image

from scones.errors import BundleError, ObjectMissing
from scones.monitoring.drift.learned import Damage, Surroundings
from scones.monitoring.drift.reference import DriftReference, fit_reference
from scones.monitoring.drift.support import Support
from scones.monitoring.quality.label_shift import AnswerCells, fit_cells
from scones.monitoring.quality.right_chance import RightChance
from scones.monitoring.watch.healthy_pictures import KINDS, as_sent, choose, damaged, shown, worn
from scones.monitoring.watch.measuring import Seen, see
from scones.monitoring.watch.records import Baseline
from scones.picture import pixels
from scones.staging.source import Progress, no_progress
from scones.store import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.bundle import BundleInfo
    from scones.classifier import Classifier
    from scones.staging import Dataset
    from scones.store import Bucket

__all__ = ["Health", "Measured", "fit_health", "health_of", "health_tag", "load_health", "save_health"]

_log = logging.getLogger(__name__)
_MOST_DAMAGED: Final = 300
_WORN: Final = 300
_EMBEDDINGS, _PICTURES = 1_000, 48
_THREADS: Final = 2


@dataclass(frozen=True)
class Measured:
    """What was measured of N pictures.

    Attributes:
        scores: by channel (N,), for a detector's ``places``; the channel ``embedding`` is (N, D).
        probabilities: float32 (N, K), the model's answers.
        embeddings: float32 (N, D).
        outside: bool (N,), whether a picture lies far outside of all reference pictures, see
            :class:`~scones.monitoring.drift.support.Support`.
    """

    scores: dict[str, NDArray[Any]]
    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    outside: NDArray[np.bool_]


@dataclass(frozen=True)
class Health:
    """A model in health.

    Attributes:
        task, version, labels, input_size: of the model.
        surroundings, damage: channels that were fitted on its training pictures.
        support: tells what is outside.
        reference: what the channels say of the M reference pictures: the calibration and the test pictures, which
            nothing was fitted on but a temperature and a threshold; or those of a baseline.
        cells: how calibration and test pictures of each class are answered.
        right_chance: how likely an answer is right; it was learned from some of them, damaged in many ways, and from
            all as they are.
        chance: float64 (M,), how likely the answers to them are right, each told by one that was learned from other
            pictures; ``correct``, bool (M,), which are right.
        confidence: float64 (M,), of the answers.
        embeddings: float32 (R, D), of at most 1,000 reference pictures, in random order.
        pictures: at most 48 of the dataset's, as small PNG files: no captured picture is kept here.
        baseline: the captured pictures that the reference was fitted on; None where it was the dataset's.
    """

    task: str
    version: str
    labels: tuple[str, ...]
    input_size: int
    surroundings: Surroundings
    damage: Damage
    support: Support
    reference: DriftReference
    cells: AnswerCells
    right_chance: RightChance
    chance: NDArray[np.float64]
    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]
    embeddings: NDArray[np.float32]
    pictures: tuple[bytes, ...]
    baseline: Baseline | None = None

    def check(self, info: BundleInfo) -> None:
        """Refuse another model.

        Raises:
            BundleError: it is another one.
        """
        if (self.task, self.version, self.labels, self.input_size) != (
            info.task, info.version, info.labels, info.input_size,
        ):  # fmt: skip
            raise BundleError(
                f"this is the health of model {self.version} of task {self.task} ({', '.join(self.labels)}; "
                f"{self.input_size} pixels), not of {info.version} of {info.task} ({', '.join(info.labels)}; "
                f"{info.input_size} pixels): take that model's own"
            )

    def measure(self, classifier: Classifier, images: Sequence[NDArray[np.uint8]]) -> Measured:
        """Measure pictures.

        Args:
            classifier: the model.
            images: N upright RGB pictures, uint8 (H, W, 3), each of its own size, as they came in.

        Raises:
            BundleError: it is another model.
        """
        self.check(classifier.info)
        seen = see(classifier, images)
        scores = seen.scores(self.surroundings, self.damage)
        outside = self.support.outside(seen.embeddings, scores)
        return Measured(scores, seen.probabilities, seen.embeddings, outside)


def fit_health(classifier: Classifier, dataset: Dataset, *, seed: int = 0, report: Progress = no_progress) -> Health:
    """Fit a model's health on the dataset that it was trained on.

    Args:
        classifier: the model.
        dataset: its own.
        seed: of all that is random.
        report: told how it gets on.

    Raises:
        TrainingError: the dataset has other labels, too few calibration and test pictures (100 are needed, some of
            each label), or none to learn from.
        ObjectMissing: a picture was removed.
    """
    info, rng = classifier.info, np.random.default_rng(seed)
    train, kept = choose(info, dataset, rng)

    def look(images: Iterable[NDArray[np.uint8]], what: str, total: int) -> Seen:
        return see(classifier, images, lambda done: report(what, done, total))

    learned = look(as_sent(dataset, train), "training pictures", len(train))
    clean = [pixels(PIL.Image.fromarray(i), info.input_size) for i in as_sent(dataset, train[:_MOST_DAMAGED])]
    worse = {kind: look(damaged(kind, clean, rng), f"pictures with {kind}", len(clean)).features for kind in KINDS}
    surroundings = Surroundings.fit(learned.embeddings, seed=seed)
    damage = Damage.fit(learned.features, worse)
    seen = look(as_sent(dataset, kept), "reference pictures", len(kept))
    scores = seen.scores(surroundings, damage)
    truth = np.array([line.label_index for line in kept], np.int64)
    clean = [pixels(PIL.Image.fromarray(i), info.input_size) for i in as_sent(dataset, kept[:_WORN])]
    parts = [look(images, f"reference pictures with {kind}", len(images)) for kind, images in worn(clean, rng)]
    right_chance, chance = _chances([seen, *parts], truth)
    return Health(
        task=info.task,
        version=info.version,
        labels=info.labels,
        input_size=info.input_size,
        surroundings=surroundings,
        damage=damage,
        support=Support.fit((learned.embeddings, learned.pixels), (seen.embeddings, seen.pixels)),
        reference=fit_reference(scores, seed=seed),
        cells=fit_cells(seen.probabilities, truth),
        right_chance=right_chance,
        chance=chance,
        confidence=seen.probabilities.max(1).astype(np.float64),
        correct=seen.probabilities.argmax(1) == truth,
        embeddings=seen.embeddings[:_EMBEDDINGS],
        pictures=tuple(map(shown, as_sent(dataset, kept[:_PICTURES]))),
    )


def load_health(bucket: Bucket, task: str, version: str) -> Health | None:
    """Load what is kept of a model's health; None where there is none.

    Raises:
        BundleError: it is damaged, of another form, or of another model.
    """
    from scones.monitoring.watch.health_file import unpack

    key = Layout.health(task, version)
    try:
        data = bucket.get(key)
    except ObjectMissing:
        return None
    health = unpack(data, bucket.url(key))
    if (health.task, health.version) != (task, version):
        raise BundleError(
            f"{bucket.url(key)} is the health of model {health.version} of task {health.task}: remove it, and the "
            "monitor makes it anew"
        )
    return health


def save_health(bucket: Bucket, health: Health) -> None:
    """Keep a model's health beside it; the same twice is written once more, the same."""
    from scones.monitoring.watch.health_file import pack

    bucket.put(Layout.health(health.task, health.version), pack(health))


def health_tag(bucket: Bucket, task: str, version: str) -> str:
    """A text that is another one once what is kept of a model's health has changed; "" where nothing is kept."""
    key = Layout.health(task, version)
    return next((f"{one.etag}/{one.size}/{one.modified}" for one in bucket.entries(key) if one.key == key), "")


def health_of(bucket: Bucket, task: str, version: str, report: Progress = no_progress) -> Health:
    """Load a model's health; where there is none, or a damaged one, fit it on the model's own dataset and keep it.

    Raises:
        BundleError: the model is missing or damaged.
        ObjectMissing: its dataset is gone.
        TrainingError: its dataset cannot be used for it.
    """
    from scones.registry import load_model
    from scones.staging import load_dataset

    try:
        if health := load_health(bucket, task, version):
            return health
    except BundleError as error:
        _log.warning("the health of model %s is made anew, without any baseline that it had: %s", version, error)
    classifier = load_model(bucket, task, version, threads=_THREADS)
    try:
        health = fit_health(classifier, load_dataset(bucket, task, classifier.info.dataset), report=report)
    except ObjectMissing as error:
        raise ObjectMissing(
            f"what model {version} looks like in health cannot be told, as pictures of its dataset "
            f"{classifier.info.dataset} are gone ({error}): stage the same pictures again, or watch a model of a "
            "dataset that is there"
        ) from error
    save_health(bucket, health)
    return health


def _chances(parts: Sequence[Seen], truth: NDArray[np.int64]) -> tuple[RightChance, NDArray[np.float64]]:
    """How likely answers are right, and what is told so of the pictures of the first part, by halves of the pictures.

    Args:
        parts: what was seen of N pictures, and of the first of them, damaged.
        truth: (N,).
    """
    picture = np.concatenate([np.arange(len(part.embeddings)) for part in parts])
    probabilities = np.concatenate([part.probabilities for part in parts])
    embeddings = np.concatenate([part.embeddings for part in parts])
    correct = probabilities.argmax(1) == truth[picture]
    few = len(parts[-1].embeddings)

    def fit(rows: NDArray[np.bool_], pictures: int) -> RightChance:
        return RightChance.fit(probabilities[rows], embeddings[rows], correct[rows], pictures)

    told = np.empty(len(truth))
    for half in (0, 1):
        mine = np.arange(len(truth)) % 2 == half
        other = fit(picture % 2 != half, few // 2)
        told[mine] = other.of(parts[0].probabilities[mine], parts[0].embeddings[mine])
    return fit(np.ones(len(picture), np.bool_), few), told
