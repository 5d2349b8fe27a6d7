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

__all__ = ["DriftReference", "Scores", "fit_reference"]

Scores = Mapping[str, NDArray[Any]]
"""Of N pictures, by channel: floats (N,), of which the rank counts; or whole numbers from 0 (N,), which are classes.
What is unknown of a picture is NaN, or -1."""

_LEAST: Final = 100


class _Ranked(BaseModel):
    """A channel of scores: the reference scores between two bins, each with the number that breaks its ties."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[float, ...]
    ties: tuple[float, ...]


class DriftReference(BaseModel):
    """The reference, in JSON by ``model_dump_json`` and back by ``model_validate_json``.

    Attributes:
        pictures: that it was fitted on.
        ranked: by channel, its bins.
        counted: by channel, how often each class came.
        seed: of the ties.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: int = Field(ge=_LEAST)
    ranked: dict[str, _Ranked]
    counted: dict[str, tuple[int, ...]]
    seed: int

    @property
    def channels(self) -> tuple[str, ...]:
        """Their names, in the order of :meth:`places`."""
        return (*self.ranked, *self.counted)

    def places(self, scores: Scores, first: int = 0) -> NDArray[np.int64]:
        """Find where pictures stand.

        Args:
            scores: of N pictures; all channels of the reference.
            first: number of the first picture in its stream: with the reference's seed it determines how ties are
                broken, so that a stream in parts ends as the stream in one go.

        Returns:
            int64 (N, channels): the bin or the class; -1 where the score is not known, or the class not one of the
            reference's.

        Raises:
            SettingsError: a channel is missing.
        """
        if missing := [name for name in self.channels if name not in scores]:
            raise SettingsError(f"the pictures have no scores for {', '.join(missing)}: fit the reference again")
        n = len(next(iter(scores.values())))
        ties = np.array(
            [np.random.default_rng((self.seed, first + k)).random(len(self.ranked)) for k in range(n)]
        ).reshape(n, len(self.ranked))
        places = np.empty((n, len(self.channels)), np.int64)
        for column, (name, channel) in enumerate(self.ranked.items()):
            values = np.asarray(scores[name], np.float64)
            places[:, column] = _beyond(values, ties[:, column], np.array(channel.edges), np.array(channel.ties))
            places[np.isnan(values), column] = -1
        for column, (name, counts) in enumerate(self.counted.items(), len(self.ranked)):
            values = np.asarray(scores[name], np.int64)
            places[:, column] = np.where(values < len(counts), values, -1)
        return places

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


def fit_reference(scores: Scores, *, seed: int = 0) -> DriftReference:
    """Fit a reference to healthy pictures that no part of the channels was fitted on.

    Args:
        scores: of the pictures. The smaller their number n, the more a drift must show: bets are lowered by about
            4 / sqrt(n) standard deviations.
        seed: breaks ties.

    Raises:
        SettingsError: there are fewer than 100 pictures, a channel has another number of them, or lacks a score.
    """
    sizes = {name: len(values) for name, values in scores.items()}
    n = min(sizes.values(), default=0)
    if n < _LEAST or max(sizes.values()) != n:
        raise SettingsError(
            f"a reference needs the scores of at least {_LEAST} pictures in each channel, the same in all; there are "
            f"{', '.join(f'{size} of {name}' for name, size in sizes.items()) or 'none'}: give more healthy pictures"
        )
    rng = np.random.default_rng((seed, 0, 1))  # none of those that break the ties of the stream
    at = np.cumsum(bin_sizes(n))[:-1] - 1
    ranked: dict[str, _Ranked] = {}
    counted: dict[str, tuple[int, ...]] = {}
    for name, values in scores.items():
        if np.issubdtype(values.dtype, np.integer):
            unknown = bool((values < 0).any())
            if not unknown:
                counted[name] = tuple(np.bincount(values, minlength=2).tolist())
        else:
            unknown = bool(np.isnan(values).any())
            ties = rng.random(n)
            order = np.lexsort((ties, values))[at]
            ranked[name] = _Ranked(edges=tuple(values[order].tolist()), ties=tuple(ties[order].tolist()))
        if unknown:
            raise SettingsError(
                f"channel {name} has no score for some reference pictures: leave these, or the channel, out"
            )
    return DriftReference(pictures=n, ranked=ranked, counted=counted, seed=seed)


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
