"""Train a candidate on the old pictures and the judged new ones, and measure it on both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal

from scones.classifier import Classifier
from scones.errors import MonitorError
from scones.registry import consider, load_model, register
from scones.registry.aliases import PRODUCTION
from scones.registry.bundles import find_bundle
from scones.retraining.judged import judged_pictures
from scones.retraining.measuring import OnNew, measure_on_new
from scones.retraining.pictures import Counts, but_unseen, together
from scones.retraining.remaking import new_camera, remade_by
from scones.staging import load_dataset, with_examples, write_dataset
from scones.staging.source import Progress, Source, no_progress
from scones.training import train
from scones.training.comparison import points
from scones.training.graph import part

if TYPE_CHECKING:
    from scones.bundle import BundleInfo
    from scones.registry.promotion import Considered
    from scones.store import Bucket
    from scones.task import Task

__all__ = ["Retrained", "retrain"]

Verdict = Literal["promote", "do not promote", "not enough answers"]
_LEAST_HELD: Final = 20
"""Pictures that a candidate must be measured on, before anything is said of it."""
_THREADS: Final = 2


@dataclass(frozen=True)
class Retrained:
    """What came of a retraining.

    Attributes:
        judged: pictures that people judged; ``learned`` of them the candidate learned from.
        dataset: the version that it was trained on.
        info: the candidate's bundle; None where there was nothing to learn from.
        on_new: how it does on the held back pictures; None where there are too few.
        considered: what the gates of a promotion say, on the old test pictures.
        verdict: what to do; ``reasons`` why, in sentences.
    """

    judged: int
    learned: int
    dataset: str
    info: BundleInfo | None
    on_new: OnNew | None
    considered: Considered | None
    verdict: Verdict
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that ``scones retrain --json`` prints."""
        return {
            "judged": self.judged,
            "learned": self.learned,
            "dataset": self.dataset,
            "version": self.info.version if self.info else None,
            "on_new": asdict(self.on_new) if self.on_new else None,
            "gates": [asdict(gate) for gate in self.considered.gates] if self.considered else [],
            "verdict": self.verdict,
            "reasons": list(self.reasons),
        }


def retrain(
    bucket: Bucket,
    task: Task,
    endpoint: str,
    *,
    who: str,
    now: datetime,
    open_other: Callable[[str], Bucket],
    report: Progress = no_progress,
) -> Retrained:
    """Propose a candidate that has learned from what people judged.

    The pictures of production's own dataset keep their splits; the judged ones (but those that are held back, and
    whatever shows the same) and the workflow's examples join the training split, where judged ones count for more.
    What people say now goes before a label of an old training picture. Where the judged ones look as if
    another camera had taken them, the old ones are learned from a second time, as that camera would have taken them
    (:mod:`scones.retraining.camera`). The candidate is a head on the backbone that
    production's own model holds, and has its seed. It is registered, and measured beside production on the old test
    pictures and on the new ones that were held back. Nothing is promoted.

    Killed in between, it does the same again, and all that was written before is written once.

    Args:
        bucket: where all of it lies.
        task: its policy and gates are the measure.
        endpoint: whose audits.
        who: for the record.
        now: with time zone.
        open_other: opens the bucket of an example that lies in another one.
        report: told how it gets on.

    Raises:
        BundleError: nothing is in production, or it is damaged.
        MonitorError: nobody has judged any picture.
        ObjectMissing: production's dataset is gone.
        TrainingError: as :func:`scones.training.train`.
    """
    bundle = find_bundle(PRODUCTION, task.name, lambda: bucket)
    production = Classifier(bundle.info, bundle.model, threads=_THREADS)
    judged = judged_pictures(bucket, endpoint, task.name, task.labels)
    if not judged:
        raise MonitorError(
            f"nobody has judged a picture of endpoint {endpoint} yet: draw some with `scones monitor audit`, and say "
            "what they show with `scones monitor answer`"
        )
    held = [one for one in judged if one.held]
    unseen = {one.content for one in held}
    learned = [one for one in judged if one.content not in unseen and not one.held]
    old = load_dataset(bucket, task.name, production.info.dataset)
    record = {**old.source, "judged": len(learned), "endpoint": endpoint, "from": old.version}
    examples = with_examples(
        Source(record, ()), bucket, task, open_other, without={one.inference for one in held} - {""}
    )
    pictures = chain(
        together(endpoint, old, {one.content: one for one in learned}, unseen), but_unseen(examples.pictures, unseen)
    )
    dataset = write_dataset(bucket, task, pictures, source=examples.record, progress=report)
    if dataset.version == old.version:
        reason = (
            f"production has learned from all of these already, but for {len(judged) - len(learned)} that are held "
            "back to measure with: have more pictures judged"
        )
        return Retrained(len(judged), 0, old.version, None, None, None, "not enough answers", (reason,))
    report("training", 0, 0)
    counts = Counts.of(dataset, learned)
    camera = new_camera(dataset, endpoint, learned, production.info.input_size)
    info, model = train(
        dataset,
        task.model_copy(update={"view": None}),  # production's backbone holds its view
        part(bundle.info, bundle.model),
        counts=counts,
        remake=None if camera is None else remade_by(camera, endpoint, production.info.seed),
        seed=production.info.seed,
        now=now,
        parameters={
            "retrained_from": production.info.version,
            "judged": len(learned),
            "judged_count_as": round(counts.each, 3),
            "camera": None if camera is None else camera.to_json(),
            "backbone_sha256": production.info.parameters.get("backbone_sha256"),
        },
    )
    info = register(bucket, info, model, who=who, now=now, why=f"learned from {len(learned)} judged pictures").info
    considered = consider(bucket, task, info.version, report=report)
    on_new = None
    if len(held) >= _LEAST_HELD:
        candidate = load_model(bucket, task.name, info.version, threads=_THREADS)
        on_new = measure_on_new(production, candidate, held, task.labels)
    verdict, reasons = _verdict(considered, on_new, len(held))
    return Retrained(len(judged), len(learned), dataset.version, info, on_new, considered, verdict, reasons)


def _verdict(considered: Considered, on_new: OnNew | None, held: int) -> tuple[Verdict, tuple[str, ...]]:
    if considered.is_there:
        return "do not promote", ("it is in production already",)
    if considered.refused:
        return "do not promote", tuple(str(gate) for gate in considered.refused)
    if on_new is None:
        more = 5 * (_LEAST_HELD - held) // 2
        told = f"{held} judged pictures were held back to measure it with, and it takes {_LEAST_HELD}"
        return "not enough answers", (f"{told}: have some {more} more judged",)
    low, high = on_new.difference_interval
    told = (
        f"on {on_new.pictures} new pictures that it never saw its accuracy is {on_new.candidate:.1%}, production's "
        f"{on_new.production:.1%}: {points(on_new.difference)} (95 % interval {points(low)} to {points(high)})"
    )
    if low > 0:
        return "promote", (told, "no gate refuses it on the old test pictures")
    if high < 0:
        return "do not promote", (told,)
    return "not enough answers", (f"{told}: no difference is shown yet; have more pictures judged",)
