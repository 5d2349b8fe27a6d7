"""What a unit of each service costs: from AWS's Price List where it answers, else from a dated table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from math import inf
from typing import Any

from scones.aws.account import Account
from scones.aws.price_list import Asked, ask_price_list
from scones.errors import AwsError

__all__ = ["HOURS", "Price", "Prices", "load_prices"]

HOURS = 730
"""Hours of a month, as AWS counts them."""
_DEFAULT_REGION = "us-east-1"
_HOSTING = "sagemaker.hosting."


@dataclass(frozen=True)
class Price:
    """What a unit costs.

    Attributes:
        key: as ``s3.put``.
        what: in words.
        unit: what one pays for, as "1,000 requests".
        per: how many single things (requests, seconds, GB) a unit is.
        tiers: from which quantity of single things on, a unit costs how many US dollars.
        source: where that is from, in words; of a price that is not confirmed, what it rests on.
        date: when the source said so, as ``2026-10-01``.
        confirmed: whether a source was read. False: to the best of our knowledge.
        region: whose price it is.
    """

    key: str
    what: str
    unit: str
    per: float
    tiers: tuple[tuple[float, float], ...]
    source: str
    date: str
    confirmed: bool
    region: str

    @property
    def usd(self) -> float:
        """US dollars a unit, in the first tier."""
        return self.tiers[0][1]

    def dollars(self, quantity: float) -> float:
        """What so many single things cost in a month.

        Example:
            >>> price = Price("s3.put", "PUT", "1,000 requests", 1000, ((0, 0.005), (10_000, 0.001)), "", "", True, "")
            >>> round(price.dollars(12_000), 4)
            0.052
        """
        bounds = [*(start for start, _ in self.tiers), inf]
        return sum(
            usd * max(0.0, min(quantity, end) - start) / self.per
            for (start, end), (_, usd) in zip(pairwise(bounds), self.tiers, strict=True)
        )


class Prices(Mapping[str, Price]):
    """Prices by their keys.

    Args:
        region: whose prices they should be.
        rows: the prices.
        origin: where they come from, in words.
        notes: what a reader of sums must know.
    """

    def __init__(self, region: str, rows: Mapping[str, Price], origin: str, notes: Sequence[str]) -> None:
        self.region = region
        self.origin = origin
        self.notes = tuple(notes)
        self._rows = dict(rows)

    def __getitem__(self, key: str) -> Price:
        return self._rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def load_prices(region: str, account: Account | None = None, *, instance_type: str | None = None) -> Prices:
    """Find the prices of a region.

    Args:
        region: as ``eu-west-1``; one that the table does not have takes the prices of us-east-1.
        account: whose credentials may ask the Price List; None, or where it does not answer: the table. What it does
            not know, or answers ambiguously, the table says.
        instance_type: of an endpoint, as ``ml.m7i.large``; asked for as well where the table lacks it.

    Raises:
        AwsError: the table that comes with Scones is damaged.

    Example:
        >>> prices = load_prices("eu-west-1")
        >>> prices["s3.put"].usd, prices.origin
        (0.005, 'the table of 2026-11')
    """
    table = _table()
    rows = {key: _from_table(table, key, region) for key in table["rows"]}
    asked = {key: Asked(key, row["per"], **row["api"]) for key, row in table["rows"].items() if "api" in row}
    extra = f"{_HOSTING}{instance_type}"
    if instance_type is not None and extra not in rows:
        asked[extra] = Asked(extra, 1, service="AmazonSageMaker", usage=(f"Host:{instance_type}",))
    answered, failures = ask_price_list(account, region, asked.values()) if account is not None else ({}, [])
    for key, answer in answered.items():
        what, unit = (
            (rows[key].what, rows[key].unit) if key in rows else (f"SageMaker endpoint, {instance_type}", "hour")
        )
        rows[key] = Price(
            key, what, unit, asked[key].per, answer.tiers, "AWS Price List", answer.date, confirmed=True, region=region
        )
    return Prices(region, rows, _origin(table["date"], answered, rows), [*_notes(region, rows), *failures])


def _origin(date: str, answered: Mapping[str, Any], rows: Mapping[str, Price]) -> str:
    table = f"the table of {date}"
    if not answered:
        return table
    published = max(answer.date for answer in answered.values())
    here = f"AWS's Price List of {published}"
    missing = len(rows) - len(answered)
    return f"{here}, and for {missing} of {len(rows)} rows {table}" if missing else here


def _notes(region: str, rows: Mapping[str, Price]) -> Iterator[str]:
    yield "list prices on demand, without taxes, discounts and free tiers"
    elsewhere = sorted(key for key, price in rows.items() if price.region != region)
    if len(elsewhere) == len(rows):
        yield f"the table does not know {region}: these are the prices of {_DEFAULT_REGION}"
    elif elsewhere:
        yield f"{len(elsewhere)} of {len(rows)} prices are those of {_DEFAULT_REGION}, not of {region}"


def _from_table(table: dict[str, Any], key: str, region: str) -> Price:
    try:
        row = table["rows"][key]
        place = region if region in row["regions"] else _DEFAULT_REGION
        entry = row["regions"][place]
        usd = entry["usd"]
        tiers = tuple((float(start), float(price)) for start, price in usd) if isinstance(usd, list) else ((0.0, usd),)
        known = table["sources"][entry["source"]] if "source" in entry else None
        return Price(
            key=key,
            what=row["what"],
            unit=row["unit"],
            per=row["per"],
            tiers=tiers,
            source=known["what"] if known else entry["note"],
            date=known["date"] if known else table["date"],
            confirmed=known is not None,
            region=place,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AwsError(f"prices.json is damaged at {key} ({error!r}): install Scones anew") from error


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((resources.files("scones.aws") / "prices.json").read_text("utf-8"))
    return found
