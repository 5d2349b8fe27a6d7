"""Check a set of pictures before anyone learns from it, and let what would spoil it leave."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from scones.staging.duplicates import near_duplicates
from scones.staging.inspection import SPLITS, Inspected, Split
from scones.staging.source import Progress, no_progress

__all__ = ["Checks", "Dropped", "Duplicates", "PictureName", "Unreadable", "check"]

MAX_PAIRS = 10_000
"""Most near duplicates that are listed; all of them are counted and acted on."""
FEW = 50
"""Test pictures below which a measured accuracy says little: of 50, 45 right are 78 to 97 % with 95 % confidence."""
_NEEDED_BY: dict[Split, str] = {"calibration": "train", "test": "evaluate"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class PictureName(_Part):
    """A picture as a person finds it again."""

    origin: str
    label: str
    split: Split


class Unreadable(_Part):
    """A file that is no picture that can be read, and why."""

    origin: str
    label: str
    reason: str


class Duplicates(_Part):
    """Pictures that show the same; ``similarity`` is 1 for equal content."""

    pictures: tuple[PictureName, ...]
    similarity: float = 1.0
    mirrored: bool = False


class Dropped(_Part):
    """A picture that is left out of the dataset.

    ``copy``: its split has the same content already; ``leak``: it duplicates a picture of a split further
    towards the test, ``twin``; ``conflict``: the same content stands under another label.
    """

    picture: PictureName
    reason: Literal["copy", "leak", "conflict"]
    twin: PictureName


class Checks(_Part):
    """The checks report of a dataset: ``checks.json``.

    Attributes:
        counts: pictures kept, by split and label.
        balance: training pictures of the rarest label over those of the commonest, 0 to 1.
        sizes: pictures read by ``{width}x{height}``, the commonest 20; ``smallest`` and ``largest`` by area.
        modes, formats: pictures read by pixel mode and by file format.
        unreadable: files that could not be read.
        exact_duplicates: groups of equal content.
        near_duplicates: pairs that show nearly the same; at most 10,000 of ``near_duplicate_pairs``.
        conflicts: groups of equal content under several labels.
        dropped: the pictures that were left out; those with reason ``leak`` are the leaks between splits.
    """

    counts: dict[Split, dict[str, int]]
    balance: float
    sizes: dict[str, int]
    smallest: str
    largest: str
    modes: dict[str, int]
    formats: dict[str, int]
    unreadable: tuple[Unreadable, ...] = ()
    exact_duplicates: tuple[Duplicates, ...] = ()
    near_duplicates: tuple[Duplicates, ...] = ()
    near_duplicate_pairs: int = 0
    conflicts: tuple[Duplicates, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    @property
    def leaks(self) -> tuple[Dropped, ...]:
        """The pictures that were dropped because they would have leaked into a later split."""
        return tuple(entry for entry in self.dropped if entry.reason == "leak")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a later verb will miss in this dataset, and what to do: a sentence each."""
        found = []
        for split, verb in _NEEDED_BY.items():
            labels = self.counts[split]
            if missing := [label for label, number in labels.items() if not number]:
                found.append(
                    f"the {split} split has {sum(labels.values())} pictures, none of {' and '.join(missing)}, "
                    f"but scones {verb} needs some of each label: add more pictures"
                )
        if 0 < (tested := sum(self.counts["test"].values())) < FEW:
            found.append(
                f"the test split has {tested} pictures, too few to tell a good model from a fair one: scones "
                "crossvalidate lets all pictures test what they teach; or add more"
            )
        return tuple(found)

    def summary(self) -> list[tuple[str, str]]:
        """The report in a few lines for people: name and value of each."""
        splits = [f"{split}: {sum(labels.values())} ({_counts(labels)})" for split, labels in self.counts.items()]
        reasons = Counter(entry.reason for entry in self.dropped)
        examples = "".join(f"; {entry.reason}" for entry in self.unreadable[:3])
        return [
            ("pictures", "\n".join(splits)),
            ("class balance", f"{self.balance:.2f} (rarest over commonest label)"),
            ("sizes", f"{self.smallest} to {self.largest}; {_counts(self.modes)}; {_counts(self.formats)}"),
            ("unreadable files", f"{len(self.unreadable)}{examples}"),
            ("exact duplicates", f"{len(self.exact_duplicates)} groups; {reasons['copy']} copies left out"),
            ("near duplicates", f"{self.near_duplicate_pairs} pairs"),
            ("two labels", f"{len(self.conflicts)} groups; {reasons['conflict']} pictures left out of training"),
            ("leaks", f"{reasons['leak']} pictures left the training side"),
            *(("warning", warning) for warning in self.warnings),
        ]


def check(
    pictures: Sequence[Inspected],
    labels: Sequence[str],
    unreadable: Sequence[Unreadable] = (),
    progress: Progress = no_progress,
) -> tuple[list[Inspected], Checks]:
    """Find duplicates, leaks and conflicts, and drop what would spoil training or its measurement.

    The test split is never touched, save that a copy within it counts once. A picture of another split is
    dropped when it equals or nearly equals one of a later split (train, calibration, test: in this
    order), or when the same content stands under two labels.

    Args:
        pictures: what could be read.
        labels: the task's labels.
        unreadable: what could not.
        progress: called while pictures are compared.

    Returns:
        The pictures to keep, in an order that depends on nothing but their content, and the report.
    """
    ordered = sorted(pictures, key=lambda one: (one.split, one.label, one.hash, one.extension, one.origin))
    drops: dict[int, Dropped] = {}

    def drop(index: int, reason: Literal["copy", "leak", "conflict"], twin: int) -> None:
        drops.setdefault(index, Dropped(picture=_name(ordered[index]), reason=reason, twin=_name(ordered[twin])))

    def drop_leak(index: int, twin: int) -> None:
        if SPLITS.index(ordered[index].split) < SPLITS.index(ordered[twin].split):
            drop(index, "leak", twin)

    groups = _equal_content(ordered)
    conflicts = [group for group in groups if len({ordered[index].label for index in group}) > 1]
    for group in conflicts:
        for index in group:
            if ordered[index].split != "test":
                drop(index, "conflict", next(twin for twin in group if ordered[twin].label != ordered[index].label))
    for group in groups:
        latest = max(group, key=lambda index: SPLITS.index(ordered[index].split))
        firsts: dict[tuple[str, str], int] = {}
        for index in group:
            drop_leak(index, latest)
            first = firsts.setdefault((ordered[index].split, ordered[index].label), index)
            if first != index:
                drop(index, "copy", first)
    listed: list[Duplicates] = []
    pairs = 0
    left = [index for index in range(len(ordered)) if index not in drops]
    thumbs = np.stack([ordered[index].thumb for index in left]) if left else np.zeros((0, 32, 32), np.uint8)
    for pair in near_duplicates(thumbs, progress):
        first, second = left[pair.first], left[pair.second]
        if ordered[first].hash == ordered[second].hash:
            continue
        pairs += 1
        drop_leak(first, second)
        drop_leak(second, first)
        if len(listed) < MAX_PAIRS:
            names = (_name(ordered[first]), _name(ordered[second]))
            listed.append(Duplicates(pictures=names, similarity=pair.similarity, mirrored=pair.mirrored))
    kept = [one for index, one in enumerate(ordered) if index not in drops]
    counts = _count(kept, labels)
    areas = sorted(ordered, key=lambda one: (one.width * one.height, one.width))
    return kept, Checks(
        counts=counts,
        balance=min(counts["train"].values()) / max(1, *counts["train"].values()),
        sizes=dict(Counter(_size(one) for one in ordered).most_common(20)),
        smallest=_size(areas[0]) if areas else "",
        largest=_size(areas[-1]) if areas else "",
        modes=dict(Counter(one.mode for one in ordered).most_common()),
        formats=dict(Counter(one.extension for one in ordered).most_common()),
        unreadable=tuple(unreadable),
        exact_duplicates=tuple(_group(ordered, group) for group in groups),
        near_duplicates=tuple(sorted(listed, key=lambda pair: -pair.similarity)),
        near_duplicate_pairs=pairs,
        conflicts=tuple(_group(ordered, group) for group in conflicts),
        dropped=tuple(drops[index] for index in sorted(drops)),
    )


def _count(pictures: Sequence[Inspected], labels: Sequence[str]) -> dict[Split, dict[str, int]]:
    """Count pictures by split and label; a combination without any counts 0."""
    found = Counter((one.split, one.label) for one in pictures)
    return {split: {label: found[split, label] for label in labels} for split in SPLITS}


def _equal_content(pictures: Sequence[Inspected]) -> list[list[int]]:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(pictures):
        groups[one.hash].append(index)
    return [group for group in groups.values() if len(group) > 1]


def _group(pictures: Sequence[Inspected], group: Sequence[int]) -> Duplicates:
    return Duplicates(pictures=tuple(_name(pictures[index]) for index in group))


def _name(one: Inspected) -> PictureName:
    return PictureName(origin=one.origin, label=one.label, split=one.split)


def _size(one: Inspected) -> str:
    return f"{one.width}x{one.height}"


def _counts(values: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in values.items())
