"""What a deployed stack costs: fixed a month, and for each thousand pictures, term by term."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scones.aws.assumptions import Assumptions
from scones.aws.prices import Price, Prices
from scones.aws.quantities import DAYS, Quantities
from scones.errors import AwsError

__all__ = ["Estimate", "Term", "estimate", "given_up"]


@dataclass(frozen=True)
class Term:
    """A part of the sum.

    Attributes:
        what: in words.
        quantity: single things a month.
        price: of them.
    """

    what: str
    quantity: float
    price: Price

    @property
    def units(self) -> float:
        """The quantity in what one pays for."""
        return self.quantity / self.price.per

    @property
    def dollars(self) -> float:
        """US dollars a month."""
        return self.price.dollars(self.quantity)


@dataclass(frozen=True)
class Estimate:
    """What an application costs.

    Attributes:
        pictures_per_day: that it is made for.
        fixed: terms that are there without a picture.
        traffic: terms that grow with the pictures.
        gives_up: what this kind of application lacks, in words.
        notes: on the prices and on what could not be priced.
        origin: where the prices are from.
    """

    pictures_per_day: float
    fixed: tuple[Term, ...]
    traffic: tuple[Term, ...]
    gives_up: tuple[str, ...]
    notes: tuple[str, ...]
    origin: str

    @property
    def thousands(self) -> float:
        """Pictures a month, in thousands."""
        return self.pictures_per_day * DAYS / 1000

    @property
    def fixed_a_month(self) -> float:
        """US dollars a month when no picture arrives."""
        return sum(term.dollars for term in self.fixed)

    @property
    def traffic_per_1000(self) -> float:
        """US dollars that a thousand pictures add."""
        return sum(term.dollars for term in self.traffic) / self.thousands

    @property
    def a_month(self) -> float:
        """US dollars a month."""
        return self.fixed_a_month + self.traffic_per_1000 * self.thousands

    @property
    def per_1000(self) -> float:
        """US dollars for a thousand pictures, with their share of what is fixed."""
        return self.a_month / self.thousands

    def as_dict(self) -> dict[str, Any]:
        """The estimate as JSON: sums, terms a month, terms per 1,000 pictures."""
        return {
            "pictures_per_day": self.pictures_per_day,
            "dollars_a_month": round(self.a_month, 2),
            "fixed_a_month": round(self.fixed_a_month, 2),
            "dollars_per_1000": round(self.per_1000, 5),
            "traffic_per_1000": round(self.traffic_per_1000, 5),
            "fixed": [_as_dict(term, 1) for term in self.fixed],
            "traffic": [_as_dict(term, self.thousands) for term in self.traffic],
            "gives_up": list(self.gives_up),
            "notes": list(self.notes),
            "prices": self.origin,
        }


def _as_dict(term: Term, share: float) -> dict[str, Any]:
    return {
        "what": term.what,
        "quantity": float(f"{term.units / share:.6g}"),
        "unit": term.price.unit,
        "dollars_a_unit": float(f"{term.price.usd:.6g}"),
        "dollars": float(f"{term.dollars / share:.6g}"),
        "confirmed": term.price.confirmed,
    }


def estimate(
    parameters: Mapping[str, str],
    pictures_per_day: float,
    prices: Prices,
    assumptions: Assumptions | None = None,
) -> Estimate:
    """Estimate the stack of ``app.yaml``.

    Args:
        parameters: its parameters, those with defaults too.
        pictures_per_day: expected, as a mean.
        prices: of its region.
        assumptions: about pictures and functions.

    Raises:
        AwsError: a parameter is missing or no number, or no pictures are expected.

    Example:
        >>> from scones.aws.prices import load_prices
        >>> small = {"Inference": "serverless", "ServerlessMemory": "1024", "ServerlessConcurrency": "1"}
        >>> small |= {"ClassifyType": "EXPRESS", "Task": "defects", "FunctionArchitecture": "arm64", "LogDays": "1"}
        >>> small |= {"CapturePercent": "0", "PictureDays": "1", "CaptureDays": "1", "AlertEmail": ""}
        >>> small |= {"MonitorSchedule": "rate(1 day)", "ShowDashboard": "true"}
        >>> round(estimate(small, 1000, load_prices("us-east-1")).a_month)
        7
    """
    if pictures_per_day <= 0:
        raise AwsError(f"{pictures_per_day:g} pictures a day cannot be priced: expect one at least")
    stack = Quantities(parameters, pictures_per_day, assumptions or Assumptions())
    unpriced: list[str] = []

    def priced(rows: Iterator[tuple[str, str, float]]) -> tuple[Term, ...]:
        terms = []
        for what, key, quantity in rows:
            if key not in prices:
                unpriced.append(f"{what} is not in the sum: no price of {key} is known; see AWS's pricing page")
            elif quantity > 0:
                terms.append(Term(what, quantity, prices[key]))
        return tuple(terms)

    fixed, traffic = priced(stack.fixed()), priced(stack.traffic())
    unsourced = sum(not term.price.confirmed for term in (*fixed, *traffic))
    notes = [*prices.notes, *unpriced, *stack.notes()]
    if unsourced:
        notes.append(f"{unsourced} of {len(fixed) + len(traffic)} prices are not confirmed by a source")
    return Estimate(pictures_per_day, fixed, traffic, given_up(parameters), tuple(notes), prices.origin)


def given_up(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """What the chosen kinds of endpoint and workflow lack, in words."""
    found = []
    if parameters["Inference"] == "serverless":
        found += [
            "no data capture by SageMaker: the classify function writes the records itself",
            "no production variants, no guardrails: a new model gets all pictures at once, nothing rolls it back",
            "cold starts: after a pause a picture waits some seconds",
            "no more pictures at a time than ServerlessConcurrency",
        ]
    else:
        found.append("instances cost the same when no picture arrives")
    if parameters["ClassifyType"] == "EXPRESS":
        found.append("no history of executions that went well; those that failed are told and logged")
    return tuple(found)
