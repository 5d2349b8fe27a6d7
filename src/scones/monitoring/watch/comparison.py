"""A model beside the one in production, on the same pictures: which of them is to be trusted more. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from scones.monitoring.watch.records import Estimate
from scones.monitoring.watch.rules import Rules
from scones.page.numbers import plural

__all__ = ["Comparison", "Verdict"]

Verdict: TypeAlias = Literal["better", "worse", "even", "unknown"]


@dataclass(frozen=True)
class Comparison:
    """How a model does beside production on pictures that came in lately. Shares are 0 to 1.

    Attributes:
        version: of the model.
        pictures: that both answered; 0 where nothing could be compared.
        agreement: the share of them that both answer alike.
        outside: the share that lies far outside of all that the model knows; ``production_outside``: of production.
        preferred: of the pictures that the two answer differently, the share where the model is right and production
            wrong, among those where one of them is right: by people's answers; None where there are none.
        accuracy: the model's own estimate, by its confidence: told, but nothing is decided on it, as confidence means
            little on pictures that have changed.
    """

    version: str
    pictures: int = 0
    agreement: float = 0.0
    outside: float = 0.0
    production_outside: float = 0.0
    preferred: Estimate | None = None
    accuracy: Estimate | None = None

    @property
    def gain(self) -> float:
        """How much more accurate the model is than production, -1 to 1, as far as people's answers tell."""
        return (1 - self.agreement) * (2 * self.preferred.share - 1) if self.preferred else 0.0

    def verdict(self, rules: Rules) -> Verdict:
        """Say whether the model is to be trusted more than production.

        People's answers go first: a model that they prefer for sure is better where it would make up for as much as is
        called harm. Where they show nothing, a model that knows the pictures is better than one that does not, unless
        the answers point the other way.
        """
        if not self.pictures:
            return "unknown"
        if self.preferred and self.preferred.high < 0.5:
            return "worse"
        if self.preferred and self.preferred.low > 0.5 and self.gain >= rules.accuracy_drop:
            return "better"
        lost, production_lost = self.outside >= rules.outside_share, self.production_outside >= rules.outside_share
        if production_lost and not lost and self.gain >= 0:
            return "better"
        return "worse" if lost and not production_lost else "even"

    def __str__(self) -> str:
        if not self.pictures:
            return f"model {self.version} could not be compared with production"
        told = (
            f"model {self.version} answers {self.agreement:.1%} of {plural(self.pictures, 'picture')} as production "
            f"does; {self.outside:.1%} of them lie far outside of what it knows, {self.production_outside:.1%} of what "
            "production knows"
        )
        if self.preferred:
            judged = plural(self.preferred.answers, "picture")
            told += (
                f"; where they differ, it is right in {self.preferred.share:.0%} (interval {self.preferred.low:.0%} to "
                f"{self.preferred.high:.0%}), by people's answers about {judged}"
            )
        if self.accuracy is not None:
            told += f"; by its own confidence it has {self.accuracy.share:.1%} right"
        return told
