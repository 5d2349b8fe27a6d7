"""Seek what is new in a stream: a direction of the embeddings that the stream itself teaches. No I/O.

Every few pictures the direction is learned in which the latest ones differ from the reference, and the pictures that
come next are held against the reference in that direction. So it finds what nobody could have fitted a channel to: a
kind of thing that was never seen, of which one in ten pictures is.

The reference is parted: one part to learn the direction with, another to rank in that direction. As the direction
depends on nothing of the latter, the share of healthy pictures beyond its r-th largest score has a known law
(:func:`scones.monitoring.drift.bets.tail_bets`), for each direction again: the bounds are made to hold for all that
are learned within the horizon.
"""

from __future__ import annotations

import base64
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import BaseModel, ConfigDict

from scones.monitoring.drift.bets import tail_bets

__all__ = ["Search", "Sought", "pack"]

_BLOCK: Final = 25
"""Pictures until a new direction is learned."""
_WINDOW: Final = 200
"""Latest pictures that it is learned from."""
_TAILS: Final = (0.03, 0.01, 0.003)
"""Shares of the reference that a picture must lie beyond."""
_LEARN: Final = 1_000
_RANK: Final = 4_000
"""Most reference pictures to learn with, and to rank among; a fourth of few is learned with."""
_AXES: Final = 192
_STEPS: Final = 127
_RIDGE: Final = 0.1
_NEW_SHARE: Final = 0.03
_NEW_SHIFT: Final = 2.5
_ROUNDS: Final = 2
"""New pictures are taken to be so many of the latest, and shifted by so many standard deviations: a mixture of two
normal laws, in so many rounds of expectation and maximisation."""

_Floats: TypeAlias = NDArray[np.float32]


class Sought(BaseModel):
    """A reference of embeddings; arrays are in base64, NumPy's own bytes.

    Attributes:
        mean: float32 (D,), of the embeddings that are learned with.
        basis: float32 (D, d), their principal axes, each divided by the root of its standard deviation.
        middles: float32 (phases, d), of the pictures that are learned with: in these axes and of length 1.
        learned, ranked: int8 (N, d), the reference pictures, likewise and less the middle of their phase, in steps of
            1 / 127.
        ranked_phases: int16 (N,).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: str
    basis: str
    middles: str
    learned: str
    ranked: str
    ranked_phases: str

    @classmethod
    def fit(
        cls, embeddings: NDArray[np.floating[Any]], phase: NDArray[np.int64], phases: int, rng: np.random.Generator
    ) -> Sought:
        """Fit to healthy pictures that no part of the model was fitted on.

        Args:
            embeddings: (N, D).
            phase: (N,), from 0.
            phases: how many there are.
            rng: parts the pictures.
        """
        rows = rng.permutation(len(embeddings))
        count = min(_LEARN, len(rows) // 4)
        learn, rank = rows[:count], rows[count : count + _RANK]
        mean = embeddings[learn].mean(0, dtype=np.float64).astype(np.float32)
        spread, axes = np.linalg.eigh(np.cov(np.asarray(embeddings[learn], np.float64).T))
        spread, axes = np.maximum(spread[::-1][:_AXES], 0), axes[:, ::-1][:, :_AXES]
        basis = (axes * (spread + _RIDGE * spread.mean() + 1e-12) ** -0.25).astype(np.float32)
        z = _within(embeddings, mean, basis)
        parts = [learn[phase[learn] == k] for k in range(phases)]
        middles = np.stack([z[part if len(part) else learn].mean(0) for part in parts]).astype(np.float32)
        z = _in_steps(z - middles[phase])
        return cls(
            mean=_text(mean, np.float32), basis=_text(basis, np.float32), middles=_text(middles, np.float32),
            learned=_text(z[learn], np.int8), ranked=_text(z[rank], np.int8),
            ranked_phases=_text(phase[rank], np.int16),
        )  # fmt: skip

    def within(self, embeddings: NDArray[np.floating[Any]], phase: NDArray[np.int64]) -> _Floats:
        """Embeddings (N, D) of pictures of these phases as the reference pictures are kept, (N, d)."""
        mean, basis, middles = self._frame
        return _in_steps(_within(embeddings, mean, basis) - middles[phase]).astype(np.float32)

    def direction(self, window: _Floats) -> _Floats:
        """Learn in which direction the latest pictures (N, d) differ from the reference.

        First from the mean of all of them, then of those that seem to be new. A picture's own part in the direction
        is taken off its score, else each would seem new.
        """
        learned = self._learned
        own = (window * window).sum(1)
        weights = np.ones(len(window), np.float32)
        found: _Floats = window.mean(0)
        for _ in range(_ROUNDS):
            usual = learned @ found
            scores = window @ found - own * weights / weights.sum()
            normal = (scores - usual.mean()) / max(float(usual.std()), 1e-9)
            odds = _NEW_SHARE / (1 - _NEW_SHARE) * np.exp(np.minimum(_NEW_SHIFT * (normal - _NEW_SHIFT / 2), 50))
            weights = (odds / (1 + odds) + 1e-9).astype(np.float32)
            found = weights @ window / weights.sum()
        return found

    def lines(self, direction: _Floats) -> _Floats:
        """From which score on a picture is in each tail, (phases, tails); the tails become smaller."""
        scores = self._ranked @ direction
        found = np.full((len(self._sizes), len(_TAILS)), np.inf, np.float32)
        for line, own, sizes in zip(found, self._of_phase, self._sizes, strict=True):
            if len(own):
                line[:] = np.sort(scores[own])[[len(own) - size for size in sizes]]
        return found

    def bets(self, horizon: int, delta: float) -> NDArray[np.float64]:
        """Bets on what is new, by phase and by the number of tails that a picture is in: (phases, bets, tails + 1).

        Args:
            horizon: pictures for which they hold.
            delta: the probability, over the draw of the reference, that the true mean of any bet exceeds 1.
        """
        chance = delta / -(-horizon // _BLOCK) / len(self._sizes)
        pairs = zip(self._sizes, self._of_phase, strict=True)
        return np.stack([tail_bets(sizes, len(own), chance) for sizes, own in pairs])

    @cached_property
    def _frame(self) -> tuple[_Floats, _Floats, _Floats]:
        mean = np.frombuffer(base64.b64decode(self.mean), np.float32)
        basis = np.frombuffer(base64.b64decode(self.basis), np.float32).reshape(len(mean), -1)
        middles = np.frombuffer(base64.b64decode(self.middles), np.float32).reshape(-1, basis.shape[1])
        return mean, basis, middles

    @cached_property
    def _learned(self) -> _Floats:
        return self.unpack(self.learned)

    @cached_property
    def _ranked(self) -> _Floats:
        return self.unpack(self.ranked)

    @cached_property
    def _of_phase(self) -> list[NDArray[np.int64]]:
        phase = np.frombuffer(base64.b64decode(self.ranked_phases), np.int16)
        return [np.flatnonzero(phase == k) for k in range(len(self._frame[2]))]

    @cached_property
    def _sizes(self) -> list[tuple[int, ...]]:
        return [tuple(max(1, round(tail * len(own))) for tail in _TAILS) for own in self._of_phase]

    def unpack(self, text: str) -> _Floats:
        """Pictures (N, d) that were packed by :func:`pack`, or are kept here."""
        flat = np.frombuffer(base64.b64decode(text), np.int8)
        return flat.reshape(-1, self._frame[1].shape[1]).astype(np.float32)


class Search:
    """Seeks what is new in one stream.

    Args:
        sought: the reference.
        latest: pictures of the stream, (N, d), when it goes on from an earlier one.
        pending: how many of them came since the present direction was learned.
    """

    def __init__(self, sought: Sought, latest: _Floats | None = None, pending: int = 0) -> None:
        self.sought = sought
        self.latest = sought.unpack("") if latest is None else latest
        self.pending = pending
        self._learn(self.latest[: len(self.latest) - pending])

    def places(self, embeddings: NDArray[np.floating[Any]], phase: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tell of the next pictures how many tails they are in, and learn from them.

        Args:
            embeddings: (N, D); NaN where they are not known.
            phase: (N,).

        Returns:
            int64 (N,); -1 where it is not known, as of the first few.
        """
        found = np.full(len(embeddings), -1, np.int64)
        known = np.flatnonzero(~np.isnan(embeddings).any(1))
        z = self.sought.within(embeddings[known], phase[known])
        start = 0
        while start < len(known):
            stop = min(len(known), start + _BLOCK - self.pending)
            rows = known[start:stop]
            if self._direction is not None:
                beyond = (z[start:stop] @ self._direction)[:, None] > self._lines[phase[rows]]
                found[rows] = beyond.sum(1)
            self.pending += stop - start
            self.latest = np.concatenate([self.latest, z[start:stop]])[-_WINDOW - _BLOCK :]
            if self.pending == _BLOCK:
                self.pending = 0
                self._learn(self.latest)
            start = stop
        return found

    def _learn(self, known: _Floats) -> None:
        self._direction: _Floats | None = None
        if len(known):
            self._direction = self.sought.direction(known[-_WINDOW:])
            self._lines = self.sought.lines(self._direction)


def pack(pictures: _Floats) -> str:
    """Pictures (N, d) as text."""
    return _text(pictures, np.int8)


def _in_steps(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """A byte each is enough; reference and stream are rounded alike, so that neither stands out by it."""
    return np.clip(np.round(z * _STEPS), -_STEPS, _STEPS)


def _within(
    embeddings: NDArray[np.floating[Any]], mean: NDArray[np.floating[Any]], basis: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    # in float64, so that a batch and its pictures one by one come out the same
    z: NDArray[np.float64] = (np.asarray(embeddings, np.float64) - mean) @ np.asarray(basis, np.float64)
    z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return z


def _text(values: NDArray[Any], dtype: DTypeLike) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()
