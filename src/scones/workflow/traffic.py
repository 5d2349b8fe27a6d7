"""What arrives: which pictures, in which mix, and what happened to them on their way. All of it by a seed."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from scones.contracts import ManifestLine
from scones.errors import SettingsError, SourceEmpty
from scones.picture import decode, encode_png
from scones.training.distortions import DISTORTIONS, Distortion

__all__ = ["GARBAGE", "Damage", "Kind", "Planned", "Traffic", "content", "parse_damage", "parse_mix", "plan"]

Kind: TypeAlias = Literal["plain", "corrupted", "garbage"]

GARBAGE = ("empty", "truncated", "text", "noise")
"""Files that are no pictures: of no bytes, the first half of a picture, a web page, and bytes that mean nothing."""
_PAGE = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>\n"
_NOISE_BYTES = 2048
_LONGEST = 1024
"""Pixels: what the workflow looks at of a large photograph."""
_RECENT = 100
"""A duplicate is of one of so many arrivals before it, as a sender's second try is."""


@dataclass(frozen=True)
class Damage:
    """One of the evaluation's distortions at one of its steps.

    Attributes:
        distortion: which.
        severity: from 1, the mildest, to the number of the distortion's steps.
    """

    distortion: Distortion
    severity: int

    @property
    def name(self) -> str:
        """As it is written on the command line: ``blur:2``."""
        return f"{_word(self.distortion)}:{self.severity}"


@dataclass(frozen=True)
class Traffic:
    """What arrives, besides when.

    Attributes:
        mix: the weight of each label; empty: the test pictures as they are, each once before any comes again.
        damage: what corrupts pictures, one of these each.
        corrupt: share of pictures that are corrupted, 0 to 1.
        garbage: share of new arrivals that are no pictures, 0 to 1.
        duplicate: share of all arrivals that are an earlier one's file, written again under its key, 0 to 1.
    """

    mix: Mapping[str, float] = field(default_factory=dict)
    damage: Sequence[Damage] = ()
    corrupt: float = 0.0
    garbage: float = 0.0
    duplicate: float = 0.0


@dataclass(frozen=True)
class Planned:
    """An arrival to come.

    Attributes:
        number: of the arrival, from 0; a duplicate has that of the arrival that it repeats.
        due: seconds from the beginning.
        line: the picture, with its true label.
        damage: what is done to it, or None.
        garbage: of which kind of :data:`GARBAGE` the file is; empty: it is a picture.
        again: this is a duplicate.
    """

    number: int
    due: float
    line: ManifestLine
    damage: Damage | None = None
    garbage: str = ""
    again: bool = False

    @property
    def kind(self) -> Kind:
        """What became of the picture."""
        return "garbage" if self.garbage else "corrupted" if self.damage else "plain"


def parse_mix(text: str, labels: Sequence[str], lines: Iterable[ManifestLine]) -> dict[str, float]:
    """Read a mix of labels, as ``bicycle=0.7,motorcycle=0.3``; the weights need not add up to 1.

    Args:
        text: what a person wrote.
        labels: the dataset's.
        lines: the pictures that there are.

    Raises:
        SettingsError: it names no label of the dataset, one twice, or a weight is no number from 0 on.
        SourceEmpty: there is no picture of a label that is wanted.
    """
    mix: dict[str, float] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        label, sign, number = (word.strip() for word in part.partition("="))
        if label not in labels:
            raise SettingsError(f"--mix {text}: {label!r} is no label of the dataset: it has {', '.join(labels)}")
        if label in mix:
            raise SettingsError(f"--mix {text}: {label} stands there twice: name each label once")
        try:
            mix[label] = float(number)
        except ValueError:
            mix[label] = math.nan
        if not (sign and 0 <= mix[label] < math.inf):
            raise SettingsError(f"--mix {text}: {part!r} gives no weight: write label=number, as {label}=0.7")
    if not any(mix.values()):
        raise SettingsError(f"--mix {text!r} leaves nothing to send: give a label a weight above 0, as {labels[0]}=1")
    found = {line.label for line in lines}
    if missing := [label for label, weight in mix.items() if weight and label not in found]:
        raise SourceEmpty(
            f"--mix {text}: the dataset holds no test pictures of {', '.join(missing)}: stage some, or leave them out"
        )
    return mix


def parse_damage(text: str | None) -> tuple[Damage, ...]:
    """Read names of distortions, each with a severity or for all of its severities: ``blur:2,darker``.

    Args:
        text: what a person wrote; None: every distortion at every severity.

    Raises:
        SettingsError: there is no such distortion, or it has no such severity.

    Example:
        >>> [damage.name for damage in parse_damage("blur:2,darker")]
        ['blur:2', 'darker:1', 'darker:2']
    """
    found: dict[str, Damage] = {}
    text = ",".join(map(_word, DISTORTIONS)) if text is None else text
    for part in filter(None, map(str.strip, text.split(","))):
        name, sign, severity = (word.strip() for word in part.partition(":"))
        word = name.lower().replace(" ", "-")
        distortion = next((one for one in DISTORTIONS if _word(one) == word), None)
        if distortion is None:
            known = ", ".join(map(_word, DISTORTIONS))
            raise SettingsError(f"--corrupt {text}: there is no {name!r}: use {known}")
        severities = {str(one): Damage(distortion, one) for one in range(1, len(distortion.steps) + 1)}
        if sign and severity not in severities:
            raise SettingsError(
                f"--corrupt {text}: {word} has no severity {severity!r}: use {' or '.join(severities)}, from mild to "
                "strong"
            )
        for damage in [severities[severity]] if sign else severities.values():
            found[damage.name] = damage
    if not found:
        raise SettingsError(f"--corrupt {text!r} names no corruption: use {', '.join(map(_word, DISTORTIONS))}")
    return tuple(found.values())


def plan(lines: Sequence[ManifestLine], traffic: Traffic, dues: Iterable[float], seed: int) -> Iterator[Planned]:
    """Decide what arrives: the same arguments give the same arrivals.

    Args:
        lines: the pictures to choose from, at least one.
        traffic: what arrives.
        dues: when each is due.
        seed: of all that is random in it.
    """
    chance = random.Random(f"fate {seed}")
    pictures = _mixed(lines, traffic.mix, seed) if traffic.mix else _shuffled(lines, seed)
    recent: deque[Planned] = deque(maxlen=_RECENT)
    number = 0
    for due in dues:
        # As many draws each time: another share of one thing leaves the rest as it was.
        again, garbage, corrupt, which = (chance.random() for _ in range(4))
        if recent and again < traffic.duplicate:
            yield replace(recent[int(which * len(recent))], due=due, again=True)
            continue
        planned = Planned(number, due, next(pictures))
        if garbage < traffic.garbage:
            planned = replace(planned, garbage=GARBAGE[int(which * len(GARBAGE))])
        elif traffic.damage and corrupt < traffic.corrupt:
            planned = replace(planned, damage=traffic.damage[int(which * len(traffic.damage))])
        recent.append(planned)
        number += 1
        yield planned


def content(planned: Planned, data: bytes, seed: int) -> tuple[bytes, str]:
    """Make the file that arrives.

    Args:
        planned: what becomes of the picture.
        data: the picture's file.
        seed: of what is random in it.

    Returns:
        The file's bytes, and the ending of its name.

    Raises:
        PictureError: the dataset's own file is no picture, and was to be corrupted.
    """
    ending = planned.line.source_ref.rsplit(".", 1)[-1]
    if planned.garbage:
        noise = np.random.default_rng([seed, planned.number]).bytes(_NOISE_BYTES)
        files = {"empty": b"", "truncated": data[: len(data) // 2], "text": _PAGE, "noise": noise}
        return files[planned.garbage], ending
    if planned.damage is None:
        return data, ending
    image = decode(data, name=planned.line.source_ref, at_least=_LONGEST)
    image.thumbnail((_LONGEST, _LONGEST), reducing_gap=3.0)
    distortion = planned.damage.distortion
    rng = np.random.default_rng([seed, planned.number])
    made = distortion.apply(image, distortion.steps[planned.damage.severity - 1], rng)
    # Not every distortion writes a kind of file that an arrival may be.
    return (made, "jpg") if made.startswith(b"\xff\xd8") else (encode_png(decode(made)), "png")


def _shuffled(lines: Sequence[ManifestLine], seed: int | str) -> Iterator[ManifestLine]:
    """Each picture once before any comes again."""
    rng = random.Random(seed)
    while True:
        yield from reversed(rng.sample(lines, len(lines)))


def _mixed(lines: Sequence[ManifestLine], mix: Mapping[str, float], seed: int) -> Iterator[ManifestLine]:
    rng = random.Random(f"mix {seed}")
    wanted = {label: weight for label, weight in mix.items() if weight}
    decks = {label: _shuffled([line for line in lines if line.label == label], f"{seed} {label}") for label in wanted}
    while True:
        [label] = rng.choices(list(wanted), list(wanted.values()))
        yield next(decks[label])


def _word(distortion: Distortion) -> str:
    return distortion.name.lower().replace(" ", "-")
