"""Which models are to answer, as it is told from process to process, and the models themselves in one of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scones.bundle import BundleInfo
from scones.capture import CANDIDATE_VARIANT
from scones.errors import BundleError
from scones.serving.lineup import VARIANT, Lineup, Slot

if TYPE_CHECKING:
    from scones.classifier import Classifier

__all__ = ["Models", "Plan", "Post"]


@dataclass(frozen=True)
class Post:
    """A model's part: its version, and the least confidence at which it decides alone, 0 to 1."""

    version: str
    threshold: float


@dataclass(frozen=True)
class Plan:
    """What is to answer from now on.

    Attributes:
        production: answers what nobody else does.
        candidate: answers a share of the pictures, ``weight``, 0 to 1; none of them where that is 0, but in the shadow.
        bundles: by version, what ``bundle.json`` says and the bytes of ``model.onnx``, of models that the receiver
            does not have yet; it keeps those of its plan in force.
    """

    production: Post
    candidate: Post | None = None
    weight: float = 0.0
    bundles: Mapping[str, tuple[BundleInfo, bytes]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def versions(self) -> frozenset[str]:
        """Of all models in it."""
        return frozenset(post.version for post in (self.production, self.candidate) if post is not None)


class Models:
    """The models that a process has loaded, by version, and the size of batch that is best for each that was tried."""

    def __init__(self) -> None:
        self._loaded: dict[str, Classifier] = {}
        self.batches: dict[str, int] = {}

    def lineup(self, plan: Plan) -> Lineup:
        """Load what a plan needs and is not there.

        Raises:
            BundleError: a model cannot be loaded, or a candidate has other labels than production.
        """
        from scones.classifier import Classifier

        for version in plan.versions - self._loaded.keys():
            self._loaded[version] = Classifier(*plan.bundles[version])
            _give_memory_back()
        production = self._slot(VARIANT, plan.production)
        if plan.candidate is None:
            return Lineup(production)
        candidate = self._slot(CANDIDATE_VARIANT, plan.candidate)
        labels, others = production.classifier.info.labels, candidate.classifier.info.labels
        if labels != others:
            raise BundleError(
                f"candidate {candidate.version} knows {', '.join(others)}, production {', '.join(labels)}: "
                "it cannot stand in for it; train one for the same task"
            )
        return Lineup(production, candidate, plan.weight)

    def keep(self, plan: Plan) -> None:
        """Drop what a plan does not need."""
        self._loaded = {version: self._loaded[version] for version in plan.versions}

    def _slot(self, variant: str, post: Post) -> Slot:
        return Slot(variant, self._loaded[post.version], post.threshold, self.batches.get(post.version, 1))


def _give_memory_back() -> None:
    """Loading a model takes several times the memory that it needs then, and the C library keeps it for itself."""
    import ctypes

    with suppress(OSError, AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)
