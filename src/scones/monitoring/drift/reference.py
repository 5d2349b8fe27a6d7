"""What healthy pictures look like to each channel: all that the detector needs of them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scones.contracts import first_fault
from scones.errors import SettingsError
from scones.monitoring.drift.bets import bin_sizes
from scones.monitoring.drift.sought import Sought

__all__ = ["DriftReference", "Scores", "fit_reference"]

Scores = Mapping[str, NDArray[Any]]
"""Of N pictures, by channel: floats (N,), of which the rank counts; whole numbers from 0 (N,), which are classes; or
embeddings (N, D), in which what is new is sought. What is unknown of a picture is NaN, or -1."""

_LEAST: Final = 100


class _Ranked(BaseModel):
    """A channel of scores: the reference scores between two bins, each with the number that breaks its ties."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[float, ...]
    ties: tuple[float, ...]


class _Part(BaseModel):
    """The reference pictures of one phase: how many there are, the bins of each channel, how often each class came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: int = Field(ge=_LEAST)
    ranked: dict[str, _Ranked]
    counted: dict[str, tuple[int, ...]]


class DriftReference(BaseModel):
    """The reference, in JSON by ``model_dump_json`` and back by ``from_json``.

    Attributes:
        parts: one for each phase of a cycle; where there is none, one.
        sought: channels of embeddings.
        seed: of the ties.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: tuple[_Part, ...] = Field(min_length=1)
    sought: dict[str, Sought]
    seed: int

    @property
    def pictures(self) -> int:
        """How many pictures it was fitted on."""
        return sum(part.pictures for part in self.parts)

    @property
    def ranked(self) -> tuple[str, ...]:
        """The channels of scores."""
        return tuple(self.parts[0].ranked)

    @property
    def counted(self) -> tuple[str, ...]:
        """The channels of classes."""
        return tuple(self.parts[0].counted)

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels, in the order of :meth:`places`."""
        return (*self.ranked, *self.counted, *self.sought)

    def places(self, scores: Scores, first: int = 0, phase: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Find where pictures stand.

        Args:
            scores: of N pictures; all channels of the reference.
            first: number of the first picture in its stream: with the reference's seed it determines how ties are
                broken, so that a stream in parts ends as the stream in one go.
            phase: (N,), of the cycle, from 0; left out where the reference tells none apart.

        Returns:
            int64 (N, channels): the bin or the class, times the phases, plus the phase; -1 where the score is not
            known, or the class not one of the reference's. Of a channel of embeddings it is -1, too: where those
            stand, only a detector knows, which has seen what came before.

        Raises:
            SettingsError: a channel is missing, or a phase is none of the reference's.
        """
        if missing := [name for name in self.channels if name not in scores]:
            raise SettingsError(f"the pictures have no scores for {', '.join(missing)}: fit the reference again")
        n = len(next(iter(scores.values())))
        phase = self.phase_of(n, phase)
        ties = np.array(
            [np.random.default_rng((self.seed, first + k)).random(len(self.ranked)) for k in range(n)]
        ).reshape(n, len(self.ranked))
        places = np.full((n, len(self.channels)), -1, np.int64)
        for number, part in enumerate(self.parts):
            rows = np.flatnonzero(phase == number)
            for column, (name, channel) in enumerate(part.ranked.items()):
                values = np.asarray(scores[name], np.float64)[rows]
                bins = _beyond(values, ties[rows, column], np.array(channel.edges), np.array(channel.ties))
                places[rows, column] = np.where(np.isnan(values), -1, bins * len(self.parts) + number)
            for column, (name, counts) in enumerate(part.counted.items(), len(part.ranked)):
                classes = np.asarray(scores[name], np.int64)[rows]
                known = (classes >= 0) & (classes < len(counts))
                places[rows, column] = np.where(known, classes * len(self.parts) + number, -1)
        return places

    def phase_of(self, n: int, phase: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """The phase of each of n pictures, (n,).

        Raises:
            SettingsError: they are none of the reference's.
        """
        if phase is None and len(self.parts) == 1:
            return np.zeros(n, np.int64)
        if phase is None or len(phase) != n or (n and not 0 <= phase.min() <= phase.max() < len(self.parts)):
            raise SettingsError(
                f"the reference tells {len(self.parts)} phases of a cycle apart, and these are not all of them known: "
                f"give each of the {n} pictures its phase, from 0 to {len(self.parts) - 1}"
            )
        return phase

    @classmethod
    def from_json(cls, text: str) -> DriftReference:
        """Read what ``model_dump_json`` wrote.

        Raises:
            SettingsError: it is something else.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise SettingsError(f"this is no reference ({first_fault(error)}): fit it again") from error


def fit_reference(scores: Scores, *, phase: NDArray[np.int64] | None = None, seed: int = 0) -> DriftReference:
    """Fit a reference to healthy pictures that no part of the channels was fitted on.

    Args:
        scores: of the pictures.
        phase: (N,), of the cycle that they go through (:func:`scones.monitoring.drift.blocks.phases`), from 0: pictures
            are then only compared with those of the same phase.
        seed: breaks ties, and parts what embeddings are learned with from what they are ranked among.

    Raises:
        SettingsError: there are fewer than 100 pictures, or in a phase, a channel has another number of them, or lacks
            a score.
    """
    sizes = {name: len(values) for name, values in scores.items()}
    n = min(sizes.values(), default=0)
    if n < _LEAST or max(sizes.values()) != n:
        raise SettingsError(
            f"a reference needs the scores of at least {_LEAST} pictures in each channel, the same in all; there are "
            f"{', '.join(f'{size} of {name}' for name, size in sizes.items()) or 'none'}: give more healthy pictures"
        )
    phase = np.zeros(n, np.int64) if phase is None else np.asarray(phase, np.int64)
    counts = np.bincount(phase)
    if len(phase) != n or counts.min() < _LEAST:
        raise SettingsError(
            f"a reference needs at least {_LEAST} pictures in each phase of the cycle; the smallest has "
            f"{counts.min()}, of {n} pictures: give more, or tell fewer phases apart"
        )
    for name, values in scores.items():
        if (values < 0 if np.issubdtype(values.dtype, np.integer) else np.isnan(values)).any():
            raise SettingsError(
                f"channel {name} has no score for some reference pictures: leave these, or the channel, out"
            )
    rng = np.random.default_rng((seed, 0, 1))  # none of those that break the ties of the stream
    flat = {name: values for name, values in scores.items() if values.ndim == 1}
    parts = tuple(
        _part({name: values[phase == number] for name, values in flat.items()}, flat, count, rng)
        for number, count in enumerate(counts.tolist())
    )
    sought = {name: Sought.fit(values, phase, len(parts), rng) for name, values in scores.items() if name not in flat}
    return DriftReference(parts=parts, sought=sought, seed=seed)


def _part(own: Scores, all_scores: Scores, n: int, rng: np.random.Generator) -> _Part:
    at = np.cumsum(bin_sizes(n))[:-1] - 1
    ranked: dict[str, _Ranked] = {}
    counted: dict[str, tuple[int, ...]] = {}
    for name, values in own.items():
        if np.issubdtype(values.dtype, np.integer):
            classes = max(2, int(all_scores[name].max()) + 1)
            counted[name] = tuple(np.bincount(values, minlength=classes).tolist())
        else:
            ties = rng.random(n)
            order = np.lexsort((ties, values))[at]
            ranked[name] = _Ranked(edges=tuple(values[order].tolist()), ties=tuple(ties[order].tolist()))
    return _Part(pictures=n, ranked=ranked, counted=counted)


def _beyond(
    values: NDArray[np.float64], own: NDArray[np.float64], edges: NDArray[np.float64], ties: NDArray[np.float64]
) -> NDArray[np.int64]:
    """How many edges each value lies beyond; a tie goes by the numbers that break it."""
    below = np.searchsorted(edges, values, "left")
    upto = np.searchsorted(edges, values, "right")
    tied = np.flatnonzero(upto > below)
    for k in tied:
        below[k] += int((ties[below[k] : upto[k]] < own[k]).sum())
    return below.astype(np.int64)
