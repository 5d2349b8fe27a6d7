"""What can be told about a stream without its labels, and with 50 answers of a person to 500 pictures.

Needs CIFAR-100 (SCONES_CIFAR100). Heads for its 20 coarse classes and for a two-way grouping (animals, or not) learn
from a part of its training split, without buses. How likely an answer is right is learned from other training pictures
that the backbone never saw, 300 of them damaged in nine ways, as much as luck has it. Noise, JPEG, rotation, blur and
darkness are among these ways; black, fog, a new class and another prior are not. Of the test split, which no backbone
saw, 4,000 pictures are drawn anew for each repetition to calibrate on, and streams from the others; damaged pictures
are of 1,000 that are never calibrated on. So the intervals have the luck of both samples to cover. Truth is the mix
that a stream is drawn with, and the share of right answers among a window's own pictures; a bus is always answered
wrongly.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from harness import Claim, emit, progress
from scipy.special import softmax

from scones.monitoring.quality.accuracy import accuracy_from_confidence, accuracy_from_reviews, accuracy_from_threshold
from scones.monitoring.quality.label_shift import class_mix, fit_cells
from scones.monitoring.quality.review_queue import choose_for_review
from scones.monitoring.quality.right_chance import RightChance
from scones.monitoring.watch.healthy_pictures import worn
from scones.picture import content_hash, model_input
from scones.staging.cifar100 import class_names, read_split
from scones.staging.splits import in_calibration
from scones.training import load_backbone
from scones.training.calibration import fit_temperature
from scones.training.distortions import DISTORTIONS
from scones.training.head import Head, choose_penalty, fit_head

BACKBONE = "small"
TRAINING, PENALTY, CALIBRATION, DAMAGED = 5000, 1000, 4000, 1000
"""Pictures that a head learns from, that its penalty is chosen on, that are calibrated on, and that are damaged."""
CHANCE, WORN = 1500, 300
"""Pictures from which it is learned how likely an answer is right, and how many of them are damaged for it."""
REPETITIONS = 200
WINDOW, ANSWERS, LONG = 500, 50, 1000
PRIORS = (0.5, 0.7, 0.3, 0.9)
ANIMALS = (0, 1, 7, 8, 11, 12, 13, 14, 15, 16)
"""Coarse classes, by number."""
NAMED = {"noise": ("noise", 0.15), "JPEG": ("JPEG", 30), "rotation": ("rotation", 20), "blur": ("blur", 0.03),
         "darkness": ("darker", 0.7)}  # fmt: skip


@dataclass(frozen=True)
class Answers:
    """How sure the model is of each picture, how likely it is right, and whether it is."""

    confidence: np.ndarray
    chance: np.ndarray
    correct: np.ndarray


def main() -> None:
    started = time.monotonic()
    archive = Path(os.environ["SCONES_CIFAR100"])
    rng = np.random.default_rng(0)
    bus = class_names(archive).index("bus")
    train, test = read_split(archive, "train"), read_split(archive, "test")
    backbone = load_backbone(BACKBONE)

    def embed(images: np.ndarray) -> np.ndarray:
        return backbone.embed(images, threads=int(os.environ.get("OMP_NUM_THREADS", "2")))

    rows = rng.permutation(np.flatnonzero(train.labels != bus))
    learned, others = rows[:TRAINING], rows[TRAINING:]
    unseen = (k for k in others if in_calibration(content_hash(PIL.Image.fromarray(train.images[k]))))
    doubted = np.array(list(islice(unseen, CHANCE)))
    known = rng.permutation(np.flatnonzero(test.labels != bus))
    damaged, known = known[:DAMAGED], known[DAMAGED:]
    progress("embedding pictures …")
    embedded = {"known": embed(test.images[known]), "bus": embed(test.images[test.labels == bus])}
    taught = [embed(train.images[doubted])]
    for name, images in worn(list(train.images[doubted[:WORN]]), rng):
        progress(f"embedding pictures to learn from, {name} …")
        taught.append(embed(np.stack(images)))
    learnt = embed(train.images[learned])
    for name, damage in damages().items():
        progress(f"embedding {name} …")
        pictures = [damage(PIL.Image.fromarray(test.images[k]), rng) for k in damaged]
        embedded[name] = embed(np.stack([model_input(data, backbone.size) for data in pictures]))
    detail: dict[str, Any] = {"backbone": BACKBONE, "repetitions": REPETITIONS, "damaged": DAMAGED}
    for name, labels in (
        ("coarse", lambda coarse: coarse),
        ("two_way", lambda c: np.isin(c, ANIMALS).astype(np.int64)),
    ):
        progress(f"{name}: fitting a head, drawing streams …")
        head = fitted(learnt, labels(train.coarse[learned]))
        logits = {key: head.logits(value) for key, value in embedded.items()}
        chances = right_chances(head, taught, labels(train.coarse[doubted]), embedded)
        truth = {key: labels(test.coarse[damaged]) for key in logits}
        truth |= {"known": labels(test.coarse[known]), "bus": np.full(int((test.labels == bus).sum()), -1)}
        animals = np.isin(test.coarse[known], ANIMALS)
        detail[name] = {"accuracy": float((logits["known"].argmax(1) == truth["known"]).mean())}
        detail[name] |= streams(logits, chances, truth, animals, np.random.default_rng(1))
    emit("estimate", started, claims(detail), detail)


def damages() -> dict[str, Callable[[PIL.Image.Image, np.random.Generator], bytes]]:
    """The damage done to pictures, by name."""
    of_name = {distortion.name: distortion for distortion in DISTORTIONS}
    named = {
        name: lambda image, rng, kind=kind, step=step: of_name[kind].apply(image, step, rng)
        for name, (kind, step) in NAMED.items()
    }
    return {"black": lambda image, _: blended(image, 0, 1), "fog": lambda image, _: blended(image, 200, 0.5), **named}


def blended(image: PIL.Image.Image, grey: int, share: float) -> bytes:
    """The picture behind an even grey."""
    buffer = io.BytesIO()
    PIL.Image.blend(image, PIL.Image.new("RGB", image.size, (grey, grey, grey)), share).save(buffer, "BMP")
    return buffer.getvalue()


def fitted(embeddings: np.ndarray, labels: np.ndarray) -> Head:
    """A head, as training fits it."""
    classes = int(labels.max()) + 1
    penalty = choose_penalty(embeddings[:PENALTY], labels[:PENALTY], classes, seed=0)
    return fit_head(embeddings, labels, classes, penalty)


def right_chances(
    head: Head, taught: list[np.ndarray], truth: np.ndarray, embedded: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """How likely each answer is right, as learned from pictures of the training split; all, and then damaged ones."""
    logits = [head.logits(part) for part in taught]
    temperature = fit_temperature(logits[0], truth)
    correct = [part.argmax(1) == truth[: len(part)] for part in logits]
    answers = softmax(np.concatenate(logits) / temperature, axis=1)
    chance = RightChance.fit(answers, np.concatenate(taught), np.concatenate(correct), WORN)
    return {key: chance.of(softmax(head.logits(value) / temperature, axis=1), value) for key, value in embedded.items()}


def streams(
    logits: dict[str, np.ndarray], chances: dict[str, np.ndarray], truth: dict[str, np.ndarray], animals: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    """Calibrate and draw streams, again and again; the figures of class mix and accuracy."""
    mixes: list[dict[str, float]] = []
    windows: list[dict[str, Any]] = []
    classes = logits["known"].shape[1]
    for repetition in range(REPETITIONS):
        rows = rng.permutation(len(truth["known"]))
        held, pool = rows[:CALIBRATION], rows[CALIBRATION:]
        temperature = fit_temperature(logits["known"][held], truth["known"][held])
        answers = {key: softmax(value / temperature, axis=1) for key, value in logits.items()}
        cells = fit_cells(answers["known"][held], truth["known"][held])
        prior = PRIORS[repetition % len(PRIORS)]
        mix = np.array([1 - prior, prior]) if classes == 2 else rng.dirichlet(np.full(classes, 3.0))
        if (chosen := drawn(truth["known"], pool, mix, rng)) is not None:
            found = class_mix(cells, answers["known"][chosen])
            own = np.bincount(truth["known"][chosen], minlength=classes) / LONG
            mixes.append({"error": float(np.abs(found.share - mix).mean()),
                          "error_to_own_pictures": float(np.abs(found.share - own).mean()),
                          "covered": float(((found.low <= mix) & (mix <= found.high)).mean()),
                          "width": float((found.high - found.low).mean()),
                          "warned": float(bool(found.warning))})  # fmt: skip
        for shift, window in shifted(answers, chances, truth, animals, pool, rng).items():
            windows.append({"shift": shift, **judged(window, told("known", held, answers, chances, truth), rng)})
            if shift in answers:
                part = rng.permutation(answers[shift])[:LONG]
                windows[-1]["class_mix_warned"] = float(bool(class_mix(cells, part).warning))
    by_shift = {
        shift: means([row for row in windows if row["shift"] == shift])
        for shift in dict.fromkeys(w["shift"] for w in windows)
    }
    return {
        "class_mix": {"streams": len(mixes), **means(mixes)},
        "accuracy_over_all_shifts": means(windows),
        "shifts": by_shift,
    }


def drawn(labels: np.ndarray, pool: np.ndarray, mix: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Pictures of a mix of classes, each once; None where the pool has too few of a class."""
    parts = [pool[labels[pool] == label] for label in range(len(mix))]
    counts = rng.multinomial(LONG, mix)
    if any(len(part) < count for part, count in zip(parts, counts, strict=True)):
        return None
    return np.concatenate([rng.choice(part, count, replace=False) for part, count in zip(parts, counts, strict=True)])


def told(
    key: str, rows: np.ndarray, answers: dict[str, np.ndarray], chances: dict[str, np.ndarray],
    truth: dict[str, np.ndarray],
) -> Answers:  # fmt: skip
    """Answers to some pictures."""
    found = answers[key][rows]
    return Answers(found.max(1), chances[key][rows], found.argmax(1) == truth[key][rows])


def shifted(
    answers: dict[str, np.ndarray], chances: dict[str, np.ndarray], truth: dict[str, np.ndarray], animals: np.ndarray,
    pool: np.ndarray, rng: np.random.Generator,
) -> dict[str, Answers]:  # fmt: skip
    """A window of each shift."""

    def rows(key: str, chosen: np.ndarray) -> Answers:
        return told(key, chosen, answers, chances, truth)

    def joined(*parts: Answers) -> Answers:
        return Answers(*map(np.concatenate, zip(*map(astuple, parts), strict=True)))

    few = rng.choice(len(truth["bus"]), WINDOW // 10, replace=False)
    many = int(rng.binomial(WINDOW, 0.7))
    one, other = pool[animals[pool]], pool[~animals[pool]]
    windows = {
        "none": rows("known", rng.choice(pool, WINDOW, replace=False)),
        "new class 10 %": joined(rows("known", rng.choice(pool, WINDOW - len(few), replace=False)), rows("bus", few)),
        "prior 0.7": joined(
            rows("known", rng.choice(one, many, replace=False)),
            rows("known", rng.choice(other, WINDOW - many, replace=False)),
        ),
    }  # fmt: skip
    for key in [name for name in answers if name not in ("known", "bus")]:
        windows[key] = rows(key, rng.choice(len(truth[key]), WINDOW, replace=False))
    return windows


def judged(window: Answers, calibration: Answers, rng: np.random.Generator) -> dict[str, float]:
    """How far each estimate is from the truth, and whether its interval holds it."""
    correct, accuracy = window.correct, float(window.correct.mean())
    choice = choose_for_review(window.chance, ANSWERS, rng)
    reviewed = accuracy_from_reviews(window.chance, choice, {int(k): bool(correct[k]) for k in choice.indices})
    simple = float(correct[rng.choice(len(correct), ANSWERS, replace=False)].mean())
    figures = {"accuracy": accuracy, "error_of_simple_sample": abs(simple - accuracy)}
    for name, found in (
        ("with_reviews", reviewed),
        ("without", accuracy_from_confidence(window.chance, calibration.chance, calibration.correct)),
        ("by_confidence", accuracy_from_confidence(window.confidence, calibration.confidence, calibration.correct)),
        ("by_threshold", accuracy_from_threshold(window.confidence, calibration.confidence, calibration.correct)),
    ):
        figures[f"error_{name}"] = abs(found.estimate - accuracy)
        figures[f"covered_{name}"] = float(found.low <= accuracy <= found.high)
        figures[f"width_{name}"] = found.high - found.low
    figures["bias_with_reviews"] = reviewed.estimate - accuracy
    return figures


def means(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The mean of each figure over the rows that have it."""
    names = [name for row in rows for name in row if name != "shift"]
    return {name: round(float(np.mean([row[name] for row in rows if name in row])), 4) for name in dict.fromkeys(names)}


def claims(detail: dict[str, Any]) -> list[Claim]:
    """The figures of the two tasks: of the class mix first the two-way one's, of accuracy the coarse classes'."""
    made = []
    for name, suffix in (("two_way", ""), ("coarse", "_coarse")):
        mix = detail[name]["class_mix"]
        made += [Claim(f"labelshift_mae{suffix}", mix["error"], "share", "<= 0.02"),
                 Claim(f"labelshift_coverage{suffix}", mix["covered"], "share", ">= 0.95")]  # fmt: skip
    for name, suffix in (("coarse", ""), ("two_way", "_two_way")):
        found = detail[name]["accuracy_over_all_shifts"]
        error, covered = found["error_with_reviews"], found["covered_with_reviews"]
        made += [Claim(f"estimate_mae_50{suffix}", error, "share", "<= 0.03"),
                 Claim(f"estimate_coverage{suffix}", covered, "share", ">= 0.95")]  # fmt: skip
    return made


if __name__ == "__main__":
    main()
